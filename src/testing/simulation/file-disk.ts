/**
 * A disk of the simulated world on which the files of production stand: FileStorage, on a file system that takes time,
 * fails, gets full, rots, and loses what was not synced.
 *
 * Model     each call of the system is an event of the server's machine. A life ends with the process alone, so that
 *           the next one finds what the system has in memory, or the machine loses power.
 * Checked   what a start reads is what was acknowledged, with a part of what was under way, perhaps; or it says that it
 *           is damaged. This is told to the observer, as is what becomes durable.
 * Damage    is expected where bytes rotted, and where a later part of a write is there and an earlier one is not, which
 *           looks the same (decision 0015).
 */
import type { HostEvent } from '../../backends/embedded/host/host.ts'
import { FileStorage, VERSION_DIRECTORY } from '../../backends/embedded/host/storage/files.ts'
import type { MemoryContents } from '../../backends/embedded/host/storage/memory.ts'
import type { SnapshotSink, StoredState } from '../../backends/embedded/host/storage/storage.ts'
import type { LogEntry, PersistOperation } from '../../backends/embedded/server/zab/journal.ts'
import type { DiskObserver, DiskOperation, DiskWeather, ServerDisk, StoreOperation, SyncWatcher } from './disk.ts'
import { NEW, after, described, outcomes, readable } from './durable-model.ts'
import type { Model } from './durable-model.ts'
import type { Kernel } from './kernel.ts'
import { LossyFileSystem } from './lossy-file-system.ts'
import type { CallFailure, RottenPlace } from './lossy-file-system.ts'
import type { SeededRandom } from './random.ts'
import type { SimNode } from './sim-node.ts'
import { ZOOKEEPER_EPOCH, zooKeeperEntries, zooKeeperFiles } from './zookeeper-files.ts'
import type { ZooKeeperShare } from './zookeeper-files.ts'

/** The way in which the servers of a run keep their files. */
export interface FileSettings {
  readonly snapRetainCount: number
  readonly preallocateBytes: number
  /** Whether logs are in a directory of their own. */
  readonly hasLogDirectory: boolean
  /** How likely a write takes only a part of its bytes. */
  readonly shortWriteChance: number
}

/** Something that a disk tells by itself. */
export type FileDiskEvent =
  | Extract<HostEvent, { type: 'disk-full' | 'disk-has-room' }>
  /** The last record of its log, which was never acknowledged, was torn and is cut off. */
  | { readonly type: 'torn-tail' }
  /** Its files were damaged and are put aside. */
  | { readonly type: 'set-aside' }

const DATA_DIRECTORY = '/data'
const LOG_DIRECTORY = '/log'
/** Where the files are, of data and of logs. */
const DIRECTORIES = [`${DATA_DIRECTORY}/${VERSION_DIRECTORY}`, `${LOG_DIRECTORY}/${VERSION_DIRECTORY}`] as const
/** How likely only the process ends, and the machine goes on. */
const KILL_CHANCE = 0.3
/** The time of a call that does not wait for the disk, in milliseconds. */
const CALL_MS = 0.002
const SYNCS: ReadonlySet<string> = new Set(['sync', 'syncDirectory'])
/** Calls that a disk without room refuses. */
const NEED_ROOM: ReadonlySet<string> = new Set(['create', 'write', 'grow', 'rename'])
const NEVER = new Promise<never>(() => undefined)

/** The parts of a disk. */
export interface FileDiskOptions {
  readonly kernel: Kernel
  readonly node: SimNode
  readonly random: SeededRandom
  readonly weather: DiskWeather
  readonly settings: FileSettings
  /** The files of a ZooKeeper that are on it; absent if it is new. */
  readonly carriedOver?: ZooKeeperShare | undefined
  onEvent(event: FileDiskEvent): void
}

