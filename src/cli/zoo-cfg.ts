/**
 * ZooKeeper's own configuration file, as far as this server goes by it.
 *
 * Rules     an unknown key is named and passed over; a wrong value is an error with its line. What is understood but
 *           has no effect here is said, so that nobody relies on it.
 * Source    QuorumPeerConfig.java of ZooKeeper 3.8; the system properties are those of its Administrator's Guide, by
 *           the names that they have in this file, without `zookeeper.`.
 */
import { FOUR_LETTER_WORDS } from '../backends/embedded/host/admin/four-letter-words.ts'
import { Failure } from './exit-status.ts'
import { readProperties } from './java-properties.ts'
import type { Property } from './java-properties.ts'
import { hint } from './nearest.ts'
import { oneLine } from './visible.ts'

/** What a server is to do. What a file does not name has ZooKeeper's default; it is undefined where that is ours. */
export interface ZooCfg {
  readonly clientPort: number | undefined
  readonly clientPortAddress: string | undefined
  readonly tickTimeMs: number
  /** Connections per address; 0 for any number. */
  readonly maxClientCnxns: number | undefined
  /** Requests that may wait for their answers before no more are read. */
  readonly globalOutstandingLimit: number | undefined
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  /** Four-letter words that are answered, of those that this server has, or `['*']`. */
  readonly fourLetterWords: readonly string[] | undefined
  readonly dataDir: string | undefined
  readonly dataLogDir: string | undefined
  readonly snapRetainCount: number | undefined
  readonly snapCount: number | undefined
  /** Bytes of transactions between two snapshots. */
  readonly snapLogBytes: number | undefined
  readonly commitLogCount: number | undefined
  readonly extendedTypes: boolean
  readonly superDigest: string | undefined
  readonly containerCheckMs: number
  readonly enforceQuota: boolean | undefined
  readonly requestBytesMax: number | undefined
  readonly reconfigEnabled: boolean | undefined
  /** What people should know, one line each, with file and line. */
  readonly notices: readonly string[]
}

/** Says what a value must be, or null if it is that. */
type Check = (value: string) => string | null

/** What an entry means here: it is used, or it has no effect. */
type Effect = 'used' | 'none'

interface Key {
  readonly check: Check
  readonly effect: Effect
}

const INT32_MAX = 2 ** 31 - 1
const PORT_MAX = 65_535

const INT32_MIN = -(2 ** 31)

/** Bounds of this server. */
const REQUEST_BYTES_MIN = 1_024
const REQUEST_BYTES_MAX = 1024 * 1024 * 1024
const KB = 1_024
/** Shortest session time-out, in milliseconds: two ticks of one. */
const SESSION_TIMEOUT_MS_MIN = 2
const SNAP_COUNT_MIN = 2
/** ZooKeeper takes less for this. */
const SNAP_RETAIN_COUNT_MIN = 3
/** The least that ZooKeeper goes by: less is taken for this. */
const COMMIT_LOG_COUNT_MIN = 500
/** Stands for no limit, which ZooKeeper writes as 0 or less. */
const SNAP_LOG_BYTES_MAX = Number.MAX_SAFE_INTEGER

/** ZooKeeper's defaults. */
const TICK_TIME_MS = 3_000
const CONTAINER_CHECK_MS = 60_000

/** Session time-outs are between so many ticks, unless the file says otherwise. */
const SESSION_TICKS_MIN = 2
const SESSION_TICKS_MAX = 20

const anything: Check = (value) => (value === '' ? 'something' : null)
const boolean: Check = (value) => (/^(true|false)$/i.test(value) ? null : 'true or false')
const integer = (min: number, max = INT32_MAX): Check => (value) => {
  const number = integerOf(value)
  return number !== null && number >= min && number <= max ? null : `a whole number from ${min} to ${max}`
}
/** As ZooKeeper reads what becomes a system property: whatever is not true is false. */
const flag: Check = () => null
const words: Check = () => null
const digest: Check = (value) => (/^[^:\s]+:\S+$/.test(value) ? null : 'super:<base64 of the SHA-1 of super:password>')
const member: Check = (value) => {
  const form = /^[^;]+:\d+:\d+(:(participant|observer))?(\|[^;]+:\d+:\d+)*(;([^;]+:)?\d+)?$/
  return form.test(value) ? null : 'host:port:port[:participant|observer][;[address:]clientPort]'
}

