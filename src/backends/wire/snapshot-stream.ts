/**
 * A state on its way to a learner, after SNAP, between servers of ours: int32 length and bytes of each chunk, and a
 * length of 0 after the last one. (ZooKeeper's servers write the records of the state one after the other, without
 * lengths, and a mark after them.)
 *
 * Limits    bytes of one chunk and of all together; a chunk is reserved for as it arrives.
 */
import { violation } from './jute.ts'
import type { QuorumPacketReader } from './quorum-packets.ts'

/** Longest chunk, in bytes. */
export const SNAPSHOT_CHUNK_BYTES_MAX = 0x10_0000
/** Longest state, in bytes: what one array holds while states are not streamed. */
const SNAPSHOT_BYTES_MAX = 0x7fff_ffff

const LENGTH_BYTES = 4

/** The pieces of a state, in order; the state itself is not copied. */
export function snapshotChunks(state: Uint8Array): readonly Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let start = 0; start < state.length; start += SNAPSHOT_CHUNK_BYTES_MAX) {
    const chunk = state.subarray(start, Math.min(start + SNAPSHOT_CHUNK_BYTES_MAX, state.length))
    pieces.push(lengthBytes(chunk.length), chunk)
  }
  pieces.push(lengthBytes(0))
  return pieces
}

/** Puts one state together. */
export class SnapshotReader {
  /** Where the state stands in the order. */
  readonly zxid: bigint
  readonly #chunks: Uint8Array[] = []
  #bytes = 0
  /** Length of the chunk that is next; null before its length has arrived. */
  #chunkBytes: number | null = null

  constructor(zxid: bigint) {
    this.zxid = zxid
  }

  /**
   * Reads on.
   *
   * @returns the whole state; `more` after a part of it, `wait` if that has not arrived
   * @throws CoordinationError `PROTOCOL_VIOLATION` if a length is negative or too large
   */
  readFrom(packets: QuorumPacketReader): Uint8Array | 'more' | 'wait' {
    if (this.#chunkBytes === null) {
      const bytes = packets.take(LENGTH_BYTES)
      if (bytes === null) return 'wait'
      const length = (byteAt(bytes, 0) << 24) | (byteAt(bytes, 1) << 16) | (byteAt(bytes, 2) << 8) | byteAt(bytes, 3)
      if (length === 0) return this.#whole()
      if (length < 0 || length > SNAPSHOT_CHUNK_BYTES_MAX) {
        throw violation(`a chunk of ${length} bytes in a snapshot; the limit is ${SNAPSHOT_CHUNK_BYTES_MAX}`)
      }
      this.#bytes += length
      if (this.#bytes > SNAPSHOT_BYTES_MAX) throw violation(`a snapshot of more than ${SNAPSHOT_BYTES_MAX} bytes`)
      this.#chunkBytes = length
    }
    const chunk = packets.take(this.#chunkBytes)
    if (chunk === null) return 'wait'
    this.#chunkBytes = null
    this.#chunks.push(chunk)
    return 'more'
  }

  #whole(): Uint8Array {
    const [first] = this.#chunks
    if (first !== undefined && this.#chunks.length === 1 && 2 * first.length >= first.buffer.byteLength) return first
    const whole = new Uint8Array(this.#bytes)
    let at = 0
    for (const chunk of this.#chunks) {
      whole.set(chunk, at)
      at += chunk.length
    }
    return whole
  }
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0
}

function lengthBytes(length: number): Uint8Array {
  return Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length)
}
