/**
 * Connecting by a URL, for programs whose engine is a setting. It knows which engine a URL means, and no other part of
 * the library does.
 *
 *     embedded:?servers=3                                    servers in this process, which end with the client
 *     zookeeper://host:port,host:port/chroot                 zookeepers:// over TLS
 *     etcd://user:password@host:port,host:port/prefix        etcds:// over TLS
 *     redis://user:password@host:port/db?namespace=name      rediss:// over TLS
 *
 * Secrets   a user and a password are in no message and no label. On ZooKeeper they are the identity `digest`.
 * Load      an engine is loaded when a URL asks for it: ioredis is needed for Redis only.
 */
import type { Backend } from './core/backend.ts'
import { openClient } from './core/connect.ts'
import type { Client, ConnectOptions } from './core/client.ts'
import { refuseUnknown } from './core/options.ts'
import { textOf } from './core/value-text.ts'
import { channels } from './observe/channels.ts'

/** A backend that a URL has led to. */
export interface UrlBackend {
  /** To be given to {@link connect}, any number of times. */
  readonly backend: Backend
  /** Where it leads, short and without secrets, for logs and prompts. */
  readonly label: string
  /** Ends what was started for it, once its clients are closed: the servers of `embedded:`. Idempotent. */
  close(): Promise<void>
}

/** The parts of a URL. */
interface Parts {
  readonly scheme: string
  /** Undefined if the URL names nobody. */
  readonly login: { readonly user: string; readonly password: string | undefined } | undefined
  /** The hosts with their ports, as they were written. */
  readonly hosts: string
  /** From the first `/` on; empty if there is none. */
  readonly path: string
  readonly query: ReadonlyMap<string, string>
}

const FORMS = 'embedded:, zookeeper://host:port,host:port/chroot, etcd://host:port or redis://host:port'

const HOST = /^(?:\[[\w:.%]+\]|[\w.-]+)(?::\d{1,5})?$/

/** The parameters that the query of a URL may have, by scheme. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  embedded: ['servers'],
  zookeeper: [],
  zookeepers: [],
  etcd: [],
  etcds: [],
  redis: ['namespace'],
  rediss: ['namespace'],
}

/**
 * Connects to the engine that a URL names; see {@link connect}. Who needs more than a URL can say, such as a
 * certificate, calls `connect` with `zookeeper()`, `etcd()` or `redis()`.
 *
 * @param url - `embedded:`, `zookeeper://host:port,host:port/chroot`, `etcd://host:port/prefix` or
 * `redis://host:port/db?namespace=name`; `zookeepers:`, `etcds:` and `rediss:` over TLS. What stands before an `@` is
 * `user:password`, percent-encoded
 * @param options - as for `connect`
 * @returns a connected client; servers of `embedded:` end with it
 * @throws TypeError or RangeError for a wrong URL or option, without its password; CoordinationError as `connect`
 */
export async function connectUrl(url: string | URL, options: ConnectOptions = {}): Promise<Client> {
  const target = await backendOfUrl(url)
  return openClient(target.backend, options, () => target.close(), [channels])
}

/**
 * Makes the backend that a URL names. Nothing is connected yet.
 *
 * @param url - as for {@link connectUrl}
 * @throws TypeError or RangeError for a wrong URL, without its password
 */
export async function backendOfUrl(url: string | URL): Promise<UrlBackend> {
  const parts = partsOf(url)
  switch (parts.scheme) {
    case 'embedded':
      return embeddedBackend(parts)
    case 'zookeeper':
    case 'zookeepers':
      return zookeeperBackend(parts)
    case 'etcd':
    case 'etcds':
      return etcdBackend(parts)
    default:
      return redisBackend(parts)
  }
}

async function embeddedBackend({ query }: Parts): Promise<UrlBackend> {
  const { embedded } = await import('./backends/embedded/index.ts')
  const servers = query.get('servers')
  const backend = embedded(servers === undefined ? {} : { servers: Number(servers) })
  return { backend, label: 'embedded', close: () => backend.close() }
}

