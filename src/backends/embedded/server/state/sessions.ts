/**
 * Sessions: the table that all servers agree on, and the clock that the leader alone keeps over it.
 *
 * Model     a session begins and ends by a transaction. In between, the leader hears of it, through whatever server it
 *           is on, and ends it when it has not for longer than its time-out.
 * Time      in ticks. A deadline is rounded up to the next bucket, so that a session ends after more than its time-out
 *           and at most one bucket later, and to hear of a session costs the same however many there are.
 * Moving    the owner is the server that a session is on. What arrives through another one is refused.
 * Source    SessionTrackerImpl.java, ExpiryQueue.java of ZooKeeper 3.8.
 */
import { assert } from '../../../../core/assert.ts'
import { Err } from '../../../wire/codes.ts'
import { isSessionId } from './node.ts'

/** What every server knows of a session. */
interface SessionEntry {
  /** The negotiated time-out in milliseconds. */
  readonly timeoutMs: number
  /** The secret that a client shows to pick the session up again. */
  readonly passwd: Uint8Array
}

/** The sessions that are open, as replicated. */
export class SessionTable {
  readonly #sessions = new Map<bigint, SessionEntry>()

  /** Number of open sessions. */
  get size(): number {
    return this.#sessions.size
  }

  /** Whether this session is open. */
  has(id: bigint): boolean {
    return this.#sessions.has(id)
  }

  /** What is known of a session; undefined if it is not open. */
  get(id: bigint): SessionEntry | undefined {
    return this.#sessions.get(id)
  }

  /**
   * Opens a session.
   *
   * @throws AssertionError if it is open, or no session may have this id
   */
  add(id: bigint, entry: SessionEntry): void {
    assert(isSessionId(id), () => `session id ${id}, which marks a kind of node`)
    assert(!this.#sessions.has(id), () => `session ${id} is opened twice`)
    this.#sessions.set(id, entry)
  }

  /**
   * Ends a session.
   *
   * @throws AssertionError if it is not open
   */
  remove(id: bigint): void {
    assert(this.#sessions.delete(id), () => `end of session ${id}, which is not open`)
  }

  /** Ids of the open sessions, in no order. */
  ids(): Iterable<bigint> {
    return this.#sessions.keys()
  }

  /** All open sessions, sorted by id. */
  entries(): [bigint, SessionEntry][] {
    return [...this.#sessions].sort(([a], [b]) => compareIds(a, b))
  }
}

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
   * @returns false if it is not tracked or is being closed: it cannot be kept alive any more
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
   * @param timeoutMs - in milliseconds; lasts until the next move or the next term
   * @returns false if it is not tracked or is being closed: it cannot move any more
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

  /** The first end of a bucket behind the time-out; never the present tick, so never 0. */
  #deadline(timeoutTicks: number): number {
    return (Math.floor((this.#now + timeoutTicks) / this.#bucketTicks) + 1) * this.#bucketTicks
  }
}

/** A session's id as ZooKeeper's tools print it: `0x` and the hexadecimal digits of its 64 bits. */
export function formatSessionId(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`
}

/**
 * Compares two passwords in a time that does not tell where they differ.
 *
 * @param a - the one that is right; its length is no secret
 * @param b - the one that was shown
 * @returns whether they are the same
 */
export function samePassword(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}

function compareIds(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
