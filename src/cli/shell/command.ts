/**
 * Commands of the shell, and their arguments: flags and words, by the rules of zkCli's option parser.
 *
 * Rules     flags may stand anywhere; one letter each, `-sw` is `-s -w`; `-v 3` and `-v3` are the same; a negative
 *           number is a word; after `--` everything is a word.
 * Errors    one line each: what is wrong, what is likely meant, and how the command is used.
 */
import type { ZooKeeperOperations } from '../../backends/zookeeper/extension/operations.ts'
import type { Client } from '../../core/client.ts'
import { OPTION_NAMES } from '../command-line.ts'
import type { Ask } from '../credentials.ts'
import type { Login } from '../login.ts'
import { UsageError } from '../exit-status.ts'
import type { Statuses } from '../exit-status.ts'
import { hint } from '../nearest.ts'
import type { Result } from '../output.ts'
import type { EventPrinter } from './event-printer.ts'
import type { LineHistory } from './line-history.ts'
import type { WatchList } from './watch-list.ts'

/** Whether a flag stands alone, or takes the word after it. */
export type FlagKind = 'alone' | 'value'

/** A part of a command, by the word after its name. */
export interface Verb {
  /** How many words it takes after its own, at least and at most. */
  readonly words: readonly [min: number, max: number]
  /** The flags of the command that it takes; none if absent. */
  readonly flags?: readonly string[]
  /** Does it; the first of the words that it is given is its own. */
  readonly run: (context: CommandContext, given: Given) => Promise<void> | void
}

/** A command. */
export interface Command {
  /** The word by which it is called. */
  readonly name: string
  /** The arguments after the word, as the usage shows them. */
  readonly usage: string
  /** Its effect, in a line. */
  readonly summary: string
  /** The rest of its help; whole lines. */
  readonly details?: string
  /** Its exit statuses on failure; those of the other commands if absent. */
  readonly statuses?: Statuses
  /** Whether what stands after `--` is a command line, which it keeps for itself. */
  readonly runsProgram?: boolean
  /** Its flags, without the dash. */
  readonly flags?: Readonly<Record<string, FlagKind>>
  /** Its parts, by the word that calls each; it runs them by `runVerb`. */
  readonly verbs?: Readonly<Record<string, Verb>>
  /** How many words it takes, at least and at most. */
  readonly words: readonly [min: number, max: number]
  /** Does it. */
  readonly run: (context: CommandContext, given: Given) => Promise<void>
}

/** Where to connect to, and who connects there. */
export interface Destination {
  readonly url: string
  /** Null if the URL says it, or nobody has to. */
  readonly login: Login | null
}

/** The course of a shell, for the commands that change it. */
export interface ShellControl {
  /** `host:port(CONNECTED)`, for a prompt. */
  readonly place: string
  /** Connects, after ending the present session; to the last place again if none is named. */
  connect(to: Destination | undefined, signal: AbortSignal): Promise<void>
  /** Ends the session, if there is one. */
  close(): Promise<void>
  /** Runs a line as if it was typed, and gives its exit status. */
  runLine(line: string, signal: AbortSignal): Promise<number>
  /** Has the shell end after this command. */
  quit(): void
}

/** The things that a command works with. */
export interface CommandContext {
  /** The connected client; throws a Failure if there is none. */
  readonly client: () => Client
  /** The calls that only ZooKeeper's protocol has; throws a Failure if the engine has it not. */
  readonly zookeeper: () => ZooKeeperOperations
  /** Whether results are printed as JSON. */
  readonly json: boolean
  /** Ends what takes long, on Ctrl-C. */
  readonly signal: AbortSignal
  /** Prints a result. */
  readonly print: (result: Result) => void
  /** Tells people something on the side. */
  readonly note: (text: string) => void
  /** The watches that have not fired. */
  readonly watches: WatchList
  /** Prints events. */
  readonly events: EventPrinter
  /** The lines that were run before. */
  readonly history: LineHistory
  readonly control: ShellControl
  /** Asks at the terminal for what is not to be seen; null without a terminal. */
  readonly ask: Ask | null
  /** Whether lines are typed: then watches outlive a command, and no command takes the terminal. */
  readonly isInteractive: boolean
}

/** The arguments after a command's name. */
export class Given {
  /** The words, without flags. */
  readonly words: readonly string[]
  /** The arguments after `--`; null if there is no `--`. */
  readonly rest: readonly string[] | null
  readonly #flags: ReadonlyMap<string, string>

