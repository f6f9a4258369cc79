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
    name: 'settlement-given-up-keeps-the-claim',
    breaks: 'A consumer that gives up before it has sent its settlement keeps the item, and nobody works on it.',
    kin: 'a refused deadLetter() of this queue: the item stayed with a session that had nobody to settle it',
    edits: [{
      file: 'recipes/queues/item-lease.ts',
      from: "isCoordinationError(error) && this.#stage === 'leased'",
      to: "isCoordinationError(error) && this.#stage === 'settled'",
    }],
    workload: 'queues',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20, likely: 2 },
  },
  {
    name: 'dead-item-holds-up-others',
    breaks: 'An item that cannot be put away, since there is no room, fails every take.',
    kin: 'head-of-line blocking by a poison message whose dead-letter queue is full',
    edits: [{
      file: 'recipes/queues/distributed-queue.ts',
      from: "if (!isCoordinationError(error, 'QUEUE_FULL'))",
      to: "if (isCoordinationError(error, 'QUEUE_FULL'))",
    }],
    expected: { test: TEST, named: 'passes over what cannot be put away' },
  },
  {
    name: 'refused-item-taken-at-once',
    breaks: 'A consumer that has no room to put an item away takes it again at once, and again.',
    kin: 'ours: a hot loop over a poison message whose dead-letter queue is full',
    edits: [{
      file: 'recipes/queues/distributed-queue.ts',
      from: 'onFull: () => this.#setBacks.note(name)',
      to: 'onFull: () => undefined',
    }],
    expected: { test: TEST, named: 'leaves an item alone that it had no room to put away' },
  },
  {
    name: 'delayed-item-given-early',
    breaks: 'An item is handed out before it is due.',
    kin: 'a delay queue that looks at the order of its items and not at the clock',
    edits: [{
      file: 'recipes/queues/distributed-queue.ts',
      from: 'dueMs <= nowMs && this.#setBacks',
      to: 'dueMs <= nowMs + dueMs && this.#setBacks',
    }],
    workload: 'queues',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
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
