/**
 * The replicated state in bytes.
 *
 * Format    zxid of the last transaction; sessions (count; id, time-out, password each); access control lists (count;
 *           number, list each); nodes in pre-order, children sorted (path, record each), and `/` to end them. Behind
 *           the zxid and but for the passwords it is the body of ZooKeeper 3.8's snapshot files: the root's path is
 *           empty, and `ephemeralOwner` marks the kind of node.
 * Safety    whatever is read raises nothing but CoordinationError `PROTOCOL_VIOLATION`; a state with a hole is refused.
 * Source    SerializeUtils.serializeSnapshot, DataTree.serializeNode, ReferenceCountedACLCache.java.
 */
import { assert } from '../../../../core/assert.ts'
import { isValidPath, joinPath, parentOf } from '../../../../core/path.ts'
import {
  Reader,
  Writer,
  buffer,
  int32,
  int64,
  millis,
  record,
  ustring,
  violation,
} from '../../../wire/jute.ts'
import { AclList, OPEN_ACL } from '../../../wire/records.ts'
import type { Acl } from '../../../wire/records.ts'
import { TreeNode, isSessionId, ownerNumberOf, ownershipOf } from './node.ts'
import { SessionTable } from './session-table.ts'
import { SPECIAL_PATHS, Tree } from './tree.ts'

/** The contents of a snapshot. */
interface SnapshotContent {
  readonly tree: Tree
  readonly sessions: SessionTable
  /** zxid of the last transaction that is in it. */
  readonly lastZxid: bigint
}

const SessionRecord = record({ id: int64, timeoutMs: int32, passwd: buffer })
const AclRecord = record({ number: int64, acl: AclList })
const NodeRecord = record({
  data: buffer,
  aclNumber: int64,
  czxid: int64,
  mzxid: int64,
  ctime: millis,
  mtime: millis,
  version: int32,
  /** The count of child creates, not what clients see. */
  cversion: int32,
  aversion: int32,
  ephemeralOwner: int64,
  pzxid: int64,
})

/** Stands for {@link OPEN_ACL}, which is not in the table. */
const OPEN_ACL_NUMBER = -1n
const END_OF_NODES = '/'
const ROOT_IN_FILE = ''

/** Writes a state. Equal states give equal bytes. */
export function writeSnapshot({ tree, sessions, lastZxid }: SnapshotContent): Uint8Array {
  const writer = new Writer()
  writer.int64(lastZxid)
  const entries = sessions.entries()
  writer.int32(entries.length)
  for (const [id, { timeoutMs, passwd }] of entries) SessionRecord.write(writer, { id, timeoutMs, passwd })

  const paths: string[] = []
  forEachPath(tree, '/', (path) => paths.push(path))
  const acls = new AclNumbers()
  for (const path of paths) acls.numberOf(nodeAt(tree, path).acl)
  writer.int32(acls.lists.length)
  for (const [i, acl] of acls.lists.entries()) AclRecord.write(writer, { number: BigInt(i + 1), acl })
  for (const path of paths) {
    const node = nodeAt(tree, path)
    ustring.write(writer, path === '/' ? ROOT_IN_FILE : path)
    writeNode(writer, node, acls.numberOf(node.acl))
  }
  ustring.write(writer, END_OF_NODES)
  return writer.finish()
}

/**
 * Reads a state.
 *
 * @throws CoordinationError `PROTOCOL_VIOLATION` (outcome `corrupt`) if the bytes are not exactly one
 */
export function readSnapshot(bytes: Uint8Array): SnapshotContent {
  const reader = new Reader(bytes)
  const lastZxid = reader.int64()
  const sessions = readSessions(reader)
  const acls = readAcls(reader)
  const tree = new Tree()
  tree.clear()
  for (;;) {
    const fileName = ustring.read(reader)
    if (fileName === END_OF_NODES) break
    readNode(reader, fileName === ROOT_IN_FILE ? '/' : fileName, { tree, sessions, acls })
  }
  reader.end()
  for (const path of SPECIAL_PATHS) if (tree.get(path) === undefined) throw violation(`a snapshot without ${path}`)
  return { tree, sessions, lastZxid }
}

/** Numbers of lists, from 1 in the order in which the nodes come: no history in them. */
class AclNumbers {
  readonly lists: (readonly Acl[])[] = []
  readonly #numbers = new Map<string, bigint>()

