/**
 * Exclusive lock: the simplest lock there is, without an order among those who wait.
 *
 * Model     one ephemeral node at `path` itself; whoever creates it holds. Waiters watch it and race when it goes.
 * Safety    a node has one owner. After a lost reply to the create, the node is ours if the session that is live now
 *           owns it and its data carry the mark of this attempt; one that an older session of ours left is waited for
 *           like any other's. A paused holder may overlap its successor, so guard with `lease.token`.
 * Liveness  a release wakes one waiter of each client and one of them wins; those of one client take turns. For many
 *           clients take {@link FairLock}.
 * Cost      uncontended: 1 round trip; waiting: 1 watch; hand-over: 1 event + 1 create for each client that waits.
 * Revoking  a request is written to the holder's node; see engine/revocation.ts. The mark of the node stays.
 * Source    ZooKeeper Programmer's Guide, ephemeral nodes; Chubby, "locks".
 */
import type { Created, NodeData, Stat } from '../../core/backend.ts'
import { abortable, deferred } from '../../core/async.ts'
import type { Client, Data } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { refuseUnknown } from '../../core/options.ts'
import { validateClient } from '../../core/validate-client.ts'
import { parentOf, validatePath } from '../../core/path.ts'
import { unlessGone } from '../../core/read-each.ts'
import { Cleanups } from '../engine/cleanups.ts'
import { checkContendOptions, checkTryContendOptions } from '../engine/acquire-options.ts'
import type { ContendOptions, TryContendOptions } from '../engine/acquire-options.ts'
import { CREATE_ATTEMPTS_MAX, deletion, isOutcomeUnknown, ownedNode, readSynced } from '../engine/protected-writes.ts'
import { deleteNode } from '../engine/protected-writes.ts'
import { REVOKE_OPTIONS, Revocation, checkHolder, checkReason, requestAll } from '../engine/revocation.ts'
import type { ContenderRef, RevokeOptions } from '../engine/revocation.ts'
import type { Lease } from '../engine/lease.ts'
import { runLeased } from '../engine/leased-work.ts'
import type { UsingArguments } from '../engine/leased-work.ts'
import { NodeLease } from '../engine/lease.ts'
import { proveLease } from '../engine/lease-proof.ts'
import { markData, newMark, unmarkData } from '../engine/marked-data.ts'
import { NodeWatch } from '../engine/ownership.ts'
import { Turn } from '../engine/turns.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { Wait } from '../engine/wait.ts'
import { withinWait } from '../engine/within-wait.ts'
import { refuseReentry } from '../engine/reentry.ts'
import type { LockPlace } from '../engine/reentry.ts'
import { LOCK } from '../engine/lock-names.ts'

/** Who holds an exclusive lock. */
export interface HolderInfo {
  /** Its node, which is the lock's path. */
  readonly path: string
  /** Since when, in milliseconds since 1970 by the leader's clock. */
  readonly sinceMs: number
  /** The token of its lease. */
  readonly token: bigint
  /** The session that it lives on. */
  readonly sessionId: bigint
  /** The data that it gave when it acquired. */
  readonly data: Uint8Array
}

/** A lock that goes to whoever is quickest. The lease is the owner: whoever has it may release it. */
export class ExclusiveLock {
  /** The lock's path: the holder's node. */
  readonly path: string
  /** The client that it was made for. */
  readonly client: Client

  /**
   * Makes a lock's client side; nothing is sent.
   *
   * @param client - on whose session the holder's node lives
   * @param path - the holder's node; its parent is made when it is missing
   * @throws TypeError if the path is none, or `/`
   */
  constructor(client: Client, path: string) {
    validateClient(client, 'ExclusiveLock')
    validatePath(path)
    if (path === '/') throw new TypeError('path must be a node that can be created, got "/"')
    this.path = path
    this.client = client
  }

