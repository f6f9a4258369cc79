/**
 * A server that follows a leader, or tries to: as a voter, as an observer, or as a voter that has no vote yet.
 *
 * Lost vote  a server that came back without its storage may have promised anything. Once a majority that does not
 *            count it confirms the leader, and every attempt to lead that could still count a promise of its earlier
 *            life is over, its promises are either here or void, and it can vote again (decision 0006). So it asks
 *            for one sync per attempt to follow, when it has caught up and `initLimitTicks` have passed since its
 *            start. The answer to that sync, on the link of that attempt, gives it its vote; no other does.
 * ZooKeeper  confirms no sync by a majority. There this server asks for a write that must be refused, of a session that
 *            does not exist: it comes back once a majority has it, and this server is in none as an observer.
 */
import type { Packet } from '../../../wire/packets.ts'
import { OpCode } from '../../../wire/codes.ts'
import { decodeTransaction } from '../../../wire/transactions.ts'
import { NO_IDENTITIES } from '../state/identities.ts'
import type { WriteRequest } from '../writes/prepare.ts'
import { Learner } from '../zab/learner.ts'
import type { Answer, RoleEnd, RoleInputs, ServerParts } from './role.ts'

/** The number of the sync by which a server asks for its vote; those that clients ask for count from 1. */
const VOTE_SYNC_ID = 0

/** The facts that a server begins to follow with. */
interface FollowingStart {
  readonly leader: number
  /** Ticks since the server started. */
  readonly uptimeTicks: number
  /** The last attempt to follow has shown that the log here cannot be continued. */
  readonly needsState: boolean
}

/** The role of a server that knows of a leader. */
export class Following implements RoleInputs {
  readonly kind = 'following'
  readonly takesClients = true
  readonly name: 'FOLLOWING' | 'OBSERVING'
  readonly #parts: ServerParts
  readonly #learner: Learner
  readonly #wantsVote: boolean
  readonly #lacksVote: boolean
  #uptimeTicks: number
  #hasAskedForVote = false
  /** A session that does not exist, in whose name a leader of ZooKeeper was asked. */
  #noSession: bigint | null = null
  #isSynchronised = false
  #isRewinding = false
  #hasVoteBack = false
  #reconfigured: string | null = null
  #answers: Answer[] = []

  constructor(parts: ServerParts, { leader, uptimeTicks, needsState }: FollowingStart) {
    this.#parts = parts
    this.#uptimeTicks = uptimeTicks
    const { config, journal, outbox, replica, exchange } = parts
    this.#wantsVote = wantsVote(parts)
    const votes = this.#wantsVote && journal.votes
    this.name = votes ? 'FOLLOWING' : 'OBSERVING'
    this.#lacksVote = this.#wantsVote && !votes
    const host = {
      receiveSnapshot: (zxid: bigint, isFuzzy: boolean) => replica.receiveSnapshot(zxid, isFuzzy),
      appliedZxid: () => replica.state.lastZxid,
      confirmedZxid: () => replica.confirmedZxid,
      takeTouched: () => exchange.takeTouched(),
    }
    const uncountedTicks = this.#lacksVote ? config.initLimitTicks - uptimeTicks : 0
    const start = { leader, votes, committedZxid: replica.state.lastZxid, uncountedTicks, needsState }
    this.#learner = new Learner(config, journal, outbox, host, start)
  }

  get leader(): number {
    return this.#learner.leader
  }

  get committedZxid(): bigint {
    return this.#learner.committedZxid
  }

  get isUpToDate(): boolean {
    return this.#learner.isUpToDate
  }

  get isPlain(): boolean {
    return this.#learner.isPlain
  }

  get mayServe(): boolean {
    return this.#learner.isUpToDate && !this.#lacksVote
  }

  get end(): RoleEnd | null {
    const reason = this.#learner.failure ?? (this.#hasVoteBack ? 'caught up; votes again' : this.#reconfigured)
    if (reason === null) return null
    const { needsState, rewindTo, isLeaderGone, leader } = this.#learner
    return { reason, epochFloor: 0, needsState, rewindTo, goneLeader: isLeaderGone ? leader : null }
  }

  serve(): void {}

  submit(request: WriteRequest): void {
    this.#learner.send({ type: 'REQUEST', request })
  }

  sync(syncId: number): void {
    this.#learner.send({ type: 'SYNC', syncId, touched: this.#parts.exchange.takeTouched() })
  }

