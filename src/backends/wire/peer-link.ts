/**
 * One end of a link between a leader and a learner: packets to bytes and back.
 *
 * Dialect   every link begins in ZooKeeper's. A learner of ours announces itself by eight bytes after its LearnerInfo,
 *           a leader of ours answers with eight bytes after LEADERINFO's version; a server of ZooKeeper overlooks the
 *           one and never sends the other. After that both ends speak with the extensions below, or neither does.
 *
 *     packet        in ZooKeeper's dialect              the extension           without it
 *     SNAPCHUNK     its bytes alone, without what       a packet of its own     ours holds what theirs do not (secrets)
 *                   is ours: see state-file.ts
 *     SNAPACK       nothing                             a packet of its own     a learner is silent meanwhile
 *     SYNC          REQUEST of a sync; a PING before    number, touched         not confirmed by a majority; so leases
 *                   it has the touched sessions         sessions                are worth what ZooKeeper's are, and a
 *                                                                               server must not regain its vote by one
 *     SYNCED        no number: answers in order         number                  -
 *     REVALIDATE    session, time-out                   connection, password    the learner alone checks the password
 *     REVALIDATED   session, whether valid              connection, time-out    answers go to whoever asked first
 *     REQUEST       see forwarded-requests.ts           session secrets,        sessions that learner opens have none;
 *                                                       refusals                a refusal has another number
 *
 *     PROPOSAL, INFORM  an entry of its log             the transaction         see plain-transactions.ts
 *     COMMIT        one per proposal                    up to its zxid          -
 *
 * Same      FOLLOWERINFO, OBSERVERINFO, LEADERINFO, ACKEPOCH, DIFF, TRUNC, SNAP, ACK, NEWLEADER, UPTODATE and PING.
 * Safety    malformed bytes raise CoordinationError `PROTOCOL_VIOLATION` and nothing else; the link is unusable then.
 * Cost      a transaction or a state is not copied: it is a piece of its own among those that `encode` gives. Decoded
 *           data keeps no more memory than twice its size.
 * Source    Learner.java, LearnerHandler.java, Leader.java of ZooKeeper 3.8.
 */
import { OpCode } from './codes.ts'
import { readForwarded, writeForwarded, writeForwardedPlain } from './forwarded-requests.ts'
import { copiedBuffer, violation } from './jute.ts'
import type { Writer } from './jute.ts'
import {
  ANNOUNCEMENT_BYTES,
  PROTOCOL_VERSION,
  barePacket,
  begin,
  dataOf,
  end,
  epochOf,
  epochStart,
  expectAnnouncement,
  expectNoData,
  expectZxid,
  keptDataOf,
  packetAround,
  packetOf,
  readLearnerInfo,
  readTouches,
  writeAnnouncement,
  writeTouches,
} from './packet-data.ts'
import type { LearnerInfo } from './packet-data.ts'
import type { Packet, SessionTouch } from './packets.ts'
import { PacketType, QuorumPacketReader, writeAuthinfo } from './quorum-packets.ts'
import type { QuorumPacket } from './quorum-packets.ts'
import { UncommittedProposals, plainTransaction, transactionOf } from './plain-transactions.ts'
import { SnapshotScanner } from './snapshot-stream.ts'
import { UnnumberedAnswers } from './unnumbered-answers.ts'
import { zooKeeperPassword } from './zookeeper-password.ts'

/** The form in which an end of a link sends: plain ZooKeeper, or with our extensions. */
export type Dialect = 'zookeeper' | 'quorate'

const LEADER_INFO_BYTES = 4
/** The zxid of packets that need none. */
const NO_ZXID = 0n
const ANY_ZXID = -1n

/** Who is at this end. */
export interface LinkEndOptions {
  /** Its part on this link. */
  readonly role: 'leader' | 'learner'
  /** Its id. */
  readonly sid: number
  /** Its configuration, as ZooKeeper writes it; null to send none. */
  readonly configuration?: string | null
}

/** Packets whose data is written here. */
type WithData = Exclude<
  Packet,
  { type: 'PROPOSAL' | 'INFORM' | 'SNAP' | 'SNAPCHUNK' | 'SNAPACK' | 'ACK' | 'COMMIT' | 'TRUNC' | 'DIFF' | 'UPTODATE' }
