/**
 * The state of one server, as it comes from its storage or from its leader, and the snapshots of it that are due.
 */
import { assert } from '../../../../core/assert.ts'
import type { Transaction } from '../../../wire/transactions.ts'
import type { RandomSource } from '../ports.ts'
import { SnapshotSchedule } from './snapshot-schedule.ts'
import type { SnapshotLimits } from './snapshot-schedule.ts'
import type { Snapshot } from './snapshot.ts'
import { StateReader } from './state-reader.ts'
import { State } from './state.ts'
import type { Applied } from './state.ts'

interface ReplicaConfig extends SnapshotLimits {
  /** The text of /zookeeper/config. */
  readonly membership: string
}

/** The state that a host found in its storage when it started. */
export interface RecoveredState {
  /** The one of the snapshot; null if there is none. */
  readonly state: State | null
}

/** One server's copy of the state. */
export class Replica {
  readonly #config: ReplicaConfig
  readonly #snapshots: SnapshotSchedule
  #state: State
  /** The snapshot that is due and was not taken yet, or is being read. */
  #due: Snapshot | null = null
  #isTaken = false

  constructor(config: ReplicaConfig, { state }: RecoveredState, random: RandomSource) {
    this.#config = config
    this.#snapshots = new SnapshotSchedule(config, random)
    this.#state = state ?? new State()
    this.#state.setMembership(config.membership)
  }

  /** The state; another one after {@link Replica.install}. */
  get state(): State {
    return this.#state
  }

  /** Takes a snapshot of the leader's in, chunk by chunk; `finish` replaces the state by it. */
  receive(zxid: bigint): { write(chunk: Uint8Array): void; finish(): void } {
    const reader = new StateReader()
    return {
      write: (chunk) => {
        reader.write(chunk)
      },
      finish: () => {
        this.#state = State.of(reader)
        this.#state.setMembership(this.#config.membership)
        this.#snapshots.installed()
        assert(this.#state.lastZxid === zxid, 'a snapshot that is not of the zxid it was sent for')
      },
    }
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

  /** Opens a snapshot if it is time for one. The next one waits until this one has been read. */
  openDueSnapshot(): void {
    if (this.#due?.isOpen === true || !this.#snapshots.takeDue(this.#state.approximateBytes)) return
    this.#due = this.#state.openSnapshot()
    this.#isTaken = false
  }

  /** The snapshot to be stored, once; null if there is none. */
  takeSnapshot(): Snapshot | null {
    if (this.#isTaken) return null
    this.#isTaken = true
    return this.#due
  }
}
