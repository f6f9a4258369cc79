/**
 * One node of the tree: its data, its list, its kind, and its stat as clients see it.
 *
 * Counting  `childCreates` is the number of successful creates of children (int32, wraps); sequence numbers come from
 *           it. The `cversion` that clients see is 2 * childCreates - numChildren, which is creates plus deletes.
 * Data      where it begins in its memory, and how long it is: a view of its own for each of a million nodes would cost
 *           as much as everything else about them.
 * Kinds     in files, and nowhere else, container and TTL nodes are marked in `ephemeralOwner`, where clients see 0.
 * Source    DataNode.java, EphemeralType.java of ZooKeeper 3.8.
 */
import type { Acl, StatRecord } from '../../../wire/records.ts'
import { Children } from './children.ts'

/** How long a node lives. Only an ephemeral one has an owner, only one with a time to live has `ttlMs`. */
export type Ownership =
  | { readonly kind: 'persistent' }
  | { readonly kind: 'ephemeral'; readonly owner: bigint }
  | { readonly kind: 'container' }
  | { readonly kind: 'ttl'; readonly ttlMs: number }

/** The ownership of a node that lives until it is deleted. */
export const PERSISTENT: Ownership = Object.freeze({ kind: 'persistent' })

/** The ownership of a node that is removed some time after its last child. */
export const CONTAINER: Ownership = Object.freeze({ kind: 'container' })

/** Longest time to live: a file has five bytes for it. */
export const TTL_MS_MAX = 2 ** 40 - 1

const NO_NAMES: readonly string[] = Object.freeze([])
const NO_PARTS: readonly (readonly string[])[] = Object.freeze([])

const CONTAINER_OWNER = -(2n ** 63n)
const TTL_OWNER = -(2n ** 56n)
const TTL_END = TTL_OWNER + 2n ** 40n

/** A node as it was at one moment. */
export interface NodeImage {
  readonly data: Uint8Array | null
  readonly acl: readonly Acl[]
  readonly ownership: Ownership
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly pzxid: bigint
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  readonly aversion: number
  readonly childCreates: number
  /** Names of its children, sorted by code unit, in parts. */
  readonly names: readonly (readonly string[])[]
}

/** Everything about a node that the servers agree on. Only the tree changes it. */
export class TreeNode {
  acl: readonly Acl[]
  readonly ownership: Ownership
  readonly czxid: bigint
  mzxid: bigint
  pzxid: bigint
  /** Milliseconds since 1970, by the clock of the leader that took the create. */
  readonly ctime: number
  /** Milliseconds since 1970 of the last change of the data, likewise. */
  mtime: number
  version = 0
  aversion = 0
  /** How often a child was created, as an int32 that wraps. */
  childCreates = 0
  /** The node above; null for the root, and for a node that is not in the tree yet. */
  parent: TreeNode | null = null
  #children: Children<TreeNode> | null = null
  /** The memory that its data is in; null if it has none. */
  #memory: ArrayBufferLike | null = null
  #dataStart = 0
  #dataLength = 0

  constructor(data: Uint8Array | null, acl: readonly Acl[], ownership: Ownership, zxid: bigint, timeMs: number) {
    if (data !== null) this.data = data
    this.acl = acl
    this.ownership = ownership
    this.czxid = zxid
    this.mzxid = zxid
    this.pzxid = zxid
    this.ctime = timeMs
    this.mtime = timeMs
  }

  /** Its data, which must not be written to. */
  get data(): Uint8Array | null {
    return this.#memory === null ? null : new Uint8Array(this.#memory, this.#dataStart, this.#dataLength)
  }

  set data(data: Uint8Array | null) {
    this.#memory = data === null ? null : data.buffer
    this.#dataStart = data === null ? 0 : data.byteOffset
    this.#dataLength = data === null ? 0 : data.length
  }

  /** Number of its children. */
  get numChildren(): number {
    return this.#children === null ? 0 : this.#children.count
  }

  /** Length of the names of its children together. */
  get childChars(): number {
    return this.#children === null ? 0 : this.#children.chars
  }

  /** Length of its data in bytes. */
  get dataLength(): number {
    return this.#dataLength
  }

