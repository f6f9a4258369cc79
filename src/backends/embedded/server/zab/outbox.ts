/**
 * The box in which a server's output to its peers waits for the host.
 */
import type { Notification, Packet, PeerMessage } from '../../../wire/packets.ts'

/** A state as it was at one zxid, read in chunks while the server goes on. */
export interface SnapshotSource {
  /** zxid of the last transaction that is in it. */
  readonly zxid: bigint
  /** The next chunk; it is empty where there was work without bytes, and null at the end. */
  next(): Uint8Array | null
  /** Gives up what has not been read; whoever takes a source reads it to its end or closes it. Idempotent. */
  close(): void
}

/** A message for another server. */
export interface Outgoing {
  readonly to: number
  readonly message: PeerMessage
  /** With a SNAP: the state to send after it, in SNAPCHUNKs, before anything else goes on that link. */
  readonly state?: SnapshotSource
}

/** A link that is to be closed. */
export interface LinkEnd {
  readonly peer: number
  readonly link: number
}

/**
 * The output of a server until its host takes it. A message's list says whether it may leave before the operations
 * queued so far are durable. On one link, a message of the one list is never followed by one of the other that it must
 * precede: a leader's LEADERINFO, and a learner's FOLLOWERINFO, ACKEPOCH and ACKs, wait for the disk; everything else
 * does not.
 */
export class Outbox {
  dials: number[] = []
  sendNow: Outgoing[] = []
  sendAfterPersist: Outgoing[] = []
  closeLinks: LinkEnd[] = []

  /** Asks for a link to a server; the host says when it is there, or that the server cannot be reached. */
  dial(peer: number): void {
    this.dials.push(peer)
  }

  /** Sends a vote once its promise is durable. */
  notify(to: number, notification: Notification): void {
    this.sendAfterPersist.push({ to, message: notification })
  }

  /** Sends a packet at once. */
  now(to: number, link: number, packet: Packet): void {
    this.sendNow.push({ to, message: { type: 'PACKET', link, packet } })
  }

  /** Sends a state at once. */
  state(to: number, link: number, state: SnapshotSource): void {
    this.sendNow.push({ to, message: { type: 'PACKET', link, packet: { type: 'SNAP', zxid: state.zxid } }, state })
  }

  /** Sends a packet once everything that was to be persisted before it is durable. */
  afterPersist(to: number, link: number, packet: Packet): void {
    this.sendAfterPersist.push({ to, message: { type: 'PACKET', link, packet } })
  }

  /** Closes a link. */
  close(peer: number, link: number): void {
    this.closeLinks.push({ peer, link })
  }

  /** Whether there is nothing in it. */
  get empty(): boolean {
    const isSilent = this.sendNow.length === 0 && this.sendAfterPersist.length === 0
    return isSilent && this.closeLinks.length === 0 && this.dials.length === 0
  }
}
