/**
 * The beginning of an ensemble whose servers are processes of their own: nobody sees all of their storages, and an
 * empty one can be new, or be what is left of a disk that was lost.
 *
 * Rule      a voter whose storage is empty gets its vote when every other voter has said, after this server's start,
 *           that it has accepted no epoch. Until then it has none, and joins a leader as in decision 0006.
 * Safety    each promise that an earlier life of this server could have broken was made to a leader, or taken as one
 *           from a follower, and that server had accepted an epoch before. So if every other voter says that it has
 *           accepted none, there was no such promise. Decision 0016 has the argument, and its limit.
 * Question  a notification that names nobody, with a number of this life in place of the zxid. The answer has the same
 *           number, so that none to an earlier life counts, and the state OBSERVING. A server that does not know this
 *           passes over both, ZooKeeper's included.
 */
import type { Notification } from '../../../wire/packets.ts'
import type { ZabConfig } from './configuration.ts'
import type { Journal } from './journal.ts'
import type { RandomSource } from '../ports.ts'
import { zxidOf } from './zxid.ts'

/** The part of a server that starts in the beginning of its ensemble; null if that begins otherwise. */
export function beginningOf(config: ZabConfig, journal: Journal, random: RandomSource): Beginning | null {
  // A zxid of an epoch from 1 on, so positive in 64 bits.
  return config.beginsTogether ? new Beginning(config, journal, zxidOf(1 + (random.u32() >>> 2), random.u32())) : null
}

/** The part of one server in the beginning of its ensemble. */
export class Beginning {
  readonly #config: Pick<ZabConfig, 'myid' | 'voters'>
  readonly #journal: Journal
  readonly #agreed = new Set<number>()
  /** The number of this life, greater than 0. */
  readonly nonce: bigint

  /**
   * Makes the part of a server.
   *
   * @param journal - gets the vote when the ensemble begins
   * @param nonce - a number that no earlier life of this server had
   */
  constructor(config: Pick<ZabConfig, 'myid' | 'voters'>, journal: Journal, nonce: bigint) {
    this.#config = config
    this.#journal = journal
    this.nonce = nonce
  }

  /** Whether this server asks: its storage is empty, and it votes as soon as the ensemble begins. */
  get isAsking(): boolean {
    return this.#isEmpty && !this.#journal.votes && this.#config.voters.includes(this.#config.myid)
  }

  /** Whether another server has agreed. */
  hasAgreed(id: number): boolean {
    return this.#agreed.has(id)
  }

  /**
   * The answer to a notification that names nobody.
   *
   * @returns null if it is no question, or this server cannot agree
   */
  answerTo(heard: Notification, electionEpoch: number): Notification | null {
    if (heard.state !== 'LOOKING' || heard.zxid === 0n || !this.#isEmpty) return null
    return { ...heard, electionEpoch, state: 'OBSERVING' }
  }

  /** Hears an answer of another voter; with the last one this server has its vote. */
  hear(from: number, heard: Notification): void {
    if (!this.isAsking || heard.state !== 'OBSERVING' || heard.zxid !== this.nonce) return
    this.#agreed.add(from)
    const { myid, voters } = this.#config
    if (voters.every((voter) => voter === myid || this.#agreed.has(voter))) this.#journal.grantVote()
  }

  get #isEmpty(): boolean {
    return this.#journal.acceptedEpoch === 0 && this.#journal.lastZxid === 0n
  }
}
