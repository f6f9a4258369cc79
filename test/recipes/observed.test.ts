/** Notices of the recipes to an observer: waits, leases, elections and changes of configurations. */
import { expect, it } from 'vitest'
import type { Client } from '../../src/core/client.ts'
import { connect } from '../../src/core/connect.ts'
import type { ElectionNotice, LeaseNotice, Observer, PublishNotice, WaitNotice } from '../../src/core/observer.ts'
import { Barrier } from '../../src/recipes/barriers/barrier.ts'
import { ConfigCenter } from '../../src/recipes/config/config-center.ts'
import { LeaderElection } from '../../src/recipes/leader/leader-election.ts'
import { ExclusiveLock } from '../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { ReadWriteLock } from '../../src/recipes/locks/read-write-lock.ts'
import { Semaphore } from '../../src/recipes/locks/semaphore.ts'
import type { Lease } from '../../src/recipes/engine/lease.ts'
import { closeAll, failureOf, newRig, pass, run, sessionOf, useVirtualTime } from './rig.ts'
import type { Rig } from './rig.ts'
import { SESSION_TIMEOUT_MS } from './rig.ts'

useVirtualTime()

const PATH = '/a/place'
const SECRET = 'not to be told'

interface Heard {
  readonly observer: Observer
  readonly waits: WaitNotice[]
  readonly leases: LeaseNotice[]
  readonly elections: ElectionNotice[]
  readonly publishes: PublishNotice[]
}

function recorder(): Heard {
  const [waits, leases]: [WaitNotice[], LeaseNotice[]] = [[], []]
  const [elections, publishes]: [ElectionNotice[], PublishNotice[]] = [[], []]
  const observer: Observer = {
    onWait: (notice) => waits.push(notice),
    onLease: (notice) => leases.push(notice),
    onElection: (notice) => elections.push(notice),
    onPublish: (notice) => publishes.push(notice),
  }
  return { observer, waits, leases, elections, publishes }
}

async function observed(): Promise<Heard & { readonly rig: Rig; readonly client: Client; readonly other: Client }> {
  const [rig, heard] = [newRig(), recorder()]
  const client = await run(connect(rig.backend, { observer: heard.observer }))
  return { ...heard, rig, client, other: await rig.connect() }
}

