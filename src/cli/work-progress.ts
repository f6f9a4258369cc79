/**
 * How far long work is, on a line of the terminal that is drawn again and again and is gone at the end.
 *
 * Quiet     without a terminal on standard error, and for work that is done within half a second. So nothing of it is
 *           ever in a file, in a pipe or in the log of a script.
 */

/** Where it is drawn. */
export interface ProgressScreen {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** How work is reported. */
export interface ProgressOptions {
  /** The things that are counted, such as `nodes exported`. */
  readonly what: string
  /** How many there are; null if nobody knows. */
  readonly total?: number | null
  /** Whether the results go to the same terminal, where the line would be among them. */
  readonly isBesideResults?: boolean
  readonly screen?: ProgressScreen
}

const FIRST_MS = 500
const EVERY_MS = 100
const ERASE = '\r\u001b[K'

/** How far long work is, shown on the terminal. End it when the work has ended, however it does. */
export class WorkProgress {
  readonly #what: string
  readonly #total: number | null
  readonly #screen: ProgressScreen | null
  #done = 0
  #nextMs = performance.now() + FIRST_MS
  #isDrawn = false

  /** Begins. */
  constructor({ what, total = null, isBesideResults = false, screen = process.stderr }: ProgressOptions) {
    this.#what = what
    this.#total = total
    this.#screen = screen.isTTY === true && !isBesideResults ? screen : null
  }

  /** Takes in that so much more is done. */
  add(count: number): void {
    this.#done += count
    if (this.#screen === null || performance.now() < this.#nextMs) return
    this.#nextMs = performance.now() + EVERY_MS
    this.#isDrawn = true
    const of = this.#total === null ? '' : ` of ${this.#total.toLocaleString('en')}`
    this.#screen.write(`${ERASE}${this.#done.toLocaleString('en')}${of} ${this.#what}`)
  }

  /** Takes the line away. Idempotent. */
  end(): void {
    if (this.#isDrawn) this.#screen?.write(ERASE)
    this.#isDrawn = false
  }
}
