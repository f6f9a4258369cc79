/**
 * A server that leads, or tries to: ZAB's leader (zab/leader.ts), and, once that is established and its history is
 * applied, the sequencer with which it decides on the requests of clients (writes/sequencer.ts). The two do not know
 * each other: this file passes learners' forwarded requests from the one to the other.
 */
import { assert } from '../../../../core/assert.ts'
import { OpCode } from '../../../wire/codes.ts'
import type { Packet } from '../../../wire/packets.ts'
import type { Transaction } from '../../../wire/transactions.ts'
import { decodeTransaction } from '../../../wire/transactions.ts'
import type { LeadingInspection } from '../inspection.ts'
import type { Applied } from '../state/state.ts'
import type { WriteRequest } from '../writes/prepare.ts'
import type { Members } from '../writes/reconfiguration.ts'
import { Sequencer } from '../writes/sequencer.ts'
import type { Proposer } from '../writes/sequencer.ts'
import type { LogEntry } from '../zab/journal.ts'
import { Leader } from '../zab/leader.ts'
import type { Answer, RoleEnd, RoleInputs, ServerParts } from './role.ts'
import { UnconfirmedRefusals } from './unconfirmed-refusals.ts'

/** The role of a server that was elected. */
export class Leading implements RoleInputs, Proposer {
  readonly kind = 'leading'
  readonly name = 'LEADING'
  readonly isPlain = false
  readonly #parts: ServerParts
  readonly #leader: Leader
  /** While it serves. */
  #sequencer: Sequencer | null = null
  readonly #refusals = new UnconfirmedRefusals()
  #answers: Answer[] = []

  /**
   * Begins to lead.
   *
   * @param epochFloor - its epoch must be greater than this
   */
  constructor(parts: ServerParts, epochFloor: number) {
    this.#parts = parts
    const { config, journal, membership, outbox, replica } = parts
    const host = { membership, openSnapshot: () => replica.state.openSnapshot() }
    const start = { committedZxid: replica.state.lastZxid, epochFloor }
    this.#leader = new Leader(config, journal, outbox, host, start)
  }

  get leader(): number {
    return this.#parts.config.myid
  }

  get committedZxid(): bigint {
    return this.#leader.committedZxid
  }

  get isUpToDate(): boolean {
    return this.#leader.isEstablished
  }

  get mayServe(): boolean {
    return this.#leader.isEstablished
  }

  get takesClients(): boolean {
    const { config, membership } = this.#parts
    return config.leaderServes || membership.isAlone(config.myid)
  }

  get end(): RoleEnd | null {
    return this.#leader.abdication
  }

  /** Whether it is its own majority, and nobody learns from it. */
  get isAlone(): boolean {
    return this.#leader.isAlone
  }

  /** A view of it for operators; null before it serves. */
  get inspection(): LeadingInspection | null {
    return this.#sequencer === null ? null : { ...this.#leader.counts, ...this.#sequencer.age }
  }

  serve(): void {
    const { config, journal, election, replica } = this.#parts
    const { state } = replica
    assert(state.lastZxid === journal.lastZxid, 'a leader has applied its history before it proposes')
    election.enterEpoch(journal.currentEpoch)
    this.#sequencer = new Sequencer(state, this, { ...config, isFull: this.#parts.isFull })
    this.#establish()
  }

  submit(request: WriteRequest): void {
    const { config, wallTimeMs } = this.#parts
    this.#sequencer?.submit(this.#withMovableSession(request), config.myid, wallTimeMs)
  }

  /**
   * Servers of ZooKeeper know only the password that is computed from a session's id. The client of a session that was
   * local until now has another one already, which the servers of this package will know.
   */
  #withMovableSession(request: WriteRequest): WriteRequest {
    if (request.op !== OpCode.createSession || !this.#leader.hasPlainLearners) return request
    if (request.localPasswd !== undefined) return request
    return { ...request, body: { ...request.body, passwd: null } }
  }

  sync(syncId: number): void {
    this.#leader.sync(syncId)
  }

  revalidate(packet: Extract<Packet, { type: 'REVALIDATE' }>): void {
    const { myid } = this.#parts.config
    const answer = this.#sequencer?.revalidate(packet, myid) ?? null
    if (answer !== null) this.revalidated(answer, myid)
  }

  touch(sessionId: bigint): boolean {
    return this.#sequencer?.touch(sessionId) ?? true
  }

  tick(): void {
    this.#leader.tick()
    this.#sequencer?.tick(this.#parts.wallTimeMs)
    this.#establish()
  }

