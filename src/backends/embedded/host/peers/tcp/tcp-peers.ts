/**
 * The way of one server to the others over TCP, in ZooKeeper's protocol: votes between election ports, links between a
 * learner and the quorum port of its leader.
 *
 * Model     see transport.ts. Votes: election-peer.ts; links: quorum-port.ts; the negotiation and the refusals:
 *           docs/protocol/peers.md.
 * Failure   whatever happens to a socket ends that connection and nothing else. News for an operator is an event;
 *           strangers, of whom anybody can send thousands, are counted, and one per second is an event.
 * Source    QuorumCnxManager.java, LearnerHandler.java, Learner.java of ZooKeeper 3.8.
 */
import type { Notification } from '../../../../wire/packets.ts'
import { holdsBy } from '../../turns.ts'
import type { Dialling, PeerGate, PeerTransport } from '../transport.ts'
import { ElectionPort } from './election-port.ts'
import { serversText } from './peer-address.ts'
import type { PeerAddress } from './peer-address.ts'
import type { TcpPeersEvent } from './peer-events.ts'
import { PLAIN_SOCKETS, TlsPeerSockets } from './peer-sockets.ts'
import type { PeerSockets, PeerTls } from './peer-sockets.ts'
import { CLOSE_MS_MAX } from './quorum-connection.ts'
import { QuorumPort } from './quorum-port.ts'

/** Dropped strangers that come sooner after the last event are only counted. */
const STRANGER_PAUSE_MS = 1_000
/** The same event is repeated after this time, in milliseconds: servers dial again and again. */
const REPEAT_MS = 60_000

/**
 * The addresses, limits and callbacks with which a server reaches the others and is reached. Durations in milliseconds.
 */
export interface TcpPeersOptions {
  /** The server's own id. */
  readonly myid: number
  /** Where every server is, this one included. Looked at again for each dial and each connection. */
  readonly servers: ReadonlyMap<number, PeerAddress>
  /** Those without a vote. */
  readonly observers?: ReadonlySet<number>
  /** The address that both ports listen on; null for the host of this server among `servers`. */
  readonly listenHost?: string | null
  /** How long a dial may take, and how long the other end of a connection may take to say who it is. */
  readonly connectTimeoutMs: number
  /** A server that is asked who leads, and does not answer for this long, is dialled again. */
  readonly idleTimeoutMs: number
  /** TLS with the others; null, which is the default, for plain TCP. */
  readonly tls?: PeerTls | null
  /** The configuration that the others are told; by default one line per server, and version 0. */
  readonly configuration?: string | (() => string)
  /** The network below; the system's by default, with or without TLS. */
  readonly sockets?: PeerSockets
  readonly gate?: PeerGate
  readonly onEvent?: (event: TcpPeersEvent) => void
}

/** One server's two ports, and all its connections to others. */
export class TcpPeers implements PeerTransport {
  readonly #options: TcpPeersOptions
  readonly #election: ElectionPort
  readonly #quorum: QuorumPort
  #gate: PeerGate | null
  readonly #sockets: PeerSockets
  #closing: Promise<void> | null = null
  #strangerCount = 0
  #strangerToldMs = -Infinity
  /** When what was told last; those that come as they like are limited by the pause between them. */
  readonly #toldMs = new Map<string, number>()

