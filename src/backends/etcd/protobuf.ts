/**
 * Protocol Buffers, as far as etcd's messages need them: a table of fields gives a message's encoder and decoder, and
 * has to fit its type.
 *
 * Shapes    a field is a varint of its number and wire type, and its content: a varint (int64 as bigint, bool), or a
 *           length and as many bytes (bytes, text, another message). A repeated field stands once for each element.
 * Absent    an undefined field is not written, and a missing field is undefined: proto3 leaves out zero, false and
 *           empty values. A zero that is given is written, as a choice of several (`oneof`) is made by its being there.
 * Safety    a reader never reads past its bytes, and skips fields that it does not know; whatever it is fed, it throws
 *           nothing but MalformedMessage.
 * Source    protobuf.dev, "Encoding".
 */

/** Bytes that are no message. */
export class MalformedMessage extends Error {
  /** @param reason - the fault in them */
  constructor(reason: string) {
    super(`malformed message: ${reason}`)
    this.name = 'MalformedMessage'
  }
}

/** A type of field, as it is written and read. */
export interface Kind<T> {
  readonly wireType: number
  readonly write: (writer: ProtobufWriter, value: T) => void
  readonly read: (reader: ProtobufReader) => T
}

/** A field of a message. */
interface Field<T> {
  readonly number: number
  readonly kind: Kind<T>
  readonly isRepeated: boolean
}

/** A field that stands once. */
type One<T> = Field<T> & { readonly isRepeated: false }

/** A field that stands once for each element. */
type Many<T> = Field<T> & { readonly isRepeated: true }

/** The table of a message's fields. */
type Fields<M> = { readonly [K in keyof M]-?: FieldOf<NonNullable<M[K]>> }

type FieldOf<V> = [V] extends [readonly (infer E)[]] ? Many<E> : One<V>

/** A message: its encoder and decoder, and a field in others. */
export interface Message<M> extends Kind<M> {
  readonly encode: (value: M) => Uint8Array
  /** @throws MalformedMessage */
  readonly decode: (bytes: Uint8Array) => M
}

const VARINT = 0
const FIXED_64 = 1
const DELIMITED = 2
const FIXED_32 = 5

const FIXED_64_BYTES = 8
const FIXED_32_BYTES = 4
const WIRE_TYPE_BITS = 3
const WIRE_TYPE_MASK = 7
const VARINT_BITS = 7
const VARINT_MASK = 0x7f
const VARINT_MORE = 0x80
const VARINT_BYTES_MAX = 10
/** As many groups of seven bits are exact in a number. */
const EXACT_GROUPS = 7
const WORD_BITS = 32
const WORD_BITS_BIG = 32n
const INITIAL_BYTES = 256

/** Grows as it is written to. */
class ProtobufWriter {
  #buffer = Buffer.allocUnsafe(INITIAL_BYTES)
  #length = 0

