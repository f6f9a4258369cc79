/** Locks without a queue of their own are asked for too: an exclusive lock, and several locks as one. */
import { expect, it } from 'vitest'
import { ExclusiveLock } from '../../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { MultiLock } from '../../../src/recipes/locks/multi-lock.ts'
import { ROUND_TRIP_MS, closeAll, interrupt, newRig, nodesUnder, pass, run, sessionOf, stateOf } from '../rig.ts'
import { useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/locks/orders'
const OTHER_PATH = '/locks/stock'
const SETTLED_MS = 20 * ROUND_TRIP_MS

/** The reasons of the requests to a lease, as they come. */
function heardBy(lease: { onRevoke(listener: (request: { readonly reason: string }) => void): unknown }): string[] {
  const heard: string[] = []
  lease.onRevoke(({ reason }) => void heard.push(reason))
  return heard
}

it('an exclusive lock hears a request that came before the answer to its create, and knows its node', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(a.makePath('/locks'))
  const session = sessionOf(a)
  let isLost = false
  // It looks for its node after a while; by then the request stands there in the place of its data.
  rig.control.onRequest(({ kind, sessionId }) => {
    if (kind === 'sync' && sessionId === session) return { delayMs: 300 }
    if (kind !== 'create' || isLost) return undefined
    isLost = true
    return 'lose-after'
  })
  const acquiring = new ExclusiveLock(a, PATH).acquire({ revocable: true, data: 'a' })
  for (let step = 0; step < 100 && nodesUnder(rig, '/locks').length === 0; step++) await pass(1)
  const asked = await run(new ExclusiveLock(b, PATH).revoke({ reason: 'a deploy' }))
  const lease = await run(acquiring)
  expect(asked).toMatchObject([{ path: PATH, token: lease.token }])
  const heard = heardBy(lease)
  await pass(SETTLED_MS)
  expect([heard, lease.state, nodesUnder(rig, '/locks')]).toEqual([['a deploy'], 'held', [PATH]])
  const waiting = new ExclusiveLock(b, PATH).acquire()
  await run(lease.release())
  await run((await run(waiting)).release())
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('an exclusive lock is asked for over a lost connection, and only if it is the one that is meant', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const lock = new ExclusiveLock(b, PATH)
  expect(await run(lock.revoke())).toEqual([])
  const lease = await run(new ExclusiveLock(a, PATH).acquire({ revocable: true }))
  const heard = heardBy(lease)
  const interrupted = interrupt(rig, a, 500)
  await run(lock.revoke({ reason: 'meanwhile', contender: lease }))
  await interrupted
  await pass(SETTLED_MS)
  expect(heard).toEqual(['meanwhile'])
  expect(await run(lock.revoke({ contender: { path: PATH, token: lease.token + 1n } }))).toEqual([])
  await expect(run(lock.revoke({ contender: { path: OTHER_PATH, token: 1n } }))).rejects.toThrow(TypeError)
  await expect(run(lock.evict({ path: `${PATH}/x`, token: 1n }))).rejects.toThrow('must be one of /locks/orders')
  await run(lease.release())
  const plain = await run(new ExclusiveLock(a, PATH).acquire())
  expect(() => plain.onRevoke(() => undefined)).toThrow('acquire it with { revocable: true }')
  await run(lock.evict(plain))
  await pass(SETTLED_MS)
  expect(plain.state).toBe('lost')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('a request for any part of several locks is one for all, and who loses one loses all', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const both = (client: typeof a): MultiLock => {
    return new MultiLock([new FairLock(client, PATH), new ExclusiveLock(client, OTHER_PATH)])
  }
  const lease = await run(both(a).acquire({ revocable: true }))
  const heard = heardBy(lease)
  const asked = await run(both(b).revoke({ reason: 'all' }))
  expect(asked.map(({ token }) => token)).toEqual(lease.parts.map(({ token }) => token))
  await pass(SETTLED_MS)
  const [first, second] = lease.parts
  if (first === undefined || second === undefined) throw new Error('there are two parts')
  await run(new ExclusiveLock(b, OTHER_PATH).revoke({ reason: 'one' }))
  await pass(SETTLED_MS)
  expect(await run(both(b).revoke({ reason: 'the other', contender: first }))).toHaveLength(1)
  await pass(SETTLED_MS)
  expect([heard, lease.state]).toEqual([['all', 'all', 'one', 'the other'], 'held'])
  await expect(run(both(b).evict({ path: '/elsewhere', token: 1n }))).rejects.toThrow('of this MultiLock')
  await run(both(b).evict(second))
  await pass(SETTLED_MS)
  expect([lease.state, first.state]).toEqual(['lost', 'held'])
  const next = both(b).acquire()
  await pass(SETTLED_MS)
  expect(await stateOf(next)).toBe('pending')
  await run(lease.release())
  await run((await run(next)).release())
  expect([nodesUnder(rig, PATH), await closeAll(rig, a, b)]).toEqual([[], []])
})
