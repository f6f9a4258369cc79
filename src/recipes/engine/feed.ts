/**
 * Feed: one state that changes, published to any number of consumers, each at its own pace.
 *
 * Model     each consumer has a mailbox with one place. A state that is not taken before the next one comes is replaced
 *           by it and counted as missed, so that nothing grows and the latest state always arrives.
 * Order     a consumer gets states in the order of their publication, one after the other, never inside `publish`.
 * Faults    a listener that is slow or throws delays and harms nobody else; its errors are reported.
 */
import { abortedError, deferred, whenAborted } from '../../core/async.ts'
import type { CoordinationError } from '../../core/errors.ts'

/** A step from the state that this consumer took last to the latest one. */
export interface Delivery<S> {
  /** The state that this consumer took last; undefined before its first. */
  readonly previous: S | undefined
  /** The latest state. */
  readonly current: S
  /** How many states in between this consumer did not get. */
  readonly missed: number
  /**
   * Whether everything was read again since the last delivery: after a reconnect there may have been states nobody saw.
   */
  readonly resync: boolean
}

/** Options of a subscription. */
export interface SubscribeOptions {
  /** Whether to begin with the state that is known already or will be known first. True by default. */
  readonly emitInitial?: boolean
}

/** Options of an iteration. */
export interface IterateOptions extends SubscribeOptions {
  /** Ends the iteration: it then throws `ABORTED`. */
  readonly signal?: AbortSignal
}

/** Ends a subscription. It is a function, and disposable for `using`. Idempotent. */
export type Unsubscribe = (() => void) & Disposable

/** Makes an event of a delivery; null if it holds nothing for the consumer. */
export type Describe<S, E> = (delivery: Delivery<S>) => E | null

/** The sending side. */
export class Feed<S> {
  readonly #report: (error: unknown) => void
  readonly #mailboxes = new Set<Receiver<S>>()
  #current: S | undefined
  #closed = false

  /**
   * Makes a feed without a state.
   *
   * @param report - gets the errors of listeners
   */
  constructor(report: (error: unknown) => void) {
    this.#report = report
  }

  /** The latest state; undefined before the first. */
  get current(): S | undefined {
    return this.#current
  }

