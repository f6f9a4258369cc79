/**
 * The clock over the sessions, which the leader alone keeps: when each ends, and on which server it is.
 *
 * Model     the leader hears of a session through the server that it is on, and ends it after hearing nothing for
 *           longer than its time-out.
 * Time      in ticks. A deadline is rounded up to the next bucket, so that a session ends after more than its time-out
 *           and at most one bucket later, and hearing of a session costs the same however many there are.
 * Moving    the owner is the server that a session is on. A request through another server is refused.
 * Source    SessionTrackerImpl.java, ExpiryQueue.java of ZooKeeper 3.8.
 */
import { assert } from '../../../../core/assert.ts'
import { Err } from '../../../wire/codes.ts'
import { compareIds } from '../state/session-table.ts'

/** Options of {@link SessionTracker}. */
interface SessionTrackerOptions {
  /** Length of a tick in milliseconds. */
  readonly tickMs: number
  /** How many ticks apart sessions may end. */
  readonly bucketTicks: number
}

interface Tracked {
  timeoutTicks: number
  owner: number | null
  /** The tick at which it ends if nothing is heard of it; 0 once it is being closed. */
  deadlineTick: number
}

/** When sessions end; kept by the leader, in memory only. A new leader gives every session its full time-out again. */
export class SessionTracker {
  readonly #tickMs: number
  readonly #bucketTicks: number
  readonly #sessions = new Map<bigint, Tracked>()
  readonly #buckets = new Map<number, Set<bigint>>()
  #now = 0

  constructor({ tickMs, bucketTicks }: SessionTrackerOptions) {
    assert(tickMs > 0, 'a tick has a length')
    assert(Number.isSafeInteger(bucketTicks) && bucketTicks > 0, 'a bucket is a whole number of ticks')
    this.#tickMs = tickMs
    this.#bucketTicks = bucketTicks
  }

  /** Number of sessions that are tracked, those that are being closed included. */
  get size(): number {
    return this.#sessions.size
  }

  /** Whether a session is tracked, one that is being closed included. */
  has(id: bigint): boolean {
    return this.#sessions.has(id)
  }

  /**
   * Begins to track a session, with its full time-out from now. Of one that is tracked already only the owner changes.
   *
   * @param timeoutMs - its time-out in milliseconds
   * @param owner - myid of the server that it is on; null if that is not known, and then the first server that asks
   * has it
   */
  track(id: bigint, timeoutMs: number, owner: number | null): void {
    const known = this.#sessions.get(id)
    if (known !== undefined) {
      known.owner = owner
      return
    }
    const tracked: Tracked = { timeoutTicks: Math.ceil(timeoutMs / this.#tickMs), owner, deadlineTick: 0 }
    this.#sessions.set(id, tracked)
    this.#schedule(id, tracked)
  }

  /**
   * Notes that a session was heard of.
   *
   * @returns false if it is not tracked or is being closed: it can no longer be kept alive
   */
  touch(id: bigint): boolean {
    const tracked = this.#sessions.get(id)
    if (tracked === undefined || tracked.deadlineTick === 0) return false
    this.#schedule(id, tracked)
    return true
  }

  /**
   * Notes that a session is on this server from now on, with this time-out, which begins now.
   *
   * @param timeoutMs - in milliseconds; lasts until the next move or the next leader
   * @returns false if it is not tracked or is being closed: it can no longer move
   */
  move(id: bigint, owner: number, timeoutMs: number): boolean {
    const tracked = this.#sessions.get(id)
    if (tracked === undefined || tracked.deadlineTick === 0) return false
    tracked.owner = owner
    tracked.timeoutTicks = Math.ceil(timeoutMs / this.#tickMs)
    this.#schedule(id, tracked)
    return true
  }

  /**
   * Whether a server may do something in the name of a session. Where the owner is not known, the server becomes it.
   *
   * @param owner - myid of the server
   * @returns `Err.ok`, `Err.sessionExpired` (it is unknown or being closed) or `Err.sessionMoved` (it is on another
   * server)
   */
  check(id: bigint, owner: number): number {
    const tracked = this.#sessions.get(id)
    if (tracked === undefined || tracked.deadlineTick === 0) return Err.sessionExpired
    tracked.owner ??= owner
    return tracked.owner === owner ? Err.ok : Err.sessionMoved
  }

  /**
   * Notes that the end of a session has been proposed: it can do nothing more, and no tick tells of it again.
   *
   * @returns false if it is not tracked or was being closed already
   */
  markClosing(id: bigint): boolean {
    const tracked = this.#sessions.get(id)
    if (tracked === undefined || tracked.deadlineTick === 0) return false
    this.#unschedule(id, tracked)
    return true
  }

  /** When a session ends if nothing is heard of it, in milliseconds from now; null if it is over or not tracked. */
  expiresInMs(id: bigint): number | null {
    const tracked = this.#sessions.get(id)
    if (tracked === undefined || tracked.deadlineTick === 0) return null
    return (tracked.deadlineTick - this.#now) * this.#tickMs
  }

  /** Forgets a session, when its end has been applied. Nothing happens if it is not tracked. */
  remove(id: bigint): void {
    const tracked = this.#sessions.get(id)
    if (tracked === undefined) return
    this.#unschedule(id, tracked)
    this.#sessions.delete(id)
  }

  /**
   * Lets a tick pass.
   *
   * @returns sessions whose time is over, sorted by id; they are being closed from now on
   */
  tick(): readonly bigint[] {
    this.#now += 1
    const due = this.#buckets.get(this.#now)
    if (due === undefined) return []
    const ids = [...due].sort(compareIds)
    for (const id of ids) this.markClosing(id)
    return ids
  }

  #schedule(id: bigint, tracked: Tracked): void {
    const deadlineTick = this.#deadline(tracked.timeoutTicks)
    if (deadlineTick === tracked.deadlineTick) return
    this.#unschedule(id, tracked)
    tracked.deadlineTick = deadlineTick
    const bucket = this.#buckets.get(deadlineTick)
    if (bucket === undefined) this.#buckets.set(deadlineTick, new Set([id]))
    else bucket.add(id)
  }

  #unschedule(id: bigint, tracked: Tracked): void {
    const bucket = this.#buckets.get(tracked.deadlineTick)
    bucket?.delete(id)
    if (bucket?.size === 0) this.#buckets.delete(tracked.deadlineTick)
    tracked.deadlineTick = 0
  }

  /** The first end of a bucket after the time-out; never the present tick, so never 0. */
  #deadline(timeoutTicks: number): number {
    return (Math.floor((this.#now + timeoutTicks) / this.#bucketTicks) + 1) * this.#bucketTicks
  }
}
