/**
 * The leader's decisions that are not applied yet: the tree and the sessions as they will be.
 *
 * Model     a layer over the applied state. A look-up sees the latest decision about a node or session, or else what
 *           is applied; a decision leaves the layer when the last transaction that touched the same thing has been
 *           applied.
 * Multi     its decisions go to a draft above the layer, which is kept or dropped as a whole, so that a refused multi
 *           leaves no trace, no parent's counter either (ZOOKEEPER-1624).
 * Ends      a session can own very many nodes. When its end is decided, those of them that are applied and that no
 *           later decision is about count as gone by their owner, without a decision for each.
 * Source    ChangeRecord and outstandingChanges of PrepRequestProcessor.java.
 */
import { assert } from '../../../../core/assert.ts'
import type { Acl } from '../../../wire/records.ts'
import type { Ownership } from '../state/node.ts'
import type { SessionTable } from '../state/session-table.ts'
import type { Tree } from '../state/tree.ts'

/** The part of a node that later requests are judged by. */
export interface NodeFacts {
  /** zxid of the transaction that creates it. */
  readonly czxid: bigint
  readonly ownership: Ownership
  readonly version: number
  /** How often a child was created, as an int32 that wraps. */
  readonly childCreates: number
  readonly numChildren: number
  /** Milliseconds since 1970 of the last change of the data. */
  readonly mtime: number
  readonly dataLength: number
  readonly acl: readonly Acl[]
  readonly aversion: number
}

interface Decision {
  readonly zxid: bigint
}

interface NodeDecision extends Decision {
  readonly path: string
  /** Null: deleted. */
  readonly facts: NodeFacts | null
}

interface SessionDecision extends Decision {
  readonly id: bigint
  readonly isOpen: boolean
}

/** Decided ones that have been dropped stay in the queue's array until there are this many. */
const DROPPED_MAX = 1024

/** The nodes and sessions as they will be when all that was decided has been applied. */
export class Outstanding {
  readonly #tree: Tree
  readonly #sessions: SessionTable
  #latestNodes = new Map<string, NodeDecision>()
  readonly #latestSessions = new Map<bigint, SessionDecision>()
  /** By owner, the decisions about ephemeral nodes that are in force or were replaced by later ones. */
  readonly #ephemerals = new Map<bigint, Set<NodeDecision>>()
  /** Sessions whose end is decided and not applied, with its zxid: the nodes that they own in the tree will be gone. */
  readonly #ending = new Map<bigint, bigint>()
  readonly #nodeQueue = new DecisionQueue<NodeDecision>()
  readonly #sessionQueue = new DecisionQueue<SessionDecision>()
  #draft: Map<string, NodeDecision> | null = null

  constructor(tree: Tree, sessions: SessionTable) {
    this.#tree = tree
    this.#sessions = sessions
  }

  /** Number of nodes, sessions and owners of nodes whose latest decision has not been applied; 0 if all has been. */
  get count(): number {
    return this.#latestNodes.size + this.#latestSessions.size + this.#ephemerals.size + this.#ending.size
  }

  /** The node that will be at a path, or undefined if there will be none. */
  node(path: string): NodeFacts | undefined {
    const decision = this.#draft?.get(path) ?? this.#latestNodes.get(path)
    return decision === undefined ? this.#applied(path) : (decision.facts ?? undefined)
  }

