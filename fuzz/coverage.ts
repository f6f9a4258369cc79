/**
 * The places of the code that an input reaches, and whether any was not reached before, or not as often.
 *
 * Model     instrumented code (instrument.ts) counts in one table of the process; without it the table stays empty, and
 *           nothing leads the way.
 * Source    AFL's buckets of counts.
 */

/** Most places that there may be. */
export const PLACES_MAX = 0x10000

/** The name under which instrumented code finds its table. */
export const TABLE_NAME = 'quorateReached'

/** The table of this process. */
function table(): Uint8Array {
  const holder = globalThis as { [TABLE_NAME]?: Uint8Array }
  return (holder[TABLE_NAME] ??= new Uint8Array(PLACES_MAX))
}

/** A bit for each order of magnitude. */
const BUCKETS = Uint8Array.from({ length: 256 }, (_, count) => {
  if (count <= 3) return count === 3 ? 4 : count
  if (count <= 7) return 8
  if (count <= 15) return 16
  if (count <= 31) return 32
  return count <= 127 ? 64 : 128
})

/** The places that a run has reached. */
export class Coverage {
  readonly #counts = table()
  /** The same four at a time: most are 0. */
  readonly #fours = new Int32Array(this.#counts.buffer)
  readonly #seen = new Uint8Array(PLACES_MAX)
  #places = 0

  /** How many places were reached. */
  get places(): number {
    return this.#places
  }

  /** Forgets what the last input did. */
  reset(): void {
    this.#counts.fill(0)
  }

  /** Whether what has run since the reset reached something new; it is known from now on. */
  take(): boolean {
    let isNew = false
    for (let four = 0; four < this.#fours.length; four++) {
      if (this.#fours[four] !== 0 && this.#takeFour(4 * four)) isNew = true
    }
    return isNew
  }

  #takeFour(first: number): boolean {
    let isNew = false
    for (let place = first; place < first + 4; place++) {
      const count = this.#counts[place] ?? 0
      if (count === 0) continue
      const bucket = BUCKETS[count] ?? 0
      const seen = this.#seen[place] ?? 0
      if ((seen & bucket) !== 0) continue
      if (seen === 0) this.#places += 1
      this.#seen[place] = seen | bucket
      isNew = true
    }
    return isNew
  }
}
