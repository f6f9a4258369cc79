/** The options of the embedded ensemble: their ranges and their defaults. */
import { refuseUnknown, requireFunction, validateBoolean, validateInteger } from '../../core/options.ts'
import { validateText } from '../../core/options.ts'
import { textOf } from '../../core/value-text.ts'
import { FOUR_LETTER_WORDS } from './host/admin/word-names.ts'
import { limitOf, limitsOf } from './host/limits.ts'
import type { LimitOptions, Limits } from './host/limits.ts'
import { SERVER_DEFAULTS } from './server/config.ts'
import type { ServerConfig } from './server/config.ts'
import { LOCAL_SESSIONS_MODES } from './server/ports.ts'
import type { LocalSessionsMode } from './server/ports.ts'
import { requiredSchemesOf, saslSettingsOf } from './sasl-options.ts'
import type { SaslOptions } from './sasl-options.ts'
import type { SaslSettings } from './host/sasl/sasl-settings.ts'
import { clientTlsSettingsOf } from './tls-options.ts'
import type { ClientTlsOptions, ClientTlsSettings } from './tls-options.ts'

const SERVERS_MAX = 9
const OBSERVERS_MAX = 64
const TICK_MS_MIN = 1
const TICK_MS_MAX = 10_000
/** A session time-out shorter than this many ticks could be over before the servers notice that a client is there. */
const SESSION_TIMEOUT_TICKS_MIN = 2
/** The largest Java int, and the longest delay of a timer. */
const INT32_MAX = 0x7fff_ffff
const SESSION_TIMEOUT_MS_MAX = INT32_MAX
const CONTAINER_CHECK_MS_MAX = INT32_MAX
const PORT_MAX = 0xffff
const LIMIT_TICKS_MAX = 100_000
const DRAIN_MS_MAX = 600_000
/** The reference's least time until a server that finds no leader is read-only. */
const READ_ONLY_WAIT_MS_MIN = 2_000

