/** The state of a lease as its holder knows it, and when it changes. */
import { expect, it, vi } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { CoordinationError } from '../../../src/core/errors.ts'
import { pendingCleanups } from '../../../src/recipes/engine/cleanups.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import type { Lease } from '../../../src/recipes/engine/lease.ts'
import { lossReason } from '../../../src/recipes/engine/ownership.ts'
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
import type { Rig } from '../rig.ts'
import { pass, run, sessionOf, strike, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/locks/orders'
const LEASE_MS = (SESSION_TIMEOUT_MS * 2) / 3

interface Held {
  readonly rig: Rig
  readonly client: Client
  readonly lease: Lease
}

async function holder(): Promise<Held> {
  const rig = newRig()
  const client = await rig.connect()
  const lease = await run(new FairLock(client, PATH).acquire())
  // It watches its node.
  await pass(ROUND_TRIP_MS)
  return { rig, client, lease }
}

function thrownBy(task: () => void): unknown {
  try {
    task()
  } catch (error) {
    return error
  }
  return undefined
}

it('is held for as long as the servers answer', async () => {
  const { rig, client, lease } = await holder()
  await pass(10 * SESSION_TIMEOUT_MS)
  expect(lease.state).toBe('held')
  expect(lease.leaseDeadlineMs).toBeGreaterThan(performance.now())
  expect(thrownBy(() => lease.throwIfLost())).toBeUndefined()
  expect(await closeAll(rig, client)).toEqual([])
})

it('is suspect while no server is in touch, and held again after a reconnect', async () => {
  const { rig, client, lease } = await holder()
  const session = sessionOf(client)
  rig.control.disconnect(session)
  await pass(LEASE_MS / 2)
  expect(lease.state).toBe('suspect')
  expect(lease.leaseDeadlineMs).toBe(client.leaseDeadlineMs)
  rig.control.reconnect(session)
  await pass(2 * ROUND_TRIP_MS)
  expect(lease.state).toBe('held')
  expect(lease.signal.aborted).toBe(false)
  expect(await closeAll(rig, client)).toEqual([])
})

it('is lost at the local deadline, and stays lost when the session comes back', async () => {
  const { rig, client, lease } = await holder()
  const session = sessionOf(client)
  rig.control.disconnect(session)
  const deadlineMs = lease.leaseDeadlineMs
  await pass(deadlineMs - performance.now() - 1)
  expect(lease.signal.aborted).toBe(false)
  await pass(2)
  expect(lease.state).toBe('lost')
  expect(lossReason(lease.signal)).toBe('deadline-passed')
  expect(codeOf(lease.signal.reason)).toBe('LEASE_LOST/lost')
  expect(codeOf(thrownBy(() => lease.throwIfLost()))).toBe('LEASE_LOST/lost')
  rig.control.reconnect(session)
  await pass(1_000)
  expect(client.sessionId).toBe(session)
  expect(lease.state).toBe('lost')
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, client)).toEqual([])
})

it('is lost when its session expires', async () => {
  const { rig, client, lease } = await holder()
  rig.control.expire(sessionOf(client))
  await pass(ROUND_TRIP_MS)
  expect(lossReason(lease.signal)).toBe('session-expired')
  expect(lease.state).toBe('lost')
  expect(await closeAll(rig, client)).toEqual([])
})

