/** A finding of `quorate doctor`: what it is, why it matters, what to do; and the check that it is of. */

/** The checks, in the order of the report. */
export const CHECKS = [
  ...(['session', 'latency', 'clock', 'quorum', 'servers'] as const),
  ...(['words', 'locks', 'sizes', 'orphans'] as const),
] as const

/** One of the checks. */
export type CheckName = (typeof CHECKS)[number]

/** Something that should be mended (`bad`), that may become so (`warn`), or that is good to know (`note`). */
export interface Finding {
  readonly level: 'bad' | 'warn' | 'note'
  /** The finding in a sentence, with the values. */
  readonly what: string
  /** Why it matters. */
  readonly why: string
  /** The advice. */
  readonly todo: string
}

/** The result of a check. */
export interface Checked {
  readonly check: CheckName
  /** The observation, in a line; the reason, if it was left out. */
  readonly says: string
  /** Whether it could not be made. */
  readonly isLeftOut: boolean
  readonly findings: readonly Finding[]
}

/** A check that was made. */
export function checked(check: CheckName, says: string, findings: readonly Finding[]): Checked {
  return { check, says, isLeftOut: false, findings }
}

/** A check that could not be made. */
export function leftOut(check: CheckName, says: string): Checked {
  return { check, says, isLeftOut: true, findings: [] }
}

/** A number of things, for people. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}
