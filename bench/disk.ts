/**
 * The suite `disk`: a server of Quorate and one of Apache ZooKeeper with their data on the same disk, side by side, by
 * the same client. Both sync each write before they answer. A ratio is that of Quorate's figure to ZooKeeper's.
 *
 * Rates      of both take turns, figure by figure, so that what else the machine does meets them alike.
 * Start      from the start of the process until the first answer, after `kill -9`, on a tree of so many nodes.
 * Snapshot   the p99 of sets while snapshots of that tree are taken one after the other, and while none is.
 */
import { fileURLToPath } from 'node:url'
import { OpCode } from '../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../src/backends/wire/records.ts'
import { quorateOnDisk, zooKeeperOnDisk } from './disk-engines.ts'
import type { DiskEngine } from './disk-engines.ts'
import type { Effort, Figure } from './measure.ts'
import { spread } from './measure.ts'
import { named, ratios } from './named.ts'
import type { Measured } from './named.ts'
import { WireClient } from './wire-client.ts'
import type { RunningEngine } from './wire-engines.ts'
import { BENCH_PATH, Load } from './wire-load.ts'
import type { LoadName } from './wire-load.ts'

const IN_FLIGHT = [1, 16, 256]
const OPERATIONS: readonly LoadName[] = ['set', 'create', '90/10']
const NODES = [100_000, 1_000_000]
/** The quick form, which shows in some seconds that everything runs. */
const QUICK = { warmUpMs: 100, nodes: [1_000, 2_000], starts: 1, writes: 1_000, snapCount: 200 } as const
/** A JVM compiles what is hot; it gets the time. */
const WARM_UP_MS = 4_000
const WRITES = 20_000
const STARTS = 3
const NODE_BYTES = 100
const AT_ONCE = 256
/** A snapshot is due so soon that one follows the other; and never. */
const SNAPSHOTS_ALWAYS = 2_000
const SNAPSHOTS_NEVER = 1_000_000_000
const SNAPSHOT_IN_FLIGHT = 16
const SNAPSHOT_ROUNDS = 20
/** Where the nodes of a tree are, so many in each folder. */
const TREE_PATH = '/tree'
const FOLDER_NODES = 1_000

const TARGETS = { throughput: '>= 1.5 @ 256', latency: '<= 1.0 @ 1', start: '<= 0.7' } as const
const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** Measures everything; a figure comes as soon as it is there. */
export async function* measureDisk(effort: Effort, program: string = PROGRAM): AsyncGenerator<Figure> {
  const engines = [await quorateOnDisk(program), await zooKeeperOnDisk()]
  try {
    yield* measureWrites(effort, engines)
    const isQuick = effort.warmUpMs < QUICK.warmUpMs
    let filled = 0
    for (const nodes of isQuick ? QUICK.nodes : NODES) {
      yield* measureStarts(engines, filled, nodes, isQuick ? QUICK.starts : STARTS)
      if (filled === 0) yield* measureSnapshots(effort, engines, nodes, isQuick ? QUICK.snapCount : SNAPSHOTS_ALWAYS)
      filled = nodes
    }
  } finally {
    for (const engine of engines) engine.remove()
  }
}

async function* measureWrites(effort: Effort, engines: readonly DiskEngine[]): AsyncGenerator<Figure> {
  const isQuick = effort.warmUpMs < QUICK.warmUpMs
  const servers: RunningEngine[] = []
  try {
    for (const engine of engines) servers.push(await engine.start(null))
    const loads: Load[] = []
    for (const server of servers) loads.push(await Load.open(server))
    for (const load of loads) await load.warmUp({ ...effort, warmUpMs: isQuick ? effort.warmUpMs : WARM_UP_MS })
    for (const inFlight of IN_FLIGHT) {
      for (const name of OPERATIONS) {
        const figures: Figure[] = []
        for (const load of loads) figures.push(await load.measure(name, name, effort, inFlight))
        yield* named(`disk: ${name}`, inFlight, servers, figures, TARGETS.throughput)
        const latencies = figures.map(({ p50Ms }): Measured => ({ unit: 'ms', value: p50Ms ?? NaN }))
        yield* ratios(`disk: ${name} p50`, inFlight, servers, latencies, TARGETS.latency)
      }
    }
    for (const load of loads) await load.close()
    const sizes: Measured[] = []
    for (const [index, engine] of engines.entries()) {
      sizes.push(await bytesPerSet(engine, servers[index]?.port ?? 0, isQuick ? QUICK.writes : WRITES))
    }
    yield* named(`disk: bytes for a set of ${NODE_BYTES} bytes`, AT_ONCE, servers, sizes)
  } finally {
    for (const server of servers) await server.stop()
  }
}

