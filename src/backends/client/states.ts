/** The state of a client's session, and who listens to it. */
import type { SessionState } from '../../core/backend.ts'
import type { EventQueue } from '../../core/session/event-queue.ts'
import { Listeners } from '../../core/session/listeners.ts'

/** Keeps the state, and tells every change in order, from the session's queue. */
export class ClientStates {
  readonly #listeners: Listeners<SessionState>
  #state: SessionState = { status: 'connected' }

  constructor(queue: EventQueue) {
    this.#listeners = new Listeners(queue, 'onState')
  }

  /** The state now. */
  get state(): SessionState {
    return this.#state
  }

  /** Changes it; listeners hear of it from the queue. */
  set(state: SessionState): void {
    this.#state = state
    this.#listeners.tell(state)
  }

  /** Listens to changes from now on; the returned function ends it. */
  listen(listener: (state: SessionState) => void): () => void {
    return this.#listeners.add(listener)
  }
}
