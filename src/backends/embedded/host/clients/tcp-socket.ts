/**
 * One client on a TCP connection: frames in, frames out, and it can harm nothing but itself.
 *
 * Order     the machine's messages for a client go out in their order; then, after them, the end of the connection.
 * Limits    frames are not taken while the session is set up, while the server has too much to do, or this client has
 *           asked for so much that is not answered, and while it does not read what it is sent: the messages for it
 *           wait as they are, and share the server's data; what it has asked for before waits too.
 *           Too many of them end the connection. A few frames are read ahead, and now and then some more, as only who
 *           reads notices the end of the connection.
 * End       requests that the client sent before it ended its half of the connection are taken, then this half ends.
 * Safety    malformed bytes end the connection, without an answer, as the reference does.
 * Source    NIOServerCnxn.java.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { isCoordinationError } from '../../../../core/errors.ts'
import { OpCode } from '../../../wire/codes.ts'
import { FrameReader } from '../../../wire/framing.ts'
import type { Writer } from '../../../wire/jute.ts'
import type { ClientMessage, Reply, ServerMessage } from '../../../wire/records.ts'
import { limitOf } from '../limits.ts'
import type { Limits } from '../limits.ts'
import { ServerWire } from '../../../wire/wire.ts'
import type { ClientEnd } from '../host.ts'
import { NO_IDENTITIES } from '../../server/state/identities.ts'
import type { Identity } from '../../server/state/identities.ts'
import { ConnectionTraffic } from './traffic.ts'

/** With this much encoded and not taken by the network, a client is sent nothing more for now. */
const UNSENT_BYTES_HIGH = 0x10_0000
/** This much is encoded for a client in one go, and then the others get theirs. */
const FLUSH_BYTES = limitOf('flushBytes')
/** More messages than this for a client that does not read end its connection. */
export const UNSENT_MESSAGES_MAX = limitOf('unreadMessages')
/** Frames that are held back while the connection is read on, in bytes. */
const HELD_BYTES_HIGH = 0x1_0000
/** With this much held back, it is not even looked whether the client is still there. */
const HELD_BYTES_MAX = 0x10_0000
/** A connection that is not read is read for a moment this often. */
const LOOK_MS = 1_000
const WORD_BYTES = 4
/** The part of an answer to a word that is made in one go. */
const PIECE_CHARS = 0x1_0000
const LENGTH_BYTES = 4
const NO_FRAMES: Uint8Array[] = []
/** Where a request says its operation, after its number. */
const OP_OFFSET = 4

/** The port that a connection came in on, as the connection uses it. */
export interface SocketOwner {
  readonly frameBytesMax: number
  readonly limits: Limits
  /** Whether another request of this length may be taken. */
  hasRoom(bytes: number): boolean
  /** The length, if it counts as large; 0 otherwise. */
  largeOf(bytes: number): number
  /** How many bytes belong to a four-letter word after it. */
  argumentBytes(word: string): number
  /** The answer to a four-letter word, in pieces; null if it is no known word. */
  answer(word: string, argument: Uint8Array, socket: ClientSocket): Iterable<string> | null
  /** Whether the client of this session reaches no server at present. */
  isIsolated(sessionId: bigint): boolean
  openClient(socket: ClientSocket): number
  receiveClient(connection: number, message: ClientMessage): void
  closeClient(connection: number): void
  /** How long an attempt of an address to prove who it is waits before it is looked at, in milliseconds. */
  proofWaitMs(address: string): number
  /** A request was taken, or a reply given. */
  counted(received: number, sent: number, outstanding: number, largeBytes: number): void
  /** Reading or answering a client has taken so long. */
  worked(connection: number, ms: number): void
  /** The client does not take what it is sent, or takes it again. */
  blocked(connection: number, isBlocked: boolean): void
  measured(op: number, latencyMs: number): void
  /** So many bytes came. */
  heard(bytes: number): void
  /** So many bytes are sent as one message. */
  answered(bytes: number): void
  /** It has something to send, at the end of this turn. */
  wantsFlush(socket: ClientSocket): void
  /** It has more to send, once the others have had their turn. */
  wantsMore(socket: ClientSocket): void
  /** It holds frames back until there is room. */
  wantsRoom(socket: ClientSocket): void
  /** Its session is set up. */
  opened(socket: ClientSocket): void
  /** It is to end soon. */
  ending(socket: ClientSocket): void
  closed(socket: ClientSocket): void
  /** Something is wrong with this code; the connection has ended. */
  failed(socket: ClientSocket, error: unknown): void
}

