/**
 * One connection between two election ports, used in both directions: frames with a vote each.
 *
 * Votes     a vote is a state: the newest replaces one that waits for the network.
 * Safety    a frame that is no notification is skipped, as the reference does; a length that no frame has ends the
 *           connection.
 * Source    QuorumCnxManager.SendWorker, RecvWorker.
 */
import { isCoordinationError } from '../../../../../core/errors.ts'
import { FrameReader } from '../../../../wire/framing.ts'
import { NOTIFICATION_BYTES_MAX, decodeNotification } from '../../../../wire/notifications.ts'
import type { Notification } from '../../../../wire/packets.ts'
import type { PeerSocket } from './peer-sockets.ts'

/** Who uses a connection. */
export interface ElectionConnectionOwner {
  onVote(notification: Notification): void
  /** A frame was skipped; said once per connection. */
  onMalformed(reason: string): void
  /** The network has taken the last vote. */
  onClear(): void
  /** It has ended, and not by `destroy`. */
  onClose(): void
}

/** One end of one connection. */
export class ElectionConnection {
  readonly #socket: PeerSocket
  readonly #owner: ElectionConnectionOwner
  readonly #frames = new FrameReader(NOTIFICATION_BYTES_MAX)
  #isEnded = false
  #hasSkipped = false
  /** Since when this server asks and hears nothing, on `performance.now()`; null while it need not worry. */
  #unansweredSinceMs: number | null = null

  constructor(socket: PeerSocket, owner: ElectionConnectionOwner) {
    this.#socket = socket
    this.#owner = owner
    socket.on('data', (chunk: Buffer) => {
      this.receiveBytes(chunk)
    })
    socket.on('error', () => undefined)
    socket.on('end', () => {
      this.#close()
    })
    socket.on('close', () => {
      this.#close()
    })
  }

  /** Whether the network has taken everything. */
  get isClear(): boolean {
    return this.#socket.writableLength === 0
  }

  /** For how long this server has asked who leads, and heard nothing; in milliseconds. */
  get unansweredMs(): number {
    return this.#unansweredSinceMs === null ? 0 : performance.now() - this.#unansweredSinceMs
  }

  /**
   * Sends a frame.
   *
   * @param asks - whether the other server will answer it
   */
  send(frame: Uint8Array, asks: boolean): void {
    if (this.#isEnded) return
    if (asks) this.#unansweredSinceMs ??= performance.now()
    this.#socket.write(frame, () => {
      if (!this.#isEnded) this.#owner.onClear()
    })
  }

  /** Takes bytes that have come. */
  receiveBytes(chunk: Uint8Array): void {
    if (this.#isEnded) return
    this.#unansweredSinceMs = null
    try {
      this.#frames.push(chunk, this.#onFrame)
    } catch (error) {
      if (!isCoordinationError(error)) throw error
      this.#owner.onMalformed(error.message)
      this.#close()
    }
  }

  /** Ends the connection after what was sent, without a word to its owner. */
  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#socket.resume()
    this.#socket.destroySoon()
  }

  /** Ends the connection at once, without a word to its owner. */
  destroy(): void {
    this.#isEnded = true
    this.#socket.destroy()
  }

  readonly #onFrame = (frame: Uint8Array): void => {
    if (this.#isEnded) return
    const notification = this.#read(frame)
    if (notification !== null) this.#owner.onVote(notification)
  }

  #read(frame: Uint8Array): Notification | null {
    try {
      return decodeNotification(frame)
    } catch (error) {
      if (!isCoordinationError(error)) throw error
      if (!this.#hasSkipped) this.#owner.onMalformed(error.message)
      this.#hasSkipped = true
      return null
    }
  }

  #close(): void {
    if (this.#isEnded) return
    this.destroy()
    this.#owner.onClose()
  }
}
