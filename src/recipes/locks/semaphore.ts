/**
 * Semaphore: so many permits, for whoever asks, in the order in which they asked.
 *
 * Model     below `path`: `locks`, a fair lock that is the line, and `leases`, with a node per permit that is held.
 *           Who holds the lock is the first in line: it alone watches the permits, takes as many as it wants in one
 *           go, and lets the next one come. `permits` is their number, the same for all.
 * Safety    no more nodes are granted than there are permits; a paused holder may overlap, so guard by `lease.token`
 *           where that matters.
 * Liveness  a release wakes the first in line and nobody else; it takes what it wants as soon as that is free, and
 *           nobody passes it, so that one who wants many is not starved by those who want one.
 * Curator   nodes and order are those of InterProcessSemaphoreV2, for any number of permits: n of them are n nodes,
 *           which Curator counts as such. So processes of both can share a path. `permits` is as a Curator
 *           `SharedCount` at that path keeps it; one that was made with a number of its own follows that instead.
 *           Curator's `acquire(n)` takes one by one and keeps what it has: two of those may wait for each other, and
 *           one of those and one of ours that wants several. Two of ours never do.
 * Cost      free: 3 round trips; waiting: 1 watch; hand-over: 1 event + 1 list, and 2 round trips for the next in line.
 * Source    Curator InterProcessSemaphoreV2; its first semaphore watched one holder, and was retired for it.
 */
import { abortable } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown, validateInteger } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { joinPath, validatePath } from '../../core/path.ts'
import { checkContendOptions, checkTryContendOptions } from '../engine/acquire-options.ts'
import type { AcquireOptions, ContendOptions, TryContendOptions } from '../engine/acquire-options.ts'
import type { AdmissionRule } from '../engine/contender.ts'
import type { ContenderInfo } from '../engine/contenders.ts'
import { Contenders } from '../engine/contenders.ts'
import { curatorNames } from '../engine/curator-names.ts'
import { handBack } from '../engine/hand-back.ts'
import type { Lease } from '../engine/lease.ts'
import { runLeased } from '../engine/leased-work.ts'
import type { UsingArguments } from '../engine/leased-work.ts'
import type { ContenderRef, RevokeOptions } from '../engine/revocation.ts'
import { Wait } from '../engine/wait.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'
import { FairLock } from './fair-lock.ts'
import { PERMIT, takePermits } from './permit-bid.ts'
import type { PermitRequest } from './permit-bid.ts'
import type { PermitLease } from './permit-lease.ts'
import { PERMITS_MAX, PermitLimit } from './permit-limit.ts'

/** Options of {@link Semaphore}. */
export interface SemaphoreOptions {
  /**
   * How many permits there are, from 1. It is written down by the first client that acquires, and holds for all from
   * then on; a client that was made with another number gets an error at `onError`. See {@link Semaphore.setPermits}.
   */
  readonly permits: number
}

/** Options of {@link Semaphore.tryAcquire}. */
export interface TryPermitOptions extends TryContendOptions {
  /** How many permits to take, all or none; 1 by default. */
  readonly permits?: number
}

/** Options of {@link Semaphore.acquire}. */
export interface PermitOptions extends TryPermitOptions, Pick<AcquireOptions, 'onSessionLoss'> {}

const OPTIONS = optionNames<SemaphoreOptions>({ permits: true })

/** Permits have no order among each other: whoever has made a node for one holds it, or is just about to. */
const PERMIT_NAMES = curatorNames('lease')
const ALL_HOLD: AdmissionRule = { admit: () => ({ granted: true }), hasLine: false }

/** The most permits that one call takes: each is a node. */
const AT_ONCE_MAX = 1_000

/** A number of permits that are given out first come, first served. The lease is the owner of those that it took. */
export class Semaphore {
  /** The semaphore's path. */
  readonly path: string
  /** The client that it was made for. */
  readonly client: Client
  readonly #line: FairLock
  readonly #leases: string
  /** Those who hold permits. */
  readonly #holders: Contenders
  readonly #limit: PermitLimit

  /**
   * Makes a semaphore's client side; nothing is sent.
   *
   * @param client - on whose session permits are held
   * @param path - the semaphore; its node is made when it is needed, and stays, with the number of permits
   * @param options - how many permits there are
   * @throws TypeError or RangeError if the path is none, or for a wrong option
   */
  constructor(client: Client, path: string, options: SemaphoreOptions) {
    validateClient(client, 'Semaphore')
    validatePath(path)
    refuseUnknown(options, OPTIONS, 'Semaphore')
    validateInteger('permits', (options as Partial<SemaphoreOptions> | undefined)?.permits, 1, PERMITS_MAX)
    this.path = path
    this.client = client
    this.#line = new FairLock(client, joinPath(path, 'locks'))
    this.#leases = joinPath(path, 'leases')
    this.#holders = new Contenders(client, this.#leases, PERMIT_NAMES, ALL_HOLD)
    this.#limit = new PermitLimit(client, joinPath(path, 'permits'), options.permits)
  }