  /**
   * Takes arguments apart.
   *
   * @throws UsageError for a flag that the command has not, or one without its value, or too few or many words
   */
  constructor(command: Command, args: readonly string[]) {
    const flags = new Map<string, string>()
    const words: string[] = []
    const end = args.indexOf('--')
    const before = end === -1 ? args : args.slice(0, end)
    for (let index = 0; index < before.length; index++) {
      const word = before[index] ?? ''
      if (!isFlag(word)) {
        words.push(word)
      } else if (readFlags(command, word, before[index + 1], flags)) {
        index += 1
      }
    }
    this.rest = end === -1 ? null : args.slice(end + 1)
    this.words = command.runsProgram === true ? words : [...words, ...(this.rest ?? [])]
    this.#flags = flags
    const [min, max] = command.words
    if (this.words.length < min) throw wrong(command, 'too few arguments')
    if (this.words.length > max) {
      throw wrong(command, `too many arguments: ${this.words.slice(max).join(' ')}`)
    }
  }

  /** A word by its place; empty if there is none. */
  word(index: number): string {
    return this.words[index] ?? ''
  }

  /** Whether a flag was given. */
  has(flag: string): boolean {
    return this.#flags.has(flag)
  }

  /** The value of a flag, if it was given. */
  value(flag: string): string | undefined {
    return this.#flags.get(flag)
  }

  /**
   * The value of a flag as a whole number.
   *
   * @throws UsageError if it is none, or out of range
   */
  integer(flag: string, min: number, max: number): number | undefined {
    const text = this.#flags.get(flag)
    if (text === undefined) return undefined
    const number = Number(text)
    if (/^-?\d+$/.test(text) && number >= min && number <= max) return number
    throw new UsageError(`-${flag} must be a whole number from ${min} to ${max}, got ${JSON.stringify(text)}`)
  }
}

/** The longest version that a node can have. */
const VERSION_MAX = 2 ** 31 - 1

/** The version of `-v`; -1, any, if it was not given. */
export function versionOf(given: Given): number {
  return given.integer('v', -1, VERSION_MAX) ?? -1
}

/** Flags that ask for the help of any command. */
const HELP_FLAGS: ReadonlySet<string> = new Set(['--help', '-h', '-help'])

/** Whether arguments ask for help, and for nothing else. */
export function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return (end === -1 ? args : args.slice(0, end)).some((word) => HELP_FLAGS.has(word))
}

/** An error for wrong arguments of a command, with its usage. */
export function wrong(command: Command, what: string): UsageError {
  return new UsageError(`${command.name}: ${what}; ${usageOf(command)}`)
}

/** How a command is used. */
export function usageOf({ name, usage }: Command): string {
  return `usage: ${name}${usage === '' ? '' : ` ${usage}`}`
}

function isFlag(word: string): boolean {
  return /^-./.test(word) && !/^-\d/.test(word)
}

/** Reads the flags in a word; tells whether the last one took the word after it. */
function readFlags(command: Command, given: string, next: string | undefined, flags: Map<string, string>): boolean {
  const word = given.replace(/^--/, '-')
  const known = command.flags ?? {}
  const [, whole = '', inline] = /^-([^=]*)=?(.*)$/s.exec(word) ?? []
  if (whole.length > 1 && Object.hasOwn(known, whole)) {
    if (known[whole] === 'alone') {
      flags.set(whole, '')
      return false
    }
    const isInline = word.includes('=')
    flags.set(whole, valueOf(command, whole, isInline ? inline : next))
    return !isInline
  }
  for (let at = 1; at < word.length; at++) {
    const flag = word.charAt(at)
    const kind = Object.hasOwn(known, flag) ? known[flag] : undefined
    if (kind === undefined) throw unknownFlag(command, at === 1 ? given : `-${flag}`)
    if (kind === 'value') {
      const attached = word.slice(at + 1).replace(/^=/, '')
      flags.set(flag, valueOf(command, flag, attached === '' ? next : attached))
      return attached === ''
    }
    flags.set(flag, '')
  }
  return false
}

function valueOf(command: Command, flag: string, value: string | undefined): string {
  if (value !== undefined) return value
  throw wrong(command, `-${flag} needs a value`)
}

function unknownFlag(command: Command, word: string): UsageError {
  const flags = Object.keys(command.flags ?? {})
  const [name = ''] = word.replace(/^--?/, '').split('=', 1)
  // A letter is near only to itself.
  const flag = flags.find((known) => known.toLowerCase() === name.toLowerCase())
  const others = [...flags.map((known) => `-${known}`), ...OPTION_NAMES].filter((known) => known !== word)
  const meant = flag === undefined ? hint(word, others) : `; did you mean -${flag}?`
  return wrong(command, `there is no flag ${word}${meant}`)
}
