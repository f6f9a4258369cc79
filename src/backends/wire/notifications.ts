/**
 * Notifications of the election: the bytes between two servers on the election port.
 *
 * Shape     int state, long leader, long zxid, long electionEpoch, long peerEpoch, int version, int length and text of
 *           the configuration; big endian, after an int32 frame length (framing.ts). State: 0 LOOKING, 1 FOLLOWING,
 *           2 LEADING, 3 OBSERVING.
 * Older     the length tells: 28 bytes end after electionEpoch (the peer epoch is the zxid's), 40 bytes end after the
 *           version and count as version 0 whatever stands there. Versions 0 and 1 have no configuration.
 * Nobody    a server without a vote names leader, zxid and peer epoch -2^63 (we: server 0, zxid 0, epoch 0). A zxid
 *           that it gives all the same travels: ZooKeeper looks at none, as it looks at the leader first (decision 16).
 * Safety    malformed bytes raise CoordinationError `PROTOCOL_VIOLATION` and nothing else. The reference skips such a
 *           message and goes on; the frame bounds it, so a caller may do the same.
 * Source    FastLeaderElection.buildMsg, FastLeaderElection.Messenger.WorkerReceiver.
 */
import { isCoordinationError } from '../../core/errors.ts'
import { readConfiguration, versionOf } from './configuration.ts'
import type { Configuration } from './configuration.ts'
import { Reader, nullableUstring, violation, written } from './jute.ts'
import type { Notification, PeerState } from './packets.ts'

/** Longest notification, in bytes: QuorumCnxManager.PACKETMAXSIZE. */
export const NOTIFICATION_BYTES_MAX = 0x8_0000

/** With configuration, as all servers since 3.5 send it. */
const VERSION = 2
/** Without peer epoch and version: before 3.4. */
const SHORT_BYTES = 28
/** Without configuration: 3.4. */
const PLAIN_BYTES = 40
/** Stands for no server in the field of the proposed leader. */
const NO_LEADER = -(2n ** 63n)
const EPOCH_SHIFT = 32n
const EPOCH_MAX = 0x7fff_ffffn

const STATES: readonly PeerState[] = ['LOOKING', 'FOLLOWING', 'LEADING', 'OBSERVING']

/** A notification as it travels. */
export interface WireNotification {
  readonly state: PeerState
  readonly leader: bigint
  readonly zxid: bigint
  readonly electionEpoch: bigint
  readonly peerEpoch: bigint
  /** Null: of the form without a version. */
  readonly version: number | null
  /** The sender's configuration; null if it sends none. */
  readonly configuration: string | null
}

/** Writes a notification, without the length of its frame. */
export function writeNotification(notification: WireNotification): Uint8Array {
  const { state, leader, zxid, electionEpoch, peerEpoch, version, configuration } = notification
  return written((writer) => {
    writer.int32(STATES.indexOf(state))
    writer.int64(leader)
    writer.int64(zxid)
    writer.int64(electionEpoch)
    if (version === null) return
    writer.int64(peerEpoch)
    writer.int32(version)
    if (version >= VERSION) nullableUstring.write(writer, configuration)
  })
}

/**
 * Reads a notification.
 *
 * @param bytes - one frame, without its length
 * @throws CoordinationError `PROTOCOL_VIOLATION` if it is malformed
 */
export function readNotification(bytes: Uint8Array): WireNotification {
  const { length } = bytes
  if (length > NOTIFICATION_BYTES_MAX || (length < PLAIN_BYTES && length !== SHORT_BYTES)) {
    throw violation(`a notification of ${length} bytes`)
  }
  const reader = new Reader(bytes)
  const number = reader.int32()
  const state = STATES[number]
  if (state === undefined) throw violation(`state ${number} in a notification`)
  const vote = { state, leader: reader.int64(), zxid: reader.int64(), electionEpoch: reader.int64() }
  if (length === SHORT_BYTES) {
    return { ...vote, peerEpoch: vote.zxid >> EPOCH_SHIFT, version: null, configuration: null }
  }
  const peerEpoch = reader.int64()
  const version = reader.int32()
  if (length === PLAIN_BYTES) return { ...vote, peerEpoch, version: 0, configuration: null }
  if (version < 0) throw violation(`version ${version} of a notification`)
  if (version < VERSION) return { ...vote, peerEpoch, version, configuration: null }
  const configuration = nullableUstring.read(reader)
  if (configuration === null) throw violation('a configuration of -1 bytes in a notification')
  if (version === VERSION) reader.end()
  return { ...vote, peerEpoch, version, configuration }
}

/**
 * The bytes of a notification of ours.
 *
 * @param initial - the sender's configuration as ZooKeeper writes it, if the notification names none; it may be empty
 */
export function encodeNotification(notification: Notification, initial = ''): Uint8Array {
  const { state, leader, zxid, electionEpoch, peerEpoch } = notification
  const isNobody = leader === 0
  return writeNotification({
    state,
    leader: isNobody ? NO_LEADER : BigInt(leader),
    zxid: isNobody && zxid === 0n ? NO_LEADER : zxid,
    electionEpoch: BigInt(electionEpoch),
    peerEpoch: isNobody ? NO_LEADER : BigInt(peerEpoch),
    version: VERSION,
    configuration: notification.configuration?.text ?? initial,
  })
}

/**
 * A notification as the election understands it.
 *
 * @throws CoordinationError `PROTOCOL_VIOLATION` if the bytes are none, or hold numbers that no server has
 */
export function decodeNotification(bytes: Uint8Array): Notification {
  const { state, leader, zxid, electionEpoch, peerEpoch, configuration: text } = readNotification(bytes)
  const known = text === null ? null : changedConfiguration(text)
  const configuration = known === null ? {} : { configuration: known }
  const round = inRange('round', electionEpoch, BigInt(Number.MAX_SAFE_INTEGER))
  if (leader === NO_LEADER) {
    const vote = { leader: 0, zxid: zxid < 0n ? 0n : zxid, peerEpoch: 0 }
    return { type: 'NOTIFICATION', state, ...vote, electionEpoch: round, ...configuration }
  }
  if (zxid < 0n) throw violation(`zxid ${zxid} in a notification`)
  return {
    type: 'NOTIFICATION',
    state,
    leader: inRange('leader', leader, BigInt(Number.MAX_SAFE_INTEGER)),
    zxid,
    peerEpoch: inRange('peer epoch', peerEpoch, EPOCH_MAX),
    electionEpoch: round,
    ...configuration,
  }
}

/** Null for one that nobody has changed, or that ours have no word for, such as one with groups. */
function changedConfiguration(text: string): Configuration | null {
  if (versionOf(text) === 0n) return null
  try {
    return readConfiguration(text)
  } catch (error) {
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION')) return null
    throw error
  }
}

function inRange(what: string, value: bigint, max: bigint): number {
  if (value < 0n || value > max) throw violation(`${what} ${value} in a notification`)
  return Number(value)
}
