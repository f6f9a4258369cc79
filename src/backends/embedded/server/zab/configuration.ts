/**
 * The part of a server's configuration that consensus needs: who votes, and how long each wait lasts.
 */

/** Who votes, and the limits of an election and of an attempt to lead or follow. Durations are in ticks of `tickMs`. */
export interface ZabConfig {
  /** This server's id, 1 to 254. */
  readonly myid: number
  /** Ids of the servers that vote, ascending. A server that is not among them is an observer. */
  readonly voters: readonly number[]
  /**
   * Whether transactions say who the servers are, once one has said it; then {@link ZabConfig.voters} are the first. It
   * is so also where nobody may change them.
   */
  readonly reconfigurable: boolean
  /**
   * Whether a server may vote whose storage does not say so: true for the first start of an ensemble. A server that
   * lost its storage and comes back under its old id has forgotten what it promised, so it must not (decision 0006).
   */
  readonly bootstrap: boolean
  /**
   * Whether a voter with an empty storage gets its vote from the word of all other voters that they have promised
   * nothing either: for ensembles of processes, none of which sees the storages of the others (decision 0016).
   */
  readonly beginsTogether: boolean
  /** How long a server waits for better votes once it has a majority that is not everybody. */
  readonly electionWaitTicks: number
  /** First and longest time between two repetitions of a vote; it doubles in between. */
  readonly notificationTicksMin: number
  readonly notificationTicksMax: number
  /** How long discovery and synchronisation may take. */
  readonly initLimitTicks: number
  /** How long a leader goes on without a majority, and a learner without its leader. */
  readonly syncLimitTicks: number
  /** Time between two pings of the leader. */
  readonly pingTicks: number
  /** How many applied entries are kept in memory to synchronise learners by DIFF, and how many bytes of them. */
  readonly commitLogCount: number
  readonly commitLogBytes: number
  /** The first leader's epoch is not less than this: later than any that the ensemble had in an earlier life. */
  readonly firstEpoch: number
  /** Last counter of an epoch; after it the leader makes way for an election. */
  readonly epochCounterMax: number
}
