/**
 * The state of one server, as it comes from its storage or from its leader, and the snapshots of it that are due.
 */
import { assert } from '../../../../core/assert.ts'
import { OpCode } from '../../../wire/codes.ts'
import { readConfiguration, versionOf } from '../../../wire/configuration.ts'
import type { Configuration } from '../../../wire/configuration.ts'
import type { Transaction } from '../../../wire/transactions.ts'
import { decodeTransaction } from '../../../wire/transactions.ts'
import type { RandomSource } from '../ports.ts'
import { LogDigest, treeDigestOf } from './log-digest.ts'
import { SnapshotSchedule } from './snapshot-schedule.ts'
import type { SnapshotLimits } from './snapshot-schedule.ts'
import type { Snapshot } from './snapshot.ts'
import { StateReader } from './state-reader.ts'
import { State } from './state.ts'
import type { Applied } from './state.ts'
import { TolerantReplay } from './tolerant-replay.ts'

interface ReplicaConfig extends SnapshotLimits {
  /** The text of /zookeeper/config. */
  readonly membership: string
}

/** The state that a host found in its storage when it started. */
export interface RecoveredState {
  /** The one of the snapshot; null if there is none. */
  readonly state: State | null
  /** The digests of its log, if the storage keeps them: that of the state, to which the whole log was added. */
  readonly logDigest: LogDigest | null
  /** The part of the log that is in the state already, beyond its snapshot. */
  readonly replayed: { readonly transactions: number; readonly bytes: number }
}

/** For a state to which nothing of the log was applied. */
export const NOTHING_REPLAYED = Object.freeze({ transactions: 0, bytes: 0 })

/** A transaction of the log. */
interface Entry {
  readonly zxid: bigint
  readonly txn: Uint8Array
}

/** A state that is taken in beside the one that is in use. */
interface Intake {
  write(chunk: Uint8Array): void
  /** Replaces the state by it and what was committed after it; see the learner's `SnapshotIntake`. */
  finish(committed: readonly Entry[]): { readonly zxid: bigint; readonly chunks: readonly Uint8Array[] } | null
}

/** One server's copy of the state. */
export class Replica {
  readonly #config: ReplicaConfig
  readonly #snapshots: SnapshotSchedule
  #state: State
  #logDigest: LogDigest | null
  #configuration: Configuration | null = null
  /** While clients read without a majority. */
  #readOnly: State | null = null
  /** The snapshot that is due and was not taken yet, or is being read. */
  #due: Snapshot | null = null
  #confirmedZxid = 0n
  #isTaken = false

  constructor(config: ReplicaConfig, { state, logDigest, replayed }: RecoveredState, random: RandomSource) {
    this.#config = config
    this.#snapshots = new SnapshotSchedule(config, random)
    this.#state = state ?? new State()
    this.#logDigest = logDigest
    this.#snapshots.applied(replayed.bytes, replayed.transactions)
    this.#noteConfiguration()
  }

  /** The configuration that transactions have made; null if none has. */
  get configuration(): Configuration | null {
    return this.#configuration
  }

  /** The state that clients read: that of this server, but while it has no majority. */
  get readable(): State {
    return this.#readOnly ?? this.#state
  }

  /**
   * The zxid up to which what clients have seen is applied here, on a server that follows a leader or is one: all of
   * what was before that leader's epoch. Without a majority, it is what they can read.
   */
  seenUpTo(epochStart: bigint): bigint {
    const { lastZxid } = this.readable
    return this.isReadOnly || lastZxid > epochStart ? lastZxid : epochStart
  }

  /** Whether clients read without a majority. */
  get isReadOnly(): boolean {
    return this.#readOnly !== null
  }

  /** The state; another one after {@link Replica.receiveSnapshot}. */
  get state(): State {
    return this.#state
  }

  /** The zxid up to which this life of the server has seen that what is in the state is committed. */
  get confirmedZxid(): bigint {
    return this.#confirmedZxid
  }

  /** All that is in the state is committed, and so is what is applied from now on. */
  confirm(): void {
    this.#confirmedZxid = this.#state.lastZxid
  }

  /** The digests of what is logged; null if the storage has none. Another after {@link Replica.receiveSnapshot}. */
  get logDigest(): LogDigest | null {
    return this.#logDigest
  }

  /**
   * Takes a snapshot of the leader's in, chunk by chunk; `finish` replaces the state by it.
   *
   * @param isFuzzy - whether it is of a server of ZooKeeper, and can hold parts of later transactions
   */
  receiveSnapshot(zxid: bigint, isFuzzy: boolean): Intake {
    const reader = new StateReader('state', isFuzzy ? zxid : null)
    return {
      write: (chunk) => {
        reader.write(chunk)
      },
      finish: (committed) => {
        const state = State.of(reader)
        this.#state = state
        assert(state.lastZxid === zxid, 'a snapshot that is not of the zxid it was sent for')
        if (isFuzzy) replay(state, committed)
        if (this.#logDigest !== null) {
          this.#logDigest = new LogDigest(state, isFuzzy ? treeDigestOf(state) : reader.digest)
        }
        this.#noteConfiguration()
        this.#snapshots.installed()
        return !isFuzzy ? null : { zxid: state.lastZxid, chunks: [...state.openSnapshot().chunks()] }
      },
    }
  }

  /**
   * Applies a transaction.
   *
   * @param bytes - its length in the log
   */
  apply(transaction: Transaction, bytes: number): Applied {
    this.#snapshots.applied(bytes)
    const applied = this.#state.apply(transaction)
    this.#confirmedZxid = transaction.header.zxid
    if (transaction.txn.type === OpCode.reconfig) this.#noteConfiguration()
    return applied
  }

  #noteConfiguration(): void {
    const text = this.#state.configurationText
    if (versionOf(text) > 0n) this.#configuration = readConfiguration(text)
    else this.#state.setMembership(this.#config.membership)
  }

  /**
   * Lets clients read without a majority.
   *
   * @param log - what follows the state in the log of a server that does not know how much of it is committed: it is
   * applied to a copy, which is given up again, and never to the state that a leader continues
   */
  openReadOnly(log: readonly Entry[]): void {
    this.#readOnly = log.length === 0 ? this.#state : this.#copyWith(log)
  }

  /** No client reads without a majority any more. Idempotent. */
  closeReadOnly(): void {
    this.#readOnly = null
  }

  #copyWith(log: readonly Entry[]): State {
    const reader = new StateReader()
    for (const chunk of this.#state.openSnapshot().chunks()) reader.write(chunk)
    const copy = State.of(reader)
    if (versionOf(copy.configurationText) === 0n) copy.setMembership(this.#config.membership)
    for (const { txn } of log) copy.apply(decodeTransaction(txn))
    return copy
  }

  /** Opens a snapshot if it is time for one. The next one waits until this one has been read. */
  openDueSnapshot(): void {
    if (this.#due?.isOpen === true || !this.#snapshots.takeDue(this.#state.approximateBytes)) return
    this.#due = this.#state.openSnapshot()
    this.#isTaken = false
  }

  /** The snapshot to be stored, once; null if there is none. */
  takeSnapshot(): Snapshot | null {
    if (this.#isTaken) return null
    this.#isTaken = true
    return this.#due
  }
}

/** A state of ZooKeeper is exact once what was committed while it was read is in it as a whole. */
function replay(state: State, committed: readonly Entry[]): void {
  const tolerant = new TolerantReplay(state)
  for (const { txn } of committed) tolerant.apply(decodeTransaction(txn))
  tolerant.finish(committed.at(-1)?.zxid ?? state.lastZxid)
}
