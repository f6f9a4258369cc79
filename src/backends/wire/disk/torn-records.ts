/**
 * Tells a record that was not written completely from one that was, and was damaged later.
 */
import { adler32, firstNonZero } from './checksums.ts'
import { END_OF_RECORD, RECORD_HEADER_BYTES } from './log-file.ts'

/** The least that a disk writes or loses. */
const SECTOR_BYTES = 512
/** The least entry: the header of a transaction. */
const ENTRY_BYTES_MIN = 32
/** Where the zxid is in an entry. */
const ZXID_OFFSET = 12
/** So many bytes are summed up for each byte that is searched, on average. No honest record needs as many. */
const SUMMED_PER_BYTE_MAX = 16
const SUMMED_BYTES_MIN = 0x10_0000
const LENGTH_OFFSET = RECORD_HEADER_BYTES - 4

/**
 * Whether bytes that look like one incomplete record hold a whole one: the same one, if its length or end mark is
 * wrong, or a later one. Where the search would take too long, the answer is yes, which is the safe one.
 *
 * @param bytes - from the beginning of the record
 * @param lastZxid - a whole record has a greater one
 */
export function holdsWholeRecord(bytes: Uint8Array, lastZxid: bigint | null): boolean {
  return isWholeItself(bytes) || holdsAnother(bytes, lastZxid)
}

/** Whether the checksum is that of the bytes up to any end mark. */
function isWholeItself(bytes: Uint8Array): boolean {
  const expected = storedChecksum(bytes, 0)
  if (expected === null) return false
  let sum = 1
  let summed = RECORD_HEADER_BYTES
  for (let end = bytes.indexOf(END_OF_RECORD, summed); end !== -1; end = bytes.indexOf(END_OF_RECORD, end + 1)) {
    sum = adler32(bytes.subarray(summed, end), sum)
    summed = end
    if (sum === expected && end - RECORD_HEADER_BYTES >= ENTRY_BYTES_MIN) return true
  }
  return false
}

/** Whether another record begins somewhere in the bytes, and ends there too. */
function holdsAnother(bytes: Uint8Array, lastZxid: bigint | null): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let budget = Math.max(SUMMED_BYTES_MIN, SUMMED_PER_BYTE_MAX * bytes.length)
  const lastStart = bytes.length - RECORD_HEADER_BYTES - ENTRY_BYTES_MIN - 1
  for (let at = 1; at <= lastStart; at++) {
    const sum = storedChecksum(bytes, at)
    if (sum === null) continue
    const length = view.getInt32(at + LENGTH_OFFSET)
    const entry = at + RECORD_HEADER_BYTES
    if (length < ENTRY_BYTES_MIN || length >= bytes.length - entry || bytes[entry + length] !== END_OF_RECORD) continue
    if (lastZxid !== null && view.getBigInt64(entry + ZXID_OFFSET) <= lastZxid) continue
    budget -= length
    if (budget < 0 || adler32(bytes.subarray(entry, entry + length)) === sum) return true
  }
  return false
}

/** The checksum of a record that begins there; null if there can be none, since its upper half is always zero. */
function storedChecksum(bytes: Uint8Array, at: number): number | null {
  if ((bytes[at] ?? 1) !== 0 || bytes[at + 1] !== 0 || bytes[at + 2] !== 0 || bytes[at + 3] !== 0) return null
  const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(at + 4, at + 8)
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}

/**
 * Whether a whole sector of the file is zero.
 *
 * @param offset - where in the file the bytes begin
 */
export function hasMissingSector(bytes: Uint8Array, offset: number): boolean {
  const first = (SECTOR_BYTES - (offset % SECTOR_BYTES)) % SECTOR_BYTES
  for (let at = first; at + SECTOR_BYTES <= bytes.length; at += SECTOR_BYTES) {
    if (firstNonZero(bytes.subarray(at, at + SECTOR_BYTES)) === -1) return true
  }
  return false
}

/**
 * Whether zeros before other bytes span the beginning of a sector, so that whole sectors may not have been written.
 *
 * @param from - where in the file the zeros begin
 * @param to - where they end
 */
export function spansSector(from: number, to: number): boolean {
  return to - (to % SECTOR_BYTES) > from
}
