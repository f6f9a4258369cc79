/** Completion of a line that is being typed: names of commands, then paths. */
import type { Client } from '../../core/client.ts'
import { joinPath } from '../../core/path.ts'
import { isVisible } from '../visible.ts'
import { openWordOf } from '../words.ts'
import { COMMAND_NAMES, COMMANDS } from './commands.ts'

/** The answer of a completer to readline: the candidates, and the part of the line that they would replace. */
export type Completion = readonly [candidates: string[], typed: string]

/** Second words of commands that have no verbs. */
const SECOND_WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['printwatches', ['on', 'off']],
  ['help', COMMAND_NAMES],
])

/** The words that may stand after the name of a command; empty if it takes any. */
export function secondWordsOf(name: string): readonly string[] {
  return SECOND_WORDS.get(name) ?? Object.keys(COMMANDS.get(name)?.verbs ?? {})
}

/**
 * Completes a line.
 *
 * @param client - where paths are looked up; null if none is connected
 */
export async function complete(line: string, client: Client | null): Promise<Completion> {
  const { before, quote, text, start } = openWordOf(line)
  const typed = line.slice(start)
  if (before.length === 0) return [spaced(startingWith(COMMAND_NAMES, typed)), typed]
  if (text.startsWith('/')) return [await pathsFrom(text, quote, client), typed]
  return before.length === 1 ? [spaced(startingWith(secondWordsOf(before[0] ?? ''), typed)), typed] : [[], typed]
}

async function pathsFrom(text: string, quote: string, client: Client | null): Promise<string[]> {
  if (client === null) return []
  const slash = text.lastIndexOf('/')
  const parent = slash === 0 ? '/' : text.slice(0, slash)
  try {
    const { names } = await client.children(parent)
    // The editor writes candidates as they are: one that would not show as it is cannot be offered.
    const all = names.filter(isVisible).map((name) => joinPath(parent, name))
    const paths = startingWith(all, text)
    if (quote !== '') return paths.filter((path) => !path.includes(quote)).map((path) => `${quote}${path}${quote}`)
    return paths.filter((path) => !/[\s"']/.test(path))
  } catch {
    // No such parent, or no server: then there is nothing to offer.
    return []
  }
}

function startingWith(words: readonly string[], typed: string): string[] {
  return words.filter((word) => word.startsWith(typed))
}

/** Behind the only one, the next word can be typed at once. */
function spaced(words: string[]): string[] {
  return words.length === 1 ? words.map((word) => `${word} `) : words
}
