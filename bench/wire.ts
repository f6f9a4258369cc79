/**
 * The suite `wire`: Quorate and Apache ZooKeeper over TCP, side by side, by the same client.
 *
 * Each of them runs in processes of its own, alone and as three servers, with the data in memory; the client is on the
 * leader. Rounds of the two take turns, so that what else the machine does meets both alike.
 */
import { OpCode } from '../src/backends/protocol/codes.ts'
import { OPEN_ACL } from '../src/backends/protocol/records.ts'
import { measureRate, spread } from './measure.ts'
import type { Effort, Figure, Task } from './measure.ts'
import { WireClient } from './wire-client.ts'
import { residentMb, startQuorate, startReference } from './wire-engines.ts'
import type { RunningEngine } from './wire-engines.ts'

const DATA = new Uint8Array(100).fill(7)
const IN_FLIGHT = [1, 16, 256]
const WATCHERS = 1_000
const SESSIONS = 10_000
/** Sessions that are opened at once. */
const OPENING_MAX = 100
/** A JVM compiles what is hot; it gets the time. */
const WARM_UP_MS = 4_000
const STARTS = 3
const PERCENT_OF_READS = 90

/** Measures everything; a figure comes as soon as it is there. */
export async function* measureWire(effort: Effort): AsyncGenerator<Figure> {
  yield* measureStarts()
  for (const servers of [1, 3] as const) {
    const engines = [await startQuorate(servers), await startReference(servers)]
    try {
      yield* compare('resident memory idle', servers, engines, (engine) => Promise.resolve(memoryOf(engine)))
      yield* measureOperations(effort, servers, engines)
      yield* compare(`change to ${WATCHERS} sessions`, servers, engines, (engine) => measureFanOut(effort, engine))
      yield* compare(`resident memory with ${SESSIONS} sessions`, servers, engines, measureSessions)
    } finally {
      for (const engine of engines) await engine.stop()
    }
  }
}

/** A figure of each engine, and the first to the second. */
async function* compare(
  figure: string,
  servers: number,
  engines: readonly RunningEngine[],
  measure: (engine: RunningEngine) => Promise<Omit<Figure, 'figure' | 'size'>>,
): AsyncGenerator<Figure> {
  const figures: Figure[] = []
  for (const engine of engines) {
    const measured = { ...(await measure(engine)), figure: `${engine.name} x${servers}: ${figure}`, size: 1 }
    figures.push(measured)
    yield measured
  }
  yield ratio(`x${servers}: ${figure}`, 1, figures)
}

function ratio(name: string, size: number, [ours, theirs]: readonly Figure[]): Figure {
  return { figure: `${name}, ratio`, size, unit: 'x', value: (ours?.value ?? NaN) / (theirs?.value ?? NaN) }
}

async function* measureStarts(): AsyncGenerator<Figure> {
  const figures: Figure[] = []
  for (const start of [startQuorate, startReference]) {
    const rounds: number[] = []
    let name = ''
    for (let i = 0; i < STARTS; i++) {
      const beforeMs = performance.now()
      const engine = await start(1)
      const client = await WireClient.open(engine.port)
      await client.ask(OpCode.exists, { path: '/', watch: false })
      rounds.push(performance.now() - beforeMs)
      client.drop()
      await engine.stop()
      name = engine.name
    }
    const figure: Figure = { figure: `${name} x1: start to first operation`, size: 1, unit: 'ms', ...spread(rounds) }
    figures.push(figure)
    yield figure
  }
  yield ratio('x1: start to first operation', 1, figures)
}

async function* measureOperations(
  effort: Effort,
  servers: number,
  engines: readonly RunningEngine[],
): AsyncGenerator<Figure> {
  const loads = await Promise.all(engines.map((engine) => Load.open(engine)))
  for (const load of loads) await warmUp(load, effort)
  for (const inFlight of IN_FLIGHT) {
    for (const name of ['get', 'set', 'create', '90/10'] as const) {
      const figures: Figure[] = []
      for (const load of loads) {
        const options = { effort, inFlight, beforeRound: () => load.clear() }
        const figure = await measureRate(`${load.name} x${servers}: ${name}`, load.tasks[name], options)
        figures.push(figure)
        yield figure
      }
      yield ratio(`x${servers}: ${name}`, inFlight, figures)
      const [ours, theirs] = figures.map(({ p50Ms }) => p50Ms ?? NaN)
      const value = (ours ?? NaN) / (theirs ?? NaN)
      yield { figure: `x${servers}: ${name} p50, ratio`, size: inFlight, unit: 'x', value }
    }
  }
  for (const load of loads) await load.close()
}

