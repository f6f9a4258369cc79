/**
 * One wait of a recipe: everything that may end it, behind one signal.
 *
 * Model     the caller's signal, the caller's time limit, the end of the client and (once there is a node to care for)
 *           the end of the session all abort `signal`, with the error to reject with as its reason. The first one wins.
 * Use       pass `signal` to every call within the wait; in a catch, throw `wait.explain(error)`; close it in a
 *           finally.
 */
import { Deadline, abortedError, deferred, whenAborted } from '../core/async.ts'
import type { Client, WaitOptions } from '../core/client.ts'
import { CoordinationError } from '../core/errors.ts'

/** What every wait of a recipe takes. */
export interface TimedWaitOptions extends WaitOptions {
  /** The longest wait in milliseconds; without limit by default. It rejects with `TIMEOUT`. */
  readonly waitMs?: number
}

/** One wait; see the head of this file. */
export class Wait {
  readonly #client: Client
  readonly #path: string
  readonly #controller = new AbortController()
  readonly #closed = deferred<undefined>()
  readonly #ends: (() => void)[] = []

  /**
   * Begins a wait.
   *
   * @param client - whose end ends the wait, and which waits for it when it closes
   * @param path - what is waited for, for the errors
   * @param options - the caller's signal and limit
   * @throws RangeError if `waitMs` is not a number of milliseconds
   * @throws CoordinationError `ABORTED` if the signal is aborted already
   */
  constructor(client: Client, path: string, options: TimedWaitOptions) {
    this.#client = client
    this.#path = path
    const { signal, waitMs = Infinity } = options
    if (typeof waitMs !== 'number' || !(waitMs >= 0)) {
      throw new RangeError(`waitMs must be a number of milliseconds, 0 or more, got ${String(waitMs)}`)
    }
    if (signal?.aborted === true) throw abortedError(signal, path)
    this.#endOnSignal(signal)
    this.#endOnTimeout(waitMs)
    this.#ends.push(client.own({ close: () => this.#endWithClient() }))
  }

  /** Aborted when the wait is to end; the reason is the error to reject with. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Ends the wait with `SESSION_EXPIRED` as soon as this session is not the live one any more. */
  bindSession(sessionId: bigint): void {
    const look = (): void => {
      if (this.#client.sessionId !== sessionId) this.#end(sessionOver(this.#path))
    }
    this.#ends.push(this.#client.onState(look))
    look()
  }

  /** Throws what ended the wait, if something did. */
  check(): void {
    if (this.signal.aborted) throw this.signal.reason
  }

  /**
   * Finds what to reject with.
   *
   * @param error - what a call within the wait rejected with
   * @returns what ended the wait, if something did; otherwise the error itself
   */
  explain(error: unknown): unknown {
    return this.signal.aborted ? this.signal.reason : error
  }

  /** Lets go of everything that the wait listens to. Idempotent. */
  close(): void {
    for (const end of this.#ends.splice(0)) end()
    this.#closed.resolve(undefined)
  }

  #end(error: CoordinationError): void {
    if (!this.signal.aborted) this.#controller.abort(error)
  }

  #endOnSignal(signal: AbortSignal | undefined): void {
    if (signal === undefined) return
    this.#ends.push(whenAborted(signal, () => this.#end(abortedError(signal, this.#path))))
  }

  #endOnTimeout(waitMs: number): void {
    if (waitMs === Infinity) return
    const dueMs = performance.now() + waitMs
    const timeout = new Deadline(() => dueMs, () => {
      const message = `waited ${String(waitMs)} ms for ${this.#path}`
      this.#end(new CoordinationError('TIMEOUT', message, { outcome: 'aborted', path: this.#path }))
    })
    timeout.start()
    this.#ends.push(() => timeout.stop())
  }

  #endWithClient(): Promise<undefined> {
    this.#end(clientClosed(this.#path))
    return this.#closed.promise
  }
}

/** The error of something that belonged to a session which is over: whatever that had made is gone with it. */
export function sessionOver(path: string, cause?: unknown): CoordinationError {
  const message = `the session that ${path} was used on is over, and its ephemeral nodes with it`
  return new CoordinationError('SESSION_EXPIRED', message, { outcome: 'session-over', path, cause })
}

/** The error of something that ended because its client or its handle was closed; nothing of it remains. */
export function clientClosed(path: string): CoordinationError {
  return new CoordinationError('CLIENT_CLOSED', `closed while ${path} was used`, { outcome: 'aborted', path })
}
