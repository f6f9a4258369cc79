/** All commands of the shell, by name, and their help. */
import { PROGRAM_NAMES } from '../command-line.ts'
import { STATUSES, UsageError } from '../exit-status.ts'
import type { Statuses } from '../exit-status.ts'
import { hint } from '../nearest.ts'
import { ACL_COMMANDS } from './acl-commands.ts'
import type { Command } from './command.ts'
import { asksForHelp, Given, usageOf } from './command.ts'
import { CONFIG_COMMANDS } from './config-commands.ts'
import { COUNT_COMMANDS } from './count-commands.ts'
import { ENSEMBLE_COMMANDS } from './ensemble-commands.ts'
import { GATE_COMMANDS } from './gate-commands.ts'
import { LOCK_COMMANDS } from './lock-commands.ts'
import { NODE_COMMANDS } from './node-commands.ts'
import { RECIPE_COMMANDS } from './recipe-commands.ts'
import { RUN_COMMANDS } from './run-commands.ts'
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
    const { usage, summary, details } = command
    print({
      text: `${usageOf(command)}\n${summary}\n${details ?? ''}`,
      json: { name: command.name, usage, summary, ...(details === undefined ? {} : { details }) },
    })
  },
}

const ALL: readonly Command[] = [
  ...NODE_COMMANDS,
  ...ACL_COMMANDS,
  ...ENSEMBLE_COMMANDS,
  ...WATCH_COMMANDS,
  ...LOCK_COMMANDS,
  ...RUN_COMMANDS,
  ...RECIPE_COMMANDS,
  ...CONFIG_COMMANDS,
  ...COUNT_COMMANDS,
  ...GATE_COMMANDS,
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

/**
 * Finds the command that words call, and takes its arguments apart. Whoever asks for help on it calls `help`.
 *
 * @throws UsageError if there is none, or if it does not take these
 */
export function readCommand(words: readonly string[]): { readonly command: Command; readonly given: Given } {
  const [name = '', ...args] = words
  const command = COMMANDS.get(name)
  if (command === undefined) throw new UsageError(unknownCommand(name))
  if (asksForHelp(args)) return { command: HELP, given: new Given(HELP, [command.name]) }
  return { command, given: new Given(command, args) }
}

/**
 * The exit statuses of a command that fails.
 *
 * @param words - its name and its arguments; before the name may stand what was not understood
 */
export function statusesOf(words: readonly string[]): Statuses {
  const name = words.find((word) => COMMANDS.has(word))
  return COMMANDS.get(name ?? '')?.statuses ?? STATUSES
}

/** One line per command. */
function helpText(): string {
  return [...ALL]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, usage }) => `  ${name}${usage === '' ? '' : ` ${usage}`}\n`)
    .join('')
}

/** The message for a word that is no command. */
function unknownCommand(word: string): string {
  if (PROGRAM_NAMES.includes(word)) return `${word} runs only as the first word: quorate ${word} --help`
  const what = word === '' ? 'no command' : `Command not found ${word}`
  const meant = hint(word, [...COMMAND_NAMES, ...Object.keys(ALIASES)])
  return meant === '' ? `${what}; help lists the commands` : what + meant
}

function byName(name: string): Command {
  return ALL.find((command) => command.name === name) as Command
}
