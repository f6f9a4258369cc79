/**
 * Transactions as the entries of a log: the form in which ZooKeeper keeps them, and in which our servers exchange them.
 *
 * Format    TxnHeader, body, then `TxnDigest` = int32 version, int64 digest of the tree after this transaction. An
 *           error has no digest. Every ZooKeeper ignores the bytes that follow.
 * Ours      the password of a new session (decision 0001) follows the digest, as a buffer. Without a digest there is
 *           one of version 0, which every ZooKeeper passes over, so that the password is not read as a digest.
 * Reading   is wider than writing: a closeSession without paths (3.5 and older), or with a digest alone; a create
 *           without the parent's count (before 3.4).
 * Source    SerializeUtils.deserializeTxn, TxnLogEntry, TxnDigest of ZooKeeper 3.8.
 */
import { assert } from '../../../core/assert.ts'
import { OpCode } from '../codes.ts'
import { Reader, bool, buffer, ustring, violation } from '../jute.ts'
import type { Writer } from '../jute.ts'
import { AclList } from '../records.ts'
import { SetDataTxn, TxnHeader, encodeTransaction, readTxnBody } from '../transactions.ts'
import type { CreateTxn, Transaction, TxnBody } from '../transactions.ts'

/** The digest of a tree that a transaction or a snapshot carries. */
export interface LoggedDigest {
  readonly version: number
  /** A signed 64-bit number. */
  readonly value: bigint
}

/** A decoded log entry. */
export interface LogEntry {
  /** The transaction as servers exchange it: see {@link encodeTransaction}. */
  readonly txn: Uint8Array
  /** The same, decoded. Its data are views of `txn`, or of the entry. */
  readonly transaction: Transaction
  /** The digest of the tree after it; null if the writer gave none. */
  readonly digest: LoggedDigest | null
}

/** The version of digests that ZooKeeper writes since 3.6, and we do. */
export const DIGEST_VERSION = 2
/** The version that stands for no digest. */
const NO_DIGEST_VERSION = 0
const DIGEST_BYTES = 12
const HEADER_BYTES = 32
const TYPE_OFFSET = 28
const TIME_OUT_BYTES = 4
/** Short entries share memory, and are read faster by one reader, which keeps the memory of the last. */
const SHARED_BYTES_MAX = 1_024
const keptReader = new Reader(new Uint8Array())
/** The count of children that stands for "one more than before". */
const UNKNOWN_CHILD_CREATES = -1

/**
 * Writes the entry of a transaction.
 *
 * @param txn - as {@link encodeTransaction} made it
 * @param digest - of the tree after the transaction; null if it is not known
 */
export function writeLogEntry(writer: Writer, txn: Uint8Array, digest: bigint | null): void {
  const view = new DataView(txn.buffer, txn.byteOffset, txn.byteLength)
  const type = view.getInt32(TYPE_OFFSET)
  assert(type !== OpCode.check, 'a check is logged as a multi: ZooKeeper reads no other')
  if (type === OpCode.createSession) {
    writeCreateSession(writer, txn, digest)
    return
  }
  const start = writer.length
  writer.bytes(txn)
  if (type === OpCode.multi) replaceCreate2(writer.written().subarray(start))
  if (type !== OpCode.error && digest !== null) writeDigest(writer, DIGEST_VERSION, digest)
}

function writeCreateSession(writer: Writer, txn: Uint8Array, digest: bigint | null): void {
  const bodyEnd = HEADER_BYTES + TIME_OUT_BYTES
  const reader = new Reader(txn)
  writer.bytes(reader.bytes(bodyEnd))
  const passwd = buffer.read(reader)
  reader.end()
  if (digest !== null) writeDigest(writer, DIGEST_VERSION, digest)
  if (passwd === null) return
  if (digest === null) writeDigest(writer, NO_DIGEST_VERSION, 0n)
  buffer.write(writer, passwd)
}

function writeDigest(writer: Writer, version: number, value: bigint): void {
  writer.int32(version)
  writer.int64(value)
}

