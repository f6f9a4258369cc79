/**
 * What a session has to send: in the order of the calls, no more at once than the answers of a short while, and nothing
 * that keeps the session alive after what only brings data.
 *
 * Room      a server answers in order, so whatever is sent waits for the answers of all that was sent before it. What
 *           is in flight is bounded by the bytes that its answers are expected to have; the rest waits here. A renewal
 *           is sent before all of that.
 * Again     a write that the server has not counted makes it refuse the writes after it: when all that is in flight is
 *           answered, they are sent again, with new numbers.
 */
import { CALLS_MAX } from '../../core/session/call-queue.ts'
import type { CallQueue } from '../../core/session/call-queue.ts'
import { Fifo } from '../../core/fifo.ts'
import type { Call } from './calls.ts'
import type { ScriptName } from './io/script.ts'
import { ReadBatch } from './read-batch.ts'

/** Sends a script on the present connection. @param count - how many calls it answers: of reads there may be more */
export type SendScript = (script: ScriptName, args: readonly (string | Buffer)[], count: number) => void

/** Bytes of answers that may be on their way, as far as can be told from the answers before them. */
const ANSWER_BYTES_MAX = 1024 * 1024
/** As much is expected of an answer while none has come. */
const ANSWER_BYTES_FIRST = 64 * 1024
/** Scripts that read in flight at most, however short the answers were so far: the next may be long. */
const READ_SCRIPTS_MAX = 32
/** Scripts in flight at most. The answers of those that write are short. */
const SCRIPTS_MAX = 256
/** Part by which an expectation that was too high comes nearer to an answer. */
const CALMING_PART = 1 / 8

/** The calls of one session on their way out; see the head of this file. */
export class ScriptOutbox {
  readonly #calls: CallQueue<Call>
  readonly #send: SendScript
  readonly #reads = new ReadBatch((reads) => this.#sendReads(reads))
  readonly #backlog = new Fifo<Call>()
  #isOpen = false
  #scripts = 0
  /** How many of them read. */
  #readScripts = 0
  #answerBytes = ANSWER_BYTES_FIRST
  /** Number of the latest write that was sent, and of the latest that the server has looked at. */
  #lastRequest = 0
  #lastDone = 0
  /** Calls to be sent again once all that is in flight is answered; null in general. */
  #again: Call[] | null = null
  /** Whether the calls that are sent again have been refused before, with nothing done in between. */
  #refusals = 0

  /** @param calls - where calls in flight, and those that wait for a connection, are kept */
  constructor(calls: CallQueue<Call>, send: SendScript) {
    this.#calls = calls
    this.#send = send
  }

  /** Whether no further call is taken. */
  get isFull(): boolean {
    return this.#calls.isFull || this.#backlog.length >= CALLS_MAX
  }

  /** Number of the latest write that was sent. */
  get lastRequest(): number {
    return this.#lastRequest
  }

  /** Whether calls wait to be sent again. */
  get isRepeating(): boolean {
    return this.#again !== null
  }

  /** There is a connection, on which the session is attached with its latest request: sends what has waited for it. */
  open(): void {
    this.#isOpen = true
    this.#lastDone = this.#lastRequest
    this.#answerBytes = Math.max(this.#answerBytes, ANSWER_BYTES_FIRST)
    for (const call of this.#calls.takeWaiting()) this.#backlog.push(call)
    this.#pump()
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

  /** Sends a call that must not wait for data, unless there is no connection; only one that changes no node. */
  addUrgent(call: Call): void {
    if (this.#isOpen) this.#dispatch(call)
    else this.#calls.wait(call)
  }

  /** A script was answered. @param bytes - how many bytes the answer brought */
  answered(script: ScriptName, bytes: number): void {
    this.#scripts -= 1
    if (script !== 'read') return
    this.#readScripts -= 1
    const excess = this.#answerBytes - bytes
    this.#answerBytes = excess < 0 ? bytes : this.#answerBytes - excess * CALMING_PART
  }

  /** The server has looked at a write, and counted it. */
  done(call: Call): void {
    this.#refusals = 0
    if (call.script === 'write') this.#lastDone = call.request
  }

  /** The server has not counted a write, and refuses the writes after it: they are sent again when all is answered. */
  uncounted(): void {
    this.#again ??= []
  }

  /** The server has not done a call: it is sent again. */
  again(call: Call): void {
    this.#again ??= []
    this.#again.push(call)
  }

  /**
   * Goes on when an answer was looked at.
   *
   * @param forget - has the texts of the scripts sent again
   * @returns false if the server refuses what it was just sent again: it counts otherwise than we do
   */
  resume(forget: () => void): boolean {
    if (this.#again !== null && this.#calls.first === undefined && this.#isOpen) {
      const again = this.#again
      if (again.length > 0 && ++this.#refusals > REFUSALS_MAX) return false
      this.#again = null
      this.#lastRequest = this.#lastDone
      forget()
      for (const call of again) this.#dispatch(call)
    }
    this.#pump()
    return true
  }

  /** The connection is lost: what was not sent waits for the next. What was in flight has been taken out before. */
  close(): void {
    this.#isOpen = false
    this.#reads.drop()
    this.#scripts = 0
    this.#readScripts = 0
    this.#refusals = 0
    this.#calls.putBack(this.takeUnsent())
  }

  /** Takes out what was not sent, in order. */
  takeUnsent(): Call[] {
    const unsent = [...(this.#again ?? []), ...this.#backlog.takeAll()]
    this.#again = null
    return unsent
  }

  #pump(): void {
    while (this.#isOpen && this.#again === null && this.#hasRoom()) {
      const call = this.#backlog.shift()
      if (call === undefined) return
      this.#dispatch(call)
    }
  }

  #hasRoom(): boolean {
    if (this.#scripts >= SCRIPTS_MAX || this.#readScripts >= READ_SCRIPTS_MAX) return false
    return this.#readScripts === 0 || (this.#readScripts + 1) * this.#answerBytes <= ANSWER_BYTES_MAX
  }

  #dispatch(call: Call): void {
    this.#calls.sent(call)
    if (call.script === 'read') {
      this.#reads.add(call)
      return
    }
    this.#reads.flush()
    if (call.script === 'write') call.request = ++this.#lastRequest
    const number = call.script === 'write' ? [String(call.request)] : []
    this.#scripts += 1
    this.#send(call.script, [...number, ...call.args], 1)
  }

  #sendReads(reads: readonly Call[]): void {
    if (!this.#isOpen) return
    this.#scripts += 1
    this.#readScripts += 1
    this.#send('read', reads.flatMap(({ args }) => args), reads.length)
  }
}

/** How often calls are sent again in a row without one that is done. */
const REFUSALS_MAX = 3
