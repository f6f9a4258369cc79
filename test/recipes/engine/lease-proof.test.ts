/** How much of a lease is left when something is given out. */
import { expect, it, vi } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { LeaderElection } from '../../../src/recipes/leader/leader-election.ts'
import { ExclusiveLock } from '../../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { MultiLock } from '../../../src/recipes/locks/multi-lock.ts'
import { ReadWriteLock } from '../../../src/recipes/locks/read-write-lock.ts'
import { Semaphore } from '../../../src/recipes/locks/semaphore.ts'
import { DistributedQueue } from '../../../src/recipes/queues/distributed-queue.ts'
import { GroupMembership } from '../../../src/recipes/membership/group-membership.ts'
import type { RequestKind } from '../../../src/testing/model/ensemble.ts'
import { SESSION_TIMEOUT_MS, closeAll, newRig, run, strike, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/locks/orders'
const LEASE_MS = (SESSION_TIMEOUT_MS * 2) / 3

/** Whatever holds a request up holds up what is sent after it, pings too. */
const LATE_MS = LEASE_MS - 100

const THINGS: readonly (readonly [string, RequestKind, (client: Client) => Promise<unknown>])[] = [
  ['a fair lock', 'children', (client) => new FairLock(client, PATH).acquire()],
  ['a fair lock that was tried', 'children', (client) => new FairLock(client, PATH).tryAcquire()],
  ['an exclusive lock', 'exists', (client) => new ExclusiveLock(client, PATH).acquire()],
  ['an exclusive lock', 'create', (client) => new ExclusiveLock(client, PATH).acquire()],
  ['a permit', 'multi', (client) => new Semaphore(client, PATH, { permits: 2 }).acquire()],
  ['a membership', 'create', (client) => new GroupMembership(client, PATH).join('w1')],
  ['a leadership with data', 'multi', (client) => {
    return new LeaderElection(client, PATH, { id: 'a', data: 'at a' }).campaign()
  }],
]

/** An acquisition that takes several steps. */
interface Steps {
  readonly what: string
  /** The kind of the last request. */
  readonly last: RequestKind
  /** The beginning of its path. */
  readonly at?: string
  /** Makes all steps but the last one or two. */
  readonly prepare: (client: Client) => Promise<() => Promise<unknown>>
}

const STEPS: readonly Steps[] = [
  ...THINGS.map(([what, last, acquire]): Steps => ({
    what,
    last,
    prepare: async (client) => {
      await client.makePath(what.includes('exclusive') ? '/locks' : PATH)
      return () => acquire(client)
    },
  })),
  {
    what: 'a leadership without data',
    last: 'get',
    at: `${PATH}-leader`,
    prepare: (client) => Promise.resolve(() => new LeaderElection(client, PATH, { id: 'a' }).campaign()),
  },
  {
    what: 'a reader that was a writer',
    last: 'multi',
    prepare: async (client) => {
      const lock = new ReadWriteLock(client, PATH)
      const writing = await lock.writer.acquire()
      return () => lock.downgrade(writing)
    },
  },
  {
    what: 'an item of a queue',
    last: 'multi',
    prepare: async (client) => {
      const queue = new DistributedQueue<number>(client, PATH)
      await queue.put(1)
      return () => queue.take()
    },
  },
]

it.each(THINGS)('%s is given out with half of a lease left, though its %s was slow', async (_, slow, acquire) => {
  const rig = newRig()
  const client = await rig.connect()
  await run(client.makePath(slow === 'exists' ? '/locks' : PATH.replace(/\/orders$/, '')))
  if (slow === 'create') await run(client.makePath('/locks'))
  const struck = strike(rig, { delayMs: LATE_MS }, ({ kind, path }) => kind === slow && path.startsWith(PATH))
  const beganMs = performance.now()
  const leftMs = await run(acquire(client).then(() => client.leaseDeadlineMs - performance.now()))
  expect(struck.isMet).toBe(true)
  expect(performance.now() - beganMs).toBeGreaterThan(LATE_MS)
  expect(leftMs).toBeGreaterThanOrEqual(LEASE_MS / 2)
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(STEPS)('$what is given out with half of a lease left, though the process stood still at its $last', async ({
  last,
  at = PATH,
  prepare,
}) => {
  const rig = newRig()
  const client = await rig.connect()
  const acquire = await run(prepare(client))
  const now = performance.now.bind(performance)
  let stalledMs = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now() + stalledMs)
  rig.control.onRequest(({ kind, path }) => {
    // No timer fires and no answer is read meanwhile.
    if (kind === last && path.startsWith(at)) stalledMs = LEASE_MS * 0.75
    return undefined
  })
  const leftMs = await run(acquire().then(() => client.leaseDeadlineMs - performance.now()))
  expect(stalledMs).toBeGreaterThan(0)
  expect(leftMs).toBeGreaterThanOrEqual(LEASE_MS / 2)
  vi.restoreAllMocks()
  expect(await closeAll(rig, client)).toEqual([])
})

it('a lock of several is given out with half of a lease left of each session, though the last was slow', async () => {
  const rig = newRig()
  const [first, last] = [await rig.connect(), await rig.connect()]
  await run(first.makePath('/locks/a'))
  await run(first.makePath('/locks/b'))
  const now = performance.now.bind(performance)
  let stalledMs = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now() + stalledMs)
  rig.control.onRequest(({ kind, path }) => {
    if (kind === 'children' && path === '/locks/b') stalledMs = LEASE_MS * 0.75
    return undefined
  })
  const lock = new MultiLock([new FairLock(first, '/locks/a'), new FairLock(last, '/locks/b')])
  const leftMs = await run(lock.acquire().then(() => {
    return [first, last].map((client) => client.leaseDeadlineMs - performance.now())
  }))
  expect(stalledMs).toBeGreaterThan(0)
  expect(Math.min(...leftMs)).toBeGreaterThanOrEqual(LEASE_MS / 2)
  vi.restoreAllMocks()
  expect(await closeAll(rig, first, last)).toEqual([])
})

it.each(THINGS)('%s costs no proof when the servers answer in time', async (_, __, acquire) => {
  const rig = newRig()
  const client = await rig.connect()
  await run(acquire(client))
  expect(rig.control.requestCount({ kind: 'sync' })).toBeLessThanOrEqual(1)
  expect(await closeAll(rig, client)).toEqual([])
})
