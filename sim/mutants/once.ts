/**
 * Mutants of work that is done once.
 */
import type { Mutant } from './mutant.ts'

const ONCE = 'recipes/once/once-only.ts'
const TEST = 'test/recipes/once/once-only.test.ts'

export const ONCE_MUTANTS: readonly Mutant[] = [
  {
    name: 'once-without-a-second-look',
    breaks: 'Whoever gets the lock does the work, also if another has recorded a result meanwhile.',
    kin: 'every check-then-lock without a check under the lock',
    edits: [{ file: ONCE, from: 'found !== null && !(await this.#isOver(found, lease, signal))', to: 'false' }],
    expected: { test: TEST },
  },
  {
    name: 'once-recorded-unfenced',
    breaks: 'A result is recorded although the lease was lost meanwhile.',
    kin: 'SET NX with a time-out: whoever is slower is overtaken, and still writes its result',
    edits: [{ file: ONCE, from: '[lease.check(), write]', to: '[write]' }],
    expected: { test: TEST },
  },
]
