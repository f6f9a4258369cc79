/**
 * The meaning of the committed transactions, written a second time: the judge of the answers of servers and clients.
 *
 * Model     each transaction is replayed once, in order. Every node keeps what it was at each zxid, so that the state
 *           at any zxid can be asked for at any later time.
 * Judged    a transaction that does not fit the state before it (a version that is not the next, an ephemeral node
 *           without its session, a session that ends with others than its own nodes) is a violation: the leader decided
 *           wrongly.
 * Apart     of the servers' code it uses the encoding of transactions, and nothing else.
 */
import type { Stat } from '../src/core/backend.ts'
import { nameOf, parentOf } from '../src/core/path.ts'
import { OpCode } from '../src/backends/wire/codes.ts'
import { decodeTransaction } from '../src/backends/wire/transactions.ts'
import type { Transaction, TxnBody, TxnHeader } from '../src/backends/wire/transactions.ts'
import type { LocalSessionsMode } from '../src/backends/embedded/server/ports.ts'
import { Violation } from './check.ts'
import { Timeline } from './timeline.ts'

/** The kind of a node. */
export type NodeKind = 'persistent' | 'ephemeral' | 'container' | 'ttl'

/** A node as it was at some zxid. */
export interface ModelNode {
  readonly kind: NodeKind
  readonly data: Uint8Array
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly pzxid: bigint
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  readonly aversion: number
  readonly owner: bigint
  /** Milliseconds; 0 unless it has a time to live. */
  readonly ttlMs: number
  /** How many children were ever created, and how many deleted. */
  readonly creates: number
  readonly deletes: number
}

/** A session that was opened. */
export interface ModelSession {
  readonly timeoutMs: number
  readonly openedZxid: bigint
  /** Null while it is open. */
  closedZxid: bigint | null
}

/** A change that watches are told of. */
export interface ModelChange {
  readonly type: 'created' | 'changed' | 'deleted'
  readonly path: string
}

/** The result of one part of a transaction. */
export type PartResult =
  | { readonly type: 'create'; readonly path: string; readonly stat: Stat }
  | { readonly type: 'set'; readonly stat: Stat }
  | { readonly type: 'delete' | 'check' }
  | { readonly type: 'error'; readonly err: number }

/** The effect of one transaction. */
export interface Replayed {
  readonly transaction: Transaction
  /** One result; of a multi one per part; none of a session's begin and end. */
  readonly results: readonly PartResult[]
  readonly changes: readonly ModelChange[]
}

const NAME = 'replay'
const NO_BYTES = new Uint8Array()
/** Names of children are copied whole after this many changes of them. */
const NAMES_EVERY = 32
const NOTHING: readonly never[] = Object.freeze([])
/** Nodes that are there from the beginning, and stay. */
export const FIRST_PATHS: readonly string[] = Object.freeze([
  '/',
  '/zookeeper',
  '/zookeeper/config',
  '/zookeeper/quota',
])

/** Names of the children of one node at each zxid. */
class ChildNames {
  readonly #changes: { readonly zxid: bigint; readonly name: string; readonly isThere: boolean }[] = []
  readonly #copies: ReadonlySet<string>[] = [new Set()]
  readonly #now = new Set<string>()

