/**
 * The conformance suite of rate limiters: a fleet is given no more than the rate, whoever asks, and everyone is served.
 *
 * Use       rateSuite({ describe, it }, { name, connect, makeLimiter: (client, path, rate) => new Mine(...) })
 * Time      is that of the engine and of this machine: a case says how much they may differ.
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** A rate: so many tokens per period, and so many at once. */
export interface TestedRate {
  /** Tokens per period. */
  readonly limit: number
  /** The period in milliseconds. */
  readonly perMs: number
  /** Tokens at once. */
  readonly burst: number
}

/** The part of a rate limiter that the suite calls. */
export interface TestedLimiter {
  /** Takes tokens, and waits until they are there. */
  acquire(tokens?: number): Promise<void>
  /** Takes tokens if they are there. */
  tryAcquire(tokens?: number): Promise<boolean>
  /** Changes the rate for all. */
  setRate(rate: TestedRate): Promise<void>
}

/** The subject and options of {@link rateSuite}. */
export interface RateSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the limiter at a path; nothing may be there yet. */
  readonly makeLimiter: (client: Client, path: string, rate: TestedRate) => TestedLimiter
}

interface RateWorld {
  readonly world: RecipeWorld
  readonly limiterOf: (client: Client, rate: TestedRate) => TestedLimiter
}

/** A bucket that nothing drops into for as long as a case takes. */
const SLOW: TestedRate = { limit: 1, perMs: 3_600_000, burst: 5 }
const CLIENTS = 3
const FAST: TestedRate = { limit: 100, perMs: 1_000, burst: 2 }
const TOKENS = 20
/** Part of the time that the rate asks for: clocks may run so much faster. */
const CLOCKS = 0.9

const CASES: readonly Case<RateWorld>[] = [
  {
    name: 'of all who try at once, as many get a token as there are',
    run: async ({ world, limiterOf }) => {
      const clients = await world.connectMany(CLIENTS)
      const tries = clients.flatMap((client) => {
        const limiter = limiterOf(client, SLOW)
        return Array.from({ length: SLOW.burst }, () => limiter.tryAcquire())
      })
      const given = (await Promise.all(tries)).filter((isGiven) => isGiven)
      equal(given.length, SLOW.burst, 'tokens that were given')
    },
  },
  {
    name: 'everyone who waits is served, and no sooner than the rate allows',
    run: async ({ world, limiterOf }) => {
      const clients = await world.connectMany(CLIENTS)
      const startMs = performance.now()
      const work = clients.map(async (client) => {
        const limiter = limiterOf(client, FAST)
        for (let taken = 0; taken < TOKENS; taken += 1) await limiter.acquire()
      })
      await world.answer(Promise.all(work), 'all tokens')
      const leastMs = CLOCKS * (CLIENTS * TOKENS - FAST.burst) * FAST.perMs / FAST.limit
      const tookMs = performance.now() - startMs
      ok(tookMs >= leastMs, `${CLIENTS * TOKENS} tokens took ${Math.round(tookMs)} ms, at least ${leastMs} were due`)
    },
  },
  {
    name: 'a rate that is changed holds for everyone',
    run: async ({ world, limiterOf }) => {
      const [one, two] = (await world.connectMany(2)).map((client) => limiterOf(client, SLOW))
      ok(one !== undefined && two !== undefined, 'two limiters')
      equal([await one.tryAcquire(SLOW.burst), await two.tryAcquire()], [true, false], 'tries of an empty bucket')
      await one.setRate(FAST)
      await world.answer(two.acquire(), 'a token at the new rate')
    },
  },
]

/**
 * Registers the cases that every rate limiter has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the limiter to test
 */
export function rateSuite(runner: Runner, options: RateSuiteOptions): void {
  registerRecipe(runner, `rate limiter ${options.name}`, options, CASES, (world) => {
    return { world, limiterOf: (client, rate) => options.makeLimiter(client, world.path('limit'), rate) }
  })
}
