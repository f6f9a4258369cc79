/**
 * Verbs: the word after a command's name that says what it does, as in `counter get path`.
 *
 * Rule      a verb has a number of words and flags of its own; flags of another verb are refused.
 */
import type { Command, CommandContext, Given } from './command.ts'
import { wrong } from './command.ts'

/**
 * Does what the verb among the words says.
 *
 * @throws UsageError if the command has no such verb, or for words or flags that the verb does not take
 */
export async function runVerb(command: Command, context: CommandContext, given: Given): Promise<void> {
  const { verbs = {}, flags = {} } = command
  const [word = '', ...words] = given.words
  const verb = Object.hasOwn(verbs, word) ? verbs[word] : undefined
  if (verb === undefined) throw wrong(command, `it takes ${listOf(Object.keys(verbs))}, got ${JSON.stringify(word)}`)
  const stray = Object.keys(flags).find((flag) => given.has(flag) && verb.flags?.includes(flag) !== true)
  if (stray !== undefined) throw wrong(command, `${word} has no flag -${stray}`)
  const [min, max] = verb.words
  if (words.length < min) throw wrong(command, `${word}: too few arguments`)
  if (words.length > max) throw wrong(command, `${word}: too many arguments: ${words.slice(max).join(' ')}`)
  await verb.run(context, given)
}

/** Words as a list in a sentence. */
function listOf(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`
}
