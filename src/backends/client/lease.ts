/**
 * The instant until which the servers cannot have ended a session, so that a lease of this process may be trusted.
 *
 * Model     the servers end a session when the leader has heard nothing of it for its time-out T. A proof is an instant
 *           after which the leader has heard of it; session/lease-rule.ts has the deadline that follows.
 * Answered  on servers that answer a ping only when a majority has confirmed the answer (ours: decision 0003), every
 *           answered ping, write and `sync` is a proof, and proves the instant at which it was sent.
 * Proven    on ZooKeeper any server answers a ping alone, and a follower tells its leader of the sessions that it has
 *           heard of only when the leader pings it, every half tick. There a proof takes three steps on one connection:
 *           (1) a ping is answered, so the follower has heard of the session; (2) a quarter of T later, which is more
 *           than half a tick, a `sync` is answered, so the leader has pinged the follower in between; (3) a write is
 *           answered, so what the follower said to that ping has reached the leader, and a majority still follows it.
 *           The proof holds for the sending of (1). Decision 0007 has the argument, and the cost.
 * Source    Learner.ping, LearnerHandler, SessionTrackerImpl of ZooKeeper 3.8.
 */
import { trustedUntilMs } from '../../core/session/lease-rule.ts'

/** Part of the session time-out between two pings where an answer is a proof. */
const ANSWERED_PING_PART = 1 / 3

/** The same where it is only the first step of one: a fresh one has to be old enough at any time. */
const PROVEN_PING_PART = 1 / 8

/** Part of the session time-out between steps (1) and (2): more than half a tick, as T has at least three. */
const SPACING_PART = 1 / 4

/** Pings that are kept for a proof: more than are sent within the spacing. */
const TOUCHES_MAX = 8

/** The lease of one session. */
export interface ClientLease {
  /** Part of the session time-out after which a ping is sent. */
  readonly pingPart: number
  /** Whether the sending of a write or a `sync` stands in for that of a ping. */
  readonly areCallsPings: boolean
  /** Up to when a lease may be trusted, on `performance.now()`. */
  readonly deadlineMs: number
  /** Somebody asks for the deadline now: whoever holds a lease does so now and then. */
  want(): void
  /** A server has opened the session, or attached it; the request to do so was sent then. */
  attached(sentMs: number, timeoutMs: number, isNew: boolean): void
  /** The connection was lost. */
  detached(): void
  /** A ping was answered. */
  ponged(sentMs: number): void
  /** A write or a `sync` was answered. */
  answered(sentMs: number): void
}

/** On servers whose every answer to a ping, a write or a `sync` is a proof. */
export class AnsweredLease implements ClientLease {
  readonly pingPart = ANSWERED_PING_PART
  readonly areCallsPings = true
  #provenMs = -Infinity
  #timeoutMs = 0

