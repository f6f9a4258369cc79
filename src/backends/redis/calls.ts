/** A call of the session interface on its way: the script that it became, and what ends it. */
import type { CallFailure } from '../../core/session/call-queue.ts'
import { CoordinationError } from '../../core/errors.ts'
import type { Reply } from './reply.ts'
import type { ScriptName } from './io/script.ts'
import type { Watch } from './watches.ts'

/** A call of the session interface. */
export interface Call {
  readonly script: ScriptName
  /** The path that the caller named; empty for none. */
  readonly path: string
  /** What is special to the script; a write puts its number before it. */
  readonly args: readonly (string | Buffer)[]
  /** The watch that rides on it. */
  readonly watch: Watch | null
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

/** For a call whose answer is none. */
export const UNREADABLE: CallFailure = {
  code: 'PROTOCOL_VIOLATION',
  message: 'what Redis answered cannot be understood',
  outcome: 'corrupt',
}

/** A call of the session's own. @param ended - called with its answer, or with null when it has failed */
export function ownCall(
  script: ScriptName,
  args: readonly string[],
  renews: boolean,
  ended: (reply: Reply | null) => void,
): Call {
  const shared = { path: '', watch: null, request: 0, sentAtMs: 0 }
  return { ...shared, script, args, renews, settle: ended, reject: () => ended(null) }
}

/** Rejects a call. @param sent - whether it may have reached a server */
export function failCall(call: Call, failure: CallFailure & { readonly cause?: unknown }, sent: boolean): void {
  const { code, message, outcome, cause } = failure
  const ended = sent && call.script === 'write' ? 'unknown' : outcome
  const where = call.path === '' ? {} : { path: call.path }
  call.reject(new CoordinationError(code, message, { outcome: ended, cause, ...where }))
}
