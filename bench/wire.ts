/**
 * The suite `wire`: Quorate and Apache ZooKeeper over TCP, side by side, by the same client.
 *
 * Each of them runs in processes of its own, alone and as three servers, with the data in memory; the client is on the
 * leader. ZooKeeper runs twice: with the settings that serve it best here, and as Debian's package starts it
 * (wire-engines.ts). Rounds of all take turns, so that what else the machine does meets them alike. A ratio is that of
 * Quorate's figure to the figure of the engine that it names.
 */
import { OpCode } from '../src/backends/wire/codes.ts'
import { spread } from './measure.ts'
import type { Effort, Figure } from './measure.ts'
import { named, ratios } from './named.ts'
import type { Measured } from './named.ts'
import { WireClient } from './wire-client.ts'
import { startPackaged, startQuorate, startReference } from './wire-engines.ts'
import type { RunningEngine } from './wire-engines.ts'
import { Load } from './wire-load.ts'
import type { LoadName } from './wire-load.ts'
import { measureHandOvers } from './wire-locks.ts'
import { holdSessions, measureFanOut, measureMemory } from './wire-sessions.ts'

const ENGINES = [startQuorate, startReference, startPackaged]
const IN_FLIGHT = [1, 16, 256]
const OPERATIONS: readonly LoadName[] = ['get', 'set', 'create', '90/10']
const CONTENDERS = [10, 100]
const WATCHERS = 1_000
const SESSIONS = 10_000
/** A JVM compiles what is hot; it gets the time. */
const WARM_UP_MS = 4_000
const STARTS = 3

/** The target of each ratio, by the figure. */
const TARGETS = {
  start: '<= 0.5',
  latency: '<= 0.5 @ 1',
  throughput: '>= 1.0 @ 256',
  memory: '<= 0.7',
} as const

/** Measures everything; a figure comes as soon as it is there. */
export async function* measureWire(effort: Effort): AsyncGenerator<Figure> {
  yield* measureStarts()
  for (const servers of [1, 3] as const) {
    const engines: RunningEngine[] = []
    try {
      for (const start of ENGINES) engines.push(await start(servers))
      yield* measureEngines(effort, servers, engines)
    } finally {
      for (const engine of engines) await engine.stop()
    }
  }
}

async function* measureEngines(
  effort: Effort,
  servers: number,
  engines: readonly RunningEngine[],
): AsyncGenerator<Figure> {
  yield* tellMemories(`x${servers}: memory idle`, engines, engines.map(memoryOf))
  yield* measureOperations(effort, servers, engines)
  const told: Measured[] = []
  for (const engine of engines) told.push(await measureFanOut(effort, engine, WATCHERS))
  yield* named(`x${servers}: change to all sessions`, WATCHERS, engines, told)
  for (const contenders of CONTENDERS) {
    const figures = await measureHandOvers(effort, engines, contenders)
    yield* named(`x${servers}: FairLock hand-over`, contenders, engines, figures)
  }
  const memories: Memory[] = []
  for (const engine of engines) {
    // One after the other: this process has no more files open than one of them has sessions.
    const drop = await holdSessions(engine, SESSIONS)
    memories.push(memoryOf(engine))
    drop()
  }
  yield* tellMemories(`x${servers}: memory with ${SESSIONS} sessions`, engines, memories)
}

async function* measureStarts(): AsyncGenerator<Figure> {
  const engines: RunningEngine[] = []
  const figures: Measured[] = []
  for (const start of ENGINES) {
    const rounds: number[] = []
    for (let i = 0; i < STARTS; i++) {
      const beforeMs = performance.now()
      const engine = await start(1)
      const client = await WireClient.open(engine.port)
      await client.ask(OpCode.exists, { path: '/', watch: false })
      rounds.push(performance.now() - beforeMs)
      client.drop()
      await engine.stop()
      if (i === 0) engines.push(engine)
    }
    figures.push({ unit: 'ms', ...spread(rounds) })
  }
  yield* named('x1: start to first operation', 1, engines, figures, TARGETS.start)
}

async function* measureOperations(
  effort: Effort,
  servers: number,
  engines: readonly RunningEngine[],
): AsyncGenerator<Figure> {
  const loads = await Promise.all(engines.map((engine) => Load.open(engine)))
  const warmUpMs = effort.warmUpMs < WARM_UP_MS / 10 ? effort.warmUpMs : WARM_UP_MS
  for (const load of loads) await load.warmUp({ ...effort, warmUpMs })
  for (const inFlight of IN_FLIGHT) {
    for (const name of OPERATIONS) {
      const figures: Figure[] = []
      for (const load of loads) figures.push(await load.measure(name, name, effort, inFlight))
      yield* named(`x${servers}: ${name}`, inFlight, engines, figures, TARGETS.throughput)
      const latencies = figures.map(({ p50Ms }): Measured => ({ unit: 'ms', value: p50Ms ?? NaN }))
      yield* ratios(`x${servers}: ${name} p50`, inFlight, engines, latencies, TARGETS.latency)
    }
  }
  for (const load of loads) await load.close()
}

/** Resident memory, and the part of it that is no file: processes of one program share its file. */
interface Memory {
  readonly resident: Measured
  readonly own: Measured
}

function memoryOf(engine: RunningEngine): Memory {
  return { resident: measureMemory(engine, 'VmRSS'), own: measureMemory(engine, 'RssAnon') }
}

function* tellMemories(
  figure: string,
  engines: readonly RunningEngine[],
  memories: readonly Memory[],
): Generator<Figure> {
  yield* named(`${figure}, resident`, 1, engines, memories.map(({ resident }) => resident), TARGETS.memory)
  yield* named(`${figure}, its own`, 1, engines, memories.map(({ own }) => own))
}
