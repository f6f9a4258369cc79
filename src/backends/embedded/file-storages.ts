/**
 * The storages of an ensemble's servers in files, under one directory that a lock protects.
 *
 * Layout    a server alone has `dataDir` to itself, as ZooKeeper's would; of several, each has the directory `<id>` in
 *           it. One that was laid out for the other is refused: it would look empty. So is one of more voters.
 * Beginning an ensemble begins with the right of every voter to vote. It is on all of their disks before the first of
 *           them starts, so that a crash in the middle leaves either no history or all rights. A server whose files are
 *           missing later has lost its vote, as it may have promised anything (decision 0006).
 */
import { expectLayout, serversIn } from './data-layout.ts'
import type { HostEvent } from './host/host.ts'
import { lockDirectory } from './host/storage/directory-lock.ts'
import { readSmallFile, replaceFile } from './host/storage/file-system.ts'
import type { ServerDirectories } from './host/storage/directory-size.ts'
import { FileStorage } from './host/storage/files.ts'
import { absolutePath, nodeFileSystem } from './host/storage/node-file-system.ts'
import { StorageError } from './host/storage/storage-error.ts'
import type { Storage } from './host/storage/storage.ts'
import type { StorageSettings } from './options.ts'
import type { EnsembleStorages } from './parts.ts'

/** Room in logs is prepared in steps of this many bytes. */
const PREALLOCATE_BYTES = 0x40_0000

const MYID_FILE = 'myid'
const MYID_BYTES_MAX = 64

/** The settings of storages that are in files. */
type FileSettings = StorageSettings & { readonly dataDir: string }

/** The storages of one ensemble; see {@link EnsembleStorages}. */
export class FileStorages implements EnsembleStorages {
  readonly #settings: FileSettings
  readonly #isAlone: boolean
  readonly #onEvent: (id: number, event: HostEvent) => void
  readonly #files = new Map<number, FileStorage>()
  readonly #unlocks: (() => Promise<void>)[] = []

  /**
   * Makes storages that are not opened.
   *
   * @param isAlone - whether there is one server, and never another one
   * @param onEvent - told of a record that a crash tore, and that was cut off: it was never acknowledged; and of a disk
   * that gets full, or has room again
   */
  constructor(settings: FileSettings, isAlone: boolean, onEvent: (id: number, event: HostEvent) => void) {
    const { dataDir, dataLogDir } = settings
    const logs = dataLogDir === null ? null : absolutePath(dataLogDir)
    this.#settings = { ...settings, dataDir: absolutePath(dataDir), dataLogDir: logs }
    this.#isAlone = isAlone
    this.#onEvent = onEvent
  }

  of(id: number): Storage {
    return this.#filesOf(id)
  }

  directoriesOf(id: number): ServerDirectories {
    return this.#filesOf(id).directories
  }

  async wipe(id: number): Promise<void> {
    await this.#files.get(id)?.wipe()
  }

  async open(voters: readonly number[]): Promise<{ readonly isNew: boolean }> {
    await this.#lock()
    await expectLayout(nodeFileSystem, this.#settings.dataDir, this.#isAlone)
    if (!this.#isAlone) await this.#expectAllVoters(voters)
    return { isNew: await this.begin(voters) }
  }

  async begin(voters: readonly number[]): Promise<boolean> {
    const storages = voters.map((id) => this.#filesOf(id))
    for (const storage of storages) {
      if (!(await storage.hasHistory())) continue
      await this.#expectMajority(voters)
      return false
    }
    for (const storage of storages) await storage.grantVote()
    return true
  }

  /** Votes are given by who has served: an ensemble in which too few have one would wait forever. */
  async #expectMajority(voters: readonly number[]): Promise<void> {
    const { dataDir } = this.#settings
    const storages = voters.map((id) => this.#filesOf(id))
    const rights = await Promise.all(storages.map(async (files) => (await files.leftVote()) ?? files.hasHistory()))
    const count = rights.filter((mayVote) => mayVote).length
    if (count > voters.length / 2) return
    const found = `${count} of ${voters.length} voters in ${dataDir} may vote, and it takes more than half`
    const help = 'start with as many servers as before; or, if their data are lost, restore a backup'
    throw new StorageError('MISPLACED', `${found}: ${help} with --whole-ensemble`)
  }

  /** Of fewer voters than before, a majority could lack what the others alone have acknowledged. */
  async #expectAllVoters(voters: readonly number[]): Promise<void> {
    const { dataDir } = this.#settings
    const others = (await serversIn(nodeFileSystem, dataDir)).filter((id) => !voters.includes(id))
    const lost: number[] = []
    for (const id of others) if ((await this.#filesOf(id).leftVote()) === true) lost.push(id)
    if (lost.length === 0) return
    const found = `${dataDir} holds the data of voters that are none of this ensemble: ${lost.join(', ')}`
    const help = `what was acknowledged may be with them alone: start it with servers: ${Math.max(...lost)}`
    throw new StorageError('MISPLACED', `${found}; ${help}`)
  }

  async openFor(myid: number): Promise<void> {
    await this.#lock()
    const { dataDir } = this.#settings
    await expectLayout(nodeFileSystem, dataDir, true)
    const bytes = await readSmallFile(nodeFileSystem, `${dataDir}/${MYID_FILE}`, MYID_BYTES_MAX)
    const written = bytes === null ? null : Buffer.from(bytes).toString('latin1').trim()
    if (written === null) await replaceFile(nodeFileSystem, dataDir, MYID_FILE, `${myid}\n`)
    else if (written !== String(myid)) {
      const help = `start it with its own directory, or with --myid ${written}`
      throw new StorageError('MISPLACED', `${dataDir}/myid holds ${written}, and this is server ${myid}: ${help}`)
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#files.values()].map((files) => files.close()))
    for (const unlock of this.#unlocks.splice(0)) await unlock()
  }

  async #lock(): Promise<void> {
    const { dataDir, dataLogDir } = this.#settings
    for (const directory of new Set([dataDir, dataLogDir ?? dataDir])) {
      await nodeFileSystem.makeDirectory(directory)
      this.#unlocks.push(await lockDirectory(directory))
    }
  }

  #filesOf(id: number): FileStorage {
    const { dataDir, dataLogDir, snapRetainCount } = this.#settings
    const place = (directory: string): string => (this.#isAlone ? directory : `${directory}/${id}`)
    const files =
      this.#files.get(id) ??
      new FileStorage(nodeFileSystem, {
        dataDir: place(dataDir),
        dataLogDir: place(dataLogDir ?? dataDir),
        snapRetainCount,
        preallocateBytes: PREALLOCATE_BYTES,
        onTornTail: (file, offset) => {
          const what = 'the last record is incomplete, as a crash leaves it, and was cut off'
          const error = new StorageError('DAMAGED', `${file}: at byte ${offset}: ${what}`)
          this.#onEvent(id, { type: 'damaged', error })
        },
        onFull: (error) => {
          this.#onEvent(id, { type: 'disk-full', error })
        },
        onRoom: () => {
          this.#onEvent(id, { type: 'disk-has-room' })
        },
      })
    this.#files.set(id, files)
    return files
  }
}
