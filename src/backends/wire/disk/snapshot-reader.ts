/**
 * Reads a snapshot file from chunks.
 *
 * Safety    items are handed out before the checksum that covers them is seen: nothing may be believed before `end`
 *           returns. Every error is a DamageError with the offset in the unpacked stream.
 * Sections  read are those of ZooKeeper 3.5 (no digest), 3.6 to 3.8, 3.9 (the last zxid), and ours (passwords). Bytes
 *           after them must end with a seal, and are passed over.
 * Left      to the reader of the items: whether paths are valid and parents there, and whether a list of that number
 *           is.
 * Memory    one node.
 * Source    FileSnap.deserialize, DataTree.deserialize of ZooKeeper 3.8; SnapStream of 3.9.
 */
import { isCoordinationError } from '../../../core/errors.ts'
import { Reader } from '../jute.ts'
import type { Codec } from '../jute.ts'
import { Acl } from '../records.ts'
import { ByteWindow } from './byte-window.ts'
import { ADLER_START, adler32 } from './checksums.ts'
import { DamageError } from './damage.ts'
import type { DamageKind } from './damage.ts'
import { DIGEST_VERSION } from './log-entries.ts'
import { FIELD_BYTES_MAX } from './log-file.ts'
import { Slab } from './slab.ts'
import {
  OWN_SECTION,
  OWN_SECTION_VERSION,
  SNAPSHOT_MAGIC,
  SNAPSHOT_VERSION,
  SessionRecord,
  SnapshotHeader,
  TERMINATOR,
  readStat,
} from './snapshot-file.ts'
import type { SessionSecret, SnapshotAcl, SnapshotDigest, SnapshotNode, SnapshotSession } from './snapshot-file.ts'

/** One thing that a snapshot holds, in this order; the kinds after `node` may be missing. */
export type SnapshotItem =
  | { readonly kind: 'session'; readonly session: SnapshotSession }
  | { readonly kind: 'acl'; readonly acl: SnapshotAcl }
  | { readonly kind: 'node'; readonly node: SnapshotNode }
  | { readonly kind: 'digest'; readonly digest: SnapshotDigest }
  /** The last transaction that is certainly in it. */
  | { readonly kind: 'last-zxid'; readonly zxid: bigint }
  /** It was written by one of ours: the exact state of that transaction. */
  | { readonly kind: 'ours' }
  | { readonly kind: 'secret'; readonly secret: SessionSecret }

/** Options of a {@link SnapshotReader}. */
export interface SnapshotReaderOptions {
  /** The longest string or buffer, in bytes. */
  readonly fieldBytesMax?: number
}

/** A part of the file is read by a step; it says how many bytes it lacks, at least, or null if it has done its work. */
type Step = () => number | null

const HEADER_BYTES = 16
const SESSION_BYTES = 12
const NODE_TAIL_BYTES = 68
const SEAL_BYTES = 13
const INT_BYTES = 4
const LONG_BYTES = 8
/** A zxid and a seal: all that follows the nodes' seal if ZooKeeper 3.9 keeps no digests. */
const LAST_ZXID_BYTES = LONG_BYTES + SEAL_BYTES
const OWN_HEADER_BYTES = INT_BYTES + OWN_SECTION.length + 2 * INT_BYTES

/** Reads one snapshot. Push its chunks in order, then {@link SnapshotReader.end}. */
export class SnapshotReader {
  readonly #file: string
  readonly #fieldBytesMax: number
  readonly #window = new ByteWindow()
  readonly #reader = new Reader(new Uint8Array())
  readonly #slab = new Slab()
  #items: SnapshotItem[] = []
  #step: Step = () => this.#readHeader()
  /** No step is tried before the window has this many bytes. */
  #needed = 0
  /** Checksum of all bytes consumed. */
  #sum = ADLER_START
  #left = 0
  #acl: { readonly key: bigint; readonly entries: Acl[] } = { key: 0n, entries: [] }
  /** Whether the file may end where it is. */
  #mayEnd = false
  #isEnding = false

