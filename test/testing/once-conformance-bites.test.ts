/** The suite of work that is done once finds broken ones. */
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { onceOnly } from '../../src/recipes/once/once-only.ts'
import { onceSuite } from '../../src/testing/index.ts'
import type { OnceSuiteOptions } from '../../src/testing/index.ts'
import { bites } from './bites.ts'
import type { Broken } from './bites.ts'
import { collectedCases } from './collected-cases.ts'

type OnceOnly = OnceSuiteOptions['onceOnly']

const sound: OnceOnly = (client, path, work, ttlMs) => {
  return onceOnly(client, path, work, ttlMs === undefined ? {} : { ttlMs })
}

const BROKEN: readonly Broken<OnceOnly>[] = [
  {
    what: 'everybody does the work',
    make: (client, _path, work) => work({ signal: new AbortController().signal, token: client.sessionId ?? 0n }),
    caughtBy: 'of many callers in many processes one does the work, and all get its result',
  },
  {
    what: 'an error is recorded as a result',
    make: (client, path, work, ttlMs) => sound(client, path, (given) => work(given).catch(() => -1), ttlMs),
    caughtBy: 'work that throws records nothing, and the next caller does it',
  },
  {
    what: 'a result is never over',
    make: (client, path, work) => sound(client, path, work),
    caughtBy: 'a result that is over is made again, once',
  },
  {
    what: 'a result is recorded although the lease was lost',
    make: async (client, path, work) => {
      const lease = await new FairLock(client, `${path}-lock`).acquire()
      try {
        const result = await work({ signal: lease.signal, token: lease.token })
        await client.create(path, String(result)).catch(() => undefined)
        return result
      } finally {
        await lease.release()
      }
    },
    caughtBy: 'work whose process loses its session is done by the next, and only that is recorded',
  },
  {
    what: 'a node is left',
    make: async (client, path, work, ttlMs) => {
      await client.create(`${path}-trace`, '', { mode: 'ephemeral' })
      return sound(client, path, work, ttlMs)
    },
    caughtBy: 'nothing is left behind but the result',
  },
]

bites('once-only work', BROKEN, sound, (engine, once) => {
  return collectedCases((runner) => {
    onceSuite(runner, { ...engine, onceOnly: once })
  })
})
