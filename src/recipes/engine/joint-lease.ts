/**
 * Several leases as one: held while all of them are, lost when any is.
 *
 * Loss      the signal fires with the reason of the first one that was lost; what is left of the others is their
 *           holder's to release. So the joint lease is never held in part without saying so.
 * Release   of the last one first, and of each, whatever becomes of the others: none waits for another, whose servers
 *           may be out of reach. Over when every one is over.
 * Revoking  a request for any part is one for the whole, which cannot be given up in part.
 * Fence     none of its own: each part has a token, which says nothing about the others.
 */
import { whenAborted } from '../../core/async.ts'
import { assert } from '../../core/assert.ts'
import type { Lease, LeaseState } from './lease.ts'
import type { RevokeRequest } from './revocation.ts'

/** Several leases in one hand. It has no token and no check of its own: its parts have. */
export interface JointLease extends Omit<Lease, 'path' | 'token' | 'check'> {
  /** The leases that it is made of. */
  readonly parts: readonly Lease[]
}

/** From the best state of a part to the worst: the whole is in the worst of them. */
const STATES: readonly LeaseState[] = ['held', 'released', 'suspect', 'lost']

export class JoinedLeases implements JointLease {
  readonly parts: readonly Lease[]
  readonly acquiredAtMs = performance.now()
  readonly #acquired: readonly Lease[]
  readonly #controller = new AbortController()
  readonly #unlisten: readonly (() => void)[]
  #releasing: Promise<void> | null = null

  /**
   * Joins leases.
   *
   * @param parts - at least one
   * @param acquired - the same in the order in which they were acquired; that of the parts by default
   */
  constructor(parts: readonly Lease[], acquired = parts) {
    assert(parts.length > 0, 'a joint lease has parts')
    this.parts = parts
    this.#acquired = acquired
    this.#unlisten = parts.map(({ signal }) => whenAborted(signal, () => this.#lose(signal)))
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get state(): LeaseState {
    if (this.signal.aborted) return 'lost'
    const ranks = this.parts.map(({ state }) => STATES.indexOf(state))
    return STATES[Math.max(...ranks)] ?? 'lost'
  }

  get leaseDeadlineMs(): number {
    return Math.min(...this.parts.map((part) => part.leaseDeadlineMs))
  }

  throwIfLost(): void {
    for (const part of this.parts) part.throwIfLost()
    if (this.signal.aborted) throw this.signal.reason
  }

  onRevoke(listener: (request: RevokeRequest) => void | Promise<void>): () => void {
    const ends = this.parts.map((part) => part.onRevoke(listener))
    return () => {
      for (const end of ends) end()
    }
  }

  release(): Promise<void> {
    this.#releasing ??= this.#release()
    return this.#releasing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  async #release(): Promise<void> {
    for (const end of this.#unlisten) end()
    await Promise.all(this.#acquired.toReversed().map((lease) => lease.release()))
  }

  #lose(signal: AbortSignal): void {
    if (!this.signal.aborted) this.#controller.abort(signal.reason)
  }
}
