/**
 * A write as a transaction: operations change the known nodes in a draft, and etcd compares so that they are
 * done to exactly those nodes or not at all.
 *
 * Compared  a node that is changed: that it is the one that was read, unchanged. A node that has to be there, or not:
 *           that it was not made or removed meanwhile. A node that is deleted: that no key lies in the range of its
 *           children. The parent of a new node: that it has had as many children as its count says, so that every
 *           child gets a number of its own; deletes touch the count, for its revision, and leave its value, so they do
 *           not get in the way of creates.
 * Squashed  etcd writes no key twice in a transaction. Operations are done one after the other on a draft, and each
 *           node is written as it is in the end.
 * Source    core/backend.ts; ZooKeeper's PrepRequestProcessor for the order of the checks.
 */
import type { Operation, OperationResult } from '../../core/backend.ts'
import { parentOf, sequenceSuffix } from '../../core/path.ts'
import { refusal } from '../../core/refusal.ts'
import type { Keys } from './keys.ts'
import { valueOf } from './messages.ts'
import type { Compare, RequestOp, TxnResponse } from './messages.ts'
import { BORN_WITH_THIS_VALUE, czxidOf, encodeNode, foreign, statOf } from './node-value.ts'
import type { NodeHeader, NodeState } from './node-value.ts'
import { ReadPlan } from './read-plan.ts'
import type { Answer, CountRead } from './read-plan.ts'
import type { Hints, Known, Needs, Snapshot } from './snapshot.ts'

/** The session that writes, and the time at which it does. */
export interface Author {
  readonly session: bigint
  readonly nowMs: number
}

/** The state of a node in the draft. */
interface DraftNode {
  readonly path: string
  readonly known: Known
  /** As it is now; null where there is none. */
  now: (NodeHeader & { readonly data: Uint8Array; readonly lease: bigint }) | null
  /** Whether it was made in this draft, rather than changed. */
  isBorn: boolean
  isWritten: boolean
  /** Whether what was read of it has to be what it is still; if not, it has to be the same node. */
  isPinned: boolean
  /** Whether the range of its children has to be empty before the transaction; null if nothing is asked. */
  wasEmpty: boolean | null
}

/** The creates and deletes of a node's children, since the draft began or the node was made in it. */
interface Tally {
  creates: number
  deletes: number
}

/** Makes the answer to one operation, when the transaction is done. */
type Result = (revision: bigint, responses: NonNullable<TxnResponse['responses']>) => OperationResult

const ANY_VERSION = -1
const NO_DATA = new Uint8Array()
const NO_COUNT: CountRead = Object.freeze({ creates: 0, counted: 0n })

/** A write that is being prepared. */
export class Draft {
  readonly #keys: Keys
  readonly #snapshot: Snapshot
  readonly #author: Author
  readonly #nodes = new Map<string, DraftNode>()
  readonly #tallies = new Map<string, Tally>()
  readonly #results: Result[] = []
  readonly #setPaths = new Set<string>()
  /** The source of the stats of changed nodes; known when the plan of the transaction is made. */
  readonly #counts = new Map<string, { readonly count: Answer<CountRead>; readonly numChildren: Answer<number> }>()

  /**
   * Does operations on a draft.
   *
   * @param snapshot - the known nodes; it covers all that the operations need
   * @param isMulti - whether an error tells the index of its operation
   * @throws CoordinationError of the first operation that is refused
   */
  constructor(keys: Keys, snapshot: Snapshot, author: Author, operations: readonly Operation[], isMulti: boolean) {
    this.#keys = keys
    this.#snapshot = snapshot
    this.#author = author
    for (const [index, operation] of operations.entries()) this.#apply(operation, isMulti ? index : undefined)
  }

