/**
 * The suite `recipes`: a cycle of each recipe on each backend, and on ZooKeeper beside them, in the same run, what
 * Curator and kazoo have for the same. Rounds of all who do the same take turns.
 *
 * `requests` are those that the sessions were asked for, counted by a wrapper around the backend, so by the same
 * measure on all engines. `received` is what the server has counted: on ZooKeeper, where it is compared, the packets of
 * all its clients. Sessions last a minute, so that a keep-alive in a round is rare, and the median leaves it out.
 */
import { fileURLToPath } from 'node:url'
import { connect } from 'quorate'
import type { Backend } from 'quorate'
import { counting } from './counting-backend.ts'
import { LOCK_ENGINES, SESSION_TIMEOUT_MS } from './lock-engines.ts'
import type { LockEngine } from './lock-engines.ts'
import { quantile, rateOf, runRound } from './measure.ts'
import type { Effort, Figure, Round } from './measure.ts'
import { RECIPE_CYCLES } from './recipe-cycles.ts'
import type { RecipeCycle } from './recipe-cycles.ts'
import { startRivals } from './recipe-rivals.ts'
import type { Rival } from './recipe-rivals.ts'

/** The four backends. */
const ENGINES = ['embedded', 'ZooKeeper', 'etcd', 'Redis']
/** Where the programs of other libraries are, from where this runs when it is compiled. */
const FOLDER = fileURLToPath(new URL('../../bench', import.meta.url))

/** Counts the requests that a server has received so far. */
type Received = () => Promise<number>

/** A recipe in use by one library. */
interface Contestant {
  readonly name: string
  /** Requests of its sessions so far; absent where only the server counts. */
  readonly requests?: () => number
  round(durationMs: number): Promise<Round>
  close(): Promise<void>
}

/** The part that is measured; all by default. */
export interface RecipeScope {
  /** Names of engines. */
  readonly engines?: readonly string[]
  readonly cycles?: readonly RecipeCycle[]
  /** Where the programs of other libraries are. */
  readonly folder?: string
}

/**
 * Measures recipes; a figure comes as soon as it is there. An engine or library that is missing is told, and left out.
 *
 * @param scope - the part that is measured
 */
export async function* measureRecipes(effort: Effort, scope: RecipeScope = {}): AsyncGenerator<Figure> {
  const { engines = ENGINES, cycles = RECIPE_CYCLES, folder = FOLDER } = scope
  for (const { name, missing, start } of LOCK_ENGINES.filter((engine) => engines.includes(engine.name))) {
    const reason = missing()
    if (reason !== null) {
      console.error(`${name} is left out: ${reason}`)
      continue
    }
    const engine = await start(name)
    const rivals = engine.connectString === undefined ? [] : startRivals(folder, engine.connectString)
    try {
      for (const cycle of cycles) yield* measureCycle(name, engine, rivals, cycle, effort)
    } finally {
      for (const rival of rivals) await rival[Symbol.asyncDispose]()
      await engine.stop()
    }
  }
}

async function* measureCycle(
  engineName: string,
  { backend, ours: [{ requests: received }] }: LockEngine,
  rivals: readonly Rival[],
  cycle: RecipeCycle,
  effort: Effort,
): AsyncGenerator<Figure> {
  const pathOf = (name: string): string => `/recipes/${name}-${RECIPE_CYCLES.indexOf(cycle)}`
  const contestants = [await openOurs(engineName, backend, cycle, pathOf('quorate'))]
  for (const rival of cycle.rival === null ? [] : rivals) {
    const theirs = await rival.open(cycle.rival ?? '', cycle.lanes, pathOf(rival.name))
    if (theirs !== null) contestants.push({ ...theirs, name: rival.name })
  }
  const own = await ownRequests(received)
  const takes = contestants.map((contestant) => new Take(contestant, received, own))
  for (const contestant of contestants) await contestant.round(effort.warmUpMs)
  for (let round = 0; round < effort.rounds; round++) {
    for (const take of takes) await take.round(effort.roundMs)
  }
  for (const contestant of contestants) await contestant.close()
  const [ours, ...theirs] = takes.map((take) => take.figure(cycle))
  if (ours === undefined) return
  yield ours
  for (const [index, their] of theirs.entries()) {
    yield their
    yield* ratios(`${ours.figure}, ratio to ${contestants[index + 1]?.name ?? ''}`, ours, their)
  }
}

/** How many requests it takes to ask the server for their count. */
async function ownRequests(received: Received | null): Promise<number> {
  if (received === null) return 0
  const before = await received()
  return (await received()) - before
}

async function openOurs(name: string, backend: Backend, cycle: RecipeCycle, path: string): Promise<Contestant> {
  let requests = 0
  const counted = counting(backend, { onRequest: () => (requests += 1) })
  const lanes = await Promise.all(Array.from({ length: cycle.lanes }, async () => {
    const client = await connect(counted, { sessionTimeoutMs: SESSION_TIMEOUT_MS })
    return { client, ...await cycle.open(client, path) }
  }))
  return {
    name,
    requests: () => requests,
    round: (durationMs) => {
      return runRound(async (lane) => lanes[lane]?.run(), { inFlight: cycle.lanes, batch: 1, durationMs })
    },
    close: async () => {
      for (const { client, close } of lanes) {
        await close?.()
        await client.close()
      }
    },
  }
}

/** The rounds of one contestant. */
class Take {
  readonly #contestant: Contestant
  readonly #received: Received | null
  readonly #own: number
  readonly #rounds: Round[] = []
  readonly #requests: number[] = []
  readonly #receipts: number[] = []

  constructor(contestant: Contestant, received: Received | null, own: number) {
    this.#contestant = contestant
    this.#received = received
    this.#own = own
  }

  async round(durationMs: number): Promise<void> {
    const { requests } = this.#contestant
    const before = [requests?.() ?? NaN, (await this.#received?.()) ?? NaN] as const
    const round = await this.#contestant.round(durationMs)
    const after = [requests?.() ?? NaN, (await this.#received?.()) ?? NaN] as const
    this.#rounds.push(round)
    this.#requests.push((after[0] - before[0]) / round.done)
    this.#receipts.push((after[1] - before[1] - this.#own) / round.done)
  }

  figure({ name, lanes }: RecipeCycle): Figure {
    const { cpuUs, ...rate } = rateOf(this.#rounds)
    return {
      figure: `${this.#contestant.name}: ${name}`,
      size: lanes,
      ...rate,
      ...known('cpuUs', cpuUs),
      ...known('requests', quantile(this.#requests, 0.5)),
      ...known('received', quantile(this.#receipts, 0.5)),
    }
  }
}

function known(name: 'cpuUs' | 'requests' | 'received', value: number): Partial<Figure> {
  return Number.isNaN(value) ? {} : { [name]: value }
}

/** Ours to theirs: more operations are better, and fewer requests. */
function* ratios(name: string, ours: Figure, theirs: Figure): Generator<Figure> {
  const [rate, requests] = [ours.value / theirs.value, (ours.received ?? NaN) / (theirs.received ?? NaN)]
  yield { figure: name, size: ours.size, unit: 'x', value: rate, target: '> 1' }
  yield { figure: `${name}, requests`, size: ours.size, unit: 'x', value: requests, target: '< 1' }
}