  /**
   * Acquires permits after every earlier contender, all at once.
   *
   * @param options.permits - how many; 1 by default
   * @param options.signal - ends the wait; whatever was made is removed before this rejects
   * @param options.waitMs - longest wait in milliseconds; no limit by default
   * @param options.data - the data of this contender's node
   * @param options.onSessionLoss - `reject` by default, or `queue-again`, as for `FairLock`
   * @param options.revocable - whether others may ask for the permits; see `lease.onRevoke`
   * @returns one lease for all of them; it is lost when any of them is. Tokens grow from grant to grant
   * @throws CoordinationError `INVALID_VALUE` if there are fewer permits at all; `ABORTED`, `TIMEOUT`,
   * `SESSION_EXPIRED` (not with `queue-again`), `CLIENT_CLOSED`, or a refusal of the servers; in each case nothing is
   * held, and what could not be removed at once is counted by `pendingCleanups`
   * @throws TypeError or RangeError for a wrong option
   */
  async acquire(options: PermitOptions = {}): Promise<PermitLease> {
    const { permits, ...others } = options
    checkContendOptions(others)
    const wanted = checkPermits(permits)
    const wait = new Wait(this.client, this.path, others, true)
    wait.observe('acquire', PERMIT)
    try {
      for (;;) {
        const lease = await (wait.isPatient ? this.#queueUp(wait, wanted, others) : this.#tryOnce(wait, wanted, others))
        if (lease !== null) return lease
        if (!wait.isPatient) wait.timeOut()
        wait.check()
      }
    } catch (error) {
      throw wait.explain(error)
    } finally {
      wait.close()
    }
  }

  /**
   * Acquires permits if they are free and nobody waits. Where they are taken it creates no node.
   *
   * @param options - as for {@link Semaphore.acquire}
   * @returns the lease, or null if it would have to wait, be it only for one who is just taking others
   * @throws CoordinationError `INVALID_VALUE` if there are fewer permits at all; `ABORTED`, `TIMEOUT`,
   * `SESSION_EXPIRED`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, or a refusal of the servers; in each case nothing is held
   * @throws TypeError or RangeError for a wrong option
   */
  async tryAcquire(options: TryPermitOptions = {}): Promise<PermitLease | null> {
    const { permits, ...others } = options
    checkTryContendOptions(others)
    const wanted = checkPermits(permits)
    const wait = new Wait(this.client, this.path, others)
    wait.observe('tryAcquire', PERMIT)
    try {
      return wait.tried(await this.#tryOnce(wait, wanted, others))
    } catch (error) {
      throw wait.explain(error)
    } finally {
      wait.close()
    }
  }

  /**
   * Acquires permits, runs the work under their lease, and releases them.
   *
   * @param args - the options of {@link Semaphore.acquire}, which may be left out, and the work; it gets the lease
   * @returns the result of the work; its error is thrown after the release
   * @throws CoordinationError as {@link Semaphore.acquire}, and `LEASE_LOST` if the lease was lost before the work
   * ended
   * @throws TypeError or RangeError for a wrong option, or a work that is no function
   */
  using<T>(...args: UsingArguments<PermitOptions, T, PermitLease>): Promise<T> {
    const place = { client: this.client, path: this.path, kind: PERMIT }
    return runLeased(place, (options) => this.acquire(options), args)
  }

  /**
   * Changes the number of permits for all clients. Permits that are held stay held: if there are more of them than the
   * new number, nobody gets one until enough have been released.
   *
   * @param permits - how many there are from now on
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, or what the
   * servers refused
   * @throws TypeError or RangeError for a number that is none, or a wrong option
   */
  async setPermits(permits: number, options: TimedWaitOptions = {}): Promise<void> {
    validateInteger('permits', permits, 1, PERMITS_MAX)
    await this.#during(options, 'setPermits', (wait) => this.#limit.write(permits, wait))
  }

  /**
   * Reads how many permits there are, held or not.
   *
   * @throws CoordinationError `INVALID_VALUE`, `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `CONNECTION_LOSS`,
   * `SESSION_EXPIRED`
   */
  permits(options: TimedWaitOptions = {}): Promise<number> {
    return this.#during(options, 'permits', ({ signal }) => this.#limit.peek(signal))
  }

  /**
   * Lists those who wait, first come first; the first of them has the turn.
   *
   * @param options - the signal and the time limit of the reading
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  async waiting(options: TimedWaitOptions = {}): Promise<ContenderInfo[]> {
    const line = await this.#line.contenders(options)
    return line.map((info) => ({ ...info, kind: PERMIT, holds: false }))
  }

  /**
   * Lists the permits that are held, each with its holder's session and data. The first in line makes its nodes before
   * it counts: those that are too many are not among them; of one who wants several, some may be.
   *
   * @param options - the signal and the time limit of the reading
   * @throws CoordinationError `INVALID_VALUE`, `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`,
   * `CLIENT_CLOSED`
   */
  async holders(options: TimedWaitOptions = {}): Promise<ContenderInfo[]> {
    return permits(await this.#withoutBid(this.#holders.list(options), options))
  }

  /**
   * Asks those who hold permits, as {@link Semaphore.holders} lists them, to give them up, or the holder of one; see
   * {@link FairLock.revoke}.
   *
   * @param options - as for {@link FairLock.revoke}
   * @returns the permits that were asked for
   * @throws CoordinationError as {@link FairLock.revoke}; `INVALID_VALUE` if nobody is named and the number of permits
   * is none
   * @throws TypeError or RangeError for a wrong option
   */
  async revoke(options: RevokeOptions = {}): Promise<ContenderInfo[]> {
    return permits(await this.#holders.revoke(options, (nodes, signal) => this.#withoutBid(nodes, { signal })))
  }

  /**
   * Takes a permit from its holder, or one that waits out of the line, without asking; see {@link FairLock.evict}. A
   * lease of several permits is lost with any of them.
   *
   * @param contender - as {@link Semaphore.holders} or {@link Semaphore.waiting} lists it
   * @param options - the signal and the time limit of the call
   * @throws CoordinationError as {@link FairLock.evict}
   * @throws TypeError or RangeError for a contender of another semaphore, or none, or a wrong option
   */
  async evict(contender: ContenderRef, options: TimedWaitOptions = {}): Promise<void> {
    const { path } = Object(contender) as Partial<ContenderRef>
    const isWaiting = path?.startsWith(`${this.#line.path}/`) === true
    await (isWaiting ? this.#line : this.#holders).evict(contender, options)
  }

  /** Leaves out what the first in line has made before it counts, as far as that is too many. */
  async #withoutBid(
    nodes: readonly ContenderInfo[] | Promise<readonly ContenderInfo[]>,
    limits: TimedWaitOptions,
  ): Promise<readonly ContenderInfo[]> {
    const [made, [first], limit] = await Promise.all([nodes, this.#line.contenders(limits), this.permits(limits)])
    const isBid = ({ position, sessionId }: ContenderInfo): boolean =>
      position >= limit && sessionId === first?.sessionId
    return made.slice(0, made.findLastIndex((info) => !isBid(info)) + 1)
  }

  /** Waits in line, then takes. Null: it has to be done again. */
  async #queueUp(wait: Wait, permits: number, options: ContendOptions): Promise<PermitLease | null> {
    const { data = '', onSessionLoss = 'reject', revocable = false } = options
    const place = await this.#line.acquire({ signal: wait.signal, data, onSessionLoss, onReentry: 'wait' })
    try {
      return await this.#take(wait, place, { permits, data, revocable })
    } catch (error) {
      wait.check()
      if (onSessionLoss === 'reject' || !isCoordinationError(error, 'SESSION_EXPIRED')) throw error
      return null
    }
  }

  /** Takes only what is free at once. */
  async #tryOnce(wait: Wait, permits: number, options: TryContendOptions): Promise<PermitLease | null> {
    const { data = '', revocable = false } = options
    const { signal } = wait
    const counting = [this.client.sync(this.path, { signal }), this.#count(signal), this.#limit.peek(signal)] as const
    const [, taken, limit] = await abortable(Promise.all(counting), signal)
    if (taken + permits > limit && permits <= limit) return null
    const place = await this.#line.tryAcquire({ signal, data })
    return place === null ? null : this.#take(wait, place, { permits, data, revocable })
  }

  /** Takes permits as the first in line, and gives the place in the line back. */
  async #take(
    wait: Wait,
    place: Lease,
    bid: Pick<PermitRequest, 'permits' | 'data' | 'revocable'>,
  ): Promise<PermitLease | null> {
    const { path } = this
    // A wait of its own, that ends with the session.
    const turn = new Wait(this.client, path, { signal: wait.signal }, wait.isPatient)
    try {
      if (this.client.sessionId !== null) turn.bindSession(this.client.sessionId)
      const request = { path, leases: this.#leases, limit: this.#limit, ...bid }
      const lease = await takePermits(this.client, request, place, turn)
      if (lease === null) await abortable(place.release(), turn.signal)
      return lease
    } catch (error) {
      await handBack(this.client, place.release())
      throw turn.explain(error)
    } finally {
      turn.close()
    }
  }

  async #count(signal: AbortSignal): Promise<number> {
    try {
      return (await this.client.children(this.#leases, { signal })).names.length
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return 0
      throw error
    }
  }

  #during<T>(options: TimedWaitOptions, what: string, run: (wait: Wait) => Promise<T>): Promise<T> {
    return withinWait(this.client, { what, path: this.path }, options, (_signal, wait) => run(wait))
  }
}

/** Says that what was listed are permits. */
function permits(nodes: readonly ContenderInfo[]): ContenderInfo[] {
  return nodes.map((info) => ({ ...info, kind: PERMIT }))
}

function checkPermits(permits: number | undefined): number {
  if (permits === undefined) return 1
  validateInteger('permits', permits, 1, AT_ONCE_MAX)
  return permits
}
