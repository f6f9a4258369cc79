/**
 * Children cache: the children of one node with their data, as a local copy that follows the servers.
 *
 * Safety    each published state existed, for all children together; none is older than one published before.
 *           The last one always arrives.
 * Bound     `bytesMax`: rather than leave out a part, the cache ends.
 * Cost      start: 1 read per child and 2; a change: 1 event + 1 read, for a new or removed child 1 more; a look is
 *           local.
 * Source    Curator PathChildrenCache; kazoo ChildrenWatch.
 */
import type { Client } from '../../core/client.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import type { MirrorNode } from '../engine/mirror.ts'
import { CacheBase, bytesMaxOf } from './cache-base.ts'

/** Options of a {@link ChildrenCache}. */
export interface ChildrenCacheOptions {
  /**
   * The most that it holds, in bytes: of each node its data, twice the length of its path, and 256. Beyond that the
   * cache ends with `QUOTA_EXCEEDED`, and says so to `onError`. 64 MiB by default.
   */
  readonly bytesMax?: number
}

const OPTIONS = optionNames<ChildrenCacheOptions>({ bytesMax: true })

/** The children of a node. */
export class ChildrenCache extends CacheBase {
  /**
   * Makes a cache and begins to read.
   *
   * @param client - through which to read; it closes the cache when it closes
   * @param path - the parent; it need not be there, and is no part of the cache
   * @param options - the limit of its size
   * @throws TypeError or RangeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: ChildrenCacheOptions = {}) {
    refuseUnknown(options, OPTIONS, 'ChildrenCache')
    const bytesMax = bytesMaxOf(options.bytesMax)
    super(client, path, { what: 'ChildrenCache', depth: 1, hasRoot: false, bytesMax })
  }

  /** The children that are known, sorted by name; none until they were read once. */
  get nodes(): readonly MirrorNode[] {
    return this.knownNodes
  }

  /**
   * A child as it is known.
   *
   * @param name - its name, without the path of the parent
   * @returns undefined if there is none, or nothing was read yet
   */
  get(name: string): MirrorNode | undefined {
    return name === '' ? undefined : this.known?.get(name)
  }
}
