/**
 * The digest of the tree after each transaction of the log, known before the transaction is applied: it stands in the
 * transaction's record.
 *
 * Model     a layer over the applied tree, with the nodes as transactions leave them that are logged and not applied.
 *           A node is in it until the last transaction that touched it has been applied.
 * Safety    the layer decides nothing: a transaction is applied as it stands. A digest that is not that of the
 *           tree shows at the next start, here or at a ZooKeeper's.
 * Cost      of a change: two numbers of 60 bytes for each node that it touches, and the sum of its data. Nothing that
 *           grows with the tree.
 * Source    PrepRequestProcessor.precalculateDigest, DigestCalculator of ZooKeeper 3.8.
 */
import { assert } from '../../../../core/assert.ts'
import { parentOf } from '../../../../core/path.ts'
import { OpCode } from '../../../wire/codes.ts'
import { TreeDigest, contentDigest, isDigested, nodeDigest } from '../../../wire/disk/tree-digest.ts'
import type { PersistedStat } from '../../../wire/disk/tree-digest.ts'
import { decodeTransaction } from '../../../wire/transactions.ts'
import type { Transaction, TxnBody } from '../../../wire/transactions.ts'
import { DigestHistory } from './digest-history.ts'
import type { ZxidDigest } from './digest-history.ts'
import { CONTAINER, PERSISTENT, ownerNumberOf } from './node.ts'
import type { Ownership, TreeNode } from './node.ts'
import { SPECIAL_PATHS } from './tree.ts'
import type { Tree } from './tree.ts'

/** The state under the layer. */
interface Applied {
  readonly tree: Tree
  readonly lastZxid: bigint
}

/** A node as it will be. */
class Ahead implements PersistedStat {
  readonly path: string
  /** The zxid of the last transaction that touched it. */
  touchedBy = 0n
  isThere = true
  numChildren = 0
  /** See {@link contentDigest}. */
  content: number
  /** Its part of the digest. */
  number = 0
  readonly czxid: bigint
  mzxid: bigint
  pzxid: bigint
  readonly ctime: number
  mtime: number
  version = 0
  cversion = 0
  aversion = 0
  readonly ephemeralOwner: bigint

  constructor(path: string, content: number, ephemeralOwner: bigint, zxid: bigint, timeMs: number) {
    this.path = path
    this.content = content
    this.ephemeralOwner = ephemeralOwner
    this.czxid = zxid
    this.mzxid = zxid
    this.pzxid = zxid
    this.ctime = timeMs
    this.mtime = timeMs
  }
}

/** A transaction that is logged and not applied. */
interface Pending {
  readonly zxid: bigint
  /** Or its bytes, where it need not be kept decoded. */
  readonly transaction: Transaction | Uint8Array
  /** The digest of the tree after it. */
  readonly digest: bigint
  /** The nodes that it touched. */
  readonly nodes: readonly Ahead[]
}

/** Applied ones stay in the array until there are this many. */
const APPLIED_MAX = 1_024

/** The digests of one log. */
export class LogDigest {
  readonly #state: Applied
  readonly #sum: TreeDigest
  /** The digest of the applied tree, as of the last call of {@link LogDigest.applied}. */
  #appliedDigest: bigint
  readonly #nodes = new Map<string, Ahead>()
  /** By owner, the ephemeral nodes that transactions in the layer create. */
  readonly #ephemerals = new Map<bigint, Set<Ahead>>()
  #pending: Pending[] = []
  /** The first one that is not applied, and the one that is applied next. */
  #head = 0
  #next = 0
  #touched: Ahead[] = []
  readonly #history: DigestHistory

  /**
   * Begins with a state to which the whole log is applied.
   *
   * @param digest - of its tree
   * @param history - of transactions that were applied before
   */
  constructor(state: Applied, digest: bigint, history = new DigestHistory()) {
    this.#state = state
    this.#sum = new TreeDigest(digest)
    this.#appliedDigest = digest
    this.#history = history
  }

  /**
   * Takes the next transaction of the log.
   *
   * @param kept - the form in which it is kept until it is applied
   * @returns the digest of the tree after it
   */
  add(transaction: Transaction, kept: Transaction | Uint8Array = transaction): bigint {
    const { header, txn } = transaction
    this.#touched = []
    if (txn.type === OpCode.closeSession) this.#closeSession(txn.body.paths2Delete, header.clientId, header.zxid)
    else if (txn.type !== OpCode.multi) this.#change(txn, header)
    else if (!txn.body.some(({ type }) => type === OpCode.error)) this.#changeAll(txn.body, header)
    const digest = this.#sum.value
    this.#pending.push({ zxid: header.zxid, transaction: kept, digest, nodes: this.#touched })
    return digest
  }

