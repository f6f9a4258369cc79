/**
 * The transaction log of one server, in ZooKeeper's files.
 *
 * Model     `log.<zxid of its first record>`, ascending. Records go to the last file; after a start, a cut or a
 *           snapshot the next record begins a new one. Room is prepared ahead, so that a sync need not make the length
 *           durable.
 * Durable   once {@link LogFiles.append} is done: the bytes, and before the first of them are, the name of the file.
 * Failure   of a write leaves no trace: the part of the batch that is there is cut off, durably, before the next one is
 *           written. After a sync that failed nothing is written or read: decision 0015.
 * Reading   a torn last record was never acknowledged: it is cut off. Damage before the end, or a transaction that is
 *           missing, is an error that names file and offset; entries after it are not used.
 * Source    FileTxnLog of ZooKeeper 3.8; etcd, server/storage/wal.
 */
import { assert } from '../../../../core/assert.ts'
import { Writer } from '../../../wire/jute.ts'
import { DamageError } from '../../../wire/disk/damage.ts'
import { logFileName, parseDataFileName } from '../../../wire/disk/file-names.ts'
import { DIGEST_VERSION } from '../../../wire/disk/log-entries.ts'
import { LOG_HEADER, writeLogRecord } from '../../../wire/disk/log-file.ts'
import { LogScanner } from '../../../wire/disk/log-scanner.ts'
import type { LogRecord, LogVerdict } from '../../../wire/disk/log-scanner.ts'
import { follows } from '../../server/zab/journal.ts'
import type { LogEntry } from '../../server/zab/journal.ts'
import { formatZxid } from '../../server/zab/zxid.ts'
import { LatencySummary } from '../latency.ts'
import { removeIfThere } from './file-system.ts'
import type { FileSystem, OpenFile } from './file-system.ts'
import type { StoredEntry } from './storage.ts'
import { StorageError } from './storage-error.ts'

/** So much is read at a time: each call of the system costs the event loop a turn. */
const READ_BYTES = 0x8_0000
/** A part of a log: of a larger one, the garbage collector would copy the decoded records. */
const PART_BYTES = 0x1_0000
const WRITER_BYTES = 0x4_0000
/** A writer that has grown beyond this for one batch is dropped after it. */
const KEPT_WRITER_BYTES = 0x10_0000

/** Less than the zxid of any transaction. */
const BEFORE_ALL = -1n

/** Options of {@link LogFiles}. */
export interface LogFilesOptions {
  /** Room is prepared in steps of this many bytes. */
  readonly preallocateBytes: number
  /** Told of a record that was torn by a crash and is cut off. */
  onTornTail(file: string, offset: number): void
}

/** The file that records are written to. */
interface Tail {
  readonly file: OpenFile
  readonly path: string
  /** Where the next record begins. */
  end: number
  /** How long the file is. */
  size: number
}

/** The log in one directory. One call at a time. */
export class LogFiles {
  readonly #files: FileSystem
  readonly #directory: string
  readonly #options: LogFilesOptions
  #tail: Tail | null = null
  /** A write to it failed: the bytes after its end must be cut off. */
  #uncut: { readonly path: string; readonly end: number } | null = null
  #isFull = false
  /** Times of the syncs of batches, in milliseconds. */
  readonly syncTimes = new LatencySummary()
  #writer = new Writer(WRITER_BYTES)

  constructor(files: FileSystem, directory: string, options: LogFilesOptions) {
    this.#files = files
    this.#directory = directory
    this.#options = options
  }

  /** Lets the next record begin a new file. */
  roll(): void {
    this.#isFull = true
  }

