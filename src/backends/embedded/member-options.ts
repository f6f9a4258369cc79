/** The options of one server of an ensemble of processes: their ranges and their defaults. */
import { validateInteger, validateText } from '../../core/options.ts'
import { textOf } from '../../core/value-text.ts'
import { settingsOf } from './options.ts'
import type { EmbeddedOptions, EmbeddedSettings } from './options.ts'
import { beginSaslOf } from '../client/sasl-options.ts'
import type { SaslLogin } from '../client/sasl-options.ts'
import type { BeginExchange } from '../client/sasl-proof.ts'
import { checkPortsDiffer, isWildcard, parseServerLine } from '../wire/server-line.ts'
import type { ServerLine } from '../wire/server-line.ts'
import { peerTlsSettingsOf } from './tls-options.ts'
import type { PeerTlsOptions, PeerTlsSettings } from './tls-options.ts'

/** The highest id of a server: a session id has one byte for it. */
const MYID_MAX = 254
const PORT_MAX = 65_535
const CONNECT_TIMEOUT_MS_MIN = 10
const CONNECT_TIMEOUT_MS_MAX = 600_000
/** ZooKeeper's cnxTimeout. */
const CONNECT_TIMEOUT_MS = 5_000

/** Options of an ensemble in one process, with the advice to who gives them for a member. */
const IN_ONE_PROCESS = {
  observers: 'end its text with :observer',
  clientPorts: 'end its text with ;port, or give clientPort',
  secureClientPorts: 'give secureClientPort',
  adminPorts: 'give adminPort',
} as const

/** Options of `embedded()` for one server of an ensemble whose servers are processes of their own. */
export interface MemberOptions extends Omit<EmbeddedOptions, 'servers' | keyof typeof IN_ONE_PROCESS> {
  /** Which of {@link MemberOptions.servers} this process is, 1 to 254. */
  readonly myid: number
  /**
   * All servers of the ensemble by their myids, the same in every process, as in a configuration of ZooKeeper:
   * `host:peerPort:electionPort[:participant|:observer][;[clientHost:]clientPort]`. Clients of the other processes
   * reach a server at its client port, if its text has one.
   */
  readonly servers: Readonly<Record<number, string>>
  /** The port on which this server serves clients, where its text has none; 0 for any that is free. */
  readonly clientPort?: number
  /** The port on which it serves clients by TLS alone; 0 for any that is free. It needs `clientTls`. */
  readonly secureClientPort?: number
  /**
   * The port of the AdminServer, which reports this server's state over HTTP; 0 for any that is free. It needs a port
   * for clients. None by default.
   */
  readonly adminPort?: number
  /**
   * The address that the ports for the other servers listen on, such as `0.0.0.0` for all. By default the host of this
   * server's text.
   */
  readonly peerListenHost?: string
  /**
   * TLS between the servers, with certificates of both ends. Null, which is the default: the ports for other servers
   * neither encrypt nor authenticate.
   */
  readonly peerTls?: PeerTlsOptions | null
  /**
   * Who the clients of this process are by SASL, at the other servers, while this one does not serve. They need it
   * where those have `requiredSchemes`; at their own server they need no proof, and have no identity. Default: nobody.
   */
  readonly clientSasl?: SaslLogin | null
  /** Longest time that it may take to connect to another server, in milliseconds. Default 5,000. */
  readonly connectTimeoutMs?: number
}

/** Checked options, nothing missing. */
export interface MemberSettings {
  readonly myid: number
  /** By myid, ascending. */
  readonly servers: ReadonlyMap<number, ServerLine>
  /** Ids of those with a vote, ascending. */
  readonly voters: readonly number[]
  readonly clientPort: { readonly host: string; readonly port: number } | null
  readonly secureClientPort: number | null
  readonly adminPort: number | null
  readonly peerListenHost: string | null
  readonly peerTls: PeerTlsSettings | null
  readonly clientSasl: BeginExchange | undefined
  readonly connectTimeoutMs: number
  /** The settings that an ensemble in one process has too. */
  readonly common: EmbeddedSettings
}

/**
 * Fills in and checks options.
 *
 * @throws TypeError for an unknown option or a wrong type, RangeError for a number outside its range
 */
