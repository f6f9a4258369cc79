/**
 * The reading of a node, or of a list of children, that is repeated, and its watch.
 */
import type { Client, ReadOptions } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'

/**
 * One thing that a mirror keeps reading, the data of a node or its list of children, and the watch that goes with it.
 *
 * A watch counts as armed from when its read is sent: its event may come before the code after the read runs again.
 */
export class WatchedRead {
  readonly #client: Client
  readonly #path: string
  readonly #onEvent: () => void
  #isArmed = false
  #isOver = false

  /**
   * Makes it; nothing is sent.
   *
   * @param path - the node that is read
   * @param onEvent - called when the watch has fired: the result of the last read may be stale
   */
  constructor(client: Client, path: string, onEvent: () => void) {
    this.#client = client
    this.#path = path
    this.#onEvent = onEvent
  }

  /** Whether a change of what was read would be heard. */
  get isArmed(): boolean {
    return this.#isArmed
  }

  /**
   * Reads, and arms the watch unless it is armed already.
   *
   * @param send - makes the call
   * @param onFailure - called before this rejects: it has to be read again
   * @returns null if there is no such node, or it is over; then nothing is armed
   */
  async read<R>(send: (options: ReadOptions) => Promise<R>, onFailure: () => void): Promise<R | null> {
    if (this.#isOver) return null
    const options = this.#isArmed ? {} : { watch: this.#fire }
    this.#isArmed = true
    try {
      return await send(options)
    } catch (error) {
      this.#disarm()
      if (isCoordinationError(error, 'NO_NODE')) return null
      onFailure()
      throw error
    }
  }

  /** Takes the watch back, also that of a read that is on its way, and reads no more. */
  end(): void {
    this.#isOver = true
    this.#disarm()
  }

  /** Notes that the session is over, and the watch with it. */
  forgetWatch(): void {
    this.#isArmed = false
  }

  readonly #fire = (): void => {
    this.#isArmed = false
    this.#onEvent()
  }

  #disarm(): void {
    this.#client.unwatch(this.#path, this.#fire)
    this.#isArmed = false
  }
}
