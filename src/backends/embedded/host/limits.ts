/**
 * The limits of a server, in one table: their names, keys, defaults and ranges, and what happens beyond them.
 *
 * Use       options.ts and zoo.cfg take the values from here; `mntr` and `/metrics` show those in force as
 *           `limit_<name>`; docs/limits.md has the table, and a test holds the two together.
 * Names     of ZooKeeper where it has one; `quorate.*` in zoo.cfg otherwise.
 * Zero      where it is allowed it stands for no limit.
 */
import { refuseUnknown, validateInteger } from '../../../core/options.ts'
import { IDENTITIES_MAX } from '../server/state/identities.ts'
import { ACL_ENTRIES_MAX } from '../server/state/acl.ts'
import { PENDING_REQUESTS_MAX, REQUEST_PARTS_MAX, UNANSWERED_PINGS_MAX } from '../server/clients/request-limits.ts'
import { SERVER_DEFAULTS } from '../server/config.ts'

const INT32_MAX = 0x7fff_ffff
const GIB = 0x4000_0000
const PERCENT_MAX = 100
/** Sessions that an address may have for each of its connections: those that it has left live for their time-outs. */
const SESSIONS_PER_CONNECTION = 20

/** One limit. */
export interface Limit {
  /** The key of zoo.cfg that sets it; null if none does. */
  readonly key: string | null
  /** The option of `embedded()` that sets it; null if it is fixed. */
  readonly option: string | null
  /** Null where it depends on others, which `what` says. */
  readonly value: number | null
  readonly min: number
  readonly max: number
  readonly unit: 'bytes' | 'ms' | '%' | 'count'
  /** The thing that is counted, in words for the page. */
  readonly what: string
  /** The fate of the one that is too many. */
  readonly beyond: string
}

function setting(of: Omit<Limit, 'unit' | 'min' | 'max'> & Partial<Limit>): Limit {
  return { unit: 'count', min: 0, max: INT32_MAX, ...of }
}

function fixed(value: number, what: string, beyond: string, unit: Limit['unit'] = 'count'): Limit {
  return { key: null, option: null, value, min: value, max: value, unit, what, beyond }
}

/** The limits that `limits` of `embedded()` sets. */
const OWN = Object.freeze({
  maxCnxns: setting({
    key: 'maxCnxns',
    option: 'limits.maxCnxns',
    value: 20_000,
    what: 'connections of the server',
    beyond: 'the connection is closed (`connection_rejected`)',
  }),
  sessionsPerAddress: setting({
    key: 'quorate.sessionsPerAddress',
    option: 'limits.sessionsPerAddress',
    value: null,
    what: 'open sessions that one address, of IPv6 one network of 64 bits, has begun at the server; ' +
      `${SESSIONS_PER_CONNECTION} for each of maxClientCnxns`,
    beyond: 'the connection that asks for one more is closed (`sessions_rejected`)',
  }),
  connectionOutstanding: setting({
    key: 'quorate.connectionOutstandingLimit',
    option: 'limits.connectionOutstanding',
    value: 512,
    min: 1,
    what: 'requests of one connection that are not answered',
    beyond: 'the others wait, and the connection is not read on',
  }),
  connectionOutstandingBytes: setting({
    key: 'quorate.connectionOutstandingBytes',
    option: 'limits.connectionOutstandingBytes',
    value: 0x10_0000,
    min: 1,
    max: GIB,
    unit: 'bytes',
    what: 'the same in bytes; one request is taken however long it is',
    beyond: 'the others wait, and the connection is not read on',
  }),
  largeRequestMaxBytes: setting({
    key: 'largeRequestMaxBytes',
    option: 'limits.largeRequestMaxBytes',
    value: 100 * 0x10_0000,
    min: 1,
    unit: 'bytes',
    what: 'requests of all connections that are not answered, of those longer than largeRequestThreshold',
    beyond: 'others wait until there is room; one of each connection is taken all the same',
  }),
  largeRequestThreshold: setting({
    key: 'largeRequestThreshold',
    option: 'limits.largeRequestThreshold',
    value: 0,
    min: -1,
    unit: 'bytes',
    what: 'requests longer than this count for largeRequestMaxBytes; -1: none does',
    beyond: 'nothing',
  }),
  connectionWatches: setting({
    key: 'quorate.connectionWatches',
    option: 'limits.connectionWatches',
    value: SERVER_DEFAULTS.connectionWatches,
    min: 1,
    what: 'watches of one connection',
    beyond: 'the request is refused with -125 and arms nothing',
  }),
  connectionWatchBytes: setting({
    key: 'quorate.connectionWatchBytes',
    option: 'limits.connectionWatchBytes',
    value: SERVER_DEFAULTS.connectionWatchBytes,
    min: 1,
    max: GIB,
    unit: 'bytes',
    what: 'paths of the watches of one connection',
    beyond: 'the request is refused with -125 and arms nothing',
  }),
  watches: setting({
    key: 'quorate.watches',
    option: 'limits.watches',
    value: SERVER_DEFAULTS.watches,
    min: 1,
    what: 'watches of the server',
    beyond: 'the request is refused with -125 and arms nothing',
  }),
  watchBytes: setting({
    key: 'quorate.watchBytes',
    option: 'limits.watchBytes',
    value: SERVER_DEFAULTS.watchBytes,
    min: 1,
    unit: 'bytes',
    what: 'paths of the watches of the server',
    beyond: 'the request is refused with -125 and arms nothing',
  }),
  heapThrottlePercent: setting({
    key: 'quorate.heapThrottlePercent',
    option: 'limits.heapThrottlePercent',
    value: 85,
    min: 1,
    max: PERCENT_MAX,
    unit: '%',
    what: 'memory in use, of the most that the process may have, above which writes that need more are slowed',
    beyond: 'the next such write of a connection waits 50 ms (`request_throttle_wait_count`)',
  }),
  heapRefusePercent: setting({
    key: 'quorate.heapRefusePercent',
    option: 'limits.heapRefusePercent',
    value: 92,
    min: 1,
    max: PERCENT_MAX,
    unit: '%',
    what: 'the same, above which they are refused',
    beyond: 'the write is refused with -127, `THROTTLED`, and not done (`throttled_ops`)',
  }),
})

