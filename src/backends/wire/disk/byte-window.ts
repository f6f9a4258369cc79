/**
 * The bytes of a stream that were received and not consumed yet.
 *
 * Memory    the bytes that the reader waits with, at most doubled. A chunk is looked at in place, or in memory that it
 *           shares with the bytes before it and nothing else.
 */

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

  /** The first bytes of the window, as a view that is good until the next call of another method. */
  view(length: number = this.length): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#start + length)
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
