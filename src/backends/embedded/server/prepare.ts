/**
 * Makes transactions of requests: the leader's decision, taken in the order of zxids.
 *
 * Model     a request is judged by the state as it will be when everything decided before has been applied
 *           (outstanding.ts). It becomes facts that every server can apply without judging again, or an error
 *           transaction with its number.
 * Order     the checks are in the reference's order, so that a request that is wrong in two ways gets the same number.
 * Numbers   every request uses up its zxid, also a refused one.
 * Source    PrepRequestProcessor.java, EphemeralType.java of ZooKeeper 3.8.
 */
import { assert, unreachable } from '../../../core/assert.ts'
import { isValidPath, parentOf, sequenceSuffix } from '../../../core/path.ts'
import { CreateFlag, Err, OpCode } from '../../protocol/codes.ts'
import type {
  CheckRequest,
  CreateRequest,
  CreateTtlRequest,
  DeleteRequest,
  MultiOperation,
  SetDataRequest,
} from '../../protocol/records.ts'
import type { CreateSessionTxn, DeleteTxn, Transaction, TxnBody } from '../../protocol/transactions.ts'
import { CONTAINER, PERSISTENT, TTL_MS_MAX, isSessionId } from './node.ts'
import type { Ownership } from './node.ts'
import { Outstanding } from './outstanding.ts'
import type { NodeFacts } from './outstanding.ts'
import type { SessionTable } from './sessions.ts'
import { SPECIAL_PATHS, isReapable } from './tree.ts'
import type { Moment, Tree } from './tree.ts'

type CreateOp = typeof OpCode.create | typeof OpCode.create2 | typeof OpCode.createContainer

/** What a write asks for. Servers ask to begin sessions and to remove containers, applications for the rest. */
export type WriteOperation =
  | { readonly op: CreateOp; readonly body: CreateRequest }
  | { readonly op: typeof OpCode.createTTL; readonly body: CreateTtlRequest }
  | { readonly op: typeof OpCode.delete; readonly body: DeleteRequest }
  | { readonly op: typeof OpCode.setData; readonly body: SetDataRequest }
  | { readonly op: typeof OpCode.multi; readonly body: readonly MultiOperation[] }
  | { readonly op: typeof OpCode.createSession; readonly body: CreateSessionTxn }
  | { readonly op: typeof OpCode.closeSession; readonly body: null }
  | { readonly op: typeof OpCode.deleteContainer; readonly body: DeleteTxn }

/** A write, with the session in whose name it is and that session's number for it. */
export type WriteRequest = { readonly sessionId: bigint; readonly xid: number } & WriteOperation

/** What became of a request or of a part of a multi: a transaction's body, or the error number that refuses it. */
type Decided = TxnBody | number

interface Context extends Moment {
  readonly sessionId: bigint
}

/** The leader's decisions, of one term: a new one begins with {@link Preparer.reset}. */
export class Preparer {
  readonly #state: { readonly tree: Tree; readonly sessions: SessionTable }
  #outstanding: Outstanding
  #lastZxid = 0n

  /**
   * @param state - what has been applied; it changes only by the transactions made here, in their order
   */
  constructor(state: { readonly tree: Tree; readonly sessions: SessionTable }) {
    this.#state = state
    this.#outstanding = new Outstanding(state.tree, state.sessions)
  }

  /** Number of nodes and sessions whose latest decision has not been applied yet; 0 if all has been. */
  get outstanding(): number {
    return this.#outstanding.count
  }

  /**
   * Decides a request.
   *
   * @param zxid - where it stands in the order; greater than all before
   * @param timeMs - the leader's wall clock in milliseconds since 1970
   * @param refusal - an error number, if the request must not be done whatever it asks for; `Err.ok` otherwise
   * @returns the transaction to propose; one of type `error`, or a multi of nothing but errors, if it is refused
   */
  prepare(request: WriteRequest, zxid: bigint, timeMs: number, refusal: number = Err.ok): Transaction {
    assert(zxid > this.#lastZxid, () => `prepare of zxid ${zxid} behind ${this.#lastZxid}`)
    this.#lastZxid = zxid
    const { sessionId, xid } = request
    const decided = refusal === Err.ok ? this.#decide(request, { sessionId, zxid, time: timeMs }) : refusal
    const txn = typeof decided === 'number' ? errorOf(decided) : decided
    return { header: { clientId: sessionId, cxid: xid, zxid, time: timeMs, type: txn.type }, txn }
  }

  /** Forgets the decisions up to this zxid, which have been applied to the state that this was made with. */
  applied(zxid: bigint): void {
    this.#outstanding.applied(zxid)
  }

  /** Forgets every decision: a new term begins, and what was not applied is no more. */
  reset(): void {
    this.#outstanding = new Outstanding(this.#state.tree, this.#state.sessions)
    this.#lastZxid = 0n
  }

  #decide(request: WriteOperation, context: Context): Decided {
    switch (request.op) {
      case OpCode.multi:
        return this.#decideMulti(request.body, context)
      case OpCode.createSession:
        return this.#decideCreateSession(request.body, context)
      case OpCode.closeSession:
        return this.#decideCloseSession(context)
      case OpCode.deleteContainer:
        return this.#decideDeleteContainer(request.body.path, context)
      default:
        return this.#decidePart(request, context)
    }
  }

