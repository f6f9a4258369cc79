/**
 * Storage in files: data that a server has acknowledged survives the end of its process, and of its machine.
 *
 * Layout    that of ZooKeeper 3.8: `version-2/` with logs, snapshots and epochs; logs in another directory if asked
 *           for. Ours alone, where ZooKeeper does not look: the file `votes`, and the bytes after the last record or
 *           section that it knows in logs and snapshots (docs/operations.md).
 * Order     operations in the order in which they come; see promise-files.ts, log-files.ts, snapshot-files.ts.
 * Install   a state from a leader replaces all there is. It is written as `install.<zxid>`; with that name it has taken
 *           effect, and a start that finds one resumes where a crash interrupted: the log goes, then it gets its name.
 * Failure   of a sync is not repeated: nobody knows what the disk holds after it. The server stops, as after any other
 *           failure but one: a write that a full disk refuses is done when there is room (room.ts, decision 0017).
 */
import { parseDataFileName, snapshotFileName } from '../../../wire/disk/file-names.ts'
import type { LogEntry, PersistOperation } from '../../server/zab/journal.ts'
import { State } from '../../server/state/state.ts'
import type { LatencySummary } from '../latency.ts'
import { removeIfThere } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import { LogFiles } from './log-files.ts'
import type { LogFilesOptions } from './log-files.ts'
import { PromiseFiles, VOTES_FILE } from './promise-files.ts'
import { RoomWait } from './room.ts'
import { SnapshotFiles } from './snapshot-files.ts'
import { StorageError } from './storage-error.ts'
import { SyncGuard } from './sync-guard.ts'
import type { SnapshotSink, Storage, StoredState } from './storage.ts'

/** The directory, within those that are configured, for the present version of the formats. */
export const VERSION_DIRECTORY = 'version-2'
/** The name of a state from a leader that has taken effect, before its snapshot's. */
export const INSTALL_PREFIX = 'install.'
/** The name of a directory that was put aside ends with this and a number. */
const ASIDE_SUFFIX = '.damaged-'

/** Options of {@link FileStorage}. */
export interface FileStorageOptions extends LogFilesOptions {
  /** Where snapshots and epochs are. */
  readonly dataDir: string
  /** Where logs are; often the same. */
  readonly dataLogDir: string
  /** How many snapshots are kept, at least 1. */
  readonly snapRetainCount: number
  /** Told that the disk is full, so that nothing becomes durable from now on. */
  onFull(error: unknown): void
  /** Told that what waited for room is durable. */
  onRoom(): void
}

/** The files of one server. */
export class FileStorage implements Storage {
  readonly #files: FileSystem
  readonly #options: FileStorageOptions
  readonly #directory: string
  readonly #log: LogFiles
  readonly #snapshots: SnapshotFiles
  readonly #promises: PromiseFiles
  readonly #room: RoomWait
  /** Settles when all that was begun has ended, however it did. */
  #busy: Promise<unknown> = Promise.resolve()
  /** How often waits were given up: operations that wait in line then do nothing more. */
  #closings = 0
  /** How often it was to be read: an earlier start that waited meanwhile does nothing more. */
  #starts = 0

  constructor(files: FileSystem, options: FileStorageOptions) {
    this.#files = new SyncGuard(files)
    this.#options = options
    this.#directory = `${options.dataDir}/${VERSION_DIRECTORY}`
    this.#log = new LogFiles(this.#files, this.#logDirectory, options)
    this.#snapshots = new SnapshotFiles(this.#files, this.#directory)
    this.#promises = new PromiseFiles(this.#files, this.#directory)
    this.#room = new RoomWait((error) => options.onFull(error), () => options.onRoom())
  }

  get syncTimes(): LatencySummary {
    return this.#log.syncTimes
  }

