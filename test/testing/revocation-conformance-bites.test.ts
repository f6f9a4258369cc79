/** The suite of revocation must find what it is there to find: each of these locks asks or evicts in a wrong way. */
import type { Client } from '../../src/core/client.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { revocationSuite } from '../../src/testing/index.ts'
import type { RevocationSuiteOptions, TestedRevocableLock } from '../../src/testing/index.ts'
import { bites } from './bites.ts'
import type { Broken } from './bites.ts'
import { collectedCases } from './collected-cases.ts'

type Make = RevocationSuiteOptions['makeLock']

const sound: Make = (client, path) => new FairLock(client, path)

/** A fair lock with some of its methods replaced. */
function changed(change: (lock: FairLock, client: Client) => Partial<TestedRevocableLock>): Make {
  return (client, path) => {
    const lock = new FairLock(client, path)
    return {
      acquire: (options) => lock.acquire(options),
      revoke: (options) => lock.revoke(options),
      evict: (contender) => lock.evict(contender),
      ...change(lock, client),
    }
  }
}

const HEARS = 'a holder hears each request and its reason, and holds until it releases'
const EVICTED = 'an evicted holder loses its lease, and the next one gets the lock'
const SAME_PATH = 'a node that came to the same path is neither asked nor evicted'

const BROKEN: readonly Broken<Make>[] = [
  {
    what: 'a request has no reason',
    make: changed((lock) => ({ revoke: ({ contender }) => lock.revoke(contender === undefined ? {} : { contender }) })),
    caughtBy: HEARS,
  },
  {
    what: 'a request takes the lock away',
    make: changed((lock) => ({
      revoke: async (options) => {
        const asked = await lock.revoke(options)
        for (const contender of asked) await lock.evict(contender)
        return asked
      },
    })),
    caughtBy: HEARS,
  },
  {
    what: 'an eviction is a request',
    make: changed((lock) => ({
      evict: async (contender) => {
        await lock.revoke({ contender })
      },
    })),
    caughtBy: EVICTED,
  },
  {
    what: 'an eviction takes whoever holds',
    make: changed((lock) => ({
      evict: async () => {
        for (const contender of await lock.contenders()) await lock.evict(contender)
      },
    })),
    caughtBy: EVICTED,
  },
  {
    what: 'an eviction goes by the path',
    make: changed((_, client) => ({ evict: ({ path }) => client.delete(path) })),
    caughtBy: SAME_PATH,
  },
  {
    what: 'a request goes by the path',
    make: changed((_, client) => ({
      revoke: async ({ contender }) => {
        if (contender === undefined) return []
        await client.set(contender.path, '__REVOKE__')
        return [contender]
      },
    })),
    caughtBy: SAME_PATH,
  },
]

bites('revocation', BROKEN, sound, (engine, makeLock) => {
  return collectedCases((runner) => {
    revocationSuite(runner, { ...engine, makeLock })
  })
})