  #decidePart(part: NodeOperation, context: Context): Decided {
    switch (part.op) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        return this.#decideCreate(part, context)
      case OpCode.delete:
        return this.#decideDelete(part.body, context)
      case OpCode.setData:
        return this.#decideSetData(part.body, context)
      case OpCode.check:
        return this.#decideCheck(part.body)
      default:
        return unreachable(part, 'write operation')
    }
  }

  #decideCreate(request: Creation, context: Context): Decided {
    const { path, acl, flags } = request.body
    const ownership = ownershipFor(request, context.sessionId)
    if (ownership === null) return Err.badArguments
    if (ownership.kind === 'ephemeral' && !this.#outstanding.isOpen(ownership.owner)) return Err.sessionExpired
    const slash = path.lastIndexOf('/')
    if (slash === -1 || path.includes('\0')) return Err.badArguments
    if (acl.length === 0) return Err.invalidAcl
    const parentPath = slash === 0 ? '/' : path.slice(0, slash)
    const parent = this.#outstanding.node(parentPath)
    if (parent === undefined) return Err.noNode
    const fullPath = isSequential(flags) ? path + sequenceSuffix(parent.childCreates) : path
    if (!isValidPath(fullPath)) return Err.badArguments
    if (this.#outstanding.node(fullPath) !== undefined) return Err.nodeExists
    if (parent.ownership.kind === 'ephemeral') return Err.noChildrenForEphemerals

    const parentCVersion = (parent.childCreates + 1) | 0
    this.#changeParent(parentPath, parent, 1, parentCVersion, context)
    const facts = { ownership, version: 0, childCreates: 0, numChildren: 0, mtime: context.time }
    this.#outstanding.setNode(fullPath, facts, context.zxid)
    const data = copyOf(request.body.data)
    const body = { path: fullPath, data, acl, parentCVersion }
    switch (ownership.kind) {
      case 'container':
        return { type: OpCode.createContainer, body }
      case 'ttl':
        return { type: OpCode.createTTL, body: { ...body, ttl: BigInt(ownership.ttlMs) } }
      default:
        return {
          type: request.op === OpCode.create ? OpCode.create : OpCode.create2,
          body: { path: fullPath, data, acl, ephemeral: ownership.kind === 'ephemeral', parentCVersion },
        }
    }
  }

  #decideDelete({ path, version }: DeleteRequest, context: Context): Decided {
    const slash = path.lastIndexOf('/')
    if (slash === -1 || path.includes('\0') || SPECIAL_PATHS.includes(path)) return Err.badArguments
    // A missing parent and a missing node have the same number, so that one look-up tells both.
    const node = this.#outstanding.node(path)
    if (node === undefined) return Err.noNode
    if (!isVersion(version, node.version)) return Err.badVersion
    if (node.numChildren > 0) return Err.notEmpty
    this.#remove(path, context)
    return { type: OpCode.delete, body: { path } }
  }

  #decideSetData({ path, data, version }: SetDataRequest, context: Context): Decided {
    if (!isValidPath(path)) return Err.badArguments
    const node = this.#outstanding.node(path)
    if (node === undefined) return Err.noNode
    if (!isVersion(version, node.version)) return Err.badVersion
    const next = versionAfter(node.version)
    const { ownership, childCreates, numChildren } = node
    const facts = { ownership, version: next, childCreates, numChildren, mtime: context.time }
    this.#outstanding.setNode(path, facts, context.zxid)
    return { type: OpCode.setData, body: { path, data: copyOf(data), version: next } }
  }

  #decideCheck({ path, version }: CheckRequest): Decided {
    if (!isValidPath(path)) return Err.badArguments
    const node = this.#outstanding.node(path)
    if (node === undefined) return Err.noNode
    if (!isVersion(version, node.version)) return Err.badVersion
    return { type: OpCode.check, body: { path, version: versionAfter(node.version) } }
  }

  /** All parts, or the error of the first that is refused: 0 for those before it, "inconsistency" for those behind. */
  #decideMulti(parts: readonly MultiOperation[], context: Context): TxnBody {
    const bodies: TxnBody[] = []
    this.#outstanding.begin()
    for (const part of parts) {
      const decided = this.#decidePart(part, context)
      if (typeof decided === 'number') {
        this.#outstanding.rollback()
        const errors = parts.map((_, i) => {
          return errorOf(i < bodies.length ? Err.ok : i === bodies.length ? decided : Err.runtimeInconsistency)
        })
        return { type: OpCode.multi, body: errors }
      }
      bodies.push(decided)
    }
    this.#outstanding.commit()
    return { type: OpCode.multi, body: bodies }
  }

  #decideCreateSession(body: CreateSessionTxn, { sessionId, zxid }: Context): Decided {
    if (!isSessionId(sessionId)) return Err.badArguments
    // Two servers drew the same id: whoever comes second draws again.
    if (this.#outstanding.isOpen(sessionId)) return Err.systemError
    this.#outstanding.setSession(sessionId, true, zxid)
    return { type: OpCode.createSession, body }
  }

  #decideCloseSession(context: Context): Decided {
    const { sessionId, zxid } = context
    if (!this.#outstanding.isOpen(sessionId)) return Err.sessionExpired
    const paths = this.#outstanding.ephemeralsOf(sessionId)
    for (const path of paths) this.#remove(path, context)
    this.#outstanding.setSession(sessionId, false, zxid)
    return { type: OpCode.closeSession, body: { paths2Delete: paths } }
  }

  /**
   * A node that was found to be over may have been used again since: it is judged once more. The reference does not
   * look at the time again, and can remove a node that was just made or renewed.
   */
  #decideDeleteContainer(path: string, context: Context): Decided {
    const node = this.#outstanding.node(path)
    if (node === undefined) return Err.noNode
    if (node.numChildren > 0) return Err.notEmpty
    if (!isReapable(node, context.time)) return Err.badVersion
    this.#remove(path, context)
    return { type: OpCode.deleteContainer, body: { path } }
  }

  #remove(path: string, context: Context): void {
    const parentPath = parentOf(path)
    const parent = this.#outstanding.node(parentPath)
    assert(parent !== undefined, () => `a parent of ${path}`)
    this.#changeParent(parentPath, parent, -1, parent.childCreates, context)
    this.#outstanding.setNode(path, null, context.zxid)
  }

  #changeParent(path: string, parent: NodeFacts, delta: number, childCreates: number, { zxid }: Context): void {
    const { ownership, version, mtime } = parent
    const numChildren = parent.numChildren + delta
    this.#outstanding.setNode(path, { ownership, version, childCreates, numChildren, mtime }, zxid)
  }
}

