/**
 * The tree of nodes: the state that every server of the ensemble agrees on, and that reads are answered from.
 *
 * Model     each node knows its children by name. The tree does what it is told and only asserts; who may do what is
 *           decided before, by prepare.ts.
 * Start     `/`, `/zookeeper`, `/zookeeper/quota` and `/zookeeper/config` are there from the beginning, and cannot be
 *           deleted.
 * Cost      a look-up by path: one by name for each of its segments. Create, change, delete: a few of them, and a count
 *           at each node above. How many nodes there are below one is known.
 * Quotas    the numbers of quotas are kept with every change; see quotas.ts.
 * Witnesses whatever changes a node shows it to them first, and its parent: images (tree-image.ts), and the digest of a
 *           replay (replay-digest.ts).
 * Source    DataTree.java of ZooKeeper 3.8.
 */
import { assert } from '../../../../core/assert.ts'
import { joinPath, nameOf, parentOf } from '../../../../core/path.ts'
import { Slab } from '../../../wire/disk/slab.ts'
import { OPEN_ACL } from '../../../wire/records.ts'
import type { Acl, StatRecord } from '../../../wire/records.ts'
import { sharedAcl } from './acl.ts'
import { Ephemerals } from './ephemerals.ts'
import { PERSISTENT, TreeNode } from './node.ts'
import type { Ownership } from './node.ts'
import { Quotas, changedUsage, measuredBy, statsPathOf, usageText } from './quotas.ts'
import type { Usage } from './quotas.ts'
import { TreeImage } from './tree-image.ts'

/** The instant of a transaction: its zxid, and the leader's wall clock in milliseconds since 1970. */
export interface Moment {
  readonly zxid: bigint
  readonly time: number
}

/** The nodes that are always there, parents first. */
export const SPECIAL_PATHS: readonly string[] = Object.freeze([
  '/',
  '/zookeeper',
  '/zookeeper/config',
  '/zookeeper/quota',
])

export const CONFIG_PATH = '/zookeeper/config'
const READ_ACL: readonly Acl[] = Object.freeze([Object.freeze({ perms: 1, scheme: 'world', id: 'anyone' })])
const SLASH = 0x2f
/** Most bytes beside its data that a node may keep in memory along with it. */
const KEPT_BYTES_MAX = 1_024

/** Is shown each node before it changes or goes. */
export interface Witness {
  keep(path: string, node: TreeNode): void
}

/** Children of one node that are deleted together. */
interface Leaving {
  readonly parent: TreeNode
  /** Sorted by code unit. */
  readonly paths: string[]
  /** Length of their data together. */
  bytes: number
}

/** The nodes of one server. */
export class Tree {
  /** Null between {@link Tree.clear} and the first node of a snapshot. */
  #root: TreeNode | null = null
  #nodeCount = 0
  /** The node above the one that was looked up last. It is in the tree: whoever deletes a node looks it up first. */
  #near: TreeNode | null = null
  #nearPath = ''
  readonly #ephemerals = new Ephemerals()
  /** Paths of container and TTL nodes. */
  readonly #mortals = new Set<string>()
  readonly #quotas = new Quotas()
  readonly #witnesses = new Set<Witness>()
  #dataBytes = 0
  /** While a log is replayed. */
  #slab: Slab | null = null

  /** Makes the tree that every ensemble begins with. */
  constructor() {
    for (const path of SPECIAL_PATHS) {
      this.insert(path, new TreeNode(new Uint8Array(), OPEN_ACL, PERSISTENT, 0n, 0))
    }
    // As in the reference, which sets this list by its own setACL with version -1.
    const config = this.#existing(CONFIG_PATH)
    config.acl = READ_ACL
    config.aversion = -1
  }

  /**
   * Sets what /zookeeper/config holds. It comes from each server's own configuration, which must be the same on all,
   * and not from a transaction.
   */
  setMembership(text: string): void {
    if (text === '') return
    const config = this.#existing(CONFIG_PATH)
    this.#keep(CONFIG_PATH, config)
    this.#replaceData(config, new Uint8Array(Buffer.from(text)))
    config.version = -1
  }

  /** Number of nodes. */
  get nodeCount(): number {
    return this.#nodeCount
  }

  /** Number of ephemeral nodes. */
  get ephemeralCount(): number {
    return this.#ephemerals.count
  }

  /** Owners of ephemeral nodes, with the paths of these. */
  get ephemerals(): ReadonlyMap<bigint, Iterable<string> & { readonly size: number }> {
    return this.#ephemerals.byOwner
  }

  /** Length of all paths and data. */
  get dataBytes(): number {
    return this.#dataBytes
  }

