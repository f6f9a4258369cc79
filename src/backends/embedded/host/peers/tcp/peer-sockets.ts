/**
 * The sockets between servers: plain ones, or with TLS and certificates of both ends.
 *
 * Names     the certificate of a server has to be for its host in the configuration, whoever dials: one that connects
 *           is looked up by the id that it says. Where the host is a name, that name counts and not its address.
 * Change    from plain to TLS without an end of service, by three rolling restarts: `portUnification` everywhere, then
 *           `sslQuorum` everywhere, then `portUnification` nowhere.
 * Source    QuorumX509Util.java, UnifiedServerSocket.java, ZKTrustManager.java of ZooKeeper 3.8.
 */
import { connect, isIP } from 'node:net'
import type { Socket } from 'node:net'
import { TLSSocket, checkServerIdentity, connect as connectTls } from 'node:tls'
import type { Certificates } from '../../tls/certificates.ts'
import { otherHostReason, tlsReason } from '../../tls/tls-reason.ts'
import { HandshakeTurns } from '../../tls/handshake-turns.ts'
import { TlsServer } from '../../tls/tls-server.ts'
import { KEEP_ALIVE_MS, Listener } from './listener.ts'

/** The part of a socket that the transport uses: it can stand on another network. */
export interface PeerSocket {
  /** Bytes that were written and that the network has not taken. */
  readonly writableLength: number
  readonly remoteAddress?: string | undefined
  on(event: 'data', listener: (chunk: Buffer) => void): this
  on(event: 'end' | 'close', listener: () => void): this
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): this
  once(event: 'connect' | 'close', listener: () => void): this
  off(event: 'data', listener: (chunk: Buffer) => void): this
  off(event: 'end' | 'close', listener: () => void): this
  write(bytes: Uint8Array, onTaken?: () => void): boolean
  /** Ends this half after what was written. */
  end(): unknown
  destroy(): unknown
  /** Ends both halves, this one after what was written. */
  destroySoon(): void
  pause(): unknown
  resume(): unknown
  cork(): void
  uncork(): void
}

/** A port that is listened on. */
export interface PeerListenerPort {
  /** The address that it is bound to, an IP; null before it listens. */
  readonly boundAddress: string | null
  /**
   * Opens the port.
   *
   * @throws Error that names address and port if they are not available
   */
  open(host: string, port: number): Promise<void>
  /** Closes the port to new connections. Idempotent. */
  close(): void
}

/** TLS between servers. */
export interface PeerTls {
  readonly certificates: Certificates
  /** Whether this server dials with TLS. */
  readonly sslQuorum: boolean
  /** Whether it takes plain connections beside those with TLS. */
  readonly portUnification: boolean
  /** Whether the certificate of a server that is dialled has to be for its host. */
  readonly hostnameVerification: boolean
  /** Whether that of a server that connects has to be, too. */
  readonly clientHostnameVerification: boolean
}

/** Which server is dialled, and where. */
export interface DialTarget {
  readonly peer: number
  readonly host: string
  readonly port: number
}

/** The sockets of one port. */
export interface PortSockets {
  /** Takes a connection that has just come. */
  add(socket: PeerSocket): void
  /** Ends what is not handed on yet. */
  close(): void
}

/** How a server connects to the others, and takes their connections. */
export interface PeerSockets {
  /** TLS hand-shakes that had to wait so far, since others of their addresses have failed; absent without TLS. */
  readonly slowedHandshakes?: number
  /**
   * Connects.
   *
   * @param onOpen - called when the connection can be used
   * @returns the socket, whose end is the caller's matter
   */
  dial(target: DialTarget, onOpen: () => void): PeerSocket
  /**
   * Makes the sockets of a port.
   *
   * @param onSocket - gets each connection that can be used
   * @param onRefused - told of one that was ended instead
   */
  port(onSocket: (socket: PeerSocket) => void, onRefused: (address: string, reason: string) => void): PortSockets
  /** Why the other end of this connection is not a server of this host; null if it may be. */
  refusal(socket: PeerSocket, host: string): string | null
  /** A port that is closed; it gets each connection, whose other end may close its half first. */
  listener(onSocket: (socket: PeerSocket) => void): PeerListenerPort
}

/** Plain TCP. */
export const PLAIN_SOCKETS: PeerSockets = {
  dial: (target, onOpen) => dialPlain(target).once('connect', onOpen),
  port: (onSocket) => ({ add: onSocket, close: () => undefined }),
  refusal: () => null,
  listener: (onSocket) => new Listener(onSocket),
}

/** The owner of sockets with TLS. */
export interface TlsPeerSocketsOptions {
  readonly tls: PeerTls
  /** Longest hand-shake with a server that connects, in milliseconds. */
  readonly handshakeMs: number
  /** A server that was dialled is not one that this server trusts, or does not trust it. */
  readonly onUntrusted: (peer: number, reason: string) => void
}

/** TLS, or both while the servers change from one to the other. */
export class TlsPeerSockets implements PeerSockets {
  readonly #options: TlsPeerSocketsOptions
  readonly #turns = new HandshakeTurns()

  constructor(options: TlsPeerSocketsOptions) {
    this.#options = options
  }

  get slowedHandshakes(): number {
    return this.#turns.slowedCount
  }

  dial(target: DialTarget, onOpen: () => void): PeerSocket {
    const { tls, onUntrusted } = this.#options
    if (!tls.sslQuorum) return PLAIN_SOCKETS.dial(target, onOpen)
    const { peer, host, port } = target
    const options = {
      ...tls.certificates.current().options,
      host,
      port,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(tls.hostnameVerification ? {} : { checkServerIdentity: () => undefined }),
      allowHalfOpen: true,
    }
    const socket = connectTls(options)
    socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS)
    let isOpen = false
    socket.once('secureConnect', () => {
      isOpen = true
      onOpen()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A connection that stood may end at any time.
      const reason = isOpen && error.code === 'ECONNRESET' ? null : tlsReason(error)
      if (reason !== null) onUntrusted(peer, reason)
    })
    return socket
  }

  port(onSocket: (socket: PeerSocket) => void, onRefused: (address: string, reason: string) => void): PortSockets {
    const { tls, handshakeMs } = this.#options
    return new TlsServer({
      certificates: tls.certificates,
      clientAuth: 'need',
      takesPlain: tls.portUnification,
      turns: this.#turns,
      handshakeMs,
      onSocket,
      onRefused,
    })
  }

  listener(onSocket: (socket: PeerSocket) => void): PeerListenerPort {
    return PLAIN_SOCKETS.listener(onSocket)
  }

  refusal(socket: PeerSocket, host: string): string | null {
    const { hostnameVerification, clientHostnameVerification } = this.#options.tls
    if (!(socket instanceof TLSSocket) || !hostnameVerification || !clientHostnameVerification) return null
    const error = checkServerIdentity(host, socket.getPeerCertificate())
    return error === undefined ? null : otherHostReason(error)
  }
}

function dialPlain({ host, port }: DialTarget): Socket {
  return connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
    allowHalfOpen: true,
  })
}