>

/** One end of one link. */
export class PeerLink {
  readonly #role: LinkEndOptions['role']
  readonly #sid: number
  readonly #configuration: string | null
  readonly #packets = new QuorumPacketReader()
  #dialect: Dialect = 'zookeeper'
  /** In ZooKeeper's dialect, while the state after a SNAP arrives. */
  #scanner: SnapshotScanner | null = null
  #learnerInfo: LearnerInfo | null = null
  #peerAnnounced = false
  /** The last proposal that pings name: at the leader the last it sent, at a learner the one it was pinged with. */
  #pingZxid = NO_ZXID
  /** In ZooKeeper's dialect, at a learner. */
  readonly #asked = new UnnumberedAnswers()
  /** In ZooKeeper's dialect, at the leader: proposals without COMMIT, and how many syncs were asked for. */
  readonly #uncommitted = new UncommittedProposals()
  #syncCount = 0

  constructor({ role, sid, configuration = null }: LinkEndOptions) {
    this.#role = role
    this.#sid = sid
    this.#configuration = configuration
  }

  /** The dialect in which this end sends now. */
  get dialect(): Dialect {
    return this.#dialect
  }

  /** At the leader: who the learner is; null before it has said so. */
  get learnerInfo(): LearnerInfo | null {
    return this.#learnerInfo
  }

  /** The bytes of a packet, in pieces that are to be sent one after the other and not to be modified. */
  encode(packet: Packet): readonly Uint8Array[] {
    switch (packet.type) {
      case 'PROPOSAL':
      case 'INFORM':
        return this.#encodeTransaction(packet)
      case 'SNAP':
        return [barePacket(PacketType.snap, packet.zxid)]
      case 'SNAPCHUNK':
        return this.#encodeChunk(packet)
      case 'SNAPACK':
        return this.#dialect === 'quorate' ? [barePacket(PacketType.stateAck, NO_ZXID)] : []
      case 'ACK':
        return [barePacket(PacketType.ack, packet.zxid)]
      case 'COMMIT':
        if (this.#dialect === 'quorate') return [barePacket(PacketType.commit, packet.zxid)]
        return this.#uncommitted.takeUpTo(packet.zxid)
      case 'TRUNC':
        return [barePacket(PacketType.trunc, packet.zxid)]
      case 'DIFF':
        this.#pingZxid = packet.zxid
        return [barePacket(PacketType.diff, packet.zxid)]
      case 'UPTODATE':
        return [barePacket(PacketType.upToDate, ANY_ZXID), ...this.#uncommitted.release()]
      default:
        return [
          packetOf((writer) => {
            this.#write(writer, packet)
          }),
        ]
    }
  }

  /**
   * Takes the next chunk of what the other end sent.
   *
   * @param chunk - must not be modified afterwards
   * @param onPacket - called for each packet that is complete with this chunk, in order
   * @throws CoordinationError `PROTOCOL_VIOLATION` if the bytes are not what the other end may send
   */
  receiveBytes(chunk: Uint8Array, onPacket: (packet: Packet) => void): void {
    this.#packets.feed(chunk)
    for (;;) {
      const packet = this.#scanner === null ? this.#next() : this.#nextOfState(this.#scanner)
      if (packet === null) return
      onPacket(packet)
    }
  }

  /** The next packet; null if none is left as a whole. */
  #next(): Packet | null {
    const packet = this.#packets.next()
    if (packet === null) return null
    if (packet.authinfo !== null && packet.type !== PacketType.request) {
      throw violation(`identities in a quorum packet of type ${packet.type}`)
    }
    return this.#role === 'leader' ? this.#fromLearner(packet) : this.#fromLeader(packet)
  }

  /** The part of a ZooKeeper's state that has arrived; null if none has. */
  #nextOfState(scanner: SnapshotScanner): Packet | null {
    const bytes = this.#packets.takeRaw((pending) => scanner.scan(pending))
    if (bytes.length === 0) return null
    if (scanner.isDone) this.#scanner = null
    return { type: 'SNAPCHUNK', bytes, isLast: scanner.isDone }
  }

