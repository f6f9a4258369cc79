/**
 * A view of one server for its operators: the four-letter words, the metrics and the AdminServer show it.
 */
import { OpCode } from '../../../wire/codes.ts'
import type { ClientSocket } from '../clients/tcp-socket.ts'
import type { Traffic } from '../clients/traffic.ts'
import type { ServerStatus } from '../../server/ready.ts'
import { laterOf, zxidOf } from '../../server/zab/zxid.ts'
import type { Limits } from '../limits.ts'
import type { Host } from '../host.ts'
import type { ServerDirectories } from '../storage/directory-size.ts'
import type { Monitored } from './metrics.ts'
import type { TraceMask } from './trace-mask.ts'

/** The version in `srvr` and elsewhere: monitoring of the field wants a ZooKeeper's. */
export const VERSION = '3.8.0-quorate'
/** The answer while clients are not served. */
export const NOT_SERVING = 'This ZooKeeper instance is not currently serving requests'

/** The reference's short names of operations. */
const OPERATION_NAMES: ReadonlyMap<number, string> = new Map([
  [OpCode.create, 'CREA'],
  [OpCode.create2, 'CREA'],
  [OpCode.createTTL, 'CREA'],
  [OpCode.createContainer, 'CREA'],
  [OpCode.delete, 'DELE'],
  [OpCode.deleteContainer, 'DELE'],
  [OpCode.exists, 'EXIS'],
  [OpCode.getData, 'GETD'],
  [OpCode.setData, 'SETD'],
  [OpCode.getAcl, 'GETA'],
  [OpCode.setAcl, 'SETA'],
  [OpCode.getChildren, 'GETC'],
  [OpCode.getChildren2, 'GETC'],
  [OpCode.sync, 'SYNC'],
  [OpCode.ping, 'PING'],
  [OpCode.check, 'CHEC'],
  [OpCode.multi, 'MULT'],
  [OpCode.multiRead, 'MLTR'],
  [OpCode.reconfig, 'RECO'],
  [OpCode.checkWatches, 'CHKW'],
  [OpCode.removeWatches, 'REMW'],
  [OpCode.setWatches, 'SETW'],
  [OpCode.setWatches2, 'STW2'],
  [OpCode.addWatch, 'ADDW'],
  [OpCode.getEphemerals, 'GETE'],
  [OpCode.getAllChildrenNumber, 'GETACN'],
  [OpCode.whoAmI, 'HOMI'],
  [OpCode.createSession, 'SESS'],
  [OpCode.closeSession, 'CLOS'],
])

/** The part of a host that operators see. */
export type InspectedHost = Pick<Host, 'status' | 'inspect' | 'times' | 'syncTimes'>

/** The servers around one. */
export interface Company {
  /** There is no other, and none will come. */
  readonly isStandalone: boolean
  /** How many have a vote. */
  readonly voters: number
  /** TLS hand-shakes of others that waited since others of their addresses have failed; absent where there are none. */
  readonly slowedHandshakes?: number
}

/** A server and its port for clients. */
export interface ServerView {
  readonly traffic: Traffic
  readonly traceMask: TraceMask
  /** When counting began, on `performance.now()`. */
  readonly startedMs: number
  connections(): Iterable<ClientSocket>
  readonly limits: Limits
  /** Requests that have no reply yet. */
  outstanding(): number
  /** Length of those that are large, in bytes. */
  outstandingBytes(): number
  /** TLS hand-shakes that are under way. */
  handshakes(): number
  /** Those that waited since others of their addresses have failed, at all ports. */
  slowedHandshakes(): number
  /** The server; null while there is none. */
  host(): InspectedHost | null
  /** The port for clients; null if they have TLS alone. */
  clientPort(): number | null
  /** The port that speaks TLS alone; null if there is none. */
  secureClientPort(): number | null
  /** The answer of `conf` for the server, after the line of its port: lines of `key=value`. */
  configuration(): string
  /** Where its files are; null if it has none. */
  directories(): ServerDirectories | null
  /** The servers that this one works with. */
  readonly company: Company
}

const MODES = { LOOKING: 'looking', LEADING: 'leader', FOLLOWING: 'follower', OBSERVING: 'observer' } as const

/** The server's mode: `standalone`, or its role in the ensemble; `read-only` while it has none and is read from. */
export function modeOf({ company }: ServerView, host: InspectedHost): string {
  const { role, readOnly } = host.status()
  return company.isStandalone ? 'standalone' : readOnly ? 'read-only' : MODES[role]
}

/** Whether there is something to tell of a server: it serves clients, if only those that read. */
export function isShown({ serving, readOnly }: Pick<ServerStatus, 'serving' | 'readOnly'>): boolean {
  return serving || readOnly
}

/**
 * The zxid up to which a server that serves has applied everything: its leader's epoch has begun with what came before,
 * also before the first transaction of that epoch. One that is read-only tells of no more than can be read there.
 */
export function servedZxid({ epoch, zxid, readOnly }: ServerStatus): bigint {
  return readOnly ? zxid : laterOf(zxid, zxidOf(epoch, 0))
}

/** How many clients are connected. */
export function connectionCount(view: ServerView): number {
  return [...view.connections()].length
}

/** Starts the counts of a server again, except those that only grow. */
export function resetNumbers(view: ServerView): void {
  const host = view.host()
  view.traffic.reset()
  host?.times.reset()
  host?.syncTimes?.reset()
}

/** Lines of `key=value`, the ports first. */
export function configurationLines(view: ServerView): string {
  const ports = `clientPort=${view.clientPort() ?? -1}\nsecureClientPort=${view.secureClientPort() ?? -1}`
  return `${ports}\n${view.configuration()}`
}

/** Gathers the sources of a server's numbers. */
export function monitored(view: ServerView, host: InspectedHost): Monitored {
  const { isStandalone, voters } = view.company
  return {
    version: VERSION,
    mode: modeOf(view, host),
    isStandalone,
    status: host.status(),
    seen: host.inspect(),
    traffic: view.traffic,
    times: host.times,
    syncTimes: host.syncTimes,
    connectionCount: connectionCount(view),
    limits: view.limits,
    outstanding: view.outstanding(),
    outstandingBytes: view.outstandingBytes(),
    handshakes: view.handshakes(),
    slowedHandshakes: view.slowedHandshakes(),
    uptimeMs: performance.now() - view.startedMs,
    voters,
  }
}

/** The reference's short name of an operation; `NA` if it has none. */
export function operationName(op: number): string {
  return OPERATION_NAMES.get(op) ?? 'NA'
}

/** `address:port` of a client. */
export function addressOf({ address, port }: ClientSocket): string {
  return `${address}:${port}`
}

/** An id or a zxid as the reference prints it. */
export function hex(value: bigint): string {
  return BigInt.asUintN(64, value).toString(16)
}
