/**
 * A disk of the simulated world: it takes time, and what was not synced when its machine crashed is there in part.
 *
 * Model     the host hands over one batch at a time and waits. At a crash a random prefix of the batch under way is
 *           durable, and of an append a random prefix of its entries: lost and torn writes. An error leaves such a
 *           prefix too.
 * Not here  what needs bytes: a torn record, bit rot, reordering between syncs. A storage that finds its bytes damaged
 *           has to report it, which for its server is the same as to have lost them: see `wipe`.
 */
import { MemoryStorage } from '../../backends/embedded/host/storage/memory.ts'
import type { Storage } from '../../backends/embedded/host/storage/memory.ts'
import type { LogEntry, PersistOperation, Recovered } from '../../backends/embedded/server/zab/journal.ts'
import type { Kernel, SimNode } from './kernel.ts'
import type { SeededRandom } from './random.ts'

/** How a disk behaves now. */
export interface DiskWeather {
  /** Time that a sync takes, in milliseconds. */
  latencyMsMin: number
  latencyMsMax: number
  /** Chance that a sync takes `slowFactor` times as long. */
  slowChance: number
  slowFactor: number
}

/**
 * Told when a batch begins to be written, and when it is durable and its host does not know yet.
 *
 * @returns behind `durable`: true if the machine dies at this instant, so that nobody will ever be told
 */
export type SyncWatcher = (phase: 'begun' | 'durable', operations: readonly PersistOperation[]) => boolean

/** Sees what becomes of a disk, and changes nothing; for checkers. */
export interface DiskObserver {
  /** This is durable now. */
  persisted(operation: PersistOperation): void
  /** Everything is lost. */
  wiped(): void
}

/** What an injected disk error says. */
export const DISK_ERROR = 'EIO: injected disk error'

/** The disk of one server. */
export class SimDisk implements Storage {
  readonly weather: DiskWeather
  /** For faults that strike at a sync. */
  onSync: SyncWatcher | null = null
  observer: DiskObserver | null = null
  readonly #kernel: Kernel
  readonly #node: SimNode
  readonly #random: SeededRandom
  #storage = new MemoryStorage()
  /**
   * Every entry of the log since the beginning, also those that snapshots have made needless. Null behind an install.
   */
  #history: LogEntry[] = []
  #historyBase = 0n
  #pending: readonly PersistOperation[] | null = null
  #failNext = false
  #syncs = 0

  constructor(kernel: Kernel, node: SimNode, random: SeededRandom, weather: DiskWeather) {
    this.#kernel = kernel
    this.#node = node
    this.#random = random
    this.weather = { ...weather }
  }

  /** The durable log, for checkers: entries behind `historyBase`. */
  get history(): readonly LogEntry[] {
    return this.#history
  }

  /** Where {@link SimDisk.history} begins: 0n, or the zxid of the last snapshot that was installed. */
  get historyBase(): bigint {
    return this.#historyBase
  }

  /** What is being written and would be there in part after a crash. */
  get pending(): readonly PersistOperation[] {
    return this.#pending ?? []
  }

  /** How many batches were synced. */
  get syncCount(): number {
    return this.#syncs
  }

  load(): Recovered {
    return this.#storage.load()
  }

  persist(operations: readonly PersistOperation[]): Promise<void> {
    this.#pending = operations
    this.onSync?.('begun', operations)
    const { latencyMsMin, latencyMsMax, slowChance, slowFactor } = this.weather
    const slow = this.#random.chance(slowChance) ? slowFactor : 1
    const latencyMs = (latencyMsMin + this.#random.unit() * (latencyMsMax - latencyMsMin)) * slow
    return new Promise((resolve, reject) => {
      this.#kernel.after(latencyMs, this.#node, 'disk', () => {
        if (this.#failNext) {
          this.#failNext = false
          this.#applyPrefix()
          reject(new Error(DISK_ERROR))
          return
        }
        this.#pending = null
        this.#syncs += 1
        for (const operation of operations) this.#apply(operation)
        if (this.onSync?.('durable', operations) !== true) resolve()
      })
    })
  }

  /** The machine crashed: of what was being written, some is there. */
  crash(): void {
    this.#failNext = false
    this.#applyPrefix()
  }

  /** Lets the sync under way, or the next one, fail. */
  failNextSync(): void {
    this.#failNext = true
  }

  /** Takes {@link SimDisk.failNextSync} back, if it has not happened. */
  cancelFailure(): void {
    this.#failNext = false
  }

  /** Loses everything. */
  wipe(): void {
    this.#storage = new MemoryStorage()
    this.#history = []
    this.#historyBase = 0n
    this.#pending = null
    this.observer?.wiped()
  }

  #applyPrefix(): void {
    const operations = this.#pending ?? []
    this.#pending = null
    const count = this.#random.between(0, operations.length)
    for (const operation of operations.slice(0, count)) this.#apply(operation)
    const torn = operations[count]
    if (torn?.type !== 'append') return
    const entries = torn.entries.slice(0, this.#random.between(0, torn.entries.length))
    if (entries.length > 0) this.#apply({ type: 'append', entries })
  }

  #apply(operation: PersistOperation): void {
    this.#storage.persist([operation])
    if (operation.type === 'append') this.#history.push(...operation.entries)
    else if (operation.type === 'truncate') {
      this.#history = this.#history.filter((entry) => entry.zxid <= operation.zxid)
    } else if (operation.type === 'install') {
      this.#history = []
      this.#historyBase = operation.zxid
    }
    this.observer?.persisted(operation)
  }
}
