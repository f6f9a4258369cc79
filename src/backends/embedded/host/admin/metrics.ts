/**
 * A server's numbers, in one table: `mntr`, the AdminServer and `/metrics` show them.
 *
 * Order     the reference's of `mntr`, which is that of a hash table.
 * Missing   the reference's counts of its own inner queues and caches (docs/protocol/differences.md, "metrics").
 * Source    ZooKeeperServer.dumpMonitorValues, LeaderZooKeeperServer, ServerMetrics.java of 3.8.
 */
import { readFileSync, readdirSync } from 'node:fs'
import type { ServerInspection } from '../../server/inspection.ts'
import type { ServerStatus } from '../../server/ready.ts'
import { LIMITS, metricOf } from '../limits.ts'
import type { LimitName, Limits } from '../limits.ts'
import { memoryPercent } from '../memory-use.ts'
import type { Traffic } from '../clients/traffic.ts'
import type { HostTimes } from '../host-times.ts'
import { LatencySummary } from '../latency.ts'

const DECIMALS = 10_000
const OPEN_FILES = '/proc/self/fd'
const FILE_LIMITS = '/proc/self/limits'
const OPEN_FILES_LIMIT = /^Max open files\s+(\d+)/m

/** The sources of the numbers. */
export interface Monitored {
  readonly version: string
  /** The server's mode, such as `leader`. */
  readonly mode: string
  readonly isStandalone: boolean
  readonly status: ServerStatus
  readonly seen: ServerInspection
  readonly traffic: Traffic
  readonly times: HostTimes
  /** Of the syncs of its log; null if there are none. */
  readonly syncTimes: LatencySummary | null
  readonly connectionCount: number
  /** Requests that have no reply yet. */
  readonly outstanding: number
  /** Length of those that are large, in bytes. */
  readonly outstandingBytes: number
  readonly limits: Limits
  /** TLS hand-shakes that are under way. */
  readonly handshakes: number
  /** Those that waited since others of their addresses have failed. */
  readonly slowedHandshakes: number
  readonly uptimeMs: number
  /** How many servers have a vote. */
  readonly voters: number
}

/** One number. */
export interface Metric {
  /** As the reference has it, without `zk_`. */
  readonly name: string
  /** A counter only grows while the process lives. */
  readonly kind: 'gauge' | 'counter'
  /** The meaning of the number, with its unit. */
  readonly help: string
  /** Null where it means nothing, or the system does not tell. */
  readonly value: number | null
  /** Whether it is printed with decimals even if it has none. */
  readonly isDecimal: boolean
}

/** Times, summed up. */
export interface Summary {
  /** As the reference has it. */
  readonly name: string
  /** The duration that was measured, in milliseconds. */
  readonly help: string
  readonly summary: LatencySummary
  /** Whether `mntr` shows its percentiles; the reference has them of some summaries only. */
  readonly hasPercentiles: boolean
}

/** The percentiles that are shown, with the names that `mntr` has for them. */
const PERCENTILES = [[0.5, 'p50'], [0.95, 'p95'], [0.99, 'p99'], [0.999, 'p999']] as const
export const SHARES: readonly number[] = PERCENTILES.map(([share]) => share)

/** Of a server that is alone, which has no elections to speak of. */
const NONE = new LatencySummary()

/** The numbers of a server, without its summaries. */
export function metricsOf(monitored: Monitored): readonly Metric[] {
  return [...gauges(monitored), ...counters(monitored), ...limitGauges(monitored)]
}

/** The times of a server. */
export function summariesOf({ isStandalone, traffic, times, syncTimes }: Monitored): readonly Summary[] {
  const { readLatency, updateLatency } = traffic
  const { snapshot, start, startSnapshot, startLog, startTransactions } = times
  const ofPeer = (summary: LatencySummary): LatencySummary => (isStandalone ? NONE : summary)
  return [
    summed('readlatency', readLatency, 'Time of a request that changes nothing, in ms', true),
    summed('updatelatency', updateLatency, 'Time of a request that becomes a transaction, in ms', true),
    ...(syncTimes === null ? [] : [summed('fsynctime', syncTimes, 'Time of a sync of the log to the disk, in ms')]),
    summed('snapshottime', snapshot, 'Time until a snapshot is stored, in ms'),
    summed('election_time', ofPeer(times.election), 'Time until an election is decided, in ms'),
    summed('unavailable_time', ofPeer(times.unavailable), 'Time without a leader until clients are served, in ms'),
    summed('leader_unavailable_time', ofPeer(times.leaderUnavailable), 'The same, of a server that leads then, in ms'),
    summed('follower_sync_time', ofPeer(times.followerSync), 'Time until a follower has what its leader has, in ms'),
    summed('observer_sync_time', ofPeer(times.observerSync), 'Time until an observer has what its leader has, in ms'),
    summed('dbinittime', start, 'Time until all data are read at a start, in ms'),
    summed('startup_snap_load_time', startSnapshot, 'Time until the snapshot is read at a start, in ms'),
    summed('startup_txns_load_time', startLog, 'Time until the log after the snapshot is read at a start, in ms'),
    summed('startup_txns_loaded', startTransactions, 'Transactions of the log after the snapshot at a start'),
  ]
}

