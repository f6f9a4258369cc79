/**
 * `quorate server`: one server that any client of ZooKeeper can use, alone or one of an ensemble, in memory or in
 * files, until SIGTERM or SIGINT.
 *
 * Output    one line on standard output when it serves; on standard error its log (server-log.ts).
 */
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { embedded } from '../backends/embedded/index.ts'
import type { EmbeddedOptions, Ensemble, SaslOptions } from '../backends/embedded/index.ts'
import type { EnsembleMember, EnsembleServerStatus, MemberOptions } from '../backends/embedded/index.ts'
import { newEpoch } from '../backends/embedded/host/epochs.ts'
import { textOf } from '../backends/client/server-address.ts'
import { assert } from '../core/assert.ts'
import { takeOptions } from './command-options.ts'
import { DASHBOARD_HOST, DASHBOARD_PORT, dashboardPortOf, serveDashboard } from './dashboard-server.ts'
import { diskReason } from './disk-reason.ts'
import { DynamicFiles } from './dynamic-files.ts'
import { ExitStatus, Failure, UsageError } from './exit-status.ts'
import { exposuresAfter, exposuresOf, refusalOf } from './exposure.ts'
import { reasonOf } from './file-reason.ts'
import { LineQueue, toStream } from './line-queue.ts'
import type { Output } from './output.ts'
import { memberOptionsOf } from './member-options.ts'
import { LOG_FORMATS, LOG_LEVELS, ServerLog, placeText } from './server-log.ts'
import type { LogSettings, ServingPlace } from './server-log.ts'
import { readZooCfg } from './zoo-cfg.ts'
import { VERIFIERS_KEY } from './zoo-cfg-sasl.ts'
import type { ZooCfg } from './zoo-cfg.ts'

const CLIENT_PORT = 2181
const CLIENT_PORT_ADDRESS = '127.0.0.1'
const ADMIN_ADDRESS = '127.0.0.1'

/** ZooKeeper's, which a configuration file is written for: it serves on every address unless it names one. */
const ANY_ADDRESS = '0.0.0.0'

const PORT_MAX = 65_535
const DRAIN_MS_MAX = 600_000

/** A server that does not serve by then says that it waits. */
const WAIT_TOLD_MS = 2_000
/** How long the end of the process waits for who reads its log. */
const LOG_END_MS = 2_000

/** The only server's myid. */
const SERVER_ID = 1

/** Longest tick of the server's own, in milliseconds. */
const TICK_MS_MAX = 50

/**
 * Keeps the space for new objects as small as it is when the data are read. Objects of a server that serves are either
 * gone with their turn or stay as long as a session, so a large one saves no work; it would grow with the first
 * thousands of sessions, and take a fifth of the memory (bench/README.md). While the data are read it may grow: most of
 * them stay, and would be copied more often, so that a start took a quarter longer.
 */
const SMALL_NURSERY = '--semi-space-growth-factor=1'

/** How the command is used. */
const SERVER_USAGE = `usage: quorate server [zoo.cfg] [options]
One server on ${CLIENT_PORT_ADDRESS}:${CLIENT_PORT} for clients of ZooKeeper; with a configuration that has
several server.N lines, one of an ensemble.
Without a data directory its data are in memory, and end with it.
A configuration file is ZooKeeper's own; the options come before what it says.
options:
  --client-port PORT              0 for any that is free
  --client-port-address ADDRESS   0.0.0.0 for all
  --insecure                      serve other machines without TLS: it does not start like that otherwise
  --users FILE                    who clients can prove to be: a line of quorate scram-user per user
  --jaas FILE                     the same as ZooKeeper has it, by passwords that stand there
  --data-dir DIRECTORY            where its data are kept, in ZooKeeper's files
  --admin-port PORT               the AdminServer's, over HTTP on 127.0.0.1; 0 for any that is free. None by default
  --myid N                        which server.N it is; by default the file myid in its data directory says
  --drain-ms MS                   longest wait for what is in flight when a signal ends it; 5000
  --audit                         a line in the log for each change that a client asks for
  --log FORMAT                    text, or json for programs; the log goes to standard error
  --log-level LEVEL               error, warn, info or debug; info
  --dashboard                     serve the dashboard too, on ${DASHBOARD_HOST}, for reading
  --dashboard-port PORT           its port; 0 for any that is free (default: ${DASHBOARD_PORT})
  --end-with-input                end when standard input does, as by a signal: for a program that starts servers
  --help`

