/**
 * Tree cache: a node and all that is below it, as a local copy that follows the servers.
 *
 * Safety    each published state existed, for the whole tree at one moment; none is older than one published
 *           before. The last one always arrives.
 * Bounds    `bytesMax`: rather than leave out a part, the cache ends. `maxDepth` and `filter` say what it is of:
 *           nothing else is read or watched.
 * Cost      start: 2 reads per node; a change: 1 event + 1 read, for a new or removed node 1 or 2 more. A look is
 *           local, but each published state costs a walk through the copy, and so do `nodes` and `children`.
 * Source    Curator TreeCache and CuratorCache; kazoo TreeCache.
 */
import type { Client } from '../../core/client.ts'
import { optionNames, refuseUnknown, validateFunction, validateInteger } from '../../core/options.ts'
import { parentOf, validatePath } from '../../core/path.ts'
import type { MirrorNode } from '../engine/mirror.ts'
import { CacheBase, bytesMaxOf } from './cache-base.ts'

/** Options of a {@link TreeCache}. */
export interface TreeCacheOptions {
  /** How far down it goes: 0 is the node alone, 1 with its children, and so on. Without limit by default. */
  readonly maxDepth?: number
  /**
   * Whether a node below the root is part of it, and all below that; every one by default. It is given the whole path
   * and must say the same whenever it is asked. A node for which it throws is left out, and `onError` gets the error.
   */
  readonly filter?: (path: string) => boolean
  /**
   * The most that it holds, in bytes: of each node its data, twice the length of its path, and 256. Beyond that the
   * cache ends with `QUOTA_EXCEEDED`, and says so to `onError`. 64 MiB by default.
   */
  readonly bytesMax?: number
}

const OPTIONS = optionNames<TreeCacheOptions>({ maxDepth: true, filter: true, bytesMax: true })

/** A node and what is below it. */
export class TreeCache extends CacheBase {
  /**
   * Makes a cache and begins to read.
   *
   * @param client - through which to read; it closes the cache when it closes
   * @param path - the root; it need not be there
   * @param options - the depth and filter of the tree, and the limit of its size
   * @throws TypeError or RangeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: TreeCacheOptions = {}) {
    refuseUnknown(options, OPTIONS, 'TreeCache')
    const { maxDepth: depth = Infinity, filter } = options
    if (depth !== Infinity) validateInteger('maxDepth', depth, 0, Number.MAX_SAFE_INTEGER)
    validateFunction('filter', filter)
    const bytesMax = bytesMaxOf(options.bytesMax)
    super(client, path, { what: 'TreeCache', depth, hasRoot: true, filter, bytesMax })
  }

  /** The nodes that are known, each after its parent; none until they were read once. */
  get nodes(): readonly MirrorNode[] {
    return this.knownNodes
  }

  /**
   * A node as it is known.
   *
   * @param path - its whole path
   * @returns undefined if there is none, or nothing was read yet
   * @throws TypeError if the path is none, RangeError if it is not at or below the root
   */
  get(path: string): MirrorNode | undefined {
    return this.known?.get(this.#keyOf(path))
  }

  /**
   * The children of a node as they are known, sorted by name.
   *
   * @param path - the whole path of their parent
   * @returns none if there is no such node, or nothing was read yet
   * @throws TypeError if the path is none, RangeError if it is not at or below the root
   */
  children(path: string): readonly MirrorNode[] {
    this.#keyOf(path)
    return this.nodes.filter((node) => node.path !== this.path && parentOf(node.path) === path)
  }

  #keyOf(path: string): string {
    validatePath(path)
    if (path === this.path) return ''
    const base = this.path === '/' ? '/' : `${this.path}/`
    if (path.startsWith(base)) return path.slice(base.length)
    throw new RangeError(`${path} is not at or below ${this.path}, which this TreeCache is of`)
  }
}
