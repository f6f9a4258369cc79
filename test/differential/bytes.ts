/**
 * Bytes of ZooKeeper's formats, written and read by hand: on purpose without the codec under test, so that an error
 * of it that its two halves agree on is seen all the same.
 */

/** Writes fields, big endian, one after the other. */
export class ByteWriter {
  readonly #parts: Buffer[] = []

  int(value: number): this {
    const part = Buffer.alloc(4)
    part.writeInt32BE(value | 0)
    return this.#add(part)
  }

  long(value: bigint): this {
    const part = Buffer.alloc(8)
    part.writeBigInt64BE(BigInt.asIntN(64, value))
    return this.#add(part)
  }

  bool(value: boolean): this {
    return this.#add(Buffer.of(value ? 1 : 0))
  }

  buffer(value: Uint8Array | null): this {
    if (value === null) return this.int(-1)
    return this.int(value.length).#add(Buffer.from(value))
  }

  string(value: string | Uint8Array | null): this {
    return this.buffer(typeof value === 'string' ? Buffer.from(value) : value)
  }

  list<T>(values: readonly T[] | null, write: (value: T) => void): this {
    if (values === null) return this.int(-1)
    this.int(values.length)
    for (const value of values) write(value)
    return this
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }

  #add(part: Buffer): this {
    this.#parts.push(part)
    return this
  }
}

/** Reads fields; throws RangeError at the end of the bytes. */
export class ByteReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  int(): number {
    const value = this.#bytes.readInt32BE(this.#at)
    this.#at += 4
    return value
  }

  long(): bigint {
    const value = this.#bytes.readBigInt64BE(this.#at)
    this.#at += 8
    return value
  }

  byte(): number {
    const value = this.#bytes.readUInt8(this.#at)
    this.#at += 1
    return value
  }

  buffer(): Buffer | null {
    const length = this.int()
    if (length === -1) return null
    if (length < 0 || length > this.left) throw new RangeError(`a buffer of ${length} bytes with ${this.left} left`)
    const value = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return value
  }

  rest(): Buffer {
    const value = this.#bytes.subarray(this.#at)
    this.#at = this.#bytes.length
    return value
  }
}

/** A frame: the length of its bytes before them. */
export function framed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}
