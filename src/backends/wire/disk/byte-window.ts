/**
 * The bytes of a stream that were received and not consumed yet.
 *
 * Memory    the bytes that the reader waits with, at most doubled. A chunk is looked at in place, or in memory that it
 *           shares with the bytes before it and nothing else.
 */
import { ADLER_START, adler32 } from './checksums.ts'

const EMPTY = new Uint8Array()
const CAPACITY_BYTES_MIN = 0x1000

/** A window that moves over a stream of chunks. */
export class ByteWindow {
  #bytes: Uint8Array = EMPTY
  #start = 0
  #end = 0
  #isOwn = false
  #offset = 0

  /** Whether the memory of its bytes will be used again for others. */
  get isReused(): boolean {
    return this.#isOwn
  }

  /** Where in the stream the window begins. */
  get offset(): number {
    return this.#offset
  }

  /** Number of bytes in the window. */
  get length(): number {
    return this.#end - this.#start
  }

  /** Adds the next chunk of the stream. */
  push(chunk: Uint8Array): void {
    // Of many small chunks, each is added to those before it; a large one takes the little before it with it.
    if (chunk.length >= this.length) {
      this.#bytes = this.length === 0 ? chunk : joined(this.view(), chunk)
      this.#start = 0
      this.#end = this.#bytes.length
      this.#isOwn = false
      return
    }
    this.#reserve(chunk.length)
    this.#bytes.set(chunk, this.#end)
    this.#end += chunk.length
  }

  /**
   * Bytes of the window, all by default, as a view that is good until the next call of another method.
   *
   * @param end - how far from the beginning of the window they end
   * @param from - and where they begin
   */
  view(end: number = this.length, from = 0): Uint8Array {
    return this.#bytes.subarray(this.#start + from, this.#start + end)
  }

  /** The Adler-32 of the bytes from one distance from the beginning of the window to another, which are in it. */
  adler32(from: number, to: number): number {
    return adler32(this.#bytes, ADLER_START, this.#start + from, this.#start + to)
  }

  /** The byte at a distance from the beginning of the window, which must be in it. */
  byte(at: number): number {
    return this.#bytes[this.#start + at] as number
  }

  /** The signed integer at a distance from the beginning of the window, which must be in it. */
  int32(at: number): number {
    return (this.byte(at) << 24) | (this.byte(at + 1) << 16) | (this.byte(at + 2) << 8) | this.byte(at + 3)
  }

  /** Moves on: the first bytes leave the window. */
  consume(length: number): void {
    this.#start += length
    this.#offset += length
  }

  /** Lets go of the chunk that was pushed last: a copy is kept of what is not consumed. */
  settle(): void {
    if (this.#isOwn) return
    const rest = this.view()
    this.#bytes = EMPTY
    this.#start = 0
    this.#end = 0
    this.#isOwn = true
    if (rest.length === 0) return
    this.#reserve(rest.length)
    this.#bytes.set(rest)
    this.#end = rest.length
  }

  /** Makes room for this many bytes after the last one. */
  #reserve(length: number): void {
    const { length: kept } = this
    if (this.#isOwn && this.#end + length <= this.#bytes.length) return
    if (this.#isOwn && kept + length <= this.#bytes.length / 2) {
      this.#bytes.copyWithin(0, this.#start, this.#end)
    } else {
      const grown = new Uint8Array(Math.max(CAPACITY_BYTES_MIN, 2 * (kept + length)))
      grown.set(this.view())
      this.#bytes = grown
      this.#isOwn = true
    }
    this.#start = 0
    this.#end = kept
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length)
  bytes.set(first)
  bytes.set(second, first.length)
  return bytes
}
