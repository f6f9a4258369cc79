/**
 * The options that every acquisition takes, and their checks.
 */
import type { Data } from '../../core/client.ts'
import { optionNames, refuseUnknown, validateBoolean } from '../../core/options.ts'
import { textOf } from '../../core/value-text.ts'
import type { TimedWaitOptions } from './wait.ts'

/** Options of a try for a lock. */
export interface TryAcquireOptions extends TimedWaitOptions {
  /** The data of this contender's node, for people and tools that look at the queue; empty by default. */
  readonly data?: Data
}

/** The fate of a wait whose session ends. */
export type OnSessionLoss = 'reject' | 'queue-again'

/** The fate of a wait for a lock that the asynchronous context of the caller holds. */
export type OnReentry = 'error' | 'wait'

/** Options of a wait for a lock. */
export interface AcquireOptions extends TryAcquireOptions {
  /**
   * The fate of the wait when the session ends, and its place in the queue with it: `reject` with
   * `SESSION_EXPIRED`, or `queue-again` on the next session, at the end. Each lock says what it does by default.
   */
  readonly onSessionLoss?: OnSessionLoss
  /**
   * The fate of a wait within a `using` of the same lock, which waits for itself: `error` rejects with `ALREADY_HELD`,
   * `wait` is for a task that the work does not await. A lease by `acquire` is not known of. `error` by default.
   */
  readonly onReentry?: OnReentry
}

/** Whether one who contends can be asked to give up. */
export interface RevocableOptions {
  /**
   * Whether others may ask for what is acquired; see {@link Lease.onRevoke}. They ask by a write to the contender's
   * node, so on a ZooKeeper server everybody may write to that of a revocable contender, and to no other. False by
   * default.
   */
  readonly revocable?: boolean
}

/** Options of a try for a lock that can be asked for. */
export interface TryContendOptions extends TryAcquireOptions, RevocableOptions {}

/** Options of a wait for a lock that can be asked for. */
export interface ContendOptions extends AcquireOptions, RevocableOptions {}

const TRY_OPTIONS = optionNames<TryContendOptions>({ waitMs: true, signal: true, data: true, revocable: true })
const ACQUIRE_OPTIONS = optionNames<ContendOptions>({
  waitMs: true,
  signal: true,
  data: true,
  onSessionLoss: true,
  onReentry: true,
  revocable: true,
})
const ON_SESSION_LOSS: readonly OnSessionLoss[] = ['reject', 'queue-again']
const ON_REENTRY: readonly OnReentry[] = ['error', 'wait']

/**
 * Checks the options of a try.
 *
 * @throws TypeError with the option's name and value
 */
export function checkTryContendOptions(options: TryContendOptions): void {
  refuseUnknown(options, TRY_OPTIONS, 'tryAcquire')
  checkData(options.data)
  checkRevocable(options)
}

/**
 * Checks the options of a wait.
 *
 * @throws TypeError with the option's name and value
 */
export function checkContendOptions(options: ContendOptions): void {
  refuseUnknown(options, ACQUIRE_OPTIONS, 'acquire')
  checkData(options.data)
  checkSessionLoss(options.onSessionLoss)
  checkReentry(options.onReentry)
  checkRevocable(options)
}

/** Checks what to do when a session ends. */
export function checkSessionLoss(value: OnSessionLoss | undefined): void {
  if (value === undefined || ON_SESSION_LOSS.includes(value)) return
  throw new TypeError(`onSessionLoss must be 'reject' or 'queue-again', got ${textOf(value)}`)
}

function checkReentry(value: OnReentry | undefined): void {
  if (value === undefined || ON_REENTRY.includes(value)) return
  throw new TypeError(`onReentry must be 'error' or 'wait', got ${textOf(value)}`)
}

function checkRevocable({ revocable }: RevocableOptions): void {
  if (revocable !== undefined) validateBoolean('revocable', revocable)
}

function checkData(data: Data | undefined): void {
  if (data === undefined || typeof data === 'string' || data instanceof Uint8Array) return
  throw new TypeError(`data must be a string or a Uint8Array, got ${textOf(data)}`)
}
