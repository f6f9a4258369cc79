/** A rate for a fleet, in virtual time, over every fault at every request. */
import { expect, it, vi } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { RateLimiter } from '../../../src/recipes/counters/rate-limiter.ts'
import { LATENCY_MS, ROUND_TRIP_MS, closeAll, codeOf, failureOf, newRig, pass, run, sessionOf } from '../rig.ts'
import { stateOf, strike, sweepOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/limits/mails'
const RATE = { limit: 10, perMs: 1_000, burst: 5 }
/** Milliseconds of a change, alone. */
const CHANGE_MS = 3 * ROUND_TRIP_MS
/** Longer than a token takes to come, by what the clocks may be late. */
const TOKEN_MS = RATE.perMs / RATE.limit + CHANGE_MS

const limiter = (client: Client, more = {}): RateLimiter => new RateLimiter(client, PATH, { ...RATE, ...more })

/** Takes one token after the other until time is up. Returns when it got each, in milliseconds of virtual time. */
async function drain(from: RateLimiter, untilMs: number, times: number[]): Promise<void> {
  while (performance.now() < untilMs) {
    await from.acquire()
    times.push(performance.now())
  }
}

/** That no stretch of time has more than a burst and what drops in; `slackMs` is what answers may be late. */
function expectWithin(times: readonly number[], slackMs: number, more = 0): void {
  const sorted = times.toSorted((a, b) => a - b)
  for (const [first, fromMs] of sorted.entries()) {
    for (const [last, toMs] of sorted.entries()) {
      if (last < first) continue
      const most = RATE.burst + more + (toMs - fromMs + slackMs) * RATE.limit / RATE.perMs
      expect(last - first + 1).toBeLessThanOrEqual(most)
    }
  }
}

it('gives a burst at once, and the rate from then on, for all clients together', async () => {
  const rig = newRig()
  const clients = [await rig.connect(), await rig.connect(), await rig.connect()]
  const times: number[] = []
  const startMs = performance.now()
  await run(Promise.all(clients.map((client) => drain(limiter(client), startMs + 5_000, times))))
  expectWithin(times, 2 * CHANGE_MS)
  expect(times.length).toBeGreaterThanOrEqual(RATE.burst + 5 * RATE.limit - 5)
  expect([await closeAll(rig, ...clients), rig.errors]).toEqual([[], []])
})

it('serves the calls of one client in their order', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const [order, made] = [[] as number[], limiter(client)]
  await run(Promise.all([5, 3, 1, 2].map(async (tokens, index) => {
    await made.acquire(tokens)
    order.push(index)
  })))
  expect(order).toEqual([0, 1, 2, 3])
  expect(await closeAll(rig, client)).toEqual([])
})

it('tries without waiting, and takes nothing where it would have to', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [mine, theirs] = [limiter(a), limiter(b)]
  expect(await run(mine.tryAcquire(5))).toBe(true)
  expect(await run(theirs.tryAcquire(1))).toBe(false)
  expect(codeOf(await failureOf(theirs.acquire(1, { waitMs: 0 })))).toBe('TIMEOUT/aborted')
  await pass(TOKEN_MS)
  expect(await run(theirs.tryAcquire(1))).toBe(true)
  expect(await run(mine.tryAcquire(3))).toBe(false)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('rejects at once if the tokens will not be there in time, and takes none', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const made = limiter(client)
  await run(made.acquire(5))
  const startMs = performance.now()
  expect(codeOf(await failureOf(made.acquire(5, { waitMs: 300 })))).toBe('TIMEOUT/aborted')
  expect(performance.now() - startMs).toBeLessThan(300)
  await run(made.acquire(2, { waitMs: 300 }))
  expect(performance.now() - startMs).toBeLessThan(300)
  expect(await closeAll(rig, client)).toEqual([])
})

