/** What a leader leads, in numbers: what it counts, and what operators are shown. */

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
