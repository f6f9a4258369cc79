/**
 * The digest of a tree while a log is applied to it, after every few transactions.
 *
 * Model     a witness of the tree: it keeps the number of before of each node that changes or goes, and is told which
 *           nodes are new. A reckoning takes the numbers of before away, and adds those of now.
 * Cost      two numbers for a node that has changed since the last reckoning, however often; one if it is new. The
 *           digest after each transaction, as in log-digest.ts, costs several times as much.
 */
import { TreeDigest, isDigested } from '../../../wire/disk/tree-digest.ts'
import { DigestHistory } from './digest-history.ts'
import { LogDigest, numberOf } from './log-digest.ts'
import type { TreeNode } from './node.ts'
import type { Applied, State } from './state.ts'
import type { Witness } from './tree.ts'

/** The digest of one state, which nobody but a replay changes. */
export class ReplayDigest implements Witness {
  readonly #state: State
  readonly #sum: TreeDigest
  /** Numbers of the last reckoning, of nodes that have changed or gone since. */
  readonly #before = new Map<string, number>()
  /** Where nodes were created since. */
  readonly #created = new Set<string>()
  readonly #history = new DigestHistory()
  #reckonedAt: bigint

  /**
   * Begins with a state.
   *
   * @param digest - of its tree
   */
  constructor(state: State, digest: bigint) {
    this.#state = state
    this.#sum = new TreeDigest(digest)
    this.#reckonedAt = state.lastZxid
    state.tree.addWitness(this)
  }

  keep(path: string, node: TreeNode): void {
    if (node.czxid > this.#reckonedAt || this.#before.has(path) || !isDigested(path)) return
    this.#before.set(path, numberOf(path, node))
  }

  /**
   * A transaction was applied.
   *
   * @returns whether the digest after it is wanted, for the history
   */
  applied({ changes }: Applied): boolean {
    for (const { type, path } of changes) if (type === 'created' && isDigested(path)) this.#created.add(path)
    return DigestHistory.keeps(this.#state.lastZxid)
  }

  /** The digest of the tree as it is now. */
  reckon(): bigint {
    for (const [path, number] of this.#before) {
      this.#sum.remove(number)
      if (!this.#created.has(path)) this.#add(path)
    }
    for (const path of this.#created) this.#add(path)
    this.#before.clear()
    this.#created.clear()
    const { lastZxid } = this.#state
    const digest = this.#sum.value
    if (lastZxid !== this.#reckonedAt) this.#history.applied(lastZxid, digest)
    this.#reckonedAt = lastZxid
    return digest
  }

  /** The replay is over: the digest of what is logged from now on. */
  end(): LogDigest {
    const digest = this.reckon()
    this.#state.tree.removeWitness(this)
    return new LogDigest(this.#state, digest, this.#history)
  }

  #add(path: string): void {
    const node = this.#state.tree.get(path)
    if (node !== undefined) this.#sum.add(numberOf(path, node))
  }
}
