/** Who reads and who writes, in which order, and what becomes of a writer who goes on reading. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import type { Lease } from '../../../src/recipes/engine/lease.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { ReadWriteLock } from '../../../src/recipes/locks/read-write-lock.ts'
import { ROUND_TRIP_MS, SESSION_TIMEOUT_MS, closeAll, codeOf, ephemerals, failureOf, interrupt } from '../rig.ts'
import { newRig, pass, run, sessionOf, stateOf, strike, sweepOf, useVirtualTime } from '../rig.ts'
import type { Rig } from '../rig.ts'

useVirtualTime()

const PATH = '/locks/ledger'
const SETTLE_MS = 8 * ROUND_TRIP_MS

type Kind = 'r' | 'w'

interface Asking {
  readonly kind: Kind
  readonly client: Client
  readonly acquiring: Promise<Lease>
}

function acquire(client: Client, kind: Kind): Promise<Lease> {
  const lock = new ReadWriteLock(client, PATH)
  return (kind === 'r' ? lock.reader : lock.writer).acquire()
}

/** Clients that ask one after the other: `rrw` for two readers and a writer. */
async function queueOf(rig: Rig, kinds: string, shared?: Client): Promise<Asking[]> {
  const queue: Asking[] = []
  for (const kind of kinds as Iterable<Kind>) {
    const client = shared ?? (await rig.connect())
    const acquiring = acquire(client, kind)
    acquiring.catch(() => undefined)
    queue.push({ kind, client, acquiring })
    await pass(SETTLE_MS)
  }
  return queue
}

/** Who holds, in the order of asking: `rr--`. */
async function holding(queue: readonly Asking[]): Promise<string> {
  const marks = queue.map(async ({ kind, acquiring }) => {
    if ((await stateOf(acquiring)) !== 'fulfilled') return '-'
    return (await acquiring).state === 'held' ? kind : '.'
  })
  return (await Promise.all(marks)).join('')
}

async function release(asking: Asking | undefined): Promise<void> {
  if (asking === undefined) throw new Error('nobody is there')
  await run((await run(asking.acquiring)).release())
  await pass(SETTLE_MS)
}

async function close(rig: Rig, queue: readonly Asking[]): Promise<string[]> {
  return closeAll(rig, ...new Set(queue.map(({ client }) => client)))
}

/** How many events the session of each has had since the counts were reset. */
function eventsOf(rig: Rig, queue: readonly Asking[]): number[] {
  return queue.map(({ client }) => rig.control.eventCount(sessionOf(client)))
}

const WHOSE: [string, boolean][] = [['clients of their own', false], ['one client', true]]

it.each(WHOSE)('serves %s in the order of asking', async (_, isOne) => {
  const rig = newRig()
  const queue = await queueOf(rig, 'rrwwrrw', isOne ? await rig.connect() : undefined)
  const seen = [await holding(queue)]
  for (const index of [1, 0, 2, 3, 4, 5, 6]) {
    await release(queue[index])
    seen.push(await holding(queue))
  }
  expect(seen).toEqual([
    'rr-----', 'r.-----', '..w----', '...w---', '....rr-', '.....r-', '......w', '.......',
  ])
  expect(await close(rig, queue)).toEqual([])
  expect(rig.errors).toEqual([])
})

it('a release of a writer wakes the readers up to the next writer, and nobody else', async () => {
  const rig = newRig()
  const queue = await queueOf(rig, 'wrrwrw')
  rig.control.resetCounts()
  await release(queue[0])
  expect(await holding(queue)).toBe('.rr---')
  expect(eventsOf(rig, queue).slice(1)).toEqual([1, 1, 0, 0, 0])
  expect(await close(rig, queue)).toEqual([])
})

it('a release of a reader wakes the writer after it if it is the last one, and nobody else', async () => {
  const rig = newRig()
  const queue = await queueOf(rig, 'rrrwrr')
  rig.control.resetCounts()
  await release(queue[0])
  await release(queue[1])
  expect(eventsOf(rig, queue).slice(3)).toEqual([0, 0, 0])
  await release(queue[2])
  expect(await holding(queue)).toBe('...w--')
  expect(eventsOf(rig, queue).slice(3)).toEqual([1, 0, 0])
  expect(await close(rig, queue)).toEqual([])
})