  /**
   * Makes a transport that does not listen.
   *
   * @param options - see {@link TcpPeersOptions}
   */
  constructor(options: TcpPeersOptions) {
    this.#options = options
    this.#gate = options.gate ?? null
    const { myid, servers, connectTimeoutMs, idleTimeoutMs, onEvent } = options
    const configuration = (): string => {
      const { configuration: told = serversText(servers, options.observers ?? new Set()) } = options
      return typeof told === 'string' ? told : told()
    }
    const sockets = options.sockets ?? this.#makeSockets()
    this.#sockets = sockets
    this.#election = new ElectionPort({
      myid,
      servers,
      sockets,
      connectTimeoutMs,
      idleTimeoutMs,
      announcedHost: (options.listenHost ?? null) === null ? null : this.#own.host,
      configuration,
      isAttached: () => this.#gate !== null,
      onVote: (from, notification) => this.#gate?.receiveVote(from, notification),
      onMalformed: (peer, reason) => onEvent?.({ type: 'vote-malformed', peer, reason }),
      strangerDropped: (address, reason) => {
        this.#strangerDropped('election', address, reason)
      },
    })
    this.#quorum = new QuorumPort({
      myid,
      servers,
      sockets,
      connectTimeoutMs,
      configuration,
      gate: () => this.#gate,
      strangerDropped: (address, reason) => {
        this.#strangerDropped('quorum', address, reason)
      },
    })
  }

  /** How many connections were ended since their other ends did not say that they are servers of the ensemble. */
  get strangerCount(): number {
    return this.#strangerCount
  }

  /** How many TLS hand-shakes had to wait, since others of their addresses have failed. */
  get slowedHandshakes(): number {
    return this.#sockets.slowedHandshakes ?? 0
  }

  /** How many links are open. */
  get linkCount(): number {
    return this.#quorum.connectionCount
  }

  /** The servers to which there is a connection for votes, ascending. */
  get electionPeers(): readonly number[] {
    return this.#election.connected
  }

  /**
   * Opens both ports. Connections are refused until there is a server behind them.
   *
   * @throws Error that names address and port if they are not available; nothing is open then
   */
  async listen(): Promise<void> {
    const { host, electionPort, peerPort } = this.#own
    const address = this.#options.listenHost ?? host
    try {
      await this.#election.open(address, electionPort)
      await this.#quorum.open(address, peerPort)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Puts the server behind the ports. */
  attach(gate: PeerGate): void {
    this.#gate = gate
  }

  dial(peer: number, dialling: Dialling): void {
    this.#quorum.dial(peer, dialling)
  }

  sendVote(to: number, notification: Notification): void {
    this.#election.send(to, notification)
  }

  /**
   * Closes both ports, and all connections: packets already sent go out first, for a limited time. Their users at
   * this end hear nothing more. A transport that was closed is not opened again. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Closes both ports, and all connections at once, as the end of the process would. Idempotent. */
  destroy(): void {
    this.#end()
    this.#election.destroy()
    this.#quorum.destroy()
    this.#closing ??= Promise.resolve()
  }

  async #close(): Promise<void> {
    this.#end()
    await holdsBy(() => this.#quorum.connectionCount === 0, performance.now() + CLOSE_MS_MAX)
    this.destroy()
  }

  #end(): void {
    this.#gate = null
    this.#election.close()
    this.#quorum.close()
  }

  get #own(): PeerAddress {
    const { myid, servers } = this.#options
    const own = servers.get(myid)
    if (own === undefined) throw new TypeError(`server ${myid} is not among the servers of its ensemble`)
    return own
  }

  #makeSockets(): PeerSockets {
    const { tls = null, connectTimeoutMs, onEvent } = this.#options
    if (tls === null) return PLAIN_SOCKETS
    return new TlsPeerSockets({
      tls,
      handshakeMs: connectTimeoutMs,
      onUntrusted: (peer, reason) => {
        if (this.#isNews(`${peer} ${reason}`)) onEvent?.({ type: 'peer-untrusted', peer, reason })
      },
    })
  }

  /** Whether an event is new enough to be reported. */
  #isNews(text: string): boolean {
    const nowMs = performance.now()
    const isNews = nowMs - (this.#toldMs.get(text) ?? -Infinity) >= REPEAT_MS
    if (!isNews) return false
    for (const [known, toldMs] of this.#toldMs) {
      if (nowMs - toldMs >= REPEAT_MS) this.#toldMs.delete(known)
    }
    this.#toldMs.set(text, nowMs)
    return true
  }

  #strangerDropped(port: 'election' | 'quorum', address: string, reason: string): void {
    this.#strangerCount += 1
    const nowMs = performance.now()
    if (nowMs - this.#strangerToldMs < STRANGER_PAUSE_MS) return
    if (!this.#isNews(`${port} ${address} ${reason}`)) return
    this.#strangerToldMs = nowMs
    this.#options.onEvent?.({ type: 'stranger-dropped', port, address, reason, count: this.#strangerCount })
  }
}
