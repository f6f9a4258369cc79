/**
 * Makes transactions of requests: the leader's decision, taken in the order of zxids.
 *
 * Model     a request is judged by the state as it will be when everything decided before has been applied
 *           (outstanding.ts). It becomes facts that every server can apply without judging again, or an error
 *           transaction with its number.
 * Order     the checks are in the reference's order, so that a request that is wrong in two ways gets the same number.
 *           A change of an access control list holds for what is decided after it; with the reference it does once
 *           it is applied.
 * Numbers   every request uses up its zxid, also a refused one.
 * Source    PrepRequestProcessor.java of ZooKeeper 3.8.
 */
import { assert, unreachable } from '../../../../core/assert.ts'
import { isValidPath, parentOf, sequenceSuffix } from '../../../../core/path.ts'
import { Err, OpCode, Perm } from '../../../wire/codes.ts'
import type {
  CheckCreationRequest,
  CheckRequest,
  DeleteRequest,
  MultiOperation,
  ReconfigRequest,
  SetAclRequest,
  SetDataRequest,
} from '../../../wire/records.ts'
import type { CreateSessionTxn, DeleteTxn, Transaction, TxnBody } from '../../../wire/transactions.ts'
import { ACL_EXPANDED_CHARS_MAX, completedAcl, isPermitted } from '../state/acl.ts'
import type { AclAllowance } from '../state/acl.ts'
import { isSequential, ownershipFor, partOfMulti } from './create-mode.ts'
import type { Creation } from './create-mode.ts'
import type { Identity } from '../state/identities.ts'
import { isSessionId } from '../state/node.ts'
import { Outstanding } from './outstanding.ts'
import type { NodeFacts } from './outstanding.ts'
import { exceedsHardLimit, limitsPathOf, statsPathOf } from '../state/quotas.ts'
import type { Usage } from '../state/quotas.ts'
import type { SessionTable } from '../state/session-table.ts'
import { CONFIG_PATH, SPECIAL_PATHS, isReapable } from '../state/tree.ts'
import type { Moment, Tree } from '../state/tree.ts'
import { nextConfiguration } from './reconfiguration.ts'
import type { Members } from './reconfiguration.ts'

/**
 * The operation of a write. Servers ask to begin sessions and to remove containers, applications for the rest; `error`
 * is a request that cannot be done whatever the state, and still has its place in the order.
 */
export type WriteOperation =
  | NodeOperation
  | { readonly op: typeof OpCode.multi; readonly body: readonly MultiOperation[] }
  | { readonly op: typeof OpCode.createSession; readonly body: CreateSessionTxn }
  | { readonly op: typeof OpCode.closeSession; readonly body: null }
  | { readonly op: typeof OpCode.deleteContainer; readonly body: DeleteTxn }
  | { readonly op: typeof OpCode.reconfig; readonly body: ReconfigRequest }
  | { readonly op: typeof OpCode.error; readonly body: { readonly err: number } }

/** An operation that changes one node, or looks at one. */
type NodeOperation =
  | Creation
  | { readonly op: typeof OpCode.delete; readonly body: DeleteRequest }
  | { readonly op: typeof OpCode.setData; readonly body: SetDataRequest }
  | { readonly op: typeof OpCode.setAcl; readonly body: SetAclRequest }
  | { readonly op: typeof OpCode.check; readonly body: CheckRequest }
  | { readonly op: typeof OpCode.checkCreation; readonly body: CheckCreationRequest }

/** A write, with the session in whose name it is, that session's number for it, and who the client is. */
export type WriteRequest = WriteOperation & {
  readonly sessionId: bigint
  readonly xid: number
  readonly identities: readonly Identity[]
  /**
   * The session's password, if the server that it is on alone knows the session - with `createSession`: has known it
   * alone until now. Absent for a session of the ensemble.
   */
  readonly localPasswd?: Uint8Array
}

/** Options that requests are judged by, beside the state. */
export interface PrepareOptions {
  /** Whether nodes may have a time to live. */
  readonly extendedTypes: boolean
  /** Whether lists may have entries of the scheme sasl. */
  readonly hasSasl: boolean
  /** Whether hard quotas are kept. */
  readonly enforceQuota: boolean
}

