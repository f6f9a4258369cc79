/**
 * Several locks as one: all or none.
 *
 * Model     no nodes of its own. The locks are acquired one after the other, each while those before it are held.
 * Order     that of their full paths on the servers, whatever order they are given in, and whatever namespace or chroot
 *           each client has. So two of these, in any two processes, never wait for each other. Whoever acquires the
 *           same locks one by one has to keep that order too.
 * Places    a full path stands once in it. Two trees may have nodes of one path, but which of two such locks comes
 *           first could not be known in the same way by everybody, nor whether they are one lock.
 * Waiting   leases held already are watched while the rest is waited for. If one of them is lost, all are released, and
 *           it begins again, at the end of each queue; nothing had been given out.
 * Loss      as soon as one part is lost the whole is.
 * Safety    that of each part. There is no token for all: each guarded thing has its own lock's token, or its check.
 * Source    Curator InterProcessMultiLock, whose order is that of its arguments and whose limit of time is each lock's.
 */
import { assert } from '../../core/assert.ts'
import { optionNames, refuseUnknown, requireFunction } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { validatePath } from '../../core/path.ts'
import { textOf } from '../../core/value-text.ts'
import { checkContendOptions, checkTryContendOptions } from '../engine/acquire-options.ts'
import type { TryContendOptions } from '../engine/acquire-options.ts'
import type { JointLease } from '../engine/joint-lease.ts'
import type { Lease } from '../engine/lease.ts'
import { runHeld } from '../engine/leased-work.ts'
import type { LeasedWork, UsingArguments } from '../engine/leased-work.ts'
import { runHolding } from '../engine/reentry.ts'
import type { ContenderRef, RevokeOptions } from '../engine/revocation.ts'
import { Wait } from '../engine/wait.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { LOCK } from '../engine/lock-names.ts'
import { MultiLockRound } from './multi-lock-round.ts'
import type { Lockable, MultiLockOptions, Place } from './multi-lock-round.ts'

const OPTIONS = optionNames<MultiLockOptions>({
  waitMs: true, signal: true, data: true, onSessionLoss: true, revocable: true,
})

/** Several locks that are acquired together. */
export class MultiLock {
  /** The locks, as they were given. */
  readonly locks: readonly Lockable[]
  /** In the order in which they are acquired. */
  readonly #places: readonly Place[]

  /**
   * Joins locks; nothing is sent.
   *
   * @param locks - at least one; of any kinds, clients and engines
   * @throws TypeError if there is none, if one is no lock, or if two are at one path on the servers
   */
  constructor(locks: readonly Lockable[]) {
    const given: unknown = locks
    if (!Array.isArray(given)) throw notLocks(textOf(locks))
    if (locks.length === 0) throw notLocks('an array without any')
    this.locks = Object.freeze([...locks])
    this.#places = placesOf(this.locks)
  }