/** Those that are options of their own. */
const OPTIONS = Object.freeze({
  maxClientCnxns: setting({
    key: 'maxClientCnxns',
    option: 'maxClientCnxns',
    value: 60,
    what: 'connections of one address',
    beyond: 'the connection is closed (`connection_rejected`)',
  }),
  globalOutstandingLimit: setting({
    key: 'globalOutstandingLimit',
    option: 'globalOutstandingLimit',
    value: 1_000,
    min: 1,
    what: 'requests of all connections that are not answered',
    beyond: 'others wait until there is room; one of each connection is taken all the same',
  }),
  requestBytesMax: setting({
    key: 'jute.maxbuffer',
    option: 'requestBytesMax',
    value: SERVER_DEFAULTS.requestBytesMax,
    min: 1_024,
    max: GIB,
    unit: 'bytes',
    what: 'one request',
    beyond: 'over TCP the connection is closed; in the process it is refused with -8',
  }),
  responseBytesMax: setting({
    key: 'quorate.responseBytesMax',
    option: 'responseBytesMax',
    value: SERVER_DEFAULTS.responseBytesMax,
    min: 1_024,
    max: GIB,
    unit: 'bytes',
    what: 'one answer: a list, data, a multiRead',
    beyond: 'the request is refused with -125',
  }),
  commitLogCount: setting({
    key: 'commitLogCount',
    option: 'commitLogCount',
    value: SERVER_DEFAULTS.commitLogCount,
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    what: 'transactions in memory for servers that missed them',
    beyond: 'the oldest is left out; who needs it gets the state',
  }),
  commitLogBytes: setting({
    key: 'quorate.commitLogBytes',
    option: 'commitLogBytes',
    value: SERVER_DEFAULTS.commitLogBytes,
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    unit: 'bytes',
    what: 'the same in bytes',
    beyond: 'the oldest is left out; who needs it gets the state',
  }),
  snapCount: setting({
    key: 'snapCount',
    option: 'snapCount',
    value: SERVER_DEFAULTS.snapCount,
    min: 2,
    what: 'transactions between two snapshots',
    beyond: 'a snapshot is taken, and the log before it is cut',
  }),
  snapLogBytes: setting({
    key: 'snapSizeLimitInKb',
    option: 'snapLogBytes',
    value: SERVER_DEFAULTS.snapLogBytes,
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
    unit: 'bytes',
    what: 'bytes of transactions between two snapshots (the key counts in KiB)',
    beyond: 'a snapshot is taken, and the log before it is cut',
  }),
})