/** The disk of one server. */
export class FileDisk implements ServerDisk {
  readonly weather: DiskWeather
  onSync: SyncWatcher | null = null
  observer: DiskObserver | null = null
  isLost = false
  mayBeDamaged = false
  /** Before the n-th call from now its machine crashes. */
  #crashAt: { left: number; readonly crash: () => void } | null = null
  /** The n-th call from now fails. */
  #failAt: { left: number; readonly done: number; readonly failed: () => void } | null = null
  /** How likely a call that needs room finds none. */
  #fullness = 0
  readonly #options: FileDiskOptions
  #files: LossyFileSystem
  /** That of the present life. */
  #storage: FileStorage | null = null
  /** The state that was acknowledged. */
  #model: Model = NEW
  /** Operations that were under way when an earlier life ended. */
  #doubtful: readonly PersistOperation[] = []
  #pending: readonly PersistOperation[] = []
  #snapshot: StoreOperation | null = null
  /** The greatest zxid that a snapshot was taken of. */
  #applied = 0n
  #failNext = false
  /** The state that the present start has read; null if it has not come to the end. */
  #read: Model | null = null
  /** It is being put aside, and may be gone. */
  #isGoing = false

  constructor(options: FileDiskOptions) {
    this.#options = options
    this.weather = { ...options.weather }
    this.#files = this.#makeFiles()
    if (options.carriedOver !== undefined) this.#carryOver(options.carriedOver)
  }

  get pending(): readonly DiskOperation[] {
    return this.#snapshot === null ? this.#pending : [...this.#pending, this.#snapshot]
  }

  get contents(): MemoryContents {
    const { base, ...rest } = this.#model
    return { ...rest, snapshot: base === 0n ? null : { zxid: base, chunks: [] } }
  }

