/** Who is there: joining, leaving, changing, and coming back after a lost session. */
import { expect, it } from 'vitest'
import { pendingCleanups } from '../../../src/recipes/engine/cleanups.ts'
import { GroupMembership } from '../../../src/recipes/membership/group-membership.ts'
import type { GroupChange } from '../../../src/recipes/membership/group-membership.ts'
import { Member } from '../../../src/recipes/membership/member.ts'
import type { MemberNotice } from '../../../src/recipes/membership/member.ts'
import { lossReason } from '../../../src/recipes/engine/ownership.ts'
import { ROUND_TRIP_MS, SESSION_TIMEOUT_MS, closeAll, codeOf, ephemerals, failureOf, newRig, strike } from '../rig.ts'
import { pass, run, sessionOf, sweepOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/groups/workers'
const SETTLE_MS = 20 * ROUND_TRIP_MS

interface Load {
  load: number
}

/** A change in short. */
function inShort({ members, joined, left, updated }: GroupChange<Load>): string {
  const ids = (list: readonly { readonly id: string }[]): string => list.map(({ id }) => id).join(',')
  return `${ids(members)} +${ids(joined)} -${ids(left)} ~${ids(updated)}`
}

it('lists members with their data, sorted by id', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [first, second] = [new GroupMembership<Load>(a, PATH), new GroupMembership<Load>(b, PATH)]
  expect(await run(second.members())).toEqual([])
  const w2 = await run(first.join('w2', { data: { load: 2 } }))
  await run(second.join('w1'))
  const members = await run(second.members())
  expect(members.map(({ id, data, sessionId }) => [id, data, sessionId])).toEqual([
    ['w1', undefined, sessionOf(b)],
    ['w2', { load: 2 }, sessionOf(a)],
  ])
  expect(members[1]?.incarnation).toBe(w2.incarnation)
  expect(w2.state).toBe('joined')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('tells watchers who joined, who left and who changed', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [group, watcher] = [new GroupMembership<Load>(a, PATH), new GroupMembership<Load>(b, PATH)]
  const changes: string[] = []
  watcher.subscribe((change) => void changes.push(inShort(change)))
  await pass(SETTLE_MS)
  const w1 = await run(group.join('w1', { data: { load: 1 } }))
  await pass(SETTLE_MS)
  const w2 = await run(group.join('w2'))
  await pass(SETTLE_MS)
  await run(w1.update({ load: 3 }))
  await pass(SETTLE_MS)
  await run(w2.leave())
  await pass(SETTLE_MS)
  expect(changes).toEqual([' + - ~', 'w1 +w1 - ~', 'w1,w2 +w2 - ~', 'w1,w2 + - ~w1', 'w1 + -w2 ~'])
  expect((await run(watcher.members()))[0]?.data).toEqual({ load: 3 })
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('joins in one round trip', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(client.makePath(PATH))
  const startMs = performance.now()
  await run(new GroupMembership(client, PATH).join('w1'))
  expect(performance.now() - startMs).toBe(ROUND_TRIP_MS)
  expect(await closeAll(rig, client)).toEqual([])
})

it('refuses an id that another has, in the same process or elsewhere, and touches nothing', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const group = new GroupMembership<Load>(a, PATH)
  const member = await run(group.join('w1', { data: { load: 1 } }))
  const before = await run(a.get(member.path))
  expect(codeOf(await failureOf(group.join('w1')))).toBe('MEMBER_EXISTS/rejected')
  expect(codeOf(await failureOf(new GroupMembership(b, PATH).join('w1')))).toBe('MEMBER_EXISTS/rejected')
  expect(await run(a.get(member.path))).toEqual(before)
  expect(member.state).toBe('joined')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('refuses an id that is no segment of a path', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const group = new GroupMembership(client, PATH)
  for (const id of ['', 'a/b', '.', '..', '\u0000']) expect(await failureOf(group.join(id))).toBeInstanceOf(TypeError)
  expect(rig.control.requestCount({ kind: 'create' })).toBe(0)
  expect(await closeAll(rig, client)).toEqual([])
})

it('registers again after its session was lost, and says so', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const member = await run(new GroupMembership<Load>(client, PATH).join('w1', { data: { load: 1 } }))
  const notices: MemberNotice[] = []
  member.subscribe((notice) => void notices.push(notice))
  await pass(SETTLE_MS)
  const { signal, incarnation } = member
  rig.control.refuseOpens(true)
  rig.control.expire(sessionOf(client))
  await pass(100)
  expect(lossReason(signal)).toBe('session-expired')
  expect(member.state).toBe('rejoining')
  rig.control.refuseOpens(false)
  await pass(10_000)
  expect(member.state).toBe('joined')
  expect(member.incarnation).toBeGreaterThan(incarnation)
  expect(member.signal).not.toBe(signal)
  expect(member.signal.aborted).toBe(false)
  expect(notices.map(({ state, rejoined }) => [state, rejoined])).toEqual([
    ['joined', false],
    ['rejoining', false],
    ['joined', true],
  ])
  expect(await closeAll(rig, client)).toEqual([])
})

it('is suspect while no server is in touch, signals the deadline, and takes its node up again', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const member = await run(new GroupMembership<Load>(client, PATH).join('w1'))
  const { signal, incarnation } = member
  const session = sessionOf(client)
  rig.control.disconnect(session)
  await pass(1_000)
  expect(member.state).toBe('suspect')
  await pass((SESSION_TIMEOUT_MS * 2) / 3)
  expect(lossReason(signal)).toBe('deadline-passed')
  expect(member.state).toBe('rejoining')
  rig.control.reconnect(session)
  await pass(5_000)
  expect(client.sessionId).toBe(session)
  expect([member.state, member.incarnation]).toEqual(['joined', incarnation])
  expect(member.signal.aborted).toBe(false)
  expect(await closeAll(rig, client)).toEqual([])
})

