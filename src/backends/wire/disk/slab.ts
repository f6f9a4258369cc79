/**
 * Copies of many short pieces of bytes, several in one piece of memory: a buffer for each would cost more than what is
 * in it, in time and in memory.
 *
 * Memory    a piece that is kept keeps 8 KiB, which it shares with others that were copied at about the same time.
 */

const SLAB_BYTES = 0x2000
/** Longer pieces get memory of their own. */
const PIECE_BYTES_MAX = SLAB_BYTES / 8
const EMPTY = new Uint8Array()

/** Copies pieces of bytes. */
export class Slab {
  #bytes = EMPTY
  #used = 0

  /** A copy of bytes. It is never written to again. */
  copy(piece: Uint8Array): Uint8Array {
    const { length } = piece
    if (length === 0) return EMPTY
    if (length > PIECE_BYTES_MAX) return piece.slice()
    const start = this.#used + length > this.#bytes.length ? this.#renew() : this.#used
    this.#used = start + length
    this.#bytes.set(piece, start)
    return this.#bytes.subarray(start, this.#used)
  }

  #renew(): number {
    this.#bytes = new Uint8Array(SLAB_BYTES)
    return 0
  }
}
