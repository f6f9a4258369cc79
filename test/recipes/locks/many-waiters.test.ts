/** Thousands of waiters of one client: what they share, and that nobody else notices them. */
import { expect, it } from 'vitest'
import { connect } from '../../../src/core/connect.ts'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { ExclusiveLock } from '../../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { modelBackend } from '../../../src/testing/model/backend.ts'

const WAITERS = 5_000
const PATH = '/locks/orders'
const TIME_LIMIT_MS = 120_000

it('5,000 waiters of one client are served in order, and share their lists', { timeout: TIME_LIMIT_MS }, async () => {
  const backend = modelBackend()
  const client = await connect(backend)
  const { control } = backend
  const lock = new FairLock(client, PATH)
  let turn = 0
  const waits = Array.from({ length: WAITERS }, async (_, index) => {
    const lease = await lock.acquire()
    expect(index).toBe(turn)
    turn += 1
    await lease.release()
  })
  await Promise.all(waits)
  expect(turn).toBe(WAITERS)
  expect(control.requestCount({ kind: 'children' })).toBeLessThan(10)
  // A create that misses the parent and one that does not, the watch on the own node, the look before the grant, the
  // release.
  expect(control.requestCount()).toBeLessThan(5 * WAITERS + 50)
  await client.close()
  expect(control.watchCount()).toBe(0)
})

it('5,000 waiters who give up, or whose client closes, leave nothing', { timeout: TIME_LIMIT_MS }, async () => {
  const backend = modelBackend({ latencyMs: 1, sessionTimeoutMs: TIME_LIMIT_MS })
  const [holder, client] = [await connect(backend), await connect(backend)]
  const lease = await new FairLock(holder, PATH).acquire()
  const stop = new AbortController()
  const lock = new FairLock(client, PATH)
  const waits = Array.from({ length: WAITERS }, (_, index) => {
    return lock.acquire(index % 2 === 0 ? { signal: stop.signal } : {}).catch((error: unknown) => error)
  })
  await client.sync()
  stop.abort()
  await Promise.all(waits.filter((_, index) => index % 2 === 0))
  await client.close()
  await Promise.all(waits)
  expect(backend.control.nodes().filter(({ ephemeralOwner }) => ephemeralOwner !== 0n)).toHaveLength(1)
  expect(lease.state).toBe('held')
  await holder.close()
})

it('1,000 waiters for an exclusive lock take turns to ask for it', { timeout: TIME_LIMIT_MS }, async () => {
  const backend = modelBackend()
  const client = await connect(backend)
  const lock = new ExclusiveLock(client, PATH)
  const count = 1_000
  const waits = Array.from({ length: count }, async () => (await lock.acquire()).release())
  await Promise.all(waits)
  expect(backend.control.requestCount({ kind: 'create' })).toBeLessThan(3 * count)
  await client.close()
})

it('5,000 waiters on real servers harm no unrelated lease', { timeout: TIME_LIMIT_MS }, async () => {
  const ensemble = embedded({ servers: 1 })
  const client = await connect(ensemble, { sessionTimeoutMs: 6_000 })
  const unrelated = await new FairLock(client, '/locks/unrelated').acquire()
  const lock = new FairLock(client, PATH)
  const first = await lock.acquire()
  const order: number[] = []
  const waits = Array.from({ length: WAITERS }, async (_, index) => {
    const lease = await lock.acquire()
    order.push(index)
    await lease.release()
  })
  await first.release()
  await Promise.all(waits)
  expect(order).toEqual(Array.from({ length: WAITERS }, (_, index) => index))
  expect(unrelated.state).toBe('held')
  await client.close()
  await ensemble.close()
})
