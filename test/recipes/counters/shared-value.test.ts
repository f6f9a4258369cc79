/** Shared values and counts: what everyone comes to, over faults, deletions and rivals. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { SharedCount } from '../../../src/recipes/counters/shared-count.ts'
import { SharedValue } from '../../../src/recipes/counters/shared-value.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, failureOf, interrupt, newRig } from '../rig.ts'
import { pass, run, sessionOf, strike, sweepOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/values/one'
const REQUESTS_MAX = 6

function settle(): Promise<void> {
  return pass(20 * ROUND_TRIP_MS)
}

function textOf(value: SharedValue): string | undefined {
  return value.current === undefined ? undefined : new TextDecoder().decode(value.current)
}

it('is the seed until somebody sets it, and the same for everyone from then on', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [one, two] = [new SharedValue(a, PATH, { seed: 'seed' }), new SharedValue(b, PATH, { seed: 'seed' })]
  expect([one.current, one.version, one.stale]).toEqual([undefined, null, true])
  expect(new TextDecoder().decode(await run(one.ready()))).toBe('seed')
  expect([textOf(one), one.version, one.stale]).toEqual(['seed', null, false])
  expect(rig.control.nodes().map(({ path }) => path)).not.toContain(PATH)
  const told: string[] = []
  two.subscribe(({ value }) => void told.push(new TextDecoder().decode(value)))
  await run(one.set('first'))
  expect([textOf(one), one.version]).toEqual(['first', 0])
  await settle()
  expect([textOf(two), two.version]).toEqual(['first', 0])
  await run(two.set('second'))
  await settle()
  expect([textOf(one), told]).toEqual(['second', ['seed', 'first', 'second']])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('tries to set what it has seen, and says when another was quicker', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [one, two] = [new SharedValue(a, PATH), new SharedValue(b, PATH)]
  await run(Promise.all([one.ready(), two.ready()]))
  const tries = [one.trySet('one'), two.trySet('two')]
  const answers = await run(Promise.all(tries))
  expect(answers.filter(Boolean)).toHaveLength(1)
  await settle()
  expect([textOf(one), textOf(two)]).toEqual(answers[0] === true ? ['one', 'one'] : ['two', 'two'])
  expect(await run(two.trySet('next'))).toBe(true)
  expect(await run(two.trySet('after its own'))).toBe(true)
  expect(await run(one.trySet('late'))).toBe(false)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('does not take a node that was made again for the one that it saw', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const one = new SharedValue(a, PATH)
  await run(one.set('before'))
  await settle()
  await run(b.delete(PATH))
  const making = b.create(PATH, 'made again')
  const trying = one.trySet('stale')
  expect(await run(trying)).toBe(false)
  await run(making)
  await settle()
  expect([textOf(one), one.version]).toEqual(['made again', 0])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('goes on after a deletion, a break and a lost session', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [one, two] = [new SharedValue(a, PATH, { seed: 'seed' }), new SharedValue(b, PATH)]
  await run(two.set('there'))
  await settle()
  await run(b.delete(PATH))
  await settle()
  expect(textOf(one)).toBe('seed')
  const iterating = one.watch()
  expect((await run(iterating.next())).value).toMatchObject({ version: null, resync: false })
  rig.control.disconnect(sessionOf(a))
  await run(two.set('meanwhile'))
  expect(one.stale).toBe(true)
  await interrupt(rig, a, 100)
  await settle()
  expect([textOf(one), one.stale]).toEqual(['meanwhile', false])
  expect((await run(iterating.next())).value).toMatchObject({ version: 0, resync: true })
  rig.control.expire(sessionOf(a))
  await run(two.set('later'))
  await settle()
  expect(textOf(one)).toBe('later')
  await run(one.close())
  expect(() => one.watch()).toThrow(/closed/)
  expect(codeOf(await failureOf(one.get()))).toBe('CLIENT_CLOSED/aborted')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('never goes back to what was there before its own write', async () => {
  for (let afterMs = 0; afterMs <= 6 * ROUND_TRIP_MS; afterMs += 5) {
    const rig = newRig()
    const [a, b] = [await rig.connect(), await rig.connect()]
    const one = new SharedCount(a, PATH)
    const told: number[] = []
    one.subscribe(({ value }) => void told.push(value))
    const other = new SharedCount(b, PATH)
    await run(other.set(1))
    const setting = other.set(2)
    await pass(afterMs)
    await run(one.set(3))
    expect(one.current).toBeGreaterThanOrEqual(2)
    await run(setting)
    await settle()
    const last = await run(other.get())
    expect([one.current, told.at(-1)]).toEqual([last, last])
    const zxids = told.map((value) => (value === last ? Infinity : value))
    expect(zxids.filter((value, index) => value !== Infinity && zxids.slice(0, index).includes(Infinity))).toEqual([])
    expect(await closeAll(rig, a, b)).toEqual([])
  }
})

it('counts as Curator does: four bytes, and refuses to read fewer', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const count = new SharedCount(client, PATH, { seed: 7 })
  expect(await run(count.ready())).toBe(7)
  await run(count.set(-2))
  expect([...(await run(client.get(PATH))).data]).toEqual([255, 255, 255, 254])
  expect(await run(count.trySet(10))).toBe(true)
  expect([...(await run(client.get(PATH))).data]).toEqual([0, 0, 0, 10])
  for (const bytes of [new Uint8Array(), Uint8Array.of(1, 2)]) {
    await run(client.set(PATH, bytes))
    await settle()
    expect(codeOf(await failureOf(count.get()))).toBe('INVALID_VALUE/corrupt')
    expect(count.current).toBe(10)
  }
  expect(rig.errors.map(codeOf)).toEqual(['INVALID_VALUE/corrupt', 'INVALID_VALUE/corrupt'])
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(sweepOf(REQUESTS_MAX))('sets and shows over $what at request $nth', async (struck) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const id = sessionOf(a)
  strike(rig, struck.fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', struck.nth)
  const [one, two] = [new SharedCount(a, PATH), new SharedCount(b, PATH)]
  const outcome = await run(one.set(5).then(() => 'set', codeOf))
  expect(outcome).toMatch(/^set$|\/unknown$/)
  if (outcome === 'set') expect(one.current).toBe(5)
  await run(two.set(6))
  await settle()
  expect([one.current, two.current, await run(one.trySet(7))]).toEqual([6, 6, true])
  await settle()
  expect(two.current).toBe(7)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(sweepOf(REQUESTS_MAX))('gives one of two the same step over $what at request $nth', async (struck) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const counts = [a, b].map((client) => new SharedCount(client, PATH))
  await run(Promise.all(counts.map((count) => count.ready())))
  const id = sessionOf(a)
  strike(rig, struck.fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', struck.nth)
  const outcomes = await run(Promise.all(counts.map((count) => count.trySet(1).catch(codeOf))))
  expect(outcomes.filter((outcome) => outcome === true).length).toBeLessThanOrEqual(1)
  for (const outcome of outcomes) expect(String(outcome)).toMatch(/^(true|false)$|\/unknown$/)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('shows one of many clients nothing but what was written', async () => {
  const rig = newRig()
  const clients = await Promise.all(Array.from({ length: 4 }, () => rig.connect()))
  const counts = clients.map((client: Client) => new SharedCount(client, PATH))
  const added = counts.map(async (count) => {
    await count.ready()
    let won = 0
    for (let round = 0; round < 10; round += 1) if (await count.trySet((count.current ?? 0) + 1)) won += 1
    return won
  })
  const won = (await run(Promise.all(added))).reduce((sum, one) => sum + one, 0)
  await settle()
  expect(counts.map(({ current }) => current)).toEqual(counts.map(() => won))
  expect(await closeAll(rig, ...clients)).toEqual([])
})
