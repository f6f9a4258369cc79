/**
 * ZooKeeper's quorum packets: the bytes between a leader and a learner.
 *
 * Shape     QuorumPacket{int type, long zxid, buffer data, vector<Id{ustring scheme, ustring id}> authinfo}; data and
 *           authinfo may be null (-1). There is no frame length, so the reader finds a packet's end as it reads. The
 *           content of `data` depends on type and direction: see peer-link.ts.
 * Safety    lengths are checked before anything is reserved for them, and what is reserved grows with the bytes that
 *           have arrived. Malformed bytes raise CoordinationError `PROTOCOL_VIOLATION` and nothing else; the stream is
 *           unusable after that. A type that ZooKeeper does not have is malformed: its servers skip such packets, but
 *           in a stream without lengths it nearly always means that the reader has lost its place.
 * Cost      data that lies in one chunk is a view of it, or the chunk itself; only data that is cut in two is copied.
 * Source    zookeeper.jute (QuorumPacket), Leader.java (types), LearnerHandler.java.
 */
import { Reader, ustring, violation } from './jute.ts'
import type { Writer } from './jute.ts'
import type { ClientIdentity } from './packets.ts'

/** Numbers of the packets; those from 101 on are ours. */
export const PacketType = Object.freeze({
  request: 1,
  proposal: 2,
  ack: 3,
  commit: 4,
  ping: 5,
  revalidate: 6,
  sync: 7,
  inform: 8,
  commitAndActivate: 9,
  newLeader: 10,
  followerInfo: 11,
  upToDate: 12,
  diff: 13,
  trunc: 14,
  snap: 15,
  observerInfo: 16,
  leaderInfo: 17,
  ackEpoch: 18,
  informAndActivate: 19,
  stateChunk: 101,
  stateEnd: 102,
  stateAck: 103,
})
const TYPES: ReadonlySet<number> = new Set(Object.values(PacketType))

/** Longest `data` of a packet, in bytes: the end of a session with some millions of ephemeral nodes. */
export const PACKET_DATA_BYTES_MAX = 0x1000_0000
/** Most identities of a forwarded request. A connection of ours has at most 100, one of ZooKeeper any number. */
export const AUTHINFO_ENTRIES_MAX = 1_024
/** Longest scheme or id of an identity, in bytes. */
export const AUTHINFO_TEXT_BYTES_MAX = 0x4000

const TYPE_BYTES = 4
const LENGTH_BYTES = 4
const ZXID_LOW_AT = 8
const HALF_BITS = 32n
/** Before `data`: type, zxid and the length of `data`. */
const HEAD_BYTES = 16

/** One packet. */
export interface QuorumPacket {
  readonly type: number
  readonly zxid: bigint
  /** A view of the chunk that it came in, where it came in one. */
  readonly data: Uint8Array | null
  /** The identities of the client whose request is forwarded. */
  readonly authinfo: readonly ClientIdentity[] | null
}

/** The fields before the data of a packet. */
interface Head {
  readonly type: number
  readonly zxid: bigint
  /** -1 for none. */
  readonly dataBytes: number
}

/** Decoding is done in one go, so one reader does for all links. */
const packetReader = new Reader(new Uint8Array())

/** Writes a packet. */
export function writeQuorumPacket(writer: Writer, { type, zxid, data, authinfo }: QuorumPacket): void {
  writer.int32(type)
  writer.int64(zxid)
  if (data === null) writer.int32(-1)
  else {
    writer.int32(data.length)
    writer.bytes(data)
  }
  writeAuthinfo(writer, authinfo)
}

/** Writes the identities at the end of a packet. */
export function writeAuthinfo(writer: Writer, authinfo: readonly ClientIdentity[] | null): void {
  if (authinfo === null) {
    writer.int32(-1)
    return
  }
  writer.int32(authinfo.length)
  for (const { scheme, id } of authinfo) {
    writer.text(scheme)
    writer.text(id)
  }
}

/** Cuts one direction of a link into packets. */
export class QuorumPacketReader {
  /** Bytes that have arrived; those before `#start` are read. Bytes that were handed out are never written over. */
  #bytes: Uint8Array = new Uint8Array()
  #start = 0
  #end = 0
  /** Whether `#bytes` was made here, so that more may be appended to it. */
  #isOwn = false
  /** The fields read so far of the packet that comes; null before all of them are there. */
  #head: Head | null = null
  #data: Uint8Array | null = null

  /** Bytes that have arrived, without those already read of the packet that comes. */
  get pendingBytes(): number {
    return this.#end - this.#start
  }

