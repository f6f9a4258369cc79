/**
 * One direction of one connection of the simulated network.
 *
 * Order     an arrival delivers the first item of the queue, so that order does not depend on that of the arrivals:
 *           those at a node that stands still come when it goes on, whatever was blocked and released meanwhile.
 * End       a pipe leads to one process: what takes that one's place on the machine hears nothing from it.
 */
import type { Kernel } from './kernel.ts'
import type { SimNode } from './sim-node.ts'

/** The network around a pipe. */
export interface PipeNetwork {
  readonly kernel: Kernel
  /** Every pipe that is open. */
  readonly pipes: Set<{ release(): void }>
  /** When the last message that was ever sent arrives, unless it is blocked; virtual milliseconds. */
  lastArrivalMs: number
  /** How long the next message takes. */
  drawDelayMs(): number
  /** Whether nothing gets from one node to another now. */
  isBlocked(from: string, to: string): boolean
}

/** One direction; `T` is what goes through it at once. */
export class Pipe<T> {
  readonly #network: PipeNetwork
  readonly #from: string
  readonly #to: SimNode
  readonly #incarnation: number
  readonly #label: string
  readonly #deliver: (item: T) => void
  #lastArrivalMs = 0
  readonly #queue: T[] = []
  /** How many arrivals were blocked. */
  #held = 0
  #isCut = false

  constructor(network: PipeNetwork, from: string, to: SimNode, label: string, deliver: (item: T) => void) {
    this.#network = network
    this.#from = from
    this.#to = to
    this.#incarnation = to.incarnation
    this.#label = label
    this.#deliver = deliver
    network.pipes.add(this)
  }

  /** Whether it was not cut and leads to a process that has not ended. */
  get isOpen(): boolean {
    return !this.#isCut && this.#to.incarnation === this.#incarnation
  }

  connects(a: string, b: string): boolean {
    return (this.#from === a && this.#to.name === b) || (this.#from === b && this.#to.name === a)
  }

  push(item: T): void {
    if (!this.isOpen) return
    const { kernel } = this.#network
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, kernel.nowMs + this.#network.drawDelayMs())
    this.#network.lastArrivalMs = Math.max(this.#network.lastArrivalMs, this.#lastArrivalMs)
    this.#queue.push(item)
    kernel.after(this.#lastArrivalMs - kernel.nowMs, this.#to, this.#label, () => {
      this.#arrive()
    })
  }

  /** Delivers what was held, in order, if the direction is not blocked any more. */
  release(): void {
    if (!this.isOpen) this.cut()
    if (this.#network.isBlocked(this.#from, this.#to.name)) return
    for (; this.#held > 0; this.#held--) {
      this.#network.kernel.after(0, this.#to, this.#label, () => {
        this.#arrive()
      })
    }
  }

  /** Loses what is under way and held. */
  cut(): void {
    this.#isCut = true
    this.#queue.length = 0
    this.#held = 0
    this.#network.pipes.delete(this)
  }

  #arrive(): void {
    if (!this.isOpen) return
    if (this.#network.isBlocked(this.#from, this.#to.name)) {
      this.#held += 1
      return
    }
    const item = this.#queue.shift()
    if (item !== undefined) this.#deliver(item)
  }
}
