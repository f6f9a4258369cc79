/**
 * Mutants of barriers.
 */
import type { Mutant } from './mutant.ts'

const DOUBLE = 'recipes/barriers/double-barrier.ts'
const GATE = 'recipes/barriers/gate-node.ts'
const TEST = 'test/recipes/barriers/double-barrier.test.ts'

export const BARRIER_MUTANTS: readonly Mutant[] = [
  {
    name: 'round-opened-unchecked',
    breaks: 'A round opens by members that have been counted, whether they are still there or not.',
    kin: 'Curator DistributedDoubleBarrier, kazoo DoubleBarrier',
    edits: [{ file: DOUBLE, from: '[...checks, create]', to: '[create]' }],
    expected: { test: TEST, named: 'does not open by a member that died after it was counted' },
  },
  {
    name: 'round-of-the-past-entered',
    breaks: 'A ready that an earlier round has left lets members in.',
    kin: 'CURATOR-80; Curator DistributedDoubleBarrier, kazoo DoubleBarrier',
    edits: [{ file: DOUBLE, from: 'found.czxid > member.czxid', to: 'found.czxid > 0n' }],
    expected: {
      test: TEST,
      named: 'removes what a round has left whose members all died inside, and lets nobody in by it',
    },
  },
  {
    name: 'late-member-taken-away',
    breaks: 'A member that came too late is withdrawn also when the next round may count on it.',
    kin: 'a member of a round of ours that was alone in it',
    edits: [{ file: DOUBLE, from: '[checkIdentity(round), remove]', to: '[remove, remove].slice(1)' }],
    expected: { test: TEST, named: 'counts on a member that came during a round once that is over' },
  },
  {
    name: 'member-of-no-round-let-in',
    breaks: 'A member whose node was gone before the round opened is in it.',
    kin: 'the double barrier of ours that the simulation found: three in a round of two',
    edits: [{ file: DOUBLE, from: 'found?.czxid === member.czxid', to: 'Object.is(found, found)' }],
    expected: { test: TEST, named: 'is not in by a round that opened when its node was gone already' },
  },
  {
    name: 'gate-removed-by-path',
    breaks: 'A lowering that is repeated after a lost answer lowers whatever barrier is there by then.',
    kin: 'Curator DistributedBarrier, kazoo Barrier',
    edits: [{ file: GATE, from: 'client.multi([checkIdentity(node), remove]', to: 'client.multi([remove]' }],
    workload: 'barriers',
    profile: 'ebb',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'gate-looked-at-unsynced',
    breaks: 'Who comes to a barrier looks at a server that may be behind.',
    kin: 'ZOOKEEPER-1675; kazoo Barrier, whose wait() reads without a sync',
    edits: [{ file: GATE, from: 'wait.insist(() => client.sync(path, { signal }))', to: 'void 0' }],
    workload: 'barriers',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20, likely: 11 },
  },
]
