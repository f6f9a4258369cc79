/**
 * A file system in memory that keeps what was synced over a crash, and of the rest whatever it likes.
 *
 * Model     a file has bytes, and writes that are not durable yet; a directory has names, and changes of them that are
 *           not durable yet. Everybody sees all of it, until the machine crashes.
 * Crash     each write that was not synced is there or not, by sectors of 512 bytes; so is each change of a length, and
 *           each change of a name, in any order. A rename is there as a whole or not at all.
 * Failure   of a call leaves a part of its work. After a sync that failed, everybody sees the bytes, and no later sync
 *           makes them durable.
 * Source    ALICE (Pillai et al., OSDI 2014) on what file systems do with what was not
 *           synced; Rebello et al., ATC 2020, on fsync failures.
 */
import type { FileSystem, OpenFile } from '../../../../../src/backends/embedded/host/storage/file-system.ts'
import type { SeededRandom } from '../../../../../src/testing/simulation/random.ts'

const SECTOR_BYTES = 512

type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly size: number }

/** A file, whatever its name is. */
class Inode {
  /** The bytes as everybody sees them. */
  bytes: Buffer = Buffer.alloc(0)
  #durable: Buffer = Buffer.alloc(0)
  #changes: Change[] = []

  change(change: Change): void {
    this.bytes = changed(this.bytes, change)
    this.#changes.push(change)
  }

  sync(): void {
    let durable = this.#durable
    for (const change of this.#changes) durable = changed(durable, change)
    this.#durable = durable
    this.#changes = []
  }

  /** Bytes that wait are never written, though everybody sees them. */
  failSync(): void {
    this.#changes = this.#changes.filter((change) => 'size' in change)
  }

  crash(random: SeededRandom): void {
    let bytes = this.#durable
    for (const change of this.#changes) {
      if ('size' in change) {
        if (random.chance(0.5)) bytes = changed(bytes, change)
        continue
      }
      for (let from = 0; from < change.bytes.length; ) {
        const at = change.at + from
        const end = Math.min(change.bytes.length, from + SECTOR_BYTES - (at % SECTOR_BYTES))
        if (random.chance(0.5)) bytes = changed(bytes, { at, bytes: change.bytes.subarray(from, end) })
        from = end
      }
    }
    this.bytes = bytes
    this.#durable = bytes
    this.#changes = []
  }
}

type NameChange =
  | { readonly type: 'set'; readonly name: string; readonly inode: Inode }
  | { readonly type: 'remove'; readonly name: string }
  | { readonly type: 'rename'; readonly from: string; readonly to: string; readonly inode: Inode }

class Directory {
  names = new Map<string, Inode>()
  #durable = new Map<string, Inode>()
  #changes: NameChange[] = []

  change(change: NameChange): void {
    apply(this.names, change)
    this.#changes.push(change)
  }

  sync(): void {
    this.#durable = new Map(this.names)
    this.#changes = []
  }

