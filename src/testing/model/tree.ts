/**
 * The model's tree: the effects of writes by the contract, with nothing around them.
 *
 * Model     nodes are values that are replaced and never modified, in a map by path. A write is a list of operations
 *           on a draft over that map: the draft becomes the map if all of them succeed, and is forgotten if one is
 *           refused.
 * Order     every write that succeeds takes the next zxid; so does the end of a session.
 * Source    core/backend.ts; ZooKeeper's PrepRequestProcessor and DataTree for the order of the checks.
 */
import type { CreateMode, Operation, OperationResult, Stat, WatchEvent } from '../../core/backend.ts'
import { parentOf } from '../../core/path.ts'
import { refusal } from '../../core/refusal.ts'

/** The result of a write: an answer per operation, and its changes, in the order in which watches see them. */
interface Written {
  readonly results: readonly OperationResult[]
  readonly changes: readonly WatchEvent[]
}

interface Node extends Omit<Stat, 'dataLength'> {
  readonly data: Uint8Array
  readonly mode: CreateMode
  readonly ttlMs: number | null
  /** How many children were ever created: the next sequence number. */
  readonly childCreates: number
}

const ANY_VERSION = -1

/** Nodes by path and the last zxid. All of it is synchronous. */
export class ModelTree {
  readonly #nodes = new Map<string, Node>()
  #zxid = 0n

  /** Makes a tree that has only its root. */
  constructor() {
    this.#nodes.set('/', newNode(new Uint8Array(), 'persistent', { zxid: 0n, timeMs: 0, owner: 0n }))
  }

  /** Reads a node's data and stat, or null. */
  read(path: string): { readonly data: Uint8Array; readonly stat: Stat } | null {
    const node = this.#nodes.get(path)
    return node === undefined ? null : { data: node.data, stat: statOf(node) }
  }

  /** Reads the names of the children of a node, sorted by code unit; empty if the node does not exist. */
  names(path: string): string[] {
    const names: string[] = []
    for (const other of this.#nodes.keys()) {
      if (other !== '/' && parentOf(other) === path) names.push(other.slice(other.lastIndexOf('/') + 1))
    }
    return names.sort()
  }

  /** Paths of all nodes, sorted, with their owners. */
  dump(): { readonly path: string; readonly ephemeralOwner: bigint }[] {
    return [...this.#nodes.keys()].sort().map((path) => {
      return { path, ephemeralOwner: this.#nodes.get(path)?.ephemeralOwner ?? 0n }
    })
  }

  /**
   * Does all operations at one zxid, or none.
   *
   * @param isMulti - whether an error names its operation
   * @throws the error of the first operation that is refused
   */
  write(operations: readonly Operation[], sessionId: bigint, isMulti: boolean): Written {
    const draft = new TreeDraft(this.#nodes, { zxid: this.#zxid + 1n, timeMs: Date.now(), owner: sessionId })
    const results = operations.map((operation, index) => draft.apply(operation, isMulti ? index : undefined))
    return { results, changes: this.#commit(draft) }
  }

  /** Removes every ephemeral node of a session at one zxid. */
  endSession(sessionId: bigint): readonly WatchEvent[] {
    const owned = this.dump().filter((node) => node.ephemeralOwner === sessionId)
    return this.#remove(owned.map((node) => node.path))
  }

  /** Removes what the servers remove by themselves: containers that became empty, nodes whose time to live is over. */
  reap(): readonly WatchEvent[] {
    const due = [...this.#nodes.keys()].sort().filter((path) => {
      const node = this.#nodes.get(path)
      if (node === undefined || node.numChildren > 0) return false
      if (node.mode === 'container') return node.childCreates > 0
      return node.ttlMs !== null && Date.now() - node.mtime > node.ttlMs
    })
    return this.#remove(due)
  }

  /** Sets the number that the next sequential child of a node gets, so that tests can reach the wrap of the counter. */
  setSequence(path: string, next: number): void {
    const node = this.#nodes.get(path)
    if (node === undefined) throw refusal('NO_NODE', path)
    this.#nodes.set(path, { ...node, childCreates: next | 0 })
  }

  #remove(paths: readonly string[]): readonly WatchEvent[] {
    const draft = new TreeDraft(this.#nodes, { zxid: this.#zxid + 1n, timeMs: Date.now(), owner: 0n })
    for (const path of paths) draft.apply({ type: 'delete', path, version: ANY_VERSION })
    return this.#commit(draft)
  }

  #commit(draft: TreeDraft): readonly WatchEvent[] {
    this.#zxid = draft.origin.zxid
    for (const [path, node] of draft.replaced) {
      if (node === null) this.#nodes.delete(path)
      else this.#nodes.set(path, node)
    }
    return draft.changes
  }
}

/** Where a write comes from: its place in the order, its time and its session. */
interface Origin {
  readonly zxid: bigint
  readonly timeMs: number
  readonly owner: bigint
}

