/**
 * `quorate dashboard`: a page that shows an ensemble, its tree and what the recipes keep in it, until SIGTERM or
 * SIGINT.
 *
 * Output    one line on standard output when it serves: the address to open, with the token if there is one.
 */
import { textOf } from '../backends/client/server-address.ts'
import { isLoopback } from '../core/loopback.ts'
import { createDashboard } from '../dashboard/index.ts'
import type { DashboardOptions, Family } from '../dashboard/index.ts'
import { takeOptions } from './command-options.ts'
import { DASHBOARD_HOST, DASHBOARD_PORT, dashboardPortOf, serveDashboard } from './dashboard-server.ts'
import { ExitStatus, UsageError } from './exit-status.ts'
import type { Output } from './output.ts'
import { CONNECTION_HELP, CONNECTION_OPTIONS, engineAt, openSession, placeOf } from './program-connection.ts'
import type { Place } from './program-connection.ts'

/** The variable of the environment that has the token: arguments of a process can be read by everybody on a machine. */
const TOKEN_VARIABLE = 'QUORATE_DASHBOARD_TOKEN'
const FAMILIES: ReadonlySet<string> = new Set<Family>(['locks', 'leaders', 'groups', 'config', 'services'])

const USAGE = `usage: quorate dashboard [--connect URL] [options]
A page that shows an ensemble, its tree, locks, leaders, members and configuration, live. Open the address that it
prints.
options:
${CONNECTION_HELP}
  --port PORT              where the page is; 0 for any that is free (default: ${DASHBOARD_PORT})
  --host ADDRESS           where it listens (default: ${DASHBOARD_HOST}); others than this machine need a token
  --token TOKEN            what everybody has to bring; also from ${TOKEN_VARIABLE}
  --read-write             nodes can be changed; needs a token
  --root FAMILY=PATH,...   where locks, leaders, groups or config are looked for, such as --root locks=/app/locks
  --help`

const OPTIONS = {
  ...CONNECTION_OPTIONS,
  port: { type: 'string' },
  host: { type: 'string' },
  token: { type: 'string' },
  'read-write': { type: 'boolean' },
  root: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

interface DashboardArguments extends Place {
  readonly host: string
  readonly port: number
  readonly options: Pick<DashboardOptions, 'readOnly' | 'token' | 'roots'>
}

/**
 * Serves the page until a signal ends it.
 *
 * @param args - after `dashboard`
 * @param env - of the process
 * @param stop - aborted by the signal
 * @returns the exit status
 * @throws UsageError for wrong arguments; Failure if there is no session, or the port is taken
 */
export async function runDashboard(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: Output,
  stop: AbortSignal,
): Promise<number> {
  const given = readArguments(args, env)
  if (given === null) {
    output.out(`${USAGE}\n`)
    return ExitStatus.ok
  }
  const onError = (error: unknown): void => output.err(`${messageOf(error)}\n`)
  const connection = await openSession(await engineAt(given, env), onError, stop)
  try {
    const { client, label: name } = connection
    const servers = connection.servers.map(textOf)
    await serveDashboard(createDashboard({ client, servers, name, ...given.options }), given, output, stop)
    return ExitStatus.ok
  } finally {
    await connection.close()
  }
}

function readArguments(args: readonly string[], env: NodeJS.ProcessEnv): DashboardArguments | null {
  const { values, positionals } = takeOptions('dashboard', args, OPTIONS)
  if (values.help === true) return null
  if (positionals.length > 0) throw new UsageError(`dashboard takes options only, got ${positionals.join(' ')}`)
  const { host = DASHBOARD_HOST } = values
  const token = values.token ?? env[TOKEN_VARIABLE]
  const readOnly = values['read-write'] !== true
  if (token === undefined && !readOnly) throw new UsageError(`--read-write needs --token or ${TOKEN_VARIABLE}`)
  if (token === undefined && !isLoopback(host)) {
    throw new UsageError(`--host ${host} is open to others: it needs --token or ${TOKEN_VARIABLE}`)
  }
  return {
    ...placeOf(values),
    host,
    port: dashboardPortOf('--port', values.port),
    options: { readOnly, ...(token === undefined ? {} : { token }), ...rootsOf(values.root) },
  }
}

function rootsOf(text: string | undefined): Pick<DashboardOptions, 'roots'> {
  if (text === undefined) return {}
  const [, family = '', paths = ''] = /^(\w+)=(.+)$/.exec(text) ?? []
  if (FAMILIES.has(family)) return { roots: { [family]: paths.split(',') } }
  const must = `one of ${[...FAMILIES].join(', ')}, = and paths`
  throw new UsageError(`--root must be ${must}, such as locks=/app/locks, got ${JSON.stringify(text)}`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
