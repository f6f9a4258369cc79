/**
 * One error class for everything that the world may do to a coordination call.
 *
 * `code` says what happened in the field's own words and is stable; `outcome` says what became of the write, which is
 * what a caller has to know before doing it again. Misuse (a wrong path, a wrong option) is TypeError or RangeError
 * instead, with the value in the message. Every code has a heading in docs/errors.md.
 */

/** Every code an error of this package can carry. */
export const ERROR_CODES = Object.freeze([
  'NO_NODE',
  'NODE_EXISTS',
  'BAD_VERSION',
  'NOT_EMPTY',
  'NO_CHILDREN_FOR_EPHEMERALS',
  'BAD_ARGUMENTS',
  'NO_AUTH',
  'INVALID_ACL',
  'PAYLOAD_TOO_LARGE',
  'QUOTA_EXCEEDED',
  'READ_ONLY',
  'LOCAL_SESSION',
  'THROTTLED',
  'NO_WATCHER',
  'RECONFIG_REFUSED',
  'UNSUPPORTED',
  'CONNECTION_LOSS',
  'SESSION_EXPIRED',
  'SESSION_MOVED',
  'CLIENT_CLOSED',
  'TIMEOUT',
  'ABORTED',
  'LEASE_LOST',
  'ALREADY_HELD',
  'MEMBER_EXISTS',
  'INVALID_VALUE',
  'QUEUE_FULL',
  'VALUE_STAGED',
  'PROTOCOL_VIOLATION',
  'SYSTEM_ERROR',
] as const)

/** The stable name of the failure. */
export type ErrorCode = (typeof ERROR_CODES)[number]

/**
 * The effect of the failed call on the servers.
 *
 * - `rejected`: the servers looked at it and refused it; nothing changed.
 * - `not-sent`: it never left this process; nothing changed and it can be sent again.
 * - `unknown`: it was sent and the answer was lost; it took effect once or not at all. Read before you repeat it.
 * - `session-over`: the session that it belonged to has ended, and with it every ephemeral node of that session.
 * - `lost`: a lease ended before its holder released it.
 * - `aborted`: the caller gave up (signal or time limit); whatever the wait had created is removed or is being removed.
 * - `corrupt`: the received data cannot be trusted or understood; nothing was changed because of it.
 */
export type Outcome = 'rejected' | 'not-sent' | 'unknown' | 'session-over' | 'lost' | 'aborted' | 'corrupt'

/** Options of {@link CoordinationError}. */
export interface CoordinationErrorOptions {
  /** The effect of the call on the servers. */
  readonly outcome: Outcome
  /** The absolute path that the call named, as the caller wrote it. */
  readonly path?: string
  /** In a `multi`: the zero-based index of the operation that was refused. */
  readonly index?: number
  /** The error that led to this one. */
  readonly cause?: unknown
}

/** The only error class of this package besides TypeError and RangeError for misuse. */
export class CoordinationError extends Error {
  /** The stable name of the failure. */
  readonly code: ErrorCode
  /** The effect of the call on the servers. */
  readonly outcome: Outcome
  /** The path that the call named, if it named one. */
  readonly path: string | undefined
  /** In a failed `multi`: which operation was refused, counted from 0. */
  readonly index: number | undefined

  /**
   * Makes an error.
   *
   * @param code - the stable code
   * @param message - a sentence for people; it should name the value that was wrong
   * @param options - the outcome, and where it happened
   */
  constructor(code: ErrorCode, message: string, options: CoordinationErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CoordinationError'
    this.code = code
    this.outcome = options.outcome
    this.path = options.path
    this.index = options.index
  }
}

/**
 * Tells whether a value is a {@link CoordinationError}, and of one of the given codes if any are given.
 *
 * @param error - anything that was thrown
 * @param codes - codes to accept; none means all
 * @returns true if it is
 */
export function isCoordinationError(error: unknown, ...codes: readonly ErrorCode[]): error is CoordinationError {
  return error instanceof CoordinationError && (codes.length === 0 || codes.includes(error.code))
}
