/** The order of a fair lock, and what it costs. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import type { Lease } from '../../../src/recipes/engine/lease.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, ephemerals, failureOf, newRig, nodesUnder } from '../rig.ts'
import type { Rig } from '../rig.ts'
import { pass, run, sessionOf, stateOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/locks/orders'

interface Waiter {
  readonly client: Client
  readonly acquiring: Promise<Lease>
}

/** Clients that ask one after the other; the first one holds. */
async function queueOf(rig: Rig, length: number): Promise<Waiter[]> {
  const waiters: Waiter[] = []
  for (let i = 0; i < length; i += 1) {
    const client = await rig.connect()
    const acquiring = new FairLock(client, PATH).acquire({ data: `client ${String(i)}` })
    acquiring.catch(() => undefined)
    waiters.push({ client, acquiring })
    await pass(6 * ROUND_TRIP_MS)
  }
  return waiters
}

async function closeQueue(rig: Rig, waiters: readonly Waiter[]): Promise<string[]> {
  return closeAll(rig, ...waiters.map(({ client }) => client))
}

it('serves contenders in the order in which they asked', async () => {
  const rig = newRig()
  const waiters = await queueOf(rig, 6)
  const tokens: bigint[] = []
  for (const { acquiring } of waiters) {
    const lease = await run(acquiring)
    tokens.push(lease.token)
    await run(lease.release())
  }
  expect(tokens).toEqual([...tokens].sort((a, b) => Number(a - b)))
  expect(await closeQueue(rig, waiters)).toEqual([])
})

it('takes one round trip when nobody contends', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const lock = new FairLock(client, PATH)
  await run((await run(lock.acquire())).release())
  const startMs = performance.now()
  await run(lock.acquire())
  expect(performance.now() - startMs).toBe(ROUND_TRIP_MS)
  expect(await closeAll(rig, client)).toEqual([])
})

it('wakes exactly one of many waiters at a release, with one event and no read', async () => {
  const rig = newRig()
  const waiters = await queueOf(rig, 12)
  const first = await run((waiters[0] as Waiter).acquiring)
  rig.control.resetCounts()
  await run(first.release())
  const second = await run((waiters[1] as Waiter).acquiring)
  await pass(1_000)
  expect(second.state).toBe('held')
  const others = waiters.slice(1).map(({ client }) => rig.control.eventCount(sessionOf(client)))
  expect(others).toEqual([1, ...Array.from({ length: 10 }, () => 0)])
  // The release alone.
  expect(rig.control.requestCount({ kind: 'multi' })).toBe(1)
  expect(rig.control.requestCount()).toBe(1)
  expect(await closeQueue(rig, waiters)).toEqual([])
})

it('takes one read at most from holder to holder, however many came before', async () => {
  const rig = newRig()
  const waiters = await queueOf(rig, 8)
  const reads: number[] = []
  for (const [index, { acquiring }] of waiters.entries()) {
    const lease = await run(acquiring)
    await pass(6 * ROUND_TRIP_MS)
    if (index > 0) reads.push(rig.control.requestCount({ sessionId: sessionOf((waiters[index] as Waiter).client) }))
    rig.control.resetCounts()
    await run(lease.release())
  }
  // Those who came third and later have heard of nobody but the one before them.
  expect(reads).toEqual([0, 1, 1, 1, 1, 1, 1])
  expect(await closeQueue(rig, waiters)).toEqual([])
})

it('goes on past a waiter that dies, whichever it is', async () => {
  for (let victim = 1; victim < 4; victim += 1) {
    const rig = newRig()
    const waiters = await queueOf(rig, 4)
    rig.control.expire(sessionOf((waiters[victim] as Waiter).client))
    await pass(10 * ROUND_TRIP_MS)
    const served: number[] = []
    for (const [index, { acquiring }] of waiters.entries()) {
      if (index === victim) continue
      await run((await run(acquiring)).release())
      served.push(index)
    }
    expect(served).toHaveLength(3)
    expect(codeOf(await failureOf((waiters[victim] as Waiter).acquiring))).toBe('SESSION_EXPIRED/session-over')
    expect(await closeQueue(rig, waiters)).toEqual([])
  }
})

it('goes on when the holder dies', async () => {
  const rig = newRig()
  const waiters = await queueOf(rig, 2)
  rig.control.expire(sessionOf((waiters[0] as Waiter).client))
  const lease = await run((waiters[1] as Waiter).acquiring)
  expect(lease.state).toBe('held')
  expect(await closeQueue(rig, waiters)).toEqual([])
})

