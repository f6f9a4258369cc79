/**
 * Children cache: the children of one node with their data, as a local copy that follows the servers.
 *
 * Safety    each state that is told existed, for all children together; none is older than one that was told before.
 *           The last one always arrives.
 * Bound     `bytesMax`: rather than leave out a part, the cache ends.
 * Cost      start: 1 read per child and 2; a change: 1 event + 1 read, for a new or removed child 1 more; a look is
 *           local.
 * Source    Curator PathChildrenCache; kazoo ChildrenWatch.
 */
import type { Client } from '../../core/client.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import type { IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import type { MirrorNode } from '../engine/mirror.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { CacheView, bytesMaxOf } from './cache-view.ts'
import type { CacheChange } from './cache-view.ts'

/** Options of a {@link ChildrenCache}. */
export interface ChildrenCacheOptions {
  /**
   * The most that it holds, in bytes: of each node its data, twice the length of its path, and 256. Beyond that the
   * cache ends with `QUOTA_EXCEEDED`, and says so to `onError`. 64 MiB by default.
   */
  readonly bytesMax?: number
}

const OPTIONS = optionNames<ChildrenCacheOptions>({ bytesMax: true })

/** The children of a node; see the head of this file. */
export class ChildrenCache implements AsyncDisposable {
  /** Their parent. */
  readonly path: string
  readonly #view: CacheView

  /**
   * Makes a cache and begins to read.
   *
   * @param client - through which to read; it closes the cache when it closes
   * @param path - the parent; it need not be there, and is no part of the cache
   * @param options - what it may hold
   * @throws TypeError or RangeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: ChildrenCacheOptions = {}) {
    refuseUnknown(options, OPTIONS, 'ChildrenCache')
    const bytesMax = bytesMaxOf(options.bytesMax)
    this.#view = new CacheView(client, path, { what: 'ChildrenCache', depth: 1, hasRoot: false, bytesMax })
    this.path = path
  }

  /** The children that are known, sorted by name; none until they were read once. */
  get nodes(): readonly MirrorNode[] {
    return this.#view.nodes
  }

  /**
   * A child as it is known.
   *
   * @param name - its name, without the path of the parent
   * @returns undefined if there is none, or nothing was read yet
   */
  get(name: string): MirrorNode | undefined {
    return name === '' ? undefined : this.#view.snapshot?.nodes.get(name)
  }

  /** Whether what is known may be older than what the servers have, as while none is in touch. It stays readable. */
  get stale(): boolean {
    return this.#view.stale
  }

  /**
   * Waits until everything was read once. A node that vanishes meanwhile does not hold it up.
   *
   * @param options - what ends the wait
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `QUOTA_EXCEEDED` (more than `bytesMax`)
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
   * @throws CoordinationError `CLIENT_CLOSED` if the cache or the client was closed; `QUOTA_EXCEEDED` if it
   * has ended so
   */
  subscribe(listener: (change: CacheChange) => void | Promise<void>, options: SubscribeOptions = {}): Unsubscribe {
    return this.#view.subscribe(listener, options)
  }

  /**
   * Iterates over changes. Ends when the cache or the client closes.
   *
   * @param options.signal - ends the iteration, which then throws `ABORTED`
   * @param options.emitInitial - whether to begin with all that is there, as added; true by default
   * @throws CoordinationError `CLIENT_CLOSED` if the cache or the client was closed; `QUOTA_EXCEEDED` if it
   * has ended so
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
