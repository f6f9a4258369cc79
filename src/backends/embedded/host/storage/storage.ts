/**
 * The port to a server's durable state: the requests of a host to a storage.
 *
 * Log        operations become durable in the order in which they are given, a batch at a time. After a crash a prefix
 *            of them is there, each as a whole; but of an append, a prefix of its entries can be there, and of a
 *            truncate, a part: the last entries go first.
 * Snapshots  are written beside the log, a chunk at a time. One takes effect as a whole when it is committed; until
 *            then, and if it never is, the storage holds the snapshot before it and every entry of the log after that.
 */
import type { LogEntry, PersistOperation, Promises } from '../../server/zab/journal.ts'
import type { Transaction } from '../../../wire/transactions.ts'
import type { LatencySummary } from '../latency.ts'

/** Durable state of one server. */
export interface Storage {
  /** Times of the syncs of its log, in milliseconds; none where nothing is synced. */
  readonly syncTimes?: LatencySummary
  /** Reads what there is, for a server that starts; to be called once, before anything else. */
  recover(): Promise<StoredState>
  /**
   * Makes operations durable, in order.
   *
   * @returns nothing if they are durable when it returns, otherwise a promise; the host waits for it before it calls
   * again
   */
  persist(operations: readonly PersistOperation[]): Promise<void> | undefined
  /**
   * Begins a snapshot of a state that has been applied, so that the log up to it is durable. One at a time, and none
   * goes on when a state is installed: the host aborts it first.
   *
   * @param zxid - of the last transaction that is in it
   */
  createSnapshot(zxid: bigint): SnapshotSink
  /**
   * Cuts off, for a server that starts, what was never committed: every entry after a zxid, and every snapshot after
   * one that is before it, with which the log up to that zxid is whole. Also in the middle of this it is so.
   */
  rewind(zxid: bigint, snapshot: bigint): Promise<void>
  /** Puts everything aside, for people to look at: from now on it is a storage in which nothing is. */
  setAside(): Promise<void>
}

/** A snapshot that is being stored. */
export interface SnapshotSink {
  /** Takes the next chunk. The host waits for the promise, if there is one, before it writes the next. */
  write(chunk: Uint8Array): Promise<void> | undefined
  /** Makes the snapshot durable and, at once, the newest one; entries of the log up to it are no longer needed. */
  commit(): Promise<void> | undefined
  /** Gives it up, whatever was written. */
  abort(): void
}

/** The contents of a storage. */
export interface StoredState extends Promises {
  /** Whether entries come back with their digests, as far as they have any. */
  readonly keepsDigests: boolean
  /** The snapshots, the newest one first; an older one is used if those before it are damaged. */
  readonly snapshots: readonly StoredSnapshot[]
  /**
   * The log after a zxid, in parts; to be read once, after the snapshot of that zxid (0n: none).
   *
   * @throws an error that says that it is damaged, or that a transaction is missing
   */
  entriesAfter(zxid: bigint): Parts<readonly StoredEntry[]>
}

/** An entry of the log as a storage gives it back. */
export interface StoredEntry extends LogEntry {
  /** The transaction, where the storage had to decode it. */
  readonly transaction?: Transaction
}

/** A snapshot in a storage. */
export interface StoredSnapshot {
  /** The name of its file, or another name for it in errors. */
  readonly name: string
  readonly zxid: bigint
  /** Its chunks may be cut anywhere. */
  readonly chunks: Parts<Uint8Array>
}

type Parts<T> = Iterable<T> | AsyncIterable<T>
