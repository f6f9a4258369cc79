/**
 * Mutants of elections and counters.
 */
import type { Mutant } from './mutant.ts'

const ELECTION = 'recipes/leader/leader-election.ts'
const NOTE = 'recipes/leader/leader-note.ts'
const LEADERSHIP = 'recipes/leader/leadership.ts'
const COMPARE_AND_SET = 'recipes/engine/compare-and-set.ts'

export const LEADER_MUTANTS: readonly Mutant[] = [
  {
    name: 'second-candidate-leads-too',
    breaks: 'The second candidate in line leads beside the first.',
    kin: 'CURATOR-620: two leaders',
    edits: [{
      file: ELECTION,
      from: 'return predecessor === undefined ? { granted: true }',
      to: 'return own <= 1 || predecessor === undefined ? { granted: true }',
    }],
    profile: 'recipes',
    workload: 'leaders',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'stale-leader-proclaims',
    breaks: 'A leader writes its note without a check of its own candidate.',
    kin: 'an etcd election whose Proclaim did not compare the creation of the key',
    edits: [{
      file: NOTE,
      from: '[checkIdentity(candidate), ...writing(',
      to: "[{ type: 'check', path: '/', version: -1 }, ...writing(",
    }],
    profile: 'operators',
    workload: 'leaders',
    expected: { seeds: 200, seedsWithoutAssertions: 200, likely: 3 },
  },
  {
    name: 'leadership-begun-unproven',
    breaks: 'A leader that proclaims first is given its office although its session may be over by then.',
    kin: 'redlock#296',
    edits: [{
      file: LEADERSHIP,
      from: '!(await proveLease(this.#election.client, this.#candidate, own))',
      to: 'false',
    }],
    expected: { test: 'test/recipes/engine/lease-proof.test.ts' },
  },
  {
    name: 'note-outlives-leader',
    breaks: 'A leader that resigns leaves its note.',
    kin: 'stale endpoints of a former leader',
    edits: [{ file: LEADERSHIP, from: 'if (!this.#hasNote)', to: 'if (true)' }],
    profile: 'recipes',
    workload: 'leaders',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'resignation-told-late',
    breaks: 'A resignation is told when the servers have confirmed it, so that another may lead by then.',
    kin: 'a leader that works on while its successor begins',
    edits: [{
      file: LEADERSHIP,
      from: 'if (this.#ending?.signal.aborted === false)',
      to: 'if (void releasing.then(() => this.#ending?.abort(resignedError(this.path))), false)',
    }],
    expected: { test: 'test/recipes/leader/resignation.test.ts' },
  },
  {
    name: 'transfer-not-told',
    breaks: 'Those who work under a leadership hear of a transfer when the other one leads.',
    kin: 'a leader that works on while its successor begins',
    edits: [{
      file: LEADERSHIP,
      from: 'abortable(this.#giveBack(), wait.signal)',
      to: 'abortable(this.#lease.release(), wait.signal)',
    }],
    expected: { test: 'test/recipes/leader/resignation.test.ts' },
  },
  {
    name: 'counter-written-by-force',
    breaks: 'An update writes its number whatever is there by then.',
    kin: 'the lost update',
    edits: [{
      file: COMPARE_AND_SET,
      from: 'found === null ? null : seenBy(client, found.stat)',
      to: "found === null ? null : 'any'",
    }],
    profile: 'recipes',
    workload: 'leaders',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'equal-step-taken-for-own',
    breaks: 'A step whose answer was lost counts as made if the number is what it would have made.',
    kin: 'DistributedAtomicValue.tryOnce, which counts a step of another as its own',
    edits: [{
      file: COMPARE_AND_SET,
      from: 'return await writeUntilKnown(client, { path, data, expected, signal, isEqualOurs: false }',
      to: 'return await writeUntilKnown(client, { path, data, expected, signal, isEqualOurs: true }',
    }],
    profile: 'churn',
    workload: 'leaders',
    expected: { seeds: 300, seedsWithoutAssertions: 300, likely: 7 },
  },
  {
    name: 'unknown-step-made-again',
    breaks: 'A step whose answer was lost is made again.',
    kin: 'CURATOR-584: a retried setData after a lost reply counts twice',
    edits: [{
      file: COMPARE_AND_SET,
      from: "if (!isCoordinationError(error, 'BAD_VERSION') || attempt === attemptsMax)",
      to: "if (!isCoordinationError(error, 'BAD_VERSION', 'CONNECTION_LOSS') || attempt === attemptsMax)",
    }],
    profile: 'churn',
    workload: 'leaders',
    expected: { seeds: 100, seedsWithoutAssertions: 100, likely: 4 },
  },
]
