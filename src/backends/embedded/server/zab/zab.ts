/**
 * What election, leader and learner share: zxids and epochs, the configuration, and the box in which a server's output
 * waits for its host.
 *
 * To this side of a server a transaction is a zxid and opaque bytes.
 *
 * Source    Junqueira, Reed, Serafini: "Zab: High-performance broadcast for primary-backup systems" (DSN 2011);
 *           ZooKeeper's Leader.java, Learner.java, FastLeaderElection.java.
 */
import type { Notification, Packet, PeerMessage } from '../../../wire/packets.ts'

const COUNTER_BITS = 32n
const COUNTER_MASK = 0xffffffffn

/** The zxid of the n-th transaction of an epoch; n = 0 stands for the epoch's beginning. */
export function zxidOf(epoch: number, counter: number): bigint {
  return (BigInt(epoch) << COUNTER_BITS) | BigInt(counter)
}

/** The epoch in which a transaction was proposed. */
export function epochOf(zxid: bigint): number {
  return Number(zxid >> COUNTER_BITS)
}

/** Which transaction of its epoch it is, counted from 1. */
export function counterOf(zxid: bigint): number {
  return Number(zxid & COUNTER_MASK)
}

/** The later one of two zxids. */
export function laterOf(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

/** A zxid as ZooKeeper's tools print it: `0x` and hexadecimal digits. */
export function formatZxid(zxid: bigint): string {
  return `0x${zxid.toString(16)}`
}

/** One entry of the transaction log. */
export interface LogEntry {
  readonly zxid: bigint
  /** The encoded transaction. */
  readonly txn: Uint8Array
}

/** The part of a server's configuration that consensus needs. Durations are in ticks of `tickMs`. */
export interface ZabConfig {
  /** This server's id, 1 to 254. */
  readonly myid: number
  /** Ids of the servers that vote, ascending. A server that is not among them is an observer. */
  readonly voters: readonly number[]
  /**
   * Whether a server may vote whose storage does not say so: true for the first start of an ensemble. A server that
   * lost its storage and comes back under its old id has forgotten what it promised, so it must not (decision 0006).
   */
  readonly bootstrap: boolean
  /** How long a server waits for better votes once it has a majority that is not everybody. */
  readonly electionWaitTicks: number
  /** First and longest time between two repetitions of a vote; it doubles in between. */
  readonly notificationTicksMin: number
  readonly notificationTicksMax: number
  /** How long discovery and synchronisation may take. */
  readonly initLimitTicks: number
  /** How long a leader goes on without a majority, and a learner without its leader. */
  readonly syncLimitTicks: number
  /** Time between two pings of the leader. */
  readonly pingTicks: number
  /** How many applied entries are kept in memory to synchronise learners by DIFF, and how many bytes of them. */
  readonly commitLogCount: number
  readonly commitLogBytes: number
  /** The first leader's epoch is not less than this: later than any that the ensemble had in an earlier life. */
  readonly firstEpoch: number
  /** Last counter of an epoch; behind it the leader makes way for an election. */
  readonly epochCounterMax: number
}

/** Whether this many servers are a majority of the voters. */
export function isQuorum(count: number, voters: readonly number[]): boolean {
  return count > Math.floor(voters.length / 2)
}

/** A state as it was at one zxid, read in chunks while the server goes on. */
export interface SnapshotSource {
  /** zxid of the last transaction that is in it. */
  readonly zxid: bigint
  /** The next chunk; it is empty where there was work without bytes, and null at the end. */
  next(): Uint8Array | null
  /** Gives up what has not been read; whoever takes a source reads it to its end or closes it. Idempotent. */
  close(): void
}

/** A message for another server. */
export interface Outgoing {
  readonly to: number
  readonly message: PeerMessage
  /** With a SNAP: the state to send after it, in SNAPCHUNKs, before anything else goes on that link. */
  readonly state?: SnapshotSource
}

/** A link that is to be closed. */
export interface LinkEnd {
  readonly peer: number
  readonly link: number
}

/**
 * The output of a server until its host takes it. Which list a message is in says whether it may leave before what was
 * to be persisted is durable. On one link, a message of the one list is never followed by one of the other that it must
 * precede: a leader's LEADERINFO, and a learner's FOLLOWERINFO, ACKEPOCH and ACKs, wait for the disk; everything else
 * does not.
 */
export class Outbox {
  sendNow: Outgoing[] = []
  sendAfterPersist: Outgoing[] = []
  closeLinks: LinkEnd[] = []

  /** Sends a vote once what it promises is durable. */
  notify(to: number, notification: Notification): void {
    this.sendAfterPersist.push({ to, message: notification })
  }

  /** Sends a packet at once. */
  now(to: number, link: number, packet: Packet): void {
    this.sendNow.push({ to, message: { type: 'PACKET', link, packet } })
  }

  /** Sends a state at once. */
  state(to: number, link: number, state: SnapshotSource): void {
    this.sendNow.push({ to, message: { type: 'PACKET', link, packet: { type: 'SNAP', zxid: state.zxid } }, state })
  }

  /** Sends a packet once everything that was to be persisted before it is durable. */
  afterPersist(to: number, link: number, packet: Packet): void {
    this.sendAfterPersist.push({ to, message: { type: 'PACKET', link, packet } })
  }

  /** Closes a link. */
  close(peer: number, link: number): void {
    this.closeLinks.push({ peer, link })
  }

  /** Whether there is nothing in it. */
  get empty(): boolean {
    return this.sendNow.length === 0 && this.sendAfterPersist.length === 0 && this.closeLinks.length === 0
  }
}
