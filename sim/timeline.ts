/** The value at each zxid: every change is kept, the newest is found at once, an older one by halving. */
export class Timeline<T> {
  readonly #zxids: bigint[] = []
  readonly #values: T[] = []

  /** Notes a change; zxids never fall, and a second change at one zxid replaces the first. */
  set(zxid: bigint, value: T): void {
    const last = this.#zxids.length - 1
    if (this.#zxids[last] === zxid) {
      this.#values[last] = value
      return
    }
    this.#zxids.push(zxid)
    this.#values.push(value)
  }

  /** The value now; undefined before the first change. */
  get latest(): T | undefined {
    return this.#values.at(-1)
  }

  /** The value once everything up to this zxid was done; undefined before the first change. */
  at(zxid: bigint): T | undefined {
    return this.#values[this.#countThrough(zxid) - 1]
  }

  /** The zxid of the first change after this one; null if there is none yet. */
  nextAfter(zxid: bigint): bigint | null {
    return this.#zxids[this.#countThrough(zxid)] ?? null
  }

  /** How many changes are not after this zxid. */
  #countThrough(zxid: bigint): number {
    let high = this.#zxids.length
    // Nearly always the newest is asked for.
    if ((this.#zxids[high - 1] ?? 0n) <= zxid) return high
    let low = 0
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#zxids[middle] ?? 0n) <= zxid) low = middle + 1
      else high = middle
    }
    return low
  }
}
