/**
 * Decoders, servers and clients that are wrong on purpose: proof that the fuzzer sees what it is there for.
 *
 * Model     a patch of compiled code, as those of the simulation (sim/mutants).
 */
import type { Edit } from '../sim/mutants/mutant.ts'

/** One broken rule. */
export interface FuzzMutant {
  readonly name: string
  /** The rule, as it is broken. */
  readonly breaks: string
  readonly edits: readonly Edit[]
  /** The target that shows it. */
  readonly target: string
  /** The finding that has to come of it. */
  readonly expected: RegExp
}

/** All mutants. */
export const FUZZ_MUTANTS: readonly FuzzMutant[] = []
