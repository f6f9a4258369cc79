/** `using`: acquire, run and release as one call, whatever happens to the work or to the lease. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import type { AcquireOptions } from '../../../src/recipes/engine/acquire-options.ts'
import type { Lease } from '../../../src/recipes/engine/lease.ts'
import type { UsingArguments } from '../../../src/recipes/engine/leased-work.ts'
import { lossReason } from '../../../src/recipes/engine/ownership.ts'
import { ExclusiveLock } from '../../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { SESSION_TIMEOUT_MS, closeAll, codeOf, ephemerals, failureOf, newRig, pass, run } from '../rig.ts'
import { sessionOf, strike, sweepOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

interface Usable {
  using<T>(...args: UsingArguments<AcquireOptions, T>): Promise<T>
}

const PATH = '/locks/orders'
const LOCKS: [string, (client: Client) => Usable][] = [
  ['FairLock', (client) => new FairLock(client, PATH)],
  ['ExclusiveLock', (client) => new ExclusiveLock(client, PATH)],
]
const REQUESTS = 5
const SWEEP = LOCKS.flatMap(([name, make]) => sweepOf(REQUESTS).map((one) => ({ ...one, name, make })))

/** Lets virtual time pass within a work. */
function rest(timeMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, timeMs))
}

it.each(LOCKS)('%s.using runs the work under the lease, returns its result, and has released it', async (_, make) => {
  const rig = newRig()
  const client = await rig.connect()
  let seen: Lease | null = null
  const result = await run(make(client).using(async (lease) => {
    seen = lease
    await rest(100)
    expect([lease.state, ephemerals(rig)]).toEqual(['held', [lease.path]])
    return 42
  }))
  expect(result).toBe(42)
  expect((seen as Lease | null)?.state).toBe('released')
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(LOCKS)('%s.using takes the options of acquire before the work', async (_, make) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const result = await run(make(a).using({ waitMs: 0 }, async (lease) => {
    const other = make(b).using({ waitMs: 100 }, () => 'not reached').catch(codeOf)
    return [lease.token > 0n, await other]
  }))
  expect(result).toEqual([true, 'TIMEOUT/aborted'])
  expect(await run(make(b).using(undefined, () => 'reached'))).toBe('reached')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(LOCKS)('%s.using throws what the work throws, after the release', async (_, make) => {
  const rig = newRig()
  const client = await rig.connect()
  const broken = new Error('broken')
  for (const work of [() => Promise.reject(broken), () => { throw broken }]) {
    expect(await failureOf(make(client).using(work))).toBe(broken)
    expect(ephemerals(rig)).toEqual([])
  }
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(LOCKS)('%s.using rejects with LEASE_LOST if the lease was lost while the work ran', async (_, make) => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  let signal: AbortSignal | null = null
  const call = make(client).using(async (lease) => {
    ({ signal } = lease)
    await other.delete(lease.path)
    await rest(100)
    return 'done'
  })
  const error = await failureOf(call)
  expect(codeOf(error)).toBe('LEASE_LOST/lost')
  expect(error).toBe((signal as AbortSignal | null)?.reason)
  expect(await run(make(other).using(() => 'free'))).toBe('free')
  expect(await closeAll(rig, client, other)).toEqual([])
})

it.each(LOCKS)('%s.using asks the clock at the end of the work, before any timer has told', async (_, make) => {
  const rig = newRig()
  const client = await rig.connect()
  const call = make(client).using((lease) => {
    const pastMs = lease.leaseDeadlineMs + 1
    performance.now = () => pastMs
    return lease.signal
  })
  const now = performance.now
  const error = await failureOf(call).finally(() => void (performance.now = now))
  expect(codeOf(error)).toBe('LEASE_LOST/lost')
  await run(client.close())
})

it.each(LOCKS)('%s.using throws the error of the work first, also when the lease is lost', async (_, make) => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  const stopped = await failureOf(make(client).using(async (lease) => {
    const lost = new Promise((resolve) => lease.signal.addEventListener('abort', resolve))
    await other.delete(lease.path)
    await lost
    throw new Error(`stopped: ${String(lossReason(lease.signal))}`)
  }))
  expect(String(stopped)).toBe('Error: stopped: node-deleted')
  expect(await closeAll(rig, client, other)).toEqual([])
})

it.each(LOCKS)('%s.using lets the work give its lease back by itself', async (_, make) => {
  const rig = newRig()
  const client = await rig.connect()
  const call = make(client).using(async (lease) => {
    await lease.release()
    return lease.state
  })
  expect(await run(call)).toBe('released')
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(SWEEP)('$name: using with $what at request $nth runs under a lease or not at all', async (sweep) => {
  const rig = newRig()
  const client = await rig.connect()
  const session = sessionOf(client)
  strike(rig, sweep.fate, ({ sessionId, kind }) => sessionId === session && kind !== 'close', sweep.nth)
  let runs = 0
  const call = sweep.make(client).using(async (lease) => {
    runs += 1
    await rest(SESSION_TIMEOUT_MS / 2)
    lease.throwIfLost()
  })
  const outcome = await run(call.then(() => 'done', codeOf))
  expect(['done', 'LEASE_LOST/lost', 'SESSION_EXPIRED/session-over']).toContain(outcome)
  expect(runs).toBe(outcome === 'SESSION_EXPIRED/session-over' ? 0 : 1)
  await pass(SESSION_TIMEOUT_MS)
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, client)).toEqual([])
})
