/**
 * ZooKeeper's own configuration file, as far as this server goes by it.
 *
 * Rules     an unknown key is named and passed over; a wrong value is an error with its line. A key that is known but
 *           has no effect here gets a notice, so that nobody relies on it.
 * Source    QuorumPeerConfig.java of ZooKeeper 3.8; the system properties are those of its Administrator's Guide, by
 *           the names that they have in this file, without `zookeeper.`.
 */
import { readFileSync } from 'node:fs'
import { parseServerLine } from '../backends/wire/server-line.ts'
import { LIMITS, LIMIT_KEYS } from '../backends/embedded/host/limits.ts'
import type { LimitOptions } from '../backends/embedded/host/limits.ts'
import { FOUR_LETTER_WORDS } from '../backends/embedded/host/admin/word-names.ts'
import { Failure } from './exit-status.ts'
import { reasonOf } from './file-reason.ts'
import { readProperties } from './java-properties.ts'
import type { Property } from './java-properties.ts'
import { hint } from './nearest.ts'
import { oneLine } from './visible.ts'
import { MISSING_TLS, checkTlsValue, isSecretTlsKey, isTlsKey, tlsEffectOf, tlsOf } from './zoo-cfg-tls.ts'
import type { ZooCfgTls } from './zoo-cfg-tls.ts'
import { MISSING_SASL, checkSaslValue, isSaslKey, saslEffectOf, saslOf } from './zoo-cfg-sasl.ts'
import type { ZooCfgSasl } from './zoo-cfg-sasl.ts'

/** The settings of a server. One that the file does not name has ZooKeeper's default, or is undefined for ours. */
export interface ZooCfg extends ZooCfgTls, ZooCfgSasl {
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
  readonly responseBytesMax: number | undefined
  readonly commitLogBytes: number | undefined
  /** Limits that have no setting of their own here. */
  readonly limits: LimitOptions
  readonly leaderServes: boolean | undefined
  readonly readOnlyMode: boolean | undefined
  readonly localSessions: 'upgradeable' | 'only' | undefined
  readonly audit: boolean | undefined
  readonly reconfigEnabled: boolean | undefined
  /** The AdminServer's; undefined if there is to be none, which is the default here. */
  readonly adminPort: number | undefined
  readonly adminAddress: string | undefined
  /** The servers of the ensemble as texts, by myid, of this file or its dynamic one; empty for a server on its own. */
  readonly servers: Readonly<Record<number, string>>
  /** Ticks that a follower may take to catch up, and that it may be silent. */
  readonly initLimit: number | undefined
  readonly syncLimit: number | undefined
  readonly peerType: 'observer' | 'participant' | undefined
  /** Whether the ports for other servers listen on every address. */
  readonly listensOnAll: boolean
  readonly connectTimeoutMs: number | undefined
  /** Whether other machines may reach it without TLS; ours. */
  readonly isInsecure: boolean
  /** Warnings for the operator, one line each, with file and line. */
  readonly notices: readonly string[]
}

/** Says what a value must be, or null if it is that. */
type Check = (value: string) => string | null

/** The effect of an entry here: it is used, used by a server of several or by an AdminServer, or has no effect. */
type Effect = 'used' | 'ensemble' | 'admin' | 'none'

interface Key {
  readonly check: Check
  readonly effect: Effect
}

const INT32_MAX = 2 ** 31 - 1
const PORT_MAX = 65_535

const INT32_MIN = -(2 ** 31)

const KB = 1_024
/** Shortest session time-out, in milliseconds: two ticks of one. */
const SESSION_TIMEOUT_MS_MIN = 2
const CNX_TIMEOUT_MS_MIN = 10
const CNX_TIMEOUT_MS_MAX = 600_000
const SNAP_COUNT_MIN = 2
/** ZooKeeper takes less for this. */
const SNAP_RETAIN_COUNT_MIN = 3
/** The least that ZooKeeper goes by: it treats less as this. */
const COMMIT_LOG_COUNT_MIN = 500
/** Stands for no limit, which ZooKeeper writes as 0 or less. */
const SNAP_LOG_BYTES_MAX = Number.MAX_SAFE_INTEGER

