/**
 * Replays the log of a ZooKeeper on one of its snapshots, which can hold parts of transactions that came later.
 *
 * Model     nothing of an earlier transaction is made on top of a later one: a node that is there was created, one of a
 *           later creation was deleted before that; counters of a parent only grow. Once the whole log is replayed, the
 *           state is exact: the log has whatever the snapshot lacked.
 * Multi     can touch a node several times, and of those the last one counts. So what a transaction has done to a node
 *           is done again, from its beginning.
 * End       ephemeral nodes without a session go, as when a ZooKeeper starts.
 * Source    DataTree.processTxn and setCversionPzxid, ZooKeeperServer.loadData of ZooKeeper 3.8; decision 0013 for why
 *           our own snapshots need nothing of this.
 */
import { unreachable } from '../../../../core/assert.ts'
import { parentOf } from '../../../../core/path.ts'
import { OpCode } from '../../../wire/codes.ts'
import type { Acl } from '../../../wire/records.ts'
import type { Transaction, TxnBody, TxnHeader } from '../../../wire/transactions.ts'
import { CONTAINER, PERSISTENT } from './node.ts'
import type { Ownership, TreeNode } from './node.ts'
import type { State } from './state.ts'
import { SPECIAL_PATHS } from './tree.ts'
import { zooKeeperPassword } from '../../../wire/zookeeper-password.ts'

/** Stands for "one more than before", in logs of before 3.4. */
const UNKNOWN_CHILD_CREATES = -1

interface Content {
  readonly data: Uint8Array | null
  readonly acl: readonly Acl[]
  readonly ownership: Ownership
}

/** A replay on one state, which nobody else uses meanwhile. */
export class TolerantReplay {
  readonly #state: State

  constructor(state: State) {
    this.#state = state
  }

  /** Does what a transaction says, as far as it is not done yet. */
  apply({ header, txn }: Transaction): void {
    switch (txn.type) {
      case OpCode.error:
        return
      case OpCode.multi:
        // A multi that was refused keeps the parts before the one that was refused.
        if (txn.body.every((part) => part.type !== OpCode.error)) for (const part of txn.body) this.#apply(part, header)
        return
      default:
        this.#apply(txn, header)
    }
  }

  /**
   * The log is at its end.
   *
   * @param zxid - of the last transaction
   */
  finish(zxid: bigint): void {
    const { tree, sessions } = this.#state
    for (const [owner, paths] of [...tree.ephemerals]) {
      if (!sessions.has(owner)) for (const path of [...paths]) this.#delete(path, { zxid, time: 0 })
    }
    this.#state.replayedUpTo(zxid)
  }

  #apply(txn: TxnBody, header: TxnHeader): void {
    const { tree, sessions } = this.#state
    switch (txn.type) {
      case OpCode.create:
      case OpCode.create2: {
        const { path, data, acl, ephemeral, parentCVersion } = txn.body
        const ownership: Ownership = ephemeral ? { kind: 'ephemeral', owner: header.clientId } : PERSISTENT
        this.#create(path, { data, acl, ownership }, parentCVersion, header)
        return
      }
      case OpCode.createContainer:
        this.#create(txn.body.path, { ...txn.body, ownership: CONTAINER }, txn.body.parentCVersion, header)
        return
      case OpCode.createTTL: {
        const { path, data, acl, parentCVersion, ttl } = txn.body
        this.#create(path, { data, acl, ownership: { kind: 'ttl', ttlMs: Number(ttl) } }, parentCVersion, header)
        return
      }
      case OpCode.delete:
      case OpCode.deleteContainer:
        this.#delete(txn.body.path, header)
        return
      case OpCode.setData:
      case OpCode.reconfig: {
        const { path, data, version } = txn.body
        const node = tree.get(path)
        if (node !== undefined && node.mzxid <= header.zxid) tree.setData(path, data, version, header)
        return
      }
      case OpCode.setAcl:
        if (this.#isOlder(txn.body.path, header)) tree.setAcl(txn.body.path, txn.body.acl, txn.body.version)
        return
      case OpCode.createSession:
        if (sessions.has(header.clientId)) return
        sessions.add(header.clientId, {
          timeoutMs: txn.body.timeOut,
          passwd: txn.body.passwd ?? zooKeeperPassword(header.clientId),
        })
        return
      case OpCode.closeSession:
        for (const path of [...txn.body.paths2Delete, ...tree.ephemeralsOf(header.clientId)]) this.#delete(path, header)
        if (sessions.has(header.clientId)) sessions.remove(header.clientId)
        return
      case OpCode.check:
      case OpCode.error:
      case OpCode.multi:
        return
      default:
        unreachable(txn, 'transaction')
    }
  }

  #create(path: string, content: Content, parentCVersion: number, at: TxnHeader): void {
    const { tree } = this.#state
    const parent = tree.get(parentOf(path))
    // Deleted later, which the snapshot has seen.
    if (parent === undefined || parent.czxid > at.zxid || parent.ownership.kind === 'ephemeral') return
    const { childCreates, pzxid } = parent
    const creates = parentCVersion === UNKNOWN_CHILD_CREATES ? (childCreates + 1) | 0 : parentCVersion
    const node = tree.get(path)
    if (node === undefined) {
      parent.childCreates = (creates - 1) | 0
      tree.create(path, content, creates, at)
      parent.childCreates = childCreates
      parent.pzxid = pzxid
    } else if (this.#isOlder(path, at)) {
      // Its list can be one that the snapshot did not have yet (ZOOKEEPER-4846).
      tree.setAcl(path, content.acl, node.aversion)
      if (node.czxid === at.zxid && node.mzxid === at.zxid) tree.setData(path, content.data, 0, at)
    }
    raise(parent, creates, at.zxid)
  }

  #delete(path: string, at: { readonly zxid: bigint; readonly time: number }): void {
    const { tree } = this.#state
    if (SPECIAL_PATHS.includes(path)) return
    const parent = tree.get(parentOf(path))
    const node = tree.get(path)
    const pzxid = parent?.pzxid ?? 0n
    if (node !== undefined && node.czxid <= at.zxid && node.numChildren === 0) tree.delete(path, at)
    if (parent !== undefined) parent.pzxid = pzxid > at.zxid ? pzxid : at.zxid
  }

  /** Whether a node is there and was created by this transaction, or before it. */
  #isOlder(path: string, { zxid }: TxnHeader): boolean {
    const node = this.#state.tree.get(path)
    return node !== undefined && node.czxid <= zxid
  }
}

/** A parent's counters only grow; the count of creates wraps. */
function raise(parent: TreeNode, creates: number, zxid: bigint): void {
  if (((creates - parent.childCreates) | 0) <= 0) return
  parent.childCreates = creates
  parent.pzxid = zxid
}