  /** The bytes written so far. */
  written(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  /** A whole number from 0 to 2^53 - 1. */
  varint(value: number): void {
    this.#reserve(VARINT_BYTES_MAX)
    let rest = value
    while (rest > VARINT_MASK) {
      this.#buffer[this.#length++] = (rest % VARINT_MORE) | VARINT_MORE
      rest = Math.floor(rest / VARINT_MORE)
    }
    this.#buffer[this.#length++] = rest
  }

  /** Any 64 bits; a negative value takes ten bytes. */
  varint64(value: bigint): void {
    if (value >= 0n && value <= Number.MAX_SAFE_INTEGER) {
      this.varint(Number(value))
      return
    }
    this.#reserve(VARINT_BYTES_MAX)
    let low = Number(BigInt.asUintN(WORD_BITS, value))
    let high = Number(BigInt.asUintN(WORD_BITS, value >> WORD_BITS_BIG))
    while (high > 0 || low > VARINT_MASK) {
      this.#buffer[this.#length++] = (low & VARINT_MASK) | VARINT_MORE
      low = ((low >>> VARINT_BITS) | (high << (WORD_BITS - VARINT_BITS))) >>> 0
      high >>>= VARINT_BITS
    }
    this.#buffer[this.#length++] = low
  }

  /** Bytes after their length. */
  bytes(content: Uint8Array): void {
    this.varint(content.length)
    this.#reserve(content.length)
    this.#buffer.set(content, this.#length)
    this.#length += content.length
  }

  /** UTF-8 after its length. */
  text(content: string): void {
    const length = Buffer.byteLength(content)
    this.varint(length)
    this.#reserve(length)
    this.#length += this.#buffer.write(content, this.#length)
  }

  /** The bytes that `write` writes, after their length. */
  delimited(write: () => void): void {
    const at = this.#length
    this.varint(0)
    write()
    const length = this.#length - at - 1
    if (length <= VARINT_MASK) {
      this.#buffer[at] = length
      return
    }
    // The length takes more than the byte that was left for it: the content moves up.
    const content = Buffer.from(this.#buffer.subarray(at + 1, this.#length))
    this.#length = at
    this.bytes(content)
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, this.#length + bytes))
    larger.set(this.written())
    this.#buffer = larger
  }
}

/** How deep messages may lie within each other: protobuf's own limit. An answer that is wrong could be all depth. */
const DEPTH_MAX = 100

/** Reads a message, or one in it, up to its end. */
class ProtobufReader {
  readonly #buffer: Buffer
  #offset: number
  #end: number
  #depth = 0

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#offset = 0
    this.#end = bytes.byteLength
  }

  /** Whether everything was read. */
  get isAtEnd(): boolean {
    return this.#offset >= this.#end
  }

  /** A varint that a number holds exactly. */
  varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < EXACT_GROUPS; i++) {
      const byte = this.#byte()
      value += (byte & VARINT_MASK) * scale
      if (byte < VARINT_MORE) return value
      scale *= VARINT_MORE
    }
    throw new MalformedMessage('a number is too large')
  }

  /** A varint of 64 bits, with a sign. */
  varint64(): bigint {
    let low = 0
    let scale = 1
    for (let i = 0; i < EXACT_GROUPS; i++) {
      const byte = this.#byte()
      low += (byte & VARINT_MASK) * scale
      if (byte < VARINT_MORE) return BigInt(low)
      scale *= VARINT_MORE
    }
    let high = 0
    for (let i = EXACT_GROUPS; i < VARINT_BYTES_MAX; i++) {
      const byte = this.#byte()
      high += (byte & VARINT_MASK) * VARINT_MORE ** (i - EXACT_GROUPS)
      if (byte < VARINT_MORE) return BigInt.asIntN(2 * WORD_BITS, BigInt(low) + BigInt(high) * BigInt(scale))
    }
    throw new MalformedMessage(`a varint of more than ${VARINT_BYTES_MAX} bytes`)
  }

  /** As many bytes as the length before them says; a view. */
  bytes(): Uint8Array {
    const start = this.#skip(this.varint())
    return this.#buffer.subarray(start, this.#offset)
  }

  /** As {@link ProtobufReader.bytes}, as UTF-8. */
  text(): string {
    const start = this.#skip(this.varint())
    return this.#buffer.toString('utf8', start, this.#offset)
  }

  /** Has `read` read as many bytes as the length before them says, and not one more. */
  delimited<T>(read: () => T): T {
    const length = this.varint()
    const [outer, inner] = [this.#end, this.#offset + length]
    if (inner > outer) throw truncated()
    if (this.#depth === DEPTH_MAX) throw new MalformedMessage(`messages within each other, more than ${DEPTH_MAX} deep`)
    this.#depth += 1
    this.#end = inner
    const value = read()
    this.#end = outer
    this.#depth -= 1
    return value
  }

  /** Passes over the content of a field that is not known. */
  skip(wireType: number): void {
    if (wireType === VARINT) this.varint64()
    else if (wireType === DELIMITED) this.#skip(this.varint())
    else if (wireType === FIXED_64) this.#skip(FIXED_64_BYTES)
    else if (wireType === FIXED_32) this.#skip(FIXED_32_BYTES)
    else throw new MalformedMessage(`wire type ${wireType}`)
  }

  #byte(): number {
    return this.#buffer[this.#skip(1)] ?? 0
  }

  /** @returns where that begins which it skips */
  #skip(bytes: number): number {
    const start = this.#offset
    if (start + bytes > this.#end) throw truncated()
    this.#offset = start + bytes
    return start
  }
}