/** Those that nothing changes. */
const FIXED = Object.freeze({
  identities: fixed(IDENTITIES_MAX, 'identities of one connection', '`addauth` is refused, and the connection ends'),
  aclEntries: fixed(ACL_ENTRIES_MAX, 'entries of an access control list', 'the request is refused with -114'),
  requestParts: fixed(REQUEST_PARTS_MAX, 'operations of one multi or multiRead', 'the request is refused with -8'),
  pendingRequests: fixed(PENDING_REQUESTS_MAX, 'requests of a client in the process', 'the connection is closed'),
  unansweredPings: fixed(UNANSWERED_PINGS_MAX, 'pings of one connection that wait', 'the connection is closed'),
  unreadMessages: fixed(100_000, 'messages that wait for a client that does not read', 'the connection is closed'),
  sessionlessMs: fixed(10_000, 'time until a connection has a session, and its TLS', 'the connection is closed', 'ms'),
  handshakes: fixed(250, 'TLS hand-shakes under way at one port', 'the connection is closed'),
  handshakesPerSecond: fixed(50, 'TLS hand-shakes per second of an address of which ten have failed', 'others wait'),
  handshakesWaiting: fixed(128, 'of these, those that wait', 'one of them is closed, by chance'),
  handshakesWaitingInAll: fixed(1_024, 'the same of all addresses', 'one of the address that has most is closed'),
  failedAddresses: fixed(10_000, 'addresses whose failures are remembered', 'the oldest failure is forgotten'),
  turnMs: fixed(10, 'requests in one turn of the event loop', 'the others wait for the next turn', 'ms'),
  clientTurnMs: fixed(2, 'requests of one client in one turn, and one request more', 'all wait for the next', 'ms'),
  flushMs: fixed(10, 'answers in one turn of the event loop', 'the others wait for the next turn', 'ms'),
  flushBytes: fixed(0x1_0000, 'answers of one connection in one go, and one answer more', 'others come first', 'bytes'),
  adminConnections: fixed(64, 'connections of the AdminServer', 'the connection is closed'),
  adminRequestMs: fixed(10_000, 'time of one request to the AdminServer', 'the connection is closed', 'ms'),
  peerQueueBytes: fixed(0x400_0000, 'bytes that wait for one other server', 'its link is closed', 'bytes'),
  strangers: fixed(64, 'connections of servers that have not said who they are', 'the oldest is closed'),
  auditBytes: fixed(0x100_0000, 'lines of the log that wait to be written', 'they are counted, and left out', 'bytes'),
})

/** Every limit, by name. */
export const LIMITS = Object.freeze({ ...OPTIONS, ...OWN, ...FIXED }) satisfies Readonly<Record<string, Limit>>

/** The name of a limit. */
export type LimitName = keyof typeof LIMITS

/** The value of each limit. */
export type Limits = Readonly<Record<LimitName, number>>

/** Values that the option `limits` may have. */
export type LimitOptions = Partial<Readonly<Record<keyof typeof OWN, number>>>

const NAMES = Object.keys(LIMITS) as readonly LimitName[]
const OWN_NAMES = Object.keys(OWN) as readonly (keyof typeof OWN)[]

/** The value of a limit that depends on nothing else. */
export function limitOf(name: Exclude<LimitName, 'sessionsPerAddress'>): number {
  return LIMITS[name].value ?? 0
}

/**
 * The limits in force.
 *
 * @param given - the option `limits`, and the values of those that are options of their own
 * @throws TypeError for an unknown name or a wrong type, RangeError for a number outside its range
 */
export function limitsOf(
  given: LimitOptions,
  others: Partial<Readonly<Record<keyof typeof OPTIONS, number>>>,
): Limits {
  if (typeof given !== 'object' || (given as unknown) === null) throw new TypeError('limits must be an object')
  refuseUnknown(given, new Set(OWN_NAMES), 'limits of embedded()')
  const known: Readonly<Record<string, number | undefined>> = { ...others, ...given }
  const maxClientCnxns = others.maxClientCnxns ?? limitOf('maxClientCnxns')
  const values = NAMES.map((name) => {
    const { value, option, min, max } = LIMITS[name]
    const got = known[name] ?? value ?? Math.min(INT32_MAX, SESSIONS_PER_CONNECTION * maxClientCnxns)
    if (option !== null) validateInteger(option, got, min, max)
    return [name, got] as const
  })
  const limits = Object.fromEntries(values) as Limits
  if (limits.heapThrottlePercent <= limits.heapRefusePercent) return limits
  const got = `${limits.heapThrottlePercent} and ${limits.heapRefusePercent}`
  throw new RangeError(`heapThrottlePercent must not be more than heapRefusePercent, got ${got}`)
}

/** The name of a limit in `mntr` and `/metrics`, without `zk_`. */
export function metricOf(name: LimitName): string {
  return `limit_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`
}

/** The limits that zoo.cfg sets under a key that is this table's alone. */
export const LIMIT_KEYS = OWN_NAMES.flatMap((name) => {
  const { key } = OWN[name]
  return key === null ? [] : [[key, name] as const]
})
