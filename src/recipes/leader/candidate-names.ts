/**
 * How candidates are named: as Curator's LeaderLatch does it, so that its processes and ours exclude each other. A
 * candidate's data are its id in UTF-8, or nothing. A latch watches the candidate before it, and goes by nothing but
 * the end of that: so nothing may be written to a candidate's node before its end.
 */
import type { ContenderNames } from '../engine/contender.ts'
import { curatorNames } from '../engine/curator-names.ts'

/** The names of an election's candidates. */
export const CANDIDATE_NAMES: ContenderNames = curatorNames('latch', { isWritable: true })