type WholeOp =
  | typeof OpCode.multi
  | typeof OpCode.createSession
  | typeof OpCode.closeSession
  | typeof OpCode.deleteContainer
type NodeOperation = Exclude<WriteOperation, { op: WholeOp }> | MultiOperation
type Creation = Extract<WriteOperation | MultiOperation, { body: CreateRequest | CreateTtlRequest }>

const FLAGS: ReadonlySet<number> = new Set(Object.values(CreateFlag))

/** What kind of node a create makes, or null if its flags or its time to live are not right. */
function ownershipFor(request: Creation, sessionId: bigint): Ownership | null {
  const { flags } = request.body
  if (!FLAGS.has(flags)) return null
  const isTtlFlag = flags === CreateFlag.persistentWithTtl || flags === CreateFlag.persistentSequentialWithTtl
  if (request.op === OpCode.createTTL) {
    const { ttl } = request.body
    return isTtlFlag && ttl >= 1n && ttl <= TTL_MS_MAX ? { kind: 'ttl', ttlMs: Number(ttl) } : null
  }
  if (isTtlFlag) return null
  if (request.op === OpCode.createContainer || flags === CreateFlag.container) return CONTAINER
  const isEphemeral = flags === CreateFlag.ephemeral || flags === CreateFlag.ephemeralSequential
  return isEphemeral ? { kind: 'ephemeral', owner: sessionId } : PERSISTENT
}

function isSequential(flags: number): boolean {
  return (
    flags === CreateFlag.persistentSequential ||
    flags === CreateFlag.ephemeralSequential ||
    flags === CreateFlag.persistentSequentialWithTtl
  )
}

function isVersion(wanted: number, actual: number): boolean {
  return wanted === -1 || wanted === actual
}

/** Versions wrap as an int32 and leave out -1, which stands for any (ZOOKEEPER-4743). */
function versionAfter(version: number): number {
  const next = (version + 1) | 0
  return next === -1 ? 0 : next
}

/**
 * The transaction's own data. A request in memory can share its bytes with the application that made it; if that
 * changed them later, this server's copy of the node would differ from the others'. (Not slice(): of a Buffer it is a
 * view.)
 */
function copyOf(data: Uint8Array | null): Uint8Array | null {
  return data === null ? null : new Uint8Array(data)
}

function errorOf(err: number): TxnBody {
  return { type: OpCode.error, body: { err } }
}
