/**
 * Loaded into a server before its program: its wall clock goes ahead of that of the machine, or after it, by the
 * milliseconds that a file holds. Signal SIGUSR2 has it read the file again: the clock jumps.
 *
 * Left out   the monotonic clock, timers and files' times: on a machine whose clock is set they do not jump either.
 */
import { readFileSync } from 'node:fs'

const FILE = process.env['QUORATE_CHAOS_CLOCK']
const { now } = Date
let shiftMs = 0

function readShift(): void {
  shiftMs = FILE === undefined ? 0 : Number(readFileSync(FILE, 'utf8'))
}

readShift()
Date.now = () => now() + shiftMs
globalThis.Date = new Proxy(Date, {
  construct: (target, args: unknown[], newTarget) => {
    return Reflect.construct(target, args.length === 0 ? [target.now()] : args, newTarget) as Date
  },
})
process.on('SIGUSR2', () => {
  readShift()
  process.stderr.write(`the clock says ${new Date().toISOString()}\n`)
})
