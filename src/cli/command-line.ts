/** The arguments of the program: its own options, and the command that they leave. */
import { DEFAULT_URL } from './connect-url.ts'
import { UsageError } from './exit-status.ts'

/** What was asked for. */
export interface CommandLine {
  /** Where to connect to. */
  readonly url: string
  /** Whether every result is a JSON value on a line. */
  readonly json: boolean
  /** The session time-out to ask for, in milliseconds. */
  readonly sessionTimeoutMs: number
  /** How long to try to connect, in milliseconds. */
  readonly connectTimeoutMs: number
  /** Whether to print the usage, or the version, and no more. */
  readonly shows: 'usage' | 'version' | null
  /** The command and its arguments; empty for a shell at the terminal. */
  readonly command: readonly string[]
}

/** Like zkCli's. */
const SESSION_TIMEOUT_MS = 30_000
const CONNECT_TIMEOUT_MS = 5_000
const TIME_MS_MAX = 2 ** 31 - 1

/** Options with a value, by their words; those with one dash are zkCli's. */
const WITH_VALUE: Readonly<Record<string, 'url' | 'sessionTimeoutMs' | 'connectTimeoutMs'>> = {
  '--connect': 'url',
  '-server': 'url',
  '--timeout': 'sessionTimeoutMs',
  '-timeout': 'sessionTimeoutMs',
  '--connect-timeout': 'connectTimeoutMs',
}

/** How the program is used. */
export const USAGE = `usage: quorate [options]                     a shell; help lists its commands
       quorate [options] command [arguments]   one command
       quorate server [zoo.cfg] [options]      a server; quorate server --help tells more
options:
  --connect URL            embedded:, zookeeper://host:port,host:port/chroot (default: ${DEFAULT_URL}),
                           etcd://host:port, redis://host:port
  --json                   a JSON value on a line for each result
  --timeout MS             session time-out to ask for (default: ${SESSION_TIMEOUT_MS})
  --connect-timeout MS     how long to try to connect (default: ${CONNECT_TIMEOUT_MS})
  --version, --help
exit status: 0 done, 1 not done, 2 not understood`

/**
 * Takes the arguments apart. Options of the program may stand before the command and behind it, up to `--`.
 *
 * @throws UsageError for an option without its value, or with a wrong one
 */
export function readCommandLine(args: readonly string[]): CommandLine {
  const values: Partial<Record<'url' | 'sessionTimeoutMs' | 'connectTimeoutMs', string>> = {}
  const command: string[] = []
  let json = false
  let shows: CommandLine['shows'] = null
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? ''
    const [, name = '', inline] = /^(--?[a-z-]+)(?:=(.*))?$/s.exec(word) ?? []
    const valued = Object.hasOwn(WITH_VALUE, name) ? WITH_VALUE[name] : undefined
    if (word === '--') {
      command.push(...args.slice(index))
      break
    } else if (valued !== undefined) {
      const value = inline ?? args[(index += 1)]
      if (value === undefined) throw new UsageError(`${name} needs a value`)
      values[valued] = value
    } else if (word === '--json') json = true
    else if (command.length > 0) command.push(word)
    else if (word === '--help' || word === '-h') shows = 'usage'
    else if (word === '--version') shows = 'version'
    else if (word.startsWith('-')) throw new UsageError(`quorate has no option ${word}\n${USAGE}`)
    else command.push(word)
  }
  return {
    url: values.url ?? DEFAULT_URL,
    json,
    sessionTimeoutMs: timeOf('--timeout', values.sessionTimeoutMs, SESSION_TIMEOUT_MS),
    connectTimeoutMs: timeOf('--connect-timeout', values.connectTimeoutMs, CONNECT_TIMEOUT_MS),
    shows,
    command,
  }
}

function timeOf(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const ms = Number(text)
  if (/^\d+$/.test(text) && ms >= 1 && ms <= TIME_MS_MAX) return ms
  const must = `a whole number of milliseconds from 1 to ${TIME_MS_MAX}`
  throw new UsageError(`${name} must be ${must}, got ${JSON.stringify(text)}`)
}