  /** Where its files are. */
  get directories(): { readonly data: string; readonly log: string } {
    return { data: this.#directory, log: this.#logDirectory }
  }

  /**
   * @throws DamageError if a file with promises does not hold one
   * @throws StorageError `MISPLACED` if logs and snapshots are not where they belong; `DAMAGED` if there is a log and
   * no snapshot, or if the files with promises contradict each other
   */
  async recover(): Promise<StoredState> {
    // The operations of an earlier host of this server end first, however long they wait for room.
    const closings = this.#closings
    this.#starts += 1
    const start = this.#starts
    await this.#busy
    this.#expectLast(start)
    if (closings !== this.#closings) throw new Error(`${this.#directory} was closed before it was read`)
    await this.#log.close()
    await this.#makeDirectories()
    await this.#syncNames()
    await this.#expectInPlace()
    await this.#snapshots.removeUnfinished()
    await this.#finishInstall()
    const files = await this.#snapshots.list()
    const isNew = files.length === 0
    if (isNew && (await this.#log.hasFiles())) {
      const what = 'a log, and no snapshot that it could be applied to'
      const help = 'restore a backup, or remove the directory'
      throw new StorageError('DAMAGED', `${this.#logDirectory} holds ${what}; ${help}`)
    }
    const found = await this.#promises.read()
    if (isNew) {
      // Before anything else: a directory that has data and does not say who may vote is a ZooKeeper's.
      if (found.votes === null) await this.#promises.setVotes(false)
      await this.#writeFirstSnapshot()
    }
    await this.#tracked(this.#room.do(() => this.#promises.settle()))
    this.#expectLast(start)
    return {
      acceptedEpoch: Math.max(found.acceptedEpoch ?? 0, found.currentEpoch ?? 0),
      currentEpoch: found.currentEpoch ?? 0,
      votes: found.votes ?? !isNew,
      keepsDigests: true,
      snapshots: files.map((file) => ({ zxid: file.zxid, name: file.name, chunks: this.#snapshots.read(file) })),
      entriesAfter: (zxid) => this.#log.read(zxid),
    }
  }

  persist(operations: readonly PersistOperation[]): Promise<void> {
    return this.#tracked(this.#persist(operations))
  }

  async #persist(operations: readonly PersistOperation[]): Promise<void> {
    let entries: LogEntry[] = []
    for (const operation of operations) {
      if (operation.type === 'append') {
        entries = entries.length === 0 ? [...operation.entries] : [...entries, ...operation.entries]
        continue
      }
      await this.#append(entries)
      entries = []
      await this.#room.do(() => this.#do(operation))
    }
    await this.#append(entries)
  }

  #append(entries: readonly LogEntry[]): Promise<void> {
    return this.#room.do(() => this.#log.append(entries))
  }

  createSnapshot(zxid: bigint): SnapshotSink {
    this.#log.roll()
    const file = this.#snapshots.create(zxid)
    const commit = async (): Promise<void> => {
      await file.commit()
      await this.#purge()
    }
    return {
      write: (chunk) => this.#tracked(file.write(chunk)),
      commit: () => this.#tracked(commit()),
      abort: () => {
        // A file that cannot be removed now is removed by the next start.
        this.#tracked(file.abort()).catch(() => undefined)
      },
    }
  }

  rewind(zxid: bigint, snapshot: bigint): Promise<void> {
    return this.#tracked(this.#rewind(zxid, snapshot))
  }

  /** The log last: until it is cut, it makes of an older snapshot what was there before. */
  async #rewind(zxid: bigint, snapshot: bigint): Promise<void> {
    await this.#snapshots.removeAfter(snapshot)
    await this.#log.truncate(zxid)
  }

  async setAside(): Promise<void> {
    await this.#giveUp()
    await this.#log.close()
    for (const directory of new Set([this.#directory, this.#logDirectory])) {
      const parent = directory.slice(0, directory.lastIndexOf('/'))
      const taken = await this.#files.list(parent)
      let number = 1
      while (taken.includes(`${VERSION_DIRECTORY}${ASIDE_SUFFIX}${number}`)) number += 1
      await this.#files.rename(directory, `${directory}${ASIDE_SUFFIX}${number}`)
      // Snapshots and rights first: were only the log gone after a crash, its server would vote without it.
      await this.#files.syncDirectory(parent)
    }
    this.#promises.forget()
  }

  /** Whether its server has ever made a promise, or logged a transaction. */
  async hasHistory(): Promise<boolean> {
    await this.#makeDirectories()
    const { acceptedEpoch, currentEpoch } = await this.#promises.read()
    if (acceptedEpoch !== null || currentEpoch !== null) return true
    const snapshots = await this.#snapshots.list()
    return snapshots.some(({ zxid }) => zxid !== 0n) || (await this.#log.hasFiles())
  }

  /** Whether a server of ours has left it with a vote; null if none was here, as where a ZooKeeper was. */
  async leftVote(): Promise<boolean | null> {
    await this.#makeDirectories()
    const { votes } = await this.#promises.read()
    return votes
  }

  /** Makes it durable that its server may vote: it has made no promise that it could have forgotten. */
  async grantVote(): Promise<void> {
    await this.#makeDirectories()
    await this.#promises.setVotes(true)
  }

  /** Removes everything. */
  async wipe(): Promise<void> {
    await this.#giveUp()
    await this.#log.close()
    // A part of it must not look like a server that has all its rights.
    await this.#promises.setVotes(false)
    for (const directory of [this.#logDirectory, this.#directory]) {
      for (const name of await this.#files.list(directory)) {
        if (name !== VOTES_FILE) await this.#files.remove(`${directory}/${name}`)
      }
      await this.#files.syncDirectory(directory)
    }
    await this.#files.remove(`${this.#directory}/${VOTES_FILE}`)
    this.#promises.forget()
  }

  /** Closes the files, once what was begun has ended. */
  async close(): Promise<void> {
    await this.#giveUp()
    await this.#log.close()
  }

  /** Waits for what was begun, but not for room. */
  async #giveUp(): Promise<void> {
    this.#closings += 1
    this.#room.giveUp()
    await this.#busy
  }

  /** @throws Error if another start has begun since */
  #expectLast(start: number): void {
    if (start !== this.#starts) throw new Error(`${this.#directory} is read by a later start`)
  }

  #tracked<T>(work: Promise<T>): Promise<T> {
    this.#busy = Promise.allSettled([this.#busy, work])
    return work
  }

  /** Names that a process has given before it ended may not be durable yet. */
  async #syncNames(): Promise<void> {
    await this.#files.syncDirectory(this.#directory)
    await this.#files.syncDirectory(this.#logDirectory)
  }

  async #makeDirectories(): Promise<void> {
    await this.#files.makeDirectory(this.#directory)
    await this.#files.makeDirectory(this.#logDirectory)
  }

  get #logDirectory(): string {
    return `${this.#options.dataLogDir}/${VERSION_DIRECTORY}`
  }

  async #do(operation: Exclude<PersistOperation, { type: 'append' }>): Promise<void> {
    switch (operation.type) {
      case 'truncate':
        await this.#log.truncate(operation.zxid)
        return
      case 'install':
        await this.#install(operation.zxid, operation.chunks)
        return
      case 'epochs':
        await this.#promises.write(operation)
    }
  }

  async #install(zxid: bigint, chunks: readonly Uint8Array[]): Promise<void> {
    await this.#snapshots.store(zxid, chunks, `${INSTALL_PREFIX}${snapshotFileName(zxid)}`)
    await this.#finishInstall()
  }

