/**
 * The suite `ensemble`: three servers of Quorate and three of Apache ZooKeeper, each a process of its own, with their
 * data on the same disk, each write synced before it is answered, side by side by the same client. A ratio is that of
 * Quorate's figure to ZooKeeper's.
 *
 * Start      from the start of three processes until the first of them has a write acknowledged.
 * Rates      at the leader. Both take turns, figure by figure, so that what else the machine does meets them alike.
 * Fail-over  from the end of the leader until another server has a write acknowledged that was sent to it by a client
 *            that tries both without a pause: whatever time a session of an application needs to notice is not in it.
 */
import { fileURLToPath } from 'node:url'
import { EnsembleEngine } from './ensemble-engines.ts'
import type { Effort, Figure } from './measure.ts'
import { spread } from './measure.ts'
import { named, ratios } from './named.ts'
import type { Measured } from './named.ts'
import type { RunningEngine } from './wire-engines.ts'
import { Load } from './wire-load.ts'
import type { LoadName } from './wire-load.ts'
import { measureHandOvers } from './wire-locks.ts'
import { holdSessions, measureFanOut, measureMemory } from './wire-sessions.ts'

const NAMES = ['quorate', 'zookeeper'] as const
const IN_FLIGHT = [1, 16, 256]
const OPERATIONS: readonly LoadName[] = ['set', 'create', 'get', '90/10']
/** The lengths of ZooKeeper's tick, in milliseconds; the first is that of all figures but the fail-overs. */
const TICKS = [2_000, 200]
const FAIL_OVERS = 5
const STARTS = 5
const WATCHERS = 1_000
const SESSIONS = 10_000
/** A JVM compiles what is hot; it gets the time. */
const WARM_UP_MS = 4_000
/** The quick form, which shows that everything runs. */
const QUICK = { warmUpMs: 100, ticks: [200], failOvers: 1, starts: 1, watchers: 20, sessions: 50 } as const

const TARGETS = {
  throughput: '>= 1.5',
  latency: '<= 0.7 @ 1',
  failOver: '<= 0.5',
  start: '<= 300 ms of ours',
  memory: '<= 0.7',
} as const

const PACKAGE = fileURLToPath(new URL('../../', import.meta.url))

/** Sizes and numbers of rounds of one form. */
interface Extent {
  readonly ticks: readonly number[]
  readonly failOvers: number
  readonly starts: number
  readonly watchers: number
  readonly sessions: number
}

/**
 * Measures everything; a figure comes as soon as it is there.
 *
 * @param path - the folder of the package, with its compiled program
 */
export async function* measureEnsemble(effort: Effort, path: string = PACKAGE): AsyncGenerator<Figure> {
  const isQuick = effort.warmUpMs < QUICK.warmUpMs
  const full = { ticks: TICKS, failOvers: FAIL_OVERS, starts: STARTS, watchers: WATCHERS, sessions: SESSIONS }
  const extent: Extent = isQuick ? QUICK : full
  const engines: EnsembleEngine[] = []
  for (const [index, tickTime] of extent.ticks.entries()) {
    try {
      for (const name of NAMES) engines.push(await EnsembleEngine.of(name, path, tickTime))
      yield* measureStarts(engines, extent, index === 0)
      if (index === 0) yield* measureService(effort, engines, extent)
      yield* measureFailOvers(engines, extent, tickTime)
    } finally {
      for (const engine of engines.splice(0)) await engine.remove()
    }
  }
}

/** Leaves all servers up. */
async function* measureStarts(
  engines: readonly EnsembleEngine[],
  { starts }: Extent,
  isMeasured: boolean,
): AsyncGenerator<Figure> {
  const first: Measured[] = []
  const again: Measured[] = []
  for (const engine of engines) {
    first.push({ unit: 'ms', value: await engine.startToWriteMs() })
    const rounds: number[] = []
    while (isMeasured && rounds.length < starts) {
      await engine.killAll()
      rounds.push(await engine.startToWriteMs())
    }
    again.push({ unit: 'ms', ...spread(rounds) })
  }
  if (!isMeasured) return
  yield* named('ensemble: start to first write, no data', 3, engines, first)
  yield* named('ensemble: start to first write, killed before', 3, engines, again, TARGETS.start)
}

async function* measureService(
  effort: Effort,
  engines: readonly EnsembleEngine[],
  { watchers, sessions }: Extent,
): AsyncGenerator<Figure> {
  const leaders: RunningEngine[] = []
  for (const engine of engines) leaders.push(await engine.atLeader())
  yield* tellMemory('ensemble: memory idle', 0, leaders)
  yield* measureRates(effort, leaders)
  const told: Measured[] = []
  for (const leader of leaders) told.push(await measureFanOut(effort, leader, watchers))
  yield* named('ensemble: change to all sessions', watchers, leaders, told)
  for (const contenders of effort.contenders) {
    const figures = await measureHandOvers(effort, leaders, contenders)
    yield* named('ensemble: FairLock hand-over', contenders, leaders, figures)
  }
  const drops: (() => void)[] = []
  for (const leader of leaders) drops.push(await holdSessions(leader, sessions))
  yield* tellMemory('ensemble: memory after all that, with sessions', sessions, leaders)
  for (const drop of drops) drop()
}

async function* measureRates(effort: Effort, leaders: readonly RunningEngine[]): AsyncGenerator<Figure> {
  const loads: Load[] = []
  for (const leader of leaders) loads.push(await Load.open(leader))
  const warmUpMs = effort.warmUpMs < QUICK.warmUpMs ? effort.warmUpMs : WARM_UP_MS
  for (const load of loads) await load.warmUp({ ...effort, warmUpMs })
  for (const inFlight of IN_FLIGHT) {
    for (const name of OPERATIONS) {
      const figures: Figure[] = []
      for (const load of loads) figures.push(await load.measure(name, name, effort, inFlight))
      yield* named(`ensemble: ${name}`, inFlight, leaders, figures, TARGETS.throughput)
      const latencies = figures.map(({ p50Ms }): Measured => ({ unit: 'ms', value: p50Ms ?? NaN }))
      yield* ratios(`ensemble: ${name} p50`, inFlight, leaders, latencies, TARGETS.latency)
    }
  }
  for (const load of loads) await load.close()
}

async function* measureFailOvers(
  engines: readonly EnsembleEngine[],
  { failOvers }: Extent,
  tickTime: number,
): AsyncGenerator<Figure> {
  for (const [end, what] of [['kill', 'kill -9'], ['freeze', 'SIGSTOP']] as const) {
    const rounds = engines.map((): number[] => [])
    for (let i = 0; i < failOvers; i++) {
      for (const [index, engine] of engines.entries()) rounds[index]?.push(await engine.failOverMs(end))
    }
    const figures = rounds.map((all): Measured => ({ unit: 'ms', ...spread(all) }))
    yield* named(`ensemble: fail-over after ${what}, tick in ms`, tickTime, engines, figures, TARGETS.failOver)
  }
}

function* tellMemory(figure: string, size: number, leaders: readonly RunningEngine[]): Generator<Figure> {
  const resident = leaders.map((leader) => measureMemory(leader, 'VmRSS'))
  yield* named(`${figure}, resident`, size, leaders, resident, TARGETS.memory)
  yield* named(`${figure}, its own`, size, leaders, leaders.map((leader) => measureMemory(leader, 'RssAnon')))
}
