/**
 * Failures of the locks of others, each as a test that would have caught it. The names say whose report it
 * was.
 */
import { expect, it } from 'vitest'
import type { Client } from '../../src/core/client.ts'
import { pendingCleanups } from '../../src/recipes/engine/cleanups.ts'
import { ExclusiveLock } from '../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { markData } from '../../src/recipes/engine/marked-data.ts'
import { lossReason } from '../../src/recipes/engine/ownership.ts'
import { ROUND_TRIP_MS, SESSION_TIMEOUT_MS, closeAll, codeOf, ephemerals, failureOf } from './rig.ts'
import { newRig, nodesUnder } from './rig.ts'
import type { Rig } from './rig.ts'
import { pass, run, sessionOf, stateOf, strike, useVirtualTime } from './rig.ts'

useVirtualTime()

const PATH = '/locks/orders'
const SETTLE_MS = 20 * ROUND_TRIP_MS

/**
 * Loses the reply to a client's next create under the lock, and before it is looked up lets another session have the
 * node that it made: as if a session that is over still had it.
 */
function leaveNodeOfOlderSession(rig: Rig, client: Client, older: Client): { path: string } {
  const session = sessionOf(client)
  const left = { path: '' }
  strike(rig, 'lose-before', ({ kind, path, sessionId }) => {
    const isContender = kind === 'create' && sessionId === session && path.includes('_c_')
    if (isContender) left.path = path
    return isContender
  })
  strike(rig, { delayMs: 50 }, ({ kind, sessionId }) => {
    const isLookup = kind === 'sync' && sessionId === session
    if (isLookup) void older.create(left.path, '', { mode: 'ephemeral-sequential' })
    return isLookup
  })
  return left
}

/** A client that seems to have another session. */
function withSession(client: Client, sessionId: () => bigint | null): Client {
  return new Proxy(client, {
    get: (_, name: keyof Client) => {
      if (name === 'sessionId') return sessionId()
      const value: unknown = client[name]
      return typeof value === 'function' ? value.bind(client) as unknown : value
    },
  })
}

it('CURATOR-620, CURATOR-604, CURATOR-498: a node of an older session is not taken for ours, but deleted', async () => {
  const rig = newRig()
  const [client, older] = [await rig.connect(), await rig.connect()]
  await run(client.makePath(PATH))
  const left = leaveNodeOfOlderSession(rig, client, older)
  const aged = withSession(client, () => (left.path === '' ? older.sessionId : client.sessionId))
  const lease = await run(new FairLock(aged, PATH).acquire())
  expect(left.path).not.toBe('')
  expect(lease.path.startsWith(left.path)).toBe(true)
  const nodes = rig.control.nodes().filter(({ ephemeralOwner }) => ephemeralOwner !== 0n)
  expect(nodes).toEqual([{ path: lease.path, ephemeralOwner: sessionOf(client) }])
  rig.control.expire(sessionOf(older))
  await pass(SETTLE_MS)
  expect(lease.state).toBe('held')
  expect(await closeAll(rig, client, older)).toEqual([])
})

it('CURATOR-604: an exclusive lock that carries our mark but belongs to an older session is waited for', async () => {
  const rig = newRig()
  const [client, older] = [await rig.connect(), await rig.connect()]
  await run(client.makePath('/locks'))
  const session = sessionOf(client)
  strike(rig, 'lose-before', ({ kind, sessionId }) => kind === 'create' && sessionId === session)
  const mark = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'
  const randomUUID = crypto.randomUUID.bind(crypto)
  crypto.randomUUID = () => mark
  try {
    const acquiring = new ExclusiveLock(client, PATH).acquire()
    await run(older.create(PATH, markData(mark, ''), { mode: 'ephemeral' }))
    await pass(SETTLE_MS)
    expect(await stateOf(acquiring)).toBe('pending')
    rig.control.expire(sessionOf(older))
    expect((await run(acquiring)).state).toBe('held')
  } finally {
    crypto.randomUUID = randomUUID
  }
  expect(await closeAll(rig, client, older)).toEqual([])
})

