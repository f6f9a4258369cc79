/**
 * The connections to one port whose other end has not said who it is: they have a time and some bytes to do so.
 *
 * Limits    the time of each, the bytes of each, and their number: one more than that ends the oldest, so that those
 *           who say nothing cannot keep out those who speak at once.
 * Time      a deadline that fires late first lets the sockets be read.
 */
import { Deadline } from '../../../../../core/async.ts'
import { CoordinationError, isCoordinationError } from '../../../../../core/errors.ts'
import { limitOf } from '../../limits.ts'
import type { PeerAddress } from './peer-address.ts'
import type { PeerSocket, PeerSockets } from './peer-sockets.ts'

/** Most connections to a port whose other ends are not known. */
const STRANGERS_MAX = limitOf('strangers')

/** How strangers are told apart from servers. */
export interface Introduction<T> {
  /** Longest introduction, in bytes. */
  readonly bytesMax: number
  /**
   * Reads who it is; null while not all of it has arrived.
   *
   * @throws CoordinationError if this is no server that may connect
   */
  read(bytes: Uint8Array, socket: PeerSocket): T | null
  /** Takes the connection of a server; its first bytes are among those that were read. */
  onKnown(socket: PeerSocket, known: T, bytes: Uint8Array): void
  /** A connection was ended here: its other end did not say who it is. */
  onDropped(address: string, reason: string): void
}

interface Stranger {
  readonly address: string
  readonly dueMs: number
  /** The bytes that have arrived. */
  bytes: Uint8Array
  /** Stops reading it here. */
  readonly release: () => void
}

/** Those of one port. */
export class Strangers<T> {
  readonly #introduction: Introduction<T>
  readonly #waitMs: number
  /** The oldest first. */
  readonly #waiting = new Map<PeerSocket, Stranger>()
  readonly #deadline: Deadline

  /**
   * Makes the strangers of a port.
   *
   * @param waitMs - the time that each of them has
   */
  constructor(introduction: Introduction<T>, waitMs: number) {
    this.#introduction = introduction
    this.#waitMs = waitMs
    this.#deadline = new Deadline(
      () => this.#oldest?.[1].dueMs ?? Infinity,
      () => {
        this.#expire()
      },
    )
  }

  /** How many there are. */
  get count(): number {
    return this.#waiting.size
  }

  /** Takes a connection that has just come. */
  add(socket: PeerSocket): void {
    const onData = (chunk: Buffer): void => {
      this.#receive(socket, chunk)
    }
    // One that leaves by itself is a dial that was given up, or a look whether the port is open.
    const onEnd = (): void => {
      this.#remove(socket)?.destroy()
    }
    const release = (): void => {
      socket.off('data', onData).off('end', onEnd).off('close', onEnd)
    }
    const stranger = {
      address: socket.remoteAddress ?? '',
      dueMs: performance.now() + this.#waitMs,
      bytes: new Uint8Array(),
      release,
    }
    this.#waiting.set(socket, stranger)
    socket.on('data', onData).on('end', onEnd).on('close', onEnd)
    // Whatever the reason, 'close' follows; also once somebody else has the connection.
    socket.on('error', () => undefined)
    if (this.#waiting.size === 1) this.#deadline.start()
    const oldest = this.#oldest?.[0]
    if (this.#waiting.size > STRANGERS_MAX && oldest !== undefined) {
      this.#drop(oldest, `more than ${STRANGERS_MAX} connections have not said who they are`)
    }
  }

  /** Ends all of them, without a word. */
  close(): void {
    for (const [socket] of [...this.#waiting]) this.#remove(socket)?.destroy()
  }

  get #oldest(): [PeerSocket, Stranger] | undefined {
    const [oldest] = this.#waiting
    return oldest
  }

  #receive(socket: PeerSocket, chunk: Buffer): void {
    const stranger = this.#waiting.get(socket)
    if (stranger === undefined) return
    stranger.bytes = stranger.bytes.length === 0 ? chunk : Buffer.concat([stranger.bytes, chunk])
    const known = this.#read(socket, stranger.bytes)
    if (known === null) return
    this.#remove(socket)
    this.#introduction.onKnown(socket, known, stranger.bytes)
  }

  /** Who it is, if that is known by now; one that will never be known is dropped. */
  #read(socket: PeerSocket, bytes: Uint8Array): T | null {
    const { bytesMax } = this.#introduction
    try {
      const known = this.#introduction.read(bytes, socket)
      if (known === null && bytes.length >= bytesMax) {
        this.#drop(socket, `${bytes.length} bytes do not say who it is`)
      }
      return known
    } catch (error) {
      if (!isCoordinationError(error)) throw error
      this.#drop(socket, error.message)
      return null
    }
  }

  #expire(): void {
    const nowMs = performance.now()
    for (const [socket, { dueMs }] of [...this.#waiting]) {
      if (dueMs > nowMs) break
      this.#drop(socket, `it has not said who it is for ${this.#waitMs} ms`)
    }
    if (this.#waiting.size > 0) this.#deadline.start()
  }

  #drop(socket: PeerSocket, reason: string): void {
    const address = this.#waiting.get(socket)?.address
    if (address === undefined) return
    this.#remove(socket)?.destroy()
    this.#introduction.onDropped(address, reason)
  }

  #remove(socket: PeerSocket): PeerSocket | null {
    const stranger = this.#waiting.get(socket)
    if (stranger === undefined) return null
    this.#waiting.delete(socket)
    if (this.#waiting.size === 0) this.#deadline.stop()
    stranger.release()
    return socket
  }
}

/** Who may introduce itself at a port. */
interface Known {
  readonly myid: number
  readonly servers: ReadonlyMap<number, PeerAddress>
  readonly sockets: PeerSockets
}

/**
 * Checks who it says it is.
 *
 * @throws CoordinationError if that is none of the other servers, or if its certificate is not for that server's host
 */
export function checkStranger(sid: bigint, socket: PeerSocket, { myid, servers, sockets }: Known): void {
  const id = Number(sid)
  const address = servers.get(id)
  if (id === myid || address === undefined) throw stranger(`server ${sid} is none of the others of this ensemble`)
  const refusal = sockets.refusal(socket, address.host)
  if (refusal !== null) throw stranger(`it says that it is server ${sid}, and ${refusal}`)
}

/** The error for an introduction that is refused. */
export function stranger(reason: string): CoordinationError {
  return new CoordinationError('PROTOCOL_VIOLATION', reason, { outcome: 'corrupt' })
}
