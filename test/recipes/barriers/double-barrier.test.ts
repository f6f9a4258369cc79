/** A double barrier: nobody is in before enough are, or by what an earlier round has left; who dies holds nobody up. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { DoubleBarrier } from '../../../src/recipes/barriers/double-barrier.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, failureOf, interrupt, newRig, nodesUnder, pass, run } from '../rig.ts'
import { sessionOf, stateOf, strike, sweepOf, useVirtualTime } from '../rig.ts'
import type { Rig } from '../rig.ts'

useVirtualTime()

const PATH = '/double/load-test'
const READY = `${PATH}/ready`
const ENTER_REQUESTS_MAX = 6
const LEAVE_REQUESTS_MAX = 5
const SETTLED_MS = 30_000

const member = (client: Client, count = 2): DoubleBarrier => new DoubleBarrier(client, PATH, { count })

const ready = (rig: Rig): boolean => rig.control.nodes().some(({ path }) => path === READY)

it('lets all in when enough are there, all out when all are done, and leaves no node', async () => {
  const rig = newRig()
  const clients = [await rig.connect(), await rig.connect(), await rig.connect()]
  const members = clients.map((client) => member(client, 3))
  for (let round = 0; round < 3; round++) {
    const [first, second, third] = members.map((one) => (): Promise<void> => one.enter())
    const entries = [first?.(), second?.()]
    await pass(SETTLED_MS)
    for (const entry of entries) expect(await stateOf(entry ?? Promise.resolve())).toBe('pending')
    await run(Promise.all([...entries, third?.()]))
    const exits = members.slice(1).map((one) => one.leave())
    await pass(SETTLED_MS)
    for (const exit of exits) expect(await stateOf(exit)).toBe('pending')
    await run(Promise.all([...exits, members[0]?.leave()]))
    expect(nodesUnder(rig, PATH)).toEqual([])
  }
  await run(members[0]?.leave() ?? Promise.reject(new Error('no member')))
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it('is refused to a member that is in, or on its way in', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const one = member(client, 1)
  const first = one.enter()
  expect(codeOf(await failureOf(one.enter()))).toBe('ALREADY_HELD/not-sent')
  await run(first)
  expect(codeOf(await failureOf(one.enter()))).toBe('ALREADY_HELD/not-sent')
  await run(one.leave())
  await run(one.enter())
  expect(await closeAll(rig, client)).toEqual([])
})

it('withdraws a member that gives up, so that nobody is let in by it', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  expect(codeOf(await failureOf(member(a).enter({ waitMs: 0 })))).toBe('TIMEOUT/aborted')
  expect(codeOf(await failureOf(member(a).enter({ waitMs: 200 })))).toBe('TIMEOUT/aborted')
  const controller = new AbortController()
  const entry = member(a).enter({ signal: controller.signal })
  await pass(10 * ROUND_TRIP_MS)
  controller.abort()
  expect(codeOf(await failureOf(entry))).toBe('ABORTED/aborted')
  expect({ nodes: nodesUnder(rig, PATH), watches: rig.control.watchCount() }).toEqual({ nodes: [], watches: 0 })
  expect(codeOf(await failureOf(member(b).enter({ waitMs: 200 })))).toBe('TIMEOUT/aborted')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('removes what a round has left whose members all died inside, and lets nobody in by it', async () => {
  const rig = newRig()
  const [a, b, c, d] = [await rig.connect(), await rig.connect(), await rig.connect(), await rig.connect()]
  await run(Promise.all([member(a).enter(), member(b).enter()]))
  await run(Promise.all([a.close(), b.close()]))
  expect(ready(rig)).toBe(true)
  const entry = member(c).enter()
  await pass(SETTLED_MS)
  expect(await stateOf(entry)).toBe('pending')
  expect(ready(rig)).toBe(false)
  await run(Promise.all([entry, member(d).enter()]))
  expect(await closeAll(rig, c, d)).toEqual([])
})

it('does not open by a member that died after it was counted', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const dead = failureOf(member(a).enter())
  await pass(10 * ROUND_TRIP_MS)
  const id = sessionOf(b)
  const struck = strike(rig, { delayMs: 300 }, ({ sessionId, kind }) => sessionId === id && kind === 'multi')
  const entry = member(b).enter()
  for (let step = 0; step < 100 && !struck.isMet; step++) await pass(1)
  const closing = a.close()
  await pass(SETTLED_MS)
  expect({ isMet: struck.isMet, isOpen: ready(rig), entry: await stateOf(entry) }).toEqual({
    isMet: true,
    isOpen: false,
    entry: 'pending',
  })
  expect(codeOf(await dead)).toBe('CLIENT_CLOSED/aborted')
  await run(closing)
  const c = await rig.connect()
  await run(Promise.all([entry, member(c).enter()]))
  expect(await closeAll(rig, b, c)).toEqual([])
})

it('is not in by a round that opened when its node was gone already', async () => {
  const rig = newRig()
  const [a, b, c] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const entry = member(a).enter()
  await pass(10 * ROUND_TRIP_MS)
  const id = sessionOf(a)
  rig.control.disconnect(id)
  rig.control.expire(id)
  const [one, two] = [member(b), member(c)]
  await run(Promise.all([one.enter(), two.enter()]))
  rig.control.reconnect(id)
  await pass(SETTLED_MS)
  expect(await stateOf(entry)).toBe('pending')
  await run(Promise.all([one.leave(), two.leave()]))
  await run(Promise.all([entry, one.enter()]))
  expect(await closeAll(rig, a, b, c)).toEqual([])
})

it('counts on a member that came during a round once that is over, and does not take it away then', async () => {
  const rig = newRig()
  const [a, b, late] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const [one, two] = [member(a), member(b)]
  await run(Promise.all([one.enter(), two.enter()]))
  const id = sessionOf(late)
  const struck = strike(rig, { delayMs: 2_000 }, ({ sessionId, kind }) => sessionId === id && kind === 'multi')
  const entry = member(late).enter()
  for (let step = 0; step < 100 && !struck.isMet; step++) await pass(1)
  await run(Promise.all([one.leave(), two.leave()]))
  await run(one.enter())
  await run(entry)
  expect(struck.isMet).toBe(true)
  expect(await closeAll(rig, a, b, late)).toEqual([])
})

it('goes on over lost connections and sessions, also while it waits for the others to leave', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [one, two] = [member(a), member(b)]
  const entry = one.enter()
  await pass(10 * ROUND_TRIP_MS)
  await interrupt(rig, a, 500)
  rig.control.expire(sessionOf(a))
  await pass(SETTLED_MS)
  await run(Promise.all([entry, two.enter()]))
  const exit = one.leave()
  await pass(10 * ROUND_TRIP_MS)
  await interrupt(rig, a, 500)
  rig.control.expire(sessionOf(a))
  await pass(SETTLED_MS)
  expect(await stateOf(exit)).toBe('pending')
  rig.control.expire(sessionOf(b))
  await run(exit)
  await run(two.leave())
  expect(nodesUnder(rig, PATH)).toEqual([])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('waits again for the others when a leave was given up, and may come again without that', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [one, two] = [member(a), member(b)]
  await run(Promise.all([one.enter(), two.enter()]))
  expect(codeOf(await failureOf(one.leave({ waitMs: 0 })))).toBe('TIMEOUT/aborted')
  expect(codeOf(await failureOf(one.leave({ waitMs: 200 })))).toBe('TIMEOUT/aborted')
  const exit = one.leave()
  const entry = one.enter()
  await pass(SETTLED_MS)
  for (const call of [exit, entry]) expect(await stateOf(call)).toBe('pending')
  await run(two.leave())
  await run(exit)
  await run(Promise.all([entry, two.enter()]))
  await run(Promise.all([one.leave(), two.leave()]))
  expect(nodesUnder(rig, PATH)).toEqual([])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it("shares a round with Curator's and kazoo's members, of whom kazoo's remove ready before they leave", async () => {
  const rig = newRig()
  const [ours, theirs] = [await rig.connect(), await rig.connect()]
  const one = member(ours)
  await run(theirs.makePath(PATH).then(() => theirs.create(`${PATH}/0f1e`, '', { mode: 'ephemeral' })))
  await run(one.enter())
  expect(ready(rig)).toBe(true)
  const exit = one.leave()
  await pass(SETTLED_MS)
  expect(await stateOf(exit)).toBe('pending')
  await run(theirs.delete(READY).then(() => theirs.delete(`${PATH}/0f1e`)))
  await run(exit)

  const entry = one.enter()
  await pass(10 * ROUND_TRIP_MS)
  await run(theirs.multi([
    { type: 'create', path: READY, data: new Uint8Array(), mode: 'persistent' },
    { type: 'delete', path: READY, version: -1 },
  ]))
  await run(entry)
  await run(one.leave())
  expect(nodesUnder(rig, PATH)).toEqual([])
  expect(await closeAll(rig, ours, theirs)).toEqual([])
})

it.each(sweepOf(ENTER_REQUESTS_MAX))('lets both in under $what of request $nth of the last one', async (struck) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [one, two] = [member(a), member(b)]
  const first = one.enter()
  await pass(10 * ROUND_TRIP_MS)
  const id = sessionOf(b)
  strike(rig, struck.fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', struck.nth)
  const second = two.enter()
  await pass(SETTLED_MS)
  // Whose session ends right after the round has opened is counted as in, and comes out at once.
  expect([await stateOf(first), await stateOf(second)]).toEqual(['fulfilled', 'fulfilled'])
  await run(Promise.all([one.leave(), two.leave()]))
  expect(nodesUnder(rig, PATH)).toEqual([])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(sweepOf(LEAVE_REQUESTS_MAX))('lets both out under $what of request $nth of one', async ({ fate, nth }) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [one, two] = [member(a), member(b)]
  await run(Promise.all([one.enter(), two.enter()]))
  const id = sessionOf(a)
  strike(rig, fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', nth)
  const exit = one.leave()
  await pass(SETTLED_MS)
  expect(await stateOf(exit)).toBe('pending')
  await run(Promise.all([exit, two.leave()]))
  await pass(SETTLED_MS)
  expect(nodesUnder(rig, PATH)).toEqual([])
  expect(await closeAll(rig, a, b)).toEqual([])
})