async function zookeeperBackend({ scheme, login, hosts, path }: Parts): Promise<UrlBackend> {
  const { zookeeper } = await import('./backends/zookeeper/index.ts')
  const auth = login && [{ scheme: 'digest', auth: `${login.user}:${login.password ?? ''}` }]
  const backend = zookeeper(hosts + path, { tls: scheme === 'zookeepers', ...(auth === undefined ? {} : { auth }) })
  return withoutEnd(backend, hosts + path)
}

async function etcdBackend({ scheme, login, hosts, path }: Parts): Promise<UrlBackend> {
  const { etcd } = await import('./backends/etcd/index.ts')
  const protocol = scheme === 'etcds' ? 'https' : 'http'
  const backend = etcd({
    endpoints: hosts.split(',').map((host) => `${protocol}://${host}`),
    ...(path === '' || path === '/' ? {} : { prefix: path }),
    ...(login === undefined ? {} : { user: login.user }),
    ...(login?.password === undefined ? {} : { password: login.password }),
  })
  return withoutEnd(backend, hosts + path)
}

async function redisBackend({ scheme, login, hosts, path, query }: Parts): Promise<UrlBackend> {
  const { redis } = await import('./backends/redis/index.ts')
  const who = login && `${encodeURIComponent(login.user)}:${encodeURIComponent(login.password ?? '')}@`
  const namespace = query.get('namespace')
  const backend = redis(`${scheme}://${who ?? ''}${hosts}${path}`, namespace === undefined ? {} : { namespace })
  return withoutEnd(backend, hosts + (path === '/' ? '' : path))
}

/** A backend of which nothing has to be ended. */
function withoutEnd(backend: Backend, label: string): UrlBackend {
  return { backend, label, close: () => Promise.resolve() }
}

function partsOf(url: unknown): Parts {
  const text = url instanceof URL ? url.href : url
  if (typeof text !== 'string') throw new TypeError(`the URL must be ${FORMS}, got ${textOf(url)}`)
  const [, written = '', slashes, rest = ''] = /^([a-z]+):(\/\/)?(.*)$/is.exec(text.trim()) ?? []
  const scheme = written.toLowerCase()
  const names = Object.hasOwn(PARAMETERS, scheme) ? PARAMETERS[scheme] : undefined
  if (names === undefined || (slashes === undefined && scheme !== 'embedded')) {
    throw new TypeError(`the URL must be ${FORMS}, got ${textOf(text)}`)
  }
  const [, who, hosts = '', path = '', search] = /^(?:([^@]*)@)?([^/?#]*)([^?#]*)(?:\?([^#]*))?$/s.exec(rest) ?? []
  const isAmbiguous = who !== undefined && (/[/?#]/.test(who) || rest.slice(who.length + 1).includes('@'))
  if (isAmbiguous) throw wrong(scheme, AMBIGUOUS)
  const login = who === undefined ? undefined : loginOf(who, scheme)
  const query = new Map(new URLSearchParams(search ?? ''))
  refuseUnknown(Object.fromEntries(query), new Set(names), `a URL ${scheme}:`)
  validateHosts(scheme, hosts, path)
  return { scheme, login, hosts, path, query }
}

/** The text there may be a password whose host was forgotten, so it is not shown. */
function validateHosts(scheme: string, hosts: string, path: string): void {
  if (scheme === 'embedded') {
    if (hosts + path !== '') throw wrong(scheme, 'it has no host and no path')
  } else if (!hosts.split(',').every((host) => HOST.test(host))) throw wrong(scheme, 'it needs host:port')
}

const AMBIGUOUS = 'write / ? # and @ of a user or a password as %2F %3F %23 and %40'

function loginOf(text: string, scheme: string): NonNullable<Parts['login']> {
  const [, user = '', password] = /^([^:]*)(?::(.*))?$/s.exec(text) ?? []
  try {
    return { user: decodeURIComponent(user), password: password && decodeURIComponent(password) }
  } catch {
    throw wrong(scheme, 'write % of a user or a password as %25')
  }
}

function wrong(scheme: string, what: string): TypeError {
  return new TypeError(`a URL ${scheme}: cannot be read: ${what}`)
}