  /**
   * Acquires the lock as soon as it is free and nobody else is quicker.
   *
   * @param options.signal - ends the wait
   * @param options.waitMs - longest wait in milliseconds; no limit by default
   * @param options.data - the data of the holder's node; see {@link ExclusiveLock.holder}
   * @param options.onSessionLoss - `queue-again` by default: a session that ends costs a waiter nothing, and it goes on
   * with the next one; `reject` ends the wait with `SESSION_EXPIRED`
   * @param options.onReentry - the fate of a wait within a `using` of this lock: `error` by default, or `wait`
   * @param options.revocable - whether others may ask for the lease; see `lease.onRevoke`
   * @returns the lease; `lease.token` grows strictly with every acquisition of this path
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `SESSION_EXPIRED` (only with `reject`),
   * `ALREADY_HELD` within a `using` of this lock, or a refusal of the servers; in each case nothing is held, and what
   * could not be removed at once is counted by `pendingCleanups`. While no server is in touch it waits for one
   * @throws TypeError or RangeError for a wrong option
   */
  async acquire(options: ContendOptions = {}): Promise<Lease> {
    checkContendOptions(options)
    if (options.onReentry !== 'wait') refuseReentry(this.#place)
    const wait = new Wait(this.client, this.path, options, true)
    wait.observe('acquire', LOCK)
    let [turn, bid]: [Turn | null, Bid | null] = [null, null]
    try {
      const { sessionId } = this.client
      if (options.onSessionLoss === 'reject' && sessionId !== null) wait.bindSession(sessionId)
      if (wait.isPatient) turn = await Turn.take(this.client, this.path, wait.signal)
      bid = new Bid(this.client, this.path, options, wait)
      for (;;) {
        const lease = await bid.make()
        if (lease !== null) return lease
        if (!wait.isPatient) wait.timeOut()
        await bid.untilChanged()
      }
    } catch (error) {
      throw wait.explain(error)
    } finally {
      bid?.end()
      turn?.end()
      wait.close()
    }
  }

  /**
   * Acquires the lock if it is free.
   *
   * @param options - as for {@link ExclusiveLock.acquire}
   * @returns the lease, or null if it is taken
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, or what the
   * servers refused; in each case nothing is held
   * @throws TypeError or RangeError for a wrong option
   */
  async tryAcquire(options: TryContendOptions = {}): Promise<Lease | null> {
    checkTryContendOptions(options)
    const wait = new Wait(this.client, this.path, options)
    wait.observe('tryAcquire', LOCK)
    const bid = new Bid(this.client, this.path, options, wait)
    try {
      return wait.tried(await bid.make())
    } catch (error) {
      throw wait.explain(error)
    } finally {
      bid.end()
      wait.close()
    }
  }

  /**
   * Acquires the lock, runs the work under its lease, and releases it.
   *
   * @param args - the options of {@link ExclusiveLock.acquire}, which may be left out, and the work; it gets the lease
   * @returns the result of the work; its error is thrown after the release
   * @throws CoordinationError as {@link ExclusiveLock.acquire}, and `LEASE_LOST` if the lease was lost before the work
   * ended
   * @throws TypeError or RangeError for a wrong option, or a work that is no function
   */
  using<T>(...args: UsingArguments<ContendOptions, T>): Promise<T> {
    return runLeased(this.#place, (options) => this.acquire(options), args)
  }

  /**
   * Tells who holds the lock.
   *
   * @param options - the signal and the time limit of the reading
   * @returns null if nobody does
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, `SESSION_EXPIRED`
   */
  async holder(options: TimedWaitOptions = {}): Promise<HolderInfo | null> {
    return withinWait(this.client, { what: 'holder', path: this.path }, options, async (signal) => {
      const found = await unlessGone(this.client.get(this.path, { signal }))
      return found === null ? null : this.#infoOf(found)
    })
  }

  /**
   * Asks whoever holds the lock to give it up. It changes nothing by itself: a holder that acquired with
   * `revocable: true` hears of it by `lease.onRevoke`, and releases when it can. The `data` of its node is replaced by
   * the request.
   *
   * @param options.reason - for the holder
   * @param options.contender - the holder that is meant, as {@link ExclusiveLock.holder} tells of it, or a lease; by
   * default whoever holds
   * @param options.signal - ends the call
   * @param options.waitMs - longest time in milliseconds; no limit by default
   * @returns the holder that was asked; empty if there is none, or another than was meant. On a ZooKeeper server one
   * that is not revocable is not asked; elsewhere it is, and does not hear it
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`, `THROTTLED`,
   * or a refusal of the servers; to ask again does no harm
   * @throws TypeError or RangeError for a wrong option
   */
  async revoke(options: RevokeOptions = {}): Promise<HolderInfo[]> {
    refuseUnknown(options, REVOKE_OPTIONS, 'revoke')
    const { reason, contender, ...limits } = options
    checkReason(reason)
    const one = contender === undefined ? null : checkHolder(contender, this.path)
    return withinWait(this.client, { what: 'revoke', path: this.path }, limits, async (signal, wait) => {
      // Our server may be behind: who holds by now is to be asked.
      const found = await readSynced(this.client, this.path, signal)
      if (found === null || (one !== null && found.stat.czxid !== one.czxid)) return []
      const mark = unmarkData(found.data)?.mark
      return requestAll(this.client, [this.#infoOf(found)], reason ?? '', wait, () => mark)
    })
  }

  /**
   * Takes the lock from its holder without asking it, for operators: its node is deleted, and no other that came to the
   * same path. The holder's signal fires with the reason `node-deleted`. It may work on until it hears of it: guard
   * what it writes by `lease.token` or `lease.check()`.
   *
   * @param contender - as {@link ExclusiveLock.holder} tells of it, or a lease
   * @param options - the signal and the time limit of the call
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`, `THROTTLED`,
   * or a refusal of the servers; to evict it again does no harm
   * @throws TypeError or RangeError for what is no holder of this lock, or a wrong option
   */
  async evict(contender: ContenderRef, options: TimedWaitOptions = {}): Promise<void> {
    const node = checkHolder(contender, this.path)
    await withinWait(this.client, { what: 'evict', path: this.path }, options, (signal) => {
      return deleteNode(this.client, node, signal)
    })
  }

  #infoOf({ data, stat }: NodeData): HolderInfo {
    const { ctime: sinceMs, czxid: token, ephemeralOwner: sessionId } = stat
    return { path: this.path, sinceMs, token, sessionId, data: unmarkData(data)?.data ?? data }
  }

  get #place(): LockPlace {
    return { client: this.client, path: this.path, kind: LOCK }
  }
}

/** One caller's attempts to become the holder. */
class Bid {
  readonly #wait: Wait
  readonly #client: Client
  readonly #path: string
  readonly #data: Data
  readonly #isRevocable: boolean
  readonly #unlisten: () => void
  /** Of the latest attempt: armed on the node that was there, ours or the holder's. */
  #watch = new NodeWatch()
  #changed = deferred<undefined>()
  /** The data that were there at the latest look; read only where others may ask. */
  #seen: NodeData | null = null
  /** How often a create has failed for another reason than a holder. */
  #setbacks = 0

  constructor(client: Client, path: string, { data = '', revocable = false }: TryContendOptions, wait: Wait) {
    this.#wait = wait
    this.#client = client
    this.#path = path
    this.#data = data
    this.#isRevocable = revocable
    this.#unlisten = client.onState(({ status }) => {
      if (status === 'connected') this.#changed.resolve(undefined)
    })
  }