  async recover(): Promise<StoredState> {
    this.#read = null
    await this.#takeTime(CALL_MS)
    this.#storage ??= this.#makeStorage()
    const stored = await this.#storage.recover()
    return { ...stored, entriesAfter: (zxid) => this.#entriesAfter(stored, zxid) }
  }

  async persist(operations: readonly PersistOperation[]): Promise<void> {
    this.#pending = operations
    this.onSync?.('begun', operations)
    await this.#open.persist(operations)
    this.#pending = []
    for (const operation of operations) this.#persisted(operation)
    if (this.onSync?.('durable', operations) === true) await NEVER
  }

  createSnapshot(zxid: bigint): SnapshotSink {
    const chunks: Uint8Array[] = []
    const operation: StoreOperation = { type: 'snapshot', zxid, chunks }
    const sink = this.#open.createSnapshot(zxid)
    if (zxid > this.#applied) this.#applied = zxid
    this.#snapshot = operation
    return {
      write: async (chunk) => {
        chunks.push(chunk)
        await sink.write(chunk)
      },
      commit: async () => {
        this.onSync?.('begun', [operation])
        await sink.commit()
        if (this.#snapshot !== operation) return
        this.#snapshot = null
        this.observer?.persisted(operation)
        if (this.onSync?.('durable', [operation]) === true) await NEVER
      },
      abort: () => {
        sink.abort()
        if (this.#snapshot === operation) this.#snapshot = null
      },
    }
  }

  async rewind(zxid: bigint, snapshot: bigint): Promise<void> {
    const operation = { type: 'truncate', zxid } as const
    this.#pending = [operation]
    await this.#open.rewind(zxid, snapshot)
    this.#pending = []
    if (this.#read !== null) this.#read = after(this.#read, operation)
    this.#persisted(operation)
  }

  async setAside(): Promise<void> {
    this.isLost = true
    this.#isGoing = true
    await this.#open.setAside()
    this.#isAside()
  }

  crash(mayTear = true): boolean {
    this.#doubtful = [...this.#doubtful, ...this.#pending]
    this.#pending = []
    this.#snapshot = null
    this.#storage = null
    this.cancelFailure()
    const { random } = this.#options
    if (random.chance(KILL_CHANCE)) return false
    const isTorn = this.#files.crash(mayTear)
    this.mayBeDamaged ||= isTorn
    return isTorn
  }

  failNextSync(): void {
    this.#failNext = true
  }

  cancelFailure(): void {
    this.#failNext = false
    this.#failAt = null
    this.#crashAt = null
  }

  wipe(): void {
    this.#forget()
    this.#files = this.#makeFiles()
    this.mayBeDamaged = false
  }

  /** Lets its machine crash before its n-th call from now: `crash` is told, and the call never ends. */
  crashAtCall(nth: number, crash: () => void): void {
    this.#crashAt = { left: nth, crash }
  }

  /** Lets the n-th call from now fail when a part of its work, from 0 to 1, is done. */
  failCall(nth: number, done: number, failed: () => void): void {
    this.#failAt = { left: nth, done, failed }
  }

  /** Lets it be so full that a call that needs room finds none with this chance; 0 is the end of it. */
  fill(fullness: number): void {
    this.#fullness = fullness
  }

  /**
   * Keeps a copy of what it holds, while its server is down and nothing is in doubt.
   *
   * @returns puts it back, as often as it is called
   */
  save(): () => void {
    const restore = this.#files.save()
    const model = { ...this.#model, entries: [...this.#model.entries] }
    const applied = this.#applied
    return () => {
      restore()
      this.#model = { ...model, entries: [...model.entries] }
      this.#applied = applied
      this.#doubtful = []
      this.isLost = false
      this.mayBeDamaged = false
    }
  }

  /** Lets a durable byte rot; gives its place, or null if there is none. */
  rot(place: RottenPlace): string | null {
    const [directory = '', file] = this.#options.settings.hasLogDirectory
      // The two halves of the range are the two directories.
      ? [DIRECTORIES[Math.floor(2 * place.file)], (2 * place.file) % 1]
      : [DIRECTORIES[0], place.file]
    const found = this.#files.rot(directory, { ...place, file })
    this.mayBeDamaged ||= found !== null
    return found
  }

  /** How many bytes are durable in each file of the directory of data, in the order in which they rot. */
  fileSizes(): readonly number[] {
    return this.#files.filled(DIRECTORIES[0]).map(({ inode }) => inode.filledBytes)
  }

  get #open(): FileStorage {
    if (this.#storage === null) throw new Error('a storage is used that was not read')
    return this.#storage
  }

  #forget(): void {
    this.isLost = true
    this.#isGoing = false
    this.#model = NEW
    this.#doubtful = []
    this.#pending = []
    this.#applied = 0n
    this.observer?.wiped()
  }

  #isAside(): void {
    this.#forget()
    this.#options.onEvent({ type: 'set-aside' })
  }

  async *#entriesAfter(stored: StoredState, zxid: bigint): AsyncGenerator<readonly LogEntry[], void> {
    const entries: LogEntry[] = []
    for await (const part of stored.entriesAfter(zxid)) {
      entries.push(...part)
      yield part
    }
    const { acceptedEpoch, currentEpoch, votes } = stored
    this.#read = { acceptedEpoch, currentEpoch, votes, base: zxid, entries }
  }

  opened(): void {
    const found = this.#read
    if (found === null) throw new Error('a server runs on files that were not read to their end')
    this.#read = null
    const { base } = found
    if (this.#isGoing && described(found, base) === described(NEW, 0n)) this.#isAside()
    this.#isGoing = false
    const possible = readable(outcomes(this.#model, [...this.#doubtful, ...this.#pending]), base, this.#applied)
    const words = described(found, base)
    const outcome = possible.find(({ model }) => described(model, base) === words)
    if (outcome === undefined) {
      const { base: from, entries: { length } } = this.#model
      const last = this.#model.entries.at(-1)?.zxid ?? from
      const said = `${length} transactions after ${hex(from)} up to ${hex(last)}, epochs ${epochsOf(this.#model)}`
      const read = `${found.entries.length} after ${hex(base)} up to ${hex(found.entries.at(-1)?.zxid ?? base)}`
      this.observer?.contradicted(`${said} were acknowledged; found were ${read}, epochs ${epochsOf(found)}`)
      return
    }
    this.#doubtful = []
    this.#pending = []
    for (const operation of outcome.operations) this.#persisted(operation)
  }

  #persisted(operation: PersistOperation): void {
    if (operation.type === 'append') {
      this.#model = { ...this.#model, entries: pushed(this.#model.entries, operation.entries) }
    } else {
      this.#model = outcomes(this.#model, [operation]).at(-1)?.model ?? this.#model
    }
    this.observer?.persisted(operation)
  }

  #makeStorage(): FileStorage {
    const { settings: { snapRetainCount, preallocateBytes, hasLogDirectory } } = this.#options
    const onEvent = (event: FileDiskEvent): void => {
      this.#options.onEvent(event)
    }
    return new FileStorage(this.#files, {
      dataDir: DATA_DIRECTORY,
      dataLogDir: hasLogDirectory ? LOG_DIRECTORY : DATA_DIRECTORY,
      snapRetainCount,
      preallocateBytes,
      onTornTail: () => {
        onEvent({ type: 'torn-tail' })
      },
      onFull: (error) => {
        onEvent({ type: 'disk-full', error })
      },
      onRoom: () => {
        onEvent({ type: 'disk-has-room' })
      },
    })
  }

  #carryOver(share: ZooKeeperShare): void {
    const { hasLogDirectory } = this.#options.settings
    const [data, log] = DIRECTORIES
    for (const { kind, name, bytes } of zooKeeperFiles(share)) {
      this.#files.put(kind === 'log' && hasLogDirectory ? log : data, name, bytes)
    }
    const entries = zooKeeperEntries(share.count)
    const epochs = { acceptedEpoch: ZOOKEEPER_EPOCH, currentEpoch: ZOOKEEPER_EPOCH }
    this.#model = { ...NEW, ...epochs, votes: true, entries: [...entries] }
    this.#applied = entries.at(-1)?.zxid ?? 0n
  }

  #makeFiles(): LossyFileSystem {
    const { random, settings } = this.#options
    const files = new LossyFileSystem(random.fork('files'))
    files.shortWriteChance = settings.shortWriteChance
    files.onCall = (name) => this.#called(name)
    files.failureOf = (name) => this.#failureOf(name)
    return files
  }

  async #called(name: string): Promise<void> {
    if (this.#crashAt !== null) {
      this.#crashAt.left -= 1
      if (this.#crashAt.left <= 0) {
        const { crash } = this.#crashAt
        this.#crashAt = null
        crash()
        await NEVER
      }
    }
    await this.#takeTime(SYNCS.has(name) ? this.#latencyMs() : CALL_MS)
  }

