/** The randomness of production: the operating system's. */
import { randomFillSync } from 'node:crypto'
import type { RandomSource } from '../server/ports.ts'

const U32_BYTES = 4

/** Bytes and numbers that nobody can guess. */
export const systemRandom: RandomSource = Object.freeze({
  u32: () => Buffer.from(randomFillSync(new Uint8Array(U32_BYTES))).readUInt32BE(),
  bytes: (length: number) => randomFillSync(new Uint8Array(length)),
})
