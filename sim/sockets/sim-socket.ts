/**
 * One end of a simulated TCP connection, as far as the transport between servers uses one (peer-sockets.ts).
 *
 * Bytes     what is written arrives in order, in pieces that are cut anywhere, each with a delay of its own: one write
 *           may come as several reads. A blocked direction holds them; a cut connection loses those under way.
 * Ends      each half by itself, as with `allowHalfOpen`. Who writes to an end that is gone is reset, and loses what it
 *           has not read.
 * Events    as Node.js has them: nothing is called from within a call of the user, `data` begins with the first
 *           listener or `resume`, `end` comes after the last byte was read, `close` is the last one.
 */
import type { PeerSocket } from '../../src/backends/embedded/host/peers/tcp/peer-sockets.ts'
import type { SeededRandom } from '../../src/testing/simulation/random.ts'
import type { SimNetwork } from '../../src/testing/simulation/network.ts'
import { Pipe } from '../../src/testing/simulation/pipe.ts'
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'

/** Most pieces that one write arrives in. */
const PIECES_MAX = 3

/** A piece of a write; the last one tells its writer that the network has taken it all. */
interface Piece {
  readonly bytes: Uint8Array
  readonly onTaken: (() => void) | null
}

/** A thing that goes one way: bytes, the request for a connection and its answer, the end of this half, a reset. */
type Item = Piece | 'open' | 'opened' | 'refused' | 'end' | 'reset'

/** The surroundings of a socket. */
export interface SocketWorld {
  readonly network: SimNetwork
  readonly random: SeededRandom
  /** Runs something while this socket is the one that hears. */
  within(socket: SimSocket, step: () => void): void
}

type Heard = (argument: never) => void

interface Listening {
  readonly event: string
  readonly listener: Heard
  readonly isOnce: boolean
}

/** One end. */
export class SimSocket implements PeerSocket {
  readonly remoteAddress: string
  /** The same at both ends, and nowhere else. */
  readonly serial: number
  writableLength = 0
  readonly #world: SocketWorld
  readonly #node: SimNode
  readonly #incarnation: number
  #listening: readonly Listening[] = []
  #out: Pipe<Item> | null = null
  /** Bytes that have arrived and are not read. */
  #unread: Buffer[] = []
  /** Null until somebody wants to read. */
  #isFlowing: boolean | null = null
  #hasEnd = false
  #hasToldEnd = false
  #hasEnded = false
  #isGone = false
  #isDraining = false
  /** Whether somebody has it: the accepting end is nobody's before the dial has come. */
  #isHeld = true
  /** Called with the other end's request for this connection. */
  #onOpen: (() => void) | null = null

  constructor(world: SocketWorld, node: SimNode, remote: string, serial: number) {
    this.#world = world
    this.#node = node
    this.#incarnation = node.incarnation
    this.remoteAddress = remote
    this.serial = serial
  }

  /**
   * Joins two ends that are not open yet.
   *
   * @param onOpen - called at the accepting node when the dial has come there; `accept` or `refuse` answers it
   */
  static join(dialler: SimSocket, acceptor: SimSocket, onOpen: () => void): void {
    dialler.#out = dialler.#pipeTo(acceptor)
    acceptor.#out = acceptor.#pipeTo(dialler)
    acceptor.#onOpen = onOpen
    acceptor.#isHeld = false
    dialler.#push('open')
  }

  /** Whether it joins these two nodes. */
  connects(a: string, b: string): boolean {
    return this.#out?.connects(a, b) === true
  }

  /** Whether nothing more happens at this end. */
  get isOver(): boolean {
    return this.#isGone
  }

  /** Takes the other end's dial. */
  accept(): void {
    this.#isHeld = true
    this.#push('opened')
  }

  /** Answers the other end's dial as a machine does where nobody listens. */
  refuse(): void {
    this.#isGone = true
    this.#push('refused')
  }

