/**
 * The quorum port of one server, and its connections to those of others: a learner dials, the server that it believes
 * to lead accepts. The port is open whether this server leads or not; if not, it closes new links.
 *
 * Known     a connection is handed on when its first packet has said who dialled. One that belongs to no server of the
 *           ensemble, or says nothing in time, is dropped (strangers.ts).
 * Limits    links are not read while too many inputs wait for the server; one accepted connection per server: a newer
 *           one replaces the one before.
 * Source    Leader.LearnerCnxAcceptor, LearnerHandler.run, Learner.connectToLeader.
 */
import { Deadline } from '../../../../../core/async.ts'
import { PeerLink } from '../../../../wire/peer-link.ts'
import { LEARNER_GREETING_BYTES_MAX, readLearnerGreeting } from '../../../../wire/learner-greeting.ts'
import type { Dialling, PeerGate } from '../transport.ts'
import type { PeerAddress } from './peer-address.ts'
import type { PeerListenerPort, PeerSocket, PeerSockets, PortSockets } from './peer-sockets.ts'
import { QuorumConnection } from './quorum-connection.ts'
import { Strangers, checkStranger, stranger } from './strangers.ts'

/** Why the connection of a learner is closed that has come again: it has given the earlier one up. */
export const REPLACED = 'it has opened another connection'

/**
 * A server of ZooKeeper opens its quorum port when it has learnt that it leads, which can be after its followers have:
 * how often it is dialled, and how long after a refusal the next time, in milliseconds.
 */
const DIALS_MAX = 5
const REDIAL_MS = 100

/** With more inputs than this waiting for the server, its links are not read. */
const WAITING_INPUTS_HIGH = 5_000

/** The server whose port it is. */
export interface QuorumPortOptions {
  readonly myid: number
  readonly servers: ReadonlyMap<number, PeerAddress>
  readonly connectTimeoutMs: number
  readonly sockets: PeerSockets
  /** Its configuration, for NEWLEADER. */
  readonly configuration: () => string
  /** Null while nobody is there to take a connection. */
  gate(): PeerGate | null
  readonly strangerDropped: (address: string, reason: string) => void
}

/** One server's end of all its links. */
export class QuorumPort {
  readonly #options: QuorumPortOptions
  readonly #listener: PeerListenerPort
  readonly #sockets: PortSockets
  readonly #strangers: Strangers<number>
  /** Connections that are being made. */
  readonly #dials = new Set<PeerSocket>()
  readonly #redials = new Set<Deadline>()
  readonly #connections = new Set<QuorumConnection>()
  readonly #accepted = new Map<number, QuorumConnection>()
  #isClosed = false

  constructor(options: QuorumPortOptions) {
    this.#options = options
    this.#sockets = options.sockets.port((socket) => {
      this.#strangers.add(socket)
    }, options.strangerDropped)
    this.#listener = options.sockets.listener((socket) => {
      if (options.gate() === null) socket.destroy()
      else this.#sockets.add(socket)
    })
    this.#strangers = new Strangers({
      bytesMax: LEARNER_GREETING_BYTES_MAX,
      read: (bytes, socket) => this.#identify(bytes, socket),
      onKnown: (socket, sid, bytes) => {
        this.#accept(socket, sid, bytes)
      },
      onDropped: options.strangerDropped,
    }, options.connectTimeoutMs)
  }

  /** How many connections there are, those of strangers aside. */
  get connectionCount(): number {
    return this.#connections.size
  }

  /** Opens the port. */
  async open(host: string, port: number): Promise<void> {
    await this.#listener.open(host, port)
  }

  /** Connects to the quorum port of another server, which may refuse at first. */
  dial(peer: number, dialling: Dialling): void {
    this.#dial(peer, dialling, 1)
  }

  #dial(peer: number, dialling: Dialling, attempt: number): void {
    const address = this.#options.servers.get(peer)
    if (address === undefined || this.#isClosed) {
      setImmediate(() => {
        dialling.onFailed()
      })
      return
    }
    const { connectTimeoutMs } = this.#options
    const dueMs = performance.now() + connectTimeoutMs
    const socket = this.#options.sockets.dial({ peer, host: address.host, port: address.peerPort }, () => {
      limit.stop()
      socket.off('close', onClose)
      this.#dials.delete(socket)
      const connection = this.#open(socket, new PeerLink({ role: 'learner', sid: this.#options.myid }))
      connection.listen(dialling.onConnected(connection))
    })
    const limit = new Deadline(() => dueMs, () => socket.destroy())
    let isRefused = false
    const onClose = (): void => {
      limit.stop()
      if (!this.#dials.delete(socket) || this.#isClosed) return
      if (isRefused && attempt < DIALS_MAX) this.#redial(peer, dialling, attempt + 1)
      else dialling.onFailed()
    }
    this.#dials.add(socket)
    limit.start()
    socket.on('error', (error: NodeJS.ErrnoException) => {
      isRefused = error.code === 'ECONNREFUSED'
    })
    socket.once('close', onClose)
  }

  #redial(peer: number, dialling: Dialling, attempt: number): void {
    const dueMs = performance.now() + REDIAL_MS
    const pause = new Deadline(() => dueMs, () => {
      this.#redials.delete(pause)
      this.#dial(peer, dialling, attempt)
    })
    this.#redials.add(pause)
    pause.start()
  }

  /** Closes the port, and every connection after what was sent on it. */
  close(): void {
    this.#isClosed = true
    this.#listener.close()
    this.#sockets.close()
    this.#strangers.close()
    for (const pause of this.#redials) pause.stop()
    for (const socket of [...this.#dials]) socket.destroy()
    for (const connection of this.#connections) connection.close()
  }

  /** Ends what is left at once. */
  destroy(): void {
    for (const connection of [...this.#connections]) connection.destroy()
  }

  #identify(bytes: Uint8Array, socket: PeerSocket): number | null {
    const greeting = readLearnerGreeting(bytes)
    if (greeting === null) return null
    const { sid, configurationVersion } = greeting
    checkStranger(sid, socket, this.#options)
    if (configurationVersion > 0n) {
      throw stranger(`server ${sid} has configuration ${configurationVersion}, of a ZooKeeper: ours do not mix with it`)
    }
    return Number(sid)
  }

  #accept(socket: PeerSocket, sid: number, bytes: Uint8Array): void {
    const gate = this.#options.gate()
    if (gate === null) {
      socket.destroy()
      return
    }
    this.#accepted.get(sid)?.drop(REPLACED)
    const { myid, configuration } = this.#options
    const link = new PeerLink({ role: 'leader', sid: myid, configuration: configuration() })
    const connection = this.#open(socket, link, () => {
      if (this.#accepted.get(sid) === connection) this.#accepted.delete(sid)
    })
    this.#accepted.set(sid, connection)
    connection.listen(gate.acceptPeer(sid, connection))
    connection.receiveBytes(bytes)
  }

  #open(socket: PeerSocket, link: PeerLink, onGone: () => void = () => undefined): QuorumConnection {
    const connection = new QuorumConnection(socket, link, {
      isBehind: () => (this.#options.gate()?.waitingInputs ?? 0) > WAITING_INPUTS_HIGH,
      onGone: () => {
        this.#connections.delete(connection)
        onGone()
      },
    })
    this.#connections.add(connection)
    return connection
  }
}
