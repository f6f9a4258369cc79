/**
 * One direction of a connection: items come out in the order in which they went in, none before its delay is over.
 *
 * A delay of 0 takes one microtask and no timer, so tests that need no time need no clock either.
 */

/** The timers of one model, so that a test can ask whether any is left. */
export class Timers {
  readonly #live = new Set<ReturnType<typeof setTimeout>>()

  /** How many timers will still fire. */
  get size(): number {
    return this.#live.size
  }

  /** Calls back once after a delay; returns what cancels it. */
  start(callback: () => void, delayMs: number): () => void {
    const timer = setTimeout(() => {
      this.#live.delete(timer)
      callback()
    }, delayMs)
    this.#live.add(timer)
    return () => {
      this.#live.delete(timer)
      clearTimeout(timer)
    }
  }

  /** Calls back after a delay, or in a microtask if it is 0; returns what cancels it. */
  soon(callback: () => void, delayMs: number): () => void {
    if (delayMs > 0) return this.start(callback, delayMs)
    let cancelled = false
    queueMicrotask(() => {
      if (!cancelled) callback()
    })
    return () => {
      cancelled = true
    }
  }
}

/** An ordered delay line. */
export class SessionPipe<T> {
  readonly #timers: Timers
  readonly #deliver: (item: T) => void
  #items: { readonly item: T; readonly dueMs: number }[] = []
  #cancelWake: (() => void) | null = null

  /** Makes an empty pipe that hands each item to `deliver`. */
  constructor(timers: Timers, deliver: (item: T) => void) {
    this.#timers = timers
    this.#deliver = deliver
  }

  /** Puts an item in; it comes out after `delayMs` milliseconds, but never before an earlier one. */
  push(item: T, delayMs: number): void {
    this.#items.push({ item, dueMs: performance.now() + delayMs })
    this.#wake()
  }

  /** Takes out everything that is still inside. */
  clear(): T[] {
    this.#cancelWake?.()
    this.#cancelWake = null
    const items = this.#items.map(({ item }) => item)
    this.#items = []
    return items
  }

  #wake(): void {
    const head = this.#items[0]
    if (head === undefined || this.#cancelWake !== null) return
    this.#cancelWake = this.#timers.soon(() => {
      this.#cancelWake = null
      this.#items.shift()
      this.#deliver(head.item)
      this.#wake()
    }, head.dueMs - performance.now())
  }
}