const KEYS: Readonly<Record<string, Key>> = {
  clientPort: { check: integer(0, PORT_MAX), effect: 'used' },
  clientPortAddress: { check: anything, effect: 'used' },
  tickTime: { check: integer(1), effect: 'used' },
  dataDir: { check: anything, effect: 'used' },
  dataLogDir: { check: anything, effect: 'used' },
  initLimit: { check: integer(INT32_MIN), effect: 'none' },
  syncLimit: { check: integer(INT32_MIN), effect: 'none' },
  maxClientCnxns: { check: integer(INT32_MIN), effect: 'used' },
  globalOutstandingLimit: { check: integer(1), effect: 'used' },
  minSessionTimeout: { check: integer(-1), effect: 'used' },
  maxSessionTimeout: { check: integer(-1), effect: 'used' },
  '4lw.commands.whitelist': { check: words, effect: 'used' },
  snapCount: { check: integer(INT32_MIN), effect: 'used' },
  snapSizeLimitInKb: { check: integer(INT32_MIN), effect: 'used' },
  commitLogCount: { check: integer(INT32_MIN), effect: 'used' },
  'autopurge.snapRetainCount': { check: integer(INT32_MIN), effect: 'used' },
  'autopurge.purgeInterval': { check: integer(INT32_MIN), effect: 'none' },
  standaloneEnabled: { check: boolean, effect: 'none' },
  extendedTypesEnabled: { check: flag, effect: 'used' },
  'DigestAuthenticationProvider.superDigest': { check: digest, effect: 'used' },
  'znode.container.checkIntervalMs': { check: integer(1), effect: 'used' },
  enforceQuota: { check: flag, effect: 'used' },
  'jute.maxbuffer': { check: integer(REQUEST_BYTES_MIN, REQUEST_BYTES_MAX), effect: 'used' },
  reconfigEnabled: { check: boolean, effect: 'used' },
}

const KEY_NAMES = Object.keys(KEYS)

/** What may stand in the whitelist and means something here. */
const KNOWN_WORDS: readonly string[] = ['*', ...FOUR_LETTER_WORDS]

/** Families of keys. */
const MEMBER = /^server\.\d+$/
const ADMIN = /^admin\.[A-Za-z]+$/

/**
 * Reads a configuration.
 *
 * @param text - the whole file
 * @param file - its name, for messages
 * @throws Failure for a wrong value, with file and line
 */
export function readZooCfg(text: string, file: string): ZooCfg {
  const entries = new Map<string, Property>()
  const notices: string[] = []
  const unknown: string[] = []
  if (text.includes('\0')) throw new Failure(`${file} is no configuration: it is not text`)
  for (const property of readProperties(text)) {
    const { key, value, line } = property
    const known = keyOf(key)
    if (known === undefined) {
      unknown.push(key)
      notices.push(`${file}:${line}: unknown key ${oneLine(key)}: ignored${hint(key, KEY_NAMES)}`)
      continue
    }
    const must = known.check(value)
    // What should be a digest may be a password.
    const got = known.check === digest ? '' : `, got ${JSON.stringify(value)}`
    if (must !== null) throw new Failure(`${file}:${line}: ${key} must be ${must}${got}`)
    const before = entries.get(key)
    if (before !== undefined) {
      notices.push(`${file}:${line}: ${key} stands on line ${before.line} already: this one holds`)
    }
    entries.set(key, property)
  }
  if (entries.size === 0 && unknown.length > 0) {
    const [first = ''] = unknown
    throw new Failure(`${file} is no configuration of ZooKeeper: no key in it is known; the first is ${oneLine(first)}`)
  }
  const settings = settingsOf(entries, file)
  return { ...settings, notices: [...notices, ...effectNotices([...entries.values()], file)] }
}

function keyOf(key: string): Key | undefined {
  if (Object.hasOwn(KEYS, key)) return KEYS[key]
  if (MEMBER.test(key)) return { check: member, effect: 'none' }
  return ADMIN.test(key) ? { check: anything, effect: 'none' } : undefined
}

