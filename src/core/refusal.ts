/**
 * Errors for refusals of the servers, in the same words on every engine.
 *
 * Model     an engine says what was refused and where; the sentence is made here. A namespace or a chroot makes it
 *           again for the path that its caller wrote, so that a message and `path` never disagree.
 * Secrets   no message holds data, a number or a text of the engine: those are the `cause`.
 */
import { CoordinationError, isCoordinationError } from './errors.ts'
import type { ErrorCode, Outcome } from './errors.ts'
import { parentOf } from './path.ts'

/** Options of {@link refusal}. */
export interface RefusalOptions {
  /** In a multi: which operation was refused, counted from 0. */
  readonly index?: number | undefined
  /** Whether a create was refused: then its parent is the missing or ephemeral node. False by default. */
  readonly isCreate?: boolean
  /** Whether a read was refused: a quota is then that of answers and watches. False by default. */
  readonly isRead?: boolean
  /** `rejected` by default. */
  readonly outcome?: Outcome
  /** The engine's own error. */
  readonly cause?: unknown
}

/** How the message of an error reads for another path. */
const sentences = new WeakMap<CoordinationError, (path: string) => string>()

/**
 * Makes the error of an operation that an engine looked at and refused.
 *
 * @param code - why
 * @param path - of the operation as the session was called with it; undefined for a multi as a whole
 */
export function refusal(code: ErrorCode, path: string | undefined, options: RefusalOptions = {}): CoordinationError {
  const { index, isCreate = false, isRead = false, outcome = 'rejected', cause } = options
  const place = index === undefined ? '' : ` (operation ${index} of a multi, counted from 0)`
  const told = (where: string | undefined): string => sentenceOf(code, where, { isCreate, isRead }) + place
  const error = new CoordinationError(code, told(path), {
    outcome,
    ...(path === undefined ? {} : { path }),
    ...(index === undefined ? {} : { index }),
    ...(cause === undefined ? {} : { cause }),
  })
  sentences.set(error, told)
  return error
}

/**
 * An error for the path that its caller wrote, as seen from within a namespace.
 *
 * @param path - in place of the error's own
 * @returns the same error, or one that differs from it in its path and the path in its message
 */
export function asSeenFrom(error: CoordinationError, path: string): CoordinationError {
  if (error.path === undefined || error.path === path) return error
  const { code, outcome, index, cause } = error
  const told = sentences.get(error)
  // Another's message: the path in it is the one of the error, if it names it.
  const message = told?.(path) ?? error.message.replace(error.path, () => path)
  const where = { path, ...(index === undefined ? {} : { index }) }
  const seen = new CoordinationError(code, message, { outcome, cause: cause ?? undefined, ...where })
  if (told !== undefined) sentences.set(seen, told)
  return seen
}

/** A value that was thrown, with its path as {@link asSeenFrom} has it if it is one of ours that has one. */
export function thrownAsSeenFrom(error: unknown, pathOf: (path: string) => string): unknown {
  return isCoordinationError(error) && error.path !== undefined ? asSeenFrom(error, pathOf(error.path)) : error
}

/** The kind of call that was refused. */
interface Refused {
  readonly isCreate: boolean
  readonly isRead: boolean
}

function sentenceOf(code: ErrorCode, path: string | undefined, { isCreate, isRead }: Refused): string {
  if (path === undefined) return `the servers refused the call with ${code}`
  switch (code) {
    case 'NO_NODE':
      return isCreate ? parentMissing(path) : nodeMissing(path)
    case 'NODE_EXISTS':
      return `there is a node at ${path} already`
    case 'BAD_VERSION':
      return `the node at ${path} is not of the version that the call named: it was changed or replaced`
    case 'NOT_EMPTY':
      return `the node at ${path} has children: delete them first`
    case 'NO_CHILDREN_FOR_EPHEMERALS':
      return `cannot create ${path}: its parent ${parentOf(path)} is ephemeral, and has no children`
    case 'NO_AUTH':
      return `the access control list of ${isCreate ? `the parent of ${path}` : path} does not let this client do that`
    case 'INVALID_ACL':
      return `the access control list for ${path} is empty or malformed`
    case 'SESSION_EXPIRED':
      return `the session has expired; the call on ${path} was not done`
    case 'SESSION_MOVED':
      return `the session has moved to another server; the call on ${path} was not done`
    case 'QUOTA_EXCEEDED':
      return isRead ? beyondLimit(path) : `a write to ${path} would go beyond a quota`
    case 'READ_ONLY':
      return `the server can only be read from, since it has no majority: ${path} was not written`
    case 'LOCAL_SESSION':
      return `the server alone knows this session, which can own no ephemeral node: ${path} was not created`
    case 'THROTTLED':
      return `the servers have too much to do and did not look at the call on ${path}`
    case 'UNSUPPORTED':
      return `the servers cannot do what was asked for on ${path}`
    case 'BAD_ARGUMENTS':
      return `the servers refused the arguments of the call on ${path}`
    default:
      return `the servers refused the call on ${path} with ${code}`
  }
}

function beyondLimit(path: string): string {
  return `the answer on ${path} is longer, or the watches of this connection are more, than the server allows`
}

function nodeMissing(path: string): string {
  return path === '/' ? `there is no node /: ${ROOT_GONE}` : `there is no node ${path}`
}

function parentMissing(path: string): string {
  const parent = parentOf(path)
  return parent === '/'
    ? `cannot create ${path}: ${ROOT_GONE}`
    : `cannot create ${path}: its parent ${parent} does not exist; makePath makes it`
}

/** Every tree has a root: the missing one is the node that a namespace or a chroot shows as one. */
const ROOT_GONE = "the node that this client's namespace or chroot stands for was deleted"