  #encodeTransaction({ type, zxid, txn }: Extract<Packet, { type: 'PROPOSAL' | 'INFORM' }>): readonly Uint8Array[] {
    this.#pingZxid = zxid
    const packetType = type === 'PROPOSAL' ? PacketType.proposal : PacketType.inform
    if (this.#dialect === 'quorate') return packetAround(txn, packetType, zxid)
    if (type === 'PROPOSAL') this.#uncommitted.proposed(zxid)
    return packetAround(plainTransaction(txn), packetType, zxid)
  }

  #encodeChunk({ bytes, isLast }: Extract<Packet, { type: 'SNAPCHUNK' }>): readonly Uint8Array[] {
    if (this.#dialect === 'quorate') {
      return packetAround(bytes, isLast ? PacketType.stateEnd : PacketType.stateChunk, NO_ZXID)
    }
    return bytes.length === 0 ? [] : [bytes]
  }

  // Writing

  #write(writer: Writer, packet: WithData): void {
    switch (packet.type) {
      case 'FOLLOWERINFO':
        this.#writeLearnerInfo(writer, PacketType.followerInfo, packet.acceptedEpoch)
        break
      case 'OBSERVERINFO':
        this.#writeLearnerInfo(writer, PacketType.observerInfo, packet.acceptedEpoch)
        break
      case 'LEADERINFO': {
        const start = begin(writer, PacketType.leaderInfo, epochStart(packet.epoch))
        writer.int32(PROTOCOL_VERSION)
        if (this.#peerAnnounced) this.#announce(writer)
        end(writer, start)
        break
      }
      case 'ACKEPOCH': {
        const start = begin(writer, PacketType.ackEpoch, packet.lastZxid)
        writer.int32(packet.currentEpoch)
        end(writer, start)
        break
      }
      case 'NEWLEADER':
        this.#uncommitted.hold()
        if (this.#configuration === null) writer.bytes(barePacket(PacketType.newLeader, packet.zxid))
        else {
          writer.int32(PacketType.newLeader)
          writer.int64(packet.zxid)
          writer.text(this.#configuration)
          writer.int32(-1)
        }
        break
      default:
        this.#writeService(writer, packet)
    }
  }

  #writeService(
    writer: Writer,
    packet: Extract<Packet, { type: 'PING' | 'REQUEST' | 'REVALIDATE' | 'REVALIDATED' | 'SYNC' | 'SYNCED' }>,
  ): void {
    switch (packet.type) {
      case 'PING':
        if (this.#role === 'leader') writer.bytes(barePacket(PacketType.ping, this.#pingZxid))
        else this.#writeTouched(writer, packet.touched)
        break
      case 'REQUEST': {
        const { request } = packet
        const start = begin(writer, PacketType.request, ANY_ZXID)
        if (this.#dialect === 'quorate') writeForwarded(writer, request)
        else writeForwardedPlain(writer, request)
        writer.endFrame(start)
        writeAuthinfo(writer, request.identities.length === 0 ? null : request.identities)
        break
      }
      case 'REVALIDATE':
        this.#writeRevalidate(writer, packet)
        break
      case 'REVALIDATED': {
        const start = begin(writer, PacketType.revalidate, ANY_ZXID)
        writer.int64(packet.sessionId)
        writer.byte(packet.valid ? 1 : 0)
        if (this.#dialect === 'quorate') {
          writer.int32(packet.connection)
          writer.int32(packet.timeoutMs)
        }
        end(writer, start)
        break
      }
      case 'SYNC':
        this.#writeSync(writer, packet)
        break
      case 'SYNCED': {
        if (this.#dialect === 'zookeeper') {
          writer.bytes(barePacket(PacketType.sync, NO_ZXID))
          break
        }
        const start = begin(writer, PacketType.sync, NO_ZXID)
        writer.int32(packet.syncId)
        end(writer, start)
      }
    }
  }

  #writeLearnerInfo(writer: Writer, type: number, acceptedEpoch: number): void {
    const start = begin(writer, type, epochStart(acceptedEpoch))
    writer.safeInt64(this.#sid)
    writer.int32(PROTOCOL_VERSION)
    writer.int64(NO_ZXID)
    writeAnnouncement(writer)
    end(writer, start)
  }

  #announce(writer: Writer): void {
    writeAnnouncement(writer)
    this.#dialect = 'quorate'
  }

  #writeTouched(writer: Writer, touched: readonly SessionTouch[]): void {
    const start = begin(writer, PacketType.ping, this.#pingZxid)
    writeTouches(writer, touched)
    end(writer, start)
  }

  #writeRevalidate(writer: Writer, packet: Extract<Packet, { type: 'REVALIDATE' }>): void {
    const { connection, sessionId, timeoutMs, passwd } = packet
    const start = begin(writer, PacketType.revalidate, ANY_ZXID)
    writer.int64(sessionId)
    writer.int32(timeoutMs)
    if (this.#dialect === 'quorate') {
      writer.int32(connection)
      copiedBuffer.write(writer, passwd)
    } else this.#asked.askRevalidation({ connection, sessionId, timeoutMs })
    end(writer, start)
  }

  #writeSync(writer: Writer, { syncId, touched }: Extract<Packet, { type: 'SYNC' }>): void {
    if (this.#dialect === 'quorate') {
      const start = begin(writer, PacketType.sync, NO_ZXID)
      writer.int32(syncId)
      writeTouches(writer, touched)
      end(writer, start)
      return
    }
    if (touched.length > 0) this.#writeTouched(writer, touched)
    this.#asked.askSync(syncId)
    const start = begin(writer, PacketType.request, ANY_ZXID)
    writer.int64(NO_ZXID)
    writer.int32(0)
    writer.int32(OpCode.sync)
    writer.text('/')
    end(writer, start)
  }

  // Reading

  #fromLearner(packet: QuorumPacket): Packet {
    switch (packet.type) {
      case PacketType.ack:
        expectNoData(packet)
        return { type: 'ACK', zxid: expectZxid(packet) }
      case PacketType.stateAck:
        this.#expectOurs(packet)
        expectNoData(packet)
        return { type: 'SNAPACK' }
      case PacketType.ping:
        return { type: 'PING', touched: readTouches(dataOf(packet)) }
      case PacketType.request:
        return this.#readRequest(packet)
      case PacketType.followerInfo:
        return { type: 'FOLLOWERINFO', ...this.#readLearnerInfo(packet) }
      case PacketType.observerInfo:
        return { type: 'OBSERVERINFO', ...this.#readLearnerInfo(packet) }
      case PacketType.ackEpoch: {
        const reader = dataOf(packet)
        const currentEpoch = reader.int32()
        reader.end()
        if (currentEpoch < -1) throw violation(`current epoch ${currentEpoch} in ACKEPOCH`)
        return { type: 'ACKEPOCH', currentEpoch, lastZxid: expectZxid(packet) }
      }
      case PacketType.revalidate:
        return this.#readRevalidate(packet)
      case PacketType.sync:
        if (this.#dialect === 'quorate') {
          const reader = dataOf(packet)
          return { type: 'SYNC', syncId: reader.int32(), touched: readTouches(reader) }
        }
    }
    throw violation(`a quorum packet of type ${packet.type} from a learner`)
  }

  #readRequest(packet: QuorumPacket): Packet {
    const reader = dataOf(packet)
    const request = readForwarded(reader, packet.authinfo ?? [], this.#dialect === 'quorate')
    if (request.op !== OpCode.sync) return { type: 'REQUEST', request }
    this.#syncCount += 1
    return { type: 'SYNC', syncId: this.#syncCount, touched: [] }
  }

  #readLearnerInfo(packet: QuorumPacket): { readonly acceptedEpoch: number; readonly dialect?: 'zookeeper' } {
    const { info, isAnnounced } = readLearnerInfo(packet)
    this.#learnerInfo = info
    this.#peerAnnounced = isAnnounced
    const acceptedEpoch = epochOf(packet)
    return isAnnounced ? { acceptedEpoch } : { acceptedEpoch, dialect: 'zookeeper' }
  }

  #readRevalidate(packet: QuorumPacket): Packet {
    const reader = dataOf(packet)
    const sessionId = reader.int64()
    const timeoutMs = reader.int32()
    const isExtended = this.#dialect === 'quorate'
    const connection = isExtended ? reader.int32() : 0
    // A learner of ZooKeeper has checked this one.
    const passwd = isExtended ? copiedBuffer.read(reader) : zooKeeperPassword(sessionId)
    if (passwd === null) throw violation('a REVALIDATE without a password')
    reader.end()
    return { type: 'REVALIDATE', connection, sessionId, timeoutMs, passwd }
  }

  #fromLeader(packet: QuorumPacket): Packet {
    const { type, data } = packet
    switch (type) {
      case PacketType.stateChunk:
      case PacketType.stateEnd:
        return this.#readChunk(packet)
      case PacketType.proposal:
        return { type: 'PROPOSAL', ...this.#readTransaction(packet) }
      case PacketType.inform:
        return { type: 'INFORM', ...this.#readTransaction(packet) }
      case PacketType.newLeader:
        epochOf(packet)
        return { type: 'NEWLEADER', zxid: packet.zxid }
      case PacketType.leaderInfo:
        return this.#readLeaderInfo(packet)
      case PacketType.revalidate:
        return this.#readRevalidated(packet)
      case PacketType.sync:
        return { type: 'SYNCED', syncId: this.#readSynced(packet) }
    }
    if (data !== null) throw violation(`${data.length} bytes of data in a quorum packet of type ${type} from a leader`)
    switch (type) {
      case PacketType.commit:
        return { type: 'COMMIT', zxid: expectZxid(packet) }
      case PacketType.ping:
        this.#pingZxid = packet.zxid
        return { type: 'PING', touched: [] }
      case PacketType.diff:
        return { type: 'DIFF', zxid: expectZxid(packet) }
      case PacketType.trunc:
        return { type: 'TRUNC', zxid: expectZxid(packet) }
      case PacketType.snap:
        if (this.#dialect === 'zookeeper') this.#scanner = new SnapshotScanner()
        return { type: 'SNAP', zxid: expectZxid(packet) }
      case PacketType.upToDate:
        return { type: 'UPTODATE' }
    }
    throw violation(`a quorum packet of type ${type} from a leader`)
  }

  #readTransaction(packet: QuorumPacket): { readonly zxid: bigint; readonly txn: Uint8Array } {
    const txn = keptDataOf(packet)
    return { zxid: expectZxid(packet), txn: this.#dialect === 'quorate' ? txn : transactionOf(txn) }
  }

  #readChunk(packet: QuorumPacket): Packet {
    this.#expectOurs(packet)
    return { type: 'SNAPCHUNK', bytes: keptDataOf(packet), isLast: packet.type === PacketType.stateEnd }
  }

  #expectOurs({ type }: QuorumPacket): void {
    if (this.#dialect === 'zookeeper') throw violation(`a quorum packet of type ${type}, which ZooKeeper does not have`)
  }

  #readLeaderInfo(packet: QuorumPacket): Packet {
    const reader = dataOf(packet)
    const { remaining } = reader
    if (remaining !== LEADER_INFO_BYTES && remaining !== LEADER_INFO_BYTES + ANNOUNCEMENT_BYTES) {
      throw violation(`a LEADERINFO of ${remaining} bytes`)
    }
    const version = reader.int32()
    if (version !== PROTOCOL_VERSION) throw violation(`version ${version} in a LEADERINFO`)
    if (reader.remaining > 0) {
      expectAnnouncement(reader)
      this.#dialect = 'quorate'
    }
    const epoch = epochOf(packet)
    return { type: 'LEADERINFO', epoch, ...(this.#dialect === 'zookeeper' && { dialect: this.#dialect }) }
  }

  #readRevalidated(packet: QuorumPacket): Packet {
    const reader = dataOf(packet)
    const sessionId = reader.int64()
    const valid = reader.byte() !== 0
    if (this.#dialect === 'quorate') {
      const connection = reader.int32()
      const timeoutMs = reader.int32()
      reader.end()
      return { type: 'REVALIDATED', connection, sessionId, valid, timeoutMs }
    }
    reader.end()
    const asked = this.#asked.takeRevalidation(sessionId)
    return { type: 'REVALIDATED', ...asked, valid, timeoutMs: valid ? asked.timeoutMs : 0 }
  }

  #readSynced(packet: QuorumPacket): number {
    if (this.#dialect === 'quorate') {
      const reader = dataOf(packet)
      const syncId = reader.int32()
      reader.end()
      return syncId
    }
    expectNoData(packet)
    return this.#asked.takeSync()
  }
}
