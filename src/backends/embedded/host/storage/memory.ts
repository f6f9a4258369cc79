/**
 * Where a server's durable state lives: what a host asks of it, and the one that lives in memory.
 */
import { unreachable } from '../../../../core/assert.ts'
import type { LogEntry, PersistOperation, Promises, Recovered } from '../../server/zab/journal.ts'

/** Durable state of one server. A crash leaves a prefix of the operations. */
export interface Storage {
  /** What there is, for a server that starts. */
  load(): Recovered
  /**
   * Makes operations durable, in order.
   *
   * @returns nothing if they are durable when it returns, otherwise a promise; the host waits for it before it calls
   * again
   */
  persist(operations: readonly PersistOperation[]): Promise<void> | undefined
}

/** Storage that lives as long as its process: it survives the crash of a server in an ensemble that goes on. */
export class MemoryStorage implements Storage {
  #promises: Promises = { acceptedEpoch: 0, currentEpoch: 0, votes: false }
  #snapshot: Recovered['snapshot'] = null
  #entries: LogEntry[] = []

  load(): Recovered {
    return { ...this.#promises, snapshot: this.#snapshot, entries: [...this.#entries] }
  }

  persist(operations: readonly PersistOperation[]): undefined {
    for (const operation of operations) this.#apply(operation)
  }

  #apply(operation: PersistOperation): void {
    switch (operation.type) {
      case 'append':
        for (const entry of operation.entries) this.#entries.push(entry)
        break
      case 'truncate':
        this.#entries = this.#entries.filter((entry) => entry.zxid <= operation.zxid)
        break
      case 'snapshot':
        this.#snapshot = { zxid: operation.zxid, state: operation.state }
        this.#entries = this.#entries.filter((entry) => entry.zxid > operation.zxid)
        break
      case 'install':
        this.#snapshot = { zxid: operation.zxid, state: operation.state }
        this.#entries = []
        break
      case 'epochs': {
        const { acceptedEpoch, currentEpoch, votes } = operation
        this.#promises = { acceptedEpoch, currentEpoch, votes }
        break
      }
      default:
        unreachable(operation, 'persist operation')
    }
  }
}