it('registers again when somebody deletes its node', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const member = await run(new GroupMembership<Load>(a, PATH).join('w1'))
  const { signal } = member
  await run(b.delete(member.path))
  await pass(SETTLE_MS)
  expect(lossReason(signal)).toBe('node-deleted')
  expect(member.state).toBe('joined')
  expect(ephemerals(rig)).toEqual([member.path])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('is lost for good, and says why, when another took its id while it was away', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const member = await run(new GroupMembership(a, PATH).join('w1'))
  rig.control.refuseOpens(true)
  rig.control.expire(sessionOf(a))
  const other = await run(new GroupMembership(b, PATH).join('w1'))
  rig.control.refuseOpens(false)
  const notices: MemberNotice[] = []
  const reading = (async () => {
    for await (const notice of member.watch()) notices.push(notice)
  })()
  await pass(10_000)
  await run(reading)
  expect(member.state).toBe('lost')
  expect(codeOf(notices.at(-1)?.error)).toBe('MEMBER_EXISTS/rejected')
  expect(codeOf(await failureOf(member.update(1)))).toBe('MEMBER_EXISTS/rejected')
  await run(member.leave())
  expect(other.state).toBe('joined')
  expect(ephemerals(rig)).toEqual([other.path])
  expect(await closeAll(rig, a, b)).toEqual([])
})

const SWEEP = sweepOf(12)

