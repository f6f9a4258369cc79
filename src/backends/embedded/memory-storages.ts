/** The storages of an ensemble in memory: each begins empty, survives the crash of its server, and ends with us. */
import { MemoryStorage } from './host/storage/memory.ts'
import type { Storage } from './host/storage/storage.ts'
import type { EnsembleStorages } from './parts.ts'

/** The storages of one ensemble; see {@link EnsembleStorages}. */
export class MemoryStorages implements EnsembleStorages {
  readonly #memories = new Map<number, MemoryStorage>()

  of(id: number): Storage {
    const memory = this.#memories.get(id) ?? new MemoryStorage()
    this.#memories.set(id, memory)
    return memory
  }

  directoriesOf(): null {
    return null
  }

  async wipe(id: number): Promise<void> {
    this.#memories.delete(id)
  }

  async open(): Promise<{ readonly isNew: boolean }> {
    return { isNew: true }
  }

  async begin(): Promise<boolean> {
    return true
  }

  async openFor(): Promise<void> {
    // Nobody else has them.
  }

  async close(): Promise<void> {
    // They end with whoever holds them.
  }
}