  numberOf(acl: readonly Acl[]): bigint {
    if (acl === OPEN_ACL) return OPEN_ACL_NUMBER
    const text = JSON.stringify(acl.map(({ perms, scheme, id }) => [perms, scheme, id]))
    const known = this.#numbers.get(text)
    if (known !== undefined) return known
    this.lists.push(acl)
    const number = BigInt(this.lists.length)
    this.#numbers.set(text, number)
    return number
  }
}

/** Calls back for a node and all below it, parents first, names sorted. No recursion: paths can be deep. */
function forEachPath(tree: Tree, root: string, visit: (path: string) => void): void {
  const stack = [root]
  for (let path = stack.pop(); path !== undefined; path = stack.pop()) {
    visit(path)
    for (const name of nodeAt(tree, path).children.toReversed()) stack.push(joinPath(path, name))
  }
}

function nodeAt(tree: Tree, path: string): TreeNode {
  const node = tree.get(path)
  assert(node !== undefined, () => `no node ${path}`)
  return node
}

function writeNode(writer: Writer, node: TreeNode, aclNumber: bigint): void {
  const { data, czxid, mzxid, pzxid, ctime, mtime, version, aversion } = node
  NodeRecord.write(writer, {
    data,
    aclNumber,
    czxid,
    mzxid,
    ctime,
    mtime,
    version,
    cversion: node.childCreates,
    aversion,
    ephemeralOwner: ownerNumberOf(node.ownership),
    pzxid,
  })
}

function readSessions(reader: Reader): SessionTable {
  const sessions = new SessionTable()
  const count = readCount(reader)
  for (let i = 0; i < count; i++) {
    const { id, timeoutMs, passwd } = SessionRecord.read(reader)
    if (!isSessionId(id) || sessions.has(id) || passwd === null) throw violation(`session ${id} in a snapshot`)
    sessions.add(id, { timeoutMs, passwd: passwd.slice() })
  }
  return sessions
}

function readAcls(reader: Reader): ReadonlyMap<bigint, readonly Acl[]> {
  const acls = new Map<bigint, readonly Acl[]>([[OPEN_ACL_NUMBER, OPEN_ACL]])
  const count = readCount(reader)
  for (let i = 0; i < count; i++) {
    const { number, acl } = AclRecord.read(reader)
    if (acls.has(number)) throw violation(`two access control lists ${number} in a snapshot`)
    acls.set(number, acl)
  }
  return acls
}

/** A count of records; each takes bytes, so that a count that is too great ends with the bytes. */
function readCount(reader: Reader): number {
  const count = reader.int32()
  if (count < 0 || count > reader.remaining) {
    throw violation(`${count} records where ${reader.remaining} bytes are left`)
  }
  return count
}

interface Restoring {
  readonly tree: Tree
  readonly sessions: SessionTable
  readonly acls: ReadonlyMap<bigint, readonly Acl[]>
}

function readNode(reader: Reader, path: string, { tree, sessions, acls }: Restoring): void {
  const fields = NodeRecord.read(reader)
  if (!isValidPath(path) || tree.get(path) !== undefined) throw violation(`node ${JSON.stringify(path)} in a snapshot`)
  const parent = path === '/' ? null : tree.get(parentOf(path))
  if (parent === undefined || parent?.ownership.kind === 'ephemeral') throw violation(`node ${path} without a parent`)
  const ownership = ownershipOf(fields.ephemeralOwner)
  const acl = acls.get(fields.aclNumber)
  if (ownership === null || acl === undefined) throw violation(`node ${path} with an unknown owner or list`)
  if (ownership.kind === 'ephemeral' && !sessions.has(ownership.owner)) {
    throw violation(`node ${path} without its session`)
  }
  // A copy: a view would keep the whole snapshot in memory as long as any of its nodes lives.
  const data = fields.data === null ? null : fields.data.slice()
  const node = new TreeNode(data, acl, ownership, fields.czxid, fields.ctime)
  node.mzxid = fields.mzxid
  node.pzxid = fields.pzxid
  node.mtime = fields.mtime
  node.version = fields.version
  node.aversion = fields.aversion
  node.childCreates = fields.cversion
  tree.insert(path, node)
}
