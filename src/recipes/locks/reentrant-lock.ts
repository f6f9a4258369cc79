/**
 * Reentrant lock: whoever holds it may acquire it again, at once, and gives it back as often as it was acquired.
 *
 * Model     a fair lock, and a count of the leases on one holding of it. The last one that is released gives it back.
 * Holder    is an asynchronous context: the work of `using`, or of `lease.run`, with all that it calls and awaits. A
 *           bare `acquire` cannot mark the context of its caller: the mark would stay on whoever called that one, and
 *           two tasks that are started by one function would count as one. So it contends like any other unless its
 *           caller runs under a lease.
 * Outliving a task that the work does not await has the work's context, and none of its leases: once all leases are
 *           released, or lost, that context holds nothing, and whoever acquires in it queues.
 * Apart     tasks within one context do not exclude each other: together they are the holder.
 * Safety    that of {@link FairLock}, which shares the path: the two exclude each other.
 * Cost      that of a fair lock; to acquire again costs nothing.
 * Source    Curator InterProcessMutex, whose holder is a thread; CURATOR-347, on code that goes on in another one.
 */
import type { Operation } from '../../core/backend.ts'
import { whenAborted } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import { requireFunction } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { checkContendOptions, checkTryContendOptions } from '../engine/acquire-options.ts'
import type { ContendOptions, TryContendOptions } from '../engine/acquire-options.ts'
import type { ContenderInfo } from '../engine/contenders.ts'
import type { Lease, LeaseState } from '../engine/lease.ts'
import { runHeld } from '../engine/leased-work.ts'
import type { UsingArguments } from '../engine/leased-work.ts'
import { leaseHeldHere, runHolding } from '../engine/reentry.ts'
import type { LockPlace } from '../engine/reentry.ts'
import type { ContenderRef, RevokeOptions, RevokeRequest } from '../engine/revocation.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { Wait } from '../engine/wait.ts'
import { LOCK } from '../engine/lock-names.ts'
import { FairLock } from './fair-lock.ts'
import type { FairLockOptions } from './fair-lock.ts'

/** One of the leases on a holding of a {@link ReentrantLock}. */
export interface ReentrantLease extends Lease {
  /** How many leases on this holding there are that were not released. */
  readonly count: number
  /**
   * Runs a work as the holder: within it, the lock is acquired again at once. It releases nothing.
   *
   * @param work - gets this lease
   * @returns the result of the work
   * @throws CoordinationError `LEASE_LOST` if this lease is lost or released; the work is not run then
   * @throws TypeError if the work is no function
   */
  run<T>(work: (lease: ReentrantLease) => T): T
}

/** A lock whose holder may acquire it again. */
export class ReentrantLock {
  /** The client that it was made for. */
  readonly client: Client
  readonly #lock: FairLock

  /**
   * Makes a lock's client side; nothing is sent.
   *
   * @param client - on whose session contenders live; another client's work is another holder
   * @param path - the lock; its node is made when it is needed, and removed by the servers when nobody needs it
   * @param options - whose names of nodes to use, as for {@link FairLock}
   * @throws TypeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: FairLockOptions = {}) {
    validateClient(client, 'ReentrantLock')
    this.client = client
    this.#lock = new FairLock(client, path, options)
  }

  /** The lock's path. */
  get path(): string {
    return this.#lock.path
  }