  /**
   * Makes a reader.
   *
   * @param file - the name that errors say
   */
  constructor(file: string, { fieldBytesMax = FIELD_BYTES_MAX }: SnapshotReaderOptions = {}) {
    this.#file = file
    this.#fieldBytesMax = fieldBytesMax
  }

  /**
   * Reads the next chunk, which the reader does not keep. After an error the reader is unusable.
   *
   * @returns the items that are complete with it
   * @throws DamageError if this is no snapshot, or a damaged one
   */
  push(chunk: Uint8Array): readonly SnapshotItem[] {
    this.#window.push(chunk)
    this.#run()
    this.#window.settle()
    return this.#taken()
  }

  /**
   * There are no more chunks: now all that was read can be believed.
   *
   * @returns the items that could not be told from something else before
   * @throws DamageError `cut` if the file is incomplete; as {@link SnapshotReader.push}
   */
  end(): readonly SnapshotItem[] {
    this.#isEnding = true
    this.#needed = 0
    this.#run()
    if (this.#window.length > 0 || !this.#mayEnd) throw this.#error('cut', 'the file ends too early')
    return this.#taken()
  }

  #taken(): SnapshotItem[] {
    const items = this.#items
    this.#items = []
    return items
  }

  #run(): void {
    while (this.#window.length >= this.#needed) {
      const lacking = this.#step()
      if (lacking === null) {
        this.#needed = 0
        continue
      }
      this.#needed = lacking
      if (this.#isEnding) return
    }
  }

  #readHeader(): number | null {
    if (this.#window.length < HEADER_BYTES) return HEADER_BYTES
    const magic = this.#window.int32(0)
    const version = this.#window.int32(INT_BYTES)
    if (magic !== SNAPSHOT_MAGIC) throw this.#error('header', 'a snapshot begins with ZKSN')
    if (version !== SNAPSHOT_VERSION) {
      throw this.#error('version', `version ${version} of the format, where this release reads ${SNAPSHOT_VERSION}`)
    }
    this.#take(HEADER_BYTES, SnapshotHeader)
    this.#step = () => this.#readCount(() => this.#readSession())
    return null
  }

  #readCount(next: Step): number | null {
    if (this.#window.length < INT_BYTES) return INT_BYTES
    this.#left = this.#count(0)
    this.#skip(INT_BYTES)
    this.#step = next
    return null
  }

  #readSession(): number | null {
    if (this.#left === 0) {
      this.#step = () => this.#readCount(() => this.#readAcl())
      return null
    }
    if (this.#window.length < SESSION_BYTES) return SESSION_BYTES
    this.#items.push({ kind: 'session', session: this.#take(SESSION_BYTES, SessionRecord) })
    this.#left -= 1
    return null
  }

  #readAcl(): number | null {
    if (this.#left === 0) {
      this.#step = () => this.#readNode()
      return null
    }
    const length = LONG_BYTES + INT_BYTES
    if (this.#window.length < length) return length
    const key = this.#open(LONG_BYTES).int64()
    const count = this.#window.int32(LONG_BYTES) === -1 ? 0 : this.#count(LONG_BYTES)
    this.#acl = { key, entries: [] }
    this.#skip(length)
    this.#step = () => this.#readAclEntry(count)
    return null
  }

