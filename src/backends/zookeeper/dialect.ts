/**
 * How a session speaks to ZooKeeper, where one server answers alone requests that ours answer after asking a majority.
 *
 * Lease     proven in three steps (client/lease.ts).
 * Sync      a transaction that changes nothing (zookeeper/empty-transaction.ts).
 * Checks    of a creation take more than one request (zookeeper/creation-guard.ts, owned-nodes.ts).
 * Dates     of the creates of a multi are not told, and are read off a node.
 * Ours      a server of ours, reached in this way, is recognised on each connection; for as long as that lasts all of
 *           this is left to OwnDialect (decision 0014). A node that it creates is known to be ours to nobody but it,
 *           so from then on this session owns no node on ZooKeeper.
 */
import type { Created, CreateOptions, Operation, OperationResult } from '../../core/backend.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { dated } from '../client/calls.ts'
import { RecognisingLease } from '../client/lease.ts'
import { CreationGuard, checksCreation } from './creation-guard.ts'
import { OwnDialect } from '../client/dialect.ts'
import type { Dialect, PlainRequests } from '../client/dialect.ts'
import { NEVER_THERE, committed } from './empty-transaction.ts'
import type { AuthRequest } from '../wire/records.ts'
import { OwnedNodes, isOwnedCreate } from './owned-nodes.ts'
import type { OwnershipSupport } from './owned-nodes.ts'

/** A busy server answers this many in a small part of a session time-out. */
const IN_FLIGHT_MAX = 128

/** The dialect of ZooKeeper. */
export class ZooKeeperDialect implements Dialect {
  readonly lease: RecognisingLease
  readonly inFlightMax = IN_FLIGHT_MAX
  readonly #requests: PlainRequests
  readonly #owned: OwnedNodes
  readonly #guard: CreationGuard
  readonly #support: OwnershipSupport
  readonly #own: OwnDialect
  #isOurs = false

  /** @param bound - of MakeDialect */
  constructor(requests: PlainRequests, bound: PlainRequests, support: OwnershipSupport) {
    this.#own = new OwnDialect(bound, true)
    this.#requests = requests
    this.#support = support
    this.lease = new RecognisingLease({
      sync: () => requests.sync('/', true),
      commit: () => committed(requests.delete(NEVER_THERE, -1, '/', true)),
    })
    this.#owned = new OwnedNodes(requests, support)
    this.#guard = new CreationGuard({
      exists: (path) => requests.exists(path),
      sync: (path) => this.sync(path),
      multi: (operations, isBound) => this.#plain(operations, isBound ? bound : requests),
      plan: (operations) => this.#owned.plan(operations),
      known: (plan, isCrowded) => this.#owned.known(plan, isCrowded),
      counted: (parent, count) => this.#owned.counted(parent, count),
      distrust: () => this.#owned.distrust(),
    })
  }

  get auth(): readonly AuthRequest[] {
    return this.#owned.auth
  }

  refused(): void {
    this.#support.isRefused = true
    this.#owned.distrust()
  }

  recognise(isOurs: boolean): void {
    this.#isOurs = isOurs
    if (isOurs) this.lease.recognised()
  }

  create(path: string, data: Uint8Array, options: CreateOptions): Promise<Created> {
    if (this.#isOurs) {
      if (options.owned === true) this.#owned.distrust()
      return this.#own.create(path, data, options)
    }
    const create = (): Promise<Created> => {
      return this.#requests.create(path, data, options, this.#owned.aclFor(options.owned === true))
    }
    return options.owned === true ? this.#owned.creating([path], create, (created) => [created]) : create()
  }

  multi(operations: readonly Operation[]): Promise<OperationResult[]> {
    if (this.#isOurs) {
      if (operations.some(isOwnedCreate)) this.#owned.distrust()
      return this.#own.multi(operations)
    }
    const paths = operations.filter(isOwnedCreate).map(({ path }) => path)
    if (paths.length === 0) return this.#checked(operations)
    return this.#owned.creating(paths, () => this.#checked(operations), (results) => {
      return results.filter((result, i) => result.type === 'create' && isOwnedCreate(operations[i])) as Created[]
    })
  }

  sync(path: string): Promise<void> {
    return this.#isOurs ? this.#own.sync(path) : committed(this.#requests.delete(NEVER_THERE, -1, path))
  }

  async #checked(operations: readonly Operation[]): Promise<OperationResult[]> {
    if (!checksCreation(operations)) return this.#withDates(this.#plain(operations, this.#requests))
    try {
      // The nodes that only guard it are nobody's: their dates are not asked for.
      const results = await this.#withDates(this.#guard.multi(operations))
      this.#owned.forget(operations, true)
      return results
    } catch (error) {
      const index = isCoordinationError(error, 'NO_NODE', 'BAD_VERSION') ? error.index : undefined
      if (index !== undefined) this.#owned.forget(operations.slice(index, index + 1), false)
      throw error
    }
  }

  #plain(operations: readonly Operation[], requests: PlainRequests): Promise<OperationResult[]> {
    return requests.multi(operations, (operation) => this.#owned.aclFor(isOwnedCreate(operation)))
  }

  #withDates(results: Promise<OperationResult[]>): Promise<OperationResult[]> {
    return dated(results, (path) => this.#requests.exists(path))
  }
}
