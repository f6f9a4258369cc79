/**
 * The leader's half of ZAB: discovery, synchronisation, broadcast.
 *
 * Discovery        a majority tells the highest epoch it has accepted; the new one is greater. A voter that accepts it
 *                  leaves earlier leaders for good. If one of them has seen more than this server, this server gives
 *                  up.
 * Synchronisation  each learner's log is brought to this server's by DIFF, TRUNC or SNAP, and the learner makes it
 *                  durable, then its epoch, then says so. With a majority of those, the leader is established, its
 *                  history committed.
 * Broadcast        proposals go to everyone who is in the stream, and are committed in order when a majority has them
 *                  durable.
 *
 * Safety           at most one leader is established in an epoch; its history holds everything ever committed before.
 * Making way       a leader that is about to end proposes nothing more, has everything committed that it has proposed,
 *                  confirms the syncs that it was asked for, and gives up. So a majority has its whole history, and no
 *                  client waits for an answer.
 *
 * Liveness         a leader that has no synchronised majority in time, or loses it, gives up; so does a learner without
 *                  it.
 * Source           DSN 2011 paper; ZooKeeper Leader.java, LearnerHandler.java. Departures: a voter that accepted a
 *                  higher epoch makes this leader run discovery again (there it is locked out); `sync` waits for a
 *                  majority. Making way is etcd raft's leadership transfer without a target: the election chooses.
 */
import { assert } from '../../../../core/assert.ts'
import type { Packet } from '../../../wire/packets.ts'
import type { LearnerCounts } from '../learner-counts.ts'
import type { ZabConfig } from './configuration.ts'
import type { Journal } from './journal.ts'
import { hasMajority } from './membership.ts'
import type { Membership } from './membership.ts'
import type { Outbox, SnapshotSource } from './outbox.ts'
import { Progress } from './progress.ts'
import { QuorumRounds } from './quorum-rounds.ts'
import { counterOf, epochOf, formatZxid, zxidOf } from './zxid.ts'

/** The server around a leader, as the leader uses it. */
export interface LeaderHost {
  /** Who votes. */
  readonly membership: Membership
  /** The applied state, for a learner that is too far behind. */
  openSnapshot(): SnapshotSource
}

/** A learner's message for the server around its leader: a write, a session that moves, sessions that were heard of. */
type Forwarded = Extract<Packet, { type: 'REQUEST' | 'REVALIDATE' | 'PING' | 'SYNC' }>

/** A sync of a client of this very server, confirmed. */
type OwnSynced = Extract<Packet, { type: 'SYNCED' }>

/** Why a leader gave up. */
export interface Abdication {
  readonly reason: string
  /** The next epoch that this server proposes must be greater than this. */
  readonly epochFloor: number
}

/** One server's attempt to lead, from its election to its end. */
export class Leader {
  readonly #config: ZabConfig
  readonly #journal: Journal
  readonly #outbox: Outbox
  readonly #host: LeaderHost
  readonly #membership: Membership
  /** Ascending by id, as the order in which they joined must not show. Replaced on change, never modified. */
  #learners: readonly Progress[] = []
  readonly #rounds: QuorumRounds
  readonly #epochAcks = new Set<number>()
  readonly #initialZxid: bigint
  readonly #initialEpoch: number
  readonly #epochFloor: number
  #phase: 'discovery' | 'synchronisation' | 'broadcast' = 'discovery'
  #epoch = 0
  #committed: bigint
  #ticks = 0
  #minorityTicks = 0
  #isMakingWay = false
  #synced: OwnSynced[] = []
  #abdication: Abdication | null = null

  constructor(config: ZabConfig, journal: Journal, outbox: Outbox, host: LeaderHost, start: LeaderStart) {
    this.#config = config
    this.#journal = journal
    this.#outbox = outbox
    this.#host = host
    this.#membership = host.membership
    this.#rounds = new QuorumRounds(config.myid, host.membership)
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
    return this.#membership.isAlone(this.#config.myid) && this.#learners.length === 0
  }

  /** Whether a server of ZooKeeper learns from it. */
  get hasPlainLearners(): boolean {
    return this.#learners.some(({ isPlain }) => isPlain)
  }