function summed(name: string, summary: LatencySummary, help: string, hasPercentiles = false): Summary {
  return { name, summary, help, hasPercentiles }
}

/** All numbers of a server, one by one: `p99_readlatency` and the like for its summaries. */
export function numbersOf(monitored: Monitored): readonly Metric[] {
  return [...metricsOf(monitored), ...summariesOf(monitored).flatMap(numbersOfSummary)]
}

function numbersOfSummary({ name, help, summary, hasPercentiles }: Summary): Metric[] {
  const { average, min, max, count, sum } = summary.times
  const values = { min, max, cnt: count, sum }
  const shown = hasPercentiles ? PERCENTILES : []
  const percentiles = summary.percentiles(SHARES)
  return [
    decimalGauge(`avg_${name}`, average, help),
    ...Object.entries(values).map(([key, value]) => gauge(`${key}_${name}`, value, help)),
    ...shown.map(([, key], index) => gauge(`${key}_${name}`, percentiles[index], help)),
  ]
}

function gauges(monitored: Monitored): readonly Metric[] {
  const { isStandalone, status, seen, traffic } = monitored
  const { latency, responseSizes } = traffic
  const led = isStandalone ? null : seen.leading
  return [
    gauge('ephemerals_count', seen.ephemerals, 'Ephemeral nodes'),
    gauge('num_alive_connections', monitored.connectionCount, 'Clients that are connected to this server'),
    decimalGauge('avg_latency', latency.average, 'Average time from a request to its reply, in milliseconds'),
    gauge('min_proposal_size', led?.proposalSizes.min, 'Shortest proposal of this leader, in bytes'),
    gauge('outstanding_requests', monitored.outstanding, 'Requests that have no reply yet'),
    gauge('znode_count', nodeCount(status), 'Nodes of the tree'),
    gauge('global_sessions', status.sessions, 'Open sessions of the ensemble'),
    gauge('non_mtls_remote_conn_count', traffic.plainRemote, 'Connections of other machines without TLS'),
    gauge('last_client_response_size', responseSizes.last, 'Length of the last reply, in bytes; -1 before the first'),
    gauge('packets_sent', traffic.sent, 'Packets that went to clients since the last reset'),
    gauge('packets_received', traffic.received, 'Packets that came from clients since the last reset'),
    gauge('max_proposal_size', led?.proposalSizes.max, 'Longest proposal of this leader, in bytes'),
    gauge('max_client_response_size', responseSizes.max, 'Length of the longest reply, in bytes; -1 before the first'),
    gauge('synced_followers', led?.followers, 'Followers that are in step with this leader'),
    decimalGauge('connection_drop_probability', 0, 'Share of new connections that are dropped: none'),
    gauge('watch_count', seen.watches, 'Watches of nodes and of children at this server'),
    gauge('synced_non_voting_followers', led?.followersWithoutVote, 'Followers in step that have no vote'),
    gauge('synced_observers', led?.observers, 'Observers that are in step with this leader'),
    gauge('auth_failed_count', traffic.handshakesRefused, 'Connections that failed their TLS hand-shakes'),
    gauge('min_latency', latency.min, 'Least time from a request to its reply, in milliseconds'),
    gauge('max_file_descriptor_count', fileLimit(), 'File descriptors that the process may have'),
    gauge('approximate_data_size', seen.dataBytes, 'Length of all paths and data, in bytes'),
    gauge('open_file_descriptor_count', openFiles(), 'File descriptors that the process has'),
    gauge('last_proposal_size', led?.proposalSizes.last, 'Length of the last proposal, in bytes'),
    gauge('pending_syncs', led?.pendingSyncs, 'Syncs that wait for this leader'),
    gauge('leader_uptime', led?.leadingMs, 'For how long this leader has led, in milliseconds'),
    gauge('local_sessions', status.localSessions, 'Sessions that this server alone knows'),
    gauge('uptime', Math.trunc(monitored.uptimeMs), 'For how long the server has run, in milliseconds'),
    gauge('max_latency', latency.max, 'Greatest time from a request to its reply, in milliseconds'),
    gauge('outstanding_tls_handshake', monitored.handshakes, 'TLS hand-shakes that are under way'),
    gauge('learners', led?.learners, 'Servers that follow or observe this leader'),
    gauge('min_client_response_size', responseSizes.min, 'Length of the shortest reply, in bytes; -1 before the first'),
    gauge('non_mtls_local_conn_count', traffic.plainLocal, 'Connections of this machine without TLS'),
    gauge('quorum_size', isStandalone ? null : monitored.voters, 'Servers that have a vote'),
  ]
}

