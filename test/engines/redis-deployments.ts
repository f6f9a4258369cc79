/** Ways to run Redis, for tests: with TLS, as a cluster of three, and as a primary with a replica under a sentinel. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import type { RedisOptions } from 'ioredis'
import { findProgram, freePort, freePorts, reasonToSkip, scratchFolder, startProcess, untilReady } from './process.ts'
import { redisMissing, startRedis } from './redis.ts'
import type { RedisServer } from './redis.ts'

/** Why suites on a Redis with TLS are skipped, or null if they run. */
export const redisTlsMissing = redisMissing ?? reasonToSkip('openssl', findProgram('openssl') !== null)

/** A server that speaks TLS alone. */
export interface TlsRedis {
  readonly server: RedisServer
  /** The certificate of the authority that has signed the others. */
  readonly ca: Buffer
  /** A client's certificate. */
  readonly cert: Buffer
  /** The client's private key. */
  readonly key: Buffer
  /** Ends it. */
  close(): Promise<void>
}

/** Starts a server with certificates that are made for it; clients have to show one. */
export async function startTlsRedis(): Promise<TlsRedis> {
  const folder = scratchFolder('redis-tls')
  const at = (name: string): string => `${folder.path}/${name}`
  const fresh = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const make = (name: string, ...more: string[]): void => {
    const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)]
    execFileSync('openssl', ['req', ...fresh, '-subj', `/CN=${name}`, ...files, ...more], { stdio: 'pipe' })
  }
  const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key')]
  make('ca')
  make('server', ...signed, '-addext', 'subjectAltName=IP:127.0.0.1')
  make('client', ...signed)
  const read = (name: string): Buffer => readFileSync(at(name))
  const [ca, cert, key] = [read('ca.pem'), read('client.pem'), read('client.key')]
  const files = ['--tls-cert-file', at('server.pem'), '--tls-key-file', at('server.key')]
  const args = [...files, '--tls-ca-cert-file', at('ca.pem'), '--tls-auth-clients', 'yes']
  const server = await startRedis({ args, access: { tls: { ca, cert, key } } })
  const close = async (): Promise<void> => {
    await server.close()
    folder.remove()
  }
  return { server, ca, cert, key, close }
}

const SERVERS = 3
const SLOTS = 16_384
const KEYS_A_MOVE = 1_000
const MOVE_MS_MAX = 5_000

/** A cluster of three servers, each with a third of the slots. */
export class RedisCluster {
  readonly servers: readonly RedisServer[]
  readonly #ids: readonly string[]
  /** Slots that are not where they were in the beginning. */
  readonly #moved = new Map<number, number>()

  private constructor(servers: readonly RedisServer[], ids: readonly string[]) {
    this.servers = servers
    this.#ids = ids
  }

