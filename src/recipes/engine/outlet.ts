/**
 * Outlet: the side of a recipe that its callers see. A state that they read, wait for, listen to and iterate over,
 * until the recipe or its client is closed.
 */
import type { Client } from '../../core/client.ts'
import { refuseUnknown } from '../../core/options.ts'
import type { Describe, IterateOptions, SubscribeOptions, Unsubscribe } from './feed.ts'
import { Feed } from './feed.ts'
import { namedListener } from './listener.ts'
import { checkIterate, checkSubscribe } from './option-checks.ts'
import type { TimedWaitOptions } from './wait.ts'
import { WAIT_OPTIONS, clientClosed } from './wait.ts'
import { withinWait } from './within-wait.ts'

/** A state, as callers see it. */
export class Outlet<S> {
  readonly #client: Client
  readonly #what: string
  readonly #path: string
  readonly #feed: Feed<S>
  #isClosed = false

  /**
   * Makes an outlet without a state.
   *
   * @param client - gets the errors of listeners
   * @param what - the recipe, for messages
   * @param path - of the recipe, for errors
   */
  constructor(client: Client, what: string, path: string) {
    this.#client = client
    this.#what = what
    this.#path = path
    this.#feed = new Feed((error) => client.report(error))
  }

  /** The latest state; undefined before the first. */
  get current(): S | undefined {
    return this.#feed.current
  }

  /** Tells everybody a new state; see {@link Feed.publish}. */
  publish(state: S, resync: boolean): void {
    this.#feed.publish(state, resync)
  }

  /**
   * Waits for the first state, or returns the latest.
   *
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`
   */
  async ready(options: TimedWaitOptions): Promise<S> {
    refuseUnknown(options, WAIT_OPTIONS, 'ready')
    this.throwIfClosed()
    const { current } = this
    if (current !== undefined) return current
    return withinWait(this.#client, { what: 'ready', path: this.#path }, options, (signal) => this.first(signal))
  }

  /** Waits for the first state, or returns the latest. */
  async first(signal: AbortSignal): Promise<S> {
    for await (const state of this.#feed.iterate(this.#path, ({ current }) => current, { signal })) return state
    throw clientClosed(this.#path)
  }

  /**
   * Calls a listener with every event that is described.
   *
   * @throws CoordinationError `CLIENT_CLOSED`; TypeError for a wrong argument
   */
  subscribe<E>(
    describe: Describe<S, E>,
    listener: (event: E) => void | Promise<void>,
    options: SubscribeOptions,
  ): Unsubscribe {
    checkSubscribe(listener, options)
    this.throwIfClosed()
    return this.#feed.subscribe(this.#path, describe, namedListener(this.#what, this.#path, listener), options)
  }

  /**
   * Calls a listener with every state from now on.
   *
   * @throws CoordinationError `CLIENT_CLOSED`; TypeError if it is no function
   */
  subscribeToNext(listener: (state: S) => void | Promise<void>): Unsubscribe {
    // Without a state so far there is nothing to skip.
    return this.subscribe(({ current }) => current, listener, { emitInitial: this.current === undefined })
  }

  /**
   * Iterates over every event that is described.
   *
   * @throws CoordinationError `CLIENT_CLOSED`; TypeError for a wrong option
   */
  iterate<E>(describe: Describe<S, E>, options: IterateOptions): AsyncIterableIterator<E> {
    checkIterate(options)
    this.throwIfClosed()
    return this.#feed.iterate(this.#path, describe, options)
  }

  /** Whether it was closed. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** @throws CoordinationError `CLIENT_CLOSED` if it or the client was closed */
  throwIfClosed(): void {
    if (this.#isClosed || this.#client.state.status === 'closed') throw clientClosed(this.#path)
  }

  /** Ends every subscription and iteration; the latest state stays. Idempotent. */
  close(): void {
    this.#isClosed = true
    this.#feed.close()
  }
}
