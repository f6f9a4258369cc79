/**
 * `quorate doctor URL`: checks a set-up, and says of each finding what it is, why it matters and what to do.
 *
 * Writes    one ephemeral node that it deletes again; none with `--read-only`.
 */
import { validatePath } from '../core/path.ts'
import { takeOptions } from './command-options.ts'
import { checkLocks } from './doctor/lock-check.ts'
import { CHECKS, checked, leftOut } from './doctor/finding.ts'
import type { Checked, CheckName, Finding } from './doctor/finding.ts'
import { checkServers } from './doctor/server-checks.ts'
import { checkSession } from './doctor/session-checks.ts'
import { checkTree } from './doctor/tree-checks.ts'
import { ExitStatus, UsageError } from './exit-status.ts'
import { jsonLine } from './output.ts'
import type { Output } from './output.ts'
import { CONNECTION_HELP, CONNECTION_OPTIONS, SESSION_TIMEOUT_MS } from './program-connection.ts'
import { engineAt, openSession, placeOf } from './program-connection.ts'
import type { EngineAt, Place } from './program-connection.ts'
import { describeError } from './shell/error-text.ts'

const STUCK_SECONDS = 600
const NODES_MAX = 20_000
const COUNT_MAX = 10_000_000
const MS_PER_SECOND = 1_000
const LOCK_ROOTS = ['/locks']

const USAGE = `usage: quorate doctor [URL] [options]
Checks a set-up: ${CHECKS.join(', ')}. For each finding: what it is, why it
matters, and what to do.
options:
${CONNECTION_HELP}
  --locks PATH,PATH...     below which nodes locks are (default: ${LOCK_ROOTS.join(',')})
  --stuck-after SECONDS    how long somebody may wait for a lock (default: ${STUCK_SECONDS})
  --nodes N                the most nodes to look at (default: ${NODES_MAX})
  --read-only              write nothing: neither writes nor the clock of the servers are measured then
  --strict                 fail for warnings too
  --json                   a line of JSON
  --help
exit status: 0 nothing bad, 1 something bad, or with --strict a warning, 2 not understood`

const OPTIONS = {
  ...CONNECTION_OPTIONS,
  locks: { type: 'string' },
  'stuck-after': { type: 'string' },
  nodes: { type: 'string' },
  'read-only': { type: 'boolean' },
  strict: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

interface DoctorArguments extends Place {
  readonly lockRoots: readonly string[]
  readonly stuckMs: number
  readonly nodesMax: number
  readonly isReadOnly: boolean
  readonly isStrict: boolean
  readonly json: boolean
}

/**
 * Checks, and tells.
 *
 * @param args - after `doctor`
 * @param env - of the process
 * @param stop - aborted by a signal
 * @returns the exit status
 * @throws UsageError for wrong arguments
 */
export async function runDoctor(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: Output,
  stop: AbortSignal,
): Promise<number> {
  const given = readArguments(args)
  if (given === null) {
    output.out(`${USAGE}\n`)
    return ExitStatus.ok
  }
  const checks = (await checksOf(given, await engineAt(given, env), stop)).sort((a, b) => rankOf(a) - rankOf(b))
  const findings = checks.flatMap(({ check, findings: own }) => own.map((finding) => ({ check, ...finding })))
  const isHealthy = !findings.some(({ level }) => level === 'bad' || (given.isStrict && level === 'warn'))
  const told = checks.map(({ check, says, isLeftOut, findings: own }) => {
    return { check, result: isLeftOut ? 'left out' : worstOf(own), says }
  })
  output.out(given.json ? jsonLine({ healthy: isHealthy, checks: told, findings }) : reportOf(told, findings))
  return isHealthy ? ExitStatus.ok : ExitStatus.failure
}

function rankOf({ check }: Checked): number {
  return CHECKS.indexOf(check)
}

/** Makes all checks that can be made; servers are asked also where there is no session. */
async function checksOf(
  given: DoctorArguments,
  place: EngineAt,
  stop: AbortSignal,
): Promise<Checked[]> {
  const { engine } = place
  const servers = checkServers(engine.servers, stop)
  let connection
  try {
    connection = await openSession(place, () => undefined, stop)
  } catch (error) {
    const rest = CHECKS.filter((check) => ['latency', 'clock', 'locks', 'sizes', 'orphans'].includes(check))
    return [noSession(error), ...(await servers), ...rest.map((check) => leftOut(check, 'there is no session'))]
  }
  try {
    const { client } = connection
    const { isReadOnly } = given
    const tellsTime = !/^etcds?:/.test(engine.url)
    const context = { client, signal: stop, isReadOnly, tellsTime, askedMs: SESSION_TIMEOUT_MS }
    const { checks, aheadMs } = await checkSession(context)
    const nowMs = Date.now() + aheadMs
    const looking = { ...given, client, signal: stop, nowMs }
    return [...checks, ...(await servers), await checkLocks(looking), ...(await checkTree(looking))]
  } finally {
    await connection.close()
  }
}

function noSession(error: unknown): Checked {
  const { message } = describeError(error)
  return checked('session', message, [{
    level: 'bad',
    what: message,
    why: 'no application that connects like this works',
    todo: 'see the findings on the servers; look at the address, the port, firewalls and the password',
  }])
}

function worstOf(findings: readonly Finding[]): string {
  return (['bad', 'warn', 'note'] as const).find((level) => findings.some((finding) => finding.level === level)) ?? 'ok'
}

function reportOf(
  checks: readonly { readonly check: CheckName; readonly result: string; readonly says: string }[],
  findings: readonly (Finding & { readonly check: CheckName })[],
): string {
  const width = Math.max(...CHECKS.map(({ length }) => length))
  const lines = checks.map(({ check, result, says }) => {
    return `${result.padEnd('left out'.length)}  ${check.padEnd(width)}  ${says}\n`
  })
  const told = findings.map(({ level, check, what, why, todo }) => {
    return `\n${level}: ${check}: ${what}\n  why  ${why}\n  do   ${todo}\n`
  })
  return [...lines, ...told].join('')
}

function readArguments(args: readonly string[]): DoctorArguments | null {
  const { values, positionals } = takeOptions('doctor', args, OPTIONS)
  if (values.help === true) return null
  const [url, ...more] = positionals
  if (more.length > 0 || (url !== undefined && values.connect !== undefined)) {
    throw new UsageError(`doctor takes one URL, got ${[values.connect ?? '', ...positionals].join(' ').trim()}`)
  }
  const lockRoots = values.locks?.split(',') ?? LOCK_ROOTS
  for (const root of lockRoots) validatePath(root, '--locks')
  return {
    ...placeOf(url === undefined ? values : { ...values, connect: url }),
    lockRoots,
    stuckMs: countOption('--stuck-after', values['stuck-after'], STUCK_SECONDS) * MS_PER_SECOND,
    nodesMax: countOption('--nodes', values.nodes, NODES_MAX),
    isReadOnly: values['read-only'] === true,
    isStrict: values.strict === true,
    json: values.json === true,
  }
}

function countOption(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  if (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= COUNT_MAX) return Number(text)
  throw new UsageError(`${name} must be a whole number from 1 to ${COUNT_MAX}, got ${JSON.stringify(text)}`)
}
