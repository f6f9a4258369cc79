/**
 * The state of one server, as it comes from its storage or from its leader, and the snapshots of it that are due.
 */
import { assert } from '../../../../core/assert.ts'
import type { Transaction } from '../../../wire/transactions.ts'
import type { RandomSource } from '../ports.ts'
import { SnapshotSchedule } from './snapshot-schedule.ts'
import type { SnapshotLimits } from './snapshot-schedule.ts'
import { State } from './state.ts'
import type { Applied } from './state.ts'

interface ReplicaConfig extends SnapshotLimits {
  /** The text of /zookeeper/config. */
  readonly membership: string
}

/** A snapshot, if the storage has one. */
interface Stored {
  readonly snapshot: { readonly state: Uint8Array } | null
}

/** One server's copy of the state. */
export class Replica {
  readonly #config: ReplicaConfig
  readonly #snapshots: SnapshotSchedule
  #state: State

  constructor(config: ReplicaConfig, { snapshot }: Stored, random: RandomSource) {
    this.#config = config
    this.#snapshots = new SnapshotSchedule(config, random)
    this.#state = snapshot === null ? new State() : State.restore(snapshot.state)
    this.#state.setMembership(config.membership)
  }

  /** The state; another one after {@link Replica.install}. */
  get state(): State {
    return this.#state
  }

  /** Replaces the state by a snapshot of the leader's. */
  install(zxid: bigint, state: Uint8Array): void {
    this.#state = State.restore(state)
    this.#state.setMembership(this.#config.membership)
    this.#snapshots.installed()
    assert(this.#state.lastZxid === zxid, 'a snapshot that is not of the zxid it was sent for')
  }

  /**
   * Applies a transaction.
   *
   * @param bytes - its length in the log
   */
  apply(transaction: Transaction, bytes: number): Applied {
    this.#snapshots.applied(bytes)
    return this.#state.apply(transaction)
  }

  /** A snapshot, if it is time for one. */
  takeDueSnapshot(): Uint8Array | null {
    return this.#snapshots.takeDue(this.#state.approximateBytes) ? this.#state.snapshot() : null
  }
}