it.each(SWEEP)('joins, updates and leaves with $what at its request $nth', async ({ fate, nth }) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [group, watcher] = [new GroupMembership<Load>(a, PATH), new GroupMembership<Load>(b, PATH)]
  const session = sessionOf(a)
  const struck = strike(rig, fate, (request) => request.sessionId === session && request.kind !== 'close', nth)
  const joined = await run(group.join('w1', { data: { load: 1 } }).catch((error: unknown) => error))
  if (!(joined instanceof Member)) {
    expect(codeOf(joined)).toMatch(/^SESSION_EXPIRED/)
    await pass(SETTLE_MS)
    expect([struck.isMet, ephemerals(rig)]).toEqual([true, []])
    expect(await closeAll(rig, a, b)).toEqual([])
    return
  }
  for (const load of [2, 3]) await run(joined.update({ load }))
  await pass(15_000)
  expect((await run(watcher.members())).map(({ id, data }) => [id, data])).toEqual([['w1', { load: 3 }]])
  expect(joined.state).toBe('joined')
  await run(joined.leave())
  expect(joined.state).toBe('left')
  expect(ephemerals(rig)).toEqual([])
  expect(pendingCleanups(a)).toBe(0)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(SWEEP)('leaves for good with $what at request $nth of the leaving', async ({ fate, nth }) => {
  const rig = newRig()
  const client = await rig.connect()
  const member = await run(new GroupMembership<Load>(client, PATH).join('w1'))
  await pass(SETTLE_MS)
  const session = sessionOf(client)
  strike(rig, fate, (request) => request.sessionId === session && request.kind !== 'close', nth)
  await run(member.leave())
  expect(member.state).toBe('left')
  await pass(15_000)
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, client)).toEqual([])
})

it('aborted while it joins leaves nothing behind, whenever that is', async () => {
  for (let afterMs = 0; afterMs <= 6 * ROUND_TRIP_MS; afterMs += 5) {
    const rig = newRig()
    const client = await rig.connect()
    const stop = new AbortController()
    const joining = new GroupMembership(client, PATH).join('w1', { signal: stop.signal })
    joining.catch(() => undefined)
    await pass(afterMs)
    stop.abort()
    const result = await run(joining.catch((error: unknown) => codeOf(error)))
    if (typeof result === 'string') expect(result).toBe('ABORTED/aborted')
    else await run(result.leave())
    await pass(SETTLE_MS)
    expect(ephemerals(rig)).toEqual([])
    expect(await closeAll(rig, client)).toEqual([])
  }
})

it('leaves while it registers again, and stays away', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const member = await run(new GroupMembership(client, PATH).join('w1'))
  rig.control.expire(sessionOf(client))
  await pass(3)
  expect(member.state).toBe('rejoining')
  await run(member.leave())
  await pass(5_000)
  expect([member.state, ephemerals(rig)]).toEqual(['left', []])
  expect(codeOf(await failureOf(member.update('late')))).toBe('CLIENT_CLOSED/aborted')
  expect(await closeAll(rig, client)).toEqual([])
})

it('replaces updates that come faster than they can be stored, and resolves them all', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const member = await run(new GroupMembership<Load>(client, PATH).join('w1'))
  rig.control.resetCounts()
  await run(Promise.all([1, 2, 3, 4, 5].map((load) => member.update({ load }))))
  expect(rig.control.requestCount({ kind: 'set' })).toBeLessThanOrEqual(2)
  expect((await run(new GroupMembership<Load>(client, PATH).members()))[0]?.data).toEqual({ load: 5 })
  expect(await closeAll(rig, client)).toEqual([])
})

it('updated while it registers again, registers with the new data', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const member = await run(new GroupMembership<Load>(client, PATH).join('w1', { data: { load: 1 } }))
  rig.control.refuseOpens(true)
  rig.control.expire(sessionOf(client))
  await pass(100)
  const updating = member.update({ load: 2 })
  const limited = member.update({ load: 3 }, { waitMs: 100 })
  expect(codeOf(await failureOf(limited))).toBe('TIMEOUT/aborted')
  rig.control.refuseOpens(false)
  await run(updating)
  expect((await run(new GroupMembership<Load>(client, PATH).members()))[0]?.data).toEqual({ load: 3 })
  expect(await closeAll(rig, client)).toEqual([])
})