  receivePacket(from: number, link: number, packet: Packet): void {
    const forwarded = this.#leader.receivePacket(from, link, packet)
    if (forwarded === null || this.#sequencer === null) return
    if (forwarded.type === 'REQUEST') {
      const request = this.#withMovableSession(forwarded.request as WriteRequest)
      this.#sequencer.submit(request, from, this.#parts.wallTimeMs)
    } else if (forwarded.type === 'REVALIDATE') {
      const answer = this.#sequencer.revalidate(forwarded, from)
      if (answer !== null) this.revalidated(answer, from)
    } else for (const { sessionId } of forwarded.touched) this.#sequencer.touch(sessionId)
  }

  linkOpened(peer: number, link: number, isDialled: boolean): void {
    // It was dialled in an earlier role.
    if (isDialled) this.#parts.outbox.close(peer, link)
  }

  unreachable(): void {}

  linkClosed(peer: number, link: number): void {
    this.#leader.linkClosed(peer, link)
  }

  persisted(): void {
    this.#leader.persisted()
  }

  flush(): void {
    const syncId = this.#refusals.take()
    if (syncId !== null) this.#leader.sync(syncId)
    this.#leader.flush()
    this.#leader.leave(this.#parts.replica.state.lastZxid)
  }

  /** Takes nothing more on, and ends once everything that was taken on is done. */
  makeWay(): void {
    this.#leader.makeWay()
  }

  takeAnswers(): readonly Answer[] {
    const synced = this.#leader.takeSynced().filter(({ syncId }) => {
      const refusals = this.#refusals.confirmed(syncId)
      for (const { answer, to } of refusals ?? []) this.#tell(answer, to)
      return refusals === null
    })
    const answers = [...this.#answers, ...synced]
    this.#answers = []
    return answers
  }

  close(): void {
    this.#leader.close()
  }

  reconfigured(): void {
    this.#leader.reconfigured()
  }

  /** The first configuration becomes a transaction, as soon as nobody follows who knows no change of one. */
  #establish(): void {
    const { config, membership, wallTimeMs } = this.#parts
    if (!config.reconfigurable || !config.reconfigEnabled) return
    if (membership.current.version > 0n || membership.proposed !== null) return
    const mayChange = !this.#leader.hasPlainLearners && this.#leader.hasSynced(membership.current.voters)
    if (mayChange) this.#sequencer?.establish(membership.current.text, wallTimeMs)
  }

  // For its sequencer

  get members(): Members | null {
    const { config, membership } = this.#parts
    if (!config.reconfigurable) return null
    const leader = this.#leader
    return {
      isOpen: config.reconfigEnabled,
      get current() {
        return membership.current
      },
      get isChanging() {
        return membership.proposed !== null
      },
      get areOurs() {
        return !leader.hasPlainLearners
      },
      hasSynced: (voters) => leader.hasSynced(voters),
    }
  }

  get nextZxid(): bigint | null {
    return this.#leader.nextZxid
  }

  propose(txn: Uint8Array): void {
    this.#leader.propose(txn)
  }

  expired(sessionId: bigint): void {
    this.#parts.report({ type: 'expired', sessionId })
  }

  revalidated(answer: Extract<Answer, { type: 'REVALIDATED' }>, to: number): void {
    if (answer.valid) this.#tell(answer, to)
    else this.#refusals.hold({ answer, to })
  }

  #tell(answer: Extract<Answer, { type: 'REVALIDATED' }>, to: number): void {
    if (to === this.#parts.config.myid) this.#answers.push(answer)
    else this.#leader.answer(to, answer)
  }

  undecided(sessionId: bigint, error: unknown): void {
    this.#parts.report({ type: 'client-failed', sessionId, error })
  }

  // For the server that applies

  /** The transaction of the entry that is to be applied next. */
  take({ zxid, txn }: LogEntry): Transaction {
    return this.#sequencer?.take(zxid, txn) ?? decodeTransaction(txn)
  }

  /** A transaction has been applied. */
  applied(zxid: bigint, applied: Applied): void {
    this.#sequencer?.applied(zxid, applied)
  }

  // Sessions

  /** Ends a session as if its time were over; false if there is no such session, or this is no time to end one. */
  expire(sessionId: bigint): boolean {
    return this.#sequencer?.expire(sessionId, this.#parts.wallTimeMs) ?? false
  }

  /** When a session ends if nothing is heard of it, in milliseconds from now; null if that is not known. */
  expiresInMs(sessionId: bigint): number | null {
    return this.#sequencer?.expiresInMs(sessionId) ?? null
  }
}
