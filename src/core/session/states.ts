/** The state of one session, and the listeners that are notified of its changes in order. */
import type { SessionState } from '../backend.ts'
import type { EventQueue } from './event-queue.ts'
import { Listeners } from './listeners.ts'

/** A state that begins as `connected`. It changes first; then the listeners hear of it, from the session's queue. */
export class SessionStates {
  readonly #listeners: Listeners<SessionState>
  #current: SessionState = Object.freeze({ status: 'connected' })

  /**
   * Begins with no listener.
   *
   * @param queue - where listeners are called from
   */
  constructor(queue: EventQueue) {
    this.#listeners = new Listeners(queue, 'onState')
  }

  /** The state now. */
  get current(): SessionState {
    return this.#current
  }

  /** Whether the session has expired or was closed. */
  get isOver(): boolean {
    return this.#current.status === 'expired' || this.#current.status === 'closed'
  }

  /** Changes the state. */
  set(state: SessionState): void {
    this.#current = Object.freeze(state)
    this.#listeners.tell(state)
  }

  /**
   * Listens to changes from now on.
   *
   * @returns ends the listening; idempotent
   */
  listen(listener: (state: SessionState) => void): () => void {
    return this.#listeners.add(listener)
  }
}
