/**
 * The leader's half of ZAB: discovery, synchronisation, broadcast.
 *
 * Discovery        a majority tells the highest epoch it has accepted; the new one is greater. Whoever accepts it
 *                  follows no earlier leader any more. If one of them has seen more than this server, this server gives
 *                  up.
 * Synchronisation  each learner's log is brought to this server's by DIFF, TRUNC or SNAP, and the learner makes it
 *                  durable, then its epoch, then says so. With a majority of those, the leader is established, its
 *                  history committed.
 * Broadcast        proposals go to everyone who is in the stream, and are committed in order when a majority has them
 *                  durable.
 *
 * Safety           at most one leader is established in an epoch; its history holds everything ever committed before.
 * Liveness         a leader that has no synchronised majority in time, or loses it, gives up; so does a learner without
 *                  it.
 * Source           DSN 2011 paper; ZooKeeper Leader.java, LearnerHandler.java. Departures: a voter that accepted a
 *                  higher epoch makes this leader run discovery again (there it is locked out); `sync` waits for a
 *                  majority.
 */
import { assert } from '../../../../core/assert.ts'
import type { Packet, SessionTouch } from '../../../wire/packets.ts'
import type { Journal } from './journal.ts'
import type { LearnerCounts } from '../learner-counts.ts'
import { epochOf, formatZxid, isQuorum, zxidOf } from './zab.ts'
import type { Outbox, SnapshotSource, ZabConfig } from './zab.ts'

/** What a leader asks of the server around it. Everything is called synchronously from an input. */
export interface LeaderHost {
  /** The applied state, for a learner that is too far behind. */
  openSnapshot(): SnapshotSource
  /** A majority is synchronised: everything up to `committed` will be applied, then service begins. */
  established(): void
  /** A learner forwards a client's write. */
  request(from: number, request: unknown): void
  /** A client wants to move its session to that learner; null if this is no time to answer. */
  revalidate(from: number, packet: Extract<Packet, { type: 'REVALIDATE' }>): Packet | null
  /** A learner heard of these sessions. */
  touched(sessions: readonly SessionTouch[]): void
  /** A `sync` of a client of this very server is confirmed. */
  synced(syncId: number): void
}

/** Why a leader gave up. */
export interface Abdication {
  /** For people and logs. */
  readonly reason: string
  /** The next epoch that this server proposes must be greater than this. */
  readonly epochFloor: number
}

interface LearnerHandle {
  readonly id: number
  readonly link: number
  /** Counted in quorums. */
  readonly votes: boolean
  readonly acceptedEpoch: number
  /** Its last zxid, once it has acknowledged the epoch. */
  lastZxid: bigint | null
  /** Whether proposals go to it. */
  inStream: boolean
  /** The last zxid that stood in the stream before NEWLEADER. */
  syncZxid: bigint
  synced: boolean
  /** Everything up to here is durable there. */
  ackedZxid: bigint
  silentTicks: number
  /** The rounds of its pings that are not answered yet, in order. */
  readonly pingRounds: number[]
  confirmedRound: number
}

interface PendingSync {
  readonly learner: LearnerHandle | null
  readonly syncId: number
  /** What was proposed when it came in: a client that has lost an answer asks what became of its request. */
  readonly zxid: bigint
  /** The ping round that will confirm it; null until that round is sent. */
  round: number | null
}

/** One server's attempt to lead, from its election to its end. */
export class Leader {
  readonly #config: ZabConfig
  readonly #journal: Journal
  readonly #outbox: Outbox
  readonly #host: LeaderHost
  /**
   * Ascending by id: the order in which they joined is history and must not show. Replaced on change, never modified.
   */
  #learners: readonly LearnerHandle[] = []
  readonly #epochAcks = new Set<number>()
  readonly #initialZxid: bigint
  readonly #initialEpoch: number
  readonly #epochFloor: number
  #phase: 'discovery' | 'synchronisation' | 'broadcast' = 'discovery'
  #epoch = 0
  #committed: bigint
  #ticks = 0
  #minorityTicks = 0
  #round = 0
  #syncs: PendingSync[] = []
  #abdication: Abdication | null = null

