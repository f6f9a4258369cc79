/**
 * Listeners of changes: each hears every change from its subscription on, in order, from an ordered queue.
 *
 * End       a listener that was removed hears nothing more, not even of a change that others are being notified of.
 * Faults    an error of a listener is reported, with the listener's name, and stops nobody.
 */
import { functionText } from './event-queue.ts'
import type { EventQueue } from './event-queue.ts'

/** The listeners of one thing that changes. */
export class Listeners<T> {
  readonly #queue: EventQueue
  readonly #kind: string
  readonly #entries = new Set<{ readonly call: (value: T) => unknown; readonly name: string }>()

  /**
   * Begins with nobody.
   *
   * @param queue - where listeners are called from
   * @param kind - the kind of listener, for reports, such as `onState`
   */
  constructor(queue: EventQueue, kind: string) {
    this.#queue = queue
    this.#kind = kind
  }

  /**
   * Listens to changes from now on. One function may listen twice, and each listening ends by itself.
   *
   * @returns ends the listening; idempotent
   */
  add(listener: (value: T) => unknown): () => void {
    const entry = { call: listener, name: `the ${this.#kind} listener${functionText(listener)}` }
    this.#entries.add(entry)
    return () => {
      this.#entries.delete(entry)
    }
  }

  /** Tells a change to those who listen now, later and in order. */
  tell(value: T): void {
    if (this.#entries.size === 0) return
    const entries = [...this.#entries]
    this.#queue.push(() => {
      for (const entry of entries) {
        // A listener that was called before may have ended the listening of this one.
        if (this.#entries.has(entry)) this.#queue.call(() => entry.call(value), entry.name)
      }
    })
  }

  /** Ends every listening. */
  clear(): void {
    this.#entries.clear()
  }
}
