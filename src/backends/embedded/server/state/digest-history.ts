/**
 * Digests of the tree after some of the transactions that were applied, by which operators compare servers.
 *
 * Source    DataTree.logZxidDigest of ZooKeeper 3.8.
 */

/** The digest of the tree as a transaction left it. */
export interface ZxidDigest {
  readonly zxid: bigint
  readonly digest: bigint
}

/** The digest of each transaction whose zxid is a multiple of this is kept. */
const INTERVAL = 128n
/** So many are kept; the oldest go first. */
const DIGESTS_MAX = 1_024

/** The digests of one server. */
export class DigestHistory {
  readonly #digests: ZxidDigest[] = []

  /** The oldest first. */
  get digests(): readonly ZxidDigest[] {
    return this.#digests
  }

  /** Whether the digest after a transaction is kept. */
  static keeps(zxid: bigint): boolean {
    return zxid % INTERVAL === 0n
  }

  /** A transaction was applied: keeps the digest after it, if it is one of those. */
  applied(zxid: bigint, digest: bigint): void {
    if (!DigestHistory.keeps(zxid)) return
    this.#digests.push({ zxid, digest: BigInt.asIntN(64, digest) })
    if (this.#digests.length > DIGESTS_MAX) this.#digests.shift()
  }
}
