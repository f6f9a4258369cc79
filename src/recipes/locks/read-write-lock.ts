/**
 * Read-write lock: any number of readers, or one writer, in the order in which they asked.
 *
 * Model     one queue of ephemeral sequential nodes under `path`. A writer is admitted when nobody is before it, a
 *           reader when no writer is. Who comes after a waiting writer waits, so neither kind starves the other.
 * Safety    a writer is alone; a paused holder may overlap its successors, so guard with `lease.token`: what is guarded
 *           keeps the greatest token of a writer, and refuses a smaller one of either kind.
 * Liveness  the end of a writer wakes the readers up to the next writer, or that writer; the end of the reader before
 *           a writer wakes that one. A reader watches the last writer before it, and no later one (kazoo#649).
 * Downgrade a writer may take a reader's lease, with nobody in between. There is no upgrade: two readers who wait to
 *           write would wait for each other.
 * Cost      uncontended: 1 round trip; waiting: 1 watch; hand-over: 1 event + 1 list.
 * Source    ZooKeeper recipes, "Shared Locks"; Curator InterProcessReadWriteLock, whose names of nodes these are.
 */
import type { Client } from '../../core/client.ts'
import { validateClient } from '../../core/validate-client.ts'
import { compareSequence } from '../../core/path.ts'
import type { ContendOptions, TryContendOptions } from '../engine/acquire-options.ts'
import type { Admission, AdmissionRule, Contender } from '../engine/contender.ts'
import type { ContenderInfo } from '../engine/contenders.ts'
import { Contenders } from '../engine/contenders.ts'
import type { Lease } from '../engine/lease.ts'
import { runLeased } from '../engine/leased-work.ts'
import type { UsingArguments } from '../engine/leased-work.ts'
import type { ContenderRef, RevokeOptions } from '../engine/revocation.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import { readWriteNames } from './contender-names.ts'
import type { ReadWriteKind } from './contender-names.ts'
import { Downgrade } from './downgrade.ts'

const RULE: AdmissionRule = { admit: admitReadWrite, hasLine: false }

/** A lock that many may read under, or one may write under. */
export class ReadWriteLock {
  /** The side of those who read: it is held by any number at a time. */
  readonly reader: ReadWriteSide
  /** The side of those who write: it is held by one, while nobody reads. */
  readonly writer: ReadWriteSide
  readonly #client: Client

  /**
   * Makes a lock's client side; nothing is sent.
   *
   * @param client - on whose session contenders live
   * @param path - the lock; its node is made when it is needed, and removed by the servers when nobody needs it
   * @throws TypeError if the path is none
   */
  constructor(client: Client, path: string) {
    validateClient(client, 'ReadWriteLock')
    this.#client = client
    this.reader = new ReadWriteSide(client, path, 'read')
    this.writer = new ReadWriteSide(client, path, 'write')
  }

  /** The lock's path. */
  get path(): string {
    return this.writer.path
  }

