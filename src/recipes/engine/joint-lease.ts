/**
 * Several leases as one: held while all of them are, lost when any is.
 *
 * Loss      the signal fires with the reason of the first one that was lost; what is left of the others is their
 *           holder's to release. So the joint lease is never held in part without saying so.
 * Release   of all at once; over when every one is over.
 */
import type { Operation } from '../../core/backend.ts'
import { whenAborted } from '../../core/async.ts'
import { assert } from '../../core/assert.ts'
import type { Lease, LeaseState } from './lease.ts'

/** From the best state of a part to the worst: the whole is in the worst of them. */
const STATES: readonly LeaseState[] = ['held', 'released', 'suspect', 'lost']

/** See the head of this file. */
export class JointLease implements Lease {
  /** What is held by all of them together; of one part alone, its node. */
  readonly path: string
  /** The leases that it is made of, in the order in which they were given. */
  readonly parts: readonly Lease[]
  readonly acquiredAtMs = performance.now()
  readonly #controller = new AbortController()
  readonly #unlisten: readonly (() => void)[]
  #releasing: Promise<void> | null = null

  /**
   * Joins leases.
   *
   * @param path - what is held by all of them together
   * @param parts - at least one
   */
  constructor(path: string, parts: readonly Lease[]) {
    assert(parts.length > 0, 'a joint lease has parts')
    const [only, second] = parts
    this.path = only !== undefined && second === undefined ? only.path : path
    this.parts = parts
    this.#unlisten = parts.map(({ signal }) => whenAborted(signal, () => this.#lose(signal)))
  }

  /** The greatest of the parts' tokens. */
  get token(): bigint {
    return this.parts.reduce((greatest, { token }) => (token > greatest ? token : greatest), 0n)
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

  /**
   * Of one part alone, its check.
   *
   * @throws TypeError if there are several: one check cannot stand for all
   */
  check(): Operation {
    const [only, second] = this.parts
    if (only !== undefined && second === undefined) return only.check()
    const count = String(this.parts.length)
    throw new TypeError(`this lease of ${this.path} has ${count} parts, which one check cannot stand for: begin the `
      + 'multi with ...lease.parts.map((part) => part.check())')
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
    await Promise.all(this.parts.map((part) => part.release()))
  }

  #lose(signal: AbortSignal): void {
    if (!this.signal.aborted) this.#controller.abort(signal.reason)
  }
}
