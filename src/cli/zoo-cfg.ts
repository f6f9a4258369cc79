/**
 * ZooKeeper's own configuration file, as far as this server goes by it.
 *
 * Rules     an unknown key is named and passed over; a wrong value is an error with its line. What is understood but
 *           has no effect here is said, so that nobody relies on it.
 * Source    QuorumPeerConfig.java of ZooKeeper 3.8; the system properties are those of its Administrator's Guide, by
 *           the names that they have in this file, without `zookeeper.`.
 */
import { FOUR_LETTER_WORDS } from '../backends/embedded/io/four-letter-words.ts'
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
  readonly snapCount: number | undefined
  readonly extendedTypes: boolean
  readonly superDigest: string | undefined
  readonly containerCheckMs: number
  readonly enforceQuota: boolean | undefined
  readonly requestBytesMax: number | undefined
  /** What people should know, one line each, with file and line. */
  readonly notices: readonly string[]
}

/** Says what a value must be, or null if it is that. */
type Check = (value: string) => string | null

/** What an entry means here: it is used, it waits for what this version has not, or it never will mean anything. */
type Effect = 'used' | 'none' | 'memory'

interface Key {
  readonly check: Check
  readonly effect: Effect
}

const INT32_MAX = 2 ** 31 - 1
const PORT_MAX = 65_535

/** Bounds of this server. */
const TIME_MS_MAX = 3_600_000
const CLIENT_CNXNS_MAX = 1_000_000
const OUTSTANDING_MAX = 1_000_000
const SNAP_COUNT_MAX = 10_000_000
const REQUEST_BYTES_MIN = 1_024
const REQUEST_BYTES_MAX = 64 * 1024 * 1024

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
/** -1 stands for the default. */
const timeout: Check = (value) => (value === '-1' ? null : integer(2, TIME_MS_MAX)(value))
const words: Check = (value) =>
  /^(\*|[a-z]{4}(\s*,\s*[a-z]{4})*)?$/.test(value) ? null : 'four-letter words with commas between them, or *'
const digest: Check = (value) => (/^[^:\s]+:\S+$/.test(value) ? null : 'super:<base64 of the SHA-1 of super:password>')
const member: Check = (value) => {
  const form = /^[^;]+:\d+:\d+(:(participant|observer))?(\|[^;]+:\d+:\d+)*(;([^;]+:)?\d+)?$/
  return form.test(value) ? null : 'host:port:port[:participant|observer][;[address:]clientPort]'
}

