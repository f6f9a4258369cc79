/**
 * The calls that a session has yet to send: in order, and no more in flight than servers answer in a short while.
 *
 * Room      a server answers in order, so whatever is sent waits for the answers of all that was sent before it: a ping
 *           too, and the proof that the session lives. So the calls in flight are bounded, and the rest waits here,
 *           where a proof overtakes it. A burst of calls then costs no lease, whatever its length.
 */
import { CALLS_MAX } from '../../core/session/call-queue.ts'
import type { CallFailure, CallQueue } from '../../core/session/call-queue.ts'
import { Deadline, deferred } from '../../core/async.ts'
import type { Deferred } from '../../core/async.ts'
import { Fifo } from '../../core/fifo.ts'
import type { Call } from './calls.ts'

/** A server that answers pings and not what it is asked. */
export interface AnswerLimit {
  /** How long the oldest call in flight may wait, in milliseconds. */
  readonly answerMsMax: number
  /** It has waited so long. */
  readonly onLate: () => void
}

/** The calls of one session that have no answer yet. */
export class ClientOutbox {
  readonly #calls: CallQueue<Call>
  readonly #send: (call: Call) => void
  readonly #inFlightMax: number
  /** Calls that wait for room; empty while there is no connection. */
  readonly #backlog = new Fifo<Call>()
  #inFlight = 0
  #isOpen = false
  /** Waits until nothing is in flight; nothing that waits for room is sent meanwhile. */
  #settling: Deferred<boolean> | null = null
  readonly #late: Deadline | null

  /**
   * Makes an empty outbox, which waits for a connection.
   *
   * @param calls - where calls in flight, and those that wait for a connection, are kept
   * @param send - sends a call on the present connection
   * @param inFlightMax - most calls that are sent and not answered
   * @param limit - null to wait for an answer as long as the connection lasts
   */
  constructor(
    calls: CallQueue<Call>,
    send: (call: Call) => void,
    inFlightMax: number,
    limit: AnswerLimit | null = null,
  ) {
    const dueMs = (): number => (calls.first?.sentAtMs ?? Infinity) + (limit?.answerMsMax ?? Infinity)
    this.#late = limit === null ? null : new Deadline(dueMs, limit.onLate)
    this.#inFlightMax = inFlightMax
    this.#calls = calls
    this.#send = send
  }

  /** Whether no further call is taken. */
  get isFull(): boolean {
    return this.#calls.isFull || this.#inFlight + this.#backlog.length >= CALLS_MAX
  }

  /** The call whose answer comes next; undefined if none is outstanding. */
  get first(): Call | undefined {
    return this.#calls.first
  }

  /** Takes a call, which is sent in its turn. */
  add(call: Call): void {
    if (!this.#isOpen) {
      this.#calls.wait(call)
      return
    }
    this.#backlog.push(call)
    this.#pump()
  }

  /** Sends a call before all that wait for room. */
  addUrgent(call: Call): void {
    if (this.#isOpen) this.#dispatch(call)
    else this.#calls.wait(call)
  }

  /** The first call in flight was answered. */
  answered(): void {
    this.#calls.takeAnswered()
    this.#inFlight -= 1
    if (this.#inFlight === 0) {
      this.#late?.stop()
      this.#settling?.resolve(true)
    }
    this.#pump()
  }

  /**
   * Sends nothing more on this connection but what is urgent, and waits until what was sent is answered.
   *
   * @returns whether nothing is in flight now; otherwise ask again. It never comes to that if the connection is lost
   */
  async settle(): Promise<boolean> {
    this.#settling = deferred()
    if (this.#inFlight > 0) await this.#settling.promise
    return this.#inFlight === 0
  }

  /**
   * There is a connection: sends what has waited for it.
   *
   * @param first - goes before all that
   */
  open(first: Call | null = null): void {
    this.#isOpen = true
    if (first !== null) this.#dispatch(first)
    for (const call of this.#calls.takeWaiting()) this.#backlog.push(call)
    this.#pump()
  }

  /**
   * The connection is lost: calls in flight fail, and calls bound to it. Others that waited for room wait for the
   * next connection.
   */
  close(failure: CallFailure): void {
    this.#late?.stop()
    this.#isOpen = false
    this.#settling = null
    this.#inFlight = 0
    this.#calls.failInFlight(failure)
    const backlog = this.#backlog.takeAll()
    for (const call of backlog) if (call.isBound) call.fail(failure, false)
    this.#calls.putBack(backlog.filter((call) => !call.isBound))
  }

  /** Fails everything. */
  failAll(failure: CallFailure): void {
    this.#late?.stop()
    this.#isOpen = false
    this.#calls.failInFlight(failure)
    this.#calls.putBack(this.#backlog.takeAll())
    this.#calls.failAll(failure)
  }

  #pump(): void {
    while (this.#isOpen && this.#settling === null && this.#inFlight < this.#inFlightMax) {
      const call = this.#backlog.shift()
      if (call === undefined) return
      this.#dispatch(call)
    }
  }

  #dispatch(call: Call): void {
    this.#inFlight += 1
    this.#calls.sent(call)
    if (this.#inFlight === 1) this.#late?.start()
    this.#send(call)
  }
}
