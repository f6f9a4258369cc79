/**
 * The replies of one session and what it hears of changes, brought into one order.
 *
 * Order     a reply at position p is settled when everything up to p that the session waits for was shown to the
 *           watches, so no read shows what a watch was not told of. It comes from the feed, which is quick and may lose
 *           some, and with each reply, which brings all that was not shown.
 * Gap       where changes cannot be told (too many, or from before a fail-over), all that is watched is looked at
 *           again, and every reply is held until that is answered. A watch whose read came from within the gap has its
 *           own node looked at again; that closes no gap, and skips nothing, so the reads after it are not within one
 *           too.
 * Audit     a tick looks at some of what is watched: a registration that Redis has lost fires nothing, and is found.
 */
import type { Stat } from '../../core/backend.ts'
import { isCoordinationError } from '../../core/errors.ts'
import type { EventQueue } from '../../core/session/event-queue.ts'
import { failCall } from './calls.ts'
import type { Call } from './calls.ts'
import type { Hub } from './hub.ts'
import { comparePositions, follows } from './position.ts'
import type { Position, Transaction } from './position.ts'
import { statOf, statsOf } from './reply.ts'
import type { Reply } from './reply.ts'
import { RedisWatches, registrationOf } from './watches.ts'
import type { Fired, Watch } from './watches.ts'

/** Asks the server for what is missing. */
export interface MissingPieces {
  /** Sends a script that looks at these registrations again; its reply is given to `checked`. */
  readonly check: (names: readonly string[]) => void
  /** Sends any script: its reply brings what was missed. */
  readonly fetch: () => void
}

interface Held {
  readonly call: Call
  readonly reply: Reply
}

/** A transaction that was heard before those in front of it. */
interface Early {
  readonly transaction: Transaction
  /** Whether the server was asked since: then it has told everything up to there, or there is no such transaction. */
  wasAskedFor: boolean
}

/** Transactions that were heard before those in front of them; more are fetched when they are needed. */
const EARLY_MAX = 256

/** The order of one session. */
export class OrderedReplies {
  readonly watches = new RedisWatches()
  readonly #queue: EventQueue
  readonly #hub: Hub
  readonly #missing: MissingPieces
  /** The last transaction that was shown to the watches, or that no watch had to be shown. */
  #last: Position
  #lastTold: Position | null = null
  #held: Held[] = []
  /** Heard, and something in front of them is missing. */
  #early: Early[] = []
  /** The registrations that are being looked at, and whether to close a gap; null in general. */
  #checking: { readonly names: readonly string[]; readonly closesGap: boolean } | null = null
  /** Whether there is a gap that no check is on its way for. */
  #owesCheck = false
  #isFetching = false

  /**
   * Begins at a position.
   *
   * @param queue - where callbacks are called from
   */
  constructor(queue: EventQueue, hub: Hub, position: Position, missing: MissingPieces) {
    this.#queue = queue
    this.#hub = hub
    this.#missing = missing
    this.#last = position
    hub.saw(position)
  }

  /** How far this session has seen. */
  get last(): Position {
    return this.#last
  }

  /** The last transaction that a message has brought or should have. */
  get lastTold(): Position | null {
    return this.#lastTold
  }

  /** Takes an answer; it is settled in its turn. */
  answered(call: Call, reply: Reply): void {
    this.#held.push({ call, reply })
    this.#settleHeld()
  }

  /** Takes the answer to a check. */
  checked(reply: Reply): void {
    const { names, closesGap } = this.#checking ?? { names: [], closesGap: true }
    const fired = this.watches.judge(names, statsOf(reply, names))
    this.#checking = null
    if (reply.position !== null && closesGap) this.#skipTo(reply.position)
    else if (reply.position !== null) this.#hub.saw(reply.position)
    this.#fire(fired)
    this.#settleHeld()
    this.#takeEarly()
  }

