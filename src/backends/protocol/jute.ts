/**
 * Jute, ZooKeeper's serialisation: big endian, no tags. One declaration of a record gives its encoder, its decoder and
 * its TypeScript type.
 *
 * Shapes    int32 = 4 bytes; int64 = 8 bytes (bigint); bool = 1 byte; buffer and ustring = int32 length (-1 = null) +
 *           bytes; vector = int32 count (-1 = null, read as empty) + elements; a record = its fields in order.
 * Safety    a reader never reads past its bytes and never allocates for a length that the bytes do not hold; whatever
 *           it is fed, it throws nothing but CoordinationError `PROTOCOL_VIOLATION`.
 * Source    zookeeper-jute BinaryInputArchive, BinaryOutputArchive.
 */
import { assert } from '../../core/assert.ts'
import { CoordinationError } from '../../core/errors.ts'

const INITIAL_WRITER_BYTES = 256
const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

/** Reads jute from bytes, in order. */
export class Reader {
  readonly #bytes: Uint8Array
  readonly #buffer: Buffer
  readonly #view: DataView
  #offset = 0

  constructor(bytes: Uint8Array) {
    const { buffer, byteOffset, byteLength } = bytes
    // What is read must be plain bytes whatever comes in: slice() of a Buffer would be a view where a copy is meant.
    const isBuffer = Buffer.isBuffer(bytes)
    this.#bytes = isBuffer ? new Uint8Array(buffer, byteOffset, byteLength) : bytes
    this.#buffer = isBuffer ? bytes : Buffer.from(buffer, byteOffset, byteLength)
    this.#view = new DataView(buffer, byteOffset, byteLength)
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4))
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#take(8))
  }

  byte(): number {
    return this.#view.getUint8(this.#take(1))
  }

  /** The next bytes, as a view of the input (no copy). */
  bytes(length: number): Uint8Array {
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** The next bytes as UTF-8. What is none reads as U+FFFD, which no path may contain; a byte order mark stays. */
  text(length: number): string {
    const start = this.#take(length)
    return this.#buffer.toString('utf8', start, start + length)
  }

  /** Fails unless everything was read. */
  end(): void {
    if (this.remaining !== 0) throw violation(`${this.remaining} bytes left over behind a record`)
  }

  #take(length: number): number {
    const start = this.#offset
    if (length < 0 || length > this.#bytes.length - start) {
      throw violation(`a length of ${length} bytes where ${this.remaining} are left`)
    }
    this.#offset = start + length
    return start
  }
}

/** Writes jute into bytes that grow. */
export class Writer {
  #bytes = Buffer.allocUnsafe(INITIAL_WRITER_BYTES)
  #view = viewOf(this.#bytes)
  #offset = 0

  int32(value: number): void {
    const at = this.#reserve(4)
    this.#bytes.writeInt32BE(value, at)
  }

  int64(value: bigint): void {
    assert(value >= INT64_MIN && value <= INT64_MAX, () => `${value} fits in 64 bits`)
    const at = this.#reserve(8)
    this.#view.setBigInt64(at, value)
  }

  byte(value: number): void {
    const at = this.#reserve(1)
    this.#bytes[at] = value
  }

  bytes(value: Uint8Array): void {
    const at = this.#reserve(value.length)
    this.#bytes.set(value, at)
  }

  /** A string as int32 byte length and UTF-8. */
  text(value: string): void {
    const length = Buffer.byteLength(value)
    this.int32(length)
    const at = this.#reserve(length)
    this.#bytes.write(value, at)
  }

  /** What was written, as a copy of its own: plain bytes, no Buffer. */
  finish(): Uint8Array {
    const copy = new Uint8Array(this.#offset)
    this.#bytes.copy(copy, 0, 0, this.#offset)
    return copy
  }

  #reserve(length: number): number {
    const at = this.#offset
    const end = at + length
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, 2 * this.#bytes.length))
      this.#bytes.copy(grown, 0, 0, at)
      this.#bytes = grown
      this.#view = viewOf(grown)
    }
    this.#offset = end
    return at
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

/** How one shape is written and read. */
export interface Codec<T> {
  write(writer: Writer, value: T): void
  read(reader: Reader): T
}

/** The TypeScript type of what a codec reads. */
export type Infer<C> = C extends Codec<infer T> ? T : never

/** A signed 32-bit integer. */
export const int32: Codec<number> = {
  write: (writer, value) => writer.int32(value),
  read: (reader) => reader.int32(),
}

/** A signed 64-bit integer. */
export const int64: Codec<bigint> = {
  write: (writer, value) => writer.int64(value),
  read: (reader) => reader.int64(),
}

/** Milliseconds since 1970: 64 bits on the wire, a safe integer here (until the year 287396); others are refused. */
export const millis: Codec<number> = {
  write: (writer, value) => writer.int64(BigInt(value)),
  read(reader) {
    const value = Number(reader.int64())
    if (!Number.isSafeInteger(value)) throw violation(`a time of ${value} milliseconds`)
    return value
  },
}

/** A boolean; any byte but 0 reads as true, as in the reference. */
export const bool: Codec<boolean> = {
  write: (writer, value) => writer.byte(value ? 1 : 0),
  read: (reader) => reader.byte() !== 0,
}

/** Bytes, or null. */
export const buffer: Codec<Uint8Array | null> = {
  write(writer, value) {
    if (value === null) {
      writer.int32(-1)
      return
    }
    writer.int32(value.length)
    writer.bytes(value)
  },
  read(reader) {
    const length = reader.int32()
    return length === -1 ? null : reader.bytes(length)
  },
}

/** A string that must be there; null on the wire is refused. */
export const ustring: Codec<string> = {
  write: (writer, value) => writer.text(value),
  read: (reader) => reader.text(reader.int32()),
}

/** The least bytes that any element takes: bounds a vector's count by the bytes that are there. */
const ELEMENT_BYTES_MIN = 1

/** A list; null on the wire reads as the empty list. */
export function vector<T>(element: Codec<T>): Codec<readonly T[]> {
  return {
    write(writer, value) {
      writer.int32(value.length)
      for (const item of value) element.write(writer, item)
    },
    read(reader) {
      const count = reader.int32()
      if (count < -1 || count * ELEMENT_BYTES_MIN > reader.remaining) {
        throw violation(`a vector of ${count} elements where ${reader.remaining} bytes are left`)
      }
      const items: T[] = []
      for (let i = 0; i < count; i++) items.push(element.read(reader))
      return items
    },
  }
}

/** A record: its fields in the order of the declaration. */
export function record<T extends object>(fields: { readonly [K in keyof T]: Codec<T[K]> }): Codec<Readonly<T>> {
  const entries = Object.entries<Codec<unknown>>(fields)
  return {
    write(writer, value) {
      const source = value as Record<string, unknown>
      for (const [name, codec] of entries) codec.write(writer, source[name])
    },
    read(reader) {
      const result: Record<string, unknown> = {}
      for (const [name, codec] of entries) result[name] = codec.read(reader)
      return result as T
    },
  }
}

/** Encodes one value into bytes of its own. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer()
  codec.write(writer, value)
  return writer.finish()
}

/** Decodes bytes that hold exactly one value. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new Reader(bytes)
  const value = codec.read(reader)
  reader.end()
  return value
}

/** The error for bytes that are not what they should be. */
export function violation(message: string): CoordinationError {
  return new CoordinationError('PROTOCOL_VIOLATION', `malformed bytes: ${message}`, { outcome: 'corrupt' })
}
