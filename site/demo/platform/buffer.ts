/** The part of Node's `Buffer` that an ensemble in memory and its clients use, over the platform's own text codecs. */

type Encoding = 'utf8' | 'latin1' | 'base64'

const ENCODER = new TextEncoder()
/** A byte order mark stays, and what is no UTF-8 is U+FFFD, as in Node.js. */
const DECODER = new TextDecoder('utf-8', { ignoreBOM: true })
/** Longest run of bytes that becomes a string in one call. */
const RUN_BYTES = 0x2000

/** Bytes with Node's way of making, reading and writing them. */
export class PlatformBuffer extends Uint8Array<ArrayBuffer> {
  /** Text and lists as bytes of their own; an ArrayBuffer as it is. */
  static override from(source: string | ArrayBuffer | ArrayLike<number>): PlatformBuffer {
    if (source instanceof ArrayBuffer) return new PlatformBuffer(source)
    if (typeof source === 'string') return new PlatformBuffer(ENCODER.encode(source).buffer)
    return new PlatformBuffer(Uint8Array.from(source).buffer)
  }

  /** Zeros. */
  static alloc(length: number): PlatformBuffer {
    return new PlatformBuffer(length)
  }

  /** Zeros, as a page has no other memory. */
  static allocUnsafeSlow(length: number): PlatformBuffer {
    return new PlatformBuffer(length)
  }

  /** How many bytes a text has in UTF-8. */
  static byteLength(text: string): number {
    return ENCODER.encode(text).length
  }

  /** All of them, one after the other. */
  static concat(parts: readonly Uint8Array[]): PlatformBuffer {
    const all = new PlatformBuffer(parts.reduce((sum, { length }) => sum + length, 0))
    let offset = 0
    for (const part of parts) {
      all.set(part, offset)
      offset += part.length
    }
    return all
  }

  /** Copies some of the bytes; there has to be room for them. */
  copy(target: Uint8Array, at: number, start: number, end: number): number {
    target.set(new Uint8Array(this.buffer, this.byteOffset + start, end - start), at)
    return end - start
  }

  /** Writes a text; there has to be room for it. */
  write(text: string, at: number, encoding: Encoding = 'utf8'): number {
    if (encoding === 'utf8') return ENCODER.encodeInto(text, new Uint8Array(this.buffer, this.byteOffset + at)).written
    for (let index = 0; index < text.length; index++) this[at + index] = text.charCodeAt(index)
    return text.length
  }

  /** Some of the bytes as a text. */
  override toString(encoding: Encoding = 'utf8', start = 0, end = this.length): string {
    const bytes = new Uint8Array(this.buffer, this.byteOffset + start, Math.min(end, this.length) - start)
    if (encoding === 'utf8') return DECODER.decode(bytes)
    let text = ''
    for (let at = 0; at < bytes.length; at += RUN_BYTES) text += String.fromCharCode(...bytes.subarray(at, at + RUN_BYTES))
    return encoding === 'base64' ? btoa(text) : text
  }
}
