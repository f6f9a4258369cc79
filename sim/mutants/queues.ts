/**
 * Mutants of the queue.
 */
import type { Mutant } from './mutant.ts'

const TEST = 'test/recipes/queues/distributed-queue.test.ts'

export const QUEUE_MUTANTS: readonly Mutant[] = [
  {
    name: 'item-removed-unclaimed',
    breaks: 'A consumer removes an item, and the claim of whoever has it now, without a look at its own.',
    kin: 'CURATOR-605',
    edits: [{
      file: 'recipes/queues/item-lease.ts',
      from: '[checkIdentity(this.#claim), ...removals, ...more]',
      to: '[...removals, ...more]',
    }],
    expected: { test: TEST, named: 'counts attempts over crashes, and puts away what was handed out too often' },
  },
  {
    name: 'claim-of-a-given-up-take-kept',
    breaks: 'A take that is given up leaves the claim that it has sent.',
    kin: 'CURATOR-79; kazoo#429',
    edits: [{
      file: 'recipes/queues/item-claim.ts',
      from: 'await withdraw(client, claiming, path, mark)',
      to: 'void 0',
    }],
    expected: { test: TEST, named: 'leaves no claim and no watch behind when a take ends' },
  },
]
