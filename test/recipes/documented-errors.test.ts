/** Every method of a recipe rejects with the codes that its comment names, and with no other, whatever happens. */
import { readFileSync, readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, it } from 'vitest'
import type { Client } from '../../src/core/client.ts'
import { ERROR_CODES, isCoordinationError } from '../../src/core/errors.ts'
import { ConfigCenter } from '../../src/recipes/config/config-center.ts'
import { LayeredConfig } from '../../src/recipes/config/layered-config.ts'
import { ConfigTree } from '../../src/recipes/config/config-tree.ts'
import { ExclusiveLock } from '../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { ReadWriteLock } from '../../src/recipes/locks/read-write-lock.ts'
import { ReentrantLock } from '../../src/recipes/locks/reentrant-lock.ts'
import { Semaphore } from '../../src/recipes/locks/semaphore.ts'
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
import type { TimedWaitOptions } from '../../src/recipes/engine/wait.ts'
import { SESSION_TIMEOUT_MS, codeOf, newRig, pass, run, sessionOf, strike, sweepOf, useVirtualTime } from './rig.ts'
import type { Rig } from './rig.ts'

useVirtualTime()

const TIME_LIMIT_MS = 240_000
const REQUESTS_STRUCK = 4
/** Longer than any method waits by itself. */
const PATIENCE_MS = 25_000

const RECIPES = new URL('../../src/recipes/', import.meta.url)
/** Where each file of the recipes is, by its name. */
const PLACES = new Map(
  readdirSync(RECIPES, { recursive: true, encoding: 'utf8' }).map((place) => [basename(place, '.ts'), place]),
)

/** The codes that the comment of a method names, and whether it names what the servers refuse. */
interface Documented {
  readonly codes: ReadonlySet<string>
  readonly refusals: boolean
}

/** Reads the `@throws CoordinationError` of a method; what it says by "as {@link Other.method}" is read there. */
function documentedOf(file: string, method: string): Documented {
  const source = readFileSync(new URL(PLACES.get(file) ?? file, RECIPES), 'utf8')
  const comment = '/\\*\\*((?:(?!\\*/)[^])*)\\*/'
  const before = '(?:  (?:static )?(?:async )?|export (?:async )?function )'
  const found = new RegExp(`${comment}\\n${before}${method}(?:<[^(]*>)?\\(`).exec(source)
  if (found?.[1] === undefined) throw new Error(`${file} documents no ${method}`)
  const text = found[1].replace(/\n +\* ?/g, ' ').trim()
  const thrown = [...text.matchAll(/@throws CoordinationError (.*?)(?= @|$)/g)].map(([, words]) => words).join(' ')
  const codes = new Set(ERROR_CODES.filter((code) => thrown.includes(`\`${code}\``)))
  const linked = /as \{@link ([A-Za-z]+)\.([a-z]\w*)\}/i.exec(thrown)
  const refusals = thrown.includes('what the servers refused')
  if (linked?.[1] === undefined || linked[2] === undefined) return { codes, refusals }
  const other = documentedOf(linked[1].replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase(), linked[2])
  return { codes: new Set([...codes, ...other.codes]), refusals: refusals || other.refusals }
}

/** A method: where it is documented, and how it is called on a client that is ready for it. */
interface Method {
  readonly file: string
  readonly method: string
  readonly prepare: (client: Client) => Promise<(options: TimedWaitOptions) => Promise<unknown>>
}

/** A method that needs nothing but its object. */
function method<R>(
  file: string,
  name: string,
  make: (client: Client) => R,
  call: (made: R, options: TimedWaitOptions) => Promise<unknown>,
): Method {
  return { file, method: name, prepare: (client) => Promise.resolve((options) => call(make(client), options)) }
}

