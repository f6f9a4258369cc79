/**
 * Mutants of the partitioner.
 */
import type { Mutant } from './mutant.ts'

const SHARE = 'recipes/membership/partition-share.ts'

export const PARTITION_MUTANTS: readonly Mutant[] = [
  {
    name: 'item-given-away-untold',
    breaks: 'A member gives an item away, and the signal of its assignment does not fire.',
    kin: 'Kafka consumers that worked on for partitions that had been revoked',
    edits: [{ file: SHARE, from: 'held.end()', to: 'void 0' }],
    workload: 'partitions',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'item-held-without-proof',
    breaks: 'An assignment counts as held until its signal fires, whatever the clock says.',
    kin: 'CURATOR-206, redlock',
    edits: [{ file: SHARE, from: "this.#node.state === 'registered' ? 'held' : 'suspect'", to: "'held'" }],
    workload: 'partitions',
    profile: 'pause',
    expected: { seeds: 60, seedsWithoutAssertions: 60 },
  },
  {
    name: 'revoke-not-awaited',
    breaks: 'An item is given away while its owner still lets go of it.',
    kin: "kazoo SetPartitioner without acquire's wait; eager rebalances",
    edits: [{ file: SHARE, from: 'await this.#revoke(held)', to: 'void this.#revoke(held)' }],
    workload: 'partitions',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
]
