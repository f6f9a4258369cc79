/**
 * Small pieces of asynchrony: a promise that others settle, a wait that a signal ends, and a deadline that is fair to a
 * process that was stopped.
 *
 * Time      deadlines are instants on `performance.now()`; the globals are read at each call, so that a simulation can
 *           replace them.
 * Stall     a late deadline lets the sockets be read before it judges (session/stall.ts).
 */
import { CoordinationError } from './errors.ts'
import { STALL_MS, whenSocketsAreRead } from './session/stall.ts'

/** The longest time that a timer can be set to, in milliseconds: longer ones fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** A promise and the means to settle it. */
export interface Deferred<T> {
  /** Settled by `resolve` or `reject`. */
  readonly promise: Promise<T>
  /** Fulfils it; without effect once it is settled. */
  readonly resolve: (value: T) => void
  /** Rejects it; without effect once it is settled. */
  readonly reject: (error: unknown) => void
}

/**
 * Makes a promise that others settle.
 *
 * @returns the promise and its two ends
 */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((onFulfilled, onRejected) => {
    resolve = onFulfilled
    reject = onRejected
  })
  return { promise, resolve, reject }
}

/**
 * The error for a wait that its caller gave up.
 *
 * @param signal - the signal that was aborted; its reason becomes the `cause`
 * @param path - the path that the call named
 * @returns an error with code `ABORTED` and outcome `aborted`
 */
export function abortedError(signal: AbortSignal, path?: string): CoordinationError {
  const where = path === undefined ? '' : ` on ${path}`
  return new CoordinationError('ABORTED', `the caller's signal ended the wait${where}`, {
    outcome: 'aborted',
    cause: signal.reason,
    ...(path === undefined ? {} : { path }),
  })
}

/**
 * Waits for a promise until a signal ends the wait. The work itself goes on; only the wait ends.
 *
 * @param promise - the promise to wait for; if it rejects after the abort, that is ignored
 * @param signal - ends the wait; absent, the promise is returned as it is
 * @param path - the path that the call named, for the error
 * @throws CoordinationError `ABORTED` with outcome `aborted` as soon as the signal is aborted
 */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined, path?: string): Promise<T> {
  if (signal === undefined) return promise
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => {
      reject(abortedError(signal, path))
    }
    const unlisten = whenAborted(signal, onAbort)
    void promise.then(resolve, reject).finally(unlisten)
  })
}

/** Who waits for a signal, and the one listener that tells them. */
interface Audience {
  readonly waiting: Set<() => void>
  readonly tell: () => void
}

/** For the signals that anybody waits for. */
const audiences = new WeakMap<AbortSignal, Audience>()

/**
 * Calls back when a signal is aborted; at once if it is. However many wait for one signal, it has one listener: Node.js
 * treats more than ten as a leak, and warns.
 *
 * @param onAbort - called once; a function of its own for each wait
 * @returns ends the wait
 */
export function whenAborted(signal: AbortSignal, onAbort: () => void): () => void {
  if (signal.aborted) {
    onAbort()
    return () => undefined
  }
  const { waiting, tell } = audiences.get(signal) ?? gather(signal)
  waiting.add(onAbort)
  return () => {
    if (!waiting.delete(onAbort) || waiting.size > 0) return
    signal.removeEventListener('abort', tell)
    audiences.delete(signal)
  }
}

function gather(signal: AbortSignal): Audience {
  const waiting = new Set<() => void>()
  const tell = (): void => {
    for (const onAbort of [...waiting]) if (waiting.delete(onAbort)) onAbort()
  }
  signal.addEventListener('abort', tell, { once: true })
  const audience = { waiting, tell }
  audiences.set(signal, audience)
  return audience
}

/**
 * Waits for a promise for a limited time. The work itself goes on; only the wait ends.
 *
 * @param promise - the promise to wait for; if it rejects later, that is ignored
 * @param waitMs - longest wait in milliseconds; infinite for none
 * @param late - makes the error for a wait that took too long
 * @throws the error of `late` when the time is over
 */
export function limited<T>(promise: Promise<T>, waitMs: number, late: () => Error): Promise<T> {
  if (waitMs === Infinity) return promise
  return new Promise<T>((resolve, reject) => {
    const endMs = performance.now() + waitMs
    const limit = new Deadline(
      () => endMs,
      () => {
        reject(late())
      },
    )
    limit.start()
    void promise.then(resolve, reject).finally(() => {
      limit.stop()
    })
  })
}

/**
 * Waits for some time.
 *
 * @param waitMs - how long, in milliseconds
 * @param signal - ends the wait
 * @throws CoordinationError `ABORTED` with outcome `aborted` as soon as the signal is aborted
 */
export function delay(waitMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortedError(signal))
      return
    }
    const timer = setTimeout(() => {
      unlisten?.()
      resolve()
    }, waitMs)
    const unlisten = signal && whenAborted(signal, () => {
      clearTimeout(timer)
      reject(abortedError(signal))
    })
  })
}

/**
 * Calls back once when an instant has passed, however often the instant was moved on while it waited.
 *
 * The instant is asked for when the timer fires, not when it moves: that keeps a deadline that every answer moves (a
 * lease, a ping) free of cost. An instant that moves to an earlier time needs another `start()`.
 */
export class Deadline {
  readonly #dueMs: () => number
  readonly #onDue: () => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #cancelJudgement: (() => void) | null = null

  /**
   * Makes a deadline; it does nothing before `start()`.
   *
   * @param dueMs - tells the instant on `performance.now()`; infinite for never
   * @param onDue - called when it has passed; it may call `start()` for a next time
   */
  constructor(dueMs: () => number, onDue: () => void) {
    this.#dueMs = dueMs
    this.#onDue = onDue
  }

  /** Starts to wait, or looks again if it waits. It never calls back within this call. */
  start(): void {
    this.stop()
    const now = performance.now()
    const waitMs = Math.min(Math.max(0, Math.ceil(this.#dueMs() - now)), TIMER_MS_MAX)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#judge(performance.now() - (now + waitMs) > STALL_MS)
    }, waitMs)
  }

  /** Stops to wait; nothing is called any more. Idempotent. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#cancelJudgement?.()
    this.#timer = undefined
    this.#cancelJudgement = null
  }

  #judge(stalled: boolean): void {
    if (performance.now() < this.#dueMs()) this.start()
    else if (stalled) this.#cancelJudgement = whenSocketsAreRead(() => this.#judge(false))
    else this.#onDue()
  }
}
