/** Mistakes of callers: the error of each names the value, and the option that is likely meant. */
import { expect, it } from 'vitest'
import type { Client } from '../../src/core/client.ts'
import { ConfigCenter } from '../../src/recipes/config/config-center.ts'
import { LayeredConfig } from '../../src/recipes/config/layered-config.ts'
import { secretCodec } from '../../src/recipes/config/secret-codec.ts'
import { ConfigTree } from '../../src/recipes/config/config-tree.ts'
import { ExclusiveLock } from '../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { GroupMembership } from '../../src/recipes/membership/group-membership.ts'
import { PersistentNode } from '../../src/recipes/membership/persistent-node.ts'
import { AtomicCounter } from '../../src/recipes/counters/atomic-counter.ts'
import { Barrier } from '../../src/recipes/barriers/barrier.ts'
import { ChildrenCache } from '../../src/recipes/caches/children-cache.ts'
import { NodeCache } from '../../src/recipes/caches/node-cache.ts'
import { TreeCache } from '../../src/recipes/caches/tree-cache.ts'
import { CountDownLatch } from '../../src/recipes/barriers/count-down-latch.ts'
import { DistributedQueue } from '../../src/recipes/queues/distributed-queue.ts'
import { DoubleBarrier } from '../../src/recipes/barriers/double-barrier.ts'
import { IdAllocator } from '../../src/recipes/counters/id-allocator.ts'
import { RateLimiter } from '../../src/recipes/counters/rate-limiter.ts'
import { SharedCount } from '../../src/recipes/counters/shared-count.ts'
import { SharedValue } from '../../src/recipes/counters/shared-value.ts'
import { onceOnly } from '../../src/recipes/once/once-only.ts'
import { LeaderElection } from '../../src/recipes/leader/leader-election.ts'
import type { Member } from '../../src/recipes/membership/member.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, newRig, pass, run, useVirtualTime } from './rig.ts'

useVirtualTime()

/** Everything that is called here, with types that nothing checks. */
type Loose = (...args: unknown[]) => unknown

interface Things {
  readonly client: Client
  readonly fair: FairLock
  readonly exclusive: ExclusiveLock
  readonly election: LeaderElection
  readonly counter: AtomicCounter
  readonly center: ConfigCenter<unknown>
  readonly recorded: ConfigCenter<unknown>
  readonly tree: ConfigTree<unknown>
  readonly group: GroupMembership
  readonly member: Member<unknown>
}

async function thingsOf(client: Client): Promise<Things> {
  const group = new GroupMembership(client, '/g')
  return {
    client,
    fair: new FairLock(client, '/l/fair'),
    exclusive: new ExclusiveLock(client, '/l/exclusive'),
    election: new LeaderElection(client, '/e/x'),
    counter: new AtomicCounter(client, '/n/x', { bits: 32 }),
    center: new ConfigCenter<unknown>(client, '/c/one'),
    recorded: new ConfigCenter<unknown>(client, '/c/two', { history: true }),
    tree: new ConfigTree<unknown>(client, '/c'),
    group,
    member: await run(group.join('w')),
  }
}

/** Calls a method with whatever arguments. */
function call(thing: object, method: string, ...args: unknown[]): unknown {
  return (Reflect.get(thing, method) as Loose).apply(thing, args)
}

function make(recipe: unknown, ...args: unknown[]): unknown {
  return Reflect.construct(recipe as new () => unknown, args)
}

function openNode(...args: unknown[]): unknown {
  return call(PersistentNode, 'open', ...args)
}

const noop = (): void => undefined

/** A call, and the words that its error must have. */
type Misuse = readonly [string, (things: Things) => unknown, RegExp]

const limiterOf = (client: Client): RateLimiter => new RateLimiter(client, '/r/x', { limit: 5 })
const queueOf = (client: Client): DistributedQueue<number> => new DistributedQueue(client, '/q')

