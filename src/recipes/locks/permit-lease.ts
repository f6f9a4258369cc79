/**
 * The lease on permits of a semaphore: each of them has a node, and a lease, of its own.
 */
import type { Operation } from '../../core/backend.ts'
import { JoinedLeases } from '../engine/joint-lease.ts'
import type { Lease, LeaseState } from '../engine/lease.ts'
import type { RevokeRequest } from '../engine/revocation.ts'

/** A lease on permits, of which each has a node. */
export interface PermitLease extends Lease {
  /** The node of a single permit; of several, the semaphore. */
  readonly path: string
  /** The leases of the single permits. Several of them are checked by a check each: see {@link Lease.check}. */
  readonly parts: readonly Lease[]
  /**
   * As {@link Lease.check}, for one permit.
   *
   * @throws TypeError if there are several permits: begin the multi with `...lease.parts.map((part) => part.check())`
   */
  check(): Operation
  /** As {@link Lease.onRevoke}; the listener is called once for each permit that is asked for. */
  onRevoke(listener: (request: RevokeRequest) => void | Promise<void>): () => void
}

/** See {@link PermitLease}. */
export class PermitLeases implements PermitLease {
  readonly path: string
  readonly #joined: JoinedLeases

  /**
   * Joins the leases of permits.
   *
   * @param semaphore - its path
   * @param parts - at least one
   */
  constructor(semaphore: string, parts: readonly Lease[]) {
    const [only, second] = parts
    this.path = only !== undefined && second === undefined ? only.path : semaphore
    this.#joined = new JoinedLeases(parts)
  }

  get parts(): readonly Lease[] {
    return this.#joined.parts
  }

  /** The greatest of the permits' tokens: it is above those of all grants before. */
  get token(): bigint {
    return this.parts.reduce((greatest, { token }) => (token > greatest ? token : greatest), 0n)
  }

  get acquiredAtMs(): number {
    return this.#joined.acquiredAtMs
  }

  get signal(): AbortSignal {
    return this.#joined.signal
  }

  get state(): LeaseState {
    return this.#joined.state
  }

  get leaseDeadlineMs(): number {
    return this.#joined.leaseDeadlineMs
  }

  throwIfLost(): void {
    this.#joined.throwIfLost()
  }

  check(): Operation {
    const [only, second] = this.parts
    if (only !== undefined && second === undefined) return only.check()
    const count = String(this.parts.length)
    throw new TypeError(`this lease of ${this.path} has ${count} parts, which one check cannot stand for: begin the `
      + 'multi with ...lease.parts.map((part) => part.check())')
  }

  onRevoke(listener: (request: RevokeRequest) => void | Promise<void>): () => void {
    const ends = this.parts.map((part) => part.onRevoke(listener))
    return () => {
      for (const end of ends) end()
    }
  }

  release(): Promise<void> {
    return this.#joined.release()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }
}
