/** The files of a server that has done a bit of everything, and how to make their checksums right. */
import { gzipSync } from 'node:zlib'
import { LogDigest, treeDigestOf } from '../../src/backends/embedded/server/state/log-digest.ts'
import { State } from '../../src/backends/embedded/server/state/state.ts'
import { OpCode } from '../../src/backends/wire/codes.ts'
import { adler32, crc32 } from '../../src/backends/wire/disk/checksums.ts'
import { LOG_HEADER, RECORD_HEADER_BYTES, encodeLogRecord } from '../../src/backends/wire/disk/log-file.ts'
import { formatVotes } from '../../src/backends/wire/disk/votes-file.ts'
import { OPEN_ACL } from '../../src/backends/wire/records.ts'
import { SnapshotScanner } from '../../src/backends/wire/snapshot-stream.ts'
import { encodeTransaction } from '../../src/backends/wire/transactions.ts'
import type { Transaction, TxnBody } from '../../src/backends/wire/transactions.ts'

const HEADER_BYTES = 16
const SEAL = Buffer.from('000000012f', 'hex')
const SUM_BYTES = 8
const EPOCH = 1n << 32n
const CONFIGURATION = 'server.1=127.0.0.1:2888:3888:participant;127.0.0.1:2181\nversion=100000000'

const create = (path: string, nth: number, ephemeral = false): TxnBody => {
  const data = new Uint8Array(5).fill(nth)
  return { type: OpCode.create, body: { path, data, acl: OPEN_ACL, ephemeral, parentCVersion: nth } }
}

/** A life in transactions; the session 77 has made `/s`. */
const LIFE: readonly TxnBody[] = [
  { type: OpCode.createSession, body: { timeOut: 4_000, passwd: new Uint8Array(16).fill(3) } },
  create('/a', 1),
  create('/a/b', 1),
  create('/s', 2, true),
  { type: OpCode.setData, body: { path: '/a', data: Uint8Array.of(9, 9), version: 1 } },
  { type: OpCode.setAcl, body: { path: '/a', acl: [{ perms: 1, scheme: 'ip', id: '10.0.0.1' }], version: 1 } },
  { type: OpCode.createContainer, body: { path: '/c', data: null, acl: OPEN_ACL, parentCVersion: 3 } },
  { type: OpCode.createTTL, body: { path: '/t', data: null, acl: OPEN_ACL, parentCVersion: 4, ttl: 5_000n } },
  { type: OpCode.error, body: { err: -101 } },
  { type: OpCode.multi, body: [create('/m', 5), { type: OpCode.delete, body: { path: '/a/b' } }] },
  { type: OpCode.reconfig, body: { path: '/zookeeper/config', data: Buffer.from(CONFIGURATION), version: 0 } },
  { type: OpCode.closeSession, body: { paths2Delete: ['/s'] } },
]

/** How many transactions there are. */
export const LIFE_LENGTH = LIFE.length

function transactionAt(index: number): Transaction {
  const txn = LIFE[index] as TxnBody
  const zxid = EPOCH + BigInt(index + 1)
  return { header: { clientId: 77n, cxid: index, zxid, time: 1_000 + index, type: txn.type }, txn }
}

/** The state after so many transactions. */
function stateAfter(count: number): State {
  const state = new State()
  for (let index = 0; index < count; index++) state.apply(transactionAt(index))
  return state
}

/** A snapshot file of it. */
export function snapshotOf(count: number): Uint8Array {
  return stateAfter(count).snapshot()
}

/** A log file of the transactions from one on, up to another. */
export function logOf(from: number, to: number): Uint8Array {
  const state = stateAfter(from)
  const digests = new LogDigest(state, treeDigestOf(state))
  const records = Array.from({ length: to - from }, (_, i) => {
    const transaction = transactionAt(from + i)
    return encodeLogRecord(encodeTransaction(transaction), digests.add(transaction))
  })
  return Buffer.concat([LOG_HEADER, ...records, new Uint8Array(64)])
}

/** The zxid after so many transactions. */
export function zxidAfter(count: number): bigint {
  return count === 0 ? 0n : EPOCH + BigInt(count)
}

/** The file `votes`. */
export function votesFile(): Uint8Array {
  return Buffer.from(formatVotes({ votes: true, epochs: { acceptedEpoch: 1, currentEpoch: 1 } }))
}

/** As a ZooKeeper with `snapshot.compression.method=gz` writes it. */
export function gzipped(bytes: Uint8Array): Uint8Array {
  return gzipSync(bytes)
}

/** A snapshot in Snappy's frames, each with one literal: what it means is the same. */
export function snappied(bytes: Uint8Array): Uint8Array {
  const magic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
  const length = Buffer.from([(bytes.length & 0x7f) | 0x80, (bytes.length >> 7) & 0x7f])
  const tag = Buffer.from([61 << 2, (bytes.length - 1) & 0xff, (bytes.length - 1) >> 8])
  const block = Buffer.concat([length, tag, bytes])
  const head = Buffer.alloc(4)
  head.writeInt32BE(block.length)
  return Buffer.concat([magic, head, block])
}

/** The same file with checksums that are right, as far as it has places for them. */
export function mended(name: string, bytes: Uint8Array): Uint8Array {
  if (name.startsWith('log.')) return mendedLog(bytes)
  if (/^(snapshot|install)\.[0-9a-f]+$/.test(name)) return mendedSnapshot(bytes)
  return name === 'votes' ? mendedVotes(bytes) : bytes
}

function mendedLog(input: Uint8Array): Uint8Array {
  const bytes = Buffer.from(input)
  let at = LOG_HEADER.length
  while (at + RECORD_HEADER_BYTES <= bytes.length) {
    const length = bytes.readInt32BE(at + 8)
    const end = at + RECORD_HEADER_BYTES + length
    if (length <= 0 || end > bytes.length) break
    bytes.writeUInt32BE(adler32(bytes.subarray(at + RECORD_HEADER_BYTES, end)), at + 4)
    at = end + 1
  }
  return bytes
}

function mendedSnapshot(input: Uint8Array): Uint8Array {
  const bytes = Buffer.from(input)
  const scanner = new SnapshotScanner(false)
  let end = HEADER_BYTES
  try {
    end += scanner.scan(bytes.subarray(HEADER_BYTES))
  } catch {
    return bytes
  }
  if (!scanner.isDone) return bytes
  for (let seal = bytes.indexOf(SEAL, end); seal !== -1; seal = bytes.indexOf(SEAL, seal + 1)) {
    if (seal - SUM_BYTES < end) continue
    bytes.writeBigUInt64BE(BigInt(adler32(bytes.subarray(0, seal - SUM_BYTES))), seal - SUM_BYTES)
  }
  return bytes
}

function mendedVotes(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1')
  const words = text.split(' ').slice(0, 3).join(' ')
  return Buffer.from(`${words} ${crc32(Buffer.from(words, 'latin1')).toString(16).padStart(8, '0')}`, 'latin1')
}
