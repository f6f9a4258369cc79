/**
 * The replicated state of one server: the tree, the sessions, and how far in the order of transactions they are.
 *
 * Model     a deterministic machine. Two servers that applied the same transactions have equal states, and equal
 *           states have equal snapshots, byte for byte.
 * Safety    a transaction is a fact and is not judged again. One that does not fit (a zxid that does not grow, a node
 *           that is not there) means that servers have diverged: it raises AssertionError, and the server must stop.
 * Source    DataTree.processTxn, ZKDatabase.java of ZooKeeper 3.8.
 */
import { assert, unreachable } from '../../../../core/assert.ts'
import { Err, OpCode } from '../../../wire/codes.ts'
import type { Acl, MultiResult, ReplyBodies } from '../../../wire/records.ts'
import type {
  CreateContainerTxn,
  CreateSessionTxn,
  Transaction,
  TxnBody,
  TxnHeader,
} from '../../../wire/transactions.ts'
import { CONTAINER, PERSISTENT } from './node.ts'
import type { Ownership } from './node.ts'
import { SessionTable } from './session-table.ts'
import { SNAPSHOT_STEPS, Snapshot } from './snapshot.ts'
import type { SnapshotSteps } from './snapshot.ts'
import { StateReader } from './state-reader.ts'
import { CONFIG_PATH, SPECIAL_PATHS, Tree } from './tree.ts'
import { zooKeeperPassword } from '../../../wire/zookeeper-password.ts'

/** A change of a node, from which watches follow. */
export interface Change {
  readonly type: 'created' | 'changed' | 'deleted'
  readonly path: string
  /** The node as it is, or was; and the one above. Their lists say who may know of the change. */
  readonly node: WatchedNode
}

/** The part of a node that watches look at. */
interface WatchedNode {
  readonly acl: readonly Acl[]
  readonly parent: { readonly acl: readonly Acl[] } | null
}

/** The effect of a transaction that was applied. */
export interface Applied {
  /** The error number of the reply. A multi that was refused has 0 here, and its numbers in the body. */
  readonly err: number
  /** The body of the reply; of a create `{ path, stat }`, whichever kind of create it was. */
  readonly body: ReplyBodies[keyof ReplyBodies]
  /** Changes of nodes, in order. */
  readonly changes: readonly Change[]
  /** The session that this transaction opened, if it did. */
  readonly newSession: bigint | null
  /** The session that this transaction ended, if it did. */
  readonly endedSession: bigint | null
}

/** About how long a record of a node or session is, without path and data. */
const RECORD_BYTES = 84
const NO_PATHS: readonly string[] = Object.freeze([])
const NO_CHANGES: readonly Change[] = Object.freeze([])

/** The tree, the sessions, and the zxid of the last transaction that is in them. */
export class State {
  readonly #tree: Tree
  readonly #sessions: SessionTable
  /** Those that are being read. */
  readonly #snapshots = new Set<Snapshot>()
  #lastZxid: bigint

  /** Makes the state that every ensemble begins with. */
  constructor(tree = new Tree(), sessions = new SessionTable(), lastZxid = 0n) {
    this.#tree = tree
    this.#sessions = sessions
    this.#lastZxid = lastZxid
  }

  /** The nodes; for reading only. */
  get tree(): Tree {
    return this.#tree
  }

  /** The open sessions; for reading only. */
  get sessions(): SessionTable {
    return this.#sessions
  }

  /** The zxid of the last transaction applied; 0n before the first. */
  get lastZxid(): bigint {
    return this.#lastZxid
  }

