/**
 * The snapshots of one server, in ZooKeeper's files.
 *
 * Model     `snapshot.<zxid>`. One that is being written is called `.tmp`; it is synced before it gets its name, and
 *           the name is durable before anybody hears of it.
 * Kept      are the newest ones, so that one of them can be damaged. With a snapshot goes the log that only it needed.
 * Reading   also what a ZooKeeper compressed.
 * Source    FileSnap, PurgeTxnLog of ZooKeeper 3.8, which writes the final name and does not sync.
 */
import { parseDataFileName, snapshotFileName } from '../../../wire/disk/file-names.ts'
import type { DataFileName } from '../../../wire/disk/file-names.ts'
import { unpackSnapshot } from '../../../wire/io/snapshot-streams.ts'
import { removeIfThere } from './file-system.ts'
import type { FileSystem, OpenFile } from './file-system.ts'

const READ_BYTES = 0x4_0000

/** A snapshot that is there. */
interface StoredFile extends DataFileName {
  readonly name: string
}

/** The snapshots in one directory. */
export class SnapshotFiles {
  readonly #files: FileSystem
  readonly #directory: string

  constructor(files: FileSystem, directory: string) {
    this.#files = files
    this.#directory = directory
  }

  /** The snapshots, the newest one first. */
  async list(): Promise<readonly StoredFile[]> {
    const names = await this.#files.list(this.#directory)
    const found = names.flatMap((name) => {
      const parsed = parseDataFileName(name)
      return parsed?.kind === 'snapshot' && !parsed.isTemporary ? [{ ...parsed, name }] : []
    })
    return found.sort((a, b) => (a.zxid > b.zxid ? -1 : 1))
  }

  /** Reads one, unpacked. */
  read({ name, compression }: Pick<StoredFile, 'name' | 'compression'>): AsyncIterable<Uint8Array> {
    const path = `${this.#directory}/${name}`
    return unpackSnapshot(path, compression, this.#chunks(path)) as AsyncIterable<Uint8Array>
  }

  /** Begins a new one, which is nothing until it is committed. */
  create(zxid: bigint): SnapshotFile {
    return new SnapshotFile(this.#files, this.#directory, snapshotFileName(zxid))
  }

  /**
   * Stores a whole one.
   *
   * @param name - another name than that of a snapshot
   */
  async store(zxid: bigint, chunks: Iterable<Uint8Array>, name?: string): Promise<void> {
    const file = this.create(zxid)
    try {
      for (const chunk of chunks) await file.write(chunk)
      await file.commit(name)
    } catch (error) {
      // A file that cannot be removed now is removed by the next start.
      await file.abort().catch(() => undefined)
      throw error
    }
  }

  /** Removes what was not finished. */
  async removeUnfinished(): Promise<void> {
    for (const name of await this.#files.list(this.#directory)) {
      if (parseDataFileName(name)?.isTemporary === true) await this.#files.remove(`${this.#directory}/${name}`)
    }
  }

  /** Removes those after the one of this zxid, the newest first, durably. */
  async removeAfter(zxid: bigint): Promise<void> {
    const later = (await this.list()).filter((snapshot) => snapshot.zxid > zxid)
    for (const { name } of later) await removeIfThere(this.#files, `${this.#directory}/${name}`)
    if (later.length > 0) await this.#files.syncDirectory(this.#directory)
  }

  /**
   * Removes all but the newest ones.
   *
   * @returns the zxid of the oldest one that is left, or null if there is none
   */
  async purge(keep: number): Promise<bigint | null> {
    const snapshots = await this.list()
    for (const { name } of snapshots.slice(keep).reverse()) {
      await removeIfThere(this.#files, `${this.#directory}/${name}`)
    }
    return snapshots.slice(0, keep).at(-1)?.zxid ?? null
  }

  async *#chunks(path: string): AsyncGenerator<Uint8Array, void> {
    const file = await this.#files.open(path, 'read')
    try {
      for (let at = 0; ; ) {
        const chunk = await file.read(at, READ_BYTES)
        if (chunk.length === 0) return
        at += chunk.length
        yield chunk
      }
    } finally {
      await file.close()
    }
  }
}

/** A snapshot that is being written. */
class SnapshotFile {
  readonly #files: FileSystem
  readonly #directory: string
  readonly #name: string
  #file: Promise<OpenFile> | null = null
  #length = 0
  #isAborted = false

  constructor(files: FileSystem, directory: string, name: string) {
    this.#files = files
    this.#directory = directory
    this.#name = name
  }

  /** Writes the next chunk. */
  async write(chunk: Uint8Array): Promise<void> {
    const file = await this.#open()
    const at = this.#length
    this.#length += chunk.length
    await file.write(chunk, at)
  }

  /**
   * Makes it durable under its name; one of that name is replaced.
   *
   * @param name - another name than that of a snapshot
   */
  async commit(name = this.#name): Promise<void> {
    const file = await this.#open()
    await file.sync()
    this.#file = null
    await file.close()
    if (this.#isAborted) return
    await this.#files.rename(this.#temporary, `${this.#directory}/${name}`)
    await this.#files.syncDirectory(this.#directory)
  }

  /** Gives it up. The part that was written is removed now, or by the next start. */
  async abort(): Promise<void> {
    this.#isAborted = true
    const file = this.#file
    this.#file = null
    if (file === null) return
    await (await file).close()
    await removeIfThere(this.#files, this.#temporary)
  }

  get #temporary(): string {
    return `${this.#directory}/${this.#name}.tmp`
  }

  #open(): Promise<OpenFile> {
    this.#file ??= removeIfThere(this.#files, this.#temporary).then(() => this.#files.open(this.#temporary, 'create'))
    return this.#file
  }
}
