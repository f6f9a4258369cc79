/**
 * A file system in memory that keeps what was synced over a crash, and of the rest whatever it likes.
 *
 * Model     a file has bytes, and writes that are not durable yet; a directory has names, and changes of them that are
 *           not durable yet. Everybody sees all of it, until the machine crashes.
 * Crash     each sector of 512 bytes is as it was after one of the writes that were not synced, or before them; each
 *           change of a length is there or not, and each change of a name, in any order. A rename is there as a whole
 *           or not at all.
 * Failure   of a call leaves a part of its work. After a sync that failed, everybody sees the bytes, and no later sync
 *           makes them durable.
 * Rot       changes what is durable, at any time, and says nothing.
 * Source    ALICE (Pillai et al., OSDI 2014) on what file systems do with what was not
 *           synced; Rebello et al., ATC 2020, on fsync failures.
 */
import type { FileSystem, OpenFile } from '../../backends/embedded/host/storage/file-system.ts'
import { WholeFile } from '../../backends/embedded/host/storage/whole-file.ts'
import type { FileCalls } from '../../backends/embedded/host/storage/whole-file.ts'
import type { SeededRandom } from './random.ts'

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
    for (const change of this.#changes) this.#durable = changed(this.#durable, change)
    this.#changes = []
  }

  /** Bytes that wait are never written, though everybody sees them. */
  failSync(): void {
    this.#changes = this.#changes.filter((change) => 'size' in change)
  }

  /** How many of its durable bytes are not prepared room. */
  get filledBytes(): number {
    let length = this.#durable.length
    while (length > 0 && this.#durable[length - 1] === 0) length -= 1
    return length
  }

  flip(at: number, mask: number): void {
    this.#durable[at] = (this.#durable[at] ?? 0) ^ mask
    if (at < this.bytes.length) this.bytes[at] = (this.bytes[at] ?? 0) ^ mask
  }

  /** Another file with what is durable of this one. */
  copy(): Inode {
    const copy = new Inode()
    copy.bytes = Buffer.from(this.#durable)
    copy.#durable = Buffer.from(this.#durable)
    return copy
  }

  /** @returns whether what was written is there without something that was written before it */
  crash(random: SeededRandom, tears: boolean): boolean {
    const lost = new Set<number>()
    let hasHole = false
    let isCut = false
    for (const change of this.#changes) {
      if ('size' in change) {
        if (random.chance(0.5)) this.#durable = changed(this.#durable, change)
        continue
      }
      for (const sector of sectorsOf(change)) {
        const number = Math.floor(sector.at / SECTOR_BYTES)
        isCut ||= !tears && random.chance(0.3)
        // A later write of a sector carries the earlier ones with it.
        if (isCut || lost.has(number) || (tears && random.chance(0.5))) lost.add(number)
        else {
          this.#durable = changed(this.#durable, sector)
          hasHole ||= lost.size > 0
        }
      }
    }
    this.bytes = Buffer.from(this.#durable)
    this.#changes = []
    return hasHole
  }
}

type NameChange =
  | { readonly type: 'set'; readonly name: string; readonly entry: Entry }
  | { readonly type: 'remove'; readonly name: string }
  | { readonly type: 'rename'; readonly from: string; readonly to: string; readonly entry: Entry }

class Directory {
  names = new Map<string, Entry>()
  #durable = new Map<string, Entry>()
  #changes: NameChange[] = []

  change(change: NameChange): void {
    apply(this.names, change)
    this.#changes.push(change)
  }

  /** Gives a directory or a file in it a name that is durable at once. */
  add(name: string, directory: Entry): void {
    this.names.set(name, directory)
    this.#durable.set(name, directory)
  }

  sync(): void {
    this.#durable = new Map(this.names)
    this.#changes = []
  }

  copy(): Directory {
    const copy = new Directory()
    for (const [name, entry] of this.#durable) copy.names.set(name, entry.copy())
    copy.sync()
    return copy
  }

  crash(random: SeededRandom, tears: boolean): boolean {
    const names = new Map(this.#durable)
    for (const change of this.#changes) if (random.chance(0.5)) apply(names, change)
    this.names = names
    this.sync()
    let hasHole = false
    for (const entry of names.values()) if (entry.crash(random, tears)) hasHole = true
    return hasHole
  }
}

type Entry = Inode | Directory

/** Called before each call of the system; it may take time, or throw. */
export type CallWatcher = (name: string, path: string) => Promise<void> | undefined

/** The failure of one call. */
export interface CallFailure {
  /** Such as `EIO`. */
  readonly code: string
  /** Which part of the work is done all the same, from 0 to 1. */
  readonly done: number
}

/** Where durable bytes rot, each from 0 up to 1: which file of a directory, and which byte of it. */
export interface RottenPlace {
  readonly file: number
  readonly byte: number
  /** The bits of the byte that flip. */
  readonly mask: number
}

/** The files of one machine. */
export class LossyFileSystem implements FileSystem {
  readonly #random: SeededRandom
  #root = new Directory()
  /** Before each call; after a crash, those of before must not come back. */
  onCall: CallWatcher = () => undefined
  /** Says how a call fails; null if it does not. */
  failureOf: (name: string, path: string) => CallFailure | null = () => null
  /** How likely a write takes only a part of its bytes, and says so. */
  shortWriteChance = 0
  /** How many files are open. */
  openFiles = 0

  constructor(random: SeededRandom) {
    this.#random = random
  }

  /**
   * The machine loses power: calls that are under way never end, if `onCall` sees to that.
   *
   * @param tears - whether any sectors of a file can be there; otherwise those that were written first are
   * @returns whether a sector is there without one of its file that was written before it
   */
  crash(tears = true): boolean {
    return this.#root.crash(this.#random, tears)
  }

  /** Makes a file in a directory, durably and at once, as somebody has left it before. */
  put(directory: string, name: string, bytes: Uint8Array): void {
    const inode = new Inode()
    inode.change({ at: 0, bytes })
    inode.sync()
    this.#make(directory).add(name, inode)
  }

  /**
   * Keeps a copy of what is durable.
   *
   * @returns puts it back, as often as it is called
   */
  save(): () => void {
    const saved = this.#root.copy()
    return () => {
      this.#root = saved.copy()
    }
  }

  /**
   * Lets a durable byte of a directory rot.
   *
   * @returns the file and the place in it; null if nothing is durable there
   */
  rot(directory: string, { file, byte, mask }: RottenPlace): string | null {
    const files = this.filled(directory)
    const rotten = files[Math.floor(file * files.length)]
    if (rotten === undefined) return null
    const at = Math.floor(byte * rotten.inode.filledBytes)
    rotten.inode.flip(at, mask)
    return `${rotten.name} at ${at}`
  }

  /** The files of a directory in which something is durable, by name. */
  filled(directory: string): readonly { readonly name: string; readonly inode: Inode }[] {
    const found = this.#entry(directory)
    if (!(found instanceof Directory)) return []
    return [...found.names].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([name, entry]) => {
      return entry instanceof Inode && entry.filledBytes > 0 ? [{ name, inode: entry }] : []
    })
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
      this.#make(directory)
    })
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<OpenFile> {
    await this.call(mode === 'create' ? 'create' : 'open', path, () => {
      const [directory, name] = this.#place(path)
      if (mode !== 'create') return
      if (directory.names.has(name)) throw systemError('EEXIST', path)
      directory.change({ type: 'set', name, entry: new Inode() })
    })
    const inode = this.#entry(path)
    if (!(inode instanceof Inode)) throw systemError('ENOENT', path)
    const file = new WholeFile(new LossyFile(this, path, inode))
    this.openFiles += 1
    return file
  }

  async rename(from: string, to: string): Promise<void> {
    await this.call('rename', from, () => {
      const [directory, name] = this.#place(from)
      const [target, newName] = this.#place(to)
      if (target !== directory) throw systemError('EXDEV', to)
      const entry = directory.names.get(name)
      if (entry === undefined) throw systemError('ENOENT', from)
      directory.change({ type: 'rename', from: name, to: newName, entry })
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
      this.#directory(directory).sync()
    })
  }

  /** How many of so many bytes a write takes. */
  takes(bytes: number): number {
    const isShort = bytes > 1 && this.#random.chance(this.shortWriteChance)
    return isShort ? this.#random.between(1, bytes - 1) : bytes
  }

  #make(directory: string): Directory {
    let parent = this.#root
    for (const name of partsOf(directory)) {
      const found = parent.names.get(name) ?? new Directory()
      if (!(found instanceof Directory)) throw systemError('EEXIST', directory)
      if (!parent.names.has(name)) parent.add(name, found)
      parent = found
    }
    return parent
  }

  #entry(path: string): Entry | undefined {
    let entry: Entry | undefined = this.#root
    for (const name of partsOf(path)) entry = entry instanceof Directory ? entry.names.get(name) : undefined
    return entry
  }

  #directory(path: string): Directory {
    const directory = this.#entry(path)
    if (!(directory instanceof Directory)) throw systemError('ENOENT', path)
    return directory
  }

  #place(path: string): [Directory, string] {
    const slash = path.lastIndexOf('/')
    return [this.#directory(path.slice(0, slash)), path.slice(slash + 1)]
  }
}

