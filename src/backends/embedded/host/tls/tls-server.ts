/**
 * TLS on connections that a port has accepted, and on one port together with plain ones.
 *
 * Mixed     the first byte says which it is: a TLS hand-shake begins with 0x16, and nothing else that these ports are
 *           sent does.
 * Limits    the time from the connection to the end of the hand-shake, and how many are in that state: one more ends
 *           the oldest. Addresses whose hand-shakes fail take turns (handshake-turns.ts).
 * Resumed   are no sessions: each hand-shake shows and checks certificates.
 * Source    UnifiedServerSocket.java, X509Util.java of ZooKeeper 3.8.
 */
import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer } from 'node:tls'
import type { SecureContextOptions, Server as NodeTlsServer, TLSSocket } from 'node:tls'
import { Deadline } from '../../../../core/async.ts'
import { limitOf } from '../limits.ts'
import type { Certificates } from './certificates.ts'
import type { Handshake, HandshakeTurns } from './handshake-turns.ts'
import { distrustOf, tlsReason } from './tls-reason.ts'

/** The first byte of a TLS connection. */
const HANDSHAKE_BYTE = 0x16
/** Most connections of a port that are not through their hand-shakes. */
const HANDSHAKES_MAX = limitOf('handshakes')
/** Neither a session of before nor another hand-shake on the same connection. */
const SECURE_OPTIONS = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION

/** How a port takes TLS. */
export interface TlsServerOptions {
  readonly certificates: Certificates
  /** Whether the other end has to show a certificate, is asked for one, or is not asked. */
  readonly clientAuth: 'need' | 'want' | 'none'
  /** Whether plain connections are taken too. */
  readonly takesPlain: boolean
  /** The turns of those who fail, which may be those of several ports. */
  readonly turns: HandshakeTurns
  /** From the connection to the end of the hand-shake, in milliseconds; while it waits for its turn no time passes. */
  readonly handshakeMs: number
  /** Gets a connection that may be used: one of TLS, or a plain one. */
  readonly onSocket: (socket: Socket) => void
  /** A connection was ended here. */
  readonly onRefused: (address: string, reason: string) => void
}

interface Pending {
  readonly address: string
  readonly dueMs: number
}

/** The hand-shakes of one port. */
export class TlsServer {
  readonly #options: TlsServerOptions
  readonly #server: NodeTlsServer
  #version: number
  /** Connections on their way, the oldest first. */
  readonly #pending = new Map<Socket, Pending>()
  /** Connections whose hand-shakes wait for their turns. */
  readonly #waiting = new Map<Socket, Handshake>()
  /** The TCP socket under each hand-shake, by its place. */
  readonly #raw = new Map<string, Socket>()
  readonly #deadline: Deadline

