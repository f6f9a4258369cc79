/**
 * A disk of the simulated world: it takes time, and what was not synced when its machine crashed is there in part.
 *
 * Model     the host hands over one batch at a time and waits. At a crash a random prefix of the batch under way is
 *           durable, and of an append a random prefix of its entries: lost and torn writes. An error leaves such a
 *           prefix too. Snapshots are written beside that, a chunk at a time; one that was being committed is there or
 *           not.
 * Not here  what needs bytes: a torn record, bit rot, reordering between syncs. See file-disk.ts, on which the files of
 *           production stand, and which is slower.
 */
import { MemoryStorage } from '../../backends/embedded/host/storage/memory.ts'
import type { MemoryContents } from '../../backends/embedded/host/storage/memory.ts'
import type { SnapshotSink, Storage, StoredState } from '../../backends/embedded/host/storage/storage.ts'
import type { LogEntry, PersistOperation } from '../../backends/embedded/server/zab/journal.ts'
import type { Kernel } from './kernel.ts'
import type { SimNode } from './sim-node.ts'
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

/** A snapshot that is stored. */
export interface StoreOperation {
  readonly type: 'snapshot'
  readonly zxid: bigint
  readonly chunks: readonly Uint8Array[]
}

/** An operation that a disk makes durable as a whole. */
export type DiskOperation = PersistOperation | StoreOperation

/** A snapshot that is being written. */
interface SnapshotFile {
  readonly operation: StoreOperation & { readonly chunks: Uint8Array[] }
  isCommitting: boolean
}

/**
 * Told when a batch begins to be written, and when it is durable and its host does not know yet.
 *
 * @returns after `durable`: true if the machine dies at this instant, so that nobody will ever hear of it
 */
export type SyncWatcher = (phase: 'begun' | 'durable', operations: readonly DiskOperation[]) => boolean

/** Sees what becomes of a disk, and changes nothing; for checkers. */
export interface DiskObserver {
  /** This is durable now. */
  persisted(operation: DiskOperation): void
  /** Everything is lost. */
  wiped(): void
  /** A start has read something else than what was acknowledged, in words. */
  contradicted(what: string): void
}

/** The disk of one server, as the world and its faults see it. */
export interface ServerDisk extends Storage {
  readonly weather: DiskWeather
  /** For faults that strike at a sync. */
  onSync: SyncWatcher | null
  observer: DiskObserver | null
  /** The operations that are being written, and would be there in part after a crash. */
  readonly pending: readonly DiskOperation[]
  /** The durable contents. */
  readonly contents: MemoryContents
  /** Whether it was taken away, or put aside: its server is to begin without a vote. */
  readonly isLost: boolean
  /** Whether it has reason to call itself damaged. */
  readonly mayBeDamaged: boolean
  /** Its server runs with what was read. */
  opened(): void
  /**
   * The machine crashed: of what was being written, some is there.
   *
   * @param mayTear - whether of one write a later part may be there without an earlier one
   * @returns whether that happened
   */
  crash(mayTear?: boolean): boolean
  /** Lets the sync under way, or the next one, fail. */
  failNextSync(): void
  /** Takes back what has not happened of {@link ServerDisk.failNextSync} and the like. */
  cancelFailure(): void
  /** Loses everything. */
  wipe(): void
}

/** Whether an error is that of a disk that fails, or comes from one. */
export function isDiskError(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && cause.code === 'EIO') return true
  }
  return false
}

function diskError(): Error {
  return Object.assign(new Error('EIO: injected disk error'), { code: 'EIO' })
}

/** The disk of one server. */
export class SimDisk implements ServerDisk {
  readonly weather: DiskWeather
  onSync: SyncWatcher | null = null
  observer: DiskObserver | null = null
  isLost = false
  readonly mayBeDamaged = false
  readonly #kernel: Kernel
  readonly #node: SimNode
  readonly #random: SeededRandom
  #storage = new MemoryStorage()
  /**
   * Every entry of the log since the beginning, also those that snapshots have made needless. Null after an install.
   */
  #history: LogEntry[] = []
  #historyBase = 0n
  #pending: readonly PersistOperation[] | null = null
  #file: SnapshotFile | null = null
  #failNext = false
  #syncs = 0

  constructor(kernel: Kernel, node: SimNode, random: SeededRandom, weather: DiskWeather) {
    this.#kernel = kernel
    this.#node = node
    this.#random = random
    this.weather = { ...weather }
  }

