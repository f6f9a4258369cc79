/**
 * The leader's sequencer: turns requests into transactions in the order of zxids, and ends sessions and nodes whose
 * time is over.
 *
 * Model     there is one per epoch that a server leads: it begins when the leader is established and has applied its
 *           history, and ends with its leadership. A request becomes a transaction, a refused one too; the proposer
 *           gives the zxid and takes the bytes.
 * Sessions  every session has its full time-out from the beginning. Only a sequencer ends sessions of the ensemble.
 * Local     a session that one server alone knows may write too, and that server says so with each request. Once a
 *           client was told here that its session is over, nothing of it is done any more, not even what is on its way
 *           (turned-away.ts); and who comes back while the session is about to be one of the ensemble waits for that.
 * Source    PrepRequestProcessor.java, LeaderSessionTracker.java, ContainerManager.java of ZooKeeper 3.8.
 */
import { assert } from '../../../../core/assert.ts'
import { Err, OpCode } from '../../../wire/codes.ts'
import type { Packet } from '../../../wire/packets.ts'
import { decodeTransaction, encodeTransaction } from '../../../wire/transactions.ts'
import type { Transaction } from '../../../wire/transactions.ts'
import type { LocalSessionsMode } from '../ports.ts'
import { NO_IDENTITIES } from '../state/identities.ts'
import type { Identity } from '../state/identities.ts'
import { growsTree } from './growth.ts'
import { Preparer } from './prepare.ts'
import type { PrepareOptions, WriteRequest } from './prepare.ts'
import type { Members } from './reconfiguration.ts'
import { samePassword } from '../state/session-table.ts'
import { SessionTracker } from './session-tracker.ts'
import { SizeStats } from './size-stats.ts'
import { TurnedAwaySessions } from './turned-away.ts'
import type { TurnedAwayOptions } from './turned-away.ts'
import type { Applied, State } from '../state/state.ts'

/** Containers and expired nodes that are removed at most in a minute, evenly over its ticks. */
const REAPED_PER_MINUTE_MAX = 10_000
const MINUTE_MS = 60_000
/** Bypasses the list of /zookeeper/config. */
const SUPER: Identity = Object.freeze({ scheme: 'super', id: '' })
/** Stands for the leader's own requests, such as the end of an expired session; no server has this id. */
const ITSELF = 0

/** The leader, as a sequencer uses it. */
export interface Proposer {
  /** The servers of the ensemble; null if they cannot be changed. */
  readonly members: Members | null
  /** The zxid of the next proposal; null if the counters of the epoch are used up. */
  readonly nextZxid: bigint | null
  /** Proposes a transaction under that zxid. */
  propose(txn: Uint8Array): void
  /** A session's time is over; its end has been proposed. */
  expired(sessionId: bigint): void
  /** An answer to a server whose question had to wait. */
  revalidated(answer: Revalidated, to: number): void
  /** An error in deciding on a request of this session; the request is refused. */
  undecided(sessionId: bigint, error: unknown): void
}

/** Durations that a sequencer keeps to, and the rules by which it judges requests. */
export interface SequencerOptions extends PrepareOptions, TurnedAwayOptions {
  /** Whether the memory of the process is nearly used up; never by default. */
  readonly isFull?: (() => boolean) | undefined
  readonly containerCheckTicks: number
  readonly localSessions: LocalSessionsMode
}

type Revalidate = Extract<Packet, { type: 'REVALIDATE' }>
type Revalidated = Extract<Packet, { type: 'REVALIDATED' }>

/** The transaction that a request becomes, as a value and in bytes. */
interface Decision {
  readonly transaction: Transaction
  readonly txn: Uint8Array
}

/** Decides on the writes of one leadership. */
export class Sequencer {
  readonly #state: State
  readonly #proposer: Proposer
  readonly #preparer: Preparer
  readonly #tracker: SessionTracker
  /** Null where there are no local sessions. */
  readonly #turnedAway: TurnedAwaySessions | null
  /** Questions of servers about sessions whose beginning is proposed and not applied. */
  readonly #waiting = new Map<bigint, { readonly packet: Revalidate; readonly from: number }[]>()
  readonly #isFull: () => boolean
  readonly #tickMs: number
  readonly #containerCheckTicks: number
  readonly #proposalSizes = new SizeStats()
  /** Transactions that are proposed and not applied: they need not be decoded again. */
  readonly #proposed: Transaction[] = []
  readonly #reapedPerTick: number
  /** Nodes whose time was over when they were last looked for, and that are not removed yet. */
  #doomed: readonly string[] = []
  #ticks = 0