async function bytesPerSet(engine: DiskEngine, port: number, writes: number): Promise<Measured> {
  const before = engine.bytes()
  const data = new Uint8Array(NODE_BYTES).fill(1)
  await withClient(port, (client) => doMany(writes, () => {
    return client.ask(OpCode.setData, { path: BENCH_PATH, data, version: -1 })
  }))
  return { unit: 'bytes', value: (engine.bytes() - before) / writes }
}

/** Has each server killed with a tree, and started on it. */
async function* measureStarts(
  engines: readonly DiskEngine[],
  filled: number,
  nodes: number,
  starts: number,
): AsyncGenerator<Figure> {
  const figures: Measured[] = []
  for (const engine of engines) {
    const server = await engine.start(null)
    await withClient(server.port, (client) => fill(client, filled, nodes))
    await server.stop()
    const rounds: number[] = []
    for (let start = 0; start < starts; start++) {
      const beforeMs = performance.now()
      const again = await engine.start(null)
      await withClient(again.port, (client) => client.ask(OpCode.exists, { path: TREE_PATH, watch: false }))
      rounds.push(performance.now() - beforeMs)
      await again.stop()
    }
    figures.push({ unit: 'ms', ...spread(rounds) })
  }
  yield* named('disk: start to first answer, nodes', nodes, engines, figures, TARGETS.start)
}

async function* measureSnapshots(
  effort: Effort,
  engines: readonly DiskEngine[],
  nodes: number,
  snapCount: number,
): AsyncGenerator<Figure> {
  for (const [what, count] of [['none', SNAPSHOTS_NEVER], ['one after the other', snapCount]] as const) {
    const figures: Measured[] = []
    for (const engine of engines) {
      const server = await engine.start(count)
      const load = await Load.open(server)
      await load.warmUp(effort)
      const rounds = { ...effort, rounds: effort.rounds === 1 ? 1 : SNAPSHOT_ROUNDS }
      figures.push(await load.measure('set', 'set', rounds, SNAPSHOT_IN_FLIGHT))
      await load.close()
      await server.stop()
    }
    yield* named(`disk: set on ${nodes} nodes, snapshots: ${what}`, SNAPSHOT_IN_FLIGHT, engines, figures)
  }
}

/** Makes the nodes of a tree from one number to another. */
async function fill(client: WireClient, from: number, to: number): Promise<void> {
  const data = new Uint8Array(NODE_BYTES).fill(2)
  const create = (path: string): Promise<unknown> => {
    return client.ask(OpCode.create, { path, data, acl: OPEN_ACL, flags: 0 })
  }
  if (from === 0) await create(TREE_PATH)
  const folders = Array.from({ length: Math.ceil(to / FOLDER_NODES) }, (_, index) => `${TREE_PATH}/${index}`)
  await doMany(folders.length, (index) => create(folders[index] ?? ''))
  await doMany(to - from, (index) => {
    const number = from + index
    return create(`${TREE_PATH}/${Math.floor(number / FOLDER_NODES)}/${number}`)
  })
}

async function doMany(count: number, task: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < count) await task(next++)
  }))
}

async function withClient(port: number, use: (client: WireClient) => Promise<unknown>): Promise<void> {
  const client = await WireClient.open(port)
  await use(client)
  await client.close()
}