/** A 64-bit integer with a sign. */
export const int64: Kind<bigint> = {
  wireType: VARINT,
  write: (writer, value) => writer.varint64(value),
  read: (reader) => reader.varint64(),
}

/** Truth. */
export const bool: Kind<boolean> = {
  wireType: VARINT,
  write: (writer, value) => writer.varint(value ? 1 : 0),
  read: (reader) => reader.varint64() !== 0n,
}

/** Bytes; reading gives a view of the message. */
export const bytes: Kind<Uint8Array> = {
  wireType: DELIMITED,
  write: (writer, value) => writer.bytes(value),
  read: (reader) => reader.bytes(),
}

/** UTF-8; a field of bytes that holds text can be one of these, too. */
export const text: Kind<string> = {
  wireType: DELIMITED,
  write: (writer, value) => writer.text(value),
  read: (reader) => reader.text(),
}

/** One of a few words, which stand for numbers from 0 on. */
export function choice<const T extends string>(...words: readonly T[]): Kind<T> {
  return {
    wireType: VARINT,
    write: (writer, value) => writer.varint(words.indexOf(value)),
    read: (reader) => {
      const word = words[reader.varint()]
      if (word === undefined) throw new MalformedMessage('a choice that is none')
      return word
    },
  }
}

/** A field that stands once. */
export function one<T>(number: number, kind: Kind<T>): One<T> {
  return { number, kind, isRepeated: false }
}

/** A field that stands once for each element. */
export function many<T>(number: number, kind: Kind<T>): Many<T> {
  return { number, kind, isRepeated: true }
}

/**
 * A message.
 *
 * @param fields - gives the table when it is first needed, so that messages may hold each other
 */
export function message<M extends object>(fields: () => Fields<M>): Message<M> {
  let table: Table | undefined
  const known = (): Table => (table ??= tableOf(fields() as Record<string, Field<unknown>>))
  const write = (writer: ProtobufWriter, value: M): void => known().write(writer, value as Record<string, unknown>)
  const read = (reader: ProtobufReader): M => known().read(reader) as M
  return {
    wireType: DELIMITED,
    write: (writer, value) => writer.delimited(() => write(writer, value)),
    read: (reader) => reader.delimited(() => read(reader)),
    encode: (value) => {
      const writer = new ProtobufWriter()
      write(writer, value)
      return writer.written()
    },
    decode: (content) => read(new ProtobufReader(content)),
  }
}

/** How the fields of one message are written and read. */
interface Table {
  readonly write: (writer: ProtobufWriter, value: Record<string, unknown>) => void
  readonly read: (reader: ProtobufReader) => Record<string, unknown>
}

function tableOf(fields: Record<string, Field<unknown>>): Table {
  const entries = Object.entries(fields)
  const byTag = new Map(entries.map(([name, field]) => [tagOf(field), { name, ...field }]))
  return {
    write: (writer, value) => {
      for (const [name, field] of entries) {
        const content = value[name]
        if (content === undefined) continue
        for (const element of field.isRepeated ? (content as readonly unknown[]) : [content]) {
          writer.varint(tagOf(field))
          field.kind.write(writer, element)
        }
      }
    },
    read: (reader) => {
      const value: Record<string, unknown> = {}
      while (!reader.isAtEnd) {
        const tag = reader.varint()
        const field = byTag.get(tag)
        if (field === undefined) reader.skip(tag & WIRE_TYPE_MASK)
        else if (!field.isRepeated) value[field.name] = field.kind.read(reader)
        else ((value[field.name] ??= []) as unknown[]).push(field.kind.read(reader))
      }
      return value
    },
  }
}

function tagOf({ number, kind }: Field<unknown>): number {
  return (number << WIRE_TYPE_BITS) | kind.wireType
}

function truncated(): MalformedMessage {
  return new MalformedMessage('it ends within a field')
}