/** Options of `embedded()`. */
export interface EmbeddedOptions {
  /** How many servers vote, 1 to 9; odd numbers make sense. Default 3. */
  readonly servers?: number
  /** How many servers more learn and serve without a vote, 0 to 64. Default 0. */
  readonly observers?: number
  /** Length of a tick in milliseconds, in which all of the servers' limits are counted. Default 50. */
  readonly tickMs?: number
  /** Session time-out of clients that do not ask for another, in milliseconds; at least two ticks. Default 6,000. */
  readonly sessionTimeoutMs?: number
  /** How often containers without children and expired nodes are looked for, in milliseconds. Default 10,000. */
  readonly containerCheckMs?: number
  /**
   * The directory in which the servers keep their data, which then survive the end of the process: in the files of
   * ZooKeeper, so that a server alone can take turns with one. With several servers, each has a directory in it; one
   * that was made for another number of voters is refused, unless there are more now. Null, which is the default:
   * everything is in memory, and ends with the process.
   */
  readonly dataDir?: string | null
  /** A directory for the logs, on a disk of its own. Null, which is the default: in {@link EmbeddedOptions.dataDir}. */
  readonly dataLogDir?: string | null
  /** How many snapshots are kept in {@link EmbeddedOptions.dataDir}. Default 3. */
  readonly snapRetainCount?: number
  /** How many transactions lie between two snapshots of a server's state. Default 100,000. */
  readonly snapCount?: number
  /**
   * How many bytes of transactions lie between two snapshots, so that the log takes no more memory: as many as the
   * state has, if that is more. Default 64 MiB.
   */
  readonly snapLogBytes?: number
  /** How many transactions a server keeps in memory for others that missed them. Default 500. */
  readonly commitLogCount?: number
  /** Most bytes of transactions that it keeps so, however few they are. Default 16 MiB. */
  readonly commitLogBytes?: number
  /**
   * TCP ports on which the servers serve ZooKeeper's clients: one for each server, observers after the voters; 0 for
   * any that is free, which {@link Ensemble.clientPorts} names. None by default.
   */
  readonly clientPorts?: readonly number[]
  /**
   * TCP ports that speak TLS alone, by {@link EmbeddedOptions.clientTls}: one for each server, as
   * {@link EmbeddedOptions.clientPorts}. None by default.
   */
  readonly secureClientPorts?: readonly number[]
  /** TLS for clients; null, which is the default, for none. */
  readonly clientTls?: ClientTlsOptions | null
  /** Address on which these ports listen. Default 127.0.0.1, which only this machine reaches. */
  readonly clientPortAddress?: string
  /**
   * Ports of the servers' AdminServers, which report a server's state over HTTP: one for each of
   * {@link EmbeddedOptions.clientPorts}, without which there are none; 0 for any that is free, which
   * {@link Ensemble.adminPorts} names. None by default.
   */
  readonly adminPorts?: readonly number[]
  /** Address on which these listen; they authenticate nobody. Default 127.0.0.1, which only this machine reaches. */
  readonly adminAddress?: string
  /** How many clients of one address each port serves; 0 for any number. Default 60. */
  readonly maxClientCnxns?: number
  /**
   * The other limits of a server: connections, sessions of an address, requests and bytes that wait, watches, memory.
   * Each has a default; see docs/limits.md.
   */
  readonly limits?: LimitOptions
  /** How many requests of a port wait for their answers before others are read. Default 1,000. */
  readonly globalOutstandingLimit?: number
  /** The tickTime that `conf` shows, in milliseconds: ZooKeeper's long tick, if there is one. By default `tickMs`. */
  readonly tickTimeMs?: number
  /** Four-letter words that the ports answer; `*` for all. `srvr` is always answered. Default only that. */
  readonly fourLetterWords?: readonly string[]
  /** Shortest session time-out that a client can have, in milliseconds; two ticks by default. */
  readonly minSessionTimeoutMs?: number
  /** Longest session time-out that a client can have, in milliseconds. Default 60,000, or what the others need. */
  readonly maxSessionTimeoutMs?: number
  /** Longest time that a follower may take to catch up with its leader, in ticks. Default 60. */
  readonly initLimitTicks?: number
  /** Longest silence between a follower and its leader, in ticks. Default 20. */
  readonly syncLimitTicks?: number
  /**
   * Longest request, in bytes: data and paths in this process, all of it over TCP. ZooKeeper's jute.maxbuffer; default
   * 1,048,575.
   */
  readonly requestBytesMax?: number
  /**
   * Longest answer to a request, in bytes. A list of children, or a multiRead, that would be longer is refused with
   * `QUOTA_EXCEEDED`. ZooKeeper has no such limit; its clients take as much as their own jute.maxbuffer. Default
   * 16,777,216.
   */
  readonly responseBytesMax?: number
  /** Whether nodes may have a time to live. Default true. */
  readonly extendedTypes?: boolean
  /** Whether a write that goes beyond a hard quota is refused. Default false. */
  readonly enforceQuota?: boolean
  /**
   * Whether the server that leads takes clients. If not, they are at the others, and it has all of its time for writes;
   * one that becomes the leader has no clients any more. The only voter takes clients in any case. Default true.
   */
  readonly leaderServes?: boolean
  /**
   * Whether a server that has found no leader for a while serves those who only read, and say so when they connect:
   * ZooKeeper's `readonlymode.enabled`. The while is two seconds, or `tickTimeMs` if that is longer. They may read what
   * is no longer so, and hold nothing. Clients in this process never ask for that. Default false.
   */
  readonly readOnlyMode?: boolean
  /**
   * Whether new sessions are known to one server alone, the one that the client is on: ZooKeeper's
   * `localSessionsEnabled`. Such a session costs the leader and the log nothing, and ends when its client leaves that
   * server. `'upgradeable'`: before its first ephemeral node - each lock, lead and membership makes one - it becomes a
   * session of the ensemble. `'only'`: that node is refused with `LOCAL_SESSION`. Default `'off'`: every session is one
   * of the ensemble.
   */
  readonly localSessions?: LocalSessionsMode
  /**
   * Whether `onEvent` tells who changes what, or claims to be somebody, and with what result: ZooKeeper's
   * `audit.enable`. Default false.
   */
  readonly audit?: boolean
  /**
   * Whether clients may change the servers of an ensemble of processes by `reconfig`; if not, that is refused as
   * disabled (-123). A server that is alone, and one of an ensemble in one process, refuse it as unimplemented (-6)
   * where it is on. Default false.
   */
  readonly reconfigEnabled?: boolean
  /** Bypasses all access control lists, as `user:base64(sha1(user:password))`; null by default, for nobody. */
  readonly superDigest?: string | null
  /** SASL for clients that come over a network; null, which is the default, for none. */
  readonly sasl?: SaslOptions | null
  /**
   * Schemes of which a client that comes over a network has to have an identity, of one of them at least, before
   * anything is done for it: ZooKeeper's `enforce.auth.schemes`. Only `sasl` and `x509` prove anything: everybody can
   * be somebody by `digest`. Default none: who has proved nothing is served, as far as access control lists let him.
   */
  readonly requiredSchemes?: readonly string[]
  /** How long `close()` waits for the answers to clients' requests in flight, in milliseconds. Default 5,000. */
  readonly drainMs?: number
  /** Gets the error of a server that ended by itself. By default it is emitted as a process warning. */
  readonly onError?: (error: unknown) => void
  /**
   * Gets an error in what a server did for one client, whose connection it ended; the server continues. At most one per
   * second is reported; events and `mntr` (`zk_client_error_count`) have all. By default it is emitted as a process
   * warning.
   */
  readonly onClientError?: (error: unknown) => void
}

