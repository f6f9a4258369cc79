/**
 * The links of one server to the others, by the numbers that are given to them here.
 *
 * Order     on one link everything goes in the order in which it was sent; see snapshot-streams.ts for states.
 * Limits    bytes that wait for the network, or after a state, per link. One that has more is closed, with a reason:
 *           a server that does not keep up catches up on a new link, and costs nobody memory meanwhile.
 */
import type { Notification, Packet } from '../../../wire/packets.ts'
import type { Outgoing } from '../../server/zab/outbox.ts'
import { limitOf } from '../limits.ts'
import { SnapshotStreams } from './snapshot-streams.ts'
import type { PeerConnection, PeerListener, PeerTransport } from './transport.ts'

/** Most bytes that wait on one link: far more than a leader proposes before a silent learner is given up. */
export const PEER_QUEUE_BYTES_MAX = limitOf('peerQueueBytes')

/** The server that the links belong to, as they use it; the calls of its machine, one for one. */
export interface PeersOwner {
  peerConnected(link: number, peer: number, isDialled: boolean): void
  peerUnreachable(peer: number): void
  receivePeer(link: number, packet: Packet): void
  peerClosed(link: number): void
  /** A link was closed here, or by a violation of the protocol; `peerClosed` follows. */
  linkDropped(peer: number, reason: string): void
  /** A state could not be read. */
  failed(error: unknown): void
}

interface Link {
  readonly peer: number
  readonly connection: PeerConnection
}

/** All links of one server. */
export class Peers {
  readonly #transport: PeerTransport
  readonly #owner: PeersOwner
  readonly #queueBytesMax: number
  readonly #links = new Map<number, Link>()
  readonly #streams: SnapshotStreams
  #lastLink = 0

  constructor(transport: PeerTransport, owner: PeersOwner, queueBytesMax: number = PEER_QUEUE_BYTES_MAX) {
    this.#transport = transport
    this.#owner = owner
    this.#queueBytesMax = queueBytesMax
    this.#streams = new SnapshotStreams({
      send: (link, packet) => {
        this.#transmit(link, packet)
      },
      unsentBytes: (link) => this.#links.get(link)?.connection.unsentBytes ?? 0,
      failed: (error) => {
        owner.failed(error)
      },
    })
  }

  /** Opens a link to a server; the owner hears whether that worked. */
  dial(peer: number): void {
    this.#transport.dial(peer, {
      onConnected: (connection) => this.#open(peer, connection, true),
      onFailed: () => {
        this.#owner.peerUnreachable(peer)
      },
    })
  }

  /** Another server has opened a link. */
  accept(from: number, connection: PeerConnection): PeerListener {
    return this.#open(from, connection, false)
  }

  /** Sends a vote, or a packet on a link, with the state after it. A packet on a link that has ended is lost. */
  send(outgoing: Outgoing): void {
    const { to, message, state } = outgoing
    if (message.type === 'NOTIFICATION') this.#sendVote(to, message)
    else if (this.#links.has(message.link)) {
      this.#streams.send(message.link, message.packet, state)
      this.#checkBudget(message.link)
    } else state?.close()
  }

  /** Closes a link after everything that was sent on it. */
  close(link: number): void {
    this.#streams.closed(link)
    this.#links.get(link)?.connection.close()
    this.#links.delete(link)
  }

  /** Ends what is sent in the background. The connections are those of the transport, which ends them. */
  stop(): void {
    this.#streams.closeAll()
    this.#links.clear()
  }

  #sendVote(to: number, notification: Notification): void {
    this.#transport.sendVote(to, notification)
  }

  #open(peer: number, connection: PeerConnection, isDialled: boolean): PeerListener {
    this.#lastLink += 1
    const link = this.#lastLink
    this.#links.set(link, { peer, connection })
    this.#owner.peerConnected(link, peer, isDialled)
    return {
      onPacket: (packet) => {
        if (this.#links.has(link)) this.#owner.receivePeer(link, packet)
      },
      onClose: (reason) => {
        if (!this.#links.delete(link)) return
        this.#streams.closed(link)
        if (reason !== undefined) this.#owner.linkDropped(peer, reason)
        this.#owner.peerClosed(link)
      },
    }
  }

  #transmit(link: number, packet: Packet): void {
    this.#links.get(link)?.connection.send(packet)
  }

  #checkBudget(link: number): void {
    const open = this.#links.get(link)
    if (open === undefined) return
    const bytes = open.connection.unsentBytes + this.#streams.waitingBytes(link)
    if (bytes <= this.#queueBytesMax) return
    this.close(link)
    this.#owner.linkDropped(open.peer, `${bytes} bytes wait to be sent to it; the limit is ${this.#queueBytesMax}`)
    this.#owner.peerClosed(link)
  }
}
