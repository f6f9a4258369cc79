/**
 * The checksums of ZooKeeper's files: Adler-32 of records and snapshots, CRC-32 of nodes; and the search for zeros.
 *
 * Source    RFC 1950 (Adler-32), ISO 3309 (CRC-32, the polynomial of zlib).
 */

/** The checksum of no bytes. */
export const ADLER_START = 1
const ADLER_MODULUS = 65_521
/** So many bytes can be added up before the sums leave 31 bits. */
const ADLER_BLOCK_BYTES = 3_584

/**
 * Adler-32 of bytes, or of those from one place to another.
 *
 * @param sum - the checksum of what comes before them
 * @returns an unsigned 32-bit number
 */
export function adler32(bytes: Uint8Array, sum: number = ADLER_START, from = 0, to: number = bytes.length): number {
  let low = sum & 0xffff
  let high = sum >>> 16
  for (let at = from; at < to;) {
    const end = Math.min(at + ADLER_BLOCK_BYTES, to)
    for (; at < end; at++) {
      low += bytes[at] as number
      high += low
    }
    low %= ADLER_MODULUS
    high %= ADLER_MODULUS
  }
  return ((high << 16) | low) >>> 0
}

const CRC_POLYNOMIAL = 0xedb88320
const CRC_TABLES = crcTables(4)
const [CRC_0, CRC_1, CRC_2, CRC_3] = CRC_TABLES as [Int32Array, Int32Array, Int32Array, Int32Array]

/** Table `n` advances the checksum by one byte that `n` others follow. */
function crcTables(count: number): Int32Array[] {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = (value & 1) === 0 ? value >>> 1 : CRC_POLYNOMIAL ^ (value >>> 1)
    return value
  })
  const tables = [first]
  while (tables.length < count) {
    const last = tables.at(-1) as Int32Array
    tables.push(last.map((value) => (first[value & 0xff] as number) ^ (value >>> 8)))
  }
  return tables
}

/**
 * CRC-32 of bytes, or of the first of them.
 *
 * @param sum - the checksum of what comes before them
 * @returns an unsigned 32-bit number
 */
export function crc32(bytes: Uint8Array, sum = 0, length: number = bytes.length): number {
  let crc = ~sum
  let at = 0
  for (; at + 4 <= length; at += 4) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    crc =
      (CRC_3[crc & 0xff] as number) ^
      (CRC_2[(crc >>> 8) & 0xff] as number) ^
      (CRC_1[(crc >>> 16) & 0xff] as number) ^
      (CRC_0[crc >>> 24] as number)
  }
  for (; at < length; at++) crc = (CRC_0[(crc ^ (bytes[at] as number)) & 0xff] as number) ^ (crc >>> 8)
  return ~crc >>> 0
}

const ZEROS = Buffer.alloc(0x1000)

/** Where the first byte is that is not zero; -1 if all are. */
export function firstNonZero(bytes: Uint8Array): number {
  const { length } = bytes
  for (let at = 0; at < length; at += ZEROS.length) {
    const end = Math.min(at + ZEROS.length, length)
    if (ZEROS.compare(bytes, at, end, 0, end - at) === 0) continue
    for (let i = at; i < end; i++) if (bytes[i] !== 0) return i
  }
  return -1
}