  /** The path above or at this one whose quota it counts for, or null. */
  quotaOf(path: string): string | null {
    return this.#quotas.of(path)
  }

  /** Number of all nodes below one. */
  descendantCount(path: string): number {
    return this.get(path)?.descendantCount ?? 0
  }

  /** Every node with its path, parents first; for reading only, while nothing changes. */
  *nodes(): Generator<readonly [string, TreeNode], void> {
    if (this.#root !== null) yield ['/', this.#root]
    const families = [{ path: '/', children: this.#root?.childNodes() }]
    for (let family = families.at(-1); family !== undefined; family = families.at(-1)) {
      const next = family.children?.next()
      if (next === undefined || next.done === true) families.pop()
      else {
        const path = joinPath(family.path, next.value[0])
        yield [path, next.value[1]]
        families.push({ path, children: next.value[1].childNodes() })
      }
    }
  }

  /** The node at a path, to be read only. */
  get(path: string): TreeNode | undefined {
    if (path === '/') return this.#root ?? undefined
    return path.charCodeAt(0) === SLASH ? this.above(path)?.child(nameOf(path)) : undefined
  }

  /** The node above a path, which is not the root's. Mostly it is the one that was looked up before. */
  above(path: string): TreeNode | undefined {
    const end = path.lastIndexOf('/')
    const { length } = this.#nearPath
    const isNear = this.#near !== null && path.charCodeAt(length) === SLASH && path.startsWith(this.#nearPath)
    let node = (isNear ? this.#near : this.#root) ?? undefined
    if (isNear && length === end) return node
    for (let start = isNear ? length + 1 : 1; start <= end; ) {
      const slash = path.indexOf('/', start)
      node = node?.child(path.slice(start, slash))
      if (node === undefined) return undefined
      start = slash + 1
    }
    this.#near = node ?? null
    this.#nearPath = path.slice(0, end)
    return node
  }

  /** The answer of an exists request, or null if there is no such node. */
  stat(path: string): StatRecord | null {
    return this.get(path)?.stat() ?? null
  }

  /** The answer of a getData request, or null if there is no such node. */
  data(path: string): { readonly data: Uint8Array | null; readonly stat: StatRecord } | null {
    const node = this.get(path)
    return node === undefined ? null : { data: node.data, stat: node.stat() }
  }

  /** The answer of a getChildren2 request (names sorted by code unit), or null if there is no such node. */
  children(path: string): { readonly children: readonly string[]; readonly stat: StatRecord } | null {
    const node = this.get(path)
    return node === undefined ? null : { children: node.children, stat: node.stat() }
  }

  /** Paths of a session's ephemeral nodes, sorted by code unit. The array never changes. */
  ephemeralsOf(sessionId: bigint): readonly string[] {
    return this.#ephemerals.of(sessionId)
  }

  /** Whether a list is that of {@link Tree.ephemeralsOf}. */
  areEphemeralsOf(sessionId: bigint, paths: readonly string[]): boolean {
    const own = this.ephemeralsOf(sessionId)
    return own.length === paths.length && own.every((path, index) => path === paths[index])
  }

  /**
   * Creates a node below an existing one.
   *
   * @param childCreates - the parent's count of child creates after this one
   * @throws AssertionError if the parent is missing, ephemeral or at another count, or the node is there
   */
  create(
    path: string,
    content: { readonly data: Uint8Array | null; readonly acl: readonly Acl[]; readonly ownership: Ownership },
    childCreates: number,
    at: Moment,
  ): TreeNode {
    const parentPath = parentOf(path)
    const parent = this.#existing(parentPath)
    assert(parent.ownership.kind !== 'ephemeral', () => `a child below the ephemeral ${parentPath}`)
    assert(childCreates === ((parent.childCreates + 1) | 0), () => {
      return `create ${path} as child create ${childCreates} of ${parentPath}, which has had ${parent.childCreates}`
    })
    this.#keep(parentPath, parent)
    const node = new TreeNode(this.#kept(content.data), sharedAcl(content.acl), content.ownership, at.zxid, at.time)
    assert(this.insert(path, node, parent), () => `create of ${path}, which is there`)
    parent.childCreates = childCreates
    parent.pzxid = at.zxid
    const measured = measuredBy(path)
    if (measured !== null) this.#replaceData(node, usageText(this.#usageOf(measured)))
    this.#countForQuota(path, 1, node.dataLength)
    return node
  }

  /**
   * Replaces a node's data.
   *
   * @param version - the version that it has from now on
   * @throws AssertionError if it is not there
   */
  setData(path: string, data: Uint8Array | null, version: number, at: Moment): TreeNode {
    const node = this.#existing(path)
    this.#keep(path, node)
    const bytes = this.#replaceData(node, this.#kept(data))
    node.version = version
    node.mzxid = at.zxid
    node.mtime = at.time
    this.#countForQuota(path, 0, bytes)
    return node
  }

  /**
   * Replaces a node's access control list.
   *
   * @param aversion - the version that it has from now on
   * @throws AssertionError if it is not there
   */
  setAcl(path: string, acl: readonly Acl[], aversion: number): TreeNode {
    const node = this.#existing(path)
    this.#keep(path, node)
    node.acl = sharedAcl(acl)
    node.aversion = aversion
    return node
  }

  /**
   * Deletes a node, and returns it as it was.
   *
   * @throws AssertionError if it is not there, has children or is one of {@link SPECIAL_PATHS}
   */
  delete(path: string, at: Moment): TreeNode {
    const node = this.#existing(path)
    assert(node.numChildren === 0, () => `delete of ${path}, which has ${node.numChildren} children`)
    assert(!SPECIAL_PATHS.includes(path), () => `delete of ${path}`)
    const { parent } = node
    assert(parent !== null, () => `a parent of ${path}`)
    this.#keep(path, node)
    this.#keep(parentOf(path), parent)
    countAbove(node, -1, -node.dataLength)
    parent.removeChild(nameOf(path))
    parent.pzxid = at.zxid
    this.#nodeCount -= 1
    this.#dataBytes -= path.length + node.dataLength
    this.#quotas.deleted(path)
    if (node.ownership.kind === 'ephemeral') this.#ephemerals.remove(node.ownership.owner, path)
    else if (node.ownership.kind !== 'persistent') this.#mortals.delete(path)
    this.#countForQuota(path, -1, -node.dataLength)
    return node
  }

  /**
   * Deletes the ephemeral nodes of a session, which may be very many; each parent is updated once.
   *
   * @param onDeleted - gets each node as it was, in the order of their paths
   */
  deleteEphemeralsOf(sessionId: bigint, at: Moment, onDeleted: (path: string, node: TreeNode) => void): void {
    const families = new Map<TreeNode, Leaving>()
    const usages = new Map<string, Usage>()
    let family: Leaving | null = null
    for (const path of this.#ephemerals.take(sessionId)) {
      const name = nameOf(path)
      const parent = this.above(path)
      const node = parent?.child(name)
      assert(parent !== undefined && node?.numChildren === 0, () => `${path} below a parent, and without children`)
      // The numbers of a quota can be the session's own: they are counted up to the moment at which they go.
      const measured = measuredBy(path)
      const measuredUsage = measured === null ? undefined : usages.get(measured)
      if (measured !== null && measuredUsage !== undefined) {
        this.#addToQuota(measured, measuredUsage)
        usages.delete(measured)
      }
      const { dataLength } = node
      this.#keep(path, node)
      if (family === null || family.parent !== parent) {
        this.#keep(parentOf(path), parent)
        family = families.get(parent) ?? { parent, paths: [], bytes: 0 }
        families.set(parent, family)
      }
      family.paths.push(path)
      family.bytes += dataLength
      parent.detachChild(name)
      this.#nodeCount -= 1
      this.#dataBytes -= path.length + dataLength
      this.#quotas.deleted(path)
      const limited = this.#quotas.of(path)
      if (limited !== null) {
        const { count, bytes } = usages.get(limited) ?? { count: 0, bytes: 0 }
        usages.set(limited, { count: count - 1, bytes: bytes - dataLength })
      }
      onDeleted(path, node)
    }
    for (const leaving of families.values()) removeFamily(leaving, at)
    for (const [limited, usage] of usages) this.#addToQuota(limited, usage)
  }

  /**
   * Puts a node with its stat in its place; for {@link Tree.create} and for what reads snapshots, which sets the rest.
   *
   * @param parent - the node above it, if the caller has it already; null for the root
   * @returns false if there was a node already: the tree is of no use then
   * @throws AssertionError if the parent is missing
   */
  insert(path: string, node: TreeNode, parent = path === '/' ? null : this.#existing(parentOf(path))): boolean {
    if (parent === null) {
      if (this.#root !== null) return false
      this.#root = node
    } else {
      if (!parent.addChild(nameOf(path), node)) return false
      node.parent = parent
      countAbove(node, 1, node.dataLength)
    }
    this.#nodeCount += 1
    this.#dataBytes += path.length + node.dataLength
    this.#quotas.created(path)
    if (node.ownership.kind === 'ephemeral') this.#ephemerals.add(node.ownership.owner, path)
    else if (node.ownership.kind !== 'persistent') this.#mortals.add(path)
    return true
  }

  /** Takes every node out, so that a snapshot's can be put in. */
  clear(): void {
    this.#root = null
    this.#near = null
    this.#nodeCount = 0
    this.#ephemerals.clear()
    this.#mortals.clear()
    this.#quotas.clear()
    this.#dataBytes = 0
  }

  /**
   * Transactions of a log follow, until {@link Tree.endReplay}: their data is copied into memory that several nodes
   * share. It is kept until the last of them has gone, and is not more than the log.
   */
  beginReplay(): void {
    this.#slab = new Slab()
  }

  /** Data that comes from now on gets memory of its own. */
  endReplay(): void {
    this.#slab = null
  }

  /**
   * Nodes whose time is over: containers that have had children and have none, and nodes with a time to live without
   * children and without a change for that long.
   *
   * @param nowMs - the wall clock in milliseconds since 1970
   * @param limit - longest list wanted
   * @returns paths, sorted by code unit
   */
  reapable(nowMs: number, limit: number): readonly string[] {
    const paths: string[] = []
    for (const path of this.#mortals) if (isReapable(this.#existing(path), nowMs)) paths.push(path)
    return paths.sort().slice(0, limit)
  }

  /**
   * Opens an image of the tree as it is now. Its opener has to close it.
   *
   * @param zxid - of the last transaction that is in the tree
   */
  openImage(zxid: bigint): TreeImage {
    const image = new TreeImage(this, zxid)
    this.addWitness(image)
    return image
  }

  /** Shows a witness, from now on, each node before it changes or goes. */
  addWitness(witness: Witness): void {
    this.#witnesses.add(witness)
  }

  /** Shows a witness nothing more; an image is closed by it. */
  removeWitness(witness: Witness): void {
    this.#witnesses.delete(witness)
  }

  /** To be called before a node changes or goes. */
  #keep(path: string, node: TreeNode): void {
    if (this.#witnesses.size === 0) return
    for (const witness of this.#witnesses) witness.keep(path, node)
  }

  #existing(path: string): TreeNode {
    const node = this.get(path)
    assert(node !== undefined, () => `no node ${path}`)
    return node
  }

  /**
   * Data to keep. The data of a transaction is a view of it: where the rest of the transaction is long, a copy is
   * kept, so that a small node of a large multi does not keep all of it in memory.
   */
  #kept(data: Uint8Array | null): Uint8Array | null {
    if (data === null || data.buffer.byteLength <= 2 * data.length + KEPT_BYTES_MAX) return data
    return this.#slab === null ? new Uint8Array(data) : this.#slab.copy(data)
  }

  /** Returns by how much the data grew, in bytes. */
  #replaceData(node: TreeNode, data: Uint8Array | null): number {
    const before = node.dataLength
    node.data = data
    const bytes = node.dataLength - before
    this.#dataBytes += bytes
    if (bytes !== 0) countAbove(node, 0, bytes)
    return bytes
  }

  /** The node of a quota's numbers gets new data, and no new version: nobody has changed it. */
  #countForQuota(path: string, count: number, bytes: number): void {
    const limited = this.#quotas.of(path)
    if (limited !== null) this.#addToQuota(limited, { count, bytes })
  }

  #addToQuota(limited: string, change: Usage): void {
    const stats = this.get(statsPathOf(limited))
    if (stats === undefined) return
    this.#keep(statsPathOf(limited), stats)
    this.#replaceData(stats, changedUsage(stats.data, change))
  }

  /** Nodes and bytes of a node and all below it. */
  #usageOf(path: string): Usage {
    const node = this.get(path)
    if (node === undefined) return { count: 0, bytes: 0 }
    return { count: 1 + node.descendantCount, bytes: node.dataLength + node.descendantBytes }
  }
}

/** Counts what comes or goes, at each node above one. */
function countAbove(node: TreeNode, nodes: number, bytes: number): void {
  for (let above = node.parent; above !== null; above = above.parent) above.countBelow(nodes, bytes)
}

function removeFamily({ parent, paths, bytes }: Leaving, at: Moment): void {
  for (let above: TreeNode | null = parent; above !== null; above = above.parent) {
    above.countBelow(-paths.length, -bytes)
  }
  const [first = ''] = paths
  parent.removeNames(paths, first.lastIndexOf('/') + 1)
  parent.pzxid = at.zxid
}

/** The part of a node that decides whether its time is over. */
interface Mortality {
  readonly ownership: Ownership
  readonly numChildren: number
  readonly childCreates: number
  readonly mtime: number
}

/** Whether the time of a container or of a node with a time to live is over; see {@link Tree.reapable}. */
export function isReapable(node: Mortality, nowMs: number): boolean {
  if (node.numChildren !== 0) return false
  if (node.ownership.kind === 'container') return node.childCreates !== 0
  return node.ownership.kind === 'ttl' && nowMs - node.mtime > node.ownership.ttlMs
}
