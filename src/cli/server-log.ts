/**
 * The log of `quorate server`: one line per event on standard error, for people or, as JSON, for programs.
 *
 * Text      time, level, message; characters that would break the line are escaped.
 * JSON      `time`, `level`, `server`, `event`, `message`, and the fields of the event: ids and zxids in hexadecimal.
 * Lost      lines for which there is no room are counted, and the next one that is written says how many they were.
 * Levels    `error` asks for somebody now, `warn` soon, `info` is the life of the server and its elections, `debug`
 *           the rest. A level is written with all that are more urgent.
 */
import type { EnsembleEvent, EnsembleServerStatus } from '../backends/embedded/index.ts'
import { diskReason } from './disk-reason.ts'
import { jsonLine } from './output.ts'
import { oneLine } from './visible.ts'

/** The most urgent first. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const
export const LOG_FORMATS = ['text', 'json'] as const

type LogLevel = (typeof LOG_LEVELS)[number]

const LEVEL_WIDTH = 5
/** Lines of one second about clients that fail to prove who they are: they may be very many. */
const FAILURES_MAX = 10
const SECOND_MS = 1_000
const HEX = 16

/** How a log is written. */
export interface LogSettings {
  readonly format: (typeof LOG_FORMATS)[number]
  readonly level: LogLevel
  /** Which server of an ensemble writes it; null for one that is alone, which has no election to tell of. */
  readonly myid: number | null
}

/** Where a server serves, and from what. */
export interface ServingPlace {
  /** The address for clients, in words; null if it has no port. */
  readonly address: string | null
  /** Null if its data are in memory. */
  readonly dataDir: string | null
  /** Null if there is no AdminServer. */
  readonly adminAddress: string | null
}

/** One line. */
export interface LogEntry {
  readonly level: LogLevel
  /** A name for programs. */
  readonly event: string
  readonly message: string
  readonly fields?: Readonly<Record<string, unknown>>
}

/** A log. */
export class ServerLog {
  readonly #settings: LogSettings
  readonly #write: (line: string) => boolean
  /** Of clients that failed to prove who they are: when a second began, and how many there were in it. */
  #failuresSinceMs = -Infinity
  #failures = 0
  /** Lines that were not taken since the last one that was, and how many of them were of the audit. */
  #lost = { lines: 0, audit: 0 }

  /** @param write - gets lines with their ends; false if it has no room for one */
  constructor(settings: LogSettings, write: (line: string) => boolean) {
    this.#settings = settings
    this.#write = write
  }

