/**
 * Makes a snapshot file of the state that a server of ZooKeeper sends after SNAP: the two have the same records, but
 * the file begins with a header and ends with a checksum, and the state ends with a mark.
 *
 * Cost      a chunk is copied once; the last bytes are held back, since they may be the mark.
 * Source    Learner.syncWithLeader, FileSnap.serialize of ZooKeeper 3.8; snapshot-stream.ts, disk/snapshot-file.ts.
 */
import { ADLER_START, adler32 } from './disk/checksums.ts'
import { TERMINATOR, snapshotFileHeader } from './disk/snapshot-file.ts'
import { Writer } from './jute.ts'
import { MARK_BYTES } from './snapshot-stream.ts'

const SEAL_BYTES = 13

/** Converts one state, chunk by chunk. */
export class StateFile {
  /** What has come and may be the mark. */
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
