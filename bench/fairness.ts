/**
 * The suite `fairness`: what one greedy connection costs a hundred polite ones.
 *
 * The server is a process of its own with its data in memory, and so is the greedy client (fairness-greedy.ts), which
 * sends lists of 10,000 names, reads and writes of 256 KiB without waiting for an answer. Each polite client asks again
 * some time after its answer, nine reads to a write. Rounds with and without the greedy one take turns.
 *
 * Two figures each: the time that the client sees, in which the client's and the greedy one's own work and that of the
 * rest of the machine are, too; and the processor time that the server has used meanwhile, which is what it has done
 * between a request and its answer, whatever else runs. The kernel counts that once in some milliseconds.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { OpCode } from '../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../src/backends/wire/records.ts'
import { startProcess } from '../test/engines/process.ts'
import { BIG_PATH, LIST_PATH } from './fairness-greedy.ts'
import { percentiles, spread } from './measure.ts'
import type { Effort, Figure } from './measure.ts'
import { WireClient } from './wire-client.ts'
import { startQuorate } from './wire-engines.ts'

const POLITE = 100
const PAUSE_MS = 10
const LIST_NAMES = 10_000
const NAMES_AT_ONCE = 1_000
const BIG_BYTES = 0x4_0000
/** Rounds are longer than those of rates: a percentile needs many samples. */
const ROUNDS_LONGER = 10
const GREEDY_SCRIPT = fileURLToPath(new URL('./fairness-greedy.js', import.meta.url))

type Kind = 'read' | 'write'
/** The time that the client sees, and the server's own. */
type Clock = 'seen' | 'server'
type Latencies = Readonly<Record<Kind, Readonly<Record<Clock, number[]>>>>

/** Measures it. */
export async function* measureFairness(effort: Effort): AsyncGenerator<Figure> {
  const engine = await startQuorate(1)
  try {
    const [pid = 0] = engine.pids
    const owner = await WireClient.open(engine.port)
    await fill(owner)
    const polite: WireClient[] = []
    for (let i = 0; i < POLITE; i++) polite.push(await WireClient.open(engine.port))
    await round(polite, pid, effort.warmUpMs)
    const alone: Latencies[] = []
    const together: Latencies[] = []
    for (let i = 0; i < effort.rounds; i++) {
      alone.push(await round(polite, pid, effort.roundMs * ROUNDS_LONGER))
      const greedy = startProcess(process.execPath, [GREEDY_SCRIPT, String(engine.port)])
      await round(polite, pid, effort.warmUpMs)
      together.push(await round(polite, pid, effort.roundMs * ROUNDS_LONGER))
      await greedy.kill()
    }
    for (const clock of ['seen', 'server'] as const) {
      for (const kind of ['read', 'write'] as const) yield* figuresOf(alone, together, kind, clock)
    }
    for (const client of [...polite, owner]) client.drop()
  } finally {
    await engine.stop()
  }
}

const CLOCK_NAMES = { seen: '', server: ', server time' } as const

function* figuresOf(
  alone: readonly Latencies[],
  together: readonly Latencies[],
  kind: Kind,
  clock: Clock,
): Generator<Figure> {
  const [before, after] = [spreadOf(alone, kind, clock), spreadOf(together, kind, clock)]
  const name = `p99 of a polite ${kind}${CLOCK_NAMES[clock]}`
  yield { figure: `${name}, alone`, size: POLITE, ...before }
  yield { figure: `${name}, beside a greedy one`, size: POLITE, ...after }
  yield { figure: `${name}, ratio`, size: POLITE, unit: 'x', value: after.value / before.value, target: '<= 2' }
}

function spreadOf(rounds: readonly Latencies[], kind: Kind, clock: Clock) {
  const p99s = rounds.map((latencies) => percentiles(latencies[kind][clock]).p99Ms)
  return { unit: 'ms', ...spread(p99s), ...percentiles(rounds.flatMap((latencies) => latencies[kind][clock])) } as const
}

async function fill(owner: WireClient): Promise<void> {
  await owner.ask(OpCode.create, creation(LIST_PATH))
  await owner.ask(OpCode.create, creation(BIG_PATH, new Uint8Array(BIG_BYTES)))
  for (let i = 0; i < LIST_NAMES; i += NAMES_AT_ONCE) {
    const parts = Array.from({ length: NAMES_AT_ONCE }, (_, j) => {
      return { op: OpCode.create, body: creation(`${LIST_PATH}/name-of-a-node-${i + j}`) } as const
    })
    await owner.ask(OpCode.multi, parts)
  }
  for (let i = 0; i < POLITE; i++) await owner.ask(OpCode.create, creation(`/polite-${i}`))
}

function creation(path: string, data: Uint8Array | null = null) {
  return { path, data, acl: OPEN_ACL, flags: 0 }
}

/** Each client in turns of asking and waiting; the first pauses are of all lengths, so that they do not ask together. */
async function round(clients: readonly WireClient[], pid: number, durationMs: number): Promise<Latencies> {
  const latencies: Latencies = { read: { seen: [], server: [] }, write: { seen: [], server: [] } }
  const endMs = performance.now() + durationMs
  const data = new Uint8Array(100)
  await Promise.all(clients.map(async (client, index) => {
    const path = `/polite-${index}`
    await pause((PAUSE_MS * index) / clients.length)
    for (let turn = index; performance.now() < endMs; turn++) {
      const kind = turn % 10 === 0 ? 'write' : 'read'
      const [beforeMs, usedMs] = [performance.now(), serverMs(pid)]
      if (kind === 'read') await client.ask(OpCode.getData, { path, watch: false })
      else await client.ask(OpCode.setData, { path, data, version: -1 })
      latencies[kind].seen.push(performance.now() - beforeMs)
      latencies[kind].server.push(serverMs(pid) - usedMs)
      await pause(PAUSE_MS)
    }
  }))
  return latencies
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Processor time of the server's main thread, in milliseconds. */
function serverMs(pid: number): number {
  const [ns = '0'] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')
  return Number(ns) / 1e6
}