  /**
   * Takes the next chunk of the stream.
   *
   * @param chunk - must not be modified afterwards: packets are views of it
   */
  feed(chunk: Uint8Array): void {
    if (this.#start < this.#end) {
      this.#append(chunk)
      return
    }
    this.#bytes = chunk
    this.#isOwn = false
    this.#start = 0
    this.#end = chunk.length
  }

  /**
   * Reads the next packet; null if it has not arrived as a whole.
   *
   * @throws CoordinationError `PROTOCOL_VIOLATION` if the bytes are no packet
   */
  next(): QuorumPacket | null {
    const head = this.#head ?? this.#readHead()
    if (head === null) return null
    this.#head = head
    if (this.#data === null && head.dataBytes >= 0) {
      this.#data = this.#take(head.dataBytes)
      if (this.#data === null) return null
    }
    const end = this.#authinfoEnd()
    if (end === null) return null
    const packet = { type: head.type, zxid: head.zxid, data: this.#data, authinfo: this.#readAuthinfo(end) }
    this.#head = null
    this.#data = null
    return packet
  }

  /**
   * Takes bytes that are no packet, from where the last one ends.
   *
   * @param measure - says how many of those that have arrived it wants
   */
  takeRaw(measure: (pending: Uint8Array) => number): Uint8Array {
    const pending = this.#bytes.subarray(this.#start, this.#end)
    return this.#take(measure(pending)) ?? pending
  }

  #take(length: number): Uint8Array | null {
    if (length > this.pendingBytes) return null
    const start = this.#start
    this.#start += length
    // A piece that is a whole chunk needs no view.
    return length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(start, start + length)
  }

  /** Each length is checked as soon as it is there. */
  #readHead(): Head | null {
    const start = this.#start
    if (start + TYPE_BYTES > this.#end) return null
    const type = this.#int32At(start)
    if (!TYPES.has(type)) throw violation(`quorum packet type ${type}`)
    if (start + HEAD_BYTES > this.#end) return null
    const dataBytes = this.#int32At(start + HEAD_BYTES - LENGTH_BYTES)
    checkRange('bytes of data in a quorum packet', dataBytes, PACKET_DATA_BYTES_MAX)
    this.#start = start + HEAD_BYTES
    return { type, zxid: zxidFrom(this.#int32At(start + TYPE_BYTES), this.#int32At(start + ZXID_LOW_AT)), dataBytes }
  }

  /** Where the identities end; null while they have not all arrived. */
  #authinfoEnd(): number | null {
    let end = this.#start + LENGTH_BYTES
    if (end > this.#end) return null
    const entries = this.#int32At(this.#start)
    checkRange('identities in a quorum packet', entries, AUTHINFO_ENTRIES_MAX)
    for (let text = 0; text < 2 * entries; text++) {
      if (end + LENGTH_BYTES > this.#end) return null
      const textBytes = this.#int32At(end)
      checkRange('bytes of an identity in a quorum packet', textBytes, AUTHINFO_TEXT_BYTES_MAX, 0)
      end += LENGTH_BYTES + textBytes
    }
    return end > this.#end ? null : end
  }

  #readAuthinfo(end: number): readonly ClientIdentity[] | null {
    const entries = this.#int32At(this.#start)
    const start = this.#start + LENGTH_BYTES
    this.#start = end
    if (entries === -1) return null
    packetReader.reset(this.#bytes, start, end)
    const authinfo: ClientIdentity[] = []
    for (let entry = 0; entry < entries; entry++) {
      const scheme = ustring.read(packetReader)
      authinfo.push({ scheme, id: ustring.read(packetReader) })
    }
    return authinfo
  }

  #append(chunk: Uint8Array): void {
    const pending = this.pendingBytes
    if (!this.#isOwn || this.#end + chunk.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * pending, pending + chunk.length))
      grown.set(this.#bytes.subarray(this.#start, this.#end))
      this.#bytes = grown
      this.#isOwn = true
      this.#start = 0
      this.#end = pending
    }
    this.#bytes.set(chunk, this.#end)
    this.#end += chunk.length
  }

  #int32At(at: number): number {
    const byte = (index: number): number => this.#bytes[index] ?? 0
    return (byte(at) << 24) | (byte(at + 1) << 16) | (byte(at + 2) << 8) | byte(at + 3)
  }
}

/** The upper half of the last zxid, which is its epoch and so the next one's too, mostly. */
let lastHigh = 0
let lastHighBits = 0n

function zxidFrom(high: number, low: number): bigint {
  if (high !== lastHigh) {
    lastHigh = high
    lastHighBits = BigInt(high) << HALF_BITS
  }
  return lastHighBits + BigInt(low >>> 0)
}

function checkRange(what: string, value: number, max: number, min = -1): void {
  if (value < min || value > max) throw violation(`${value} ${what}; the limit is ${max}`)
}
