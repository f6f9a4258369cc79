/** The options of the embedded ensemble: what they may be, and what they are by default. */
import { SERVER_DEFAULTS } from './server/config.ts'
import type { ServerConfig } from './server/config.ts'

const SERVERS_MAX = 9
const OBSERVERS_MAX = 64
const TICK_MS_MIN = 1
const TICK_MS_MAX = 10_000
/** A session time-out shorter than this many ticks could be over before the servers notice that a client is there. */
const SESSION_TIMEOUT_TICKS_MIN = 2
const SESSION_TIMEOUT_MS_MAX = 3_600_000
const CONTAINER_CHECK_MS_MAX = 3_600_000
const SNAP_COUNT_MIN = 2
const SNAP_COUNT_MAX = 10_000_000

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
  /** How many transactions lie between two snapshots of a server's state. Default 100,000. */
  readonly snapCount?: number
  /** Gets the error of a server that ended by itself. By default it is emitted as a process warning. */
  readonly onError?: (error: unknown) => void
}

/** Checked options, nothing missing. */
export interface EmbeddedSettings {
  readonly servers: number
  readonly observers: number
  readonly sessionTimeoutMs: number
  readonly onError: (error: unknown) => void
  readonly server: Omit<ServerConfig, 'myid' | 'voters' | 'bootstrap'>
}

const DEFAULTS = Object.freeze({
  servers: 3,
  observers: 0,
  tickMs: SERVER_DEFAULTS.tickMs,
  sessionTimeoutMs: 6_000,
  containerCheckMs: 10_000,
  snapCount: SERVER_DEFAULTS.snapCount,
  onError: (error: unknown): void => {
    process.emitWarning(error instanceof Error ? error : String(error))
  },
}) satisfies Required<EmbeddedOptions>

/**
 * Fills in and checks options.
 *
 * @throws TypeError for an unknown option or a wrong type, RangeError for a number outside its range
 */
export function settingsOf(options: EmbeddedOptions): EmbeddedSettings {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(DEFAULTS, name)) throw new TypeError(`unknown option of embedded(): ${name}`)
  }
  const all = { ...DEFAULTS, ...definedOf(options) }
  checkNumber('servers', all.servers, 1, SERVERS_MAX)
  checkNumber('observers', all.observers, 0, OBSERVERS_MAX)
  checkNumber('tickMs', all.tickMs, TICK_MS_MIN, TICK_MS_MAX)
  const sessionTimeoutMsMin = SESSION_TIMEOUT_TICKS_MIN * all.tickMs
  checkNumber('sessionTimeoutMs', all.sessionTimeoutMs, sessionTimeoutMsMin, SESSION_TIMEOUT_MS_MAX)
  checkNumber('containerCheckMs', all.containerCheckMs, all.tickMs, CONTAINER_CHECK_MS_MAX)
  checkNumber('snapCount', all.snapCount, SNAP_COUNT_MIN, SNAP_COUNT_MAX)
  if (typeof all.onError !== 'function') throw new TypeError('onError must be a function')
  return {
    servers: all.servers,
    observers: all.observers,
    sessionTimeoutMs: all.sessionTimeoutMs,
    onError: all.onError,
    server: {
      ...SERVER_DEFAULTS,
      tickMs: all.tickMs,
      snapCount: all.snapCount,
      minSessionTimeoutMs: sessionTimeoutMsMin,
      maxSessionTimeoutMs: Math.max(SERVER_DEFAULTS.maxSessionTimeoutMs, all.sessionTimeoutMs),
      containerCheckTicks: Math.ceil(all.containerCheckMs / all.tickMs),
    },
  }
}

/**
 * Checks the id of a server.
 *
 * @throws RangeError if there is none with this id
 */
export function checkId(id: number, ids: readonly number[]): void {
  if (!ids.includes(id)) throw new RangeError(`there is no server ${String(id)}; there are ${ids.join(', ')}`)
}

/** An option that is given as undefined is not given. */
function definedOf(options: EmbeddedOptions): EmbeddedOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function checkNumber(name: string, value: unknown, min: number, max: number): void {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number: ${String(value)}`)
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} must be a whole number from ${min} to ${max}: ${value}`)
  }
}
