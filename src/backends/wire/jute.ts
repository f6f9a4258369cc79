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
import { CoordinationError } from '../../core/errors.ts'

const INITIAL_WRITER_BYTES = 256
/** A writer that has grown larger than this is not kept for the next value. */
const KEPT_WRITER_BYTES_MAX = 0x10000
/** A string up to this long is written by a loop, which is faster for it than a call out of JavaScript. */
const LOOPED_TEXT_LENGTH_MAX = 64
/** So many strings of a list are put together to be written at once. */
const BATCHED_TEXTS = 64
const LENGTH_BYTES = 4
const TWO_TO_32 = 2 ** 32
const ASCII_MAX = 0x7f
/** Lengths up to this one, as the four characters that are their bytes. */
const LENGTH_TEXTS = Array.from({ length: ASCII_MAX + 1 }, (_, length) => `\0\0\0${String.fromCharCode(length)}`)

/** Reads jute from bytes, in order. One reader can read many inputs, one after the other. */
export class Reader {
  /** The memory that the input lies in, whole, so that inputs of one chunk share these two. */
  #view: DataView
  /** Made for the first text. */
  #buffer: Buffer | null = null
  #offset: number
  #end: number
  /** Whether {@link copiedBuffer} may give views of the input after all: who set this keeps nothing of what is read. */
  givesViews = false

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer)
    this.#offset = bytes.byteOffset
    this.#end = bytes.byteOffset + bytes.byteLength
  }

  /** Goes on with another input, or a part of one. */
  reset(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    const { buffer, byteOffset } = bytes
    if (buffer !== this.#view.buffer) {
      this.#view = new DataView(buffer)
      this.#buffer = null
    }
    this.#offset = byteOffset + start
    this.#end = byteOffset + end
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#end - this.#offset
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4))
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#take(8))
  }

  /** A 64-bit integer as a number, if one holds it exactly. */
  safeInt64(): number {
    const at = this.#take(8)
    const value = this.#view.getInt32(at) * TWO_TO_32 + this.#view.getUint32(at + 4)
    if (!Number.isSafeInteger(value)) throw violation(`${value} where a safe integer is expected`)
    return value
  }

  byte(): number {
    return this.#view.getUint8(this.#take(1))
  }

  /** The next bytes, as a view of the input (no copy); plain bytes, so that slice() of them is a copy. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length)
    return new Uint8Array(this.#view.buffer, start, length)
  }

  /** The next bytes as UTF-8. Invalid bytes read as U+FFFD, which no path may contain; a byte order mark stays. */
  text(length: number): string {
    const start = this.#take(length)
    this.#buffer ??= Buffer.from(this.#view.buffer)
    return this.#buffer.toString('utf8', start, start + length)
  }

  /** Whether the next bytes are these; if so, they have been read. */
  skip(expected: Uint8Array): boolean {
    const { length } = expected
    if (length > this.#end - this.#offset) return false
    for (let i = 0; i < length; i++) if (this.#view.getUint8(this.#offset + i) !== expected[i]) return false
    this.#offset += length
    return true
  }

  /** Fails unless everything was read. */
  end(): void {
    if (this.remaining !== 0) throw violation(`${this.remaining} bytes left over after a record`)
  }

  #take(length: number): number {
    const start = this.#offset
    if (length < 0 || length > this.#end - start) {
      throw violation(`a length of ${length} bytes where ${this.remaining} are left`)
    }
    this.#offset = start + length
    return start
  }
}

/** Writes jute into bytes that grow. One writer can write many values, one after the other. */
export class Writer {
  #bytes: Buffer
  #view: DataView
  #offset = 0

  /**
   * Makes a writer.
   *
   * @param capacityBytes - room to begin with
   */
  constructor(capacityBytes: number = INITIAL_WRITER_BYTES) {
    this.#bytes = Buffer.allocUnsafeSlow(capacityBytes)
    this.#view = viewOf(this.#bytes)
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#offset
  }

  /** Bytes that it can hold without growing. */
  get capacity(): number {
    return this.#bytes.length
  }

  int32(value: number): void {
    if (value !== (value | 0)) throw new RangeError(`${value} does not fit in 32 bits`)
    const at = this.#reserve(4)
    this.#view.setInt32(at, value)
  }

  int64(value: bigint): void {
    if (value !== BigInt.asIntN(64, value)) throw new RangeError(`${value} does not fit in 64 bits`)
    const at = this.#reserve(8)
    this.#view.setBigInt64(at, value)
  }

