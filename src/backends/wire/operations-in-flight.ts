/**
 * The operations that wait for their replies on one connection: on the wire, a reply names its xid only.
 *
 * Model     a ring of (xid, operation, time, length) in the order of the requests. Nearly all replies come in that
 *           order, so a look-up nearly always finds the first entry.
 */
import { violation } from './jute.ts'

const INITIAL_ENTRIES = 8
/** More requests than this in flight on one connection are a breach of the protocol. */
const ENTRIES_MAX = 0x20_0000

/** Numbers of an entry: xid, operation, time and length. */
const STRIDE = 4
const LENGTH_AT = 3
const EMPTY = new Int32Array()

/** A request that is answered. */
export interface AnsweredOperation {
  op: number
  /** When it came or went, in milliseconds of whatever clock it was given with. */
  atMs: number
}

/** Requests in flight on one connection. */
export class OperationsInFlight {
  /** Its size is a power of two. */
  #ring = EMPTY
  #first = 0
  #count = 0
  #bytes = 0

  /** Length of all of them, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** How many there are. */
  get count(): number {
    return this.#count
  }

  /** A request goes out, or comes in. */
  push(xid: number, op: number, atMs: number, bytes = 0): void {
    if (STRIDE * this.#count === this.#ring.length) this.#grow()
    const at = this.#at(this.#count)
    this.#ring[at] = xid
    this.#ring[at + 1] = op
    this.#ring[at + 2] = atMs
    this.#ring[at + LENGTH_AT] = bytes
    this.#bytes += bytes
    this.#count += 1
  }

  /**
   * The earliest request with this xid is answered now.
   *
   * @param op - its operation; null for whoever reads a reply, and only then learns it. A client may use one xid for
   * many requests at once, and their replies are not in their order.
   * @param into - where to put what is known of it
   * @returns whether there is one
   */
  take(xid: number, op: number | null, into: AnsweredOperation): boolean {
    for (let i = 0; i < this.#count; i++) {
      const at = this.#at(i)
      if (this.#ring[at] !== xid || (op !== null && this.#ring[at + 1] !== op)) continue
      into.op = this.#ring[at + 1] ?? 0
      into.atMs = this.#ring[at + 2] ?? 0
      this.#bytes -= this.#ring[at + LENGTH_AT] ?? 0
      // Those before it move up; most often there are none.
      for (let j = i; j > 0; j--) this.#ring.copyWithin(this.#at(j), this.#at(j - 1), this.#at(j - 1) + STRIDE)
      this.#first = this.#at(1)
      this.#count -= 1
      return true
    }
    return false
  }

  #at(index: number): number {
    return (this.#first + STRIDE * index) & (this.#ring.length - 1)
  }

  #grow(): void {
    if (this.#count >= ENTRIES_MAX) throw violation(`more than ${ENTRIES_MAX} requests in flight`)
    const ring = new Int32Array(Math.max(STRIDE * INITIAL_ENTRIES, 2 * this.#ring.length))
    for (let i = 0; i < this.#count; i++) ring.set(this.#ring.subarray(this.#at(i), this.#at(i) + STRIDE), STRIDE * i)
    this.#ring = ring
    this.#first = 0
  }
}