/** One connection. */
export class ClientSocket implements ClientEnd {
  /** The client's IP address. */
  readonly address: string
  /** Its port. */
  readonly port: number
  /** Whether it speaks TLS. */
  readonly isSecure: boolean
  readonly traffic = new ConnectionTraffic()
  /** The identities that TLS has proved. */
  readonly identities: readonly Identity[]
  /** When it connected, in milliseconds since 1970. */
  readonly establishedMs = Date.now()
  /** 0n until the session is set up. */
  sessionId = 0n
  sessionTimeoutMs = 0
  readonly #socket: Socket
  readonly #owner: SocketOwner
  readonly #wire = new ServerWire()
  readonly #frames: FrameReader
  /** The bytes before there are enough to tell a four-letter word; null after them. */
  #head: Uint8Array | null = new Uint8Array()
  #phase: 'new' | 'greeting' | 'open' | 'ending' | 'closed' = 'new'
  #connection = 0
  #held = NO_FRAMES
  #heldBytes = 0
  #largeBytes = 0
  #lookTimer: NodeJS.Timeout | undefined
  #unsent: ServerMessage[] = []
  /** The client does not take what it is sent; frames of it wait until it does. */
  #isBlocked = false
  #awaitsRoom = false
  /** An attempt to prove who it is has no answer yet: those after it wait, so that it may fail first. */
  #isProving = false
  /** When the next attempt may be looked at; null if none waits. */
  #proofDueMs: number | null = null
  #proofTimer: NodeJS.Timeout | undefined
  #isFlushWanted = false
  /** It is no longer read: its open requests are answered, and then it ends. */
  #isStopping = false
  /** The client sends nothing more. */
  #isOver = false
  #nowMs = 0

