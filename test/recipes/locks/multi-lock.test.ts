/** Who gets several locks at once, in which order they are taken, and what is left of those that could not be had. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { whenAborted } from '../../../src/core/async.ts'
import { connect } from '../../../src/core/connect.ts'
import { lossReason } from '../../../src/recipes/engine/ownership.ts'
import { ExclusiveLock } from '../../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { MultiLock } from '../../../src/recipes/locks/multi-lock.ts'
import { ReadWriteLock } from '../../../src/recipes/locks/read-write-lock.ts'
import { ReentrantLock } from '../../../src/recipes/locks/reentrant-lock.ts'
import { Semaphore } from '../../../src/recipes/locks/semaphore.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, ephemerals, failureOf, interrupt, newRig, pass, run } from '../rig.ts'
import { SESSION_TIMEOUT_MS, sessionOf, stateOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const SETTLE_MS = 30 * ROUND_TRIP_MS

const fair = (client: Client, ...names: string[]): FairLock[] => names.map((name) => new FairLock(client, `/${name}`))
const multi = (client: Client, ...names: string[]): MultiLock => new MultiLock(fair(client, ...names))

it('acquires all, of any kind and client, and gives the parts in the order of the locks', async () => {
  const rig = newRig()
  const [one, two] = [await rig.connect(), await rig.connect()]
  const permits = new Semaphore(two, '/permits', { permits: 3 })
  const lock = new MultiLock([
    new FairLock(two, '/z'),
    new ExclusiveLock(one, '/a'),
    new ReadWriteLock(one, '/rw').reader,
    {
      client: two,
      path: '/permits',
      acquire: (options) => permits.acquire({ ...options, permits: 2 }),
      tryAcquire: (options) => permits.tryAcquire(options),
    },
    new ReentrantLock(two, '/b'),
  ])
  const lease = await run(lock.acquire())
  expect(lease.parts.map(({ path }) => path.split('/')[1])).toEqual(['z', 'a', 'rw', 'permits', 'b'])
  expect([lease.state, 'token' in lease, 'check' in lease]).toEqual(['held', false, false])
  expect(ephemerals(rig)).toHaveLength(6)
  await run(lease.release())
  expect([lease.state, ephemerals(rig)]).toEqual(['released', []])
  expect((await run(lock.tryAcquire()))?.state).toBe('held')
  expect(await closeAll(rig, one, two)).toEqual([])
})

it('acquires in the order of the full paths, whatever the namespace, and releases in reverse', async () => {
  const rig = newRig()
  const [root, below] = [await rig.connect(), await rig.connect({ namespace: '/m' })]
  const made: string[] = []
  rig.control.onRequest((request) => {
    if (request.kind === 'create' && request.path.includes('lock-')) made.push(request.path.split('/_c_')[0] ?? '')
    return undefined
  })
  const lease = await run(new MultiLock([...fair(root, 'z', 'b'), new FairLock(below, '/a')]).acquire())
  // Each is created twice: the first time its parent was missing.
  expect(made).toEqual(['/b', '/b', '/m/a', '/m/a', '/z', '/z'])
  const order: string[] = []
  for (const part of lease.parts) {
    const release = part.release.bind(part)
    part.release = () => {
      order.push(part.path.split('/_c_')[0] ?? '')
      return release()
    }
  }
  await run(lease.release())
  expect(order).toEqual(['/z', '/a', '/b'])
  expect(await closeAll(rig, root, below)).toEqual([])
})

it('goes by the chroot of a backend too', async () => {
  const rig = newRig()
  const backend = { ...rig.backend, root: '/m', open: rig.backend.open.bind(rig.backend) }
  const client = await run(connect(backend, { namespace: '/n' }))
  const plain = await rig.connect()
  expect([client.root, client.namespace, plain.root]).toEqual(['/m/n', '/n', '/'])
  const twice = (): MultiLock => new MultiLock([new FairLock(client, '/a'), new FairLock(plain, '/m/n/a')])
  expect(twice).toThrow(/^a MultiLock takes each path once, got \/m\/n\/a twice \(locks 0 and 1, counted from 0\)$/)
  expect(await closeAll(rig, client, plain)).toEqual([])
})

it('refuses what is no set of locks', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const { reader, writer } = new ReadWriteLock(client, '/rw')
  const make = (locks: unknown) => () => new MultiLock(locks as FairLock[])
  expect(make([])).toThrow(/^a MultiLock needs an array of locks, got an array without any/)
  expect(make(reader)).toThrow(/^a MultiLock needs an array of locks/)
  expect(make([reader, 5])).toThrow(/^lock 1 of a MultiLock must be a lock, got 5/)
  expect(make([multi(client, 'a')])).toThrow(/^lock 0 of a MultiLock needs a client/)
  expect(make([{ client, path: '/x' }])).toThrow(/^acquire of lock 0 of a MultiLock must be a function/)
  expect(make([writer, new FairLock(client, '/a'), reader])).toThrow(/got \/rw twice \(locks 0 and 2/)
  const onReentry = { onReentry: 'wait' } as object
  expect(String(await failureOf(multi(client, 'a').acquire(onReentry)))).toMatch(/TypeError: .*"onReentry"/)
  expect(await closeAll(rig, client)).toEqual([])
})

it('has one limit of time for all, and leaves nothing when it is over, aborted or refused', async () => {
  const rig = newRig()
  const [holder, client] = [await rig.connect(), await rig.connect()]
  const lease = await run(multi(holder, 'c').acquire())
  const startedMs = performance.now()
  const late = await failureOf(multi(client, 'a', 'b', 'c').acquire({ waitMs: 500 }))
  expect(codeOf(late)).toBe('TIMEOUT/aborted')
  expect(String(late)).toMatch(/500 ms for \/a and \/b and \/c/)
  expect(performance.now() - startedMs).toBeLessThan(500 + 4 * ROUND_TRIP_MS)
  expect(ephemerals(rig)).toEqual(lease.parts.map(({ path }) => path))
  const stop = new AbortController()
  const aborted = multi(client, 'a', 'b', 'c').acquire({ signal: stop.signal })
  aborted.catch(() => undefined)
  await pass(SETTLE_MS)
  expect(ephemerals(rig)).toHaveLength(4)
  stop.abort(new Error('enough'))
  expect(codeOf(await failureOf(aborted))).toBe('ABORTED/aborted')
  expect(ephemerals(rig)).toHaveLength(1)
  expect(codeOf(await failureOf(multi(client, 'a', 'b', 'c').acquire({ waitMs: 0 })))).toBe('TIMEOUT/aborted')
  expect(await run(multi(client, 'a', 'b', 'c').tryAcquire())).toBeNull()
  const held = multi(client, 'a').using(() => multi(client, 'A', 'a').acquire())
  expect(codeOf(await failureOf(held))).toBe('ALREADY_HELD/not-sent')
  expect(ephemerals(rig)).toHaveLength(1)
  expect(await closeAll(rig, holder, client)).toEqual([])
})

it('begins again when a part that was held is lost while it waits for the rest', async () => {
  const rig = newRig()
  const [holder, client, operator] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const lease = await run(multi(holder, 'b').acquire())
  const waiting = multi(client, 'a', 'b').acquire()
  await pass(SETTLE_MS)
  const own = ephemerals(rig).find((path) => path.startsWith('/a/')) ?? ''
  await run(operator.delete(own))
  await pass(SETTLE_MS)
  expect(await stateOf(waiting)).toBe('pending')
  expect(ephemerals(rig).filter((path) => path !== own && path.startsWith('/a/'))).toHaveLength(1)
  await run(lease.release())
  expect((await run(waiting)).state).toBe('held')
  expect(await closeAll(rig, holder, client, operator)).toEqual([])
})

it('rejects instead with onSessionLoss: reject, and leaves nothing', async () => {
  const rig = newRig()
  const [holder, client] = [await rig.connect(), await rig.connect()]
  const [other, operator] = [await rig.connect(), await rig.connect()]
  const lease = await run(multi(holder, 'b').acquire())
  const waiting = multi(client, 'a', 'b').acquire({ onSessionLoss: 'reject' })
  waiting.catch(() => undefined)
  await pass(SETTLE_MS)
  await run(operator.delete(ephemerals(rig).find((path) => path.startsWith('/a/')) ?? ''))
  expect(codeOf(await failureOf(waiting))).toBe('LEASE_LOST/lost')
  const mixed = new MultiLock([...fair(client, 'a'), ...fair(other, 'b')]).acquire({ onSessionLoss: 'reject' })
  mixed.catch(() => undefined)
  await pass(SETTLE_MS)
  rig.control.expire(sessionOf(other))
  expect(codeOf(await failureOf(mixed))).toBe('SESSION_EXPIRED/session-over')
  await pass(SETTLE_MS)
  expect(ephemerals(rig)).toEqual(lease.parts.map(({ path }) => path))
  expect(await closeAll(rig, holder, client, other, operator)).toEqual([])
})

it('waits on over the end of a session, also of the client of a part that is held', async () => {
  const rig = newRig()
  const [holder, one, two] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const lease = await run(multi(holder, 'b').acquire())
  const waiting = new MultiLock([...fair(one, 'a'), ...fair(two, 'b')]).acquire()
  await pass(SETTLE_MS)
  for (const client of [one, two]) {
    rig.control.expire(sessionOf(client))
    await pass(SETTLE_MS)
    expect(await stateOf(waiting)).toBe('pending')
  }
  await run(lease.release())
  const joint = await run(waiting)
  expect(joint.parts.map(({ state }) => state)).toEqual(['held', 'held'])
  expect(await closeAll(rig, holder, one, two)).toEqual([])
})

it('gives out no part that is about to end: one that was out of touch for long is shown to live first', async () => {
  const rig = newRig()
  const [holder, one, two] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const lease = await run(multi(holder, 'b').acquire())
  const waiting = new MultiLock([...fair(one, 'a'), ...fair(two, 'b')]).acquire()
  await pass(SETTLE_MS)
  rig.control.disconnect(sessionOf(one))
  await pass(SESSION_TIMEOUT_MS / 2)
  await run(lease.release())
  await pass(SETTLE_MS)
  expect(await stateOf(waiting)).toBe('pending')
  rig.control.reconnect(sessionOf(one))
  const joint = await run(waiting)
  expect(joint.leaseDeadlineMs - performance.now()).toBeGreaterThan(SESSION_TIMEOUT_MS / 6)
  expect(await closeAll(rig, holder, one, two)).toEqual([])
})

it('is lost with any of its parts, and releases the others', async () => {
  const rig = newRig()
  const [one, two, operator] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const lock = new MultiLock([...fair(one, 'a'), ...fair(two, 'b')])
  const lost = await failureOf(lock.using(async (lease) => {
    await operator.delete(lease.parts[1]?.path ?? '')
    await new Promise<void>((resolve) => void whenAborted(lease.signal, resolve))
    expect([lossReason(lease.signal), lease.state, lease.parts[0]?.state]).toEqual(['node-deleted', 'lost', 'held'])
    expect(() => lease.throwIfLost()).toThrow(/was lost/)
  }))
  expect(codeOf(lost)).toBe('LEASE_LOST/lost')
  await interrupt(rig, one, ROUND_TRIP_MS)
  expect(await closeAll(rig, one, two, operator)).toEqual([])
})

it('is known to be held within its work, part by part', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const { reader } = new ReadWriteLock(client, '/c')
  const lock = new MultiLock([...fair(client, 'a'), new ReentrantLock(client, '/b'), reader])
  const [fairly, count, upgrade] = await run(lock.using(async () => {
    await using again = await new ReentrantLock(client, '/b').acquire()
    return [
      await new FairLock(client, '/a').acquire().catch(codeOf),
      again.count,
      await new ReadWriteLock(client, '/c').writer.acquire().catch(String),
    ]
  }))
  expect([fairly, count]).toEqual(['ALREADY_HELD/not-sent', 2])
  expect(upgrade).toMatch(/a reader's lease cannot become a writer's/)
  expect(await closeAll(rig, client)).toEqual([])
})

it('ends with the clients that it is of, and leaves nothing', async () => {
  const rig = newRig()
  const [holder, one, two] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const lease = await run(multi(holder, 'b').acquire())
  for (const [closing, other] of [[one, two], [two, await rig.connect()]] as const) {
    const waiting = new MultiLock([...fair(closing, 'a'), ...fair(other, 'b')]).acquire()
    waiting.catch(() => undefined)
    await pass(SETTLE_MS)
    await run(closing.close())
    expect(codeOf(await failureOf(waiting))).toBe('CLIENT_CLOSED/aborted')
    expect(ephemerals(rig)).toEqual(lease.parts.map(({ path }) => path))
  }
  await run(lease.release())
})