/** Checked options, nothing missing. */
export interface EmbeddedSettings {
  readonly servers: number
  readonly observers: number
  readonly sessionTimeoutMs: number
  readonly drainMs: number
  readonly onError: (error: unknown) => void
  readonly onClientError: (error: unknown) => void
  readonly clients: ClientSettings
  /** All limits, those among them that are also elsewhere in here. */
  readonly limits: Limits
  readonly storage: StorageSettings
  readonly server: Omit<ServerConfig, 'myid' | 'voters' | 'bootstrap'>
}

/** Where an ensemble keeps its data. */
export interface StorageSettings {
  /** Null: in memory. */
  readonly dataDir: string | null
  /** Where logs are; null: where all the rest is. */
  readonly dataLogDir: string | null
  readonly snapRetainCount: number
}

/** The settings that all ports for clients share. */
export interface ClientSettings {
  readonly ports: readonly number[]
  readonly securePorts: readonly number[]
  readonly tls: ClientTlsSettings | null
  readonly sasl: SaslSettings | null
  readonly address: string
  /** One for each of the ports, or none. */
  readonly adminPorts: readonly number[]
  readonly adminAddress: string
  readonly limits: Limits
  readonly tickTimeMs: number
  readonly frameBytesMax: number
  readonly fourLetterWords: ReadonlySet<string>
}

const DEFAULTS = Object.freeze({
  servers: 3,
  observers: 0,
  tickMs: SERVER_DEFAULTS.tickMs,
  sessionTimeoutMs: 6_000,
  containerCheckMs: 10_000,
  dataDir: null,
  dataLogDir: null,
  snapRetainCount: 3,
  snapCount: SERVER_DEFAULTS.snapCount,
  snapLogBytes: SERVER_DEFAULTS.snapLogBytes,
  commitLogCount: SERVER_DEFAULTS.commitLogCount,
  commitLogBytes: SERVER_DEFAULTS.commitLogBytes,
  clientPorts: [],
  secureClientPorts: [],
  clientTls: null,
  clientPortAddress: '127.0.0.1',
  adminPorts: [],
  adminAddress: '127.0.0.1',
  maxClientCnxns: limitOf('maxClientCnxns'),
  globalOutstandingLimit: limitOf('globalOutstandingLimit'),
  limits: {},
  fourLetterWords: [],
  initLimitTicks: SERVER_DEFAULTS.initLimitTicks,
  syncLimitTicks: SERVER_DEFAULTS.syncLimitTicks,
  requestBytesMax: SERVER_DEFAULTS.requestBytesMax,
  responseBytesMax: SERVER_DEFAULTS.responseBytesMax,
  extendedTypes: SERVER_DEFAULTS.extendedTypes,
  enforceQuota: SERVER_DEFAULTS.enforceQuota,
  leaderServes: SERVER_DEFAULTS.leaderServes,
  readOnlyMode: false,
  localSessions: SERVER_DEFAULTS.localSessions,
  audit: SERVER_DEFAULTS.audit,
  reconfigEnabled: SERVER_DEFAULTS.reconfigEnabled,
  superDigest: SERVER_DEFAULTS.superDigest,
  sasl: null,
  requiredSchemes: SERVER_DEFAULTS.requiredSchemes,
  drainMs: 5_000,
  onError: warn,
  onClientError: warn,
}) satisfies Required<Omit<EmbeddedOptions, DependentOption>>

/** Options whose default depends on others. */
type DependentOption = 'minSessionTimeoutMs' | 'maxSessionTimeoutMs' | 'tickTimeMs'
const DEPENDENT: readonly DependentOption[] = ['minSessionTimeoutMs', 'maxSessionTimeoutMs', 'tickTimeMs']

const NAMES: ReadonlySet<string> = new Set([...Object.keys(DEFAULTS), ...DEPENDENT])

/**
 * Fills in and checks options.
 *
 * @throws TypeError for an unknown option or a wrong type, RangeError for a number outside its range
 */
