/** Faults of a real Redis and of the way to it: cuts, freezes, crashes, lost data and lost answers. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connect, ExclusiveLock, FairLock, isCoordinationError } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import type { Session } from '../../../src/core/backend.ts'
import { redis } from '../../../src/backends/redis/index.ts'
import { SCRIPTS } from '../../../src/backends/redis/io/script.ts'
import { RedisProxy, redisMissing, sessionText, startRedis } from '../../engines/redis.ts'
import type { RedisServer } from '../../engines/redis.ts'

const PATIENCE_MS = 20_000
const NAMESPACE = 'faults'
const SESSION_TIMEOUT_MS = 1_000
/** Longer than a test may take. */
const LONG_TIMEOUT_MS = 120_000
const reason = redisMissing === null ? '' : ` (skipped: ${redisMissing})`
const EMPTY = new Uint8Array()

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe.skipIf(redisMissing !== null)(`faults of a real Redis${reason}`, { timeout: 60_000 }, () => {
  let server: RedisServer
  let proxy: RedisProxy
  let open: { close(): Promise<unknown> }[]

  beforeEach(async () => {
    open = []
    server = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
    proxy = await RedisProxy.start(server.port)
  })
  afterEach(async () => {
    server.signal('SIGCONT')
    await Promise.all(open.map((one) => one.close()))
    await proxy.close()
    await server.close()
  })

  const backend = () => redis(proxy.url, { namespace: NAMESPACE, tickMs: 100, connectTimeoutMs: 1_000 })
  async function session(sessionTimeoutMs = 5_000): Promise<Session> {
    const opened = await backend().open({ sessionTimeoutMs, onError: () => undefined })
    open.push(opened)
    return opened
  }
  async function client(sessionTimeoutMs = SESSION_TIMEOUT_MS): Promise<Client> {
    const onError = (): void => undefined
    const opened = await connect(backend(), { sessionTimeoutMs, operationTimeoutMs: PATIENCE_MS, onError })
    open.push(opened)
    return opened
  }
  /** Ephemeral nodes of sessions that are over. */
  async function orphans(): Promise<string[]> {
    return server.ask(async (admin) => {
      const keys = await admin.keys(`{${NAMESPACE}}:e:*`)
      const live = await admin.zrange(`{${NAMESPACE}}:sessions`, 0, -1)
      return keys.filter((key) => !live.some((sid) => key.endsWith(`:${sid}`)))
    })
  }

  /** Clients that take a lock in turns until told to stop; tokens must grow from holder to holder. */
  function contend(clients: readonly Client[], path: string) {
    const tokens: bigint[] = []
    const rounds = clients.map(() => 0)
    let isOver = false
    const loops = clients.map(async (one, index) => {
      const lock = new FairLock(one, path)
      while (!isOver) {
        try {
          const lease = await lock.acquire({ waitMs: PATIENCE_MS })
          if (!lease.signal.aborted) {
            tokens.push(lease.token)
            rounds[index] = (rounds[index] ?? 0) + 1
          }
          await lease.release()
        } catch (error) {
          if (!isCoordinationError(error)) throw error
        }
      }
    })
    return {
      tokens,
      rounds,
      stop: async () => {
        isOver = true
        await Promise.all(loops)
      },
    }
  }
  const grows = (tokens: readonly bigint[]): boolean => {
    return tokens.every((token, i) => i === 0 || token > (tokens[i - 1] ?? 0n))
  }

  it('a write whose answer is lost with the connection is told as unknown, and was done once', async () => {
    const one = await session()
    await one.create('/counter', EMPTY, { mode: 'persistent' })
    proxy.isDeaf = true
    const write = one.set('/counter', EMPTY, -1)
    const told = write.then(() => null, (error: unknown) => error)
    const version = () => server.ask((admin) => admin.hget(`{${NAMESPACE}}:n:/counter`, 'stat'))
    await until(async () => (await version())?.split(' ')[5] === '1', 'the write arrives')
    proxy.cut()
    proxy.isDeaf = false
    expect(await told).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' })
    await until(() => one.state.status === 'connected', 'the session comes back')
    expect((await one.exists('/counter'))?.version).toBe(1)
  })

  it('a check of a creation holds where the counter has run over into the epoch', async () => {
    const one = await session()
    await server.ask((admin) => admin.hset(`{${NAMESPACE}}:meta`, 'counter', String(3 * 2 ** 20 - 1)))
    const nodes = []
    for (const path of ['/last', '/over']) nodes.push(await one.create(path, EMPTY, { mode: 'persistent' }))
    for (const { path, stat } of nodes) {
      await one.multi([{ type: 'check', path, version: -1, czxid: stat.czxid }])
      const other = one.multi([{ type: 'check', path, version: -1, czxid: stat.czxid + 1n }])
      await expect(other).rejects.toMatchObject({ code: 'BAD_VERSION', index: 0 })
    }
  })

  it('a write that reaches the server behind a later connection of its session is not done', async () => {
    const one = await session()
    const sid = sessionText(one.id)
    await one.create('/a', EMPTY, { mode: 'persistent' })
    const states: string[] = []
    one.onState(({ status }) => states.push(status))
    proxy.cut()
    await until(() => states.includes('connected'), 'the session comes back')
    const late = ['', sid, '1', '', '2', 'C', '/late', '', 'p', '0', '0']
    const answer = await server.ask((admin) => admin.eval(SCRIPTS.write.text, 1, `{${NAMESPACE}}`, ...late))
    expect((answer as string[])[0]).toBe('MOVED')
    expect(await one.exists('/late')).toBeNull()
  })

  it('a write that is sent twice is done once, and answered alike', async () => {
    const one = await session()
    const args = ['', sessionText(one.id), '1', '', '1', 'C', '/s-', '', 'p', '1', '0']
    const twice = await server.ask(async (admin) => [
      await admin.eval(SCRIPTS.write.text, 1, `{${NAMESPACE}}`, ...args),
      await admin.eval(SCRIPTS.write.text, 1, `{${NAMESPACE}}`, ...args),
    ])
    const [first, second] = twice as [string[], string[]]
    expect(first[0]).toBe('OK')
    expect(second[3]).toBe(first[3])
    expect((await one.children('/')).names).toEqual(['s-0000000000'])
  })

  it('a session that missed more than it can be told is told what differs from what it has read', async () => {
    // The writes take seconds on a busy machine, and a session that is cut off for its time-out is over.
    const [watcher, writer] = [await session(LONG_TIMEOUT_MS), await session(LONG_TIMEOUT_MS)]
    for (const path of ['/set', '/gone', '/parent', '/same']) await writer.create(path, EMPTY, { mode: 'persistent' })
    const heard: string[] = []
    const note = ({ type, path }: { type: string; path: string }): void => void heard.push(`${type} ${path}`)
    for (const path of ['/set', '/gone', '/same']) await watcher.get(path, note)
    await watcher.children('/parent', note)
    await watcher.exists('/missing', note)
    proxy.isolate(sessionText(watcher.id))
    await until(() => watcher.state.status === 'suspended', 'the session is cut off')
    const writes = Array.from({ length: 2_000 }, () => writer.set('/set', EMPTY, -1))
    writes.push(writer.set('/set', EMPTY, -1))
    await Promise.all([...writes, writer.delete('/gone', -1)])
    for (const path of ['/parent/c', '/missing']) await writer.create(path, EMPTY, { mode: 'persistent' })
    proxy.rejoin(sessionText(watcher.id))
    await until(() => watcher.state.status === 'connected', 'it comes back')
    await watcher.sync('/')
    expect((await watcher.get('/same')).stat.version).toBe(0)
    expect(heard.sort()).toEqual(['changed /set', 'children /parent', 'created /missing', 'deleted /gone'])
  })

  it('a server that forgets the scripts is taught them again, and nothing changes its order', async () => {
    const one = await session()
    const { path } = await one.create('/n', EMPTY, { mode: 'persistent' })
    for (let round = 0; round < 20; round++) {
      const flushed = server.ask((admin) => admin.script('FLUSH'))
      const versions = Array.from({ length: 20 }, async (_, i) => {
        const [set, get] = [one.set(path, EMPTY, round * 20 + i), one.get(path)]
        return [(await set).version, (await get).stat.version]
      })
      await flushed
      expect(await Promise.all(versions)).toEqual(
        Array.from({ length: 20 }, (_, i) => [round * 20 + i + 1, round * 20 + i + 1]),
      )
    }
    expect(one.state.status).toBe('connected')
  })

  it('over a server that stands still for two session time-outs, locks go on with growing tokens', async () => {
    const clients = [await client(), await client(), await client()]
    const contest = contend(clients, '/locks/frozen')
    await until(() => contest.tokens.length > 20, 'the lock goes round')
    server.signal('SIGSTOP')
    await new Promise((resolve) => setTimeout(resolve, 2 * SESSION_TIMEOUT_MS))
    server.signal('SIGCONT')
    const before = [...contest.rounds]
    await until(() => contest.rounds.every((count, i) => count > (before[i] ?? 0) + 5), 'everyone gets it again')
    await contest.stop()
    expect(grows(contest.tokens)).toBe(true)
    await Promise.all(clients.map((one) => one.close()))
    await until(async () => (await orphans()).length === 0, 'no ephemeral node is left')
  })

  it('over a crash and a restart, sessions and leases live on, and watchers hear of what comes', async () => {
    const clients = [await client(10_000), await client(10_000)]
    const [holder, other] = clients as [Client, Client]
    const lease = await new ExclusiveLock(holder, '/locks/crash').acquire()
    const heard: string[] = []
    await holder.create('/watched')
    await other.get('/watched', { watch: ({ type }) => heard.push(type) })
    const ids = clients.map(({ sessionId }) => sessionId)
    await server.kill()
    await until(() => clients.every(({ state }) => state.status === 'suspended'), 'both notice')
    await server.start()
    await until(() => clients.every(({ state }) => state.status === 'connected'), 'both come back')
    expect(clients.map(({ sessionId }) => sessionId)).toEqual(ids)
    expect(lease.signal.aborted).toBe(false)
    expect(heard).toEqual([])
    await holder.set('/watched', 'new')
    await until(() => heard.length > 0, 'the watcher hears of the change')
    const { token } = lease
    await lease.release()
    await using next = await new ExclusiveLock(other, '/locks/crash').acquire()
    expect(next.token > token).toBe(true)
  })

  it('while a server crashes again and again, locks go on with growing tokens', async () => {
    const clients = [await client(3_000), await client(3_000), await client(3_000)]
    const contest = contend(clients, '/locks/crashes')
    for (let round = 0; round < 3; round++) {
      const before = [...contest.rounds]
      await until(() => contest.rounds.every((count, i) => count > (before[i] ?? 0) + 3), 'everyone gets it')
      await server.kill()
      await server.start()
    }
    await contest.stop()
    expect(grows(contest.tokens)).toBe(true)
    await Promise.all(clients.map((one) => one.close()))
    await until(async () => (await orphans()).length === 0, 'no ephemeral node is left')
  })

  it('after a FLUSHALL every session is over, and tokens are greater than all before', async () => {
    const one = await client(5_000)
    const lease = await new ExclusiveLock(one, '/lock').acquire()
    await server.ask((admin) => admin.flushall())
    await until(() => lease.signal.aborted, 'the lease is lost')
    await until(() => one.state.status === 'connected', 'a new session is opened')
    await using next = await new ExclusiveLock(one, '/lock').acquire()
    expect(next.token > lease.token).toBe(true)
  })

  it('after a fail-over that loses writes no token comes twice, and the sessions that saw them are over', async () => {
    const replica = await startRedis()
    open.push(replica)
    const [behind, ahead] = [await client(5_000), await client(5_000)]
    await behind.create('/old')
    const stream = await RedisProxy.start(server.port)
    open.push(stream)
    await replica.ask((admin) => admin.replicaof('127.0.0.1', new URL(stream.url).port))
    const linked = async (): Promise<boolean> => {
      return (await replica.ask((admin) => admin.info())).includes('master_link_status:up')
    }
    await until(linked, 'the replica is in step')
    const position = (of: RedisServer) => of.ask((admin) => admin.hget(`{${NAMESPACE}}:meta`, 'counter'))
    await until(async () => (await position(replica)) === (await position(server)), 'the replica has all')
    stream.isDeaf = true
    const lease = await new ExclusiveLock(ahead, '/lock').acquire()
    const lostId = ahead.sessionId
    await server.kill()
    await replica.ask((admin) => admin.replicaof('NO', 'ONE'))
    proxy.target = replica.port
    await until(() => lease.signal.aborted, 'who saw what was lost loses its lease')
    await until(() => ahead.state.status === 'connected' && behind.state.status === 'connected', 'both come back')
    expect(ahead.sessionId).not.toBe(lostId)
    expect(await behind.exists('/old')).not.toBeNull()
    await using next = await new ExclusiveLock(behind, '/lock').acquire()
    expect(next.token > lease.token).toBe(true)
  })
})
