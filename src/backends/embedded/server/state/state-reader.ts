/**
 * Makes a state from a snapshot, in chunks as they come, however they are cut.
 *
 * Model     the format is read by wire/disk/snapshot-reader.ts; this puts what it reads in its place.
 * Safety    whatever is read raises nothing but CoordinationError `PROTOCOL_VIOLATION`; a state with a hole is refused.
 * Cost      work and memory in proportion to what has come.
 */
import { CoordinationError } from '../../../../core/errors.ts'
import { isValidPath } from '../../../../core/path.ts'
import { DamageError } from '../../../wire/disk/damage.ts'
import { SnapshotReader } from '../../../wire/disk/snapshot-reader.ts'
import type { SnapshotItem } from '../../../wire/disk/snapshot-reader.ts'
import { DIGEST_VERSION } from '../../../wire/disk/log-entries.ts'
import type { SessionSecret, SnapshotDigest, SnapshotNode, SnapshotSession } from '../../../wire/disk/snapshot-file.ts'
import { TreeDigest, contentDigest, isDigested, nodeDigest } from '../../../wire/disk/tree-digest.ts'
import { violation } from '../../../wire/jute.ts'
import { OPEN_ACL } from '../../../wire/records.ts'
import type { Acl } from '../../../wire/records.ts'
import { TreeNode, isSessionId, ownershipOf } from './node.ts'
import { SessionTable } from './session-table.ts'
import { OPEN_ACL_NUMBER } from './snapshot.ts'
import type { SnapshotContent } from './snapshot.ts'
import { SPECIAL_PATHS, Tree } from './tree.ts'
import { zooKeeperPassword } from '../../../wire/zookeeper-password.ts'


/** The list of a node whose own is not in the snapshot: nobody may do anything, until the log says more. */
const NO_ACL: readonly Acl[] = Object.freeze([])

/** Reads one snapshot. */
export class StateReader {
  readonly #name: string
  readonly #reader: SnapshotReader
  readonly #tree = new Tree()
  readonly #sessions = new SessionTable()
  readonly #acls = new Map<bigint, readonly Acl[]>([[OPEN_ACL_NUMBER, OPEN_ACL]])
  /** Whether it must have our sections, and not only those that a ZooKeeper writes. */
  readonly #isOurs: boolean
  #passwords = 0
  /** A reference of the snapshot to a list or a session that it does not hold; null if there is none. */
  #hole: string | null = null
  #isExact = false
  /** The digest of the nodes that have come. */
  readonly #digest = new TreeDigest()
  /** The digest that the snapshot claims. */
  #claimed: SnapshotDigest | null = null
  #lastZxid: bigint | null
  /** The greatest zxid of a node. */
  #latestZxid = 0n

  /**
   * Makes a reader.
   *
   * @param name - of the file, for errors
   * @param zxid - of the last transaction that is in it, if its name says so; ours say it themselves
   */
  constructor(name = 'snapshot', zxid: bigint | null = null) {
    this.#name = name
    this.#reader = new SnapshotReader(name)
    this.#isOurs = zxid === null
    this.#lastZxid = zxid
    this.#tree.clear()
  }

  /**
   * Whether it is the state of one zxid, as ours are: one of ZooKeeper can hold parts of later transactions. Known at
   * the end.
   */
  get isExact(): boolean {
    return this.#isExact
  }

