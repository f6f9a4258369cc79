/** Faults of a session on one member of etcd: lost answers, freezes, crashes, compaction. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ConfigCenter, connect, ExclusiveLock, FairLock, GroupMembership } from '../../../src/index.ts'
import { isCoordinationError } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import { etcd } from '../../../src/backends/etcd/index.ts'
import type { Operation, Session } from '../../../src/core/backend.ts'
import { steps } from '../../../src/testing/conformance/case.ts'
import { eventually, within } from '../../../src/testing/conformance/expect.ts'
import { etcdMissing, startEtcd } from '../../engines/etcd.ts'
import type { EtcdCluster } from '../../engines/etcd.ts'
import { startProxy } from './tcp-proxy.ts'
import type { TcpProxy } from './tcp-proxy.ts'

const PATIENCE_MS = 30_000
const SHORT_TIMEOUT_MS = 2_000
const LONG_TIMEOUT_MS = 30_000
/** Looks for changes by itself no sooner than after the patience of this suite. */
const QUIET_TIMEOUT_MS = 120_000
const CHANGES = 20
const CLOSES = 24
/** Operations of a transaction: the field of a read, a put or a delete, its length, and in it the field of the key. */
const LENGTH = '(?:[\\0-\\x7f]|[\\x80-\\xff].)'
const READ = new RegExp(`\\n${LENGTH}\\n[\\0-\\x7f]/`, 's')
const COMMIT = new RegExp(`\\x12${LENGTH}\\n[\\0-\\x7f]/`, 's')
const DELETION = new RegExp(`\\x1a${LENGTH}\\n[\\0-\\x7f]/`, 's')

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const ignore = (): void => undefined
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const until = (condition: () => boolean | Promise<boolean>, promise: string): Promise<void> => {
  return eventually(condition, promise, PATIENCE_MS)
}

const missing = etcdMissing === null ? '' : ` (skipped: ${etcdMissing})`