  /** Notes what a node will be; null: it will be gone. */
  setNode(path: string, facts: NodeFacts | null, zxid: bigint): void {
    const decision: NodeDecision = { zxid, path, facts }
    if (this.#draft === null) this.#keep(decision)
    else this.#draft.set(path, decision)
  }

  /** Whether a session will be open. */
  isOpen(id: bigint): boolean {
    return this.#latestSessions.get(id)?.isOpen ?? this.#sessions.has(id)
  }

  /** Notes that a session will be open or over; with its end, its ephemeral nodes will be gone. */
  setSession(id: bigint, isOpen: boolean, zxid: bigint): void {
    if (!isOpen) {
      for (const path of this.#decidedEphemeralsOf(id)) this.setNode(path, null, zxid)
      this.#ending.set(id, zxid)
    }
    const decision: SessionDecision = { zxid, id, isOpen }
    this.#latestSessions.set(id, decision)
    this.#sessionQueue.push(decision)
  }

  /** Paths of the ephemeral nodes that a session will own, sorted by code unit. */
  ephemeralsOf(id: bigint): readonly string[] {
    const applied = this.#ending.has(id) ? [] : this.#tree.ephemeralsOf(id)
    if (this.#latestNodes.size === 0) return applied
    const undecided = applied.filter((path) => !this.#latestNodes.has(path))
    return [...undecided, ...this.#decidedEphemeralsOf(id)].sort()
  }

  /** Begins a draft. */
  begin(): void {
    assert(this.#draft === null, 'one multi at a time')
    this.#draft = new Map()
  }

  /** Keeps what was decided since the draft began. */
  commit(): void {
    const draft = this.#draft
    assert(draft !== null, 'a draft to keep')
    this.#draft = null
    // To put every decision of a large multi into another map would be a good part of the work.
    if (this.#latestNodes.size === 0) this.#latestNodes = draft
    else for (const decision of draft.values()) this.#latestNodes.set(decision.path, decision)
    for (const decision of draft.values()) this.#queue(decision)
  }

  /** Drops what was decided since the draft began. */
  rollback(): void {
    assert(this.#draft !== null, 'a draft to drop')
    this.#draft = null
  }

  /** Drops what the tree knows by itself, now that the transactions up to this zxid have been applied. */
  applied(zxid: bigint): void {
    this.#nodeQueue.drop(zxid, (decision) => {
      if (this.#latestNodes.get(decision.path) === decision) this.#latestNodes.delete(decision.path)
      this.#forgetEphemeral(decision)
    })
    this.#sessionQueue.drop(zxid, (decision) => {
      if (this.#latestSessions.get(decision.id) === decision) this.#latestSessions.delete(decision.id)
      if (this.#ending.get(decision.id) === decision.zxid) this.#ending.delete(decision.id)
    })
  }

  /** Takes back what was decided under this zxid, the latest, and drops a draft that was left. */
  revoke(zxid: bigint): void {
    this.#draft = null
    for (const { path } of this.#nodeQueue.revoke(zxid, (decision) => this.#forgetEphemeral(decision))) {
      const latest = this.#nodeQueue.latest((decision) => decision.path === path)
      if (latest === undefined) this.#latestNodes.delete(path)
      else this.#latestNodes.set(path, latest)
    }
    for (const { id } of this.#sessionQueue.revoke(zxid, () => undefined)) {
      const latest = this.#sessionQueue.latest((decision) => decision.id === id)
      if (latest === undefined) this.#latestSessions.delete(id)
      else this.#latestSessions.set(id, latest)
      const end = this.#sessionQueue.latest((decision) => decision.id === id && !decision.isOpen)
      if (end === undefined) this.#ending.delete(id)
      else this.#ending.set(id, end.zxid)
    }
  }

  /** The node at a path as it is applied, unless its owner's end is decided. */
  #applied(path: string): NodeFacts | undefined {
    const node = this.#tree.get(path)
    const isGone = node?.ownership.kind === 'ephemeral' && this.#ending.has(node.ownership.owner)
    return isGone ? undefined : node
  }

  /** Those of a session's nodes that a decision is about. */
  #decidedEphemeralsOf(id: bigint): string[] {
    const paths: string[] = []
    for (const decision of this.#ephemerals.get(id) ?? []) {
      if (this.#latestNodes.get(decision.path) === decision) paths.push(decision.path)
    }
    return paths
  }

  #keep(decision: NodeDecision): void {
    this.#latestNodes.set(decision.path, decision)
    this.#queue(decision)
  }

  #queue(decision: NodeDecision): void {
    this.#nodeQueue.push(decision)
    const ownership = decision.facts?.ownership
    if (ownership?.kind !== 'ephemeral') return
    const decisions = this.#ephemerals.get(ownership.owner)
    if (decisions === undefined) this.#ephemerals.set(ownership.owner, new Set([decision]))
    else decisions.add(decision)
  }

  #forgetEphemeral(decision: NodeDecision): void {
    const ownership = decision.facts?.ownership
    if (ownership?.kind !== 'ephemeral') return
    const decisions = this.#ephemerals.get(ownership.owner)
    decisions?.delete(decision)
    if (decisions?.size === 0) this.#ephemerals.delete(ownership.owner)
  }
}

/** Decisions in the order of their zxids, dropped from the front. */
class DecisionQueue<D extends Decision> {
  #items: D[] = []
  #head = 0

  push(decision: D): void {
    this.#items.push(decision)
  }

  /** Drops the decisions of this zxid, which are the latest ones, and tells of each. */
  revoke(zxid: bigint, onDrop: (decision: D) => void): D[] {
    let end = this.#items.length
    while (end > this.#head && this.#items[end - 1]?.zxid === zxid) end -= 1
    const revoked = this.#items.splice(end)
    for (const decision of revoked) onDrop(decision)
    return revoked
  }

  /** The latest decision of this kind. */
  latest(isMeant: (decision: D) => boolean): D | undefined {
    for (let at = this.#items.length - 1; at >= this.#head; at--) {
      const decision = this.#items[at]
      if (decision !== undefined && isMeant(decision)) return decision
    }
    return undefined
  }

  /** Drops every decision up to this zxid, and tells of each. */
  drop(zxid: bigint, onDrop: (decision: D) => void): void {
    for (;;) {
      const decision = this.#items[this.#head]
      if (decision === undefined || decision.zxid > zxid) break
      this.#head += 1
      onDrop(decision)
    }
    if (this.#head > DROPPED_MAX) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
  }
}
