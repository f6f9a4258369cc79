/**
 * One wait of a recipe: everything that may end it, in one signal.
 *
 * Model     the caller's signal, the caller's time limit, the end of the client and (once there is a node to care for)
 *           the end of the session all abort `signal`, with the error to reject with as its reason. The first one wins.
 * Use       pass `signal` to every call within the wait; in a catch, throw `wait.explain(error)`; close it in a
 *           finally.
 * Patience  the steps of a patient wait are made again for as long as it lives when they were lost or found no server.
 * Observed  a wait with a name (`observe`) is reported to the client's observers at its end. One whose signal is that
 *           of another wait is a part of that one, and not reported.
 * Many      the waits of one client listen to it together, so that thousands of them cost one listener, and end
 *           together when it closes.
 */
import { Deadline, abortedError, deferred, delay, whenAborted } from '../../core/async.ts'
import type { Client, WaitOptions } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import type { Begun, Waker } from '../../core/observer.ts'
import { optionNames, validateSignal, validateWaitMs } from '../../core/options.ts'
import { fullJitterMs } from '../../core/retry.ts'

/** Options of every wait of a recipe. */
export interface TimedWaitOptions extends WaitOptions {
  /**
   * The longest wait in milliseconds; without limit by default. It rejects with `TIMEOUT`. 0 tries once: it takes the
   * time of that, and rejects at once if no server is in touch.
   */
  readonly waitMs?: number
}

/** The names of these options, for those who take no others. */
export const WAIT_OPTIONS = optionNames<TimedWaitOptions>({ waitMs: true, signal: true })

/** A wait that observers are notified of. */
interface ObservedWait {
  readonly what: string
  readonly kind: string
  readonly begun: Begun
}

/** The waits that are observed, or a part of one that is, by their signals. */
const observedBy = new WeakMap<AbortSignal, Wait>()

/** One wait. */
export class Wait {
  /** Whether its steps are made again when they were lost. */
  readonly isPatient: boolean
  readonly #client: Client
  readonly #path: string
  readonly #waitMs: number
  readonly #controller = new AbortController()
  readonly #closed = deferred<undefined>()
  readonly #ends: (() => void)[] = []
  readonly #outer: Wait | undefined
  #sessionId: bigint | null = null
  #observed: ObservedWait | null = null
  #isTaken = false
  #error: unknown
  #wokenBy: Waker | undefined