  /** Its learners, in numbers. */
  get counts(): LearnerCounts {
    const synced = this.#learners.filter((learner) => learner.synced)
    const voters = synced.filter(({ id }) => this.#membership.isVoter(id))
    const followers = voters.filter(({ votes }) => votes)
    return {
      learners: this.#learners.length,
      followers: followers.length,
      followersWithoutVote: voters.length - followers.length,
      observers: synced.length - voters.length,
      pendingSyncs: this.#rounds.pendingCount,
    }
  }

  /** The zxid that the next proposal gets; null if this leader makes way and there is none. */
  get nextZxid(): bigint | null {
    if (this.#abdication !== null || this.#isMakingWay) return null
    const last = this.#journal.lastZxid
    return epochOf(last) === this.#epoch ? last + 1n : zxidOf(this.#epoch, 1)
  }

  /** Proposes the next transaction, which must bear {@link nextZxid}. */
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

  /** Asks for a `sync` on behalf of a client of this server; {@link takeSynced} hands out the answer. */
  sync(syncId: number): void {
    this.#askRound(this.#config.myid, syncId)
  }

  /** Whether a majority of these voters is synchronised. */
  hasSynced(voters: readonly number[]): boolean {
    const synced = this.#followers().filter((learner) => learner.synced).map(({ id }) => id)
    return hasMajority({ voters }, [this.#config.myid, ...synced])
  }

  /** Another configuration is in force: more may be committed by it. A leader without a vote in it makes way. */
  reconfigured(): void {
    if (!this.#membership.isVoter(this.#config.myid)) this.makeWay()
    if (this.#phase === 'broadcast') this.#advanceCommit()
  }

  /** Takes nothing more on; {@link leave} gives up once everything is done. */
  makeWay(): void {
    this.#isMakingWay = true
  }

  /** Gives up if this leader makes way and everything that it has taken on is done, and applied up to here. */
  leave(appliedZxid: bigint): void {
    const isDone = this.#committed === this.#journal.lastZxid && this.#rounds.pendingCount === 0
    if (this.#isMakingWay && isDone && appliedZxid === this.#committed) this.#abdicate('makes way for another leader')
  }

  /** Takes the syncs of clients of this server that are confirmed, in order. */
  takeSynced(): readonly OwnSynced[] {
    const synced = this.#synced
    this.#synced = []
    return synced
  }

  /** Answers a REVALIDATE of a learner. */
  answer(to: number, packet: Extract<Packet, { type: 'REVALIDATED' }>): void {
    const learner = this.#find(to)
    if (learner !== undefined) this.#send(learner, packet)
  }

  /**
   * Receives a packet. A link begins with FOLLOWERINFO or OBSERVERINFO; packets of unknown links are dropped.
   *
   * @returns the packet, if it has something for the server around this leader
   */
  receivePacket(from: number, link: number, packet: Packet): Forwarded | null {
    if (packet.type === 'FOLLOWERINFO' || packet.type === 'OBSERVERINFO') {
      this.#open(from, link, packet)
      return null
    }
    const learner = this.#find(from)
    if (learner === undefined || learner.link !== link) return null
    learner.silentTicks = 0
    if (packet.type === 'SNAPACK') return null
    switch (packet.type) {
      case 'ACKEPOCH':
        this.#epochAcknowledged(learner, packet.currentEpoch, packet.lastZxid)
        break
      case 'ACK':
        this.#acknowledged(learner, packet.zxid)
        break
      case 'PING':
        this.#rounds.answered(from)
        this.#answerSyncs()
        return packet
      case 'SYNC':
        this.#askRound(from, packet.syncId)
        return packet
      case 'REQUEST':
      case 'REVALIDATE':
        return packet
      default:
        this.#drop(learner)
    }
    return null
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
    const isSupported = this.#isQuorum(this.#followers().filter((learner) => learner.synced))
    this.#minorityTicks = isSupported ? 0 : this.#minorityTicks + 1
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
    if (this.#phase === 'broadcast' && this.#rounds.isDue) this.#ping()
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
    if (!this.#mayLearn(from, packet)) {
      this.#outbox.close(from, link)
      return
    }
    const { acceptedEpoch, dialect } = packet
    const learner = new Progress({ id: from, link, votes, acceptedEpoch, isPlain: dialect === 'zookeeper' })
    this.#learners = [...this.#learners, learner].sort((a, b) => a.id - b.id)
    if (this.#epoch === 0) this.#chooseEpoch()
    else if (packet.acceptedEpoch > this.#epoch) {
      // It would refuse this epoch forever. Lead it, or let it be led, in a later one.
      this.#abdicate(`server ${from} has accepted epoch ${packet.acceptedEpoch}`, packet.acceptedEpoch)
    } else this.#sendEpoch(learner)
  }

  /** A server that is added next follows before it counts. No changed configuration is shown to one of ZooKeeper. */
  #mayLearn(id: number, { type, dialect }: { readonly type: string; readonly dialect?: 'zookeeper' }): boolean {
    const { current, proposed } = this.#membership
    if (dialect === 'zookeeper' && (current.version > 0n || proposed !== null)) return false
    return type === 'OBSERVERINFO' || this.#config.reconfigurable || this.#membership.mayCount(id)
  }

  #chooseEpoch(): void {
    if (!this.#isQuorum(this.#followers())) return
    const accepted = this.#learners.map((learner) => learner.acceptedEpoch)
    this.#epoch = Math.max(this.#journal.acceptedEpoch, this.#epochFloor, ...accepted) + 1
    this.#journal.acceptEpoch(this.#epoch)
    for (const learner of this.#learners) this.#sendEpoch(learner)
  }

  #sendEpoch(learner: Progress): void {
    this.#outbox.afterPersist(learner.id, learner.link, { type: 'LEADERINFO', epoch: this.#epoch })
  }

  #epochAcknowledged(learner: Progress, currentEpoch: number, lastZxid: bigint): void {
    if (this.#epoch === 0 || learner.lastZxid !== null) {
      this.#drop(learner)
      return
    }
    if (currentEpoch !== -1 && learner.votes && this.#membership.mayCount(learner.id)) {
      const isOfSameEpoch = currentEpoch === this.#initialEpoch
      const isAhead = currentEpoch > this.#initialEpoch || (isOfSameEpoch && lastZxid > this.#initialZxid)
      // Once a majority is synchronised, entries that somebody has beyond it were never committed.
      if (isAhead && this.#phase !== 'broadcast') {
        const seen = `epoch ${currentEpoch}, zxid ${formatZxid(lastZxid)}`
        this.#abdicate(`server ${learner.id} has seen more: ${seen}`)
        return
      }
      this.#epochAcks.add(learner.id)
    }
    learner.acknowledgeEpoch(lastZxid)
    if (this.#phase === 'discovery') this.#checkEpochAcks()
    else this.#synchronise(learner)
  }

  #checkEpochAcks(): void {
    if (this.#epoch === 0 || this.#journal.durable.acceptedEpoch < this.#epoch) return
    if (!this.#membership.isQuorum([...this.#epochAcks, this.#config.myid])) return
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
  #synchronise(learner: Progress): void {
    if (learner.inStream || learner.lastZxid === null) return
    if (!learner.votes && this.#phase !== 'broadcast') return
    const end = learner.votes ? this.#journal.lastZxid : this.#committed
    let from = learner.lastZxid
    if (from < this.#journal.base) {
      const state = this.#host.openSnapshot()
      this.#outbox.state(learner.id, learner.link, state)
      from = state.zxid
    } else if (this.#journal.covers(from) && from <= end || counterOf(from) === 0) {
      // A learner of ZooKeeper can say that it is at the beginning of an epoch, where there is no transaction.
      from = this.#journal.floor(from < end ? from : end)
      this.#send(learner, { type: 'DIFF', zxid: end })
    } else {
      from = this.#journal.floor(from < end ? from : end)
      this.#send(learner, { type: 'TRUNC', zxid: from })
    }
    for (const { zxid, txn } of this.#journal.range(from, end)) this.#send(learner, { type: 'PROPOSAL', zxid, txn })
    if (this.#phase === 'broadcast') this.#send(learner, { type: 'COMMIT', zxid: this.#committed })
    this.#send(learner, { type: 'NEWLEADER', zxid: zxidOf(this.#epoch, 0) })
    learner.enterStream(end)
  }

  #acknowledged(learner: Progress, zxid: bigint): void {
    if (zxid === zxidOf(this.#epoch, 0) && learner.inStream && !learner.synced) {
      learner.acknowledgeHistory()
      if (this.#phase === 'broadcast') {
        this.#send(learner, { type: 'UPTODATE' })
        this.#advanceCommit()
      } else this.#checkEstablished()
      return
    }
    if (learner.isPlain && !this.#isNews(learner, zxid)) return
    learner.acknowledge(zxid, this.#journal.lastZxid)
    if (zxid > this.#committed) this.#advanceCommit()
  }

  /**
   * A learner of ZooKeeper acknowledges NEWLEADER again after UPTODATE, and each proposal before it by itself. One that
   * acknowledges what it has not got is given up.
   */
  #isNews(learner: Progress, zxid: bigint): boolean {
    const { ackedZxid } = learner
    if (ackedZxid === null || zxid > this.#journal.lastZxid && zxid !== zxidOf(this.#epoch, 0)) {
      this.#drop(learner)
      return false
    }
    return zxid > ackedZxid && zxid !== zxidOf(this.#epoch, 0)
  }

  #checkEstablished(): void {
    const { currentEpoch, zxid } = this.#journal.durable
    if (currentEpoch < this.#epoch || zxid < this.#initialZxid) return
    if (!this.#isQuorum(this.#followers().filter((learner) => learner.synced))) return
    this.#phase = 'broadcast'
    this.#committed = this.#initialZxid
    for (const learner of this.#learners) {
      learner.silentTicks = 0
      if (learner.inStream) this.#send(learner, { type: 'COMMIT', zxid: this.#committed })
      if (learner.synced) this.#send(learner, { type: 'UPTODATE' })
      this.#synchronise(learner)
    }
    this.#ping()
  }

  // Broadcast

  /** Commits what a majority has durable: this server counts itself only for what its own disk has. */
  #advanceCommit(): void {
    const acked = new Map([[this.#config.myid, this.#journal.durable.zxid]])
    for (const { id, ackedZxid } of this.#followers()) if (ackedZxid !== null) acked.set(id, ackedZxid)
    const majority = this.#membership.quorumValue(acked)
    if (majority === null || majority <= this.#committed) return
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

  /** Begins a round. That alone confirms the syncs of a leader that is its own majority: nobody else will answer. */
  #ping(): void {
    const synced = this.#learners.filter((learner) => learner.synced)
    this.#rounds.begin(synced)
    for (const learner of synced) this.#send(learner, { type: 'PING', touched: [] })
    this.#answerSyncs()
  }

  #askRound(asker: number, syncId: number): void {
    if (!this.#isMakingWay) this.#rounds.ask(asker, syncId, this.#journal.lastZxid)
  }

  #answerSyncs(): void {
    for (const { asker, syncId } of this.#rounds.takeConfirmed(this.#committed)) {
      const learner = this.#find(asker)
      if (learner !== undefined) this.#send(learner, { type: 'SYNCED', syncId })
      else if (asker === this.#config.myid) this.#synced.push({ type: 'SYNCED', syncId })
    }
  }

  // Links

  #send(learner: Progress, packet: Packet): void {
    this.#outbox.now(learner.id, learner.link, packet)
  }

  #drop(learner: Progress): void {
    this.#outbox.close(learner.id, learner.link)
    this.#forget(learner)
  }

  #forget(learner: Progress): void {
    this.#learners = this.#learners.filter((other) => other !== learner)
    this.#rounds.forget(learner.id)
  }

  #abdicate(reason: string, epochFloor = 0): void {
    this.#abdication ??= { reason, epochFloor }
  }

  #followers(): Progress[] {
    return this.#learners.filter((learner) => learner.votes)
  }

  #isQuorum(learners: readonly Progress[]): boolean {
    return this.#membership.isQuorum([this.#config.myid, ...learners.map(({ id }) => id)])
  }

  #find(id: number): Progress | undefined {
    return this.#learners.find((learner) => learner.id === id)
  }
}

/** The facts that an attempt to lead begins with. */
export interface LeaderStart {
  /** This server knows everything up to here to be committed. */
  readonly committedZxid: bigint
  /** The epoch must be greater than this. */
  readonly epochFloor: number
}
