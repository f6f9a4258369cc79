/**
 * The common parts of a link's packets: how they begin and end, and the data that several of them have.
 *
 * Memory    memory outside of the heap of the engine is slow to have. A packet without data is an array so small that
 *           it lies on the heap, as long as nothing asks for its ArrayBuffer; they are the most frequent ones. Others
 *           share blocks, and nobody keeps them: a transaction or a part of a state is kept, so it is a piece of its
 *           own.
 * Safety    malformed data raises CoordinationError `PROTOCOL_VIOLATION`.
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
const LEARNER_INFO_BYTES = 20

/** Decoding is done in one go, so one reader does for all links. */
const dataReader = new Reader(new Uint8Array())

const TYPE_BYTES = 4
/** Type, zxid and the length of the data. */
const HEAD_BYTES = 16
const BARE_BYTES = 20
const HALF_BITS = 32n

/** The end of a packet without identities. */
const NO_AUTHINFO = Uint8Array.of(0xff, 0xff, 0xff, 0xff)

const BLOCK_BYTES = 0x1_0000
/** Longer packets have memory of their own. */
const SHARED_BYTES_MAX = 0x1000
let block = new Uint8Array(BLOCK_BYTES)
let blockUsed = 0
let packetWriter = new Writer()

/** The bytes that a function writes, in a block that they share with others. */
export function packetOf(write: (writer: Writer) => void): Uint8Array {
  packetWriter.truncate(0)
  write(packetWriter)
  const { length } = packetWriter
  if (length > SHARED_BYTES_MAX) {
    const bytes = packetWriter.finish()
    packetWriter = new Writer()
    return bytes
  }
  if (blockUsed + length > BLOCK_BYTES) {
    block = new Uint8Array(BLOCK_BYTES)
    blockUsed = 0
  }
  const start = blockUsed
  blockUsed += length
  block.set(packetWriter.written(), start)
  return block.subarray(start, blockUsed)
}

/** The last packet with data: a proposal goes to one learner after the other, and is made once. */
let lastAround: { readonly type: number; readonly zxid: bigint; readonly pieces: readonly Uint8Array[] } | null = null

/** A packet with a transaction or a part of a state, which is not copied: who keeps it keeps nothing else. */
export function packetAround(data: Uint8Array, type: number, zxid: bigint): readonly Uint8Array[] {
  if (lastAround?.pieces[1] === data && lastAround.type === type && lastAround.zxid === zxid) return lastAround.pieces
  assert(data.length <= PACKET_DATA_BYTES_MAX, () => `${data.length} bytes of data in a quorum packet`)
  const head = new Uint8Array(HEAD_BYTES)
  putHead(head, type, zxid, data.length)
  lastAround = { type, zxid, pieces: [head, data, NO_AUTHINFO] }
  return lastAround.pieces
}

/** A packet without data. */
export function barePacket(type: number, zxid: bigint): Uint8Array {
  const bytes = new Uint8Array(BARE_BYTES)
  putHead(bytes, type, zxid, -1)
  bytes.set(NO_AUTHINFO, HEAD_BYTES)
  return bytes
}

/** The upper half of the last zxid, which is that of the next one too, mostly; and where it begins and ends. */
let lastHigh = 0
let lastHighFrom = 0n
let lastHighTo = 1n << HALF_BITS

function putHead(bytes: Uint8Array, type: number, zxid: bigint, dataBytes: number): void {
  if (zxid < lastHighFrom || zxid >= lastHighTo) {
    const high = zxid >> HALF_BITS
    lastHigh = Number(BigInt.asIntN(32, high))
    lastHighFrom = high << HALF_BITS
    lastHighTo = lastHighFrom + (1n << HALF_BITS)
  }
  putInt32(bytes, 0, type)
  putInt32(bytes, TYPE_BYTES, lastHigh)
  putInt32(bytes, TYPE_BYTES + 4, Number(BigInt.asIntN(32, zxid)))
  putInt32(bytes, TYPE_BYTES + 8, dataBytes)
}

function putInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
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

/** The data of the packet with which a learner opens a link. */
export interface LearnerInfo {
  readonly sid: bigint
  readonly configurationVersion: bigint
}

/** Reads what a learner says of itself, and whether it knows the extensions. */
export function readLearnerInfo(packet: QuorumPacket): { readonly info: LearnerInfo; readonly isAnnounced: boolean } {
  const reader = dataOf(packet)
  const { remaining } = reader
  if (remaining !== LEARNER_INFO_BYTES && remaining !== LEARNER_INFO_BYTES + ANNOUNCEMENT_BYTES) {
    throw violation(`a LearnerInfo of ${remaining} bytes (3.4 and older are not supported)`)
  }
  const sid = reader.int64()
  const version = reader.int32()
  if (version !== PROTOCOL_VERSION) throw violation(`version ${version} in a LearnerInfo`)
  const info = { sid, configurationVersion: reader.int64() }
  const isAnnounced = reader.remaining > 0
  if (isAnnounced) expectAnnouncement(reader)
  return { info, isAnnounced }
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

/** The transaction or part of a state in a packet; a copy if a view would keep much more than itself. */
export function keptDataOf({ type, data }: QuorumPacket): Uint8Array {
  if (data === null) throw violation(`no data in a quorum packet of type ${type}`)
  return 2 * data.length >= data.buffer.byteLength ? data : data.slice()
}