const fair = (client: Client): FairLock => new FairLock(client, '/l/x')
const readWrite = (client: Client): ReadWriteLock => new ReadWriteLock(client, '/l/rw')
const reentrant = (client: Client): ReentrantLock => new ReentrantLock(client, '/l/x')
const semaphore = (client: Client): Semaphore => new Semaphore(client, '/l/s', { permits: 2 })
const exclusive = (client: Client): ExclusiveLock => new ExclusiveLock(client, '/l/x')
const counter = (client: Client): AtomicCounter => new AtomicCounter(client, '/n/x')
const limiter = (client: Client): RateLimiter => new RateLimiter(client, '/r/x', { limit: 2 })
const latch = (client: Client): CountDownLatch => new CountDownLatch(client, '/b/l', { count: 2 })
const queue = (client: Client): DistributedQueue<string> => new DistributedQueue(client, '/q')
const barrier = (client: Client): Barrier => new Barrier(client, '/b/x')
const election = (client: Client): LeaderElection<string> => {
  return new LeaderElection(client, '/e/x', { id: 'one', data: 'here' })
}
const group = (client: Client): GroupMembership => new GroupMembership(client, '/g')

/** A work that takes its time. */
const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100))

const METHODS: readonly Method[] = [
  method('fair-lock', 'acquire', fair, (lock, options) => lock.acquire(options)),
  method('fair-lock', 'using', fair, (lock, options) => lock.using(options, rest)),
  method('fair-lock', 'tryAcquire', fair, (lock, options) => lock.tryAcquire(options)),
  method('fair-lock', 'contenders', fair, (lock, options) => lock.contenders(options)),
  ...(['revoke', 'evict'] as const).map((name): Method => ({
    file: 'fair-lock',
    method: name,
    prepare: async (client) => {
      const lock = fair(client)
      const contender = await lock.acquire({ revocable: true })
      return (options) => name === 'evict' ? lock.evict(contender, options) : lock.revoke({ ...options, contender })
    },
  })),
  method('semaphore', 'revoke', semaphore, (made, options) => made.revoke(options)),
  method('read-write-lock', 'acquire', readWrite, ({ reader }, options) => reader.acquire(options)),
  method('read-write-lock', 'tryAcquire', readWrite, ({ writer }, options) => writer.tryAcquire(options)),
  {
    file: 'read-write-lock',
    method: 'downgrade',
    prepare: async (client) => {
      const lock = readWrite(client)
      const lease = await lock.writer.acquire()
      return (options) => lock.downgrade(lease, options)
    },
  },
  method('reentrant-lock', 'acquire', reentrant, (lock, options) => lock.acquire(options)),
  method('reentrant-lock', 'using', reentrant, (lock, options) => lock.using(options, rest)),
  method('reentrant-lock', 'tryAcquire', reentrant, (lock, options) => lock.tryAcquire(options)),
  method('reentrant-lock', 'contenders', reentrant, (lock, options) => lock.contenders(options)),
  method('semaphore', 'acquire', semaphore, (made, options) => made.acquire({ ...options, permits: 2 })),
  method('semaphore', 'tryAcquire', semaphore, (made, options) => made.tryAcquire(options)),
  method('semaphore', 'setPermits', semaphore, (made, options) => made.setPermits(3, options)),
  method('semaphore', 'permits', semaphore, (made, options) => made.permits(options)),
  method('exclusive-lock', 'acquire', exclusive, (lock, options) => lock.acquire(options)),
  method('exclusive-lock', 'using', exclusive, (lock, options) => lock.using(options, rest)),
  method('exclusive-lock', 'tryAcquire', exclusive, (lock, options) => lock.tryAcquire(options)),
  method('exclusive-lock', 'holder', exclusive, (lock, options) => lock.holder(options)),
  method('leader-election', 'campaign', election, (made, options) => made.campaign(options)),
  method('leader-election', 'leader', election, (made, options) => made.leader(options)),
  method('leader-election', 'candidates', election, (made, options) => made.candidates(options)),
  {
    file: 'leadership',
    method: 'proclaim',
    prepare: async (client) => {
      const leadership = await election(client).campaign()
      return (options) => leadership.proclaim('there', options)
    },
  },
  {
    file: 'leadership',
    method: 'transferTo',
    prepare: async (client) => {
      const leadership = await election(client).campaign()
      election(client).campaign().catch(() => undefined)
      return (options) => leadership.transferTo('one', options)
    },
  },
  method('atomic-counter', 'get', counter, (made, options) => made.get(options)),
  method('atomic-counter', 'add', counter, (made, options) => made.add(1, options)),
  method('atomic-counter', 'compareAndSet', counter, (made, options) => made.compareAndSet(0, 1, options)),
  method('atomic-counter', 'set', counter, (made, options) => made.set(1, options)),
  method('rate-limiter', 'acquire', limiter, (made, options) => made.acquire(2, options)),
  method('rate-limiter', 'tryAcquire', limiter, (made, options) => made.tryAcquire(1, options)),
  method('rate-limiter', 'setRate', limiter, (made, options) => made.setRate({ limit: 9 }, options)),
  method('count-down-latch', 'countDown', latch, (made, options) => made.countDown(options)),
  method('count-down-latch', 'wait', latch, (made, options) => made.wait(options)),
  method('count-down-latch', 'remaining', latch, (made, options) => made.remaining(options)),
  {
    file: 'count-down-latch',
    method: 'remove',
    prepare: async (client) => {
      await latch(client).countDown()
      return (options) => latch(client).remove(options)
    },
  },
  method('distributed-queue', 'put', queue, (made, options) => made.put('work', options)),
  method('distributed-queue', 'take', queue, (made, options) => made.take(options)),
  method('distributed-queue', 'size', queue, (made, options) => made.size(options)),
  method('distributed-queue', 'deadLetters', queue, (made, options) => made.deadLetters(options)),
  method('distributed-queue', 'removeDeadLetter', queue, (made, options) => made.removeDeadLetter('x', options)),
  method('double-barrier', 'enter', (client) => new DoubleBarrier(client, '/b/d', { count: 2 }), (made, options) => {
    return made.enter(options)
  }),
  {
    file: 'double-barrier',
    method: 'leave',
    prepare: async (client) => {
      const [member, other] = [0, 1].map(() => new DoubleBarrier(client, '/b/d', { count: 2 }))
      await Promise.all([member?.enter(), other?.enter()])
      return (options) => member?.leave(options) ?? Promise.resolve()
    },
  },
  method('barrier', 'raise', barrier, (made, options) => made.raise(options)),
  method('barrier', 'wait', barrier, (made, options) => made.wait(options)),
  method('barrier', 'isUp', barrier, (made, options) => made.isUp(options)),
  {
    file: 'barrier',
    method: 'lower',
    prepare: async (client) => {
      await barrier(client).raise()
      return (options) => barrier(client).lower(options)
    },
  },
  method('cache-base', 'ready', (client) => new NodeCache(client, '/c/x'), (made, options) => made.ready(options)),
  method('cache-base', 'ready', (client) => new TreeCache(client, '/c/x'), (made, options) => made.ready(options)),
  method('cache-base', 'ready', (client) => new ChildrenCache(client, '/c'), (made, o) => made.ready(o)),
  method('id-allocator', 'next', (client) => new IdAllocator(client, '/n/x'), (made, options) => made.next(options)),
  method('shared-value', 'ready', (client) => new SharedValue(client, '/n/x'), (made, options) => made.ready(options)),
  method('shared-value', 'get', (client) => new SharedValue(client, '/n/x'), (made, options) => made.get(options)),
  method('shared-value', 'set', (client) => new SharedValue(client, '/n/x'), (made, options) => made.set('x', options)),
  method('shared-value', 'trySet', (client) => new SharedValue(client, '/n/x'), (made, o) => made.trySet('x', o)),
  method('shared-count', 'get', (client) => new SharedCount(client, '/n/x'), (made, options) => made.get(options)),
  method('shared-count', 'trySet', (client) => new SharedCount(client, '/n/x'), (made, o) => made.trySet(1, o)),
  method('group-membership', 'join', group, (made, options) => made.join('w', options)),
  method('group-membership', 'members', group, (made, options) => made.members(options)),
  {
    file: 'member',
    method: 'update',
    prepare: async (client) => {
      const member = await group(client).join('w')
      return (options) => member.update('new', options)
    },
  },
  method('persistent-node', 'open', (client) => client, (client, options) => {
    return PersistentNode.open(client, '/p/x', 'data', options)
  }),
  {
    file: 'persistent-node',
    method: 'set',
    prepare: async (client) => {
      const node = await PersistentNode.open(client, '/p/x', 'data')
      return (options) => node.set('new', options)
    },
  },
  method('config-center', 'ready', (client) => new ConfigCenter(client, '/c/x'), (made, o) => made.ready(o)),
  { file: 'config-center', method: 'get', prepare: center((made, options) => made.get(options)) },
  { file: 'config-center', method: 'publish', prepare: center((made, options) => made.publish(1, options)) },
  { file: 'config-center', method: 'publish', prepare: recorded((made, options) => made.publish(3, options)) },
  { file: 'config-center', method: 'history', prepare: recorded((made, options) => made.history(options)) },
  { file: 'config-center', method: 'diff', prepare: recorded((made, options) => made.diff(1, 2, options)) },
  { file: 'config-center', method: 'rollback', prepare: recorded((made, options) => made.rollback(1, options)) },
  { file: 'rollout', method: 'staged', prepare: staged(({ rollout }, options) => rollout.staged(options)) },
  { file: 'rollout', method: 'select', prepare: staged(({ rollout }, o) => rollout.select({ percent: 50 }, o)) },
  { file: 'rollout', method: 'promote', prepare: staged(({ rollout }, options) => rollout.promote(options)) },
  { file: 'rollout', method: 'withdraw', prepare: staged(({ rollout }, options) => rollout.withdraw(options)) },
  { file: 'rollout', method: 'applied', prepare: staged(({ rollout }, options) => rollout.applied(options)) },
  method('layered-config', 'ready', (client) => new LayeredConfig(client, ['/c/a', '/c/b']), (made, options) => {
    return made.ready(options)
  }),
  method('once-only', 'onceOnly', (client) => client, (client, options) => onceOnly(client, '/o/x', rest, options)),
  method('config-tree', 'ready', (client) => new ConfigTree(client, '/c'), (made, options) => made.ready(options)),
  { file: 'config-tree', method: 'publish', prepare: tree((made, options) => made.publish('x', 1, options)) },
  { file: 'config-tree', method: 'remove', prepare: tree((made, options) => made.remove('there', options)) },
]

