/** The engine with a rule by which any change of the queue may admit a contender: a semaphore for tests. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import type { Lease } from '../../../src/recipes/engine/lease.ts'
import { closeAll, codeOf, ephemerals, failureOf, interrupt, newRig, pass, run, sessionOf, strike } from '../rig.ts'
import type { Rig } from '../rig.ts'
import { ROUND_TRIP_MS, stateOf, sweepOf, useVirtualTime } from '../rig.ts'
import { semaphore } from './semaphore.ts'

useVirtualTime()

const PATH = '/permits'
const PERMITS = 2
const SETTLE_MS = 12 * ROUND_TRIP_MS

interface Waiter {
  readonly client: Client
  readonly acquiring: Promise<Lease>
}

/** Clients that ask one after the other. */
async function lineOf(rig: Rig, length: number): Promise<Waiter[]> {
  const waiters: Waiter[] = []
  for (let i = 0; i < length; i += 1) {
    const client = await rig.connect()
    const acquiring = semaphore(client, PATH, PERMITS).acquire({})
    acquiring.catch(() => undefined)
    waiters.push({ client, acquiring })
    await pass(SETTLE_MS)
  }
  return waiters
}

async function served(waiters: readonly Waiter[]): Promise<boolean[]> {
  return Promise.all(waiters.map(async ({ acquiring }) => (await stateOf(acquiring)) === 'fulfilled'))
}

function close(rig: Rig, waiters: readonly Waiter[]): Promise<string[]> {
  return closeAll(rig, ...waiters.map(({ client }) => client))
}

it('admits as many as the rule says, and the others in the order in which they asked', async () => {
  const rig = newRig()
  const waiters = await lineOf(rig, 6)
  expect(await served(waiters)).toEqual([true, true, false, false, false, false])
  for (const [released, index] of [1, 0, 3, 2].entries()) {
    await run((await run((waiters[index] as Waiter).acquiring)).release())
    await pass(SETTLE_MS)
    expect(await served(waiters)).toEqual(waiters.map((_, place) => place < PERMITS + released + 1))
  }
  expect(ephemerals(rig)).toHaveLength(PERMITS)
  expect(await close(rig, waiters)).toEqual([])
})

it('wakes the first in line at a release, and the one after it to take its place; nobody else', async () => {
  const rig = newRig()
  const waiters = await lineOf(rig, 12)
  const first = await run((waiters[0] as Waiter).acquiring)
  rig.control.resetCounts()
  await run(first.release())
  await pass(SETTLE_MS)
  expect((await served(waiters)).filter(Boolean)).toHaveLength(3)
  const events = waiters.slice(3).map(({ client }) => rig.control.eventCount(sessionOf(client)))
  expect(events).toEqual([1, ...Array.from({ length: 8 }, () => 0)])
  expect(await close(rig, waiters)).toEqual([])
})

it('one who leaves the line, as the first or in the middle of it, leaves the others in their order', async () => {
  for (let victim = 2; victim < 6; victim += 1) {
    const rig = newRig()
    const waiters = await lineOf(rig, 6)
    rig.control.expire(sessionOf((waiters[victim] as Waiter).client))
    await pass(SETTLE_MS)
    expect(codeOf(await failureOf((waiters[victim] as Waiter).acquiring))).toBe('SESSION_EXPIRED/session-over')
    for (const [index, { acquiring }] of waiters.entries()) {
      if (index !== victim) await run((await run(acquiring)).release())
    }
    expect(await close(rig, waiters)).toEqual([])
  }
})

it('two releases at once admit two, and the next in line takes its place after them', async () => {
  const rig = newRig()
  const waiters = await lineOf(rig, 5)
  const leases = await Promise.all([0, 1].map((index) => run((waiters[index] as Waiter).acquiring)))
  await run(Promise.all(leases.map((lease) => lease.release())))
  await pass(SETTLE_MS)
  expect(await served(waiters)).toEqual([true, true, true, true, false])
  await run((await run((waiters[3] as Waiter).acquiring)).release())
  await pass(SETTLE_MS)
  expect(await served(waiters)).toEqual([true, true, true, true, true])
  expect(await close(rig, waiters)).toEqual([])
})

