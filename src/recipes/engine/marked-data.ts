/**
 * Data that carry a mark: by it a client knows a node again as its own when the answer to the create was lost.
 *
 * Format    36 characters of a UUID, a line feed, then the data themselves. The UUID is the mark.
 */

const MARK_BYTES = 36
const LINE_FEED = 0x0a
const MARK = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Data and their mark. */
export interface MarkedData {
  /** The UUID of who wrote them. */
  readonly mark: string
  /** The data without the mark. */
  readonly data: Uint8Array
}

/** Makes a new mark; no other has the same. */
export function newMark(): string {
  return crypto.randomUUID()
}

/**
 * Puts a mark before data.
 *
 * @param mark - from {@link newMark}
 * @param data - bytes, or a string to be stored as UTF-8
 * @returns the bytes to store: the mark, then the data
 */
export function markData(mark: string, data: Uint8Array | string): Uint8Array {
  const body = typeof data === 'string' ? new TextEncoder().encode(data) : data
  const marked = new Uint8Array(MARK_BYTES + 1 + body.length)
  marked.set(new TextEncoder().encode(`${mark}\n`))
  marked.set(body, MARK_BYTES + 1)
  return marked
}

/**
 * Takes marked data apart.
 *
 * @param bytes - the data of a node
 * @returns the mark and the data, or null if they carry no mark: then somebody else wrote them
 */
export function unmarkData(bytes: Uint8Array): MarkedData | null {
  if (bytes[MARK_BYTES] !== LINE_FEED) return null
  const mark = new TextDecoder().decode(bytes.subarray(0, MARK_BYTES))
  return MARK.test(mark) ? { mark, data: bytes.subarray(MARK_BYTES + 1) } : null
}
