/** Nodes that somebody deletes under their owner, and that somebody else makes again: what is whose. */
import { expect, it } from 'vitest'
import type { Client } from '../../src/core/client.ts'
import { ExclusiveLock } from '../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { GroupMembership } from '../../src/recipes/membership/group-membership.ts'
import { lossReason } from '../../src/recipes/engine/ownership.ts'
import type { Lease } from '../../src/recipes/engine/lease.ts'
import { closeAll, codeOf, ephemerals, failureOf, interrupt, newRig, pass, run, sessionOf, strike } from './rig.ts'
import type { Rig } from './rig.ts'
import { useVirtualTime } from './rig.ts'

useVirtualTime()

const LOCK = '/l'
const GROUP = '/g'
const SETTLE_MS = 5_000

interface Three {
  readonly rig: Rig
  readonly a: Client
  readonly b: Client
  readonly admin: Client
}

async function three(): Promise<Three> {
  const rig = newRig()
  return { rig, a: await rig.connect(), b: await rig.connect(), admin: await rig.connect() }
}

it('a late release of an exclusive lock leaves the next holder alone', async () => {
  const { rig, a, b, admin } = await three()
  const first = await run(new ExclusiveLock(a, LOCK).acquire())
  const deleting = admin.delete(LOCK)
  const taking = new ExclusiveLock(b, LOCK).tryAcquire()
  const releasing = first.release()
  const second = await run(taking)
  await run(Promise.all([deleting, releasing]))
  expect(second?.state).toBe('held')
  expect(await run(new ExclusiveLock(a, LOCK).tryAcquire())).toBeNull()
  await pass(SETTLE_MS)
  expect([second?.state, ephemerals(rig)]).toEqual(['held', [LOCK]])
  expect(await closeAll(rig, a, b, admin)).toEqual([])
})

it('a lost answer to a release does not have it repeated on the node of the next holder', async () => {
  const { rig, a, b, admin } = await three()
  const first = await run(new ExclusiveLock(a, LOCK).acquire())
  const session = sessionOf(a)
  const struck = strike(rig, 'lose-after', ({ kind, sessionId }) => kind === 'multi' && sessionId === session)
  const second = new ExclusiveLock(b, LOCK).acquire()
  await run(first.release())
  expect([struck.isMet, first.state, (await run(second)).state]).toEqual([true, 'released', 'held'])
  await pass(SETTLE_MS)
  expect(ephemerals(rig)).toEqual([LOCK])
  expect(await closeAll(rig, a, b, admin)).toEqual([])
})

it('a late release of a fair lock leaves what an operator has restored', async () => {
  const { rig, a, b, admin } = await three()
  const lease = await run(new FairLock(a, LOCK).acquire())
  const { data } = await run(admin.get(lease.path))
  const restoring = [admin.delete(lease.path), admin.create(lease.path, data, { mode: 'ephemeral' })]
  const releasing = lease.release()
  await run(Promise.all([...restoring, releasing]))
  await pass(SETTLE_MS)
  expect(ephemerals(rig)).toEqual([lease.path])
  expect(await closeAll(rig, a, b, admin)).toEqual([])
})

it('a waiter that gives up leaves what an operator has restored in its place', async () => {
  const { rig, a, b, admin } = await three()
  const lease = await run(new FairLock(a, LOCK).acquire())
  const stop = new AbortController()
  const waiting = new FairLock(b, LOCK).acquire({ signal: stop.signal })
  const failing = failureOf(waiting)
  await pass(SETTLE_MS)
  const path = ephemerals(rig).find((found) => found !== lease.path) ?? ''
  const restoring = [admin.delete(path), admin.create(path, '', { mode: 'ephemeral' })]
  stop.abort()
  await run(Promise.all(restoring))
  expect(codeOf(await failing)).toBe('ABORTED/aborted')
  await pass(SETTLE_MS)
  expect(ephemerals(rig)).toContain(path)
  expect(await closeAll(rig, a, b, admin)).toEqual([])
})

