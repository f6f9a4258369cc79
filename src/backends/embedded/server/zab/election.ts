/**
 * Fast leader election: servers exchange votes until a majority agrees on the best one.
 *
 * Model     a vote names a server by (peer epoch, zxid, id), compared in this order; for servers of one epoch this is
 *           "the greater zxid wins, then the greater id". Each server proposes itself and adopts any better vote that
 *           it hears of. Rounds are numbered by a logical clock; votes of earlier rounds do not count.
 * Joining   a server that comes to a running ensemble follows the leader that a majority follows, provided the leader
 *           itself says that it leads.
 * Observers ask, and get answers; their votes are not counted.
 * Liveness  with a majority that can talk, all of it decides for one server. Safety is not decided here: two rounds may
 *           elect two leaders, and discovery (leader.ts) lets at most one of them be established.
 *           A leader that has ended its links is gone, or has given up: the next one is elected without waiting for it.
 * Source    ZooKeeper FastLeaderElection.java (lookForLeader, totalOrderPredicate, checkLeader). Departures: the wait
 *           for better votes is skipped when every voter that can be expected to vote agrees; votes heard during the
 *           wait are counted, not dropped.
 */
import type { Notification, PeerState, Vote } from '../../../wire/packets.ts'
import type { Beginning } from './beginning.ts'
import type { ZabConfig } from './configuration.ts'
import type { Membership } from './membership.ts'
import type { Outbox } from './outbox.ts'

/** No server: a server that may not vote puts this in its notifications. */
export const NOBODY = 0

/** The end of an election. */
export interface Elected {
  /** The vote that won. */
  readonly vote: Vote
  /** The servers known to be for it, ascending, this server included if it votes. */
  readonly supporters: readonly number[]
}

interface Heard extends Vote {
  readonly electionEpoch: number
  readonly state: PeerState
}

/** Whether `a` is the better vote. */
export function isBetter(a: Vote, b: Vote): boolean {
  if (a.peerEpoch !== b.peerEpoch) return a.peerEpoch > b.peerEpoch
  if (a.zxid !== b.zxid) return a.zxid > b.zxid
  return a.leader > b.leader
}

/** The election of one server: its present vote, and the votes of others. It outlives each single election. */
export class Election {
  readonly #config: ZabConfig
  readonly #membership: Membership
  readonly #outbox: Outbox
  readonly #beginning: Beginning | null
  #state: PeerState = 'LOOKING'
  #mayVote = false
  /** A voter whose vote is not waited for in this round. */
  #absent: number | null = null
  #logicalClock = 0
  /** The vote for this server itself. */
  #own: Vote
  #proposal: Vote
  /** Votes of this round by servers that are looking (or of the same round and decided). */
  #received = new Map<number, Heard>()
  /** Votes of servers that follow or lead. */
  #established = new Map<number, Heard>()
  #decideInTicks: number | null = null
  #notifyInTicks = 0
  #notifyEveryTicks: number
  #elected: Elected | null = null

  /** @param beginning - null where the composition root knows who may vote */
  constructor(config: ZabConfig, membership: Membership, outbox: Outbox, beginning: Beginning | null = null) {
    this.#config = config
    this.#membership = membership
    this.#outbox = outbox
    this.#beginning = beginning
    this.#notifyEveryTicks = config.notificationTicksMin
    this.#own = this.#proposal = { leader: NOBODY, zxid: 0n, peerEpoch: 0 }
  }

  /** The vote as it stands: while looking the proposal, later the decision. */
  get vote(): Vote {
    return this.#proposal
  }

  /** The number of this server's round. */
  get logicalClock(): number {
    return this.#logicalClock
  }

  /**
   * Starts a round.
   *
   * @param own - the vote for this server; null if it may not vote now
   * @param absent - a voter whose vote is counted if it comes, and not waited for
   */
  look(own: Omit<Vote, 'leader'> | null, absent: number | null = null): void {
    this.#state = 'LOOKING'
    this.#mayVote = own !== null
    this.#absent = absent
    this.#own = own === null ? this.#nobody : { leader: this.#config.myid, ...own }
    this.#proposal = this.#own
    this.#logicalClock += 1
    this.#received.clear()
    this.#established.clear()
    this.#elected = null
    this.#decideInTicks = null
    this.#notifyEveryTicks = this.#config.notificationTicksMin
    this.#notifyAll()
    this.#count()
  }