it('is lost when somebody deletes its node', async () => {
  const { rig, client, lease } = await holder()
  const other = await rig.connect()
  await run(other.delete(lease.path))
  await pass(ROUND_TRIP_MS)
  expect(lossReason(lease.signal)).toBe('node-deleted')
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('is lost when its node was deleted while no server was in touch', async () => {
  const { rig, client, lease } = await holder()
  const other = await rig.connect()
  rig.control.disconnect(sessionOf(client))
  await run(other.delete(lease.path))
  rig.control.reconnect(sessionOf(client))
  await pass(4 * ROUND_TRIP_MS)
  expect(lossReason(lease.signal)).toBe('node-deleted')
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('outlives a change of the data of its node, and notices a deletion after it', async () => {
  const { rig, client, lease } = await holder()
  const other = await rig.connect()
  await run(other.set(lease.path, 'seen'))
  await pass(4 * ROUND_TRIP_MS)
  expect(lease.state).toBe('held')
  await run(other.delete(lease.path))
  await pass(ROUND_TRIP_MS)
  expect(lossReason(lease.signal)).toBe('node-deleted')
  expect(await closeAll(rig, client, other)).toEqual([])
})

/** A client whose lease deadline is what the test says. */
function withDeadline(client: Client, deadlineMs: () => number): Client {
  return new Proxy(client, {
    get(target, key) {
      if (key === 'leaseDeadlineMs') return deadlineMs()
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** The clock jumps: time passed in which no timer fired and no answer was read. */
function stall(timeMs: number): void {
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + timeMs)
}

/** A lease whose timer comes 200 ms late; `answer` runs when the sockets are read. */
async function lateLease(answer: (move: (deadlineMs: number) => void) => void): Promise<Held> {
  const rig = newRig()
  const client = await rig.connect()
  let deadlineMs = performance.now() + 4_000
  const lease = await run(new FairLock(withDeadline(client, () => deadlineMs), PATH).acquire())
  const leftMs = deadlineMs - performance.now()
  const move = (later: number): void => {
    deadlineMs = later
  }
  await pass(leftMs - 1)
  setTimeout(() => setImmediate(() => answer(move)), 1)
  stall(200)
  expect(lease.state).toBe('suspect')
  expect(lease.signal.aborted).toBe(false)
  // The timer, and two turns of the event loop, each of which takes a millisecond of fake time.
  await pass(3)
  return { lease, client, rig }
}

it('is lost when its timer comes late and no answer that waits in the sockets proves it', async () => {
  const { rig, client, lease } = await lateLease(() => undefined)
  expect(lossReason(lease.signal)).toBe('deadline-passed')
  expect(await closeAll(rig, client)).toEqual([])
})

it('is held when its timer comes late and an answer that waits in the sockets proves it', async () => {
  const { rig, client, lease } = await lateLease((move) => move(performance.now() + 5_000))
  expect(lease.state).toBe('held')
  await pass(4_000)
  expect(lease.state).toBe('held')
  await pass(1_001)
  expect(lossReason(lease.signal)).toBe('deadline-passed')
  expect(await closeAll(rig, client)).toEqual([])
})

it('is lost at once when a stalled holder asks, before any timer has run', async () => {
  const { rig, client, lease } = await holder()
  stall(LEASE_MS + 1)
  expect(lease.signal.aborted).toBe(false)
  expect(codeOf(thrownBy(() => lease.throwIfLost()))).toBe('LEASE_LOST/lost')
  expect(lossReason(lease.signal)).toBe('deadline-passed')
  vi.restoreAllMocks()
  expect(lease.state).toBe('lost')
  await pass(ROUND_TRIP_MS * 10)
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, client)).toEqual([])
})

it('is lost at once, and its node is gone in the end, when the holder has stalled before it was watched', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const lease = await run(new FairLock(client, PATH).acquire())
  stall(LEASE_MS + 1)
  expect(codeOf(thrownBy(() => lease.throwIfLost()))).toBe('LEASE_LOST/lost')
  vi.restoreAllMocks()
  await pass(SESSION_TIMEOUT_MS)
  expect(ephemerals(rig)).toEqual([])
  expect(pendingCleanups(client)).toBe(0)
  expect(await closeAll(rig, client)).toEqual([])
})

it('is lost if another node stands in the place of its own when it looks for the first time', async () => {
  const rig = newRig()
  const [client, admin] = [await rig.connect(), await rig.connect()]
  const lock = new FairLock(client, PATH)
  await run((await run(lock.acquire())).release())
  let isReplaced = false
  rig.control.onRequest(({ kind, path }) => {
    if (isReplaced || kind !== 'exists' || !path.startsWith(PATH)) return undefined
    isReplaced = true
    void admin.delete(path).then(() => admin.create(path))
    return { delayMs: 4 * ROUND_TRIP_MS }
  })
  const lease = await run(lock.acquire())
  expect(lease.state).toBe('held')
  await pass(10 * ROUND_TRIP_MS)
  expect(isReplaced).toBe(true)
  expect(lossReason(lease.signal)).toBe('node-deleted')
  expect(await closeAll(rig, client, admin)).toEqual([])
})

it('released while no server is in touch is released only when the servers confirm it', async () => {
  const { rig, client, lease } = await holder()
  const session = sessionOf(client)
  rig.control.disconnect(session)
  const releasing = lease.release()
  await pass(1_000)
  expect(lease.state).toBe('suspect')
  expect(pendingCleanups(client)).toBe(1)
  rig.control.reconnect(session)
  await run(releasing)
  expect(lease.state).toBe('released')
  expect(pendingCleanups(client)).toBe(0)
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, client)).toEqual([])
})

it('released while no server is in touch is released at the latest when the session is over', async () => {
  const { rig, client, lease } = await holder()
  rig.control.refuseOpens(true)
  rig.control.disconnect(sessionOf(client))
  await run(lease.release())
  expect(performance.now()).toBeLessThan(2 * SESSION_TIMEOUT_MS)
  expect(client.state.status).toBe('expired')
  expect(lease.state).toBe('released')
  expect(lease.signal.aborted).toBe(false)
  expect(await closeAll(rig, client)).toEqual([])
})

it('a release that is on its way when the client closes is waited for', async () => {
  const { rig, client, lease } = await holder()
  const session = sessionOf(client)
  // The connection breaks under it and comes back, so that it takes a second attempt.
  const struck = strike(rig, 'lose-before', ({ kind, sessionId }) => kind === 'multi' && sessionId === session)
  const releasing = lease.release()
  await pass(ROUND_TRIP_MS)
  const closing = client.close()
  const seen: string[] = []
  void releasing.then(() => seen.push(lease.state, ...ephemerals(rig)))
  await run(closing)
  expect([struck.isMet, seen, pendingCleanups(client)]).toEqual([true, ['released'], 0])
  expect(await closeAll(rig, client)).toEqual([])
})

it('a release that nobody can confirm before the client closes is not told as done', async () => {
  const { rig, client, lease } = await holder()
  rig.control.disconnect(sessionOf(client))
  const releasing = lease.release()
  await pass(100)
  await run(client.close())
  await run(releasing)
  expect([lease.state, lease.signal.aborted, ephemerals(rig)]).toEqual(['suspect', false, [lease.path]])
  await pass(2 * SESSION_TIMEOUT_MS)
  expect(await closeAll(rig, client)).toEqual([])
})

it('a release that the servers refuse is not told as done, and reported', async () => {
  const { rig, client, lease } = await holder()
  const refused = new CoordinationError('NO_AUTH', 'refused', { outcome: 'rejected' })
  vi.spyOn(client, 'multi').mockRejectedValue(refused)
  await run(lease.release())
  expect([lease.state, rig.errors]).toEqual(['suspect', [refused]])
  vi.restoreAllMocks()
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(['session-expired', 'deadline-passed', 'node-deleted', 'client-closed'] as const)(
  'is lost before its listeners hear of it: %s; a release there is none',
  async (reason) => {
    const { rig, client, lease } = await holder()
    const other = await rig.connect()
    const seen: unknown[] = []
    lease.signal.addEventListener('abort', () => {
      const thrown = codeOf(thrownBy(() => lease.throwIfLost()))
      seen.push(lease.state, lease.leaseDeadlineMs, lossReason(lease.signal), thrown)
      void lease.release().then(() => seen.push(lease.state))
    })
    if (reason === 'session-expired') rig.control.expire(sessionOf(client))
    else if (reason === 'deadline-passed') rig.control.disconnect(sessionOf(client))
    else if (reason === 'node-deleted') await run(other.delete(lease.path))
    else await run(client.close())
    await pass(SESSION_TIMEOUT_MS)
    expect(seen).toEqual(['lost', -Infinity, reason, 'LEASE_LOST/lost', 'lost'])
    await pass(SESSION_TIMEOUT_MS)
    expect(await closeAll(rig, client, other)).toEqual([])
  },
)

it('can be released any number of times, after a loss too', async () => {
  const { rig, client, lease } = await holder()
  await run(Promise.all([lease.release(), lease.release()]))
  await run(lease.release())
  expect(rig.control.requestCount({ kind: 'multi' })).toBe(1)
  const second = await run(new FairLock(client, PATH).acquire())
  rig.control.expire(sessionOf(client))
  await pass(ROUND_TRIP_MS)
  await run(second.release())
  expect(second.state).toBe('lost')
  expect(rig.control.requestCount({ kind: 'multi' })).toBe(1)
  expect(await closeAll(rig, client)).toEqual([])
})

it('is released without a complaint when its node is gone already', async () => {
  const { rig, client, lease } = await holder()
  const other = await rig.connect()
  rig.control.delayEvents(500)
  await run(other.delete(lease.path))
  await run(lease.release())
  expect([lease.state, rig.errors]).toEqual(['released', []])
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('is no proof any more once its release has begun', async () => {
  const { rig, client, lease } = await holder()
  const releasing = lease.release()
  expect(codeOf(thrownBy(() => lease.throwIfLost()))).toBe('LEASE_LOST/lost')
  expect(lossReason(lease.signal)).toBeNull()
  await run(releasing)
  expect(await closeAll(rig, client)).toEqual([])
})

it('is released at the end of a block', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const block = async (): Promise<string[]> => {
    await using lease = await new FairLock(client, PATH).acquire()
    expect(lease.state).toBe('held')
    return ephemerals(rig)
  }
  expect(await run(block())).toHaveLength(1)
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, client)).toEqual([])
})

it('keeps its watch over reconnects without piling watches up', async () => {
  const { rig, client, lease } = await holder()
  for (let round = 0; round < 5; round += 1) await interrupt(rig, client, 100)
  expect(rig.control.watchCount()).toBe(1)
  expect(lease.state).toBe('held')
  expect(await closeAll(rig, client)).toEqual([])
})

it('tells no loss for a signal that something else has aborted', async () => {
  expect(lossReason(AbortSignal.abort('stop'))).toBeNull()
  expect(lossReason(new AbortController().signal)).toBeNull()
  expect(codeOf(await failureOf(Promise.reject(new Error('x'))))).toBe('Error: x')
})
