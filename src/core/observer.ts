/**
 * Observation: what a client tells somebody who measures it.
 *
 * Order     notices come from a queue of their own, one after the other, in the order in which things ended. None comes
 *           within a call of the client, so an observer may call whatever it likes.
 * Faults    an observer that throws breaks nobody: what it throws goes to `onError`.
 * Cost      a client without an observer, or a notice without a method for it, costs nothing.
 */
import type { ClientState } from './client-state.ts'
import { EventQueue } from './session/event-queue.ts'
import type { ErrorListener } from './session/event-queue.ts'

/** A method of the client that asks the servers for something. */
export type ObservedMethod =
  | 'create'
  | 'get'
  | 'exists'
  | 'children'
  | 'set'
  | 'delete'
  | 'multi'
  | 'sync'
  | 'makePath'

/** A call of a client has ended. */
export interface CallNotice {
  /** Which method was called. */
  readonly method: ObservedMethod
  /** The path that it was called with, within the client's namespace; undefined for a multi. */
  readonly path: string | undefined
  /** How long it took, repeats and waits for a session included, in milliseconds. */
  readonly durationMs: number
  /** What it rejected with; undefined if it succeeded. */
  readonly error: unknown
}

/** A client has changed its state. */
export interface StateNotice {
  /** The state that it has changed to. */
  readonly state: ClientState
  /** The state before; null for the first. */
  readonly previous: ClientState | null
  /** How long the state before lasted, in milliseconds; 0 for the first. */
  readonly previousMs: number
}

/** Somebody who measures a client. Each method is optional. What it returns is ignored. */
export interface Observer {
  /** A call has ended. */
  onCall?(notice: CallNotice): void
  /** The state has changed. */
  onState?(notice: StateNotice): void
}

/** Tells one observer. */
export class Notices {
  readonly #observer: Observer
  readonly #queue: EventQueue
  #state: ClientState | null = null
  #sinceMs = 0

  /**
   * Begins with nothing told.
   *
   * @param onError - gets what the observer throws
   */
  constructor(observer: Observer, onError: ErrorListener) {
    this.#observer = observer
    this.#queue = new EventQueue(onError)
  }

  /** Waits for a call and tells how it ended, which is how this ends too. */
  async call<T>(method: ObservedMethod, path: string | undefined, made: Promise<T>): Promise<T> {
    const startMs = performance.now()
    const ended = (error: unknown): void => {
      const notice = Object.freeze({ method, path, durationMs: performance.now() - startMs, error })
      this.#tell(() => this.#observer.onCall?.(notice), 'onCall')
    }
    try {
      const answer = await made
      ended(undefined)
      return answer
    } catch (error) {
      ended(error)
      throw error
    }
  }

  /** Tells a new state. */
  state(state: ClientState): void {
    const [previous, nowMs] = [this.#state, performance.now()]
    const previousMs = previous === null ? 0 : nowMs - this.#sinceMs
    this.#state = state
    this.#sinceMs = nowMs
    this.#tell(() => this.#observer.onState?.(Object.freeze({ state, previous, previousMs })), 'onState')
  }

  /** Resolves when all that was told until now has been heard. */
  heard(): Promise<void> {
    return this.#queue.emptied()
  }

  #tell(hear: () => unknown, method: keyof Observer): void {
    if (this.#observer[method] === undefined) return
    this.#queue.push(() => {
      this.#queue.call(hear, `the observer's ${method}`)
    })
  }
}
