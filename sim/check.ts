/**
 * The observers of the simulated world, and the report of one that finds it wrong.
 *
 * Model     a check is a named object that looks at the world after every event, at its end, or both; it throws a
 *           {@link Violation}, which ends the run.
 * Cost      `afterEvent` runs a hundred thousand times a second: it looks only at what is new. The heavy ones wait for
 *           `atEnd`.
 */

/** The kind of a broken promise: one that holds always, or one that holds once the faults have ended. */
export type ViolationKind = 'safety' | 'liveness'

/** One invariant, or a family of them. */
export interface Check {
  /** Short and stable: it is printed and counted. */
  readonly name: string
  /** The invariants of docs/testing.md that it holds the world to, such as `P3`. */
  readonly covers: readonly string[]
  /** Looks at what the last event changed; throws a {@link Violation}. */
  afterEvent?(): void
  /** Looks at the whole run, once everything has come to rest; throws a {@link Violation}. */
  atEnd?(): void
}

/** An invariant was broken. */
export class Violation extends Error {
  override readonly name = 'Violation'
  /** The {@link Check.name} of the check that saw it. */
  readonly check: string
  readonly kind: ViolationKind

  /**
   * @param check - name of the check
   * @param message - the expected and the actual state, with server, session and zxid
   * @param kind - `safety` by default
   */
  constructor(check: string, message: string, kind: ViolationKind = 'safety') {
    super(`${check}: ${message}`)
    this.check = check
    this.kind = kind
  }
}
