/**
 * The calls of a session on their way out: in their order, no more at once than the answers of a short while, and a
 * renewal of the session before all that only brings data.
 *
 * Room      a server answers in order, so whatever is sent waits for the answers of all that was sent before it. The
 *           calls in flight are bounded by the bytes that their answers are expected to have; the rest waits. A renewal
 *           is sent before all of that.
 * Reads     those that are called in one turn of the event loop are sent as one script.
 * Again     which calls are sent again, and when, is the matter of resend.ts.
 */
import { CALLS_MAX } from '../../core/session/call-queue.ts'
import type { CallQueue } from '../../core/session/call-queue.ts'
import { Fifo } from '../../core/fifo.ts'
import type { Call } from './calls.ts'
import type { ScriptName } from './io/script.ts'
import { Resend } from './resend.ts'

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

/**
 * Reads in one script at most. A script stops all others; and nothing is heard of a server before an answer is there
 * in full, so that one with many large nodes would look like silence on a slow line.
 */
const READS_MAX = 4

/** Sends the calls of one session. */
export class ScriptOutbox {
  readonly #calls: CallQueue<Call>
  readonly #send: SendScript
  readonly #reads = new ReadBatch((reads) => this.#sendReads(reads))
  readonly #backlog = new Fifo<Call>()
  readonly #resend = new Resend()
  #isOpen = false
  #scripts = 0
  /** How many of them read. */
  #readScripts = 0
  #answerBytes = ANSWER_BYTES_FIRST

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
    return this.#resend.lastRequest
  }

  /** Whether calls wait to be sent again. */
  get isRepeating(): boolean {
    return this.#resend.isUnderWay
  }

  /** There is a connection, on which the session is attached with its latest request: sends what has waited for it. */
  open(): void {
    this.#isOpen = true
    this.#resend.attached()
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
    this.#resend.done(call)
  }

  /** The server has not counted a write, and refuses the writes after it: they are sent again when all is answered. */
  uncounted(): void {
    this.#resend.uncounted()
  }

  /** The server has not done a call: it is sent again. */
  again(call: Call): void {
    this.#resend.keep(call)
  }

  /**
   * Continues once an answer was looked at.
   *
   * @param forget - has the texts of the scripts sent again
   * @returns false if the server refuses what it was just sent again: it counts otherwise than we do
   */
  resume(forget: () => void): boolean {
    if (this.#resend.isUnderWay && this.#calls.first === undefined && this.#isOpen) {
      const again = this.#resend.begin()
      if (again === null) return false
      forget()
      for (const call of again) this.#dispatch(call)
    }
    this.#pump()
    return true
  }

  /** The connection is lost: calls not yet sent wait for the next. Those in flight have been taken out before. */
  close(): void {
    this.#isOpen = false
    this.#reads.drop()
    this.#scripts = 0
    this.#readScripts = 0
    this.#calls.putBack(this.takeUnsent())
  }

  /** Takes out what was not sent, in order. */
  takeUnsent(): Call[] {
    return [...this.#resend.drop(), ...this.#backlog.takeAll()]
  }

  #pump(): void {
    while (this.#isOpen && !this.#resend.isUnderWay && this.#hasRoom()) {
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
    if (call.script === 'write') call.request = this.#resend.next()
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

/** Gathers the reads of one turn. */
export class ReadBatch {
  readonly #send: (reads: readonly Call[]) => void
  #reads: Call[] = []

  /** @param send - sends reads, in this order; called when the turn is over or something else is about to be sent */
  constructor(send: (reads: readonly Call[]) => void) {
    this.#send = send
  }

  /** Takes a read. */
  add(read: Call): void {
    this.#reads.push(read)
    if (this.#reads.length === READS_MAX) this.flush()
    else if (this.#reads.length === 1) queueMicrotask(() => this.flush())
  }

  /** Sends what there is: nothing may overtake it. */
  flush(): void {
    const reads = this.#reads
    this.#reads = []
    if (reads.length > 0) this.#send(reads)
  }

  /** The connection is lost, and whoever waits for them has been told. */
  drop(): void {
    this.#reads = []
  }
}