  /** Replaces everything by the state that was installed, if one was. */
  async #finishInstall(): Promise<void> {
    const names = await this.#files.list(this.#directory)
    const installed = names.find((name) => name.startsWith(INSTALL_PREFIX))
    if (installed === undefined) return
    const name = installed.slice(INSTALL_PREFIX.length)
    const zxid = parseDataFileName(name)?.zxid
    if (zxid === undefined) return
    await this.#log.removeAll()
    for (const other of await this.#snapshots.list()) {
      if (other.zxid >= zxid) await removeIfThere(this.#files, `${this.#directory}/${other.name}`)
    }
    await this.#files.rename(`${this.#directory}/${installed}`, `${this.#directory}/${name}`)
    await this.#files.syncDirectory(this.#directory)
  }

  async #purge(): Promise<void> {
    const oldest = await this.#snapshots.purge(this.#options.snapRetainCount)
    if (oldest !== null) await this.#log.purge(oldest)
  }

  /** A log is only read on top of a snapshot, by us and by ZooKeeper. */
  async #writeFirstSnapshot(): Promise<void> {
    await this.#snapshots.store(0n, new State().openSnapshot().chunks())
  }

  /** As ZooKeeper, which refuses such directories: files that are not looked at would be missed in silence. */
  async #expectInPlace(): Promise<void> {
    if (this.#logDirectory === this.#directory) return
    const logs = (await this.#files.list(this.#directory)).find((name) => parseDataFileName(name)?.kind === 'log')
    const snapshots = (await this.#files.list(this.#logDirectory)).find((name) => {
      return parseDataFileName(name)?.kind === 'snapshot'
    })
    if (logs !== undefined) {
      throw new StorageError('MISPLACED', `${this.#directory} holds ${logs}: move logs to ${this.#logDirectory}`)
    }
    if (snapshots !== undefined) {
      const where = `move snapshots to ${this.#directory}`
      throw new StorageError('MISPLACED', `${this.#logDirectory} holds ${snapshots}: ${where}`)
    }
  }
}
