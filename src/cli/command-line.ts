/** The arguments of the program: its own options, and the command that they leave. */
import { DEFAULT_URL } from './connect-url.ts'
import { UsageError } from './exit-status.ts'
import { hint } from './nearest.ts'

/** The program's own options, with their defaults. */
export interface CommandLine {
  /** Where to connect to. */
  readonly url: string
  /** Who connects; null if that is not said, or in the URL. */
  readonly user: string | null
  /** The file whose first line is the password. */
  readonly passwordFile: string | null
  /** Whether to ask for the password at the terminal. */
  readonly asksPassword: boolean
  /** The mechanism of SASL that shows a ZooKeeper who connects, as it was written; null for the scheme digest. */
  readonly sasl: string | null
  /** Whether every result is a JSON value on a line. */
  readonly json: boolean
  /** Whether what nodes hold goes to a terminal as it is. */
  readonly raw: boolean
  /** The session time-out to ask for, in milliseconds. */
  readonly sessionTimeoutMs: number
  /** How long to try to connect, in milliseconds. */
  readonly connectTimeoutMs: number
  /** Whether to print the usage, or the version, and no more. */
  readonly shows: 'usage' | 'version' | null
}

/** Arguments, taken apart. */
export interface TakenArguments {
  /** The command and its arguments; empty for a shell at the terminal. */
  readonly command: readonly string[]
  /** Whether there is a `--json`. */
  readonly json: boolean
  /** Reads the options. Throws UsageError for a wrong one. */
  readonly options: () => CommandLine
}

/** Like zkCli's. */
const SESSION_TIMEOUT_MS = 30_000
/** How long to try to connect unless something else is said, in milliseconds. */
export const CONNECT_TIMEOUT_MS = 5_000
const TIME_MS_MAX = 2 ** 31 - 1

type Valued = 'url' | 'user' | 'passwordFile' | 'sasl' | 'sessionTimeoutMs' | 'connectTimeoutMs'
type Alone = 'json' | 'raw' | 'asksPassword'

/** Options with a value, by their words; those with one dash are zkCli's. */
const WITH_VALUE: Readonly<Record<string, Valued>> = {
  '--connect': 'url',
  '-server': 'url',
  '--user': 'user',
  '--password-file': 'passwordFile',
  '--sasl': 'sasl',
  '--timeout': 'sessionTimeoutMs',
  '-timeout': 'sessionTimeoutMs',
  '--connect-timeout': 'connectTimeoutMs',
}

const ALONE: Readonly<Record<string, Alone>> = {
  '--json': 'json',
  '--raw': 'raw',
  '--ask-password': 'asksPassword',
}

/** Options that stand before a command only: after it they are the command's. */
const SHOWS: Readonly<Record<string, 'usage' | 'version'>> = {
  '--help': 'usage',
  '-h': 'usage',
  '--version': 'version',
}

/** The options of the program. */
export const OPTION_NAMES: readonly string[] = [WITH_VALUE, ALONE, SHOWS].flatMap((options) => Object.keys(options))

/** Those of them that the next word belongs to. */
export const VALUED_OPTION_NAMES: readonly string[] = Object.keys(WITH_VALUE)

/** Commands that read files of servers, and nothing else; they have options of their own. */
export const FILE_TOOLS: ReadonlySet<string> = new Set(['log', 'snapshot', 'backup', 'restore'])

/** First words that are programs of their own, with options of their own. */
export const PROGRAM_NAMES: readonly string[] = [
  ...['server', 'ensemble', 'status', 'dashboard', 'top', 'doctor', 'completion', 'scram-user'],
  ...FILE_TOOLS,
]

