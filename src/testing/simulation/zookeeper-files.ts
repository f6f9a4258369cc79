/**
 * The files that servers of ZooKeeper leave behind, for servers of ours that begin with them.
 *
 * Model     one history, of which each server has the beginning: a log, and snapshots that can be newer than their
 *           names. The end of a log that is longer than that of a majority was never committed.
 */
import { State } from '../../backends/embedded/server/state/state.ts'
import { LogDigest, treeDigestOf } from '../../backends/embedded/server/state/log-digest.ts'
import type { LogEntry } from '../../backends/embedded/server/zab/journal.ts'
import { zxidOf } from '../../backends/embedded/server/zab/zxid.ts'
import { OpCode } from '../../backends/wire/codes.ts'
import { logFileName, snapshotFileName } from '../../backends/wire/disk/file-names.ts'
import { LOG_HEADER, encodeLogRecord } from '../../backends/wire/disk/log-file.ts'
import { writeSnapshotFile } from '../../backends/wire/disk/snapshot-file.ts'
import { SnapshotReader } from '../../backends/wire/disk/snapshot-reader.ts'
import type { SnapshotItem } from '../../backends/wire/disk/snapshot-reader.ts'
import { formatEpoch } from '../../backends/wire/disk/number-files.ts'
import { OPEN_ACL } from '../../backends/wire/records.ts'
import { decodeTransaction, encodeTransaction } from '../../backends/wire/transactions.ts'

/** The epoch in which all of it was proposed. */
export const ZOOKEEPER_EPOCH = 1
/** The parent of the nodes that the history makes. */
const PARENT = '/zookeeper-made'
const TIME_MS = 1_600_000_000_000

/** A snapshot of ZooKeeper. */
export interface FuzzySnapshot {
  /** How many transactions are certainly in it: its name. */
  readonly count: number
  /** How many were applied when its nodes were written; at least as many. */
  readonly until: number
}

/** What one server has of the history. */
export interface ZooKeeperShare {
  /** How many transactions are in its log. */
  readonly count: number
  /** Its snapshots, besides that of an empty tree. */
  readonly snapshots: readonly FuzzySnapshot[]
  /** Its first file is that of the empty tree, with the log after it; else the first snapshot, and the log after it. */
  readonly isPurged?: boolean
}

/** A file. */
export interface ZooKeeperFile {
  readonly kind: 'log' | 'snapshot' | 'epoch'
  readonly name: string
  readonly bytes: Uint8Array
}

/** The first transactions of the history: the creation of a parent, and of a child with each one after it. */
export function zooKeeperEntries(count: number): readonly (LogEntry & { readonly digest: bigint })[] {
  const digest = new LogDigest(new State(), treeDigestOf(new State()))
  return Array.from({ length: count }, (_, index) => {
    const counter = index + 1
    const zxid = zxidOf(ZOOKEEPER_EPOCH, counter)
    const [path, parentCVersion] = index === 0 ? [PARENT, 1] : [`${PARENT}/${counter}`, index]
    const body = { path, data: Uint8Array.of(counter), acl: OPEN_ACL, ephemeral: false, parentCVersion }
    const header = { clientId: 1n, cxid: counter, zxid, time: TIME_MS, type: OpCode.create }
    const transaction = { header, txn: { type: OpCode.create, body } } as const
    return { zxid, txn: encodeTransaction(transaction), digest: digest.add(transaction) }
  })
}

/** The files of a server that has this share. */
export function zooKeeperFiles({ count, snapshots, isPurged = false }: ZooKeeperShare): ZooKeeperFile[] {
  const entries = zooKeeperEntries(Math.max(count, ...snapshots.map(({ until }) => until)))
  const all = isPurged ? snapshots : [{ count: 0, until: 0 }, ...snapshots]
  const first = Math.min(...all.map((snapshot) => snapshot.count))
  const log = entries.slice(first, count)
  const named = all.map((snapshot): ZooKeeperFile => {
    const name = snapshotFileName(entries[snapshot.count - 1]?.zxid ?? 0n)
    return { kind: 'snapshot', name, bytes: snapshotOf(entries.slice(0, snapshot.until), snapshot.count) }
  })
  const epochs = ['acceptedEpoch', 'currentEpoch'].map((name): ZooKeeperFile => {
    return { kind: 'epoch', name, bytes: Buffer.from(formatEpoch(ZOOKEEPER_EPOCH)) }
  })
  if (log[0] === undefined) return [...epochs, ...named]
  const records = log.map(({ txn, digest }) => encodeLogRecord(txn, digest))
  const bytes = new Uint8Array(Buffer.concat([LOG_HEADER, ...records]))
  return [...epochs, ...named, { kind: 'log', name: logFileName(log[0].zxid), bytes }]
}

/** A snapshot with nodes of all these, that is named after the one of this number. */
function snapshotOf(entries: readonly LogEntry[], count: number): Uint8Array {
  const state = new State()
  for (const { txn } of entries) state.apply(decodeTransaction(txn))
  const items = [...read(state.snapshot())]
  const lastZxid = entries[count - 1]?.zxid ?? 0n
  const digest = { zxid: state.lastZxid, value: state.lastZxid === 0n ? 0n : treeDigestOf(state) }
  const chunks = writeSnapshotFile({
    sessions: [],
    acls: items.flatMap((item) => (item.kind === 'acl' ? [item.acl] : [])),
    nodes: items.flatMap((item) => (item.kind === 'node' ? [item.node] : [])),
    ending: () => ({ digest, lastZxid, secrets: null }),
  })
  return new Uint8Array(Buffer.concat([...chunks]))
}

function* read(bytes: Uint8Array): Generator<SnapshotItem, void> {
  const reader = new SnapshotReader('state')
  yield* reader.push(bytes)
  reader.end()
}
