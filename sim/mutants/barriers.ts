/**
 * Mutants of the double barrier.
 */
import type { Mutant } from './mutant.ts'

const DOUBLE = 'recipes/barriers/double-barrier.ts'
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
]