it('gives back what an aborted wait has taken, unless others have taken after it', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [mine, theirs] = [limiter(a), limiter(b)]
  await run(mine.acquire(5))
  for (const isFollowed of [false, true]) {
    const controller = new AbortController()
    const waiting = mine.acquire(5, { signal: controller.signal })
    await pass(2 * CHANGE_MS)
    const following = isFollowed ? theirs.acquire(1) : Promise.resolve()
    await pass(3 * CHANGE_MS)
    const { tokens: before } = await run(mine.status())
    controller.abort()
    expect(codeOf(await failureOf(waiting))).toBe('ABORTED/aborted')
    const { tokens: after } = await run(mine.status())
    expect(after - before).toBeGreaterThanOrEqual(isFollowed ? 0 : 5)
    expect(after - before).toBeLessThanOrEqual(isFollowed ? 2 : 6)
    await run(following)
    await pass(RATE.perMs)
    await run(mine.acquire(5))
  }
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('takes blocks where they are there, and gives them out itself for one period', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const made = limiter(client, { block: 5 })
  await run(made.acquire())
  rig.control.resetCounts()
  for (let taken = 0; taken < 4; taken += 1) await run(made.acquire())
  expect(rig.control.requestCount({ sessionId: sessionOf(client) })).toBe(0)
  await pass(RATE.perMs)
  await run(made.acquire())
  await pass(RATE.perMs + 1)
  expect((await run(made.status())).tokens).toBe(5)
  rig.control.resetCounts()
  await run(made.acquire())
  expect(rig.control.requestCount({ kind: 'multi' })).toBe(1)
  expect(await closeAll(rig, client)).toEqual([])
})

it('knows the time after a rest, however long, without having been there', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(limiter(a).acquire(5))
  await pass(60_000)
  const startMs = performance.now()
  await run(limiter(b).acquire(5))
  expect(performance.now() - startMs).toBeLessThanOrEqual(2 * CHANGE_MS)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('a rest fills the bucket once, however many come to it for the first time', async () => {
  const rig = newRig()
  const clients = [await rig.connect(), await rig.connect(), await rig.connect(), await rig.connect()]
  const [first, ...others] = clients.map((client) => limiter(client))
  if (first === undefined) throw new Error('nobody is there')
  await run(first.acquire())
  await pass(60_000)
  const taken = []
  for (const other of others) taken.push(await run(other.tryAcquire(4)))
  expect(taken).toEqual([true, false, false])
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it('waits no longer than the bucket says where a server leads whose clock is behind', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const mine = limiter(a)
  await run(mine.acquire(1))
  vi.setSystemTime(Date.now() - 3_600_000)
  await run(mine.acquire(4))
  const [theirs, startMs] = [limiter(b), performance.now()]
  expect((await run(theirs.status())).tokens).toBe(0)
  await run(theirs.acquire(2))
  const waitedMs = performance.now() - startMs
  expect(waitedMs).toBeGreaterThanOrEqual(2 * TOKEN_MS - 4 * CHANGE_MS)
  expect(waitedMs).toBeLessThanOrEqual(2 * TOKEN_MS + CHANGE_MS)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('has one rate for all, which can be changed; who was made with another is told once', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [mine, theirs] = [limiter(a), limiter(b, { limit: 99 })]
  await run(mine.acquire())
  await run(theirs.acquire())
  await run(theirs.acquire())
  expect(rig.errors.map(codeOf)).toEqual(['INVALID_VALUE/rejected'])
  expect(await run(theirs.status())).toMatchObject({ limit: 10, perMs: 1_000, burst: 5 })
  await run(theirs.setRate({ limit: 20, burst: 7 }))
  expect(await run(mine.status())).toMatchObject({ limit: 20, perMs: 1_000, burst: 7 })
  await run(mine.acquire(7))
  expect(codeOf(await failureOf(mine.acquire(8)))).toBe('INVALID_VALUE/rejected')
  await run(a.set(PATH, 'nonsense'))
  expect(codeOf(await failureOf(mine.acquire()))).toBe('INVALID_VALUE/corrupt')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(sweepOf(8))('gives no token twice over $what at request $nth', async ({ fate, nth }) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(limiter(b).acquire())
  const id = sessionOf(a)
  strike(rig, fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', nth)
  const times: number[] = [performance.now()]
  const untilMs = performance.now() + 2_000
  await run(Promise.all([drain(limiter(a), untilMs, times), drain(limiter(b), untilMs, times)]))
  // A delayed answer is told late, which another stretch of time has had before.
  expectWithin(times, 2 * CHANGE_MS + 300)
  expect([await closeAll(rig, a, b), rig.errors]).toEqual([[], []])
})

it('a wait goes on while no server is in touch', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const made = limiter(client)
  await run(made.acquire(5))
  const waiting = made.acquire()
  await pass(CHANGE_MS)
  rig.control.disconnect(sessionOf(client))
  expect(await stateOf(waiting)).toBe('pending')
  await pass(TOKEN_MS + LATENCY_MS)
  expect(await stateOf(waiting)).toBe('fulfilled')
  rig.control.reconnect(sessionOf(client))
  await pass(ROUND_TRIP_MS)
  expect(await closeAll(rig, client)).toEqual([])
})
