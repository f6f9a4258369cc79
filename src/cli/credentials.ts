/**
 * Who connects, without a password in the arguments of a process, where everybody on the machine can read it.
 *
 *     QUORATE_PASSWORD           in the environment
 *     --password-file FILE       the first line of a file
 *     --ask-password             asked for at the terminal, without echo
 *
 * Rules     they are for the place that the command line names, never for one that a line of the shell connects to: a
 *           password must not go to a server that it was not given for. ZooKeeper's is the identity `digest`, or the
 *           user of SASL that --sasl asks for. One in a URL among the arguments works, and is warned about.
 *           QUORATE_PASSWORD is used where a user is named, and by Redis, whose default user needs no name.
 */
import { readFileSync } from 'node:fs'
import { SASL_MECHANISMS } from '../backends/sasl/mechanism.ts'
import type { SaslMechanism } from '../backends/sasl/mechanism.ts'
import type { CommandLine } from './command-line.ts'
import { Failure, UsageError } from './exit-status.ts'
import { reasonOf } from './file-reason.ts'
import type { Login } from './login.ts'
import { isAmbiguous } from './secrets.ts'

/** The variable of the environment that has the password. */
export const PASSWORD_VARIABLE = 'QUORATE_PASSWORD'

/** A warning: a password stands among the arguments of a process. */
export const ARGUMENT_WARNING =
  `warning: everybody on this machine can read a password in a command's arguments: set ${PASSWORD_VARIABLE}, or ` +
  'give --password-file FILE or --ask-password'

/** Whether a URL that was given as an argument has a password in it. */
export function hasPassword(url: string): boolean {
  const [, , , password = ''] = LOGIN.exec(url) ?? []
  return password !== ''
}

/** Asks somebody at a terminal for what is not to be seen. */
export type Ask = (question: string) => Promise<string>

const LOGIN = /^((?:etcds?|rediss?):\/\/)(?:([^:@]*)(?::(.*))?@)?(.*)$/s

/**
 * Finds out who connects.
 *
 * @param ask - null without a terminal
 * @returns null if the URL says it, or nobody has to
 * @throws UsageError for options that contradict each other, or miss something; Failure for a file that cannot be read
 */
export async function loginOf(
  line: Pick<CommandLine, 'url' | 'user' | 'passwordFile' | 'asksPassword'> & Partial<Pick<CommandLine, 'sasl'>>,
  env: NodeJS.ProcessEnv,
  ask: Ask | null,
): Promise<Login | null> {
  const { url, passwordFile, asksPassword } = line
  const sasl = line.sasl ?? null
  const option = passwordFile === null ? (asksPassword ? '--ask-password' : null) : '--password-file'
  const found = LOGIN.exec(url)
  const [, scheme = '', userInUrl, passwordInUrl] = found ?? []
  checkUser(line.user, userInUrl)
  if (sasl !== null && scheme !== '') throw new UsageError('--sasl is for a ZooKeeper, and for quorate server')
  if (sasl !== null && line.user === null) throw new UsageError('--sasl needs --user NAME')
  const by = sasl === null ? {} : { mechanism: mechanismOf(sasl) }
  if (passwordFile !== null && asksPassword) throw new UsageError('give either --password-file or --ask-password')
  if (passwordInUrl !== undefined || isAmbiguous(url)) {
    if (option !== null) throw new UsageError(`${option}: the URL has a password already`)
    return null
  }
  const user = line.user ?? (userInUrl === undefined ? null : decoded(userInUrl))
  if (user === null && !scheme.startsWith('redis')) {
    if (option !== null) throw new UsageError(`${option} needs --user NAME`)
    return null
  }
  const password = await passwordOf(passwordFile, asksPassword, env, ask, user)
  if (password !== null) return { user, password, ...by }
  if (line.user === null) return null
  if (ask === null) throw new UsageError(`no password for ${line.user}: ${instead()}`)
  return { user, password: await ask(`Password of ${line.user}: `), ...by }
}

function mechanismOf(word: string): SaslMechanism {
  const found = SASL_MECHANISMS.find((mechanism) => mechanism === word.toUpperCase())
  if (found !== undefined) return found
  throw new UsageError(`--sasl takes ${SASL_MECHANISMS.join(' or ')}, got ${JSON.stringify(word)}`)
}

/** Advice where nobody can be asked. */
function instead(): string {
  return `set ${PASSWORD_VARIABLE}, or give --password-file FILE`
}

/** A URL with a login, where it takes one; otherwise as it is. */
export function withLogin(url: string, login: Login | null): string {
  const [, scheme, , , rest = ''] = LOGIN.exec(url) ?? []
  if (login === null || scheme === undefined) return url
  const [user, password] = [login.user ?? '', login.password].map(encodeURIComponent)
  return `${scheme}${user ?? ''}:${password ?? ''}@${rest}`
}

/**
 * The login for a URL that a line of the shell connects to, with a password that was asked for.
 *
 * @throws UsageError if the URL has no place for it
 */
export async function askedLogin(url: string, ask: Ask): Promise<Login> {
  const [, scheme, user, password] = LOGIN.exec(url) ?? []
  if (scheme === undefined) {
    throw new UsageError('connect -p is for redis:// and etcd://; on a ZooKeeper, connect and then addauth digest user')
  }
  if (password !== undefined || isAmbiguous(url)) throw new UsageError('connect -p: the URL has a password already')
  return { user: user === undefined ? null : decoded(user), password: await ask('Password: ') }
}

function checkUser(user: string | null, userInUrl: string | undefined): void {
  if (user === null) return
  // It may be user:password, so it is not shown.
  if (user === '' || user.includes(':')) throw new UsageError(`--user takes a name without a colon: ${instead()}`)
  if (userInUrl !== undefined) throw new UsageError('--user: the URL names a user already')
}

/**
 * The password of a user, from a file, the environment, or somebody at a terminal.
 *
 * @returns null if nobody was to be asked, and it is nowhere
 */
export async function passwordOf(
  file: string | null,
  asks: boolean,
  env: NodeJS.ProcessEnv,
  ask: Ask | null,
  user: string | null,
): Promise<string | null> {
  if (file !== null) return firstLineOf(file)
  if (!asks) return environmentPassword(env)
  if (ask === null) throw new UsageError(`--ask-password needs a terminal: ${instead()}`)
  return ask(user === null ? 'Password: ' : `Password of ${user}: `)
}

/** The password in the environment; null if it is unset or empty. */
export function environmentPassword(env: NodeJS.ProcessEnv): string | null {
  return env[PASSWORD_VARIABLE] || null
}

function firstLineOf(file: string): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new Failure(`cannot read the password in ${file}: ${reasonOf(error)}`)
  }
  const line = text.split(/\r?\n/, 1)[0] ?? ''
  if (line === '') throw new Failure(`the first line of ${file} is empty: there is no password`)
  return line
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new UsageError('the user in the URL is not encoded: a % is %25')
  }
}