  /** Tries until it is known who has the lock. Null: another, and its node is watched. */
  async make(): Promise<Lease | null> {
    for (;;) {
      const outcome = await this.#attempt()
      if (outcome === 'taken') return null
      if (outcome !== 'again') return outcome
    }
  }

  /** Waits for an event on the holder's node, or for a reconnect, after which its watch may be gone. */
  async untilChanged(): Promise<void> {
    this.#watch.listen(() => this.#changed.resolve(undefined))
    await abortable(this.#changed.promise, this.#wait.signal)
  }

  end(): void {
    this.#unlisten()
    this.#client.unwatch(this.#path, this.#watch.fire)
  }

  /**
   * Creates, and in the same round trip looks (with a watch) at what is there then: our node, or that of the holder.
   */
  async #attempt(): Promise<Lease | 'taken' | 'again'> {
    this.#wait.check()
    this.#changed = deferred()
    const mark = newMark()
    // Without the wait's signal: the fate of the create must be known before it can be cleaned up.
    const options = { mode: 'ephemeral', owned: !this.#isRevocable } as const
    const creating = this.#client.create(this.#path, markData(mark, this.#data), options)
    const looking = this.#wait.insist(() => this.#look())
    looking.catch(() => undefined)
    let own: Stat | null | undefined
    try {
      own = await this.#madeBy(creating, mark)
      const there = await looking
      const lease = own === null ? null : await this.#leaseOf(own, there)
      if (own === null && there !== null) this.#wait.waitsFor({ path: this.#path, token: there.czxid })
      return lease ?? (own !== null || there === null ? 'again' : 'taken')
    } catch (error) {
      const isRefused = own === undefined && isCoordinationError(error) && error.outcome === 'rejected'
      if (own !== null && !isRefused) await this.#withdraw(creating, mark)
      throw error
    }
  }

  /** The node that a create made, or null if it made none that is ours now. */
  async #madeBy(creating: Promise<Created>, mark: string): Promise<Stat | null> {
    const { signal } = this.#wait
    try {
      return (await abortable(creating, signal)).stat
    } catch (error) {
      this.#wait.check()
      if (isCoordinationError(error, 'NODE_EXISTS')) return null
      this.#setbacks += 1
      if (isCoordinationError(error, 'NO_NODE')) {
        if (this.#setbacks >= CREATE_ATTEMPTS_MAX) throw error
        await this.#wait.insist(() => this.#client.makePath(parentOf(this.#path), { signal }))
        return null
      }
      if (!isCoordinationError(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED')) throw error
      if (!this.#wait.isPatient && (error.outcome === 'not-sent' || this.#setbacks >= CREATE_ATTEMPTS_MAX)) throw error
      const isLost = isOutcomeUnknown(error) && error.code === 'CONNECTION_LOSS'
      const own = isLost ? await this.#wait.insist(() => this.#findOwn(mark, signal)) : null
      // Whatever was made on a session that is over goes with it; the next attempt is on the next one.
      if (own === null && this.#wait.isPatient) await this.#wait.pause(this.#setbacks)
      return own
    }
  }

  /**
   * Makes a lease of our node as soon as the session can be shown to live. Null: the session is over, or somebody has
   * deleted the node.
   *
   * @param seen - the node that this attempt's look found. It is another's if the client repeated the two requests and
   * did so in the other order; then the watch is on that one's node, and its event must not count as ours
   */
  async #leaseOf(stat: Stat, seen: Stat | null): Promise<Lease | null> {
    const node = ownedNode(this.#path, stat)
    let there = seen?.czxid === node.czxid ? seen : await this.#wait.insist(() => this.#look())
    for (;;) {
      this.#wait.check()
      if (there?.czxid !== node.czxid || !(await proveLease(this.#client, node, this.#wait))) return null
      if (!this.#watch.hasNews) break
      there = await this.#wait.insist(() => this.#look())
    }
    const revocation = this.#isRevocable ? new Revocation(this.#client, this.#path) : null
    // A request that came before the watch was armed.
    if (this.#seen !== null) revocation?.see(this.#seen)
    const lease = new NodeLease(this.#client, node, this.#watch, { revocation })
    this.#watch = new NodeWatch()
    return lease
  }

  /** Looks at what is there, with a watch of its own. */
  async #look(): Promise<Stat | null> {
    this.#client.unwatch(this.#path, this.#watch.fire)
    this.#watch = new NodeWatch()
    const options = { watch: this.#watch.fire, signal: this.#wait.signal }
    if (!this.#isRevocable) return this.#client.exists(this.#path, options)
    this.#seen = await unlessGone(this.#client.get(this.#path, options))
    return this.#seen?.stat ?? null
  }

  /** Removes what an attempt that was given up has created or will yet create. */
  async #withdraw(creating: Promise<Created>, mark: string): Promise<void> {
    await Cleanups.of(this.#client).confirmOrHandOver(async (signal, giveUp) => {
      const created = await abortable(creating.catch(() => null), signal)
      const stat = created?.stat ?? (await this.#findOwn(mark, signal))
      if (stat !== null) await deletion(this.#client, ownedNode(this.#path, stat))(signal, giveUp)
    })
  }

  /** The node with this mark, if the session that is live now owns it: whoever copies data copies the mark. */
  async #findOwn(mark: string, signal: AbortSignal): Promise<Stat | null> {
    const found = await readSynced(this.#client, this.#path, signal)
    if (found === null || unmarkData(found.data)?.mark !== mark) return null
    return found.stat.ephemeralOwner === this.#client.sessionId ? found.stat : null
  }
}
