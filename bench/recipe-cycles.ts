/**
 * The cycle by which each recipe is measured: it begins and ends in the same state, so that it can be repeated.
 *
 * A cycle has a session for each of its lanes. The objects and the nodes that stay are made before it is timed.
 */
import {
  AtomicCounter, Barrier, ChildrenCache, ConfigCenter, ConfigTree, CountDownLatch, DistributedQueue, DoubleBarrier,
  ExclusiveLock, FairLock, GroupMembership, IdAllocator, LeaderElection, MultiLock, NodeCache, onceOnly, Partitioner,
  PersistentNode, RateLimiter, ReadWriteLock, ReentrantLock, Semaphore, ServiceRegistry, SharedCount, SharedValue,
  transact, TreeCache,
} from 'quorate'
import type { Client } from 'quorate'

/** A recipe in use by one session. */
export interface OpenCycle {
  /** Does it once. */
  readonly run: () => Promise<unknown>
  /** Ends what was made before; absent where nothing was. */
  readonly close?: () => Promise<unknown>
}

/** The measure of one recipe. */
export interface RecipeCycle {
  /** Its name in the figures. */
  readonly name: string
  /** How many sessions do it at the same time, on one path. */
  readonly lanes: number
  /** Its name in the programs of other libraries; null where none has it. */
  readonly rival: string | null
  /** Makes what is needed before. */
  readonly open: (client: Client, path: string) => OpenCycle | Promise<OpenCycle>
}

/** As many as contend where several do. */
const CONTENDERS = 4
const PERMITS = 2
const ITEMS = 8
const TOKENS = 1_000_000
const VALUE = 'x'.repeat(100)

/** Something that can be acquired. */
interface Acquirable {
  acquire(): Promise<{ release(): Promise<void> }>
}

/** All that is measured. */
export const RECIPE_CYCLES: readonly RecipeCycle[] = [
  ...alsoContended('FairLock: acquire, release', 'lock', (client, path) => lockCycle(new FairLock(client, path))),
  only('ExclusiveLock: acquire, release', null, (client, path) => lockCycle(new ExclusiveLock(client, path))),
  only('ReadWriteLock: reader', 'read', (client, path) => lockCycle(new ReadWriteLock(client, path).reader)),
  only('ReadWriteLock: writer', 'write', (client, path) => lockCycle(new ReadWriteLock(client, path).writer)),
  ...alsoContended('Semaphore: a permit of two', 'semaphore', (client, path) => {
    return lockCycle(new Semaphore(client, path, { permits: PERMITS }))
  }),
  only('MultiLock: two fair locks', 'multi', (client, path) => {
    return lockCycle(new MultiLock(['a', 'b'].map((name) => new FairLock(client, `${path}/${name}`))))
  }),
  only('ReentrantLock: acquired twice', 'reentrant', (client, path) => {
    const lock = new ReentrantLock(client, path)
    return { run: () => lock.using(() => lock.using(() => undefined)) }
  }),
  ...alsoContended('LeaderElection: campaign, resign', 'leader', (client, path) => {
    const election = new LeaderElection(client, path)
    return { run: async () => (await election.campaign()).resign(), close: () => election.close() }
  }),
  only('GroupMembership: join, leave', 'member', (client, path) => {
    const group = new GroupMembership(client, path)
    return { run: async () => (await group.join('one')).leave(), close: () => group.close() }
  }),
  only('PersistentNode: open, close', 'node', (client, path) => {
    return { run: async () => (await PersistentNode.open(client, `${path}/kept`, VALUE)).close() }
  }),
  only(`Partitioner: ${ITEMS} items owned, let go`, null, (client, path) => {
    return { run: () => partitionOnce(new Partitioner(client, path, { id: 'one', count: ITEMS })) }
  }),
  only('ServiceRegistry: register, unregister', null, (client, path) => {
    const registry = new ServiceRegistry(client, path)
    const instance = { id: 'one', address: '10.0.0.1', port: 80 }
    return { run: async () => (await registry.register('api', instance)).unregister() }
  }),
  only('Barrier: raise, lower', 'barrier', (client, path) => {
    const barrier = new Barrier(client, `${path}/barrier`)
    return { run: () => barrier.raise().then(() => barrier.lower()) }
  }),
  only('DoubleBarrier: enter, leave', 'double', (client, path) => {
    const barrier = new DoubleBarrier(client, path, { count: 1 })
    return { run: () => barrier.enter().then(() => barrier.leave()) }
  }),
  only('CountDownLatch: count down, wait, remove', null, (client, path) => {
    const latch = new CountDownLatch(client, path, { count: 1 })
    return { run: () => latch.countDown().then(() => latch.wait()).then(() => latch.remove()) }
  }),
  only('SharedValue: set', 'value', async (client, path) => {
    const value = new SharedValue(client, path, { seed: 'seed' })
    await value.ready()
    return { run: () => value.set(VALUE), close: () => value.close() }
  }),
  only('SharedCount: set', 'count', async (client, path) => {
    const count = new SharedCount(client, path, { seed: 0 })
    await count.ready()
    return { run: () => count.set(1), close: () => count.close() }
  }),
  ...alsoContended('AtomicCounter: add', 'counter', (client, path) => {
    const counter = new AtomicCounter(client, path)
    return { run: () => counter.add(1) }
  }),
  only('IdAllocator: next, of blocks of 100', null, (client, path) => {
    const ids = new IdAllocator(client, path, { block: 100 })
    return { run: () => ids.next() }
  }),
  only('RateLimiter: a token that is there', null, (client, path) => {
    const limiter = new RateLimiter(client, path, { limit: TOKENS })
    return { run: () => limiter.acquire() }
  }),
  only('DistributedQueue: put, take, ack', 'queue', (client, path) => {
    const queue = new DistributedQueue<string>(client, path)
    return { run: () => queue.put(VALUE).then(() => queue.take()).then((item) => item.ack()) }
  }),
  only('NodeCache: a change made, seen', 'node-cache', cacheANode),
  only('ChildrenCache: a child made, seen, removed, seen', 'children-cache', async (client, path) => {
    await client.makePath(path)
    return cacheCycle(client, new ChildrenCache(client, path), `${path}/child`)
  }),
  only('TreeCache: a node made, seen, removed, seen', 'tree-cache', async (client, path) => {
    await client.makePath(`${path}/deep`, { mode: 'persistent' })
    return cacheCycle(client, new TreeCache(client, path), `${path}/deep/node`)
  }),
  only('ConfigCenter: published, seen', null, (client, path) => configCycle(new ConfigCenter<string>(client, path))),
  only('ConfigCenter: published with history, seen', null, (client, path) => {
    return configCycle(new ConfigCenter<string>(client, path, { history: true }))
  }),
  only('ConfigTree: publish', null, async (client, path) => {
    const tree = new ConfigTree<string>(client, path)
    await tree.ready()
    return { run: () => tree.publish('key', VALUE), close: () => tree.close() }
  }),
  only('transact: read one, write it', null, async (client, path) => {
    await client.makePath(path)
    return { run: () => transact(client, async (tx) => tx.put(path, (await tx.get(path)) ?? VALUE)) }
  }),
  only('onceOnly: a result that is there', null, async (client, path) => {
    await onceOnly(client, path, () => VALUE)
    return { run: () => onceOnly(client, path, () => VALUE) }
  }),
  only('onceOnly: work done, result removed', null, (client, path) => {
    return { run: () => onceOnly(client, `${path}/key`, () => VALUE).then(() => client.delete(`${path}/key`)) }
  }),
]

