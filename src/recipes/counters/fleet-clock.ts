/**
 * Fleet clock: what time it is for all processes that write one node, so that none goes by a wall clock of its own.
 *
 * Model     the latest of all times that writes of the node had, carried on by this process's monotonic clock. Each
 *           writer notes the time that it knows in the node, so those who come later know no less.
 * Late      a write that was read is older than the reading, by anything: its time says that it is not earlier now, and
 *           no more. A write that came after a look is at most as old as that look. So the clock counts as set once one
 *           look has met two versions of the node; it stays set, as the monotonic clock carries it on.
 * Ahead     of servers whose clocks differ, the fleet goes by the one that is ahead, and never goes back. While a
 *           server leads whose clock is behind, time goes on in the processes that knew it: one that comes new begins
 *           at the last write, as if nothing had passed since.
 */
import type { Stat } from '../../core/backend.ts'

/** A version of the node. */
export interface TimedVersion extends Pick<Stat, 'mtime' | 'mzxid'> {
  /** The time that its writer noted in it, in milliseconds since 1970. */
  readonly notedMs: number
}

/** Hears of each version that one look at the node meets; null if the node is not there. */
export type Look = (found: TimedVersion | null) => void

/** The time of all who write one node. */
export class FleetClock {
  /** How far it is ahead of `performance.now()`, in milliseconds. */
  #aheadMs = -Infinity
  #isSet = false

  /** In milliseconds since 1970; 0 before the first write was read. */
  get nowMs(): number {
    return this.#aheadMs === -Infinity ? 0 : performance.now() + this.#aheadMs
  }

  /** Whether it is late by no more than a look took. */
  get isSet(): boolean {
    return this.#isSet
  }

  /** Begins a look: a version that it meets sets the clock, once one of them was written after the look began. */
  look(): Look {
    let first: bigint | null = null
    return (found) => {
      const mzxid = found?.mzxid ?? 0n
      first ??= mzxid
      if (found === null) return
      this.#aheadMs = Math.max(this.#aheadMs, timeOf(found) - performance.now())
      this.#isSet ||= mzxid > first
    }
  }
}

/** The time when a version was written, by the fleet's clock; in milliseconds since 1970. */
export function timeOf({ mtime, notedMs }: Pick<TimedVersion, 'mtime' | 'notedMs'>): number {
  return Math.max(mtime, notedMs)
}