it('an update leaves the member alone who has the id by now; the victim ends lost, and leaves no ghost', async () => {
  const { rig, a, b, admin } = await three()
  const [ours, theirs] = [new GroupMembership<string>(a, GROUP), new GroupMembership<string>(b, GROUP)]
  const victim = await run(ours.join('w', { data: 'a1' }))
  await pass(SETTLE_MS)
  const deleting = admin.delete(`${GROUP}/w`)
  const joining = theirs.join('w', { data: 'b1' })
  const updating = failureOf(victim.update('a2'))
  const lawful = await run(joining)
  await run(deleting)
  expect(codeOf(await updating)).toBe('MEMBER_EXISTS/rejected')
  await pass(SETTLE_MS)
  expect([lawful.state, victim.state]).toEqual(['joined', 'lost'])
  const members = await run(ours.members())
  expect(members.map(({ data, incarnation }) => [data, incarnation])).toEqual([['b1', lawful.incarnation]])
  await run(lawful.leave())
  await pass(SETTLE_MS)
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, a, b, admin)).toEqual([])
})

it('a leave leaves the member alone who has the id by now', async () => {
  const { rig, a, b, admin } = await three()
  const victim = await run(new GroupMembership<string>(a, GROUP).join('w', { data: 'a1' }))
  await pass(SETTLE_MS)
  const deleting = admin.delete(`${GROUP}/w`)
  const joining = new GroupMembership<string>(b, GROUP).join('w', { data: 'b1' })
  const leaving = victim.leave()
  const lawful = await run(joining)
  await run(Promise.all([deleting, leaving]))
  await pass(SETTLE_MS)
  expect([victim.state, lawful.state, ephemerals(rig)]).toEqual(['left', 'joined', [`${GROUP}/w`]])
  expect(await closeAll(rig, a, b, admin)).toEqual([])
})

it('a leave leaves alone what an operator has restored, mark and all', async () => {
  const { rig, a, b, admin } = await three()
  const member = await run(new GroupMembership<string>(a, GROUP).join('w', { data: 'a1' }))
  const { data } = await run(admin.get(member.path))
  const restoring = [admin.delete(member.path), admin.create(member.path, data, { mode: 'ephemeral' })]
  const leaving = member.leave()
  await run(Promise.all([...restoring, leaving]))
  await pass(SETTLE_MS)
  expect([member.state, ephemerals(rig)]).toEqual(['left', [member.path]])
  expect(await closeAll(rig, a, b, admin)).toEqual([])
})

it('a member whose data an operator has overwritten stores its own again, and can leave', async () => {
  const { rig, a, b, admin } = await three()
  const group = new GroupMembership<string>(a, GROUP)
  const member = await run(group.join('w', { data: 'a1' }))
  const { incarnation } = member
  await run(admin.set(member.path, 'scribble'))
  await run(member.update('a2'))
  expect((await run(group.members())).map(({ data }) => data)).toEqual(['a2'])
  expect([member.state, member.incarnation]).toEqual(['joined', incarnation])
  await run(admin.set(member.path, 'scribble'))
  await run(member.leave())
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, a, b, admin)).toEqual([])
})

it('a member that was out of touch too long, and overwritten, takes its own node again', async () => {
  const { rig, a, b, admin } = await three()
  const group = new GroupMembership<string>(a, GROUP)
  const member = await run(group.join('w', { data: 'a1' }))
  await run(admin.set(member.path, 'scribble'))
  // Beyond the local deadline, and short of the end of the session.
  await interrupt(rig, a, 7_000)
  await pass(SETTLE_MS)
  expect(member.state).toBe('joined')
  expect((await run(group.members())).map(({ data }) => data)).toEqual(['a1'])
  await run(member.leave())
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, a, b, admin)).toEqual([])
})

