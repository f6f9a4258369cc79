/** The hash that a server asks of its host. */
import { createHash } from 'node:crypto'

/** SHA-1 of these bytes, 20 bytes. */
export function sha1(bytes: Uint8Array): Uint8Array {
  return createHash('sha1').update(bytes).digest()
}