  /** Makes entries durable, after all before. */
  async append(entries: readonly LogEntry[]): Promise<void> {
    const first = entries[0]
    if (first === undefined) return
    await this.#cutOff()
    if (this.#isFull) await this.close()
    const isNew = this.#tail === null
    const tail = this.#tail ?? (await this.#create(first.zxid))
    const writer = this.#writer
    // Drops the records of an append that failed.
    writer.truncate(0)
    if (isNew) writer.bytes(LOG_HEADER)
    for (const { txn, digest = null } of entries) writeLogRecord(writer, txn, digest)
    const bytes = writer.written()
    try {
      await this.#makeRoom(tail, bytes.length)
      await tail.file.write(bytes, tail.end)
    } catch (error) {
      this.#uncut = { path: tail.path, end: tail.end }
      await this.#drop(tail)
      throw error
    }
    await this.#sync(tail)
    tail.end += bytes.length
    if (isNew) await this.#syncNames()
    if (bytes.length > KEPT_WRITER_BYTES) this.#writer = new Writer(WRITER_BYTES)
  }

  /** Cuts off every record after this zxid, durably. */
  async truncate(zxid: bigint): Promise<void> {
    await this.close()
    for (const first of (await this.#list()).reverse()) {
      if (first <= zxid) {
        await this.#cut(first, zxid)
        return
      }
      // The last one first: after a crash in the middle of this, the log has no hole.
      await this.#removeDurably(this.#path(first))
    }
  }

  /** Removes all files, durably. */
  async removeAll(): Promise<void> {
    await this.truncate(BEFORE_ALL)
  }

  /** Removes the files that hold nothing after this zxid. */
  async purge(zxid: bigint): Promise<void> {
    const firsts = await this.#list()
    const needed = firsts.findLast((first) => first <= zxid)
    if (needed === undefined) return
    for (const first of firsts) if (first < needed) await removeIfThere(this.#files, this.#path(first))
  }

  /** Whether there are any files. */
  async hasFiles(): Promise<boolean> {
    return (await this.#list()).length > 0
  }

  /**
   * Reads the entries after a zxid, in parts, and mends a torn tail.
   *
   * @throws DamageError, or StorageError `DAMAGED` if a transaction is missing
   */
  async *read(after: bigint): AsyncGenerator<readonly StoredEntry[], void> {
    const firsts = await this.#list()
    const start = Math.max(0, firsts.findLastIndex((first) => first <= after))
    let last = after
    let end: { readonly path: string; readonly verdict: Undamaged } | null = null
    for (const first of firsts.slice(start)) {
      const path = this.#path(first)
      const scanner = new LogScanner(path)
      for await (const records of this.#scan(path, scanner)) {
        for (const { zxid, offset } of records) if (zxid < first) throw misplaced(path, offset, zxid)
        const entries = records.filter(({ zxid }) => zxid > after)
        for (const { zxid } of entries) {
          if (!follows(last, zxid)) throw missing(path, last, zxid)
          last = zxid
        }
        if (entries.length > 0) yield entries.map(stored)
      }
      const verdict = scanner.end()
      if (verdict.state === 'damaged') throw verdict.damage
      end = { path, verdict }
    }
    if (end !== null) await this.#mend(end.path, end.verdict)
  }

  /** Closes the file that is written to, and gives the room that it does not need back. */
  async close(): Promise<void> {
    const tail = this.#tail
    this.#isFull = false
    if (tail === null) {
      await this.#cutOff()
      return
    }
    try {
      await tail.file.setSize(tail.end)
      await tail.file.sync()
    } finally {
      await this.#drop(tail)
    }
  }

  /** The rest of a failed write must be gone before its records are written again, elsewhere. */
  async #cutOff(): Promise<void> {
    if (this.#uncut === null) return
    const { path, end } = this.#uncut
    if (end > 0) await this.#resize(path, end)
    else await this.#removeDurably(path)
    this.#uncut = null
  }

  /**
   * Makes a batch durable. If that fails, it is removed again, so that not even another process believes what the
   * system shows.
   */
  async #sync(tail: Tail): Promise<void> {
    const beganMs = performance.now()
    try {
      await tail.file.sync()
      this.syncTimes.add(Math.trunc(performance.now() - beganMs))
    } catch (error) {
      await tail.file.setSize(tail.end).catch(() => undefined)
      await this.#drop(tail)
      throw error
    }
  }

  /** Closes a file that nothing more is written to, whatever becomes of it. */
  async #drop(tail: Tail): Promise<void> {
    this.#tail = null
    await tail.file.close().catch(() => undefined)
  }

  async #create(zxid: bigint): Promise<Tail> {
    const path = this.#path(zxid)
    try {
      this.#tail = { file: await this.#files.open(path, 'create'), path, end: 0, size: 0 }
    } catch (error) {
      this.#uncut = { path, end: 0 }
      throw error
    }
    return this.#tail
  }

  async #makeRoom(tail: Tail, length: number): Promise<void> {
    if (tail.end + length <= tail.size) return
    const step = this.#options.preallocateBytes
    tail.size = Math.ceil((tail.end + length) / step) * step
    await tail.file.setSize(tail.size)
  }