it('takes one round trip when nobody contends', async () => {
  const rig = newRig()
  const client = await rig.connect()
  for (const kind of ['r', 'w'] as const) {
    await run((await run(acquire(client, kind))).release())
    const startMs = performance.now()
    const lease = await run(acquire(client, kind))
    expect(performance.now() - startMs).toBe(ROUND_TRIP_MS)
    await run(lease.release())
  }
  expect(await closeAll(rig, client)).toEqual([])
})

it.each([0, 1, 2, 3, 4])('goes on past number %i of the queue when that one dies', async (victim) => {
  const rig = newRig()
  const queue = await queueOf(rig, 'wrwrw')
  rig.control.expire(sessionOf((queue[victim] as Asking).client))
  await pass(SETTLE_MS)
  for (const [index, asking] of queue.entries()) if (index !== victim) await release(asking)
  expect(ephemerals(rig)).toEqual([])
  expect(await close(rig, queue)).toEqual([])
})

it('a reader enters beside others when the writer that it waited for gives up', async () => {
  const rig = newRig()
  const queue = await queueOf(rig, 'r')
  const [writing, reading] = [await rig.connect(), await rig.connect()]
  const writer = new ReadWriteLock(writing, PATH).writer.acquire({ waitMs: 1_000 })
  writer.catch(() => undefined)
  await pass(SETTLE_MS)
  const reader = acquire(reading, 'r')
  await pass(SETTLE_MS)
  expect(await stateOf(reader)).toBe('pending')
  expect(codeOf(await failureOf(writer))).toBe('TIMEOUT/aborted')
  expect((await run(reader)).state).toBe('held')
  expect(await holding(queue)).toBe('r')
  expect(await closeAll(rig, writing, reading, (queue[0] as Asking).client)).toEqual([])
})

it('tried, is had by readers beside readers, and by nobody beside a writer, or after one that waits', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const { reader, writer } = new ReadWriteLock(client, PATH)
  const first = await run(reader.tryAcquire())
  const second = await run(reader.tryAcquire())
  expect([first?.state, second?.state, await run(writer.tryAcquire())]).toEqual(['held', 'held', null])
  const waiting = writer.acquire()
  await pass(SETTLE_MS)
  const nodes = ephemerals(rig)
  expect([await run(reader.tryAcquire()), await run(writer.tryAcquire())]).toEqual([null, null])
  expect(ephemerals(rig)).toEqual(nodes)
  await run(Promise.all([first?.release(), second?.release()]))
  await run(waiting)
  expect(await run(reader.tryAcquire())).toBeNull()
  expect(await closeAll(rig, client)).toEqual([])
})

it('lists both sides in one order, and each side by itself', async () => {
  const rig = newRig()
  const queue = await queueOf(rig, 'rwr')
  const lock = new ReadWriteLock((queue[0] as Asking).client, PATH)
  const shown = (list: Awaited<ReturnType<ReadWriteLock['contenders']>>): unknown[] => {
    return list.map(({ position, kind, holds }) => [position, kind, holds])
  }
  expect(shown(await run(lock.contenders()))).toEqual([[0, 'read', true], [1, 'write', false], [2, 'read', false]])
  expect(shown(await run(lock.reader.contenders()))).toEqual([[0, 'read', true], [2, 'read', false]])
  expect(shown(await run(lock.writer.contenders()))).toEqual([[1, 'write', false]])
  expect(await close(rig, queue)).toEqual([])
})

const UUID = '11111111-2222-4333-8444-555555555555'

it('knows contenders of Curator, and passes over those of other recipes, which it reports', async () => {
  const rig = newRig()
  const [client, java] = [await rig.connect(), await rig.connect()]
  await run(client.makePath(PATH))
  const theirs = await run(java.create(`${PATH}/_c_${UUID}-__READ__`, 'java', { mode: 'ephemeral-sequential' }))
  await run(java.create(`${PATH}/_c_${UUID}-lock-`, '', { mode: 'ephemeral-sequential' }))
  const { reader, writer } = new ReadWriteLock(client, PATH)
  const reading = await run(reader.acquire())
  const writing = writer.acquire()
  await run(reading.release())
  await pass(SETTLE_MS)
  expect(await stateOf(writing)).toBe('pending')
  await run(java.delete(theirs.path))
  expect((await run(writing)).state).toBe('held')
  expect(rig.errors.map(codeOf)).toEqual(['INVALID_VALUE/corrupt'])
  expect(await closeAll(rig, client, java)).toEqual([])
})

