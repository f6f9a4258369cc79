/**
 * Sizes of messages that were sent, in bytes: the last, the least and the greatest, each -1 before the first.
 *
 * Source    BufferStats.java of ZooKeeper 3.8.
 */

const NONE = -1

/** The last, least and greatest of the sizes that were added. */
export class SizeStats {
  #last = NONE
  #min = NONE
  #max = NONE

  /** The size of the last message. */
  get last(): number {
    return this.#last
  }

  /** The least. */
  get min(): number {
    return this.#min
  }

  /** The greatest. */
  get max(): number {
    return this.#max
  }

  /** Takes a size. */
  add(bytes: number): void {
    this.#last = bytes
    if (this.#min === NONE || bytes < this.#min) this.#min = bytes
    if (bytes > this.#max) this.#max = bytes
  }

  /** Forgets everything. */
  reset(): void {
    this.#last = NONE
    this.#min = NONE
    this.#max = NONE
  }
}