  /** Cuts the file after a record. */
  async #cut(first: bigint, zxid: bigint): Promise<void> {
    const path = this.#path(first)
    let end: number | null = null
    let isPast = false
    const scanner = new LogScanner(path)
    for await (const records of this.#scan(path, scanner)) {
      for (const record of records) {
        if (record.zxid <= zxid) end = record.offset + record.length
        else isPast = true
      }
    }
    // Without a record after the place, the records may have ended before it.
    if (!isPast) expectClean(path, scanner.end())
    assert(end !== null, () => `${path} holds the transaction that it is named after`)
    await this.#resize(path, end)
  }

  async *#scan(path: string, scanner: LogScanner): AsyncGenerator<readonly LogRecord[], void> {
    const file = await this.#files.open(path, 'read')
    try {
      for (let at = 0; ; ) {
        // Of a short log no more memory is kept with its last entries than they need.
        const chunk = await file.read(at, at === 0 ? PART_BYTES : READ_BYTES)
        if (chunk.length === 0) return
        at += chunk.length
        for (let start = 0; start < chunk.length; start += PART_BYTES) {
          yield scanner.push(chunk.subarray(start, start + PART_BYTES))
        }
      }
    } finally {
      await file.close()
    }
  }

  /** Makes the last file end with its last whole record, as what begins after it must be read after it. */
  async #mend(path: string, verdict: Undamaged): Promise<void> {
    const { offset } = verdict
    if (verdict.state === 'torn') {
      this.#options.onTornTail(path, offset)
      await this.#resize(path, offset, verdict.append)
    }
    // One without records would stand in the way of the next record, which has its name.
    if (offset <= LOG_HEADER.length) await this.#removeDurably(path)
    // A process that ended may have written it and not synced it: then it is the system that has it, not the disk.
    else if (verdict.state !== 'torn') await this.#syncFile(path)
  }

  async #resize(path: string, size: number, append: Uint8Array = new Uint8Array()): Promise<void> {
    const file = await this.#files.open(path, 'write')
    try {
      await file.setSize(size)
      if (append.length > 0) await file.write(append, size)
      await file.sync()
    } finally {
      await file.close()
    }
  }

  async #syncFile(path: string): Promise<void> {
    const file = await this.#files.open(path, 'write')
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  }

  #syncNames(): Promise<void> {
    return this.#files.syncDirectory(this.#directory)
  }

  /** A purge that runs beside this may have removed the file already. */
  async #removeDurably(path: string): Promise<void> {
    await removeIfThere(this.#files, path)
    await this.#files.syncDirectory(this.#directory)
  }

  /** The zxids that the files are named after, ascending. */
  async #list(): Promise<bigint[]> {
    const names = (await this.#files.list(this.#directory)).map(parseDataFileName)
    const firsts = names.flatMap((name) => (name?.kind === 'log' ? [name.zxid] : []))
    return firsts.sort((a, b) => (a < b ? -1 : 1))
  }

  #path(first: bigint): string {
    return `${this.#directory}/${logFileName(first)}`
  }
}

type Undamaged = Exclude<LogVerdict, { state: 'damaged' }>

function stored({ zxid, txn, transaction, digest }: LogRecord): StoredEntry {
  return { zxid, txn, transaction, digest: valueOf(digest) }
}

/** Digests of other versions were never written by a release. */
function valueOf(digest: LogRecord['digest']): bigint | null {
  return digest?.version === DIGEST_VERSION ? digest.value : null
}

/** @throws DamageError, or StorageError `DAMAGED` where a record that was whole is incomplete */
function expectClean(path: string, verdict: LogVerdict): void {
  if (verdict.state === 'damaged') throw verdict.damage
  if (verdict.state === 'clean') return
  const help = 'restore a backup, or remove the directory and let the leader fill it'
  throw new StorageError('DAMAGED', `${path}: at byte ${verdict.offset}: ${verdict.reason}; ${help}`)
}

/** A log is named after its first transaction, and each comes after the one before it. */
function misplaced(path: string, offset: number, zxid: bigint): DamageError {
  return new DamageError(path, 'order', offset, `zxid ${formatZxid(zxid)} is before the one in the name of its log`)
}

function missing(path: string, last: bigint, next: bigint): StorageError {
  const gap = `transactions are missing between ${formatZxid(last)} and ${formatZxid(next)}`
  const help = 'restore a backup, or remove the directory and let the leader fill it'
  return new StorageError('DAMAGED', `${path}: ${gap}; ${help}`)
}
