/**
 * Measurements of a server's own work, for operators: elections, snapshots, its start.
 *
 * Source    ServerMetrics.java: QuorumPeer, Follower, Leader and FastLeaderElection, ZooKeeperServer.takeSnapshot,
 *           FileTxnSnapLog.restore, SessionTrackerImpl.
 */
import type { ServerEvent, ServerStatus } from '../server/ready.ts'
import type { PersistOperation } from '../server/zab/journal.ts'
import { LatencySummary } from './latency.ts'
import type { RecoveryTimes } from './storage/recovery.ts'

/** Times, in milliseconds, and counts. */
export class HostTimes {
  /** From the beginning of an election to its decision. */
  readonly election = new LatencySummary()
  /** From the loss of a leader, or the start, until clients are served again, whatever the role then. */
  readonly unavailable = new LatencySummary()
  /** The same, where this server leads then. */
  readonly leaderUnavailable = new LatencySummary()
  /** From the decision of an election until this server has the leader's history, as a follower and as an observer. */
  readonly followerSync = new LatencySummary()
  readonly observerSync = new LatencySummary()
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
  /** Transactions that it has proposed, while it led. */
  proposals = 0
  /** Proposals of leaders that it has logged, while it served clients as their follower or observer. */
  proposalsHeard = 0
  /** Clients that got no session, as their address had too many. */
  sessionsRefused = 0
  /** Writes that waited, and writes that were refused, as memory was short. */
  slowedWrites = 0
  refusedWrites = 0
  #lookingSinceMs = performance.now()
  #electedMs = 0
  #lostMs = performance.now()
  /** While clients are served. */
  #role: ServerStatus['role'] | null = null

  /** The data were read. */
  recovered({ snapshotMs, logMs, transactions }: RecoveryTimes): void {
    this.start.add(Math.trunc(snapshotMs + logMs))
    this.startSnapshot.add(Math.trunc(snapshotMs))
    this.startLog.add(Math.trunc(logMs))
    this.startTransactions.add(transactions)
  }

  /** Takes in what the server tells. */
  heard(event: ServerEvent): void {
    const nowMs = performance.now()
    if (event.type === 'expired') this.expiredSessions += 1
    else if (event.type === 'session-refused') this.sessionsRefused += 1
    else if (event.type === 'looking') {
      this.looks += 1
      // An election that has led to no service is not the end of the time without it.
      if (this.#role !== null) this.#lostMs = nowMs
      this.#role = null
      this.#lookingSinceMs = nowMs
    } else if (event.type === 'elected') {
      this.election.add(Math.trunc(nowMs - this.#lookingSinceMs))
      this.#electedMs = nowMs
    } else if (event.type === 'serving') this.#serves(event.role, nowMs)
  }

  #serves(role: 'LEADING' | 'FOLLOWING' | 'OBSERVING', nowMs: number): void {
    this.#role = role
    this.unavailable.add(Math.trunc(nowMs - this.#lostMs))
    if (role === 'LEADING') this.leaderUnavailable.add(Math.trunc(nowMs - this.#lostMs))
    else (role === 'FOLLOWING' ? this.followerSync : this.observerSync).add(Math.trunc(nowMs - this.#electedMs))
  }

  /** Takes in what the server logs. */
  logs(operations: readonly PersistOperation[]): void {
    if (this.#role === null) return
    for (const operation of operations) {
      if (operation.type !== 'append') continue
      if (this.#role === 'LEADING') this.proposals += operation.entries.length
      else this.proposalsHeard += operation.entries.length
    }
  }

  /** Starts the times again; counts only grow. */
  reset(): void {
    const { election, unavailable, leaderUnavailable, followerSync, observerSync } = this
    const { snapshot, start, startSnapshot, startLog, startTransactions } = this
    for (const times of [election, unavailable, leaderUnavailable, followerSync, observerSync]) times.reset()
    for (const times of [snapshot, start, startSnapshot, startLog, startTransactions]) times.reset()
  }
}