  revalidate(packet: Extract<Packet, { type: 'REVALIDATE' }>): void {
    this.#learner.send(packet)
  }

  touch(sessionId: bigint): boolean {
    const { connections, exchange } = this.#parts
    exchange.touch(sessionId, () => connections.timeoutMsOf(sessionId))
    return true
  }

  tick(): void {
    this.#uptimeTicks += 1
    this.#learner.tick()
    this.#askForVote()
  }

  receivePacket(from: number, link: number, packet: Packet): void {
    const answer = this.#learner.receivePacket(from, link, packet)
    this.#expectOurs()
    this.#noteSynchronisation()
    this.#noteRewind()
    if (packet.type === 'INFORM' && link === this.#learner.link) this.#lookForRefusal(packet.txn)
    this.#askForVote()
    if (answer === null) return
    if (answer.type === 'SYNCED' && answer.syncId === VOTE_SYNC_ID) this.#takeVoteBack()
    else this.#answers.push(answer)
  }

  linkOpened(peer: number, link: number, isDialled: boolean): void {
    if (isDialled) this.#learner.linkOpened(peer, link)
    else this.#parts.outbox.close(peer, link)
  }

  unreachable(peer: number): void {
    this.#learner.unreachable(peer)
  }

  linkClosed(peer: number, link: number): void {
    this.#learner.linkClosed(peer, link)
  }

  persisted(): void {}

  flush(): void {}

  /** A server that follows and is to observe, or the other way round, opens another link. */
  reconfigured(): void {
    if (wantsVote(this.#parts) !== this.#wantsVote) this.#reconfigured = 'the configuration has changed its role'
  }

  takeAnswers(): readonly Answer[] {
    const answers = this.#answers
    this.#answers = []
    return answers
  }

  close(): void {
    this.#learner.close()
  }

  /** A leader of ZooKeeper is not shown to keep to a configuration that ours have changed. */
  #expectOurs(): void {
    if (this.#learner.isPlain && this.#parts.membership.current.version > 0n) {
      this.#reconfigured ??= 'the configuration was changed, and a server of ZooKeeper leads'
    }
  }

  #noteSynchronisation(): void {
    const { synchronisation } = this.#learner
    if (synchronisation === null || this.#isSynchronised) return
    this.#isSynchronised = true
    this.#parts.report({ type: 'synchronised', ...synchronisation })
    this.#parts.election.enterEpoch(this.#parts.journal.currentEpoch)
  }

  /** Nobody was served from what is undone: it was never confirmed. */
  #noteRewind(): void {
    const { rewindTo } = this.#learner
    if (rewindTo === null || this.#isRewinding) return
    this.#isRewinding = true
    this.#parts.report({ type: 'rewinding', to: rewindTo, applied: this.#parts.replica.state.lastZxid })
  }

  #askForVote(): void {
    if (!this.#lacksVote || this.#hasAskedForVote || !this.#learner.isUpToDate) return
    if (this.#uptimeTicks < this.#parts.config.initLimitTicks) return
    this.#hasAskedForVote = true
    if (this.#learner.isPlain) {
      this.#noSession = this.#parts.connections.newSessionId()
      const request = { sessionId: this.#noSession, xid: 0, identities: NO_IDENTITIES, op: OpCode.delete }
      this.#learner.send({ type: 'REQUEST', request: { ...request, body: { path: '/', version: 0 } } })
    } else this.#learner.send({ type: 'SYNC', syncId: VOTE_SYNC_ID, touched: [] })
  }

  /** A leader of ZooKeeper has had the refusal of that write logged by a majority. */
  #lookForRefusal(txn: Uint8Array): void {
    if (this.#noSession === null || this.#hasVoteBack) return
    const { header } = decodeTransaction(txn)
    if (header.type === OpCode.error && header.clientId === this.#noSession) this.#takeVoteBack()
  }

  #takeVoteBack(): void {
    if (!this.#hasAskedForVote || this.#hasVoteBack) return
    this.#hasVoteBack = true
    this.#parts.journal.grantVote()
  }
}

/**
 * Whether a server follows, as the voters do. One that is in no configuration does so if it was started as a voter: it
 * is joining, or was removed.
 */
function wantsVote({ config, membership }: ServerParts): boolean {
  if (membership.isVoter(config.myid)) return true
  return config.voters.includes(config.myid) && !membership.current.observers.includes(config.myid)
}
