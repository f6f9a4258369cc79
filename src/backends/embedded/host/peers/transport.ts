/**
 * The port to the other servers: connections that carry packets in order, and votes.
 *
 * Model     the learner dials, the server that it believes to lead accepts. A connection is one attempt: packets arrive
 *           in order or not at all, and once either end is closed it brings nothing more. A vote is a datagram: it may
 *           be lost, and none overtakes another of the same pair.
 * Bytes     an implementation encodes and decodes with the link of its end (wire/peer-link.ts, wire/notifications.ts).
 *           Bytes of the other end that cannot be decoded end the connection, with the reason.
 * Turns     nothing is sent or closed from within the calls of an implementation, but in a later turn.
 */
import type { Notification, Packet } from '../../../wire/packets.ts'

/** One end of a connection to another server. */
export interface PeerConnection {
  /** Bytes that were sent here and that the network has not taken. */
  readonly unsentBytes: number
  send(packet: Packet): void
  /** Ends the connection after what was sent on it. This end hears nothing more. */
  close(): void
}

/** The user of one end of a connection. */
export interface PeerListener {
  onPacket(packet: Packet): void
  /**
   * The other end closed the connection, or it broke.
   *
   * @param reason - given if it ended since the other server did not keep to the protocol
   */
  onClose(reason?: string): void
}

/** The outcome of a dial: one of the two is called, or neither while the network says nothing. */
export interface Dialling {
  onConnected(connection: PeerConnection): PeerListener
  onFailed(): void
}

/** How one server reaches the others. */
export interface PeerTransport {
  dial(peer: number, dialling: Dialling): void
  sendVote(to: number, notification: Notification): void
}

/** How the others reach one server. */
export interface PeerGate {
  /** How much of what was handed over waits to be handled; while it is a lot, an implementation may read less. */
  readonly waitingInputs?: number
  /** Another server has dialled this one, and said who it is. */
  acceptPeer(from: number, connection: PeerConnection): PeerListener
  receiveVote(from: number, notification: Notification): void
}
