/**
 * Fair lock: contenders are served in the order in which they asked.
 *
 * Model     one ephemeral sequential node per contender under `path`; the lowest holds.
 * Safety    at most one contender is lowest; a paused holder may overlap its successor, so guard with `lease.token`.
 * Liveness  a release or an expiry wakes exactly one successor.
 * Cost      uncontended: 1 round trip; waiting: 1 watch on the predecessor; hand-over: 1 event + 1 read.
 * Source    ZooKeeper recipes, "Locks"; Curator InterProcessMutex, whose names of nodes these are by default.
 */
import type { Client } from '../../core/client.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { textOf } from '../../core/value-text.ts'
import type { ContendOptions, TryContendOptions } from '../engine/acquire-options.ts'
import type { Admission, AdmissionRule, Contender } from '../engine/contender.ts'
import type { ContenderInfo } from '../engine/contenders.ts'
import { Contenders } from '../engine/contenders.ts'
import type { Lease } from '../engine/lease.ts'
import { runLeased } from '../engine/leased-work.ts'
import type { UsingArguments } from '../engine/leased-work.ts'
import type { ContenderRef, RevokeOptions } from '../engine/revocation.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { LOCK, lockNames } from '../engine/lock-names.ts'
import type { LockLayout } from '../engine/lock-names.ts'

const RULE: AdmissionRule = { admit: lowestHolds, hasLine: false }

const LAYOUTS: readonly LockLayout[] = ['curator', 'kazoo']

/** Options of {@link FairLock}. */
export interface FairLockOptions {
  /**
   * Whose names this client's contenders have: those of Curator's InterProcessMutex (`curator`, the default) or of
   * kazoo's Lock (`kazoo`), so that processes in other languages see them. Contenders of either are seen here.
   */
  readonly layout?: LockLayout
}

const OPTIONS = optionNames<FairLockOptions>({ layout: true })

/** A lock that is given out first come, first served. The lease is the owner: whoever has it may release it. */
export class FairLock {
  /** The client that it was made for. */
  readonly client: Client
  readonly #contenders: Contenders

  /**
   * Makes a lock's client side; nothing is sent.
   *
   * @param client - on whose session contenders live
   * @param path - the lock; its node is made when it is needed, and removed by the servers when nobody needs it
   * @param options - whose names of nodes to use
   * @throws TypeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: FairLockOptions = {}) {
    validateClient(client, 'FairLock')
    refuseUnknown(options, OPTIONS, 'FairLock')
    const { layout = 'curator' } = options
    if (!LAYOUTS.includes(layout)) throw new TypeError(`layout must be 'curator' or 'kazoo', got ${textOf(layout)}`)
    this.client = client
    this.#contenders = new Contenders(client, path, lockNames(layout), RULE)
  }

  /** The lock's path. */
  get path(): string {
    return this.#contenders.path
  }

  /**
   * Acquires the lock after every earlier contender.
   *
   * @param options.signal - ends the wait; the contender's node is removed before this rejects
   * @param options.waitMs - longest wait in milliseconds; no limit by default
   * @param options.data - the data of this contender's node; see {@link FairLock.contenders}
   * @param options.onSessionLoss - the fate of the wait when the session ends, and its place in the queue with
   * it: `reject` by default, or `queue-again`
   * @param options.onReentry - the fate of a wait within a `using` of this lock: `error` by default, or `wait`
   * @param options.revocable - whether others may ask for the lease; see `lease.onRevoke`
   * @returns the lease; `lease.token` grows strictly with every acquisition of this path
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `SESSION_EXPIRED` (not with `queue-again`), `CLIENT_CLOSED`,
   * `ALREADY_HELD` within a `using` of this lock, or a refusal of the servers; in each case this contender no longer
   * waits, and what could not be removed at once is counted by `pendingCleanups`. While no server is in touch it waits
   * for one
   * @throws TypeError or RangeError for a wrong option
   */
  acquire(options: ContendOptions = {}): Promise<Lease> {
    return this.#contenders.acquire(options)
  }

  /**
   * Acquires the lock if nobody has it and nobody waits for it. On a lock that is taken it creates no node.
   *
   * @param options - as for {@link FairLock.acquire}
   * @returns the lease, or null if it is taken
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `SESSION_EXPIRED`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, or what the
   * servers refused; in each case this contender no longer waits
   * @throws TypeError or RangeError for a wrong option
   */
  tryAcquire(options: TryContendOptions = {}): Promise<Lease | null> {
    return this.#contenders.tryAcquire(options)
  }

  /**
   * Acquires the lock, runs the work under its lease, and releases it.
   *
   * @param args - the options of {@link FairLock.acquire}, which may be left out, and the work; it gets the lease
   * @returns the result of the work; its error is thrown after the release
   * @throws CoordinationError as {@link FairLock.acquire}, and `LEASE_LOST` if the lease was lost before the work
   * ended
   * @throws TypeError or RangeError for a wrong option, or a work that is no function
   */
  using<T>(...args: UsingArguments<ContendOptions, T>): Promise<T> {
    const place = { client: this.client, path: this.path, kind: LOCK }
    return runLeased(place, (options) => this.acquire(options), args)
  }

  /**
   * Asks whoever holds the lock to give it up, or one contender. It changes nothing by itself: holders that acquired
   * with `revocable: true` hear of it by `lease.onRevoke`, and release when they can. The `data` of
   * their nodes is replaced by the request.
   *
   * @param options.reason - for the holder; holders of Curator's hear requests without one only
   * @param options.contender - whom to ask, who may hold or wait; all who hold by default
   * @param options.signal - ends the call
   * @param options.waitMs - longest time in milliseconds; no limit by default
   * @returns those that were asked. On a ZooKeeper server one that is not revocable is not among them; elsewhere it is,
   * and does not hear it
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`, `THROTTLED`,
   * or a refusal of the servers; to ask again does no harm
   * @throws TypeError or RangeError for a wrong option
   */
  revoke(options: RevokeOptions = {}): Promise<ContenderInfo[]> {
    return this.#contenders.revoke(options, (holders) => holders)
  }

  /**
   * Takes a contender out of the queue without asking it, for operators: its node is deleted, and no other that came to
   * the same path. A holder's signal fires with the reason `node-deleted`; one that waits queues again, at the end. A
   * holder may work on until it hears of it: guard what it writes by `lease.token` or `lease.check()`.
   *
   * @param contender - as {@link FairLock.contenders} lists it, or a lease
   * @param options - the signal and the time limit of the call
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`, `THROTTLED`,
   * or a refusal of the servers; to evict it again does no harm
   * @throws TypeError or RangeError for what is no contender of this lock, or a wrong option
   */
  evict(contender: ContenderRef, options: TimedWaitOptions = {}): Promise<void> {
    return this.#contenders.evict(contender, options)
  }

  /**
   * Lists the holder and those who wait, in the order in which they are served.
   *
   * @param options - the signal and the time limit of the reading
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  contenders(options: TimedWaitOptions = {}): Promise<ContenderInfo[]> {
    return this.#contenders.list(options)
  }
}

function lowestHolds(queue: readonly Contender[], own: number): Admission {
  const predecessor = queue[own - 1]
  return predecessor === undefined ? { granted: true } : { granted: false, watch: predecessor.name }
}
