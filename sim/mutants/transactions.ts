/**
 * Mutants of transactions.
 */
import type { Mutant } from './mutant.ts'

const COMMIT = 'recipes/transactions/commit.ts'
const TRANSACT = 'recipes/transactions/transact.ts'

/** Mutants of transactions. */
export const TRANSACTION_MUTANTS: readonly Mutant[] = [
  {
    name: 'reads-uncompared',
    breaks: 'A commit compares whether what was read is there, and not what it was.',
    kin: 'the lost update',
    edits: [{ file: COMMIT, from: 'isCompared ? found.stat.version : ANY_VERSION', to: 'ANY_VERSION' }],
    workload: 'transactions',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'newcomers-to-a-list-unnoticed',
    breaks: 'A commit does not compare whether nodes have come to a list that was read.',
    kin: 'the phantom read; write skew over a range',
    edits: [{ file: COMMIT, from: 'counts.push(...countGuard(path, list.stat))', to: 'void countGuard' }],
    workload: 'transactions',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'commit-of-unknown-outcome-made-again',
    breaks: 'A transaction whose commit got no answer runs again.',
    kin: 'CURATOR-584; money that moves twice',
    edits: [{
      file: TRANSACT,
      from: '(isHarmless || isUndone)',
      to: '(isHarmless || isUndone || isOutcomeUnknown(error))',
    }],
    workload: 'transactions',
    profile: 'ebb',
    expected: { seeds: 20, seedsWithoutAssertions: 20, likely: 6 },
  },
]
