/** Read-change-write of one value: bounded, and honest where an answer is lost. */
import { expect, it, vi } from 'vitest'
import { deferred } from '../../../src/core/async.ts'
import { ConfigCenter } from '../../../src/recipes/config/config-center.ts'
import { UPDATE_ATTEMPTS_MAX } from '../../../src/recipes/engine/compare-and-set.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, failureOf, newRig, pass, run } from '../rig.ts'
import { sessionOf, strike, sweepOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/config/counted'
const REQUESTS = 5

function next(current: number | null): number {
  return (current ?? 0) + 1
}

it('gives the stored value or null, and stores what is returned, or promised', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const center = new ConfigCenter<number>(client, PATH)
  const seen: (number | null)[] = []
  for (let turn = 0; turn < 3; turn += 1) {
    const updated = await run(center.update((current) => {
      seen.push(current)
      return Promise.resolve(next(current))
    }))
    expect(updated).toMatchObject({ value: turn + 1, version: turn })
    expect([center.current, center.version]).toEqual([turn + 1, turn])
  }
  expect(seen).toEqual([null, 1, 2])
  expect(await closeAll(rig, client)).toEqual([])
})

it.each<{ what: string, write: (center: ConfigCenter<number>) => Promise<unknown> }>([
  { what: 'an update', write: (center) => center.update(() => 7) },
  { what: 'a write by force', write: (center) => center.publish(7, { force: true }) },
])('has the value of $what in force at once where the first reading is late', async ({ write }) => {
  const rig = newRig()
  const client = await rig.connect()
  await run(client.create('/config'))
  const read = client.get.bind(client)
  const reading = deferred<undefined>()
  vi.spyOn(client, 'get').mockImplementation(async (path, options) => {
    if (options?.watch !== undefined) await reading.promise
    return read(path, options)
  })
  const center = new ConfigCenter<number>(client, PATH)
  await run(write(center))
  expect([center.current, center.version, center.stale]).toEqual([7, 0, true])
  expect(await run(center.ready())).toBe(7)
  reading.resolve(undefined)
  await pass(10 * ROUND_TRIP_MS)
  expect([center.current, center.version, center.stale]).toEqual([7, 0, false])
  expect(await closeAll(rig, client)).toEqual([])
})

it('gives up when others were quicker each time, and pauses in between', async () => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  const center = new ConfigCenter<number>(client, PATH)
  await run(center.publish(0))
  let calls = 0
  const startMs = performance.now()
  const failure = await failureOf(center.update(async (current) => {
    calls += 1
    await other.set(PATH, String(100 + calls))
    return next(current)
  }))
  expect([codeOf(failure), calls]).toEqual(['BAD_VERSION/rejected', UPDATE_ATTEMPTS_MAX])
  expect(performance.now() - startMs).toBeGreaterThan(1_000)
  expect(await run(center.get())).toBe(100 + UPDATE_ATTEMPTS_MAX)
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('does not take the equal change of another for its own when its answer is lost', async () => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  const center = new ConfigCenter<number>(client, PATH)
  await run(center.publish(0))
  const session = sessionOf(client)
  strike(rig, 'lose-before', ({ kind, sessionId }) => ['set', 'multi'].includes(kind) && sessionId === session)
  const updating = center.update(async (current) => {
    await other.set(PATH, '1')
    return next(current)
  })
  expect(codeOf(await failureOf(updating))).toBe('CONNECTION_LOSS/unknown')
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('refuses a value that is stored and invalid, without calling the change', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const center = new ConfigCenter<number>(client, PATH)
  await run(center.publish(0))
  await run(client.set(PATH, 'not JSON'))
  const call = center.update(() => expect.unreachable())
  expect(codeOf(await failureOf(call))).toBe('INVALID_VALUE/corrupt')
  expect(await failureOf(center.update('next' as never))).toBeInstanceOf(TypeError)
  expect(await failureOf(center.update(next, { waitms: 1 } as never))).toBeInstanceOf(TypeError)
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(sweepOf(REQUESTS))('counts right with $what at request $nth', async ({ fate, nth }) => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  const [center, rival] = [new ConfigCenter<number>(client, PATH), new ConfigCenter<number>(other, PATH)]
  await run(Promise.all([center.ready(), rival.ready()]))
  const session = sessionOf(client)
  const struck = strike(rig, fate, ({ sessionId }) => sessionId === session, nth)
  const outcomes = await run(Promise.allSettled([center, rival, center, rival, center].map((one) => one.update(next))))
  const done = outcomes.filter(({ status }) => status === 'fulfilled').length
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [codeOf(outcome.reason)] : []))
  const unknown = failures.filter((code) => code.endsWith('/unknown')).length
  const value = await run(rival.get())
  expect(struck.isMet).toBe(true)
  expect(value).toBeGreaterThanOrEqual(done)
  expect(value).toBeLessThanOrEqual(done + unknown)
  expect(await closeAll(rig, client, other)).toEqual([])
})
