/**
 * Mutants of locks that are made of others.
 */
import type { Mutant } from './mutant.ts'

const MULTI = 'recipes/locks/multi-lock.ts'
const JOINT = 'recipes/engine/joint-lease.ts'

export const LOCK_MUTANTS: readonly Mutant[] = [
  {
    name: 'multi-lock-order-as-given',
    breaks: 'A multi-lock acquires its locks in the order in which they were given.',
    kin: 'Curator InterProcessMultiLock, whose order is that of its arguments',
    edits: [{
      file: MULTI,
      from: 'places.sort((a, b) => (a.fullPath < b.fullPath ? -1 : 1))',
      to: 'void places',
    }],
    expected: { test: 'test/sim/multi-lock-scope.test.ts', named: 'never wait for each other, whenever they come' },
  },
  {
    name: 'lost-part-not-told',
    breaks: 'A joint lease does not hear of the loss of its last part.',
    kin: 'a holder of two locks that is told of the loss of one',
    edits: [{
      file: JOINT,
      from: 'this.#unlisten = parts.map(',
      to: 'this.#unlisten = parts.slice(0, -1).map(',
    }],
    expected: {
      test: 'test/recipes/locks/multi-lock.test.ts',
      named: 'is lost with any of its parts, and releases the others',
    },
  },
]
