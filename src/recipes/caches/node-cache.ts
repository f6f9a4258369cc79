/**
 * Node cache: one node, there or not, as a local copy that follows the servers.
 *
 * Safety    each published state existed; none is older than one published before. The last one always arrives.
 * Cost      start: 1 read, and 1 more while there is no node; a change: 1 event + 1 read; a look is local.
 * Source    Curator CuratorCache with SINGLE_NODE_CACHE; kazoo DataWatch.
 */
import type { Client } from '../../core/client.ts'
import type { MirrorNode } from '../engine/mirror.ts'
import { CacheBase } from './cache-base.ts'

/** One node. */
export class NodeCache extends CacheBase {
  /**
   * Makes a cache and begins to read.
   *
   * @param client - through which to read; it closes the cache when it closes
   * @param path - the node; it need not be there
   * @throws TypeError if the path is none
   */
  constructor(client: Client, path: string) {
    super(client, path, { what: 'NodeCache', depth: 0, hasRoot: true })
  }

  /** The node as it is known; null if there is none, undefined until that was read once. */
  get current(): MirrorNode | null | undefined {
    const { known } = this
    return known === undefined ? undefined : (known.get('') ?? null)
  }
}
