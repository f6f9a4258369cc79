/**
 * The data that leaders proclaim, as values and as bytes.
 */
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import type { Codec } from '../engine/codec.ts'
import { invalidValue, jsonCodec } from '../engine/codec.ts'
import { deepFreeze } from '../engine/json-values.ts'

/** The two ways between values and bytes; no bytes stand for no value. */
export class LeaderData<T> {
  readonly #client: Client
  readonly #path: string
  readonly #codec: Codec<T>
  /** Whether values are of JSON, and ours to freeze. */
  readonly #isJson: boolean

  /**
   * @param client - its `onError` gets the error of bytes that cannot be decoded
   * @param path - the election
   * @param codec - JSON if absent
   */
  constructor(client: Client, path: string, codec: Codec<T> | undefined) {
    this.#client = client
    this.#path = path
    this.#codec = codec ?? jsonCodec<T>()
    this.#isJson = codec === undefined
  }

  /**
   * Encodes a value.
   *
   * @throws CoordinationError `INVALID_VALUE` with outcome `not-sent`
   */
  encode(value: T): Uint8Array {
    try {
      return this.#codec.encode(value)
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause)
      throw invalidValue(this.#path, [{ message }], 'not-sent')
    }
  }

  /** Decodes bytes; undefined if there are none, or none that can be decoded, which is reported. */
  decode(bytes: Uint8Array | undefined): T | undefined {
    if (bytes === undefined || bytes.length === 0) return undefined
    try {
      // The codec vouches for the type: leaders have no schema.
      const value = this.#codec.decode(bytes) as T
      return this.#isJson ? deepFreeze(value) : value
    } catch (cause) {
      const path = this.#path
      const message = `what the leader of ${path} proclaims cannot be decoded`
      this.#client.report(new CoordinationError('INVALID_VALUE', message, { outcome: 'corrupt', path, cause }))
      return undefined
    }
  }
}
