/**
 * The TCP port of one server, for real ZooKeeper clients.
 *
 * Order     the messages of one turn for clients go out at the end of it, one write per client; those that would take
 *           too long go out in the turns after it.
 * Limits    connections, of one address and of all; requests that are not answered, their number and their bytes
 *           (others are read when there is room); time until a session is set up, and until a connection that was ended
 *           is closed.
 * Fair      the answers of each connection go out in pieces, and the others' come between them. What they have cost in
 *           time is the client's, as is the reading of what it sends.
 * Time      a deadline that fires late first lets the sockets be read, and is judged then: see host.ts.
 * Source    NIOServerCnxnFactory.java.
 */
import { createServer } from 'node:net'
import type { AddressInfo, Server as NetServer, Socket } from 'node:net'
import { isLoopback } from '../../../../core/loopback.ts'
import { Writer } from '../../../wire/jute.ts'
import type { ClientMessage } from '../../../wire/records.ts'
import type { Certificates } from '../tls/certificates.ts'
import { HandshakeTurns } from '../tls/handshake-turns.ts'
import { TlsServer } from '../tls/tls-server.ts'
import type { AuthFailure } from '../../server/ports.ts'
import { Attempts } from '../attempts.ts'
import { certifiedIdentities } from './certified-identities.ts'
import { limitOf } from '../limits.ts'
import type { Limits } from '../limits.ts'
import { ClientSocket } from './tcp-socket.ts'
import type { SocketOwner } from './tcp-socket.ts'
import { FourLetterWords } from '../admin/four-letter-words.ts'
import type { Company, InspectedHost, ServerView } from '../admin/server-view.ts'
import { TraceMask } from '../admin/trace-mask.ts'
import type { Host } from '../host.ts'
import type { ServerDirectories } from '../storage/directory-size.ts'
import { Traffic } from './traffic.ts'
import { STALL_MS, whenSocketsAreRead } from '../../../../core/session/stall.ts'
import { holdsBy, twoTurns } from '../turns.ts'

/** The reference's time-out for connections that have no session. */
const SESSIONLESS_MS = limitOf('sessionlessMs')
/** Deadlines are looked at this often in the time that they give. */
const DEADLINE_CHECKS = 20
/** Clients that are left after this much of a turn are sent theirs in the next turn. */
const FLUSH_MS_MAX = limitOf('flushMs')
/** How long clients have to close their ends of connections that were ended, when the port is closed. */
const LINGER_MS_MAX = 500
const WRITER_BYTES = 0x1000
/** A writer that has grown larger than this is not kept. */
const KEPT_WRITER_BYTES_MAX = 0x20_0000

/** TLS for clients. */
export interface ClientTls {
  readonly certificates: Certificates
  readonly clientAuth: 'need' | 'want' | 'none'
  /** The port that speaks TLS alone; 0 for any that is free, null for none. */
  readonly port: number | null
  /** Whether the other port speaks TLS too. */
  readonly portUnification: boolean
  /** The subject of a certificate whose client bypasses all lists; null for none. */
  readonly superUser: string | null
}

/** The settings of a port, and the callbacks to its owner. */
export interface ClientPortSettings {
  /** The address that it listens on. */
  readonly address: string
  /** 0 for any that is free; null for none, where there is a port with TLS. */
  readonly port: number | null
  /** TLS for clients; null for none. */
  readonly tls?: ClientTls | null
  readonly limits: Limits
  /** Longest frame that is taken. */
  readonly frameBytesMax: number
  /** The four-letter words that are answered. */
  readonly fourLetterWords: ReadonlySet<string>
  /** The answer of `conf` for the server, after the line of its port: lines of `key=value`. */
  configuration(): string
  /** Where its files are; null if it has none. */
  directories(): ServerDirectories | null
  /** The servers that its server works with. */
  readonly company: Company
  /** Whether the client of this session reaches no server at present. */
  isIsolated(sessionId: bigint): boolean
  /** How long a connection may be without a session, and how long its end may take, in milliseconds. */
  readonly sessionlessMs?: number
  /** A connection was ended since it did not come through its TLS hand-shake. */
  readonly onTlsRefused?: (address: string, reason: string) => void
  /** Gets errors of this code; by then the connection of that session has ended. */
  readonly onClientError: (sessionId: bigint, error: unknown) => void
}

/** The server behind the port. */
export type ClientHost = InspectedHost &
  Pick<Host, 'openClient' | 'receiveClient' | 'closeClient' | 'pauseClient' | 'resumeClient' | 'chargeClient'>