it('refuses data that are too large or that the codec refuses, and stays what it was', async () => {
  const rig = newRig({ capabilities: { dataBytesMax: 100 } })
  const client = await rig.connect()
  const group = new GroupMembership<unknown>(client, PATH)
  const large = 'x'.repeat(100)
  expect(codeOf(await failureOf(group.join('w1', { data: large })))).toBe('PAYLOAD_TOO_LARGE/not-sent')
  expect(codeOf(await failureOf(group.join('w1', { data: 1n })))).toBe('INVALID_VALUE/not-sent')
  const member = await run(group.join('w1', { data: 'small' }))
  expect(codeOf(await failureOf(member.update(large)))).toBe('PAYLOAD_TOO_LARGE/not-sent')
  await pass(SETTLE_MS)
  expect((await run(group.members()))[0]?.data).toBe('small')
  expect(member.state).toBe('joined')
  expect(await closeAll(rig, client)).toEqual([])
})

it('shows a member whose data cannot be decoded, without data, and reports it', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(client.makePath(PATH))
  await run(client.create(`${PATH}/foreign`, 'no mark', { mode: 'ephemeral' }))
  const members = await run(new GroupMembership(client, PATH).members())
  expect(members.map(({ id, data }) => [id, data])).toEqual([['foreign', undefined]])
  expect(rig.errors.map(codeOf)).toEqual(['INVALID_VALUE/corrupt'])
  expect(await closeAll(rig, client)).toEqual([])
})

it('a leave that is on its way when the client closes is waited for, and not told if unconfirmed', async () => {
  for (const isCutOff of [false, true]) {
    const rig = newRig()
    const client = await rig.connect()
    const member = await run(new GroupMembership(client, PATH).join('w1'))
    await pass(SETTLE_MS)
    const session = sessionOf(client)
    if (isCutOff) rig.control.disconnect(session)
    else strike(rig, 'lose-before', ({ kind, sessionId }) => kind === 'multi' && sessionId === session)
    const told: string[] = []
    const reading = (async () => {
      for await (const { state } of member.watch()) told.push(state)
    })()
    const leaving = member.leave()
    await pass(ROUND_TRIP_MS)
    expect(member.state).toBe('suspect')
    await run(client.close())
    await run(Promise.all([leaving, reading]))
    expect([member.state, ephemerals(rig)]).toEqual(isCutOff ? ['suspect', [member.path]] : ['left', []])
    expect(told.includes('left')).toBe(!isCutOff)
    await pass(2 * SESSION_TIMEOUT_MS)
    expect(await closeAll(rig, client)).toEqual([])
  }
})

it('ends lost when its client closes, before the listeners of its signal hear of it', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const member = await run(new GroupMembership(client, PATH).join('w1'))
  const seen: unknown[] = []
  member.signal.addEventListener('abort', () => {
    seen.push(member.state, lossReason(member.signal))
    void member.leave().then(() => seen.push(member.state))
  })
  const notices: string[] = []
  member.subscribe(({ state, error }) => {
    notices.push(error === undefined ? state : `${state} ${codeOf(error)}`)
  })
  await run(client.close())
  expect(seen).toEqual(['lost', 'client-closed', 'lost'])
  expect(notices.at(-1)).toBe('lost CLIENT_CLOSED/aborted')
  expect(await closeAll(rig, client)).toEqual([])
})

it('closed leaves with all its members and ends its iterations', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const group = new GroupMembership(client, PATH)
  await run(Promise.all([group.join('w1'), group.join('w2')]))
  const changes = group.watch()
  await run(changes.next())
  const last = changes.next()
  await run(group.close())
  expect(await run(last)).toMatchObject({ done: true })
  expect(ephemerals(rig)).toEqual([])
  await pass(ROUND_TRIP_MS)
  expect(rig.control.watchCount()).toBe(0)
  expect(await closeAll(rig, client)).toEqual([])
})
