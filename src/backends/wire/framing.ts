/**
 * Frames: int32 length + that many bytes, cut out of a stream that comes in chunks of any size.
 *
 * Safety    a length is judged before anything is reserved for it, and what is reserved grows with the bytes that have
 *           come: whoever only announces a long frame costs nothing.
 * Cost      a frame that lies in one chunk is a view of it; only one that is cut in two is copied.
 * Source    NIOServerCnxn.readLength, ClientCnxnSocket.readLength.
 */
import { violation } from './jute.ts'

/** Longest frame that is accepted by default, without its length: ZooKeeper's jute.maxbuffer. */
export const FRAME_BYTES_MAX = 0xfffff

const LENGTH_BYTES = 4
/** The first size of the buffer for a frame that arrives in several chunks. */
const PARTIAL_BYTES_MIN = 512

/** Cuts one stream into frames. */
export class FrameReader {
  readonly #bytesMax: number
  /** The beginning of a frame, with its length; null at a border of frames. */
  #partial: Uint8Array | null = null
  #partialBytes = 0

  /**
   * Makes a reader at the beginning of a stream.
   *
   * @param bytesMax - longest frame, without its length
   */
  constructor(bytesMax: number = FRAME_BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  /** Bytes that have come of a frame that is not complete, with its length. */
  get pendingBytes(): number {
    return this.#partialBytes
  }

  /**
   * Takes the next chunk of the stream.
   *
   * @param chunk - must not be modified afterwards: frames are views of it
   * @param onFrame - called for each frame that is complete with this chunk, in order
   * @throws CoordinationError `PROTOCOL_VIOLATION` if a length is negative or too large; the stream is unusable then
   */
  push(chunk: Uint8Array, onFrame: (frame: Uint8Array) => void): void {
    let offset = this.#partial === null ? 0 : this.#complete(this.#partial, chunk, onFrame)
    while (chunk.length - offset >= LENGTH_BYTES) {
      const start = offset + LENGTH_BYTES
      const end = start + this.#lengthAt(chunk, offset)
      if (end > chunk.length) break
      offset = end
      onFrame(new Uint8Array(chunk.buffer, chunk.byteOffset + start, end - start))
    }
    if (offset < chunk.length) this.#keep(chunk, offset)
  }

  /** Goes on with a frame that has begun; returns where what belongs to the next one starts in the chunk. */
  #complete(partial: Uint8Array, chunk: Uint8Array, onFrame: (frame: Uint8Array) => void): number {
    let offset = 0
    while (this.#partialBytes < LENGTH_BYTES && offset < chunk.length) {
      partial[this.#partialBytes] = chunk[offset] ?? 0
      this.#partialBytes += 1
      offset += 1
    }
    if (this.#partialBytes < LENGTH_BYTES) return offset
    const frameEnd = LENGTH_BYTES + this.#lengthAt(partial, 0)
    const taken = Math.min(frameEnd - this.#partialBytes, chunk.length - offset)
    const bytes = this.#reserve(partial, this.#partialBytes + taken, frameEnd)
    bytes.set(chunk.subarray(offset, offset + taken), this.#partialBytes)
    this.#partialBytes += taken
    if (this.#partialBytes === frameEnd) {
      this.#partial = null
      this.#partialBytes = 0
      onFrame(bytes.subarray(LENGTH_BYTES, frameEnd))
    }
    return offset + taken
  }

  /** Keeps the rest of a chunk, which is less than a frame. */
  #keep(chunk: Uint8Array, offset: number): void {
    // Whatever of a frame that is not complete was in #partial stays there; then nothing of the chunk is left.
    const rest = chunk.subarray(offset)
    const partial = new Uint8Array(Math.max(PARTIAL_BYTES_MIN, rest.length))
    partial.set(rest)
    this.#partial = partial
    this.#partialBytes = rest.length
  }

  #reserve(partial: Uint8Array, bytes: number, frameEnd: number): Uint8Array {
    if (bytes <= partial.length) return partial
    const grown = new Uint8Array(Math.max(bytes, Math.min(frameEnd, 2 * partial.length)))
    grown.set(partial.subarray(0, this.#partialBytes))
    this.#partial = grown
    return grown
  }

  #lengthAt(bytes: Uint8Array, at: number): number {
    const byte = (index: number): number => bytes[at + index] ?? 0
    const length = (byte(0) << 24) | (byte(1) << 16) | (byte(2) << 8) | byte(3)
    if (length < 0 || length > this.#bytesMax) {
      throw violation(`a frame of ${length} bytes; the limit is ${this.#bytesMax}`)
    }
    return length
  }
}
