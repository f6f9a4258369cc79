/**
 * Makes a snapshot file of the state that a server of ZooKeeper sends after SNAP, and the other way round: the two have
 * the same records, but the file begins with a header and ends with checksums and a section of ours, and the state ends
 * with a mark.
 *
 * Cost      for a file, a chunk is copied once, and the last bytes are held back, since they may be the mark. For a
 *           state nothing is copied.
 * Source    Learner.syncWithLeader, FileSnap.serialize of ZooKeeper 3.8; snapshot-stream.ts, disk/snapshot-file.ts.
 */
import { ADLER_START, adler32 } from './disk/checksums.ts'
import { TERMINATOR, snapshotFileHeader } from './disk/snapshot-file.ts'
import { Writer } from './jute.ts'
import { MARK_BYTES, SNAPSHOT_MARK, SnapshotScanner } from './snapshot-stream.ts'

const SEAL_BYTES = 13
/** Magic number, version and database. */
const HEADER_BYTES = 16

/** Converts one state, chunk by chunk. */
export class StateFile {
  /** The bytes held back, as they may be the mark. */
  #held: Uint8Array = new Uint8Array()
  #sum = ADLER_START
  #hasBegun = false

  /**
   * The part of the file that the next chunk gives.
   *
   * @param isLast - whether the mark ends with this chunk
   */
  convert(chunk: Uint8Array, isLast: boolean): Uint8Array {
    const bytes = Buffer.concat([this.#hasBegun ? this.#held : this.#begin(), chunk])
    const end = Math.max(0, bytes.length - MARK_BYTES)
    const part = bytes.subarray(0, end)
    this.#held = bytes.subarray(end)
    this.#sum = adler32(part, this.#sum)
    return isLast ? Buffer.concat([part, seal(this.#sum)]) : part
  }

  #begin(): Uint8Array {
    this.#hasBegun = true
    return snapshotFileHeader()
  }
}

function seal(sum: number): Uint8Array {
  const writer = new Writer(SEAL_BYTES)
  writer.int64(BigInt(sum))
  writer.text(TERMINATOR)
  return writer.finish()
}

/** Converts one snapshot file of ours into the state that a server of ZooKeeper reads, chunk by chunk. */
export class PlainState {
  readonly #scanner = new SnapshotScanner(false)
  #headerBytes = HEADER_BYTES

  /** The part of the state that the next chunk gives; the last one ends with the mark. */
  convert(chunk: Uint8Array): readonly Uint8Array[] {
    const records = chunk.subarray(this.#headerBytes)
    this.#headerBytes -= chunk.length - records.length
    if (this.#scanner.isDone || records.length === 0) return []
    const part = records.subarray(0, this.#scanner.scan(records))
    return this.#scanner.isDone ? [part, SNAPSHOT_MARK] : [part]
  }
}
