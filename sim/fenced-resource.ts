/**
 * A resource that is guarded by a lock, and guards itself: it keeps the greatest fencing token that it was shown and
 * refuses a write with a smaller one.
 *
 * This is the half of mutual exclusion that no lock service can give: a holder that was paused does not know that it
 * has lost its lock, and writes. Only what is written to can tell.
 */

export class FencedResource {
  #token = 0n
  #accepted = 0
  #refused = 0

  /** The greatest token that it was shown. */
  get token(): bigint {
    return this.#token
  }

  /** How many writes it accepted. */
  get accepted(): number {
    return this.#accepted
  }

  /** How many writes it refused, since a greater token had been there before. */
  get refused(): number {
    return this.#refused
  }

  /**
   * Writes.
   *
   * @param token - of the lease under which the write is made
   * @returns whether it was accepted
   */
  write(token: bigint): boolean {
    if (token < this.#token) {
      this.#refused += 1
      return false
    }
    this.#token = token
    this.#accepted += 1
    return true
  }
}
