/** Every recipe with the suite that it has to pass, for the tests of each backend. */
import { describe, it } from 'vitest'
import { connect } from '../../src/core/connect.ts'
import type { Backend } from '../../src/core/backend.ts'
import { ConfigCenter } from '../../src/recipes/config/config-center.ts'
import { ExclusiveLock } from '../../src/recipes/locks/exclusive-lock.ts'
import type { JointLease } from '../../src/recipes/engine/joint-lease.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { MultiLock } from '../../src/recipes/locks/multi-lock.ts'
import { ReadWriteLock } from '../../src/recipes/locks/read-write-lock.ts'
import { ReentrantLock } from '../../src/recipes/locks/reentrant-lock.ts'
import { Semaphore } from '../../src/recipes/locks/semaphore.ts'
import { GroupMembership } from '../../src/recipes/membership/group-membership.ts'
import { PersistentNode } from '../../src/recipes/membership/persistent-node.ts'
import type { Client } from '../../src/core/client.ts'
import { isCoordinationError } from '../../src/core/errors.ts'
import { LeaderElection } from '../../src/recipes/leader/leader-election.ts'
import type { Leadership } from '../../src/recipes/leader/leadership.ts'
import { AtomicCounter } from '../../src/recipes/counters/atomic-counter.ts'
import { SharedCount } from '../../src/recipes/counters/shared-count.ts'
import { configHistorySuite, configSuite, counterSuite, electionSuite } from '../../src/testing/index.ts'
import { lockSuite, membershipSuite, persistentNodeSuite, sharedSuite } from '../../src/testing/index.ts'
import type { BackendControl, RecipeSuiteOptions, Runner, TestedLease, TestedLock } from '../../src/testing/index.ts'
import { RateLimiter } from '../../src/recipes/counters/rate-limiter.ts'
import { idSuite, rateSuite, revocationSuite } from '../../src/testing/index.ts'
import { IdAllocator } from '../../src/recipes/counters/id-allocator.ts'
import { SharedValue } from '../../src/recipes/counters/shared-value.ts'
import type { TestedShared } from '../../src/testing/index.ts'
import type { FencingSuiteOptions, RevocationSuiteOptions } from '../../src/testing/index.ts'
import type { TestedRevocableLease, TestedRevocableLock } from '../../src/testing/index.ts'
import { Partitioner } from '../../src/recipes/membership/partitioner.ts'
import { ServiceRegistry } from '../../src/recipes/services/service-registry.ts'
import { ServiceWatcher } from '../../src/recipes/services/service-watcher.ts'
import { Barrier } from '../../src/recipes/barriers/barrier.ts'
import { CountDownLatch } from '../../src/recipes/barriers/count-down-latch.ts'
import { DoubleBarrier } from '../../src/recipes/barriers/double-barrier.ts'
import { barrierSuite, doubleBarrierSuite, fencingSuite, latchSuite, reentrantSuite } from '../../src/testing/index.ts'
import { DistributedQueue } from '../../src/recipes/queues/distributed-queue.ts'
import { queueSuite } from '../../src/testing/index.ts'
import { partitionerSuite, readWriteSuite, semaphoreSuite, serviceSuite } from '../../src/testing/index.ts'
import { transact } from '../../src/recipes/transactions/transact.ts'
import { ChildrenCache } from '../../src/recipes/caches/children-cache.ts'
import { NodeCache } from '../../src/recipes/caches/node-cache.ts'
import { TreeCache } from '../../src/recipes/caches/tree-cache.ts'
import { cacheSuite } from '../../src/testing/index.ts'
import type { TestedCache, TestedCacheNode } from '../../src/testing/index.ts'
import { LayeredConfig } from '../../src/recipes/config/layered-config.ts'
import { onceOnly } from '../../src/recipes/once/once-only.ts'
import { layeredSuite, onceSuite, rolloutSuite, transactionSuite } from '../../src/testing/index.ts'