/** The decision on a request or on a part of a multi: a transaction's body, or the error number that refuses it. */
type Decided = TxnBody | number

interface Context extends Moment {
  readonly sessionId: bigint
  /** Whether the server that the session is on alone knows it. */
  readonly isLocal: boolean
  readonly identities: readonly Identity[]
  readonly aclAllowance: AclAllowance
}

/** The leader's decisions, of one epoch. */
export class Preparer {
  readonly #state: { readonly tree: Tree; readonly sessions: SessionTable }
  readonly #options: PrepareOptions
  readonly #members: Members | null
  readonly #outstanding: Outstanding
  #lastZxid = 0n

  /**
   * @param state - the applied state; it changes only by the transactions made here, in their order
   * @param members - the servers of the ensemble; null if they cannot be changed
   */
  constructor(
    state: { readonly tree: Tree; readonly sessions: SessionTable },
    options: PrepareOptions,
    members: Members | null = null,
  ) {
    this.#state = state
    this.#options = options
    this.#members = members
    this.#outstanding = new Outstanding(state.tree, state.sessions)
  }

  /** Number of nodes and sessions whose latest decision has not been applied yet; 0 if all has been. */
  get outstanding(): number {
    return this.#outstanding.count
  }

  /** Where the latest decision stands in the order. */
  get lastZxid(): bigint {
    return this.#lastZxid
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
    assert(zxid > this.#lastZxid, () => `prepare of zxid ${zxid} after ${this.#lastZxid}`)
    this.#lastZxid = zxid
    const { sessionId, xid, identities } = request
    const isLocal = request.localPasswd !== undefined
    const aclAllowance = { chars: ACL_EXPANDED_CHARS_MAX, hasSasl: this.#options.hasSasl }
    const context = { sessionId, isLocal, identities, aclAllowance, zxid, time: timeMs }
    const decided = refusal === Err.ok ? this.#decide(request, context) : refusal
    const txn = typeof decided === 'number' ? errorOf(decided) : decided
    return { header: { clientId: sessionId, cxid: xid, zxid, time: timeMs, type: txn.type }, txn }
  }

  /** Forgets the decisions up to this zxid, which have been applied to the state that this was made with. */
  applied(zxid: bigint): void {
    this.#outstanding.applied(zxid)
  }

  /** Takes back the latest decision, after which nothing was decided, as if its request had not come. */
  revoke(zxid: bigint): void {
    this.#outstanding.revoke(zxid)
    this.#lastZxid = zxid - 1n
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
      case OpCode.reconfig:
        return this.#decideReconfig(request.body, context)
      case OpCode.error:
        return request.body.err
      case OpCode.check: {
        const decided = this.#decideCheck(request.body, context)
        // On its own it is no transaction that the reference could read in a log.
        return typeof decided === 'number' ? decided : { type: OpCode.multi, body: [decided] }
      }
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
      case OpCode.setAcl:
        return this.#decideSetAcl(part.body, context)
      case OpCode.check:
        return this.#decideCheck(part.body, context)
      case OpCode.checkCreation:
        return this.#decideCheckCreation(part.body)
      default:
        return unreachable(part, 'write operation')
    }
  }

  #decideCreate(request: Creation, context: Context): Decided {
    const { path, flags } = request.body
    const ownership = ownershipFor(request, context.sessionId, this.#options.extendedTypes)
    if (typeof ownership === 'number') return ownership
    if (ownership.kind === 'ephemeral' && !this.#outstanding.isOpen(ownership.owner)) {
      return context.isLocal ? Err.ephemeralOnLocalSession : Err.sessionExpired
    }
    const slash = path.lastIndexOf('/')
    if (slash === -1 || path.includes('\0')) return Err.badArguments
    const acl = completedAcl(request.body.acl, context.identities, context.aclAllowance)
    if (typeof acl === 'number') return acl
    const parentPath = slash === 0 ? '/' : path.slice(0, slash)
    const parent = this.#outstanding.node(parentPath)
    if (parent === undefined) return Err.noNode
    if (!isPermitted(parent.acl, Perm.create, context.identities)) return Err.noAuth
    const fullPath = isSequential(flags) ? path + sequenceSuffix(parent.childCreates) : path
    if (!isValidPath(fullPath)) return Err.badArguments
    if (this.#outstanding.node(fullPath) !== undefined) return Err.nodeExists
    if (parent.ownership.kind === 'ephemeral') return Err.noChildrenForEphemerals
    const data = copyOf(request.body.data)
    const dataLength = lengthOf(data)
    if (this.#exceedsQuota(fullPath, { count: 1, bytes: dataLength })) return Err.quotaExceeded

    const parentCVersion = (parent.childCreates + 1) | 0
    this.#changeParent(parentPath, parent, 1, parentCVersion, context)
    const { zxid: czxid, time: mtime } = context
    const counts = { version: 0, childCreates: 0, numChildren: 0, aversion: 0 }
    this.#outstanding.setNode(fullPath, { czxid, ownership, mtime, dataLength, acl, ...counts }, czxid)
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
    const parentPath = slash === 0 ? '/' : path.slice(0, slash)
    const parent = this.#outstanding.node(parentPath)
    if (parent === undefined) return Err.noNode
    if (!isPermitted(parent.acl, Perm.delete, context.identities)) return Err.noAuth
    const node = this.#outstanding.node(path)
    if (node === undefined) return Err.noNode
    if (!isVersion(version, node.version)) return Err.badVersion
    if (node.numChildren > 0) return Err.notEmpty
    this.#changeParent(parentPath, parent, -1, parent.childCreates, context)
    this.#outstanding.setNode(path, null, context.zxid)
    return { type: OpCode.delete, body: { path } }
  }

  #decideSetData({ path, data, version }: SetDataRequest, context: Context): Decided {
    const node = this.#permitted(path, Perm.write, context)
    if (typeof node === 'number') return node
    // The servers of an ensemble read there who decides: only a reconfiguration writes it.
    if (path === CONFIG_PATH && this.#members !== null) return Err.badArguments
    const copy = copyOf(data)
    const dataLength = lengthOf(copy)
    if (this.#exceedsQuota(path, { count: 0, bytes: dataLength - node.dataLength })) return Err.quotaExceeded
    if (!isVersion(version, node.version)) return Err.badVersion
    const { czxid, ownership, childCreates, numChildren, acl, aversion } = node
    const next = versionAfter(node.version)
    const mtime = context.time
    const facts = { czxid, ownership, version: next, childCreates, numChildren, mtime, dataLength, acl, aversion }
    this.#outstanding.setNode(path, facts, context.zxid)
    return { type: OpCode.setData, body: { path, data: copy, version: next } }
  }

  #decideSetAcl(request: SetAclRequest, context: Context): Decided {
    const { path, version } = request
    if (!isValidPath(path)) return Err.badArguments
    const acl = completedAcl(request.acl, context.identities, context.aclAllowance)
    if (typeof acl === 'number') return acl
    const node = this.#permitted(path, Perm.admin, context)
    if (typeof node === 'number') return node
    if (!isVersion(version, node.aversion)) return Err.badVersion
    const { czxid, ownership, childCreates, numChildren, mtime, dataLength } = node
    const aversion = versionAfter(node.aversion)
    const counts = { version: node.version, childCreates, numChildren, aversion }
    const facts = { czxid, ownership, mtime, dataLength, acl, ...counts }
    this.#outstanding.setNode(path, facts, context.zxid)
    return { type: OpCode.setAcl, body: { path, acl, version: aversion } }
  }

  #decideCheck({ path, version }: CheckRequest, context: Context): Decided {
    const node = this.#permitted(path, Perm.read, context)
    if (typeof node === 'number') return node
    if (!isVersion(version, node.version)) return Err.badVersion
    return { type: OpCode.check, body: { path, version: versionAfter(node.version) } }
  }

  /**
   * Its transaction is a plain check, which is what the reference knows. It takes no permission: whoever may look at
   * stats, which is everyone, can see the creation.
   */
  #decideCheckCreation({ path, version, czxid }: CheckCreationRequest): Decided {
    if (!isValidPath(path)) return Err.badArguments
    const node = this.#outstanding.node(path)
    if (node === undefined) return Err.noNode
    if (node.czxid !== czxid || !isVersion(version, node.version)) return Err.badVersion
    return { type: OpCode.check, body: { path, version: versionAfter(node.version) } }
  }

  /** A node with which the client may do something, or the error number that says why not. */
  #permitted(path: string, perm: number, { identities }: Context): NodeFacts | number {
    if (!isValidPath(path)) return Err.badArguments
    const node = this.#outstanding.node(path)
    if (node === undefined) return Err.noNode
    return isPermitted(node.acl, perm, identities) ? node : Err.noAuth
  }