/** How the program is used. */
export const USAGE = `usage: quorate [options]                     a shell; help lists its commands
       quorate [options] command [arguments]   one command; quorate command --help tells about it
       quorate server [zoo.cfg] [options]      a server; quorate server --help tells more
       quorate ensemble DIR [--servers N]      servers for development; quorate ensemble --help tells more
       quorate log FILE, snapshot FILE         what is in a file of a server, and whether it is sound
       quorate status host:port[,host:port...] where servers stand; quorate status --help tells more
       quorate dashboard [--connect URL]       a page that shows all of it, live; quorate dashboard --help tells more
       quorate top [--connect URL]             the same in the terminal, in short; quorate top --help tells more
       quorate doctor [URL]                    checks a set-up, and says what to mend; quorate doctor --help tells more
       quorate scram-user NAME                 a line for a server's file of users; quorate scram-user --help tells more
       quorate completion bash|zsh|fish        a script by which a shell completes words of quorate
       quorate backup DIR --to DIR, restore    a copy of the data of a server, and back
options:
  --connect URL            embedded:, zookeeper://host:port,host:port/chroot (default: ${DEFAULT_URL}),
                           etcd://host:port, redis://host:port
  --user NAME              who connects; its password is in QUORATE_PASSWORD, or
  --password-file FILE     in the first line of a file, or
  --ask-password           asked for at the terminal
  --sasl MECHANISM         SCRAM-SHA-256 for quorate server, or DIGEST-MD5 for a ZooKeeper; without it the user is the
                           identity digest
  --json                   a JSON value on a line for each result
  --raw                    what nodes hold as it is, also to a terminal
  --timeout MS             session time-out to ask for (default: ${SESSION_TIMEOUT_MS})
  --connect-timeout MS     how long to try to connect (default: ${CONNECT_TIMEOUT_MS})
  --version, --help
exit status: 0 done, 1 not done, 2 not understood; that of lock, elect and run-once: quorate lock --help`

/** Takes the arguments apart. Options of the program may stand before the command and after it, up to `--`. */
export function takeArguments(args: readonly string[]): TakenArguments {
  const values: Partial<Record<Valued, string>> = {}
  const alone = new Set<Alone>()
  const command: string[] = []
  const problems: string[] = []
  let shows: CommandLine['shows'] = null
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? ''
    const [, name = word, inline] = /^(--?[\w-]+)(?:=(.*))?$/s.exec(word) ?? []
    const valued = Object.hasOwn(WITH_VALUE, name) ? WITH_VALUE[name] : undefined
    const single = Object.hasOwn(ALONE, word) ? ALONE[word] : undefined
    if (word === '--') {
      command.push(...args.slice(index))
      break
    } else if (valued !== undefined) {
      const value = inline ?? args[(index += 1)]
      if (value === undefined) problems.push(`${name} needs a value`)
      else values[valued] = value
    } else if (single !== undefined) alone.add(single)
    else if (command.length > 0) command.push(word)
    else if (Object.hasOwn(SHOWS, word)) shows = SHOWS[word] ?? null
    else if (word.startsWith('-')) problems.push(`quorate has no option ${unknownOption(word, name)}`)
    else command.push(word)
  }
  const options = (): CommandLine => {
    const [problem] = problems
    if (problem !== undefined) throw new UsageError(problem)
    return optionsOf(values, alone, shows)
  }
  return { command, json: alone.has('json'), options }
}

function optionsOf(
  values: Partial<Record<Valued, string>>,
  alone: ReadonlySet<Alone>,
  shows: CommandLine['shows'],
): CommandLine {
  return {
    url: values.url ?? DEFAULT_URL,
    user: values.user ?? null,
    passwordFile: values.passwordFile ?? null,
    asksPassword: alone.has('asksPassword'),
    sasl: values.sasl ?? null,
    json: alone.has('json'),
    raw: alone.has('raw'),
    sessionTimeoutMs: timeOf('--timeout', values.sessionTimeoutMs, SESSION_TIMEOUT_MS),
    connectTimeoutMs: timeOf('--connect-timeout', values.connectTimeoutMs, CONNECT_TIMEOUT_MS),
    shows,
  }
}

/** An unknown option. Its value may be a secret. */
function unknownOption(word: string, name: string): string {
  const hasValue = word.length > name.length
  if (hasValue && Object.hasOwn(ALONE, name)) return `${name} with a value`
  const meant = hint(name, OPTION_NAMES)
  return name + (meant === '' ? '; quorate --help lists them' : meant)
}

/** The milliseconds of an option. Throws UsageError if they are none. */
export function timeOf(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const ms = Number(text)
  if (/^\d+$/.test(text) && ms >= 1 && ms <= TIME_MS_MAX) return ms
  const must = `a whole number of milliseconds from 1 to ${TIME_MS_MAX}`
  throw new UsageError(`${name} must be ${must}, got ${JSON.stringify(text)}`)
}
