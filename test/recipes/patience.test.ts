/** How long a wait waits: without limit, not at all, over the end of a session. */
import { expect, it } from 'vitest'
import type { Client } from '../../src/core/client.ts'
import type { AcquireOptions } from '../../src/recipes/engine/acquire-options.ts'
import { ExclusiveLock } from '../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { GroupMembership } from '../../src/recipes/membership/group-membership.ts'
import type { Lease } from '../../src/recipes/engine/lease.ts'
import { ROUND_TRIP_MS, SESSION_TIMEOUT_MS, closeAll, codeOf, ephemerals, failureOf, newRig, pass } from './rig.ts'
import { run, sessionOf, stateOf, strike, useVirtualTime } from './rig.ts'

useVirtualTime()

const PATH = '/locks/orders'
const GROUP = '/groups/workers'
const OPERATION_TIMEOUT_MS = 15_000

interface Lock {
  acquire(options?: AcquireOptions): Promise<Lease>
  tryAcquire(): Promise<Lease | null>
}

const LOCKS: readonly (readonly [string, (client: Client) => Lock])[] = [
  ['FairLock', (client) => new FairLock(client, PATH)],
  ['ExclusiveLock', (client) => new ExclusiveLock(client, PATH)],
]

it.each(LOCKS)('%s: a wait that begins while no server is in touch waits for one without limit', async (_, make) => {
  const rig = newRig()
  const client = await rig.connect()
  rig.control.refuseOpens(true)
  rig.control.disconnect(sessionOf(client))
  const acquiring = make(client).acquire()
  await pass(10 * OPERATION_TIMEOUT_MS)
  expect(await stateOf(acquiring)).toBe('pending')
  rig.control.refuseOpens(false)
  expect((await run(acquiring)).state).toBe('held')
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(LOCKS)('%s: a wait goes on however often its answers are lost', async (_, make) => {
  for (const kind of ['create', 'children', 'get', 'exists', 'sync'] as const) {
    const rig = newRig()
    const [holder, client] = [await rig.connect(), await rig.connect()]
    const held = await run(make(holder).acquire())
    const session = sessionOf(client)
    let lost = 0
    rig.control.onRequest((request) => {
      if (request.sessionId !== session || request.kind !== kind || lost >= 30) return undefined
      lost += 1
      return 'lose-before'
    })
    const acquiring = make(client).acquire()
    await pass(10 * OPERATION_TIMEOUT_MS)
    expect(await stateOf(acquiring)).toBe('pending')
    await run(held.release())
    expect((await run(acquiring)).state).toBe('held')
    expect(await closeAll(rig, holder, client)).toEqual([])
  }
})

it.each(LOCKS)('%s: a try without a server says CONNECTION_LOSS in the time of an operation', async (_, make) => {
  const rig = newRig()
  const client = await rig.connect()
  rig.control.refuseOpens(true)
  rig.control.expire(sessionOf(client))
  await pass(ROUND_TRIP_MS)
  const beganMs = performance.now()
  expect(codeOf(await failureOf(make(client).tryAcquire()))).toBe('CONNECTION_LOSS/not-sent')
  expect(performance.now() - beganMs).toBeLessThan(OPERATION_TIMEOUT_MS + 3_000)
  rig.control.refuseOpens(false)
  await pass(5_000)
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(LOCKS)('%s: waitMs 0 tries once, and leaves nothing', async (_, make) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const lease = await run(make(a).acquire({ waitMs: 0 }))
  expect(lease.state).toBe('held')
  const before = ephemerals(rig)
  expect(codeOf(await failureOf(make(b).acquire({ waitMs: 0 })))).toBe('TIMEOUT/aborted')
  expect(codeOf(await failureOf(make(a).acquire({ waitMs: 0 })))).toBe('TIMEOUT/aborted')
  expect(ephemerals(rig)).toEqual(before)
  rig.control.disconnect(sessionOf(b))
  const beganMs = performance.now()
  expect(codeOf(await failureOf(make(b).acquire({ waitMs: 0 })))).toBe('TIMEOUT/aborted')
  expect(performance.now() - beganMs).toBeLessThan(ROUND_TRIP_MS)
  rig.control.reconnect(sessionOf(b))
  await run(lease.release())
  expect((await run(make(b).acquire({ waitMs: 0 }))).state).toBe('held')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(LOCKS)('%s: a wait queues again after the end of its session, or rejects, as it is told', async (_, make) => {
  for (const onSessionLoss of ['queue-again', 'reject'] as const) {
    const rig = newRig()
    const [a, b] = [await rig.connect(), await rig.connect()]
    const lease = await run(make(a).acquire())
    const acquiring = make(b).acquire({ onSessionLoss })
    const settled = acquiring.then((next) => next.state, codeOf)
    await pass(1_000)
    for (let round = 0; round < 3; round += 1) {
      rig.control.expire(sessionOf(b))
      await pass(5_000)
    }
    await run(lease.release())
    expect(await run(settled)).toBe(onSessionLoss === 'reject' ? 'SESSION_EXPIRED/session-over' : 'held')
    await pass(1_000)
    expect(ephemerals(rig)).toHaveLength(onSessionLoss === 'reject' ? 0 : 1)
    expect(await closeAll(rig, a, b)).toEqual([])
  }
})

it('a wait that queues again still ends by its limit and its signal', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(new FairLock(a, PATH).acquire())
  const stop = new AbortController()
  const lock = new FairLock(b, PATH)
  const limited = lock.acquire({ onSessionLoss: 'queue-again', waitMs: 2_000 })
  const stopped = lock.acquire({ onSessionLoss: 'queue-again', signal: stop.signal })
  stopped.catch(() => undefined)
  await pass(500)
  rig.control.expire(sessionOf(b))
  expect(codeOf(await failureOf(limited))).toBe('TIMEOUT/aborted')
  stop.abort()
  expect(codeOf(await failureOf(stopped))).toBe('ABORTED/aborted')
  await pass(SESSION_TIMEOUT_MS)
  expect(ephemerals(rig)).toHaveLength(1)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('a join with waitMs waits for the node that an older session has left of the same id', async () => {
  const rig = newRig()
  const [old, young] = [await rig.connect(), await rig.connect()]
  await run(new GroupMembership(old, GROUP).join('pod-1'))
  // The process of the older session has died.
  rig.control.disconnect(sessionOf(old))
  const group = new GroupMembership(young, GROUP)
  const refused = await failureOf(group.join('pod-1'))
  expect(codeOf(refused)).toBe('MEMBER_EXISTS/rejected')
  expect(String(refused)).toContain('waitMs')
  expect(codeOf(await failureOf(group.join('pod-1', { waitMs: 1_000 })))).toBe('MEMBER_EXISTS/rejected')
  const beganMs = performance.now()
  const member = await run(group.join('pod-1', { waitMs: 60_000 }))
  expect(performance.now() - beganMs).toBeLessThan(SESSION_TIMEOUT_MS)
  expect(member.state).toBe('joined')
  await pass(ROUND_TRIP_MS)
  expect(rig.control.watchCount(sessionOf(young))).toBe(1)
  expect(await closeAll(rig, young, old)).toEqual([])
})

it('a join goes on after the end of its session if it is told to queue again', async () => {
  for (const onSessionLoss of ['reject', 'queue-again'] as const) {
    const rig = newRig()
    const client = await rig.connect()
    strike(rig, 'expire-before', ({ kind }) => kind === 'create')
    const joining = new GroupMembership(client, GROUP).join('w1', { onSessionLoss })
    const settled = joining.then(({ state }) => state, codeOf)
    const expected = onSessionLoss === 'reject' ? /^SESSION_EXPIRED/ : /^joined$/
    expect(await run(settled)).toMatch(expected)
    await pass(5_000)
    expect(ephemerals(rig)).toHaveLength(onSessionLoss === 'reject' ? 0 : 1)
    expect(await closeAll(rig, client)).toEqual([])
  }
})