  /**
   * Begins a wait.
   *
   * @param client - whose end ends the wait, and which waits for it when it closes
   * @param path - the path of the recipe, for the errors
   * @param options - the caller's signal and limit
   * @param isPatient - whether `insist` repeats steps; one that tries once never does
   * @throws TypeError or RangeError for a wrong option
   * @throws CoordinationError `ABORTED` if the signal is aborted already; `CLIENT_CLOSED`
   */
  constructor(client: Client, path: string, options: TimedWaitOptions, isPatient = false) {
    const { signal, waitMs = Infinity } = options
    validateSignal(signal)
    validateWaitMs('waitMs', waitMs)
    this.#client = client
    this.#path = path
    this.#waitMs = waitMs
    this.isPatient = isPatient && waitMs > 0
    this.#outer = signal === undefined ? undefined : observedBy.get(signal)
    if (this.#outer !== undefined) observedBy.set(this.signal, this.#outer)
    if (signal?.aborted === true) throw abortedError(signal, path)
    if (client.state.status === 'closed') throw clientClosed(path)
    this.#endOnSignal(signal)
    this.#endOnTimeout()
    const waits = Waits.of(client)
    this.#ends.push(waits.add(this))
    this.look()
  }

  /** Aborted when the wait is to end; the reason is the error to reject with. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /**
   * Has the wait reported to the client's observers, from now on; to be called before it waits.
   *
   * @param what - the method that waits, such as `acquire`
   * @param kind - the kind of claim, such as `lock`
   */
  observe(what: string, kind: string): void {
    const { notices } = this.#client
    if (this.#outer !== undefined || notices?.hears('onWait') !== true) return
    observedBy.set(this.signal, this)
    this.#observed = { what, kind, begun: notices.begin({ type: 'wait', what, kind, path: this.#path }) }
  }

  /** Passes on what a try came to; null says that another has it. */
  tried<T>(result: T | null): T | null {
    this.#isTaken = result === null
    return result
  }

  /** Says whose end it waits for now, for the observers. */
  waitsFor(waker: Waker): void {
    if (this.#outer === undefined) this.#wokenBy = waker
    else this.#outer.waitsFor(waker)
  }

  /** Ends the wait with `SESSION_EXPIRED` as soon as this session is not the live one any more. */
  bindSession(sessionId: bigint): void {
    this.#sessionId = sessionId
    this.look()
  }

  /** Looks at the state of the client; to be called when that has changed. */
  look(): void {
    if (this.#sessionId !== null && this.#client.sessionId !== this.#sessionId) this.#end(sessionOver(this.#path))
    if (this.#waitMs === 0 && this.#client.state.status !== 'connected') this.timeOut('no server is in touch')
  }

  /** Makes a step of the wait; again and again, if the wait is patient, as long as it is lost or finds no server. */
  async insist<R>(step: () => Promise<R>): Promise<R> {
    for (let failures = 1; ; failures += 1) {
      try {
        return await step()
      } catch (error) {
        this.check()
        if (!this.isPatient || !isCoordinationError(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED')) throw error
        await this.pause(failures)
      }
    }
  }

  /** Waits a little before another attempt. */
  async pause(failures: number): Promise<void> {
    await delay(fullJitterMs(failures), this.signal)
  }

  /** Throws what ended the wait, if something did. */
  check(): void {
    if (this.signal.aborted) throw this.signal.reason
  }

  /**
   * Finds what to reject with.
   *
   * @param error - the error of a call within the wait
   * @returns the error that ended the wait, if one did; otherwise the error itself
   */
  explain(error: unknown): unknown {
    this.#error = this.signal.aborted ? this.signal.reason : error
    return this.#error
  }

  /** Ends the wait with `TIMEOUT`. */
  timeOut(why = ''): void {
    const message = `waited ${String(this.#waitMs)} ms for ${this.#path}${why === '' ? '' : `: ${why}`}`
    this.#end(new CoordinationError('TIMEOUT', message, { outcome: 'aborted', path: this.#path }))
  }

  /** Ends the wait since its client closes; resolves when all that it has done is over. */
  endWithClient(): Promise<undefined> {
    this.#end(clientClosed(this.#path))
    return this.#closed.promise
  }

  /** Lets go of everything that the wait listens to. Idempotent. */
  close(): void {
    for (const end of this.#ends.splice(0)) end()
    this.#tell()
    this.#closed.resolve(undefined)
  }

  #tell(): void {
    if (this.#observed === null) return
    const { begun, ...name } = this.#observed
    this.#observed = null
    const error = this.#error
    const outcome = error !== undefined ? 'failed' : this.#isTaken ? 'taken' : 'done'
    const end = { durationMs: performance.now() - begun.startMs, outcome, error, wokenBy: this.#wokenBy } as const
    const { notices, sessionId } = this.#client
    notices?.tell('onWait', { ...name, path: this.#path, sessionId, ...end }, begun)
  }

  #end(error: CoordinationError): void {
    if (!this.signal.aborted) this.#controller.abort(error)
  }

  #endOnSignal(signal: AbortSignal | undefined): void {
    if (signal === undefined) return
    this.#ends.push(whenAborted(signal, () => this.#end(abortedError(signal, this.#path))))
  }

  #endOnTimeout(): void {
    if (this.#waitMs === Infinity || this.#waitMs === 0) return
    const dueMs = performance.now() + this.#waitMs
    const timeout = new Deadline(() => dueMs, () => this.timeOut())
    timeout.start()
    this.#ends.push(() => timeout.stop())
  }
}

const waitsOf = new WeakMap<Client, Waits>()

/** The waits of one client that are not over. */
export class Waits {
  readonly #client: Client
  readonly #waits = new Set<Wait>()
  #disown: (() => void) | null = null
  #unlisten: (() => void) | null = null

  private constructor(client: Client) {
    this.#client = client
  }

  /** The waits of a client, whichever recipe waits. */
  static of(client: Client): Waits {
    const known = waitsOf.get(client)
    if (known !== undefined) return known
    const made = new Waits(client)
    waitsOf.set(client, made)
    return made
  }

  /** Takes one in; returns what lets it go. The client ends what is newest first, and waits before what is older. */
  add(wait: Wait): () => void {
    this.#waits.add(wait)
    this.#disown?.()
    this.#disown = this.#client.own({ close: () => this.end() })
    this.#unlisten ??= this.#client.onState(() => {
      for (const one of this.#waits) one.look()
    })
    return () => this.#remove(wait)
  }

  /**
   * Ends all, since the client closes. A resource that closes with it, and is waited for here, calls this first: then
   * no lock is passed from one waiter of a closing client to the next.
   */
  async end(): Promise<void> {
    await Promise.all([...this.#waits].map((wait) => wait.endWithClient()))
  }

  #remove(wait: Wait): void {
    this.#waits.delete(wait)
    if (this.#waits.size > 0) return
    this.#disown?.()
    this.#unlisten?.()
    this.#disown = this.#unlisten = null
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