  /** The fetch that was to fill a hole has ended, or has failed. */
  fetched(): void {
    this.#isFetching = false
    this.#takeEarly()
    this.#early = this.#early.filter(({ wasAskedFor }) => !wasAskedFor)
    if (this.#early.length > 0) this.fetch()
  }

  /** Something may have been missed: asks, if anybody watches. */
  fetch(): void {
    if (this.#isFetching || this.#checking !== null || !this.watches.isNeeded) return
    this.#isFetching = true
    for (const early of this.#early) early.wasAskedFor = true
    this.#missing.fetch()
  }

  /** Hears of a transaction, in whatever order. */
  heard(transaction: Transaction): void {
    const { position } = transaction
    if (comparePositions(position, this.#last) <= 0) return
    if (this.#checking === null && follows(this.#last, transaction)) {
      this.#show(transaction)
      this.#takeEarly()
    } else if (this.watches.isNeeded) {
      if (this.#early.length < EARLY_MAX) this.#early.push({ transaction, wasAskedFor: false })
      this.fetch()
    } else if (position.epoch === this.#last.epoch) {
      // One of another epoch may be of another namespace: a channel has no database.
      this.#skipTo(position)
    }
  }

  /** A new connection has taken the session up. */
  attached(reply: Reply): void {
    this.#isFetching = false
    if (this.#catchUp(reply)) this.#settleHeld()
  }

  /** The connection is lost, and the check that was on its way with it. */
  detached(): void {
    if (this.#checking !== null) this.#owesCheck = true
    this.#checking = null
    this.#early = []
  }

  /** The session is over: answers that wait are settled, since no watch is left that had to be told before. */
  end(): void {
    this.watches.clear()
    for (const { call, reply } of this.#held.splice(0)) this.#settleCall(call, reply)
  }

  #settleHeld(): void {
    while (this.#checking === null) {
      const [first] = this.#held
      if (first === undefined || !this.#catchUp(first.reply)) return
      this.#held.shift()
      this.#settle(first)
    }
  }

  #settle({ call, reply }: Held): void {
    const { watch } = call
    let fired: Fired | 'missed' | null = null
    if (watch !== null && reply.position !== null) {
      const seen = seenIn(reply, watch)
      watch.seen = seen === 'unreadable' ? null : seen
      if (seen === 'unreadable') this.watches.failed(watch, true)
      else if (seen === null && watch.kind !== 'exists') this.watches.failed(watch, false)
      else fired = this.watches.answered(watch, reply.position)
    }
    // Here and not when the call is settled, which may be after other watches were armed.
    if (call.audited.length > 0 && reply.status === 'OK') this.#audit(call.audited, reply)
    this.#settleCall(call, reply)
    if (fired === 'missed' && watch !== null) this.#lookAgain([registrationOf(watch.kind, watch.path)], false)
    else if (fired !== null && fired !== 'missed') this.#fire([fired])
  }

  /** A node that cannot be read is left to whoever reads it next. */
  #audit(names: readonly string[], reply: Reply): void {
    const stats = statsOf(reply, names)
    const isReadable = (_: unknown, index: number): boolean => stats[index] !== 'unreadable'
    this.#fire(this.watches.judge(names.filter(isReadable), stats.filter(isReadable)))
  }

  #settleCall(call: Call, reply: Reply): void {
    const settle = (): void => {
      if (reply.status !== 'UNKNOWN') call.settle(reply)
      else failCall(call, { code: 'CONNECTION_LOSS', message: 'its answer was lost', outcome: 'unknown' }, true)
    }
    if (this.#queue.idle) settle()
    else this.#queue.push(settle)
  }

  /**
   * Shows the watches what happened up to a reply.
   *
   * @returns false if some of that is missing: then everything that is watched is being looked at again
   */
  #catchUp({ position, news }: Reply): boolean {
    const isWhole = news !== null && (position === null || position.epoch === this.#last.epoch)
    for (const transaction of isWhole ? news : []) {
      if (comparePositions(transaction.position, this.#last) > 0) this.#show(transaction)
    }
    if (this.#owesCheck && this.watches.isArmed) {
      this.#check()
      return false
    }
    if (position === null || comparePositions(position, this.#last) <= 0) return true
    if (isWhole) {
      this.#last = position
      this.#hub.saw(position)
    } else if (this.watches.isArmed) {
      this.#check()
      return false
    } else {
      this.#skipTo(position)
    }
    return true
  }

  #check(): void {
    if (this.#checking !== null) return
    this.#owesCheck = false
    this.#lookAgain(this.watches.toCheck(), true)
  }

  #lookAgain(names: readonly string[], closesGap: boolean): void {
    this.#checking = { names, closesGap }
    this.#missing.check(names)
  }

  #show(transaction: Transaction): void {
    this.#last = transaction.position
    if (transaction.isPublished) this.#lastTold = transaction.position
    this.#hub.saw(transaction.position)
    this.#fire(this.watches.show(transaction))
  }

  /** Shows the transactions that were heard before their turn. */
  #takeEarly(): void {
    if (this.#checking !== null || this.#early.length === 0) return
    const heard = this.#early.sort((a, b) => comparePositions(a.transaction.position, b.transaction.position))
    this.#early = []
    for (const early of heard) {
      const { transaction } = early
      if (comparePositions(transaction.position, this.#last) <= 0) continue
      if (follows(this.#last, transaction)) this.#show(transaction)
      else if (transaction.position.epoch === this.#last.epoch) this.#early.push(early)
    }
  }

  #skipTo(position: Position): void {
    this.#last = position
    this.#hub.saw(position)
    this.watches.skip(position)
  }

  #fire(fired: readonly Fired[]): void {
    if (fired.length === 0) return
    this.#queue.push(() => {
      for (const { watch, event } of fired) {
        if (this.watches.take(watch)) this.#queue.call(() => watch.callback(event))
      }
    })
  }
}

/** The state that a read has shown; its caller gets an error for an answer that is `unreadable`. */
function seenIn(reply: Reply, { path }: Watch): Stat | null | 'unreadable' {
  try {
    return statOf(reply, path)
  } catch (error) {
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION')) return 'unreadable'
    throw error
  }
}
