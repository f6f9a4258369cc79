/**
 * Quorum rounds: rounds of pings by which a leader learns that it still leads, and confirms syncs.
 *
 * Model      a round begins with a ping to each synced learner. Learners answer their pings in order, so each answer
 *            belongs to the oldest round that is still open on its link. The leader answers each of its rounds itself.
 * Confirmed  a sync, when a majority of the voters has answered a round that began after the sync came in: at that time
 *            no later leader can have been established, so everything that was acknowledged to anyone before the sync
 *            came in is committed here, and its COMMITs are on the link. Everything that was proposed before the sync
 *            must be committed too: a client that looks for a write whose answer was lost must not find nothing, and
 *            see the write happen later.
 * Invariant  per learner: confirmed < open[0] < open[1] < ... <= the last round; syncs stand in the order in which they
 *            came in, and each waits for the round that was to begin next.
 * Source     Ongaro's dissertation on Raft, 6.4 (read index); Leader.processSync of ZooKeeper, which asks no majority.
 */
import type { Membership } from './membership.ts'

/** A sync that is asked for. */
interface PendingSync {
  /** The server whose client asks. */
  readonly asker: number
  /** The asker's number of it. */
  readonly syncId: number
  /** Last zxid that was proposed when it came in. */
  readonly zxid: bigint
  /** This round confirms it, or a later one. */
  readonly round: number
}

/** One learner's answers. */
interface Answers {
  /** Rounds whose pings it has not answered yet, in order. */
  readonly open: number[]
  /** The last round that it has answered; 0 before the first. */
  confirmed: number
  readonly votes: boolean
}

/** The rounds of one leader. */
export class QuorumRounds {
  readonly #myid: number
  readonly #membership: Pick<Membership, 'quorumValue'>
  readonly #answers = new Map<number, Answers>()
  #round = 0
  #syncs: PendingSync[] = []

  constructor(myid: number, membership: Pick<Membership, 'quorumValue'>) {
    this.#myid = myid
    this.#membership = membership
  }

  /** How many syncs are not confirmed yet. */
  get pendingCount(): number {
    return this.#syncs.length
  }

  /** Whether a sync waits for a round that has not begun. */
  get isDue(): boolean {
    const last = this.#syncs.at(-1)
    return last !== undefined && last.round > this.#round
  }

  /**
   * A sync comes in.
   *
   * @param asker - the server whose client asks
   * @param zxid - last zxid that was proposed
   */
  ask(asker: number, syncId: number, zxid: bigint): void {
    this.#syncs.push({ asker, syncId, zxid, round: this.#round + 1 })
  }

  /** Begins a round: a ping goes to each of these. */
  begin(learners: readonly { readonly id: number; readonly votes: boolean }[]): void {
    this.#round += 1
    for (const { id, votes } of learners) {
      const answers = this.#answers.get(id) ?? { open: [], confirmed: 0, votes }
      answers.open.push(this.#round)
      this.#answers.set(id, answers)
    }
  }

  /** A learner answers its oldest ping; an answer to none says nothing. */
  answered(from: number): void {
    const answers = this.#answers.get(from)
    if (answers !== undefined) answers.confirmed = answers.open.shift() ?? answers.confirmed
  }

  /** A learner's link is over: its answers no longer count, and nobody is there to be answered. */
  forget(learner: number): void {
    this.#answers.delete(learner)
    this.#syncs = this.#syncs.filter(({ asker }) => asker !== learner)
  }

  /**
   * Takes the syncs that are confirmed now, in the order in which they came in.
   *
   * @param committed - everything up to here is committed
   */
  takeConfirmed(committed: bigint): readonly PendingSync[] {
    if (this.#syncs.length === 0) return []
    const rounds = new Map([[this.#myid, this.#round]])
    for (const [id, { votes, confirmed }] of this.#answers) if (votes) rounds.set(id, confirmed)
    const confirmed = this.#membership.quorumValue(rounds) ?? 0
    const waits = (sync: PendingSync): boolean => sync.round > confirmed || sync.zxid > committed
    const taken = this.#syncs.filter((sync) => !waits(sync))
    this.#syncs = this.#syncs.filter(waits)
    return taken
  }
}
