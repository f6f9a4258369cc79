/**
 * A lease: the holder's handle of a lock.
 *
 * Use       `await using lease = await lock.acquire()`; pass `lease.signal` to what must stop when the lock is lost,
 *           and `lease.token` to what it protects, which refuses a smaller token than it has seen. To nodes of the same
 *           tree write by `client.multi([lease.check(), ...])`, which the servers refuse once the lease is over.
 * States    held -> suspect -> held ... -> released, or lost. Suspect is a holder that has lost touch with the servers:
 *           the lock is still its own until `leaseDeadlineMs`. Released and lost are final.
 * Safety    local state follows the servers: `released` only when they have confirmed it or the session is over
 *           (CURATOR-678); `lost`, and then the signal, before they could have given the lock to another, as long as
 *           clocks drift by less than a tenth.
 */
import type { NodeData, Operation } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import type { Begun, LeaseEvent } from '../../core/observer.ts'
import { requireFunction } from '../../core/options.ts'
import { Cleanups } from './cleanups.ts'
import type { OwnedNode } from './protected-writes.ts'
import { checkIdentity, deletion } from './protected-writes.ts'
import type { LossReason, NodeWatch } from './ownership.ts'
import { Ownership } from './ownership.ts'
import type { Revocation, RevokeRequest } from './revocation.ts'
import { Waits } from './wait.ts'

/**
 * Where a lease stands.
 *
 * - `held`: the servers answer, and cannot have given it to another.
 * - `suspect`: no server is in touch, and it is surely held only until `leaseDeadlineMs`; or a release is not
 *   confirmed: not yet, or never if the client closed before. Then the end of its session ends it.
 * - `lost`: over without a release; `signal` is aborted. Final.
 * - `released`: given back, and confirmed by the servers or by the end of the session. Final.
 */
export type LeaseState = 'held' | 'suspect' | 'lost' | 'released'

/** The holder's handle of an acquired lock. */
export interface Lease extends AsyncDisposable {
  /** The holder's node. */
  readonly path: string
  /**
   * Grows strictly from holder to holder of a lock: the zxid that created the holder's node. A fence for what it
   * guards.
   */
  readonly token: bigint
  /** Aborted when the lease is lost, never by a release. Its reason is a `LEASE_LOST` error; see {@link lossReason}. */
  readonly signal: AbortSignal
  /** Where it stands at this instant. */
  readonly state: LeaseState
  /**
   * The instant on `performance.now()` up to which it cannot be another's; `-Infinity` when it may be. Each answer of
   * the servers moves it.
   */
  readonly leaseDeadlineMs: number
  /** When it was acquired, an instant on `performance.now()`. */
  readonly acquiredAtMs: number
  /**
   * Makes sure at this instant that the lease is held. It asks the clock and not a timer, so it is right even in the
   * middle of a long task; a lease that is found past its deadline is lost from then on.
   *
   * @throws CoordinationError `LEASE_LOST` with outcome `lost` if it is lost or released
   */
  throwIfLost(): void
  /**
   * The first part of a guarded write, `client.multi([lease.check(), ...])`: the servers refuse the whole multi unless
   * the holder's node is there, and no other in its place, at the very instant of the write. They refuse it with
   * `NO_NODE` or `BAD_VERSION`, whose `index` is that of the check. It asks nobody and never throws, also when the
   * lease is over. It is meant for clients with the namespace of the lock's client.
   */
  check(): Operation
  /**
   * Tells a listener of requests to give the lease up, by `revoke` of the lock or Curator's `Revoker`; at once of one
   * that came before, also during the wait for the lease. Whether and when to release is the holder's to decide.
   *
   * @param listener - called with each request; its throw or rejection is reported to the client's `onError`
   * @returns ends it; so does the end of the lease
   * @throws TypeError if it was not acquired with `revocable: true`, so that nobody can ask for it
   */
  onRevoke(listener: (request: RevokeRequest) => void | Promise<void>): () => void
  /**
   * Gives it back: removes the holder's node, and no other at its path. Idempotent. Resolves when the servers have
   * confirmed it, when the session is over, when they refused it (which is reported) or the client closed before, whose
   * `close()` waits a little for it, or at once if it is lost (what remains of it is then removed in the background).
   * `state` says which. It never rejects.
   */
  release(): Promise<void>
}

/** Options of a {@link NodeLease}. */
interface NodeLeaseOptions {
  /** The kind of claim that is held, for observers: `lock` by default. */
  readonly kind?: string
  /** The fencing token, if it is not the zxid of the node's creation. */
  readonly token?: bigint
  /** Whether the watch is armed on the node already, which it is by default. */
  readonly isArmed?: boolean
  /** The requests for it; null, the default, if nobody can ask for it. */
  readonly revocation?: Revocation | null
}