/** A server's port for clients. */
export class ClientPort {
  readonly #settings: ClientPortSettings
  readonly #sockets = new Set<ClientSocket>()
  readonly #byAddress = new Map<string, number>()
  readonly #traffic = new Traffic()
  readonly #attempts = new Attempts()
  readonly #turns = new HandshakeTurns()
  /** The view of the port and its server for operators. */
  readonly view: ServerView
  readonly #words: FourLetterWords
  readonly #owner: SocketOwner
  #listeners: NetServer[] = []
  #handshakes: TlsServer[] = []
  /** The port that it has or had; 0 while it has never had one. */
  #port: number
  #securePort: number
  #host: ClientHost | null = null
  #outstanding = 0
  /** Bytes of those that are large. */
  #largeBytes = 0
  #unflushed: ClientSocket[] = []
  /** Those that have more to send when the others have had their turn. */
  #later: ClientSocket[] = []
  readonly #waiting = new Set<ClientSocket>()
  /** When those that have no session, or are to end, are closed; the earliest first. */
  readonly #deadlines = new Map<ClientSocket, number>()
  readonly #sessionlessMs: number
  #deadlineTimer: NodeJS.Timeout | undefined
  #writer = new Writer(WRITER_BYTES)

  /**
   * Makes a port that is closed.
   *
   * @param settings - see {@link ClientPortSettings}
   */
  constructor(settings: ClientPortSettings) {
    this.#settings = settings
    this.#port = settings.port ?? 0
    this.#securePort = settings.tls?.port ?? 0
    this.#sessionlessMs = settings.sessionlessMs ?? SESSIONLESS_MS
    this.#owner = this.#makeOwner()
    this.view = {
      traffic: this.#traffic,
      traceMask: new TraceMask(),
      startedMs: performance.now(),
      connections: () => this.#sockets,
      limits: settings.limits,
      outstanding: () => this.#outstanding,
      outstandingBytes: () => this.#largeBytes,
      handshakes: () => this.#handshakes.reduce((sum, { pendingCount }) => sum + pendingCount, 0),
      slowedHandshakes: () => this.#turns.slowedCount + (settings.company.slowedHandshakes ?? 0),
      host: () => this.#host,
      clientPort: () => (settings.port === null ? null : this.#port),
      secureClientPort: () => this.securePort,
      configuration: () => settings.configuration(),
      directories: () => settings.directories(),
      company: settings.company,
    }
    this.#words = new FourLetterWords(settings.fourLetterWords, this.view)
  }

  /** The port; the one that it got if it was to be any. */
  get port(): number {
    return this.#port
  }

  /** The port that speaks TLS alone; null if there is none. */
  get securePort(): number | null {
    return (this.#settings.tls?.port ?? null) === null ? null : this.#securePort
  }

  /** How many clients are connected, with a session or without. */
  get connectionCount(): number {
    return this.#sockets.size
  }

  /**
   * Opens the port. Connections are closed at once until there is a server behind it.
   *
   * @throws Error that names address and port if they are not available
   */
  async listen(): Promise<void> {
    const { port, tls = null } = this.#settings
    if (port !== null) {
      const handshakes = tls?.portUnification === true ? this.#makeHandshakes(tls, true) : null
      this.#port = await this.#open(this.#port, handshakes)
    }
    if (tls !== null && tls.port !== null) {
      this.#securePort = await this.#open(this.#securePort, this.#makeHandshakes(tls, false))
    }
  }

  async #open(port: number, handshakes: TlsServer | null): Promise<number> {
    const { address } = this.#settings
    const listener = createServer({ noDelay: true, allowHalfOpen: true })
    this.#listeners.push(listener)
    if (handshakes !== null) this.#handshakes.push(handshakes)
    await new Promise<void>((resolve, reject) => {
      listener.once('error', (cause: NodeJS.ErrnoException) => {
        this.#listeners = this.#listeners.filter((other) => other !== listener)
        const reason = cause.code === 'EADDRINUSE' ? 'it is taken' : cause.message
        reject(new Error(`cannot listen on ${address}:${port}: ${reason}`, { cause }))
      })
      listener.once('close', resolve)
      listener.listen({ port, host: address, exclusive: true }, resolve)
    })
    if (!this.#listeners.includes(listener)) return port
    listener.removeAllListeners('error').on('error', () => undefined)
    listener.on('connection', (socket) => {
      if (this.#host === null || !this.#listeners.includes(listener)) socket.destroy()
      else if (handshakes === null) this.#accept(socket)
      else handshakes.add(socket)
    })
    return (listener.address() as AddressInfo).port
  }

  #makeHandshakes({ certificates, clientAuth }: ClientTls, takesPlain: boolean): TlsServer {
    return new TlsServer({
      certificates,
      clientAuth,
      takesPlain,
      turns: this.#turns,
      handshakeMs: this.#sessionlessMs,
      onSocket: (socket) => {
        this.#accept(socket)
      },
      onRefused: (address, reason) => {
        this.#traffic.handshakesRefused += 1
        this.#settings.onTlsRefused?.(address, reason)
      },
    })
  }

  #stopListening(): void {
    for (const listener of this.#listeners) listener.close()
    this.#listeners = []
    for (const handshakes of this.#handshakes) handshakes.close()
    this.#handshakes = []
  }

  /** Puts a server behind the port. */
  attach(host: ClientHost): void {
    this.#host = host
  }

  /** Counts an error in the handling of one client. */
  noteClientError(): void {
    this.#traffic.clientErrors += 1
  }

  /** Counts an attempt to prove something that failed, and slows down the next ones of that address. */
  noteAuthFailure({ address, isGuess }: AuthFailure): void {
    this.#traffic.authFailures += 1
    if (isGuess && address !== '') this.#attempts.failed(address, performance.now())
  }

  /**
   * Closes the port to new connections, answers the open requests of the others, and ends them.
   *
   * @param untilMs - when to stop waiting, on `performance.now()`
   */
  async drain(untilMs: number): Promise<void> {
    this.#stopListening()
    if (this.#sockets.size === 0) return
    await twoTurns()
    for (const socket of this.#sockets) socket.stopReading()
    await holdsBy(() => [...this.#sockets].every((socket) => socket.isAnswered), untilMs)
    for (const socket of [...this.#sockets]) socket.finish()
    await holdsBy(() => this.#sockets.size === 0, Math.min(untilMs, performance.now() + LINGER_MS_MAX))
  }

  /** Closes the port and every connection, at once. It can be opened again. Idempotent. */
  close(): void {
    this.#stopListening()
    for (const socket of [...this.#sockets]) socket.destroy()
    this.#host = null
    this.#outstanding = 0
    this.#largeBytes = 0
    this.#traffic.reset()
    clearTimeout(this.#deadlineTimer)
    this.#deadlineTimer = undefined
  }

  #accept(socket: Socket): void {
    if (this.#host === null || this.#listeners.length === 0) {
      socket.destroy()
      return
    }
    const client = new ClientSocket(socket, this.#owner, certifiedIdentities(socket, this.#settings.tls ?? null))
    const { maxClientCnxns, maxCnxns } = this.#settings.limits
    const count = this.#byAddress.get(client.address) ?? 0
    if (!client.isSecure) this.#traffic.connectedPlainly(isLoopback(client.address))
    this.#sockets.add(client)
    this.#byAddress.set(client.address, count + 1)
    const isOneOfAddress = maxClientCnxns === 0 || count < maxClientCnxns
    if (isOneOfAddress && (maxCnxns === 0 || this.#sockets.size <= maxCnxns)) this.#setDeadline(client)
    else {
      this.#traffic.connectionsRejected += 1
      client.destroy()
    }
  }

  #makeOwner(): SocketOwner {
    const { frameBytesMax, limits } = this.#settings
    const { globalOutstandingLimit, largeRequestMaxBytes, largeRequestThreshold } = limits
    const largeOf = (bytes: number): number => (largeRequestThreshold >= 0 && bytes > largeRequestThreshold ? bytes : 0)
    return {
      frameBytesMax,
      limits,
      hasRoom: (bytes) => {
        const large = largeOf(bytes)
        if (large > 0 && this.#largeBytes + large > largeRequestMaxBytes) return false
        return this.#outstanding < globalOutstandingLimit
      },
      largeOf,
      argumentBytes: (word) => this.#words.argumentBytes(word),
      answer: (word, argument, socket) => this.#words.answer(word, argument, socket),
      isIsolated: (sessionId) => this.#settings.isIsolated(sessionId),
      proofWaitMs: (address) => this.#attempts.waitMs(address, performance.now()),
      openClient: (socket) => {
        this.#traffic.connectionRequests += 1
        return this.#host?.openClient(socket, socket.address, socket.identities) ?? 0
      },
      receiveClient: (connection, message: ClientMessage) => {
        if (message.kind === 'connect' && message.request.sessionId !== 0n) this.#traffic.revalidations += 1
        this.#host?.receiveClient(connection, message)
      },
      closeClient: (connection) => this.#host?.closeClient(connection),
      counted: (received, sent, outstanding, largeBytes) => {
        this.#traffic.received += received
        this.#traffic.sent += sent
        this.#outstanding += outstanding
        this.#largeBytes += largeBytes
      },
      worked: (connection, ms) => this.#host?.chargeClient(connection, ms),
      blocked: (connection, isBlocked) => {
        if (isBlocked) this.#host?.pauseClient(connection)
        else this.#host?.resumeClient(connection)
      },
      measured: (op, latencyMs) => {
        this.#traffic.measured(op, latencyMs)
      },
      heard: (bytes) => {
        this.#traffic.bytesReceived += bytes
      },
      answered: (bytes) => {
        this.#traffic.answered(bytes)
      },
      wantsFlush: (socket) => {
        this.#wantsFlush(socket)
      },
      wantsMore: (socket) => {
        this.#later.push(socket)
      },
      wantsRoom: (socket) => {
        this.#waiting.add(socket)
      },
      opened: (socket) => {
        this.#deadlines.delete(socket)
      },
      ending: (socket) => {
        this.#setDeadline(socket)
      },
      closed: (socket) => {
        this.#closed(socket)
      },
      failed: (socket, error) => {
        this.noteClientError()
        this.#settings.onClientError(socket.sessionId, error)
      },
    }
  }

  #closed(socket: ClientSocket): void {
    this.#sockets.delete(socket)
    this.#waiting.delete(socket)
    this.#deadlines.delete(socket)
    const count = (this.#byAddress.get(socket.address) ?? 1) - 1
    if (count === 0) this.#byAddress.delete(socket.address)
    else this.#byAddress.set(socket.address, count)
    if (this.#waiting.size > 0) this.#scheduleFlush()
  }

  #wantsFlush(socket: ClientSocket): void {
    this.#unflushed.push(socket)
    if (this.#unflushed.length === 1) this.#scheduleFlush()
  }

  /** At the end of the turn that the server is in. */
  #scheduleFlush(): void {
    queueMicrotask(() => {
      this.#flush()
    })
  }

  #flush(): void {
    const sockets = this.#unflushed
    this.#unflushed = []
    const nowMs = performance.now()
    let count = 0
    for (const socket of sockets) {
      const isInUse = socket.flush(this.#writer, nowMs)
      if (isInUse || this.#writer.capacity > KEPT_WRITER_BYTES_MAX) this.#writer = new Writer(WRITER_BYTES)
      count += 1
      if (performance.now() - nowMs >= FLUSH_MS_MAX) break
    }
    if (count < sockets.length || this.#later.length > 0) {
      this.#unflushed = [...sockets.slice(count), ...this.#unflushed, ...this.#later]
      this.#later = []
      setImmediate(() => {
        this.#flush()
      })
    }
    for (const socket of [...this.#waiting]) {
      if (!this.#owner.hasRoom(0)) break
      this.#waiting.delete(socket)
      socket.proceed()
    }
  }

  #setDeadline(socket: ClientSocket): void {
    this.#deadlines.delete(socket)
    this.#deadlines.set(socket, performance.now() + this.#sessionlessMs)
    if (this.#deadlineTimer === undefined) this.#armDeadlines()
  }

  #armDeadlines(): void {
    const delayMs = Math.ceil(this.#sessionlessMs / DEADLINE_CHECKS)
    const dueMs = performance.now() + delayMs
    this.#deadlineTimer = setTimeout(() => {
      const check = (): void => {
        this.#checkDeadlines()
      }
      if (performance.now() - dueMs <= STALL_MS) check()
      else whenSocketsAreRead(check)
    }, delayMs)
    this.#deadlineTimer.unref()
  }

  #checkDeadlines(): void {
    this.#deadlineTimer = undefined
    const nowMs = performance.now()
    for (const [socket, dueMs] of this.#deadlines) {
      if (dueMs > nowMs) break
      if (socket.sessionId === 0n) this.#traffic.sessionlessExpired += 1
      socket.destroy()
    }
    if (this.#deadlines.size > 0 && this.#host !== null) this.#armDeadlines()
  }
}