async function warmUp(load: Load, effort: Effort): Promise<void> {
  const warmUpMs = effort.warmUpMs < WARM_UP_MS / 10 ? effort.warmUpMs : WARM_UP_MS
  const once: Effort = { ...effort, warmUpMs, roundMs: 1, rounds: 1 }
  for (const task of Object.values(load.tasks)) await measureRate('', task, { effort: once, inFlight: 256 })
  await load.clear()
}

/** What one engine is loaded with, by one session. */
class Load {
  readonly name: string
  readonly tasks: Readonly<Record<'get' | 'set' | 'create' | '90/10', Task>>
  readonly #client: WireClient
  #created = 0
  #deleted = 0

  private constructor(name: string, client: WireClient) {
    this.name = name
    this.#client = client
    const get = (): Promise<unknown> => client.ask(OpCode.getData, { path: '/bench', watch: false })
    const set = (): Promise<unknown> => client.ask(OpCode.setData, { path: '/bench', data: DATA, version: -1 })
    let turn = 0
    this.tasks = {
      get,
      set,
      create: () => {
        this.#created += 1
        return createNode(client, `/bench/${this.#created}`)
      },
      '90/10': () => {
        turn = (turn + 10) % 100
        return turn < PERCENT_OF_READS ? get() : set()
      },
    }
  }

  static async open({ name, port }: RunningEngine): Promise<Load> {
    const client = await WireClient.open(port)
    await createNode(client, '/bench')
    return new Load(name, client)
  }

  /** Deletes what was created. */
  async clear(): Promise<void> {
    const deletes: Promise<unknown>[] = []
    while (this.#deleted < this.#created) {
      this.#deleted += 1
      deletes.push(this.#client.ask(OpCode.delete, { path: `/bench/${this.#deleted}`, version: -1 }))
      if (deletes.length === 500) await Promise.all(deletes.splice(0))
    }
    await Promise.all(deletes)
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}

function createNode(client: WireClient, path: string): Promise<unknown> {
  return client.ask(OpCode.create, { path, data: DATA, acl: OPEN_ACL, flags: 0 })
}

type Measured = Omit<Figure, 'figure' | 'size'>

async function measureFanOut(effort: Effort, { port }: RunningEngine): Promise<Measured> {
  const clients = await openSessions(port, WATCHERS)
  const [writer] = clients
  const rounds: number[] = []
  for (let i = 0; i < effort.events; i++) {
    await Promise.all(clients.map((client) => client.ask(OpCode.getData, { path: '/bench', watch: true })))
    const told = clients.map((client) => new Promise<void>((resolve) => (client.onEvent = resolve)))
    const beforeMs = performance.now()
    await Promise.all([writer?.ask(OpCode.setData, { path: '/bench', data: DATA, version: -1 }), ...told])
    rounds.push(performance.now() - beforeMs)
  }
  await Promise.all(clients.map((client) => client.close()))
  return { unit: 'ms', ...spread(rounds) }
}

async function measureSessions(engine: RunningEngine): Promise<Measured> {
  const clients = await openSessions(engine.port, SESSIONS)
  const memory = memoryOf(engine)
  for (const client of clients) client.drop()
  return memory
}

async function openSessions(port: number, count: number): Promise<WireClient[]> {
  const clients: WireClient[] = []
  while (clients.length < count) {
    const opening = Array.from({ length: Math.min(OPENING_MAX, count - clients.length) }, () => WireClient.open(port))
    clients.push(...(await Promise.all(opening)))
  }
  return clients
}

function memoryOf({ pids }: RunningEngine): Measured {
  return { unit: 'MB', value: residentMb(pids) }
}
