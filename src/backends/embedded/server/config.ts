/**
 * The configuration of a server, and its defaults.
 *
 * Limits are counted in ticks, so that a process that was stopped for a while does not find that everything has timed
 * out.
 */
import {
  CONNECTION_WATCHES_MAX,
  CONNECTION_WATCH_BYTES_MAX,
  SERVER_WATCHES_MAX,
  SERVER_WATCH_BYTES_MAX,
} from './watch-limits.ts'
import type { LocalSessionsMode } from './ports.ts'
import type { ZabConfig } from './zab/configuration.ts'

/** Longest data and paths of one request together, in bytes: the default of ZooKeeper's jute.maxbuffer. */
export const REQUEST_BYTES_MAX = 0xfffff

/** Longest answer to a request, in bytes: the most that clients of this package take. ZooKeeper has no limit. */
const RESPONSE_BYTES_MAX = 0x100_0000

/** The configuration of a server. Durations are in milliseconds or in ticks of `tickMs`, as their names say. */
export interface ServerConfig extends ZabConfig {
  /** Length of one call of `tick()`. */
  readonly tickMs: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  /** Sessions end at multiples of this. */
  readonly sessionBucketTicks: number
  /** How often the leader looks for containers and nodes whose time is over. */
  readonly containerCheckTicks: number
  /** How many transactions lie between two snapshots. */
  readonly snapCount: number
  /** How many bytes of transactions lie between two snapshots: as many as the state has, if that is more. */
  readonly snapLogBytes: number
  /** Longest data and paths of one request together, in bytes. */
  readonly requestBytesMax: number
  /** Longest answer to a request, in bytes. */
  readonly responseBytesMax: number
  /** Most watches of one connection, and bytes of their paths. */
  readonly connectionWatches: number
  readonly connectionWatchBytes: number
  /** The same of all connections of the server. */
  readonly watches: number
  readonly watchBytes: number
  /** Most open sessions that clients of one address, or one network of IPv6, have begun here; 0 for any number. */
  readonly sessionsPerAddress: number
  /** Whether nodes may have a time to live: ZooKeeper's extendedTypesEnabled. */
  readonly extendedTypes: boolean
  /** Whether a write that goes beyond a hard quota is refused. */
  readonly enforceQuota: boolean
  /** Whether a leader takes clients. The only voter takes them in any case. */
  readonly leaderServes: boolean
  /**
   * After how many ticks without a leader clients may read here that say so; null: never.
   */
  readonly readOnlyWaitTicks: number | null
  /** Whether it alone knows its new sessions: ZooKeeper's localSessionsEnabled and localSessionsUpgradingEnabled. */
  readonly localSessions: LocalSessionsMode
  /** Whether operators are told who changes what: ZooKeeper's audit.enable. */
  readonly audit: boolean
  /** Whether clients may change the configuration where that can be done; if not, they are told that it is off. */
  readonly reconfigEnabled: boolean
  /** An identity that bypasses all access control lists, as `user:base64(sha1(user:password))`; null for none. */
  readonly superDigest: string | null
  /** Whether clients can prove who they are by SASL, and lists may name them. */
  readonly hasSasl: boolean
  /**
   * Schemes of which a client over a network has to have an identity before anything is done for it; none by default:
   * ZooKeeper's enforce.auth.schemes.
   */
  readonly requiredSchemes: readonly string[]
  /** Whether a client that fails by SASL keeps its connection, as nobody: ZooKeeper's allowSaslFailedClients. */
  readonly allowSaslFailedClients: boolean
  /**
   * Data of /zookeeper/config before it is changed: the servers, as in ZooKeeper's configuration. Empty for a server on
   * its own.
   */
  readonly membership: string
}

/** The defaults of everything but who a server is: for servers on a fast network, or in one process. */
export const SERVER_DEFAULTS = Object.freeze({
  reconfigurable: false,
  beginsTogether: false,
  tickMs: 50,
  electionWaitTicks: 2,
  notificationTicksMin: 2,
  notificationTicksMax: 40,
  initLimitTicks: 60,
  syncLimitTicks: 20,
  pingTicks: 4,
  commitLogCount: 500,
  commitLogBytes: 0x100_0000,
  firstEpoch: 1,
  epochCounterMax: 0xffff_ffff,
  sessionBucketTicks: 2,
  minSessionTimeoutMs: 100,
  maxSessionTimeoutMs: 60_000,
  containerCheckTicks: 200,
  snapCount: 100_000,
  snapLogBytes: 0x400_0000,
  requestBytesMax: REQUEST_BYTES_MAX,
  responseBytesMax: RESPONSE_BYTES_MAX,
  connectionWatches: CONNECTION_WATCHES_MAX,
  connectionWatchBytes: CONNECTION_WATCH_BYTES_MAX,
  watches: SERVER_WATCHES_MAX,
  watchBytes: SERVER_WATCH_BYTES_MAX,
  sessionsPerAddress: 0,
  extendedTypes: true,
  enforceQuota: false,
  leaderServes: true,
  readOnlyWaitTicks: null,
  localSessions: 'off',
  audit: false,
  reconfigEnabled: false,
  superDigest: null,
  hasSasl: false,
  requiredSchemes: [],
  allowSaslFailedClients: false,
  membership: '',
}) satisfies Omit<ServerConfig, 'myid' | 'voters' | 'bootstrap'>
