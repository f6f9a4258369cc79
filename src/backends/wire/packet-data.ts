/**
 * What the packets of a link have in common: how they begin and end, and the data that several of them have.
 *
 * Memory    small packets are written one after the other into slabs, since nobody keeps what is read of them. A
 *           transaction is kept, so a packet with one has memory of its own.
 * Safety    what is malformed raises CoordinationError `PROTOCOL_VIOLATION`.
 */
import { assert } from '../../core/assert.ts'
import { Reader, Writer, violation } from './jute.ts'
import type { SessionTouch } from './packets.ts'
import { PACKET_DATA_BYTES_MAX } from './quorum-packets.ts'
import type { QuorumPacket } from './quorum-packets.ts'

/** Version of LearnerInfo and LEADERINFO since ZooKeeper 3.4. */
export const PROTOCOL_VERSION = 0x1_0000
/** Announces the extensions: `QRTE`, then their version. */
const EXTENSIONS_MARK = 0x5152_5445
const EXTENSIONS_VERSION = 1
export const ANNOUNCEMENT_BYTES = 8

const EPOCH_SHIFT = 32n
const COUNTER_MASK = 0xffff_ffffn
const EPOCH_MAX = 0x7fff_ffffn
const TOUCH_BYTES = 12
/** What a packet with a transaction has beside it. */
const ENTRY_OVERHEAD_BYTES = 20

/** Packets are written one after the other into memory of this size, and into the next when it is half full. */
const SLAB_BYTES = 0x4000
let slab = new Writer(SLAB_BYTES)

/** Decoding is done in one go, so one reader does for all links. */
const dataReader = new Reader(new Uint8Array())

/** The last proposal that was encoded, which usually goes to several learners. */
let lastProposal: { readonly type: number; readonly txn: Uint8Array; readonly bytes: readonly Uint8Array[] } | null =
  null

/** A proposal in memory of its own: what is read of it is kept as long as the transaction. */
export function entryBytes(type: number, { zxid, txn }: { zxid: bigint; txn: Uint8Array }): readonly Uint8Array[] {
  if (lastProposal?.txn === txn && lastProposal.type === type) return lastProposal.bytes
  assert(txn.length <= PACKET_DATA_BYTES_MAX, () => `a transaction of ${txn.length} bytes`)
  const writer = new Writer(txn.length + ENTRY_OVERHEAD_BYTES)
  const start = begin(writer, type, zxid)
  writer.bytes(txn)
  end(writer, start)
  const bytes = [writer.written()]
  lastProposal = { type, txn, bytes }
  return bytes
}

/** The bytes that a function writes, in memory that packets which nobody keeps share. */
export function inSlab(write: (writer: Writer) => void): Uint8Array {
  if (slab.length > SLAB_BYTES / 2) slab = new Writer(SLAB_BYTES)
  const start = slab.length
  write(slab)
  return slab.written(start)
}

/** Begins a packet with data; the data's length and a frame's are the same. */
export function begin(writer: Writer, type: number, zxid: bigint): number {
  writer.int32(type)
  writer.int64(zxid)
  return writer.beginFrame()
}

export function end(writer: Writer, start: number): void {
  writer.endFrame(start)
  writer.int32(-1)
}

export function writeBare(writer: Writer, type: number, zxid: bigint): void {
  writer.int32(type)
  writer.int64(zxid)
  writer.int32(-1)
  writer.int32(-1)
}

/** Says that this end knows the extensions. */
export function writeAnnouncement(writer: Writer): void {
  writer.int32(EXTENSIONS_MARK)
  writer.int32(EXTENSIONS_VERSION)
}

/** Reads that the other end knows the extensions, and nothing after it. */
export function expectAnnouncement(reader: Reader): void {
  const mark = reader.int32()
  const version = reader.int32()
  if (mark !== EXTENSIONS_MARK || version < EXTENSIONS_VERSION) {
    throw violation(`extensions ${mark} of version ${version} are announced`)
  }
  reader.end()
}

/** Writes sessions that were heard of. */
export function writeTouches(writer: Writer, touched: readonly SessionTouch[]): void {
  for (const { sessionId, timeoutMs } of touched) {
    writer.int64(sessionId)
    writer.int32(timeoutMs)
  }
}

/** Reads sessions up to the end of the data. */
export function readTouches(reader: Reader): SessionTouch[] {
  const { remaining } = reader
  if (remaining % TOUCH_BYTES !== 0) throw violation(`a table of touched sessions of ${remaining} bytes`)
  const touched: SessionTouch[] = []
  while (reader.remaining > 0) touched.push({ sessionId: reader.int64(), timeoutMs: reader.int32() })
  return touched
}

/** A reader of the data of a packet, which must have some; good until the next call. */
export function dataOf({ type, data }: QuorumPacket): Reader {
  if (data === null) throw violation(`no data in a quorum packet of type ${type}`)
  dataReader.reset(data)
  return dataReader
}

/** Fails if a packet has data. */
export function expectNoData({ type, data }: QuorumPacket): void {
  if (data !== null) throw violation(`${data.length} bytes of data in a quorum packet of type ${type}`)
}

/** The zxid of a packet, which must be one of a transaction, or of the beginning of an epoch. */
export function expectZxid({ type, zxid }: QuorumPacket): bigint {
  if (zxid < 0n) throw violation(`zxid ${zxid} in a quorum packet of type ${type}`)
  return zxid
}

/** The zxid at which an epoch begins. */
export function epochStart(epoch: number): bigint {
  return BigInt(epoch) << EPOCH_SHIFT
}

/** The epoch whose beginning the zxid of a packet is. */
export function epochOf({ type, zxid }: QuorumPacket): number {
  const epoch = zxid >> EPOCH_SHIFT
  if (epoch < 0n || epoch > EPOCH_MAX || (zxid & COUNTER_MASK) !== 0n) {
    throw violation(`zxid ${zxid} in a quorum packet of type ${type}, where an epoch begins`)
  }
  return Number(epoch)
}

/** The transaction in a packet; a copy if a view would keep much more than itself. */
export function txnOf({ type, data }: QuorumPacket): Uint8Array {
  if (data === null) throw violation(`no transaction in a quorum packet of type ${type}`)
  return 2 * data.length >= data.buffer.byteLength ? data : data.slice()
}
