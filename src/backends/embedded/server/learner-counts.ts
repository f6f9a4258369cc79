/**
 * The learners of a leader, in numbers. This file is a wall: the consensus (zab/) counts, operators see the counts
 * (inspection.ts), and neither side imports the other. Nothing but numbers may pass here.
 */

/** Who learns from a leader, and what waits for its word. */
export interface LearnerCounts {
  /** All of them. */
  readonly learners: number
  /** Those that are synchronised and vote. */
  readonly followers: number
  /** Voters that are synchronised, and have no vote until what they may have promised is void (decision 0006). */
  readonly followersWithoutVote: number
  /** Observers that are synchronised. */
  readonly observers: number
  /** Syncs that no majority has confirmed yet. */
  readonly pendingSyncs: number
}
