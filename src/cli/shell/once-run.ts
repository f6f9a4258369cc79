/**
 * Runs a command once for everybody: `quorate run-once PATH -- command...`.
 *
 * Model     {@link onceOnly} with the command as its work. The record says that it ended with status 0, when, by
 *           whom, and holds the beginning of its standard output.
 * Status    0 if it has been done, now or before; the command's own if that is another, and then nothing is recorded.
 * Signals   end a wait before the command; once it runs they are passed on to it.
 */
import { isCoordinationError } from '../../core/errors.ts'
import { onceOnly } from '../../recipes/once/once-only.ts'
import type { OnceWork } from '../../recipes/once/once-only.ts'
import { ExitStatus, Failure, LOCK_STATUSES } from '../exit-status.ts'
import { textOf } from '../output.ts'
import type { CommandContext } from './command.ts'
import { interrupted } from './lock-run.ts'
import { PassedSignals, runProgram } from './program-run.ts'
import type { HeldRun } from './program-run.ts'

/** A command to run once, and how long its result is good for. */
export interface OnceRun extends HeldRun {
  /** How long what was done is good for, in milliseconds; forever if undefined. */
  readonly ttlMs: number | undefined
}

/** The record of a run that ended with status 0. */
interface OnceRecord {
  /** Who did it. */
  readonly by: string
  /** When it ended, by the clock of who did it. */
  readonly endedMs: number
  /** The beginning of its standard output; null if that is not text. */
  readonly out: string | null
  /** Whether more followed. */
  readonly isCut: boolean
}

/** How much of the output is recorded, in bytes. */
const OUT_BYTES_MAX = 65_536

/** The longest that a result can be good for, in milliseconds. */
export const TTL_MS_MAX = 2 ** 31 - 1

/** Help of its own. */
export const RUN_ONCE_DETAILS = `If it ends with status 0, the first ${OUT_BYTES_MAX / 1_024} KiB of its standard output
are recorded, and shown to all who come later; a command that fails is run again by the next
  -ttl ms       how long it is good for, in milliseconds; forever by default
`

/**
 * Runs it, unless it has been done; then shows what it said.
 *
 * @throws Failure with the command's status if that is not 0, or with why it was not run, or not recorded
 */
export async function runOnce(context: CommandContext, run: OnceRun): Promise<void> {
  const { path, ttlMs } = run
  const signals = new PassedSignals()
  const wait = new WorkWait(run.waitMs, [context.signal, signals.first])
  let isRun = false
  const work = async (given: OnceWork): Promise<OnceRecord> => {
    wait.close()
    isRun = true
    return record(context, run, given, signals)
  }
  try {
    const options = ttlMs === undefined ? { signal: wait.signal } : { signal: wait.signal, ttlMs }
    const found: unknown = await onceOnly<OnceRecord>(context.client(), path, work, options)
    show(context, path, found, isRun)
  } catch (error) {
    if (isCoordinationError(error, 'LEASE_LOST')) {
      throw new Failure(error.message, LOCK_STATUSES.lost)
    }
    if (!isCoordinationError(error, 'ABORTED')) throw error
    if (signals.name !== null) throw interrupted(path, signals.name)
    if (!wait.isOver) throw error
    const status = context.client().state.status === 'connected' ? run.busyStatus : 'unreachable'
    throw new Failure(`somebody else was at ${path} for ${run.waitMs ?? 0} ms`, status)
  } finally {
    wait.close()
    signals.close()
  }
}

/** The work: the command, whose output is shown as it comes unless it is shown as JSON at the end. */
async function record(
  { json }: Pick<CommandContext, 'json'>,
  run: OnceRun,
  { signal, token }: OnceWork,
  signals: PassedSignals,
): Promise<OnceRecord> {
  const kept: Buffer[] = []
  let bytes = 0
  const onOutput = (chunk: Buffer): void => {
    if (!json) process.stdout.write(chunk)
    if (bytes < OUT_BYTES_MAX) kept.push(chunk.subarray(0, OUT_BYTES_MAX - bytes))
    bytes += chunk.length
  }
  const variables = { QUORATE_ONCE_PATH: run.path, QUORATE_ONCE_TOKEN: token.toString() }
  const status = await runProgram(run, { signal, variables, onOutput }, signals)
  if (signal.aborted) throw new Failure(`lost ${run.path}, so the command was ended`, LOCK_STATUSES.lost)
  if (status !== ExitStatus.ok) throw new Failure('', status)
  const isCut = bytes > OUT_BYTES_MAX
  const whole = Buffer.concat(kept)
  return { by: run.data, endedMs: Date.now(), out: textOf(isCut ? withoutPart(whole) : whole), isCut }
}

/** Text that was cut, without its last character, of which a part may be missing. */
function withoutPart(text: Buffer): Buffer {
  let end = text.length
  while (end > 0 && ((text[end - 1] ?? 0) & 0xc0) === 0x80) end -= 1
  return text.subarray(0, Math.max(0, end - 1))
}

function show({ json, print, note }: CommandContext, path: string, found: unknown, isRun: boolean): void {
  const { by = null, endedMs = null, out = null, isCut = false } = (found ?? {}) as Partial<OnceRecord>
  const text = typeof out === 'string' && !isRun ? out : ''
  if (!json && !isRun) note(`${path} was done before${typeof by === 'string' ? `: ${by}` : ''}\n`)
  if (text !== '' || json) print({ text, json: { path, ran: isRun, by, endedMs, out, isCut } })
}

/** A wait that ends by signals or after a time, unless it is closed before. */
class WorkWait {
  /** Whether its time was over. */
  isOver = false
  readonly #controller = new AbortController()
  readonly #ends: readonly AbortSignal[]
  readonly #timer: NodeJS.Timeout | undefined

  constructor(waitMs: number | undefined, ends: readonly AbortSignal[]) {
    this.#ends = ends
    for (const signal of ends) signal.addEventListener('abort', this.#end)
    if (ends.some(({ aborted }) => aborted)) this.#end()
    if (waitMs === undefined) return
    this.#timer = setTimeout(() => {
      this.isOver = true
      this.#end()
    }, waitMs)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const signal of this.#ends) signal.removeEventListener('abort', this.#end)
  }

  readonly #end = (): void => this.#controller.abort()
}
