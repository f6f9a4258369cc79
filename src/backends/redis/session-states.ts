/** The state of one session and who listens to it. */
import type { SessionState } from '../../core/backend.ts'
import type { EventQueue } from '../../core/session/event-queue.ts'
import { Listeners } from '../../core/session/listeners.ts'

/** A state that is told from the session's ordered queue whenever it changes. */
export class SessionStates {
  readonly #listeners: Listeners<SessionState>
  #state: SessionState = Object.freeze({ status: 'connected' })

  /** Begins as `connected`. */
  constructor(queue: EventQueue) {
    this.#listeners = new Listeners(queue, 'onState')
  }

  /** The state now. */
  get current(): SessionState {
    return this.#state
  }

  /** Listens. @returns what ends it */
  listen(listener: (state: SessionState) => void): () => void {
    return this.#listeners.add(listener)
  }

  /** Changes it. */
  set(state: SessionState): void {
    this.#state = Object.freeze(state)
    this.#listeners.tell(state)
  }
}
