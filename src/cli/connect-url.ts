/**
 * The engines of the shell: what a URL means to {@link backendOfUrl}, and what only the shell asks of a ZooKeeper.
 *
 *     embedded:[?servers=3]                       servers in this process, which end with it
 *     zookeeper://host:port,host:port/chroot      a ZooKeeper, or `quorate server`; the scheme may be left out
 *     etcd://host:port,host:port/prefix           etcds:// over TLS
 *     redis://host:port[/db][?namespace=name]     rediss:// over TLS
 *
 * Secrets   a password in a URL is in no message, prompt or label.
 * Load      an engine is loaded when a URL asks for it: one command starts quickly, and needs no package of another's.
 */
import type { ServerAddress } from '../backends/client/server-address.ts'
import type { Backend } from '../core/backend.ts'
import { backendOfUrl } from '../connect-url.ts'
import type { ZooKeeperOptions } from '../backends/zookeeper/options.ts'
import type { Login } from './login.ts'
import { UsageError } from './exit-status.ts'
import { isAmbiguous, shownUrl } from './secrets.ts'
import { ZooKeeperOperations } from '../backends/zookeeper/extension/operations.ts'
import { SideRequests } from '../backends/zookeeper/extension/side-requests.ts'

/** An engine, ready to be connected to. */
export interface Engine {
  /** The URL that led to it, in full; for `connect` without a word. */
  readonly url: string
  /** Short and without secrets, for prompts and messages. */
  readonly label: string
  readonly backend: Backend
  /** ZooKeeper's own calls, on the session that the backend has opened last; null if it speaks another protocol. */
  readonly zookeeper: ZooKeeperOperations | null
  /** The servers that answer four-letter words; none on engines that have no such words. */
  readonly servers: readonly ServerAddress[]
  /** Ends what was started for it. */
  readonly close: () => Promise<void>
}

/** Where to connect to if nothing is said. */
export const DEFAULT_URL = 'zookeeper://127.0.0.1:2181'

const FORMS = 'embedded:, zookeeper://host:port,host:port/chroot, etcd://host:port or redis://host:port'

const AMBIGUOUS =
  'write / ? # and @ of a user or password as %2F %3F %23 and %40, or give the password by QUORATE_PASSWORD'

/** Servers of `embedded:` unless its URL says otherwise. */
const EMBEDDED_SERVERS = 3

const SCHEMES: Readonly<Record<string, (rest: string, url: string, login: Login | null) => Promise<Engine>>> = {
  embedded: embeddedEngine,
  zookeeper: zookeeperEngine,
  etcd: otherEngine,
  etcds: otherEngine,
  redis: otherEngine,
  rediss: otherEngine,
}

/**
 * The engine that a URL means. Nothing is connected yet.
 *
 * @param given - a URL, or `host:port` as zkCli takes it
 * @param login - who connects by SASL, if anybody does
 * @throws UsageError with the value and what is wrong with it
 */
export async function engineOf(given: string, login: Login | null = null): Promise<Engine> {
  const url = given.includes('://') || given.startsWith('embedded:') ? given : `zookeeper://${given}`
  const [, scheme = '', rest = ''] = /^([a-z]+):(?:\/\/)?(.*)$/s.exec(url) ?? []
  const open = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined
  if (open === undefined) throw new UsageError(`cannot connect to ${shownUrl(given)}: it must be ${FORMS}`)
  if (scheme !== 'zookeeper' && isAmbiguous(url)) throw wrong(url, AMBIGUOUS)
  return open(rest, url, login)
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
  return { ...(await zookeeperEngine(hosts, url, null)), label: 'embedded', close: () => ensemble.close() }
}

async function zookeeperEngine(rest: string, url: string, login: Login | null): Promise<Engine> {
  const { ZooKeeperBackend } = await import('../backends/zookeeper/backend.ts')
  const { destinationOf } = await import('../backends/zookeeper/connection-string.ts')
  const { settingsOf } = await import('../backends/zookeeper/options.ts')
  const requests = new SideRequests()
  const { destination, backend } = made(url, () => {
    const to = destinationOf(rest)
    const settings = settingsOf(saslOf(login))
    return { destination: to, backend: new ZooKeeperBackend(to, settings, (dialer) => requests.around(dialer)) }
  })
  const zookeeper = new ZooKeeperOperations(requests, destination.chroot)
  return { url, label: rest, backend, zookeeper, servers: destination.servers, close: () => Promise.resolve() }
}

function saslOf(login: Login | null): ZooKeeperOptions {
  if (login?.mechanism === undefined) return {}
  return { sasl: { username: login.user ?? '', password: login.password, mechanism: login.mechanism } }
}

/** An engine whose URL means here what it means to every program. */
async function otherEngine(_rest: string, url: string): Promise<Engine> {
  try {
    return { url, zookeeper: null, servers: [], ...(await backendOfUrl(url)) }
  } catch (error) {
    throw wrongWith(url, error)
  }
}

/** Makes a backend; its errors are errors of the URL. */
function made<T>(url: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw wrongWith(url, error)
  }
}

function wrongWith(url: string, error: unknown): unknown {
  return error instanceof TypeError || error instanceof RangeError ? wrong(url, error.message) : error
}

function wrong(url: string, what: string): UsageError {
  return new UsageError(`cannot connect to ${shownUrl(url)}: ${what}`)
}
