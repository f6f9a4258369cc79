/**
 * How candidates are named: as a library of another language does it, so that its processes and ours exclude each
 * other. A candidate's data are its id in UTF-8, or nothing.
 *
 * Latch     watches the candidate before it, and goes by nothing but the end of that: so nothing may be written to a
 *           candidate's node before its end.
 */
import type { ContenderNames } from '../engine/contender.ts'
import { curatorNames } from '../engine/curator-names.ts'
import { lockNames } from '../engine/lock-names.ts'

/** Whose elections these are: Curator's LeaderLatch, its LeaderSelector, or kazoo's Election. */
export type ElectionLayout = 'latch' | 'selector' | 'kazoo'

/** The names of a latch's candidates, which are those of elections by default. */
export const CANDIDATE_NAMES: ContenderNames = curatorNames('latch', { isWritable: true })

/** The names of an election's candidates. A selector and kazoo's elections are locks, which know each other's names. */
export const NAMES_OF: Readonly<Record<ElectionLayout, ContenderNames>> = Object.freeze({
  latch: CANDIDATE_NAMES,
  selector: lockNames('curator'),
  kazoo: lockNames('kazoo'),
})