  /** The connection breaks: what is under way is lost, and this end hears of it. */
  break(): void {
    this.#out?.cut()
    this.#later(this.#world.network.drawDelayMs(), () => {
      this.#fail('ECONNRESET')
    })
  }

  /** The process of this end is over: its machine resets the connection. */
  died(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#push('reset')
  }

  on(event: string, listener: Heard): this {
    this.#listening = [...this.#listening, { event, listener, isOnce: false }]
    if (event === 'data' && this.#isFlowing !== false) this.resume()
    return this
  }

  once(event: string, listener: () => void): this {
    this.#listening = [...this.#listening, { event, listener, isOnce: true }]
    return this
  }

  off(event: string, listener: Heard): this {
    this.#listening = this.#listening.filter((other) => other.event !== event || other.listener !== listener)
    return this
  }

  write(bytes: Uint8Array, onTaken: (() => void) | null = null): boolean {
    if (this.#isGone || this.#hasEnded) return false
    const { random } = this.#world
    this.writableLength += bytes.length
    const cuts = Array.from({ length: random.between(0, PIECES_MAX - 1) }, () => random.between(0, bytes.length))
    const bounds = [0, ...cuts.sort((a, b) => a - b), bytes.length]
    for (let i = 1; i < bounds.length; i++) {
      const isLast = i === bounds.length - 1
      const piece = Buffer.from(bytes.subarray(bounds[i - 1], bounds[i]))
      if (piece.length > 0 || isLast) this.#push({ bytes: piece, onTaken: isLast ? onTaken : null })
    }
    return true
  }

  end(): this {
    if (this.#isGone || this.#hasEnded) return this
    this.#hasEnded = true
    this.#push('end')
    this.#closeIfBothEnded()
    return this
  }

  destroy(): this {
    if (this.#isGone) return this
    const isUnread = this.#unread.length > 0
    if (isUnread) this.#push('reset')
    else this.end()
    this.#close()
    return this
  }

  destroySoon(): void {
    this.end()
    this.#close()
  }

  pause(): this {
    this.#isFlowing = false
    return this
  }

  resume(): this {
    this.#isFlowing = true
    if (!this.#isDraining) {
      this.#isDraining = true
      this.#later(0, () => {
        this.#isDraining = false
        this.#drain()
      })
    }
    return this
  }

  cork(): void {}
  uncork(): void {}

  #pipeTo(other: SimSocket): Pipe<Item> {
    return new Pipe<Item>(this.#world.network, this.#node.name, other.#node, 'socket', (item) => {
      this.#arrived(item, other)
    })
  }

  /** Something has come to the other end, whose node it is that runs. */
  #arrived(item: Item, other: SimSocket): void {
    if (typeof item === 'object') {
      const { bytes, onTaken } = item
      // The machine of the sender has handed it on, and tells it so.
      this.#later(0, () => {
        this.writableLength -= bytes.length
        onTaken?.()
      })
      other.#receive(bytes)
    } else if (item === 'open') other.#onOpen?.()
    else if (item === 'opened') other.#emit('connect')
    else if (item === 'refused') other.#fail('ECONNREFUSED')
    else if (item === 'reset') other.#fail('ECONNRESET')
    else {
      other.#hasEnd = true
      other.#drain()
    }
  }

  #receive(bytes: Uint8Array): void {
    if (this.#isGone) {
      this.#push('reset')
      return
    }
    if (bytes.length > 0) this.#unread.push(Buffer.from(bytes))
    this.#drain()
  }

  /** Hands on what has come, as long as somebody reads. */
  #drain(): void {
    while (this.#isFlowing === true && !this.#isGone) {
      const chunk = this.#unread.shift()
      if (chunk === undefined) break
      this.#emit('data', chunk)
    }
    if (!this.#hasEnd || this.#hasToldEnd || this.#unread.length > 0 || this.#isFlowing !== true || this.#isGone) return
    this.#hasToldEnd = true
    this.#emit('end')
    this.#closeIfBothEnded()
  }

  #closeIfBothEnded(): void {
    if (this.#hasToldEnd && this.#hasEnded) this.#close()
  }

  #fail(code: string): void {
    if (this.#isGone) return
    if (!this.#isHeld) {
      this.#isGone = true
      return
    }
    this.#emit('error', Object.assign(new Error(code), { code }))
    this.#close()
  }

  #close(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#later(0, () => {
      this.#tell('close')
    })
  }

  #emit(event: string, told?: unknown): void {
    if (!this.#isGone) this.#tell(event, told)
  }

  #tell(event: string, told?: unknown): void {
    const listeners = this.#listening.filter((listening) => listening.event === event)
    this.#listening = this.#listening.filter((listening) => listening.event !== event || !listening.isOnce)
    this.#world.within(this, () => {
      for (const { listener } of listeners) listener(told as never)
    })
  }

  #push(item: Item): void {
    this.#out?.push(item)
  }

  /** Runs something at this end's process, if that is still there. */
  #later(delayMs: number, step: () => void): void {
    const { kernel } = this.#world.network
    if (!this.#node.isUp || this.#node.incarnation !== this.#incarnation) return
    kernel.after(delayMs, this.#node, 'socket', () => {
      if (this.#node.incarnation === this.#incarnation) step()
    })
  }
}
