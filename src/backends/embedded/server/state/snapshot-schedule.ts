/**
 * When a server takes a snapshot, so that its log stays short: after a number of transactions, or of their bytes.
 *
 * Model     each limit is drawn again for every snapshot, from half to all of the configured one, so that the servers
 *           do not stop for their snapshots at the same time.
 * Cost      a snapshot costs as much as the state is large, so by bytes there is none before the log is as large as
 *           the state: snapshots never write more than clients have written.
 * Source    SyncRequestProcessor.shouldSnapshot of ZooKeeper 3.8.
 */
import type { RandomSource } from '../ports.ts'

/** The limits that decide. */
export interface SnapshotLimits {
  /** Most transactions between two snapshots. */
  readonly snapCount: number
  /** Most bytes of transactions between two snapshots, unless the state is larger. */
  readonly snapLogBytes: number
}

/** The log since the last snapshot, in numbers. */
export class SnapshotSchedule {
  readonly #limits: SnapshotLimits
  readonly #random: RandomSource
  #count = 0
  #bytes = 0
  #countMax = 0
  #bytesMax = 0

  constructor(limits: SnapshotLimits, random: RandomSource) {
    this.#limits = limits
    this.#random = random
    this.#draw()
  }

  /** Transactions were applied, of so many bytes together. */
  applied(bytes: number, transactions = 1): void {
    this.#count += transactions
    this.#bytes += bytes
  }

  /** The state was replaced by a snapshot, and the log with it. */
  installed(): void {
    this.#count = 0
    this.#bytes = 0
  }

  /**
   * Whether it is time for a snapshot; it is then regarded as taken.
   *
   * @param stateBytes - about how large it would be
   */
  takeDue(stateBytes: number): boolean {
    if (this.#count < this.#countMax && this.#bytes < Math.max(this.#bytesMax, stateBytes)) return false
    this.installed()
    this.#draw()
    return true
  }

  #draw(): void {
    const { snapCount, snapLogBytes } = this.#limits
    const drawn = this.#random.u32()
    const half = Math.ceil(snapCount / 2)
    this.#countMax = half + (drawn % half)
    const halfBytes = Math.ceil(snapLogBytes / 2)
    this.#bytesMax = halfBytes + (drawn % halfBytes)
  }
}