  /** Takes the result, if there is one now. */
  takeElected(): Elected | null {
    const elected = this.#elected
    this.#elected = null
    return elected
  }

  /** Tells the election its outcome, so that looking servers learn of it. */
  settle(state: Exclude<PeerState, 'LOOKING'>): void {
    this.#state = state
  }

  /** From now on the vote is for the leader of an established epoch (ZOOKEEPER-1732: a joiner compares these). */
  enterEpoch(epoch: number): void {
    this.#proposal = { ...this.#proposal, peerEpoch: epoch }
  }

  /** One tick of logical time. */
  tick(): void {
    if (this.#state !== 'LOOKING' || this.#elected !== null) return
    if (this.#decideInTicks !== null) {
      this.#decideInTicks -= 1
      if (this.#decideInTicks <= 0) this.#decide(this.#supporters(this.#received, this.#proposal))
      return
    }
    this.#notifyInTicks -= 1
    if (this.#notifyInTicks > 0) return
    this.#notifyEveryTicks = Math.min(2 * this.#notifyEveryTicks, this.#config.notificationTicksMax)
    this.#notifyAll()
  }

  /** Hears a notification. */
  receiveVote(from: number, heard: Notification): void {
    const isVoter = this.#membership.mayCount(from)
    if (this.#config.reconfigurable && !isVoter && heard.state === 'LEADING') {
      // It may lead by a proposed configuration that is not in the log here. Voters alone make it the leader.
      if (this.#state === 'LOOKING' && this.#elected === null) this.#receiveSettled(from, heard)
      return
    }
    if (!isVoter || heard.leader === NOBODY) {
      // It asks who leads. A server that looks does not know, and two that only ask would answer each other forever.
      const isAnswered = isVoter && this.#hearBeginner(from, heard)
      if (!isAnswered && heard.state === 'LOOKING' && this.#state !== 'LOOKING') this.#notify(from)
      return
    }
    // A voter can know of a proposed configuration, and vote for a server of it, that is not in the log here.
    if (!this.#config.reconfigurable && !this.#membership.mayCount(heard.leader)) return
    if (this.#state !== 'LOOKING') {
      if (heard.state === 'LOOKING') this.#notify(from)
      return
    }
    if (this.#elected !== null) return
    if (heard.state === 'LOOKING') this.#receiveLooking(from, heard)
    else if (heard.state !== 'OBSERVING') this.#receiveSettled(from, heard)
  }

  /** The vote of a server without one. */
  get #nobody(): Vote {
    const zxid = this.#beginning?.isAsking === true ? this.#beginning.nonce : 0n
    return { leader: NOBODY, zxid, peerEpoch: 0 }
  }

  /**
   * Hears a voter without a vote.
   *
   * @returns whether it has got an answer
   */
  #hearBeginner(from: number, heard: Notification): boolean {
    const beginning = this.#beginning
    if (beginning === null) return false
    if (this.#state === 'LOOKING') beginning.hear(from, heard)
    const answer = beginning.answerTo(heard, this.#logicalClock)
    if (answer === null) return false
    this.#outbox.notify(from, answer)
    // It can be asked now; questions sent before its start are lost.
    if (beginning.isAsking && !beginning.hasAgreed(from)) this.#notifyInTicks = Math.min(this.#notifyInTicks, 1)
    return true
  }

  #receiveLooking(from: number, heard: Notification): void {
    if (!this.#mayVote) return
    if (heard.electionEpoch < this.#logicalClock) {
      this.#notify(from)
      return
    }
    if (heard.electionEpoch > this.#logicalClock) {
      this.#logicalClock = heard.electionEpoch
      this.#received.clear()
      this.#propose(isBetter(heard, this.#own) ? heard : this.#own)
    } else if (isBetter(heard, this.#proposal)) {
      this.#propose(heard)
    } else if (isBetter(this.#proposal, heard)) {
      // It may have started after the proposal was last sent.
      this.#notify(from)
    }
    this.#received.set(from, heard)
    this.#count()
  }

  #receiveSettled(from: number, heard: Notification): void {
    if (this.#mayVote && heard.electionEpoch === this.#logicalClock) {
      this.#received.set(from, heard)
      if (this.#follow(this.#received, heard)) return
    }
    this.#established.set(from, heard)
    this.#follow(this.#established, heard)
  }

  /** Joins the leader that a majority follows, if the leader itself says that it leads. */
  #follow(votes: ReadonlyMap<number, Heard>, heard: Heard): boolean {
    const supporters = [...votes].filter(([, vote]) => vote.state !== 'LOOKING' && vote.leader === heard.leader)
    const ids = supporters.map(([id]) => id)
    if (heard.leader === this.#config.myid) {
      // Others follow this server, but it does not lead (it restarted): only a majority of this very round may make it
      // lead.
      if (votes !== this.#received) return false
    } else if (votes.get(heard.leader)?.state !== 'LEADING') {
      // Voters are asked without end; another one has to be asked when it is heard of.
      if (!this.#membership.mayCount(heard.leader)) this.#notify(heard.leader)
      return false
    }
    if (heard.leader === this.#config.myid) ids.push(this.#config.myid)
    if (!this.#membership.canElect(ids)) return false
    this.#logicalClock = heard.electionEpoch
    this.#proposal = { leader: heard.leader, zxid: heard.zxid, peerEpoch: heard.peerEpoch }
    this.#decide(ids)
    return true
  }

  #propose(vote: Vote): void {
    this.#proposal = { leader: vote.leader, zxid: vote.zxid, peerEpoch: vote.peerEpoch }
    this.#decideInTicks = null
    this.#notifyAll()
  }

  /**
   * Looks whether a majority is for the proposal: at once if every voter that can be expected is, otherwise after
   * a wait for better votes.
   */
  #count(): void {
    if (!this.#mayVote) return
    const supporters = this.#supporters(this.#received, this.#proposal)
    if (!this.#membership.canElect(supporters)) this.#decideInTicks = null
    else if (this.#membership.voters.every((id) => id === this.#absent || supporters.includes(id))) {
      this.#decide(supporters)
    } else this.#decideInTicks ??= this.#config.electionWaitTicks
  }

  #supporters(votes: ReadonlyMap<number, Heard>, proposal: Vote): number[] {
    const ids = [this.#config.myid]
    for (const [id, vote] of votes) {
      const { leader, zxid, peerEpoch } = vote
      const isSame = leader === proposal.leader && zxid === proposal.zxid && peerEpoch === proposal.peerEpoch
      if (isSame && vote.electionEpoch === this.#logicalClock && id !== this.#config.myid) ids.push(id)
    }
    return ids
  }

  #decide(supporters: readonly number[]): void {
    this.#decideInTicks = null
    this.#elected = { vote: this.#proposal, supporters: [...new Set(supporters)].sort((a, b) => a - b) }
  }

  #notifyAll(): void {
    this.#notifyInTicks = this.#notifyEveryTicks
    const { voters } = this.#membership
    const { leader } = this.#proposal
    // It may be a voter of a proposed configuration that is not in the log here.
    const all = leader === NOBODY || voters.includes(leader) ? voters : [...voters, leader]
    for (const voter of all) {
      if (voter !== this.#config.myid) this.#notify(voter)
    }
  }

  #notify(to: number): void {
    const { leader, zxid, peerEpoch } = this.#proposal
    const configuration = this.#membership.current
    this.#outbox.notify(to, {
      type: 'NOTIFICATION',
      leader,
      zxid,
      peerEpoch,
      electionEpoch: this.#logicalClock,
      state: this.#state,
      ...(configuration.version > 0n && { configuration }),
    })
  }
}
