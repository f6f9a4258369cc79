/** The hashes of the mechanisms, from Node.js. */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const ROUNDS_HASH = 'sha256'

const rounds = promisify(pbkdf2)

/** MD5 of all parts, 16 bytes. */
export function md5(...parts: readonly (string | Uint8Array)[]): Buffer {
  const hash = createHash('md5')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** SHA-256, 32 bytes. */
export function sha256(bytes: string | Uint8Array): Buffer {
  return createHash(ROUNDS_HASH).update(bytes).digest()
}

/** HMAC with SHA-256, 32 bytes. */
export function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac(ROUNDS_HASH, key).update(text).digest()
}

/** PBKDF2 with HMAC and SHA-256, in a thread of the pool. */
export function saltedPassword(password: string, salt: Uint8Array, count: number, length: number): Promise<Buffer> {
  return rounds(password, salt, count, length, ROUNDS_HASH)
}

/** Whether bytes are equal, in a time that does not tell where they differ. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}
