/** Work that is done once for all: one result for everybody, over crashes, losses and faults at every request. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { onceOnly } from '../../../src/recipes/once/once-only.ts'
import type { OnceWork } from '../../../src/recipes/once/once-only.ts'
import { closeAll, codeOf, ephemerals, failureOf, newRig, pass, run, sessionOf, strike } from '../rig.ts'
import { sweepOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/once/migration'
const REQUESTS = 9

/** Work that says how often it was done. */
function counting(workMs = 0): { readonly work: (given: OnceWork) => Promise<number>; readonly times: () => number } {
  let count = 0
  const work = async (): Promise<number> => {
    count += 1
    const mine = count
    if (workMs > 0) await new Promise((resolve) => setTimeout(resolve, workMs))
    return mine
  }
  return { work, times: () => count }
}

it('is done once, and everybody gets its result', async () => {
  const rig = newRig()
  const clients = [await rig.connect(), await rig.connect(), await rig.connect()]
  const { work, times } = counting(200)
  const calls = clients.flatMap((client) => [onceOnly(client, PATH, work), onceOnly(client, PATH, work)])
  expect(await run(Promise.all(calls))).toEqual([1, 1, 1, 1, 1, 1])
  expect(await run(onceOnly(clients[0] as Client, PATH, work))).toBe(1)
  expect([times(), ephemerals(rig)]).toEqual([1, []])
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it('costs each of many callers of one client two requests, and one of them the work', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const { work, times } = counting(200)
  let requests = 0
  rig.control.onRequest(() => {
    requests += 1
    return undefined
  })
  const calls = Array.from({ length: 1_000 }, () => onceOnly(client, PATH, work))
  expect(new Set(await run(Promise.all(calls)))).toEqual(new Set([1]))
  expect(times()).toBe(1)
  expect(requests).toBeLessThan(2 * calls.length + 20)
  expect(await closeAll(rig, client)).toEqual([])
})

it('gives those who wait no result that is over for them, and lets the next one do what failed', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const { work, times } = counting()
  await run(onceOnly(client, PATH, work))
  await pass(1_000)
  // The first does the work again. What it has recorded is good for a shorter time to live too, as it looks itself.
  const ttls = [500, 100, 100].map((ttlMs) => onceOnly(client, PATH, work, { ttlMs }))
  expect(await run(Promise.all(ttls))).toEqual([2, 2, 2])
  expect(times()).toBe(2)
  const failing = failureOf(onceOnly(client, '/once/failing', () => Promise.reject(new Error('no luck'))))
  const next = onceOnly(client, '/once/failing', work)
  expect(String(await failing)).toBe('Error: no luck')
  expect(await run(next)).toBe(3)
  expect(await closeAll(rig, client)).toEqual([])
})

it('shares also a result that is nothing, and null', async () => {
  const rig = newRig()
  const client = await rig.connect()
  let count = 0
  const nothing = (): void => {
    count += 1
  }
  expect(await run(onceOnly(client, PATH, nothing))).toBeUndefined()
  expect(await run(onceOnly(client, PATH, nothing))).toBeUndefined()
  expect(await run(onceOnly(client, '/once/null', () => null))).toBeNull()
  expect(await run(onceOnly(client, '/once/null', () => 1))).toBeNull()
  expect(count).toBe(1)
  expect(await closeAll(rig, client)).toEqual([])
})

it('records nothing of work that throws, and the next caller does it', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const failing = (): never => {
    throw new Error('no luck')
  }
  expect(String(await failureOf(onceOnly(client, PATH, failing)))).toBe('Error: no luck')
  expect(codeOf(await failureOf(onceOnly<unknown>(client, PATH, () => new Map())))).toBe('INVALID_VALUE/not-sent')
  expect(await run(onceOnly(client, PATH, () => 5))).toBe(5)
  expect(await closeAll(rig, client)).toEqual([])
})

it('is done again when its result is over, by the clock of the servers', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const { work, times } = counting()
  expect(await run(onceOnly(a, PATH, work, { ttlMs: 1_000 }))).toBe(1)
  await pass(500)
  expect(await run(onceOnly(b, PATH, work, { ttlMs: 1_000 }))).toBe(1)
  await pass(600)
  expect(await run(Promise.all([a, b].map((one) => onceOnly(one, PATH, work, { ttlMs: 1_000 }))))).toEqual([2, 2])
  expect(await run(onceOnly(a, PATH, work))).toBe(2)
  expect(times()).toBe(2)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('is done again by the next when its process loses its session, and the first records nothing any more', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const tokens: bigint[] = []
  const signals: AbortSignal[] = []
  const slow = async ({ signal, token }: OnceWork): Promise<string> => {
    tokens.push(token)
    signals.push(signal)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    return `by ${String(tokens.length)}`
  }
  const first = failureOf(onceOnly(a, PATH, slow))
  const second = onceOnly(b, PATH, slow)
  await pass(300)
  rig.control.expire(sessionOf(a))
  expect(codeOf(await first)).toBe('LEASE_LOST/lost')
  expect(await run(second)).toBe('by 2')
  expect([signals.map(({ aborted }) => aborted), (tokens[1] ?? 0n) > (tokens[0] ?? 0n)]).toEqual([[true, false], true])
  expect(await run(onceOnly(a, PATH, slow))).toBe('by 2')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('waits for others as long as it is told, and for work that has begun until its end', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const { work } = counting(1_000)
  const first = onceOnly(a, PATH, work, { waitMs: 500 })
  await pass(100)
  expect(codeOf(await failureOf(onceOnly(b, PATH, work, { waitMs: 200 })))).toBe('TIMEOUT/aborted')
  await failureOf(first)
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('takes a result that somebody has put there, and refuses what is none', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(client.makePath('/once'))
  await run(client.create(PATH, '7'))
  expect(await run(onceOnly(client, PATH, () => 1))).toBe(7)
  await run(client.set(PATH, 'no JSON'))
  expect(codeOf(await failureOf(onceOnly(client, PATH, () => 1)))).toBe('INVALID_VALUE/corrupt')
  for (const wrong of [() => onceOnly(client, '/', () => 1), () => onceOnly(client, PATH, () => 1, { ttlMs: -1 })]) {
    expect(String(await failureOf(wrong()))).toMatch(/TypeError|RangeError/)
  }
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(sweepOf(REQUESTS))('gives everybody one result when $what strikes request $nth', async ({ fate, nth }) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const { work, times } = counting()
  const session = sessionOf(a)
  strike(rig, fate, ({ sessionId }) => sessionId === session, nth)
  const outcomes = await run(Promise.allSettled([onceOnly(a, PATH, work), onceOnly(b, PATH, work)]))
  await pass(10_000)
  const recorded = await run(onceOnly(b, PATH, work))
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') expect(outcome.value).toBe(recorded)
    else expect(codeOf(outcome.reason)).toMatch(/^LEASE_LOST|^(CONNECTION_LOSS|SESSION_EXPIRED)/)
  }
  // Only a lease that is lost, or a caller that is told that it failed, costs another turn.
  const failed = outcomes.filter(({ status }) => status === 'rejected').length
  expect(times()).toBeLessThanOrEqual(1 + failed)
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, a, b)).toEqual([])
})