/** A command line of the server, read. */
interface ServerArguments {
  readonly options: EmbeddedOptions | MemberOptions
  readonly notices: readonly string[]
  readonly endsWithInput: boolean
  /** The configuration file that is kept up to date when the servers are changed; null if none is. */
  readonly dynamic: string | null
  /** Whether it may be reached by other machines without TLS. */
  readonly isInsecure: boolean
  /** The port of the dashboard; null for none. */
  readonly dashboardPort: number | null
  readonly log: Pick<LogSettings, 'format' | 'level'>
}

/**
 * Serves until a signal ends it.
 *
 * @param args - after `server`
 * @param signal - aborted by the signal of the system
 * @returns the exit status
 * @throws UsageError for wrong arguments; Failure if the configuration is wrong or the port is taken
 */
export async function runServer(args: readonly string[], output: Output, signal: AbortSignal): Promise<number> {
  const given = readArguments(args)
  if (given === null) {
    output.out(`${SERVER_USAGE}\n`)
    return ExitStatus.ok
  }
  const lines = output.errStream === undefined ? null : new LineQueue(toStream(output.errStream))
  const log = logOf(given, output, lines)
  try {
    return await serve(given, output, log, signal)
  } finally {
    log.writeLost()
    if ((await lines?.settled(LOG_END_MS)) === false) output.giveUp?.()
  }
}

async function serve(given: ServerArguments, output: Output, log: ServerLog, signal: AbortSignal): Promise<number> {
  for (const message of given.notices) log.write({ level: 'warn', event: 'configuration', message })
  const input = given.endsWithInput ? inputEnds() : null
  const stop = input === null ? signal : AbortSignal.any([signal, input.signal])
  const failed = new AbortController()
  const options = {
    ...given.options,
    onError: (error: unknown) => failed.abort(error),
    onClientError: (error: unknown) => {
      log.clientError(error)
    },
  }
  const server = made(options)
  for (const message of exposed(given)) log.write({ level: 'warn', event: 'insecure', message })
  const files = dynamicFilesOf(given, log)
  server.onEvent(({ event }) => {
    log.tell(event)
    if (event.type !== 'reconfigured') return
    files?.keep(event)
    if (!given.isInsecure) warnOf(event.text, given.options, log)
  })
  const waiting = setTimeout(() => {
    if (!('myid' in options)) return
    const message = `server ${options.myid} waits for the others; the first time for all that vote`
    log.write({ level: 'info', event: 'waiting', message })
  }, WAIT_TOLD_MS)
  try {
    await newEpoch()
    await start(server, stop)
    setFlagsFromString(SMALL_NURSERY)
    clearTimeout(waiting)
    if (stop.aborted) return ExitStatus.ok
    const place = placeOf(server, options)
    output.out(`${nameOf(options)} serves on ${placeText(place)}\n`)
    log.ready(place, statusOf(server))
    await serveUntil(AbortSignal.any([stop, failed.signal]), server, given.dashboardPort, output)
    if (failed.signal.aborted) throw new Failure(`the server ended by itself: ${diskReason(failed.signal.reason)}`)
    const reason = signal.aborted ? 'a signal came' : 'its standard input has ended'
    log.write({ level: 'info', event: 'stopping', message: `stops: ${reason}`, fields: { reason } })
    return ExitStatus.ok
  } finally {
    clearTimeout(waiting)
    await server.close()
    await files?.settled()
    input?.release()
  }
}

