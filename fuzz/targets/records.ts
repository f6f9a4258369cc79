/** Records of bytes in one input: numbers of a byte, and values with their lengths. */

/** Reads an input from its beginning; what it does not hold reads as 0, or as nothing. */
export class InputReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  byte(): number {
    const byte = this.#bytes[this.#at] ?? 0
    this.#at += 1
    return byte
  }

  /** Bytes after their length; as many as there are. */
  value(): Buffer {
    let length = 0
    for (let i = 0; i < 4; i++) length = (length << 8) | this.byte()
    const end = Math.min(this.#bytes.length, this.#at + Math.max(0, length))
    const value = Buffer.from(this.#bytes.slice(Math.min(this.#at, end), end))
    this.#at = end
    return value
  }
}

/** A value after its length. */
export function lengthy(value: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(value as string)
  const head = Buffer.alloc(4)
  head.writeInt32BE(bytes.length)
  return Buffer.concat([head, bytes])
}
