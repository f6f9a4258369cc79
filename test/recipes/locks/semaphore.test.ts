/** Who gets permits, in which order, and how many there are. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import type { Lease } from '../../../src/recipes/engine/lease.ts'
import { lossReason } from '../../../src/recipes/engine/ownership.ts'
import { Semaphore } from '../../../src/recipes/locks/semaphore.ts'
import type { PermitOptions } from '../../../src/recipes/locks/semaphore.ts'
import { ROUND_TRIP_MS, SESSION_TIMEOUT_MS, closeAll, codeOf, ephemerals, failureOf, interrupt } from '../rig.ts'
import { newRig, nodesUnder, pass, run, sessionOf, stateOf, strike, sweepOf, useVirtualTime } from '../rig.ts'
import type { Rig } from '../rig.ts'

useVirtualTime()

const PATH = '/limits/imports'
const PERMITS = 3
const SETTLE_MS = 20 * ROUND_TRIP_MS

interface Asking {
  readonly client: Client
  readonly acquiring: Promise<Lease>
}

function semaphore(client: Client, permits = PERMITS): Semaphore {
  return new Semaphore(client, PATH, { permits })
}

/** Clients that ask one after the other, each for so many permits. */
async function lineOf(rig: Rig, counts: readonly number[], options: PermitOptions = {}): Promise<Asking[]> {
  const line: Asking[] = []
  for (const permits of counts) {
    const client = await rig.connect()
    const acquiring = semaphore(client).acquire({ permits, ...options })
    acquiring.catch(() => undefined)
    line.push({ client, acquiring })
    await pass(SETTLE_MS)
  }
  return line
}

async function held(line: readonly Asking[]): Promise<boolean[]> {
  return Promise.all(line.map(async ({ acquiring }) => (await stateOf(acquiring)) === 'fulfilled'))
}

async function release(asking: Asking | undefined): Promise<void> {
  if (asking === undefined) throw new Error('nobody is there')
  await run((await run(asking.acquiring)).release())
  await pass(SETTLE_MS)
}

function close(rig: Rig, line: readonly Asking[]): Promise<string[]> {
  return closeAll(rig, ...line.map(({ client }) => client))
}

it('gives out as many permits as there are, and the next ones in the order of asking', async () => {
  const rig = newRig()
  const line = await lineOf(rig, [1, 1, 1, 1, 1, 1])
  expect(await held(line)).toEqual([true, true, true, false, false, false])
  for (const [count, index] of [1, 0, 3].entries()) {
    await release(line[index])
    expect(await held(line)).toEqual(line.map((_, place) => place < PERMITS + count + 1))
  }
  const tokens = await Promise.all(line.map(async ({ acquiring }) => (await acquiring).token))
  expect(tokens).toEqual([...tokens].sort((a, b) => Number(a - b)))
  expect(await close(rig, line)).toEqual([])
  expect(rig.errors).toEqual([])
})

it('gives many permits to one together, whom those who want fewer do not pass', async () => {
  const rig = newRig()
  const line = await lineOf(rig, [1, 1, 3, 1])
  expect(await held(line)).toEqual([true, true, false, false])
  await release(line[0])
  expect(await held(line)).toEqual([true, true, false, false])
  await release(line[1])
  expect(await held(line)).toEqual([true, true, true, false])
  const all = await run((line[2] as Asking).acquiring)
  expect([all.state, nodesUnder(rig, `${PATH}/leases`).length]).toEqual(['held', PERMITS + 1])
  await release(line[2])
  expect([all.state, await held(line)]).toEqual(['released', [true, true, true, true]])
  expect(await close(rig, line)).toEqual([])
})

it('a release wakes the first in line, and then the next one to take its place; nobody else', async () => {
  const rig = newRig()
  const line = await lineOf(rig, [1, 1, 1, 1, 1, 1, 1, 1])
  rig.control.resetCounts()
  await release(line[0])
  expect((await held(line)).filter(Boolean)).toHaveLength(PERMITS + 1)
  const events = line.slice(PERMITS).map(({ client }) => rig.control.eventCount(sessionOf(client)))
  expect(events.slice(2)).toEqual([0, 0, 0])
  expect(events[1]).toBeGreaterThan(0)
  expect(await close(rig, line)).toEqual([])
})