/** Serves until the signal, with the dashboard if there is to be one. */
async function serveUntil(
  stop: AbortSignal,
  server: Ensemble | EnsembleMember,
  dashboardPort: number | null,
  output: Output,
): Promise<void> {
  if (dashboardPort === null) return ended(stop)
  const { createDashboard } = await import('../dashboard/index.ts')
  const place = { host: DASHBOARD_HOST, port: dashboardPort, options: {} }
  await serveDashboard(createDashboard({ connect: server, name: 'quorate server' }), place, output, stop)
}

function logOf({ log, options }: ServerArguments, output: Output, lines: LineQueue | null): ServerLog {
  const myid = 'myid' in options ? options.myid : null
  return new ServerLog({ ...log, myid }, (line) => {
    if (lines !== null) return lines.push(line)
    output.err(line)
    return true
  })
}

function dynamicFilesOf({ dynamic, options }: ServerArguments, log: ServerLog): DynamicFiles | null {
  if (dynamic === null || !('myid' in options)) return null
  return new DynamicFiles(dynamic, options.myid, (version, error) => {
    const what = `cannot keep the configuration of version 0x${version.toString(16)} beside ${dynamic}`
    const message = `${what}: ${reasonOf(error)}; the data have it: write its server.N lines into ${dynamic} yourself`
    log.write({ level: 'warn', event: 'configuration-not-kept', message })
  })
}

/** A signal for the end of standard input; until it is released, the process does not end by itself. */
function inputEnds(): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController()
  const { stdin } = process
  for (const event of ['end', 'close', 'error']) stdin.once(event, () => controller.abort())
  stdin.resume()
  return {
    signal: controller.signal,
    release: () => {
      stdin.destroy()
    },
  }
}

/** The options are checked where they are used; an error there is a failure of one line. */
function made(options: EmbeddedOptions | MemberOptions): Ensemble | EnsembleMember {
  try {
    return 'myid' in options ? embedded(options) : embedded(options)
  } catch (error) {
    throw new Failure(diskReason(error))
  }
}

/**
 * Lists where other machines reach it without TLS.
 *
 * @throws Failure if it may not
 */
function exposed({ options, isInsecure }: ServerArguments): string[] {
  const exposures = exposuresOf(options)
  if (exposures.length > 0 && !isInsecure) throw new Failure(refusalOf(exposures))
  return exposures
}

/** A reconfiguration does not move a port that is open. It is the next start that would be refused. */
function warnOf(text: string, options: ServerArguments['options'], log: ServerLog): void {
  const exposures = 'myid' in options ? exposuresAfter(text, options) : []
  if (exposures.length === 0) return
  const message = `with the configuration that is in force now ${refusalOf(exposures)}`
  log.write({ level: 'warn', event: 'insecure', message, fields: { exposures } })
}

function nameOf(options: EmbeddedOptions | MemberOptions): string {
  return 'myid' in options ? `quorate server ${options.myid} of ${Object.keys(options.servers).length}` : 'quorate'
}

function placeOf(server: Ensemble | EnsembleMember, options: EmbeddedOptions | MemberOptions): ServingPlace {
  return { address: addressOf(server), dataDir: options.dataDir ?? null, adminAddress: adminOf(server, options) }
}

function addressOf(server: Ensemble | EnsembleMember): string | null {
  const plain = 'myid' in server ? server.clientAddress : server.clientAddress(SERVER_ID)
  const secure = 'myid' in server ? server.secureClientPort : (server.secureClientPorts[0] ?? null)
  if (secure === null) return plain
  return plain === null ? `port ${secure} by TLS` : `${plain}, and on port ${secure} by TLS`
}

function adminOf(server: Ensemble | EnsembleMember, { adminAddress }: EmbeddedOptions | MemberOptions): string | null {
  const port = 'myid' in server ? server.adminPort : (server.adminPorts[0] ?? null)
  return port === null ? null : textOf({ host: adminAddress ?? ADMIN_ADDRESS, port })
}