it('hears of a wait for a lock, whose end it waited for, and of the lease from its beginning to its end', async () => {
  const { rig, client, other, waits, leases } = await observed()
  const holder = await run(new FairLock(other, PATH).acquire())
  const acquiring = new FairLock(client, PATH).acquire({ data: SECRET })
  await pass(1_000)
  await run(holder.release())
  const lease = await run(acquiring)
  await pass(500)
  await run(lease.release())
  await pass(0)
  expect(waits).toEqual([
    {
      what: 'acquire',
      kind: 'lock',
      path: PATH,
      sessionId: sessionOf(client),
      durationMs: expect.closeTo(1_030, -2) as number,
      outcome: 'done',
      error: undefined,
      wokenBy: { path: holder.path },
    },
  ])
  const { path, token } = lease
  const same = { kind: 'lock', path, token, sessionId: sessionOf(client), reason: undefined }
  expect(leases).toEqual([
    { ...same, event: 'acquired', heldMs: 0 },
    { ...same, event: 'released', heldMs: expect.closeTo(510, -2) as number },
  ])
  expect(JSON.stringify([waits, leases], (_, value: unknown) => (typeof value === 'bigint' ? '' : value)))
    .not.toContain(SECRET)
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('hears how waits end that do not get the lock', async () => {
  const { rig, client, other, waits, leases } = await observed()
  const [lock, exclusive] = [new FairLock(client, PATH), new ExclusiveLock(client, '/own/lock')]
  const holders = [await run(new FairLock(other, PATH).acquire())]
  holders.push(await run(new ExclusiveLock(other, exclusive.path).acquire()))
  expect(await run(lock.tryAcquire())).toBeNull()
  const timedOut = await failureOf(lock.acquire({ waitMs: 100 }))
  expect(await run(exclusive.tryAcquire())).toBeNull()
  const ended = await failureOf(exclusive.acquire({ waitMs: 50 }))
  await pass(0)
  const told = waits.map(({ what, outcome, error, wokenBy }) => [what, outcome, error, wokenBy?.token])
  const { token } = holders[1] ?? {}
  expect(told).toEqual([
    ['tryAcquire', 'taken', undefined, undefined],
    ['acquire', 'failed', timedOut, undefined],
    ['tryAcquire', 'taken', undefined, token],
    ['acquire', 'failed', ended, token],
  ])
  expect(leases).toEqual([])
  await run(Promise.all(holders.map((holder) => holder.release())))
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('hears of one wait, not of those that are parts of it, and of each kind', async () => {
  const { rig, client, other, waits, leases } = await observed()
  const semaphore = new Semaphore(client, `${PATH}/s`, { permits: 2 })
  const held: Lease[] = [await run(semaphore.acquire({ permits: 2 }))]
  const lock = new ReadWriteLock(client, `${PATH}/rw`)
  const writing = await run(lock.writer.acquire())
  held.push(await run(lock.downgrade(writing)))
  await run(new Barrier(client, `${PATH}/b`).wait())
  await pass(100)
  expect(waits.map(({ what, kind }) => `${what} ${kind}`)).toEqual([
    'acquire permit', 'acquire write', 'downgrade read', 'wait barrier',
  ])
  // The place in the semaphore's line is a lock that is held for a moment.
  expect(leases.map(({ event, kind }) => `${event} ${kind}`)).toEqual([
    'acquired lock', 'released lock', 'acquired permit', 'acquired permit',
    'acquired write', 'acquired read', 'released write',
  ])
  await run(Promise.all(held.map((lease) => lease.release())))
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('hears of a lease that is lost, and why', async () => {
  const { rig, client, other, leases } = await observed()
  await run(new ExclusiveLock(client, PATH).acquire())
  rig.control.disconnect(sessionOf(client))
  await pass(SESSION_TIMEOUT_MS)
  expect(leases.map(({ event, reason }) => [event, reason])).toEqual([
    ['acquired', undefined], ['lost', 'deadline-passed'],
  ])
  expect(leases[1]?.heldMs).toBeGreaterThan(SESSION_TIMEOUT_MS / 2)
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('hears of elections: who leads, and how that ends', async () => {
  const { rig, client, other, waits, elections } = await observed()
  const election = new LeaderElection(client, PATH, { id: 'a', data: SECRET })
  const first = await run(election.campaign())
  await pass(200)
  await run(first.resign())
  const second = await run(election.campaign())
  rig.control.disconnect(sessionOf(client))
  await pass(SESSION_TIMEOUT_MS)
  expect(waits.map(({ what, kind, outcome }) => [what, kind, outcome])).toEqual(
    [['campaign', 'latch', 'done'], ['campaign', 'latch', 'done']],
  )
  const told = elections.map(({ event, path, id, token, reason }) => [event, path, id, token, reason])
  expect(told).toEqual([
    ['elected', PATH, 'a', first.token, undefined],
    ['resigned', PATH, 'a', first.token, undefined],
    ['elected', PATH, 'a', second.token, undefined],
    ['lost', PATH, 'a', second.token, 'deadline-passed'],
  ])
  expect(elections[1]?.ledMs).toBeGreaterThanOrEqual(200)
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('hears of changes of a configuration, those that are refused too', async () => {
  const { rig, client, other, publishes } = await observed()
  const config = new ConfigCenter<unknown>(client, PATH)
  await run(config.publish(SECRET))
  await run(config.update(() => ({ a: 1 })))
  const refused = await failureOf(config.publish(1, { ifVersion: 7 }))
  await pass(0)
  expect(publishes.map(({ action, path, error }) => [action, path, error])).toEqual([
    ['publish', PATH, undefined], ['update', PATH, undefined], ['publish', PATH, refused],
  ])
  await run(config.close())
  expect(await closeAll(rig, client, other)).toEqual([])
})
