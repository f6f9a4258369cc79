/** The options of `zookeeper()`: their ranges and their defaults. */
import { optionNames, refuseUnknown, validateBoolean, validateFunction, validateInteger } from '../../core/options.ts'
import { textOf } from '../../core/value-text.ts'
import { OPEN_ACL } from '../wire/records.ts'
import type { Acl, AuthRequest } from '../wire/records.ts'
import { Perm } from '../wire/codes.ts'
import type { BeginExchange } from '../client/sasl-proof.ts'
import { beginSaslOf } from '../client/sasl-options.ts'
import type { SaslLogin } from '../client/sasl-options.ts'
import type { Lookup, TlsOptions } from '../client/io/socket-dialer.ts'

const TIMEOUT_MS_MIN = 10
const TIMEOUT_MS_MAX = 3_600_000
const DATA_BYTES_MAX = 1_073_741_824

/** Most bytes of a request beside the data of its node: its path, mostly. */
export const REQUEST_OVERHEAD_BYTES = 4_096

/** An identity of this client, in one of the servers' schemes. */
export interface ZooKeeperAuth {
  /** How it is proven, such as `digest`. */
  readonly scheme: string
  /** The proof, such as `user:password`. It is sent as it is: use TLS where others may listen. */
  readonly auth: string | Uint8Array
}

/** One entry of an access control list. */
export interface ZooKeeperAcl {
  /** Letters of `cdrwa`: create, delete, read, write, admin. */
  readonly permissions: string
  /** Such as `world`, `auth`, `digest`, `ip`. */
  readonly scheme: string
  /** Such as `anyone`, nothing, `user:hash`, `10.0.0.0/8`. */
  readonly id: string
}

/** Options of `zookeeper()`. */
export interface ZooKeeperOptions {
  /**
   * Session time-out of clients that do not ask for another, in milliseconds; the servers clamp it to 2 to 20 of their
   * ticks, and it should be 3 of them at least. Default 10,000.
   */
  readonly sessionTimeoutMs?: number
  /** How long a server has to answer while a session is opened, in milliseconds. Default: its share of the time-out. */
  readonly connectTimeoutMs?: number
  /** The identities of this client, sent to each server before anything else. Default: none. */
  readonly auth?: readonly ZooKeeperAuth[]
  /**
   * Who this client is by SASL: proved to each server before anything else is sent, and the server proves that it knows
   * the password. A session that is refused fails with `NO_AUTH`. Default: nobody.
   */
  readonly sasl?: SaslLogin
  /**
   * The permissions on the nodes that this client creates: all of them for everyone (`open`, the default), all of them
   * for the identities of the creator alone, as `auth` names them (`creator`), or a list.
   */
  readonly acl?: 'open' | 'creator' | readonly ZooKeeperAcl[]
  /** TLS to the servers: true for the defaults of Node.js, or its options, such as `ca` and `cert`. Default false. */
  readonly tls?: boolean | TlsOptions
  /** Whether a server that has lost its majority is accepted, which serves reads only. Default false. */
  readonly readOnly?: boolean
  /**
   * Whether clients follow the servers as they are reconfigured: the addresses for clients that `/zookeeper/config`
   * names take the place of those of the connection string, and a client whose server was removed moves. These
   * addresses must be reachable from here. Not with `tls`, since they are those without. Default false.
   */
  readonly ensembleTracker?: boolean
  /** Finds the addresses of a host, at each attempt to connect. Default: the system's resolver. */
  readonly lookup?: Lookup
  /** Longest data of one node, in bytes; less than the servers' `jute.maxbuffer`. Default 1,044,479. */
  readonly dataBytesMax?: number
}

/** Checked options, nothing missing. */
export interface ZooKeeperSettings {
  readonly sessionTimeoutMs: number
  readonly connectTimeoutMs: number | undefined
  readonly auth: readonly AuthRequest[]
  readonly sasl: BeginExchange | undefined
  readonly acl: readonly Acl[]
  readonly tls: TlsOptions | null
  readonly readOnly: boolean
  readonly ensembleTracker: boolean
  readonly lookup: Lookup | undefined
  readonly dataBytesMax: number
}

const DEFAULTS: Required<Omit<ZooKeeperOptions, 'connectTimeoutMs' | 'lookup' | 'sasl'>> = Object.freeze({
  sessionTimeoutMs: 10_000,
  auth: [],
  acl: 'open',
  tls: false,
  readOnly: false,
  ensembleTracker: false,
  // jute.maxbuffer, less the rest of a request.
  dataBytesMax: 1_048_575 - REQUEST_OVERHEAD_BYTES,
})

const NAMES = optionNames<ZooKeeperOptions>({
  sessionTimeoutMs: true,
  connectTimeoutMs: true,
  auth: true,
  sasl: true,
  acl: true,
  tls: true,
  readOnly: true,
  ensembleTracker: true,
  lookup: true,
  dataBytesMax: true,
})
const AUTH_NAMES = optionNames<ZooKeeperAuth>({ scheme: true, auth: true })
const ACL_NAMES = optionNames<ZooKeeperAcl>({ permissions: true, scheme: true, id: true })