const MISUSES: readonly Misuse[] = [
  ['acquire({ timeoutMs })', ({ fair }) => call(fair, 'acquire', { timeoutMs: 5 }), /timeoutMs.*"waitMs"/],
  ['acquire(5000)', ({ fair }) => call(fair, 'acquire', 5_000), /acquire takes an object.*waitMs: 5000/],
  ['acquire(signal)', ({ fair }) => call(fair, 'acquire', AbortSignal.timeout(9)), /AbortSignal/],
  ['acquire({ signal: {} })', ({ fair }) => call(fair, 'acquire', { signal: {} }), /signal must be an AbortSignal/],
  ['acquire({ waitMs: "1" })', ({ fair }) => call(fair, 'acquire', { waitMs: '1' }), /waitMs must be a number/],
  ['acquire({ waitMs: -1 })', ({ fair }) => call(fair, 'acquire', { waitMs: -1 }), /waitMs must be .* 0 or more/],
  ['acquire({ data: 5 })', ({ fair }) => call(fair, 'acquire', { data: 5 }), /data must be a string or a Uint8Array/],
  ['acquire({ onSessionLoss })', ({ fair }) => call(fair, 'acquire', { onSessionLoss: 1 }), /or 'queue-again'/],
  ['using({ waitMs })', ({ fair }) => call(fair, 'using', { waitMs: 5 }), /work must be a function/],
  ['using(work, options)', ({ fair }) => call(fair, 'using', noop, { waitMs: 5 }), /work must be a function/],
  ['using({ timeout })', ({ exclusive }) => call(exclusive, 'using', { timeout: 5 }, noop), /"waitMs"/],
  ['tryAcquire({ onSessionLoss })', ({ fair }) => call(fair, 'tryAcquire', { onSessionLoss: 1 }), /onSessionLoss/],
  ['contenders({ wait })', ({ fair }) => call(fair, 'contenders', { wait: 5 }), /"waitMs"/],
  ['new FairLock(undefined)', () => make(FairLock, undefined, '/x'), /FairLock needs a client/],
  ['new FairLock(path)', ({ client }) => make(FairLock, client, 5), /path must be/],
  ['new FairLock({ layot })', ({ client }) => make(FairLock, client, '/x', { layot: 'kazoo' }), /"layout"/],
  ['exclusive acquire({ timeout })', ({ exclusive }) => call(exclusive, 'acquire', { timeout: 5 }), /"waitMs"/],
  ['acquire({ revocable: 1 })', ({ fair }) => call(fair, 'acquire', { revocable: 1 }), /revocable must be true or/],
  ['exclusive acquire({ revocable: 1 })', ({ exclusive }) => call(exclusive, 'acquire', { revocable: 1 }), /true or/],
  ['revoke({ why })', ({ fair }) => call(fair, 'revoke', { why: 'x' }), /no option "why"/],
  ['revoke({ reason: 5 })', ({ fair }) => call(fair, 'revoke', { reason: 5 }), /reason must be a string/],
  ['revoke({ contender: "/l" })', ({ fair }) => call(fair, 'revoke', { contender: '/l' }), /with its path and token/],
  ['evict()', ({ fair }) => call(fair, 'evict'), /contender must be one of \/l\/fair/],
  ['evict(of another lock)', ({ fair }) => call(fair, 'evict', { path: '/l/x/y', token: 1n }), /got \/l\/x\/y/],
  ['evict(…, { timeout })', ({ fair }) => {
    return call(fair, 'evict', { path: '/l/fair/y', token: 1n }, { timeout: 5 })
  }, /"waitMs"/],
  ['exclusive acquire({ data: 5 })', ({ exclusive }) => call(exclusive, 'acquire', { data: 5 }), /data must be/],
  ['exclusive tryAcquire(null)', ({ exclusive }) => call(exclusive, 'tryAcquire', null), /object of options/],
  ['holder({ waitms })', ({ exclusive }) => call(exclusive, 'holder', { waitms: 5 }), /"waitMs"/],
  ['new ExclusiveLock(connect())', () => make(ExclusiveLock, Promise.resolve(), '/x'), /await connect\(\) first/],
  ['campaign({ timeout })', ({ election }) => call(election, 'campaign', { timeout: 5 }), /"waitMs"/],
  ['campaign({ data })', ({ election }) => call(election, 'campaign', { data: 'x' }), /no option "data"/],
  ['campaign({ onSessionLoss })', ({ election }) => call(election, 'campaign', { onSessionLoss: 1 }), /queue-again/],
  ['run()', ({ election }) => call(election, 'run'), /work must be a function/],
  ['run({ abort })', ({ election }) => call(election, 'run', noop, { abort: 1 }), /"signal"/],
  ['run({ signal: 5 })', ({ election }) => call(election, 'run', noop, { signal: 5 }), /signal must be/],
  ['leader({ wait })', ({ election }) => call(election, 'leader', { wait: 5 }), /"waitMs"/],
  ['candidates({ wait })', ({ election }) => call(election, 'candidates', { wait: 5 }), /"waitMs"/],
  ['election watch({ abort })', ({ election }) => call(election, 'watch', { abort: 1 }), /"signal"/],
  ['new LeaderElection({ id: 5 })', ({ client }) => make(LeaderElection, client, '/e', { id: 5 }), /id must be/],
  ['new LeaderElection({ codec })', ({ client }) => make(LeaderElection, client, '/e', { codec: 5 }), /codec must/],
  ['new LeaderElection({ layout })', ({ client }) => make(LeaderElection, client, '/e', { layout: 'x' }), /'latch'/],
  ['new LeaderElection({ onResign })', ({ client }) => make(LeaderElection, client, '/e', { onResign: 1 }), /'silent'/],
  ['new LeaderElection("/")', ({ client }) => make(LeaderElection, client, '/'), /path must be a node/],
  ['add()', ({ counter }) => call(counter, 'add'), /delta must be a bigint or a safe whole number/],
  ['add(0.5)', ({ counter }) => call(counter, 'add', 0.5), /delta must be/],
  ['add(2^31)', ({ counter }) => call(counter, 'add', 2n ** 31n), /delta must fit in 32 bits/],
  ['add(1, { timeout })', ({ counter }) => call(counter, 'add', 1, { timeout: 5 }), /"waitMs"/],
  ['compareAndSet(1)', ({ counter }) => call(counter, 'compareAndSet', 1), /next must be/],
  ['counter set("1")', ({ counter }) => call(counter, 'set', '1'), /value must be/],
  ['new AtomicCounter({ bits: 16 })', ({ client }) => make(AtomicCounter, client, '/n', { bits: 16 }), /32 or 64/],
  ['new AtomicCounter("/")', ({ client }) => make(AtomicCounter, client, '/'), /path must be a node/],
  ['new RateLimiter()', ({ client }) => make(RateLimiter, client, '/r/x'), /limit must be a/],
  ['new RateLimiter({ rate })', ({ client }) => make(RateLimiter, client, '/r/x', { rate: 5 }), /no option "rate"/],
  ['new RateLimiter({ block: 6 })', ({ client }) => {
    return make(RateLimiter, client, '/r/x', { limit: 5, block: 6 })
  }, /block must be .* 1 to 5/],
  ['limiter acquire(0)', ({ client }) => call(limiterOf(client), 'acquire', 0), /tokens must be .* from 1/],
  ['limiter acquire({ waitMs })', ({ client }) => call(limiterOf(client), 'acquire', { waitMs: 5 }), /tokens must be/],
  ['limiter tryAcquire(1, { wait })', ({ client }) => {
    return call(limiterOf(client), 'tryAcquire', 1, { wait: 5 })
  }, /"waitMs"/],
  ['limiter setRate(5)', ({ client }) => call(limiterOf(client), 'setRate', 5), /object of options/],
  ['new CountDownLatch()', ({ client }) => make(CountDownLatch, client, '/b/x'), /count must be a number/],
  ['new CountDownLatch({ count: 0 })', ({ client }) => make(CountDownLatch, client, '/b/x', { count: 0 }), /from 1 to/],
  ['new DistributedQueue(1e5)', ({ client }) => make(DistributedQueue, client, '/q', { maxItems: 1e5 }), /15000/],
  ['queue put(1, { priority: -1 })', ({ client }) => call(queueOf(client), 'put', 1, { priority: -1 }), /0 to 999/],
  ['queue put(1, { delay: 1 })', ({ client }) => call(queueOf(client), 'put', 1, { delay: 1 }), /"delay"/],
  ['new DoubleBarrier()', ({ client }) => make(DoubleBarrier, client, '/b/x'), /count must be a number/],
  ['new DoubleBarrier({ count: 101 })', ({ client }) => make(DoubleBarrier, client, '/b', { count: 101 }), /to 100/],
  ['new Barrier("/")', ({ client }) => make(Barrier, client, '/'), /path must be a node/],
  ['barrier wait(5)', ({ client }) => call(new Barrier(client, '/b/x'), 'wait', 5), /waitMs: 5/],
  ['barrier raise({ mode })', ({ client }) => call(new Barrier(client, '/b/x'), 'raise', { mode: 1 }), /"mode"/],
  ['new NodeCache("x")', ({ client }) => make(NodeCache, client, 'x'), /path/],
  ['new NodeCache(null)', () => make(NodeCache, null, '/x'), /NodeCache needs a client/],
  ['new ChildrenCache({ depth })', ({ client }) => make(ChildrenCache, client, '/x', { depth: 1 }), /"depth"/],
  ['new TreeCache({ depth })', ({ client }) => make(TreeCache, client, '/x', { depth: 1 }), /"maxDepth"/],
  ['new TreeCache({ maxDepth: -1 })', ({ client }) => make(TreeCache, client, '/x', { maxDepth: -1 }), /from 0 to/],
  ['new TreeCache({ bytesMax: 0 })', ({ client }) => make(TreeCache, client, '/x', { bytesMax: 0 }), /bytesMax must/],
  ['new TreeCache({ filter: "x" })', ({ client }) => make(TreeCache, client, '/x', { filter: 'x' }), /filter must be/],
  ['cache subscribe()', ({ client }) => call(new NodeCache(client, '/x'), 'subscribe'), /listener must be/],
  ['cache ready(5)', ({ client }) => call(new NodeCache(client, '/x'), 'ready', 5), /waitMs: 5/],
  ['new IdAllocator({ block: 0 })', ({ client }) => make(IdAllocator, client, '/n', { block: 0 }), /block must be/],
  ['new SharedValue({ seed: 5 })', ({ client }) => make(SharedValue, client, '/v', { seed: 5 }), /seed must be/],
  ['new SharedCount({ seed: "5" })', ({ client }) => make(SharedCount, client, '/v', { seed: '5' }), /seed must be/],
  ['join(5)', ({ group }) => call(group, 'join', 5), /id must be a string/],
  ['join("a/b")', ({ group }) => call(group, 'join', 'a/b'), /one segment/],
  ['join({ value })', ({ group }) => call(group, 'join', 'w2', { value: 5 }), /"data"/],
  ['join({ onSessionLoss })', ({ group }) => call(group, 'join', 'w2', { onSessionLoss: 1 }), /queue-again/],
  ['members({ timeout })', ({ group }) => call(group, 'members', { timeout: 5 }), /"waitMs"/],
  ['group subscribe()', ({ group }) => call(group, 'subscribe'), /listener must be a function/],
  ['group subscribe({ initial })', ({ group }) => call(group, 'subscribe', noop, { initial: true }), /"emitInitial"/],
  ['group watch({ abort })', ({ group }) => call(group, 'watch', { abort: 1 }), /"signal"/],
  ['new GroupMembership({ codec })', ({ client }) => make(GroupMembership, client, '/g', { codec: {} }), /codec must/],
  ['new GroupMembership()', () => make(GroupMembership), /GroupMembership needs a client/],
  ['update(…, { timeout })', ({ member }) => call(member, 'update', 1, { timeout: 5 }), /"waitMs"/],
  ['member subscribe(5)', ({ member }) => call(member, 'subscribe', 5), /listener must be a function/],
  ['member watch({ signal: 5 })', ({ member }) => call(member, 'watch', { signal: 5 }), /signal must be/],
  ['PersistentNode.open({ timeout })', ({ client }) => openNode(client, '/p', '', { timeout: 5 }), /"waitMs"/],
  ['PersistentNode.open({ onSessionLoss })', ({ client }) => openNode(client, '/p', '', { onSessionLoss: 1 }), /again/],
  ['PersistentNode.open(…, 5)', ({ client }) => openNode(client, '/p', 5), /data must be a string or a Uint8Array/],
  ['PersistentNode.open(…, "p")', ({ client }) => openNode(client, 'p', ''), /path must/],
  ['PersistentNode.open()', () => openNode(), /PersistentNode needs a client/],
  ['center with schema {}', ({ client }) => make(ConfigCenter, client, '/x', { schema: {} }), /Standard Schema/],
  ['new ConfigCenter({ initial })', ({ client }) => make(ConfigCenter, client, '/x', { defualt: 1 }), /"default"/],
  ['new ConfigCenter(5)', () => make(ConfigCenter, 5, '/x'), /ConfigCenter needs a client/],
  ['tree with default', ({ client }) => make(ConfigTree, client, '/x', { default: 1 }), /no option "default"/],
  ['ready(5)', ({ center }) => call(center, 'ready', 5), /waitMs: 5/],
  ['get({ timeout })', ({ center }) => call(center, 'get', { timeout: 5 }), /"waitMs"/],
  ['publish({ version })', ({ center }) => call(center, 'publish', 1, { ifversion: 5 }), /"ifVersion"/],
  ['publish({ ifVersion: -1 })', ({ center }) => call(center, 'publish', 1, { ifVersion: -1 }), /from 0 to/],
  ['publish({ force: 1 })', ({ center }) => call(center, 'publish', 1, { force: 1 }), /true or false/],
  ['publish twice told', ({ center }) => call(center, 'publish', 1, { force: true, ifVersion: 1 }), /exclude/],
  ['center subscribe(null)', ({ center }) => call(center, 'subscribe', null), /listener must be a function/],
  ['center onInvalid(5)', ({ center }) => call(center, 'onInvalid', 5), /listener must be a function/],
  ['a roll-out without history', ({ center }) => center.rollout, /ConfigCenter with the option history/],
  ['publish({ rollout: 10 })', ({ recorded }) => call(recorded, 'publish', 1, { rollout: 10 }), /percent/],
  ['publish({ rollout: { percent: 101 } })', ({ recorded }) => {
    return call(recorded, 'publish', 1, { rollout: { percent: 101 } })
  }, /percent/],
  ['center with member 5', ({ client }) => make(ConfigCenter, client, '/x', { member: 5 }), /member/],
  ['rollout select({})', ({ recorded }) => call(recorded.rollout, 'select', {}), /percent/],
  ['rollout promote({ force: 1 })', ({ recorded }) => call(recorded.rollout, 'promote', { force: 1 }), /true or false/],
  ['new LayeredConfig("/a")', ({ client }) => make(LayeredConfig, client, '/a'), /array of paths/],
  ['new LayeredConfig([])', ({ client }) => make(LayeredConfig, client, []), /1 to 16/],
  ['new LayeredConfig twice', ({ client }) => make(LayeredConfig, client, ['/a', '/a']), /different/],
  ['onceOnly()', ({ client }) => (onceOnly as Loose)(client, '/o'), /work must be a function/],
  ['onceOnly({ ttl })', ({ client }) => (onceOnly as Loose)(client, '/o', noop, { ttl: 5 }), /"ttlMs"/],
  ['secretCodec({ keys: "x" })', () => (secretCodec as Loose)({ keys: 'x' }), /array of \{ id, bytes \}/],
  ['secretCodec({ keys: short })', () => (secretCodec as Loose)({ keys: [{ id: 'a', bytes: 'x' }] }), /32 bytes/],
  ['tree publish("")', ({ tree }) => call(tree, 'publish', '', 1), /key must be a string/],
  ['tree publish(5)', ({ tree }) => call(tree, 'publish', 5, 1), /key must be a string/],
  ['tree get(5)', ({ tree }) => call(tree, 'get', 5), /key must be a string/],
  ['tree remove({ timeout })', ({ tree }) => call(tree, 'remove', 'a', { timeout: 5 }), /"waitMs"/],
  ['tree watch({ signal: {} })', ({ tree }) => call(tree, 'watch', { signal: {} }), /signal must be/],
]