  /**
   * Acquires the lock: at once in a context that holds it, and otherwise after every earlier contender.
   *
   * @param options - as for {@link FairLock.acquire}. In a context that holds it, `data`,
   * `waitMs` and `revocable` change nothing; `onReentry: 'wait'` queues there all the same, for a task that the holder
   * does not await, and `'error'` is refused
   * @returns a lease; the lock is given back when all leases on this holding are released, in whatever order
   * @throws CoordinationError as {@link FairLock.acquire}; `ALREADY_HELD` with `onReentry: 'error'`, and within a
   * `using` of a {@link FairLock} of the same path
   * @throws TypeError or RangeError for a wrong option
   */
  async acquire(options: ContendOptions = {}): Promise<ReentrantLease> {
    checkContendOptions(options)
    const again = options.onReentry === undefined ? this.#again(options) : null
    return again ?? new Holding(this.#place, await this.#lock.acquire(options)).lease()
  }

  /**
   * Acquires the lock if its context holds it, or if nobody has it and nobody waits for it.
   *
   * @param options - as for {@link FairLock.tryAcquire}
   * @returns the lease, or null if it is taken
   * @throws CoordinationError as {@link FairLock.tryAcquire}
   * @throws TypeError or RangeError for a wrong option
   */
  async tryAcquire(options: TryContendOptions = {}): Promise<ReentrantLease | null> {
    checkTryContendOptions(options)
    const again = this.#again(options)
    if (again !== null) return again
    const lease = await this.#lock.tryAcquire(options)
    return lease === null ? null : new Holding(this.#place, lease).lease()
  }

  /**
   * Acquires the lock, runs the work as its holder, and releases what it acquired.
   *
   * @param args - the options of {@link ReentrantLock.acquire}, which may be left out, and the work; it gets the lease
   * @returns the result of the work; its error is thrown after the release
   * @throws CoordinationError as {@link ReentrantLock.acquire}, and `LEASE_LOST` if the lease was lost before the work
   * ended
   * @throws TypeError or RangeError for a wrong option, or a work that is no function
   */
  using<T>(...args: UsingArguments<ContendOptions, T, ReentrantLease>): Promise<T> {
    return runHeld((options) => this.acquire(options), (lease, work) => lease.run(work), args)
  }

  /**
   * Asks those who hold the lock to give it up, or one contender; see {@link FairLock.revoke}.
   *
   * @param options - as for {@link FairLock.revoke}
   * @returns those that were asked
   * @throws CoordinationError as {@link FairLock.revoke}
   * @throws TypeError or RangeError for a wrong option
   */
  revoke(options: RevokeOptions = {}): Promise<ContenderInfo[]> {
    return this.#lock.revoke(options)
  }

  /**
   * Takes a contender out of the queue without asking it; see {@link FairLock.evict}.
   *
   * @param contender - as {@link ReentrantLock.contenders} lists it, or a lease
   * @param options - the signal and the time limit of the call
   * @throws CoordinationError as {@link FairLock.evict}
   * @throws TypeError or RangeError for a contender of another lock, or none, or a wrong option
   */
  evict(contender: ContenderRef, options: TimedWaitOptions = {}): Promise<void> {
    return this.#lock.evict(contender, options)
  }

  /**
   * Lists the holder and those who wait, in the order in which they are served; a holder is listed once.
   *
   * @param options - the signal and the time limit of the reading
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  contenders(options: TimedWaitOptions = {}): Promise<ContenderInfo[]> {
    return this.#lock.contenders(options)
  }

  get #place(): LockPlace {
    return { client: this.client, path: this.path, kind: LOCK }
  }

  /** Another lease on what the current context holds; null if it holds nothing. */
  #again(options: TimedWaitOptions): ReentrantLease | null {
    const held = leaseHeldHere(this.#place)
    const holding = held === null ? undefined : holdings.get(held)
    if (holding === undefined || !holding.isSure()) return null
    // Refuses what every acquisition refuses: an aborted signal, a client that is closed, a wrong limit.
    new Wait(this.client, this.path, options).close()
    return holding.lease()
  }
}

/** By the lease of the fair lock, which is what contexts are known to run under. */
const holdings = new WeakMap<Lease, Holding>()

/** One tenure of the fair lock, for all leases on it. */
class Holding {
  readonly place: LockPlace
  /** Of the fair lock. */
  readonly held: Lease
  /** Leases that were not released. */
  count = 0

  constructor(place: LockPlace, held: Lease) {
    this.place = place
    this.held = held
    holdings.set(held, this)
  }

  /** Whether it is held at this instant, by the clock. */
  isSure(): boolean {
    try {
      this.held.throwIfLost()
      return true
    } catch {
      return false
    }
  }

  lease(): ReentrantLease {
    this.count += 1
    return new CountedLease(this)
  }
}

/** See {@link ReentrantLease}. */
class CountedLease implements ReentrantLease {
  readonly acquiredAtMs = performance.now()
  readonly #holding: Holding
  readonly #controller = new AbortController()
  readonly #unlisten: () => void
  /** Each ends a listener to requests. */
  readonly #deafeners = new Set<() => void>()
  #releasing: Promise<void> | null = null
  /** Whether it was released while there were others. */
  #isReturned = false

  constructor(holding: Holding) {
    this.#holding = holding
    const { signal } = holding.held
    this.#unlisten = whenAborted(signal, () => this.#controller.abort(signal.reason))
  }

  get path(): string {
    return this.#holding.held.path
  }

  get token(): bigint {
    return this.#holding.held.token
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get count(): number {
    return this.#holding.count
  }

  get state(): LeaseState {
    if (this.#isReturned) return 'released'
    return this.signal.aborted ? 'lost' : this.#holding.held.state
  }

  get leaseDeadlineMs(): number {
    return this.#isReturned ? -Infinity : this.#holding.held.leaseDeadlineMs
  }

  throwIfLost(): void {
    if (!this.#isReturned) return this.#holding.held.throwIfLost()
    const { path } = this
    throw new CoordinationError('LEASE_LOST', `this lease of ${path} was released`, { outcome: 'lost', path })
  }

  check(): Operation {
    return this.#holding.held.check()
  }

  onRevoke(listener: (request: RevokeRequest) => void | Promise<void>): () => void {
    const end = this.#holding.held.onRevoke(listener)
    this.#deafeners.add(end)
    return end
  }

  run<T>(work: (lease: ReentrantLease) => T): T {
    requireFunction('work', work)
    this.throwIfLost()
    return runHolding(this.#holding.place, this.#holding.held, () => work(this))
  }

  release(): Promise<void> {
    this.#releasing ??= this.#release()
    return this.#releasing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  async #release(): Promise<void> {
    const { held } = this.#holding
    this.#unlisten()
    for (const end of this.#deafeners) end()
    this.#holding.count -= 1
    if (this.#holding.count === 0) await held.release()
    else if (held.state !== 'lost') this.#isReturned = true
  }
}