/** A lease on an ephemeral node whose existence is the holding. */
export class NodeLease implements Lease {
  readonly path: string
  readonly token: bigint
  readonly acquiredAtMs = performance.now()
  readonly #client: Client
  readonly #node: OwnedNode
  readonly #ownership: Ownership
  readonly #disown: () => void
  readonly #kind: string
  readonly #revocation: Revocation | null
  /** Null if nobody observes leases. */
  readonly #begun: Begun | null
  #state: 'holding' | 'releasing' | 'released' = 'holding'
  #releasing: Promise<void> | null = null

  /**
   * Makes the lease of a node that the live session owns.
   *
   * @param client - whose session owns it
   * @param node - the holder's node
   * @param watch - on the node
   * @param options - for nodes that do not stand for themselves, or are not watched yet
   */
  constructor(client: Client, node: OwnedNode, watch: NodeWatch, options: NodeLeaseOptions = {}) {
    this.path = node.path
    this.token = options.token ?? node.czxid
    this.#client = client
    this.#node = node
    this.#kind = options.kind ?? 'lock'
    const revocation = this.#revocation = options.revocation ?? null
    this.#begun = this.#begin()
    this.#disown = client.own({ close: () => this.#closeWithClient() })
    const onRead = revocation === null ? null : (read: NodeData): void => revocation.see(read)
    this.#ownership = new Ownership(client, node, watch, (reason) => this.#onLost(reason), onRead)
    this.#ownership.begin(options.isArmed ?? true)
  }

  get signal(): AbortSignal {
    return this.#ownership.signal
  }

  get state(): LeaseState {
    if (this.#ownership.isLost) return 'lost'
    if (this.#state === 'released') return 'released'
    const isInTouch = this.#client.state.status === 'connected' && performance.now() < this.leaseDeadlineMs
    return isInTouch ? 'held' : 'suspect'
  }

  get leaseDeadlineMs(): number {
    return this.#isHeld ? this.#ownership.deadlineMs : -Infinity
  }

  throwIfLost(): void {
    if (this.#isHeld && !this.#ownership.isProven) this.#ownership.lose('deadline-passed')
    if (this.signal.aborted) throw this.signal.reason
    if (this.#state !== 'holding') throw releasedError(this.path)
  }

  check(): Operation {
    return checkIdentity(this.#node)
  }

  onRevoke(listener: (request: RevokeRequest) => void | Promise<void>): () => void {
    requireFunction('listener', listener)
    if (this.#revocation !== null) return this.#revocation.listen(listener)
    throw new TypeError(`nobody can ask for ${this.path}: acquire it with { revocable: true }`)
  }

  release(): Promise<void> {
    this.#releasing ??= this.#release()
    return this.#releasing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  get #isHeld(): boolean {
    return this.#state === 'holding' && !this.#ownership.isLost
  }

  async #release(): Promise<void> {
    if (!this.#isHeld) return
    this.#state = 'releasing'
    this.#revocation?.end()
    this.#ownership.end()
    if (await Cleanups.of(this.#client).run(deletion(this.#client, this.#node))) this.#state = 'released'
    this.#tell('released')
    this.#forget()
  }

  /** Lost or not, the node may still be there and keep others waiting: it must be removed. */
  #onLost(reason: LossReason): void {
    this.#tell('lost', reason)
    this.#forget()
    const isOwed = reason === 'deadline-passed'
    if (isOwed) void this.#removeRest()
  }

  #removeRest(): Promise<void> {
    return Cleanups.of(this.#client).confirmOrHandOver(deletion(this.#client, this.#node))
  }

  /** The holder must stop before its lock can go to another, so the signal comes first. */
  async #closeWithClient(): Promise<void> {
    // Before the lock is free: another contender of this client would get it only to lose it.
    const waiting = Waits.of(this.#client).end()
    if (this.#releasing === null) {
      this.#ownership.lose('client-closed')
      await this.#removeRest()
    } else await this.#releasing
    await waiting
  }

  #begin(): Begun | null {
    const { notices } = this.#client
    if (notices?.hears('onLease') !== true) return null
    const { path, token } = this
    const begun = notices.begin({ type: 'lease', kind: this.#kind, path, token })
    this.#tell('acquired', undefined, begun)
    return begun
  }

  #tell(event: LeaseEvent, reason?: LossReason, begun = this.#begun): void {
    if (begun === null) return
    const { path, token } = this
    const { sessionId } = this.#node
    const heldMs = event === 'acquired' ? 0 : performance.now() - this.acquiredAtMs
    const notice = { event, kind: this.#kind, path, token, sessionId, heldMs, reason }
    this.#client.notices?.tell('onLease', notice, begun)
  }

  #forget(): void {
    this.#revocation?.end()
    this.#disown()
    this.#ownership.retire()
  }
}

function releasedError(path: string): CoordinationError {
  return new CoordinationError('LEASE_LOST', `${path} was released`, { outcome: 'lost', path })
}
