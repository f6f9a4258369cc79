/**
 * The connection of a command that is a program of its own, such as `quorate dashboard` or `quorate top`: the options
 * by which it knows where to connect and as whom, and the session.
 */
import type { ServerAddress } from '../backends/client/server-address.ts'
import type { Client } from '../core/client.ts'
import { askerOf } from './ask-password.ts'
import { CONNECT_TIMEOUT_MS, timeOf } from './command-line.ts'
import type { OptionValues } from './command-options.ts'
import { DEFAULT_URL, engineOf } from './connect-url.ts'
import type { Engine } from './connect-url.ts'
import { ARGUMENT_WARNING, hasPassword, loginOf, withLogin } from './credentials.ts'
import type { Login } from './login.ts'
import { ShellConnection } from './shell/connection.ts'

/** The options. */
export const CONNECTION_OPTIONS = {
  connect: { type: 'string' },
  user: { type: 'string' },
  'password-file': { type: 'string' },
  'ask-password': { type: 'boolean' },
  sasl: { type: 'string' },
  'connect-timeout': { type: 'string' },
} as const

/** The help on them. */
export const CONNECTION_HELP = `  --connect URL            embedded:, zookeeper://host:port,host:port/chroot,
                           etcd://host:port or redis://host:port (default: ${DEFAULT_URL})
  --user NAME, --password-file FILE, --ask-password, --sasl MECHANISM
                           who connects, as for the shell
  --connect-timeout MS     how long to try to connect (default: ${CONNECT_TIMEOUT_MS})`

/** Where to connect to, and as whom. */
export interface Place {
  readonly url: string
  readonly user: string | null
  readonly passwordFile: string | null
  readonly asksPassword: boolean
  readonly sasl: string | null
  /** How long to try to connect, in milliseconds. */
  readonly connectTimeoutMs: number
}

/** A place whose engine is known. */
export interface EngineAt {
  readonly engine: Engine
  readonly login: Login | null
  readonly connectTimeoutMs: number
}

/** A session, and further facts of its engine. */
export interface ProgramConnection {
  readonly client: Client
  /** Where it leads, for people. */
  readonly label: string
  /** The servers that answer four-letter words; none on engines that have no such words. */
  readonly servers: readonly ServerAddress[]
  /** Ends the session, and an ensemble started for it. */
  readonly close: () => Promise<void>
}

/** The session time-out that is asked for, in milliseconds. */
export const SESSION_TIMEOUT_MS = 30_000
/** The place that options name. Throws UsageError for a time that is none. */
export function placeOf(values: OptionValues<typeof CONNECTION_OPTIONS>): Place {
  return {
    url: values.connect ?? DEFAULT_URL,
    user: values.user ?? null,
    passwordFile: values['password-file'] ?? null,
    asksPassword: values['ask-password'] === true,
    sasl: values.sasl ?? null,
    connectTimeoutMs: timeOf('--connect-timeout', values['connect-timeout'], CONNECT_TIMEOUT_MS),
  }
}

/**
 * Reads who connects, and finds the engine of a place. Nothing is connected yet.
 *
 * @throws UsageError for a wrong URL or user
 */
export async function engineAt(place: Place, env: NodeJS.ProcessEnv): Promise<EngineAt> {
  const login = await loginOf(place, env, askerOf(process.stdin, process.stderr))
  const { url, connectTimeoutMs } = place
  if (hasPassword(url)) process.stderr.write(`${ARGUMENT_WARNING}\n`)
  return { engine: await engineOf(withLogin(url, login), login), login, connectTimeoutMs }
}

/**
 * Opens a session.
 *
 * @param onError - hears of errors that have no caller
 * @throws Failure with the reason, if there was none in time
 */
export async function openSession(
  { engine, login, connectTimeoutMs }: EngineAt,
  onError: (error: unknown) => void,
  signal: AbortSignal,
): Promise<ProgramConnection> {
  const times = { sessionTimeoutMs: SESSION_TIMEOUT_MS, connectTimeoutMs }
  const options = { ...times, login, signal, onError, onState: () => undefined }
  const connection = await ShellConnection.open(engine, options)
  const { client, label } = connection
  return { client, label, servers: engine.servers, close: () => connection.close() }
}
