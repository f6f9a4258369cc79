/** A call of the session interface on its way: the script that it became, its arguments, and what ends it. */
import type { CreateMode, Operation } from '../../core/backend.ts'
import type { CallFailure } from '../../core/session/call-queue.ts'
import { CoordinationError } from '../../core/errors.ts'
import { placeOf } from './position.ts'
import type { Reply } from './reply.ts'
import type { ScriptName } from './io/script.ts'
import type { Watch } from './watches.ts'

/** A call of the session interface. */
export interface Call {
  readonly script: ScriptName
  /** The path that the caller named; empty for none. */
  readonly path: string
  /** The script's own arguments; a write puts its number before them. */
  readonly args: readonly (string | Buffer)[]
  /** The watch that rides on it. */
  readonly watch: Watch | null
  /** Registrations of watches that it looks at besides. */
  readonly audited: readonly string[]
  /** Whether its answer proves that the session lives. */
  readonly renews: boolean
  /** Gives the caller what the reply says. */
  readonly settle: (reply: Reply) => void
  /** Rejects the caller. */
  readonly reject: (error: unknown) => void
  /** The number of a write among the writes of its session; 0 before it is sent. */
  request: number
  /** When it was sent, or began to wait, on `performance.now()`. */
  sentAtMs: number
}

/** The failure of a call whose answer cannot be read. */
export const UNREADABLE: CallFailure = {
  code: 'PROTOCOL_VIOLATION',
  message: 'what Redis answered cannot be understood',
  outcome: 'corrupt',
}

/**
 * A call of the session's own.
 *
 * @param ended - called with its answer, or with null when it has failed
 * @param audited - registrations of watches that it looks at
 */
export function ownCall(
  script: ScriptName,
  args: readonly string[],
  renews: boolean,
  ended: (reply: Reply | null) => void,
  audited: readonly string[] = [],
): Call {
  const shared = { path: '', watch: null, audited, request: 0, sentAtMs: 0 }
  return { ...shared, script, args, renews, settle: ended, reject: () => ended(null) }
}

/** Rejects a call. @param sent - whether it may have reached a server */
export function failCall(call: Call, failure: CallFailure & { readonly cause?: unknown }, sent: boolean): void {
  const { code, message, outcome, cause } = failure
  const ended = sent && call.script === 'write' ? 'unknown' : outcome
  const where = call.path === '' ? {} : { path: call.path }
  call.reject(new CoordinationError(code, message, { outcome: ended, cause, ...where }))
}

/** The kind of a node as it is stored, and whether its name gets a number. */
const KINDS: Readonly<Record<CreateMode, readonly [kind: string, sequential: string]>> = Object.freeze({
  persistent: ['p', '0'],
  ephemeral: ['e', '0'],
  'persistent-sequential': ['p', '1'],
  'ephemeral-sequential': ['e', '1'],
  container: ['c', '0'],
  'persistent-with-ttl': ['t', '0'],
})

/** Type, path, data, kind (of a check: the creation), if sequential, and version or time to live in milliseconds. */
export function operationArguments(operation: Operation): (string | Buffer)[] {
  switch (operation.type) {
    case 'create': {
      const { path, data, mode, ttlMs } = operation
      return ['C', path, bufferOf(data), ...KINDS[mode], String(ttlMs ?? 0)]
    }
    case 'set':
      return ['S', operation.path, bufferOf(operation.data), '', '', String(operation.version)]
    case 'delete':
      return ['X', operation.path, '', '', '', String(operation.version)]
    case 'check': {
      const { path, version, czxid } = operation
      return ['V', path, '', czxid === undefined ? '' : placeOf(czxid), '', String(version)]
    }
  }
}

/** A copy of the data as they are now: changes that the caller makes to them later are not sent. */
function bufferOf(data: Uint8Array): Buffer {
  return Buffer.from(data)
}
