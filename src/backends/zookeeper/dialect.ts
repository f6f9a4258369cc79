/**
 * How a session speaks to ZooKeeper, where one server answers alone what ours answer with a majority behind them.
 *
 * Lease     proven in three steps (client/lease.ts).
 * Sync      a transaction that changes nothing (zookeeper/empty-transaction.ts).
 * Checks    of a creation take more than one request (zookeeper/creation-guard.ts, owned-nodes.ts).
 * Dates     of the creates of a multi are not told, and are read off a node.
 */
import type { Created, CreateOptions, Operation, OperationResult } from '../../core/backend.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { dated } from '../client/calls.ts'
import { ProvenLease } from '../client/lease.ts'
import { CreationGuard, checksCreation } from './creation-guard.ts'
import type { Dialect, PlainRequests } from '../client/dialect.ts'
import { NEVER_THERE, committed } from './empty-transaction.ts'
import type { Acl, AuthRequest } from '../wire/records.ts'
import { OwnedNodes, isOwnedCreate } from './owned-nodes.ts'
import type { OwnershipSupport } from './owned-nodes.ts'

/** A busy server answers so many in a small part of a session time-out. */
const IN_FLIGHT_MAX = 128

/** The dialect of ZooKeeper; see the head of this file. */
export class ZooKeeperDialect implements Dialect {
  readonly lease: ProvenLease
  readonly inFlightMax = IN_FLIGHT_MAX
  readonly #requests: PlainRequests
  readonly #owned: OwnedNodes
  readonly #guard: CreationGuard
  readonly #support: OwnershipSupport

  constructor(requests: PlainRequests, support: OwnershipSupport) {
    this.#requests = requests
    this.#support = support
    this.lease = new ProvenLease({
      sync: () => requests.sync('/', true),
      commit: () => committed(requests.delete(NEVER_THERE, -1, '/', true)),
    })
    this.#owned = new OwnedNodes(requests, support)
    this.#guard = new CreationGuard({
      exists: (path) => requests.exists(path),
      sync: (path) => this.sync(path),
      multi: (operations) => this.#dated(operations),
      plan: (operations) => this.#owned.plan(operations),
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

  create(path: string, data: Uint8Array, options: CreateOptions): Promise<Created> {
    const create = (): Promise<Created> => {
      return this.#requests.create(path, data, options, this.#owned.aclFor(options.owned === true))
    }
    return options.owned === true ? this.#owned.creating([path], create, (created) => [created]) : create()
  }

  multi(operations: readonly Operation[]): Promise<OperationResult[]> {
    const paths = operations.filter(isOwnedCreate).map(({ path }) => path)
    if (paths.length === 0) return this.#checked(operations)
    return this.#owned.creating(paths, () => this.#checked(operations), (results) => {
      return results.filter((result, i) => result.type === 'create' && isOwnedCreate(operations[i])) as Created[]
    })
  }

  sync(path: string): Promise<void> {
    return committed(this.#requests.delete(NEVER_THERE, -1, path))
  }

  async #checked(operations: readonly Operation[]): Promise<OperationResult[]> {
    if (!checksCreation(operations)) return this.#dated(operations)
    try {
      const results = await this.#guard.multi(operations)
      this.#owned.forget(operations, true)
      return results
    } catch (error) {
      const index = isCoordinationError(error, 'NO_NODE', 'BAD_VERSION') ? error.index : undefined
      if (index !== undefined) this.#owned.forget(operations.slice(index, index + 1), false)
      throw error
    }
  }

  #dated(operations: readonly Operation[]): Promise<OperationResult[]> {
    const aclOf = (operation: Operation): readonly Acl[] => this.#owned.aclFor(isOwnedCreate(operation))
    return dated(this.#requests.multi(operations, aclOf), (path) => this.#requests.exists(path))
  }
}
