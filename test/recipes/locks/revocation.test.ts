/** Holders are asked to give up, or made to: on every lock that stands on contenders, and nobody else than is meant. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { connect } from '../../../src/core/connect.ts'
import type { ContendOptions } from '../../../src/recipes/engine/acquire-options.ts'
import type { ContenderInfo } from '../../../src/recipes/engine/contenders.ts'
import type { Lease } from '../../../src/recipes/engine/lease.ts'
import { lossReason } from '../../../src/recipes/engine/ownership.ts'
import type { ContenderRef, RevokeOptions } from '../../../src/recipes/engine/revocation.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { ReadWriteLock } from '../../../src/recipes/locks/read-write-lock.ts'
import { ReentrantLock } from '../../../src/recipes/locks/reentrant-lock.ts'
import { Semaphore } from '../../../src/recipes/locks/semaphore.ts'
import { behindBackend } from '../behind.ts'
import { ROUND_TRIP_MS, closeAll, interrupt, newRig, nodesUnder, pass, run, stateOf, strike } from '../rig.ts'
import { useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/locks/orders'

/** A lock whose leases can be revoked. */
interface Revocable {
  acquire(options?: ContendOptions): Promise<Lease>
  revoke(options?: RevokeOptions): Promise<ContenderInfo[]>
  evict(contender: ContenderRef): Promise<void>
}

const LOCKS: [string, (client: Client) => Revocable][] = [
  ['FairLock', (client) => new FairLock(client, PATH)],
  ['FairLock with the names of kazoo', (client) => new FairLock(client, PATH, { layout: 'kazoo' })],
  ['the reader of a ReadWriteLock', (client) => new ReadWriteLock(client, PATH).reader],
  ['the writer of a ReadWriteLock', (client) => new ReadWriteLock(client, PATH).writer],
  ['ReentrantLock', (client) => new ReentrantLock(client, PATH)],
  ['Semaphore', (client) => new Semaphore(client, PATH, { permits: 1 })],
]

/** The reasons of the requests to a lease, as they come. */
function heardBy(lease: Lease): string[] {
  const heard: string[] = []
  lease.onRevoke(({ reason }) => void heard.push(reason))
  return heard
}

it.each(LOCKS)('a holder of %s is asked, hears the reason, and goes on to hold until it releases', async (_, make) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const lease = await run(make(a).acquire({ revocable: true, data: 'a' }))
  const heard = heardBy(lease)
  const asked = await run(make(b).revoke({ reason: 'a deploy' }))
  await pass(ROUND_TRIP_MS)
  expect(asked.map(({ path, holds }) => ({ path, holds }))).toEqual([{ path: lease.path, holds: true }])
  expect([heard, lease.state]).toEqual([['a deploy'], 'held'])
  await run(make(b).revoke())
  await pass(ROUND_TRIP_MS)
  expect(heard).toEqual(['a deploy', ''])
  await run(lease.release())
  expect(await run(make(b).revoke())).toEqual([])
  expect(heard).toEqual(['a deploy', ''])
  expect([await closeAll(rig, a, b), rig.errors]).toEqual([[], []])
})

it.each(LOCKS)('a contender of %s is evicted: its lease is lost, and the next one holds', async (_, make) => {
  const rig = newRig()
  const [a, b, operator] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const lease = await run(make(a).acquire())
  await run(make(operator).evict(lease))
  await pass(ROUND_TRIP_MS)
  expect([lossReason(lease.signal), lease.state]).toEqual(['node-deleted', 'lost'])
  const next = await run(make(b).acquire())
  await run(make(operator).evict(lease))
  await pass(ROUND_TRIP_MS)
  expect(next.state).toBe('held')
  await run(next.release())
  expect([await closeAll(rig, a, b, operator), rig.errors]).toEqual([[], []])
})

