/** Storage that lives as long as its process. */
import { unreachable } from '../../../../core/assert.ts'
import type { LogEntry, PersistOperation, Promises } from '../../server/zab/journal.ts'
import type { SnapshotSink, Storage, StoredState } from './storage.ts'

/** The contents of a storage in memory. */
export interface MemoryContents extends Promises {
  readonly snapshot: { readonly zxid: bigint; readonly chunks: readonly Uint8Array[] } | null
  /** The log after the snapshot. */
  readonly entries: readonly LogEntry[]
}

/** Storage in memory: it survives the crash of a server in an ensemble that goes on. */
export class MemoryStorage implements Storage {
  #promises: Promises = { acceptedEpoch: 0, currentEpoch: 0, votes: false }
  #snapshot: MemoryContents['snapshot'] = null
  #entries: LogEntry[] = []

  /** The contents at this moment; its lists are copies. */
  get contents(): MemoryContents {
    return { ...this.#promises, snapshot: this.#snapshot, entries: [...this.#entries] }
  }

  recover(): Promise<StoredState> {
    const { snapshot, entries, ...promises } = this.contents
    const entriesAfter = (zxid: bigint): readonly LogEntry[][] => [entries.filter((entry) => entry.zxid > zxid)]
    const snapshots = snapshot === null ? [] : [{ name: 'snapshot', ...snapshot }]
    return Promise.resolve({ ...promises, keepsDigests: false, snapshots, entriesAfter })
  }

  persist(operations: readonly PersistOperation[]): undefined {
    for (const operation of operations) this.#apply(operation)
  }

  createSnapshot(zxid: bigint): SnapshotSink {
    const chunks: Uint8Array[] = []
    return {
      write: (chunk) => {
        chunks.push(chunk)
        return undefined
      },
      commit: () => {
        this.#snapshot = { zxid, chunks }
        this.#entries = this.#entries.filter((entry) => entry.zxid > zxid)
        return undefined
      },
      abort: () => {
        chunks.length = 0
      },
    }
  }

  rewind(zxid: bigint): Promise<void> {
    this.#apply({ type: 'truncate', zxid })
    return Promise.resolve()
  }

  setAside(): Promise<void> {
    this.#promises = { acceptedEpoch: 0, currentEpoch: 0, votes: false }
    this.#snapshot = null
    this.#entries = []
    return Promise.resolve()
  }

  #apply(operation: PersistOperation): void {
    switch (operation.type) {
      case 'append':
        for (const entry of operation.entries) this.#entries.push(entry)
        break
      case 'truncate':
        this.#entries = this.#entries.filter((entry) => entry.zxid <= operation.zxid)
        break
      case 'install':
        this.#snapshot = { zxid: operation.zxid, chunks: operation.chunks }
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
