/** The options of `redis()`: their ranges and their defaults. */
import { optionNames, refuseUnknown } from '../../core/options.ts'
import type { RedisTarget } from './driver.ts'

/** Options of `redis()`. */
export interface RedisBackendOptions {
  /**
   * Sets this tree apart from others on the same server: letters, digits, `.`, `_`, `:` and `-`. Default
   * `quorate`. All keys begin with `{<namespace>}:`.
   */
  readonly namespace?: string
  /** Session time-out of clients that do not ask for another, in milliseconds, 100 to 3,600,000. Default 10,000. */
  readonly sessionTimeoutMs?: number
  /**
   * How often each session looks for overdue work - sessions that are over, nodes that expire - and for events that it
   * missed, in milliseconds, 10 to 60,000. Default 1,000.
   */
  readonly tickMs?: number
  /** Longest time that a server has to answer while a session is opened, in milliseconds. Default 5,000. */
  readonly connectTimeoutMs?: number
  /**
   * Whose clock ends sessions: `server`, the default, or `client` for ioredis-mock, whose clock is not steady. On a
   * real server never choose `client`.
   */
  readonly clock?: 'server' | 'client'
}

/** Checked options, nothing missing. */
export interface RedisSettings extends Required<RedisBackendOptions> {
  readonly target: RedisTarget
}

/** Shortest session time-out in milliseconds. */
export const SESSION_TIMEOUT_MS_MIN = 100
/** Longest session time-out in milliseconds. */
export const SESSION_TIMEOUT_MS_MAX = 3_600_000

const TICK_MS_MIN = 10
const TICK_MS_MAX = 60_000
const CONNECT_TIMEOUT_MS_MAX = 600_000
const NAMESPACE = /^[\w.:-]{1,128}$/

const DEFAULTS = Object.freeze({
  namespace: 'quorate',
  sessionTimeoutMs: 10_000,
  tickMs: 1_000,
  connectTimeoutMs: 5_000,
  clock: 'server',
}) satisfies Required<RedisBackendOptions>

const OPTION_NAMES = optionNames<RedisBackendOptions>({
  namespace: true,
  sessionTimeoutMs: true,
  tickMs: true,
  connectTimeoutMs: true,
  clock: true,
})

/**
 * Fills in and checks options. No message holds a target, which may hold a password.
 *
 * @throws TypeError for an unknown option or a wrong type, RangeError for a number outside its range
 */
export function settingsOf(target: RedisTarget, options: RedisBackendOptions): RedisSettings {
  checkTarget(target)
  refuseUnknown(options, OPTION_NAMES, 'redis()')
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const all = { ...DEFAULTS, ...(given as RedisBackendOptions) }
  if (typeof all.namespace !== 'string' || !NAMESPACE.test(all.namespace)) {
    const got = String(given['namespace'])
    throw new TypeError(`namespace must be 1 to 128 letters, digits, '.', '_', ':' or '-': ${got}`)
  }
  checkNumber('sessionTimeoutMs', all.sessionTimeoutMs, SESSION_TIMEOUT_MS_MIN, SESSION_TIMEOUT_MS_MAX)
  checkNumber('tickMs', all.tickMs, TICK_MS_MIN, TICK_MS_MAX)
  checkNumber('connectTimeoutMs', all.connectTimeoutMs, 1, CONNECT_TIMEOUT_MS_MAX)
  if (all.clock !== 'server' && all.clock !== 'client') {
    throw new TypeError(`clock must be 'server' or 'client': ${String(all.clock)}`)
  }
  return { ...all, target }
}

function checkTarget(target: unknown): void {
  if (typeof target === 'function' || (typeof target === 'object' && target !== null)) return
  if (typeof target !== 'string') {
    const wanted = "a URL such as 'redis://127.0.0.1:6379', options of ioredis, or a function that makes an instance"
    throw new TypeError(`redis() takes ${wanted}, got ${target === null ? 'null' : typeof target}`)
  }
  if (!/^rediss?:\/\//.test(target) || !URL.canParse(target)) {
    throw new TypeError('the URL given to redis() must begin with redis:// or rediss://')
  }
}

function checkNumber(name: string, value: unknown, min: number, max: number): void {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number: ${String(value)}`)
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} must be a whole number from ${min} to ${max}: ${value}`)
  }
}