  constructor(config: ZabConfig, journal: Journal, outbox: Outbox, host: LeaderHost, start: LeaderStart) {
    this.#config = config
    this.#journal = journal
    this.#outbox = outbox
    this.#host = host
    this.#initialZxid = journal.lastZxid
    this.#initialEpoch = journal.currentEpoch
    this.#committed = start.committedZxid
    this.#epochFloor = start.epochFloor
    this.#chooseEpoch()
  }

  /** The epoch that it proposes or leads; 0 until one is chosen. */
  get epoch(): number {
    return this.#epoch
  }

  /** Everything up to here is committed. */
  get committedZxid(): bigint {
    return this.#committed
  }

  /** Whether a majority is synchronised. */
  get isEstablished(): boolean {
    return this.#phase === 'broadcast'
  }

  /** Set once this attempt is over; the server must go back to looking. */
  get abdication(): Abdication | null {
    return this.#abdication
  }

  /** Whether it is its own majority, and nobody learns from it. */
  get isAlone(): boolean {
    return this.#selfVotes === 1 && this.#config.voters.length === 1 && this.#learners.length === 0
  }

  /** What it leads, in numbers. */
  get counts(): LearnerCounts {
    const synced = this.#learners.filter((learner) => learner.synced)
    const followers = synced.filter((learner) => learner.votes)
    const observers = synced.filter(({ id }) => !this.#config.voters.includes(id))
    return {
      learners: this.#learners.length,
      followers: followers.length,
      followersWithoutVote: synced.length - followers.length - observers.length,
      observers: observers.length,
      pendingSyncs: this.#syncs.length,
    }
  }

  /** The zxid that the next proposal gets; null if this leader makes way and there is none. */
  get nextZxid(): bigint | null {
    if (this.#abdication !== null) return null
    const last = this.#journal.lastZxid
    return epochOf(last) === this.#epoch ? last + 1n : zxidOf(this.#epoch, 1)
  }

  /**
   * Proposes the next transaction, which must bear {@link nextZxid}.
   */
  propose(txn: Uint8Array): void {
    assert(this.#phase === 'broadcast', 'only an established leader proposes')
    const zxid = this.nextZxid
    assert(zxid !== null, 'a leader that makes way proposes nothing more')
    this.#journal.append({ zxid, txn })
    for (const learner of this.#learners) {
      if (learner.inStream && learner.votes) this.#send(learner, { type: 'PROPOSAL', zxid, txn })
    }
    if (zxid === zxidOf(this.#epoch, this.#config.epochCounterMax)) {
      this.#abdicate(`the counter of epoch ${this.#epoch} is used up`)
    }
  }

  /** Asks for a `sync` on behalf of a client of this server; `host.synced` answers. */
  sync(syncId: number): void {
    this.#addSync(null, syncId)
  }

  /** Receives a packet. A link begins with FOLLOWERINFO or OBSERVERINFO; packets of unknown links are of the past. */
  receive(from: number, link: number, packet: Packet): void {
    if (packet.type === 'FOLLOWERINFO' || packet.type === 'OBSERVERINFO') {
      this.#open(from, link, packet)
      return
    }
    const learner = this.#find(from)
    if (learner === undefined || learner.link !== link) return
    learner.silentTicks = 0
    if (packet.type === 'SNAPACK') return
    switch (packet.type) {
      case 'ACKEPOCH':
        this.#epochAcknowledged(learner, packet.currentEpoch, packet.lastZxid)
        break
      case 'ACK':
        this.#acknowledged(learner, packet.zxid)
        break
      case 'PING':
        learner.confirmedRound = learner.pingRounds.shift() ?? learner.confirmedRound
        this.#host.touched(packet.touched)
        this.#answerSyncs()
        break
      case 'REQUEST':
        if (this.isEstablished) this.#host.request(from, packet.request)
        break
      case 'REVALIDATE':
        this.#revalidate(learner, packet)
        break
      case 'SYNC':
        this.#host.touched(packet.touched)
        this.#addSync(learner, packet.syncId)
        break
      default:
        this.#drop(learner)
    }
  }

  /** A link broke or was closed by the other side. */
  linkClosed(from: number, link: number): void {
    const learner = this.#find(from)
    if (learner?.link === link) this.#forget(learner)
  }

  /** One tick of logical time. */
  tick(): void {
    this.#ticks += 1
    for (const learner of this.#learners) {
      learner.silentTicks += 1
      const limit = learner.synced && this.isEstablished ? this.#config.syncLimitTicks : this.#config.initLimitTicks
      if (learner.silentTicks > limit) this.#drop(learner)
    }
    if (this.#phase !== 'broadcast') {
      if (this.#ticks > this.#config.initLimitTicks) this.#abdicate('no majority was synchronised in time')
      return
    }
    const synced = this.#voters().filter((learner) => learner.synced)
    const hasMajority = isQuorum(synced.length + this.#selfVotes, this.#config.voters)
    this.#minorityTicks = hasMajority ? 0 : this.#minorityTicks + 1
    if (this.#minorityTicks > this.#config.pingTicks) this.#abdicate('no majority is synchronised any more')
    else if (this.#ticks % this.#config.pingTicks === 0) this.#ping()
  }

  /** To be called when the host has made something durable. */
  persisted(): void {
    if (this.#phase === 'discovery') this.#checkEpochAcks()
    else if (this.#phase === 'synchronisation') this.#checkEstablished()
    else this.#advanceCommit()
  }

  /** To be called before the output is taken: starts one round of pings for all syncs that came in. */
  flush(): void {
    if (this.#phase !== 'broadcast' || this.#syncs.every((sync) => sync.round !== null)) return
    this.#ping()
    for (const sync of this.#syncs) sync.round ??= this.#round
    this.#answerSyncs()
  }

  /** Closes all links; the attempt is over. */
  close(): void {
    for (const learner of this.#learners) this.#drop(learner)
  }

  // Discovery

  #open(from: number, link: number, packet: Extract<Packet, { type: 'FOLLOWERINFO' | 'OBSERVERINFO' }>): void {
    const earlier = this.#find(from)
    if (earlier !== undefined) this.#drop(earlier)
    const votes = packet.type === 'FOLLOWERINFO'
    if (votes && !this.#config.voters.includes(from)) {
      this.#outbox.close(from, link)
      return
    }
    const learner: LearnerHandle = {
      id: from,
      link,
      votes,
      acceptedEpoch: packet.acceptedEpoch,
      lastZxid: null,
      inStream: false,
      syncZxid: 0n,
      synced: false,
      ackedZxid: 0n,
      silentTicks: 0,
      pingRounds: [],
      confirmedRound: 0,
    }
    this.#learners = [...this.#learners, learner].sort((a, b) => a.id - b.id)
    if (this.#epoch === 0) this.#chooseEpoch()
    else if (packet.acceptedEpoch > this.#epoch) {
      // It would refuse this epoch for ever. Lead it, or let it be led, in a later one.
      this.#abdicate(`server ${from} has accepted epoch ${packet.acceptedEpoch}`, packet.acceptedEpoch)
    } else this.#sendEpoch(learner)
  }

  #chooseEpoch(): void {
    const known = this.#voters()
    if (!isQuorum(known.length + this.#selfVotes, this.#config.voters)) return
    const accepted = this.#learners.map((learner) => learner.acceptedEpoch)
    this.#epoch = Math.max(this.#journal.acceptedEpoch, this.#epochFloor, ...accepted) + 1
    this.#journal.acceptEpoch(this.#epoch)
    for (const learner of this.#learners) this.#sendEpoch(learner)
  }

  #sendEpoch(learner: LearnerHandle): void {
    this.#outbox.afterPersist(learner.id, learner.link, { type: 'LEADERINFO', epoch: this.#epoch })
  }

  #epochAcknowledged(learner: LearnerHandle, currentEpoch: number, lastZxid: bigint): void {
    if (this.#epoch === 0 || learner.lastZxid !== null) {
      this.#drop(learner)
      return
    }
    if (currentEpoch !== -1 && learner.votes) {
      const isOfSameEpoch = currentEpoch === this.#initialEpoch
      const isAhead = currentEpoch > this.#initialEpoch || (isOfSameEpoch && lastZxid > this.#initialZxid)
      // Once a majority is synchronised, what anybody has seen more was never committed.
      if (isAhead && this.#phase !== 'broadcast') {
        const seen = `epoch ${currentEpoch}, zxid ${formatZxid(lastZxid)}`
        this.#abdicate(`server ${learner.id} has seen more: ${seen}`)
        return
      }
      this.#epochAcks.add(learner.id)
    }
    learner.lastZxid = lastZxid
    if (this.#phase === 'discovery') this.#checkEpochAcks()
    else this.#synchronise(learner)
  }

  #checkEpochAcks(): void {
    if (this.#epoch === 0 || this.#journal.durable.acceptedEpoch < this.#epoch) return
    if (!isQuorum(this.#epochAcks.size + this.#selfVotes, this.#config.voters)) return
    this.#phase = 'synchronisation'
    this.#journal.enterEpoch(this.#epoch)
    for (const learner of this.#learners) {
      if (learner.lastZxid !== null) this.#synchronise(learner)
    }
  }

  // Synchronisation

  /**
   * Queues, in one go, everything that lies between the learner's log and the stream of proposals, and puts it into the
   * stream. Observers get committed transactions only, so they wait until the history is committed.
   */
  #synchronise(learner: LearnerHandle): void {
    if (learner.inStream || learner.lastZxid === null) return
    if (!learner.votes && this.#phase !== 'broadcast') return
    const end = learner.votes ? this.#journal.lastZxid : this.#committed
    let from = learner.lastZxid
    if (from < this.#journal.base) {
      const state = this.#host.openSnapshot()
      this.#outbox.state(learner.id, learner.link, state)
      from = state.zxid
    } else if (this.#journal.covers(from) && from <= end) {
      this.#send(learner, { type: 'DIFF', zxid: end })
    } else {
      from = this.#journal.floor(from < end ? from : end)
      this.#send(learner, { type: 'TRUNC', zxid: from })
    }
    for (const { zxid, txn } of this.#journal.range(from, end)) this.#send(learner, { type: 'PROPOSAL', zxid, txn })
    if (this.#phase === 'broadcast') this.#send(learner, { type: 'COMMIT', zxid: this.#committed })
    learner.syncZxid = end
    learner.inStream = true
    this.#send(learner, { type: 'NEWLEADER', zxid: zxidOf(this.#epoch, 0) })
  }

  #acknowledged(learner: LearnerHandle, zxid: bigint): void {
    if (zxid === zxidOf(this.#epoch, 0) && learner.inStream && !learner.synced) {
      learner.synced = true
      learner.ackedZxid = learner.syncZxid
      if (this.#phase === 'broadcast') {
        this.#send(learner, { type: 'UPTODATE' })
        this.#advanceCommit()
      } else this.#checkEstablished()
      return
    }
    assert(learner.synced, () => `server ${learner.id} acknowledged ${formatZxid(zxid)} before NEWLEADER`)
    assert(zxid > learner.ackedZxid && zxid <= this.#journal.lastZxid, () => `unexpected ACK of ${formatZxid(zxid)}`)
    learner.ackedZxid = zxid
    if (zxid > this.#committed) this.#advanceCommit()
  }

  #checkEstablished(): void {
    const { currentEpoch, zxid } = this.#journal.durable
    if (currentEpoch < this.#epoch || zxid < this.#initialZxid) return
    const synced = this.#voters().filter((learner) => learner.synced)
    if (!isQuorum(synced.length + this.#selfVotes, this.#config.voters)) return
    this.#phase = 'broadcast'
    this.#committed = this.#initialZxid
    for (const learner of this.#learners) {
      learner.silentTicks = 0
      if (learner.inStream) this.#send(learner, { type: 'COMMIT', zxid: this.#committed })
      if (learner.synced) this.#send(learner, { type: 'UPTODATE' })
      this.#synchronise(learner)
    }
    this.#host.established()
    this.#ping()
  }

  // Broadcast

  /** Commits what a majority has durable: this server counts itself only for what its own disk has. */
  #advanceCommit(): void {
    const acked = this.#voters().filter((learner) => learner.synced).map((learner) => learner.ackedZxid)
    if (this.#selfVotes === 1) acked.push(this.#journal.durable.zxid)
    acked.sort((a, b) => (a < b ? 1 : a > b ? -1 : 0))
    const majority = acked[Math.floor(this.#config.voters.length / 2)]
    if (majority === undefined || majority <= this.#committed) return
    const entries = this.#journal.range(this.#committed, majority)
    this.#committed = majority
    for (const learner of this.#learners) {
      if (!learner.inStream) continue
      for (const { zxid, txn } of entries) {
        this.#send(learner, learner.votes ? { type: 'COMMIT', zxid } : { type: 'INFORM', zxid, txn })
      }
    }
    this.#answerSyncs()
  }

  #revalidate(learner: LearnerHandle, packet: Extract<Packet, { type: 'REVALIDATE' }>): void {
    const answer = this.#host.revalidate(learner.id, packet)
    if (answer !== null) this.#send(learner, answer)
  }

  #ping(): void {
    this.#round += 1
    for (const learner of this.#learners) {
      if (!learner.synced) continue
      learner.pingRounds.push(this.#round)
      this.#send(learner, { type: 'PING', touched: [] })
    }
  }

  #addSync(learner: LearnerHandle | null, syncId: number): void {
    this.#syncs.push({ learner, syncId, zxid: this.#journal.lastZxid, round: null })
  }

  /**
   * Answers the syncs whose ping round a majority has answered: at that time no later leader can have been established,
   * so everything acknowledged to anyone before the sync was asked for is committed here, and its COMMITs are on the
   * link. What was proposed before it must be committed too: who looks for a write whose answer was lost must not find
   * nothing, and then see it happen (Leader.processSync).
   */
  #answerSyncs(): void {
    if (this.#syncs.length === 0) return
    const rounds = this.#voters().map((learner) => learner.confirmedRound)
    if (this.#selfVotes === 1) rounds.push(this.#round)
    rounds.sort((a, b) => b - a)
    const confirmed = rounds[Math.floor(this.#config.voters.length / 2)] ?? 0
    const waiting: PendingSync[] = []
    for (const sync of this.#syncs) {
      if (sync.round === null || sync.round > confirmed || sync.zxid > this.#committed) waiting.push(sync)
      else if (sync.learner === null) this.#host.synced(sync.syncId)
      else this.#send(sync.learner, { type: 'SYNCED', syncId: sync.syncId })
    }
    this.#syncs = waiting
  }

  // Links

  #send(learner: LearnerHandle, packet: Packet): void {
    this.#outbox.now(learner.id, learner.link, packet)
  }

  #drop(learner: LearnerHandle): void {
    this.#outbox.close(learner.id, learner.link)
    this.#forget(learner)
  }

  #forget(learner: LearnerHandle): void {
    this.#learners = this.#learners.filter((other) => other !== learner)
    this.#syncs = this.#syncs.filter((sync) => sync.learner !== learner)
  }

  #abdicate(reason: string, epochFloor = 0): void {
    this.#abdication ??= { reason, epochFloor }
  }

  get #selfVotes(): 0 | 1 {
    return this.#config.voters.includes(this.#config.myid) ? 1 : 0
  }

  #voters(): LearnerHandle[] {
    return this.#learners.filter((learner) => learner.votes)
  }

  #find(id: number): LearnerHandle | undefined {
    return this.#learners.find((learner) => learner.id === id)
  }
}

/** With what an attempt to lead begins. */
export interface LeaderStart {
  /** What this server knows to be committed. */
  readonly committedZxid: bigint
  /** The epoch must be greater than this. */
  readonly epochFloor: number
}
