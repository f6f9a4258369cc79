/** The quickstart with its data in a directory: killed in the middle of its work, and started again. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseLedger } from '../../examples/quickstart/ledger.ts'
import { compiledPackage } from '../engines/quorate-server.ts'
import type { CompiledPackage } from '../engines/quorate-server.ts'
import { compileExamplesInto } from '../support/compiled.ts'

const COMPILE_MS_MAX = 180_000
const RUN_MS_MAX = 180_000
const PATIENCE = { timeout: 60_000, interval: 5 }
/** Entries of the ledger at which it is killed: before and after the prices change. */
const KILLED_AT = [3, 25]

let compiled: CompiledPackage

beforeAll(() => {
  compiled = compiledPackage()
  compileExamplesInto(join(compiled.path, 'examples'))
  cpSync('examples/data', join(compiled.path, 'examples/data'), { recursive: true })
}, COMPILE_MS_MAX)

afterAll(() => compiled.remove())

function start(...args: string[]): ChildProcess {
  const main = join(compiled.path, 'examples/quickstart.js')
  return spawn(process.execPath, [main, '--json', ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function ended(child: ChildProcess): Promise<{ readonly status: number; readonly out: string }> {
  let out = ''
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()))
  const [status] = (await once(child, 'close')) as [number]
  return { status, out }
}

it('goes on after each kill with the ledger, the prices and the tokens of before', async () => {
  const directory = join(compiled.path, 'data')
  const file = join(directory, 'ledger.jsonl')
  const ledger = (): string => (existsSync(file) ? readFileSync(file, 'utf8') : '')
  for (const entries of KILLED_AT) {
    const before = ledger()
    const child = start('--data-dir', directory)
    await expect.poll(() => ledger().split('\n').length, PATIENCE).toBeGreaterThan(entries)
    child.kill('SIGKILL')
    await once(child, 'close')
    expect(ledger().startsWith(before)).toBe(true)
  }
  const before = parseLedger(ledger())
  const { status, out } = await ended(start('--data-dir', directory))
  const { ok, checks } = JSON.parse(out) as { ok: boolean; checks: { ok: boolean; name: string }[] }
  expect({ status, ok, failed: checks.filter((check) => !check.ok) }).toEqual({ status: 0, ok: true, failed: [] })
  const after = parseLedger(ledger())
  expect(after.slice(0, before.length)).toEqual(before)
  expect(after.length).toBeGreaterThan(before.length)
  const tokens = after.map(({ token }) => BigInt(token))
  expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)))
  expect(new Set(tokens).size).toBe(tokens.length)
  // A change by somebody else since then is found.
  writeFileSync(file, ledger().replace(`"token":"${tokens.at(-1)}"`, `"token":"${tokens[0]}"`))
  expect((await ended(start('--data-dir', directory))).status).toBe(1)
}, RUN_MS_MAX)
