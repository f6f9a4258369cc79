/** Who may acquire a lock again at once, for how long, and who waits all the same. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import type { ReentrantLease } from '../../../src/recipes/locks/reentrant-lock.ts'
import { ReentrantLock } from '../../../src/recipes/locks/reentrant-lock.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, failureOf, newRig, pass, run, sessionOf, stateOf } from '../rig.ts'
import { useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/locks/orders'
const SETTLE_MS = 10 * ROUND_TRIP_MS
const REST_MS = 50

const lockOf = (client: Client): ReentrantLock => new ReentrantLock(client, PATH)

/** A turn of virtual time within a work. */
function rest(timeMs = REST_MS): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, timeMs))
}

it('is acquired again by its holder, however deep and through another object, without a request', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const deep = async (): Promise<number[]> => {
    await rest()
    rig.control.resetCounts()
    await using lease = await lockOf(client).acquire({ waitMs: 0 })
    return await lockOf(client).using(async () => {
      await using tried = await lockOf(client).tryAcquire()
      return [lease.count, tried?.count ?? 0]
    })
  }
  const counts = await run(lockOf(client).using(async (lease) => [lease.count, ...(await deep())]))
  expect(counts).toEqual([1, 4, 4])
  expect(rig.control.requestCount({ kind: 'create' })).toBe(0)
  expect(await closeAll(rig, client)).toEqual([])
})

it.each([['first to last', [0, 1, 2]], ['last to first', [2, 1, 0]], ['any', [1, 2, 0]]])(
  'is given back with the last of its leases, in whatever order they are released (%s)',
  async (_, order) => {
    const rig = newRig()
    const [client, other] = [await rig.connect(), await rig.connect()]
    const outer = await run(lockOf(client).acquire())
    const again = (): Promise<ReentrantLease[]> => Promise.all([lockOf(client).acquire(), lockOf(client).acquire()])
    const leases = [outer, ...(await run(outer.run(again)))]
    const waiting = lockOf(other).acquire()
    for (const [place, index] of order.entries()) {
      expect(await stateOf(waiting)).toBe('pending')
      await run(Promise.all([leases[index]?.release(), leases[index]?.release()]))
      expect(leases.map(({ count }) => count)).toEqual([2 - place, 2 - place, 2 - place])
      expect(leases[index]?.state).toBe('released')
      expect(leases[index]?.leaseDeadlineMs).toBe(-Infinity)
      expect(() => leases[index]?.throwIfLost()).toThrow(/was released/)
      await pass(SETTLE_MS)
    }
    expect((await run(waiting)).state).toBe('held')
    expect(leases.some(({ signal }) => signal.aborted)).toBe(false)
    expect(await closeAll(rig, client, other)).toEqual([])
  },
)

it('keeps what a lease holds after the one before it was released, also for its context', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const count = await run(lockOf(client).using(async (lease) => {
    const inner = await lockOf(client).acquire()
    await lease.release()
    await using again = await lockOf(client).acquire({ waitMs: 0 })
    await inner.release()
    return again.count
  }))
  expect(count).toBe(1)
  expect(await closeAll(rig, client)).toEqual([])
})

it('is not held by a task that outlives its holder: that one queues, and is served in its turn', async () => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  const log: string[] = []
  let task: Promise<void> = Promise.resolve()
  await run(lockOf(client).using(() => {
    task = rest(4 * REST_MS).then(() => lockOf(client).using((lease) => void log.push(`task ${lease.count}`)))
  }))
  const next = await run(lockOf(other).acquire())
  await pass(8 * REST_MS)
  expect(log).toEqual([])
  await run(next.release())
  await run(task)
  expect(log).toEqual(['task 1'])
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('stays held by a lease that a task of its holder took in time, until that is released', async () => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  let task: Promise<void> = Promise.resolve()
  await run(lockOf(client).using(() => {
    task = lockOf(client).using(() => rest(4 * REST_MS))
  }))
  const waiting = lockOf(other).acquire()
  await pass(REST_MS)
  expect(await stateOf(waiting)).toBe('pending')
  await run(task)
  expect((await run(waiting)).state).toBe('held')
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('takes tasks that are not within a holder for different ones, also those of one function', async () => {
  const rig = newRig()
  const client = await rig.connect()
  let [inside, most] = [0, 0]
  const task = (): Promise<void> => lockOf(client).using(async () => {
    most = Math.max(most, ++inside)
    await rest()
    inside -= 1
  })
  await run(Promise.all([task(), task(), task()]))
  expect(most).toBe(1)
  const bare = await run(lockOf(client).acquire())
  expect(await run(lockOf(client).tryAcquire())).toBeNull()
  await run(bare.release())
  expect(await closeAll(rig, client)).toEqual([])
})

it('tells every lease of a loss; a context that lost it holds nothing, and queues', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const lost = await failureOf(lockOf(client).using(async (lease) => {
    const inner = await lockOf(client).acquire()
    const returned = await lockOf(client).acquire()
    await returned.release()
    rig.control.expire(sessionOf(client))
    await rest()
    expect([lease.state, inner.state, returned.state]).toEqual(['lost', 'lost', 'released'])
    expect([lease.signal.aborted, inner.signal.aborted, returned.signal.aborted]).toEqual([true, true, false])
    expect(() => inner.run(() => 'never')).toThrow(/was lost: session-expired/)
    await using again = await lockOf(client).acquire()
    expect([again.state, again.count, again.token > inner.token]).toEqual(['held', 1, true])
    await inner.release()
  }))
  expect(codeOf(lost)).toBe('LEASE_LOST/lost')
  expect(await closeAll(rig, client)).toEqual([])
})

it('and a fair lock of the same path exclude each other, and say so within each other', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const fair = new FairLock(client, PATH)
  expect(codeOf(await failureOf(lockOf(client).using(() => fair.acquire())))).toBe('ALREADY_HELD/not-sent')
  expect(codeOf(await failureOf(fair.using(() => lockOf(client).acquire())))).toBe('ALREADY_HELD/not-sent')
  const within = lockOf(client).using(() => lockOf(client).acquire({ onReentry: 'error' }))
  expect(codeOf(await failureOf(within))).toBe('ALREADY_HELD/not-sent')
  const patient = lockOf(client).using(() => lockOf(client).acquire({ onReentry: 'wait', waitMs: REST_MS }))
  expect(codeOf(await failureOf(patient))).toBe('TIMEOUT/aborted')
  expect(await closeAll(rig, client)).toEqual([])
})

it('refuses what every acquisition refuses also where it would be had at once, and counts nothing', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const count = await run(lockOf(client).using(async (lease) => {
    const aborted = lockOf(client).acquire({ signal: AbortSignal.abort() })
    expect(await aborted.catch(codeOf)).toBe('ABORTED/aborted')
    expect(await lockOf(client).acquire({ waitMs: -1 }).catch(String)).toMatch(/^RangeError: waitMs/)
    expect(await lockOf(client).tryAcquire({ waitMs: -1 }).catch(String)).toMatch(/^RangeError: waitMs/)
    expect(await lockOf(client).using('no' as never).catch(String)).toMatch(/^TypeError: work must be a function/)
    return lease.count
  }))
  expect(count).toBe(1)
  expect(await closeAll(rig, client)).toEqual([])
})
