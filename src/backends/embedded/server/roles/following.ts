/**
 * A server that follows a leader, or tries to: as a voter, as an observer, or as a voter that has no vote yet.
 *
 * Lost vote  a server that came back without its storage may have promised anything. Once a majority that does not
 *            count it confirms the leader, and every attempt to lead that could still count a promise of its earlier
 *            life is over, what it promised is either here or void, and it can vote again (decision 0006). So it asks
 *            for one sync per attempt to follow, when it has caught up and `initLimitTicks` have passed since its
 *            start. The answer to that sync, on the link of that attempt, gives it its vote; no other does.
 */
import type { Packet } from '../../../wire/packets.ts'
import type { WriteRequest } from '../writes/prepare.ts'
import { Learner } from '../zab/learner.ts'
import type { Answer, RoleEnd, RoleInputs, ServerParts } from './role.ts'

/** The number of the sync by which a server asks for its vote; those that clients ask for count from 1. */
const VOTE_SYNC_ID = 0

/** With what a server begins to follow. */
interface FollowingStart {
  readonly leader: number
  /** Ticks since the server started. */
  readonly uptimeTicks: number
}

/** The role of a server that knows of a leader. */
export class Following implements RoleInputs {
  readonly kind = 'following'
  readonly name: 'FOLLOWING' | 'OBSERVING'
  readonly #parts: ServerParts
  readonly #learner: Learner
  readonly #lacksVote: boolean
  #uptimeTicks: number
  #hasAskedForVote = false
  #isSynchronised = false
  #hasVoteBack = false
  #answers: Answer[] = []

  constructor(parts: ServerParts, { leader, uptimeTicks }: FollowingStart) {
    this.#parts = parts
    this.#uptimeTicks = uptimeTicks
    const { config, journal, outbox, replica, localSessions } = parts
    const isVoter = config.voters.includes(config.myid)
    const votes = isVoter && journal.votes
    this.name = votes ? 'FOLLOWING' : 'OBSERVING'
    this.#lacksVote = isVoter && !votes
    const host = {
      receiveSnapshot: (zxid: bigint) => replica.receive(zxid),
      appliedZxid: () => replica.state.lastZxid,
      takeTouched: () => localSessions.takeTouched(),
    }
    const start = { leader, votes, committedZxid: replica.state.lastZxid }
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

  get mayServe(): boolean {
    return this.#learner.isUpToDate && !this.#lacksVote
  }

  get end(): RoleEnd | null {
    const reason = this.#learner.failure ?? (this.#hasVoteBack ? 'caught up; votes again' : null)
    return reason === null ? null : { reason, epochFloor: 0 }
  }

  serve(): void {}

  submit(request: WriteRequest): void {
    this.#learner.send({ type: 'REQUEST', request })
  }

  sync(syncId: number): void {
    this.#learner.send({ type: 'SYNC', syncId, touched: this.#parts.localSessions.takeTouched() })
  }

  revalidate(packet: Extract<Packet, { type: 'REVALIDATE' }>): void {
    this.#learner.send(packet)
  }

  touch(sessionId: bigint): boolean {
    const { connections, localSessions } = this.#parts
    localSessions.touch(sessionId, () => connections.timeoutMsOf(sessionId))
    return true
  }

  tick(): void {
    this.#uptimeTicks += 1
    this.#learner.tick()
    this.#askForVote()
  }

  receivePacket(from: number, link: number, packet: Packet): void {
    const answer = this.#learner.receivePacket(from, link, packet)
    this.#noteSynchronisation()
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

  takeAnswers(): readonly Answer[] {
    const answers = this.#answers
    this.#answers = []
    return answers
  }

  close(): void {
    this.#learner.close()
  }

  #noteSynchronisation(): void {
    const { synchronisation } = this.#learner
    if (synchronisation === null || this.#isSynchronised) return
    this.#isSynchronised = true
    this.#parts.report({ type: 'synchronised', ...synchronisation })
    this.#parts.election.enterEpoch(this.#parts.journal.currentEpoch)
  }

  #askForVote(): void {
    if (!this.#lacksVote || this.#hasAskedForVote || !this.#learner.isUpToDate) return
    if (this.#uptimeTicks < this.#parts.config.initLimitTicks) return
    this.#hasAskedForVote = true
    this.#learner.send({ type: 'SYNC', syncId: VOTE_SYNC_ID, touched: [] })
  }

  #takeVoteBack(): void {
    if (!this.#hasAskedForVote || this.#hasVoteBack) return
    this.#hasVoteBack = true
    this.#parts.journal.grantVote()
  }
}
