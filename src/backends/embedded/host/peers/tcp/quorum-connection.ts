/**
 * One connection between a learner and the server that it believes to lead: packets out, packets in.
 *
 * Order     packets sent in one turn of the event loop leave in one write at the end of it.
 * End       `close` sends what was sent before it, then ends this half, and waits for the other half for a limited
 *           time: a connection that is closed over unread bytes would be reset, and the other end would lose its last
 *           packets.
 * Pace      of one connection, a part is read per turn, so that others get theirs; and nothing while the server has
 *           too much to do.
 * States    one that comes in ZooKeeper's dialect is handed on as the snapshot file that it would be, and one that goes
 *           in it leaves without what ZooKeeper's do not have.
 * Safety    bytes that cannot be read end the connection, with the reason.
 */
import { Deadline } from '../../../../../core/async.ts'
import { isCoordinationError } from '../../../../../core/errors.ts'
import type { Packet } from '../../../../wire/packets.ts'
import type { PeerLink } from '../../../../wire/peer-link.ts'
import { PlainState, StateFile } from '../../../../wire/state-file.ts'
import type { PeerConnection, PeerListener } from '../transport.ts'
import type { PeerSocket } from './peer-sockets.ts'

/** How long the other end has to take the rest and to close its half, in milliseconds. */
export const CLOSE_MS_MAX = 5_000
/** Most bytes that are copied into one piece; longer writes go out as the pieces that they are. */
const JOINED_BYTES_MAX = 0x1_0000

/** With this much read of one connection in one turn, the rest waits for the next one. */
const TURN_BYTES_MAX = 0x4_0000

/** The port that a connection belongs to, as the connection uses it. */
export interface QuorumConnectionOwner {
  /** Whether the server has too much to do to be handed more. */
  readonly isBehind: () => boolean
  /** Nothing is left of the connection. */
  readonly onGone: () => void
}

/** One end of one connection. */
export class QuorumConnection implements PeerConnection {
  readonly #socket: PeerSocket
  readonly #link: PeerLink
  readonly #owner: QuorumConnectionOwner
  #listener: PeerListener | null = null
  /** The packets that were sent in this turn. */
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  #state: 'open' | 'closing' | 'ended' = 'open'
  /** Bytes that were read in this turn. */
  #turnBytes = 0
  /** The state that is coming in ZooKeeper's dialect. */
  #stateFile: StateFile | null = null
  /** Likewise, the one that is going. */
  #plainState: PlainState | null = null
  readonly #closeDeadline: Deadline
  #closeDueMs = Infinity

  constructor(socket: PeerSocket, link: PeerLink, owner: QuorumConnectionOwner) {
    this.#socket = socket
    this.#link = link
    this.#owner = owner
    this.#closeDeadline = new Deadline(() => this.#closeDueMs, () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      this.receiveBytes(chunk)
      this.#pace(chunk.length)
    })
    socket.on('error', () => undefined)
    socket.on('end', () => {
      this.#ended()
    })
    socket.on('close', () => {
      this.#gone()
    })
  }

  get unsentBytes(): number {
    return this.#pendingBytes + this.#socket.writableLength
  }

  /** Begins to hand on what comes. */
  listen(listener: PeerListener): void {
    this.#listener = listener
  }

  send(packet: Packet): void {
    if (this.#state !== 'open') return
    const isFirst = this.#pending.length === 0
    for (const piece of this.#encode(packet)) {
      this.#pending.push(piece)
      this.#pendingBytes += piece.length
    }
    if (isFirst && this.#pending.length > 0) {
      queueMicrotask(() => {
        this.#flush()
      })
    }
  }

  #encode(packet: Packet): readonly Uint8Array[] {
    if (this.#link.dialect === 'quorate') return this.#link.encode(packet)
    if (packet.type === 'SNAP') this.#plainState = new PlainState()
    if (packet.type !== 'SNAPCHUNK' || this.#plainState === null) return this.#link.encode(packet)
    return this.#plainState.convert(packet.bytes)
  }

  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#flush()
    this.#end()
  }

  /** Ends the connection at once, without a word to its user. */
  destroy(): void {
    this.#state = 'ended'
    this.#socket.destroy()
  }

  /** Ends the connection at once, and tells its user why. */
  drop(reason: string): void {
    this.#fail(reason)
  }

  /** Takes bytes that have come. */
  receiveBytes(chunk: Uint8Array): void {
    if (this.#state !== 'open') return
    try {
      this.#link.receiveBytes(chunk, this.#onPacket)
    } catch (error) {
      if (!isCoordinationError(error)) throw error
      this.#fail(error.message)
    }
  }

  readonly #onPacket = (packet: Packet): void => {
    if (this.#state !== 'open') return
    if (packet.type === 'SNAP' && this.#link.dialect === 'zookeeper') this.#stateFile = new StateFile()
    this.#listener?.onPacket(this.#converted(packet))
  }

  #converted(packet: Packet): Packet {
    if (packet.type !== 'SNAPCHUNK' || this.#stateFile === null) return packet
    const bytes = this.#stateFile.convert(packet.bytes, packet.isLast)
    if (packet.isLast) this.#stateFile = null
    return { ...packet, bytes }
  }

  #pace(bytes: number): void {
    if (this.#turnBytes === 0) {
      setImmediate(() => {
        this.#nextTurn()
      })
    }
    this.#turnBytes += bytes
    const isEnough = this.#turnBytes >= TURN_BYTES_MAX || this.#owner.isBehind()
    if (isEnough && this.#state === 'open') this.#socket.pause()
  }

  #nextTurn(): void {
    if (this.#state === 'open' && this.#owner.isBehind()) {
      setImmediate(() => {
        this.#nextTurn()
      })
      return
    }
    this.#turnBytes = 0
    this.#socket.resume()
  }

  #flush(): void {
    const pieces = this.#pending
    if (pieces.length === 0) return
    const bytes = this.#pendingBytes
    this.#pending = []
    this.#pendingBytes = 0
    if (bytes <= JOINED_BYTES_MAX) {
      this.#socket.write(Buffer.concat(pieces, bytes))
      return
    }
    this.#socket.cork()
    for (const piece of pieces) this.#socket.write(piece)
    this.#socket.uncork()
  }

  /** Ends this half after the packets that were sent. Bytes that still come are discarded. */
  #end(): void {
    this.#socket.end()
    this.#socket.resume()
    this.#closeDueMs = performance.now() + CLOSE_MS_MAX
    this.#closeDeadline.start()
  }

  /** The other end has closed its half: it takes nothing more, so packets not yet sent are dropped. */
  #ended(): void {
    const isNews = this.#state === 'open'
    this.#state = isNews ? 'ended' : this.#state
    this.#socket.destroySoon()
    if (isNews) this.#tellClosed()
  }

  #gone(): void {
    this.#closeDeadline.stop()
    const isNews = this.#state === 'open'
    this.#state = 'ended'
    this.#owner.onGone()
    if (isNews) this.#tellClosed()
  }

  #fail(reason: string): void {
    if (this.#state !== 'open') return
    this.#state = 'ended'
    this.#socket.destroy()
    this.#tellClosed(reason)
  }

  #tellClosed(reason?: string): void {
    if (reason === undefined) this.#listener?.onClose()
    else this.#listener?.onClose(reason)
  }
}