/** ZooKeeper's defaults. */
const TICK_TIME_MS = 3_000
const CONTAINER_CHECK_MS = 60_000
const ADMIN_PORT = 8_080

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
/** As ZooKeeper reads this one: whatever is not `no` is yes. */
const yesUnlessNo: Check = () => null
const words: Check = () => null
const digest: Check = (value) => (/^[^:\s]+:\S+$/.test(value) ? null : 'super:<base64 of the SHA-1 of super:password>')
const role: Check = (value) => (/^(observer|participant)$/i.test(value) ? null : 'observer or participant')

/** Whether other machines may reach the server without TLS; ours: ZooKeeper passes over it. */
export const INSECURE_KEY = 'quorate.insecure'

const KEYS: Readonly<Record<string, Key>> = {
  clientPort: { check: integer(0, PORT_MAX), effect: 'used' },
  clientPortAddress: { check: anything, effect: 'used' },
  tickTime: { check: integer(1), effect: 'used' },
  dataDir: { check: anything, effect: 'used' },
  dataLogDir: { check: anything, effect: 'used' },
  initLimit: { check: integer(INT32_MIN), effect: 'ensemble' },
  syncLimit: { check: integer(INT32_MIN), effect: 'ensemble' },
  peerType: { check: role, effect: 'ensemble' },
  quorumListenOnAllIPs: { check: boolean, effect: 'ensemble' },
  cnxTimeout: { check: integer(CNX_TIMEOUT_MS_MIN, CNX_TIMEOUT_MS_MAX), effect: 'ensemble' },
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
  sslQuorum: { check: boolean, effect: 'ensemble' },
  portUnification: { check: boolean, effect: 'ensemble' },
  standaloneEnabled: { check: boolean, effect: 'ensemble' },
  extendedTypesEnabled: { check: flag, effect: 'used' },
  'DigestAuthenticationProvider.superDigest': { check: digest, effect: 'used' },
  'znode.container.checkIntervalMs': { check: integer(1), effect: 'used' },
  enforceQuota: { check: flag, effect: 'used' },
  ...limitKeys(),
  leaderServes: { check: yesUnlessNo, effect: 'ensemble' },
  'readonlymode.enabled': { check: flag, effect: 'ensemble' },
  localSessionsEnabled: { check: boolean, effect: 'ensemble' },
  localSessionsUpgradingEnabled: { check: boolean, effect: 'ensemble' },
  'audit.enable': { check: flag, effect: 'used' },
  reconfigEnabled: { check: boolean, effect: 'used' },
  dynamicConfigFile: { check: anything, effect: 'used' },
  [INSECURE_KEY]: { check: boolean, effect: 'used' },
  'admin.enableServer': { check: flag, effect: 'used' },
  'admin.serverPort': { check: integer(0, PORT_MAX), effect: 'admin' },
  'admin.serverAddress': { check: anything, effect: 'admin' },
  'admin.commandURL': { check: anything, effect: 'admin' },
}

/** The keys that the table of limits alone knows, with its ranges. */
function limitKeys(): Readonly<Record<string, Key>> {
  const { requestBytesMax, responseBytesMax, commitLogBytes } = LIMITS
  const rows = [requestBytesMax, responseBytesMax, commitLogBytes, ...LIMIT_KEYS.map(([, name]) => LIMITS[name])]
  return Object.fromEntries(rows.flatMap(({ key, min, max }) => {
    return key === null ? [] : [[key, { check: integer(min, max), effect: 'used' }] as const]
  }))
}

const KEY_NAMES = Object.keys(KEYS)

/** Words of the whitelist that mean something here. */
const KNOWN_WORDS: readonly string[] = ['*', ...FOUR_LETTER_WORDS]

/** Families of keys. */
const MEMBER = /^server\.(\d+)$/
const ADMIN = /^admin\.[A-Za-z]+$/

/** Keys whose meaning this server does not have, and advice; of a switch, only if it is on. */
const MISSING: readonly { readonly keys: RegExp; readonly isMeant?: RegExp; readonly what: string }[] = [
  {
    keys: /^admin\.commandURL$/,
    isMeant: /^(?!\/commands\/?$)/,
    what: 'the commands of the AdminServer are at /commands: remove this line',
  },
  { keys: /^(group|weight)\.\d+$/, what: 'a majority of the voters decides, without groups and weights: remove it' },
  ...MISSING_TLS,
  ...MISSING_SASL,
  {
    keys: /^quorum\.auth\.enableSasl$/,
    isMeant: /^true$/i,
    what: 'servers do not authenticate each other: keep their ports within a private network, and remove this line',
  },
  { keys: /^multiAddress\.enabled$/, isMeant: /^true$/i, what: 'a server has one address: remove this line' },
  { keys: /^oraclePath$/, what: 'there is no oracle: two servers need each other; have a third, and remove this line' },
  { keys: /^observerMasterPort$/, what: 'observers connect to the leader: remove this line' },
]

