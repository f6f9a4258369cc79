/** The text of errors, in zkCli's words where it has some, and as JSON. */
import { isCoordinationError } from '../../core/errors.ts'
import type { CoordinationError, ErrorCode } from '../../core/errors.ts'
import { Failure, STATUSES, UsageError } from '../exit-status.ts'
import type { Statuses } from '../exit-status.ts'
import { oneLine } from '../visible.ts'

/** An error as it is printed. */
export interface ErrorDescription {
  /** The exit status of the command. */
  readonly status: number
  /** A code of the package, `USAGE`, `NO_SERVER`, or `FAILURE`. */
  readonly code: string
  /** For people: one line. */
  readonly message: string
  /** The effect on the servers, if the error says; see `outcome` of CoordinationError. */
  readonly outcome?: string
  /** The path it is about. */
  readonly path?: string
}

const PHRASES: Partial<Record<ErrorCode, string>> = {
  NO_NODE: 'Node does not exist: ',
  NODE_EXISTS: 'Node already exists: ',
  NOT_EMPTY: 'Node not empty: ',
  NO_CHILDREN_FOR_EPHEMERALS: 'Ephemerals cannot have children: ',
  NO_AUTH: 'Insufficient permission : ',
  BAD_VERSION: 'version No is not valid : ',
  BAD_ARGUMENTS: 'Arguments are not valid : ',
  INVALID_ACL: 'Acl is not valid : ',
}

/** Codes for: no server answers, or none that knows this client. */
const UNREACHABLE: ReadonlySet<ErrorCode> = new Set(['CONNECTION_LOSS', 'SESSION_EXPIRED', 'TIMEOUT'])

/**
 * Describes anything that was thrown. Wrong paths and the like are TypeError and RangeError.
 *
 * @param statuses - the exit statuses of the command
 */
export function describeError(error: unknown, statuses: Statuses = STATUSES): ErrorDescription {
  if (isCoordinationError(error)) return describeCoordinationError(error, statuses)
  const message = oneLine(error instanceof Error ? error.message : String(error))
  if (error instanceof UsageError || error instanceof TypeError || error instanceof RangeError) {
    return { status: statuses.usage, code: 'USAGE', message }
  }
  if (!(error instanceof Failure)) return { status: statuses.failure, code: 'FAILURE', message }
  const { status } = error
  const code = status === 'unreachable' ? 'NO_SERVER' : 'FAILURE'
  return { status: typeof status === 'number' ? status : statuses[status], code, message }
}

function describeCoordinationError(error: CoordinationError, statuses: Statuses): ErrorDescription {
  const { code, outcome, path } = error
  const status = UNREACHABLE.has(code) ? statuses.unreachable : statuses.failure
  if (code === 'ABORTED') return { status, code, message: 'interrupted', outcome }
  const phrase = PHRASES[code]
  const isAboutPath = phrase !== undefined && path !== undefined && path !== ''
  const where = path === undefined ? {} : { path }
  return { status, code, message: oneLine(isAboutPath ? phrase + path : error.message), outcome, ...where }
}