  /** The reads to repeat if it turns out that the nodes are not as they were known. */
  get needs(): Needs {
    const needs = new Map<string, Set<keyof Known>>()
    for (const { path, wasEmpty } of this.#nodes.values()) {
      needs.set(path, new Set(wasEmpty === null ? ['node'] : ['node', 'count', 'numChildren']))
    }
    for (const [path, { creates }] of this.#tallies) if (creates > 0) needs.get(path)?.add('count')
    return needs
  }

  /** The comparisons that have to hold. */
  compares(): Compare[] {
    const compares: Compare[] = []
    for (const node of this.#nodes.values()) {
      const key = this.#keys.node(node.path)
      const { created = 0n, modified = 0n } = node.known.node ?? {}
      const equal = { result: 'equal', key } as const
      if (node.isPinned) compares.push({ ...equal, target: 'mod', modRevision: modified })
      else compares.push({ ...equal, target: 'create', createRevision: created })
      if (node.wasEmpty !== null) compares.push(this.#emptiness(node, node.wasEmpty))
    }
    for (const [path, tally] of this.#tallies) {
      const node = this.#nodes.get(path)
      if (tally.creates === 0 || node?.isBorn === true || node?.now === null) continue
      const key = this.#keys.count(path)
      compares.push({ result: 'equal', key, target: 'value', value: valueOf(String(this.#creates(path))) })
    }
    return compares
  }

  /** The writes of the transaction, and the reads that its answers need, after them. */
  operations(): RequestOp[] {
    const ops = [...this.#nodes.values()].flatMap((node) => this.#writes(node))
    for (const [path, { creates, deletes }] of this.#tallies) {
      const node = this.#nodes.get(path)
      if (node?.isBorn === true || node?.now === null || creates + deletes === 0) continue
      const key = this.#keys.count(path)
      const value = valueOf(String((this.#creates(path) + creates) | 0))
      ops.push({ put: creates === 0 ? { key, ignoreValue: true } : { key, value } })
    }
    const plan = new ReadPlan(this.#keys, ops.length)
    for (const path of this.#setPaths) {
      this.#counts.set(path, { count: plan.count(path), numChildren: plan.numChildren(path) })
    }
    return [...ops, ...plan.ops]
  }

  /** The answers to the operations, when they are done. */
  results(revision: bigint, responses: NonNullable<TxnResponse['responses']>): OperationResult[] {
    return this.#results.map((result) => result(revision, responses))
  }

  /** Takes note of the nodes as they are when it is done. */
  note(hints: Hints, revision: bigint): void {
    for (const node of this.#nodes.values()) {
      if (node.now === null) hints.note(node.path, revision, { node: null })
      else if (node.isWritten) {
        hints.note(node.path, revision, { node: stateOf(node, node.now, revision), ...bornCounts(node, revision) })
      }
    }
    for (const [path, { creates }] of this.#tallies) {
      if (creates === 0 || this.#nodes.get(path)?.now === null) continue
      const before = this.#nodes.get(path)?.isBorn === true ? 0 : this.#creates(path)
      hints.note(path, revision, { count: { creates: (before + creates) | 0, counted: revision } })
    }
  }

  #apply(operation: Operation, index: number | undefined): void {
    switch (operation.type) {
      case 'create':
        this.#create(operation, index)
        break
      case 'set':
        this.#set(operation, index)
        break
      case 'delete':
        this.#delete(operation, index)
        break
      case 'check':
        this.#check(operation, index)
    }
  }

  #create({ path: asked, data, mode }: Extract<Operation, { type: 'create' }>, index: number | undefined): void {
    if (mode === 'container' || mode === 'persistent-with-ttl') throw refusal('UNSUPPORTED', asked, { index })
    const parentPath = parentOf(asked)
    const parent = this.#node(parentPath)
    if (parent.now === null) throw refusal('NO_NODE', asked, { index, isCreate: true })
    if (lacksCount(parent)) throw foreign(this.#keys.count(parentPath), asked)
    const tally = this.#tally(parentPath)
    const path = mode.endsWith('-sequential') ? asked + sequenceSuffix(this.#countNow(parent, tally)) : asked
    const node = this.#node(path)
    if (node.now !== null) throw refusal('NODE_EXISTS', path, { index, isCreate: true })
    if (parent.now.isEphemeral) {
      throw refusal('NO_CHILDREN_FOR_EPHEMERALS', path, { index, isCreate: true })
    }
    const { nowMs, session } = this.#author
    const isEphemeral = mode.startsWith('ephemeral')
    const czxid = (node.known.node ?? null) === null ? 0n : BORN_WITH_THIS_VALUE
    const times = { ctimeMs: nowMs, mtimeMs: nowMs }
    const born = { isEphemeral, version: 0, ...times, czxid, data, lease: isEphemeral ? session : 0n }
    Object.assign(node, { now: born, isBorn: true, isWritten: true })
    this.#tallies.set(path, { creates: 0, deletes: 0 })
    tally.creates += 1
    this.#results.push((revision) => {
      const counts = { creates: 0, pzxid: revision, numChildren: 0 }
      return { type: 'create', path, stat: statOf(stateOf(node, born, revision), counts) }
    })
  }

  #set({ path, data, version }: Extract<Operation, { type: 'set' }>, index: number | undefined): void {
    const node = this.#existing(path, version, index)
    const { now } = node
    if (now === null) return
    const before = node.known.node
    const isOldReborn = now.czxid === BORN_WITH_THIS_VALUE && !node.isBorn
    const czxid = isOldReborn ? before?.modified ?? 0n : now.czxid
    const changed = { ...now, version: nextVersion(now.version), mtimeMs: this.#author.nowMs, czxid, data }
    Object.assign(node, { now: changed, isWritten: true, isPinned: true })
    this.#setPaths.add(path)
    const tally = this.#tally(path)
    const { creates, deletes } = tally
    this.#results.push((revision, responses) => {
      const reads = this.#counts.get(path)
      const { creates: all, counted } = reads?.count(responses) ?? NO_COUNT
      // Creates and deletes of children after this operation are not yet in its answer.
      const [later, gone] = [tally.creates - creates, tally.deletes - deletes]
      const numChildren = (reads?.numChildren(responses) ?? 0) - later + gone
      const counts = { creates: (all - later) | 0, pzxid: counted, numChildren: Math.max(0, numChildren) }
      return { type: 'set', stat: statOf(stateOf(node, changed, revision), counts) }
    })
  }

  #delete({ path, version }: Extract<Operation, { type: 'delete' }>, index: number | undefined): void {
    if (path === '/') throw refusal('BAD_ARGUMENTS', path, { index })
    const node = this.#existing(path, version, index)
    const { creates, deletes } = this.#tally(path)
    const before = node.isBorn ? 0 : node.known.numChildren ?? 0
    if (before + creates - deletes > 0) throw refusal('NOT_EMPTY', path, { index })
    if (!node.isBorn) node.wasEmpty = before === 0
    Object.assign(node, { now: null, isBorn: false, isWritten: true })
    this.#tally(parentOf(path)).deletes += 1
    this.#results.push(() => ({ type: 'delete' }))
  }

  #check({ path, version, czxid }: Extract<Operation, { type: 'check' }>, index: number | undefined): void {
    const node = this.#existing(path, version, index)
    if (czxid !== undefined) {
      if (czxid !== creationOf(node)) throw refusal('BAD_VERSION', path, { index })
      // A multi that deletes and makes it again leaves the key its create_revision, but not its mod_revision.
      node.isPinned = true
    }
    this.#results.push(() => ({ type: 'check' }))
  }

  #existing(path: string, version: number, index: number | undefined): DraftNode {
    const node = this.#node(path)
    if (node.now === null) throw refusal('NO_NODE', path, { index })
    if (version !== ANY_VERSION && version !== node.now.version) throw refusal('BAD_VERSION', path, { index })
    if (version !== ANY_VERSION) node.isPinned = true
    return node
  }

  #node(path: string): DraftNode {
    const drafted = this.#nodes.get(path)
    if (drafted !== undefined) return drafted
    const known = this.#snapshot.get(path) ?? {}
    const state = known.node ?? null
    const now = state === null ? null : { ...state, data: NO_DATA }
    const node = { path, known, now, isBorn: false, isWritten: false, isPinned: false, wasEmpty: null }
    this.#nodes.set(path, node)
    return node
  }

  #tally(path: string): Tally {
    const tally = this.#tallies.get(path) ?? { creates: 0, deletes: 0 }
    this.#tallies.set(path, tally)
    return tally
  }

  /** How many children a node had ever had before this transaction. */
  #creates(path: string): number {
    return this.#snapshot.get(path)?.count?.creates ?? 0
  }

  #countNow(node: DraftNode, tally: Tally): number {
    return ((node.isBorn ? 0 : this.#creates(node.path)) + tally.creates) | 0
  }

  /** Where its last children go in this same transaction, the rest of them is told by the revision of their count. */
  #emptiness(node: DraftNode, wasEmpty: boolean): Compare {
    if (!wasEmpty) {
      const { counted } = node.known.count ?? NO_COUNT
      return { result: 'equal', key: this.#keys.count(node.path), target: 'mod', modRevision: counted }
    }
    const { key, end } = this.#keys.children(node.path)
    return { result: 'equal', key, rangeEnd: end, target: 'version', version: 0n }
  }

  #writes({ path, known, now, isBorn, isWritten }: DraftNode): RequestOp[] {
    if (!isWritten) return []
    const [key, countKey] = [this.#keys.node(path), this.#keys.count(path)]
    const before = known.node ?? null
    if (now === null) {
      if (before === null) return []
      const removal: RequestOp = { deleteRange: { key } }
      return before.isEphemeral ? [removal] : [removal, { deleteRange: { key: countKey } }]
    }
    const value = encodeNode(now, now.data)
    if (!isBorn) return [{ put: { key, value, ignoreLease: true } }]
    const put: RequestOp = { put: now.isEphemeral ? { key, value, lease: now.lease } : { key, value } }
    if (!now.isEphemeral) {
      const creates = valueOf(String(this.#tallies.get(path)?.creates ?? 0))
      return [put, { put: { key: countKey, value: creates } }]
    }
    return before === null || before.isEphemeral ? [put] : [put, { deleteRange: { key: countKey } }]
  }
}

function stateOf(node: DraftNode, now: NonNullable<DraftNode['now']>, revision: bigint): NodeState {
  const { data, ...header } = now
  return { ...header, created: node.known.node?.created ?? revision, modified: revision, dataLength: data.length }
}

/** The czxid of a node; null if it is made in this draft, at a revision that nobody knows yet. */
function creationOf({ known, now, isBorn }: DraftNode): bigint | null {
  const { node = null } = known
  return now === null || node === null || isBorn ? null : czxidOf({ ...node, czxid: now.czxid })
}

/** A node that was just made has no children: all that its delete needs is known. */
function bornCounts({ isBorn, now }: DraftNode, revision: bigint): Known {
  if (!isBorn || now === null) return {}
  return { count: now.isEphemeral ? NO_COUNT : { creates: 0, counted: revision }, numChildren: 0 }
}

/** Whether the key that counts the children of a node is missing, which every persistent node has. */
function lacksCount({ known, isBorn }: DraftNode): boolean {
  const { node = null, count = NO_COUNT } = known
  return node !== null && !isBorn && !node.isEphemeral && count.counted === 0n
}

/** int32 that skips -1, since -1 stands for any version. */
function nextVersion(version: number): number {
  const next = (version + 1) | 0
  return next === ANY_VERSION ? 0 : next
}
