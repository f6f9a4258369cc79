/**
 * The tree as one transaction sees it: the nodes that it read, with its own writes on top.
 */
import type { Children, NodeData } from '../../core/backend.ts'
import type { Client, Data } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { nameOf, parentOf, validatePath } from '../../core/path.ts'
import { refusal } from '../../core/refusal.ts'
import { textOf } from '../../core/value-text.ts'

/** A node that was read. */
export interface NodeRead {
  /** Null: there is none. */
  readonly found: NodeData | null
  /** For a missing node: the highest missing one on the way to it, and whether an ephemeral is above that. */
  readonly missing: { readonly path: string; readonly parent: NodeData | null } | null
  /** Whether its data were looked at, and not only whether it exists. */
  isDataUsed: boolean
}

/** All that a transaction has read and is about to write. */
export interface TransactionReads {
  readonly nodes: ReadonlyMap<string, NodeRead>
  readonly lists: ReadonlyMap<string, Children>
  /** The data that each node is to have; null deletes it. */
  readonly writes: ReadonlyMap<string, Uint8Array | null>
}

/** Reads and writes of one transaction. */
export class TransactionView {
  readonly #client: Client
  readonly #signal: AbortSignal
  readonly #reading = new Map<string, Promise<NodeRead>>()
  readonly #listing = new Map<string, Promise<Children>>()
  readonly #nodes = new Map<string, NodeRead>()
  readonly #lists = new Map<string, Children>()
  readonly #writes = new Map<string, Uint8Array | null>()
  #isOver = false

  /** @internal */
  constructor(client: Client, signal: AbortSignal) {
    this.#client = client
    this.#signal = signal
  }

  /**
   * Reads a node's data.
   *
   * @returns the data, as this transaction has left them; null if there is no such node. Do not modify.
   * @throws TypeError for a wrong path, or after the transaction
   */
  async get(path: string): Promise<Uint8Array | null> {
    this.#use(path)
    const before = this.#writes.get(path)
    if (before !== undefined) return before
    const read = await this.#read(path)
    const meanwhile = this.#writes.get(path)
    if (meanwhile !== undefined) return meanwhile
    read.isDataUsed = true
    return read.found?.data ?? null
  }

  /**
   * Tells whether there is a node. Changes of its data do not matter to this read.
   *
   * @throws TypeError for a wrong path, or after the transaction
   */
  async exists(path: string): Promise<boolean> {
    this.#use(path)
    const written = this.#writes.get(path)
    return written === undefined ? (await this.#read(path)).found !== null : written !== null
  }

  /**
   * Reads the names of a node's children, sorted. No child may come or go until the commit.
   *
   * @throws CoordinationError `NO_NODE`
   * @throws TypeError for a wrong path, or after the transaction
   */
  async children(path: string): Promise<readonly string[]> {
    if (!(await this.exists(path))) throw refusal('NO_NODE', path)
    const isNew = (await this.#read(path)).found === null
    const names = new Set(isNew ? [] : (await this.#list(path)).names)
    for (const [written, data] of this.#writes) {
      if (written === '/' || parentOf(written) !== path) continue
      if (data === null) names.delete(nameOf(written))
      else names.add(nameOf(written))
    }
    return [...names].sort()
  }

  /**
   * Sets a node's data at the commit, or makes the node, which is persistent.
   *
   * @throws CoordinationError `NO_NODE`: the parent is missing
   * @throws TypeError for a wrong argument, or after the transaction
   */
  async put(path: string, data: Data): Promise<void> {
    const bytes = bytesOf(data)
    if (!(await this.exists(path)) && !(await this.exists(parentOf(path)))) {
      throw refusal('NO_NODE', path, { isCreate: true })
    }
    this.#use(path)
    this.#writes.set(path, bytes)
  }

  /**
   * Deletes a node at the commit.
   *
   * @returns whether there is one
   * @throws CoordinationError `NOT_EMPTY`: it has children
   * @throws TypeError for a wrong path, or after the transaction
   */
  async delete(path: string): Promise<boolean> {
    if (path === '/') throw new TypeError('the root cannot be deleted')
    if (!(await this.exists(path))) return false
    if ((await this.children(path)).length > 0) throw refusal('NOT_EMPTY', path)
    this.#use(path)
    this.#writes.set(path, null)
    return true
  }

  /** @internal Ends it, and gives what it has read and is about to write. */
  end(): TransactionReads {
    this.#isOver = true
    return { nodes: this.#nodes, lists: this.#lists, writes: this.#writes }
  }

  #use(path: string): void {
    if (this.#isOver) throw new TypeError('the transaction is over: await every call of it in its function')
    validatePath(path)
  }

  #read(path: string): Promise<NodeRead> {
    return once(this.#reading, path, async () => {
      const found = await this.#find(path)
      const missing = found === null ? await this.#missingAbove(path) : null
      const read: NodeRead = { found, missing, isDataUsed: false }
      this.#nodes.set(path, read)
      return read
    })
  }

  #list(path: string): Promise<Children> {
    return once(this.#listing, path, async () => {
      const list = await this.#client.children(path, { signal: this.#signal })
      this.#lists.set(path, list)
      return list
    })
  }

  async #find(path: string): Promise<NodeData | null> {
    try {
      return await this.#client.get(path, { signal: this.#signal })
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return null
      throw error
    }
  }

  async #missingAbove(path: string): Promise<{ readonly path: string; readonly parent: NodeData | null }> {
    let missing = path
    for (;;) {
      const parent = await this.#find(parentOf(missing))
      if (parent !== null || parentOf(missing) === '/') return { path: missing, parent }
      missing = parentOf(missing)
    }
  }
}

/** A failed read is made again by the next call. */
function once<T>(known: Map<string, Promise<T>>, path: string, read: () => Promise<T>): Promise<T> {
  const before = known.get(path)
  if (before !== undefined) return before
  const reading = read()
  known.set(path, reading)
  reading.catch(() => known.delete(path))
  return reading
}

function bytesOf(data: unknown): Uint8Array {
  if (typeof data === 'string') return new TextEncoder().encode(data)
  if (data instanceof Uint8Array) return data.slice()
  throw new TypeError(`data must be a string or a Uint8Array, got ${textOf(data)}`)
}
