/**
 * The one place that knows which engine a URL means.
 *
 *     embedded:[?servers=3]                       servers in this process, which end with it
 *     zookeeper://host:port,host:port/chroot      a ZooKeeper, or `quorate server`; the scheme may be left out
 *     etcd://host:port,host:port/prefix           etcds:// over TLS
 *     redis://host:port[/db][?namespace=name]     rediss:// over TLS
 *
 * Secrets   a password in a URL is in no message, prompt or label.
 * Load      an engine is loaded when a URL asks for it: one command starts quickly, and needs no package of another's.
 */
import type { Backend } from '../core/backend.ts'
import { UsageError } from './exit-status.ts'
import { isAmbiguous, shownUrl } from './secrets.ts'
import { ZooKeeperOperations } from './shell/capabilities.ts'
import { SideRequests } from './shell/side-requests.ts'

/** An engine, ready to be connected to. */
export interface Engine {
  /** The URL that led to it, in full; for `connect` without a word. */
  readonly url: string
  /** Short and without secrets, for prompts and messages. */
  readonly label: string
  readonly backend: Backend
  /** What only ZooKeeper's protocol has, on the session that the backend has opened last; null if it speaks another. */
  readonly zookeeper: ZooKeeperOperations | null
  /** Ends what was started for it. */
  readonly close: () => Promise<void>
}

/** Where to connect to if nothing is said. */
export const DEFAULT_URL = 'zookeeper://127.0.0.1:2181'

const FORMS = 'embedded:, zookeeper://host:port,host:port/chroot, etcd://host:port or redis://host:port'

const AMBIGUOUS =
  'write / ? # and @ of a user or password as %2F %3F %23 and %40, or give the password by QUORATE_PASSWORD'

const ETCD_HOST = /^(?:\[[\w:.%]+\]|[\w.-]+)(?::\d{1,5})?$/

/** Servers of `embedded:` unless its URL says otherwise. */
const EMBEDDED_SERVERS = 3

const SCHEMES: Readonly<Record<string, (rest: string, url: string) => Promise<Engine>>> = {
  embedded: embeddedEngine,
  zookeeper: zookeeperEngine,
  etcd: (rest, url) => etcdEngine('http', rest, url),
  etcds: (rest, url) => etcdEngine('https', rest, url),
  redis: redisEngine,
  rediss: redisEngine,
}

/**
 * The engine that a URL means. Nothing is connected yet.
 *
 * @param given - a URL, or `host:port` as zkCli takes it
 * @throws UsageError with the value and what is wrong with it
 */
export async function engineOf(given: string): Promise<Engine> {
  const url = given.includes('://') || given.startsWith('embedded:') ? given : `zookeeper://${given}`
  const [, scheme = '', rest = ''] = /^([a-z]+):(?:\/\/)?(.*)$/s.exec(url) ?? []
  const open = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined
  if (open === undefined) throw new UsageError(`cannot connect to ${shownUrl(given)}: it must be ${FORMS}`)
  if (scheme !== 'zookeeper' && isAmbiguous(url)) throw wrong(url, AMBIGUOUS)
  return open(rest, url)
}

/** Servers in this process, reached over TCP as any others: so that every command works on them. */
async function embeddedEngine(rest: string, url: string): Promise<Engine> {
  const servers = rest === '' ? EMBEDDED_SERVERS : Number(/^\?servers=([1-9])$/.exec(rest)?.[1] ?? 0)
  if (servers === 0) throw wrong(url, 'it takes ?servers=1 to 9')
  const { embedded } = await import('../backends/embedded/index.ts')
  const clientPorts = Array.from({ length: servers }, () => 0)
  const ensemble = embedded({ servers, clientPorts, clientPortAddress: '127.0.0.1', extendedTypes: true })
  await ensemble.start()
  const hosts = ensemble.clientPorts.map((port) => `127.0.0.1:${port}`).join(',')
  return { ...(await zookeeperEngine(hosts, url)), label: 'embedded', close: () => ensemble.close() }
}

async function zookeeperEngine(rest: string, url: string): Promise<Engine> {
  const { ZooKeeperBackend } = await import('../backends/zookeeper/backend.ts')
  const { destinationOf } = await import('../backends/zookeeper/connection-string.ts')
  const { settingsOf } = await import('../backends/zookeeper/options.ts')
  const requests = new SideRequests()
  const { destination, backend } = made(url, () => {
    const to = destinationOf(rest)
    return { destination: to, backend: new ZooKeeperBackend(to, settingsOf({}), (dialer) => requests.around(dialer)) }
  })
  const zookeeper = new ZooKeeperOperations(requests, destination.chroot)
  return { url, label: rest, backend, zookeeper, close: () => Promise.resolve() }
}

/** `user:password@` goes into the engine's own options, and the path is the prefix of its keys. */
async function etcdEngine(protocol: 'http' | 'https', rest: string, url: string): Promise<Engine> {
  const { etcd } = await import('../backends/etcd/index.ts')
  const [, login, hosts = '', prefix = ''] = /^(?:([^/]*)@)?([^@/]*)(.*)$/s.exec(rest) ?? []
  const [user, password] = made(url, () => loginOf(login))
  // The engine's own message would show what stands there, which is a password where the host is forgotten.
  if (!hosts.split(',').every((host) => ETCD_HOST.test(host))) throw wrong(url, 'it is not etcd://host:port,host:port')
  const options = {
    endpoints: hosts.split(',').map((host) => `${protocol}://${host}`),
    ...(prefix === '' ? {} : { prefix }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
  }
  return plain(url, hosts + prefix, made(url, () => etcd(options)))
}

/** The user and the password before an `@`; the first colon is between them. */
function loginOf(login: string | undefined): (string | undefined)[] {
  const [, user, password] = /^([^:]*)(?::(.*))?$/s.exec(login ?? '') ?? []
  if (login === undefined) return []
  try {
    return [user, password].map((part) => (part === undefined ? undefined : decodeURIComponent(part)))
  } catch {
    throw new TypeError('a % in a user or password is %25')
  }
}

async function redisEngine(_rest: string, url: string): Promise<Engine> {
  const { redis } = await import('../backends/redis/index.ts')
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (parsed === null || parsed.host === '') throw wrong(url, 'it is not redis://host:port')
  const namespace = parsed.searchParams.get('namespace')
  parsed.searchParams.delete('namespace')
  const target = parsed.toString()
  const backend = made(url, () => redis(target, namespace === null ? {} : { namespace }))
  return plain(url, `${parsed.host}${parsed.pathname === '/' ? '' : parsed.pathname}`, backend)
}

/** An engine of which nothing has to be ended. */
function plain(url: string, label: string, backend: Backend): Engine {
  return { url, label, backend, zookeeper: null, close: () => Promise.resolve() }
}

/** Makes a backend; what it finds wrong is wrong with the URL. */
function made<T>(url: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw wrong(url, error.message)
    throw error
  }
}

function wrong(url: string, what: string): UsageError {
  return new UsageError(`cannot connect to ${shownUrl(url)}: ${what}`)
}
