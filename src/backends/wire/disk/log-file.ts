/**
 * The file of a transaction log: its header and its records.
 *
 * Format    `ZKLG`, int32 version 2, int64 0; records; zeros, which are room that was prepared. A record is int64
 *           Adler-32 of the entry, int32 its length, the entry (log-entries.ts), and `B`.
 * Source    FileTxnLog, Util.writeTxnBytes of ZooKeeper 3.8.
 */
import { written } from '../jute.ts'
import type { Writer } from '../jute.ts'
import { adler32 } from './checksums.ts'
import { writeLogEntry } from './log-entries.ts'

/** The version of logs that every ZooKeeper since 3.0 writes. */
export const LOG_VERSION = 2

/** The first bytes of each log. */
export const LOG_HEADER: Readonly<Uint8Array> = Uint8Array.of(
  ...[0x5a, 0x4b, 0x4c, 0x47, 0, 0, 0, LOG_VERSION],
  ...[0, 0, 0, 0, 0, 0, 0, 0],
)

/** The byte that ends a record: `B`. */
export const END_OF_RECORD = 0x42

/** Bytes of a record before its entry: checksum and length. */
export const RECORD_HEADER_BYTES = 12

/**
 * The longest entry, buffer or string that is read from a file, unless the reader is told otherwise. A ZooKeeper with
 * its default `jute.maxbuffer` reads no more than 2,097,150 bytes.
 */
export const FIELD_BYTES_MAX = 0x100_0000

/**
 * Writes one record.
 *
 * @param txn - as `encodeTransaction` made it
 * @param digest - of the tree after the transaction; null if it is not known
 */
export function writeLogRecord(writer: Writer, txn: Uint8Array, digest: bigint | null): void {
  const start = writer.length
  writer.int64(0n)
  const frame = writer.beginFrame()
  writeLogEntry(writer, txn, digest)
  writer.endFrame(frame)
  const bytes = writer.written()
  const sum = adler32(bytes.subarray(start + RECORD_HEADER_BYTES))
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(start + 4, sum)
  writer.byte(END_OF_RECORD)
}

/** The bytes of one record; see {@link writeLogRecord}. */
export function encodeLogRecord(txn: Uint8Array, digest: bigint | null): Uint8Array {
  return written((writer) => {
    writeLogRecord(writer, txn, digest)
  })
}
