/** What went wrong, in zkCli's words where it has some, and as JSON. */
import { isCoordinationError } from '../../core/errors.ts'
import type { CoordinationError, ErrorCode } from '../../core/errors.ts'
import { ExitStatus, Failure, UsageError } from '../exit-status.ts'

/** An error as it is printed. */
export interface ErrorDescription {
  /** What the command ends with. */
  readonly status: number
  /** A code of the package, `USAGE`, or `FAILURE`. */
  readonly code: string
  /** For people. */
  readonly message: string
  /** What became of a write, if the error says. */
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

/** What there is to say of anything that was thrown. Wrong paths and the like are TypeError and RangeError. */
export function describeError(error: unknown): ErrorDescription {
  if (isCoordinationError(error)) return describeCoordinationError(error)
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof UsageError || error instanceof TypeError || error instanceof RangeError) {
    return { status: ExitStatus.usage, code: 'USAGE', message }
  }
  return { status: error instanceof Failure ? error.status : ExitStatus.failure, code: 'FAILURE', message }
}

function describeCoordinationError(error: CoordinationError): ErrorDescription {
  const { code, outcome, path } = error
  if (code === 'ABORTED') return { status: ExitStatus.failure, code, message: 'interrupted', outcome }
  const phrase = PHRASES[code]
  const isAboutPath = phrase !== undefined && path !== undefined && path !== ''
  const where = path === undefined ? {} : { path }
  return { status: ExitStatus.failure, code, message: isAboutPath ? phrase + path : error.message, outcome, ...where }
}
