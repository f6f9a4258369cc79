/** Reads that are called in one turn of the event loop, which go to the server as one script. */
import type { Call } from './calls.ts'

/**
 * Reads in one script at most. A script stops all others; and nothing is heard of a server before an answer is there
 * in full, so that one with many large nodes would look like silence on a slow line.
 */
const READS_MAX = 4

/** Gathers reads; see the head of this file. */
export class ReadBatch {
  readonly #send: (reads: readonly Call[]) => void
  #reads: Call[] = []

  /** @param send - sends reads, in this order; called when the turn is over or something else is about to be sent */
  constructor(send: (reads: readonly Call[]) => void) {
    this.#send = send
  }

  /** Takes a read. */
  add(read: Call): void {
    this.#reads.push(read)
    if (this.#reads.length === READS_MAX) this.flush()
    else if (this.#reads.length === 1) queueMicrotask(() => this.flush())
  }

  /** Sends what there is: nothing may overtake it. */
  flush(): void {
    const reads = this.#reads
    this.#reads = []
    if (reads.length > 0) this.#send(reads)
  }

  /** The connection is lost, and whoever waits for them has been told. */
  drop(): void {
    this.#reads = []
  }
}