function center(call: (made: ConfigCenter<unknown>, options: TimedWaitOptions) => Promise<unknown>): Method['prepare'] {
  return async (client) => {
    const made = new ConfigCenter<unknown>(client, '/c/x')
    await made.ready()
    return (options) => call(made, options)
  }
}

function recorded(
  call: (made: ConfigCenter<unknown>, options: TimedWaitOptions) => Promise<unknown>,
): Method['prepare'] {
  return async (client) => {
    const made = new ConfigCenter<unknown>(client, '/c/x', { history: true })
    await made.publish(1)
    await made.publish(2)
    return (options) => call(made, options)
  }
}

function staged(call: (made: ConfigCenter<unknown>, options: TimedWaitOptions) => Promise<unknown>): Method['prepare'] {
  return async (client) => {
    const made = new ConfigCenter<unknown>(client, '/c/x', { member: { id: 'one' } })
    await made.publish(1)
    await made.publish(2, { rollout: { percent: 10 } })
    return (options) => call(made, options)
  }
}

function tree(call: (made: ConfigTree<unknown>, options: TimedWaitOptions) => Promise<unknown>): Method['prepare'] {
  return async (client) => {
    const made = new ConfigTree<unknown>(client, '/c')
    await made.publish('there', 1)
    return (options) => call(made, options)
  }
}