/** Registers the suites of all recipes on a backend. */
export function recipeSuites(backend: Backend, control: BackendControl): void {
  const runner = { describe, it }
  const engine = {
    // Values stored wrong on purpose are reported here, and elsewhere, which the cases look at.
    connect: () => connect(backend, { onError: () => undefined }),
    control,
  }
  registerLocks(runner, engine)
  registerConfiguration(runner, engine)
  registerRollouts(runner, engine)
  registerMembership(runner, engine)
  transactionSuite(runner, { ...engine, name: 'transact', transact: (client, work) => transact(client, work) })
  onceSuite(runner, {
    ...engine,
    name: 'onceOnly',
    onceOnly: (client, path, work, ttlMs) => onceOnly(client, path, work, ttlMs === undefined ? {} : { ttlMs }),
  })
  registerBarriers(runner, engine)
  registerCaches(runner, engine)
  registerFencing(runner, engine)
  queueSuite(runner, {
    ...engine,
    name: 'DistributedQueue',
    makeQueue: (client, path, maxItems) => new DistributedQueue<string>(client, path, { maxItems }),
  })
}

type Engine = Pick<RecipeSuiteOptions, 'connect' | 'control'>

function registerCaches(runner: Runner, engine: Engine): void {
  cacheSuite(runner, {
    ...engine,
    name: 'NodeCache',
    makeCache: (client, path) => {
      const cache = new NodeCache(client, path)
      return cacheOf(cache, () => [cache.current ?? []].flat())
    },
    nodesIn: (path) => [path],
  })
  cacheSuite(runner, {
    ...engine,
    name: 'ChildrenCache',
    makeCache: (client, path) => {
      const cache = new ChildrenCache(client, path)
      return cacheOf(cache, () => cache.nodes)
    },
    nodesIn: (path) => [`${path}/x`, `${path}/y`],
  })
  cacheSuite(runner, {
    ...engine,
    name: 'TreeCache',
    makeCache: (client, path) => {
      const cache = new TreeCache(client, path)
      return cacheOf(cache, () => cache.nodes)
    },
    nodesIn: (path) => [`${path}/x`, `${path}/y/z`],
  })
}

function cacheOf(cache: NodeCache | ChildrenCache | TreeCache, nodes: () => readonly TestedCacheNode[]): TestedCache {
  return {
    get stale() {
      return cache.stale
    },
    ready: () => cache.ready(),
    nodes,
    subscribe: (listener) => cache.subscribe(listener),
    close: () => cache.close(),
  }
}

function registerBarriers(runner: Runner, engine: Engine): void {
  barrierSuite(runner, { ...engine, name: 'Barrier', makeBarrier: (client, path) => new Barrier(client, path) })
  latchSuite(runner, {
    ...engine,
    name: 'CountDownLatch',
    makeLatch: (client, path, count) => new CountDownLatch(client, path, { count }),
  })
  doubleBarrierSuite(runner, {
    ...engine,
    name: 'DoubleBarrier',
    makeDoubleBarrier: (client, path, count) => new DoubleBarrier(client, path, { count }),
  })
}