  /** The durable log, for checkers: entries after `historyBase`. */
  get history(): readonly LogEntry[] {
    return this.#history
  }

  /** Where {@link SimDisk.history} begins: 0n, or the zxid of the last snapshot that was installed. */
  get historyBase(): bigint {
    return this.#historyBase
  }

  get pending(): readonly DiskOperation[] {
    const pending = this.#pending ?? []
    return this.#file === null ? pending : [...pending, this.#file.operation]
  }

  /** How many batches were synced. */
  get syncCount(): number {
    return this.#syncs
  }

  get contents(): MemoryContents {
    return this.#storage.contents
  }

  async recover(): Promise<StoredState> {
    await this.#takeTime()
    return this.#storage.recover()
  }

  async persist(operations: readonly PersistOperation[]): Promise<void> {
    this.#pending = operations
    this.onSync?.('begun', operations)
    await this.#takeTime()
    if (this.#failNext) {
      this.#failNext = false
      this.#applyPrefix()
      throw diskError()
    }
    this.#pending = null
    for (const operation of operations) this.#apply(operation)
    await this.#synced(operations)
  }

  createSnapshot(zxid: bigint): SnapshotSink {
    const chunks: Uint8Array[] = []
    const file: SnapshotFile = { operation: { type: 'snapshot', zxid, chunks }, isCommitting: false }
    this.#file = file
    return {
      write: async (chunk) => {
        await this.#takeTime()
        chunks.push(chunk)
      },
      commit: () => this.#commit(file),
      abort: () => {
        if (this.#file === file) this.#file = null
      },
    }
  }

  async rewind(zxid: bigint): Promise<void> {
    await this.#takeTime()
    this.#apply({ type: 'truncate', zxid })
  }

  setAside(): Promise<void> {
    this.wipe()
    return Promise.resolve()
  }

  async #commit(file: SnapshotFile): Promise<void> {
    file.isCommitting = true
    this.onSync?.('begun', [file.operation])
    await this.#takeTime()
    if (this.#file !== file) return
    if (this.#failNext) {
      this.#failNext = false
      throw diskError()
    }
    this.#file = null
    this.#apply(file.operation)
    await this.#synced([file.operation])
  }

  /** Never ends if the machine dies at this instant. */
  #synced(operations: readonly DiskOperation[]): Promise<void> {
    this.#syncs += 1
    const dies = this.onSync?.('durable', operations) === true
    return dies ? new Promise(() => undefined) : Promise.resolve()
  }

  /** Never ends if the machine dies meanwhile. */
  #takeTime(): Promise<void> {
    const { latencyMsMin, latencyMsMax, slowChance, slowFactor } = this.weather
    const slow = this.#random.chance(slowChance) ? slowFactor : 1
    const latencyMs = (latencyMsMin + this.#random.unit() * (latencyMsMax - latencyMsMin)) * slow
    return new Promise((resolve) => {
      this.#kernel.after(latencyMs, this.#node, 'disk', resolve)
    })
  }

  opened(): void {
    // Nothing can differ from what it holds.
  }

  crash(): boolean {
    this.#failNext = false
    const file = this.#file
    this.#file = null
    const isThere = file?.isCommitting === true && this.#random.chance(0.5)
    if (isThere) this.#apply(file.operation)
    this.#applyPrefix()
    return false
  }

  failNextSync(): void {
    this.#failNext = true
  }

  cancelFailure(): void {
    this.#failNext = false
  }

  wipe(): void {
    this.isLost = true
    this.#storage = new MemoryStorage()
    this.#history = []
    this.#historyBase = 0n
    this.#pending = null
    this.#file = null
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

  #apply(operation: DiskOperation): void {
    if (operation.type === 'snapshot') this.#store(operation)
    else this.#storage.persist([operation])
    if (operation.type === 'append') this.#history.push(...operation.entries)
    else if (operation.type === 'truncate') {
      this.#history = this.#history.filter((entry) => entry.zxid <= operation.zxid)
    } else if (operation.type === 'install') {
      this.#history = []
      this.#historyBase = operation.zxid
    }
    this.observer?.persisted(operation)
  }

  #store({ zxid, chunks }: StoreOperation): void {
    const sink = this.#storage.createSnapshot(zxid)
    for (const chunk of chunks) void sink.write(chunk)
    void sink.commit()
  }
}
