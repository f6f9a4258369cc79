/**
 * The election traffic with one other server: at most one connection, at most one dial, at most one vote that waits.
 *
 * Rule      the connection that the server with the greater id opened is kept. So a server that dials a greater one
 *           says who it is and closes; the other then dials back.
 * Votes     a vote is a state: the newest replaces one that waits. One that has waited for too long is dropped, since
 *           a server that still looks for a leader repeats it. The last one is sent again on a new connection, since
 *           it may be lost with the one before.
 * Dials     while a vote waits, and when a smaller server asks to be dialled. After an attempt the next one waits, for
 *           longer each time, until there is a connection.
 * Half-open a server that is asked who leads answers. If it has not answered for a while, the connection may lead
 *           nowhere, though the system does not know: it is given up, and the next vote dials.
 * Source    QuorumCnxManager.connectOne, startConnection, handleConnection, toSend.
 */
import { Deadline } from '../../../../../core/async.ts'
import { encodeInitiation } from '../../../../wire/initiation.ts'
import type { Notification } from '../../../../wire/packets.ts'
import { ElectionConnection } from './election-connection.ts'
import type { PeerAddress } from './peer-address.ts'
import type { PeerSocket, PeerSockets } from './peer-sockets.ts'

/** The least and the longest time between two dials, in milliseconds. */
const REDIAL_MS_MIN = 100
const REDIAL_MS_MAX = 1_000
/** A vote that could not be sent within this time is dropped, in milliseconds. */
const VOTE_MS_MAX = 5_000

/** The settings that the traffic with every server shares. */
export interface ElectionPeerOptions {
  readonly myid: number
  readonly servers: ReadonlyMap<number, PeerAddress>
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly sockets: PeerSockets
  /** Where this server's own election port is. */
  readonly announcedHost: () => string
  onVote(from: number, notification: Notification): void
  onMalformed(from: number, reason: string): void
}

/** A vote that waits. */
interface WaitingVote {
  readonly frame: Uint8Array
  readonly asks: boolean
  readonly untilMs: number
}

/** One other server. */
export class ElectionPeer {
  readonly #sid: number
  readonly #options: ElectionPeerOptions
  #connection: ElectionConnection | null = null
  #dialling: PeerSocket | null = null
  #waiting: WaitingVote | null = null
  /** The last vote that was sent: it may be lost with its connection. */
  #last: WaitingVote | null = null
  #redialMs = REDIAL_MS_MIN
  #nextDialMs = 0
  readonly #redial: Deadline
  #isClosed = false

  constructor(sid: number, options: ElectionPeerOptions) {
    this.#sid = sid
    this.#options = options
    this.#redial = new Deadline(
      () => this.#nextDialMs,
      () => {
        this.#pump()
      },
    )
  }

  /** Whether there is a connection. */
  get isConnected(): boolean {
    return this.#connection !== null
  }

  /**
   * Sends a vote, now or when there is a connection.
   *
   * @param asks - whether the other server will answer it
   */
  send(frame: Uint8Array, asks: boolean): void {
    if (this.#isClosed) return
    if (this.#connection !== null && this.#connection.unansweredMs > this.#options.idleTimeoutMs) this.#disconnect()
    this.#waiting = { frame, asks, untilMs: performance.now() + VOTE_MS_MAX }
    this.#pump()
  }

  /** The other server has connected, and is the greater one. */
  accept(socket: PeerSocket, bytes: Uint8Array): void {
    this.#stopDial()
    const connection = this.#keep(socket)
    this.#pump()
    connection.receiveBytes(bytes)
  }

  /** The other server has connected, and is the smaller one: its connection is closed, and it is dialled. */
  dialBack(): void {
    this.#disconnect()
    if (this.#dialling === null) this.#dial()
  }

  /** Ends everything, after what was sent. */
  close(): void {
    this.#isClosed = true
    this.#redial.stop()
    this.#waiting = null
    this.#stopDial()
    this.#connection?.end()
  }

  /** Ends what is left at once. */
  destroy(): void {
    this.#connection?.destroy()
    this.#connection = null
  }

  /** Sends the vote that waits, if that is possible; if not, sees to it that it will be. */
  #pump(): void {
    const nowMs = performance.now()
    if (this.#waiting !== null && this.#waiting.untilMs < nowMs) this.#waiting = null
    if (this.#waiting === null || this.#isClosed) return
    if (this.#connection !== null) {
      if (!this.#connection.isClear) return
      this.#last = this.#waiting
      this.#waiting = null
      this.#connection.send(this.#last.frame, this.#last.asks)
    } else if (this.#dialling === null) {
      if (nowMs >= this.#nextDialMs) this.#dial()
      else this.#redial.start()
    }
  }

  #dial(): void {
    const { servers, sockets, connectTimeoutMs } = this.#options
    const address = servers.get(this.#sid)
    if (address === undefined || this.#isClosed) return
    const target = { peer: this.#sid, host: address.host, port: address.electionPort }
    const socket = sockets.dial(target, () => {
      if (this.#sid > this.#options.myid) {
        // The other server ends it, having read who it is: of one that is closed here, TLS may lose that.
        socket.write(this.#initiation())
        socket.end()
        socket.resume()
        return
      }
      limit.stop()
      socket.off('close', onClose)
      this.#dialling = null
      this.#keep(socket)
      socket.write(this.#initiation(), () => {
        this.#pump()
      })
      this.#pump()
    })
    const dueMs = performance.now() + connectTimeoutMs
    const limit = new Deadline(() => dueMs, () => socket.destroy())
    const onClose = (): void => {
      limit.stop()
      if (this.#dialling !== socket) return
      this.#dialling = null
      this.#backOff()
    }
    this.#dialling = socket
    limit.start()
    socket.on('error', () => undefined)
    socket.once('close', onClose)
  }

  #initiation(): Uint8Array {
    const { myid, servers, announcedHost } = this.#options
    return encodeInitiation(myid, { host: announcedHost(), port: servers.get(myid)?.electionPort ?? 0 })
  }

  /** From now on this is the connection. */
  #keep(socket: PeerSocket): ElectionConnection {
    this.#connection?.destroy()
    this.#redialMs = REDIAL_MS_MIN
    this.#nextDialMs = 0
    this.#waiting ??= this.#last
    const connection = new ElectionConnection(socket, {
      onVote: (notification) => {
        this.#options.onVote(this.#sid, notification)
      },
      onMalformed: (reason) => {
        this.#options.onMalformed(this.#sid, reason)
      },
      onClear: () => {
        this.#pump()
      },
      onClose: () => {
        if (this.#connection === connection) this.#connection = null
      },
    })
    this.#connection = connection
    return connection
  }

  #stopDial(): void {
    const dialling = this.#dialling
    this.#dialling = null
    dialling?.destroy()
  }

  #disconnect(): void {
    this.#connection?.destroy()
    this.#connection = null
  }

  /** An attempt is over and there is no connection: the next one waits. */
  #backOff(): void {
    this.#nextDialMs = performance.now() + this.#redialMs
    this.#redialMs = Math.min(2 * this.#redialMs, REDIAL_MS_MAX)
    this.#pump()
  }
}
