/** The part of Node's `Buffer` that an ensemble in memory and its clients use, over the platform's own text codecs. */

type Encoding = 'utf8' | 'latin1' | 'base64'

const ENCODER = new TextEncoder()
/** A byte order mark stays, and what is no UTF-8 is U+FFFD, as in Node.js. */
const DECODER = new TextDecoder('utf-8', { ignoreBOM: true })
/** Longest run of bytes that becomes a string in one call. */
const RUN_BYTES = 0x2000

/** Bytes with Node's way of reading and writing them. */
class Bytes extends Uint8Array {
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
    for (let at = 0; at < bytes.length; at += RUN_BYTES) {
      text += String.fromCharCode(...bytes.subarray(at, at + RUN_BYTES))
    }
    return encoding === 'base64' ? btoa(text) : text
  }
}

/** Text and lists as bytes of their own; an ArrayBuffer as it is. */
function from(source: string | ArrayBuffer | ArrayLike<number>): Bytes {
  if (source instanceof ArrayBuffer) return new Bytes(source)
  return new Bytes(typeof source === 'string' ? ENCODER.encode(source) : source)
}

function concat(parts: readonly Uint8Array[]): Bytes {
  const all = new Bytes(parts.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const part of parts) {
    all.set(part, offset)
    offset += part.length
  }
  return all
}

/** In place of the global of Node.js. A page has no memory that is not zeros. */
export const PLATFORM_BUFFER = Object.freeze({
  from,
  concat,
  alloc: (length: number) => new Bytes(length),
  allocUnsafeSlow: (length: number) => new Bytes(length),
  byteLength: (text: string) => ENCODER.encode(text).length,
})
