/** The suite of reentrant locks must find what it is there to find: each of these breaks one promise. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Client } from '../../src/core/client.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { ReentrantLock } from '../../src/recipes/locks/reentrant-lock.ts'
import { reentrantSuite } from '../../src/testing/index.ts'
import type { ReentrantSuiteOptions, TestedLease, TestedReentrantLock } from '../../src/testing/index.ts'
import { bites } from './bites.ts'
import type { Broken } from './bites.ts'
import { collectedCases } from './collected-cases.ts'

type Make = ReentrantSuiteOptions['makeLock']

const sound: Make = (client, path) => new ReentrantLock(client, path)

/** A lock that leases once for all that a key is the holder of. */
function keyed(lock: ReentrantLock, keyOf: () => object, leases: WeakMap<object, Promise<TestedLease>>): Make {
  const acquire = (): Promise<TestedLease> => {
    const lease = leases.get(keyOf()) ?? lock.acquire()
    leases.set(keyOf(), lease)
    return lease
  }
  return () => ({
    acquire,
    tryAcquire: () => (leases.has(keyOf()) ? acquire() : lock.tryAcquire()),
    using: async (work) => {
      const lease = await acquire()
      try {
        return await work(lease)
      } finally {
        leases.delete(keyOf())
        await lease.release()
      }
    },
  })
}

const ofClients = new WeakMap<object, Promise<TestedLease>>()
const contexts = new AsyncLocalStorage<object>()
const ofContexts = new WeakMap<object, Promise<TestedLease>>()

function changed(client: Client, path: string, changes: Partial<TestedReentrantLock>): TestedReentrantLock {
  const lock = new ReentrantLock(client, path)
  return {
    acquire: (options) => lock.acquire(options),
    tryAcquire: () => lock.tryAcquire(),
    using: (work) => lock.using(work),
    ...changes,
  }
}

const BROKEN: readonly Broken<Make>[] = [
  {
    what: 'its holder waits for itself',
    make: (client, path) => {
      const lock = new FairLock(client, path)
      return {
        acquire: (options) => lock.acquire({ ...options, onReentry: 'wait' }),
        tryAcquire: () => lock.tryAcquire(),
        using: (work) => lock.using({ onReentry: 'wait' }, work),
      }
    },
    caughtBy: 'its holder acquires it again, while others wait, and adds no node',
  },
  {
    what: 'the first release gives it back',
    make: (client, path) => keyed(new ReentrantLock(client, path), () => client, ofClients)(client, path),
    caughtBy: 'it is given back with the last of its leases, in whatever order they are released',
  },
  {
    what: 'the whole client is one holder',
    make: (client, path) => keyed(new ReentrantLock(client, path), () => client, ofClients)(client, path),
    caughtBy: 'tasks of one function that hold nothing yet exclude each other',
  },
  {
    what: 'a context that held it once holds it forever',
    make: (client, path) => changed(client, path, {
      tryAcquire: () => ofContexts.get(contexts.getStore() ?? {}) ?? new ReentrantLock(client, path).tryAcquire(),
      using: (work) => contexts.run({}, () => new ReentrantLock(client, path).using(async (lease) => {
        ofContexts.set(contexts.getStore() ?? {}, Promise.resolve(lease))
        return work(lease)
      })),
    }),
    caughtBy: 'a task that outlives the holder it was started by waits like any other',
  },
  {
    what: 'inner leases are not told of a loss',
    make: (client, path) => changed(client, path, {
      acquire: async (options) => {
        const { token, state, ...lease } = await new ReentrantLock(client, path).acquire(options)
        return { ...lease, token, state, signal: new AbortController().signal, release: async () => undefined }
      },
    }),
    caughtBy: 'a loss is told to every lease',
  },
]

bites('reentrant lock', BROKEN, sound, (engine, makeLock) => {
  return collectedCases((runner) => {
    reentrantSuite(runner, { ...engine, makeLock })
  })
})