  /** @param options - see {@link TlsServerOptions} */
  constructor(options: TlsServerOptions) {
    this.#options = options
    const { certificates, clientAuth, handshakeMs } = options
    const { version, options: context } = certificates.current()
    this.#version = version
    this.#server = createServer({
      ...hardened(context),
      requestCert: clientAuth !== 'none',
      // Judged below, with the reason.
      rejectUnauthorized: false,
      allowHalfOpen: true,
      handshakeTimeout: handshakeMs,
    })
    this.#server.on('secureConnection', (socket) => {
      this.#secured(socket)
    })
    this.#server.on('tlsClientError', (error, socket) => {
      const raw = this.#take(socket)
      // Who leaves in the middle of it is a dial that was given up.
      if (raw !== undefined) this.#refuse(raw, socket, tlsReason(error) ?? error.message)
    })
    this.#deadline = new Deadline(
      () => this.#oldest?.[1].dueMs ?? Infinity,
      () => {
        this.#expire()
      },
    )
  }

  /** Takes a connection that has just come. */
  add(socket: Socket): void {
    const { takesPlain } = this.#options
    this.#expect(socket, socket.remoteAddress ?? '')
    socket.on('error', () => undefined)
    socket.once('close', () => {
      this.#forget(socket)
    })
    socket.once('data', (chunk: Buffer) => {
      if (!this.#pending.has(socket)) return
      socket.pause()
      const isTls = chunk[0] === HANDSHAKE_BYTE
      if (!isTls && !takesPlain) {
        this.#refuseRaw(socket, 'it does not speak TLS')
        return
      }
      socket.unshift(chunk)
      if (isTls) this.#beginInTurn(socket)
      else this.#hand(socket, socket)
    })
    socket.once('end', () => {
      if (this.#forget(socket)) socket.destroy()
    })
  }

  /** Connections on their way. */
  get pendingCount(): number {
    return this.#pending.size
  }

  /** Ends the connections that are not through, without a word. */
  close(): void {
    for (const socket of [...this.#pending.keys(), ...this.#waiting.keys()]) {
      this.#forget(socket)
      socket.destroy()
    }
  }

  get #oldest(): [Socket, Pending] | undefined {
    const [oldest] = this.#pending
    return oldest
  }

  /** A connection is on its way, from now on. */
  #expect(socket: Socket, address: string): void {
    this.#pending.set(socket, { address, dueMs: performance.now() + this.#options.handshakeMs })
    if (this.#pending.size === 1) this.#deadline.start()
    const oldest = this.#oldest?.[0]
    // That one may be honest: it counts as no failure.
    if (this.#pending.size > HANDSHAKES_MAX && oldest !== undefined) {
      this.#end(oldest, oldest, `more than ${HANDSHAKES_MAX} connections are in their TLS hand-shakes`)
    }
  }

  #beginInTurn(socket: Socket): void {
    const { turns } = this.#options
    const address = this.#pending.get(socket)?.address ?? ''
    if (!turns.mustWait(address)) {
      this.#begin(socket)
      return
    }
    const handshake = {
      address,
      begin: () => {
        this.#waiting.delete(socket)
        this.#expect(socket, address)
        this.#begin(socket)
      },
      giveUp: () => {
        this.#end(socket, socket, 'too many TLS hand-shakes of its address wait, as others have failed')
      },
    }
    this.#forget(socket)
    this.#waiting.set(socket, handshake)
    turns.add(handshake)
  }

  #begin(socket: Socket): void {
    const { version, options } = this.#options.certificates.current()
    if (version !== this.#version) this.#server.setSecureContext(hardened(options))
    this.#version = version
    const place = placeOf(socket)
    this.#raw.set(place, socket)
    socket.once('close', () => {
      if (this.#raw.get(place) === socket) this.#raw.delete(place)
    })
    this.#server.emit('connection', socket)
  }

  #secured(socket: TLSSocket): void {
    const raw = this.#take(socket)
    if (raw === undefined || !this.#pending.has(raw)) {
      socket.destroy()
      return
    }
    const { clientAuth } = this.#options
    const hasShown = clientAuth !== 'none' && socket.getPeerX509Certificate() !== undefined
    const distrust = clientAuth === 'need' || hasShown ? distrustOf(socket) : null
    if (distrust === null) this.#hand(raw, socket)
    else this.#refuse(raw, socket, distrust)
  }

  #hand(raw: Socket, socket: Socket): void {
    this.#forget(raw)
    this.#options.onSocket(socket)
    socket.resume()
  }

  #take(socket: TLSSocket): Socket | undefined {
    const place = placeOf(socket)
    const raw = this.#raw.get(place)
    this.#raw.delete(place)
    return raw
  }

  #refuseRaw(raw: Socket, reason: string): void {
    this.#refuse(raw, raw, reason)
  }

  #refuse(raw: Socket, socket: Socket, reason: string): void {
    const address = this.#pending.get(raw)?.address
    if (address !== undefined) this.#options.turns.failed(address)
    this.#end(raw, socket, reason)
  }

  #end(raw: Socket, socket: Socket, reason: string): void {
    const address = (this.#pending.get(raw) ?? this.#waiting.get(raw))?.address
    this.#forget(raw)
    socket.destroy()
    if (address !== undefined) this.#options.onRefused(address, reason)
  }

  #expire(): void {
    const nowMs = performance.now()
    for (const [socket, { dueMs }] of [...this.#pending]) {
      if (dueMs > nowMs) break
      this.#refuseRaw(socket, `its TLS hand-shake is not done after ${this.#options.handshakeMs} ms`)
    }
    if (this.#pending.size > 0) this.#deadline.start()
  }

  #forget(socket: Socket): boolean {
    const was = this.#pending.delete(socket)
    if (this.#pending.size === 0) this.#deadline.stop()
    const waiting = this.#waiting.get(socket)
    if (waiting === undefined) return was
    this.#waiting.delete(socket)
    this.#options.turns.remove(waiting)
    return true
  }
}

function hardened(options: SecureContextOptions): SecureContextOptions {
  return { ...options, secureOptions: SECURE_OPTIONS }
}

/** Which connection of this port it is, also while TLS is on it. */
function placeOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
