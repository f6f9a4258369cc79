/**
 * Observation: the notices of a client, and of the recipes on it, for somebody who measures them.
 *
 * Order     notices come from a queue of their own, one after the other, in the order in which things ended. None comes
 *           within a call of the client, so an observer may call whatever it likes. Only `onBegin` is called at once.
 * Faults    an observer that throws breaks nobody: its errors go to `onError`.
 * Cost      a client without an observer, or a notice without a method for it, costs nothing.
 * Privacy   a notice holds paths, ids and times: no data of a node and no password. An error is the one that the caller
 *           gets; the text of one that the caller's own code threw is the caller's.
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

/** Something that takes time has begun; see {@link Observer.onBegin}. */
export type Beginning =
  | { readonly type: 'call'; readonly method: ObservedMethod; readonly path: string | undefined }
  | { readonly type: 'wait'; readonly what: string; readonly kind: string; readonly path: string }
  | { readonly type: 'lease'; readonly kind: string; readonly path: string; readonly token: bigint }
  | { readonly type: 'publish'; readonly action: PublishAction; readonly path: string }

/** The part that all notices of something with a beginning have. */
export interface EndNotice {
  /** The value that this observer's `onBegin` returned for it; undefined without one. */
  readonly begun?: unknown
}

/** A call of a client has ended. */
export interface CallNotice extends EndNotice {
  /** Which method was called. */
  readonly method: ObservedMethod
  /** The path that it was called with, within the client's namespace; undefined for a multi. */
  readonly path: string | undefined
  /** How long it took, repeats and waits for a session included, in milliseconds. */
  readonly durationMs: number
  /** The error it rejected with; undefined if it succeeded. */
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

/** The node whose end a wait waited for last. */
export interface Waker {
  /** Where it was. */
  readonly path: string
  /** The token of the lease on it, where that is known: leases of an `ExclusiveLock` all have one path. */
  readonly token?: bigint
}

/**
 * How a wait ended: it has what it waited for (`done`), a try found it taken (`taken`), or it rejected (`failed`).
 */
export type WaitOutcome = 'done' | 'taken' | 'failed'

/** A wait of a recipe has ended. One within another, such as that for a place in a semaphore's line, is part of it. */
export interface WaitNotice extends EndNotice {
  /** The method that waited, such as `acquire`, `tryAcquire` or `campaign`. */
  readonly what: string
  /** The kind of claim, such as `lock`, `read`, `write`, `permit`, `latch` (a candidate) or `barrier`. */
  readonly kind: string
  /** Where. */
  readonly path: string
  /** The session that waited; null if there was none in the end. */
  readonly sessionId: bigint | null
  /** How long, in milliseconds. */
  readonly durationMs: number
  /** How it ended. */
  readonly outcome: WaitOutcome
  /** The error it rejected with; undefined if it did not. */
  readonly error: unknown
  /** Whose end it waited for last; undefined if it did not have to wait for one. */
  readonly wokenBy: Waker | undefined
}

/** The change in a lease's life. */
export type LeaseEvent = 'acquired' | 'released' | 'lost'

/** A lease was acquired, released or lost. A release is reported once it is confirmed, or given up. */
export interface LeaseNotice extends EndNotice {
  /** Whether it was acquired, released or lost. */
  readonly event: LeaseEvent
  /** The kind of claim that is held, such as `lock`, `read`, `write`, `permit` or `latch` (a candidate that leads). */
  readonly kind: string
  /** The holder's node. */
  readonly path: string
  /** The fencing token. */
  readonly token: bigint
  /** The session that holds it. */
  readonly sessionId: bigint
  /** How long it was held, in milliseconds; 0 when it is acquired. */
  readonly heldMs: number
  /** Why it was lost, such as `session-expired`; undefined if it was not. */
  readonly reason: string | undefined
}

/** The change in a candidate's leadership. */
export type ElectionEvent = 'elected' | 'resigned' | 'lost'

/** A candidate of this client leads, or no longer leads. */
export interface ElectionNotice {
  /** Whether it was elected, resigned or lost its leadership. */
  readonly event: ElectionEvent
  /** The election. */
  readonly path: string
  /** The candidate. */
  readonly id: string
  /** The fencing token of its leadership. */
  readonly token: bigint
  /** How long it has led, in milliseconds; 0 when it is elected. */
  readonly ledMs: number
  /** Why it was lost, such as `session-expired`; undefined if it was not. */
  readonly reason: string | undefined
}

/** A way to change a configuration. */
export type PublishAction = 'publish' | 'update' | 'rollback' | 'remove'

/** A change of a configuration has ended. */
export interface PublishNotice extends EndNotice {
  /** Which way. */
  readonly action: PublishAction
  /** The node that holds the value. */
  readonly path: string
  /** How long it took, in milliseconds. */
  readonly durationMs: number
  /** The error it rejected with; undefined if it succeeded. */
  readonly error: unknown
}

/**
 * Somebody who measures clients; one may be given to many. Each method is optional; its result is ignored. Whether
 * it is there is looked at for each notice, so that a getter may say that nobody listens now.
 */
export interface Observer {
  /**
   * Something begins: called at once, in the asynchronous context of whoever began it. It must be quick. The value
   * that it returns comes back as `begun` in the notices of what has begun.
   */
  readonly onBegin?: ((beginning: Beginning) => unknown) | undefined
  /** A call has ended. */
  readonly onCall?: ((notice: CallNotice) => void) | undefined
  /** The state has changed. */
  readonly onState?: ((notice: StateNotice) => void) | undefined
  /** A wait of a recipe has ended. */
  readonly onWait?: ((notice: WaitNotice) => void) | undefined
  /** A lease was acquired, released or lost. */
  readonly onLease?: ((notice: LeaseNotice) => void) | undefined
  /** A candidate leads, or no longer leads. */
  readonly onElection?: ((notice: ElectionNotice) => void) | undefined
  /** A change of a configuration has ended. */
  readonly onPublish?: ((notice: PublishNotice) => void) | undefined
}

/** The notice that each method of an observer gets. */
interface NoticeOf {
  readonly onCall: CallNotice
  readonly onState: StateNotice
  readonly onWait: WaitNotice
  readonly onLease: LeaseNotice
  readonly onElection: ElectionNotice
  readonly onPublish: PublishNotice
}

/** The names of an observer's methods. */
export const OBSERVER_METHODS: readonly (keyof Observer)[] = [
  'onBegin', 'onCall', 'onState', 'onWait', 'onLease', 'onElection', 'onPublish',
]

/** Something that has begun, as each observer sees it. */
export interface Begun {
  /** When, an instant on `performance.now()`. */
  readonly startMs: number
  /** The values that the observers' `onBegin` returned, in the order of the observers. */
  readonly values: readonly unknown[]
}

/** Tells the observers of one client. */
export class Notices {
  readonly #observers: readonly Observer[]
  readonly #queue: EventQueue
  #state: ClientState | null = null
  #sinceMs = 0

