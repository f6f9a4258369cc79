/**
 * The error for a file that is not what it should be.
 */

/**
 * The part of a file that is wrong.
 *
 * - `header`: the first bytes are not those of this kind of file.
 * - `version`: the file was written by a release that this one does not know.
 * - `length`: a length that cannot be, or that does not lead to the end of its record.
 * - `checksum`: the bytes are not those that were written.
 * - `end-mark`: a record without the byte that ends it, before other bytes.
 * - `gap`: zeros before other bytes, where a record should be.
 * - `content`: the checksum is right (or there is none), but the bytes have no meaning.
 * - `order`: a transaction that does not come after the one before it.
 * - `cut`: the file ends too early.
 * - `compression`: the compressed stream cannot be unpacked.
 */
export type DamageKind =
  | 'header'
  | 'version'
  | 'length'
  | 'checksum'
  | 'end-mark'
  | 'gap'
  | 'content'
  | 'order'
  | 'cut'
  | 'compression'

/**
 * Says which file is damaged, where and how. Nothing from `offset` on can be trusted. Its outcome is always `corrupt`:
 * nothing was changed because of what was read.
 */
export class DamageError extends Error {
  /** The name that the reader was given for the file. */
  readonly file: string
  readonly kind: DamageKind
  /** Where the damaged part begins, in bytes; in a compressed snapshot, of the stream that the message names. */
  readonly offset: number
  readonly outcome = 'corrupt'

  /**
   * Makes an error.
   *
   * @param what - a phrase that follows the file and the offset
   */
  constructor(file: string, kind: DamageKind, offset: number, what: string, cause?: unknown) {
    super(`${file}: at byte ${offset}: ${what}`, cause === undefined ? undefined : { cause })
    this.name = 'DamageError'
    this.file = file
    this.kind = kind
    this.offset = offset
  }
}