/** Operations that took effect over a map of nodes that does not know of them yet. */
class TreeDraft {
  /** New values by path; null is a removal. */
  readonly replaced = new Map<string, Node | null>()
  readonly changes: WatchEvent[] = []
  readonly origin: Origin
  readonly #base: ReadonlyMap<string, Node>

  constructor(base: ReadonlyMap<string, Node>, origin: Origin) {
    this.#base = base
    this.origin = origin
  }

  apply(operation: Operation, index?: number): OperationResult {
    switch (operation.type) {
      case 'create':
        return this.#create(operation, index)
      case 'set': {
        const node = this.#existing(operation.path, operation.version, index)
        const { zxid, timeMs } = this.origin
        const version = nextVersion(node.version)
        const changed = { ...node, data: operation.data.slice(), version, mzxid: zxid, mtime: timeMs }
        this.replaced.set(operation.path, changed)
        this.changes.push({ type: 'changed', path: operation.path })
        return { type: 'set', stat: statOf(changed) }
      }
      case 'delete':
        this.#delete(operation.path, operation.version, index)
        return { type: 'delete' }
      case 'check': {
        const { path, version, czxid } = operation
        const node = this.#existing(path, version, index)
        if (czxid !== undefined && node.czxid !== czxid) throw refusal('BAD_VERSION', path, { index })
        return { type: 'check' }
      }
    }
  }

  #create({ path: asked, data, mode, ttlMs }: Extract<Operation, { type: 'create' }>, index?: number): OperationResult {
    const parentPath = parentOf(asked)
    const parent = this.#node(parentPath)
    if (parent === undefined) throw refusal('NO_NODE', asked, { index, isCreate: true })
    const path = mode.endsWith('-sequential') ? asked + sequenceSuffix(parent.childCreates) : asked
    if (this.#node(path) !== undefined) throw refusal('NODE_EXISTS', path, { index, isCreate: true })
    if (parent.ephemeralOwner !== 0n) throw refusal('NO_CHILDREN_FOR_EPHEMERALS', path, { index, isCreate: true })
    const owner = mode.startsWith('ephemeral') ? this.origin.owner : 0n
    const node = newNode(data.slice(), mode, { ...this.origin, owner }, ttlMs)
    this.replaced.set(path, node)
    const childCreates = (parent.childCreates + 1) | 0
    this.#replaceParent(parentPath, { childCreates, numChildren: parent.numChildren + 1 })
    this.changes.push({ type: 'created', path }, { type: 'children', path: parentPath })
    return { type: 'create', path, stat: statOf(node) }
  }

  #delete(path: string, version: number, index?: number): void {
    if (path === '/') throw refusal('BAD_ARGUMENTS', path, { index })
    const node = this.#existing(path, version, index)
    if (node.numChildren > 0) throw refusal('NOT_EMPTY', path, { index })
    this.replaced.set(path, null)
    const parentPath = parentOf(path)
    this.#replaceParent(parentPath, { numChildren: (this.#node(parentPath)?.numChildren ?? 1) - 1 })
    this.changes.push({ type: 'deleted', path }, { type: 'children', path: parentPath })
  }

  #replaceParent(path: string, change: Partial<Node>): void {
    const parent = this.#node(path)
    if (parent === undefined) throw refusal('NO_NODE', path)
    this.replaced.set(path, { ...parent, ...change, cversion: parent.cversion + 1, pzxid: this.origin.zxid })
  }

  #existing(path: string, version: number, index?: number): Node {
    const node = this.#node(path)
    if (node === undefined) throw refusal('NO_NODE', path, { index })
    if (version !== ANY_VERSION && version !== node.version) throw refusal('BAD_VERSION', path, { index })
    return node
  }

  #node(path: string): Node | undefined {
    const replaced = this.replaced.get(path)
    return replaced === undefined ? this.#base.get(path) : (replaced ?? undefined)
  }
}

function newNode(data: Uint8Array, mode: CreateMode, { zxid, timeMs, owner }: Origin, ttlMs?: number): Node {
  const zxids = { czxid: zxid, mzxid: zxid, pzxid: zxid }
  const times = { ctime: timeMs, mtime: timeMs, ttlMs: ttlMs ?? null }
  const counts = { version: 0, cversion: 0, aversion: 0, numChildren: 0, childCreates: 0 }
  return { data, mode, ephemeralOwner: owner, ...zxids, ...times, ...counts }
}

function statOf(node: Node): Stat {
  const { czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, ephemeralOwner, numChildren } = node
  const counts = { version, cversion, aversion, numChildren, dataLength: node.data.length }
  return Object.freeze({ czxid, mzxid, pzxid, ctime, mtime, ephemeralOwner, ...counts })
}

/** ZooKeeper's `%010d` of an int32: the sign counts as one of the ten places. */
function sequenceSuffix(count: number): string {
  return count < 0 ? `-${String(-count).padStart(9, '0')}` : String(count).padStart(10, '0')
}

/** int32 that skips -1, since -1 stands for any version. */
function nextVersion(version: number): number {
  const next = (version + 1) | 0
  return next === ANY_VERSION ? 0 : next
}
