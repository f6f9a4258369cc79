/** The suite of rate limiters must find what it is there to find: each of these gives too much, or nothing. */
import type { Client } from '../../src/core/client.ts'
import { RateLimiter } from '../../src/recipes/counters/rate-limiter.ts'
import { rateSuite } from '../../src/testing/index.ts'
import type { RateSuiteOptions, TestedLimiter, TestedRate } from '../../src/testing/index.ts'
import { bites } from './bites.ts'
import type { Broken } from './bites.ts'
import { collectedCases } from './collected-cases.ts'

type Make = RateSuiteOptions['makeLimiter']

const sound: Make = (client, path, rate) => new RateLimiter(client, path, rate)

/** A limiter with some of its methods replaced. */
function changed(change: (limiter: RateLimiter, client: Client, rate: TestedRate) => Partial<TestedLimiter>): Make {
  return (client, path, rate) => {
    const limiter = new RateLimiter(client, path, rate)
    return {
      acquire: (tokens) => limiter.acquire(tokens),
      tryAcquire: (tokens) => limiter.tryAcquire(tokens),
      setRate: (next) => limiter.setRate(next),
      ...change(limiter, client, rate),
    }
  }
}

const AT_ONCE = 'of all who try at once, as many get a token as there are'
const SERVED = 'everyone who waits is served, and no sooner than the rate allows'
const CHANGED = 'a rate that is changed holds for everyone'

const BROKEN: readonly Broken<Make>[] = [
  {
    what: 'each client has a bucket of its own',
    make: (client, path, rate) => new RateLimiter(client, `${path}-${String(client.sessionId)}`, rate),
    caughtBy: AT_ONCE,
  },
  { what: 'nobody gets a token', make: changed(() => ({ tryAcquire: async () => false })), caughtBy: AT_ONCE },
  { what: 'a wait ends at once', make: changed(() => ({ acquire: async () => undefined })), caughtBy: SERVED },
  {
    what: 'two tokens are given for one',
    make: changed((limiter) => {
      let calls = 0
      return {
        acquire: async () => {
          calls += 1
          if (calls % 2 === 0) await limiter.acquire()
        },
      }
    }),
    caughtBy: SERVED,
  },
  {
    what: 'a client keeps the rate that it was made with',
    make: changed(() => ({ setRate: async () => undefined })),
    caughtBy: CHANGED,
  },
]

bites('rate limiter', BROKEN, sound, (engine, makeLimiter) => {
  return collectedCases((runner) => {
    rateSuite(runner, { ...engine, makeLimiter })
  })
})
