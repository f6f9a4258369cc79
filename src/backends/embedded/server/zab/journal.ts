/**
 * The memory that a server has promised to keep: its two epochs, the newest snapshot's place, and the transaction log
 * after it.
 *
 * The journal is the image in memory of what the host makes durable. A change takes effect here at once and is queued
 * as a persist operation; the messages that depend on it wait in `sendAfterPersist`. Three marks say where it stands:
 *
 *     base <= applied <= durable <= last       and       applied <= committed
 *
 * Invariants (asserted): counters of one epoch are contiguous and epochs never fall along the log; neither epoch ever
 * falls; currentEpoch <= acceptedEpoch; an applied entry is never cut off.
 */
import { assert } from '../../../../core/assert.ts'
import { reconfigurationIn } from '../../../wire/configuration.ts'
import type { Configuration } from '../../../wire/configuration.ts'
import type { ZabConfig } from './configuration.ts'
import { counterOf, epochOf, formatZxid } from './zxid.ts'

/** One entry of the transaction log. */
export interface LogEntry {
  readonly zxid: bigint
  /** The encoded transaction. */
  readonly txn: Uint8Array
  /** For a storage that keeps digests: that of the tree after it, null if it is not known. No other server gets it. */
  readonly digest?: bigint | null
}

/** Work for the host's storage, made durable in order: a crash leaves a prefix of it. Each operation is atomic. */
export type PersistOperation =
  | { readonly type: 'append'; readonly entries: readonly LogEntry[] }
  /** Cuts off every entry after this zxid. */
  | { readonly type: 'truncate'; readonly zxid: bigint }
  /** Replaces snapshot and log: the state at this zxid, in chunks, and an empty log. */
  | { readonly type: 'install'; readonly zxid: bigint; readonly chunks: readonly Uint8Array[] }
  /** The three promises of {@link Promises}. */
  | ({ readonly type: 'epochs' } & Promises)

/** The promises of a server besides its log. */
export interface Promises {
  /** Highest epoch that this server promised to a prospective leader. */
  readonly acceptedEpoch: number
  /** Epoch of the last leader it was synchronised with. */
  readonly currentEpoch: number
  /** Whether it remembers every promise that it ever made, so that it may vote. */
  readonly votes: boolean
}

/** The journal that a host found in its storage when it started. */
export interface Recovered extends Promises {
  /** zxid of the snapshot; 0n if there is none. */
  readonly base: bigint
  /** The log after the snapshot. */
  readonly entries: readonly LogEntry[]
}

/** An empty storage. */
export const NOTHING_RECOVERED: Recovered = Object.freeze({
  acceptedEpoch: 0,
  currentEpoch: 0,
  votes: false,
  base: 0n,
  entries: Object.freeze([]),
})

/** The point up to which everything is durable once a batch is. */
export interface DurableMark {
  readonly zxid: bigint
  readonly acceptedEpoch: number
  readonly currentEpoch: number
}

/** How much of what was applied stays in memory. */
type CommitLogLimits = Pick<ZabConfig, 'commitLogCount' | 'commitLogBytes'>

/** The limits of a server that has nobody to bring up to date. */
export const NO_COMMIT_LOG: CommitLogLimits = Object.freeze({ commitLogCount: 0, commitLogBytes: 0 })

/** The journal of one server. */
export class Journal {
  #acceptedEpoch: number
  #currentEpoch: number
  #votes: boolean
  /** zxid before the first entry in memory. */
  #base: bigint
  #entries: LogEntry[]
  /** Length of the entries in memory. */
  #bytes = 0
  #durable: DurableMark
  #operations: PersistOperation[] = []
  #appended: LogEntry[] = []
  /** The configurations that entries in memory make. */
  #configurations: { readonly zxid: bigint; readonly configuration: Configuration }[] = []

  constructor(recovered: Recovered) {
    this.#acceptedEpoch = recovered.acceptedEpoch
    this.#currentEpoch = recovered.currentEpoch
    this.#votes = recovered.votes
    this.#base = recovered.base
    this.#entries = []
    this.#durable = { zxid: this.#base, acceptedEpoch: this.#acceptedEpoch, currentEpoch: this.#currentEpoch }
    for (const entry of recovered.entries) this.append(entry)
    this.#appended = []
    this.#durable = this.mark
  }

  /** Highest epoch that was promised to a prospective leader. */
  get acceptedEpoch(): number {
    return this.#acceptedEpoch
  }

  /** Epoch of the last leader that this server was synchronised with. */
  get currentEpoch(): number {
    return this.#currentEpoch
  }

  /** Whether this server may vote. */
  get votes(): boolean {
    return this.#votes
  }

  /** zxid of the last entry. */
  get lastZxid(): bigint {
    return this.#entries.at(-1)?.zxid ?? this.#base
  }

  /** Where the entries in memory begin: entries after this zxid are available. */
  get base(): bigint {
    return this.#base
  }

  /** The point up to which everything is durable now. */
  get durable(): DurableMark {
    return this.#durable
  }