export function settingsOf(options: EmbeddedOptions): EmbeddedSettings {
  refuseUnknown(options, NAMES, 'embedded()')
  const all: AllOptions = { ...DEFAULTS, ...definedOf(options) }
  validateInteger('servers', all.servers, 1, SERVERS_MAX)
  validateInteger('observers', all.observers, 0, OBSERVERS_MAX)
  const times = timesOf(all)
  const limits = limitsOf(all.limits, all)
  const clients = clientSettingsOf(all, limits)
  const readOnlyWaitMs = Math.max(READ_ONLY_WAIT_MS_MIN, clients.tickTimeMs)
  validateInteger('drainMs', all.drainMs, 0, DRAIN_MS_MAX)
  validateBoolean('leaderServes', all.leaderServes)
  validateBoolean('readOnlyMode', all.readOnlyMode)
  validateLocalSessions(all.localSessions)
  validateBoolean('audit', all.audit)
  validateBoolean('reconfigEnabled', all.reconfigEnabled)
  validateInteger('initLimitTicks', all.initLimitTicks, 1, LIMIT_TICKS_MAX)
  validateInteger('syncLimitTicks', all.syncLimitTicks, 1, LIMIT_TICKS_MAX)
  validateBoolean('extendedTypes', all.extendedTypes)
  validateBoolean('enforceQuota', all.enforceQuota)
  if (all.superDigest !== null) validateText('superDigest', all.superDigest)
  requireFunction('onError', all.onError)
  requireFunction('onClientError', all.onClientError)
  return {
    servers: all.servers,
    observers: all.observers,
    sessionTimeoutMs: all.sessionTimeoutMs,
    drainMs: all.drainMs,
    onError: all.onError,
    onClientError: all.onClientError,
    clients,
    limits,
    storage: storageSettingsOf(all),
    server: {
      ...SERVER_DEFAULTS,
      ...times,
      ...serverLimitsOf(limits),
      leaderServes: all.leaderServes,
      readOnlyWaitTicks: all.readOnlyMode ? Math.ceil(readOnlyWaitMs / times.tickMs) : null,
      localSessions: all.localSessions,
      audit: all.audit,
      reconfigEnabled: all.reconfigEnabled,
      initLimitTicks: all.initLimitTicks,
      syncLimitTicks: all.syncLimitTicks,
      extendedTypes: all.extendedTypes,
      enforceQuota: all.enforceQuota,
      superDigest: all.superDigest,
      hasSasl: all.sasl !== null,
      requiredSchemes: requiredSchemesOf(all.requiredSchemes, all),
      allowSaslFailedClients: all.sasl?.allowFailedClients ?? false,
    },
  }
}

/** The limits that the server itself keeps; the others are those of its ports and its host. */
function serverLimitsOf(limits: Limits) {
  const { snapCount, snapLogBytes, commitLogCount, commitLogBytes, requestBytesMax, responseBytesMax } = limits
  const { connectionWatches, connectionWatchBytes, watches, watchBytes, sessionsPerAddress } = limits
  const ofLog = { snapCount, snapLogBytes, commitLogCount, commitLogBytes }
  const ofWatches = { connectionWatches, connectionWatchBytes, watches, watchBytes }
  return { ...ofLog, requestBytesMax, responseBytesMax, ...ofWatches, sessionsPerAddress }
}

function validateLocalSessions(mode: unknown): void {
  if (LOCAL_SESSIONS_MODES.some((known) => known === mode)) return
  throw new TypeError(`localSessions must be ${LOCAL_SESSIONS_MODES.join(', ')}, got ${textOf(mode)}`)
}

type AllOptions = Required<Omit<EmbeddedOptions, DependentOption>> & Pick<EmbeddedOptions, DependentOption>
type Times = Pick<ServerConfig, 'tickMs' | 'minSessionTimeoutMs' | 'maxSessionTimeoutMs' | 'containerCheckTicks'>

function timesOf(all: AllOptions): Times {
  const { tickMs, sessionTimeoutMs, containerCheckMs } = all
  validateInteger('tickMs', tickMs, TICK_MS_MIN, TICK_MS_MAX)
  const leastMs = SESSION_TIMEOUT_TICKS_MIN * tickMs
  validateInteger('sessionTimeoutMs', sessionTimeoutMs, leastMs, SESSION_TIMEOUT_MS_MAX)
  const minSessionTimeoutMs = all.minSessionTimeoutMs ?? leastMs
  validateInteger('minSessionTimeoutMs', minSessionTimeoutMs, leastMs, SESSION_TIMEOUT_MS_MAX)
  const longestMs = Math.max(SERVER_DEFAULTS.maxSessionTimeoutMs, sessionTimeoutMs, minSessionTimeoutMs)
  const maxSessionTimeoutMs = all.maxSessionTimeoutMs ?? longestMs
  validateInteger('maxSessionTimeoutMs', maxSessionTimeoutMs, minSessionTimeoutMs, SESSION_TIMEOUT_MS_MAX)
  validateInteger('containerCheckMs', containerCheckMs, tickMs, CONTAINER_CHECK_MS_MAX)
  const containerCheckTicks = Math.ceil(containerCheckMs / tickMs)
  return { tickMs, minSessionTimeoutMs, maxSessionTimeoutMs, containerCheckTicks }
}