/** ZooKeeper 3.8.0 does not know a create2 inside a multi, and skips the rest of it; create has the same body. */
function replaceCreate2(txn: Uint8Array): void {
  const view = new DataView(txn.buffer, txn.byteOffset, txn.byteLength)
  let at = HEADER_BYTES
  let parts = view.getInt32(at)
  for (at += 4; parts > 0; parts--) {
    if (view.getInt32(at) === OpCode.create2) view.setInt32(at, OpCode.create)
    at += 8 + view.getInt32(at + 4)
  }
}

/**
 * Reads an entry. Bytes that follow what is known are ignored, as ZooKeeper does.
 *
 * @param entry - bytes that the entry may keep
 * @throws CoordinationError `PROTOCOL_VIOLATION` if there is no transaction in it that a log may hold
 */
export function readLogEntry(entry: Uint8Array): LogEntry {
  const reader = entry.length > SHARED_BYTES_MAX ? new Reader(entry) : keptReader
  if (reader === keptReader) reader.reset(entry)
  const header = TxnHeader.read(reader)
  switch (header.type) {
    case OpCode.check:
      throw violation('a check outside a multi')
    case OpCode.reconfig: {
      const body = SetDataTxn.read(reader)
      const txn = entry.subarray(0, entry.length - reader.remaining)
      return { txn, transaction: { header, txn: { type: header.type, body } }, digest: readDigest(reader) }
    }
    case OpCode.createSession: {
      const timeOut = reader.int32()
      const digest = readDigest(reader)
      const passwd = readPassword(reader)
      return rewritten(header, { type: header.type, body: { timeOut, passwd } }, digest)
    }
    case OpCode.closeSession:
      if (reader.remaining === 0 || isDigestAlone(entry, reader)) {
        const txn: TxnBody = { type: header.type, body: { paths2Delete: [] } }
        return rewritten(header, txn, readDigest(reader))
      }
      break
    case OpCode.create: {
      const { body, isOld } = readCreate(reader)
      const txn: TxnBody = { type: header.type, body }
      if (isOld) return rewritten(header, txn, null)
      const bytes = entry.subarray(0, entry.length - reader.remaining)
      return { txn: bytes, transaction: { header, txn }, digest: readDigest(reader) }
    }
    default:
  }
  let isUndone = false
  const txn = readTxnBody(reader, header.type, () => (isUndone = true))
  if (isUndone) return rewritten(header, txn, readDigest(reader))
  const bytes = entry.subarray(0, entry.length - reader.remaining)
  return { txn: bytes, transaction: { header, txn }, digest: readDigest(reader) }
}

function rewritten(header: TxnHeader, txn: TxnBody, digest: LoggedDigest | null): LogEntry {
  const transaction = { header, txn }
  return { txn: encodeTransaction(transaction), transaction, digest }
}

function readDigest(reader: Reader): LoggedDigest | null {
  if (reader.remaining < DIGEST_BYTES) return null
  const version = reader.int32()
  const value = reader.int64()
  return version === NO_DIGEST_VERSION ? null : { version, value }
}

/** Our extension, if it is all that is left. */
function readPassword(reader: Reader): Uint8Array | null {
  if (reader.remaining < 4) return null
  const length = reader.int32()
  return length === reader.remaining ? reader.bytes(length).slice() : null
}

/**
 * Whether a closeSession has a digest and no paths. Read as paths, it would be two empty ones, and no path is empty.
 */
function isDigestAlone(entry: Uint8Array, { remaining }: Reader): boolean {
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength)
  return remaining === DIGEST_BYTES && view.getInt32(entry.length - remaining) === DIGEST_VERSION
}

/** Reads a create; `isOld` if it ends before the parent's count. */
function readCreate(reader: Reader): { readonly body: CreateTxn; readonly isOld: boolean } {
  const path = ustring.read(reader)
  const data = buffer.read(reader)
  const acl = AclList.read(reader)
  const ephemeral = bool.read(reader)
  const isOld = reader.remaining < 4
  const parentCVersion = isOld ? UNKNOWN_CHILD_CREATES : reader.int32()
  return { body: { path, data, acl, ephemeral, parentCVersion }, isOld }
}
