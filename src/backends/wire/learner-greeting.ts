/**
 * The first packet of a learner, as far as it says who the learner is: read before anything is set up for a link.
 *
 * Safety    nothing but FOLLOWERINFO or OBSERVERINFO with a LearnerInfo of a known length is read at all, so a stranger
 *           costs a few bytes. Malformed bytes raise CoordinationError `PROTOCOL_VIOLATION` and nothing else.
 */
import { violation } from './jute.ts'
import { readLearnerInfo } from './packet-data.ts'
import type { LearnerInfo } from './packet-data.ts'
import { PacketType, QuorumPacketReader } from './quorum-packets.ts'

/** LearnerInfo, with and without the announcement of our extensions. */
const INFO_BYTES: readonly number[] = [20, 28]
const HEAD_BYTES = 16
const DATA_LENGTH_AT = 12
const NO_AUTHINFO_BYTES = 4

/** Longest greeting, in bytes. */
export const LEARNER_GREETING_BYTES_MAX = HEAD_BYTES + Math.max(...INFO_BYTES) + NO_AUTHINFO_BYTES

/**
 * Reads who opens a link.
 *
 * @param bytes - the bytes of the connection so far, from its first byte on
 * @returns null while the packet has not arrived as a whole
 * @throws CoordinationError `PROTOCOL_VIOLATION` if it is no such packet
 */
export function readLearnerGreeting(bytes: Uint8Array): LearnerInfo | null {
  if (bytes.length < HEAD_BYTES) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const type = view.getInt32(0)
  const dataBytes = view.getInt32(DATA_LENGTH_AT)
  if (type !== PacketType.followerInfo && type !== PacketType.observerInfo) {
    throw violation(`a link begins with type ${type}`)
  }
  if (!INFO_BYTES.includes(dataBytes)) throw violation(`a link begins with ${dataBytes} bytes of data`)
  const end = HEAD_BYTES + dataBytes + NO_AUTHINFO_BYTES
  if (bytes.length < end) return null
  const reader = new QuorumPacketReader()
  reader.feed(bytes.subarray(0, end))
  const packet = reader.next()
  if (packet === null) throw violation('identities in the first packet of a link')
  return readLearnerInfo(packet).info
}