  constructor(socket: Socket, owner: SocketOwner, identities: readonly Identity[] = NO_IDENTITIES) {
    this.identities = identities
    this.address = plainAddress(socket.remoteAddress ?? '')
    this.port = socket.remotePort ?? 0
    this.isSecure = socket instanceof TLSSocket
    this.#socket = socket
    this.#owner = owner
    this.#frames = new FrameReader(owner.frameBytesMax)
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk)
    })
    // Whatever the reason, 'close' follows.
    socket.on('error', () => undefined)
    socket.on('end', () => {
      this.#isOver = true
      if (this.#phase !== 'ending' && this.#held.length === 0) this.destroy()
    })
    socket.on('close', () => {
      this.destroy()
    })
  }

  /** Requests that have no reply yet. */
  get outstanding(): number {
    return this.#wire.requestsInFlight
  }

  /** Whether it is being read. */
  get isReading(): boolean {
    return this.#phase !== 'closed' && !this.#socket.isPaused()
  }

  /** Whether everything that was read is answered, and the network has taken the answers. */
  get isAnswered(): boolean {
    if (this.#phase === 'closed') return true
    const hasWork = this.outstanding > 0 || this.#held.length > 0 || this.#unsent.length > 0
    return !hasWork && this.#phase !== 'greeting' && this.#socket.writableLength === 0
  }

  /** Stops reading it. Requests that were read are still answered. */
  stopReading(): void {
    this.#isStopping = true
    this.#socket.pause()
  }

  /**
   * Ends the connection from this side. Bytes that still come are discarded and not left unread: a connection that is
   * closed over unread bytes is reset, and the client loses the answers that it has not read.
   */
  finish(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'ending'
    this.#socket.end()
    this.#socket.resume()
  }

  /** A message of the server, which goes out at the end of this turn. */
  onMessage(message: ServerMessage): void {
    if (this.#phase === 'closed') return
    this.#unsent.push(message)
    // The messages of one turn are no sign of a client that does not read, however many they are.
    if (this.#isBlocked && this.#unsent.length > UNSENT_MESSAGES_MAX) this.destroy()
    else this.#wantFlush()
  }

  /** The server ends the connection, after the messages that it has sent. */
  onClose(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'ending'
    this.#held = NO_FRAMES
    this.#owner.ending(this)
    this.#wantFlush()
  }

  /** Ends the connection at once. */
  destroy(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    clearTimeout(this.#lookTimer)
    clearTimeout(this.#proofTimer)
    this.#held = NO_FRAMES
    this.#unsent = []
    this.#owner.counted(0, 0, -this.outstanding, -this.#largeBytes)
    this.#owner.closeClient(this.#connection)
    this.#socket.destroy()
    this.#owner.closed(this)
  }

  /**
   * Sends what there is.
   *
   * @param writer - to encode it with
   * @param nowMs - the time, on `performance.now()`
   * @returns whether the writer's bytes are in use from now on
   */
  flush(writer: Writer, nowMs: number): boolean {
    this.#isFlushWanted = false
    writer.truncate(0)
    const startMs = performance.now()
    this.#guard(() => {
      this.#encode(writer, nowMs)
    })
    if (this.#phase === 'closed') return false
    this.#owner.worked(this.#connection, performance.now() - startMs)
    // After the bytes that wait already, an empty write tells when there is room again.
    if (this.#isBlocked && !this.#awaitsRoom) {
      this.#awaitsRoom = true
      this.#socket.write(writer.written(), this.#onRoom)
    } else if (writer.length > 0) this.#socket.write(writer.written())
    // Bytes that the network took at once are of no use any more; if it left any, the writer's are all in use.
    const isInUse = writer.length > 0 && this.#socket.writableLength > 0
    if (!this.#isBlocked && this.#unsent.length > 0) this.#wantMore()
    else if (!this.#isBlocked && this.#phase === 'ending') this.#socket.destroySoon()
    if (this.#held.length > 0) this.proceed()
    return isInUse
  }

  /** Goes on with the frames that were held back, as far as it may. */
  proceed(): void {
    const frames = this.#held
    if (frames.length === 0) return
    const first = frames[0]?.length ?? 0
    if (!this.#mayProceed(first)) {
      if (!this.#owner.hasRoom(first)) this.#owner.wantsRoom(this)
      return
    }
    this.#held = NO_FRAMES
    this.#heldBytes = 0
    this.#nowMs = Math.trunc(performance.now())
    this.#guard(() => {
      for (const frame of frames) this.#frame(frame)
    })
    if (this.#held.length > 0) return
    clearTimeout(this.#lookTimer)
    if (this.#isOver && this.#phase !== 'ending') this.destroy()
    else if (!this.#isStopping) this.#socket.resume()
  }

  /** As in the reference, one request of each client is taken however much there is to do. */
  #mayProceed(bytes: number): boolean {
    const isReady = this.#phase === 'new' || this.#phase === 'open'
    if (!isReady || this.#isBlocked || this.#isProving) return false
    if (this.outstanding === 0) return true
    const { connectionOutstanding, connectionOutstandingBytes } = this.#owner.limits
    if (this.outstanding >= connectionOutstanding) return false
    return this.#wire.bytesInFlight + bytes <= connectionOutstandingBytes && this.#owner.hasRoom(bytes)
  }

  #wantMore(): void {
    if (this.#isFlushWanted) return
    this.#isFlushWanted = true
    this.#owner.wantsMore(this)
  }

  #wantFlush(): void {
    if (this.#isFlushWanted) return
    this.#isFlushWanted = true
    this.#owner.wantsFlush(this)
  }

  readonly #onRoom = (): void => {
    this.#awaitsRoom = false
    if (this.#phase !== 'closed') this.#wantFlush()
  }

  #encode(writer: Writer, nowMs: number): void {
    const room = UNSENT_BYTES_HIGH - this.#socket.writableLength
    const end = Math.min(room, FLUSH_BYTES)
    const unsent = this.#unsent
    let count = 0
    while (count < unsent.length && writer.length < end) {
      const message = unsent[count]
      count += 1
      if (message !== undefined) this.#write(writer, message, nowMs)
    }
    this.#block(count < unsent.length && writer.length >= room)
    if (count > 0) this.#unsent = count < unsent.length ? unsent.slice(count) : []
  }

  #block(isBlocked: boolean): void {
    if (isBlocked === this.#isBlocked) return
    this.#isBlocked = isBlocked
    this.#owner.blocked(this.#connection, isBlocked)
  }

  #receive(chunk: Buffer): void {
    if (this.#phase === 'ending' || this.#phase === 'closed') return
    const startMs = performance.now()
    this.#nowMs = Math.trunc(startMs)
    this.#owner.heard(chunk.length)
    this.#guard(() => {
      const bytes = this.#head === null ? chunk : this.#sniff(this.#head, chunk)
      if (bytes !== null) this.#frames.push(bytes, this.#frame)
    })
    if (this.#connection !== 0) this.#owner.worked(this.#connection, performance.now() - startMs)
  }

  /** Looks for a four-letter word in the place of the first length; null if that is all there is. */
  #sniff(head: Uint8Array, chunk: Buffer): Uint8Array | null {
    const bytes = head.length === 0 ? chunk : Buffer.concat([head, chunk])
    const word = bytes.toString('latin1', 0, WORD_BYTES)
    const end = WORD_BYTES + this.#owner.argumentBytes(word)
    if (bytes.length < end) {
      this.#head = bytes
      return null
    }
    this.#head = null
    const answer = this.#owner.answer(word, bytes.subarray(WORD_BYTES, end), this)
    if (answer === null) return bytes
    this.#phase = 'ending'
    this.#tell(answer[Symbol.iterator]())
    return null
  }

  /** Goes on with the answer to a word: a piece in each turn, and no faster than the client takes it. */
  #tell(texts: Iterator<string>): void {
    // Each piece gives it time again to take the next one.
    this.#owner.ending(this)
    let piece = ''
    while (piece.length < PIECE_CHARS) {
      const text = texts.next()
      if (text.done === true) {
        this.#socket.end(piece)
        this.#socket.destroySoon()
        return
      }
      piece += text.value
    }
    const goOn = (): void => {
      if (this.#phase !== 'closed') this.#guard(() => this.#tell(texts))
    }
    if (this.#socket.write(piece)) setImmediate(goOn)
    else this.#socket.once('drain', goOn)
  }

  readonly #frame = (frame: Uint8Array): void => {
    if (this.#phase === 'ending' || this.#phase === 'closed') return
    if (this.#held.length > 0) this.#hold(frame)
    else if (this.#mayProceed(frame.length) && this.#isDue(frame)) this.#take(frame)
    else {
      this.#held = []
      this.#hold(frame)
      if (!this.#owner.hasRoom(frame.length)) this.#owner.wantsRoom(this)
    }
  }

  /** Whether a frame may be looked at now: an attempt to prove who it is may have to wait. */
  #isDue(frame: Uint8Array): boolean {
    if (this.#phase !== 'open' || !isProof(frame)) return true
    const nowMs = performance.now()
    this.#proofDueMs ??= nowMs + this.#owner.proofWaitMs(this.address)
    const waitMs = this.#proofDueMs - nowMs
    if (waitMs > 0) {
      clearTimeout(this.#proofTimer)
      this.#proofTimer = setTimeout(() => this.proceed(), Math.ceil(waitMs))
      return false
    }
    this.#proofDueMs = null
    this.#isProving = true
    return true
  }

  #hold(frame: Uint8Array): void {
    this.#held.push(frame)
    this.#heldBytes += frame.length + LENGTH_BYTES
    if (this.#heldBytes < HELD_BYTES_HIGH || this.#socket.isPaused()) return
    this.#socket.pause()
    clearTimeout(this.#lookTimer)
    if (this.#heldBytes >= HELD_BYTES_MAX) return
    this.#lookTimer = setTimeout(() => {
      if (this.#phase !== 'closed' && !this.#isStopping) this.#socket.resume()
    }, LOOK_MS)
    this.#lookTimer.unref()
  }

  #take(frame: Uint8Array): void {
    const before = this.outstanding
    const message = this.#wire.decode(frame, this.#nowMs)
    if (message.kind === 'connect') {
      if (this.#owner.isIsolated(message.request.sessionId)) {
        this.destroy()
        return
      }
      this.#phase = 'greeting'
      this.#connection = this.#owner.openClient(this)
    }
    this.traffic.received += 1
    const taken = this.outstanding - before
    const large = taken === 0 ? 0 : this.#owner.largeOf(frame.length)
    this.#largeBytes += large
    this.#owner.counted(1, 0, taken, large)
    this.#owner.receiveClient(this.#connection, message)
  }

  #write(writer: Writer, message: ServerMessage, nowMs: number): void {
    const before = this.outstanding
    const bytesBefore = this.#wire.bytesInFlight
    const start = writer.length
    this.#wire.write(writer, message)
    if (message.kind !== 'connect') this.#owner.answered(writer.length - start - LENGTH_BYTES)
    this.traffic.sent += 1
    const answered = this.outstanding - before
    const large = answered === 0 ? 0 : this.#owner.largeOf(bytesBefore - this.#wire.bytesInFlight)
    this.#largeBytes -= large
    this.#owner.counted(0, 1, answered, -large)
    if (message.kind === 'reply') {
      if (PROOFS.has(message.op)) this.#isProving = false
      this.#measure(message.op, message.reply, nowMs)
    } else if (message.kind === 'connect' && message.response.timeOut > 0) {
      this.sessionId = message.response.sessionId
      this.sessionTimeoutMs = message.response.timeOut
      if (this.#phase === 'greeting') this.#phase = 'open'
      this.#owner.opened(this)
    }
  }

  #measure(op: number, { xid, zxid }: Reply, nowMs: number): void {
    const { traffic } = this
    traffic.lastZxid = zxid
    traffic.lastResponseAtMs = nowMs
    traffic.lastOp = op
    if (op === OpCode.ping) return
    if (xid >= 0) traffic.lastXid = xid
    const latencyMs = Math.max(0, Math.trunc(nowMs) - this.#wire.answered.atMs)
    traffic.lastLatencyMs = latencyMs
    traffic.latency.add(latencyMs)
    this.#owner.measured(op, latencyMs)
  }

  /** Runs what may find that the client does not keep to the protocol. */
  #guard(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.destroy()
      if (!isCoordinationError(error, 'PROTOCOL_VIOLATION')) this.#owner.failed(this, error)
    }
  }
}

/** Requests by which a client proves who it is. */
const PROOFS: ReadonlySet<number> = new Set([OpCode.auth, OpCode.sasl])

function isProof(frame: Uint8Array): boolean {
  if (frame.length < OP_OFFSET + LENGTH_BYTES) return false
  return PROOFS.has(new DataView(frame.buffer, frame.byteOffset).getInt32(OP_OFFSET))
}

/** An IPv4 address that came in on an IPv6 socket is an IPv4 address. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}
