/** A barrier: who meets it waits for that one; nothing is raised or lowered twice, whatever becomes of the requests. */
import { expect, it } from 'vitest'
import { Barrier } from '../../../src/recipes/barriers/barrier.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, failureOf, interrupt, newRig, pass, run, sessionOf, stateOf } from '../rig.ts'
import { strike, sweepOf, useVirtualTime } from '../rig.ts'
import type { Rig } from '../rig.ts'

useVirtualTime()

const PATH = '/barriers/deploy'
const REQUESTS_MAX = 4
const SETTLED_MS = 30_000

function isUp(rig: Rig): boolean {
  return rig.control.nodes().some(({ path }) => path === PATH)
}

it('holds whoever comes while it is up, also after its raiser has ended, and lets all go on', async () => {
  const rig = newRig()
  const [raiser, a, b] = [await rig.connect(), await rig.connect(), await rig.connect()]
  await run(new Barrier(raiser, PATH).wait())
  await run(new Barrier(raiser, PATH).raise())
  await run(new Barrier(raiser, PATH).raise())
  await run(raiser.close())
  const waits = [a, b].map((client) => new Barrier(client, PATH).wait())
  await pass(SETTLED_MS)
  for (const wait of waits) expect(await stateOf(wait)).toBe('pending')
  expect(await run(new Barrier(b, PATH).isUp())).toBe(true)
  expect(await run(new Barrier(b, PATH).lower())).toBe(true)
  await run(Promise.all(waits))
  expect(await run(new Barrier(b, PATH).lower())).toBe(false)
  expect(await run(new Barrier(a, PATH).isUp())).toBe(false)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('lets those go on who met the barrier that was lowered, though another is raised in its place at once', async () => {
  const rig = newRig()
  const [operator, waiter] = [await rig.connect(), await rig.connect()]
  const barrier = new Barrier(operator, PATH)
  await run(barrier.raise())
  const wait = new Barrier(waiter, PATH).wait()
  await pass(3 * ROUND_TRIP_MS)
  rig.control.disconnect(sessionOf(waiter))
  await run(barrier.lower().then(() => barrier.raise()))
  expect(await stateOf(wait)).toBe('pending')
  rig.control.reconnect(sessionOf(waiter))
  await run(wait)
  const later = new Barrier(waiter, PATH).wait({ waitMs: 500 })
  expect(codeOf(await failureOf(later))).toBe('TIMEOUT/aborted')
  expect(await closeAll(rig, operator, waiter)).toEqual([])
})

it('leaves nothing behind when a wait ends', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const barrier = new Barrier(client, PATH)
  await run(barrier.raise())
  const before = rig.control.watchCount()
  expect(codeOf(await failureOf(barrier.wait({ waitMs: 0 })))).toBe('TIMEOUT/aborted')
  expect(codeOf(await failureOf(barrier.wait({ waitMs: 200 })))).toBe('TIMEOUT/aborted')
  const controller = new AbortController()
  const wait = barrier.wait({ signal: controller.signal })
  await pass(5 * ROUND_TRIP_MS)
  controller.abort()
  expect(codeOf(await failureOf(wait))).toBe('ABORTED/aborted')
  await pass(ROUND_TRIP_MS)
  expect(rig.control.watchCount()).toBe(before)
  const last = failureOf(barrier.wait())
  await pass(5 * ROUND_TRIP_MS)
  expect(await closeAll(rig, client)).toEqual([])
  expect(codeOf(await last)).toBe('CLIENT_CLOSED/aborted')
})

it('goes on waiting over lost connections and sessions', async () => {
  const rig = newRig()
  const [operator, waiter] = [await rig.connect(), await rig.connect()]
  await run(new Barrier(operator, PATH).raise())
  const wait = new Barrier(waiter, PATH).wait()
  await pass(5 * ROUND_TRIP_MS)
  await interrupt(rig, waiter, 500)
  rig.control.expire(sessionOf(waiter))
  await pass(SETTLED_MS)
  expect(await stateOf(wait)).toBe('pending')
  await run(new Barrier(operator, PATH).lower())
  await run(wait)
  expect(await closeAll(rig, operator, waiter)).toEqual([])
})

it('refuses to lower a barrier that has nodes below it, and says so', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const barrier = new Barrier(client, PATH)
  await run(barrier.raise())
  await run(client.create(`${PATH}/foreign`))
  expect(codeOf(await failureOf(barrier.lower()))).toBe('NOT_EMPTY/rejected')
  expect(isUp(rig)).toBe(true)
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(sweepOf(REQUESTS_MAX))('lowers once under $what of request $nth, though it is raised again', async (one) => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  await run(new Barrier(other, PATH).raise())
  const id = sessionOf(client)
  const struck = strike(rig, one.fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', one.nth)
  const lowering = new Barrier(client, PATH).lower()
  // Another raises it again as soon as it is down.
  let isRaisedAgain = false
  lowering.catch(() => undefined)
  for (let step = 0; step < 400 && !isRaisedAgain; step++) {
    await pass(1)
    if (isUp(rig)) continue
    await run(new Barrier(other, PATH).raise())
    isRaisedAgain = true
  }
  expect(await run(lowering)).toBe(true)
  await pass(SETTLED_MS)
  expect({ isRaisedAgain, isUp: isUp(rig) }).toEqual({ isRaisedAgain: true, isUp: true })
  if (one.nth <= 3) expect(struck.isMet).toBe(true)
  expect(await closeAll(rig, client, other)).toEqual([])
})

it.each(sweepOf(REQUESTS_MAX))('raises once under $what of request $nth, though it is lowered at once', async (one) => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  await run(other.makePath('/barriers'))
  const id = sessionOf(client)
  strike(rig, one.fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', one.nth)
  const raising = new Barrier(client, PATH).raise().then(() => 'raised', codeOf)
  let lowered = 0
  for (let step = 0; step < 600; step++) {
    await pass(1)
    if (isUp(rig) && (await run(new Barrier(other, PATH).lower()))) lowered += 1
  }
  const result = await run(raising)
  expect(lowered).toBeLessThanOrEqual(1)
  if (lowered === 0) expect(result).toMatch(/unknown|session-over/)
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('does not raise again a barrier that was lowered before its raiser was told that it is up', async () => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  await run(other.makePath('/barriers'))
  const id = sessionOf(client)
  const struck = strike(rig, 'lose-after', ({ sessionId, kind }) => sessionId === id && kind === 'create')
  const raising = new Barrier(client, PATH).raise()
  raising.catch(() => undefined)
  for (let step = 0; step < 100 && !isUp(rig); step++) await pass(1)
  await run(other.delete(PATH))
  expect(codeOf(await failureOf(raising))).toBe('CONNECTION_LOSS/unknown')
  await pass(SETTLED_MS)
  expect({ isMet: struck.isMet, isUp: isUp(rig) }).toEqual({ isMet: true, isUp: false })
  expect(await closeAll(rig, client, other)).toEqual([])
})