class LossyFile implements FileCalls {
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

  async read(into: Uint8Array, at: number): Promise<number> {
    await this.#files.call('read', this.#path)
    const found = this.#inode.bytes.subarray(at, at + into.length)
    into.set(found)
    return found.length
  }

  async write(bytes: Uint8Array, at: number): Promise<number> {
    const taken = bytes.slice(0, this.#files.takes(bytes.length))
    await this.#files.call('write', this.#path, (done) => {
      this.#inode.change({ at, bytes: taken.subarray(0, Math.floor(taken.length * done)) })
    })
    return taken.length
  }

  async setSize(size: number): Promise<void> {
    await this.#files.call(size > this.#inode.bytes.length ? 'grow' : 'shrink', this.#path, () => {
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

function partsOf(path: string): readonly string[] {
  return path.split('/').filter((part) => part !== '')
}

/** The bytes after a change; the array that was given may be among them, changed. */
function changed(bytes: Buffer, change: Change): Buffer {
  if ('size' in change) {
    const resized = Buffer.alloc(change.size)
    bytes.copy(resized, 0, 0, Math.min(bytes.length, change.size))
    return resized
  }
  const end = change.at + change.bytes.length
  const grown = end <= bytes.length ? bytes : Buffer.alloc(end)
  if (grown !== bytes) bytes.copy(grown)
  grown.set(change.bytes, change.at)
  return grown
}

/** A write, sector by sector. */
function sectorsOf({ at, bytes }: Extract<Change, { bytes: Uint8Array }>): Extract<Change, { bytes: Uint8Array }>[] {
  const sectors = []
  for (let from = 0; from < bytes.length; ) {
    const end = Math.min(bytes.length, from + SECTOR_BYTES - ((at + from) % SECTOR_BYTES))
    sectors.push({ at: at + from, bytes: bytes.subarray(from, end) })
    from = end
  }
  return sectors
}

function apply(names: Map<string, Entry>, change: NameChange): void {
  switch (change.type) {
    case 'set':
      names.set(change.name, change.entry)
      break
    case 'remove':
      names.delete(change.name)
      break
    case 'rename':
      names.delete(change.from)
      names.set(change.to, change.entry)
  }
}
