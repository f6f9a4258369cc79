/** Why something failed, in one line for the message of another error: no password of a URL is in it. */
import { withoutPassword } from './value-text.ts'

/** Causes that are looked at: a longer chain says nothing new. */
const CAUSES_MAX = 8

/**
 * The messages of an error, of its causes and of the parts of an aggregate (`connect` to a name with several addresses
 * fails with an `AggregateError` whose own message is empty), each said once.
 *
 * @returns empty if there is nothing to say
 */
export function reasonOf(error: unknown): string {
  let text = ''
  for (const message of messagesOf(error, CAUSES_MAX)) {
    if (!text.includes(message)) text += text === '' ? message : `: ${message}`
  }
  return withoutPassword(text.replace(/\s+/g, ' ').trim())
}

function messagesOf(error: unknown, left: number): string[] {
  if (left === 0 || error === undefined || error === null) return []
  if (!(error instanceof Error)) return typeof error === 'string' ? [error] : []
  const parts: unknown[] = error instanceof AggregateError ? error.errors.slice(0, left) : []
  const inner = [...parts, error.cause].flatMap((part) => messagesOf(part, left - 1))
  const own = error.message === '' && inner.length === 0 ? error.name : error.message
  return own === '' ? inner : [own, ...inner]
}
