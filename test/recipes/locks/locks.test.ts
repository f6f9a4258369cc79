/** Promises of every lock of ours, in virtual time, over every fault at every request. */
import { expect, it, vi } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { pendingCleanups } from '../../../src/recipes/engine/cleanups.ts'
import { ExclusiveLock } from '../../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { ReadWriteLock } from '../../../src/recipes/locks/read-write-lock.ts'
import type { ReadWriteSide } from '../../../src/recipes/locks/read-write-lock.ts'
import type { Lease } from '../../../src/recipes/engine/lease.ts'
import type { ModelRequest } from '../../../src/testing/model/ensemble.ts'
import {
  ROUND_TRIP_MS,
  SESSION_TIMEOUT_MS,
  closeAll,
  codeOf,
  ephemerals,
  failureOf,
  interrupt,
  newRig,
} from '../rig.ts'
import { pass, run, sessionOf, stateOf, strike, sweepOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

type Lock = FairLock | ExclusiveLock | ReadWriteSide
const PATH = '/locks/orders'
const LOCKS: [string, (client: Client) => Lock][] = [
  ['FairLock', (client) => new FairLock(client, PATH)],
  ['ExclusiveLock', (client) => new ExclusiveLock(client, PATH)],
  ['the writer of a ReadWriteLock', (client) => new ReadWriteLock(client, PATH).writer],
]
const REQUESTS_MAX = 12

/** Every lock with every fate at every one of its first requests. */
const SWEEP = LOCKS.flatMap(([name, make]) => sweepOf(REQUESTS_MAX).map((strike) => ({ ...strike, name, make })))

/** Resolves with the lease, or null if it rejected for the session's sake; anything else is a failure of the test. */
async function leaseOrExpiry(acquiring: Promise<Lease>): Promise<Lease | null> {
  try {
    return await run(acquiring)
  } catch (error) {
    expect(codeOf(error)).toBe('SESSION_EXPIRED/session-over')
    return null
  }
}

function ofSession(id: bigint): (request: ModelRequest) => boolean {
  return (request) => request.sessionId === id && request.kind !== 'close'
}

it.each(LOCKS)('%s is held by one at a time and handed on by a release, with a greater token', async (_, make) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const first = await run(make(a).acquire())
  const second = make(b).acquire()
  await pass(1_000)
  expect(await stateOf(second)).toBe('pending')
  expect(first.state).toBe('held')
  await run(first.release())
  const next = await run(second)
  expect(first.state).toBe('released')
  expect(first.signal.aborted).toBe(false)
  expect(next.state).toBe('held')
  expect(next.token).toBeGreaterThan(first.token)
  expect(await closeAll(rig, a, b)).toEqual([])
  expect(rig.errors).toEqual([])
})

