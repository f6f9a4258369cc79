/**
 * Reads a transaction log from chunks, and judges how it ends.
 *
 * Verdict   `clean`: nothing, or zeros, after the last record. `torn`: one incomplete record at the end, as a write
 *           leaves it that was interrupted. `damaged`: anything else; records may follow that cannot be told from
 *           rubbish.
 * Safety    a record that is whole but for its length or end mark is never treated as torn: an end that looks torn is
 *           first searched for whole records. Only the last record whose tail became zeros after it was durable cannot
 *           be told from a torn one.
 * Memory    one record at most, and never for a length that the file only claims.
 * Stricter  than ZooKeeper, which takes a zeroed header for the end of the file, and records in any order.
 * Source    FileTxnLog.FileTxnIterator of ZooKeeper 3.8; etcd, server/storage/wal/decoder.go.
 */
import { isCoordinationError } from '../../../core/errors.ts'
import { ByteWindow } from './byte-window.ts'
import { firstNonZero } from './checksums.ts'
import { DamageError } from './damage.ts'
import type { DamageKind } from './damage.ts'
import { readLogEntry } from './log-entries.ts'
import type { LogEntry } from './log-entries.ts'
import { END_OF_RECORD, FIELD_BYTES_MAX, LOG_HEADER, LOG_VERSION, RECORD_HEADER_BYTES } from './log-file.ts'
import { Slab } from './slab.ts'
import { hasMissingSector, holdsWholeRecord, spansSector } from './torn-records.ts'

/** One record of a log. */
export interface LogRecord extends LogEntry {
  /** Where in the file it begins. */
  readonly offset: number
  /** Its length in bytes, with checksum, length and end mark. */
  readonly length: number
  readonly zxid: bigint
  /**
   * Whether no transaction is missing between the one before and this one. One can be missing where a server got a
   * snapshot from its leader. True of the first record of a file.
   */
  readonly isContiguous: boolean
}

/** How a log ends. All bytes before `offset` are whole. */
export type LogVerdict =
  | { readonly state: 'clean'; readonly offset: number }
  | {
    readonly state: 'torn'
    readonly offset: number
    /**
     * The tail is mended by cutting the file at `offset` and appending this: the end mark of the last record, or
     * nothing.
     */
    readonly append: Uint8Array
    /** The incomplete part, in words. */
    readonly reason: string
  }
  | {
    readonly state: 'damaged'
    readonly offset: number
    readonly damage: DamageError
    /** Whether there is nothing but zeros after the damaged record. */
    readonly isLast: boolean
    /**
     * Whether a whole sector of 512 bytes from `offset` on is zero. A crash of the machine can leave that behind, in
     * bytes that were not synced yet; a loss of durable bytes as well.
     */
    readonly isSectorMissing: boolean
  }

/** Options of a {@link LogScanner}. */
export interface LogScannerOptions {
  /** The longest entry, in bytes. */
  readonly entryBytesMax?: number
}

type Torn = Extract<LogVerdict, { state: 'torn' }>
type Damaged = Extract<LogVerdict, { state: 'damaged' }>

/** Only zeros should follow; any other byte is damage. */
interface Expectation {
  /** Where the damage begins. */
  readonly offset: number
  readonly kind: DamageKind
  /** The damage, in words for people. */
  readonly what: string
  /** Where the zeros begin. */
  readonly zerosFrom: number
  /** The verdict if only zeros follow; null for `clean`. */
  readonly torn: Torn | null
}

const NOTHING = new Uint8Array()
const END_MARK = Uint8Array.of(END_OF_RECORD)
const MAGIC_BYTES = 4
const COUNTER_BITS = 32n

/** Reads one log. Push its chunks in order, then ask for the verdict. */
export class LogScanner {
  readonly #file: string
  readonly #entryBytesMax: number
  readonly #window = new ByteWindow()
  readonly #slab = new Slab()
  #phase: 'header' | 'record' | 'end-mark' | 'zeros' | 'rubbish' = 'header'
  #wholeUntil = 0
  #lastZxid: bigint | null = null
  #expectation: Expectation | null = null
  #damaged: Damaged | null = null

  /**
   * Makes a scanner.
   *
   * @param file - the name that errors say
   */
  constructor(file: string, { entryBytesMax = FIELD_BYTES_MAX }: LogScannerOptions = {}) {
    this.#file = file
    this.#entryBytesMax = entryBytesMax
  }

  /** Whether a damage was found: there will be no more records, and the bytes after it only complete the verdict. */
  get isDamaged(): boolean {
    return this.#damaged !== null
  }

  /** Whether the records have ended before the file: only zeros should follow. */
  get isPastRecords(): boolean {
    return this.#phase === 'zeros'
  }