it('one who is admitted by its first list calls who came after it and waits for it', async () => {
  const rig = newRig()
  const [holding, late, next] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const leases = [await run(semaphore(holding, PATH, PERMITS).acquire({}))]
  leases.push(await run(semaphore(holding, PATH, PERMITS).acquire({})))
  // The list of the late one is on its way for long: meanwhile the next one sees it wait, and then a permit is free.
  const session = sessionOf(late)
  strike(rig, { delayMs: 500 }, ({ kind, sessionId }) => kind === 'children' && sessionId === session)
  const second = semaphore(late, PATH, PERMITS).acquire({})
  await pass(2 * ROUND_TRIP_MS)
  const third = semaphore(next, PATH, PERMITS).acquire({})
  await pass(2 * SETTLE_MS)
  await run((leases[0] as Lease).release())
  await run(second)
  await pass(SETTLE_MS)
  expect(await stateOf(third)).toBe('pending')
  await run((leases[1] as Lease).release())
  expect((await run(third)).state).toBe('held')
  expect(await closeAll(rig, holding, late, next)).toEqual([])
})

it('a node in line that somebody has written to is not waited for, and nobody is left behind', async () => {
  const rig = newRig()
  const waiters = await lineOf(rig, 4)
  const names = ephemerals(rig).sort((a, b) => Number(a.slice(-10)) - Number(b.slice(-10)))
  const admin = await rig.connect()
  await run(admin.set(names[2] as string, 'by hand'))
  await pass(SETTLE_MS)
  rig.control.resetCounts()
  await pass(10 * SETTLE_MS)
  expect(rig.control.requestCount({ kind: 'children' }) + rig.control.requestCount({ kind: 'get' })).toBe(0)
  for (const { acquiring } of waiters) await run((await run(acquiring)).release())
  expect(await closeAll(rig, admin, ...waiters.map(({ client }) => client))).toEqual([])
})

it('goes on after an interruption of any length', async () => {
  const rig = newRig()
  const waiters = await lineOf(rig, 5)
  for (const { client } of waiters.slice(2)) await interrupt(rig, client, 300)
  for (const { acquiring } of waiters) await run((await run(acquiring)).release())
  expect(await close(rig, waiters)).toEqual([])
})

it('many of one client are served in order', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const order: number[] = []
  let holders = 0
  let most = 0
  const waits = Array.from({ length: 60 }, async (_, index) => {
    const lease = await semaphore(client, PATH, PERMITS).acquire({})
    order.push(index)
    holders += 1
    most = Math.max(most, holders)
    await pass(0)
    holders -= 1
    await lease.release()
  })
  await run(Promise.all(waits))
  // Those who are admitted by one list may get their leases in any order.
  for (const [place, index] of order.entries()) expect(index).toBeLessThan(place + PERMITS)
  expect(most).toBe(PERMITS)
  expect(await closeAll(rig, client)).toEqual([])
})

/** All that one of them sends but the end of its session. */
const REQUESTS = 10

it.each(sweepOf(REQUESTS))('who is struck by $what at request $nth keeps nobody waiting', async ({ fate, nth }) => {
  const rig = newRig()
  const waiters = await lineOf(rig, 3)
  const struck = await rig.connect()
  const session = sessionOf(struck)
  strike(rig, fate, ({ sessionId }) => sessionId === session, nth)
  const acquiring = semaphore(struck, PATH, PERMITS).acquire({ onSessionLoss: 'queue-again' })
  await pass(ROUND_TRIP_MS)
  const late = await rig.connect()
  const last = semaphore(late, PATH, PERMITS).acquire({})
  for (const { acquiring: one } of waiters) {
    await pass(SETTLE_MS)
    await run((await run(one)).release())
  }
  for (const one of [acquiring, last]) await run((await run(one)).release())
  expect(await closeAll(rig, struck, late, ...waiters.map(({ client }) => client))).toEqual([])
})
