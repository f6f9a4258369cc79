/**
 * Repeating what is safe to repeat, with exponential back-off and full jitter: each pause is drawn evenly from zero
 * to a bound that doubles, so that a crowd that failed together does not come back together.
 *
 * Source    AWS Architecture Blog, "Exponential Backoff And Jitter".
 */
import pRetry from 'p-retry'
import { delay } from './async.ts'

/** Bound of the first pause in milliseconds. */
const FIRST_PAUSE_MS = 25

/** Largest bound of a pause in milliseconds. */
const PAUSE_MS_MAX = 2_000

/** Doublings after which the bound stays at its largest. */
const DOUBLINGS_MAX = 10

/** Options of `repeat`. */
interface RepeatOptions {
  /** Tells whether an error is one that another attempt may not meet, and the attempt is safe to make again. */
  readonly repeatable: (error: unknown) => boolean
  /** How long to go on, in milliseconds from now; the pause before the last attempt is cut to end then. */
  readonly limitMs: number
  /** Ends a pause between two attempts; an attempt that runs has to see to its own end. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The pause before an attempt.
 *
 * @param failures - how many attempts have failed, from 1
 * @param boundMsMax - largest bound, in milliseconds
 * @returns milliseconds, evenly drawn between 0 and a bound that doubles with each failure
 */
export function fullJitterMs(failures: number, boundMsMax: number = PAUSE_MS_MAX): number {
  return Math.random() * Math.min(boundMsMax, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, DOUBLINGS_MAX))
}

/**
 * Goes on with an attempt that failed.
 *
 * @param failure - how the first attempt, made by the caller, failed; it must be repeatable
 * @param attempt - makes one more attempt
 * @returns the result of the first attempt that succeeds
 * @throws the error of the last attempt when the time is over, or of the first that is not repeatable;
 * CoordinationError `ABORTED` if the signal ended a pause
 */
export async function repeat<T>(failure: Error, attempt: () => Promise<T>, options: RepeatOptions): Promise<T> {
  const { repeatable, limitMs, signal } = options
  const endMs = performance.now() + limitMs
  // p-retry's own signal would throw away the success of an attempt that ended in the turn of the abort, and its own
  // jitter is not full. So it gets neither: the pause is made where it asks whether to go on.
  return pRetry((number) => (number === 1 ? Promise.reject(failure) : attempt()), {
    retries: Infinity,
    minTimeout: 0,
    maxTimeout: 0,
    factor: 1,
    async shouldRetry({ error, attemptNumber }) {
      const leftMs = endMs - performance.now()
      if (leftMs <= 0 || !repeatable(error)) return false
      await delay(Math.min(leftMs, fullJitterMs(attemptNumber)), signal)
      return true
    },
  })
}
