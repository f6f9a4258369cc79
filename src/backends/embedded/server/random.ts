/** Where a server's randomness comes from: the host gives it, since a machine has none of its own. */
export interface RandomSource {
  /** An integer from 0 to 2^32 - 1. */
  u32(): number
  /** Bytes that nobody can guess, for session passwords. */
  bytes(length: number): Uint8Array
}
