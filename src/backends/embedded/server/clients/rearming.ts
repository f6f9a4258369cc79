/**
 * A setWatches that is done in parts, over several turns, and looks to its client as if it had been done in one.
 *
 * Order     the missed changes are told part by part. A watch of an early part can fire before a late part has been
 *           looked at: that event waits until the last part is done. So every missed change is told first, and all of
 *           it before the answer.
 * Whole     a request with watches that last is refused by its first part or not at all: that part knows what all of
 *           them need, and nothing else of the connection is done in between.
 * Limit     a watch that fires once is told once; of watches that last, a few turns' changes wait here.
 */
import type { ServerMessage } from '../../../wire/records.ts'

/** The parts of one request on one connection. */
export class Rearming {
  /** The zxid of the events for missed changes: no event that waits is older. */
  readonly zxid: bigint
  /** Whether the watches would be too many: nothing is armed, and the answer says so. */
  readonly isRefused: boolean
  readonly #held: ServerMessage[] = []

  /**
   * Begins with the first part.
   *
   * @param zxid - the last that is applied
   */
  constructor(zxid: bigint, isRefused: boolean) {
    this.zxid = zxid
    this.isRefused = isRefused
  }

  /** Keeps an event until the last part is done. */
  hold(event: ServerMessage): void {
    this.#held.push(event)
  }

  /** The events that wait, in order; the last part is done. */
  get held(): readonly ServerMessage[] {
    return this.#held
  }
}