  /**
   * Begins with an empty queue.
   *
   * @param onError - gets the errors of observers
   */
  constructor(observers: readonly Observer[], onError: ErrorListener) {
    this.#observers = observers
    this.#queue = new EventQueue(onError)
  }

  /** Whether somebody hears a notice, or the beginning of what it ends. */
  hears(method: keyof NoticeOf): boolean {
    return this.#observers.some((observer) => observer[method] !== undefined || observer.onBegin !== undefined)
  }

  /** Tells a beginning, at once. */
  begin(beginning: Beginning): Begun {
    const values = this.#observers.map((observer) => {
      try {
        return observer.onBegin?.(beginning)
      } catch (error) {
        this.#queue.report(error, "the observer's onBegin")
        return undefined
      }
    })
    return { startMs: performance.now(), values }
  }

  /**
   * Tells a notice.
   *
   * @param begun - its beginning, if it has one
   */
  tell<M extends keyof NoticeOf>(method: M, notice: NoticeOf[M], begun?: Begun): void {
    for (const [index, observer] of this.#observers.entries()) {
      if (observer[method] === undefined) continue
      const value = begun?.values[index]
      const told: NoticeOf[M] = value === undefined ? notice : { ...notice, begun: value }
      Object.freeze(told)
      this.#queue.push(() => {
        this.#queue.call(() => hear(observer, method, told), `the observer's ${method}`)
      })
    }
  }

  /** Makes a call of the client and tells how it ended, which is how this ends too. */
  async call<T>(method: ObservedMethod, path: string | undefined, make: () => Promise<T>): Promise<T> {
    const begun = this.begin({ type: 'call', method, path })
    return this.#timed(make, begun, (ended) => {
      this.tell('onCall', { method, path, ...ended }, begun)
    })
  }

  /** Changes a configuration and tells how that ended, which is how this ends too. */
  async publish<T>(action: PublishAction, path: string, change: () => Promise<T>): Promise<T> {
    const begun = this.begin({ type: 'publish', action, path })
    return this.#timed(change, begun, (ended) => {
      this.tell('onPublish', { action, path, ...ended }, begun)
    })
  }

  /** Tells a new state. */
  state(state: ClientState): void {
    const [previous, nowMs] = [this.#state, performance.now()]
    const previousMs = previous === null ? 0 : nowMs - this.#sinceMs
    this.#state = state
    this.#sinceMs = nowMs
    this.tell('onState', { state, previous, previousMs })
  }

  /** Resolves when all notices until now have been delivered. */
  heard(): Promise<void> {
    return this.#queue.emptied()
  }

  async #timed<T>(
    make: () => Promise<T>,
    { startMs }: Begun,
    ended: (end: { readonly durationMs: number; readonly error: unknown }) => void,
  ): Promise<T> {
    try {
      const answer = await make()
      ended({ durationMs: performance.now() - startMs, error: undefined })
      return answer
    } catch (error) {
      ended({ durationMs: performance.now() - startMs, error })
      throw error
    }
  }
}

/** Asks again for the method: by now it may have gone. */
function hear<M extends keyof NoticeOf>(observer: Observer, method: M, notice: NoticeOf[M]): unknown {
  const listener = observer[method] as ((told: NoticeOf[M]) => unknown) | undefined
  return listener?.call(observer, notice)
}