  #exceedsQuota(path: string, change: Usage): boolean {
    if (!this.#options.enforceQuota) return false
    const { tree } = this.#state
    const limited = tree.quotaOf(path)
    if (limited === null) return false
    const stats = tree.get(statsPathOf(limited))
    return stats !== undefined && exceedsHardLimit(tree.get(limitsPathOf(limited))?.data ?? null, stats.data, change)
  }

  /** All parts, or the error of the first that is refused: 0 for those before it, "inconsistency" for those after. */
  #decideMulti(parts: readonly MultiOperation[], context: Context): Decided {
    const bodies: TxnBody[] = []
    this.#outstanding.begin()
    for (const written of parts) {
      const part = partOfMulti(written)
      const decided = part === null ? Err.marshallingError : this.#decidePart(part, context)
      if (typeof decided === 'number') {
        this.#outstanding.rollback()
        // A part that cannot be read refuses the whole multi.
        if (decided === Err.marshallingError) return decided
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
    for (const [parentPath, count] of childrenByParent(paths)) {
      const parent = this.#outstanding.node(parentPath)
      assert(parent !== undefined, () => `a node ${parentPath}`)
      this.#changeParent(parentPath, parent, -count, parent.childCreates, context)
    }
    this.#outstanding.setSession(sessionId, false, zxid)
    return { type: OpCode.closeSession, body: { paths2Delete: paths } }
  }

  /** Its list is asked last, as in the reference. */
  #decideReconfig(request: ReconfigRequest, context: Context): Decided {
    const members = this.#members
    if (members === null) return Err.unimplemented
    const next = nextConfiguration(members, request, context.zxid)
    if (typeof next === 'number') return next
    const node = this.#permitted(CONFIG_PATH, Perm.write, context)
    if (typeof node === 'number') return node
    const data = new Uint8Array(Buffer.from(next.text))
    const facts = { ...node, version: -1, mtime: context.time, dataLength: data.length }
    this.#outstanding.setNode(CONFIG_PATH, facts, context.zxid)
    return { type: OpCode.reconfig, body: { path: CONFIG_PATH, data, version: -1 } }
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
    const { czxid, ownership, version, mtime, dataLength, acl, aversion } = parent
    const numChildren = parent.numChildren + delta
    const facts = { czxid, ownership, version, childCreates, numChildren, mtime, dataLength, acl, aversion }
    this.#outstanding.setNode(path, facts, zxid)
  }
}

/** How many of the paths, which are sorted, are those of children of the same node. */
function childrenByParent(paths: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  let parentPath = ''
  let count = 0
  for (const path of paths) {
    const slash = Math.max(1, path.lastIndexOf('/'))
    if (slash !== parentPath.length || !path.startsWith(parentPath)) {
      if (count > 0) counts.set(parentPath, (counts.get(parentPath) ?? 0) + count)
      parentPath = parentOf(path)
      count = 0
    }
    count += 1
  }
  if (count > 0) counts.set(parentPath, (counts.get(parentPath) ?? 0) + count)
  return counts
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

function lengthOf(data: Uint8Array | null): number {
  return data === null ? 0 : data.length
}

function errorOf(err: number): TxnBody {
  return { type: OpCode.error, body: { err } }
}