  /** Writes a line, unless it is less urgent than the log's level. */
  write(entry: LogEntry): void {
    if (LOG_LEVELS.indexOf(entry.level) <= LOG_LEVELS.indexOf(this.#settings.level)) this.#writeLine(entry)
  }

  /** Says how many lines were left out since the last one that was written, if any were. */
  writeLost(): void {
    const { lines, audit } = this.#lost
    if (lines === 0) return
    const message = `${lines} lines were left out here, ${audit} of them of the audit: this log is not read fast enough`
    const line = this.#lineOf({ level: 'error', event: 'log-lost', message, fields: { lines, audit } })
    if (this.#write(line)) this.#lost = { lines: 0, audit: 0 }
  }

  #writeLine(entry: LogEntry): void {
    this.writeLost()
    if (this.#lost.lines === 0 && this.#write(this.#lineOf(entry))) return
    this.#lost = { lines: this.#lost.lines + 1, audit: this.#lost.audit + (entry.event === 'audit' ? 1 : 0) }
  }

  #lineOf({ level, event, message, fields = {} }: LogEntry): string {
    const time = new Date().toISOString()
    const { format, myid } = this.#settings
    if (format === 'text') return `${time} ${level.padEnd(LEVEL_WIDTH)} ${oneLine(message)}\n`
    const server = myid === null ? {} : { server: myid }
    return jsonLine({ time, level, ...server, event, message, ...fields })
  }

  /** Writes a line for an error of this server in what it did for a client, of those that are told. */
  clientError(error: unknown): void {
    const message = `a client's connection was ended by an error of this server: ${textOf(error)}`
    this.write({ level: 'error', event: 'client-error', message })
  }

  /** Writes the line that says that clients are served, and where. */
  ready(place: ServingPlace, { epoch, zxid }: Pick<EnsembleServerStatus, 'epoch' | 'zxid'>): void {
    const fields = { ...place, pid: process.pid, epoch, zxid: hex(zxid) }
    const message = `serves clients on ${placeText(place)}, epoch ${epoch}, zxid ${fields.zxid}`
    this.write({ level: 'info', event: 'ready', message, fields })
  }

  /** Writes a line for an event. */
  tell(event: EnsembleEvent['event']): void {
    // For people it is the last line of the command, whatever its log.
    if (event.type === 'failed' && this.#settings.format === 'text') return
    if (event.type === 'auth-failed' && this.#isTooMany()) return
    const entry = entryOf(event)
    const isQuiet = this.#settings.myid === null && entry.level === 'info' && ELECTIONS.has(event.type)
    const line = { event: event.type, ...entry, ...(isQuiet ? { level: 'debug' } as const : {}) }
    // Whoever asks for the audit wants all of it, whatever else the log leaves out.
    if (event.type === 'audit') this.#writeLine(line)
    else this.write(line)
  }

  /** Whether enough lines about failed clients stand there for this second; the first after it says how many more. */
  #isTooMany(): boolean {
    const nowMs = performance.now()
    if (nowMs - this.#failuresSinceMs >= SECOND_MS) {
      const count = this.#failures - FAILURES_MAX
      this.#failuresSinceMs = nowMs
      this.#failures = 0
      const message = `${count} more clients failed to prove who they are`
      if (count > 0) this.write({ level: 'warn', event: 'auth-failed', message, fields: { count } })
    }
    this.#failures += 1
    return this.#failures > FAILURES_MAX
  }
}

/** An address, and in parentheses the rest and the id of the process. */
export function placeText({ address, dataDir, adminAddress }: ServingPlace): string {
  const admin = adminAddress === null ? [] : [`AdminServer on ${adminAddress}`]
  return `${address ?? 'no port'} (${[dataDir ?? 'in memory', ...admin, `pid ${process.pid}`].join('; ')})`
}

/** The elections of a server that is alone are of no interest; that it serves, `ready` says. */
const ELECTIONS: ReadonlySet<string> = new Set(['looking', 'elected', 'synchronised', 'serving'])

/** An entry; without a name for programs it has that of its event. */
type Line = Omit<LogEntry, 'event'> & Partial<Pick<LogEntry, 'event'>>

/** Events of these kinds. */
type Told<T extends EnsembleEvent['event']['type']> = Extract<EnsembleEvent['event'], { readonly type: T }>

function entryOf(event: EnsembleEvent['event']): Line {
  switch (event.type) {
    case 'damaged':
    case 'disk-full':
    case 'disk-has-room':
    case 'snapshot-skipped':
      return ofDisk(event)
    case 'link-dropped': {
      const { peer, reason } = event
      return { level: 'warn', message: `closed its link to server ${peer}: ${reason}`, fields: { peer, reason } }
    }
    case 'stranger-dropped': {
      const { address, port, reason, count } = event
      const message = `turned ${address} away at its ${port} port: ${reason} (${count} so far)`
      return { level: 'warn', message, fields: { address, port, reason, count } }
    }
    case 'peer-untrusted': {
      const { peer, reason } = event
      return { level: 'warn', message: `cannot speak TLS with server ${peer}: ${reason}`, fields: { peer, reason } }
    }
    case 'client-refused': {
      const { address, reason } = event
      return { level: 'debug', message: `turned a client at ${address} away: ${reason}`, fields: { address, reason } }
    }
    case 'certificates-loaded': {
      const { keys, files } = event
      return { level: 'info', message: `uses the new files of ${keys}: ${files.join(', ')}`, fields: { keys, files } }
    }
    case 'certificates-kept': {
      const { keys, reason } = event
      return { level: 'warn', message: `keeps the certificates that it has: ${reason}`, fields: { keys, reason } }
    }
    case 'vote-malformed': {
      const { peer, reason } = event
      return { level: 'warn', message: `cannot read a vote of server ${peer}: ${reason}`, fields: { peer, reason } }
    }
    case 'client-failed': {
      const fields = { session: hex(event.sessionId) }
      return { level: 'debug', message: `the connection of session ${fields.session} was ended by an error`, fields }
    }
    case 'failed':
      return { level: 'error', message: `the server ended by itself: ${diskReason(event.error)}` }
    case 'reconfigured': {
      const { text } = event
      const version = hex(event.version)
      const message = `the configuration of version ${version} is in force: ${text.split('\n').slice(0, -1).join(' ')}`
      return { level: 'info', message, fields: { version, text } }
    }
    case 'read-only': {
      const message = `has no majority: clients that ask for it may read, up to zxid ${hex(event.zxid)}`
      return { level: 'warn', message, fields: { zxid: hex(event.zxid) } }
    }
    case 'audit':
      return ofAudit(event)
    case 'auth-failed':
    case 'users-loaded':
    case 'users-kept':
      return ofUsers(event)
    case 'session-refused': {
      const message = `gave a client at ${event.address} no session: its address has as many as it may have`
      return { level: 'debug', message, fields: { address: event.address } }
    }
    case 'expired': {
      const session = hex(event.sessionId)
      return { level: 'debug', message: `session ${session} has expired`, fields: { session } }
    }
    default:
      return ofLife(event)
  }
}

/** The fields of ZooKeeper's audit log, in their order; what there is none of is left out. */
function ofAudit({ sessionId, users, address, operation, path, nodeType, err }: Told<'audit'>): Line {
  const fields = {
    session: hex(sessionId),
    user: users.join(','),
    ip: address,
    operation,
    ...(path === null ? {} : { znode: path }),
    ...(nodeType === null ? {} : { znode_type: nodeType }),
    result: err === 0 ? 'success' : 'failure',
    ...(err === 0 ? {} : { err }),
  }
  // A path may have spaces in it: no text of a client may look like another field.
  const shown = (value: string | number): string | number => {
    return typeof value === 'string' && /[\s"]/.test(value) ? JSON.stringify(value) : value
  }
  const message = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`).join(' ')
  return { level: 'info', message, fields }
}

/** Of a client nothing is shown that it has sent, but the name of a user that there is. */
function ofUsers(event: Told<'auth-failed' | 'users-loaded' | 'users-kept'>): Line {
  switch (event.type) {
    case 'auth-failed': {
      const { address, scheme, user, reason } = event
      const session = hex(event.sessionId)
      const who = user === null ? '' : ` as ${user}`
      const message = `a client at ${address || 'this process'} failed to prove itself by ${scheme}${who}: ${reason}`
      return { level: 'warn', message, fields: { session, address, scheme, user, reason } }
    }
    case 'users-loaded': {
      const { files, count } = event
      return { level: 'info', message: `knows ${count} users now, of ${files.join(', ')}`, fields: { files, count } }
    }
    case 'users-kept': {
      const { reason } = event
      return { level: 'warn', message: `keeps the users that it has: ${reason}`, fields: { reason } }
    }
  }
}

type LifeEvent = Told<'looking' | 'elected' | 'synchronised' | 'rewinding' | 'serving' | 'started' | 'crashed'>

function ofLife(event: LifeEvent): Line {
  switch (event.type) {
    case 'looking': {
      const { round, reason } = event
      return { level: 'info', message: `looks for a leader: ${reason}`, fields: { round, reason } }
    }
    case 'elected': {
      const { round, supporters, vote: { leader, peerEpoch, zxid } } = event
      const place = `epoch ${peerEpoch}, zxid ${hex(zxid)}`
      const votes = supporters.join(', ')
      const message = `server ${leader} (${place}) is elected in round ${round}, by ${votes}`
      return { level: 'info', message, fields: { leader, round, votes: supporters, peerEpoch, zxid: hex(zxid) } }
    }
    case 'synchronised': {
      const { mode, from } = event
      const message = `has the leader's history, by ${mode} from ${hex(from)}`
      return { level: 'info', message, fields: { mode, from: hex(from) } }
    }
    case 'rewinding': {
      const [to, applied] = [hex(event.to), hex(event.applied)]
      const what = `what its files hold after ${to}, up to ${applied}, was never committed`
      return { level: 'warn', message: `${what}: cuts it off and reads them again`, fields: { to, applied } }
    }
    case 'serving': {
      const { role, epoch } = event
      return { level: 'info', message: `serves, ${role}, epoch ${epoch}`, fields: { role, epoch } }
    }
    case 'started': {
      const { epoch, loggedZxid } = event
      const fields = { epoch, zxid: hex(loggedZxid) }
      return { level: 'info', message: `has read its data: epoch ${epoch}, zxid ${fields.zxid}`, fields }
    }
    case 'crashed':
      return { level: 'info', event: 'ended', message: 'has ended' }
  }
}

function ofDisk(event: Told<'damaged' | 'disk-full' | 'disk-has-room' | 'snapshot-skipped'>): Line {
  switch (event.type) {
    case 'damaged':
      return { level: 'error', message: diskReason(event.error) }
    case 'disk-full':
      return { level: 'error', message: `the disk is full, and writes wait; make room: ${diskReason(event.error)}` }
    case 'disk-has-room':
      return { level: 'info', message: 'the disk has room again, and what waited is written' }
    case 'snapshot-skipped': {
      const message = `no room for a snapshot, so the log stays and grows; make room: ${diskReason(event.error)}`
      return { level: 'warn', message }
    }
  }
}

/** With where it was raised, as it is a fault of ours. */
function textOf(error: unknown): string {
  return error instanceof Error && error.stack !== undefined ? error.stack : diskReason(error)
}

function hex(value: bigint): string {
  return `0x${BigInt.asUintN(64, value).toString(HEX)}`
}