  /**
   * Tells every consumer about a new state.
   *
   * @param state - immutable from now on
   * @param resync - whether everything was read again for it
   */
  publish(state: S, resync: boolean): void {
    if (this.#closed) return
    this.#current = state
    for (const mailbox of this.#mailboxes) mailbox.put(state, resync)
  }

  /**
   * Opens a mailbox as an async iterator. It ends when the feed does, and by `return()` (a `break` in `for await`).
   *
   * @param path - the node whose states are iterated, for the error
   * @param describe - makes the events
   * @param options - whether it begins with the present state, and the signal that ends it
   */
  iterate<E>(path: string, describe: Describe<S, E>, options: IterateOptions = {}): AsyncIterableIterator<E> {
    return this.#open(path, describe, options)
  }

  #open<E>(path: string, describe: Describe<S, E>, options: IterateOptions): Mailbox<S, E> {
    const mailbox = new Mailbox<S, E>(describe, options.emitInitial ?? true, (self) => this.#mailboxes.delete(self))
    if (this.#current !== undefined) mailbox.put(this.#current, false)
    if (this.#closed) mailbox.end()
    else this.#mailboxes.add(mailbox)
    if (options.signal !== undefined) mailbox.endOn(options.signal, path)
    return mailbox
  }

  /**
   * Calls a listener with each event. A promise that it returns is waited for before it is called again.
   *
   * @param path - the node whose states are listened to, for the error
   * @param describe - makes the events
   * @param listener - called with each event; its throw or rejection is reported
   * @param options - whether it begins with the present state
   */
  subscribe<E>(
    path: string,
    describe: Describe<S, E>,
    listener: (event: E) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Unsubscribe {
    const mailbox = this.#open(path, describe, options)
    this.#pump(mailbox, listener).catch(this.#report)
    const unsubscribe = (): void => {
      mailbox.end()
    }
    return Object.assign(unsubscribe, { [Symbol.dispose]: unsubscribe })
  }

  /**
   * Ends every iteration and subscription. Idempotent.
   *
   * @param failure - the error that iterations reject with; null: they just end
   */
  close(failure: CoordinationError | null = null): void {
    this.#closed = true
    for (const mailbox of [...this.#mailboxes]) mailbox.end(failure)
  }

  /**
   * Takes an event and calls the listener in one go: whatever ends the subscription before that, such as another
   * listener of the same change, is in time.
   */
  async #pump<E>(mailbox: Mailbox<S, E>, listener: (event: E) => void | Promise<void>): Promise<void> {
    for (;;) {
      await mailbox.arrival
      if (mailbox.ended) return
      const event = mailbox.take()
      if (event === null) continue
      try {
        await listener(event)
      } catch (error) {
        this.#report(error)
      }
    }
  }
}

/** The receiving side of a feed, as the feed sees it. */
interface Receiver<S> {
  put(state: S, resync: boolean): void
  end(failure?: CoordinationError | null): void
}

/** One consumer's place for the latest state. */
class Mailbox<S, E> implements AsyncIterableIterator<E>, Receiver<S> {
  readonly #describe: Describe<S, E>
  readonly #onEnd: (self: Mailbox<S, E>) => void
  #waiting: { readonly state: S; readonly missed: number; readonly resync: boolean } | null = null
  #taken: S | undefined
  #skipsFirst: boolean
  #arrival = deferred<undefined>()
  #ended = false
  #failure: CoordinationError | null = null
  #unlisten: (() => void) | null = null

  constructor(describe: Describe<S, E>, emitInitial: boolean, onEnd: (self: Mailbox<S, E>) => void) {
    this.#describe = describe
    this.#skipsFirst = !emitInitial
    this.#onEnd = onEnd
  }

  put(state: S, resync: boolean): void {
    if (this.#skipsFirst) {
      this.#skipsFirst = false
      this.#taken = state
      return
    }
    const missed = this.#waiting === null ? 0 : this.#waiting.missed + 1
    this.#waiting = { state, missed, resync: resync || this.#waiting?.resync === true }
    this.#arrival.resolve(undefined)
  }

  endOn(signal: AbortSignal, path: string): void {
    this.#unlisten = whenAborted(signal, () => this.end(abortedError(signal, path)))
  }

  end(failure: CoordinationError | null = null): void {
    if (this.#ended) return
    this.#ended = true
    this.#failure = failure
    this.#waiting = null
    this.#unlisten?.()
    this.#onEnd(this)
    this.#arrival.resolve(undefined)
  }

  /** Resolves when there is something to take, or nothing will come any more. */
  get arrival(): Promise<undefined> {
    return this.#arrival.promise
  }

  get ended(): boolean {
    return this.#ended
  }

  async next(): Promise<IteratorResult<E, undefined>> {
    for (;;) {
      if (this.#ended) return this.#last()
      const event = this.take()
      if (event !== null) return { done: false, value: event }
      await this.#arrival.promise
    }
  }

  return(): Promise<IteratorResult<E, undefined>> {
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The next event; null if nothing has arrived, or there is nothing in it for the consumer. */
  take(): E | null {
    if (this.#waiting === null) return null
    const { state, missed, resync } = this.#waiting
    this.#waiting = null
    this.#arrival = deferred()
    const previous = this.#taken
    this.#taken = state
    return this.#describe({ previous, current: state, missed, resync })
  }

  /** An abort rejects once; after it the iteration is over like any other. */
  #last(): IteratorResult<E, undefined> {
    const failure = this.#failure
    this.#failure = null
    if (failure !== null) throw failure
    return { done: true, value: undefined }
  }
}