  /** Names of its children, sorted by code unit. The array never changes: a later change makes another one. */
  get children(): readonly string[] {
    return this.#children === null ? NO_NAMES : this.#children.names
  }

  /** Number of nodes below it, at any depth. */
  get descendantCount(): number {
    return this.#children === null ? 0 : this.#children.descendantCount
  }

  /** Length of the data of all nodes below it, in bytes. */
  get descendantBytes(): number {
    return this.#children === null ? 0 : this.#children.descendantBytes
  }

  /** The child of this name. */
  child(name: string): TreeNode | undefined {
    return this.#children?.get(name)
  }

  /** Its children with their names, in no order; undefined if it has none. */
  childNodes(): Iterator<readonly [string, TreeNode]> | undefined {
    return this.#children?.entries()
  }

  /** Adds a child; false if there was one of this name, which it has replaced then. */
  addChild(name: string, node: TreeNode): boolean {
    this.#children ??= new Children()
    return this.#children.add(name, node)
  }

  /** Removes a child. */
  removeChild(name: string): void {
    this.#children?.remove(name)
    if (this.#children?.count === 0) this.#children = null
  }

  /** Removes a child and leaves its name, until {@link TreeNode.removeNames}. */
  detachChild(name: string): void {
    this.#children?.detach(name)
  }

  /**
   * Removes the names of children that were detached.
   *
   * @param paths - theirs, sorted by code unit
   * @param from - where the names begin in them
   * @throws AssertionError if one is not there
   */
  removeNames(paths: readonly string[], from: number): void {
    this.#children?.removeAll(paths, from)
    if (this.#children?.count === 0) this.#children = null
  }

  /** Counts nodes and bytes that come or go below it. */
  countBelow(nodes: number, bytes: number): void {
    if (this.#children === null) return
    this.#children.descendantCount += nodes
    this.#children.descendantBytes += bytes
  }

  /** The node as it is now, whatever becomes of it. */
  image(): NodeImage {
    const { data, acl, ownership, czxid, mzxid, pzxid, ctime, mtime, version, aversion, childCreates } = this
    const names = this.#children === null ? NO_PARTS : this.#children.freeze()
    return { data, acl, ownership, czxid, mzxid, pzxid, ctime, mtime, version, aversion, childCreates, names }
  }

  /** The stat as clients see it, as a value of its own. */
  stat(): StatRecord {
    const numChildren = this.numChildren
    return {
      czxid: this.czxid,
      mzxid: this.mzxid,
      ctime: this.ctime,
      mtime: this.mtime,
      version: this.version,
      cversion: (2 * this.childCreates - numChildren) | 0,
      aversion: this.aversion,
      ephemeralOwner: this.ownership.kind === 'ephemeral' ? this.ownership.owner : 0n,
      dataLength: this.dataLength,
      numChildren,
      pzxid: this.pzxid,
    }
  }
}

/** The `ephemeralOwner` that stands for an ownership in files. */
export function ownerNumberOf(ownership: Ownership): bigint {
  switch (ownership.kind) {
    case 'persistent':
      return 0n
    case 'ephemeral':
      return ownership.owner
    case 'container':
      return CONTAINER_OWNER
    case 'ttl':
      return TTL_OWNER + BigInt(ownership.ttlMs)
  }
}

/**
 * The ownership that an `ephemeralOwner` in a file stands for.
 *
 * @returns null if it stands for none: the mark of extended types with an unknown type
 */
export function ownershipOf(ownerNumber: bigint): Ownership | null {
  if (ownerNumber === 0n) return PERSISTENT
  if (ownerNumber === CONTAINER_OWNER) return CONTAINER
  if (ownerNumber < TTL_OWNER || ownerNumber >= 0n) return { kind: 'ephemeral', owner: ownerNumber }
  if (ownerNumber === TTL_OWNER || ownerNumber >= TTL_END) return null
  return { kind: 'ttl', ttlMs: Number(ownerNumber - TTL_OWNER) }
}

/** Whether a session may have this id: one that no kind of node is marked with. */
export function isSessionId(id: bigint): boolean {
  return ownershipOf(id)?.kind === 'ephemeral'
}
