/** The formats of a configuration that have a name. */
import { textOf } from '../../core/value-text.ts'
import type { Codec } from '../engine/codec.ts'
import { jsonCodec } from '../engine/codec.ts'
import { checkCodec } from '../engine/option-checks.ts'

/**
 * How values become bytes.
 *
 * - `json`: the default.
 * - `text`: a string, as UTF-8.
 * - `bytes`: a Uint8Array, as it is.
 */
export type ConfigFormat = 'json' | 'text' | 'bytes'

const CODECS: Readonly<Record<ConfigFormat, () => Codec<unknown>>> = {
  json: jsonCodec,
  text: textCodec,
  bytes: bytesCodec,
}

/**
 * Finds the codec that options ask for.
 *
 * @throws TypeError for a wrong option
 */
export function codecOf<T>({ codec, format }: { readonly codec?: Codec<T>; readonly format?: ConfigFormat }): Codec<T> {
  checkCodec(codec)
  if (format === undefined) return codec ?? jsonCodec()
  if (codec !== undefined) throw new TypeError('format and codec exclude each other')
  if (!Object.hasOwn(CODECS, format)) {
    throw new TypeError(`format must be one of ${Object.keys(CODECS).join(', ')}, got ${textOf(format)}`)
  }
  // The type of the values is the caller's word, as it is without a schema.
  return CODECS[format]()
}

function textCodec(): Codec<unknown> {
  return {
    format: 'text',
    encode: (value) => {
      if (typeof value !== 'string') throw new TypeError(`the format text holds a string, got ${textOf(value)}`)
      if (/\p{Surrogate}/u.test(value)) throw new TypeError('the format text holds no half of a surrogate pair')
      return new TextEncoder().encode(value)
    },
    decode: (bytes) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
  }
}

function bytesCodec(): Codec<unknown> {
  return {
    format: 'bytes',
    encode: (value) => {
      if (value instanceof Uint8Array) return Uint8Array.from(value)
      throw new TypeError(`the format bytes holds a Uint8Array, got ${textOf(value)}`)
    },
    // Not the mirror's own, nor the one that others were given.
    decode: (bytes) => Uint8Array.from(bytes),
  }
}