export function memberSettingsOf(options: MemberOptions): MemberSettings {
  const { myid, servers: texts, peerListenHost, peerTls, connectTimeoutMs = CONNECT_TIMEOUT_MS, ...more } = options
  const { clientPort: _client, secureClientPort = null, adminPort: _admin, clientSasl = null, ...rest } = more
  for (const [name, what] of Object.entries(IN_ONE_PROCESS)) {
    if ((rest as EmbeddedOptions)[name as keyof typeof IN_ONE_PROCESS] === undefined) continue
    throw new TypeError(`${name} is an option of an ensemble in one process; for a server with a myid, ${what}`)
  }
  validateInteger('myid', myid, 1, MYID_MAX)
  const servers = serversOf(texts)
  const own = servers.get(myid)
  if (own === undefined) {
    throw new RangeError(`servers must have a text for myid ${myid}; it has ${[...servers.keys()].join(', ')}`)
  }
  const voters = [...servers].filter(([, { votes }]) => votes).map(([id]) => id)
  if (voters.length === 0) throw new RangeError('servers must have one that votes; all are observers')
  validateInteger('connectTimeoutMs', connectTimeoutMs, CONNECT_TIMEOUT_MS_MIN, CONNECT_TIMEOUT_MS_MAX)
  if (peerListenHost !== undefined) validateText('peerListenHost', peerListenHost)
  const common = settingsOf({ ...rest, servers: voters.length, observers: servers.size - voters.length })
  const clientPort = clientPortOf(own, options)
  if (secureClientPort !== null) validateInteger('secureClientPort', secureClientPort, 0, PORT_MAX)
  if (secureClientPort !== null && common.clients.tls === null) throw new TypeError('secureClientPort needs clientTls')
  return {
    myid,
    servers,
    voters,
    clientPort,
    secureClientPort,
    adminPort: adminPortOf(clientPort !== null || secureClientPort !== null, options),
    peerListenHost: peerListenHost ?? null,
    peerTls: (peerTls ?? null) === null ? null : peerTlsSettingsOf(peerTls as PeerTlsOptions),
    clientSasl: clientSasl === null ? undefined : beginSaslOf(clientSasl),
    connectTimeoutMs,
    common,
  }
}

function serversOf(texts: unknown): ReadonlyMap<number, ServerLine> {
  if (typeof texts !== 'object' || texts === null || Array.isArray(texts)) {
    const what = "a record such as { 1: 'host:2888:3888', 2: ... } for a server with a myid"
    throw new TypeError(`servers must be ${what}, got ${textOf(texts)}`)
  }
  const servers = new Map<number, ServerLine>()
  for (const [key, text] of Object.entries(texts).sort(([a], [b]) => Number(a) - Number(b))) {
    const isId = /^[1-9]\d{0,2}$/.test(key) && Number(key) <= MYID_MAX
    if (!isId) throw new RangeError(`a key of servers must be a myid from 1 to ${MYID_MAX}, got ${textOf(key)}`)
    servers.set(Number(key), parseServerLine(text, `servers[${key}]`))
  }
  checkPortsDiffer(servers)
  return servers
}

/** Where this server listens for clients: the text comes first, as it is what the others know. */
function clientPortOf(own: ServerLine, options: MemberOptions): MemberSettings['clientPort'] {
  const { clientPort, clientPortAddress } = options
  if (clientPort !== undefined) validateInteger('clientPort', clientPort, 0, PORT_MAX)
  const port = own.client?.port ?? clientPort
  if (port === undefined) return null
  if (clientPort !== undefined && clientPort !== port) {
    throw new RangeError(`clientPort is ${clientPort}, and servers[${options.myid}] says ${port}: give it once`)
  }
  // A text that names all addresses is what the servers make of one that names none.
  const named = own.client?.host ?? null
  return { host: (isWildcard(named) ? clientPortAddress : named) ?? named ?? own.host, port }
}

function adminPortOf(servesClients: boolean, { adminPort }: MemberOptions): number | null {
  if (adminPort === undefined) return null
  validateInteger('adminPort', adminPort, 0, PORT_MAX)
  if (servesClients) return adminPort
  throw new TypeError('adminPort needs a clientPort: an AdminServer tells of a server that serves clients over TCP')
}
