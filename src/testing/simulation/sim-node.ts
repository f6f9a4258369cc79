/** The machines of the simulated world, each with clocks and chance of its own. */
import type { SeededRandom } from './random.ts'

/** The time of one turn of an idle event loop: without it, infinitely many turns could share one instant. */
export const IDLE_TURN_MS = 0.01

/** One machine (or process) of the world: a clock, and whether it runs. */
export class SimNode {
  readonly name: string
  readonly random: SeededRandom
  /** Added to the wall clock, in milliseconds. */
  wallOffsetMs = 0
  /** How fast its clocks run; 1 is right. */
  rate = 1
  /** Grows with each start: what belongs to an earlier one is dead. */
  incarnation = 0
  isUp = true
  /** How many of its timers are set. */
  timerCount = 0
  /** Virtual instant until which it does nothing; its events wait. */
  pausedUntilMs = 0
  /** The longest turn of its event loop, in milliseconds, by the world's clock; 0 if it is never busy. */
  turnMsMax = 0
  /** Whether due timers run before anything else when it goes on, as those of Node.js do after a long callback. */
  timersFirst = false
  readonly #turnsRandom: SeededRandom
  /** When the latest turn of a busy event loop ends. */
  #turnEndsMs = 0
  /** Its clock at `#sinceMs`, and when that was. */
  #clockMs: number
  #sinceMs: number

  constructor(name: string, random: SeededRandom, nowMs: number) {
    this.name = name
    this.random = random
    this.#turnsRandom = random.fork('turns')
    this.#clockMs = random.unit() * 1_000
    this.#sinceMs = nowMs
  }

  /** The time of its monotonic clock at a virtual instant, in milliseconds. */
  clockMs(nowMs: number): number {
    return this.#clockMs + (nowMs - this.#sinceMs) * this.rate
  }

  /** When the present turn of its event loop ends: for a busy one that is the same instant until it has come. */
  turnEndMs(nowMs: number): number {
    if (this.turnMsMax === 0) return nowMs + IDLE_TURN_MS / this.rate
    if (nowMs >= this.#turnEndsMs) {
      this.#turnEndsMs = nowMs + Math.max(IDLE_TURN_MS, this.#turnsRandom.unit() * this.turnMsMax)
    }
    return this.#turnEndsMs
  }

  /** Changes how fast its clocks run, from this instant on. */
  setRate(rate: number, nowMs: number): void {
    this.#clockMs = this.clockMs(nowMs)
    this.#sinceMs = nowMs
    this.rate = rate
  }
}