it('takes three round trips when permits are free', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run((await run(semaphore(client).acquire())).release())
  for (const permits of [1, 3]) {
    const startMs = performance.now()
    const lease = await run(semaphore(client).acquire({ permits }))
    expect(performance.now() - startMs).toBe(3 * ROUND_TRIP_MS)
    await run(lease.release())
  }
  expect(await closeAll(rig, client)).toEqual([])
})

it('does not count the first in line among the holders, nor one who held before among those who wait', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const held = await run(semaphore(client).acquire({ permits: 2 }))
  await run(semaphore(client).setPermits(2))
  const next = semaphore(client).acquire()
  await pass(10 * ROUND_TRIP_MS)
  const counted = async (): Promise<number[]> => {
    const [holders, waiting] = await Promise.all([semaphore(client).holders(), semaphore(client).waiting()])
    return [holders.length, waiting.length]
  }
  expect(await run(counted())).toEqual([2, 1])
  // More are held than there are from now on.
  await run(semaphore(client).setPermits(1))
  expect((await run(semaphore(client).holders())).length).toBeGreaterThanOrEqual(1)
  await run(held.release())
  expect(await run(next)).toHaveProperty('state', 'held')
  expect(await run(counted())).toEqual([1, 0])
  expect(await closeAll(rig, client)).toEqual([])
})

it('leaves the nodes that Curator has, and the number of permits as a SharedCount', async () => {
  const rig = newRig()
  const line = await lineOf(rig, [2, 1, 1])
  const names = nodesUnder(rig, PATH).map((path) => path.slice(PATH.length))
  const uuid = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
  const lease = new RegExp(`^/leases/_c_${uuid}-lease-\\d{10}$`)
  // Whoever is first in line has its node among the permits already.
  expect(names.filter((name) => lease.test(name))).toHaveLength(4)
  expect(names.filter((name) => new RegExp(`^/locks/_c_${uuid}-lock-\\d{10}$`).test(name))).toHaveLength(1)
  expect(names).toHaveLength(4 + 1 + ['locks', 'leases', 'permits'].length)
  const { data } = await run((line[0] as Asking).client.get(`${PATH}/permits`))
  expect([...data]).toEqual([0, 0, 0, PERMITS])
  expect(await close(rig, line)).toEqual([])
})

it('counts what others have put among the permits, as Curator does', async () => {
  const rig = newRig()
  const [client, java] = [await rig.connect(), await rig.connect()]
  await run(client.makePath(`${PATH}/leases`))
  const prefix = `${PATH}/leases/_c_11111111-2222-4333-8444-555555555555-lease-`
  const theirs = await run(java.create(prefix, '', { mode: 'ephemeral-sequential' }))
  expect(await run(semaphore(client).tryAcquire({ permits: 3 }))).toBeNull()
  const waiting = semaphore(client).acquire({ permits: 3 })
  await pass(SETTLE_MS)
  expect(await stateOf(waiting)).toBe('pending')
  await run(java.delete(theirs.path))
  expect((await run(waiting)).state).toBe('held')
  expect(await closeAll(rig, client, java)).toEqual([])
})

