/** The options of the etcd backend: their ranges and their defaults. */
import { optionNames, refuseUnknown } from '../../core/options.ts'
import { textOf } from '../../core/value-text.ts'

/** Trusted authorities and the client's own certificate, for `https:` endpoints. PEM, as `node:tls` takes it. */
export interface EtcdTlsOptions {
  /** Authorities to trust instead of the ones that Node.js trusts. */
  readonly ca?: string | Uint8Array
  /** This client's certificate, for servers that ask for one. */
  readonly cert?: string | Uint8Array
  /** Its private key. */
  readonly key?: string | Uint8Array
  /** The name that the server's certificate must be for, where it is not the host of the endpoint. */
  readonly servername?: string
}

/** Options of `etcd()`. */
export interface EtcdOptions {
  /**
   * Client URLs of the members, in one string with commas or in a list. Default `http://127.0.0.1:2379`. Give all of
   * them: a session moves to the next one when its member does not answer.
   */
  readonly endpoints?: string | readonly string[]
  /** The beginning of every key; no `/` at its end. Applications that share nodes share it. Default `/quorate`. */
  readonly prefix?: string
  /** Name of the user, where the cluster has authentication enabled. */
  readonly user?: string
  /** The user's password. */
  readonly password?: string
  /** For `https:` endpoints. */
  readonly tls?: EtcdTlsOptions
  /**
   * Session time-out of clients that ask for none, in milliseconds, rounded up to whole seconds; etcd gives no less
   * than 2 s by its defaults. Default 10,000.
   */
  readonly sessionTimeoutMs?: number
  /**
   * Longest wait for the answer of one request, in milliseconds; never more than two thirds of the session time-out.
   * Default 5,000.
   */
  readonly requestTimeoutMs?: number
}

/** Checked options, nothing missing. */
export interface EtcdSettings {
  readonly endpoints: readonly URL[]
  readonly prefix: string
  readonly user: string | null
  readonly password: string
  readonly tls: EtcdTlsOptions
  readonly sessionTimeoutMs: number
  readonly requestTimeoutMs: number
}

const ENDPOINTS_MAX = 64
const TIME_MS_MAX = 2 ** 31 - 1

const DEFAULTS = Object.freeze({
  endpoints: 'http://127.0.0.1:2379',
  prefix: '/quorate',
  sessionTimeoutMs: 10_000,
  requestTimeoutMs: 5_000,
})

const OPTION_NAMES = optionNames<EtcdOptions>({
  endpoints: true,
  prefix: true,
  user: true,
  password: true,
  tls: true,
  sessionTimeoutMs: true,
  requestTimeoutMs: true,
})

const TLS_OPTION_NAMES = optionNames<EtcdTlsOptions>({ ca: true, cert: true, key: true, servername: true })

/**
 * Fills in and checks options.
 *
 * @throws TypeError for an unknown option or a wrong kind of value, RangeError for a number outside its range
 */
export function settingsOf(options: EtcdOptions): EtcdSettings {
  refuseUnknown(options, OPTION_NAMES, 'etcd()')
  refuseUnknown(options.tls, TLS_OPTION_NAMES, 'tls of etcd()')
  const { prefix = DEFAULTS.prefix, user, password = '', tls = {} } = options
  const { sessionTimeoutMs = DEFAULTS.sessionTimeoutMs, requestTimeoutMs = DEFAULTS.requestTimeoutMs } = options
  if (typeof prefix !== 'string' || prefix === '' || prefix.endsWith('/')) {
    throw new TypeError(`prefix must be a string that does not end in /, got ${JSON.stringify(prefix)}`)
  }
  if (user !== undefined && (typeof user !== 'string' || user === '')) throw new TypeError('user must be a name')
  if (typeof password !== 'string') throw new TypeError('password must be a string')
  checkTime('sessionTimeoutMs', sessionTimeoutMs)
  checkTime('requestTimeoutMs', requestTimeoutMs)
  return {
    endpoints: endpointsOf(options.endpoints ?? DEFAULTS.endpoints),
    prefix,
    user: user ?? null,
    password,
    tls,
    sessionTimeoutMs,
    requestTimeoutMs,
  }
}

/** Checks that what was given says where etcd is. @throws TypeError which says what is wanted */
export function requireEndpoints(endpoints: unknown): void {
  if (typeof endpoints === 'string' || (typeof endpoints === 'object' && endpoints !== null)) return
  const wanted = "a URL such as 'http://127.0.0.1:2379', a list of them, or an object of options"
  throw new TypeError(`etcd() takes ${wanted}, got ${textOf(endpoints)}`)
}

function endpointsOf(endpoints: string | readonly string[]): URL[] {
  const list = typeof endpoints === 'string' ? endpoints.split(',') : [...endpoints]
  if (list.length === 0 || list.length > ENDPOINTS_MAX) {
    throw new RangeError(`endpoints must be 1 to ${ENDPOINTS_MAX} URLs, got ${list.length}`)
  }
  return list.map((text: unknown) => {
    if (typeof text !== 'string') throw new TypeError(`an endpoint must be a URL in a string, got ${textOf(text)}`)
    const url = URL.canParse(text.trim()) ? new URL(text.trim()) : null
    if (url !== null && /^https?:$/.test(url.protocol)) return url
    throw new TypeError(`an endpoint must be a URL such as http://127.0.0.1:2379, got ${JSON.stringify(text)}`)
  })
}

function checkTime(name: string, value: unknown): void {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number of milliseconds: ${String(value)}`)
  if (!(value > 0 && value <= TIME_MS_MAX)) {
    throw new RangeError(`${name} must be more than 0 and at most ${TIME_MS_MAX} milliseconds: ${value}`)
  }
}