function storageSettingsOf({ dataDir, dataLogDir, snapRetainCount }: AllOptions): StorageSettings {
  if (dataDir !== null) validateText('dataDir', dataDir)
  if (dataLogDir !== null) validateText('dataLogDir', dataLogDir)
  if (dataLogDir !== null && dataDir === null) throw new TypeError('dataLogDir needs a dataDir')
  validateInteger('snapRetainCount', snapRetainCount, 1, INT32_MAX)
  return { dataDir, dataLogDir, snapRetainCount }
}

function clientSettingsOf(all: AllOptions, limits: Limits): ClientSettings {
  const { clientPorts, secureClientPorts, clientTls, clientPortAddress } = all
  const tickTimeMs = all.tickTimeMs ?? all.tickMs
  validateInteger('tickTimeMs', tickTimeMs, TICK_MS_MIN, SESSION_TIMEOUT_MS_MAX)
  for (const name of ['clientPorts', 'secureClientPorts'] as const) checkPorts(name, all[name], all)
  if (secureClientPorts.length > 0 && clientTls === null) throw new TypeError('secureClientPorts needs clientTls')
  validateText('clientPortAddress', clientPortAddress)
  return {
    ports: clientPorts,
    securePorts: secureClientPorts,
    tls: clientTls === null ? null : clientTlsSettingsOf(clientTls),
    sasl: all.sasl === null ? null : saslSettingsOf(all.sasl),
    address: clientPortAddress,
    ...adminSettingsOf(all),
    limits,
    tickTimeMs,
    frameBytesMax: all.requestBytesMax,
    fourLetterWords: wordsOf(all.fourLetterWords),
  }
}

function adminSettingsOf(all: AllOptions): Pick<ClientSettings, 'adminPorts' | 'adminAddress'> {
  const { adminPorts, adminAddress, clientPorts } = all
  checkList('adminPorts', adminPorts)
  for (const port of adminPorts) validateInteger('a port of adminPorts', port, 0, PORT_MAX)
  validateText('adminAddress', adminAddress)
  if (adminPorts.length > 0 && clientPorts.length + all.secureClientPorts.length === 0) {
    throw new TypeError('adminPorts needs clientPorts: an AdminServer tells of a server that serves clients over TCP')
  }
  const servers = all.servers + all.observers
  if (adminPorts.length > 0 && adminPorts.length !== servers) {
    throw new RangeError(`adminPorts must have a port for each of ${servers} servers, got ${adminPorts.length}`)
  }
  return { adminPorts, adminAddress }
}

function checkPorts(name: string, ports: readonly number[], { servers, observers }: AllOptions): void {
  checkList(name, ports)
  for (const port of ports) validateInteger(`a port of ${name}`, port, 0, PORT_MAX)
  if (ports.length === 0 || ports.length === servers + observers) return
  throw new RangeError(`${name} must have a port for each of ${servers + observers} servers, got ${ports.length}`)
}

function wordsOf(words: readonly string[]): ReadonlySet<string> {
  checkList('fourLetterWords', words)
  const known: readonly string[] = ['*', ...FOUR_LETTER_WORDS]
  for (const word of words) {
    if (known.includes(word)) continue
    throw new RangeError(`fourLetterWords must be of ${known.join(', ')}, got ${textOf(word)}`)
  }
  return new Set(words.includes('*') ? FOUR_LETTER_WORDS : ['srvr', ...words])
}

/**
 * Checks the id of a server.
 *
 * @throws RangeError if there is none with this id
 */
export function checkId(id: number, ids: readonly number[]): void {
  if (!ids.includes(id)) throw new RangeError(`there is no server ${textOf(id)}; there are ${ids.join(', ')}`)
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error))
}

/** An option that is given as undefined is not given. */
function definedOf(options: EmbeddedOptions): EmbeddedOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function checkList(name: string, value: unknown): void {
  if (!Array.isArray(value)) throw new TypeError(`${name} must be an array, got ${textOf(value)}`)
}
