/**
 * Directions of the network that are blocked, counted: where two faults block the same one, both must end before it is
 * open.
 */
import type { SimNetwork } from './network.ts'

/** The blocked directions of one network. */
export class Blocks {
  readonly #network: SimNetwork
  readonly #counts = new Map<string, number>()

  constructor(network: SimNetwork) {
    this.#network = network
  }

  /**
   * Blocks what goes from any of some nodes to any of others.
   *
   * @returns a function that takes these blocks back; idempotent
   */
  block(from: readonly string[], to: readonly string[]): () => void {
    const pairs = from.flatMap((source) => to.map((target) => [source, target] as const)).filter(([a, b]) => a !== b)
    for (const [source, target] of pairs) this.#count(source, target, 1)
    let isBlocked = true
    return () => {
      if (!isBlocked) return
      isBlocked = false
      for (const [source, target] of pairs) this.#count(source, target, -1)
    }
  }

  /** As {@link Blocks.block}, in both directions. */
  separate(left: readonly string[], right: readonly string[]): () => void {
    const undo = [this.block(left, right), this.block(right, left)]
    return () => {
      for (const open of undo) open()
    }
  }

  #count(from: string, to: string, by: 1 | -1): void {
    const key = `${from}>${to}`
    const before = this.#counts.get(key) ?? 0
    const count = before + by
    if (count === 0) this.#counts.delete(key)
    else this.#counts.set(key, count)
    if (before === 0) this.#network.block(from, to)
    else if (count === 0) this.#network.unblock(from, to)
  }
}
