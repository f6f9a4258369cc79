/**
 * Who votes: the configuration that is in force, and the one that is proposed and may be committed or not.
 *
 * In force   the committed one with the greatest version that this server knows: from its own applied state, from a
 *            server that has applied it, or from its log, where a later one stands: none is proposed before the one
 *            before it is in force.
 * Proposed   the last one in the log, if it is newer than the one in force. So it is durable where the transaction is,
 *            and gone where that is cut off.
 * Quorum     a majority of the one in force and, while there is a proposed one, a majority of that too. It decides
 *            epochs, synchronisation, commits and confirmed syncs alike. Elections, which decide nothing that has to be
 *            safe, need the one in force alone.
 * Safety     a configuration comes into force only by a transaction that majorities of both have on their disks. So
 *            every majority of the old one has a server with that transaction in its log: nobody who lacks it is
 *            established by the old one alone, and a server that has it needs the new one as well. Decision 0022.
 * Source     Shraer, Reed, Malkhi, Junqueira: "Dynamic Reconfiguration of Primary/Backup Clusters" (ATC 2012);
 *            QuorumPeer.processReconfig, Leader.tryToCommit, SyncedLearnerTracker of ZooKeeper 3.8. Departure: a server
 *            keeps no proposed configuration beside its log.
 */
import { readConfiguration } from '../../../wire/configuration.ts'
import type { Configuration } from '../../../wire/configuration.ts'
import type { ZabConfig } from './configuration.ts'
import type { Journal } from './journal.ts'
import { isQuorum, quorumValue } from './quorum.ts'

/** The configurations of one server. */
export class Membership {
  readonly #journal: Pick<Journal, 'proposed' | 'settled'>
  readonly #initial: Configuration
  #current: Configuration

  constructor(initial: Configuration, journal: Pick<Journal, 'proposed' | 'settled'>) {
    this.#initial = initial
    this.#current = initial
    this.#journal = journal
  }

  /** The configuration that is in force. */
  get current(): Configuration {
    const { settled } = this.#journal
    return settled !== null && settled.version > this.#current.version ? settled : this.#current
  }

  /** The configuration that is proposed, and not in force; null if there is none. */
  get proposed(): Configuration | null {
    const { proposed } = this.#journal
    return proposed !== null && proposed.version > this.current.version ? proposed : null
  }

  /** The servers that vote in either, ascending. */
  get voters(): readonly number[] {
    const { current, proposed } = this
    if (proposed === null) return current.voters
    return [...new Set([...current.voters, ...proposed.voters])].sort((a, b) => a - b)
  }

  /** Whether a server votes in the configuration that is in force. */
  isVoter(id: number): boolean {
    return this.current.voters.includes(id)
  }

  /**
   * Whether the word of a server on the configuration counts: it is in one that is in force or proposed, or in the list
   * with which this server was started, which is an operator's word. Where nobody may change the servers, and nobody
   * has, a configuration that was changed is of another ensemble, or of servers of ZooKeeper.
   */
  believes(id: number, { reconfigEnabled }: { readonly reconfigEnabled: boolean }): boolean {
    if (!reconfigEnabled && this.current.version === 0n) return false
    return [this.#initial, ...this.#all].some(({ voters, observers }) => voters.includes(id) || observers.includes(id))
  }

  /** Whether a server votes in either. */
  mayCount(id: number): boolean {
    return this.#all.some(({ voters }) => voters.includes(id))
  }

  /** Whether one server is every majority by itself. */
  isAlone(id: number): boolean {
    return this.#all.every(({ voters }) => voters.length === 1 && voters.includes(id))
  }

  /** Whether these servers are a majority of each configuration; the others among them do not count. */
  isQuorum(ids: readonly number[]): boolean {
    return this.#all.every((configuration) => hasMajority(configuration, ids))
  }

  /**
   * Whether these servers may elect a leader: a majority of the configuration that is in force. New voters of a
   * proposed one may lack it, and not know that they vote; they join the leader, which both establish or neither.
   */
  canElect(ids: readonly number[]): boolean {
    return hasMajority(this.current, ids)
  }

  /**
   * The greatest value that majorities of all configurations have reached.
   *
   * @param reached - by server; a server that is left out has reached nothing
   * @returns null if there is none
   */
  quorumValue<T extends bigint | number>(reached: ReadonlyMap<number, T>): T | null {
    let least: T | null = null
    for (const { voters } of this.#all) {
      const value = quorumValue(voters.flatMap((id) => reached.get(id) ?? []), voters)
      if (value === null) return null
      if (least === null || value < least) least = value
    }
    return least
  }

  /** A committed configuration is known; false if it is not newer. */
  enter(configuration: Configuration): boolean {
    if (configuration.version <= this.#current.version) return false
    this.#current = configuration
    return true
  }

  get #all(): readonly Configuration[] {
    const { current, proposed } = this
    return proposed === null ? [current] : [current, proposed]
  }
}

/**
 * The configurations of a server that starts, before it has entered the committed one of its state.
 *
 * @param known - that one; null if none was ever changed
 * @throws TypeError if there is a configuration that was changed, and none may be here
 */
export function membershipOf(
  { reconfigurable, voters, membership: text }: ZabConfig & { readonly membership: string },
  known: Configuration | null,
  journal: Pick<Journal, 'proposed' | 'settled'>,
): Membership {
  if (!reconfigurable && (known !== null || journal.proposed !== null)) {
    throw new TypeError('the data are of an ensemble whose servers were changed: start it with myid and servers')
  }
  const initial = reconfigurable ? readConfiguration(text) : { version: 0n, voters, observers: [], text }
  return new Membership(initial, journal)
}

/** Whether more than half of a configuration's voters are among these servers. */
export function hasMajority({ voters }: Pick<Configuration, 'voters'>, ids: readonly number[]): boolean {
  return isQuorum(voters.filter((id) => ids.includes(id)).length, voters)
}