function registerLocks(runner: Runner, engine: Engine): void {
  lockSuite(runner, { ...engine, name: 'FairLock', makeLock: (client, path) => new FairLock(client, path) })
  lockSuite(runner, { ...engine, name: 'ExclusiveLock', makeLock: (client, path) => new ExclusiveLock(client, path) })
  lockSuite(runner, { ...engine, name: 'LeaderElection', makeLock: electionAsLock })
  electionSuite(runner, {
    ...engine,
    name: 'LeaderElection',
    makeElection: (client, path, id) => new LeaderElection<string>(client, path, { id }),
  })
  counterSuite(runner, {
    ...engine,
    name: 'AtomicCounter',
    makeCounter: (client, path) => new AtomicCounter(client, path),
  })
  sharedSuite(runner, { ...engine, name: 'SharedCount', makeShared: (client, path) => new SharedCount(client, path) })
  sharedSuite(runner, { ...engine, name: 'SharedValue', makeShared: numberOf })
  idSuite(runner, {
    ...engine,
    name: 'IdAllocator',
    makeIds: (client, path, block) => new IdAllocator(client, path, { block }),
  })
  lockSuite(runner, {
    ...engine,
    name: 'ReadWriteLock.writer',
    makeLock: (client, path) => new ReadWriteLock(client, path).writer,
  })
  lockSuite(runner, { ...engine, name: 'MultiLock', makeLock: twoAsOne })
  const makeReentrant = (client: Client, path: string): ReentrantLock => new ReentrantLock(client, path)
  lockSuite(runner, { ...engine, name: 'ReentrantLock', makeLock: makeReentrant })
  reentrantSuite(runner, { ...engine, name: 'ReentrantLock', makeLock: makeReentrant })
  registerRevocation(runner, engine)
  rateSuite(runner, {
    ...engine,
    name: 'RateLimiter',
    makeLimiter: (client, path, rate) => new RateLimiter(client, path, rate),
  })
  readWriteSuite(runner, {
    ...engine,
    name: 'ReadWriteLock',
    makeLock: (client, path) => new ReadWriteLock(client, path),
  })
  semaphoreSuite(runner, {
    ...engine,
    name: 'Semaphore',
    makeSemaphore: (client, path, permits) => new Semaphore(client, path, { permits }),
  })
}

/** A shared value that holds a number as text. */
function numberOf(client: Client, path: string): TestedShared {
  const value = new SharedValue(client, path, { seed: '0' })
  const read = (data: Uint8Array): number => Number(new TextDecoder().decode(data))
  return {
    get current() {
      return value.current === undefined ? undefined : read(value.current)
    },
    ready: async () => read(await value.ready()),
    get: async () => read(await value.get()),
    set: (next) => value.set(String(next)),
    trySet: (next) => value.trySet(String(next)),
  }
}

function registerRevocation(runner: Runner, engine: Engine): void {
  const makeLock: Readonly<Record<string, RevocationSuiteOptions['makeLock']>> = {
    FairLock: (client, path) => new FairLock(client, path),
    'ReadWriteLock.reader': (client, path) => new ReadWriteLock(client, path).reader,
    ReentrantLock: (client, path) => new ReentrantLock(client, path),
    Semaphore: (client, path) => new Semaphore(client, path, { permits: 1 }),
    ExclusiveLock: (client, path) => new ExclusiveLock(client, path),
    MultiLock: oneOfSeveral,
  }
  for (const [name, make] of Object.entries(makeLock)) revocationSuite(runner, { ...engine, name, makeLock: make })
}

/** A MultiLock of one lock, whose leases are known by their part. */
function oneOfSeveral(client: Client, path: string): TestedRevocableLock {
  const lock = new MultiLock([new FairLock(client, path)])
  return {
    acquire: async (options) => testedJoint(await lock.acquire(options)),
    revoke: (options) => lock.revoke(options),
    evict: (contender) => lock.evict(contender),
  }
}

/** Two locks of different kinds below a path, acquired as one; its token is the one of the first, which fences it. */
function twoAsOne(client: Client, path: string): TestedLock {
  const lock = new MultiLock([new FairLock(client, `${path}/fair`), new ExclusiveLock(client, `${path}/exclusive`)])
  return {
    acquire: async (options) => testedJoint(await lock.acquire(options)),
    tryAcquire: async () => {
      const lease = await lock.tryAcquire()
      return lease === null ? null : testedJoint(lease)
    },
  }
}

function testedJoint(lease: JointLease): TestedRevocableLease {
  const [first] = lease.parts
  return {
    path: first?.path ?? '',
    token: first?.token ?? 0n,
    signal: lease.signal,
    get state() {
      return lease.state
    },
    release: () => lease.release(),
    onRevoke: (listener) => lease.onRevoke(listener),
  }
}

