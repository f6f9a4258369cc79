/**
 * The election port of one server, and its votes to and from the others.
 *
 * Known     a server that connects says who it is in the first bytes. One that is not of the ensemble, or says nothing
 *           in time, is dropped (strangers.ts); an observer without an id is among them, which does not work in the
 *           reference either.
 * Source    QuorumCnxManager.Listener, QuorumCnxManager.handleConnection.
 */
import { INITIATION_BYTES_MAX, readInitiation } from '../../../../wire/initiation.ts'
import { encodeNotification } from '../../../../wire/notifications.ts'
import type { Notification } from '../../../../wire/packets.ts'
import { ElectionPeer } from './election-peer.ts'
import type { ElectionPeerOptions } from './election-peer.ts'
import type { PeerListenerPort, PeerSocket, PortSockets } from './peer-sockets.ts'
import { Strangers, checkStranger } from './strangers.ts'

const FRAME_HEAD_BYTES = 4

/** The server whose port it is. */
export interface ElectionPortOptions extends Omit<ElectionPeerOptions, 'announcedHost'> {
  /** The host that it announces to others; null for the address that it listens on. */
  readonly announcedHost: string | null
  /** Its configuration, for its notifications. */
  readonly configuration: () => string
  /** Whether somebody is there to take votes. */
  isAttached(): boolean
  readonly strangerDropped: (address: string, reason: string) => void
}

/** A server that has said who it is. */
interface Known {
  readonly sid: number
  /** How many bytes that took. */
  readonly bytes: number
}

/** One server's votes. */
export class ElectionPort {
  readonly #options: ElectionPortOptions
  readonly #listener: PeerListenerPort
  readonly #sockets: PortSockets
  readonly #strangers: Strangers<Known>
  readonly #peers = new Map<number, ElectionPeer>()
  #isClosed = false

  constructor(options: ElectionPortOptions) {
    this.#options = options
    this.#sockets = options.sockets.port((socket) => {
      this.#strangers.add(socket)
    }, options.strangerDropped)
    this.#listener = options.sockets.listener((socket) => {
      if (options.isAttached()) this.#sockets.add(socket)
      else socket.destroy()
    })
    this.#strangers = new Strangers({
      bytesMax: INITIATION_BYTES_MAX,
      read: (bytes, socket) => this.#identify(bytes, socket),
      onKnown: (socket, known, bytes) => {
        this.#accept(socket, known.sid, bytes.subarray(known.bytes))
      },
      onDropped: options.strangerDropped,
    }, options.connectTimeoutMs)
  }

  /** The servers to which there is a connection, ascending. */
  get connected(): readonly number[] {
    return [...this.#peers].filter(([, peer]) => peer.isConnected).map(([sid]) => sid).sort((a, b) => a - b)
  }

  /** Opens the port. */
  async open(host: string, port: number): Promise<void> {
    await this.#listener.open(host, port)
  }

  /** Sends a vote, now or as soon as the other server can be reached. */
  send(to: number, notification: Notification): void {
    if (this.#isClosed || !this.#options.servers.has(to)) return
    const bytes = encodeNotification(notification, this.#options.configuration())
    const frame = new Uint8Array(FRAME_HEAD_BYTES + bytes.length)
    new DataView(frame.buffer).setInt32(0, bytes.length)
    frame.set(bytes, FRAME_HEAD_BYTES)
    this.#peer(to).send(frame, notification.state === 'LOOKING')
  }

  /** Closes the port, and every connection after what was sent on it. */
  close(): void {
    this.#isClosed = true
    this.#listener.close()
    this.#sockets.close()
    this.#strangers.close()
    for (const peer of this.#peers.values()) peer.close()
  }

  /** Ends what is left at once. */
  destroy(): void {
    for (const peer of this.#peers.values()) peer.destroy()
  }

  #identify(bytes: Uint8Array, socket: PeerSocket): Known | null {
    const initiation = readInitiation(bytes)
    if (initiation === null) return null
    checkStranger(initiation.sid, socket, this.#options)
    return { sid: Number(initiation.sid), bytes: initiation.bytes }
  }

  #accept(socket: PeerSocket, sid: number, bytes: Uint8Array): void {
    const peer = this.#peer(sid)
    if (sid > this.#options.myid) peer.accept(socket, bytes)
    else {
      socket.destroy()
      peer.dialBack()
    }
  }

  #peer(sid: number): ElectionPeer {
    const known = this.#peers.get(sid)
    if (known !== undefined) return known
    const { servers, announcedHost, ...options } = this.#options
    const host = (): string => {
      return announcedHost ?? this.#listener.boundAddress ?? servers.get(options.myid)?.host ?? ''
    }
    const peer = new ElectionPeer(sid, { ...options, servers, announcedHost: host })
    this.#peers.set(sid, peer)
    return peer
  }
}
