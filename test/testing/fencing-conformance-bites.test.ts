/** The suite of guarded writes must find what it is there to find: each of these checks lets one stale holder write. */
import type { Operation } from '../../src/core/backend.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { fencingSuite } from '../../src/testing/index.ts'
import type { FencingSuiteOptions } from '../../src/testing/index.ts'
import { bites } from './bites.ts'
import type { Broken } from './bites.ts'
import { collectedCases } from './collected-cases.ts'

type Acquire = FencingSuiteOptions['acquire']

const sound: Acquire = (client, path) => new FairLock(client, path).acquire()

/** Leases whose check is another one. */
function checkedBy(check: (path: string) => Operation): Acquire {
  return async (client, path) => {
    const lease = await sound(client, path)
    return { path: lease.path, check: () => check(lease.path), release: () => lease.release() }
  }
}

const BROKEN: readonly Broken<Acquire>[] = [
  {
    what: 'any node of the path will do',
    make: checkedBy((path) => ({ type: 'check', path, version: -1 })),
    caughtBy: 'a holder whose node was deleted and made again by another is refused',
  },
  {
    what: 'the version is compared, and not the creation',
    make: checkedBy((path) => ({ type: 'check', path, version: 0 })),
    caughtBy: 'a holder whose node was deleted and made again by another is refused',
  },
  {
    what: 'something that is always there is checked',
    make: checkedBy(() => ({ type: 'check', path: '/', version: -1 })),
    caughtBy: 'a holder whose node was deleted is refused',
  },
  {
    what: 'the check of one who released is that of who comes after',
    make: checkedBy((path) => ({ type: 'check', path: path.slice(0, path.lastIndexOf('/')), version: -1 })),
    caughtBy: 'a holder that released is refused, and the next one is not',
  },
  {
    what: 'nobody is let through',
    make: checkedBy((path) => ({ type: 'check', path, version: -1, czxid: 0n })),
    caughtBy: 'a holder writes, all or nothing',
  },
]

bites('guarded write', BROKEN, sound, (engine, acquire) => {
  return collectedCases((runner) => {
    fencingSuite(runner, { ...engine, acquire })
  })
})