/** An event that ends a call. */
interface Event {
  readonly name: string
  /** Before the call. */
  readonly before?: (rig: Rig, client: Client) => Promise<void> | void
  readonly options?: () => TimedWaitOptions
  /** While it is under way. */
  readonly during?: (rig: Rig, client: Client) => Promise<void> | void
}

async function cutOff(rig: Rig, client: Client): Promise<void> {
  rig.control.refuseOpens(true)
  rig.control.disconnect(sessionOf(client))
  await pass(1)
}

async function end(rig: Rig, client: Client): Promise<void> {
  rig.control.refuseOpens(true)
  rig.control.expire(sessionOf(client))
  await pass(100)
}

const EVENTS: readonly Event[] = [
  { name: 'nothing' },
  { name: 'the client was closed', before: (_, client) => run(client.close()) },
  { name: 'the client closes', during: (_, client) => run(client.close()) },
  { name: 'no server is in touch', before: cutOff },
  { name: 'no server is in touch, and waitMs 0', before: cutOff, options: () => ({ waitMs: 0 }) },
  { name: 'no server is in touch, and a limit', before: cutOff, options: () => ({ waitMs: 500 }) },
  { name: 'no server is in touch, and an abort', before: cutOff, options: () => ({ signal: AbortSignal.timeout(9) }) },
  { name: 'no server is in touch, and the client closes', before: cutOff, during: (_, client) => run(client.close()) },
  { name: 'touch is lost', during: cutOff },
  { name: 'the session is over, and there is no other', before: end },
  { name: 'the session ends, and there is no other', during: end },
  { name: 'the session ends', during: (rig, client) => rig.control.expire(sessionOf(client)) },
  { name: 'an abort before', options: () => ({ signal: AbortSignal.abort() }) },
  { name: 'a limit of a moment', options: () => ({ waitMs: 1 }) },
  { name: 'waitMs 0', options: () => ({ waitMs: 0 }) },
  ...sweepOf(REQUESTS_STRUCK).map(({ what, fate, nth }): Event => ({
    name: `${what} at request ${String(nth)}`,
    before: (rig, client) => {
      const session = sessionOf(client)
      strike(rig, fate, ({ kind, sessionId }) => sessionId === session && kind !== 'close', nth)
    },
  })),
  ...(['create', 'children', 'get', 'exists', 'sync', 'set', 'multi'] as const).map((kind): Event => ({
    name: `every ${kind} is lost`,
    before: (rig) => void rig.control.onRequest((request) => (request.kind === kind ? 'lose-before' : undefined)),
  })),
]

const TITLE = '$file $method rejects with the codes that it documents, and no other'

it.each(METHODS)(TITLE, { timeout: TIME_LIMIT_MS }, async (subject) => {
  const { codes, refusals } = documentedOf(subject.file, subject.method)
  expect(codes.size).toBeGreaterThan(0)
  const wrong: string[] = []
  for (const { name, before, options, during } of EVENTS) {
    const rig = newRig()
    const client = await rig.connect({ operationTimeoutMs: 3_000 })
    const call = await run(subject.prepare(client))
    await pass(SESSION_TIMEOUT_MS / 2)
    await before?.(rig, client)
    const settled = call(options?.() ?? {}).then(() => null, (error: unknown) => error)
    await pass(2)
    await during?.(rig, client)
    await pass(PATIENCE_MS)
    const error = await Promise.race([settled, Promise.resolve(null)])
    const isNamed = isCoordinationError(error) && (codes.has(error.code) || (refusals && error.outcome === 'rejected'))
    if (error !== null && !isNamed) wrong.push(`${name}: ${codeOf(error)}`)
    rig.control.refuseOpens(false)
    await run(client.close())
    await pass(2 * SESSION_TIMEOUT_MS)
  }
  expect(wrong).toEqual([])
})