it('CURATOR-653, CURATOR-696: a session that is over holds nothing, however soon the next one is there', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const first = await run(new FairLock(a, PATH).acquire())
  const second = new FairLock(b, PATH).acquire()
  await pass(SETTLE_MS)
  rig.control.expire(sessionOf(a))
  await pass(1)
  const again = new FairLock(a, PATH).acquire()
  expect((await run(second)).state).toBe('held')
  expect(first.state).toBe('lost')
  expect(await stateOf(again)).toBe('pending')
  await run((await second).release())
  const third = await run(again)
  expect(third.token).toBeGreaterThan(first.token)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('CURATOR-206, kazoo#565: a holder that is cut off knows before the lock can go to another', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const first = await run(new FairLock(a, PATH).acquire())
  const second = new FairLock(b, PATH).acquire()
  await pass(SETTLE_MS)
  const times: Record<string, number> = {}
  first.signal.addEventListener('abort', () => {
    times['lost'] = performance.now()
  })
  void second.then(() => {
    times['granted'] = performance.now()
  })
  rig.control.disconnect(sessionOf(a))
  const next = await run(second)
  expect(times['granted'] ?? 0).toBeGreaterThan((times['lost'] ?? Infinity) + SESSION_TIMEOUT_MS / 4)
  expect(next.token).toBeGreaterThan(first.token)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('CURATOR-678: a release whose delete was lost is not told as done, and does not block the others', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const first = await run(new FairLock(a, PATH).acquire())
  const second = new FairLock(b, PATH).acquire()
  await pass(SETTLE_MS)
  const session = sessionOf(a)
  const struck = strike(rig, 'lose-before', ({ kind, sessionId }) => kind === 'multi' && sessionId === session)
  const releasing = first.release()
  await pass(1)
  expect(first.state).toBe('suspect')
  expect(pendingCleanups(a)).toBe(1)
  await run(releasing)
  expect([struck.isMet, first.state, pendingCleanups(a)]).toEqual([true, 'released', 0])
  expect((await run(second)).state).toBe('held')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('CURATOR-79, CURATOR-205, kazoo#732: a wait that ends between create and reply leaves no orphan', async () => {
  for (const fate of ['lose-before', 'lose-after', { delayMs: 400 }] as const) {
    const rig = newRig()
    const [a, b] = [await rig.connect(), await rig.connect()]
    const held = await run(new FairLock(a, PATH).acquire())
    const session = sessionOf(b)
    strike(rig, fate, ({ kind, sessionId }) => kind === 'create' && sessionId === session)
    const stop = new AbortController()
    const waiting = new FairLock(b, PATH).acquire({ signal: stop.signal })
    waiting.catch(() => undefined)
    await pass(ROUND_TRIP_MS / 2)
    stop.abort()
    expect(codeOf(await failureOf(waiting))).toBe('ABORTED/aborted')
    await pass(2_000)
    expect([ephemerals(rig), pendingCleanups(b)]).toEqual([[held.path], 0])
    expect(await closeAll(rig, a, b)).toEqual([])
  }
})

it('kazoo#429: a lock tried in vain leaves no zombie, even when it was overtaken at the create', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const session = sessionOf(b)
  let rival: Promise<unknown> | null = null
  strike(rig, { delayMs: 100 }, ({ kind, sessionId, path }) => {
    if (kind !== 'create' || sessionId !== session || !path.includes('_c_')) return false
    rival = new FairLock(a, PATH).acquire()
    return true
  })
  expect(await run(new FairLock(b, PATH).tryAcquire())).toBeNull()
  expect(rival).not.toBeNull()
  const nodes = rig.control.nodes().filter(({ ephemeralOwner }) => ephemeralOwner === session)
  expect(nodes).toEqual([])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('node-zookeeper-client#20: a waiter that is cut off learns of its expiry without a server', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(new FairLock(a, PATH).acquire())
  const waiting = new FairLock(b, PATH).acquire()
  waiting.catch(() => undefined)
  await pass(SETTLE_MS)
  rig.control.refuseOpens(true)
  rig.control.disconnect(sessionOf(b))
  await pass((SESSION_TIMEOUT_MS * 4) / 3 + 100)
  expect(await stateOf(waiting)).toBe('rejected')
  expect(codeOf(await failureOf(waiting))).toBe('SESSION_EXPIRED/session-over')
  rig.control.refuseOpens(false)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('Redisson#5697: nothing of a lease goes on after its release', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const idle = { watches: rig.control.watchCount() }
  for (let round = 0; round < 5; round += 1) await run((await run(new FairLock(client, PATH).acquire())).release())
  rig.control.resetCounts()
  await pass(5 * SESSION_TIMEOUT_MS)
  expect(rig.control.requestCount()).toBe(0)
  expect({ watches: rig.control.watchCount() }).toEqual(idle)
  expect(await closeAll(rig, client)).toEqual([])
})

it.each([
  ['FairLock', (client: Client) => new FairLock(client, PATH)],
  ['ExclusiveLock', (client: Client) => new ExclusiveLock(client, PATH)],
] as const)('redlock#296: a %s is never returned past its deadline, but proven again', async (_, make) => {
  const rig = newRig()
  const client = await rig.connect()
  await run(client.makePath(PATH.slice(0, PATH.lastIndexOf('/'))))
  let proofs = 0
  const stalled = new Proxy(client, {
    get(target, key) {
      if (key === 'leaseDeadlineMs' && proofs < 4) return performance.now() - 1
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  rig.control.onRequest(({ kind }) => {
    if (kind === 'sync') proofs += 1
    return undefined
  })
  const lease = await run(make(stalled).acquire())
  expect(proofs).toBeGreaterThanOrEqual(4)
  expect(lease.state).toBe('held')
  expect(await closeAll(rig, client)).toEqual([])
})

it('redlock#313: the release of a lease that is lost does not go on forever', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const lease = await run(new FairLock(client, PATH).acquire())
  rig.control.disconnect(sessionOf(client))
  await pass(SESSION_TIMEOUT_MS)
  expect(lossReason(lease.signal)).toBe('deadline-passed')
  await run(lease.release())
  await pass(SESSION_TIMEOUT_MS)
  expect(pendingCleanups(client)).toBe(0)
  expect(await closeAll(rig, client)).toEqual([])
})

it('Netflix/curator#117, CURATOR-347: the handle owns the lock, not the one who runs', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const lock = new FairLock(client, PATH)
  const first = await run(lock.acquire())
  const second = lock.acquire()
  await pass(SETTLE_MS)
  expect(await stateOf(second)).toBe('pending')
  const elsewhere = new Promise<void>((resolve) => setTimeout(() => resolve(first.release()), 10))
  await run(elsewhere)
  expect((await run(second)).state).toBe('held')
  expect(await closeAll(rig, client)).toEqual([])
})

it('kazoo#606, ZOOKEEPER-4706: the order holds across the wrap of the sequence number', async () => {
  const rig = newRig()
  const clients: Client[] = []
  const owner = await rig.connect()
  await run(owner.makePath(PATH))
  await run(owner.create(`${PATH}/keep`))
  rig.control.setSequence(PATH, 2 ** 31 - 2)
  const acquired: number[] = []
  for (let i = 0; i < 5; i += 1) {
    const client = await rig.connect()
    clients.push(client)
    void new FairLock(client, PATH).acquire().then(async (lease) => {
      acquired.push(i)
      await pass(0)
      await lease.release()
    })
    if (i === 0) continue
    await pass(1)
  }
  await pass(5_000)
  expect(acquired).toEqual([0, 1, 2, 3, 4])
  expect(await closeAll(rig, owner, ...clients)).toEqual([])
})

it('CURATOR-307, CURATOR-388: a lock whose path was deleted while in use is made again', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const session = sessionOf(b)
  await run((await run(new FairLock(a, PATH).acquire())).release())
  strike(rig, { delayMs: 50 }, ({ kind, sessionId }) => {
    if (kind !== 'create' || sessionId !== session) return false
    rig.control.reap()
    rig.control.reap()
    return true
  })
  const lease = await run(new FairLock(b, PATH).acquire())
  expect(nodesUnder(rig, PATH)).toEqual([lease.path])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('CURATOR-495: a handler of the loss that takes its time stops neither the client nor other locks', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const [first, second] = [new FairLock(client, '/locks/a'), new FairLock(client, '/locks/b')]
  const lease = await run(first.acquire())
  lease.signal.addEventListener('abort', () => void second.acquire().then((other) => other.release()))
  const other = await rig.connect()
  await run(other.delete(lease.path))
  await pass(SETTLE_MS)
  expect(lossReason(lease.signal)).toBe('node-deleted')
  expect((await run(second.acquire())).state).toBe('held')
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('CURATOR-561, CURATOR-36: what a lease says of itself never contradicts the state of its client', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const lease = await run(new FairLock(client, PATH).acquire())
  const expected: Record<string, string[]> = { connected: ['held'], suspended: ['suspect', 'lost'], expired: ['lost'] }
  const session = sessionOf(client)
  client.onState(({ status }) => {
    if (client.state.status === status && client.sessionId === session) expect(expected[status]).toContain(lease.state)
  })
  rig.control.disconnect(session)
  for (let passedMs = 0; passedMs < 2 * SESSION_TIMEOUT_MS; passedMs += 250) {
    const { status } = client.state
    if (client.sessionId === session) expect(expected[status]).toContain(lease.state)
    await pass(250)
  }
  expect(lease.state).toBe('lost')
  expect(await closeAll(rig, client)).toEqual([])
})
