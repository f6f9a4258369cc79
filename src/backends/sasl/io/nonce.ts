/** Bytes that nobody can guess. */
import { randomBytes } from 'node:crypto'

const NONCE_BYTES = 18
const SALT_BYTES = 16

/** A text that nobody has had before, for one exchange. */
export function newNonce(): string {
  return randomBytes(NONCE_BYTES).toString('base64')
}

/** A salt, for one verifier. */
export function newSalt(): Uint8Array {
  return randomBytes(SALT_BYTES)
}