/**
 * Reads a configuration.
 *
 * @param text - the whole file
 * @param file - its name, for messages
 * @param readFile - reads the file that `dynamicConfigFile` names
 * @throws Failure for a wrong value, with file and line
 */
export function readZooCfg(
  text: string,
  file: string,
  readFile: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): ZooCfg {
  try {
    const cfg = read(text, file, readFile)
    return { ...cfg, notices: cfg.notices.map(oneLine) }
  } catch (error) {
    // Values stand in messages, and JSON leaves DEL and the control characters after it as they are.
    throw error instanceof Failure ? new Failure(oneLine(error.message)) : error
  }
}

function read(text: string, file: string, readFile: (path: string) => string): ZooCfg {
  const entries = new Map<string, Property>()
  const notices: string[] = []
  const unknown: string[] = []
  if (text.includes('\0')) throw new Failure(`${file} is no configuration: it is not text`)
  for (const property of readProperties(text)) {
    const { key, value, line } = property
    refuseMissing(property, file)
    const known = keyOf(key)
    if (known === undefined) {
      unknown.push(key)
      notices.push(`${file}:${line}: unknown key ${key}: ignored${hint(key, KEY_NAMES)}`)
      continue
    }
    const must = known.check(value)
    // A value that should be a digest may be a password.
    const isSecret = known.check === digest || isSecretTlsKey(key)
    const got = isSecret ? '' : `, got ${JSON.stringify(value)}`
    if (must !== null) throw new Failure(`${file}:${line}: ${key} must be ${must}${got}`)
    if (MEMBER.test(key)) checkMember(property, file)
    const before = entries.get(key)
    if (before !== undefined) {
      notices.push(`${file}:${line}: ${key} stands on line ${before.line} already: this one holds`)
    }
    entries.set(key, property)
  }
  if (entries.size === 0 && unknown.length > 0) {
    const [first = ''] = unknown
    throw new Failure(`${file} is no configuration of ZooKeeper: no key in it is known; the first is ${first}`)
  }
  notices.push(...takeDynamic(entries, file, readFile))
  const settings = settingsOf(entries, file)
  const idle = effectNotices([...entries.values()], settings, file)
  return { ...settings, notices: [...notices, ...idle] }
}

function keyOf(key: string): Key | undefined {
  if (Object.hasOwn(KEYS, key)) return KEYS[key]
  if (MEMBER.test(key)) return { check: anything, effect: 'ensemble' }
  if (isTlsKey(key)) {
    return { check: (value) => checkTlsValue(key, value), effect: tlsEffectOf(key) }
  }
  if (isSaslKey(key)) return { check: (value) => checkSaslValue(key, value), effect: saslEffectOf(key) }
  return ADMIN.test(key) ? { check: anything, effect: 'none' } : undefined
}

/**
 * Puts the servers of the dynamic file, if there is one, into the place of those of the static file.
 *
 * @returns notices
 */
function takeDynamic(entries: Map<string, Property>, file: string, readFile: (path: string) => string): string[] {
  const pointer = entries.get('dynamicConfigFile')
  if (pointer === undefined) return []
  const idle = [...entries.values()].filter(({ key }) => MEMBER.test(key))
  for (const { key } of idle) entries.delete(key)
  let text: string
  try {
    text = readFile(pointer.value)
  } catch (error) {
    throw new Failure(`${file}:${pointer.line}: cannot read ${pointer.value}: ${reasonOf(error)}`)
  }
  for (const property of readProperties(text)) {
    refuseMissing(property, pointer.value)
    const { key, line } = property
    if (!MEMBER.test(key)) {
      throw new Failure(`${pointer.value}:${line}: a dynamic configuration has server.N lines, not ${key}`)
    }
    checkMember(property, pointer.value)
    entries.set(key, property)
  }
  if (idle.length === 0) return []
  const names = idle.map(({ key, line }) => `${key} (line ${line})`).join(', ')
  return [`${file}: without effect, as dynamicConfigFile says who the servers are: ${names}`]
}

