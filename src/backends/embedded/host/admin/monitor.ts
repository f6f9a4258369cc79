/**
 * The four-letter word `mntr`: a server's numbers, as monitoring of the field reads them.
 *
 * Order     the reference's, which is that of a hash table.
 * Missing   what the reference counts of its own inner queues and caches (docs/protocol/differences.md, "metrics").
 * Source    MonitorCommand.java, ZooKeeperServer.dumpMonitorValues, LeaderZooKeeperServer, ServerMetrics.java of 3.8.
 */
import { readFileSync, readdirSync } from 'node:fs'
import type { ServerInspection } from '../../server/inspection.ts'
import type { ServerStatus } from '../../server/ready.ts'
import type { Traffic } from '../clients/traffic.ts'

const DECIMALS = 10_000
const OPEN_FILES = '/proc/self/fd'
const LIMITS = '/proc/self/limits'
const OPEN_FILES_LIMIT = /^Max open files\s+(\d+)/m

/** What `mntr` tells of. */
export interface Monitored {
  readonly version: string
  /** What the server calls itself, such as `leader`. */
  readonly mode: string
  readonly isStandalone: boolean
  readonly status: ServerStatus
  readonly seen: ServerInspection
  readonly traffic: Traffic
  readonly connectionCount: number
  /** Requests that have no reply yet. */
  readonly outstanding: number
  readonly uptimeMs: number
  /** How many servers have a vote. */
  readonly voters: number
}

/** A number; null where it means nothing. */
type Value = string | number | null

const PEER_STATES = {
  LOOKING: 'looking',
  LEADING: 'leading - broadcast',
  FOLLOWING: 'following - broadcast',
  OBSERVING: 'observing - broadcast',
} as const

/** The lines of `mntr`, without their ends. */
export function monitorLines(monitored: Monitored): string[] {
  const { version, mode, isStandalone, status } = monitored
  const values: readonly (readonly [string, Value])[] = [
    ['version', version],
    ['server_state', mode],
    ['peer_state', isStandalone ? null : PEER_STATES[status.role]],
    ...gauges(monitored),
    ...counters(monitored.traffic),
  ]
  return values.flatMap(([key, value]) => (value === null ? [] : [`zk_${key}\t${value}`]))
}

function gauges(monitored: Monitored): (readonly [string, Value])[] {
  const { isStandalone, status, seen, traffic } = monitored
  const { latency, responseSizes } = traffic
  const { leading } = seen
  const led = isStandalone ? null : leading
  return [
    ['ephemerals_count', seen.ephemerals],
    ['num_alive_connections', monitored.connectionCount],
    ['avg_latency', decimal(latency.average)],
    ['min_proposal_size', led?.proposalSizes.min ?? null],
    ['outstanding_requests', monitored.outstanding],
    ['znode_count', nodeCount(status)],
    ['global_sessions', status.sessions],
    // Connections over TLS are not there, and these two count what goes around them.
    ['non_mtls_remote_conn_count', 0],
    ['last_client_response_size', responseSizes.last],
    ['packets_sent', traffic.sent],
    ['packets_received', traffic.received],
    ['max_proposal_size', led?.proposalSizes.max ?? null],
    ['max_client_response_size', responseSizes.max],
    ['synced_followers', led?.followers ?? null],
    ['connection_drop_probability', '0.0'],
    ['watch_count', seen.watches],
    ['synced_non_voting_followers', led?.followersWithoutVote ?? null],
    ['synced_observers', led?.observers ?? null],
    ['auth_failed_count', 0],
    ['min_latency', latency.min],
    ['max_file_descriptor_count', fileLimit()],
    ['approximate_data_size', seen.dataBytes],
    ['open_file_descriptor_count', openFiles()],
    ['last_proposal_size', led?.proposalSizes.last ?? null],
    ['pending_syncs', led?.pendingSyncs ?? null],
    ['leader_uptime', led?.leadingMs ?? null],
    ['local_sessions', 0],
    ['uptime', Math.trunc(monitored.uptimeMs)],
    ['max_latency', latency.max],
    ['outstanding_tls_handshake', 0],
    ['learners', led?.learners ?? null],
    ['min_client_response_size', responseSizes.min],
    ['non_mtls_local_conn_count', 0],
    ['quorum_size', isStandalone ? null : monitored.voters],
  ]
}

function counters(traffic: Traffic): (readonly [string, Value])[] {
  return [
    ['connection_rejected', traffic.connectionsRejected],
    ['sessionless_connections_expired', traffic.sessionlessExpired],
    ['bytes_received_count', traffic.bytesReceived],
    // Not of the reference.
    ['client_error_count', traffic.clientErrors],
  ]
}

/** The reference counts the root twice, under the names of both of its paths. */
export function nodeCount(status: ServerStatus): number {
  return status.nodes + 1
}

/** At least one decimal, at most four, as the reference rounds. */
export function decimal(value: number): string {
  const rounded = Math.round(value * DECIMALS) / DECIMALS
  return Number.isInteger(rounded) ? `${rounded}.0` : `${rounded}`
}

/** Null where the system does not tell. */
function openFiles(): number | null {
  try {
    return readdirSync(OPEN_FILES).length
  } catch {
    return null
  }
}

function fileLimit(): number | null {
  try {
    const [, limit] = OPEN_FILES_LIMIT.exec(readFileSync(LIMITS, 'utf8')) ?? []
    return limit === undefined ? null : Number(limit)
  } catch {
    return null
  }
}