  constructor(state: State, proposer: Proposer, options: SequencerOptions) {
    this.#state = state
    this.#proposer = proposer
    this.#preparer = new Preparer(state, options, proposer.members)
    this.#tracker = new SessionTracker({ tickMs: options.tickMs, bucketTicks: options.sessionBucketTicks })
    this.#turnedAway = options.localSessions === 'off' ? null : new TurnedAwaySessions(options)
    this.#isFull = options.isFull ?? (() => false)
    this.#tickMs = options.tickMs
    this.#containerCheckTicks = options.containerCheckTicks
    this.#reapedPerTick = Math.max(1, Math.floor((REAPED_PER_MINUTE_MAX * options.tickMs) / MINUTE_MS))
    for (const [id, { timeoutMs }] of state.sessions.entries()) this.#tracker.track(id, timeoutMs, null)
  }

  /** How long it has lasted, in milliseconds, and how long its proposals were. */
  get age(): { readonly leadingMs: number; readonly proposalSizes: SizeStats } {
    return { leadingMs: this.#ticks * this.#tickMs, proposalSizes: this.#proposalSizes }
  }

  /**
   * Decides on a write and proposes its transaction. After the last zxid of the epoch it is dropped: its client is
   * about to lose its connection.
   *
   * @param from - myid of the server that the client is on
   * @param wallTimeMs - milliseconds since 1970
   */
  submit(request: WriteRequest, from: number, wallTimeMs: number): void {
    const zxid = this.#proposer.nextZxid
    if (zxid === null) return
    const refusal = from === ITSELF ? Err.ok : this.#refusalOf(request, from) || this.#refusalOfFull(request)
    const { transaction, txn } = this.#decide(request, zxid, wallTimeMs, refusal)
    const { type, body } = transaction.txn
    if (type === OpCode.createSession) this.#tracker.track(request.sessionId, body.timeOut, from)
    else if (type === OpCode.closeSession) this.#tracker.markClosing(request.sessionId)
    this.#proposed.push(transaction)
    this.#proposalSizes.add(txn.length)
    this.#proposer.propose(txn)
  }

  #refusalOf({ sessionId, op, localPasswd }: WriteRequest, from: number): number {
    if (localPasswd !== undefined) {
      // As in the reference, a leader that was started without local sessions takes nothing of those of others.
      return this.#turnedAway?.has(sessionId, localPasswd) === false ? Err.ok : Err.sessionExpired
    }
    if (op === OpCode.createSession) return Err.ok
    const refusal = this.#tracker.check(sessionId, from)
    this.#tracker.touch(sessionId)
    return refusal
  }

