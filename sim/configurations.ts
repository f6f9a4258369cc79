/**
 * The configurations of a world as its checks know them: of the committed history, and of one server's log after it.
 *
 * Rule      an entry needs a majority of the configuration that is in force where it stands; one that makes a
 *           configuration, a majority of that as well.
 * Apart     of the servers' code this uses the text of configurations and the encoding of transactions.
 */
import { readConfiguration, reconfigurationIn } from '../src/backends/wire/configuration.ts'
import type { LogEntry } from '../src/backends/embedded/server/zab/journal.ts'
import type { CheckedWorld } from './checked-world.ts'

/** The configurations of one world. */
export class Configurations {
  #inForce: readonly number[]

  /** Begins with those that vote at first. */
  constructor(world: CheckedWorld) {
    const text = world.options.server?.membership ?? ''
    const isChangeable = world.options.server?.reconfigurable === true
    this.#inForce = isChangeable ? readConfiguration(text).voters : world.voters.map(({ id }) => id)
  }

  /** Who votes by the committed history. */
  get voters(): readonly number[] {
    return this.#inForce
  }

  /** An entry is committed. */
  committed({ txn }: LogEntry): void {
    this.#inForce = reconfigurationIn(txn)?.voters ?? this.#inForce
  }

  /**
   * The voters that lack a majority for the last of these entries, which come after the committed history.
   *
   * @param holders - the servers that have an entry on their disks
   * @returns null if none do
   */
  lacking(entries: readonly LogEntry[], holders: (zxid: bigint) => readonly number[]): readonly number[] | null {
    let voters = this.#inForce
    for (const [index, { zxid, txn }] of entries.entries()) {
      const next = reconfigurationIn(txn)?.voters ?? null
      if (next === null && index < entries.length - 1) continue
      const held = holders(zxid)
      if (!isMajority(held, voters)) return voters
      if (next !== null && !isMajority(held, next)) return next
      voters = next ?? voters
    }
    return null
  }
}

/** Whether more than half of the voters are among these. */
export function isMajority(servers: readonly number[], voters: readonly number[]): boolean {
  return 2 * voters.filter((id) => servers.includes(id)).length > voters.length
}
