/** Crowds of one client at one lock, on real engines: in order, at the rate of few, and no other lease notices. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../src/core/connect.ts'
import type { Client } from '../../src/core/client.ts'
import { ExclusiveLock } from '../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { REAL_ENGINES } from '../engines/all.ts'
import type { StartedEngine } from '../engines/all.ts'

const FEW = 100
/** Two proofs of a lease are a third of it apart, and the calls of the crowd take a turn of half a second to make. */
const SESSION_TIMEOUT_MS = 12_000
const LIMIT_MS = 120_000
/**
 * A crowd that costs each of its hand-overs something for each who waits falls to a tenth of the rate of few. That rate
 * is measured before the crowd and after it, since a machine that has other things to do is not always as fast.
 */
const RATE_PART_MIN = 1 / 4

/** Waiters for an exclusive lock take turns in the client, so that fewer will do. */
const LOCKS = [
  { name: 'FairLock', Lock: FairLock, part: 1 },
  { name: 'ExclusiveLock', Lock: ExclusiveLock, part: 1 / 5 },
] as const

interface Served {
  readonly order: readonly number[]
  readonly rate: number
}

/** How many wait. Each of etcd's requests waits for the one before, so fewer fill the time that a test may take. */
const CROWDS = { ZooKeeper: 5_000, etcd: 2_000, Redis: 5_000 }

/** Has so many wait for a lock, and then go through. Returns the order, and how many hand-overs there were a second. */
async function serve(client: Client, lock: FairLock | ExclusiveLock, count: number): Promise<Served> {
  const order: number[] = []
  const gate = await lock.acquire()
  const waits = Array.from({ length: count }, async (_, index) => {
    const lease = await lock.acquire()
    order.push(index)
    await lease.release()
  })
  // Waiters of one client for an exclusive lock wait in the client, and have nothing in the engine.
  if (lock instanceof FairLock) await untilChildren(client, lock.path, count + 1)
  const sinceMs = performance.now()
  await gate.release()
  await Promise.all(waits)
  return { order, rate: (1_000 * count) / (performance.now() - sinceMs) }
}

async function untilChildren(client: Client, path: string, count: number): Promise<void> {
  while (((await client.exists(path))?.numChildren ?? 0) < count) await new Promise((done) => setTimeout(done, 20))
}

for (const { name, missing, start } of REAL_ENGINES) {
  const crowd = CROWDS[name]
  const title = `${crowd} waiters of one client on ${name}${missing === null ? '' : ` (skipped: ${missing})`}`
  describe.skipIf(missing !== null)(title, { timeout: LIMIT_MS }, () => {
    let engine: StartedEngine
    beforeAll(async () => {
      engine = await start()
    }, LIMIT_MS)
    afterAll(() => engine.stop())

    it.each(LOCKS)('$name serves in order, at the rate of few, and costs no other lease', async ({ Lock, part }) => {
      const count = crowd * part
      const client = await connect(engine.backend, { sessionTimeoutMs: SESSION_TIMEOUT_MS })
      const unrelated = await new FairLock(client, `/${Lock.name}/unrelated`).acquire()
      const before = await serve(client, new Lock(client, `/${Lock.name}/before`), FEW)
      const many = await serve(client, new Lock(client, `/${Lock.name}/many`), count)
      const after = await serve(client, new Lock(client, `/${Lock.name}/after`), FEW)
      const few = Math.min(before.rate, after.rate)
      expect(many.order).toEqual(Array.from({ length: count }, (_, index) => index))
      expect([unrelated.signal.aborted, unrelated.state]).toEqual([false, 'held'])
      expect(many.rate, `${Math.round(few)} a second among few`).toBeGreaterThan(few * RATE_PART_MIN)
      await client.close()
    })
  })
}
