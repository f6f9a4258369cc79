/** Options of a dashboard: their defaults, and what is wrong with them. */
import type { IncomingMessage } from 'node:http'
import type { Backend } from '../core/backend.ts'
import type { Client } from '../core/client.ts'
import { optionNames, refuseUnknown, validateBoolean } from '../core/options.ts'
import { validateBackend } from '../core/validate-client.ts'
import { validateClient } from '../core/validate-client.ts'
import { validateFunction, validateInteger, validateText } from '../core/options.ts'
import { validatePath } from '../core/path.ts'
import { textOf } from '../core/value-text.ts'
import type { ServerAddress } from '../backends/client/server-address.ts'
import type { Family } from './api.ts'
import type { LocalServers } from './servers/local-servers.ts'

/** Whom a request may ask for what: see {@link DashboardOptions.authorize}. */
export type Authorize = (request: IncomingMessage, action: 'read' | 'write') => boolean | Promise<boolean>

/** Options of {@link createDashboard}. */
export interface DashboardOptions {
  /** Through which to read; it stays the caller's. Either this or `connect`. */
  readonly client?: Client
  /** The engine, or its URL as `connectUrl` takes it, for a client of the dashboard's own that ends with it. */
  readonly connect?: Backend | string | URL
  /**
   * Servers that run in this process, such as `embedded()`, for the Overview; those of `connect` by default. Servers
   * elsewhere are asked by `servers`.
   */
  readonly ensemble?: LocalServers
  /** Servers of the ensemble as `host:port`, asked for `srvr` and `mntr` while somebody looks. */
  readonly servers?: readonly string[]
  /** The name of the ensemble on the page; the engine's name by default. */
  readonly name?: string
  /** Nodes below which locks, elections, groups and configurations are looked for; see the guide for the defaults. */
  readonly roots?: Partial<Readonly<Record<Family, readonly string[]>>>
  /** A secret that every request has to bring; nobody has to bring any by default. */
  readonly token?: string
  /** Decides for each request, besides `token`. An error that it throws refuses the request. */
  readonly authorize?: Authorize
  /** Whether nothing can be changed: true by default. False needs `token` or `authorize`. */
  readonly readOnly?: boolean
  /** Names of hosts that may stand in a request, besides `localhost` and addresses in digits. */
  readonly hosts?: readonly string[]
  /** Where the handler is mounted if whatever calls it leaves that in `request.url`, such as `/quorate`. */
  readonly basePath?: string
  /** How often what somebody looks at is read again, in milliseconds; 1000 by default. */
  readonly pollMs?: number
}

/** The options, complete. */
export interface DashboardSettings {
  readonly client: Client | undefined
  readonly connect: Backend | string | URL | undefined
  readonly ensemble: LocalServers | undefined
  readonly servers: readonly ServerAddress[]
  readonly name: string
  readonly engine: string
  readonly roots: Readonly<Record<Family, readonly string[]>>
  readonly token: string | undefined
  readonly authorize: Authorize | undefined
  readonly readOnly: boolean
  readonly hosts: ReadonlySet<string>
  readonly basePath: string
  readonly pollMs: number
}

const DEFAULTS = Object.freeze({ readOnly: true, basePath: '', pollMs: 1_000 })

/** Where the examples of the guides put things. */
const ROOTS: Readonly<Record<Family, readonly string[]>> = Object.freeze({
  locks: ['/locks'],
  leaders: ['/elections', '/leaders'],
  groups: ['/groups'],
  config: ['/config'],
  services: ['/services'],
})

const ROOTS_MAX = 16
const SERVERS_MAX = 64
const TOKEN_CHARS_MIN = 8
const POLL_MS_MIN = 20
const POLL_MS_MAX = 60_000
const PORT_MAX = 65_535
const ADDRESS = /^(\[[\w:.%]+\]|[\w.-]+):(\d{1,5})$/
const BASE_PATH = /^(?:\/[\w.~-]+)*$/
const HOST = /^[a-z\d.-]+$/i

const OPTIONS = optionNames<DashboardOptions>({
  client: true,
  connect: true,
  ensemble: true,
  servers: true,
  name: true,
  roots: true,
  token: true,
  authorize: true,
  readOnly: true,
  hosts: true,
  basePath: true,
  pollMs: true,
})

/**
 * Completes the options.
 *
 * @throws TypeError or RangeError that names the option and the value
 */