  /**
   * Applies a transaction.
   *
   * @throws AssertionError if it does not fit; the state may then be half changed, and the server must stop
   */
  apply({ header, txn }: Transaction): Applied {
    assert(header.zxid > this.#lastZxid, () => `zxid ${header.zxid} applied after ${this.#lastZxid}`)
    assert(header.type === txn.type, () => `a transaction of type ${txn.type} under a header of type ${header.type}`)
    this.#lastZxid = header.zxid
    switch (txn.type) {
      case OpCode.error:
        return { err: txn.body.err, body: null, changes: NO_CHANGES, newSession: null, endedSession: null }
      case OpCode.multi:
        return this.#applyMulti(txn.body, header)
      case OpCode.createSession:
        return this.#applyCreateSession(txn.body, header)
      case OpCode.closeSession:
        return this.#applyCloseSession(txn.body.paths2Delete, header)
      default: {
        const changes: Change[] = []
        const body = this.#applyPart(txn, header, changes)
        return { err: Err.ok, body, changes, newSession: null, endedSession: null }
      }
    }
  }

  /** Its nodes and sessions were brought up to this zxid by {@link TolerantReplay}. */
  replayedUpTo(zxid: bigint): void {
    this.#lastZxid = zxid
  }

  /** The data of /zookeeper/config. */
  get configurationText(): string {
    return Buffer.from(this.#tree.get(CONFIG_PATH)?.data ?? []).toString('utf8')
  }

  /** Sets what /zookeeper/config holds; see {@link Tree.setMembership}. */
  setMembership(text: string): void {
    this.#tree.setMembership(text)
  }

  /** About how many bytes a snapshot has. */
  get approximateBytes(): number {
    return this.#tree.dataBytes + (this.#tree.nodeCount + this.#sessions.size) * RECORD_BYTES
  }

  /**
   * Opens a snapshot of the state as it is now, to be read in chunks while it changes: equal states give equal chunks.
   * Its opener reads it to its end or closes it.
   */
  openSnapshot(steps: SnapshotSteps = SNAPSHOT_STEPS): Snapshot {
    const content = { tree: this.#tree, sessions: this.#sessions, lastZxid: this.#lastZxid }
    const snapshot = new Snapshot(content, steps, (closed) => this.#snapshots.delete(closed))
    this.#snapshots.add(snapshot)
    return snapshot
  }

  /** The whole state in one piece, for checks that compare states: equal states give equal bytes. */
  snapshot(): Uint8Array {
    const chunks: Uint8Array[] = []
    const snapshot = this.openSnapshot()
    for (let chunk = snapshot.next(); chunk !== null; chunk = snapshot.next()) chunks.push(chunk)
    return new Uint8Array(Buffer.concat(chunks))
  }

  /**
   * Makes the state that a snapshot holds.
   *
   * @param chunks - its bytes, cut anywhere
   * @throws CoordinationError `PROTOCOL_VIOLATION` (outcome `corrupt`) if they are not exactly one
   */
  static restore(...chunks: readonly Uint8Array[]): State {
    const reader = new StateReader()
    for (const chunk of chunks) reader.write(chunk)
    return State.of(reader)
  }

  /**
   * Makes the state that was read from a snapshot.
   *
   * @throws CoordinationError `PROTOCOL_VIOLATION` (outcome `corrupt`) if something of it is missing
   */
  static of(reader: StateReader): State {
    const { tree, sessions, lastZxid } = reader.finish()
    return new State(tree, sessions, lastZxid)
  }

  /** Nodes whose time is over; see {@link Tree.reapable}. */
  reapable(nowMs: number, limit: number): readonly string[] {
    return this.#tree.reapable(nowMs, limit)
  }

  /** Applies a change of one node. Returns the reply's body: `{ path, stat }`, `{ stat }` or null. */
  #applyPart(txn: NodeTxn, header: TxnHeader, changes: Change[]): NodeReply {
    switch (txn.type) {
      case OpCode.create:
      case OpCode.create2:
        return this.#create(txn.body, this.#ownershipOf(txn.body.ephemeral, header), header, changes)
      case OpCode.createContainer:
        return this.#create(txn.body, CONTAINER, header, changes)
      case OpCode.createTTL:
        return this.#create(txn.body, { kind: 'ttl', ttlMs: Number(txn.body.ttl) }, header, changes)
      case OpCode.delete:
      case OpCode.deleteContainer:
        changes.push({ type: 'deleted', path: txn.body.path, node: this.#tree.delete(txn.body.path, header) })
        return null
      case OpCode.setData: {
        const { path, data, version } = txn.body
        const node = this.#tree.setData(path, data, version, header)
        changes.push({ type: 'changed', path, node })
        return { stat: node.stat() }
      }
      case OpCode.reconfig: {
        const { path, data, version } = txn.body
        const node = this.#tree.setData(path, data, version, header)
        changes.push({ type: 'changed', path, node })
        return { data, stat: node.stat() }
      }
      case OpCode.setAcl: {
        const { path, acl, version } = txn.body
        return { stat: this.#tree.setAcl(path, acl, version).stat() }
      }
      case OpCode.check:
        return null
      default:
        return unreachable(txn, 'transaction')
    }
  }

  #create(body: CreateContainerTxn, ownership: Ownership, header: TxnHeader, changes: Change[]): NodeReply {
    const { path, data, acl, parentCVersion } = body
    const node = this.#tree.create(path, { data, acl, ownership }, parentCVersion, header)
    changes.push({ type: 'created', path, node })
    const stat = node.stat()
    // The numbers of a quota are filled in after the create, and its reply does not know of them.
    const dataLength = data === null ? 0 : data.length
    return { path, stat: stat.dataLength === dataLength ? stat : { ...stat, dataLength } }
  }

  #ownershipOf(ephemeral: boolean, { clientId }: TxnHeader): Ownership {
    if (!ephemeral) return PERSISTENT
    assert(this.#sessions.has(clientId), () => `an ephemeral node of session ${clientId}, which is not open`)
    return { kind: 'ephemeral', owner: clientId }
  }

  #applyMulti(parts: readonly TxnBody[], header: TxnHeader): Applied {
    const changes: Change[] = []
    const results: MultiResult[] = []
    const isRefused = parts.some(isErrorTxn)
    let isAfterRefusal = false
    for (const part of parts) {
      if (isErrorTxn(part)) {
        results.push({ op: OpCode.error, err: part.body.err })
        isAfterRefusal = true
      } else if (isRefused) {
        // A leader of ZooKeeper leaves the parts before the one that it has refused as they were.
        results.push({ op: OpCode.error, err: isAfterRefusal ? Err.runtimeInconsistency : Err.ok })
      } else results.push(this.#applyMultiPart(part, header, changes))
    }
    return { err: Err.ok, body: results, changes, newSession: null, endedSession: null }
  }

  #applyMultiPart(part: TxnBody, header: TxnHeader, changes: Change[]): MultiResult {
    assert(isNodeTxn(part), () => `a transaction of type ${part.type} in a multi`)
    const reply = this.#applyPart(part, header, changes)
    if (reply === null) return { op: part.type === OpCode.check ? OpCode.check : OpCode.delete }
    if (!('path' in reply)) return { op: OpCode.setData, stat: reply.stat }
    const { path, stat } = reply
    return part.type === OpCode.create ? { op: OpCode.create, path, stat } : { op: OpCode.create2, path, stat }
  }

  #applyCreateSession({ timeOut, passwd }: CreateSessionTxn, { clientId }: TxnHeader): Applied {
    this.#sessions.add(clientId, { timeoutMs: timeOut, passwd: passwd ?? zooKeeperPassword(clientId) })
    return { err: Err.ok, body: null, changes: NO_CHANGES, newSession: clientId, endedSession: null }
  }

  #applyCloseSession(paths: readonly string[], header: TxnHeader): Applied {
    const { clientId } = header
    const changes: Change[] = []
    // Mostly the list is exactly the session's nodes, which may be very many to look up.
    for (const path of this.#tree.areEphemeralsOf(clientId, paths) ? NO_PATHS : paths) {
      const node = this.#tree.get(path)
      if (node === undefined || node.ownership.kind === 'ephemeral' && node.ownership.owner === clientId) continue
      // Only the list of a leader of ZooKeeper can be out of date: ours is exactly the session's nodes.
      const isLeaf = node.numChildren === 0 && !SPECIAL_PATHS.includes(path)
      if (isLeaf) changes.push({ type: 'deleted', path, node: this.#tree.delete(path, header) })
    }
    this.#tree.deleteEphemeralsOf(clientId, header, (path, node) => {
      changes.push({ type: 'deleted', path, node })
    })
    const session = this.#sessions.get(clientId)
    if (session !== undefined) for (const snapshot of this.#snapshots) snapshot.keepSession(clientId, session)
    // Two ends of one session can be on their way at a leader of ZooKeeper: the client's own, and its expiry.
    if (session !== undefined) this.#sessions.remove(clientId)
    return { err: Err.ok, body: null, changes, newSession: null, endedSession: clientId }
  }
}

type NodeTxn = Extract<TxnBody, { type: NodeTxnType }>
type NodeTxnType = Exclude<TxnBody['type'], WholeTxnType>
type WholeTxnType = typeof OpCode.error | typeof OpCode.multi | typeof OpCode.createSession | typeof OpCode.closeSession
type NodeReply =
  | ReplyBodies[typeof OpCode.create2]
  | ReplyBodies[typeof OpCode.setData]
  | ReplyBodies[typeof OpCode.reconfig]
  | null

function isErrorTxn(txn: TxnBody): txn is Extract<TxnBody, { type: typeof OpCode.error }> {
  return txn.type === OpCode.error
}

function isNodeTxn(txn: TxnBody): txn is NodeTxn {
  const { type } = txn
  return (
    type !== OpCode.error && type !== OpCode.multi && type !== OpCode.createSession && type !== OpCode.closeSession
  )
}
