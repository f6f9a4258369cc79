/** AES-256-GCM, which the language itself has only with promises, where a codec has none. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/** How long a key is, in bytes. */
export const KEY_BYTES = 32

const ALGORITHM = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** How many bytes more than the clear ones the encrypted ones are. */
export const CIPHER_EXTRA_BYTES = NONCE_BYTES + TAG_BYTES

/**
 * Encrypts bytes.
 *
 * @param context - has to be the same when they are decrypted
 * @returns the nonce, the encrypted bytes, and the tag
 */
export function encrypt(key: Uint8Array, clear: Uint8Array, context: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(context)
  const parts = [nonce, cipher.update(clear), cipher.final()]
  return Uint8Array.from(Buffer.concat([...parts, cipher.getAuthTag()]))
}

/**
 * Decrypts bytes.
 *
 * @throws Error if they were changed, or the key or the context is another
 */
export function decrypt(key: Uint8Array, bytes: Uint8Array, context: Uint8Array): Uint8Array {
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(context)
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
  const body = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES))
  return Uint8Array.from(Buffer.concat([body, decipher.final()]))
}
