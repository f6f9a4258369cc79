/** The common part of all readings: the form of their answers, and of the numbers and texts in them. */
import { unmarkData } from '../../recipes/engine/marked-data.ts'
import type { Answer } from '../api.ts'

/** The most that a list shows of what a node says of itself, in characters. */
const SAYS_CHARS_MAX = 160

/** The fields of an answer besides its data. */
type More = Partial<Pick<Answer<unknown>, 'next' | 'total' | 'untold'>>

/** An answer, read now. */
export function answer<T>(data: T, { next = null, total = null, untold = {} }: More = {}): Answer<T> {
  return { data, asOfMs: Date.now(), next, total, untold }
}

/** A zxid or a session, as people know it. */
export function hex(value: bigint): string {
  return `0x${value.toString(16)}`
}

/** The data of a contender or a member, for a list: text, or their length. */
export function says(data: Uint8Array): string {
  const said = unmarkData(data)?.data ?? data
  const text = textOf(said)
  if (text === null) return `${said.length} bytes`
  return text.length <= SAYS_CHARS_MAX ? text : `${text.slice(0, SAYS_CHARS_MAX)}…`
}

/** Data as text; null if they are none. */
export function textOf(data: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch {
    return null
  }
}