  /** A number that is a safe integer, as a 64-bit integer. */
  safeInt64(value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer`)
    const high = Math.floor(value / TWO_TO_32)
    const at = this.#reserve(8)
    this.#view.setInt32(at, high)
    this.#view.setUint32(at + 4, value - high * TWO_TO_32)
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
    if (value.length <= LOOPED_TEXT_LENGTH_MAX && this.#ascii(value)) return
    const length = Buffer.byteLength(value)
    this.int32(length)
    const at = this.#reserve(length)
    this.#bytes.write(value, at)
  }

  /**
   * Strings one after the other, each as {@link Writer.text} writes it. Room for all is made at once: a list can have
   * megabytes, and to grow step by step costs more than to write it.
   */
  texts(values: readonly string[]): void {
    let bytes = 0
    for (const value of values) bytes += LENGTH_BYTES + value.length
    this.#makeRoom(bytes)
    for (let start = 0; start < values.length; start += BATCHED_TEXTS) {
      const end = Math.min(start + BATCHED_TEXTS, values.length)
      if (!this.#batch(values, start, end)) for (let i = start; i < end; i++) this.text(values[i] as string)
    }
  }

  /** Leaves room for the length of a frame; {@link Writer.endFrame} fills it in. Returns where the frame starts. */
  beginFrame(): number {
    return this.#reserve(4)
  }

  /** Fills in the length of the frame that starts there and ends here. */
  endFrame(start: number): void {
    this.#view.setInt32(start, this.#offset - start - 4)
  }

  /** Takes back everything from there on. */
  truncate(length: number): void {
    this.#offset = length
  }

  /** The bytes written from `start` on, as a copy of their own: plain bytes, no Buffer. */
  finish(start = 0): Uint8Array {
    const copy = new Uint8Array(this.#offset - start)
    this.#bytes.copy(copy, 0, start, this.#offset)
    return copy
  }

  /** The bytes written so far, as a view that is good until the next write. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#offset)
  }

  /** Whether all of it was ASCII; if not, nothing is written. */
  #ascii(value: string): boolean {
    const { length } = value
    const start = this.#reserve(4 + length)
    const bytes = this.#bytes
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code > ASCII_MAX) {
        this.#offset = start
        return false
      }
      bytes[start + 4 + i] = code
    }
    this.#view.setInt32(start, length)
    return true
  }

  /** Writes strings with their lengths as one string; whether all were ASCII and short. If not, nothing is written. */
  #batch(values: readonly string[], start: number, end: number): boolean {
    let joined = ''
    for (let i = start; i < end; i++) {
      const value = values[i] as string
      const length = LENGTH_TEXTS[value.length]
      if (length === undefined) return false
      joined += length
      joined += value
    }
    const { length } = joined
    if (Buffer.byteLength(joined) !== length) return false
    const at = this.#reserve(length)
    this.#bytes.write(joined, at, 'latin1')
    return true
  }

  #reserve(length: number): number {
    const at = this.#offset
    const end = at + length
    if (end > this.#bytes.length) this.#grow(Math.max(end, 2 * this.#bytes.length))
    this.#offset = end
    return at
  }

  /** Makes room for this many bytes, and for the usual ones after them. */
  #makeRoom(length: number): void {
    const end = this.#offset + length + INITIAL_WRITER_BYTES
    if (end > this.#bytes.length) this.#grow(end)
  }

  #grow(capacity: number): void {
    const grown = Buffer.allocUnsafeSlow(capacity)
    this.#bytes.copy(grown, 0, 0, this.#offset)
    this.#bytes = grown
    this.#view = viewOf(grown)
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
  write: (writer, value) => writer.safeInt64(value),
  read: (reader) => reader.safeInt64(),
}

/** A boolean; any byte but 0 reads as true, as in the reference. */
export const bool: Codec<boolean> = {
  write: (writer, value) => writer.byte(value ? 1 : 0),
  read: (reader) => reader.byte() !== 0,
}

/** Bytes on the wire: a name that every compiler knows, where declarations would say `Uint8Array<ArrayBufferLike>`. */
export interface Bytes extends Uint8Array {
  readonly length: number
}

/** Bytes, or null. */
export const buffer: Codec<Bytes | null> = {
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

/** Bytes, or null; reading copies them, so that who keeps them does not keep the whole chunk that they came in. */
export const copiedBuffer: Codec<Bytes | null> = {
  write: (writer, value) => {
    buffer.write(writer, value)
  },
  read: (reader) => {
    const bytes = buffer.read(reader)
    return bytes === null || reader.givesViews ? bytes : bytes.slice()
  },
}

/** A string that must be there; null on the wire is refused. */
export const ustring: Codec<string> = {
  write: (writer, value) => writer.text(value),
  read: (reader) => reader.text(reader.int32()),
}

/** A string; null on the wire reads as the empty one, where the reference refuses both in the same way. */
export const ustringOrEmpty: Codec<string> = {
  write: (writer, value) => writer.text(value),
  read: (reader) => nullableUstring.read(reader) ?? '',
}

/** A string, or null. */
export const nullableUstring: Codec<string | null> = {
  write(writer, value) {
    if (value === null) writer.int32(-1)
    else writer.text(value)
  },
  read(reader) {
    const length = reader.int32()
    return length === -1 ? null : reader.text(length)
  },
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

const texts = vector(ustring)

/** A list of strings. */
export const ustrings: Codec<readonly string[]> = {
  write(writer, value) {
    writer.int32(value.length)
    writer.texts(value)
  },
  read: (reader) => texts.read(reader),
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

/** The writer of {@link encode}; null while it is in use, by an encoding that encodes something within. */
let keptWriter: Writer | null = new Writer()

/** Encodes one value into bytes of its own. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  return written((writer) => {
    codec.write(writer, value)
  })
}

/** The bytes that a function writes, as bytes of their own. */
export function written(write: (writer: Writer) => void): Uint8Array {
  const writer = keptWriter ?? new Writer()
  keptWriter = null
  writer.truncate(0)
  write(writer)
  const bytes = writer.finish()
  if (writer.capacity <= KEPT_WRITER_BYTES_MAX) keptWriter = writer
  return bytes
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