/** One server is alone, as in ZooKeeper, unless `standaloneEnabled` says otherwise. */
function serversOf(entries: ReadonlyMap<string, Property>): Readonly<Record<number, string>> {
  const servers = [...entries.values()].flatMap(({ key, value }) => {
    const [, id] = MEMBER.exec(key) ?? []
    return id === undefined ? [] : [[Number(id), value] as const]
  })
  const isAloneAllowed = /^false$/i.test(entries.get('standaloneEnabled')?.value ?? '')
  return servers.length > 1 || isAloneAllowed ? Object.fromEntries(servers) : {}
}

function checkMember({ key, value, line }: Property, file: string): void {
  try {
    parseServerLine(value, key)
  } catch (error) {
    throw new Failure(`${file}:${line}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** A server that passed over what stands here would not do what its configuration says. */
function refuseMissing({ key, value, line }: Property, file: string): void {
  const found = MISSING.find(({ keys, isMeant }) => keys.test(key) && (isMeant === undefined || isMeant.test(value)))
  if (found !== undefined) throw new Failure(`${file}:${line}: ${key}: ${found.what}`)
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
    responseBytesMax: number('quorate.responseBytesMax'),
    commitLogBytes: number('quorate.commitLogBytes'),
    limits: Object.fromEntries(LIMIT_KEYS.flatMap(([key, name]) => (entries.has(key) ? [[name, number(key)]] : []))),
    leaderServes: entries.has('leaderServes') ? text('leaderServes') !== 'no' : undefined,
    readOnlyMode: isOn('readonlymode.enabled'),
    localSessions: isOn('localSessionsEnabled') ? localModeOf(isOn('localSessionsUpgradingEnabled')) : undefined,
    audit: isOn('audit.enable'),
    reconfigEnabled: isOn('reconfigEnabled'),
    adminPort: adminPortOf(text, number),
    adminAddress: text('admin.serverAddress'),
    servers: serversOf(entries),
    initLimit: number('initLimit'),
    syncLimit: number('syncLimit'),
    peerType: text('peerType')?.toLowerCase() as ZooCfg['peerType'],
    listensOnAll: isOn('quorumListenOnAllIPs') ?? false,
    connectTimeoutMs: number('cnxTimeout'),
    isInsecure: isOn(INSECURE_KEY) ?? false,
    ...tlsOf(text, file),
    ...saslOf(entries.values(), file),
  }
}

function localModeOf(isUpgrading = false): ZooCfg['localSessions'] {
  return isUpgrading ? 'upgradeable' : 'only'
}

/** ZooKeeper has an AdminServer unless it is told otherwise; here it is there if it is asked for. */
function adminPortOf(
  text: (key: string) => string | undefined,
  number: (key: string) => number | undefined,
): number | undefined {
  const enabled = text('admin.enableServer')
  const isEnabled = enabled === undefined ? number('admin.serverPort') !== undefined : /^true$/i.test(enabled)
  return isEnabled ? (number('admin.serverPort') ?? ADMIN_PORT) : undefined
}

/** A Java int at most, and enough for two ticks of one millisecond. */
function timeoutOfTicks(tickMs: number, ticks: number): number {
  return Math.min(INT32_MAX, tickMs * ticks)
}

/** Notices for entries of the file that have no effect. */
function effectNotices(
  entries: readonly Property[],
  { servers, adminPort }: Pick<ZooCfg, 'servers' | 'adminPort'>,
  file: string,
): string[] {
  const notices: string[] = []
  const isOfSeveral = Object.keys(servers).length > 0
  const idle = entries.filter(({ key }) => {
    const effect = keyOf(key)?.effect
    if (effect === 'admin') return adminPort === undefined
    return effect === 'none' || (effect === 'ensemble' && !isOfSeveral)
  })
  const whitelist = entries.find(({ key }) => key === '4lw.commands.whitelist')
  const unknown = wordsOf(whitelist?.value)?.filter((word) => !KNOWN_WORDS.includes(word))
  if (whitelist !== undefined && unknown !== undefined && unknown.length > 0) {
    notices.push(`${file}:${whitelist.line}: ${whitelist.key}: this server has no ${unknown.join(', ')}`)
  }
  for (const { key, value, line } of entries) {
    if (keyOf(key)?.check === yesUnlessNo && !/^(yes|no)$/.test(value)) {
      notices.push(`${file}:${line}: ${key}: ${JSON.stringify(value)} is not no, so it is yes`)
    }
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
