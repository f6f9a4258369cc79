/**
 * Mutants: servers, clients and recipes with one rule broken. They check the checkers: a simulation that finds nothing
 * is worth something only if it finds these.
 *
 * Model     a mutant is a patch of compiled code, applied to a copy of it (patch.ts). So what is published has no
 *           switch that could break it, and what is tested is the very code that is published, but for the patch
 *           (decision 0004).
 * Verdict   each is caught within a stated number of seeds; or, where its rule is needed once in many thousand, by a
 *           test of its own; or there is a reason why nobody could ever tell the difference.
 */
import type { ProfileName } from '../../src/testing/simulation/profiles.ts'

/** One change of one file. */
export interface Edit {
  /** The file, below `src`. */
  readonly file: string
  /** The text that stands exactly once in what the compiler makes of the file. */
  readonly from: string
  readonly to: string
}

/** A mutant is to be found by the simulation. */
export interface Caught {
  /** Seeds within which something is found. */
  readonly seeds: number
  /** The same where `assert` does nothing: the checks outside have to see it by themselves. Absent if they need not. */
  readonly seedsWithoutAssertions?: number
  /** One of these seeds that has found it: tests try it first. If it no longer finds it, another one has to. */
  readonly likely?: number
}

/** A mutant whose rule is needed so rarely that no run of the simulation can be relied on to need it. */
export interface Directed {
  /** The file of the test that watches over the rule, from the root of the repository. */
  readonly test: string
  /** Part of its name: no other test is run. Absent where any test of the file may fail. */
  readonly named?: string
}

/** A mutant that nobody can tell from the original. */
export interface Equivalent {
  /** Why: the proof. */
  readonly because: string
}

/** One broken rule. */
export interface Mutant {
  /** Its name: words with hyphens. */
  readonly name: string
  /** The rule, as it is broken. */
  readonly breaks: string
  /** A bug of this kind that did happen to somebody, or who described it. */
  readonly kin: string
  /** The changes; all of them make one broken rule. */
  readonly edits: readonly Edit[]
  /** The climate in which it shows; any, if absent. */
  readonly profile?: ProfileName
  /** The workload that shows it; any, if absent. */
  readonly workload?: string
  /** How many servers vote in the world that shows it; drawn, if absent. */
  readonly servers?: number
  /** How many clients there are at a time; drawn, if absent. */
  readonly clients?: number
  /** Who is to notice, and how soon. */
  readonly expected: Caught | Directed | Equivalent
}