export function settingsOf(options: DashboardOptions): DashboardSettings {
  refuseUnknown(options, OPTIONS, 'createDashboard')
  const { client, connect, token, authorize, readOnly, basePath, pollMs } = { ...DEFAULTS, ...options }
  checkSource(client, connect)
  const { name = engineOf(connect), ensemble = localServersOf(connect) } = options
  const engine = connect === undefined ? name : engineOf(connect)
  validateText('name', name)
  validateBoolean('readOnly', readOnly)
  validateFunction('authorize', authorize)
  validateInteger('pollMs', pollMs, POLL_MS_MIN, POLL_MS_MAX)
  if (token !== undefined) checkToken(token)
  if (!readOnly && token === undefined && authorize === undefined) {
    throw new TypeError('readOnly: false needs token or authorize: whoever reaches the page could change everything')
  }
  if (typeof basePath !== 'string' || !BASE_PATH.test(basePath)) {
    throw new TypeError(`basePath must be such as /quorate, without a / at its end, got ${textOf(basePath)}`)
  }
  const servers = listOf('servers', options.servers, SERVERS_MAX).map((text) => addressOf(text))
  const hosts = new Set(listOf('hosts', options.hosts, ROOTS_MAX).map((host) => hostOf(host)))
  const given = { client, connect, ensemble, servers, name, engine, token, authorize }
  return Object.freeze({ ...given, roots: rootsOf(options.roots), readOnly, hosts, basePath, pollMs })
}

/**
 * A server's address, from `host:port`.
 *
 * @throws TypeError with the value
 */
function addressOf(text: string): ServerAddress {
  const [, host = '', port = ''] = ADDRESS.exec(text) ?? []
  if (host !== '' && Number(port) >= 1 && Number(port) <= PORT_MAX) {
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
  }
  throw new TypeError(`a server must be host:port, such as 127.0.0.1:2181, got ${textOf(text)}`)
}

function checkSource(client: Client | undefined, connect: Backend | string | URL | undefined): void {
  if ((client === undefined) === (connect === undefined)) {
    const given = client === undefined ? 'neither' : 'both'
    throw new TypeError(`createDashboard needs either client or connect, got ${given}`)
  }
  if (client !== undefined) validateClient(client, 'createDashboard')
  else if (typeof connect !== 'string' && !(connect instanceof URL)) validateBackend(connect)
}

function engineOf(connect: Backend | string | URL | undefined): string {
  if (connect === undefined) return 'quorate'
  if (typeof connect === 'object' && !(connect instanceof URL)) return connect.name
  return /^[a-z]+/i.exec(String(connect))?.[0] ?? 'quorate'
}

/** An embedded ensemble is an engine and tells of its servers. */
function localServersOf(connect: Backend | string | URL | undefined): LocalServers | undefined {
  if (typeof connect !== 'object' || connect instanceof URL) return undefined
  const isLocal = 'status' in connect && 'sessions' in connect && 'onEvent' in connect
  return isLocal ? (connect as Backend & LocalServers) : undefined
}

function checkToken(token: unknown): void {
  validateText('token', token)
  // It is a secret: what is wrong with it is said without it.
  if (token.length >= TOKEN_CHARS_MIN && /^[\x21-\x7e]+$/.test(token)) return
  throw new TypeError(`token must be ${TOKEN_CHARS_MIN} or more characters of ASCII without spaces`)
}

function rootsOf(given: DashboardOptions['roots'] = {}): Readonly<Record<Family, readonly string[]>> {
  refuseUnknown(given, new Set(Object.keys(ROOTS)), 'roots')
  const roots = { ...ROOTS, ...given }
  for (const [family, paths] of Object.entries(roots)) {
    for (const path of listOf(`roots.${family}`, paths, ROOTS_MAX)) validatePath(path, `roots.${family}`)
  }
  return Object.freeze(roots)
}

function listOf(name: string, list: readonly string[] = [], max: number): readonly string[] {
  if (Array.isArray(list) && list.length <= max && list.every((one) => typeof one === 'string')) return list
  throw new TypeError(`${name} must be a list of at most ${max} strings, got ${textOf(list)}`)
}

function hostOf(host: string): string {
  if (HOST.test(host)) return host.toLowerCase()
  throw new TypeError(`hosts must hold names without a port, such as ops.example.com, got ${textOf(host)}`)
}