  /**
   * Reads the next chunk.
   *
   * @param chunk - nobody changes it any more: records are views of it
   * @returns the records that are complete with it
   */
  push(chunk: Uint8Array): readonly LogRecord[] {
    const records: LogRecord[] = []
    this.#window.push(chunk)
    while (this.#step(records)) continue
    this.#window.settle()
    return records
  }

  /** Says how the log ends. There are no more chunks. */
  end(): LogVerdict {
    if (this.#phase === 'header') this.#endInHeader()
    else if (this.#phase === 'record') this.#endInRecord()
    else if (this.#phase === 'end-mark') this.#expectZeros(this.#missingMark())
    return this.#damaged ?? this.#expectation?.torn ?? { state: 'clean', offset: this.#wholeUntil }
  }

  /** Goes one step on; false if that takes more bytes. */
  #step(records: LogRecord[]): boolean {
    switch (this.#phase) {
      case 'header':
        return this.#readHeader()
      case 'record':
        return this.#readRecord(records)
      case 'end-mark':
        return this.#readEndMark()
      case 'zeros':
      case 'rubbish':
        return this.#passOver()
    }
  }

  #readHeader(): boolean {
    const window = this.#window
    if (window.length < LOG_HEADER.length) return false
    const version = window.int32(MAGIC_BYTES)
    if (isTornHeader(window.view(LOG_HEADER.length))) {
      window.consume(LOG_HEADER.length)
      this.#expectZeros(this.#tornHeader())
    } else if (!isOpening(window.view(MAGIC_BYTES))) {
      this.#fail('header', 0, 'a transaction log begins with ZKLG')
    } else if (version !== LOG_VERSION) {
      this.#fail('version', MAGIC_BYTES, `version ${version} of the format, where this release reads ${LOG_VERSION}`)
    } else {
      window.consume(LOG_HEADER.length)
      this.#wholeUntil = LOG_HEADER.length
      this.#phase = 'record'
    }
    return true
  }

  #readRecord(records: LogRecord[]): boolean {
    const window = this.#window
    if (window.length < RECORD_HEADER_BYTES) return false
    const length = this.#entryLength()
    if (length === 0) {
      this.#expectZeros(this.#zeroLength())
      return true
    }
    if (length < 0 || length > this.#entryBytesMax) {
      this.#fail('length', window.offset, `a record of ${length} bytes; the longest has ${this.#entryBytesMax}`)
      return true
    }
    const end = RECORD_HEADER_BYTES + length
    if (window.length < end) return false
    if (window.int32(0) === 0 && window.int32(4) >>> 0 === window.adler32(RECORD_HEADER_BYTES, end)) {
      const record = this.#takeRecord(end)
      if (record !== null) records.push(record)
      return true
    }
    if (window.length === end) return false
    this.#judge(end + 1)
    return true
  }

  #entryLength(): number {
    return this.#window.int32(RECORD_HEADER_BYTES - 4)
  }

