/** All commands of the shell, by name, and their help. */
import { UsageError } from '../exit-status.ts'
import { ACL_COMMANDS } from './acl-commands.ts'
import type { Command } from './command.ts'
import { usageOf } from './command.ts'
import { LOCK_COMMANDS } from './lock-commands.ts'
import { NODE_COMMANDS } from './node-commands.ts'
import { RECIPE_COMMANDS } from './recipe-commands.ts'
import { SESSION_COMMANDS } from './session-commands.ts'
import { TREE_COMMANDS } from './tree-commands.ts'
import { WATCH_COMMANDS } from './watch-commands.ts'

const HELP: Command = {
  name: 'help',
  usage: '[command]',
  summary: 'lists the commands, or tells about one',
  words: [0, 1],
  run: async ({ print }, given) => {
    const name = given.words[0]
    if (name === undefined) {
      print({ text: helpText(), json: { commands: [...ALL].map(({ name: each, usage }) => ({ name: each, usage })) } })
      return
    }
    const command = COMMANDS.get(name)
    if (command === undefined) throw new UsageError(unknownCommand(name))
    const { usage, summary } = command
    print({ text: `${usageOf(command)}\n${summary}\n`, json: { name: command.name, usage, summary } })
  },
}

const ALL: readonly Command[] = [
  ...NODE_COMMANDS,
  ...ACL_COMMANDS,
  ...WATCH_COMMANDS,
  ...LOCK_COMMANDS,
  ...RECIPE_COMMANDS,
  ...TREE_COMMANDS,
  ...SESSION_COMMANDS,
  HELP,
]

/** Other words for the same. */
const ALIASES: Readonly<Record<string, string>> = { exit: 'quit', '?': 'help', rmr: 'deleteall' }

/** The commands by every word that calls them. */
export const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ...ALL.map((command) => [command.name, command] as const),
  ...Object.entries(ALIASES).map(([alias, name]) => [alias, byName(name)] as const),
])

/** The names of the commands, sorted, without other words for them. */
export const COMMAND_NAMES: readonly string[] = ALL.map(({ name }) => name).sort()

/** One line a command. */
function helpText(): string {
  return [...ALL]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, usage }) => `  ${name}${usage === '' ? '' : ` ${usage}`}\n`)
    .join('')
}

/** What there is to say of a word that calls none. */
export function unknownCommand(word: string): string {
  const near = COMMAND_NAMES.find((name) => name.toLowerCase() === word.toLowerCase())
  const what = word === '' ? 'no command' : `Command not found ${word}`
  return near === undefined ? `${what}; help lists the commands` : `${what}; it is ${near}`
}

function byName(name: string): Command {
  return ALL.find((command) => command.name === name) as Command
}
