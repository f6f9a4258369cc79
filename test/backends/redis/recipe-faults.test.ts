/** The promises that recipes keep on Redis while it fails: docs/guarantees.md names these tests. */
import { connect } from '../../../src/index.ts'
import { redis } from '../../../src/backends/redis/index.ts'
import type { Client } from '../../../src/index.ts'
import { eventually } from '../../../src/testing/conformance/expect.ts'
import { RedisProxy, redisMissing, sessionText, startRedis } from '../../engines/redis.ts'
import type { RedisServer } from '../../engines/redis.ts'
import { cutOff, cutOften, freezeTwice, recipeFaults, SESSION_TIMEOUT_MS } from '../recipe-faults.ts'
import type { StruckEngine } from '../recipe-faults.ts'

type Strike = (clients: readonly Client[], proxy: RedisProxy, server: RedisServer) => Promise<void>

/** Options of a server whose acknowledged writes are on the disk. */
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always']
const PATIENCE_MS = 30_000
/** Writes stay stopped until the primary is killed. */
const PAUSE_MS = 60_000

const options = { skipped: redisMissing }
const ignore = (): void => undefined

async function serverWith(strike: Strike, replica: RedisServer | null = null): Promise<StruckEngine> {
  const server = await startRedis({ args: DURABLE })
  const proxy = await RedisProxy.start(server.port)
  if (replica !== null) await follow(replica, server)
  const backend = redis(proxy.url, { tickMs: 200, connectTimeoutMs: 1_000 })
  return {
    connect: () => connect(backend, { sessionTimeoutMs: SESSION_TIMEOUT_MS, onError: ignore }),
    strike: (clients) => strike(clients, proxy, server),
    close: async () => {
      await proxy.close()
      await server.close()
      await replica?.close()
    },
  }
}

/** Makes a server a replica of another one, and waits until it is in step. */
async function follow(replica: RedisServer, primary: RedisServer): Promise<void> {
  await replica.ask((admin) => admin.replicaof('127.0.0.1', primary.port))
  const isInStep = async (): Promise<boolean> => {
    return (await replica.ask((admin) => admin.info('replication'))).includes('master_link_status:up')
  }
  await until(isInStep)
}

/** Stops writes, and waits until a replica has all that were acknowledged. */
async function catchUp(replica: RedisServer, primary: RedisServer): Promise<void> {
  await primary.ask((admin) => admin.client('PAUSE', PAUSE_MS, 'WRITE'))
  const positionOf = (server: RedisServer) => server.ask((admin) => admin.hget('{quorate}:meta', 'counter'))
  await until(async () => (await positionOf(replica)) === (await positionOf(primary)))
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  await eventually(condition, 'the replica is in step', PATIENCE_MS)
}

recipeFaults('Redis: connections are cut in the middle of requests', () => {
  return serverWith((clients, proxy) => cutOften(clients, () => proxy.cut()))
}, options)

recipeFaults('Redis: a client is cut off for longer than its session time-out', () => {
  return serverWith(([client], proxy) => cutOff(client, (sessionId) => proxy.isolate(sessionText(sessionId))))
}, options)

recipeFaults('Redis: the server is frozen for twice the session time-out', () => {
  return serverWith((_, __, server) => freezeTwice(() => server.signal('SIGSTOP'), () => server.signal('SIGCONT')))
}, options)

recipeFaults('Redis: the server is killed and started again', () => {
  return serverWith(async (_, __, server) => {
    await server.kill()
    await server.start()
  })
}, options)

recipeFaults('Redis: the primary is killed and its replica promoted', async () => {
  const replica = await startRedis({ args: DURABLE })
  return serverWith(async (_, proxy, server) => {
    await catchUp(replica, server)
    await server.kill()
    await replica.ask((admin) => admin.replicaof('NO', 'ONE'))
    proxy.target = replica.port
  }, replica)
}, { ...options, losesWrites: true })
