/**
 * Refusals: a leader's answers that a session is over, or not the client's, until a majority has confirmed them.
 *
 * Why       who is told that its session is over may do the same again in another one, so nothing of the session may be
 *           done any more. A leader that was deposed does not know the sessions that began after it; and an end that it
 *           has proposed may never be committed, so that the next leader keeps the session. Each looks the same from
 *           here: a client that has seen no zxid yet cannot be told from one that is late (decision 0032).
 * Model     all refusals of one turn wait for one sync. That is confirmed once a majority has answered a ping that was
 *           sent after they came in, and everything that was proposed by then is committed. A leader that is deposed
 *           or makes way ends before, and with it the connections that wait.
 */
import type { Packet } from '../../../wire/packets.ts'

/** A refusal, and the server whose client it is for. */
export interface Refusal {
  readonly answer: Extract<Packet, { type: 'REVALIDATED' }>
  readonly to: number
}

/** The refusals of one leader that are not told yet. */
export class UnconfirmedRefusals {
  /** Since the last sync was asked for. */
  #fresh: Refusal[] = []
  /** By the number of the sync that they wait for: below 0, for those that clients ask for count from 1. */
  readonly #waiting = new Map<number, readonly Refusal[]>()
  #lastSyncId = 0

  /** A refusal waits from now on. */
  hold(refusal: Refusal): void {
    this.#fresh.push(refusal)
  }

  /** The number of the sync that is to be asked for now; null if there is nothing new to confirm. */
  take(): number | null {
    if (this.#fresh.length === 0) return null
    this.#lastSyncId -= 1
    this.#waiting.set(this.#lastSyncId, this.#fresh)
    this.#fresh = []
    return this.#lastSyncId
  }

  /** The refusals that may be told now that a sync is confirmed; null if it is a client's. */
  confirmed(syncId: number): readonly Refusal[] | null {
    const refusals = this.#waiting.get(syncId) ?? null
    this.#waiting.delete(syncId)
    return refusals
  }
}