function registerFencing(runner: Runner, engine: Engine): void {
  const acquire: Readonly<Record<string, FencingSuiteOptions['acquire']>> = {
    FairLock: (client, path) => new FairLock(client, path).acquire(),
    ExclusiveLock: (client, path) => new ExclusiveLock(client, path).acquire(),
    'ReadWriteLock.reader': (client, path) => new ReadWriteLock(client, path).reader.acquire(),
    'ReadWriteLock.writer': (client, path) => new ReadWriteLock(client, path).writer.acquire(),
    'ReadWriteLock.downgrade': async (client, path) => {
      const lock = new ReadWriteLock(client, path)
      return lock.downgrade(await lock.writer.acquire())
    },
    ReentrantLock: (client, path) => new ReentrantLock(client, path).acquire(),
    Semaphore: (client, path) => new Semaphore(client, path, { permits: 1 }).acquire(),
    LeaderElection: async (client, path) => {
      const leadership = await new LeaderElection(client, path).campaign()
      return { path: leadership.path, check: () => leadership.check(), release: () => leadership.resign() }
    },
  }
  for (const [name, of] of Object.entries(acquire)) fencingSuite(runner, { ...engine, name, acquire: of })
}

function registerConfiguration(runner: Runner, engine: Engine): void {
  configSuite(runner, {
    ...engine,
    name: 'ConfigCenter',
    makeConfig: (client, path, schema) => new ConfigCenter(client, path, { schema }),
  })
  configSuite(runner, {
    ...engine,
    name: 'ConfigCenter with a history',
    makeConfig: (client, path, schema) => new ConfigCenter(client, path, { schema, history: true }),
  })
  configHistorySuite(runner, {
    ...engine,
    name: 'ConfigCenter',
    makeConfig: (client, path, entriesMax) => new ConfigCenter<number>(client, path, { history: { entriesMax } }),
  })
}

function registerRollouts(runner: Runner, engine: Engine): void {
  layeredSuite(runner, {
    ...engine,
    name: 'LayeredConfig',
    makeLayered: (client, paths) => new LayeredConfig<object>(client, paths),
  })
  configSuite(runner, {
    ...engine,
    name: 'ConfigCenter that takes part in roll-outs',
    makeConfig: (client, path, schema) => {
      return new ConfigCenter(client, path, { schema, member: { id: crypto.randomUUID() } })
    },
  })
  rolloutSuite(runner, {
    ...engine,
    name: 'ConfigCenter',
    makeConfig: (client, path, id) => {
      return new ConfigCenter<number>(client, path, id === null ? { history: true } : { member: { id } })
    },
  })
}

function registerMembership(runner: Runner, engine: Engine): void {
  membershipSuite(runner, {
    ...engine,
    name: 'GroupMembership',
    makeGroup: (client, path) => new GroupMembership<string>(client, path),
  })
  persistentNodeSuite(runner, {
    ...engine,
    name: 'PersistentNode',
    openNode: (client, path, data) => PersistentNode.open(client, path, data),
  })
  serviceSuite(runner, {
    ...engine,
    name: 'ServiceRegistry',
    makeRegistry: (client, path) => new ServiceRegistry(client, path),
    makeWatcher: (client, path, name) => new ServiceWatcher(client, path, name),
  })
  partitionerSuite(runner, {
    ...engine,
    name: 'Partitioner',
    makePartitioner: (client, path, options) => new Partitioner(client, path, options),
  })
}

/** An election seen as a lock: whoever leads holds it. */
function electionAsLock(client: Client, path: string): TestedLock {
  const election = new LeaderElection(client, path)
  return {
    acquire: async (options) => leaseOf(await election.campaign(options)),
    tryAcquire: async () => {
      try {
        return leaseOf(await election.campaign({ waitMs: 0 }))
      } catch (error) {
        if (isCoordinationError(error, 'TIMEOUT')) return null
        throw error
      }
    },
  }
}

function leaseOf(leadership: Leadership): TestedLease {
  const { token, signal } = leadership
  return {
    token,
    signal,
    get state() {
      return leadership.state
    },
    release: () => leadership.resign(),
  }
}