const CREATOR_ACL: readonly Acl[] = Object.freeze([Object.freeze({ perms: Perm.all, scheme: 'auth', id: '' })])

const PERMISSIONS: Readonly<Record<string, number>> = {
  c: Perm.create,
  d: Perm.delete,
  r: Perm.read,
  w: Perm.write,
  a: Perm.admin,
}

/**
 * Fills in and checks options.
 *
 * @throws TypeError for an unknown option or a wrong type, RangeError for a number outside its range; neither shows
 * a value that may be a secret
 */
export function settingsOf(options: ZooKeeperOptions): ZooKeeperSettings {
  refuseUnknown(options, NAMES, 'zookeeper()')
  const all = { ...DEFAULTS, ...definedOf(options) }
  const { connectTimeoutMs, readOnly, ensembleTracker, lookup } = all
  validateInteger('sessionTimeoutMs', all.sessionTimeoutMs, TIMEOUT_MS_MIN, TIMEOUT_MS_MAX)
  if (connectTimeoutMs !== undefined) {
    validateInteger('connectTimeoutMs', connectTimeoutMs, TIMEOUT_MS_MIN, TIMEOUT_MS_MAX)
  }
  validateInteger('dataBytesMax', all.dataBytesMax, 1, DATA_BYTES_MAX)
  validateBoolean('readOnly', readOnly)
  validateBoolean('ensembleTracker', ensembleTracker)
  if (ensembleTracker && all.tls !== false) {
    throw new TypeError('ensembleTracker cannot be used with tls: /zookeeper/config names the ports without TLS')
  }
  validateFunction('lookup', lookup)
  return {
    sessionTimeoutMs: all.sessionTimeoutMs,
    connectTimeoutMs,
    auth: authOf(all.auth),
    sasl: all.sasl === undefined ? undefined : beginSaslOf(all.sasl),
    acl: aclOf(all.acl, all.auth.length > 0 || all.sasl !== undefined),
    tls: tlsOf(all.tls),
    readOnly,
    ensembleTracker,
    lookup,
    dataBytesMax: all.dataBytesMax,
  }
}

function authOf(auth: readonly ZooKeeperAuth[]): AuthRequest[] {
  if (!Array.isArray(auth)) throw new TypeError('auth must be a list of { scheme, auth }')
  return auth.map((entry: ZooKeeperAuth | null, index): AuthRequest => {
    refuseUnknown(entry, AUTH_NAMES, `auth[${index}]`)
    const { scheme, auth: proof } = entry ?? {}
    if (typeof scheme !== 'string' || scheme === '') throw new TypeError(`auth[${index}].scheme must be a name`)
    if (typeof proof !== 'string' && !(proof instanceof Uint8Array)) {
      throw new TypeError(`auth[${index}].auth must be a string or bytes`)
    }
    return { type: 0, scheme, auth: typeof proof === 'string' ? new TextEncoder().encode(proof) : proof.slice() }
  })
}

function aclOf(acl: Required<ZooKeeperOptions>['acl'], hasAuth: boolean): readonly Acl[] {
  if (acl === 'open') return OPEN_ACL
  if (acl === 'creator') {
    if (!hasAuth) throw new TypeError("acl 'creator' needs the option auth or sasl: without it nobody is the creator")
    return CREATOR_ACL
  }
  if (!Array.isArray(acl) || acl.length === 0) throw new TypeError("acl must be 'open', 'creator' or a list of entries")
  return acl.map((entry: ZooKeeperAcl | null, index): Acl => {
    refuseUnknown(entry, ACL_NAMES, `acl[${index}]`)
    const { permissions, scheme, id } = entry ?? {}
    if (typeof scheme !== 'string' || scheme === '') throw new TypeError(`acl[${index}].scheme must be a name`)
    if (typeof id !== 'string') throw new TypeError(`acl[${index}].id must be a string`)
    return { perms: permsOf(permissions, index), scheme, id }
  })
}

function permsOf(permissions: string | undefined, index: number): number {
  if (typeof permissions === 'string' && /^[cdrwa]+$/.test(permissions)) {
    return Array.from(permissions).reduce((perms, letter) => perms | (PERMISSIONS[letter] ?? 0), 0)
  }
  throw new TypeError(`acl[${index}].permissions must be letters of cdrwa, got ${textOf(permissions)}`)
}

function tlsOf(tls: boolean | TlsOptions): TlsOptions | null {
  if (tls === false) return null
  if (tls === true) return {}
  if (typeof tls !== 'object' || tls === null) throw new TypeError('tls must be true, false or options of node:tls')
  return { ...tls }
}

/** An option that is given as undefined is not given. */
function definedOf(options: ZooKeeperOptions): ZooKeeperOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