  #failureOf(name: string): CallFailure | null {
    const { random } = this.#options
    if (this.#failNext && SYNCS.has(name)) {
      this.#failNext = false
      return { code: 'EIO', done: random.pick([0, 0.5]) }
    }
    if (this.#failAt !== null) {
      this.#failAt.left -= 1
      if (this.#failAt.left <= 0) {
        const { done, failed } = this.#failAt
        this.#failAt = null
        failed()
        return { code: 'EIO', done }
      }
    }
    const isRefused = NEED_ROOM.has(name) && this.#fullness > 0 && random.chance(this.#fullness)
    return isRefused ? { code: 'ENOSPC', done: name === 'write' ? random.pick([0, 0.5]) : 0 } : null
  }

  #latencyMs(): number {
    const { random } = this.#options
    const { latencyMsMin, latencyMsMax, slowChance, slowFactor } = this.weather
    const slow = random.chance(slowChance) ? slowFactor : 1
    return (latencyMsMin + random.unit() * (latencyMsMax - latencyMsMin)) * slow
  }

  /** Never ends if the machine dies meanwhile. */
  #takeTime(latencyMs: number): Promise<void> {
    const { kernel, node } = this.#options
    return new Promise((resolve) => {
      kernel.after(latencyMs, node, 'file', resolve)
    })
  }
}

/** Appends to an array that only its owner knows. */
function pushed(entries: readonly LogEntry[], more: readonly LogEntry[]): readonly LogEntry[] {
  const own = entries.length === 0 ? [] : (entries as LogEntry[])
  own.push(...more)
  return own
}

function hex(zxid: bigint): string {
  return `0x${zxid.toString(16)}`
}

function epochsOf({ acceptedEpoch, currentEpoch, votes }: Model): string {
  return `${acceptedEpoch} and ${currentEpoch}${votes ? '' : ' without a vote'}`
}
