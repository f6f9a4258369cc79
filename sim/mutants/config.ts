/**
 * Mutants of configurations: roll-outs, layers and secrets.
 */
import type { Mutant } from './mutant.ts'

const PLANS = 'recipes/config/rollout-plans.ts'
const FOLLOWER = 'recipes/config/rollout-follower.ts'
const LAYERED = 'recipes/config/layered-config.ts'
const CENTER = 'recipes/config/config-center.ts'

export const CONFIG_MUTANTS: readonly Mutant[] = [
  {
    name: 'staged-value-overwritten',
    breaks: 'A publish for all goes past a value that is staged, and nobody is told.',
    kin: 'Apollo 1677: a later publish overwrote the staged value where it was in force',
    edits: [{ file: PLANS, from: "head.staged === null || policy === 'keep'", to: 'true' }],
    expected: { test: 'test/recipes/config/rollout.test.ts' },
  },
  {
    name: 'promotion-with-a-gap',
    breaks: 'A process that had the staged value goes back to the older one until it has read the new one.',
    kin: 'Apollo: a grayscale release that flickers when it is merged',
    edits: [{ file: FOLLOWER, from: 'over !== undefined && over.zxid < until', to: 'false' }],
    // It takes a value whose check takes longer than the reading of the end of its roll-out.
    expected: { test: 'test/recipes/config/rollout.test.ts' },
  },
  {
    name: 'ended-roll-out-taken',
    breaks: 'A staged value comes into force although its roll-out ended while the value was checked.',
    kin: 'every check that takes its time, and does not look again after it',
    edits: [{ file: FOLLOWER, from: '!mirror.isSettled || mirror.snapshot !== snapshot', to: 'false' }],
    // It takes a value whose check takes its time.
    expected: { test: 'test/recipes/config/rollout.test.ts' },
  },
  {
    name: 'kept-again',
    breaks: 'A staged value that a value for all has followed is kept again until the next one for all is read.',
    kin: 'every state that is remembered beyond its end',
    edits: [{
      file: FOLLOWER,
      from: 'state === undefined ? null : this.of(state)',
      to: "this.#word?.state === 'withdrawn' ? null : this.#word ?? null",
    }],
    // It takes a process that misses the end of several roll-outs in a row.
    expected: { test: 'test/recipes/config/rollout.test.ts' },
  },
  {
    name: 'withdrawal-looks-old',
    breaks: 'After a withdrawal the value for all is told with its own zxid, older than that of the staged one.',
    kin: 'every fenced consumer that ignores a roll-back',
    edits: [{ file: CENTER, from: 'withdrawnAt > entry.zxid ? withdrawnAt : entry.zxid', to: 'entry.zxid' }],
    expected: { test: 'test/recipes/config/rollout.test.ts' },
  },
  {
    name: 'starts-without-the-staged-value',
    breaks: 'A process tells the value for all before it knows whether another is staged for it.',
    kin: 'every canary that serves the old configuration for a moment after each restart',
    edits: [{ file: FOLLOWER, from: 'return this.#word !== undefined', to: 'return true' }],
    expected: { test: 'test/recipes/config/rollout.test.ts' },
  },
  {
    name: 'secret-of-any-path',
    breaks: 'The path is not authenticated: a secret that is copied to another node is taken there.',
    kin: 'every encrypted value that can be swapped for another',
    edits: [{ file: 'recipes/config/secret-codec.ts', from: '\\n${path}', to: '' }],
    expected: { test: 'test/recipes/config/secret-codec.test.ts' },
  },
  {
    name: 'layers-out-of-order',
    breaks: 'A merge whose validation takes its time comes into force after a later one.',
    kin: 'every asynchronous validation without an order',
    edits: [{ file: LAYERED, from: 'before.then(() => this.#mergeNow())', to: 'this.#mergeNow()' }],
    expected: { test: 'test/recipes/config/layered-config.test.ts' },
  },
]
