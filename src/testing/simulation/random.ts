/**
 * Chance that repeats itself: the same seed gives the same numbers, and streams forked by label do not disturb each
 * other.
 *
 * Source    sfc32 by Chris Doty-Humphrey; splitmix32 to seed it.
 */
import type { RandomSource } from '../../backends/embedded/server/ports.ts'

const U32_SPAN = 2 ** 32
const WARM_UP_DRAWS = 12

/** A stream of numbers. */
export class SeededRandom implements RandomSource {
  readonly #seed: number
  #a: number
  #b: number
  #c: number
  #counter = 1

  /**
   * Makes a stream.
   *
   * @param seed - an integer; its low 32 bits count
   */
  constructor(seed: number) {
    this.#seed = seed >>> 0
    const next = splitmix32(this.#seed)
    this.#a = next()
    this.#b = next()
    this.#c = next()
    for (let i = 0; i < WARM_UP_DRAWS; i++) this.u32()
  }

  /** A stream of its own for one purpose: what is drawn here does not show there. */
  fork(label: string): SeededRandom {
    let hash = 0x811c9dc5 ^ this.#seed
    for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193)
    return new SeededRandom(hash)
  }

  /** An integer from 0 to 2^32 - 1. */
  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }

  /** Bytes. */
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.u32() >>> 24)
  }

  /** A number from 0 up to 1, without 1. */
  unit(): number {
    return this.u32() / U32_SPAN
  }

  /** An integer from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.unit() * (max - min + 1))
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.unit() < probability
  }

  /** One of these. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.between(0, items.length - 1)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }

  /** The items in another order. */
  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items]
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.between(0, i)
      const held = shuffled[i] as T
      shuffled[i] = shuffled[j] as T
      shuffled[j] = held
    }
    return shuffled
  }
}

function splitmix32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
}