it('a reader that Curator makes in the place of its writer is not overtaken', async () => {
  const rig = newRig()
  const [client, java] = [await rig.connect(), await rig.connect()]
  await run(client.makePath(PATH))
  const theirs = await run(java.create(`${PATH}/_c_${UUID}-__WRIT__`, '', { mode: 'ephemeral-sequential' }))
  const writing = new ReadWriteLock(client, PATH).writer.acquire()
  await pass(SETTLE_MS)
  const heir = theirs.path.replace(/_c_.*__WRIT__/, `_c_${UUID.replace(/^1/, '0')}-__READ__`)
  await run(java.create(heir, '', { mode: 'ephemeral' }))
  await run(java.delete(theirs.path))
  await pass(SETTLE_MS)
  expect(await stateOf(writing)).toBe('pending')
  await run(java.delete(heir))
  expect((await run(writing)).state).toBe('held')
  expect(await closeAll(rig, client, java)).toEqual([])
})

it.each(WHOSE)(
  'a writer that downgrades keeps the writers of %s out, lets readers in, and keeps its token',
  async (_, isOne) => {
    const rig = newRig()
    const client = await rig.connect()
    const lock = new ReadWriteLock(client, PATH)
    const writing = await run(lock.writer.acquire())
    const queue = await queueOf(rig, 'wr', isOne ? client : undefined)
    const reader = await rig.connect()
    const early = lock.reader.tryAcquire()
    expect(await run(early)).toBeNull()
    const reading = await run(lock.downgrade(writing, { data: 'went on' }))
    await pass(SETTLE_MS)
    expect([writing.state, reading.state, reading.token]).toEqual(['released', 'held', writing.token])
    expect(await holding(queue)).toBe('--')
    const list = await run(lock.contenders())
    expect(list.map(({ kind, holds }) => [kind, holds])).toEqual([['read', true], ['write', false], ['read', false]])
    expect(new TextDecoder().decode(list[0]?.data)).toBe('went on')
    expect(list[0]?.path.slice(-10)).toBe(writing.path.slice(-10))
    await run(reading.release())
    await pass(SETTLE_MS)
    expect(await holding(queue)).toBe('w-')
    expect((await (queue[0] as Asking).acquiring).token).toBeGreaterThan(reading.token)
    expect(await closeAll(rig, client, reader, ...new Set(queue.map((one) => one.client)))).toEqual([])
  },
)

it('readers that wait for a writer enter beside it when it downgrades', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const lock = new ReadWriteLock(client, PATH)
  const writing = await run(lock.writer.acquire())
  const queue = await queueOf(rig, 'rrw')
  const reading = await run(lock.downgrade(writing))
  await pass(SETTLE_MS)
  expect([reading.state, await holding(queue)]).toEqual(['held', 'rr-'])
  expect(await closeAll(rig, client, ...queue.map((one) => one.client))).toEqual([])
})

it('a downgrade is refused for a lease that is lost, released, a reader\'s or of another lock', async () => {
  const rig = newRig()
  const [client, admin] = [await rig.connect(), await rig.connect()]
  const lock = new ReadWriteLock(client, PATH)
  const reading = await run(lock.reader.acquire())
  const other = await run(new FairLock(client, `${PATH}-fair`).acquire())
  const elsewhere = await run(new ReadWriteLock(client, `${PATH}-else`).writer.acquire())
  for (const lease of [reading, other, elsewhere]) {
    const refused = await failureOf(lock.downgrade(lease))
    expect(String(refused)).toMatch(/TypeError: downgrade takes a lease of the writer of/)
  }
  await run(reading.release())
  const released = await run(lock.writer.acquire())
  await run(released.release())
  expect(codeOf(await failureOf(lock.downgrade(released)))).toBe('LEASE_LOST/lost')
  const struck = await run(lock.writer.acquire())
  // Nothing of this client is on its way, so the deletion comes first.
  await pass(ROUND_TRIP_MS)
  const deleting = admin.delete(struck.path)
  expect(codeOf(await failureOf(lock.downgrade(struck)))).toBe('LEASE_LOST/lost')
  await run(deleting)
  expect(ephemerals(rig).sort()).toEqual([elsewhere.path, other.path].sort())
  expect(await closeAll(rig, client, admin)).toEqual([])
})

