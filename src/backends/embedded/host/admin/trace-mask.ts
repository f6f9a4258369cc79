/**
 * The trace mask: which of the reference's trace messages are logged. This server has none of them; the number is kept
 * for tools that read it or set it.
 *
 * Source    ZooTrace.java, TraceMaskCommand.java, SetTraceMaskCommand.java.
 */

/** Requests of clients, packets between servers, sessions, warnings. */
const DEFAULT_MASK = 0b1_0011_0010n
/** Length of the number that follows `stmk`. */
export const TRACE_MASK_BYTES = 8
const LONG_BITS = 64
/** As Java's Long.parseLong takes it. */
const LONG = /^[+-]?\d{1,19}$/

/** The trace mask of one server. */
export class TraceMask {
  #value = DEFAULT_MASK

  /** A Java long. */
  get value(): bigint {
    return this.#value
  }

  /** Sets it from the number that follows `stmk`. */
  setBytes(bytes: Uint8Array): void {
    this.#value = new DataView(bytes.buffer, bytes.byteOffset, TRACE_MASK_BYTES).getBigInt64(0)
  }

  /**
   * Sets it from the argument of a command.
   *
   * @returns whether the text is a number that it can be
   */
  setText(text: string): boolean {
    if (!LONG.test(text)) return false
    const value = BigInt(text.replace('+', ''))
    if (BigInt.asIntN(LONG_BITS, value) !== value) return false
    this.#value = value
    return true
  }
}
