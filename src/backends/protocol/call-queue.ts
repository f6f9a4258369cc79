/**
 * The calls of one session that have no answer yet: in flight on the present connection, or waiting for the next one.
 *
 * Invariant  xids grow from front to back of those in flight, and replies come in that order.
 */
import { Deadline } from '../../core/async.ts'
import { Fifo } from '../../core/fifo.ts'
import type { Call, CallFailure } from './client-calls.ts'
import type { ClientWatches } from './client-watches.ts'

/** Calls without an answer that one session holds, in flight and waiting; more are refused as not sent. */
export const CALLS_MAX = 65_536

const XID_MAX = 2 ** 31 - 1

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

const WAITED: CallFailure = { code: 'CONNECTION_LOSS', message: 'no server was in touch in time', outcome: 'not-sent' }

/** The calls of one session; see the head of this file. */
export class CallQueue {
  readonly #watches: ClientWatches
  readonly #waitMsMax: number
  /** Fails the calls that have waited too long; the first one waits longest. */
  readonly #overdue = new Deadline(
    () => (this.#waiting.peek()?.sentAtMs ?? Infinity) + this.#waitMsMax,
    () => {
      this.#failOverdue()
    },
  )
  readonly #inFlight = new Fifo<Call>()
  readonly #waiting = new Fifo<Call>()
  #lastXid: number

  /**
   * Makes an empty queue.
   *
   * @param watches - is told of reads that arm a watch
   * @param waitMsMax - longest wait for a connection, in milliseconds
   * @param lastXid - the xid before the first one
   */
  constructor(watches: ClientWatches, waitMsMax = Infinity, lastXid = 0) {
    this.#watches = watches
    this.#waitMsMax = waitMsMax
    this.#lastXid = lastXid
  }

  /** Whether no further call is taken. */
  get full(): boolean {
    return this.#inFlight.length + this.#waiting.length >= CALLS_MAX
  }

  /**
   * The next xid: it grows over reconnects, and starts again from 1 behind the largest int32, as negative ones mean
   * other things.
   */
  nextXid(): number {
    this.#lastXid = this.#lastXid === XID_MAX ? 1 : this.#lastXid + 1
    return this.#lastXid
  }

  /** Takes a call that waits for a connection. */
  wait(call: Call): void {
    call.sentAtMs = performance.now()
    this.#waiting.push(call)
    if (this.#waiting.length === 1 && this.#waitMsMax !== Infinity) this.#overdue.start()
  }

  /** Takes a call that is sent now. */
  sent(call: Call): void {
    call.sentAtMs = performance.now()
    this.#inFlight.push(call)
  }

  /** Takes out the calls that waited, in order. */
  takeWaiting(): Call[] {
    this.#overdue.stop()
    return this.#waiting.takeAll()
  }

  /**
   * Takes out the call that a reply answers.
   *
   * @returns undefined if it is not the turn of this xid
   */
  takeAnswered(xid: number): Call | undefined {
    return this.#inFlight.peek()?.request.xid === xid ? this.#inFlight.shift() : undefined
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

  #fail(call: Call, failure: CallFailure, sent: boolean): void {
    if (call.arms) this.#watches.answered(call, null)
    call.fail(failure, sent)
  }
}
