/**
 * Secrets: values of a configuration that the servers, their disks, backups and operators never see in the clear.
 *
 * Format    `quorate-secret 1 KEY`, a line feed, then nonce, encrypted bytes and tag of AES-256-GCM. KEY is the id of
 *           the key, which is no secret.
 * Safety    path and id of the key are authenticated with the value: bytes that were changed, or copied from the node
 *           of another value, are refused. An older value of the same path is not, since it was published there.
 * Rotation  a value is read with any of the keys, and written with the first: publish it again, then retire the old
 *           one.
 * Source    NIST SP 800-38D; a random nonce is safe for 2^32 values of one key.
 */
import { refuseUnknown, optionNames } from '../../core/options.ts'
import { textOf } from '../../core/value-text.ts'
import type { Codec } from '../engine/codec.ts'
import { jsonCodec } from '../engine/codec.ts'
import { checkCodec } from '../engine/option-checks.ts'
import { CIPHER_EXTRA_BYTES, KEY_BYTES, decrypt, encrypt } from './io/cipher.ts'

/** A key of secrets. */
export interface SecretKey {
  /** Names it; stands beside each value in the clear. Letters, digits, `.`, `_` and `-`; at most 64. */
  readonly id: string
  /** 32 bytes, as random as can be: a key, and no password. */
  readonly bytes: Uint8Array
}

/** Options of {@link secretCodec}. */
export interface SecretOptions<T> {
  /** The first encrypts; all of them decrypt. */
  readonly keys: readonly SecretKey[]
  /** How values become the bytes that are encrypted; JSON by default. */
  readonly codec?: Codec<T>
}

const OPTIONS = optionNames<SecretOptions<unknown>>({ keys: true, codec: true })
const MAGIC = 'quorate-secret 1 '
const HEAD = /^quorate-secret 1 ([\w.-]{1,64})\n/
const HEAD_BYTES_MAX = MAGIC.length + 65
const KEY_ID = /^[\w.-]{1,64}$/
const KEYS_MAX = 64

/**
 * Makes a codec that encrypts what another codec makes; for `codec` of a ConfigCenter, a ConfigTree or a LayeredConfig.
 *
 * @param options - the keys, and the codec whose bytes are encrypted
 * @returns a codec that is bound to the path of each value, as the client names it
 * @throws TypeError or RangeError for a wrong option
 */
export function secretCodec<T>(options: SecretOptions<T>): Codec<T> {
  refuseUnknown(options, OPTIONS, 'secretCodec')
  const { codec = jsonCodec<T>() } = options
  checkCodec(codec)
  const keys = keysOf(options.keys)
  return {
    format: `${codec.format ?? 'bytes'}+aes-256-gcm`,
    isPlain: codec.isPlain === true,
    encode: (value, path) => {
      const clear = codec.encode(value, path)
      if (clear.length === 0) throw new Error('no bytes stand for "no value"')
      const [[id, key] = refuseNone()] = keys
      const head = new TextEncoder().encode(`${MAGIC}${id}\n`)
      const body = encrypt(key, clear, contextOf(id, path))
      const bytes = new Uint8Array(head.length + body.length)
      bytes.set(head)
      bytes.set(body, head.length)
      return bytes
    },
    decode: (bytes, path) => codec.decode(reveal(bytes, path, keys), path),
  }
}

/**
 * Says what can be said of an encrypted value, for those who show values and have no key.
 *
 * @returns null if it is none
 */
export function secretText(bytes: Uint8Array): string | null {
  const found = headOf(bytes)
  return found === null ? null : `a secret, encrypted with the key ${found.id}`
}

function reveal(bytes: Uint8Array, path: string | undefined, keys: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const found = headOf(bytes)
  if (found === null) throw new Error('it is not encrypted')
  const { id, body } = found
  const key = keys.get(id)
  if (key === undefined) throw new Error(`it is encrypted with the key ${id}, which this process does not have`)
  try {
    return decrypt(key, body, contextOf(id, path))
  } catch {
    throw new Error(`it cannot be decrypted with the key ${id}: it was changed, or is of another path or key`)
  }
}

function headOf(bytes: Uint8Array): { readonly id: string; readonly body: Uint8Array } | null {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, HEAD_BYTES_MAX))
  const [line = '', id] = HEAD.exec(text) ?? []
  if (id === undefined || bytes.length < line.length + CIPHER_EXTRA_BYTES) return null
  return { id, body: bytes.subarray(line.length) }
}

/** The bytes that are authenticated with a value. */
function contextOf(id: string, path: string | undefined): Uint8Array {
  if (path === undefined) throw new TypeError('secretCodec is only for configurations: it needs the path of each value')
  return new TextEncoder().encode(`${MAGIC}${id}\n${path}`)
}

function keysOf(keys: unknown): ReadonlyMap<string, Uint8Array> {
  if (!Array.isArray(keys)) throw new TypeError(`keys must be an array of { id, bytes }, got ${typeof keys}`)
  if (keys.length === 0 || keys.length > KEYS_MAX) throw new RangeError(`keys must have 1 to ${String(KEYS_MAX)} keys`)
  const found = new Map<string, Uint8Array>()
  for (const key of keys as readonly unknown[]) {
    const { id, bytes } = (key ?? {}) as Partial<Record<keyof SecretKey, unknown>>
    if (typeof id !== 'string' || !KEY_ID.test(id)) {
      throw new TypeError(`the id of a key must be 1 to 64 letters, digits, ., _ and -, got ${textOf(id)}`)
    }
    // The message names the fault and never shows the key.
    if (!(bytes instanceof Uint8Array) || bytes.length !== KEY_BYTES) {
      throw new TypeError(`the key ${id} must be a Uint8Array of ${String(KEY_BYTES)} bytes`)
    }
    if (found.has(id)) throw new TypeError(`there are two keys ${id}`)
    found.set(id, Uint8Array.from(bytes))
  }
  return found
}

function refuseNone(): never {
  throw new Error('there is no key')
}
