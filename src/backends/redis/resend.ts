/**
 * The numbers of a session's writes, and the calls that have to be sent again.
 *
 * Problem    many scripts are in flight at once, and a server that fails one of them goes on with the next. A later
 *            write must not overtake one that was refused, and a read must not tell of a state before it.
 * Invariant  writes are numbered in the order of their calls. The server has looked at exactly the writes up to
 *            `#lastDone`, each once; it does none but the next, so those in flight after one that it has not counted
 *            are all refused (ORDER), and have changed nothing.
 * Protocol   1. A write is not counted (the server failed it, or does not know its text): from here on nothing new is
 *               sent, and every call in flight that comes back undone is kept, in order. So is every read: a server
 *               that refused the write before it has answered it too early.
 *            2. When nothing is in flight any more, numbering goes back to the last write that was done, and the kept
 *               calls are sent again before all others.
 *            3. A server that refuses the same calls again and again counts otherwise than we do: the connection is
 *               left, and the calls wait for the next.
 * Moves      a new attachment tells the server the number of the last write that was sent: it looks at none of an older
 *            connection after that, so whatever was in flight there is unknown and stays so.
 */
import type { Call } from './calls.ts'

/** How often calls are sent again in a row without one that is done. */
const REFUSALS_MAX = 3

/** Which write comes next, and what goes before it again. */
export class Resend {
  /** Number of the latest write that was sent, and of the latest that the server has looked at. */
  #lastRequest = 0
  #lastDone = 0
  /** Calls to be sent again once all that is in flight is answered; null while nothing has to be. */
  #kept: Call[] | null = null
  /** How often the kept calls were refused, with nothing done in between. */
  #refusals = 0

  /** Number of the latest write that was sent. */
  get lastRequest(): number {
    return this.#lastRequest
  }

  /** Whether calls wait to be sent again, and nothing new may be sent. */
  get isUnderWay(): boolean {
    return this.#kept !== null
  }

  /** A session is attached with its latest request: all writes sent before are settled. */
  attached(): void {
    this.#lastDone = this.#lastRequest
  }

  /** The number of the next write. */
  next(): number {
    this.#lastRequest += 1
    return this.#lastRequest
  }

  /** The server has looked at a call, and has counted it if it is a write. */
  done(call: Call): void {
    this.#refusals = 0
    if (call.script === 'write') this.#lastDone = call.request
  }

  /** The server has failed a write without counting it. */
  uncounted(): void {
    this.#kept ??= []
  }

  /** The server has not done a call. */
  keep(call: Call): void {
    this.#kept ??= []
    this.#kept.push(call)
  }

  /**
   * Begins to send again; only when nothing is in flight.
   *
   * @returns the calls to send, in order; null if the server refuses them again and again
   */
  begin(): readonly Call[] | null {
    const kept = this.#kept ?? []
    if (kept.length > 0 && ++this.#refusals > REFUSALS_MAX) return null
    this.#kept = null
    this.#lastRequest = this.#lastDone
    return kept
  }

  /** The connection is lost: gives up the calls that were to be sent again. */
  drop(): readonly Call[] {
    const kept = this.#kept ?? []
    this.#kept = null
    this.#refusals = 0
    return kept
  }
}
