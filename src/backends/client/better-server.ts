/**
 * The way of a session to a better server than the one that it is on.
 *
 * Majority  from a server that has none, and can be read from only, to one that has: at once (read-write-search.ts).
 * Preferred from any server to one that the dialer prefers, when that is available: the present one is sent nothing
 *           more, and left when it has answered everything, so that no call fails of it.
 */
import type { Dialer } from './channel.ts'
import type { ClientOutbox } from './outbox.ts'
import { ReadWriteSearch } from './read-write-search.ts'

/** The searches of one session, of which one runs while it is attached. */
export class BetterServer {
  readonly #dialer: Dialer
  readonly #outbox: () => ClientOutbox
  readonly #move: (reason: string) => void
  readonly #readWrite: ReadWriteSearch
  /** Aborted once the present connection is lost. */
  #stopped = new AbortController()

  /**
   * Makes searches that have not begun.
   *
   * @param outbox - the calls of the session
   * @param move - leaves the present server; the better one is dialled next
   */
  constructor(dialer: Dialer, outbox: () => ClientOutbox, move: (reason: string) => void) {
    this.#dialer = dialer
    this.#outbox = outbox
    this.#move = move
    this.#readWrite = new ReadWriteSearch(dialer, () => {
      move('another server has a majority')
    })
  }

  /** A server has attached the session. */
  start(isReadOnly: boolean): void {
    this.stop()
    if (isReadOnly) this.#readWrite.start()
    else void this.#goToPreferred(this.#stopped.signal)
  }

  /** The server is lost. Idempotent. */
  stop(): void {
    this.#readWrite.stop()
    this.#stopped.abort()
    this.#stopped = new AbortController()
  }

  async #goToPreferred(signal: AbortSignal): Promise<void> {
    if (this.#dialer.preferred === undefined) return
    const isThere = await this.#dialer.preferred(signal)
    while (isThere && !signal.aborted) {
      // An urgent call is sent all the same; it may come between the last answer and this turn.
      if (await this.#outbox().settle() && !signal.aborted) this.#move('another server is preferred')
    }
  }
}
