/**
 * Many who want one lock: how often it goes from one to another, how long they wait, and in which order they get it.
 *
 * Load      every contender acquires and releases, again and again, with no pause between.
 * Counted   a hand-over is a change of owner: whoever gets the lock again after its own release has not waited. A wait
 *           that has not ended with its round counts as long as it has lasted, or those that starve would not be seen.
 * Order     a contender is served out of turn when another one that called `acquire` before it still waits.
 */
import { percentiles, spread } from './measure.ts'
import type { Effort, Figure } from './measure.ts'

/** A round without a hand-over goes on for so many times its length. */
const PATIENCE = 100

/** Gets a lock and gives it back. */
export interface Contender {
  /** Resolves when the lock is held, with what gives it back. */
  acquire(): Promise<() => Promise<unknown>>
  /** Closes its connection. */
  close(): Promise<void>
}

/** A way to have a lock. */
export interface Competitor {
  /** Its name in the figures. */
  readonly name: string
  /** Opens a contender with a session or a connection of its own. */
  open(): Promise<Contender>
  /** How many requests the server has taken so far; null where nobody counts. */
  readonly requests: (() => Promise<number>) | null
}

/** Contenders of one competitor, all on the same lock. */
export class Contention {
  readonly #competitor: Competitor
  readonly #contenders: readonly Contender[]
  readonly #turns: number[]
  readonly #rates: number[] = []
  readonly #waits: number[] = []
  readonly #requests: number[] = []
  #cpuUs = 0
  #handOvers = 0
  #served = 0
  #outOfTurn = 0

  private constructor(competitor: Competitor, contenders: readonly Contender[]) {
    this.#competitor = competitor
    this.#contenders = contenders
    this.#turns = contenders.map(() => 0)
  }

  /** How many contend. */
  get size(): number {
    return this.#contenders.length
  }

  /** Whose lock it is. */
  get name(): string {
    return this.#competitor.name
  }

  /** Opens contenders. */
  static async open(competitor: Competitor, size: number): Promise<Contention> {
    return new Contention(competitor, await Promise.all(Array.from({ length: size }, () => competitor.open())))
  }

  /**
   * Lets them contend for the length of a round, when the rush of all at once is over: when each of them has had a
   * turn or, as some may never have one, after the length of two rounds.
   */
  async round({ warmUpMs, contentionMs }: Effort): Promise<void> {
    const line = new Line(this.#contenders.length)
    const running = Promise.all(this.#contenders.map((contender, index) => line.run(contender, index)))
    // Whoever fails ends the round at once.
    const passed = (ms: number): Promise<unknown> => Promise.race([running, new Promise((end) => setTimeout(end, ms))])
    await passed(warmUpMs)
    await Promise.race([line.everyoneServed, passed(contentionMs * 2)])
    const before = await this.#competitor.requests?.()
    const cpu = process.cpuUsage()
    const startMs = line.begin()
    await passed(contentionMs)
    // A rate needs one; where there is none after that long either, it is 0.
    await Promise.race([line.handedOver, passed(contentionMs * PATIENCE)])
    const { handOvers, waits, turns, outOfTurn, endMs } = line.end()
    const { user, system } = process.cpuUsage(cpu)
    const after = await this.#competitor.requests?.()
    line.stop()
    await running
    this.#cpuUs += user + system
    this.#handOvers += handOvers
    this.#rates.push((handOvers * 1_000) / (endMs - startMs))
    this.#waits.push(...waits)
    for (const [index, count] of turns.entries()) this.#turns[index] = (this.#turns[index] ?? 0) + count
    this.#served += turns.reduce((sum, count) => sum + count, 0)
    this.#outOfTurn += outOfTurn
    if (before !== undefined && after !== undefined) this.#requests.push((after - before) / handOvers)
  }

  /** The figures of all rounds. */
  figures(): Figure[] {
    const { name, size } = this
    const share = this.#served === 0 ? 0 : this.#outOfTurn / this.#served
    const fewest = Math.min(...this.#turns) / Math.max(...this.#turns, 1)
    const cost = { ...percentiles(this.#waits), cpuUs: this.#cpuUs / this.#handOvers }
    const figures: Figure[] = [
      { figure: `${name}: hand-over`, size, unit: 'ops/s', ...spread(this.#rates), ...cost },
      { figure: `${name}: served out of turn`, size, unit: '%', value: share * 100 },
      { figure: `${name}: fewest turns of one / most`, size, unit: 'x', value: fewest },
    ]
    if (this.#requests.length === 0) return figures
    return [...figures, { figure: `${name}: requests`, size, unit: '/hand-over', ...spread(this.#requests) }]
  }

  /** Closes all of them. */
  async close(): Promise<void> {
    await Promise.all(this.#contenders.map((contender) => contender.close()))
  }
}

/** Counts from `begin` to `end`. */
interface Count {
  handOvers: number
  outOfTurn: number
  readonly waits: number[]
  readonly turns: number[]
}

/** One round: who waits since when, who had it last, and what happened. */
class Line {
  /** When each of them called `acquire`, on `performance.now()`; Infinity for one that does not wait. */
  readonly #askedAtMs: number[]
  readonly #unserved: Set<number>
  readonly #allServed: () => void
  #owner = -1
  #isOver = false
  #count: Count
  #tellHandOver: () => void = () => undefined
  /** Resolves when each of them has had a turn. */
  readonly everyoneServed: Promise<void>
  /** Resolves when one after another has had it since `begin`. */
  handedOver: Promise<void>

  constructor(size: number) {
    let allServed = (): void => undefined
    this.everyoneServed = new Promise((resolve) => (allServed = resolve))
    this.#allServed = () => allServed()
    this.#unserved = new Set(Array.from({ length: size }, (_, index) => index))
    this.#askedAtMs = Array.from({ length: size }, () => Infinity)
    this.handedOver = this.#nextHandOver()
    this.#count = this.#zero()
  }

  async run(contender: Contender, index: number): Promise<void> {
    while (!this.#isOver) {
      this.#askedAtMs[index] = performance.now()
      const release = await contender.acquire()
      this.#served(index)
      await release()
    }
  }

  begin(): number {
    this.#count = this.#zero()
    this.handedOver = this.#nextHandOver()
    return performance.now()
  }

  end(): Count & { readonly endMs: number } {
    const endMs = performance.now()
    const waiting = this.#askedAtMs.filter((askedAtMs) => askedAtMs !== Infinity)
    const waits = [...this.#count.waits, ...waiting.map((askedAtMs) => endMs - askedAtMs)]
    const count = { ...this.#count, waits, endMs }
    this.#count = this.#zero()
    return count
  }

  stop(): void {
    this.#isOver = true
  }

  #served(index: number): void {
    const askedAtMs = this.#askedAtMs[index] ?? Infinity
    this.#askedAtMs[index] = Infinity
    this.#unserved.delete(index)
    if (this.#unserved.size === 0) this.#allServed()
    const count = this.#count
    count.turns[index] = (count.turns[index] ?? 0) + 1
    if (this.#askedAtMs.some((othersMs) => othersMs < askedAtMs)) count.outOfTurn += 1
    if (this.#owner === index) return
    this.#owner = index
    count.handOvers += 1
    this.#tellHandOver()
    count.waits.push(performance.now() - askedAtMs)
  }

  #nextHandOver(): Promise<void> {
    return new Promise((resolve) => (this.#tellHandOver = resolve))
  }

  #zero(): Count {
    return { handOvers: 0, outOfTurn: 0, waits: [], turns: this.#askedAtMs.map(() => 0) }
  }
}