/** The error that a call throws or rejects with, if it does so at once. */
async function errorOf(task: () => unknown): Promise<unknown> {
  try {
    const result = task()
    if (result instanceof Promise) await run(result)
  } catch (error) {
    return error
  }
  return undefined
}

it.each(MISUSES)('%s is refused in words that help', async (_, misuse, words) => {
  const rig = newRig()
  const client = await rig.connect()
  const things = await thingsOf(client)
  rig.control.resetCounts()
  const error = await errorOf(() => misuse(things))
  expect(error instanceof TypeError || error instanceof RangeError).toBe(true)
  expect(String(error)).toMatch(words)
  expect(rig.control.requestCount({ kind: 'create' })).toBe(0)
  expect(await closeAll(rig, client)).toEqual([])
})

const CALLS: readonly (readonly [string, (things: Things) => unknown])[] = [
  ['acquire', ({ fair }) => fair.acquire()],
  ['acquire, waitMs 0', ({ fair }) => fair.acquire({ waitMs: 0 })],
  ['tryAcquire', ({ fair }) => fair.tryAcquire()],
  ['contenders', ({ fair }) => fair.contenders()],
  ['revoke', ({ fair }) => fair.revoke()],
  ['evict', ({ fair }) => fair.evict({ path: '/l/fair/x', token: 1n })],
  ['using', ({ fair }) => fair.using(noop)],
  ['exclusive using', ({ exclusive }) => exclusive.using(noop)],
  ['exclusive acquire', ({ exclusive }) => exclusive.acquire()],
  ['exclusive tryAcquire', ({ exclusive }) => exclusive.tryAcquire()],
  ['holder', ({ exclusive }) => exclusive.holder()],
  ['center ready', ({ center }) => center.ready()],
  ['center get', ({ center }) => center.get()],
  ['center publish', ({ center }) => center.publish(1)],
  ['center subscribe', ({ center }) => center.subscribe(noop)],
  ['center watch', ({ center }) => center.watch()],
  ['center onInvalid', ({ center }) => center.onInvalid(noop)],
  ['rollout staged', ({ recorded }) => recorded.rollout.staged()],
  ['rollout withdraw', ({ recorded }) => recorded.rollout.withdraw()],
  ['layered ready', ({ client }) => new LayeredConfig(client, ['/c/a']).ready()],
  ['layered subscribe', ({ client }) => new LayeredConfig(client, ['/c/a']).subscribe(noop)],
  ['layered watch', ({ client }) => new LayeredConfig(client, ['/c/a']).watch()],
  ['onceOnly', ({ client }) => onceOnly(client, '/o/x', noop)],
  ['tree ready', ({ tree }) => tree.ready()],
  ['tree publish', ({ tree }) => tree.publish('a', 1)],
  ['tree remove', ({ tree }) => tree.remove('a')],
  ['tree subscribe', ({ tree }) => tree.subscribe(noop)],
  ['tree watch', ({ tree }) => tree.watch()],
  ['tree onInvalid', ({ tree }) => tree.onInvalid(noop)],
  ['join', ({ group }) => group.join('w2')],
  ['members', ({ group }) => group.members()],
  ['group subscribe', ({ group }) => group.subscribe(noop)],
  ['group watch', ({ group }) => group.watch()],
  ['update', ({ member }) => member.update(1)],
]

