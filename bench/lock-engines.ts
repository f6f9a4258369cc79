/** Where locks are measured: each engine with our backend on it, and what else there is to lock with on that engine. */
import { existsSync } from 'node:fs'
import { connect, FairLock } from 'quorate'
import type { Backend } from 'quorate'
import { embedded } from 'quorate/embedded'
import { etcd } from 'quorate/etcd'
import { redis } from 'quorate/redis'
import { zookeeper } from 'quorate/zookeeper'
import { etcdMissing, startEtcd } from '../test/engines/etcd.ts'
import { redisMissing, startRedis } from '../test/engines/redis.ts'
import { askPort, reasonToSkipZooKeeper } from '../test/engines/zookeeper.ts'
import type { Competitor, Contender } from './contention.ts'
import { openEtcd3, openRedisSemaphore, openRedlock } from './rivals.ts'
import { startQuorate, startReference } from './wire-engines.ts'
import type { RunningEngine } from './wire-engines.ts'

/** An engine that runs. */
export interface LockEngine {
  /** Our backend on it. */
  readonly backend: Backend
  /** Ours: the first with the sessions of all contenders on one backend; the second, if any, each on one of its own. */
  readonly ours: readonly [Competitor, ...Competitor[]]
  /** Other libraries' locks on the same engine. */
  readonly rivals: readonly Competitor[]
  /** `host:port` for clients of ZooKeeper in other languages; absent where they find nobody. */
  readonly connectString?: string
  /** Ends it. */
  readonly stop: () => Promise<void>
}

/** An engine that may be started. */
export interface LockEngineChoice {
  /** Its name in the figures. */
  readonly name: string
  /** Why it cannot be started here; null if it can. */
  readonly missing: () => string | null
  /** Starts it. */
  readonly start: (name: string) => Promise<LockEngine>
}

/** All engines. */
export const LOCK_ENGINES: readonly LockEngineChoice[] = [
  { name: 'embedded', missing: () => null, start: startEmbedded },
  { name: 'embedded over TCP', missing: reasonToSkipTcp, start: startEmbeddedOverTcp },
  { name: 'ZooKeeper', missing: reasonToSkipZooKeeper, start: startZooKeeperServer },
  { name: 'etcd', missing: () => etcdMissing, start: startEtcdMember },
  { name: 'Redis', missing: () => redisMissing, start: startRedisServer },
]

const PATH = '/locks/contended'
const SERVER_SCRIPT = new URL('./wire-server.js', import.meta.url)
const SERVERS = 3
/** As long as the locks of the rivals live: a machine that is busy must not end them. */
export const SESSION_TIMEOUT_MS = 60_000
const REDLOCK_PAUSE_MS = 200
const REDLOCK_EAGER_PAUSE_MS = 10

async function startEmbedded(name: string): Promise<LockEngine> {
  const ensemble = embedded({ servers: SERVERS })
  await ensemble.start()
  return { ...withSessions(name, ensemble, null), rivals: [], stop: () => ensemble[Symbol.asyncDispose]() }
}

function reasonToSkipTcp(): string | null {
  return existsSync(SERVER_SCRIPT) ? null : 'the process that serves is not built: npm run bench builds it'
}

async function startEmbeddedOverTcp(name: string): Promise<LockEngine> {
  return overTcp(name, await startQuorate(SERVERS), false)
}

async function startZooKeeperServer(name: string): Promise<LockEngine> {
  return overTcp(name, await startReference(1), true)
}

/** @param counts - whether it tells by four-letter words how many requests it took */
function overTcp(name: string, engine: RunningEngine, counts: boolean): LockEngine {
  const { port } = engine
  const received = /^zk_packets_received\t(\d+)$/m
  const requests = async (): Promise<number> => firstNumber(await askPort(port, 'mntr'), received)
  const connectString = `127.0.0.1:${port}`
  const sessions = withSessions(name, zookeeper(connectString), counts ? requests : null)
  return { ...sessions, rivals: [], connectString, stop: () => engine.stop() }
}

async function startEtcdMember(name: string): Promise<LockEngine> {
  const cluster = await startEtcd(1, { onDisk: true })
  const [url = ''] = cluster.urls
  const requests = async (): Promise<number> => {
    const metrics = await (await fetch(`${url}/metrics`)).text()
    const counts = metrics.matchAll(/^grpc_server_msg_received_total\S* (\S+)$/gm)
    return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
  }
  return {
    ...withSessions(name, etcd(url), requests, () => etcd(url, { prefix: '/apart' })),
    rivals: [{ name: 'etcd3', open: () => openEtcd3(url), requests }],
    stop: () => cluster.close(),
  }
}

async function startRedisServer(name: string): Promise<LockEngine> {
  const server = await startRedis()
  const { port } = server
  const target = `redis://127.0.0.1:${port}`
  const requests = async (...commands: string[]): Promise<number> => {
    const stats = await server.ask((admin) => admin.info('commandstats'))
    const countOf = (command: string): number => firstNumber(stats, new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm'))
    return commands.reduce((sum, command) => sum + countOf(command), 0)
  }
  const scripts = (): Promise<number> => requests('eval', 'evalsha')
  const redlock = (rival: string, pauseMs: number): Competitor => {
    return { name: rival, open: () => openRedlock(port, pauseMs), requests: scripts }
  }
  const semaphore = { open: () => openRedisSemaphore(port), requests: () => requests('eval', 'evalsha', 'set') }
  return {
    ...withSessions(name, redis(target), scripts, () => redis(target, { namespace: 'apart' })),
    rivals: [
      redlock('redlock', REDLOCK_PAUSE_MS),
      redlock('redlock, eager', REDLOCK_EAGER_PAUSE_MS),
      { name: 'redis-semaphore', ...semaphore },
    ],
    stop: () => server.close(),
  }
}

function withSessions(
  name: string,
  backend: Backend,
  requests: Competitor['requests'],
  makeAnother?: () => Backend,
): Pick<LockEngine, 'backend' | 'ours'> {
  const shared: Competitor = { name, requests, open: () => openFairLock(backend) }
  if (makeAnother === undefined) return { backend, ours: [shared] }
  const apart = { name: `${name}, a backend each`, requests, open: () => openFairLock(makeAnother()) }
  return { backend, ours: [shared, apart] }
}

async function openFairLock(backend: Backend): Promise<Contender> {
  const client = await connect(backend, { sessionTimeoutMs: SESSION_TIMEOUT_MS })
  const lock = new FairLock(client, PATH)
  return {
    acquire: async () => {
      const lease = await lock.acquire()
      return () => lease.release()
    },
    close: () => client.close(),
  }
}

function firstNumber(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? 0)
}
