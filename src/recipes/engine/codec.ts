/**
 * Values and the bytes they are stored as.
 *
 * Model     decode, then validate: readers see the result. A value to be written is encoded and goes the
 *           reader's way before it is sent, so nobody can store what nobody could read.
 * Format    whatever the codec makes; JSON in UTF-8 is here.
 */
import { CoordinationError } from '../../core/errors.ts'
import { deepFreeze, refuseUnfaithful } from './json-values.ts'
import type { SchemaIssue, StandardSchema } from './standard-schema.ts'

/** Turns values into bytes and back. Both may throw: then the value, or the bytes, are invalid. */
export interface Codec<T> {
  /** The name of the format of the bytes, such as `yaml`: a history shows it, and a rollback keeps it. */
  readonly format?: string
  /** Whether its values are arrays, plain objects and what JSON can hold: they are frozen then. False by default. */
  readonly isPlain?: boolean
  /** Makes the bytes to store; at least one. Recipes that keep a value at a path of its own say which. */
  encode(value: T, path?: string): Uint8Array
  /** Makes the value of stored bytes. */
  decode(bytes: Uint8Array, path?: string): unknown
}

/** The result of a decoding: a value, or the faults of the bytes. */
export type Decoded<T> = { readonly value: T } | { readonly issues: readonly SchemaIssue[] }

/**
 * Makes the codec that is used where none is given.
 *
 * @returns a codec for values that JSON can hold; any that it would change in silence (a Map, a Date, a class instance,
 * NaN, an undefined member) is refused, with its place
 */
export function jsonCodec<T>(): Codec<T> {
  return {
    format: 'json',
    isPlain: true,
    encode: (value) => {
      refuseUnfaithful(value)
      return new TextEncoder().encode(JSON.stringify(value))
    },
    decode: (bytes): unknown => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)),
  }
}

/** A codec and a schema as one. */
export class ValueFormat<T> {
  readonly #codec: Codec<T>
  readonly #schema: StandardSchema<T> | undefined

  /**
   * Makes a format.
   *
   * @param codec - turns values into bytes and back
   * @param schema - accepts everything if absent
   */
  constructor(codec: Codec<T>, schema: StandardSchema<T> | undefined) {
    this.#codec = codec
    this.#schema = schema
  }

  /** The codec's name of its format; null if it has none. */
  get format(): string | null {
    return this.#codec.format ?? null
  }

  /**
   * Decodes and validates. An error of the codec or the schema becomes an issue; it never rejects. Arrays and plain
   * objects of a plain codec are frozen, however deep, since everybody in this process gets the same.
   *
   * @param path - of the value, for a codec that asks for it
   */
  async decode(bytes: Uint8Array, path: string): Promise<Decoded<T>> {
    const decoded = await this.#decode(bytes, path)
    return this.#codec.isPlain === true && 'value' in decoded ? { value: deepFreeze(decoded.value) } : decoded
  }

  /**
   * Decodes and validates what has to pass.
   *
   * @param path - where it is, or was to be, for the error
   * @param outcome - the outcome of the error
   * @throws CoordinationError `INVALID_VALUE`
   */
  async read(bytes: Uint8Array, path: string, outcome: 'not-sent' | 'corrupt'): Promise<T> {
    const decoded = await this.decode(bytes, path)
    if ('issues' in decoded) throw invalidValue(path, decoded.issues, outcome)
    return decoded.value
  }

  async #decode(bytes: Uint8Array, path: string): Promise<Decoded<T>> {
    try {
      return await validated(this.#codec.decode(bytes, path), this.#schema)
    } catch (error) {
      return { issues: [{ message: error instanceof Error ? error.message : String(error) }] }
    }
  }

  /**
   * Encodes a value and makes sure that readers will accept it.
   *
   * @param value - the value to store
   * @param path - its node, for the codec and the error
   * @returns the bytes, and the value as readers will see it
   * @throws CoordinationError `INVALID_VALUE` with outcome `not-sent`
   */
  async encode(value: T, path: string): Promise<{ readonly bytes: Uint8Array; readonly value: T }> {
    let bytes: Uint8Array
    try {
      bytes = this.#codec.encode(value, path)
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause)
      throw invalidValue(path, [{ message }], 'not-sent')
    }
    if (bytes.length === 0) throw invalidValue(path, [{ message: 'no bytes stand for "no value"' }], 'not-sent')
    return { bytes, value: await this.read(bytes, path, 'not-sent') }
  }
}

/** Validates a value with a schema; without one, the caller vouches for the value's type. */
export async function validated<T>(raw: unknown, schema: StandardSchema<T> | undefined): Promise<Decoded<T>> {
  if (schema === undefined) return { value: raw as T }
  const result = await schema['~standard'].validate(raw)
  return result.issues === undefined ? { value: result.value } : { issues: result.issues }
}

/**
 * The error of a value that the schema or the codec refuses.
 *
 * @param path - where the value is, or was to be
 * @param issues - become the `cause`
 * @param outcome - `not-sent` for one to be written, `corrupt` for one that was read
 */
export function invalidValue(
  path: string,
  issues: readonly SchemaIssue[],
  outcome: 'not-sent' | 'corrupt',
): CoordinationError {
  const what = issues.map(({ message }) => message).join('; ')
  return new CoordinationError('INVALID_VALUE', `invalid value for ${path}: ${what}`, { outcome, path, cause: issues })
}