  /** The greatest zxid that it has something of, as far as one can see; known at the end. */
  get latestZxid(): bigint {
    const zxids = [this.#latestZxid, this.#lastZxid ?? 0n, this.#claimed?.zxid ?? 0n]
    return zxids.reduce((latest, zxid) => (zxid > latest ? zxid : latest))
  }

  /** The digest of the nodes that have come. */
  get digest(): bigint {
    return this.#digest.value
  }

  /**
   * Takes the next chunk, whose bytes must not change.
   *
   * @throws CoordinationError `PROTOCOL_VIOLATION` (outcome `corrupt`) if it does not continue a snapshot
   */
  write(chunk: Uint8Array): void {
    this.#take(() => this.#reader.push(chunk))
  }

  /**
   * The state, once all has come.
   *
   * @throws CoordinationError `PROTOCOL_VIOLATION` (outcome `corrupt`) if something is missing
   */
  finish(): SnapshotContent {
    this.#take(() => this.#reader.end())
    const lastZxid = this.#lastZxid
    if (lastZxid === null) throw violation('a snapshot that does not say how far it goes')
    if (this.#isOurs || this.#isExact) {
      const hasPasswords = this.#passwords === this.#sessions.size
      if (!hasPasswords) throw violation('a snapshot without all its passwords')
      if (this.#hole !== null) throw violation(this.#hole)
    }
    if (this.#isExact && this.#latestZxid > lastZxid) throw violation('a snapshot with a node of a later zxid')
    if (this.#isExact) this.#expectDigest(lastZxid)
    for (const path of SPECIAL_PATHS) {
      if (this.#tree.get(path) === undefined) throw violation(`a snapshot without ${path}`)
    }
    return { tree: this.#tree, sessions: this.#sessions, lastZxid }
  }

  /** One of ZooKeeper can be of a later zxid; one of ours is of the snapshot's, if there is one. */
  #expectDigest(lastZxid: bigint): void {
    const claimed = this.#claimed
    if (claimed === null || claimed.zxid !== lastZxid || lastZxid === 0n || claimed.version !== DIGEST_VERSION) return
    const { value } = this.#digest
    if (claimed.value === value) return
    const what = `the digest of its nodes is ${value}, and it says ${claimed.value}`
    throw violation(`${this.#name}: at zxid 0x${lastZxid.toString(16)}: ${what}`)
  }

  #take(read: () => readonly SnapshotItem[]): void {
    try {
      for (const item of read()) this.#put(item)
    } catch (error) {
      if (!(error instanceof DamageError)) throw error
      throw new CoordinationError('PROTOCOL_VIOLATION', error.message, { outcome: 'corrupt', cause: error })
    }
  }

  #put(item: SnapshotItem): void {
    switch (item.kind) {
      case 'session':
        this.#putSession(item.session)
        return
      case 'acl':
        if (this.#acls.has(item.acl.key)) throw violation(`two access control lists ${item.acl.key} in a snapshot`)
        this.#acls.set(item.acl.key, item.acl.acl)
        return
      case 'node':
        this.#putNode(item.node)
        return
      case 'digest':
        this.#claimed = item.digest
        return
      case 'last-zxid':
        this.#lastZxid = item.zxid
        return
      case 'ours':
        this.#isExact = true
        return
      case 'secret':
        this.#putPassword(item.secret)
    }
  }

  #putSession({ id, timeoutMs }: SnapshotSession): void {
    if (!isSessionId(id) || this.#sessions.has(id)) throw violation(`session ${id} in a snapshot`)
    this.#sessions.add(id, { timeoutMs, passwd: zooKeeperPassword(id) })
  }

  #putPassword({ id, passwd }: SessionSecret): void {
    const session = this.#sessions.get(id)
    if (session === undefined) throw violation(`a password of session ${id}, which is not in the snapshot`)
    this.#passwords += 1
    this.#sessions.remove(id)
    this.#sessions.add(id, { timeoutMs: session.timeoutMs, passwd: passwd.slice() })
  }

  #putNode(fields: SnapshotNode): void {
    const { path } = fields
    const tree = this.#tree
    if (!isValidPath(path)) throw violation(`node ${JSON.stringify(path)} in a snapshot`)
    const parent = path === '/' ? null : tree.above(path)
    if (parent === undefined || parent?.ownership.kind === 'ephemeral') throw violation(`node ${path} without a parent`)
    for (const zxid of [fields.czxid, fields.mzxid, fields.pzxid]) {
      if (zxid > this.#latestZxid) this.#latestZxid = zxid
    }
    const ownership = ownershipOf(fields.ephemeralOwner)
    const acl = this.#acls.get(fields.aclKey)
    if (ownership === null) throw violation(`node ${path} with an unknown owner`)
    // A snapshot of ZooKeeper can lack what came after it had written the sessions and the lists.
    if (acl === undefined) this.#hole ??= `node ${path} with an unknown list`
    if (ownership.kind === 'ephemeral' && !this.#sessions.has(ownership.owner)) {
      this.#hole ??= `node ${path} without its session`
    }
    if (isDigested(path)) this.#digest.add(nodeDigest(contentDigest(path, fields.data), fields))
    // The reader has copied the data. Nodes share the memory of such copies: less than all that the snapshot holds.
    const node = new TreeNode(fields.data, acl ?? NO_ACL, ownership, fields.czxid, fields.ctime)
    // A number that is there already is kept: of very many nodes, each one less is memory and time.
    if (fields.mzxid !== fields.czxid) node.mzxid = fields.mzxid
    if (fields.pzxid !== fields.czxid) node.pzxid = fields.pzxid
    if (fields.mtime !== fields.ctime) node.mtime = fields.mtime
    node.version = fields.version
    node.aversion = fields.aversion
    node.childCreates = fields.cversion
    if (!tree.insert(path, node, parent)) throw violation(`two nodes ${JSON.stringify(path)} in a snapshot`)
  }
}