  /** The server of the client has room, and this one, which all writes go through, has none. */
  #refusalOfFull(request: WriteRequest): number {
    return growsTree(request) && this.#isFull() ? Err.throttledOp : Err.ok
  }

  /** Whatever goes wrong in deciding on one request, that request is refused, and leaves no trace. */
  #decide(request: WriteRequest, zxid: bigint, wallTimeMs: number, refusal: number): Decision {
    assert(zxid > this.#preparer.lastZxid, () => `a decision of zxid ${zxid} after ${this.#preparer.lastZxid}`)
    try {
      const transaction = this.#preparer.prepare(request, zxid, wallTimeMs, refusal)
      return { transaction, txn: encodeTransaction(transaction) }
    } catch (error) {
      this.#preparer.revoke(zxid)
      this.#proposer.undecided(request.sessionId, error)
      const transaction = this.#preparer.prepare(request, zxid, wallTimeMs, Err.systemError)
      return { transaction, txn: encodeTransaction(transaction) }
    }
  }

  /**
   * Moves a session to another server, if the password is right and the session is not over. From now on it has the
   * time-out that its client asks for now.
   *
   * @returns the answer; null if it has to wait, and then the proposer gets it
   */
  revalidate(packet: Revalidate, from: number): Revalidated | null {
    const { connection, sessionId, timeoutMs, passwd } = packet
    const session = this.#state.sessions.get(sessionId)
    if (session === undefined) {
      if (this.#tracker.has(sessionId)) {
        this.#waiting.set(sessionId, [...this.#waiting.get(sessionId) ?? [], { packet, from }])
        return null
      }
      this.#turnedAway?.add(sessionId, passwd)
    }
    const isOwner = session !== undefined && samePassword(session.passwd, passwd)
    const valid = isOwner && this.#tracker.move(sessionId, from, timeoutMs)
    return { type: 'REVALIDATED', connection, sessionId, valid, timeoutMs: valid ? timeoutMs : 0 }
  }

  /** A session has begun: whoever waited for it is answered. */
  #answerWaiting(sessionId: bigint): void {
    const waiting = this.#waiting.get(sessionId) ?? []
    this.#waiting.delete(sessionId)
    for (const { packet, from } of waiting) {
      const answer = this.revalidate(packet, from)
      if (answer !== null) this.#proposer.revalidated(answer, from)
    }
  }

  /** A session was heard of; false if it can no longer be kept alive. */
  touch(sessionId: bigint): boolean {
    return this.#tracker.touch(sessionId)
  }

  /**
   * Proposes the configuration that the servers were started with, so that it has a place in the order, and takes
   * precedence over that of a server which joins.
   *
   * @param text - its lines
   */
  establish(text: string, wallTimeMs: number): void {
    const body = { joiningServers: null, leavingServers: null, newMembers: text, curConfigId: 0n }
    const own = { sessionId: 0n, xid: 0, identities: [SUPER] }
    this.submit({ ...own, op: OpCode.reconfig, body }, ITSELF, wallTimeMs)
  }

  /** When a session ends if nothing is heard of it, in milliseconds from now; null if it is over. */
  expiresInMs(sessionId: bigint): number | null {
    return this.#tracker.expiresInMs(sessionId)
  }

  /** Ends a session as if its time were over; false if there is no such session. */
  expire(sessionId: bigint, wallTimeMs: number): boolean {
    if (!this.#tracker.markClosing(sessionId)) return false
    this.#end(sessionId, wallTimeMs)
    return true
  }

  /** Lets a tick pass: ends the sessions that are due, and now and then looks for nodes whose time is over. */
  tick(wallTimeMs: number): void {
    this.#ticks += 1
    this.#turnedAway?.tick()
    for (const sessionId of this.#tracker.tick()) this.#end(sessionId, wallTimeMs)
    if (this.#ticks % this.#containerCheckTicks === 0) {
      this.#doomed = this.#state.reapable(wallTimeMs, REAPED_PER_MINUTE_MAX)
    }
    if (this.#doomed.length > 0) this.#reap(wallTimeMs)
  }

  #reap(wallTimeMs: number): void {
    const paths = this.#doomed.slice(0, this.#reapedPerTick)
    this.#doomed = this.#doomed.slice(this.#reapedPerTick)
    for (const path of paths) {
      const own = { sessionId: 0n, xid: 0, identities: NO_IDENTITIES }
      this.submit({ ...own, op: OpCode.deleteContainer, body: { path } }, ITSELF, wallTimeMs)
    }
  }

  /** The transaction of the entry that is to be applied next. */
  take(zxid: bigint, txn: Uint8Array): Transaction {
    const first = this.#proposed[0]
    if (first?.header.zxid !== zxid) return decodeTransaction(txn)
    this.#proposed.shift()
    return first
  }

  /** A transaction has been applied. */
  applied(zxid: bigint, { newSession, endedSession }: Applied): void {
    this.#preparer.applied(zxid)
    if (newSession !== null) this.#answerWaiting(newSession)
    if (endedSession !== null) this.#tracker.remove(endedSession)
  }

  #end(sessionId: bigint, wallTimeMs: number): void {
    if (this.#proposer.nextZxid === null) return
    this.#proposer.expired(sessionId)
    const own = { sessionId, xid: 0, identities: NO_IDENTITIES }
    this.submit({ ...own, op: OpCode.closeSession, body: null }, ITSELF, wallTimeMs)
  }
}