  /** Digests of some of the transactions that were applied, the oldest first. Source: DataTree.logZxidDigest. */
  get history(): readonly ZxidDigest[] {
    return this.#history.digests
  }

  /** The transaction that is applied next; undefined if the log has none of this zxid. */
  take(zxid: bigint): Transaction | undefined {
    let next = this.#pending[this.#next]
    for (; next !== undefined && next.zxid < zxid; next = this.#pending[this.#next]) this.#next += 1
    if (next?.zxid !== zxid) return undefined
    this.#next += 1
    return decoded(next.transaction)
  }

  /** The log was cut off after a zxid, which is not before the last one applied. */
  cut(zxid: bigint): void {
    this.applied()
    const left = this.#pending.slice(this.#head).filter((pending) => pending.zxid <= zxid)
    this.#nodes.clear()
    this.#ephemerals.clear()
    this.#pending = []
    this.#head = 0
    this.#next = 0
    this.#sum.reset(this.#appliedDigest)
    for (const { transaction } of left) this.add(decoded(transaction), transaction)
  }

  /** The state has had more transactions applied: their changes are in the tree. */
  applied(): void {
    const { lastZxid } = this.#state
    for (let next = this.#pending[this.#head]; next !== undefined; next = this.#pending[this.#head]) {
      if (next.zxid > lastZxid) break
      this.#head += 1
      this.#appliedDigest = next.digest
      this.#history.applied(next.zxid, next.digest)
      for (const node of next.nodes) if (node.touchedBy === next.zxid) this.#drop(node)
    }
    if (this.#head < this.#pending.length && this.#head <= APPLIED_MAX) return
    this.#pending = this.#pending.slice(this.#head)
    this.#next = Math.max(0, this.#next - this.#head)
    this.#head = 0
  }

  #drop(node: Ahead): void {
    // Another one can have been created at its path since.
    if (this.#nodes.get(node.path) === node) this.#nodes.delete(node.path)
    const created = this.#ephemerals.get(node.ephemeralOwner)
    created?.delete(node)
    if (created?.size === 0) this.#ephemerals.delete(node.ephemeralOwner)
  }

  #changeAll(parts: readonly TxnBody[], header: Transaction['header']): void {
    for (const part of parts) this.#change(part, header)
  }

  #change(txn: TxnBody, { zxid, time, clientId }: Transaction['header']): void {
    switch (txn.type) {
      case OpCode.create:
      case OpCode.create2: {
        const ownership: Ownership = txn.body.ephemeral ? { kind: 'ephemeral', owner: clientId } : PERSISTENT
        this.#create(txn.body, ownership, zxid, time)
        return
      }
      case OpCode.createContainer:
        this.#create(txn.body, CONTAINER, zxid, time)
        return
      case OpCode.createTTL:
        this.#create(txn.body, { kind: 'ttl', ttlMs: Number(txn.body.ttl) }, zxid, time)
        return
      case OpCode.delete:
      case OpCode.deleteContainer:
        this.#delete(this.#node(txn.body.path), zxid)
        return
      case OpCode.setData:
        this.#update(txn.body.path, zxid, (node) => {
          node.content = contentDigest(node.path, txn.body.data)
          node.version = txn.body.version
          node.mzxid = zxid
          node.mtime = time
        })
        return
      case OpCode.setAcl:
        this.#update(txn.body.path, zxid, (node) => {
          node.aversion = txn.body.version
        })
        return
      default:
    }
  }

  #create(
    { path, data, parentCVersion }: { readonly path: string; readonly data: Uint8Array | null; parentCVersion: number },
    ownership: Ownership,
    zxid: bigint,
    time: number,
  ): void {
    this.#update(parentOf(path), zxid, (parent) => {
      parent.cversion = parentCVersion
      parent.pzxid = zxid
      parent.numChildren += 1
    })
    const node = new Ahead(path, contentDigest(path, data), ownerNumberOf(ownership), zxid, time)
    this.#touch(node, zxid)
    this.#count(node)
    if (ownership.kind !== 'ephemeral') return
    const created = this.#ephemerals.get(ownership.owner)
    if (created === undefined) this.#ephemerals.set(ownership.owner, new Set([node]))
    else created.add(node)
  }

  #delete(node: Ahead | undefined, zxid: bigint): void {
    if (node === undefined) return
    this.#discount(node, zxid)
    node.isThere = false
    const parent = this.#node(parentOf(node.path))
    if (parent === undefined) return
    parent.numChildren -= 1
    // Of many siblings that go together, only the first one changes the parent's number.
    if (parent.touchedBy === zxid && parent.pzxid === zxid) return
    this.#discount(parent, zxid)
    parent.pzxid = zxid
    this.#count(parent)
  }

  /** As the state does it: the listed nodes, as far as possible, and whatever else the session owns. */
  #closeSession(listed: readonly string[], owner: bigint, zxid: bigint): void {
    for (const path of listed) {
      const node = this.#node(path)
      if (node?.numChildren === 0 && !SPECIAL_PATHS.includes(path)) this.#delete(node, zxid)
    }
    const { tree } = this.#state
    const created = [...(this.#ephemerals.get(owner) ?? [])].map(({ path }) => path)
    for (const path of tree.areEphemeralsOf(owner, listed) ? created : [...tree.ephemeralsOf(owner), ...created]) {
      const node = this.#node(path)
      if (node?.ephemeralOwner === owner) this.#delete(node, zxid)
    }
  }

  #update(path: string, zxid: bigint, change: (node: Ahead) => void): void {
    const node = this.#node(path)
    if (node === undefined) return
    this.#discount(node, zxid)
    change(node)
    this.#count(node)
  }

  /** A node is about to change: takes its number away. */
  #discount(node: Ahead, zxid: bigint): void {
    if (isDigested(node.path)) this.#sum.remove(node.number)
    this.#touch(node, zxid)
  }

  #touch(node: Ahead, zxid: bigint): void {
    node.touchedBy = zxid
    this.#nodes.set(node.path, node)
    this.#touched.push(node)
  }

  #count(node: Ahead): void {
    if (!isDigested(node.path)) return
    node.number = nodeDigest(node.content, node)
    this.#sum.add(node.number)
  }

  /** The node that will be at a path; undefined if there will be none. */
  #node(path: string): Ahead | undefined {
    const ahead = this.#nodes.get(path)
    if (ahead !== undefined) return ahead.isThere ? ahead : undefined
    const node = this.#state.tree.get(path)
    return node === undefined ? undefined : aheadOf(path, node)
  }
}

