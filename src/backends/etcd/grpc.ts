/**
 * gRPC over HTTP/2, as bytes: messages after their lengths, and a status at the end.
 *
 * Source    gRPC's PROTOCOL-HTTP2.md.
 */

/** gRPC's numbers of what etcd refuses with. */
export const Status = Object.freeze({
  invalidArgument: 3,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unauthenticated: 16,
})

/** A flag that says whether the message is compressed, and its length. */
const PREFIX_BYTES = 5
const LENGTH_OFFSET = 1

/** Longest message that is read, in bytes: a list of a million long names, and less than a string can hold. */
const MESSAGE_BYTES_MAX = 256 * 1024 * 1024

/** A message as it is sent. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length)
  frame[0] = 0
  frame.writeUInt32BE(message.length, LENGTH_OFFSET)
  frame.set(message, PREFIX_BYTES)
  return frame
}

/** Cuts what comes into messages, wherever its chunks end. */
export class Frames {
  #chunks: Buffer[] = []
  #length = 0
  /** As many bytes make the next message whole, as far as is known. */
  #needed = PREFIX_BYTES

  /**
   * Takes a chunk.
   *
   * @returns the messages that it makes whole
   * @throws RangeError for one that is longer than is read; Error for one that is compressed, which nobody asked for
   */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    const messages: Buffer[] = []
    while (this.#length >= this.#needed) {
      const bytes = this.#joined()
      const length = bytes.readUInt32BE(LENGTH_OFFSET)
      if (bytes[0] !== 0) throw new Error('the answer is compressed')
      if (length > MESSAGE_BYTES_MAX) throw new RangeError(`${length} bytes where ${MESSAGE_BYTES_MAX} are read`)
      const end = PREFIX_BYTES + length
      if (bytes.length < end) {
        this.#needed = end
        break
      }
      messages.push(bytes.subarray(PREFIX_BYTES, end))
      this.#keep(bytes.subarray(end))
    }
    return messages
  }

  #joined(): Buffer {
    const [first] = this.#chunks
    const bytes = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks)
    this.#chunks = [bytes]
    return bytes
  }

  #keep(rest: Buffer): void {
    this.#chunks = [rest]
    this.#length = rest.length
    this.#needed = PREFIX_BYTES
  }
}

/** A status message, which is percent-encoded; as it is where that is broken. */
export function messageOf(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return encoded
  }
}
