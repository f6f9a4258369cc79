/** The calls of one session that have no answer yet: in flight on the present connection, or waiting for the next. */
import { Deadline } from '../../core/async.ts'
import { CoordinationError } from '../../core/errors.ts'
import type { ErrorCode, Outcome } from '../../core/errors.ts'
import { Fifo } from '../../core/fifo.ts'
import type { Reply } from './reply.ts'
import type { ScriptName } from './io/script.ts'
import type { Watch } from './watches.ts'

/** Calls without an answer that one session holds, in flight and waiting; more are refused as not sent. */
const CALLS_MAX = 65_536

/** What a call fails with. */
export interface CallFailure {
  readonly code: ErrorCode
  readonly message: string
  /** The outcome of what was not sent, or changes nothing; a write that was sent is `unknown`. */
  readonly outcome: Outcome
}

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

const TOO_MANY: CallFailure = {
  code: 'CONNECTION_LOSS',
  message: `${CALLS_MAX} calls of this session wait for their answers`,
  outcome: 'not-sent',
}
const WAITED: CallFailure = { code: 'CONNECTION_LOSS', message: 'no server was in touch in time', outcome: 'not-sent' }

/** Rejects a call. @param sent - whether it may have reached a server */
export function failCall(call: Call, { code, message, outcome }: CallFailure, sent: boolean): void {
  const ended = sent && call.script === 'write' ? 'unknown' : outcome
  const where = call.path === '' ? {} : { path: call.path }
  call.reject(new CoordinationError(code, message, { outcome: ended, ...where }))
}

/** The calls of one session; see the head of this file. */
export class CallQueue {
  readonly #waitMsMax: number
  readonly #fail: (call: Call, failure: CallFailure, sent: boolean) => void
  readonly #inFlight = new Fifo<Call>()
  #waiting = new Fifo<Call>()
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
   * @param fail - ends a call that is taken out without an answer
   */
  constructor(waitMsMax: number, fail: (call: Call, failure: CallFailure, sent: boolean) => void) {
    this.#waitMsMax = waitMsMax
    this.#fail = fail
  }

  /** Why no further call is taken; null if one is. */
  get fullness(): CallFailure | null {
    return this.#inFlight.length + this.#waiting.length >= CALLS_MAX ? TOO_MANY : null
  }

  /** Whether no answer is outstanding. */
  get isQuiet(): boolean {
    return this.#inFlight.length === 0
  }

  /** Takes a call that waits for a connection. */
  wait(call: Call): void {
    call.sentAtMs = performance.now()
    this.#waiting.push(call)
    if (this.#waitMsMax !== Infinity && this.#waiting.length === 1) this.#overdue.start()
  }

  /** Takes calls back that a server has not done, before all that wait. */
  putBack(calls: readonly Call[]): void {
    const rest = this.#waiting.takeAll()
    for (const call of [...calls, ...rest]) this.wait(call)
  }

  /** Takes a call that is sent now. */
  sent(call: Call): void {
    call.sentAtMs = performance.now()
    this.#inFlight.push(call)
  }

  /** Takes out the call whose answer has come. */
  takeAnswered(): Call | undefined {
    return this.#inFlight.shift()
  }

  /** Takes out the calls that waited, in order. */
  takeWaiting(): Call[] {
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