/**
 * The digest of a tree that nobody changes meanwhile.
 *
 * @param perStep - the number of nodes that are looked at between two steps
 */
export function* digestOf(tree: Tree, perStep = Infinity): Generator<undefined, bigint> {
  const sum = new TreeDigest()
  let looked = 0
  for (const [path, node] of tree.nodes()) {
    if (isDigested(path)) sum.add(numberOf(path, node))
    looked += 1
    if (looked % perStep === 0) yield
  }
  return sum.value
}

/** The digest of a state's tree, in one step. */
export function treeDigestOf({ tree }: Pick<Applied, 'tree'>): bigint {
  const digest = digestOf(tree).next()
  assert(digest.done === true, 'a digest in one step')
  return digest.value
}

/** The number of a node of the tree. */
export function numberOf(path: string, node: TreeNode): number {
  return nodeDigest(contentOf(path, node), statOf(node))
}

function contentOf(path: string, node: TreeNode): number {
  return contentDigest(path, node.dataLength === 0 ? null : node.data)
}

function statOf(node: TreeNode): PersistedStat {
  const { czxid, mzxid, pzxid, ctime, mtime, version, aversion, childCreates, ownership } = node
  const ephemeralOwner = ownerNumberOf(ownership)
  return { czxid, mzxid, pzxid, ctime, mtime, version, cversion: childCreates, aversion, ephemeralOwner }
}

function aheadOf(path: string, node: TreeNode): Ahead {
  const stat = statOf(node)
  const content = isDigested(path) ? contentOf(path, node) : 0
  const ahead = new Ahead(path, content, stat.ephemeralOwner, stat.czxid, stat.ctime)
  ahead.mzxid = stat.mzxid
  ahead.pzxid = stat.pzxid
  ahead.mtime = stat.mtime
  ahead.version = stat.version
  ahead.cversion = stat.cversion
  ahead.aversion = stat.aversion
  ahead.numChildren = node.numChildren
  ahead.number = nodeDigest(content, ahead)
  return ahead
}

function decoded(transaction: Transaction | Uint8Array): Transaction {
  return transaction instanceof Uint8Array ? decodeTransaction(transaction) : transaction
}