const KEYS: Readonly<Record<string, Key>> = {
  clientPort: { check: integer(0, PORT_MAX), effect: 'used' },
  clientPortAddress: { check: anything, effect: 'used' },
  tickTime: { check: integer(1, TIME_MS_MAX / SESSION_TICKS_MAX), effect: 'used' },
  dataDir: { check: anything, effect: 'memory' },
  dataLogDir: { check: anything, effect: 'memory' },
  initLimit: { check: integer(1), effect: 'none' },
  syncLimit: { check: integer(1), effect: 'none' },
  maxClientCnxns: { check: integer(0, CLIENT_CNXNS_MAX), effect: 'used' },
  globalOutstandingLimit: { check: integer(1, OUTSTANDING_MAX), effect: 'used' },
  minSessionTimeout: { check: timeout, effect: 'used' },
  maxSessionTimeout: { check: timeout, effect: 'used' },
  '4lw.commands.whitelist': { check: words, effect: 'used' },
  snapCount: { check: integer(2, SNAP_COUNT_MAX), effect: 'used' },
  'autopurge.snapRetainCount': { check: integer(0), effect: 'none' },
  'autopurge.purgeInterval': { check: integer(0), effect: 'none' },
  standaloneEnabled: { check: boolean, effect: 'none' },
  extendedTypesEnabled: { check: boolean, effect: 'used' },
  'DigestAuthenticationProvider.superDigest': { check: digest, effect: 'used' },
  'znode.container.checkIntervalMs': { check: integer(1, TIME_MS_MAX), effect: 'used' },
  enforceQuota: { check: boolean, effect: 'used' },
  'jute.maxbuffer': { check: integer(REQUEST_BYTES_MIN, REQUEST_BYTES_MAX), effect: 'used' },
  reconfigEnabled: { check: boolean, effect: 'none' },
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
  const flag = (key: string): boolean | undefined => (entries.has(key) ? /^true$/i.test(text(key) ?? '') : undefined)
  const given = (key: string): number | undefined => (number(key) === -1 ? undefined : number(key))
  const tickTimeMs = number('tickTime') ?? TICK_TIME_MS
  const minSessionTimeoutMs = given('minSessionTimeout') ?? tickTimeMs * SESSION_TICKS_MIN
  const maxSessionTimeoutMs = given('maxSessionTimeout') ?? tickTimeMs * SESSION_TICKS_MAX
  if (minSessionTimeoutMs > maxSessionTimeoutMs) {
    const line = Math.max(...['minSessionTimeout', 'maxSessionTimeout'].map((key) => entries.get(key)?.line ?? 0))
    const bounds = `minSessionTimeout, ${minSessionTimeoutMs}, must not be more than maxSessionTimeout`
    throw new Failure(`${file}:${line}: ${bounds}, ${maxSessionTimeoutMs}`)
  }
  const fourLetterWords = text('4lw.commands.whitelist')?.split(',').map((word) => word.trim())
  return {
    clientPort: number('clientPort'),
    clientPortAddress: text('clientPortAddress'),
    tickTimeMs,
    maxClientCnxns: number('maxClientCnxns'),
    globalOutstandingLimit: number('globalOutstandingLimit'),
    minSessionTimeoutMs,
    maxSessionTimeoutMs,
    fourLetterWords: fourLetterWords?.filter((word) => KNOWN_WORDS.includes(word)),
    snapCount: number('snapCount'),
    extendedTypes: flag('extendedTypesEnabled') ?? false,
    superDigest: text('DigestAuthenticationProvider.superDigest'),
    containerCheckMs: number('znode.container.checkIntervalMs') ?? CONTAINER_CHECK_MS,
    enforceQuota: flag('enforceQuota'),
    requestBytesMax: number('jute.maxbuffer'),
  }
}

/** What the file asks for and does not get. */
function effectNotices(entries: readonly Property[], file: string): string[] {
  const notices: string[] = []
  const members = entries.filter(({ key }) => MEMBER.test(key))
  const idle = entries.filter(({ key }) => keyOf(key)?.effect === 'none' && !(MEMBER.test(key) && members.length > 1))
  for (const { key, value, line } of entries.filter((entry) => keyOf(entry.key)?.effect === 'memory')) {
    notices.push(`${file}:${line}: ${key}: data are kept in memory only: ${value} is neither read nor written`)
  }
  const [first] = members
  if (first !== undefined && members.length > 1) {
    const names = members.map(({ key }) => key).join(', ')
    notices.push(`${file}:${first.line}: ${names}: ensembles over the network are not there yet: this server is alone`)
  }
  const whitelist = entries.find(({ key }) => key === '4lw.commands.whitelist')
  const unknown = whitelist?.value.split(',').map((word) => word.trim()).filter((word) => !KNOWN_WORDS.includes(word))
  if (whitelist !== undefined && unknown !== undefined && unknown.length > 0 && whitelist.value !== '') {
    notices.push(`${file}:${whitelist.line}: ${whitelist.key}: this server has no ${unknown.join(', ')}`)
  }
  if (idle.length > 0) {
    const names = idle.map(({ key, line }) => `${key} (line ${line})`).join(', ')
    notices.push(`${file}: without effect on this server: ${names}`)
  }
  return notices
}

/** Whole numbers as Java reads them: decimal, or with 0x hexadecimal. */
function integerOf(value: string): number | null {
  return /^(-?\d+|0[xX][0-9a-fA-F]+)$/.test(value) ? Number(value) : null
}