  /** Takes the record whose checksum is right; null if it cannot be one of this log. Its end mark comes next. */
  #takeRecord(end: number): LogRecord | null {
    const { offset } = this.#window
    const bytes = this.#window.view(end, RECORD_HEADER_BYTES)
    const entry = this.#readEntry(this.#window.isReused ? this.#slab.copy(bytes) : bytes)
    if (entry === null) return null
    const { zxid } = entry.transaction.header
    const last = this.#lastZxid
    if (last !== null && zxid <= last) {
      this.#fail('order', offset, `transaction ${hex(zxid)} after ${hex(last)}`)
      return null
    }
    this.#lastZxid = zxid
    this.#window.consume(end)
    this.#wholeUntil = this.#window.offset
    this.#phase = 'end-mark'
    const { txn, transaction, digest } = entry
    const isContiguous = last === null || isNext(last, zxid)
    return { offset, length: end + 1, zxid, isContiguous, txn, transaction, digest }
  }

  #readEntry(bytes: Uint8Array): LogEntry | null {
    try {
      return readLogEntry(bytes)
    } catch (error) {
      if (!isCoordinationError(error, 'PROTOCOL_VIOLATION')) throw error
      const what = `no transaction, though its checksum is right: ${error.message}`
      this.#fail('content', this.#window.offset, what, error)
      return null
    }
  }

  #readEndMark(): boolean {
    const window = this.#window
    if (window.length === 0) return false
    const found = window.byte(0)
    if (found === END_OF_RECORD) {
      window.consume(1)
      this.#wholeUntil = window.offset
      this.#phase = 'record'
    } else if (found === 0) {
      this.#expectZeros(this.#missingMark())
    } else {
      this.#fail('end-mark', window.offset, `a record ends with ${found} instead of ${END_OF_RECORD}`)
    }
    return true
  }

  /** Judges a record of this length whose checksum is wrong, or of which these are all bytes that there are. */
  #judge(length: number): void {
    const window = this.#window
    const { offset } = window
    const bytes = window.view(length)
    const isComplete = length > RECORD_HEADER_BYTES + this.#entryLength()
    const isSectorMissing = hasMissingSector(bytes, offset)
    const what = 'the checksum of a record is wrong'
    if (isComplete && bytes[length - 1] !== 0) {
      const isMarked = bytes[length - 1] === END_OF_RECORD
      if (isMarked) window.consume(length)
      this.#damage(new DamageError(this.#file, 'checksum', offset, what), isMarked, isSectorMissing)
    } else if (holdsWholeRecord(bytes, this.#lastZxid)) {
      this.#fail('length', offset, 'a record that looks incomplete holds a whole one: its length is wrong')
    } else {
      const zerosFrom = offset + lastNonZero(bytes) + 1
      const torn = tornAt(offset, 'the last record is incomplete')
      window.consume(length)
      this.#expectZeros({ offset, kind: 'checksum', what, zerosFrom, torn })
    }
  }

  #endInHeader(): void {
    if (isTornHeader(this.#window.view())) this.#expectZeros(this.#tornHeader())
    else this.#fail('header', 0, 'a transaction log begins with ZKLG')
  }

  /** The file ends within a record, or where one could begin. */
  #endInRecord(): void {
    const window = this.#window
    if (firstNonZero(window.view()) === -1) return
    if (window.length >= RECORD_HEADER_BYTES) this.#judge(window.length)
    else this.#expectZeros(this.#zeroLength())
  }

  #tornHeader(): Expectation {
    const what = 'a transaction log begins with ZKLG'
    return { offset: 0, kind: 'header', what, zerosFrom: 0, torn: tornAt(0, 'the header of the file is incomplete') }
  }

  /** Zeros where a record should begin: prepared room, a checksum that was written alone, or a hole. */
  #zeroLength(): Expectation {
    const window = this.#window
    const { offset } = window
    const isRoom = firstNonZero(window.view(Math.min(window.length, RECORD_HEADER_BYTES))) === -1
    const torn = isRoom ? null : tornAt(offset, 'the last record is incomplete')
    window.consume(Math.min(window.length, RECORD_HEADER_BYTES))
    return { offset, kind: 'gap', what: 'zeros instead of a record, before other bytes', zerosFrom: offset, torn }
  }

  /** The record before is whole but for its last byte. */
  #missingMark(): Expectation {
    const { offset } = this.#window
    const torn: Torn = { state: 'torn', offset, append: END_MARK, reason: 'the last record has no end mark' }
    const what = 'a record without its end mark, before other bytes'
    return { offset, kind: 'end-mark', what, zerosFrom: offset, torn }
  }

  #expectZeros(expectation: Expectation): void {
    this.#expectation = expectation
    this.#phase = 'zeros'
  }

  /** Looks only whether there is anything but zeros. */
  #passOver(): boolean {
    const rest = this.#window.view()
    const found = firstNonZero(rest)
    const at = this.#window.offset + found
    this.#window.consume(rest.length)
    if (found === -1) return false
    if (this.#damaged !== null) {
      this.#damaged = { ...this.#damaged, isLast: false }
    } else if (this.#expectation !== null) {
      const { offset, kind, what, zerosFrom } = this.#expectation
      const error = new DamageError(this.#file, kind, offset, `${what}; the next ones are at ${at}`)
      this.#damage(error, false, spansSector(zerosFrom, at))
    }
    return false
  }

  #fail(kind: DamageKind, offset: number, what: string, cause?: unknown): void {
    this.#damage(new DamageError(this.#file, kind, offset, what, cause), false, false)
  }

  #damage(damage: DamageError, isLast: boolean, isSectorMissing: boolean): void {
    this.#damaged = { state: 'damaged', offset: damage.offset, damage, isLast, isSectorMissing }
    this.#phase = 'rubbish'
  }
}

function tornAt(offset: number, reason: string): Torn {
  return { state: 'torn', offset, append: NOTHING, reason }
}

/** Whether a header is what an interrupted write leaves: a part of it, then zeros or nothing. */
function isTornHeader(header: Uint8Array): boolean {
  let at = 0
  while (at < header.length && header[at] === LOG_HEADER[at]) at += 1
  const isComplete = at === LOG_HEADER.length
  return !isComplete && firstNonZero(header.subarray(at)) === -1
}

function isOpening(bytes: Uint8Array): boolean {
  return Buffer.from(LOG_HEADER.subarray(0, MAGIC_BYTES)).equals(bytes)
}

function lastNonZero(bytes: Uint8Array): number {
  let at = bytes.length - 1
  while (at >= 0 && bytes[at] === 0) at -= 1
  return at
}

/** Whether no transaction can be between two. */
function isNext(before: bigint, after: bigint): boolean {
  const isSameEpoch = before >> COUNTER_BITS === after >> COUNTER_BITS
  return isSameEpoch ? after === before + 1n : BigInt.asUintN(32, after) === 1n
}

/** A zxid as ZooKeeper's tools print it. */
function hex(zxid: bigint): string {
  return `0x${BigInt.asUintN(64, zxid).toString(16)}`
}