  /** Starts a cluster; resolves when each of its servers says that all slots are served. */
  static async start(): Promise<RedisCluster> {
    const busPorts = await freePorts(SERVERS)
    const servers: RedisServer[] = []
    for (const port of busPorts) {
      servers.push(await startRedis({ args: ['--cluster-enabled', 'yes', '--cluster-port', String(port)] }))
    }
    const [first] = servers
    const place = ['127.0.0.1', first?.port ?? 0, busPorts[0] ?? 0]
    for (const [index, server] of servers.entries()) {
      const [from, behind] = [firstSlot(index, servers.length), firstSlot(index + 1, servers.length)]
      await server.ask((admin) => admin.call('CLUSTER', 'ADDSLOTSRANGE', from, behind - 1))
      if (server !== first) await server.ask((admin) => admin.call('CLUSTER', 'MEET', ...place))
    }
    for (const server of servers) {
      await server.until(async () => {
        const info = String(await server.ask((admin) => admin.call('CLUSTER', 'INFO')))
        return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${servers.length}`)
      })
    }
    const ids = await Promise.all(servers.map((server) => server.ask((admin) => admin.call('CLUSTER', 'MYID'))))
    return new RedisCluster(servers, ids.map(String))
  }

  /** The index of the server that has a key. */
  async ownerOf(key: string): Promise<number> {
    const slot = await this.#slotOf(key)
    const isBehind = (index: number): boolean => slot >= firstSlot(index, this.servers.length)
    return this.#moved.get(slot) ?? (isBehind(2) ? 2 : isBehind(1) ? 1 : 0)
  }

  /** Moves the slot of a key, with all that is in it, to another server. */
  async move(key: string, to: number): Promise<void> {
    const [slot, from] = [await this.#slotOf(key), await this.ownerOf(key)]
    const [source, target] = [this.servers[from], this.servers[to]]
    const [sourceId = '', targetId = ''] = [this.#ids[from], this.#ids[to]]
    if (source === undefined || target === undefined) throw new RangeError(`no server ${to}`)
    await target.ask((admin) => admin.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId))
    await source.ask((admin) => admin.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId))
    await source.ask(async (admin) => {
      for (;;) {
        const keys = (await admin.call('CLUSTER', 'GETKEYSINSLOT', slot, KEYS_A_MOVE)) as string[]
        if (keys.length === 0) return
        await admin.call('MIGRATE', '127.0.0.1', target.port, '', 0, MOVE_MS_MAX, 'KEYS', ...keys)
      }
    })
    for (const server of [target, source, ...this.servers]) {
      await server.ask((admin) => admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId))
    }
    this.#moved.set(slot, to)
  }

  /** Ends it. */
  async close(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close()))
  }

  async #slotOf(key: string): Promise<number> {
    return Number(await this.servers[0]?.ask((admin) => admin.call('CLUSTER', 'KEYSLOT', key)))
  }
}

function firstSlot(index: number, servers: number): number {
  return Math.ceil((SLOTS * index) / servers)
}

/** A primary and its replica, and a sentinel that makes the one the other when it has to. */
export interface SentinelRedis {
  readonly primary: RedisServer
  readonly replica: RedisServer
  /** The options for clients. */
  readonly target: RedisOptions
  /** Ends all three. */
  close(): Promise<void>
}

const SENTINEL_NAME = 'quorate'

/** Starts them; resolves when the replica is in step and the sentinel knows of both. */
export async function startSentinelRedis(): Promise<SentinelRedis> {
  const [primary, replica] = [await startRedis(), await startRedis()]
  await replica.ask((admin) => admin.replicaof('127.0.0.1', primary.port))
  await replica.until(async () => {
    return (await replica.ask((admin) => admin.info('replication'))).includes('master_link_status:up')
  })
  const folder = scratchFolder('redis-sentinel')
  const port = await freePort()
  const file = `${folder.path}/sentinel.conf`
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder.path}`,
    `sentinel monitor ${SENTINEL_NAME} 127.0.0.1 ${primary.port} 1`,
    `sentinel down-after-milliseconds ${SENTINEL_NAME} 1000`,
    `sentinel failover-timeout ${SENTINEL_NAME} 5000`,
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const process = startProcess(findProgram('redis-server') ?? 'redis-server', [file, '--sentinel'])
  await untilReady(process, async () => (await replicasKnown(port)) === 1)
  const close = async (): Promise<void> => {
    await process.kill()
    await Promise.all([primary.close(), replica.close()])
    folder.remove()
  }
  return { primary, replica, target: { sentinels: [{ host: '127.0.0.1', port }], name: SENTINEL_NAME }, close }
}

async function replicasKnown(port: number): Promise<number> {
  const sentinel = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => null })
  sentinel.on('error', () => undefined)
  try {
    await sentinel.connect()
    return ((await sentinel.call('SENTINEL', 'REPLICAS', SENTINEL_NAME)) as unknown[]).length
  } finally {
    sentinel.disconnect()
  }
}