  change(zxid: bigint, name: string, isThere: boolean): void {
    if (isThere) this.#now.add(name)
    else this.#now.delete(name)
    this.#changes.push({ zxid, name, isThere })
    if (this.#changes.length % NAMES_EVERY === 0) this.#copies.push(new Set(this.#now))
  }

  get count(): number {
    return this.#now.size
  }

  at(zxid: bigint): string[] {
    let end = this.#changes.length
    if ((this.#changes[end - 1]?.zxid ?? 0n) <= zxid) return [...this.#now].sort()
    while (end > 0 && (this.#changes[end - 1]?.zxid ?? 0n) > zxid) end -= 1
    const copy = Math.floor(end / NAMES_EVERY)
    const names = new Set(this.#copies[copy])
    for (let i = copy * NAMES_EVERY; i < end; i++) {
      const change = this.#changes[i]
      if (change?.isThere === true) names.add(change.name)
      else if (change !== undefined) names.delete(change.name)
    }
    return [...names].sort()
  }
}

/** The state of the ensemble at every zxid up to now. */
export class Model {
  readonly #nodes = new Map<string, Timeline<ModelNode | null>>()
  readonly #names = new Map<string, ChildNames>()
  /** When each path was created, changed or deleted; and when its children's names changed, or it was deleted. */
  readonly #ofNode = new Map<string, Timeline<ModelChange['type']>>()
  readonly #ofChildren = new Map<string, Timeline<'children' | 'deleted'>>()
  readonly #sessions = new Map<bigint, ModelSession>()
  readonly #owned = new Map<bigint, Set<string>>()
  readonly #replayed = new Map<bigint, Replayed>()
  /** Whether the servers know new sessions alone. */
  readonly localSessions: LocalSessionsMode
  #zxid = 0n
  #nodeCount = 0
  #sessionCount = 0

  /** Makes the state that every ensemble begins with. */
  constructor(localSessions: LocalSessionsMode = 'off') {
    this.localSessions = localSessions
    const header = { clientId: 0n, cxid: 0, zxid: 0n, time: 0, type: OpCode.create }
    for (const path of FIRST_PATHS) {
      this.#put(path, 0n, newNode(header, 'persistent', NO_BYTES, 0))
      this.#nodeCount += 1
      if (path === '/') continue
      // These were never created by a transaction, so that a parent's counts begin below zero.
      const parent = this.#existing(parentOf(path))
      this.#put(parentOf(path), 0n, { ...parent, deletes: parent.deletes - 1 })
      this.#namesOf(parentOf(path)).change(0n, nameOf(path), true)
    }
    const config = this.#existing('/zookeeper/config')
    this.#put('/zookeeper/config', 0n, { ...config, aversion: -1 })
  }

  /** zxid of the last transaction. */
  get zxid(): bigint {
    return this.#zxid
  }

  /** How many nodes there are now. */
  get nodeCount(): number {
    return this.#nodeCount
  }

  /** How many sessions are open now. */
  get sessionCount(): number {
    return this.#sessionCount
  }

  /** Every session that was ever opened. */
  get sessions(): ReadonlyMap<bigint, ModelSession> {
    return this.#sessions
  }

  /** Paths of all nodes that were ever there. */
  pathsEver(): IterableIterator<string> {
    return this.#nodes.keys()
  }

  /** Whether a session is open now. */
  isOpen(sessionId: bigint): boolean {
    return this.#sessions.get(sessionId)?.closedZxid === null
  }

  /** Whether a session is one that a server alone knows, or knew: its beginning is in no transaction. */
  isLocal(sessionId: bigint): boolean {
    return this.localSessions !== 'off' && !this.#sessions.has(sessionId)
  }

  /** A node as it was once everything up to this zxid was done; null if it was not there. */
  node(path: string, zxid: bigint = this.#zxid): ModelNode | null {
    return this.#nodes.get(path)?.at(zxid) ?? null
  }

  /** A node's stat as clients see it. */
  stat(path: string, zxid: bigint = this.#zxid): Stat | null {
    const node = this.node(path, zxid)
    return node === null ? null : statOf(node)
  }

  /** Names of a node's children, sorted; empty if it was not there. */
  names(path: string, zxid: bigint = this.#zxid): string[] {
    return this.#names.get(path)?.at(zxid) ?? []
  }

  /** Paths of the ephemeral nodes that a session owns now, sorted. */
  ephemeralsOf(sessionId: bigint): string[] {
    return [...(this.#owned.get(sessionId) ?? [])].sort()
  }

  /** The effect of the transaction of a zxid; undefined if there is none. */
  replayed(zxid: bigint): Replayed | undefined {
    return this.#replayed.get(zxid)
  }

  /** The first change after a zxid that a watch is notified of; null if there is none yet. */
  nextTrigger(path: string, kind: 'node' | 'children', zxid: bigint): bigint | null {
    return (kind === 'node' ? this.#ofNode : this.#ofChildren).get(path)?.nextAfter(zxid) ?? null
  }

  /**
   * Replays the next transaction.
   *
   * @throws Violation if it does not fit
   */
  replay(zxid: bigint, bytes: Uint8Array): Replayed {
    const transaction = decodeTransaction(bytes)
    const { header, txn } = transaction
    expect(header.zxid === zxid && zxid > this.#zxid, () => `${describe(header)} at ${zxid} behind ${this.#zxid}`)
    this.#zxid = zxid
    const changes: ModelChange[] = []
    const results = this.#apply(txn, header, changes)
    const replayed = { transaction, results, changes: changes.length === 0 ? NOTHING : changes }
    this.#replayed.set(zxid, replayed)
    return replayed
  }

  #apply(txn: TxnBody, header: TxnHeader, changes: ModelChange[]): readonly PartResult[] {
    switch (txn.type) {
      case OpCode.createSession:
        this.#openSession(header, txn.body.timeOut)
        return NOTHING
      case OpCode.closeSession:
        this.#closeSession(header, txn.body.paths2Delete, changes)
        return NOTHING
      case OpCode.error:
        return [{ type: 'error', err: txn.body.err }]
      case OpCode.multi: {
        const refused = txn.body.filter(({ type }) => type === OpCode.error).length
        expect(refused === 0 || refused === txn.body.length, () => `${describe(header)} is refused in part`)
        if (refused === 0) this.#expectOpen(header)
        return txn.body.map((part) => this.#part(part, header, changes))
      }
      default:
        // The first configuration is a request of a leader's own.
        const isOwn = txn.type === OpCode.reconfig && header.clientId === 0n
        if (txn.type !== OpCode.deleteContainer && !isOwn) this.#expectOpen(header)
        return [this.#part(txn, header, changes)]
    }
  }

  /** A session's transactions are made while it is open; when a local one ends is no matter of the history. */
  #expectOpen(header: TxnHeader): void {
    const isOpen = this.isOpen(header.clientId) || this.isLocal(header.clientId)
    expect(isOpen, () => `${describe(header)} of a session that is not open`)
  }

  #part(txn: TxnBody, header: TxnHeader, changes: ModelChange[]): PartResult {
    switch (txn.type) {
      case OpCode.create:
      case OpCode.create2:
        return this.#create(txn.body, txn.body.ephemeral ? 'ephemeral' : 'persistent', header, changes)
      case OpCode.createContainer:
        return this.#create(txn.body, 'container', header, changes)
      case OpCode.createTTL:
        return this.#create(txn.body, 'ttl', header, changes, Number(txn.body.ttl))
      case OpCode.deleteContainer:
        this.#expectOver(txn.body.path, header)
        this.#delete(txn.body.path, header, changes)
        return { type: 'delete' }
      case OpCode.delete:
        this.#delete(txn.body.path, header, changes)
        return { type: 'delete' }
      case OpCode.setData:
        return this.#set(txn.body, nextVersion(this.#existing(txn.body.path).version), header, changes)
      case OpCode.reconfig:
        // The reference keeps the version of this node at -1.
        return this.#set(txn.body, -1, header, changes)
      case OpCode.check:
        this.#existing(txn.body.path)
        return { type: 'check' }
      case OpCode.error:
        return { type: 'error', err: txn.body.err }
      default:
        throw new Violation(NAME, `${describe(header)} has a part of type ${txn.type}`)
    }
  }

  #create(
    { path, data, parentCVersion }: { path: string; data: Uint8Array | null; parentCVersion: number },
    kind: NodeKind,
    header: TxnHeader,
    changes: ModelChange[],
    ttlMs = 0,
  ): PartResult {
    expect(this.node(path) === null, () => `${describe(header)} creates ${path}, which is there`)
    const parentPath = parentOf(path)
    const parent = this.#existing(parentPath)
    expect(parent.kind !== 'ephemeral', () => `${describe(header)} creates ${path} below an ephemeral node`)
    const creates = (parent.creates + 1) | 0
    expect(parentCVersion === creates, () => {
      return `${describe(header)} is child create ${parentCVersion} of ${parentPath}, expected ${creates}`
    })
    const node = newNode(header, kind, data ?? NO_BYTES, ttlMs)
    this.#put(path, header.zxid, node)
    this.#put(parentPath, header.zxid, { ...parent, creates, pzxid: header.zxid })
    this.#nodeCount += 1
    this.#namesOf(parentPath).change(header.zxid, nameOf(path), true)
    const isOwned = kind !== 'ephemeral' || this.isOpen(header.clientId)
    expect(isOwned, () => `${describe(header)} creates ${path} for a session that owns nothing`)
    if (kind === 'ephemeral') ownedSet(this.#owned, header.clientId).add(path)
    this.#changed({ type: 'created', path }, header, changes)
    return { type: 'create', path, stat: statOf(node) }
  }

  #set(
    { path, data, version }: { path: string; data: Uint8Array | null; version: number },
    next: number,
    header: TxnHeader,
    changes: ModelChange[],
  ): PartResult {
    const node = this.#existing(path)
    expect(version === next, () => `${describe(header)} makes version ${version} of ${path}, expected ${next}`)
    const { zxid, time } = header
    const changed = { ...node, data: data ?? NO_BYTES, version, mzxid: zxid, mtime: time }
    this.#put(path, zxid, changed)
    this.#changed({ type: 'changed', path }, header, changes)
    return { type: 'set', stat: statOf(changed) }
  }

  #delete(path: string, header: TxnHeader, changes: ModelChange[]): void {
    const node = this.#existing(path)
    const children = this.#names.get(path)?.count ?? 0
    expect(children === 0, () => `${describe(header)} deletes ${path}, which has ${children} children`)
    expect(!FIRST_PATHS.includes(path), () => `${describe(header)} deletes ${path}`)
    const parentPath = parentOf(path)
    const parent = this.#existing(parentPath)
    this.#put(path, header.zxid, null)
    this.#put(parentPath, header.zxid, { ...parent, deletes: (parent.deletes + 1) | 0, pzxid: header.zxid })
    this.#nodeCount -= 1
    this.#namesOf(parentPath).change(header.zxid, nameOf(path), false)
    if (node.kind === 'ephemeral') this.#owned.get(node.owner)?.delete(path)
    this.#changed({ type: 'deleted', path }, header, changes)
  }

  /** The servers remove a node by themselves only when its time is over. */
  #expectOver(path: string, header: TxnHeader): void {
    const node = this.#existing(path)
    expect(isOver(node, header.time), () => `${describe(header)} removes ${path}, whose time is not over`)
  }

  #openSession({ clientId, zxid }: TxnHeader, timeoutMs: number): void {
    const known = this.#sessions.get(clientId)
    expect(known === undefined, () => {
      return `session ${clientId} is opened at ${zxid}, it was at ${known?.openedZxid ?? 0n} before`
    })
    this.#sessions.set(clientId, { timeoutMs, openedZxid: zxid, closedZxid: null })
    this.#sessionCount += 1
  }

  #closeSession(header: TxnHeader, paths: readonly string[], changes: ModelChange[]): void {
    expect(this.isOpen(header.clientId), () => `${describe(header)} ends a session that is not open`)
    const owned = this.ephemeralsOf(header.clientId)
    expect(owned.length === paths.length && [...paths].sort().every((path, i) => path === owned[i]), () => {
      return `session ${header.clientId} ends with ${paths.join(' ')}, it owns ${owned.join(' ')}`
    })
    for (const path of paths) this.#delete(path, header, changes)
    const session = this.#sessions.get(header.clientId)
    if (session !== undefined) session.closedZxid = header.zxid
    this.#owned.delete(header.clientId)
    this.#sessionCount -= 1
  }

  #changed(change: ModelChange, { zxid }: TxnHeader, changes: ModelChange[]): void {
    changes.push(change)
    const { type, path } = change
    timelineOf(this.#ofNode, path).set(zxid, type)
    if (type === 'changed') return
    timelineOf(this.#ofChildren, parentOf(path)).set(zxid, 'children')
    if (type === 'deleted') timelineOf(this.#ofChildren, path).set(zxid, 'deleted')
  }

  #put(path: string, zxid: bigint, node: ModelNode | null): void {
    timelineOf(this.#nodes, path).set(zxid, node)
  }

  #namesOf(path: string): ChildNames {
    const known = this.#names.get(path)
    if (known !== undefined) return known
    const names = new ChildNames()
    this.#names.set(path, names)
    return names
  }

  #existing(path: string): ModelNode {
    const node = this.#nodes.get(path)?.latest ?? null
    if (node === null) throw new Violation(NAME, `the transaction ${this.#zxid} needs ${path}, which is not there`)
    return node
  }
}

/** A node's stat as clients see it. */
function statOf(node: ModelNode): Stat {
  const { czxid, mzxid, pzxid, ctime, mtime, version, aversion, owner, creates, deletes, data } = node
  return {
    czxid,
    mzxid,
    pzxid,
    ctime,
    mtime,
    version,
    cversion: (creates + deletes) | 0,
    aversion,
    ephemeralOwner: owner,
    dataLength: data.length,
    numChildren: (creates - deletes) | 0,
  }
}

/** Whether the servers may remove a node without children by themselves. */
export function isOver({ kind, creates, mtime, ttlMs }: ModelNode, timeMs: number): boolean {
  return (kind === 'container' && creates > 0) || (kind === 'ttl' && timeMs - mtime > ttlMs)
}

/** The version after this one: an int32 that leaves out -1, which stands for any. */
export function nextVersion(version: number): number {
  const next = (version + 1) | 0
  return next === -1 ? 0 : next
}

function newNode({ clientId, zxid, time }: TxnHeader, kind: NodeKind, data: Uint8Array, ttlMs: number): ModelNode {
  const owner = kind === 'ephemeral' ? clientId : 0n
  const zxids = { czxid: zxid, mzxid: zxid, pzxid: zxid }
  const counts = { version: 0, aversion: 0, creates: 0, deletes: 0 }
  return { kind, data, ...zxids, ctime: time, mtime: time, owner, ttlMs, ...counts }
}

function describe({ clientId, cxid, zxid }: TxnHeader): string {
  return `transaction ${zxid} (request ${cxid} of session ${clientId})`
}

function expect(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new Violation(NAME, message())
}

function timelineOf<T>(timelines: Map<string, Timeline<T>>, path: string): Timeline<T> {
  const known = timelines.get(path)
  if (known !== undefined) return known
  const timeline = new Timeline<T>()
  timelines.set(path, timeline)
  return timeline
}

function ownedSet(owned: Map<bigint, Set<string>>, owner: bigint): Set<string> {
  const known = owned.get(owner)
  if (known !== undefined) return known
  const paths = new Set<string>()
  owned.set(owner, paths)
  return paths
}
