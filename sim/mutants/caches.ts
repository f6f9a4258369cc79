/**
 * Mutants of caches.
 */
import type { Mutant } from './mutant.ts'

const VIEW = 'recipes/caches/cache-base.ts'

export const CACHE_MUTANTS: readonly Mutant[] = [
  {
    name: 'remade-node-told-as-changed',
    breaks: 'A node that was deleted and made again is told as one that changed.',
    kin: 'CURATOR-391; CuratorCache still compares versions alone',
    edits: [{ file: VIEW, from: 'a?.stat.czxid === b.stat.czxid', to: 'a?.stat.dataLength !== undefined' }],
    workload: 'caches',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'mirror-publishes-unfinished',
    breaks: 'A mirror publishes what it has read while it still has to read the rest.',
    kin: "caches that tell each node for itself, as Curator's and kazoo's do: a move between two nodes is seen halfway",
    edits: [{
      file: 'recipes/engine/mirror.ts',
      from: 'this.#dirtyData.size === 0 && this.#dirtyNames.size === 0',
      to: 'this.#dirtyNames.size === 0',
    }],
    workload: 'caches',
    profile: 'recipes',
    expected: { seeds: 50, seedsWithoutAssertions: 50 },
  },
]
