/**
 * A file system that does nothing more once a sync has failed.
 *
 * Why       after a sync that failed the system may show what the disk does not hold, and a later sync may say that all
 *           is well: to go on would be to believe it. The process ends, and another one reads the disk.
 * Left      is what closes a file and makes it shorter: whoever wrote it takes back what did not become durable.
 * Source    Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020.
 */
import type { FileSystem, OpenFile } from './file-system.ts'
import { StorageError } from './storage-error.ts'

/** The files of one server until a sync fails. */
export class SyncGuard implements FileSystem {
  readonly #files: FileSystem
  #failure: StorageError | null = null

  constructor(files: FileSystem) {
    this.#files = files
  }

  async list(directory: string): Promise<readonly string[]> {
    this.expectTrust()
    return this.#files.list(directory)
  }

  async makeDirectory(directory: string): Promise<void> {
    this.expectTrust()
    await this.#files.makeDirectory(directory)
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<OpenFile> {
    this.expectTrust()
    return new GuardedFile(this, path, await this.#files.open(path, mode))
  }

  async rename(from: string, to: string): Promise<void> {
    this.expectTrust()
    await this.#files.rename(from, to)
  }

  async remove(path: string): Promise<void> {
    this.expectTrust()
    await this.#files.remove(path)
  }

  async syncDirectory(directory: string): Promise<void> {
    await this.trust(directory, () => this.#files.syncDirectory(directory))
  }

  /** Syncs; a failure is the end. */
  async trust(path: string, sync: () => Promise<void>): Promise<void> {
    this.expectTrust()
    try {
      await sync()
    } catch (error) {
      const what = 'a sync failed, so what the disk holds is not known; check the disk, then start the process again'
      this.#failure ??= new StorageError('DAMAGED', `${path}: ${what}`, error)
      throw this.#failure
    }
  }

  /** @throws StorageError `DAMAGED` after a sync that failed */
  expectTrust(): void {
    if (this.#failure !== null) throw this.#failure
  }
}

class GuardedFile implements OpenFile {
  readonly #guard: SyncGuard
  readonly #path: string
  readonly #file: OpenFile

  constructor(guard: SyncGuard, path: string, file: OpenFile) {
    this.#guard = guard
    this.#path = path
    this.#file = file
  }

  size(): Promise<number> {
    return this.#file.size()
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    this.#guard.expectTrust()
    return this.#file.read(at, length)
  }

  async write(bytes: Uint8Array, at: number): Promise<void> {
    this.#guard.expectTrust()
    await this.#file.write(bytes, at)
  }

  setSize(length: number): Promise<void> {
    return this.#file.setSize(length)
  }

  sync(): Promise<void> {
    return this.#guard.trust(this.#path, () => this.#file.sync())
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