it('a downgrade that is aborted at any moment leaves the writer its lease, and no other node', async () => {
  for (let afterMs = 0; afterMs < 2 * ROUND_TRIP_MS; afterMs += 1) {
    const rig = newRig()
    const client = await rig.connect()
    const lock = new ReadWriteLock(client, PATH)
    const writing = await run(lock.writer.acquire())
    const stop = new AbortController()
    const call = lock.downgrade(writing, { signal: stop.signal }).then(() => 'done', codeOf)
    await pass(afterMs)
    stop.abort()
    const outcome = await run(call)
    await pass(2 * SETTLE_MS)
    expect(['done', 'ABORTED/aborted']).toContain(outcome)
    expect(writing.state).toBe(outcome === 'done' ? 'released' : 'held')
    expect(ephemerals(rig)).toHaveLength(1)
    expect(await closeAll(rig, client)).toEqual([])
  }
})

it.each(sweepOf(6))('a downgrade with $what at request $nth lets no writer in beside it', async ({ fate, nth }) => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  const lock = new ReadWriteLock(client, PATH)
  const writing = await run(lock.writer.acquire())
  const next = acquire(other, 'w')
  await pass(SETTLE_MS)
  const session = sessionOf(client)
  strike(rig, fate, ({ sessionId, kind }) => sessionId === session && kind !== 'close', nth)
  const reading = await run(lock.downgrade(writing).catch(() => null))
  for (let passedMs = 0; passedMs < SESSION_TIMEOUT_MS; passedMs += ROUND_TRIP_MS) {
    const isHeld = [writing, reading].some((lease) => lease?.state === 'held')
    if (isHeld) expect(await stateOf(next)).toBe('pending')
    await pass(ROUND_TRIP_MS)
  }
  await run(Promise.all([writing.release(), reading?.release()]))
  await run((await run(next)).release())
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, client, other)).toEqual([])
})

const STRIKES = (['r', 'w'] as const).flatMap((kind) => sweepOf(8).map((one) => ({ ...one, kind })))

it.each(STRIKES)('$kind struck by $what at request $nth keeps nobody waiting', async ({ kind, fate, nth }) => {
  const rig = newRig()
  const queue = await queueOf(rig, 'wr')
  const struck = await rig.connect()
  const session = sessionOf(struck)
  strike(rig, fate, ({ sessionId, kind: asked }) => sessionId === session && asked !== 'close', nth)
  const lock = new ReadWriteLock(struck, PATH)
  const side = kind === 'r' ? lock.reader : lock.writer
  const acquiring = side.acquire({ onSessionLoss: 'queue-again' })
  await pass(ROUND_TRIP_MS)
  const late = await queueOf(rig, 'rw')
  const all = [...queue, { kind, client: struck, acquiring }, ...late]
  const holders: Lease[] = []
  const served = all.map(async ({ kind: own, acquiring: one }) => {
    const lease = await one
    holders.push(lease)
    const writers = holders.filter(({ state, path }) => state === 'held' && path.includes('__WRIT__')).length
    const readers = holders.filter(({ state, path }) => state === 'held' && path.includes('__READ__')).length
    expect(own === 'w' ? [writers, readers] : [writers, 0]).toEqual([own === 'w' ? 1 : 0, 0])
    await pass(0)
    await lease.release()
  })
  await run(Promise.all(served))
  expect(await close(rig, all)).toEqual([])
})

it('goes on after an interruption of any client', async () => {
  const rig = newRig()
  const queue = await queueOf(rig, 'rwrw')
  for (const { client } of queue) await interrupt(rig, client, 300)
  for (const asking of queue) await release(asking)
  expect(await close(rig, queue)).toEqual([])
})