function only(name: string, rival: string | null, open: RecipeCycle['open']): RecipeCycle {
  return { name, rival, open, lanes: 1 }
}

function alsoContended(name: string, rival: string, open: RecipeCycle['open']): RecipeCycle[] {
  return [1, CONTENDERS].map((lanes) => ({ name, rival, open, lanes }))
}

function lockCycle(lock: Acquirable): OpenCycle {
  return { run: async () => (await lock.acquire()).release() }
}

async function partitionOnce(partitioner: Partitioner): Promise<void> {
  const started = partitioner.start()
  for await (const { assignments } of partitioner.watch()) {
    if (assignments.size === ITEMS) break
  }
  await partitioner.stop()
  await started
}

/** Something that tells its listener of each change. */
interface Source {
  subscribe(listener: () => void, options: { emitInitial: boolean }): unknown
}

/** Does what makes a change, and waits until a source has told of it. */
function untilSeen(source: Source): (change: () => Promise<unknown>) => Promise<void> {
  let tell = (): void => undefined
  source.subscribe(() => tell(), { emitInitial: false })
  return async (change) => {
    const seen = new Promise<void>((resolve) => (tell = resolve))
    await change()
    await seen
  }
}

async function cacheANode(client: Client, path: string): Promise<OpenCycle> {
  await client.makePath(path, { mode: 'persistent' })
  const cache = new NodeCache(client, path)
  await cache.ready()
  const seen = untilSeen(cache)
  return { run: () => seen(() => client.set(path, VALUE)), close: () => cache.close() }
}

async function cacheCycle(client: Client, cache: ChildrenCache | TreeCache, node: string): Promise<OpenCycle> {
  await cache.ready()
  const seen = untilSeen(cache)
  const run = async (): Promise<void> => {
    await seen(() => client.create(node, VALUE))
    await seen(() => client.delete(node))
  }
  return { run, close: () => cache.close() }
}

async function configCycle(config: ConfigCenter<string>): Promise<OpenCycle> {
  await config.ready()
  const seen = untilSeen(config)
  let round = 0
  const run = async (): Promise<void> => {
    round += 1
    await seen(() => config.publish(`${VALUE}${round}`))
  }
  return { run, close: () => config.close() }
}
