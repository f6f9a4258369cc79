/**
 * Transactions on a link to a server of ZooKeeper: there they travel as entries of its log, with the digest of the tree
 * and without passwords.
 *
 * Ours      give no digest, so that there is none to compare, and no password: a server of ZooKeeper computes it from
 *           the session's id.
 * Commits   a COMMIT of ours covers everything up to its zxid; one of ZooKeeper's covers one proposal, and a follower
 *           of ZooKeeper ends its process if it is not the oldest. One between NEWLEADER and UPTODATE ends its link
 *           (Learner.syncWithLeader, as in ZOOKEEPER-4394), so those wait.
 * Source    LearnerHandler.java, Learner.java, Follower.processPacket of ZooKeeper 3.8.
 */
import { OpCode } from './codes.ts'
import { readLogEntry, writeLogEntry } from './disk/log-entries.ts'
import { violation, written } from './jute.ts'
import { barePacket } from './packet-data.ts'
import { PacketType } from './quorum-packets.ts'

const TYPE_OFFSET = 28
/** A header and a time-out. */
const CREATE_SESSION_BYTES = 36
/** Less than the zxid of any proposal. */
const NOTHING = -1n

/** A transaction as a server of ZooKeeper reads it. */
export function plainTransaction(txn: Uint8Array): Uint8Array {
  const view = new DataView(txn.buffer, txn.byteOffset, txn.byteLength)
  if (view.getInt32(TYPE_OFFSET) === OpCode.createSession) return txn.subarray(0, CREATE_SESSION_BYTES)
  return written((writer) => {
    writeLogEntry(writer, txn, null)
  })
}

/**
 * The transaction that a server of ZooKeeper has sent.
 *
 * @throws CoordinationError `PROTOCOL_VIOLATION` if our servers cannot apply it
 */
export function transactionOf(entry: Uint8Array): Uint8Array {
  const { txn, transaction } = readLogEntry(entry)
  if (transaction.txn.type === OpCode.reconfig) throw violation('a reconfiguration, which is not supported')
  return txn
}

/** The proposals that a learner of ZooKeeper has got without their COMMIT. */
export class UncommittedProposals {
  readonly #zxids: bigint[] = []
  /** Up to where a COMMIT waits for UPTODATE; null if none has to. */
  #heldUpTo: bigint | null = null

  /** A proposal is sent. */
  proposed(zxid: bigint): void {
    this.#zxids.push(zxid)
  }

  /** The COMMITs of the proposals up to this zxid, in order. */
  takeUpTo(zxid: bigint): readonly Uint8Array[] {
    if (this.#heldUpTo !== null) {
      this.#heldUpTo = zxid
      return []
    }
    const later = this.#zxids.findIndex((proposed) => proposed > zxid)
    const taken = this.#zxids.splice(0, later === -1 ? this.#zxids.length : later)
    return taken.map((each) => barePacket(PacketType.commit, each))
  }

  /** NEWLEADER is sent: COMMITs wait for UPTODATE. */
  hold(): void {
    this.#heldUpTo = NOTHING
  }

  /** UPTODATE is sent: the COMMITs that waited for it. */
  release(): readonly Uint8Array[] {
    const heldUpTo = this.#heldUpTo ?? NOTHING
    this.#heldUpTo = null
    return this.takeUpTo(heldUpTo)
  }
}