it.each(LOCKS)('a node that came to the place of the one that was listed is not touched by %s', async (_, make) => {
  const rig = newRig()
  const [a, b, c] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const lease = await run(make(a).acquire({ revocable: true }))
  await run(b.delete(lease.path))
  await pass(ROUND_TRIP_MS)
  await run(c.create(lease.path, 'another', { mode: 'ephemeral' }))
  const { path, token } = lease
  expect(await run(make(b).revoke({ contender: { path, token } }))).toEqual([])
  await run(make(b).evict({ path, token }))
  expect(new TextDecoder().decode((await run(b.get(path))).data)).toBe('another')
  await run(c.close())
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('the node is compared at the instant of the request, not when the queue was listed', async () => {
  const rig = newRig()
  const [a, b, c] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const lock = new FairLock(b, PATH)
  const lease = await run(new FairLock(a, PATH).acquire({ revocable: true }))
  const struck = strike(rig, { delayMs: 300 }, ({ sessionId, kind }) => sessionId === b.sessionId && kind === 'multi')
  const revoking = lock.revoke({ reason: 'late' })
  await pass(10 * ROUND_TRIP_MS)
  expect([struck.isMet, await stateOf(revoking)]).toEqual([true, 'pending'])
  await run(c.delete(lease.path))
  await run(c.create(lease.path, 'another', { mode: 'ephemeral' }))
  expect(await run(revoking)).toEqual([])
  expect(new TextDecoder().decode((await run(c.get(lease.path))).data)).toBe('another')
  expect(await closeAll(rig, a, b, c)).toEqual([])
})

it('who holds by now is asked also through a server that is behind', async () => {
  const rig = newRig()
  const { backend, fallBehind } = behindBackend(rig.backend)
  const [a, b] = [await rig.connect(), await run(connect(backend))]
  const [mine, theirs] = [new FairLock(a, PATH), new FairLock(b, PATH)]
  await run((await run(mine.acquire())).release())
  expect(await run(theirs.revoke())).toEqual([])
  fallBehind()
  const lease = await run(mine.acquire({ revocable: true }))
  expect(await run(theirs.contenders())).toEqual([])
  const heard = heardBy(lease)
  expect((await run(theirs.revoke({ reason: 'a deploy' }))).map(({ path }) => path)).toEqual([lease.path])
  await pass(ROUND_TRIP_MS)
  expect(heard).toEqual(['a deploy'])
  await run(lease.release())
  expect([await closeAll(rig, a, b), rig.errors]).toEqual([[], []])
})

it('one who waits can be asked, and hears it when it holds', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [mine, theirs] = [new FairLock(a, PATH), new FairLock(b, PATH)]
  const lease = await run(mine.acquire())
  const waiting = theirs.acquire({ revocable: true })
  await pass(5 * ROUND_TRIP_MS)
  const [, second] = await run(mine.contenders())
  if (second === undefined) throw new Error('nobody waits')
  const asked = await run(mine.revoke({ contender: second, reason: 'hurry' }))
  expect(asked.map(({ path }) => path)).toEqual([second.path])
  await run(lease.release())
  const next = await run(waiting)
  const heard = heardBy(next)
  await pass(0)
  expect([heard, next.path]).toEqual([['hurry'], second.path])
  await run(next.release())
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('a request that comes while no server is in touch is heard after it', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const lease = await run(new FairLock(a, PATH).acquire({ revocable: true }))
  const heard = heardBy(lease)
  rig.control.disconnect(a.sessionId ?? 0n)
  await run(new FairLock(b, PATH).revoke({ reason: 'meanwhile' }))
  await pass(1_000)
  expect(heard).toEqual([])
  rig.control.reconnect(a.sessionId ?? 0n)
  await pass(5 * ROUND_TRIP_MS)
  expect([heard, lease.state]).toEqual([['meanwhile'], 'held'])
  await interrupt(rig, a, 1_000)
  await pass(5 * ROUND_TRIP_MS)
  expect(heard).toEqual(['meanwhile'])
  await run(lease.release())
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('Curator\'s word is a request, and other data are none', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const lease = await run(new FairLock(a, PATH).acquire({ revocable: true, data: '__REVOKE__' }))
  const heard = heardBy(lease)
  for (const data of ['', 'revoke', '__REVOKE__x', '__REVOKE__', '__REVOKE__']) {
    await run(b.set(lease.path, data))
    await pass(ROUND_TRIP_MS)
  }
  expect(heard).toEqual(['', ''])
  await run(new FairLock(b, PATH).revoke())
  const { data } = await run(b.get(lease.path))
  expect(Buffer.from(data).toString('hex')).toBe('5f5f5245564f4b455f5f')
  await run(lease.release())
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('the readers that hold are asked, and no writer, no waiter and nobody who came after', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [lock, other] = [new ReadWriteLock(a, PATH), new ReadWriteLock(b, PATH)]
  const { reader: side } = lock
  const leases = [await run(side.acquire({ revocable: true })), await run(side.acquire({ revocable: true }))]
  const heard = leases.map(heardBy)
  const writing = lock.writer.acquire({ revocable: true })
  await pass(5 * ROUND_TRIP_MS)
  expect(await run(other.writer.revoke())).toEqual([])
  expect(await run(other.reader.revoke({ reason: 'one' }))).toHaveLength(2)
  expect(await run(other.revoke({ reason: 'two' }))).toHaveLength(2)
  await pass(ROUND_TRIP_MS)
  expect(heard).toEqual([['one', 'two'], ['one', 'two']])
  await Promise.all(leases.map((lease) => run(lease.release())))
  const writer = await run(writing)
  const reader = await run(lock.downgrade(writer, { revocable: true }))
  const heardByReader = heardBy(reader)
  await run(other.revoke({ reason: 'three' }))
  await pass(ROUND_TRIP_MS)
  expect(heardByReader).toEqual(['three'])
  await run(reader.release())
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('a semaphore lists who holds, asks for each permit, and evicts from the permits and from the line', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [mine, theirs] = [new Semaphore(a, PATH, { permits: 2 }), new Semaphore(b, PATH, { permits: 2 })]
  const lease = await run(mine.acquire({ permits: 2, revocable: true, data: 'a' }))
  const heard = heardBy(lease)
  const held = await run(theirs.holders())
  expect(held.map(({ kind, holds, data }) => `${kind} ${String(holds)} ${new TextDecoder().decode(data)}`))
    .toEqual(['permit true a', 'permit true a'])
  const [first] = held
  if (first === undefined) throw new Error('nobody holds')
  await run(theirs.revoke({ contender: first, reason: 'one' }))
  await pass(ROUND_TRIP_MS)
  expect(heard).toEqual(['one'])
  const waiting = theirs.acquire()
  await pass(10 * ROUND_TRIP_MS)
  const [place] = await run(theirs.waiting())
  if (place === undefined) throw new Error('nobody waits')
  await run(mine.evict(place))
  await pass(10 * ROUND_TRIP_MS)
  expect(await stateOf(waiting)).toBe('pending')
  await run(theirs.evict(first))
  await pass(ROUND_TRIP_MS)
  expect(lease.state).toBe('lost')
  await run(lease.release())
  const next = await run(waiting)
  await run(next.release())
  expect(nodesUnder(rig, `${PATH}/leases`)).toEqual([])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('a semaphore asks those who hold and not the first in line, whose node stands beside theirs', async () => {
  const rig = newRig()
  const [a, b, c] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const [mine, theirs, asker] = [a, b, c].map((client) => new Semaphore(client, PATH, { permits: 2 }))
  if (mine === undefined || theirs === undefined || asker === undefined) throw new Error('there are three')
  const lease = await run(mine.acquire({ permits: 2, revocable: true }))
  const heard = heardBy(lease)
  const waiting = theirs.acquire({ revocable: true })
  await pass(10 * ROUND_TRIP_MS)
  expect(nodesUnder(rig, `${PATH}/leases`)).toHaveLength(3)
  const asked = await run(asker.revoke({ reason: 'a deploy' }))
  expect(asked.map(({ token }) => token)).toEqual(lease.parts.map(({ token }) => token))
  await pass(10 * ROUND_TRIP_MS)
  expect(heard).toEqual(['a deploy', 'a deploy'])
  await run(lease.release())
  const next = await run(waiting)
  const heardNext = heardBy(next)
  await pass(10 * ROUND_TRIP_MS)
  expect(heardNext).toEqual([])
  await run(next.release())
  expect(await closeAll(rig, a, b, c)).toEqual([])
})

it('a listener that throws is reported, and harms no other; one that has ended hears nothing', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const lock = new ReentrantLock(a, PATH)
  const outer = await run(lock.acquire({ revocable: true }))
  const inner = await outer.run(async (lease) => {
    lease.onRevoke(function brittle() {
      throw new Error('no')
    })
    return lock.acquire()
  })
  const [heard, ended, released] = [heardBy(outer), [] as string[], heardBy(inner)]
  outer.onRevoke(({ reason }) => void ended.push(reason))()
  await run(inner.release())
  await run(new ReentrantLock(b, PATH).revoke({ reason: 'please' }))
  await pass(ROUND_TRIP_MS)
  expect([heard, ended, released]).toEqual([['please'], [], []])
  expect(rig.errors.map(String)).toEqual([expect.stringMatching(/the listener brittle of onRevoke on .* threw: no/)])
  await run(outer.release())
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('a lease that is released from within the listener is released, and the next one holds', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const lease = await run(new FairLock(a, PATH).acquire({ revocable: true }))
  lease.onRevoke(() => lease.release())
  const theirs = new FairLock(b, PATH)
  await run(theirs.revoke({ reason: 'my turn' }))
  const next = await run(theirs.acquire())
  expect([lease.state, next.state]).toEqual(['released', 'held'])
  await run(next.release())
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('nobody can ask for a lease that is not revocable', async () => {
  const rig = newRig()
  const a = await rig.connect()
  const lease = await run(new FairLock(a, PATH).acquire())
  expect(() => lease.onRevoke(() => undefined)).toThrow(/acquire it with \{ revocable: true \}/)
  await run(lease.release())
  expect(await closeAll(rig, a)).toEqual([])
})