it('the node of an older session is replaced only if it is still that one', async () => {
  const { rig, a, b, admin } = await three()
  const victim = await run(new GroupMembership<string>(a, GROUP).join('w', { data: 'a1' }))
  const found = await run(admin.get(victim.path))
  // a's next session finds what its older one has left; between the look and the replacement another takes the id.
  rig.control.refuseOpens(true)
  rig.control.expire(sessionOf(a))
  rig.control.refuseOpens(false)
  await run(admin.create(victim.path, found.data, { mode: 'ephemeral' }))
  const foreign = new GroupMembership<string>(b, GROUP)
  const replacing: string[] = []
  const unhook = rig.control.onRequest(({ kind, path }) => {
    if (kind !== 'multi' || path !== victim.path) return undefined
    replacing.push(path)
    unhook()
    void admin.delete(victim.path)
    void foreign.join('w', { data: 'b1' })
    return { delayMs: 100 }
  })
  await pass(SETTLE_MS)
  expect(replacing).toEqual([victim.path])
  expect((await run(foreign.members())).map(({ data }) => data)).toEqual(['b1'])
  expect(victim.state).toBe('lost')
  expect(await closeAll(rig, a, b, admin)).toEqual([])
})

it('a release in the abort listener of a lease whose node was deleted touches nothing', async () => {
  const { rig, a, b, admin } = await three()
  for (const make of [ExclusiveLock, FairLock]) {
    const lease = await run(new make(a, LOCK).acquire())
    const seen: unknown[] = []
    lease.signal.addEventListener('abort', () => {
      seen.push(lease.state, lossReason(lease.signal))
      void lease.release()
    })
    rig.control.resetCounts()
    const deleting = admin.delete(lease.path)
    const waiting = new make(b, LOCK).acquire()
    const next = await run(waiting)
    await run(deleting)
    await pass(SETTLE_MS)
    expect(seen).toEqual(['lost', 'node-deleted'])
    expect([lease.state, next.state]).toEqual(['lost', 'held'])
    expect(rig.control.requestCount({ sessionId: sessionOf(a), kind: 'multi' })).toBe(0)
    await run(next.release())
    await run(admin.delete(LOCK).catch(() => undefined))
  }
  expect(await closeAll(rig, a, b, admin)).toEqual([])
})

/** Begins to acquire a fair lock; the node is made, the answer lost, and an operator puts the node back as its own. */
async function restoredUnanswered({ rig, a, admin }: Three, signal?: AbortSignal): Promise<[string, Promise<Lease>]> {
  await run(admin.create(LOCK))
  const session = sessionOf(a)
  strike(rig, 'lose-after', ({ kind, sessionId }) => kind === 'create' && sessionId === session)
  strike(rig, { delayMs: 500 }, ({ kind, sessionId }) => kind === 'sync' && sessionId === session)
  const acquiring = new FairLock(a, LOCK).acquire(signal === undefined ? {} : { signal })
  acquiring.catch(() => undefined)
  await pass(100)
  const [path = ''] = ephemerals(rig)
  await run(admin.delete(path))
  await run(admin.create(path, '', { mode: 'ephemeral' }))
  return [path, acquiring]
}

it('a contender whose create had no answer leaves what an operator has restored, and asks behind it', async () => {
  const crew = await three()
  const { rig, a, b, admin } = crew
  const [path, acquiring] = await restoredUnanswered(crew)
  await pass(SETTLE_MS)
  expect(ephemerals(rig)).toHaveLength(2)
  expect(ephemerals(rig)).toContain(path)
  await run(admin.delete(path))
  expect((await run(acquiring)).state).toBe('held')
  expect(await closeAll(rig, a, b, admin)).toEqual([])
})

it('a contender that gives up before its create has an answer leaves what an operator has restored', async () => {
  const crew = await three()
  const { rig, a, b, admin } = crew
  const giveUp = new AbortController()
  const [path, acquiring] = await restoredUnanswered(crew, giveUp.signal)
  giveUp.abort()
  expect(codeOf(await failureOf(acquiring))).toBe('ABORTED/aborted')
  await pass(SETTLE_MS)
  expect(ephemerals(rig)).toEqual([path])
  expect(await closeAll(rig, a, b, admin)).toEqual([])
})
