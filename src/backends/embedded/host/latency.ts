/**
 * Times from a request to its reply, in whole milliseconds: least, greatest, average, and percentiles.
 *
 * Percentiles  of everything since the last reset: each time counts in a box. Up to a second the boxes are exact, above
 *              that they are 1/64 of their times wide. Of the reference's, which keeps 4,096 times by chance, they are
 *              the exact form.
 * Source       AvgMinMaxCounter.java, AvgMinMaxPercentileCounter.java.
 */

/** Times below this have a box each; a power of two. */
const EXACT_MS = 1_024
const EXACT_BITS = 10
/** Boxes per doubling above that. */
const BOXES_BITS = 6
const BOXES = 2 ** BOXES_BITS
/** Longer times count as this: twelve days. */
const MS_MAX = 2 ** 30 - 1
const BOX_COUNT = EXACT_MS + (30 - EXACT_BITS) * BOXES

/** Least, greatest and average of what was measured, in milliseconds. */
export class Latency {
  #min = 0
  #max = 0
  #sum = 0
  #count = 0

  /** Takes a measurement. */
  add(ms: number): void {
    this.#min = this.#count === 0 ? ms : Math.min(this.#min, ms)
    this.#max = Math.max(this.#max, ms)
    this.#sum += ms
    this.#count += 1
  }

  /** Least; 0 before the first. */
  get min(): number {
    return this.#min
  }

  /** Greatest; 0 before the first. */
  get max(): number {
    return this.#max
  }

  /** Average; 0 before the first. */
  get average(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count
  }

  /** How many there were. */
  get count(): number {
    return this.#count
  }

  /** All of them together. */
  get sum(): number {
    return this.#sum
  }

  /** Forgets everything. */
  reset(): void {
    this.#min = 0
    this.#max = 0
    this.#sum = 0
    this.#count = 0
  }
}

/** Times with their percentiles. */
export class LatencySummary {
  readonly times = new Latency()
  readonly #boxes = new Uint32Array(BOX_COUNT)

  /** Takes a measurement: whole milliseconds. */
  add(ms: number): void {
    this.times.add(ms)
    const box = boxOf(Math.min(ms, MS_MAX))
    this.#boxes[box] = (this.#boxes[box] ?? 0) + 1
  }

  /**
   * The times below or at which these shares of all are; 0 before the first.
   *
   * @param shares - from 0 to 1, ascending
   */
  percentiles(shares: readonly number[]): number[] {
    const ranks = shares.map((share) => Math.max(1, Math.ceil(share * this.times.count)))
    const found: number[] = []
    let seen = 0
    for (const [box, count] of this.#boxes.entries()) {
      seen += count
      while (found.length < ranks.length && seen >= (ranks[found.length] ?? 0)) {
        found.push(Math.min(greatestIn(box), this.times.max))
      }
      if (found.length === ranks.length) return found
    }
    return ranks.map(() => 0)
  }

  /** Forgets everything. */
  reset(): void {
    this.times.reset()
    this.#boxes.fill(0)
  }
}

function boxOf(ms: number): number {
  if (ms < EXACT_MS) return ms
  const doublings = Math.floor(Math.log2(ms)) - EXACT_BITS
  return EXACT_MS + doublings * BOXES + ((ms >>> (doublings + EXACT_BITS - BOXES_BITS)) - BOXES)
}

function greatestIn(box: number): number {
  if (box < EXACT_MS) return box
  const doublings = (box - EXACT_MS) >>> BOXES_BITS
  const within = BOXES + ((box - EXACT_MS) & (BOXES - 1))
  return ((within + 1) << (doublings + EXACT_BITS - BOXES_BITS)) - 1
}
