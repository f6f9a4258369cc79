/**
 * The state of a server between its connected sessions and the leader: the sessions that it has heard of,
 * until the leader is told; and the syncs that the leader has confirmed, until what they wait for is applied here.
 */
import type { SessionTouch } from '../../../wire/packets.ts'

/** A sync that is confirmed, and what must be applied before the client may be told. */
interface ConfirmedSync {
  readonly syncId: number
  readonly zxid: bigint
}

/** Sessions that were heard of, and syncs that are confirmed. */
export class LeaderExchange {
  readonly #touched = new Map<bigint, SessionTouch>()
  #confirmedSyncs: ConfirmedSync[] = []

  /**
   * Notes that a session was heard of.
   *
   * @param timeoutMs - tells its time-out; asked once, until the leader is told
   */
  touch(sessionId: bigint, timeoutMs: () => number): void {
    if (!this.#touched.has(sessionId)) this.#touched.set(sessionId, { sessionId, timeoutMs: timeoutMs() })
  }

  /** Takes the sessions that the leader must still hear of. */
  takeTouched(): readonly SessionTouch[] {
    if (this.#touched.size === 0) return []
    const touched = [...this.#touched.values()]
    this.#touched.clear()
    return touched
  }

  /** The leader has confirmed a sync; it is due once this zxid is applied. */
  confirm(syncId: number, zxid: bigint): void {
    this.#confirmedSyncs.push({ syncId, zxid })
  }

  /** Takes the number of the first sync, in the order of confirmation, if it is due. */
  takeDue(appliedZxid: bigint): number | null {
    const first = this.#confirmedSyncs[0]
    if (first === undefined || first.zxid > appliedZxid) return null
    this.#confirmedSyncs.shift()
    return first.syncId
  }

  /** Forgets the syncs: their clients are gone. */
  forgetSyncs(): void {
    this.#confirmedSyncs = []
  }
}
