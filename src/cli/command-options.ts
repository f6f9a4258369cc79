/** The options of a command that needs no connection: those of `server` and of the tools for files. */
import { parseArgs } from 'node:util'
import { UsageError } from './exit-status.ts'
import { hint } from './nearest.ts'

/** Options by name, without dashes; one of type `string` has a value. */
export type CommandOptions = Readonly<Record<string, { readonly type: 'string' | 'boolean'; readonly short?: string }>>

/** The values of the options that were given. */
export type OptionValues<O extends CommandOptions> = {
  readonly [N in keyof O]?: O[N]['type'] extends 'string' ? string : boolean
}

/**
 * Takes arguments apart.
 *
 * @param command - the word that errors say
 * @throws UsageError, one line, for an option that is unknown, lacks its value, or has one that it does not take
 */
export function takeOptions<O extends CommandOptions>(
  command: string,
  args: readonly string[],
  options: O,
): { readonly values: OptionValues<O>; readonly positionals: readonly string[] } {
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const words = Object.keys(options).map((name) => `--${name}`)
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const { name, rawName, value } = token
    if (!Object.hasOwn(options, name)) {
      const meant = hint(rawName, words) || `; quorate ${command} --help lists them`
      throw new UsageError(`${command} has no option ${rawName}${meant}`)
    }
    const takesValue = options[name]?.type === 'string'
    if (takesValue && !value) throw new UsageError(`${rawName} needs a value`)
    if (!takesValue && value !== undefined) throw new UsageError(`${rawName} takes no value`)
  }
  return { values, positionals }
}