it('tried, is had if it is free, and else gives null and makes nothing', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  expect((await run(semaphore(a).tryAcquire({ permits: 2 })))?.state).toBe('held')
  const before = rig.control.nodes()
  rig.control.resetCounts()
  expect(await run(semaphore(b).tryAcquire({ permits: 2 }))).toBeNull()
  expect(rig.control.nodes()).toEqual(before)
  expect(rig.control.requestCount({ kind: 'create' })).toBe(0)
  expect((await run(semaphore(b).tryAcquire()))?.state).toBe('held')
  expect(codeOf(await failureOf(semaphore(b).acquire({ waitMs: 0 })))).toBe('TIMEOUT/aborted')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('more permits for all wake the first in line, and fewer take nothing back', async () => {
  const rig = newRig()
  const line = await lineOf(rig, [1, 1, 1, 1, 1])
  const admin = await rig.connect()
  const control = semaphore(admin)
  await run(control.setPermits(4))
  await pass(SETTLE_MS)
  expect(await held(line)).toEqual([true, true, true, true, false])
  await run(control.setPermits(2))
  expect(await run(control.permits())).toBe(2)
  for (const [index, expected] of [[0, false], [1, false], [2, true]] as const) {
    await release(line[index])
    expect((await held(line)).at(-1)).toBe(expected)
  }
  // Only one of them had not read the number before it was changed.
  expect(rig.errors.map(String)).toEqual([expect.stringMatching(/has 4 permits .* made with 3: the 4 rule/)])
  expect(await closeAll(rig, admin, ...line.map(({ client }) => client))).toEqual([])
})

it('a client that was made with another number follows the one there is, and is told both, once', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(semaphore(a, 1).acquire())
  const other = semaphore(b, 5)
  expect(await run(other.tryAcquire())).toBeNull()
  expect(codeOf(await failureOf(other.acquire({ waitMs: 500 })))).toBe('TIMEOUT/aborted')
  expect(codeOf(await failureOf(other.acquire({ waitMs: 500 })))).toBe('TIMEOUT/aborted')
  expect(rig.errors.map(String)).toEqual([expect.stringMatching(/has 1 permits .* made with 5: the 1 rule/)])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('refuses to wait for more permits than there are, also when they become fewer', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const over = { permits: 4 }
  expect(codeOf(await failureOf(semaphore(a).acquire(over)))).toBe('INVALID_VALUE/rejected')
  expect(codeOf(await failureOf(semaphore(a).tryAcquire(over)))).toBe('INVALID_VALUE/rejected')
  await run(semaphore(a).acquire())
  const waiting = failureOf(semaphore(b).acquire({ permits: 3 }))
  await run(semaphore(a).setPermits(2))
  expect(String(await waiting)).toMatch(/3 permits of \/limits\/imports can never be had: it has 2/)
  await pass(SETTLE_MS)
  expect(ephemerals(rig)).toHaveLength(1)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('says what is wrong with the number of permits, and with a node that is none', async () => {
  const rig = newRig()
  const client = await rig.connect()
  for (const permits of [0, 1.5, -1]) expect(() => semaphore(client, permits)).toThrow(RangeError)
  expect(() => new Semaphore(client, PATH, {} as { permits: number })).toThrow(TypeError)
  expect(await failureOf(semaphore(client).acquire({ permits: 0 }))).toBeInstanceOf(RangeError)
  await run(client.makePath(PATH, { mode: 'persistent' }))
  await run(client.create(`${PATH}/permits`, 'three'))
  expect(codeOf(await failureOf(semaphore(client).acquire()))).toBe('INVALID_VALUE/corrupt')
  expect(codeOf(await failureOf(semaphore(client).permits()))).toBe('INVALID_VALUE/corrupt')
  expect(await closeAll(rig, client)).toEqual([])
})

it('one of several permits that is lost makes the lease lost, and its release gives the others back', async () => {
  const rig = newRig()
  const [client, admin] = [await rig.connect(), await rig.connect()]
  const lease = await run(semaphore(client).acquire({ permits: 3 }))
  await run(admin.delete(nodesUnder(rig, `${PATH}/leases`)[1] as string))
  await pass(SETTLE_MS)
  expect([lease.state, lossReason(lease.signal)]).toEqual(['lost', 'node-deleted'])
  expect(() => lease.throwIfLost()).toThrow(/was lost/)
  await run(lease.release())
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, client, admin)).toEqual([])
})

it.each([0, 1, 2, 3, 4])('goes on when number %i in line dies, or only loses touch', async (victim) => {
  const rig = newRig()
  const line = await lineOf(rig, [2, 1, 2, 1, 1])
  for (const { client } of line) await interrupt(rig, client, 200)
  rig.control.expire(sessionOf((line[victim] as Asking).client))
  await pass(SETTLE_MS)
  for (const [index, asking] of line.entries()) if (index !== victim) await release(asking)
  expect(ephemerals(rig)).toEqual([])
  expect(await close(rig, line)).toEqual([])
})

it('the first in line whose place somebody deletes asks again at the end', async () => {
  const rig = newRig()
  const line = await lineOf(rig, [3, 1, 1])
  const [first] = nodesUnder(rig, `${PATH}/locks`)
  await run((line[0] as Asking).client.delete(first as string))
  await pass(SETTLE_MS)
  expect(await held(line)).toEqual([true, false, false])
  for (const asking of line) await release(asking)
  expect(ephemerals(rig)).toEqual([])
  expect(await close(rig, line)).toEqual([])
})

it('aborted at any moment leaves nothing behind, and the others in line', async () => {
  for (let afterMs = 0; afterMs <= 8 * ROUND_TRIP_MS; afterMs += 5) {
    const rig = newRig()
    const line = await lineOf(rig, afterMs % 2 === 0 ? [3] : [])
    const client = await rig.connect()
    const stop = new AbortController()
    const acquiring = semaphore(client).acquire({ permits: 2, signal: stop.signal })
    const outcome = acquiring.then((lease) => lease.release(), codeOf)
    await pass(afterMs)
    stop.abort()
    expect(['ABORTED/aborted', undefined]).toContain(await run(outcome))
    await pass(SETTLE_MS)
    expect(ephemerals(rig)).toHaveLength(line.length * 3)
    expect(await closeAll(rig, client, ...line.map((one) => one.client))).toEqual([])
  }
})

/** All that one of them sends but the end of its session. */
const REQUESTS = 14

const BREAKS_MS = [0.5, 0.7, 0.9, 1.2].map((part) => part * SESSION_TIMEOUT_MS)
const BREAKS = Array.from({ length: REQUESTS }, (_, index) => {
  return BREAKS_MS.map((forMs) => ({ nth: index + 1, forMs }))
}).flat()

it.each(BREAKS)('permits that are given after $forMs ms without touch at request $nth are held', async (broken) => {
  const { nth, forMs } = broken
  const rig = newRig()
  const client = await rig.connect()
  await run((await run(semaphore(client).acquire())).release())
  const session = sessionOf(client)
  let seen = 0
  rig.control.onRequest(({ sessionId, kind }) => {
    if (sessionId !== session || kind === 'close' || (seen += 1) !== nth) return undefined
    rig.control.disconnect(session)
    setTimeout(() => rig.control.reconnect(session), forMs)
    return undefined
  })
  const given = semaphore(client).acquire({ permits: 2, onSessionLoss: 'queue-again' }).then((lease) => {
    expect(lease.leaseDeadlineMs - performance.now()).toBeGreaterThan(SESSION_TIMEOUT_MS / 6)
    return lease
  })
  await run((await run(given)).release())
  await pass(forMs)
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(sweepOf(REQUESTS))('who is struck by $what at request $nth holds up nobody', async (sweep) => {
  const rig = newRig()
  const line = await lineOf(rig, [2])
  const struck = await rig.connect()
  const session = sessionOf(struck)
  strike(rig, sweep.fate, ({ sessionId, kind }) => sessionId === session && kind !== 'close', sweep.nth)
  const acquiring = semaphore(struck).acquire({ permits: 2, onSessionLoss: 'queue-again' })
  await pass(ROUND_TRIP_MS)
  const late = await rig.connect()
  const last = semaphore(late).acquire({ permits: 2 })
  const all = [...line, { client: struck, acquiring }, { client: late, acquiring: last }]
  let taken = 0
  const served = all.map(async ({ acquiring: one }) => {
    const lease = await one
    expect(lease.state).toBe('held')
    taken += 2
    expect(taken).toBeLessThanOrEqual(PERMITS)
    await pass(0)
    taken -= 2
    await lease.release()
  })
  await run(Promise.all(served))
  await pass(SESSION_TIMEOUT_MS)
  expect(ephemerals(rig)).toEqual([])
  expect(await close(rig, all)).toEqual([])
})

it('a lease of several permits is checked part by part, and says so', async () => {
  const rig = newRig()
  const [client, operator] = [await rig.connect(), await rig.connect()]
  await run(client.create('/guarded'))
  const lease = await run(semaphore(client).acquire({ permits: 2 }))
  expect(() => lease.check()).toThrow(/^this lease of \/limits\/imports has 2 parts, .*\.\.\.lease\.parts\.map/)
  const write = (): Promise<unknown> => {
    const set = { type: 'set', path: '/guarded', data: new Uint8Array([1]), version: -1 } as const
    return client.multi([...lease.parts.map((part) => part.check()), set])
  }
  await run(write())
  await run(operator.delete(lease.parts[1]?.path ?? ''))
  expect(codeOf(await failureOf(write()))).toBe('NO_NODE/rejected')
  await run(lease.release())
  expect(await closeAll(rig, client, operator)).toEqual([])
})