  get deadlineMs(): number {
    return trustedUntilMs(this.#provenMs, this.#timeoutMs)
  }

  want(): void {
    // Proofs come by themselves.
  }

  attached(sentMs: number, timeoutMs: number, isNew: boolean): void {
    this.#timeoutMs = timeoutMs
    // A new session is a transaction, but that an old one lives on is the word of one server: the first ping proves it.
    if (isNew) this.answered(sentMs)
  }

  detached(): void {
    // A proof outlives its connection.
  }

  ponged(sentMs: number): void {
    this.answered(sentMs)
  }

  answered(sentMs: number): void {
    if (sentMs > this.#provenMs) this.#provenMs = sentMs
  }
}

/** On servers of either kind: as on ZooKeeper, unless the server that is attached now is known to be one of ours. */
export class RecognisingLease implements ClientLease {
  readonly #proven: ProvenLease
  readonly #answered = new AnsweredLease()
  #isOurs = false
  /** When the latest request that was answered on this connection was sent. */
  #latestMs = -Infinity

  constructor(prover: LeaseProver) {
    this.#proven = new ProvenLease(prover)
  }

  get pingPart(): number {
    return this.#present.pingPart
  }

  get areCallsPings(): boolean {
    return this.#present.areCallsPings
  }

  /** The later deadline of the two: a proof of either kind stays one. */
  get deadlineMs(): number {
    return Math.max(this.#proven.deadlineMs, this.#answered.deadlineMs)
  }

  want(): void {
    this.#present.want()
  }

  attached(sentMs: number, timeoutMs: number, isNew: boolean): void {
    this.#isOurs = false
    this.#latestMs = -Infinity
    for (const lease of [this.#proven, this.#answered]) lease.attached(sentMs, timeoutMs, isNew)
  }

  detached(): void {
    this.#isOurs = false
    for (const lease of [this.#proven, this.#answered]) lease.detached()
  }

  ponged(sentMs: number): void {
    this.#latestMs = Math.max(this.#latestMs, sentMs)
    this.#present.ponged(sentMs)
  }

  answered(sentMs: number): void {
    this.#latestMs = Math.max(this.#latestMs, sentMs)
    this.#present.answered(sentMs)
  }

  /** The server is one of ours: so it was when it answered what it has answered on this connection. */
  recognised(): void {
    this.#isOurs = true
    this.#answered.answered(this.#latestMs)
  }

  get #present(): ClientLease {
    return this.#isOurs ? this.#answered : this.#proven
  }
}

/** The steps of a proof that the session takes for a {@link ProvenLease}. */
export interface LeaseProver {
  /** A round trip to the leader, in the order of the connection; rejects if it is not answered. */
  sync(): Promise<void>
  /** A transaction that changes nothing; rejects if it was not committed. */
  commit(): Promise<void>
}

/** A ping that was answered. */
interface Touch {
  readonly sentMs: number
  readonly answeredMs: number
}

/** On servers that answer pings alone. Proofs are made only while somebody wants to know the deadline. */
export class ProvenLease implements ClientLease {
  readonly pingPart = PROVEN_PING_PART
  readonly areCallsPings = false
  readonly #prover: LeaseProver
  #provenMs = -Infinity
  #timeoutMs = 0
  #wantedMs = -Infinity
  /** Which connection this is, counted from 1; a proof is one of a single connection. */
  #link = 0
  /** The connection on which a proof is under way. */
  #provingLink = 0
  #isAttached = false
  /** The pings of this connection, oldest first. */
  #touches: Touch[] = []

  constructor(prover: LeaseProver) {
    this.#prover = prover
  }

  get deadlineMs(): number {
    return trustedUntilMs(this.#provenMs, this.#timeoutMs)
  }

  want(): void {
    this.#wantedMs = performance.now()
    void this.#prove()
  }

  attached(sentMs: number, timeoutMs: number, isNew: boolean): void {
    this.#timeoutMs = timeoutMs
    this.#link += 1
    this.#isAttached = true
    // The leader itself was asked for both, and needed no ping to hear of it.
    this.#touches = [{ sentMs, answeredMs: -Infinity }]
    if (isNew) this.#provenMs = sentMs
  }

  detached(): void {
    this.#isAttached = false
  }

  ponged(sentMs: number): void {
    const now = performance.now()
    this.#touches.push({ sentMs, answeredMs: now })
    if (this.#touches.length > TOUCHES_MAX) this.#touches.shift()
    if (now - this.#wantedMs < this.#timeoutMs) void this.#prove()
  }

  answered(): void {
    // A single one proves nothing of what the leader has heard.
  }

  async #prove(): Promise<void> {
    const link = this.#link
    if (!this.#isAttached || this.#provingLink === link) return
    const bestMs = performance.now() - this.#timeoutMs * SPACING_PART
    const touch = this.#touches.findLast(({ answeredMs }) => answeredMs <= bestMs)
    if (touch === undefined || touch.sentMs <= this.#provenMs) return
    this.#provingLink = link
    try {
      await this.#prover.sync()
      await this.#prover.commit()
      if (this.#isAttached && this.#link === link && touch.sentMs > this.#provenMs) this.#provenMs = touch.sentMs
    } catch {
      // The next one who wants to know makes another attempt.
    } finally {
      if (this.#provingLink === link) this.#provingLink = 0
    }
  }
}