it.each(LOCKS)('%s tried when it is taken gives null, creates no node and leaves no watch', async (_, make) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(make(a).acquire())
  const nodes = rig.control.nodes()
  rig.control.resetCounts()
  expect(await run(make(b).tryAcquire())).toBeNull()
  expect(rig.control.nodes()).toEqual(nodes)
  expect(rig.control.requestCount({ kind: 'multi' })).toBe(0)
  expect(rig.control.watchCount(sessionOf(b))).toBe(0)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(LOCKS)('%s tried when it is free is acquired', async (_, make) => {
  const rig = newRig()
  const client = await rig.connect()
  const lease = await run(make(client).tryAcquire())
  expect(lease?.state).toBe('held')
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(LOCKS)('%s rejects with TIMEOUT after waitMs and leaves nothing behind', async (_, make) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(make(a).acquire())
  // Its lease has begun to watch.
  await pass(ROUND_TRIP_MS)
  const before = { nodes: rig.control.nodes(), watches: rig.control.watchCount() }
  const startMs = performance.now()
  expect(codeOf(await failureOf(make(b).acquire({ waitMs: 3_000 })))).toBe('TIMEOUT/aborted')
  expect(performance.now() - startMs).toBeLessThan(3_000 + 4 * ROUND_TRIP_MS)
  await pass(ROUND_TRIP_MS)
  expect({ nodes: rig.control.nodes(), watches: rig.control.watchCount() }).toEqual(before)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(LOCKS)('%s refuses a waitMs that is no number of milliseconds', async (_, make) => {
  const rig = newRig()
  const client = await rig.connect()
  for (const waitMs of [-1, NaN]) expect(await failureOf(make(client).acquire({ waitMs }))).toBeInstanceOf(RangeError)
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(LOCKS)('%s aborted at any moment of the wait leaves nothing behind', async (_, make) => {
  for (let afterMs = 0; afterMs <= 8 * ROUND_TRIP_MS; afterMs += 5) {
    const rig = newRig()
    const [a, b] = [await rig.connect(), await rig.connect()]
    const held = await run(make(a).acquire())
    await pass(ROUND_TRIP_MS)
    const before = { nodes: rig.control.nodes(), watches: rig.control.watchCount() }
    const stop = new AbortController()
    const acquiring = make(b).acquire({ signal: stop.signal })
    acquiring.catch(() => undefined)
    await pass(afterMs)
    stop.abort('enough')
    const error = await failureOf(acquiring)
    expect(codeOf(error)).toBe('ABORTED/aborted')
    expect((error as Error).cause).toBe('enough')
    await pass(2 * ROUND_TRIP_MS)
    expect({ nodes: rig.control.nodes(), watches: rig.control.watchCount() }).toEqual(before)
    expect(held.state).toBe('held')
    expect(pendingCleanups(b)).toBe(0)
    expect(await closeAll(rig, a, b)).toEqual([])
  }
})

it.each(LOCKS)('%s aborted at any moment, though nobody contends, leaves nothing behind', async (_, make) => {
  for (const fate of [undefined, 'lose-after'] as const) {
    for (let afterMs = 0; afterMs <= 8 * ROUND_TRIP_MS; afterMs += 5) {
      const rig = newRig()
      const client = await rig.connect()
      const isCreate = ({ kind, path }: ModelRequest): boolean => kind === 'create' && path.startsWith(PATH)
      if (fate !== undefined) strike(rig, fate, isCreate)
      const stop = new AbortController()
      const acquiring = make(client).acquire({ signal: stop.signal })
      const outcome = acquiring.then((lease) => lease.release(), (error: unknown) => codeOf(error))
      await pass(afterMs)
      stop.abort()
      expect(['ABORTED/aborted', undefined]).toContain(await run(outcome))
      await pass(20 * ROUND_TRIP_MS)
      expect([ephemerals(rig), pendingCleanups(client)]).toEqual([[], 0])
      expect(await closeAll(rig, client)).toEqual([])
    }
  }
})

it('an ExclusiveLock is waited for over the end of the waiter\'s session', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const first = await run(new ExclusiveLock(a, PATH).acquire())
  const second = new ExclusiveLock(b, PATH).acquire()
  await pass(100)
  rig.control.expire(sessionOf(b))
  await pass(1_000)
  expect(await stateOf(second)).toBe('pending')
  await run(first.release())
  expect((await run(second)).state).toBe('held')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('an ExclusiveLock takes the end of the holder before it for no loss, in whatever order requests come', async () => {
  // The pauses after a failed attempt differ: the look at the lock is repeated long before the create.
  const pauses = [0.95, 0.05]
  for (let releaseMs = 0; releaseMs <= 150; releaseMs += 5) {
    const rig = newRig()
    const [a, b] = [await rig.connect(), await rig.connect()]
    const first = await run(new ExclusiveLock(a, PATH).acquire())
    rig.control.refuseOpens(true)
    rig.control.expire(sessionOf(b))
    await pass(ROUND_TRIP_MS)
    let draws = 0
    const random = vi.spyOn(Math, 'random').mockImplementation(() => pauses[draws++ % pauses.length] ?? 0)
    const waiting = new ExclusiveLock(b, PATH).acquire()
    rig.control.refuseOpens(false)
    await pass(releaseMs)
    await run(first.release())
    const second = await run(waiting)
    await pass(10 * ROUND_TRIP_MS)
    expect([releaseMs, second.state]).toEqual([releaseMs, 'held'])
    random.mockRestore()
    await run(second.release())
    expect(await closeAll(rig, a, b)).toEqual([])
  }
})

it('an ExclusiveLock tells who holds it', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  expect(await run(new ExclusiveLock(b, PATH).holder())).toBeNull()
  const lease = await run(new ExclusiveLock(a, PATH).acquire({ data: 'worker 1' }))
  const holder = await run(new ExclusiveLock(b, PATH).holder())
  expect(holder).toMatchObject({ token: lease.token, sessionId: sessionOf(a) })
  expect(new TextDecoder().decode(holder?.data)).toBe('worker 1')
  expect(() => new ExclusiveLock(a, '/')).toThrow(TypeError)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('a waiter of a FairLock lists again after a reconnect, whatever its watch knows', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(new FairLock(a, PATH).acquire())
  const waiting = new FairLock(b, PATH).acquire()
  waiting.catch(() => undefined)
  await pass(100)
  rig.control.resetCounts()
  await interrupt(rig, b, 100)
  await pass(100)
  // The list, and the watch on the one before it.
  expect(rig.control.requestCount({ kind: 'children', sessionId: sessionOf(b) })).toBe(2)
  expect(rig.control.watchCount(sessionOf(b))).toBe(2)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(LOCKS)('%s aborted while its client is cut off rejects at once, and the node goes later', async (_, make) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const stop = new AbortController()
  const held = await run(make(a).acquire())
  const acquiring = make(b).acquire({ signal: stop.signal })
  await pass(5 * ROUND_TRIP_MS)
  const session = sessionOf(b)
  rig.control.disconnect(session)
  await pass(10)
  stop.abort()
  expect(await failureOf(acquiring)).toMatchObject({ code: 'ABORTED' })
  rig.control.reconnect(session)
  await pass(10 * ROUND_TRIP_MS)
  expect(ephemerals(rig)).toEqual([held.path])
  expect(pendingCleanups(b)).toBe(0)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(SWEEP)('$name acquired alone with $what at request $nth is held by its node or not at all', async (sweep) => {
  const rig = newRig()
  const client = await rig.connect()
  const session = sessionOf(client)
  strike(rig, sweep.fate, ofSession(session), sweep.nth)
  const lease = await leaseOrExpiry(sweep.make(client).acquire())
  await pass(SESSION_TIMEOUT_MS / 3)
  if (lease?.state === 'held') expect(ephemerals(rig)).toEqual([lease.path])
  else expect(ephemerals(rig)).toEqual([])
  await run(lease?.release() ?? Promise.resolve())
  await pass(2 * ROUND_TRIP_MS)
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(SWEEP)('$name waited for with $what at request $nth of the waiter goes to one at a time', async (sweep) => {
  const rig = newRig()
  const [a, b, c] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const first = await run(sweep.make(a).acquire())
  strike(rig, sweep.fate, ofSession(sessionOf(b)), sweep.nth)
  const second = sweep.make(b).acquire().catch(() => null)
  await pass(3_000)
  expect(first.state).toBe('held')
  const third = sweep.make(c).acquire()
  await pass(500)
  const order: Lease[] = []
  const track = async (acquiring: Promise<Lease | null>): Promise<void> => {
    const lease = await acquiring
    if (lease === null) return
    expect(order.every((earlier) => earlier.state !== 'held')).toBe(true)
    order.push(lease)
    await lease.release()
  }
  const both = Promise.all([track(second), track(third)])
  await run(first.release())
  await run(both)
  const tokens = [first, ...order].map(({ token }) => token)
  expect(tokens).toEqual([...tokens].sort((x, y) => (x < y ? -1 : 1)))
  expect(order.length).toBeGreaterThan(0)
  expect(await closeAll(rig, a, b, c)).toEqual([])
})

it.each(SWEEP)('$name released with $what at request $nth is free again', async (sweep) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const lease = await run(sweep.make(a).acquire())
  const next = sweep.make(b).acquire()
  await pass(5 * ROUND_TRIP_MS)
  strike(rig, sweep.fate, ofSession(sessionOf(a)), sweep.nth)
  await run(lease.release())
  expect(['released', 'lost']).toContain(lease.state)
  const successor = await run(next)
  expect(successor.token).toBeGreaterThan(lease.token)
  await pass(SESSION_TIMEOUT_MS)
  expect(successor.state).toBe('held')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(LOCKS)('%s survives a reconnect of holder and waiter', async (_, make) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const first = await run(make(a).acquire())
  const second = make(b).acquire()
  await pass(100)
  await interrupt(rig, a, 1_000)
  await interrupt(rig, b, 1_000)
  expect(first.state).toBe('held')
  expect(await stateOf(second)).toBe('pending')
  await run(first.release())
  expect((await run(second)).state).toBe('held')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(LOCKS)('%s is not woken for nothing by events that come late', async (_, make) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  rig.control.delayEvents(500)
  const first = await run(make(a).acquire())
  const second = make(b).acquire()
  await pass(100)
  await run(first.release())
  expect((await run(second)).state).toBe('held')
  await pass(2_000)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(LOCKS)('%s is released when the client closes, and its signal says so first', async (_, make) => {
  const rig = newRig()
  const client = await rig.connect()
  const lease = await run(make(client).acquire())
  let nodesAtAbort: string[] = []
  lease.signal.addEventListener('abort', () => {
    nodesAtAbort = ephemerals(rig)
  })
  await run(client.close())
  expect(nodesAtAbort).toEqual([lease.path])
  expect(lease.state).toBe('lost')
  expect(ephemerals(rig)).toEqual([])
})

it.each(LOCKS)('%s waited for when the client closes rejects with CLIENT_CLOSED', async (_, make) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(make(a).acquire())
  const waiting = make(b).acquire()
  waiting.catch(() => undefined)
  await pass(100)
  await run(b.close())
  expect(codeOf(await failureOf(waiting))).toBe('CLIENT_CLOSED/aborted')
  expect(await closeAll(rig, a)).toEqual([])
})

it.each(LOCKS)('%s makes its parent again when the servers have removed it', async (_, make) => {
  const rig = newRig()
  const client = await rig.connect()
  for (let round = 0; round < 3; round += 1) {
    const lease = await run(make(client).acquire())
    await run(lease.release())
    rig.control.reap()
    rig.control.reap()
    expect(rig.control.nodes().map(({ path }) => path)).toEqual(['/'])
  }
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(LOCKS)('%s works on an engine without containers', async (_, make) => {
  const rig = newRig({ capabilities: { containers: false } })
  const client = await rig.connect()
  expect((await run(make(client).acquire())).state).toBe('held')
  expect(await closeAll(rig, client)).toEqual([])
})
