/**
 * Node cache: one node, there or not, as a local copy that follows the servers.
 *
 * Safety    each state that is told existed; none is older than one that was told before. The last one always arrives.
 * Cost      start: 1 read, and 1 more while there is no node; a change: 1 event + 1 read; a look is local.
 * Source    Curator CuratorCache with SINGLE_NODE_CACHE; kazoo DataWatch.
 */
import type { Client } from '../../core/client.ts'
import type { IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import type { MirrorNode } from '../engine/mirror.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { CacheView } from './cache-view.ts'
import type { CacheChange } from './cache-view.ts'

/** One node; see the head of this file. */
export class NodeCache implements AsyncDisposable {
  /** The node. */
  readonly path: string
  readonly #view: CacheView

  /**
   * Makes a cache and begins to read.
   *
   * @param client - through which to read; it closes the cache when it closes
   * @param path - the node; it need not be there
   * @throws TypeError if the path is none
   */
  constructor(client: Client, path: string) {
    this.#view = new CacheView(client, path, { what: 'NodeCache', depth: 0, hasRoot: true })
    this.path = path
  }

  /** The node as it is known; null if there is none, undefined until that was read once. */
  get current(): MirrorNode | null | undefined {
    const { snapshot } = this.#view
    return snapshot === undefined ? undefined : (snapshot.nodes.get('') ?? null)
  }

  /** Whether what is known may be older than what the servers have, as while none is in touch. It stays readable. */
  get stale(): boolean {
    return this.#view.stale
  }

  /**
   * Waits until everything was read once. A node that vanishes meanwhile does not hold it up.
   *
   * @param options - what ends the wait
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`
   */
  ready(options: TimedWaitOptions = {}): Promise<void> {
    return this.#view.ready(options)
  }

  /**
   * Listens to changes. A slow listener is not called for each state, but what changed is in the next change.
   *
   * @param listener - called one change at a time; what it throws goes to the client's `onError`
   * @param options.emitInitial - whether to begin with all that is there, as added; true by default
   * @returns ends the listening
   * @throws CoordinationError `CLIENT_CLOSED` if the cache or the client was closed
   */
  subscribe(listener: (change: CacheChange) => void | Promise<void>, options: SubscribeOptions = {}): Unsubscribe {
    return this.#view.subscribe(listener, options)
  }

  /**
   * Iterates over changes. Ends when the cache or the client closes.
   *
   * @param options.signal - ends the iteration, which then throws `ABORTED`
   * @param options.emitInitial - whether to begin with all that is there, as added; true by default
   * @throws CoordinationError `CLIENT_CLOSED` if the cache or the client was closed
   */
  watch(options: IterateOptions = {}): AsyncIterableIterator<CacheChange> {
    return this.#view.iterate(options)
  }

  /** Ends subscriptions, iterations and watches. What was known last stays readable. Idempotent. */
  close(): Promise<void> {
    return this.#view.close()
  }

  /** Closes it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
