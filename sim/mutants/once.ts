/**
 * Mutants of work that is done once.
 */
import type { Mutant } from './mutant.ts'

const ONCE = 'recipes/once/once-only.ts'

export const ONCE_MUTANTS: readonly Mutant[] = [
  {
    name: 'once-without-a-second-look',
    breaks: 'Whoever gets the lock does the work, also if another has recorded a result meanwhile.',
    kin: 'every check-then-lock without a check under the lock',
    edits: [{ file: ONCE, from: 'found !== null && !(await this.#isOver(found, lease, signal))', to: 'false' }],
    workload: 'once',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'once-recorded-unfenced',
    breaks: 'A result is recorded although the lease was lost meanwhile.',
    kin: 'SET NX with a time-out: whoever is slower is overtaken, and still writes its result',
    edits: [{ file: ONCE, from: '[lease.check(), write]', to: '[write]' }],
    workload: 'once',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20, likely: 10 },
  },
  {
    name: 'once-over-by-own-clock',
    breaks: 'A result is over by the clock of whoever asks.',
    kin: 'idempotency keys that each server expires by its own clock',
    edits: [{ file: ONCE, from: 'place.ctime - stat.mtime >=', to: 'Date.now() - stat.mtime >=' }],
    workload: 'once',
    profile: 'pause',
    expected: { seeds: 60, seedsWithoutAssertions: 60, likely: 4 },
  },
]
