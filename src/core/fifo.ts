/** A queue in an array: the front moves on without moving the rest, whose array `shift` would move. */

/** How many places may stand empty at the front before the array is cut. */
const EMPTY_FRONT_MAX = 1024

/** First in, first out. Its users bound its length. */
export class Fifo<T> {
  #items: (T | undefined)[] = []
  #front = 0

  /** How many items wait. */
  get length(): number {
    return this.#items.length - this.#front
  }

  /** Adds an item at the end. */
  push(item: T): void {
    this.#items.push(item)
  }

  /** The item at the front, or undefined if there is none. */
  peek(): T | undefined {
    return this.#items[this.#front]
  }

  /** Takes the item at the front, or undefined if there is none. */
  shift(): T | undefined {
    const item = this.#items[this.#front]
    if (this.#front === this.#items.length) return undefined
    this.#items[this.#front] = undefined
    this.#front += 1
    if (this.#front === this.#items.length) this.takeAll()
    else if (this.#front > EMPTY_FRONT_MAX && this.#front * 2 > this.#items.length) this.#cut()
    return item
  }

  /** Takes all items, in order. */
  takeAll(): T[] {
    this.#cut()
    const items = this.#items
    this.#items = []
    return items as T[]
  }

  #cut(): void {
    this.#items.splice(0, this.#front)
    this.#front = 0
  }
}