  /** One entry of a list at a time: a list can be long. */
  #readAclEntry(count: number): number | null {
    const { key, entries } = this.#acl
    if (entries.length === count) {
      this.#items.push({ kind: 'acl', acl: { key, acl: entries } })
      this.#left -= 1
      this.#step = () => this.#readAcl()
      return null
    }
    let length = INT_BYTES
    for (let field = 0; field < 2; field++) {
      length += INT_BYTES
      if (this.#window.length < length) return length
      length += this.#fieldLength(length - INT_BYTES, 0)
    }
    if (this.#window.length < length) return length
    entries.push(this.#take(length, Acl))
    return null
  }

  #readNode(): number | null {
    const window = this.#window
    if (window.length < INT_BYTES) return INT_BYTES
    const pathLength = this.#fieldLength(0, 0)
    const dataAt = INT_BYTES + pathLength
    if (pathLength === 1) {
      if (window.length < dataAt) return dataAt
      if (window.byte(INT_BYTES) === TERMINATOR.charCodeAt(0)) {
        this.#skip(dataAt)
        this.#step = () => this.#readSeal(() => this.#afterNodes())
        return null
      }
    }
    if (window.length < dataAt + INT_BYTES) return dataAt + INT_BYTES
    const dataLength = this.#fieldLength(dataAt, -1)
    const dataBytes = Math.max(0, dataLength)
    const length = dataAt + INT_BYTES + dataBytes + NODE_TAIL_BYTES
    if (window.length < length) return length
    const reader = this.#open(length)
    reader.bytes(INT_BYTES)
    const path = pathLength === 0 ? '/' : reader.text(pathLength)
    reader.bytes(INT_BYTES)
    const data = dataLength === -1 ? null : this.#slab.copy(reader.bytes(dataBytes))
    this.#items.push({ kind: 'node', node: this.#decode(() => readStat(reader, path, data)) })
    this.#skip(length)
    return null
  }

  #afterNodes(): number | null {
    this.#mayEnd = true
    const { length } = this.#window
    if (length <= LAST_ZXID_BYTES && !this.#isEnding) return LAST_ZXID_BYTES + 1
    if (length === 0) return 1
    this.#mayEnd = false
    this.#step = length === LAST_ZXID_BYTES ? () => this.#readLastZxid() : () => this.#readDigest()
    return null
  }

  #readDigest(): number | null {
    const window = this.#window
    const head = LONG_BYTES + INT_BYTES
    if (window.length < head) return head
    const version = window.int32(LONG_BYTES)
    const isText = version < DIGEST_VERSION
    if (isText && window.length < head + INT_BYTES) return head + INT_BYTES
    const length = head + (isText ? INT_BYTES + Math.max(0, this.#fieldLength(head, -1)) : LONG_BYTES)
    if (window.length < length) return length
    const reader = this.#open(length)
    const zxid = reader.int64()
    reader.bytes(INT_BYTES)
    const value = isText ? this.#hexadecimal(Buffer.from(reader.bytes(length - head)).toString('latin1', INT_BYTES)) :
      reader.int64()
    this.#items.push({ kind: 'digest', digest: { zxid, version, value } })
    this.#skip(length)
    this.#step = () => this.#readSeal(() => this.#afterDigest())
    return null
  }

  /** Before ZooKeeper 3.6.0 was released, the digest was a text. */
  #hexadecimal(text: string): bigint {
    if (!/^[0-9a-f]{0,16}$/.test(text)) throw this.#error('content', `${JSON.stringify(text)} as a digest`)
    return BigInt.asIntN(64, BigInt(`0x${text === '' ? '0' : text}`))
  }

  #afterDigest(): number | null {
    this.#mayEnd = this.#window.length === 0
    if (this.#mayEnd) return 1
    this.#step = () => this.#readLastZxid()
    return null
  }

  #readLastZxid(): number | null {
    if (this.#window.length < LONG_BYTES) return LONG_BYTES
    this.#items.push({ kind: 'last-zxid', zxid: this.#open(LONG_BYTES).int64() })
    this.#skip(LONG_BYTES)
    this.#step = () => this.#readSeal(() => this.#afterLastZxid())
    return null
  }

  #afterLastZxid(): number | null {
    const window = this.#window
    this.#mayEnd = window.length === 0
    if (this.#mayEnd) return 1
    if (window.length < OWN_HEADER_BYTES && !this.#isEnding) return OWN_HEADER_BYTES
    if (!this.#isOwnSection()) {
      this.#step = () => this.#readRest()
      return null
    }
    const versionAt = OWN_HEADER_BYTES - 2 * INT_BYTES
    const version = window.int32(versionAt)
    if (version !== OWN_SECTION_VERSION) throw this.#error('version', `version ${version} of the section of passwords`)
    this.#left = this.#count(versionAt + INT_BYTES)
    this.#items.push({ kind: 'ours' })
    this.#skip(OWN_HEADER_BYTES)
    this.#step = () => this.#readSecret()
    return null
  }

  #isOwnSection(): boolean {
    if (this.#window.length < OWN_HEADER_BYTES || this.#window.int32(0) !== OWN_SECTION.length) return false
    const reader = this.#open(OWN_HEADER_BYTES)
    return reader.text(reader.int32()) === OWN_SECTION
  }

  #readSecret(): number | null {
    if (this.#left === 0) {
      this.#step = () => this.#readSeal(() => this.#readRest())
      return null
    }
    const head = LONG_BYTES + INT_BYTES
    if (this.#window.length < head) return head
    const length = head + this.#fieldLength(LONG_BYTES, 0)
    if (this.#window.length < length) return length
    const reader = this.#open(length)
    const id = reader.int64()
    reader.bytes(INT_BYTES)
    this.#items.push({ kind: 'secret', secret: { id, passwd: this.#slab.copy(reader.bytes(length - head)) } })
    this.#skip(length)
    this.#left -= 1
    return null
  }

  /** Sections that are not known: only their seal is looked at. */
  #readRest(): number | null {
    const { length } = this.#window
    this.#mayEnd = length === 0
    if (length === 0) return 1
    if (length > SEAL_BYTES) this.#skip(length - SEAL_BYTES)
    if (!this.#isEnding) return SEAL_BYTES + 1
    if (this.#window.length < SEAL_BYTES) return SEAL_BYTES
    this.#step = () => this.#readSeal(() => this.#readRest())
    return null
  }

  #readSeal(next: Step): number | null {
    if (this.#window.length < SEAL_BYTES) return SEAL_BYTES
    const reader = this.#open(SEAL_BYTES)
    const isRight = reader.int64() === BigInt(this.#sum)
    if (!isRight) throw this.#error('checksum', 'the checksum of everything before is wrong')
    if (reader.int32() !== 1 || reader.text(1) !== TERMINATOR) throw this.#error('content', 'no end of a checksum')
    this.#skip(SEAL_BYTES)
    this.#step = next
    return null
  }

  /** The length of a string or buffer, which stands there. */
  #fieldLength(at: number, min: number): number {
    const length = this.#window.int32(at)
    if (length >= min && length <= this.#fieldBytesMax) return length
    throw this.#error('length', `a field of ${length} bytes; the longest has ${this.#fieldBytesMax}`, at)
  }

  #count(at: number): number {
    const count = this.#window.int32(at)
    if (count < 0) throw this.#error('length', `a list of ${count}`, at)
    return count
  }

  #open(length: number): Reader {
    this.#reader.reset(this.#window.view(length))
    return this.#reader
  }

  #decode<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      if (!isCoordinationError(error, 'PROTOCOL_VIOLATION')) throw error
      throw new DamageError(this.#file, 'content', this.#window.offset, error.message, error)
    }
  }

  #take<T>(length: number, codec: Codec<T>): T {
    const reader = this.#open(length)
    const value = this.#decode(() => codec.read(reader))
    this.#skip(length)
    return value
  }

  #skip(length: number): void {
    this.#sum = adler32(this.#window.view(length), this.#sum)
    this.#window.consume(length)
  }

  #error(kind: DamageKind, what: string, at = 0): DamageError {
    return new DamageError(this.#file, kind, this.#window.offset + at, `${what} (in a snapshot)`)
  }
}
