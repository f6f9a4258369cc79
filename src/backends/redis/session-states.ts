/** The state of one session and who listens to it. */
import type { SessionState } from '../../core/backend.ts'
import type { EventQueue } from '../../core/event-queue.ts'

/** A state that is told from the session's ordered queue whenever it changes. */
export class SessionStates {
  readonly #queue: EventQueue
  readonly #listeners = new Set<(state: SessionState) => void>()
  #state: SessionState = Object.freeze({ status: 'connected' })

  /** Begins as `connected`. */
  constructor(queue: EventQueue) {
    this.#queue = queue
  }

  /** The state now. */
  get current(): SessionState {
    return this.#state
  }

  /** Listens. @returns what ends it */
  listen(listener: (state: SessionState) => void): () => void {
    // A function of its own, so that one listener may listen twice and end each listening by itself.
    const entry = (state: SessionState): void => {
      listener(state)
    }
    this.#listeners.add(entry)
    return () => {
      this.#listeners.delete(entry)
    }
  }

  /** Changes it. */
  set(state: SessionState): void {
    this.#state = Object.freeze(state)
    const listeners = [...this.#listeners]
    this.#queue.push(() => {
      for (const listener of listeners) {
        // One that was called before may have ended it.
        if (this.#listeners.has(listener)) this.#queue.call(() => listener(state))
      }
    })
  }
}
