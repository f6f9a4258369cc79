/**
 * The common part of {@link NodeCache}, {@link ChildrenCache} and {@link TreeCache}: a mirror, and the difference
 * between one of its snapshots and the next.
 *
 * Identity  a node is the same one if its czxid is: one deleted and made again between two looks is reported as
 *           removed and as added, though its version may be the same (CURATOR-391).
 * Order     removed nodes stand children first, added nodes parents first.
 */
import type { Client } from '../../core/client.ts'
import { validateInteger } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { validatePath } from '../../core/path.ts'
import type { Delivery, IterateOptions, SubscribeOptions, Unsubscribe } from '../engine/feed.ts'
import { namedListener } from '../engine/listener.ts'
import type { MirrorNode, MirrorOptions, MirrorSnapshot } from '../engine/mirror.ts'
import { Mirror } from '../engine/mirror.ts'
import { checkIterate, checkSubscribe } from '../engine/option-checks.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'

/** A node whose data were written. */
export interface ChangedNode {
  /** As this consumer knew it. */
  readonly before: MirrorNode
  /** As it is now. */
  readonly after: MirrorNode
}

/**
 * A step of a cache, from the state that this consumer knew to the latest one. Both are states that existed, so what
 * was written together is published together.
 */
export interface CacheChange {
  /** Nodes that are there now and were not, parents first. */
  readonly added: readonly MirrorNode[]
  /** Nodes whose data were written, also with the same bytes. */
  readonly changed: readonly ChangedNode[]
  /** Nodes that are gone, as they were known last, children first. */
  readonly removed: readonly MirrorNode[]
  /** How many states in between this consumer did not get, because it was slow; their changes are in this one. */
  readonly missed: number
  /** Whether everything was read again, after a reconnect: there may have been states that nobody saw. */
  readonly resync: boolean
}

/** The part of the tree that a cache holds, and its limits. */
export interface CacheScope extends MirrorOptions {
  /** The recipe, for messages. */
  readonly what: string
  /** 0: the node; 1: with its children; Infinity: with all below it. */
  readonly depth: number
  /** Whether the node at the path is a part of it, or only what is below. */
  readonly hasRoot: boolean
}

/** The most that a cache holds if nothing else is asked for, in bytes: 64 MiB. */
const BYTES_MAX = 64 * 1024 * 1024

/** Checks the limit of a cache; undefined stands for the default. */
export function bytesMaxOf(bytesMax: unknown): number {
  if (bytesMax === undefined) return BYTES_MAX
  validateInteger('bytesMax', bytesMax, 1, Number.MAX_SAFE_INTEGER)
  return bytesMax
}

/** A local copy of nodes that follows the servers; base of all caches. */
export abstract class CacheBase implements AsyncDisposable {
  /** The node that it is of, or the parent or root of those. */
  readonly path: string
  readonly #client: Client
  readonly #what: string
  readonly #hasRoot: boolean
  readonly #mirror: Mirror

  /**
   * Makes a cache and begins to read.
   *
   * @param client - through which to read; it closes the cache when it closes
   * @param path - need not be there
   * @param scope - the part of the tree that it holds, and its limits
   * @internal
   */
  constructor(client: Client, path: string, scope: CacheScope) {
    validateClient(client, scope.what)
    validatePath(path)
    this.path = path
    this.#client = client
    this.#what = scope.what
    this.#hasRoot = scope.hasRoot
    this.#mirror = new Mirror(client, path, scope.depth, scope)
  }

  /** Whether what is known may be older than what the servers have, as while none is in touch. It stays readable. */
  get stale(): boolean {
    return this.#mirror.stale
  }

  /**
   * Waits until everything was read once. A node that vanishes meanwhile does not hold it up.
   *
   * @param options - the signal and the time limit of the wait
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `QUOTA_EXCEEDED` (more than `bytesMax`)
   */
  async ready(options: TimedWaitOptions = {}): Promise<void> {
    this.#throwIfOver()
    await withinWait(this.#client, { what: 'ready', path: this.path }, options, (signal) => this.#mirror.ready(signal))
  }

  /**
   * Listens to changes. A slow listener is not called for each state, but missed changes are in the next.
   *
   * @param listener - called one change at a time; its errors go to the client's `onError`
   * @param options.emitInitial - whether to begin with all that is there, as added; true by default
   * @returns ends the listening
   * @throws CoordinationError `CLIENT_CLOSED` if the cache or the client was closed; `QUOTA_EXCEEDED` if it
   * has ended so
   */
  subscribe(listener: (change: CacheChange) => void | Promise<void>, options: SubscribeOptions = {}): Unsubscribe {
    checkSubscribe(listener, options)
    this.#throwIfOver()
    const named = namedListener(this.#what, this.path, listener)
    return this.#mirror.feed.subscribe(this.path, this.#describe, named, options)
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
    checkIterate(options)
    this.#throwIfOver()
    return this.#mirror.feed.iterate(this.path, this.#describe, options)
  }

  /** Ends subscriptions, iterations and watches. The last snapshot stays readable. Idempotent. */
  close(): Promise<void> {
    return this.#mirror.close()
  }

  /** Closes it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** By path below the root, `''` for that itself; undefined until everything was read once. */
  protected get known(): MirrorSnapshot['nodes'] | undefined {
    return this.#mirror.snapshot?.nodes
  }

  /** Those that are known, parents first; none until they were read once. */
  protected get knownNodes(): readonly MirrorNode[] {
    return [...(this.known ?? [])].filter(([key]) => this.#includes(key)).map(([, node]) => node)
  }

  #throwIfOver(): void {
    const { end } = this.#mirror
    if (end !== null) throw end
  }

  #includes(key: string): boolean {
    return this.#hasRoot || key !== ''
  }

  readonly #describe = ({ previous, current, missed, resync }: Delivery<MirrorSnapshot>): CacheChange | null => {
    const [before, after] = [previous?.nodes ?? NOTHING, current.nodes]
    const part = ([key]: readonly [string, MirrorNode]): boolean => this.#includes(key)
    const added = [...after].filter(part).filter(([key, node]) => !isSameNode(before.get(key), node))
    const removed = [...before].reverse().filter(part).filter(([key, node]) => !isSameNode(after.get(key), node))
    const changed = [...after].filter(part).flatMap(([key, node]) => {
      const known = before.get(key)
      const isWritten = known !== undefined && known !== node && isSameNode(known, node)
      return isWritten ? [{ before: known, after: node }] : []
    })
    const isNews = added.length + removed.length + changed.length > 0
    if (previous !== undefined && !isNews && !resync) return null
    return { added: nodesOf(added), changed, removed: nodesOf(removed), missed, resync }
  }
}

const NOTHING: MirrorSnapshot['nodes'] = new Map()

function isSameNode(a: MirrorNode | undefined, b: MirrorNode): boolean {
  return a?.stat.czxid === b.stat.czxid
}

function nodesOf(entries: readonly (readonly [string, MirrorNode])[]): MirrorNode[] {
  return entries.map(([, node]) => node)
}
