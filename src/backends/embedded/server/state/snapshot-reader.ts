/**
 * Reads a snapshot from chunks as they come, however they are cut; see snapshot.ts for the format.
 *
 * Model     records are taken as soon as all their bytes are there. What is left of a chunk waits for the next one.
 * Safety    whatever is read raises nothing but CoordinationError `PROTOCOL_VIOLATION`; a state with a hole is refused.
 * Cost      work and memory in proportion to what has come.
 */
import { isValidPath, parentOf } from '../../../../core/path.ts'
import { Reader, ustring, violation } from '../../../wire/jute.ts'
import { OPEN_ACL } from '../../../wire/records.ts'
import type { Acl } from '../../../wire/records.ts'
import { TreeNode, isSessionId, ownershipOf } from './node.ts'
import { SessionTable } from './session-table.ts'
import { AclRecord, END_OF_NODES, NodeRecord, OPEN_ACL_NUMBER, ROOT_IN_FILE, SessionRecord } from './snapshot.ts'
import type { SnapshotContent } from './snapshot.ts'
import { SPECIAL_PATHS, Tree } from './tree.ts'

/** A field is so many bytes long, or begins with its length. */
type Field = number | 'counted'

const COUNT_BYTES = 4
const HEADER: readonly Field[] = [8, COUNT_BYTES]
const SESSION: readonly Field[] = [8, 4, 'counted']
const COUNT: readonly Field[] = [COUNT_BYTES]
const ACL_NUMBER_BYTES = 8
const ACL_ENTRY: readonly Field[] = [4, 'counted', 'counted']
const PATH: readonly Field[] = ['counted']
/** Path, data, and the rest of {@link NodeRecord}. */
const NODE: readonly Field[] = ['counted', 'counted', 68]

/** What is read next. */
type Section = 'header' | 'sessions' | 'list count' | 'lists' | 'nodes' | 'end'

/** Makes a state of chunks. */
export class SnapshotReader {
  readonly #tree = new Tree()
  readonly #sessions = new SessionTable()
  readonly #acls = new Map<bigint, readonly Acl[]>([[OPEN_ACL_NUMBER, OPEN_ACL]])
  readonly #reader = new Reader(new Uint8Array())
  #lastZxid = 0n
  #section: Section = 'header'
  /** Records of this section that are still to come. */
  #left = 0
  /** What has come and was not read yet. */
  #chunks: Uint8Array[] = []
  #length = 0
  /** Without so many bytes there is no use in another try. */
  #needed = 0

  constructor() {
    this.#tree.clear()
  }

