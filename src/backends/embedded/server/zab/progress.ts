/**
 * Progress: how far one learner is, as its leader knows it. The word is etcd raft's.
 *
 * Steps      it names the epoch that it accepted -> it acknowledges the leader's, and says where its log ends -> it is
 *            in the stream: everything between its log and the stream, and NEWLEADER, are queued on its link -> it is
 *            synced: it has acknowledged NEWLEADER. No step is taken twice or back; a new link is a new progress.
 * Invariant  synced => in the stream => the end of its log is known (asserted at each step);
 *            syncZxid <= ackedZxid <= the last zxid of the leader's log, and ackedZxid only grows.
 * Source     etcd-io/raft, tracker/progress.go; ZooKeeper LearnerHandler.java.
 */
import { assert } from '../../../../core/assert.ts'
import { formatZxid } from './zxid.ts'

/** A learner, as it opens its link. */
interface Newcomer {
  readonly id: number
  readonly link: number
  /** Whether it follows, as a voter does: proposals go to it, and it counts in quorums of voters that it is one of. */
  readonly votes: boolean
  readonly acceptedEpoch: number
  /** Whether it is a server of ZooKeeper. */
  readonly isPlain: boolean
}

/** The progress of one learner on one link. */
export class Progress {
  readonly id: number
  readonly link: number
  /** Whether it follows, as a voter does: proposals go to it, and it counts in quorums of voters that it is one of. */
  readonly votes: boolean
  readonly acceptedEpoch: number
  /** Whether it is a server of ZooKeeper. */
  readonly isPlain: boolean
  /** Ticks since it was last heard. */
  silentTicks = 0
  #lastZxid: bigint | null = null
  /** Last zxid before NEWLEADER in the stream. */
  #syncZxid: bigint | null = null
  #ackedZxid: bigint | null = null

  constructor({ id, link, votes, acceptedEpoch, isPlain }: Newcomer) {
    this.isPlain = isPlain
    this.id = id
    this.link = link
    this.votes = votes
    this.acceptedEpoch = acceptedEpoch
  }

  /** Where its log ended when it acknowledged the epoch; null before that. */
  get lastZxid(): bigint | null {
    return this.#lastZxid
  }

  /** Whether proposals go to it. */
  get inStream(): boolean {
    return this.#syncZxid !== null
  }

  /** Whether it has the leader's history and epoch on its disk. */
  get synced(): boolean {
    return this.#ackedZxid !== null
  }

  /** Everything up to here is durable there; null until it is synced. */
  get ackedZxid(): bigint | null {
    return this.#ackedZxid
  }

  /** It acknowledges the epoch; its log ends here. */
  acknowledgeEpoch(lastZxid: bigint): void {
    assert(this.#lastZxid === null, () => `server ${this.id} acknowledged the epoch twice`)
    this.#lastZxid = lastZxid
  }

  /** Everything up to `syncZxid`, then NEWLEADER, is queued on its link; whatever is proposed from now on follows. */
  enterStream(syncZxid: bigint): void {
    assert(this.#lastZxid !== null, () => `server ${this.id} enters the stream, and its log is not known`)
    assert(this.#syncZxid === null, () => `server ${this.id} enters the stream twice`)
    this.#syncZxid = syncZxid
  }

  /** It acknowledges NEWLEADER. */
  acknowledgeHistory(): void {
    const isNew = this.#syncZxid !== null && this.#ackedZxid === null
    assert(isNew, () => `server ${this.id} acknowledged its history early or twice`)
    this.#ackedZxid = this.#syncZxid
  }

  /**
   * It acknowledges a proposal.
   *
   * @param loggedZxid - last zxid of the leader's log
   */
  acknowledge(zxid: bigint, loggedZxid: bigint): void {
    const acked = this.#ackedZxid
    assert(acked !== null, () => `server ${this.id} acknowledged ${formatZxid(zxid)} before NEWLEADER`)
    assert(zxid > acked && zxid <= loggedZxid, () => `unexpected ACK of ${formatZxid(zxid)}`)
    this.#ackedZxid = zxid
  }
}
