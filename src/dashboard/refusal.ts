/** Failures as the API tells them: a status of HTTP, and a body that says what became of the request. */
import { CoordinationError } from '../core/errors.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { Failure } from './api.ts'

/** A request that the dashboard itself refuses. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  readonly about: { readonly path?: string; readonly version?: number }

  /**
   * Makes one; nothing was changed.
   *
   * @param about - the node, and with BAD_VERSION the version that it has now
   */
  constructor(status: number, code: string, message: string, about: Refusal['about'] = {}) {
    super(message)
    this.status = status
    this.code = code
    this.about = about
  }
}

/** A failure, as it is sent. */
export interface ToldFailure {
  readonly status: number
  readonly body: Failure
}

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  NO_NODE: 404,
  NODE_EXISTS: 409,
  BAD_VERSION: 409,
  NOT_EMPTY: 409,
  VALUE_STAGED: 409,
  NO_CHILDREN_FOR_EPHEMERALS: 409,
  BAD_ARGUMENTS: 400,
  NO_AUTH: 403,
  PAYLOAD_TOO_LARGE: 413,
  QUOTA_EXCEEDED: 409,
  READ_ONLY: 503,
  LOCAL_SESSION: 501,
  THROTTLED: 429,
  UNSUPPORTED: 501,
  CONNECTION_LOSS: 503,
  SESSION_EXPIRED: 503,
  SESSION_MOVED: 503,
  CLIENT_CLOSED: 503,
  TIMEOUT: 503,
  ABORTED: 503,
  INVALID_VALUE: 422,
}

/** The status and the body of the answer to a call that threw. */
export function failureOf(error: unknown): ToldFailure {
  if (error instanceof Refusal) {
    const { status, code, message, about } = error
    return { status, body: { error: { code, message, outcome: 'rejected', ...about } } }
  }
  if (error instanceof CoordinationError) {
    const { code, message, outcome, path } = error
    const body = { error: { code, message, outcome, ...(path === undefined ? {} : { path }) } }
    return { status: STATUS[code] ?? 500, body }
  }
  // A wrong argument of a caller, such as a path, is misuse of the library in its words.
  if (error instanceof TypeError || error instanceof RangeError) {
    return { status: 400, body: { error: { code: 'USAGE', message: error.message, outcome: 'rejected' } } }
  }
  const message = error instanceof Error ? error.message : String(error)
  return { status: 500, body: { error: { code: 'SYSTEM_ERROR', message, outcome: 'unknown' } } }
}