describe.skipIf(etcdMissing !== null)(`faults of one etcd${missing}`, () => {
  let cluster: EtcdCluster
  let proxy: TcpProxy
  let prefix = ''

  beforeAll(async () => {
    cluster = await startEtcd(1)
    proxy = await startProxy(cluster.urls[0] ?? '')
  })
  beforeEach(() => {
    proxy.mend()
    prefix = `/${crypto.randomUUID()}`
  })
  afterAll(async () => {
    await proxy.close()
    await cluster.close()
  })

  const connectTo = (url: string | readonly string[], sessionTimeoutMs = LONG_TIMEOUT_MS): Promise<Client> => {
    return connect(etcd(url, { prefix }), { sessionTimeoutMs, onError: ignore })
  }
  const open = (url: string, sessionTimeoutMs = LONG_TIMEOUT_MS): Promise<Session> => {
    return etcd(url, { prefix }).open({ sessionTimeoutMs, onError: ignore })
  }

  it('a write whose answer is lost is `unknown`, was sent once, and took effect once', async () => {
    const [session, other] = [await open(proxy.url), await open(cluster.urls[0] ?? '')]
    await session.create('/n', bytes('0'), { mode: 'persistent' })
    const writes = [
      () => session.set('/n', bytes('1'), -1),
      () => session.create('/n/c', bytes(''), { mode: 'persistent' }),
      () => session.create('/n/s-', bytes(''), { mode: 'ephemeral-sequential' }),
      () => session.multi([{ type: 'set', path: '/n', data: bytes('2'), version: 1 }]),
    ]
    for (const write of writes) {
      // Its view is fresh, so that its first transaction is the one that writes.
      await session.exists('/n')
      const before = proxy.count(COMMIT)
      const lost = proxy.loseAnswerOf(COMMIT)
      await expect(write()).rejects.toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' })
      await lost
      await session.sync('/')
      expect(proxy.count(COMMIT)).toBe(before + 1)
    }
    expect((await other.get('/n')).stat).toMatchObject({ version: 2, cversion: 2, numChildren: 2 })
    expect((await other.children('/n')).names).toEqual(['c', 's-0000000001'])
    await Promise.all([session.close(), other.close()])
  })

  it('what a write on its way says at a close is true: done, not sent, or not known', async () => {
    const other = await open(cluster.urls[0] ?? '')
    const told = new Set<string>()
    for (let round = 0; round < CLOSES; round++) {
      const session = await open(proxy.url)
      // Of a parent that it has not seen, so that it is read first and written then.
      const parent = `/p${round}`
      await other.create(parent, bytes(''), { mode: 'persistent' })
      const outcome = session.create(`${parent}/c`, bytes(''), { mode: 'persistent' }).then(
        () => 'done',
        (error: unknown) => (isCoordinationError(error, 'CLIENT_CLOSED') ? error.outcome : String(error)),
      )
      await steps(round)
      await session.close()
      const isThere = (await other.exists(`${parent}/c`)) !== null
      told.add(await outcome)
      const honest = { done: [true], 'not-sent': [false], unknown: [true, false] }[await outcome]
      expect(honest, `${await outcome}, and the node is ${isThere ? '' : 'not '}there`).toContain(isThere)
    }
    expect(told).toContain('not-sent')
    await other.close()
  })

  it('a read whose answer is lost is done again, and its watch is armed once', async () => {
    const session = await open(proxy.url)
    await session.create('/n', bytes('0'), { mode: 'persistent' })
    const events: string[] = []
    const lost = proxy.loseAnswerOf(READ)
    const read = session.get('/n', ({ type }) => void events.push(type))
    await lost
    expect((await within(read, 'the read', PATIENCE_MS)).stat.version).toBe(0)
    await session.set('/n', bytes('1'), -1)
    await session.sync('/')
    expect(events).toEqual(['changed'])
    await session.close()
  })

  it('an acquire whose answer is lost finds its own node, and leaves none behind', async () => {
    const [client, other] = [await connectTo(proxy.url), await connectTo(cluster.urls)]
    const lock = new FairLock(client, '/lock')
    await (await lock.acquire()).release()
    const lost = proxy.loseAnswerOf(COMMIT)
    const lease = await within(lock.acquire(), 'acquire', PATIENCE_MS)
    await lost
    expect((await other.children('/lock')).names).toHaveLength(1)
    const lostAgain = proxy.loseAnswerOf(DELETION)
    await within(lease.release(), 'release', PATIENCE_MS)
    await lostAgain
    await until(async () => (await other.children('/lock')).names.length === 0, 'no contender is left')
    await Promise.all([client.close(), other.close()])
  })

  it('a multi that takes more than one transaction of etcd holds is refused, and nothing of it is done', async () => {
    const session = await open(proxy.url)
    const creates = (count: number): Operation[] =>
      Array.from({ length: count }, (_, index) => {
        return { type: 'create', path: `/n${index}`, data: bytes(''), mode: 'persistent' }
      })
    const refused = { code: 'PAYLOAD_TOO_LARGE', outcome: 'not-sent' }
    await expect(session.multi(creates(64))).rejects.toMatchObject(refused)
    await expect(session.multi(creates(64))).rejects.toThrow('at most 128')
    expect((await session.children('/')).names).toEqual([])
    await session.multi(creates(63))
    expect((await session.children('/')).names).toHaveLength(63)
    await session.close()
  })

  it('changes that were compacted away behind a cut are found by reading, each watch firing once', async () => {
    const [watcher, writer] = [await open(proxy.url, QUIET_TIMEOUT_MS), await open(cluster.urls[0] ?? '')]
    for (const path of ['/changed', '/deleted', '/parent', '/same']) {
      await writer.create(path, bytes(''), { mode: 'persistent' })
    }
    const events: string[] = []
    const note = ({ type, path }: { type: string; path: string }): void => void events.push(`${type} ${path}`)
    await watcher.get('/changed', note)
    await watcher.exists('/deleted', note)
    await watcher.children('/parent', note)
    await watcher.exists('/missing', note)
    await watcher.get('/same', note)
    proxy.cut()
    for (let i = 0; i < CHANGES; i++) await writer.set('/changed', bytes(`${i}`), -1)
    await writer.delete('/deleted', -1)
    await writer.create('/parent/c', bytes(''), { mode: 'persistent' })
    const { stat } = await writer.create('/missing', bytes(''), { mode: 'persistent' })
    await cluster.post(0, '/v3/kv/compaction', { revision: String(stat.czxid), physical: true })
    proxy.mend()
    await until(() => events.length === 4, 'the four watches fire without a read')
    expect([...events].sort()).toEqual(['changed /changed', 'children /parent', 'created /missing', 'deleted /deleted'])
    await writer.set('/same', bytes('new'), -1)
    await until(() => events.length === 5, 'the stream tells what did not change before')
    expect(events.at(-1)).toBe('changed /same')
    await Promise.all([watcher.close(), writer.close()])
  })

  it('a restart within the time-out costs neither a session nor a lock, and watches fire behind it', async () => {
    const [holder, waiter] = [await connectTo(cluster.urls), await connectTo(cluster.urls)]
    const lease = await new ExclusiveLock(holder, '/lock').acquire()
    const waiting = new ExclusiveLock(waiter, '/lock').acquire()
    await cluster.kill(0)
    await until(() => holder.state.status === 'suspended', 'the holder notices')
    await cluster.restart(0)
    await until(() => lease.state === 'held', 'the lease is held again')
    expect(lease.signal.aborted).toBe(false)
    await lease.release()
    const next = await within(waiting, 'the wait', PATIENCE_MS)
    expect(next.token).toBeGreaterThan(lease.token)
    await Promise.all([holder.close(), waiter.close()])
  })

  it('a freeze of twice the time-out ends leases before etcd could, and everything goes on behind it', async () => {
    const clients = [await connectTo(cluster.urls, SHORT_TIMEOUT_MS), await connectTo(cluster.urls, SHORT_TIMEOUT_MS)]
    const [a, b] = clients as [Client, Client]
    const lease = await new FairLock(a, '/lock').acquire()
    const endedAtMs = new Promise<number>((resolve) => {
      lease.signal.addEventListener('abort', () => resolve(performance.now()), { once: true })
    })
    const config = new ConfigCenter(b, '/config')
    const seen: unknown[] = []
    config.subscribe(({ value }) => void seen.push(value))
    const member = await new GroupMembership(a, '/group').join('one')
    const frozenAtMs = performance.now()
    cluster.freeze(0)
    expect(await within(endedAtMs, 'the signal', PATIENCE_MS)).toBeLessThan(frozenAtMs + PATIENCE_MS)
    await pause(Math.max(0, frozenAtMs + 2 * SHORT_TIMEOUT_MS - performance.now()))
    cluster.thaw(0)
    const next = await within(new FairLock(b, '/lock').acquire(), 'the next acquire', PATIENCE_MS)
    expect(next.token).toBeGreaterThan(lease.token)
    await next.release()
    await within(config.publish({ n: 1 }), 'a write', PATIENCE_MS)
    await until(() => seen.length > 0, 'the subscriber converges')
    await until(() => member.state === 'joined', 'the member is there again')
    await Promise.all(clients.map((client) => client.close()))
    const look = await connectTo(cluster.urls)
    expect((await look.children('/lock')).names).toEqual([])
    expect((await look.children('/group')).names).toEqual([])
    await look.close()
  })
})