it.each(CALLS)('%s says CLIENT_CLOSED after the client was closed', async (_, use) => {
  const rig = newRig()
  const client = await rig.connect()
  const things = await thingsOf(client)
  await run(Promise.all([things.center.ready(), things.tree.ready()]))
  await run(client.close())
  expect(codeOf(await errorOf(() => use(things)))).toMatch(/^CLIENT_CLOSED/)
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(CALLS.filter(([name]) => /center|tree|join|members|group|update/.test(name)))(
  '%s says CLIENT_CLOSED after the recipe was closed',
  async (_, use) => {
    const rig = newRig()
    const client = await rig.connect()
    const things = await thingsOf(client)
    await run(Promise.all([things.center.ready(), things.tree.ready()]))
    await run(Promise.all([things.center.close(), things.tree.close(), things.group.close()]))
    expect(codeOf(await errorOf(() => use(things)))).toMatch(/^CLIENT_CLOSED/)
    expect(await closeAll(rig, client)).toEqual([])
  },
)

it('a listener that throws is reported with which one it is, and where', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const { center, tree, group, member } = await thingsOf(client)
  const cause = new Error('broken')
  function onChange(): void {
    throw cause
  }
  for (const thing of [center, tree, group, member]) thing.subscribe(onChange)
  center.onInvalid(() => Promise.reject(cause))
  await pass(10 * ROUND_TRIP_MS)
  await run(client.set('/c/one', 'not JSON').catch(() => client.create('/c')).catch(() => undefined))
  await run(client.create('/c/one', 'not JSON'))
  await pass(10 * ROUND_TRIP_MS)
  const told = rig.errors.filter((error) => error instanceof Error && error.cause === cause).map(String)
  for (const where of ['ConfigCenter on /c/one', 'ConfigTree on /c', 'GroupMembership on /g', 'a member on /g/w']) {
    expect(told).toContainEqual(`Error: the listener onChange of ${where} threw: broken`)
  }
  expect(told).toContainEqual('Error: a listener of ConfigCenter.onInvalid on /c/one threw: broken')
  expect(await closeAll(rig, client)).toEqual([])
})