  crash(random: SeededRandom): void {
    const names = new Map(this.#durable)
    for (const change of this.#changes) if (random.chance(0.5)) apply(names, change)
    this.names = names
    this.sync()
    for (const inode of names.values()) inode.crash(random)
  }
}

/** Called before each call of the system; it may take time, or throw. */
export type CallWatcher = (name: string, path: string) => Promise<void> | undefined

/** The failure of one call. */
export interface CallFailure {
  /** Such as `EIO`. */
  readonly code: string
  /** Which part of the work is done all the same, from 0 to 1. */
  readonly done: number
}

/** The files of one machine. */
export class LossyFileSystem implements FileSystem {
  readonly #random: SeededRandom
  readonly #directories = new Map<string, Directory>()
  /** Before each call; after a crash, those of before must not come back. */
  onCall: CallWatcher = () => undefined
  /** Says how a call fails; null if it does not. */
  failureOf: (name: string, path: string) => CallFailure | null = () => null
  /** How many files are open. */
  openFiles = 0

  constructor(random: SeededRandom) {
    this.#random = random
  }

  /** The machine loses power: calls that are under way never end, if `onCall` sees to that. */
  crash(): void {
    for (const directory of this.#directories.values()) directory.crash(this.#random)
  }

  /** Does the work of a call, or a part of it if it fails. */
  async call(name: string, path: string, work: (done: number) => void = () => undefined): Promise<void> {
    await this.onCall(name, path)
    const failure = this.failureOf(name, path)
    if (failure === null || failure.done > 0) work(failure?.done ?? 1)
    if (failure !== null) throw systemError(failure.code, path)
  }

  async list(directory: string): Promise<readonly string[]> {
    await this.call('list', directory)
    return [...this.#directory(directory).names.keys()]
  }

  async makeDirectory(directory: string): Promise<void> {
    await this.call('makeDirectory', directory, () => {
      if (!this.#directories.has(directory)) this.#directories.set(directory, new Directory())
    })
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<OpenFile> {
    await this.call('open', path, () => {
      const [directory, name] = this.#place(path)
      if (mode !== 'create') return
      if (directory.names.has(name)) throw systemError('EEXIST', path)
      directory.change({ type: 'set', name, inode: new Inode() })
    })
    const file = new LossyFile(this, path, this.#inode(path))
    this.openFiles += 1
    return file
  }

  async rename(from: string, to: string): Promise<void> {
    await this.call('rename', from, () => {
      if (this.#directories.has(from)) {
        this.#renameDirectory(from, to)
        return
      }
      const [directory, name] = this.#place(from)
      directory.change({ type: 'rename', from: name, to: this.#place(to)[1], inode: this.#inode(from) })
    })
  }

  async remove(path: string): Promise<void> {
    await this.call('remove', path, () => {
      const [directory, name] = this.#place(path)
      if (!directory.names.has(name)) throw systemError('ENOENT', path)
      directory.change({ type: 'remove', name })
    })
  }

  async syncDirectory(directory: string): Promise<void> {
    await this.call('syncDirectory', directory, () => {
      this.#directories.get(directory)?.sync()
    })
  }

  #renameDirectory(from: string, to: string): void {
    this.#directories.set(to, this.#directory(from))
    this.#directories.delete(from)
  }

  #directory(path: string): Directory {
    const directory = this.#directories.get(path)
    if (directory === undefined) throw systemError('ENOENT', path)
    return directory
  }

  #place(path: string): [Directory, string] {
    const slash = path.lastIndexOf('/')
    return [this.#directory(path.slice(0, slash)), path.slice(slash + 1)]
  }

  #inode(path: string): Inode {
    const [directory, name] = this.#place(path)
    const inode = directory.names.get(name)
    if (inode === undefined) throw systemError('ENOENT', path)
    return inode
  }
}

class LossyFile implements OpenFile {
  readonly #files: LossyFileSystem
  readonly #path: string
  readonly #inode: Inode

  constructor(files: LossyFileSystem, path: string, inode: Inode) {
    this.#files = files
    this.#path = path
    this.#inode = inode
  }

  async size(): Promise<number> {
    await this.#files.call('size', this.#path)
    return this.#inode.bytes.length
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    await this.#files.call('read', this.#path)
    return new Uint8Array(this.#inode.bytes.subarray(at, at + length))
  }

  async write(bytes: Uint8Array, at: number): Promise<void> {
    const copy = bytes.slice()
    await this.#files.call('write', this.#path, (done) => {
      this.#inode.change({ at, bytes: copy.subarray(0, Math.floor(copy.length * done)) })
    })
  }

  async setSize(size: number): Promise<void> {
    await this.#files.call('setSize', this.#path, () => {
      this.#inode.change({ size })
    })
  }

  async sync(): Promise<void> {
    await this.#files.call('sync', this.#path, (done) => {
      if (done === 1) this.#inode.sync()
      else this.#inode.failSync()
    })
  }

  async close(): Promise<void> {
    this.#files.openFiles -= 1
    await this.#files.call('close', this.#path)
  }
}

/** An error of the system, as Node.js makes it. */
function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

function changed(bytes: Buffer, change: Change): Buffer {
  if ('size' in change) {
    const resized = Buffer.alloc(change.size)
    bytes.copy(resized, 0, 0, Math.min(bytes.length, change.size))
    return resized
  }
  const grown = Buffer.alloc(Math.max(bytes.length, change.at + change.bytes.length))
  bytes.copy(grown)
  grown.set(change.bytes, change.at)
  return grown
}

function apply(names: Map<string, Inode>, change: NameChange): void {
  switch (change.type) {
    case 'set':
      names.set(change.name, change.inode)
      break
    case 'remove':
      names.delete(change.name)
      break
    case 'rename':
      names.delete(change.from)
      names.set(change.to, change.inode)
  }
}
