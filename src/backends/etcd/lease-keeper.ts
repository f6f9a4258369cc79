/**
 * Keeps the lease of a session alive, at one member after the other, and says when it can no longer be trusted.
 *
 * Model     a keep-alive every third of the time-out. One that fails is repeated at the next member at once; after
 *           each round over all of them, after a pause.
 * Lease     etcd counts the time-out from when it received a keep-alive, which is not before we sent it. So the lease
 *           lives at least that long after the sending of the last one that was answered.
 * Majority  a leader answers keep-alives alone: one that was deposed and does not know it yet renews what nobody
 *           counts, and one that was elected a moment ago may not know a lease yet. So an answer counts once the
 *           session's key was read after it, which takes a majority, in the same term; and a lease is gone when its
 *           key is.
 * Source    etcd-io/etcd#15247 and #16822; docs/decisions/0003.
 */
import { Deadline } from '../../core/async.ts'
import { fullJitterMs } from '../../core/retry.ts'
import { givenUpAtMs } from '../../core/session/lease-rule.ts'
import type { Channel } from './io/channel.ts'
import type { Keys } from './keys.ts'
import { Methods } from './messages.ts'
import { ReadPlan } from './read-plan.ts'

/** A session as it was opened. */
export interface OpenedLease {
  readonly id: bigint
  readonly timeoutMs: number
  /** When the grant was sent, on `performance.now()`. */
  readonly sentMs: number
  /** The member that answered. */
  readonly endpoint: number
}

/** The callbacks of a keeper to its session. */
export interface LeaseOwner {
  /** A keep-alive was answered. */
  onAlive(): void
  /** No member is in touch, as far as is known. */
  onLost(reason: string): void
  /** The session is over: etcd says so, or it was not heard of for too long. */
  onGone(): void
}

/** A keep-alive is sent when none was for this part of the time-out. */
const BEAT_PART = 1 / 3

/** A member has this part of the time-out to answer one, but at least the time below. */
const ANSWER_PART = 1 / 5
const ANSWER_MS_MIN = 500

/** The pause between rounds is at most this part of the time-out. */
const PAUSE_PART = 1 / 8

/** Keeps one lease. */
export class LeaseKeeper {
  readonly #channel: Channel
  readonly #keys: Keys
  readonly #lease: OpenedLease
  readonly #owner: LeaseOwner
  readonly #expiry: Deadline
  readonly #beats: Deadline
  #endpoint: number
  #answeredSentMs: number
  #nextBeatMs: number
  #isBeating = false
  #failures = 0
  #isOver = false

  /** Keeps nothing alive before `start()`. */
  constructor(channel: Channel, keys: Keys, lease: OpenedLease, owner: LeaseOwner) {
    this.#channel = channel
    this.#keys = keys
    this.#lease = lease
    this.#owner = owner
    this.#endpoint = lease.endpoint
    this.#answeredSentMs = lease.sentMs
    this.#nextBeatMs = lease.sentMs + lease.timeoutMs * BEAT_PART
    this.#beats = new Deadline(() => this.#nextBeatMs, () => void this.#beat())
    this.#expiry = new Deadline(() => givenUpAtMs(this.#answeredSentMs, lease.timeoutMs), () => this.#gone())
  }

  /** The member that answers, as far as is known. */
  get endpoint(): number {
    return this.#endpoint
  }

  /** When the last keep-alive that was answered was sent, on `performance.now()`. */
  get answeredSentMs(): number {
    return this.#answeredSentMs
  }

  /** Starts to send keep-alives. */
  start(): void {
    this.#beats.start()
    this.#expiry.start()
  }

  /** Sends no more, and tells nothing more. */
  stop(): void {
    this.#isOver = true
    this.#beats.stop()
    this.#expiry.stop()
  }

  /** A request was answered: the next failure is the first again. */
  served(): void {
    this.#failures = 0
  }

  /** Asks at once whether a member is in touch. */
  probe(): void {
    if (this.#isOver || this.#isBeating) return
    this.#nextBeatMs = Math.min(this.#nextBeatMs, performance.now())
    this.#beats.start()
  }

  /** A request to a member failed: goes on with the next. */
  failed(endpoint: number, reason: string): void {
    if (this.#isOver || this.#isBeating || endpoint !== this.#endpoint) return
    this.#fail(reason)
  }

  async #beat(): Promise<void> {
    this.#isBeating = true
    const sentMs = performance.now()
    const waitMs = Math.max(ANSWER_MS_MIN, this.#lease.timeoutMs * ANSWER_PART)
    try {
      const kept = await this.#keepAlive(waitMs)
      const { isOpen, term } = await this.#confirm(waitMs)
      if (this.#isOver) return
      if (!isOpen) this.#gone()
      else if (kept.isKept && kept.term === term) this.#alive(sentMs)
      else this.#fail('a leader answered that is deposed, or does not know all yet')
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error))
    } finally {
      this.#isBeating = false
    }
  }

  async #keepAlive(waitMs: number): Promise<{ readonly isKept: boolean; readonly term: bigint | undefined }> {
    const body = { id: this.#lease.id }
    const { ttl = 0n, header } = await this.#channel.call(this.#endpoint, Methods.leaseKeepAlive, body, waitMs)
    return { isKept: ttl > 0n, term: header?.raftTerm }
  }

  async #confirm(waitMs: number): Promise<{ readonly isOpen: boolean; readonly term: bigint | undefined }> {
    const plan = new ReadPlan(this.#keys)
    const isOpen = plan.session(this.#lease.id)
    const body = { compare: [], success: plan.ops, failure: [] }
    const { responses = [], header } = await this.#channel.call(this.#endpoint, Methods.txn, body, waitMs)
    return { isOpen: isOpen(responses), term: header?.raftTerm }
  }

  #alive(sentMs: number): void {
    this.#answeredSentMs = Math.max(this.#answeredSentMs, sentMs)
    this.#nextBeatMs = sentMs + this.#lease.timeoutMs * BEAT_PART
    this.#beats.start()
    this.#owner.onAlive()
  }

  #fail(reason: string): void {
    if (this.#isOver) return
    const now = performance.now()
    this.#failures += 1
    this.#endpoint += 1
    const rounds = this.#failures / this.#channel.endpointCount
    const isRound = Number.isInteger(rounds)
    this.#nextBeatMs = now + (isRound ? fullJitterMs(rounds, this.#lease.timeoutMs * PAUSE_PART) : 0)
    this.#beats.start()
    this.#owner.onLost(reason)
  }

  #gone(): void {
    if (this.#isOver) return
    this.stop()
    this.#owner.onGone()
  }
}
