/**
 * The rules of the tree a second time, as plainly as they can be written: one list of nodes, copied for every request,
 * with nothing outstanding. Tests hold the real thing against it.
 */
import { Err, OpCode } from '../../../../../src/backends/wire/codes.ts'
import type { MultiOperation, StatRecord } from '../../../../../src/backends/wire/records.ts'
import type { Wish } from '../pipeline.ts'

interface ModelNode {
  readonly path: string
  readonly data: string
  readonly kind: 'normal' | 'ephemeral' | 'container' | 'ttl'
  readonly owner: bigint
  readonly ttlMs: number
  readonly version: number
  readonly creates: number
  readonly deletes: number
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly pzxid: bigint
  readonly ctime: number
  readonly mtime: number
}

/** What one operation answers: an error, or a path and a stat where it has them. */
export interface ModelResult {
  readonly err: number
  readonly path?: string
  readonly stat?: StatRecord
}

/** What a request answers; `parts` of a multi only. */
export interface ModelReply extends ModelResult {
  readonly parts?: readonly ModelResult[]
}

const SPECIAL = ['/', '/zookeeper', '/zookeeper/config', '/zookeeper/quota']
const VALID = /^\/$|^(\/(?!\.{1,2}(\/|$))[^/\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]+)+$/

function up(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

/** Data as text, with null told from empty. */
export function textOf(data: Uint8Array | null): string {
  return data === null ? 'null' : `bytes ${data.join(' ')}`
}

export class NaiveModel {
  nodes: readonly ModelNode[] = SPECIAL.map((path) => freshNode(path, { zxid: 0n, timeMs: 0 }))
  sessions: readonly bigint[] = []

  node(path: string): ModelNode | undefined {
    return this.nodes.find((node) => node.path === path)
  }

  children(path: string): string[] {
    const below = this.nodes.filter((node) => node.path !== '/' && up(node.path) === path)
    return below.map((node) => node.path.slice(node.path.lastIndexOf('/') + 1)).sort()
  }

  ephemerals(owner: bigint): string[] {
    return this.nodes.filter((node) => node.kind === 'ephemeral' && node.owner === owner).map((node) => node.path)
  }

  stat(path: string): StatRecord | undefined {
    const node = this.node(path)
    if (node === undefined) return undefined
    const { czxid, mzxid, pzxid, ctime, mtime, version, creates, deletes } = node
    // The first nodes have children that nobody created: in the reference, their count of changes begins below zero.
    const initialChildren = { '/': 1, '/zookeeper': 2 }[path] ?? 0
    return {
      czxid,
      mzxid,
      pzxid,
      ctime,
      mtime,
      version,
      cversion: creates + deletes - initialChildren,
      aversion: path === '/zookeeper/config' ? -1 : 0,
      ephemeralOwner: node.kind === 'ephemeral' ? node.owner : 0n,
      dataLength: node.data.startsWith('bytes ') ? node.data.split(' ').filter((word) => /\d/.test(word)).length : 0,
      numChildren: this.children(path).length,
    }
  }

  /** Does a request at once. */
  execute(wish: Wish, at: { sessionId: bigint; zxid: bigint; timeMs: number }): ModelReply {
    switch (wish.op) {
      case OpCode.createSession:
        if (this.sessions.includes(at.sessionId)) return { err: Err.systemError }
        this.sessions = [...this.sessions, at.sessionId]
        return { err: Err.ok }
      case OpCode.closeSession:
        if (!this.sessions.includes(at.sessionId)) return { err: Err.sessionExpired }
        for (const path of this.ephemerals(at.sessionId)) this.#drop(path, at.zxid)
        this.sessions = this.sessions.filter((id) => id !== at.sessionId)
        return { err: Err.ok }
      case OpCode.deleteContainer:
        return { err: this.#deleteContainer(wish.body.path, at) }
      case OpCode.multi: {
        const before = this.nodes
        const strange = wish.body.findIndex(isStrange)
        const parts = wish.body.slice(0, strange === -1 ? undefined : strange).map((part) => {
          return this.#operate(asPart(part), at)
        })
        const failed = parts.findIndex(({ err }) => err !== Err.ok)
        if (failed === -1 && strange === -1) return { err: Err.ok, parts }
        this.nodes = before
        if (failed === -1) return { err: Err.marshallingError }
        const refused = parts[failed]?.err ?? 0
        const numberOf = (i: number) => (i < failed ? 0 : i === failed ? refused : Err.runtimeInconsistency)
        return { err: Err.ok, parts: wish.body.map((_, i) => ({ err: numberOf(i) })) }
      }
      case OpCode.error:
      case OpCode.setAcl:
        throw new Error('the model knows no refusals and no lists')
      default:
        return this.#operate(wish, at)
    }
  }

  #operate(
    wish: MultiOperation | Exclude<Wish, { op: -1 | -10 | -11 | 7 | 14 | 20 }>,
    at: { sessionId: bigint; zxid: bigint; timeMs: number },
  ): ModelResult {
    switch (wish.op) {
      case OpCode.delete: {
        const { path, version } = wish.body
        const node = this.node(path)
        if (!path.includes('/') || SPECIAL.includes(path)) return { err: Err.badArguments }
        if (node === undefined) return { err: Err.noNode }
        if (version !== -1 && version !== node.version) return { err: Err.badVersion }
        if (this.children(path).length > 0) return { err: Err.notEmpty }
        this.#drop(path, at.zxid)
        return { err: Err.ok }
      }
      case OpCode.setData:
      case OpCode.check:
      case OpCode.checkCreation: {
        const { path, version } = wish.body
        const node = this.node(path)
        if (!VALID.test(path)) return { err: Err.badArguments }
        if (node === undefined) return { err: Err.noNode }
        if (version !== -1 && version !== node.version) return { err: Err.badVersion }
        if (wish.op === OpCode.check) return { err: Err.ok }
        if (wish.op === OpCode.checkCreation) return { err: wish.body.czxid === node.czxid ? Err.ok : Err.badVersion }
        const changed = { version: node.version + 1, mzxid: at.zxid, mtime: at.timeMs, data: textOf(wish.body.data) }
        this.#put({ ...node, ...changed })
        return this.#answer(path, false)
      }
      default:
        return this.#create(wish, at)
    }
  }

  #create(
    wish: Extract<Wish | MultiOperation, { op: 1 | 15 | 19 | 21 }>,
    { sessionId, zxid, timeMs }: { sessionId: bigint; zxid: bigint; timeMs: number },
  ): ModelResult {
    const { path, data, flags } = wish.body
    const ttl = 'ttl' in wish.body ? Number(wish.body.ttl) : 0
    const isTtl = flags === 5 || flags === 6
    if (flags < 0 || flags > 6 || isTtl !== (wish.op === OpCode.createTTL)) return { err: Err.badArguments }
    if (isTtl && (ttl < 1 || ttl >= 2 ** 40)) return { err: Err.badArguments }
    const isContainer = wish.op === OpCode.createContainer
    const isEphemeral = !isContainer && (flags === 1 || flags === 3)
    if (isEphemeral && !this.sessions.includes(sessionId)) return { err: Err.sessionExpired }
    if (!path.includes('/')) return { err: Err.badArguments }
    const parent = this.node(up(path))
    if (parent === undefined) return { err: Err.noNode }
    const full = [2, 3, 6].includes(flags) ? path + `${parent.creates}`.padStart(10, '0') : path
    if (!VALID.test(full)) return { err: Err.badArguments }
    if (this.node(full) !== undefined) return { err: Err.nodeExists }
    if (parent.kind === 'ephemeral') return { err: Err.noChildrenForEphemerals }
    this.#put({ ...parent, creates: parent.creates + 1, pzxid: zxid })
    const kind = isTtl ? 'ttl' : isContainer ? 'container' : isEphemeral ? 'ephemeral' : 'normal'
    const fresh = freshNode(full, { zxid, timeMs })
    this.#put({ ...fresh, kind, owner: isEphemeral ? sessionId : 0n, ttlMs: ttl, data: textOf(data) })
    return this.#answer(full, true)
  }

  #deleteContainer(path: string, { zxid, timeMs }: { zxid: bigint; timeMs: number }): number {
    const node = this.node(path)
    if (node === undefined) return Err.noNode
    if (this.children(path).length > 0) return Err.notEmpty
    const isUsed = node.kind === 'container' && node.creates > 0
    const isOld = node.kind === 'ttl' && timeMs > node.mtime + node.ttlMs
    if (!isUsed && !isOld) return Err.badVersion
    this.#drop(path, zxid)
    return Err.ok
  }

  #answer(path: string, withPath: boolean): ModelResult {
    const stat = this.stat(path)
    if (stat === undefined) throw new Error(`the model lost ${path}`)
    return withPath ? { err: Err.ok, path, stat } : { err: Err.ok, stat }
  }

  #put(node: ModelNode): void {
    this.nodes = [...this.nodes.filter(({ path }) => path !== node.path), node]
  }

  #drop(path: string, zxid: bigint): void {
    this.nodes = this.nodes.filter((node) => node.path !== path)
    const parent = this.node(up(path))
    if (parent !== undefined) this.#put({ ...parent, deletes: parent.deletes + 1, pzxid: zxid })
  }
}

/** In a multi, a plain create with the flag of a time to live is none. */
function isStrange({ op, body }: MultiOperation): boolean {
  return 'flags' in body && op !== OpCode.createTTL && (body.flags === 5 || body.flags === 6)
}

/** In a multi, the flag alone says what a create makes. */
function asPart(part: MultiOperation): MultiOperation {
  if (!('flags' in part.body) || part.body.flags === 5 || part.body.flags === 6) return part
  return { op: part.body.flags === 4 ? OpCode.createContainer : OpCode.create, body: part.body }
}

function freshNode(path: string, { zxid, timeMs }: { zxid: bigint; timeMs: number }): ModelNode {
  return {
    path,
    data: 'bytes ',
    kind: 'normal',
    owner: 0n,
    ttlMs: 0,
    version: 0,
    creates: 0,
    deletes: 0,
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctime: timeMs,
    mtime: timeMs,
  }
}
