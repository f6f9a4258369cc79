/** A latch: what is done counts once, whatever becomes of the requests, and nobody who waits is forgotten. */
import { expect, it } from 'vitest'
import { CountDownLatch } from '../../../src/recipes/barriers/count-down-latch.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, failureOf, interrupt, newRig, nodesUnder, pass, run } from '../rig.ts'
import { sessionOf, stateOf, strike, sweepOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/latches/import'
const REQUESTS_MAX = 6
const SETTLED_MS = 30_000

it('opens when so many things are done, also by processes that have ended, and stays open', async () => {
  const rig = newRig()
  const [a, b, waiter] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const latch = new CountDownLatch(waiter, PATH, { count: 3 })
  expect(await run(latch.remaining())).toBe(3)
  const wait = latch.wait()
  await run(new CountDownLatch(a, PATH, { count: 3 }).countDown())
  await run(a.close())
  await run(new CountDownLatch(b, PATH, { count: 3 }).countDown({ id: 'second' }))
  await run(new CountDownLatch(b, PATH, { count: 3 }).countDown({ id: 'second' }))
  await pass(SETTLED_MS)
  expect(await stateOf(wait)).toBe('pending')
  expect(await run(latch.remaining())).toBe(1)
  await run(latch.countDown({ id: 'third' }))
  await run(wait)
  await run(latch.wait({ waitMs: 0 }))
  expect(await run(latch.remaining())).toBe(0)
  expect(await run(latch.remove())).toBe(true)
  expect(await run(latch.remove())).toBe(false)
  expect(nodesUnder(rig, '/latches')).toEqual([])
  expect(await closeAll(rig, b, waiter)).toEqual([])
})

it('refuses a latch of another count', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(new CountDownLatch(client, PATH, { count: 3 }).countDown())
  const other = new CountDownLatch(client, PATH, { count: 4 })
  for (const call of [() => other.countDown(), () => other.wait(), () => other.remaining()]) {
    expect(codeOf(await failureOf(call()))).toBe('INVALID_VALUE/rejected')
  }
  expect(await closeAll(rig, client)).toEqual([])
})

it('tells who waits that the latch was removed, also when another was made in its place', async () => {
  const rig = newRig()
  const [client, waiter] = [await rig.connect(), await rig.connect()]
  const latch = new CountDownLatch(client, PATH, { count: 2 })
  const wait = new CountDownLatch(waiter, PATH, { count: 2 }).wait()
  await pass(10 * ROUND_TRIP_MS)
  rig.control.disconnect(sessionOf(waiter))
  await run(latch.remove().then(() => latch.countDown({ id: 'one' })).then(() => latch.countDown({ id: 'two' })))
  rig.control.reconnect(sessionOf(waiter))
  expect(codeOf(await failureOf(wait))).toBe('NO_NODE/rejected')
  expect(await closeAll(rig, client, waiter)).toEqual([])
})

it('goes on waiting over lost connections and sessions, and leaves nothing behind when a wait ends', async () => {
  const rig = newRig()
  const [client, waiter] = [await rig.connect(), await rig.connect()]
  const latch = new CountDownLatch(waiter, PATH, { count: 1 })
  expect(codeOf(await failureOf(latch.wait({ waitMs: 0 })))).toBe('TIMEOUT/aborted')
  expect(codeOf(await failureOf(latch.wait({ waitMs: 300 })))).toBe('TIMEOUT/aborted')
  await pass(ROUND_TRIP_MS)
  expect(rig.control.watchCount()).toBe(0)
  const wait = latch.wait()
  await pass(10 * ROUND_TRIP_MS)
  await interrupt(rig, waiter, 500)
  rig.control.expire(sessionOf(waiter))
  await pass(SETTLED_MS)
  expect(await stateOf(wait)).toBe('pending')
  await run(new CountDownLatch(client, PATH, { count: 1 }).countDown())
  await run(wait)
  expect(await closeAll(rig, client, waiter)).toEqual([])
})

it.each(sweepOf(REQUESTS_MAX))('counts once under $what of request $nth', async ({ fate, nth }) => {
  const rig = newRig()
  const client = await rig.connect()
  const id = sessionOf(client)
  strike(rig, fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', nth)
  await run(new CountDownLatch(client, PATH, { count: 9 }).countDown())
  await pass(SETTLED_MS)
  expect(nodesUnder(rig, PATH)).toHaveLength(1)
  expect(await closeAll(rig, client)).toEqual([])
})

it('does not count in the latch that was made in the place of the one in which it has counted', async () => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  await run(other.makePath('/latches').then(() => other.create(PATH, '9')))
  const id = sessionOf(client)
  const struck = strike(rig, 'lose-after', ({ sessionId, kind }) => sessionId === id && kind === 'multi')
  const counting = failureOf(new CountDownLatch(client, PATH, { count: 9 }).countDown({ id: 'ours' }))
  for (let step = 0; step < 100 && nodesUnder(rig, PATH).length < 1; step++) await pass(1)
  const data = new TextEncoder().encode('9')
  await run(other.multi([
    { type: 'delete', path: `${PATH}/ours`, version: -1 },
    { type: 'delete', path: PATH, version: -1 },
    { type: 'create', path: PATH, data, mode: 'persistent' },
  ]))
  expect(codeOf(await counting)).toMatch(/unknown/)
  await pass(SETTLED_MS)
  expect({ isMet: struck.isMet, nodes: nodesUnder(rig, PATH) }).toEqual({ isMet: true, nodes: [] })
  expect(await closeAll(rig, client, other)).toEqual([])
})