  /** The point up to which everything is durable once all that is queued is. */
  get mark(): DurableMark {
    return { zxid: this.lastZxid, acceptedEpoch: this.#acceptedEpoch, currentEpoch: this.#currentEpoch }
  }

  /** The configuration that the last reconfiguration among the entries in memory makes; null if none of them does. */
  get proposed(): Configuration | null {
    return this.#configurations.at(-1)?.configuration ?? null
  }

  /** The one before it, which was in force when the last one was proposed; null if no entry in memory makes it. */
  get settled(): Configuration | null {
    return this.#configurations.at(-2)?.configuration ?? null
  }

  /** Whether anything waits to be persisted. */
  get dirty(): boolean {
    return this.#operations.length > 0 || this.#appended.length > 0
  }

  /** Adds the next entry. */
  append(entry: LogEntry): void {
    const last = this.lastZxid
    assert(follows(last, entry.zxid), () => {
      return `the log ends at ${formatZxid(last)}; ${formatZxid(entry.zxid)} leaves a gap`
    })
    this.#entries.push(entry)
    this.#bytes += entry.txn.length
    this.#appended.push(entry)
    const configuration = reconfigurationIn(entry.txn)
    if (configuration !== null) this.#configurations.push({ zxid: entry.zxid, configuration })
  }

  /** Cuts off every entry after `zxid`, which must be the zxid of an entry or the base. */
  truncate(zxid: bigint, appliedZxid: bigint): void {
    assert(zxid >= appliedZxid, () => {
      return `a cut at ${formatZxid(zxid)} would undo ${formatZxid(appliedZxid)}, which is applied`
    })
    assert(this.covers(zxid), () => `a cut at ${formatZxid(zxid)}, which is not in the log`)
    this.#bytes -= bytesOf(this.#entries.splice(this.#indexAfter(zxid)))
    this.#configurations = this.#configurations.filter((made) => made.zxid <= zxid)
    this.#queue({ type: 'truncate', zxid })
  }

  /** Replaces everything by a snapshot. */
  install(zxid: bigint, chunks: readonly Uint8Array[]): void {
    this.#base = zxid
    this.#entries = []
    this.#configurations = []
    this.#bytes = 0
    this.#queue({ type: 'install', zxid, chunks })
  }

  /** Promises never to follow a leader of an earlier epoch. */
  acceptEpoch(epoch: number): void {
    assert(epoch > this.#acceptedEpoch, () => `accepted epoch ${this.#acceptedEpoch} cannot become ${epoch}`)
    this.#acceptedEpoch = epoch
    this.#queueEpochs()
  }

  /** Notes that the history before this is that of the leader of `epoch`. */
  enterEpoch(epoch: number): void {
    assert(epoch >= this.#currentEpoch, () => `current epoch ${this.#currentEpoch} cannot become ${epoch}`)
    assert(epoch <= this.#acceptedEpoch, () => `epoch ${epoch} was not accepted: ${this.#acceptedEpoch} was`)
    if (epoch === this.#currentEpoch) return
    this.#currentEpoch = epoch
    this.#queueEpochs()
  }

  /** Lets this server vote from now on. */
  grantVote(): void {
    if (this.#votes) return
    this.#votes = true
    this.#queueEpochs()
  }

  /** Whether `zxid` is the base or an entry in memory. */
  covers(zxid: bigint): boolean {
    if (zxid === this.#base) return true
    return this.#entries[this.#indexAfter(zxid) - 1]?.zxid === zxid
  }

  /** The greatest zxid in memory that is not greater than `zxid`; the base if there is none. */
  floor(zxid: bigint): bigint {
    return this.#entries[this.#indexAfter(zxid) - 1]?.zxid ?? this.#base
  }

  /** The entries after `after`, up to and including `through`. */
  range(after: bigint, through: bigint): readonly LogEntry[] {
    assert(after >= this.#base, () => `entries after ${formatZxid(after)} are no longer in memory`)
    return this.#entries.slice(this.#indexAfter(after), this.#indexAfter(through))
  }

  /**
   * Forgets (in memory) all but the last entries up to `appliedZxid`: at most `count` entries and `bytes` bytes.
   * Lazily, so that the cost stays small: at most twice that is kept.
   */
  trim(appliedZxid: bigint, { commitLogCount: count, commitLogBytes: bytes }: CommitLogLimits): void {
    if (this.#entries.length <= 2 * count && this.#bytes <= 2 * bytes) return
    const applied = this.#indexAfter(appliedZxid)
    let first = applied
    let kept = 0
    while (first > 0 && applied - first < count) {
      const { length } = (this.#entries[first - 1] as LogEntry).txn
      if (kept + length > bytes) break
      kept += length
      first -= 1
    }
    const excess = this.#entries.slice(0, first)
    const excessBytes = bytesOf(excess)
    if (first <= count && excessBytes <= bytes) return
    this.#entries.splice(0, first)
    this.#bytes -= excessBytes
    this.#base = excess.at(-1)?.zxid ?? this.#base
    this.#configurations = this.#configurations.filter(({ zxid }) => zxid > this.#base)
  }

  /** Takes the operations to persist. */
  take(): readonly PersistOperation[] {
    this.#flushAppended()
    const operations = this.#operations
    this.#operations = []
    return operations
  }

  /** Learns what the host has made durable. */
  persisted(mark: DurableMark): void {
    this.#durable = mark
  }

  #queue(operation: PersistOperation): void {
    this.#flushAppended()
    this.#operations.push(operation)
  }

  #queueEpochs(): void {
    const acceptedEpoch = this.#acceptedEpoch
    this.#queue({ type: 'epochs', acceptedEpoch, currentEpoch: this.#currentEpoch, votes: this.#votes })
  }

  #flushAppended(): void {
    if (this.#appended.length === 0) return
    this.#operations.push({ type: 'append', entries: this.#appended })
    this.#appended = []
  }

  /** How many entries are not after `zxid`. */
  #indexAfter(zxid: bigint): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#entries[middle] as LogEntry).zxid <= zxid) low = middle + 1
      else high = middle
    }
    return low
  }
}

function bytesOf(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { txn }) => sum + txn.length, 0)
}

/** Whether `next` may follow `last`: the next of its epoch, or the first of a later one. */
export function follows(last: bigint, next: bigint): boolean {
  if (epochOf(next) === epochOf(last)) return next === last + 1n
  return epochOf(next) > epochOf(last) && counterOf(next) === 1
}
