/**
 * The suite `locks`: our locks on every backend, and beside them, on the same engine and in the same run, what somebody
 * would pick instead. Rounds of all who are on one engine take turns, so that what else the machine does meets all
 * alike.
 */
import { connect } from 'quorate'
import { Contention } from './contention.ts'
import type { Competitor } from './contention.ts'
import { LOCK_ENGINES } from './lock-engines.ts'
import type { LockEngine } from './lock-engines.ts'
import { measureRate } from './measure.ts'
import type { Effort, Figure } from './measure.ts'

const IN_FLIGHT = [1, 16]
const NODE = '/bench/node'
const VALUE = new Uint8Array(100).fill(0x71)

/** Measures everything; a figure comes as soon as it is there. An engine that is missing is told, and left out. */
export async function* measureLocks(effort: Effort): AsyncGenerator<Figure> {
  for (const { name, missing, start } of LOCK_ENGINES) {
    const reason = missing()
    if (reason !== null) {
      console.error(`${name} is left out: ${reason}`)
      continue
    }
    const engine = await start(name)
    try {
      yield* measureOperations(name, engine, effort)
      yield* measureCycles(engine, effort)
      for (const size of effort.contenders) yield* measureContention(engine, size, effort)
    } finally {
      await engine.stop()
    }
  }
}

async function* measureOperations(name: string, engine: LockEngine, effort: Effort): AsyncGenerator<Figure> {
  await using client = await connect(engine.backend)
  await client.makePath(NODE, { mode: 'persistent' })
  await client.set(NODE, VALUE)
  for (const inFlight of IN_FLIGHT) {
    yield await measureRate(`${name}: get`, () => client.get(NODE), { effort, inFlight })
    yield await measureRate(`${name}: set`, () => client.set(NODE, VALUE), { effort, inFlight })
  }
}

/** A lock that nobody else wants, by one contender of each. */
async function* measureCycles({ ours: [ours], rivals }: LockEngine, effort: Effort): AsyncGenerator<Figure> {
  const measure = async (competitor: Competitor): Promise<Figure> => {
    const contender = await competitor.open()
    const cycle = async (): Promise<unknown> => (await contender.acquire())()
    const figure = await measureRate(`${competitor.name}: lock cycle`, cycle, { effort, inFlight: 1 })
    await contender.close()
    return figure
  }
  const figure = await measure(ours)
  yield figure
  for (const rival of rivals) {
    const theirs = await measure(rival)
    yield theirs
    yield { figure: `${ours.name} / ${rival.name}: lock cycle`, size: 1, unit: 'x', value: figure.value / theirs.value }
  }
}

async function* measureContention(engine: LockEngine, size: number, effort: Effort): AsyncGenerator<Figure> {
  const competitors = [...engine.ours, ...engine.rivals]
  const contentions: Contention[] = []
  for (const competitor of competitors) contentions.push(await Contention.open(competitor, size))
  for (let round = 0; round < effort.rounds; round++) {
    for (const contention of contentions) await contention.round(effort)
  }
  for (const contention of contentions) {
    yield* contention.figures()
    await contention.close()
  }
  for (const ours of contentions.slice(0, engine.ours.length)) {
    for (const theirs of contentions.slice(engine.ours.length)) yield* ratios(ours, theirs)
  }
}

/** Ours to theirs: more hand-overs are better, and less of a wait. */
function* ratios(ours: Contention, theirs: Contention): Generator<Figure> {
  const [[our], [their]] = [ours.figures(), theirs.figures()]
  const [name, size] = [`${ours.name} / ${theirs.name}`, ours.size]
  const handOvers = (our?.value ?? NaN) / (their?.value ?? NaN)
  const p99 = (our?.p99Ms ?? NaN) / (their?.p99Ms ?? NaN)
  yield { figure: `${name}: hand-over`, size, unit: 'x', value: handOvers, target: '> 1' }
  yield { figure: `${name}: p99 wait`, size, unit: 'x', value: p99, target: '< 1' }
}