  /**
   * Acquires all of the locks.
   *
   * @param options - `signal` ends the wait, and whatever was acquired is released before this rejects; `waitMs` is the
   * longest wait for all together, in milliseconds, without limit by default; `data` is what each contender says of
   * itself; `onSessionLoss` is what to do when a session ends, or a part is lost, before all are had: begin again
   * (`queue-again`, the default), or `reject`; `revocable` is whether others may ask for each of them, and so for all:
   * see `lease.onRevoke`
   * @returns one lease for all, whose `parts` are in the order of the locks as they were given
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `SESSION_EXPIRED` and `LEASE_LOST` (only with
   * `reject`), `ALREADY_HELD`, `INVALID_VALUE`, or a refusal of the servers one of them with; in each case nothing is
   * held, and what could not be released at once is counted by `pendingCleanups`
   * @throws TypeError or RangeError for a wrong option
   */
  async acquire(options: MultiLockOptions = {}): Promise<JointLease> {
    refuseUnknown(options, OPTIONS, 'acquire')
    checkContendOptions(options)
    const { onSessionLoss = 'queue-again' } = options
    const each = entryOf(options)
    const limit = options.waitMs === 0 ? { waitMs: 0 } : {}
    const wait = this.#newWait(options, true)
    try {
      for (;;) {
        const round = new MultiLockRound(wait)
        const lease = await round.run(this.#places, ({ lock }, signal) => {
          return lock.acquire({ signal, ...each, onSessionLoss, ...limit })
        })
        if (lease !== null) return lease
        if (onSessionLoss === 'reject') throw round.signal.reason
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
   * Acquires all of the locks if each of them is free.
   *
   * @param options - as for {@link MultiLock.acquire}
   * @returns the lease, or null if one of them is taken; then nothing is held
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `SESSION_EXPIRED`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `LEASE_LOST`
   * if a part was lost meanwhile, `INVALID_VALUE`, or a refusal of the servers; in each case nothing is held
   * @throws TypeError or RangeError for a wrong option
   */
  async tryAcquire(options: TryContendOptions = {}): Promise<JointLease | null> {
    checkTryContendOptions(options)
    const each = entryOf(options)
    const wait = this.#newWait(options, false)
    try {
      const round = new MultiLockRound(wait)
      const lease = await round.run(this.#places, ({ lock }, signal) => lock.tryAcquire({ signal, ...each }))
      if (lease === null && round.signal.aborted) throw round.signal.reason
      return lease
    } catch (error) {
      throw wait.explain(error)
    } finally {
      wait.close()
    }
  }

  /**
   * Acquires all of the locks, runs the work under their lease, and releases them.
   *
   * @param args - the options of {@link MultiLock.acquire}, which may be left out, and the work; it gets the lease
   * @returns the result of the work; its error is thrown after the release
   * @throws CoordinationError as {@link MultiLock.acquire}, and `LEASE_LOST` if a part was lost before the work ended
   * @throws TypeError or RangeError for a wrong option, or a work that is no function
   */
  using<T>(...args: UsingArguments<MultiLockOptions, T, JointLease>): Promise<T> {
    return runHeld((options) => this.acquire(options), (lease, work) => this.#hold(lease, work), args)
  }

  /**
   * Asks whoever holds any of the locks to give it up, or one contender. It changes nothing by itself: see the `revoke`
   * of each lock.
   *
   * @param options - whom and why, and the limits of the call
   * @returns those that were asked, of all locks
   * @throws CoordinationError as the `revoke` of each lock; some may have been asked, and to ask again does no harm
   * @throws TypeError or RangeError for a wrong option, a contender of another lock, or a lock that cannot be asked for
   */
  async revoke(options: RevokeOptions = {}): Promise<ContenderRef[]> {
    const { contender } = options
    const locks = contender === undefined ? this.locks : this.#locksOf(contender)
    const calls = locks.map((lock) => lock.revoke?.bind(lock) ?? notAskable(lock))
    return (await Promise.all(calls.map((revoke) => revoke(options)))).flat()
  }

  /**
   * Takes one of the locks from a holder, or a contender out of its queue, without asking it, for operators. Whoever
   * holds all of them loses all, and is to release the others.
   *
   * @param contender - a part of a lease, or as one of the locks lists it
   * @param options - the signal and the time limit of the call
   * @throws CoordinationError as the `evict` of the lock
   * @throws TypeError or RangeError for a wrong option, a contender of another lock, or a lock that cannot be asked for
   */
  async evict(contender: ContenderRef, options: TimedWaitOptions = {}): Promise<void> {
    const calls = this.#locksOf(contender).map((lock) => lock.evict?.bind(lock) ?? notAskable(lock))
    await Promise.all(calls.map((evict) => evict(contender, options)))
  }

  /** The locks that a contender may be of, by its path; two clients may call theirs the same. */
  #locksOf(contender: ContenderRef): readonly Lockable[] {
    const { path } = Object(contender) as Partial<ContenderRef>
    const locks = this.locks.filter((lock) => path === lock.path || path?.startsWith(`${lock.path}/`) === true)
    if (locks.length > 0) return locks
    throw new TypeError(`contender must be one of the locks of this MultiLock, got ${path ?? textOf(contender)}`)
  }

  /** The client of the first lock ends the wait when it closes; each other one ends the wait for its own lock. */
  #newWait(options: TryContendOptions, isPatient: boolean): Wait {
    const [first] = this.#places
    assert(first !== undefined, 'a MultiLock has locks')
    return new Wait(first.lock.client, this.#places.map(({ fullPath }) => fullPath).join(' and '), options, isPatient)
  }

  /** Runs a work in a context that is known to hold each of the locks. */
  #hold<T>(lease: JointLease, work: LeasedWork<T, JointLease>): T | PromiseLike<T> {
    const within = this.locks.reduceRight((inner: () => T | PromiseLike<T>, lock, index) => {
      const part = lease.parts[index]
      if (part === undefined) return inner
      const { client, path, kind = LOCK } = lock
      return () => (isRunner(part) ? part.run(inner) : runHolding({ client, path, kind }, part, inner))
    }, () => work(lease))
    return within()
  }
}

/** The part of the options that each lock gets. */
function entryOf({ data = '', revocable }: TryContendOptions): Pick<TryContendOptions, 'data' | 'revocable'> {
  return revocable === undefined ? { data } : { data, revocable }
}

function notAskable({ path }: Lockable): never {
  throw new TypeError(`the lock at ${path} cannot be asked for`)
}

function notLocks(what: string): TypeError {
  return new TypeError(`a MultiLock needs an array of locks, got ${what}`)
}

function placesOf(locks: readonly Lockable[]): Place[] {
  const places = locks.map((lock, index): Place => ({ lock, index, fullPath: fullPathOf(lock, index) }))
  places.sort((a, b) => (a.fullPath < b.fullPath ? -1 : 1))
  for (const [at, { fullPath, index }] of places.entries()) {
    const before = places[at - 1]
    if (before?.fullPath !== fullPath) continue
    const [one, two] = [before.index, index].sort((a, b) => a - b)
    throw new TypeError(`a MultiLock takes each path once, got ${fullPath} twice (locks ${String(one)} and `
      + `${String(two)}, counted from 0)`)
  }
  return places
}

/** The path of a lock on the servers: it is the same for all clients, whatever their namespace. */
function fullPathOf(lock: Lockable, index: number): string {
  const what = `lock ${String(index)} of a MultiLock`
  if (typeof lock !== 'object' || lock === null) throw new TypeError(`${what} must be a lock, got ${textOf(lock)}`)
  validateClient(lock.client, what)
  validatePath(lock.path)
  for (const name of ['acquire', 'tryAcquire']) requireFunction(`${name} of ${what}`, Reflect.get(lock, name))
  const { root } = lock.client
  return root === '/' ? lock.path : root + lock.path
}

/** A lease whose holder may acquire again marks the context of a work itself. */
function isRunner(lease: Lease): lease is Lease & { run<T>(work: () => T): T } {
  return 'run' in lease && typeof lease.run === 'function'
}
