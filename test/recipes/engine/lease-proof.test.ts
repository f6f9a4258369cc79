/** How much of a lease is left when something is given out. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { ExclusiveLock } from '../../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { GroupMembership } from '../../../src/recipes/membership/group-membership.ts'
import type { RequestKind } from '../../../src/testing/model/ensemble.ts'
import { SESSION_TIMEOUT_MS, closeAll, newRig, run, strike, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/locks/orders'
const LEASE_MS = (SESSION_TIMEOUT_MS * 2) / 3

/** Whatever holds a request up holds up what is sent after it, pings too. */
const LATE_MS = LEASE_MS - 100

const THINGS: readonly (readonly [string, RequestKind, (client: Client) => Promise<unknown>])[] = [
  ['a fair lock', 'children', (client: Client) => new FairLock(client, PATH).acquire()],
  ['a fair lock that was tried', 'get', (client: Client) => new FairLock(client, PATH).tryAcquire()],
  ['an exclusive lock', 'exists', (client: Client) => new ExclusiveLock(client, PATH).acquire()],
  ['an exclusive lock', 'create', (client: Client) => new ExclusiveLock(client, PATH).acquire()],
  ['a membership', 'create', (client: Client) => new GroupMembership(client, PATH).join('w1')],
]

it.each(THINGS)('%s is given out with half of a lease left, though its %s was slow', async (_, slow, acquire) => {
  const rig = newRig()
  const client = await rig.connect()
  await run(client.makePath(slow === 'exists' ? '/locks' : PATH.replace(/\/orders$/, '')))
  if (slow === 'create') await run(client.makePath('/locks'))
  const struck = strike(rig, { delayMs: LATE_MS }, ({ kind, path }) => kind === slow && path.startsWith(PATH))
  const beganMs = performance.now()
  const leftMs = await run(acquire(client).then(() => client.leaseDeadlineMs - performance.now()))
  expect(struck.isMet).toBe(true)
  expect(performance.now() - beganMs).toBeGreaterThan(LATE_MS)
  expect(leftMs).toBeGreaterThanOrEqual(LEASE_MS / 2)
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(THINGS)('%s costs no proof when the servers answer in time', async (_, __, acquire) => {
  const rig = newRig()
  const client = await rig.connect()
  await run(acquire(client))
  expect(rig.control.requestCount({ kind: 'sync' })).toBeLessThanOrEqual(1)
  expect(await closeAll(rig, client)).toEqual([])
})
