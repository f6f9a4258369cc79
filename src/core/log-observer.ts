/**
 * The logger of a client: an observer that turns notices into lines.
 *
 *     quorate lease lost kind=lock path=/locks/a token=12 held_ms=1200 reason=session-expired
 *
 * Form      one string per line, words and `name=value` pairs, which every logger takes and tools can parse. A value
 *           with other than plain characters is a JSON string, so that a line stays one line.
 * Privacy   an error is its code; its text, which may hold what the caller's own code said, is left out.
 */
import { isCoordinationError } from './errors.ts'
import type { CallNotice, ElectionNotice, LeaseNotice, Observer, PublishNotice } from './observer.ts'
import type { StateNotice, WaitNotice } from './observer.ts'

/** Where a client logs to: `console`, a logger of pino, or anything with these methods. */
export interface Logger {
  /** Details for somebody who looks for a fault. */
  debug(message: string): void
  /** Normal events that an operator wants to see. */
  info(message: string): void
  /** Events that need an operator's attention. */
  warn(message: string): void
}

type Field = string | number | bigint | null | undefined

const PLAIN = /^[\w./:@+-]+$/

/** Makes the observer that logs. */
export function logObserver(logger: Logger): Observer {
  return {
    onCall: (notice) => logCall(logger, notice),
    onState: (notice) => logState(logger, notice),
    onWait: (notice) => logWait(logger, notice),
    onLease: (notice) => logLease(logger, notice),
    onElection: (notice) => logElection(logger, notice),
    onPublish: (notice) => logPublish(logger, notice),
  }
}

/** The code of an error, or the name of one that is not of this package. */
export function errorCode(error: unknown): string {
  if (isCoordinationError(error)) return error.code
  return error instanceof Error ? error.name : typeof error
}

function logCall(logger: Logger, { method, path, durationMs, error }: CallNotice): void {
  if (error === undefined) return
  logger.debug(line('call failed', { method, path, code: errorCode(error), duration_ms: ms(durationMs) }))
}

function logState(logger: Logger, { state, previous, previousMs }: StateNotice): void {
  const { status } = state
  const session = 'sessionId' in state ? `0x${state.sessionId.toString(16)}` : undefined
  const after = previous === null ? {} : { previous: previous.status, previous_ms: ms(previousMs) }
  const text = line(`session ${status}`, { session, ...after })
  if (status === 'suspended' || status === 'expired') logger.warn(text)
  else logger.info(text)
}

function logWait(logger: Logger, { what, kind, path, durationMs, outcome, error }: WaitNotice): void {
  const code = error === undefined ? undefined : errorCode(error)
  logger.debug(line(`wait ${outcome}`, { method: what, kind, path, code, duration_ms: ms(durationMs) }))
}

function logLease(logger: Logger, { event, kind, path, token, heldMs, reason }: LeaseNotice): void {
  const held = event === 'acquired' ? undefined : ms(heldMs)
  const text = line(`lease ${event}`, { kind, path, token, held_ms: held, reason })
  if (event === 'lost') logger.warn(text)
  else logger.debug(text)
}

function logElection(logger: Logger, { event, path, id, token, ledMs, reason }: ElectionNotice): void {
  const led = event === 'elected' ? undefined : ms(ledMs)
  const text = line(`leader ${event}`, { path, id, token, led_ms: led, reason })
  if (event === 'lost') logger.warn(text)
  else logger.info(text)
}

function logPublish(logger: Logger, { action, path, durationMs, error }: PublishNotice): void {
  const code = error === undefined ? undefined : errorCode(error)
  const ended = code === undefined ? 'done' : 'failed'
  const text = line(`config ${action} ${ended}`, { path, code, duration_ms: ms(durationMs) })
  if (code === undefined) logger.info(text)
  else logger.warn(text)
}

function line(words: string, fields: Readonly<Record<string, Field>>): string {
  const told = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)
  return ['quorate', words, ...told.map(([name, value]) => `${name}=${fieldText(String(value))}`)].join(' ')
}

function fieldText(value: string): string {
  return PLAIN.test(value) ? value : JSON.stringify(value)
}

function ms(durationMs: number): number {
  return Math.round(durationMs)
}