it('lists holder and waiters with position, time and data', async () => {
  const rig = newRig()
  const waiters = await queueOf(rig, 3)
  const list = await run(new FairLock((waiters[2] as Waiter).client, PATH).contenders())
  expect(list.map(({ position, holds, kind }) => [position, holds, kind])).toEqual([
    [0, true, 'lock'],
    [1, false, 'lock'],
    [2, false, 'lock'],
  ])
  expect(list.map(({ data }) => new TextDecoder().decode(data))).toEqual(['client 0', 'client 1', 'client 2'])
  expect(list.map(({ sessionId }) => sessionId)).toEqual(waiters.map(({ client }) => sessionOf(client)))
  expect(list.map(({ sinceMs }) => sinceMs)).toEqual([...list.map(({ sinceMs }) => sinceMs)].sort((a, b) => a - b))
  expect(list[0]?.token).toBe((await run((waiters[0] as Waiter).acquiring)).token)
  expect(await closeQueue(rig, waiters)).toEqual([])
})

it('lists nobody where there is no lock', async () => {
  const rig = newRig()
  const client = await rig.connect()
  expect(await run(new FairLock(client, '/locks/none').contenders())).toEqual([])
  expect(await closeAll(rig, client)).toEqual([])
})

it('queues again at the end when somebody deletes the node of a waiter', async () => {
  const rig = newRig()
  const waiters = await queueOf(rig, 3)
  const [, second, third] = waiters as [Waiter, Waiter, Waiter]
  const list = await run(new FairLock(second.client, PATH).contenders())
  await run(third.client.delete(list[1]?.path ?? ''))
  await pass(20 * ROUND_TRIP_MS)
  const after = await run(new FairLock(second.client, PATH).contenders())
  expect(after.map(({ sessionId }) => sessionId)).toEqual(
    [waiters[0] as Waiter, third, second].map(({ client }) => sessionOf(client)),
  )
  await run((await run((waiters[0] as Waiter).acquiring)).release())
  expect(await stateOf(second.acquiring)).toBe('pending')
  await run((await run(third.acquiring)).release())
  expect((await run(second.acquiring)).state).toBe('held')
  expect(await closeQueue(rig, waiters)).toEqual([])
})

it('queues again when the node of a waiter, whose node goes together with the holder\'s, is gone', async () => {
  const rig = newRig()
  const waiters = await queueOf(rig, 3)
  const [first, second, third] = waiters as [Waiter, Waiter, Waiter]
  const list = await run(new FairLock(second.client, PATH).contenders())
  const gone = [list[1]?.path ?? '', list[0]?.path ?? '']
  await run(third.client.multi(gone.map((path) => ({ type: 'delete', path, version: -1 }))))
  await pass(20 * ROUND_TRIP_MS)
  expect((await run(first.acquiring)).state).toBe('lost')
  expect(await stateOf(second.acquiring)).toBe('pending')
  await run((await run(third.acquiring)).release())
  const lease = await run(second.acquiring)
  expect([lease.state, gone.includes(lease.path)]).toEqual(['held', false])
  expect(await closeQueue(rig, waiters)).toEqual([])
})

it('lets nodes of other names under its path alone', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(client.makePath(PATH, { mode: 'persistent' }))
  await run(client.create(`${PATH}/readme`, 'not a contender'))
  await run(client.create(`${PATH}/0000000000`, 'nor this'))
  expect((await run(new FairLock(client, PATH).acquire())).state).toBe('held')
  expect(nodesUnder(rig, PATH)).toContain(`${PATH}/readme`)
  expect(await closeAll(rig, client)).toEqual([])
})

it('lists again when its predecessor is gone between the list and the watch', async () => {
  const rig = newRig()
  const waiters = await queueOf(rig, 1)
  const holder = await run((waiters[0] as Waiter).acquiring)
  const late = await rig.connect()
  let releasing: Promise<void> | null = null
  rig.control.onRequest(({ kind, path, sessionId }) => {
    const isWatch = kind === 'children' && path === holder.path && sessionId === sessionOf(late)
    if (!isWatch || releasing !== null) return undefined
    releasing = holder.release()
    return { delayMs: 100 }
  })
  const lease = await run(new FairLock(late, PATH).acquire())
  expect(lease.state).toBe('held')
  expect(releasing).not.toBeNull()
  expect(rig.control.watchCount(sessionOf(late))).toBe(1)
  expect(ephemerals(rig)).toEqual([lease.path])
  expect(await closeAll(rig, (waiters[0] as Waiter).client, late)).toEqual([])
})

it('refuses a path that is none', async () => {
  const rig = newRig()
  const client = await rig.connect()
  expect(() => new FairLock(client, 'locks')).toThrow(TypeError)
  expect(await closeAll(rig, client)).toEqual([])
})
