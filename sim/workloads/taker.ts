/**
 * One who takes tokens of a rate limiter, one call after the other: it waits, waits for some time, changes its mind, or
 * does not wait at all.
 *
 * End       it takes once more, which must be granted in time.
 */
import type { Client } from '../../src/core/client.ts'
import { RateLimiter } from '../../src/recipes/counters/rate-limiter.ts'
import { Violation } from '../check.ts'
import type { CheckedRate, RatesCheck } from '../checks/rates.ts'
import type { ClientLife } from '../workload.ts'
import { abortedAfter, attempt } from './attempt.ts'
import type { Attempted } from './attempt.ts'

/** Times are in ticks. */
const PAUSE_TICKS_MAX = 30
const WAIT_TICKS_MAX = 75
const GRANT_TICKS = 3_000
const TOKENS_MAX = 3

/** A rate at which takers of a simulation have to wait now and then. */
export function rateFor(tickMs: number): CheckedRate {
  return { limit: 10, perMs: 40 * tickMs, burst: 5 }
}

/** One life of one client that takes tokens. */
export class Taker {
  readonly #limiter: RateLimiter
  readonly #life: ClientLife
  readonly #check: RatesCheck

  constructor(client: Client, path: string, life: ClientLife, check: RatesCheck) {
    this.#limiter = new RateLimiter(client, path, rateFor(life.tickMs))
    this.#life = life
    this.#check = check
  }

  /** Takes until the run comes to its end. */
  async run(): Promise<void> {
    const { random, tickMs } = this.#life
    while (!this.#life.isEnding()) {
      const limitMs = random.unit() * WAIT_TICKS_MAX * tickMs
      const tokens = random.between(1, TOKENS_MAX)
      const ways: (() => Promise<boolean>)[] = [
        () => this.#limiter.acquire(tokens, { waitMs: limitMs }).then(() => true),
        () => abortedAfter(limitMs, (signal) => this.#limiter.acquire(tokens, { signal })).then(() => true),
        () => this.#limiter.tryAcquire(tokens),
      ]
      await this.#take(tokens, random.pick(ways))
      await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
    }
  }

  /** V4: once there is service and everybody comes to an end, everybody gets a token. */
  async takeLast(): Promise<void> {
    const waitMs = GRANT_TICKS * this.#life.tickMs
    for (;;) {
      const { value, error } = await this.#take(1, () => this.#limiter.acquire(1, { waitMs }).then(() => true))
      if (value === true) return
      if (error?.code !== 'TIMEOUT') continue
      const who = `${this.#life.node.name} waited ${waitMs} ms for a token of ${this.#limiter.path}`
      throw new Violation(this.#check.name, `V4: ${who}`, 'liveness')
    }
  }

  async #take(tokens: number, call: () => Promise<boolean>): Promise<Attempted<boolean>> {
    const taking = this.#check.takes(tokens, this.#life.node)
    const attempted = await attempt(call)
    if (attempted.value === true) this.#check.given(taking)
    return attempted
  }
}