function statusOf(server: Ensemble | EnsembleMember): EnsembleServerStatus {
  if ('myid' in server) return server.status()
  const [status] = server.status()
  assert(status !== undefined, 'an ensemble has a server')
  return status
}

/** Reads arguments and configuration; null if only the usage is asked for. */
function readArguments(args: readonly string[]): ServerArguments | null {
  const { values, positionals } = takeOptions('server', args, OPTIONS)
  if (values.help === true) return null
  if (positionals.length > 1) throw new UsageError(`server takes one configuration file, got ${positionals.join(' ')}`)
  const [file] = positionals
  const cfg = file === undefined ? null : readFile(file)
  const port = portOf(values['client-port'], '--client-port') ?? cfg?.clientPort
  const adminPort = portOf(values['admin-port'], '--admin-port') ?? cfg?.adminPort
  const clientPortAddress =
    values['client-port-address'] ?? cfg?.clientPortAddress ?? (cfg === null ? CLIENT_PORT_ADDRESS : ANY_ADDRESS)
  const drain = given('drainMs', drainMsOf(values['drain-ms']))
  const sasl = saslOptionsOf(cfg, values.users, values.jaas)
  const files = { ...given('dataDir', values['data-dir']), ...given('audit', values.audit), ...given('sasl', sasl) }
  const options = { clientPortAddress, ...drain, ...(cfg === null ? {} : optionsOf(cfg)), ...files }
  const notices = cfg?.notices ?? []
  const hasDashboard = values.dashboard === true || values['dashboard-port'] !== undefined
  const dashboardPort = hasDashboard ? dashboardPortOf('--dashboard-port', values['dashboard-port']) : null
  const endsWithInput = values['end-with-input'] === true
  const isInsecure = values.insecure === true || cfg?.isInsecure === true
  const log = { format: oneOf(LOG_FORMATS, values.log, '--log'), level: levelOf(values['log-level']) }
  if (file === undefined || cfg === null || Object.keys(cfg.servers).length === 0) {
    if (values.myid !== undefined) throw new UsageError('--myid needs a configuration with several server.N lines')
    const admin = adminPort === undefined ? {} : { adminPorts: [adminPort] }
    const ports = port === undefined && cfg?.secureClientPort !== undefined ? [] : [port ?? CLIENT_PORT]
    const secure = cfg?.secureClientPort === undefined ? {} : { secureClientPorts: [cfg.secureClientPort] }
    const alone = { ...options, servers: 1, clientPorts: ports, ...secure, ...admin }
    return { options: alone, notices, endsWithInput, isInsecure, dynamic: null, dashboardPort, log }
  }
  const more = memberOptionsOf(cfg, { file, myid: values.myid, port, options })
  const admin = given('adminPort', adminPort)
  const all = { ...options, ...admin, ...more.options }
  const dynamic = cfg.reconfigEnabled === true ? file : null
  const told = [...notices, ...more.notices]
  return { options: all, notices: told, endsWithInput, isInsecure, dynamic, dashboardPort, log }
}

const OPTIONS = {
  'client-port': { type: 'string' },
  'client-port-address': { type: 'string' },
  insecure: { type: 'boolean' },
  users: { type: 'string' },
  jaas: { type: 'string' },
  'data-dir': { type: 'string' },
  'drain-ms': { type: 'string' },
  'admin-port': { type: 'string' },
  myid: { type: 'string' },
  audit: { type: 'boolean' },
  log: { type: 'string' },
  'log-level': { type: 'string' },
  dashboard: { type: 'boolean' },
  'dashboard-port': { type: 'string' },
  'end-with-input': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

function readFile(file: string): ZooCfg {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new Failure(`cannot read the configuration ${file}: ${reasonOf(error)}`)
  }
  return readZooCfg(text.replace(/^\ufeff/, ''), file)
}

function levelOf(text: string | undefined): LogSettings['level'] {
  return oneOf(LOG_LEVELS, text ?? 'info', '--log-level')
}

