/**
 * A typed line as words, by zkCli's rules: a word ends at white space, unless a quote, double or single, begins it;
 * then it ends at the next one of these and may hold anything else.
 *
 * Source    ZooKeeperMain.java, ARGS_PATTERN. Unlike there, a quote that is never closed is an error.
 */
import { UsageError } from './exit-status.ts'

/** The last word of a line that is being typed. */
export interface OpenWord {
  /** Where it begins in the line. */
  readonly start: number
  /** The words before it. */
  readonly before: readonly string[]
  /** The quote that begins it, or nothing. */
  readonly quote: string
  /** Its text so far, without the quote. */
  readonly text: string
}

const WORD = /\s*(?:"([^"]*)"|'([^']*)'|([^"'\s]\S*))/y

/**
 * Takes a line apart.
 *
 * @throws UsageError for a quote without an end
 */
export function wordsOf(line: string): string[] {
  const { words, rest } = scan(line)
  if (rest.trim() !== '') throw new UsageError(`a quote without an end: ${rest.trim()}`)
  return words
}

/** The words of any line, for those who only look at it: a quote without an end ends with the line. */
export function looseWordsOf(line: string): string[] {
  const { words, rest } = scan(line)
  const last = rest.trim().replace(/^["']/, '')
  return last === '' ? words : [...words, last]
}

/** The last word of a line, which is still being typed; its text is empty after white space. */
export function openWordOf(line: string): OpenWord {
  const { words, rest } = scan(line)
  const unclosed = /^\s*(["'])(.*)$/s.exec(rest)
  if (unclosed !== null) {
    const [, quote = '', text = ''] = unclosed
    return { start: line.length - text.length - 1, before: words, quote, text }
  }
  const last = /\S*$/.exec(line)?.[0] ?? ''
  if (last === '' || /["']$/.test(last)) return { start: line.length, before: words, quote: '', text: '' }
  return { start: line.length - last.length, before: words.slice(0, -1), quote: '', text: last }
}

function scan(line: string): { readonly words: string[]; readonly rest: string } {
  const words: string[] = []
  let end = 0
  WORD.lastIndex = 0
  for (let match = WORD.exec(line); match !== null; match = WORD.exec(line)) {
    words.push(match[1] ?? match[2] ?? match[3] ?? '')
    end = WORD.lastIndex
  }
  return { words, rest: line.slice(end) }
}