  /**
   * Takes the next chunk, whose bytes must not change.
   *
   * @throws CoordinationError `PROTOCOL_VIOLATION` (outcome `corrupt`) if it does not go on with a snapshot
   */
  write(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    if (this.#length < this.#needed) return
    const bytes = this.#chunks.length === 1 ? chunk : joined(this.#chunks, this.#length)
    const read = this.#read(bytes)
    this.#length = bytes.length - read
    this.#chunks = this.#length === 0 ? [] : [bytes.slice(read)]
    if (this.#section === 'end' && this.#length > 0) throw violation('bytes after the end of a snapshot')
  }

  /**
   * The state, once all has come.
   *
   * @throws CoordinationError `PROTOCOL_VIOLATION` (outcome `corrupt`) if something is missing
   */
  finish(): SnapshotContent {
    if (this.#section !== 'end') throw violation(`a snapshot that ends within its ${this.#section}`)
    for (const path of SPECIAL_PATHS) {
      if (this.#tree.get(path) === undefined) throw violation(`a snapshot without ${path}`)
    }
    return { tree: this.#tree, sessions: this.#sessions, lastZxid: this.#lastZxid }
  }

  /** Reads the records that are there as a whole; returns where they end. */
  #read(bytes: Uint8Array): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let at = 0
    this.#needed = 0
    while (this.#section !== 'end') {
      const end = this.#endOfNext(view, at)
      if (end > bytes.length) {
        this.#needed = end - at
        return at
      }
      this.#reader.reset(bytes.subarray(at, end))
      this.#readNext()
      this.#reader.end()
      at = end
    }
    return at
  }

  /** Where the next record ends, if all of it is there; otherwise somewhere after the end of what is there. */
  #endOfNext(view: DataView, at: number): number {
    switch (this.#section) {
      case 'header':
        return endOf(HEADER, view, at)
      case 'sessions':
        return endOf(SESSION, view, at)
      case 'list count':
        return endOf(COUNT, view, at)
      case 'lists':
        return endOfList(view, at)
      case 'nodes': {
        const isEnd = view.byteLength - at >= COUNT_BYTES && view.getInt32(at) === END_OF_NODES.length
        // The one path of one character. No node has it: the root's is empty, and others are longer.
        return endOf(isEnd ? PATH : NODE, view, at)
      }
      case 'end':
        return at
    }
  }

  #readNext(): void {
    switch (this.#section) {
      case 'header':
        this.#lastZxid = this.#reader.int64()
        this.#begin('sessions', 'list count')
        return
      case 'sessions':
        this.#readSession()
        this.#left -= 1
        if (this.#left === 0) this.#section = 'list count'
        return
      case 'list count':
        this.#begin('lists', 'nodes')
        return
      case 'lists':
        this.#readAcl()
        this.#left -= 1
        if (this.#left === 0) this.#section = 'nodes'
        return
      case 'nodes': {
        const path = ustring.read(this.#reader)
        if (path === END_OF_NODES) this.#section = 'end'
        else this.#readNode(path === ROOT_IN_FILE ? '/' : path)
        return
      }
      case 'end':
    }
  }

  /** Reads a count of records, and goes on with those, or with what follows if there are none. */
  #begin(section: Section, next: Section): void {
    this.#left = this.#reader.int32()
    if (this.#left < 0) throw violation(`${this.#left} records in a snapshot`)
    this.#section = this.#left === 0 ? next : section
  }

  #readSession(): void {
    const { id, timeoutMs, passwd } = SessionRecord.read(this.#reader)
    if (!isSessionId(id) || this.#sessions.has(id) || passwd === null) throw violation(`session ${id} in a snapshot`)
    this.#sessions.add(id, { timeoutMs, passwd: passwd.slice() })
  }

  #readAcl(): void {
    const { number, acl } = AclRecord.read(this.#reader)
    if (this.#acls.has(number)) throw violation(`two access control lists ${number} in a snapshot`)
    this.#acls.set(number, acl)
  }

  #readNode(path: string): void {
    const fields = NodeRecord.read(this.#reader)
    const tree = this.#tree
    if (!isValidPath(path) || tree.get(path) !== undefined) {
      throw violation(`node ${JSON.stringify(path)} in a snapshot`)
    }
    const parent = path === '/' ? null : tree.get(parentOf(path))
    if (parent === undefined || parent?.ownership.kind === 'ephemeral') throw violation(`node ${path} without a parent`)
    if ([fields.czxid, fields.mzxid, fields.pzxid].some((zxid) => zxid > this.#lastZxid)) {
      throw violation(`node ${path} of a later zxid than its snapshot`)
    }
    const ownership = ownershipOf(fields.ephemeralOwner)
    const acl = this.#acls.get(fields.aclNumber)
    if (ownership === null || acl === undefined) throw violation(`node ${path} with an unknown owner or list`)
    if (ownership.kind === 'ephemeral' && !this.#sessions.has(ownership.owner)) {
      throw violation(`node ${path} without its session`)
    }
    // A copy: a view would keep the whole chunk in memory as long as any of its nodes lives.
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
}

function endOf(fields: readonly Field[], view: DataView, from: number): number {
  let at = from
  for (const field of fields) {
    if (field !== 'counted') at += field
    else if (at + COUNT_BYTES > view.byteLength) return at + COUNT_BYTES
    else at += COUNT_BYTES + Math.max(0, view.getInt32(at))
  }
  return at
}

function endOfList(view: DataView, from: number): number {
  const counted = from + ACL_NUMBER_BYTES
  if (counted + COUNT_BYTES > view.byteLength) return counted + COUNT_BYTES
  let at = counted + COUNT_BYTES
  for (let left = view.getInt32(counted); left > 0 && at <= view.byteLength; left--) at = endOf(ACL_ENTRY, view, at)
  return at
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
