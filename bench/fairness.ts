/**
 * The suite `fairness`: what one greedy connection costs a hundred polite ones.
 *
 * The server is a process of its own with its data in memory, and so is the greedy client (fairness-greedy.ts), which
 * sends lists of 10,000 names, reads and writes of 256 KiB without waiting for an answer. Each polite client asks again
 * some time after its answer, nine reads to a write. Rounds without the greedy one, beside it, and with it at another
 * server of the machine take turns: the last show what the machine alone makes of it.
 */
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
type Latencies = Readonly<Record<Kind, number[]>>

/** Measures it. */
export async function* measureFairness(effort: Effort): AsyncGenerator<Figure> {
  const engine = await startQuorate(1)
  const other = await startQuorate(1)
  try {
    const owner = await WireClient.open(engine.port)
    await fill(owner)
    const otherOwner = await WireClient.open(other.port)
    await fill(otherOwner)
    const polite: WireClient[] = []
    for (let i = 0; i < POLITE; i++) polite.push(await WireClient.open(engine.port))
    await round(polite, effort.warmUpMs)
    const roundMs = effort.roundMs * ROUNDS_LONGER
    const beside = async (port: number): Promise<Latencies> => {
      const greedy = startProcess(process.execPath, [GREEDY_SCRIPT, String(port)])
      await round(polite, effort.warmUpMs)
      const latencies = await round(polite, roundMs)
      await greedy.kill()
      return latencies
    }
    const rounds: Record<'alone' | 'together' | 'apart', Latencies[]> = { alone: [], together: [], apart: [] }
    for (let i = 0; i < effort.rounds; i++) {
      rounds.alone.push(await round(polite, roundMs))
      rounds.together.push(await beside(engine.port))
      rounds.apart.push(await beside(other.port))
    }
    for (const kind of ['read', 'write'] as const) yield* figuresOf(rounds, kind)
    for (const client of [...polite, owner, otherOwner]) client.drop()
  } finally {
    await Promise.all([engine.stop(), other.stop()])
  }
}

function* figuresOf(
  { alone, together, apart }: Readonly<Record<'alone' | 'together' | 'apart', readonly Latencies[]>>,
  kind: Kind,
): Generator<Figure> {
  const [before, after, elsewhere] = [alone, together, apart].map((rounds) => figureOf(rounds, kind))
  if (before === undefined || after === undefined || elsewhere === undefined) return
  yield { figure: `p99 of a polite ${kind}, alone`, size: POLITE, ...before }
  yield { figure: `p99 of a polite ${kind}, beside a greedy one`, size: POLITE, ...after }
  yield { figure: `p99 of a polite ${kind}, a greedy one elsewhere`, size: POLITE, ...elsewhere }
  const ratio = { size: POLITE, unit: 'x' } as const
  yield { figure: `${kind}: beside / alone`, ...ratio, value: after.value / before.value, target: '<= 2' }
  yield { figure: `${kind}: elsewhere / alone`, ...ratio, value: elsewhere.value / before.value }
}

function figureOf(rounds: readonly Latencies[], kind: Kind) {
  const p99s = rounds.map((latencies) => percentiles(latencies[kind]).p99Ms)
  return { unit: 'ms', ...spread(p99s), ...percentiles(rounds.flatMap((latencies) => latencies[kind])) } as const
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

/** Each client asks and waits in turns; the first pauses are of all lengths, so that they do not ask together. */
async function round(clients: readonly WireClient[], durationMs: number): Promise<Latencies> {
  const latencies: Latencies = { read: [], write: [] }
  const endMs = performance.now() + durationMs
  const data = new Uint8Array(100)
  await Promise.all(clients.map(async (client, index) => {
    const path = `/polite-${index}`
    await pause((PAUSE_MS * index) / clients.length)
    for (let turn = index; performance.now() < endMs; turn++) {
      const kind = turn % 10 === 0 ? 'write' : 'read'
      const beforeMs = performance.now()
      if (kind === 'read') await client.ask(OpCode.getData, { path, watch: false })
      else await client.ask(OpCode.setData, { path, data, version: -1 })
      latencies[kind].push(performance.now() - beforeMs)
      await pause(PAUSE_MS)
    }
  }))
  return latencies
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