/** Not of the reference: the limits in force; 0 for none where none is allowed. */
function limitGauges({ limits, outstandingBytes }: Monitored): readonly Metric[] {
  const names = Object.keys(limits) as LimitName[]
  return [
    gauge('outstanding_request_bytes', outstandingBytes, 'Length of the requests that have no reply yet, in bytes'),
    gauge('memory_used_percent', Math.trunc(memoryPercent()), 'Memory in use, of the most that the process may have'),
    ...names.map((name) => gauge(metricOf(name), limits[name], `Limit: ${LIMITS[name].what}`)),
  ]
}

function counters({ isStandalone, traffic, times, slowedHandshakes }: Monitored): readonly Metric[] {
  const [proposals, heard] = isStandalone ? [0, 0] : [times.proposals, times.proposalsHeard]
  return [
    counter('proposal_count', proposals, 'Transactions that this server proposed, as the leader'),
    counter('throttled_ops', times.refusedWrites, 'Writes that were refused, as memory was short'),
    counter('connection_rejected', traffic.connectionsRejected, 'Connections that were one too many of their address'),
    counter('sessionless_connections_expired', traffic.sessionlessExpired, 'Connections that had no session in time'),
    counter('looking_count', isStandalone ? 0 : times.looks, 'How often this server looked for a leader'),
    counter('learner_proposal_received_count', heard, 'Proposals of leaders that this server logged'),
    counter('bytes_received_count', traffic.bytesReceived, 'Bytes that came from clients'),
    counter('request_throttle_wait_count', times.slowedWrites, 'Writes that waited, as memory was short'),
    counter('connection_request_count', traffic.connectionRequests, 'Clients that asked for a session'),
    counter('response_bytes', traffic.bytesAnswered, 'Bytes that went to clients'),
    counter('connection_revalidate_count', traffic.revalidations, 'Connections with a session that the client had'),
    counter('stale_sessions_expired', times.expiredSessions, 'Sessions that this leader ended by their time-outs'),
    // Not of the reference.
    counter('auth_attempts_failed_count', traffic.authFailures, 'Clients that failed to prove who they are'),
    counter('tls_handshakes_slowed', slowedHandshakes, 'TLS hand-shakes that waited, as others of an address failed'),
    counter('sessions_rejected', times.sessionsRefused, 'Sessions that were one too many of their address'),
    counter('client_error_count', traffic.clientErrors, 'Errors of the server in what it did for one client'),
  ]
}

function gauge(name: string, value: number | null | undefined, help: string): Metric {
  return { name, kind: 'gauge', help, value: value ?? null, isDecimal: false }
}

function decimalGauge(name: string, value: number, help: string): Metric {
  return { name, kind: 'gauge', help, value, isDecimal: true }
}

function counter(name: string, value: number, help: string): Metric {
  return { name, kind: 'counter', help, value, isDecimal: false }
}

/** The reference counts the root twice, under the names of both of its paths. */
export function nodeCount(status: ServerStatus): number {
  return status.nodes + 1
}

/** At least one decimal, at most four, as the reference rounds. */
export function decimal(value: number): string {
  const rounded = rounded4(value)
  return Number.isInteger(rounded) ? `${rounded}.0` : `${rounded}`
}

/** At most four decimals. */
export function rounded4(value: number): number {
  return Math.round(value * DECIMALS) / DECIMALS
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
    const [, limit] = OPEN_FILES_LIMIT.exec(readFileSync(FILE_LIMITS, 'utf8')) ?? []
    return limit === undefined ? null : Number(limit)
  } catch {
    return null
  }
}
