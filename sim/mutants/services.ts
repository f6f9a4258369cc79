/**
 * Mutants of service discovery.
 */
import type { Mutant } from './mutant.ts'

const REGISTRY = 'recipes/services/service-registry.ts'
const WATCHER = 'recipes/services/service-watcher.ts'

/** Mutants of service discovery. */
export const SERVICE_DISCOVERY_MUTANTS: readonly Mutant[] = [
  {
    name: 'update-forgets-the-one-before',
    breaks: 'An update of an instance begins with what it was registered with, and not with the updates before.',
    kin: 'a change of one field that is made to a stale copy of all',
    edits: [{ file: REGISTRY, from: 'this.#instance = instance', to: 'void instance' }],
    workload: 'services',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'instance-made-again-untold',
    breaks: 'An instance that has registered again is not told of, if it says the same.',
    kin: 'CURATOR-391: a comparison of contents misses what was deleted and made again',
    edits: [{
      file: WATCHER,
      from: 'before.get(name) !== one',
      to: 'JSON.stringify({ ...before.get(name), incarnation: 0 }) !== JSON.stringify({ ...one, incarnation: 0 })',
    }],
    workload: 'services',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20, likely: 3 },
  },
  {
    name: 'registered-by-the-words-of-another-call',
    breaks: 'An instance counts as registered while its node says what an earlier call was to say.',
    kin: 'the registry of ours that the simulation found',
    edits: [{ file: 'recipes/engine/kept-node.ts', from: 'if (isFresh)', to: 'if (!Object.is(isFresh, null))' }],
    expected: { test: 'test/recipes/services/service-registry.test.ts', named: 'says what it was told to' },
  },
]
