/**
 * The calls of one session that have no answer yet: in flight on the present connection, or waiting for the next one.
 * Servers answer in the order in which they were asked.
 */
import { Deadline } from '../async.ts'
import type { ErrorCode, Outcome } from '../errors.ts'
import { Fifo } from '../fifo.ts'

/** Calls without an answer that one session holds, in flight and waiting; more are refused as not sent. */
export const CALLS_MAX = 65_536

/** The code, message and outcome of the error that a call fails with. */
export interface CallFailure {
  /** The code of the error. */
  readonly code: ErrorCode
  /** A sentence for people. */
  readonly message: string
  /** The outcome of a call that was not sent, or changes nothing; a write that was sent is `unknown`. */
  readonly outcome: Outcome
}

/** For calls of a session that is over. */
export const EXPIRED: CallFailure = {
  code: 'SESSION_EXPIRED',
  message: 'the session has expired',
  outcome: 'session-over',
}
/** For calls of a session that was closed from here. */
export const CLOSED: CallFailure = { code: 'CLIENT_CLOSED', message: 'the session was closed', outcome: 'not-sent' }
/** For the call that is one too many. */
export const FULL: CallFailure = {
  code: 'CONNECTION_LOSS',
  message: `${CALLS_MAX} calls of this session wait for their answers`,
  outcome: 'not-sent',
}
/** For a call that has waited for a connection too long. */
export const WAITED: CallFailure = {
  code: 'CONNECTION_LOSS',
  message: 'no server was in touch in time',
  outcome: 'not-sent',
}

/** A call in a queue. */
export interface QueuedCall {
  /** When it was sent, or began to wait, on `performance.now()`. */
  sentAtMs: number
}

/** The calls of one session. */
export class CallQueue<C extends QueuedCall> {
  readonly #waitMsMax: number
  readonly #fail: (call: C, failure: CallFailure, sent: boolean) => void
  readonly #inFlight = new Fifo<C>()
  readonly #waiting = new Fifo<C>()
  /** Fails the calls that have waited too long; the first one waits longest. */
  readonly #overdue = new Deadline(
    () => (this.#waiting.peek()?.sentAtMs ?? Infinity) + this.#waitMsMax,
    () => {
      this.#failOverdue()
    },
  )

  /**
   * Makes an empty queue.
   *
   * @param waitMsMax - longest wait for a connection, in milliseconds
   * @param fail - ends a call that is taken out without an answer; `sent` if it may have reached a server
   */
  constructor(waitMsMax: number, fail: (call: C, failure: CallFailure, sent: boolean) => void) {
    this.#waitMsMax = waitMsMax
    this.#fail = fail
  }

  /** Whether no further call is taken. */
  get isFull(): boolean {
    return this.#inFlight.length + this.#waiting.length >= CALLS_MAX
  }

  /** The call whose answer comes next; undefined if none is outstanding. */
  get first(): C | undefined {
    return this.#inFlight.peek()
  }

  /** Takes a call that waits for a connection. */
  wait(call: C): void {
    call.sentAtMs = performance.now()
    this.#waiting.push(call)
    if (this.#waiting.length === 1 && this.#waitMsMax !== Infinity) this.#overdue.start()
  }

  /** Takes calls back that a server has not done, before all that wait. */
  putBack(calls: readonly C[]): void {
    const rest = this.#waiting.takeAll()
    for (const call of [...calls, ...rest]) this.wait(call)
  }

  /** Takes a call that is sent now. */
  sent(call: C): void {
    call.sentAtMs = performance.now()
    this.#inFlight.push(call)
  }

  /** Takes out the call whose answer has come. */
  takeAnswered(): C | undefined {
    return this.#inFlight.shift()
  }

  /** Takes out the calls that waited, in order. */
  takeWaiting(): C[] {
    this.#overdue.stop()
    return this.#waiting.takeAll()
  }

  /** Fails what is in flight. */
  failInFlight(failure: CallFailure): void {
    for (const call of this.#inFlight.takeAll()) this.#fail(call, failure, true)
  }

  /** Fails everything. */
  failAll(failure: CallFailure): void {
    this.failInFlight(failure)
    for (const call of this.takeWaiting()) this.#fail(call, failure, false)
  }

  #failOverdue(): void {
    const now = performance.now()
    for (let first = this.#waiting.peek(); first !== undefined; first = this.#waiting.peek()) {
      if (first.sentAtMs + this.#waitMsMax > now) {
        this.#overdue.start()
        return
      }
      this.#waiting.shift()
      this.#fail(first, WAITED, false)
    }
  }
}
