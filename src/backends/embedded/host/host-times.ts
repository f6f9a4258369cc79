/**
 * Measurements of a server's own work, for operators: elections, snapshots, its start.
 *
 * Source    ServerMetrics.java: QuorumPeer and FastLeaderElection for elections, ZooKeeperServer.takeSnapshot,
 *           FileTxnSnapLog.restore, SessionTrackerImpl.
 */
import type { ServerEvent } from '../server/ready.ts'
import { LatencySummary } from './latency.ts'
import type { RecoveryTimes } from './storage/recovery.ts'

/** Times, in milliseconds, and counts. */
export class HostTimes {
  /** From the beginning of an election to its decision. */
  readonly election = new LatencySummary()
  /** From the beginning of a snapshot until it is durable. */
  readonly snapshot = new LatencySummary()
  /** From the beginning of a start until all data are read. */
  readonly start = new LatencySummary()
  /** Of a start, reading the snapshot. */
  readonly startSnapshot = new LatencySummary()
  /** Of a start, reading the log after it. */
  readonly startLog = new LatencySummary()
  /** How many transactions were in that log. */
  readonly startTransactions = new LatencySummary()
  /** How often it looked for a leader. */
  looks = 0
  /** Sessions that it ended, as the leader, since nothing was heard of their clients. */
  expiredSessions = 0
  #lookingSinceMs: number | null = null

  /** The data were read. */
  recovered({ snapshotMs, logMs, transactions }: RecoveryTimes): void {
    this.start.add(Math.trunc(snapshotMs + logMs))
    this.startSnapshot.add(Math.trunc(snapshotMs))
    this.startLog.add(Math.trunc(logMs))
    this.startTransactions.add(transactions)
  }

  /** Takes in what the server tells. */
  heard({ type }: ServerEvent): void {
    if (type === 'expired') this.expiredSessions += 1
    else if (type === 'looking') {
      this.looks += 1
      this.#lookingSinceMs = performance.now()
    } else if (type === 'elected' && this.#lookingSinceMs !== null) {
      this.election.add(Math.trunc(performance.now() - this.#lookingSinceMs))
      this.#lookingSinceMs = null
    }
  }

  /** Starts the times again; counts only grow. */
  reset(): void {
    const { election, snapshot, start, startSnapshot, startLog, startTransactions } = this
    for (const times of [election, snapshot, start, startSnapshot, startLog, startTransactions]) times.reset()
  }
}