function settingsOf(entries: ReadonlyMap<string, Property>, file: string): Omit<ZooCfg, 'notices'> {
  const text = (key: string): string | undefined => entries.get(key)?.value
  const number = (key: string): number | undefined => integerOf(text(key) ?? '') ?? undefined
  const isOn = (key: string): boolean | undefined => (entries.has(key) ? /^true$/i.test(text(key) ?? '') : undefined)
  const atLeast = (min: number, key: string): number | undefined => {
    const value = number(key)
    return value === undefined ? undefined : Math.max(min, value)
  }
  /** -1 stands for the default. */
  const timeout = (key: string): number | undefined => {
    return number(key) === -1 ? undefined : atLeast(SESSION_TIMEOUT_MS_MIN, key)
  }
  const snapKb = number('snapSizeLimitInKb')
  const tickTimeMs = number('tickTime') ?? TICK_TIME_MS
  const minSessionTimeoutMs = timeout('minSessionTimeout') ?? timeoutOfTicks(tickTimeMs, SESSION_TICKS_MIN)
  const maxSessionTimeoutMs = timeout('maxSessionTimeout') ?? timeoutOfTicks(tickTimeMs, SESSION_TICKS_MAX)
  if (minSessionTimeoutMs > maxSessionTimeoutMs) {
    const line = Math.max(...['minSessionTimeout', 'maxSessionTimeout'].map((key) => entries.get(key)?.line ?? 0))
    const bounds = `minSessionTimeout, ${minSessionTimeoutMs}, must not be more than maxSessionTimeout`
    throw new Failure(`${file}:${line}: ${bounds}, ${maxSessionTimeoutMs}`)
  }
  const fourLetterWords = wordsOf(text('4lw.commands.whitelist'))
  return {
    clientPort: number('clientPort'),
    clientPortAddress: text('clientPortAddress'),
    tickTimeMs,
    maxClientCnxns: atLeast(0, 'maxClientCnxns'),
    globalOutstandingLimit: number('globalOutstandingLimit'),
    minSessionTimeoutMs,
    maxSessionTimeoutMs,
    fourLetterWords: fourLetterWords?.filter((word) => KNOWN_WORDS.includes(word)),
    dataDir: text('dataDir'),
    dataLogDir: text('dataLogDir'),
    snapRetainCount: atLeast(SNAP_RETAIN_COUNT_MIN, 'autopurge.snapRetainCount'),
    snapCount: atLeast(SNAP_COUNT_MIN, 'snapCount'),
    snapLogBytes: snapKb === undefined ? undefined : snapKb > 0 ? snapKb * KB : SNAP_LOG_BYTES_MAX,
    commitLogCount: atLeast(COMMIT_LOG_COUNT_MIN, 'commitLogCount'),
    extendedTypes: isOn('extendedTypesEnabled') ?? false,
    superDigest: text('DigestAuthenticationProvider.superDigest'),
    containerCheckMs: number('znode.container.checkIntervalMs') ?? CONTAINER_CHECK_MS,
    enforceQuota: isOn('enforceQuota'),
    requestBytesMax: number('jute.maxbuffer'),
    reconfigEnabled: isOn('reconfigEnabled'),
  }
}

/** A Java int at most, and enough for two ticks of one millisecond. */
function timeoutOfTicks(tickMs: number, ticks: number): number {
  return Math.min(INT32_MAX, tickMs * ticks)
}

/** What the file asks for and does not get. */
function effectNotices(entries: readonly Property[], file: string): string[] {
  const notices: string[] = []
  const members = entries.filter(({ key }) => MEMBER.test(key))
  const idle = entries.filter(({ key }) => keyOf(key)?.effect === 'none' && !(MEMBER.test(key) && members.length > 1))
  const [first] = members
  if (first !== undefined && members.length > 1) {
    const names = members.map(({ key }) => key).join(', ')
    notices.push(`${file}:${first.line}: ${names}: ensembles over the network are not there yet: this server is alone`)
  }
  const whitelist = entries.find(({ key }) => key === '4lw.commands.whitelist')
  const unknown = wordsOf(whitelist?.value)?.filter((word) => !KNOWN_WORDS.includes(word))
  if (whitelist !== undefined && unknown !== undefined && unknown.length > 0) {
    notices.push(`${file}:${whitelist.line}: ${whitelist.key}: this server has no ${unknown.join(', ')}`)
  }
  for (const { key, value, line } of entries) {
    if (keyOf(key)?.check !== flag || /^(true|false)$/i.test(value)) continue
    notices.push(`${file}:${line}: ${key}: ${JSON.stringify(value)} is not true, so it is off`)
  }
  if (idle.length > 0) {
    const names = idle.map(({ key, line }) => `${key} (line ${line})`).join(', ')
    notices.push(`${file}: without effect on this server: ${names}`)
  }
  return notices
}

function wordsOf(list: string | undefined): string[] | undefined {
  return list?.split(',').map((word) => word.trim()).filter((word) => word !== '')
}

/** Whole numbers as Java reads them: decimal, or with 0x hexadecimal. */
function integerOf(value: string): number | null {
  return /^(-?\d+|0[xX][0-9a-fA-F]+)$/.test(value) ? Number(value) : null
}
