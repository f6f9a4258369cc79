/**
 * A multi that is put together part by part, whose results have types.
 *
 * Use       const [made, written] = await client.transaction().create('/a', 'x').set('/b', 'y', 3).commit()
 * Parts     are checked as they are added, so that a wrong one throws where it stands. Each call gives the builder to
 *           go on with; the one before it is spent, so that no two transactions grow out of one by mistake.
 */
import type { CreateMode, Operation, OperationResult } from './backend.ts'
import type { Data, WaitOptions } from './call-options.ts'
import { optionNames, refuseUnknown } from './options.ts'

/** Options of {@link Transaction.create}. */
export interface TransactionCreateOptions {
  /** The kind of node; `persistent` by default. */
  readonly mode?: CreateMode
  /** With mode `persistent-with-ttl` only: milliseconds to live. */
  readonly ttlMs?: number
  /** As for `client.create`. */
  readonly owned?: boolean
}

/** Options of {@link Transaction.check}. */
export interface TransactionCheckOptions {
  /** The creation that the node must be of: two nodes at one path, one after the other, may have equal versions. */
  readonly czxid?: bigint
}

/** The result of a part, by its type. */
type ResultOf<K extends Operation['type']> = Extract<OperationResult, { readonly type: K }>

/** The calls that a transaction makes to its client. */
export interface TransactionPort {
  /** Checks a part, and gives it with data of its own. */
  readonly check: (operation: Operation) => Operation
  readonly multi: (operations: readonly Operation[], options: WaitOptions) => Promise<readonly OperationResult[]>
}

/** An operation whose fields are not checked yet. */
type Unchecked = WithAnyData<Operation>
type WithAnyData<O> = O extends { readonly data: Uint8Array } ? Omit<O, 'data'> & { readonly data: Data } : O

const CREATE_OPTIONS = optionNames<TransactionCreateOptions>({ mode: true, ttlMs: true, owned: true })
const CHECK_OPTIONS = optionNames<TransactionCheckOptions>({ czxid: true })

/** Parts that take effect together or not at all; made by `client.transaction()`. */
export class Transaction<Results extends readonly OperationResult[] = []> {
  readonly #port: TransactionPort
  readonly #operations: readonly Operation[]
  #isSpent = false

  /** Made by `client.transaction()`, and by adding a part to another. */
  constructor(port: TransactionPort, operations: readonly Operation[] = []) {
    this.#port = port
    this.#operations = operations
  }

  /**
   * Adds the creation of a node.
   *
   * @param path - where; for the sequential modes a prefix, which may end in `/`
   * @param data - its first data; empty by default
   * @param options - the kind of node, and its time to live
   * @throws TypeError or RangeError for a wrong argument, or if this builder is spent
   * @throws CoordinationError `PAYLOAD_TOO_LARGE`, `UNSUPPORTED`
   */
  create(
    path: string,
    data: Data = '',
    options: TransactionCreateOptions = {},
  ): Transaction<[...Results, ResultOf<'create'>]> {
    refuseUnknown(options, CREATE_OPTIONS, 'create')
    return this.#with({ type: 'create', path, data, mode: 'persistent', ...options })
  }

  /**
   * Adds a write of a node's data.
   *
   * @param version - the version that the node must have; -1, the default, stands for any
   * @throws TypeError or RangeError for a wrong argument, or if this builder is spent
   * @throws CoordinationError `PAYLOAD_TOO_LARGE`
   */
  set(path: string, data: Data, version = -1): Transaction<[...Results, ResultOf<'set'>]> {
    return this.#with({ type: 'set', path, data, version })
  }

  /**
   * Adds the deletion of a node that has no children.
   *
   * @param version - the version that the node must have; -1, the default, stands for any
   * @throws TypeError or RangeError for a wrong argument, or if this builder is spent
   */
  delete(path: string, version = -1): Transaction<[...Results, ResultOf<'delete'>]> {
    return this.#with({ type: 'delete', path, version })
  }

  /**
   * Adds a condition: the node is there, and has this version.
   *
   * @param version - the version that the node must have; -1, the default, stands for any
   * @param options - the creation that it must be of
   * @throws TypeError or RangeError for a wrong argument, or if this builder is spent
   */
  check(
    path: string,
    version = -1,
    options: TransactionCheckOptions = {},
  ): Transaction<[...Results, ResultOf<'check'>]> {
    refuseUnknown(options, CHECK_OPTIONS, 'check')
    return this.#with({ type: 'check', path, version, ...options })
  }

  /**
   * Does all parts at one zxid, or none. Waits for a session as `client.multi` does; not repeated when its outcome is
   * unknown.
   *
   * @param options - the signal that ends the wait
   * @returns one result per part, in their order
   * @throws CoordinationError that of the first part that was refused, with its `index` and `path`; otherwise as
   * `client.multi`
   * @throws TypeError if there is no part, or this builder is spent
   */
  async commit(options: WaitOptions = {}): Promise<Results> {
    if (this.#operations.length === 0) throw new TypeError('a transaction without parts has nothing to commit')
    this.#spend()
    return (await this.#port.multi(this.#operations, options)) as Results
  }

  #with<Next extends readonly OperationResult[]>(operation: Unchecked): Transaction<Next> {
    this.#refuseSpent()
    const checked = this.#checked(operation as Operation)
    this.#spend()
    return new Transaction<Next>(this.#port, [...this.#operations, checked])
  }

  #checked(operation: Operation): Operation {
    try {
      return this.#port.check(operation)
    } catch (error) {
      if (error instanceof Error) {
        error.message = `part ${this.#operations.length} of the transaction, ${operation.type}: ${error.message}`
      }
      throw error
    }
  }

  #spend(): void {
    this.#refuseSpent()
    this.#isSpent = true
  }

  #refuseSpent(): void {
    if (!this.#isSpent) return
    throw new TypeError('this builder of a transaction is spent: go on with what its last call has returned')
  }
}