  /**
   * Takes a reader's lease in place of a writer's, and releases that. No other writer gets in between; readers that
   * wait get in. The token stays that of the writer.
   *
   * @param lease - of this lock's writer; it is being released when this resolves, and still held when it rejects
   * @param options.signal - ends the wait
   * @param options.waitMs - longest wait in milliseconds; no limit by default
   * @param options.data - the data of the reader's node
   * @param options.revocable - whether others may ask for the reader's lease
   * @returns the reader's lease
   * @throws CoordinationError `LEASE_LOST` if the writer's lease is lost or released; `ABORTED`, `TIMEOUT`,
   * `SESSION_EXPIRED`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, or a refusal of the servers
   * @throws TypeError if the lease is another's, or for a wrong option
   */
  async downgrade(lease: Lease, options: TryContendOptions = {}): Promise<Lease> {
    return new Downgrade(this.#client, this.path, lease, options).run()
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
    return this.writer.revokeAll(options)
  }

  /**
   * Takes a contender out of the queue without asking it; see {@link FairLock.evict}.
   *
   * @param contender - as {@link ReadWriteLock.contenders} lists it, or a lease
   * @param options - the signal and the time limit of the call
   * @throws CoordinationError as {@link FairLock.evict}
   * @throws TypeError or RangeError for a contender of another lock, or none, or a wrong option
   */
  evict(contender: ContenderRef, options: TimedWaitOptions = {}): Promise<void> {
    return this.writer.evict(contender, options)
  }

  /**
   * Lists all who hold or wait, readers and writers, in the order in which they are served.
   *
   * @param options - the signal and the time limit of the reading
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  contenders(options: TimedWaitOptions = {}): Promise<ContenderInfo[]> {
    return this.writer.queue(options)
  }
}

/** One side of a {@link ReadWriteLock}. */
export class ReadWriteSide {
  /** The kind of lease that this side gives. */
  readonly kind: ReadWriteKind
  /** The client that it was made for. */
  readonly client: Client
  readonly #contenders: Contenders

  /** Made by {@link ReadWriteLock}. */
  constructor(client: Client, path: string, kind: ReadWriteKind) {
    this.kind = kind
    this.client = client
    this.#contenders = new Contenders(client, path, readWriteNames(kind), RULE)
  }

  /** The lock's path. */
  get path(): string {
    return this.#contenders.path
  }

  /**
   * Acquires this side of the lock: a writer after every earlier contender, a reader after every earlier writer.
   *
   * @param options - as for `FairLock`
   * @returns the lease; `lease.token` grows strictly from writer to writer, and from a writer to the readers after it
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `SESSION_EXPIRED` (not with `queue-again`), `CLIENT_CLOSED`,
   * `ALREADY_HELD` within a `using` of either side, or a refusal of the servers; in each case this contender no longer
   * waits. While no server is in touch it waits for one
   * @throws TypeError or RangeError for a wrong option
   */
  acquire(options: ContendOptions = {}): Promise<Lease> {
    return this.#contenders.acquire(options)
  }

  /**
   * Acquires this side if it would not have to wait. On a lock that is taken it creates no node.
   *
   * @param options - as for {@link ReadWriteSide.acquire}
   * @returns the lease, or null if it would have to wait
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `SESSION_EXPIRED`, `CLIENT_CLOSED`, `CONNECTION_LOSS`, or what the
   * servers refused; in each case this contender no longer waits
   * @throws TypeError or RangeError for a wrong option
   */
  tryAcquire(options: TryContendOptions = {}): Promise<Lease | null> {
    return this.#contenders.tryAcquire(options)
  }

  /**
   * Acquires this side, runs the work under its lease, and releases it.
   *
   * @param args - the options of {@link ReadWriteSide.acquire}, which may be left out, and the work; it gets the lease
   * @returns the result of the work; its error is thrown after the release
   * @throws CoordinationError as `acquire`, and `LEASE_LOST` if the lease was lost before the work ended
   * @throws TypeError or RangeError for a wrong option, or a work that is no function
   */
  using<T>(...args: UsingArguments<ContendOptions, T>): Promise<T> {
    const place = { client: this.client, path: this.path, kind: this.kind }
    return runLeased(place, (options) => this.acquire(options), args)
  }

  /**
   * Asks those who hold this side to give it up, or one contender; see {@link FairLock.revoke}.
   *
   * @param options - as for {@link FairLock.revoke}
   * @returns those that were asked
   * @throws CoordinationError as {@link FairLock.revoke}
   * @throws TypeError or RangeError for a wrong option
   */
  revoke(options: RevokeOptions = {}): Promise<ContenderInfo[]> {
    return this.#contenders.revoke(options, (holders) => holders.filter(({ kind }) => kind === this.kind))
  }

  /**
   * Takes a contender out of the queue without asking it; see {@link FairLock.evict}.
   *
   * @param contender - as {@link ReadWriteSide.contenders} lists it, or a lease
   * @param options - the signal and the time limit of the call
   * @throws CoordinationError as {@link FairLock.evict}
   * @throws TypeError or RangeError for a contender of another lock, or none, or a wrong option
   */
  evict(contender: ContenderRef, options: TimedWaitOptions = {}): Promise<void> {
    return this.#contenders.evict(contender, options)
  }

  /** Asks those of both sides; see {@link ReadWriteLock.revoke}. */
  revokeAll(options: RevokeOptions): Promise<ContenderInfo[]> {
    return this.#contenders.revoke(options, (holders) => holders)
  }

  /**
   * Lists those of this side, in the order in which they are served; positions count both sides.
   *
   * @param options - the signal and the time limit of the reading
   * @throws CoordinationError `ABORTED`, `TIMEOUT`, `CONNECTION_LOSS`, `SESSION_EXPIRED`, `CLIENT_CLOSED`
   */
  async contenders(options: TimedWaitOptions = {}): Promise<ContenderInfo[]> {
    return (await this.queue(options)).filter(({ kind }) => kind === this.kind)
  }

  /** Lists those of both sides; see {@link ReadWriteLock.contenders}. */
  queue(options: TimedWaitOptions): Promise<ContenderInfo[]> {
    return this.#contenders.list(options)
  }
}

/** Admits a writer when nobody is before it, and a reader when no writer is. */
export function admitReadWrite(queue: readonly Contender[], own: number): Admission {
  const contender = queue[own]
  const blocker = contender?.kind === 'read' ? lastWriterBefore(queue, own, contender) : queue[own - 1]
  return blocker === undefined ? { granted: true } : { granted: false, watch: blocker.name }
}

/** The last writer with a smaller number; one with the same number is the reader's own, which is being downgraded. */
function lastWriterBefore(queue: readonly Contender[], own: number, { sequence }: Contender): Contender | undefined {
  return queue.findLast((other, index) => {
    return index < own && other.kind !== 'read' && compareSequence(other.sequence, sequence) < 0
  })
}
