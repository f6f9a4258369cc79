/**
 * The search for a server that has a majority, while a session is on one that has none and can be read from only.
 *
 * Model     one server after the other is asked, with pauses that double; the session moves to the first that has one.
 * Source    ClientCnxn.SendThread.pingRwServer of ZooKeeper 3.8.
 */
import type { Dialer } from './channel.ts'

const PAUSE_MS_MIN = 100
const PAUSE_MS_MAX = 60_000

/** One search. */
export class ReadWriteSearch {
  readonly #dialer: Dialer
  readonly #onFound: () => void
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Counts the searches: an answer to a search that has ended is ignored. */
  #round = 0

  /**
   * Makes a search that has not begun.
   *
   * @param onFound - called once per search: the server will be dialled next
   */
  constructor(dialer: Dialer, onFound: () => void) {
    this.#dialer = dialer
    this.#onFound = onFound
  }

  /** Begins to search. */
  start(): void {
    this.stop()
    this.#askLater(this.#round, PAUSE_MS_MIN)
  }

  /** Ends the search. Idempotent. */
  stop(): void {
    this.#round += 1
    clearTimeout(this.#timer)
  }

  #askLater(round: number, pauseMs: number): void {
    this.#timer = setTimeout(() => {
      void this.#ask(round, pauseMs)
    }, pauseMs)
  }

  async #ask(round: number, pauseMs: number): Promise<void> {
    const isFound = (await this.#dialer.findReadWrite?.()) ?? false
    if (round !== this.#round) return
    if (isFound) this.#onFound()
    else this.#askLater(round, Math.min(2 * pauseMs, PAUSE_MS_MAX))
  }
}
