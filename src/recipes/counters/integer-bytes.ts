/**
 * Whole numbers as Curator stores them: big-endian, in two's complement, of 4 bytes (DistributedAtomicInteger,
 * SharedCount) or 8 (DistributedAtomicLong).
 *
 * Reading   as Curator does it: no bytes are 0, and bytes after the number are ignored. Fewer bytes are an error.
 */
import { CoordinationError } from '../../core/errors.ts'

/** How long a number is. */
export type Bits = 32 | 64

/** The least and the greatest number of a length. */
export function rangeOf(bits: Bits): readonly [min: bigint, max: bigint] {
  const half = 1n << BigInt(bits - 1)
  return [-half, half - 1n]
}

/**
 * Makes the bytes of a number.
 *
 * @param value - within the range
 */
export function encodeInteger(value: bigint, bits: Bits): Uint8Array {
  const bytes = new Uint8Array(bits / 8)
  const view = new DataView(bytes.buffer)
  if (bits === 64) view.setBigInt64(0, value)
  else view.setInt32(0, Number(value))
  return bytes
}

/**
 * Reads the bytes of a number.
 *
 * @param path - where they are, for the error
 * @throws CoordinationError `INVALID_VALUE` with outcome `corrupt` for too few
 */
export function decodeInteger(bytes: Uint8Array, bits: Bits, path: string): bigint {
  if (bytes.length === 0) return 0n
  if (bytes.length < bits / 8) {
    const message = `${path} holds ${String(bytes.length)} bytes, and a number of ${String(bits)} bits has more`
    throw new CoordinationError('INVALID_VALUE', message, { outcome: 'corrupt', path })
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return bits === 64 ? view.getBigInt64(0) : BigInt(view.getInt32(0))
}