/** One of some words; the first of them by default. */
function oneOf<W extends string>(words: readonly [W, ...W[]], text: string | undefined, name: string): W {
  const found = text === undefined ? words[0] : words.find((word) => word === text)
  if (found !== undefined) return found
  throw new UsageError(`${name} must be ${words.join(' or ')}, got ${JSON.stringify(text)}`)
}

function portOf(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined
  if (/^\d+$/.test(text) && Number(text) <= PORT_MAX) return Number(text)
  throw new UsageError(`${name} must be a port from 0 to ${PORT_MAX}, got ${JSON.stringify(text)}`)
}

function drainMsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d+$/.test(text) && Number(text) <= DRAIN_MS_MAX) return Number(text)
  throw new UsageError(`--drain-ms must be a whole number from 0 to ${DRAIN_MS_MAX}, got ${JSON.stringify(text)}`)
}

/** The options that a configuration comes to. */
function optionsOf(cfg: ZooCfg): EmbeddedOptions {
  const { minSessionTimeoutMs, maxSessionTimeoutMs, extendedTypes, containerCheckMs } = cfg
  // ZooKeeper's ticks are long, and this server's short: a session time-out has two at least, whatever it is.
  const tickMs = Math.min(TICK_MS_MAX, Math.floor(minSessionTimeoutMs / 2), containerCheckMs)
  return {
    tickMs,
    sessionTimeoutMs: minSessionTimeoutMs,
    minSessionTimeoutMs,
    maxSessionTimeoutMs,
    extendedTypes,
    containerCheckMs,
    tickTimeMs: cfg.tickTimeMs,
    ...given('globalOutstandingLimit', cfg.globalOutstandingLimit),
    ...given('maxClientCnxns', cfg.maxClientCnxns),
    ...given('fourLetterWords', cfg.fourLetterWords),
    ...given('dataDir', cfg.dataDir),
    ...given('dataLogDir', cfg.dataLogDir),
    ...given('snapRetainCount', cfg.snapRetainCount),
    ...given('snapCount', cfg.snapCount),
    ...given('snapLogBytes', cfg.snapLogBytes),
    ...given('commitLogCount', cfg.commitLogCount),
    ...given('leaderServes', cfg.leaderServes),
    ...given('readOnlyMode', cfg.readOnlyMode),
    ...given('localSessions', cfg.localSessions),
    ...given('audit', cfg.audit),
    ...given('reconfigEnabled', cfg.reconfigEnabled),
    ...given('superDigest', cfg.superDigest),
    ...given('enforceQuota', cfg.enforceQuota),
    ...given('requestBytesMax', cfg.requestBytesMax),
    ...given('responseBytesMax', cfg.responseBytesMax),
    ...given('commitLogBytes', cfg.commitLogBytes),
    limits: cfg.limits,
    ...given('adminAddress', cfg.adminAddress),
    ...given('clientTls', cfg.clientTls),
    ...given('requiredSchemes', cfg.requiredSchemes),
  }
}

/** The files that the command names come before those of the configuration. */
function saslOptionsOf(cfg: ZooCfg | null, users?: string, jaas?: string): SaslOptions | undefined {
  const sasl = { ...cfg?.sasl, ...given('verifierFile', users), ...given('jaasFile', jaas) }
  if (sasl.verifierFile !== undefined || sasl.jaasFile !== undefined) return sasl
  if (cfg?.requiredSchemes?.join() !== 'sasl') return undefined
  throw new Failure(`SASL is required, and no file of users is named: give --users FILE, or ${VERIFIERS_KEY}`)
}

function given<N extends string, T>(name: N, value: T | undefined): { readonly [K in N]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [K in N]: T })
}

/** A server of several may wait for the others as long as it likes; the signal ends that. */
async function start(server: Ensemble | EnsembleMember, stop: AbortSignal): Promise<void> {
  try {
    await Promise.race([server.start(), ended(stop)])
  } catch (error) {
    throw new Failure(diskReason(error))
  }
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
