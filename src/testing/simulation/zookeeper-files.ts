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
import type { Transaction } from '../../backends/wire/transactions.ts'
import type { SeededRandom } from './random.ts'

/** The epoch in which all of it was proposed. */
export const ZOOKEEPER_EPOCH = 1
/** The parent of the nodes that the history makes. */
const PARENT = '/zookeeper-made'
/** Its client never comes back. */
const ZOOKEEPER_SESSION = 0x0100_0000_0000_0001n
const SESSION_TIMEOUT_MS = 200
const TIME_MS = 1_600_000_000_000

/** A snapshot of ZooKeeper. */
export interface FuzzySnapshot {
  /** How many transactions are certainly in it: its name. */
  readonly count: number
  /** How many were applied when its nodes were written; at least as many. */
  readonly until: number
}

/** Shares of so many transactions that are committed, at most, and so many more that are not. */
const COMMITTED_MAX = 12
const UNDONE_MAX = 6

/** The part of the history that one server has. */
export interface ZooKeeperShare {
  /** How many transactions are in its log. */
  readonly count: number
  /** Its snapshots, besides that of an empty tree. */
  readonly snapshots: readonly FuzzySnapshot[]
  /** Whether the snapshot of an empty tree is gone, and the log before its first snapshot. */
  readonly isPurged?: boolean
}

/** A file. */
export interface ZooKeeperFile {
  readonly kind: 'log' | 'snapshot' | 'epoch'
  readonly name: string
  readonly bytes: Uint8Array
}

/** Draws what each server of an ensemble has, the voters first: a majority of them has the same. */
export function drawShares(servers: number, observers: number, random: SeededRandom): ZooKeeperShare[] {
  const committed = random.between(1, COMMITTED_MAX)
  const ahead = new Set<number>()
  for (let left = random.between(0, Math.ceil(servers / 2) - 1); left > 0; left--) ahead.add(random.between(1, servers))
  return Array.from({ length: servers + observers }, (_, index) => {
    const extra = ahead.has(index + 1) ? random.between(1, UNDONE_MAX) : 0
    const count = index < servers ? committed + extra : random.between(0, committed)
    const snapshots = new Map<number, FuzzySnapshot>()
    for (let left = random.between(0, 3); left > 0; left--) {
      const zxid = random.between(1, Math.max(1, count))
      // One that was written by a server that served has nothing of what is not committed.
      const end = zxid > committed || random.chance(0.1) ? count : Math.min(count, committed)
      if (zxid <= end) snapshots.set(zxid, { count: zxid, until: random.between(zxid, end) })
    }
    return { count, snapshots: [...snapshots.values()], isPurged: snapshots.size > 0 && random.chance(0.2) }
  })
}

/** How many transactions a majority of the voters has. */
export function committedOf(shares: readonly ZooKeeperShare[], servers: number): number {
  const counts = shares.slice(0, servers).map(({ count }) => count).sort((a, b) => b - a)
  return counts[Math.floor(servers / 2)] ?? 0
}

/** The first transactions of the history: a session, a parent that it creates, and children. */
export function zooKeeperEntries(count: number): readonly (LogEntry & { readonly digest: bigint })[] {
  const digest = new LogDigest(new State(), treeDigestOf(new State()))
  return Array.from({ length: count }, (_, index) => {
    const transaction = transactionAt(index + 1)
    return { zxid: transaction.header.zxid, txn: encodeTransaction(transaction), digest: digest.add(transaction) }
  })
}

function transactionAt(counter: number): Transaction {
  // Without the number of a request, as what servers do by themselves: no client of the simulation has asked for it.
  const header = { clientId: ZOOKEEPER_SESSION, cxid: 0, zxid: zxidOf(ZOOKEEPER_EPOCH, counter), time: TIME_MS }
  if (counter === 1) {
    const txn = { type: OpCode.createSession, body: { timeOut: SESSION_TIMEOUT_MS, passwd: null } } as const
    return { header: { ...header, type: txn.type }, txn }
  }
  const [path, parentCVersion] = counter === 2 ? [PARENT, 1] : [`${PARENT}/${counter}`, counter - 2]
  const body = { path, data: Uint8Array.of(counter), acl: OPEN_ACL, ephemeral: false, parentCVersion }
  return { header: { ...header, type: OpCode.create }, txn: { type: OpCode.create, body } }
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
    sessions: count === 0 ? [] : [{ id: ZOOKEEPER_SESSION, timeoutMs: SESSION_TIMEOUT_MS }],
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
