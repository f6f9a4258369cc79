/**
 * Rare situations that a long run has to reach. One that was never reached says that the world is too kind, or that the
 * situation cannot be; both have to be known.
 */

/** Every probe, and what was seen when it is hit. */
export const PROBES = Object.freeze({
  // Synchronisation of a learner
  'sync-diff': 'a learner was synchronised by DIFF',
  'sync-trunc': 'a learner was synchronised by TRUNC',
  'sync-snap': 'a learner was synchronised by SNAP',
  'diff-interrupted': 'a DIFF arrived, and its learner gave up before NEWLEADER',
  'trunc-interrupted': 'a TRUNC arrived, and its learner gave up before NEWLEADER',
  'snap-interrupted': 'a SNAP arrived, and its learner gave up before NEWLEADER',
  'diff-unacknowledged': 'after a DIFF, NEWLEADER arrived and its ACK did not',
  'trunc-unacknowledged': 'after a TRUNC, NEWLEADER arrived and its ACK did not',
  'snap-unacknowledged': 'after a SNAP, NEWLEADER arrived and its ACK did not',
  'diff-never-up-to-date': 'after a DIFF, the ACK of NEWLEADER arrived and UPTODATE did not',
  'trunc-never-up-to-date': 'after a TRUNC, the ACK of NEWLEADER arrived and UPTODATE did not',
  'snap-never-up-to-date': 'after a SNAP, the ACK of NEWLEADER arrived and UPTODATE did not',
  'rewound': 'a leader cut off what a server had applied as it read the files of a ZooKeeper',
  'joiner-with-proposals-in-flight': 'NEWLEADER reached a learner while its leader had proposals under way',
  'commit-before-up-to-date': 'a COMMIT arrived between NEWLEADER and UPTODATE',
  'observer-synchronised': 'an observer serves',
  'observer-caught-up-by-snap': 'an observer was synchronised by SNAP',
  'amnesiac-votes-again': 'a server that lost its disk has caught up and votes again',
  'amnesiac-lost-again': 'a server that lost its disk went down before it had caught up',

  // Elections
  'leader-established': 'a leader was established',
  'two-leaders': 'a leader was established while an earlier one still believed to serve',
  'epoch-never-established': 'an epoch was accepted by a learner and never established',
  'abdicated-to-higher-epoch': 'a leader met a server that had accepted a higher epoch',
  'abdicated-to-longer-history': 'a leader met a server that had seen more',
  'abdicated-without-majority': 'a leader lost its majority',
  'abdicated-unestablished': 'a leader found no majority in time',
  'abdicated-counter-used-up': 'the counter of an epoch was used up',
  'learner-lost-leader': 'a learner gave up its leader',
  'established-again': 'the leader of an epoch was established again in the next',
  'single-server': 'an ensemble of one server serves',
  'seven-servers': 'an ensemble of seven servers serves',

  // Crashes and disks
  'leader-crashed': 'the leader crashed',
  'leader-crashed-with-proposals': 'the leader crashed with proposals that were not committed',
  'leader-crashed-while-learner-synchronised': 'the leader crashed while a learner was between its sync and UPTODATE',
  'follower-crashed': 'a follower crashed',
  'crashed-while-looking': 'a server crashed during an election',
  'all-down': 'all servers were down at once',
  'all-down-and-back': 'a leader was established after all servers had been down',
  'crashed-in-append': 'a server crashed while transactions were being written',
  'crashed-in-epochs': 'a server crashed while its epochs were being written',
  'crashed-in-truncate': 'a server crashed while its log was being cut',
  'crashed-in-install': 'a server crashed while a received snapshot was being written',
  'crashed-in-snapshot': 'a server crashed while it wrote a snapshot',
  'crashed-durable-untold': 'a server crashed when something was durable and nobody knew',
  'disk-error-of-leader': 'the disk of the leader failed',
  'disk-error-of-follower': 'the disk of a follower failed',
  'torn-tail-cut': 'a start cut a torn last record off',
  'damage-passed-over': 'a start found a damaged snapshot, or files that are put aside',
  'files-set-aside': 'a server put its damaged files aside and began without',
  'crashed-in-recovery': 'a server crashed while it read its files',
  'disk-was-full': 'a disk had no room for what a server had to write',
  'disk-had-room-again': 'what had waited for room was durable',
  'snapshot-skipped': 'there was no room for a snapshot',
  'paused-beyond-session': 'a server stood still for longer than a session lives',
  'leader-paused-and-replaced': 'a leader stood still and found another one when it went on',

  // Busy event loops
  'inputs-in-one-turn': 'a server handled two inputs or more in one turn of its event loop',
  'messages-in-one-turn': 'a client was told two things or more in one turn of its event loop',

  // Sessions
  'session-expired': 'the leader ended a session that was not heard of',
  'session-moved': 'a session moved to another server',
  'session-moved-unseen': 'a client moved with a session of which it had seen no zxid',
  'session-refused': 'a session that was over was refused by another server',
  'write-forwarded': 'a follower forwarded a write',
  'client-suspended': 'a client lost its connection',
  'client-expired': 'a client lost its session',
  'client-crashed': 'a client crashed with its session',
  'client-replaced': 'a crashed client was followed by another',
  'client-paused-beyond-session': 'a client stood still for longer than its session lives',

  // Clients and recipes: hit by the workloads
  'write-unknown': 'the outcome of a write is unknown to its client',
  'write-not-sent': 'a write was given up before it was sent',
  'bad-version': 'a conditional write lost its race',
  'multi-refused': 'a multi was refused as a whole',
  'creation-refused': 'a multi was refused, since the node at a path was not the one that was meant',
  'watch-fired': 'a watch fired',
  'watch-fired-after-move': 'a watch fired on another connection than the one that armed it',
  'lock-adopted': 'the reply to the create of a contender was lost, and its node was found',
  'lock-lost': 'a holder was told that it holds no longer',
  'lock-asked': 'holders of a lock were asked to give it up',
  'lock-evicted': 'a contender of a lock was evicted',
  'lock-waiter-timed-out': 'a contender stopped waiting',
  'lock-released-late': 'a release was confirmed after its connection had been lost',
  'fenced-write-refused': 'a fenced resource refused a stale write',
  'leader-handed-over': 'a leader handed over to whom it named',
  'step-unknown': 'it is not known whether a step of a counter was made',
  'member-rejoined': 'a member joined again with a new session',
  'config-conflict': 'two writers of a configuration met',
  'reconfigured': 'an operator changed the configuration, and was told so',
  'reconfiguration-refused': 'the servers refused a change of the configuration',
  'operator-deleted': 'an operator deleted a node of a recipe',
  'operator-restored': 'an operator made a node of a recipe again',
  'operator-cleared': 'an operator deleted a node of a recipe with all that was below',
  'lease-struck': 'a holder whose node an operator had deleted gave its lease back',
  'strike-heard': 'a holder whose node somebody had deleted was told, by its watch or by a look',
  'member-struck': 'a member whose node an operator had deleted left',
  'closed-in-tenure': 'a client was closed while it held something',
  'item-came-back': 'an item of a queue was handed out again',
  'round-entered': 'a member of a double barrier went in with the others of its round',
  'work-done-again': 'work that is done once was done again, since its result was lost or over',
  'transaction-again': 'the function of a transaction ran again',
  'cache-node-remade': 'a follower of a cache was told that a node was removed and added in one step',
  'cache-resync': 'a follower of a cache read again after a reconnect',
  'config-resync': 'a subscriber of a configuration read again after a reconnect',
})

/** The name of a probe. */
export type ProbeName = keyof typeof PROBES

/** The probes of one run, counted. */
export class Probes {
  readonly #counts = new Map<ProbeName, number>()

  /** Counts a situation. */
  hit(name: ProbeName): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }

  /** How often each probe was hit that was hit at all, in the order of {@link PROBES}. */
  counts(): Partial<Record<ProbeName, number>> {
    const names = Object.keys(PROBES) as ProbeName[]
    return Object.fromEntries(names.flatMap((name) => {
      const count = this.#counts.get(name)
      return count === undefined ? [] : [[name, count]]
    }))
  }
}
