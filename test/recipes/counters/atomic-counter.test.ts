/** Counters and ids: no change is lost or made twice, over every fault at every request. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { connect } from '../../../src/core/connect.ts'
import { AtomicCounter } from '../../../src/recipes/counters/atomic-counter.ts'
import { IdAllocator } from '../../../src/recipes/counters/id-allocator.ts'
import { behindBackend } from '../behind.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, ephemerals, failureOf, newRig } from '../rig.ts'
import { pass, run, sessionOf, strike, sweepOf, useVirtualTime } from '../rig.ts'
import type { Rig } from '../rig.ts'

useVirtualTime()

const PATH = '/counters/orders'
const REQUESTS_MAX = 8
const CROWD = 12

async function bytesAt(client: Client): Promise<number[]> {
  return [...(await run(client.get(PATH))).data]
}

function storing(rig: Rig, client: Client, bytes: readonly number[]): Promise<unknown> {
  expect(rig.errors).toEqual([])
  return run(client.makePath('/counters').then(() => client.create(PATH, Uint8Array.from(bytes))))
}

it('counts from 0, tells each step, and stores what Curator stores', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const counter = new AtomicCounter(client, PATH)
  expect(await run(counter.get())).toBe(0n)
  expect(rig.control.nodes().map(({ path }) => path)).not.toContain(PATH)
  expect(await run(counter.add(1))).toEqual({ before: 0n, after: 1n })
  expect(await bytesAt(client)).toEqual([0, 0, 0, 0, 0, 0, 0, 1])
  expect(await run(counter.add(-3n))).toEqual({ before: 1n, after: -2n })
  expect(await bytesAt(client)).toEqual([255, 255, 255, 255, 255, 255, 255, 254])
  const short = new AtomicCounter(client, PATH, { bits: 32 })
  await run(short.set(258))
  expect(await bytesAt(client)).toEqual([0, 0, 1, 2])
  expect(await closeAll(rig, client)).toEqual([])
})

it.each([
  ['nothing', [], 32, 0n],
  ['more than a number', [0, 0, 0, 0, 0, 0, 0, 7, 9, 9], 64, 7n],
  ['a long number as a short one', [0, 0, 0, 5, 0, 0, 0, 7], 32, 5n],
] as const)('reads %s as Curator does', async (_, bytes, bits, value) => {
  const rig = newRig()
  const client = await rig.connect()
  await storing(rig, client, bytes)
  expect(await run(new AtomicCounter(client, PATH, { bits }).get())).toBe(value)
  expect(await closeAll(rig, client)).toEqual([])
})

it('refuses bytes that are no number, and does not write over them', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await storing(rig, client, [1, 2, 3])
  const counter = new AtomicCounter(client, PATH)
  for (const call of [() => counter.get(), () => counter.add(1)]) {
    expect(codeOf(await failureOf(call()))).toBe('INVALID_VALUE/corrupt')
  }
  expect(await bytesAt(client)).toEqual([1, 2, 3])
  await run(counter.set(4))
  expect(await run(counter.get())).toBe(4n)
  expect(await closeAll(rig, client)).toEqual([])
})

it('refuses a sum that does not fit, where Curator wraps', async () => {
  const rig = newRig()
  const client = await rig.connect()
  for (const [bits, max] of [[32, 2n ** 31n - 1n], [64, 2n ** 63n - 1n]] as const) {
    const counter = new AtomicCounter(client, PATH, { bits })
    await run(counter.set(max))
    expect(codeOf(await failureOf(counter.add(1)))).toBe('INVALID_VALUE/not-sent')
    expect(await run(counter.get())).toBe(max)
    await run(counter.set(-max - 1n))
    expect(codeOf(await failureOf(counter.add(-1)))).toBe('INVALID_VALUE/not-sent')
  }
  expect(await closeAll(rig, client)).toEqual([])
})

it('lets one of many set a number that they expect', async () => {
  const rig = newRig()
  const clients = await Promise.all(Array.from({ length: 5 }, () => rig.connect()))
  const calls = clients.map((client, index) => new AtomicCounter(client, PATH).compareAndSet(0, index + 1))
  const answers = await run(Promise.all(calls))
  expect(answers.filter(Boolean)).toHaveLength(1)
  expect(await run(new AtomicCounter(clients[0] as Client, PATH).get())).toBe(BigInt(answers.indexOf(true) + 1))
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it('loses no change of a crowd, which queues after a few tries and leaves nothing beside the counter', async () => {
  const rig = newRig()
  const clients = await Promise.all(Array.from({ length: CROWD }, () => rig.connect()))
  let queued = 0
  rig.control.onRequest(({ kind, path }) => {
    if (kind === 'create' && path.startsWith(`${PATH}-lock/`)) queued += 1
    return undefined
  })
  const adding = clients.map(async (client) => {
    const counter = new AtomicCounter(client, PATH)
    const steps = []
    for (let round = 0; round < 5; round += 1) steps.push(await counter.add(1))
    return steps
  })
  const steps = (await run(Promise.all(adding))).flat()
  const befores = steps.map(({ before }) => Number(before)).sort((a, b) => a - b)
  expect(befores).toEqual(Array.from({ length: 5 * CROWD }, (_, index) => index))
  expect(queued).toBeGreaterThan(0)
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it('takes two round trips alone', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const counter = new AtomicCounter(client, PATH)
  await run(counter.add(1))
  const startMs = performance.now()
  await run(counter.add(1))
  expect(performance.now() - startMs).toBe(2 * ROUND_TRIP_MS)
  expect(await closeAll(rig, client)).toEqual([])
})

it('goes by the present number also through a server that is behind, be it of another counter by now', async () => {
  const rig = newRig()
  const { backend, fallBehind } = behindBackend(rig.backend)
  const [near, far] = [await rig.connect(), await run(connect(backend))]
  const [ours, theirs] = [new AtomicCounter(far, PATH), new AtomicCounter(near, PATH)]
  await run(ours.add(5))
  expect(await run(ours.add(0))).toEqual({ before: 5n, after: 5n })
  // Another counter, of the same version.
  await run(near.delete(PATH))
  await run(theirs.add(70))
  await run(theirs.add(0))
  fallBehind()
  expect(await run(ours.add(1))).toEqual({ before: 70n, after: 71n })
  expect(await run(ours.compareAndSet(71, 100))).toBe(true)
  await run(theirs.add(-1))
  fallBehind()
  expect(await run(ours.compareAndSet(99, 1))).toBe(true)
  expect(await run(theirs.get())).toBe(1n)
  expect(await closeAll(rig, near, far)).toEqual([])
})

it.each(sweepOf(REQUESTS_MAX))('adds once over $what at request $nth, or says that it is not known', async (struck) => {
  for (const rival of [false, true]) {
    const rig = newRig()
    const [client, other] = [await rig.connect(), await rig.connect()]
    const counter = new AtomicCounter(client, PATH)
    await run(counter.add(10))
    const id = sessionOf(client)
    strike(rig, struck.fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', struck.nth)
    const adding = counter.add(1).then(({ after }) => String(after), codeOf)
    const rivals = rival ? await run(new AtomicCounter(other, PATH).add(100)) : null
    const outcome = await run(adding)
    await pass(20 * ROUND_TRIP_MS)
    const own = Number(await run(new AtomicCounter(other, PATH).get())) - 10 - (rivals === null ? 0 : 100)
    expect([0, 1]).toContain(own)
    if (/^\d+$/.test(outcome)) expect(own).toBe(1)
    else expect(outcome).toMatch(/\/unknown$/)
    expect(await closeAll(rig, client, other)).toEqual([])
  }
})

it.each(sweepOf(REQUESTS_MAX))('gives each id once over $what at request $nth', async (struck) => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  const [ids, others] = [new IdAllocator(client, PATH, { block: 3 }), new IdAllocator(other, PATH, { block: 3 })]
  const id = sessionOf(client)
  strike(rig, struck.fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', struck.nth)
  const given: bigint[] = []
  for (let round = 0; round < 5; round += 1) given.push(...(await run(Promise.all([ids.next(), others.next()]))))
  expect(new Set(given).size).toBe(given.length)
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('takes a block of ids for all who wait, and gives them without a request', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const ids = new IdAllocator(client, PATH, { block: 10 })
  const given = await run(Promise.all(Array.from({ length: 10 }, () => ids.next())))
  expect(given).toEqual(Array.from({ length: 10 }, (_, index) => BigInt(index)))
  expect(await bytesAt(client)).toEqual([0, 0, 0, 0, 0, 0, 0, 10])
  rig.control.resetCounts()
  expect(await run(ids.next())).toBe(10n)
  expect(rig.control.requestCount()).toBeGreaterThan(0)
  rig.control.resetCounts()
  expect(await run(ids.next())).toBe(11n)
  expect(rig.control.requestCount()).toBe(0)
  expect(await run(new IdAllocator(client, PATH, { block: 10 }).next())).toBe(20n)
  expect(await closeAll(rig, client)).toEqual([])
})
