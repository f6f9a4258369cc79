/** The state of a client's session, and who listens to it. */
import type { SessionState } from '../../core/backend.ts'
import type { EventQueue } from '../../core/event-queue.ts'

/** Keeps the state, and tells every change in order, from the session's queue. */
export class ClientStates {
  readonly #queue: EventQueue
  readonly #listeners = new Set<(state: SessionState) => void>()
  #state: SessionState = { status: 'connected' }

  constructor(queue: EventQueue) {
    this.#queue = queue
  }

  /** The state now. */
  get state(): SessionState {
    return this.#state
  }

  /** Changes it; listeners hear of it from the queue. */
  set(state: SessionState): void {
    this.#state = state
    const listeners = [...this.#listeners]
    this.#queue.push(() => {
      for (const listener of listeners) {
        // One that was called before may have ended it.
        if (this.#listeners.has(listener)) this.#queue.call(() => listener(state))
      }
    })
  }

  /** Listens to changes from now on; the returned function ends it. */
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
}
