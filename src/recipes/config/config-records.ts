/**
 * Records of a configuration: where the history of a value is kept, and in which bytes. Pure.
 *
 * Layout    `/quorate/config/<value>` is the head of the records of the value at a path, with the slashes of that path
 *           escaped; `history/v0000000012` below it is an entry. Nothing of it is at or under the value itself, which
 *           stays what every process can read, write and delete (decision 0018).
 * Head      JSON: the newest version, the sizes of the entries that are kept, oldest first, and the node version of the
 *           value that the newest of them stands for.
 * Entry     one line of JSON, then the bytes of the value exactly as they were stored.
 */
import { CoordinationError } from '../../core/errors.ts'
import { joinPath, validatePath } from '../../core/path.ts'

/** How an entry of a history came about. */
export type RecordKind =
  /** Published. */
  | 'publish'
  /** An older value, published again. */
  | 'rollback'
  /** Written by a process that keeps no history, and found afterwards. */
  | 'found'
  /** Staged: in force for the processes that a roll-out chooses. */
  | 'stage'
  /** The staged value, for other processes than before. */
  | 'select'
  /** The staged value, published for all. */
  | 'promote'
  /** The staged value, which is in force for nobody any more. */
  | 'withdraw'

/** The header of an entry, which stands before its value. */
export interface RecordHeader {
  /** Counts from 1, without a gap. */
  readonly version: number
  readonly kind: RecordKind
  /** Names the attempt that wrote it; no other has the same. */
  readonly id: string
  readonly author: string | null
  readonly comment: string | null
  /** The codec's name of its format. */
  readonly format: string | null
  /** The version of the value's node with this value; of a staged value, that of the node which it left as it was. */
  readonly nodeVersion: number
  /** For a rollback, and each step of a roll-out but the first: the version whose value it is. */
  readonly of: number | null
  /** For a value that was found: when it was written, in milliseconds since 1970. */
  readonly atMs: number | null
  /** Whether the value was too large to be kept, so that no bytes follow. */
  readonly isOmitted: boolean
}

/** An entry of a history. */
export interface RecordEntry {
  readonly header: RecordHeader
  /** The value, as it is stored. */
  readonly value: Uint8Array
}

/** The head of the records: an index of the entries that are kept. */
export interface RecordHead {
  /** The newest version; 0 if there is none. */
  readonly last: number
  /** Sizes of the entries that are kept, in bytes, oldest first; the newest is that of `last`. */
  readonly sizes: readonly number[]
  /** The version of the value's node that is recorded; null if none is. */
  readonly nodeVersion: number | null
  /** The version of the value itself, which a staged one leaves as it is; 0 if there is none. */
  readonly current: number
  /** The version of the value that is staged; null if none is. */
  readonly staged: number | null
}

/** The head of records that hold nothing. */
export const EMPTY_HEAD: RecordHead = Object.freeze({
  last: 0,
  sizes: Object.freeze([]),
  nodeVersion: null,
  current: 0,
  staged: null,
})

const ROOT = '/quorate/config'
const FORMAT = 1
const VERSION_DIGITS = 10
const VERSION_NAME = /^v(\d{10})$/
const LINE_FEED = 0x0a
const KINDS: ReadonlySet<unknown> = new Set<RecordKind>([
  'publish', 'rollback', 'found', 'stage', 'select', 'promote', 'withdraw',
])
const NO_BYTES = new Uint8Array()

/** Paths of the records of one value. */
export class RecordPaths {
  /** The node that holds the {@link RecordHead}. */
  readonly head: string
  /** The parent of the entries. */
  readonly history: string
  /** The node that holds the value which is staged, or says what became of it. */
  readonly staged: string
  /** The parent of the nodes by which processes say which value they have. */
  readonly applied: string

  /**
   * Names them.
   *
   * @param path - of the value
   * @throws TypeError or RangeError if the path is none, or too long to be named in one segment
   */
  constructor(path: string) {
    validatePath(path)
    this.head = joinPath(ROOT, asName(path.slice(path === '/' ? 0 : 1)))
    this.history = joinPath(this.head, 'history')
    this.staged = joinPath(this.head, 'staged')
    this.applied = joinPath(this.head, 'applied')
    validatePath(this.entry(1))
  }

  /** The node of an entry. */
  entry(version: number): string {
    return joinPath(this.history, `v${String(version).padStart(VERSION_DIGITS, '0')}`)
  }

  /** The node by which a process says which value it has. */
  appliedBy(id: string): string {
    return joinPath(this.applied, asName(id))
  }
}

/** Text as one name of a path. */
function asName(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('/', '%2F')
}

/** The version that the name of an entry stands for; null if it is the name of something else. */
export function versionOfName(name: string): number | null {
  const digits = VERSION_NAME.exec(name)?.[1]
  return digits === undefined ? null : Number(digits)
}

/** The bytes of a head. */
export function encodeHead({ last, sizes, nodeVersion, current, staged }: RecordHead): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ format: FORMAT, last, sizes, nodeVersion, current, staged }))
}

/**
 * Reads the bytes of a head. One without `current` is of a time when nothing could be staged.
 *
 * @returns null if there are none: then nobody knows yet what is kept
 * @throws CoordinationError `INVALID_VALUE` (outcome `corrupt`)
 */
export function decodeHead(path: string, bytes: Uint8Array): RecordHead | null {
  if (bytes.length === 0) return null
  const found = objectOf(path, bytes)
  const { format, last, sizes, nodeVersion, current = last, staged = null } = found
  const areSizes = Array.isArray(sizes) && sizes.every(isCount)
  if (format !== FORMAT || !isCount(last) || !areSizes || sizes.length > last) throw corrupt(path)
  if (nodeVersion !== null && !isInteger(nodeVersion)) throw corrupt(path)
  if (!isCount(current) || (staged !== null && !isCount(staged))) throw corrupt(path)
  return { last, sizes, nodeVersion, current, staged }
}

/** The bytes of an entry. */
export function encodeEntry({ header, value }: RecordEntry): Uint8Array {
  return encodeLine(header, header.isOmitted ? NO_BYTES : value)
}

/** A line of JSON, then bytes. */
export function encodeLine(header: object, body: Uint8Array): Uint8Array {
  const line = new TextEncoder().encode(`${JSON.stringify(header)}\n`)
  const bytes = new Uint8Array(line.length + body.length)
  bytes.set(line)
  bytes.set(body, line.length)
  return bytes
}

/**
 * Reads a line of JSON, which is an object, and the bytes after it.
 *
 * @throws CoordinationError `INVALID_VALUE` (outcome `corrupt`)
 */
export function decodeLine(
  path: string,
  bytes: Uint8Array,
): { readonly header: Readonly<Record<string, unknown>>; readonly body: Uint8Array } {
  const end = bytes.indexOf(LINE_FEED)
  if (end === -1) throw corrupt(path)
  return { header: objectOf(path, bytes.subarray(0, end)), body: bytes.subarray(end + 1) }
}

/**
 * Reads the bytes of an entry.
 *
 * @throws CoordinationError `INVALID_VALUE` (outcome `corrupt`)
 */
export function decodeEntry(path: string, bytes: Uint8Array): RecordEntry {
  const { header: found, body: value } = decodeLine(path, bytes)
  const { version, kind, id, author, comment, format, nodeVersion, of, atMs, isOmitted } = found
  const isSound =
    isCount(version) && isKind(kind) && typeof id === 'string' && isInteger(nodeVersion) && isOptionalText(author) &&
    isOptionalText(comment) && isOptionalText(format) && (of === null || isCount(of)) &&
    (atMs === null || isCount(atMs)) && typeof isOmitted === 'boolean'
  if (!isSound) throw corrupt(path)
  const header = { version, kind, id, author, comment, format, nodeVersion, of, atMs, isOmitted }
  return { header, value }
}

function objectOf(path: string, bytes: Uint8Array): Record<string, unknown> {
  try {
    const found: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    if (typeof found === 'object' && found !== null) return found as Record<string, unknown>
  } catch (cause) {
    throw corrupt(path, cause)
  }
  throw corrupt(path)
}

function isKind(value: unknown): value is RecordKind {
  return KINDS.has(value)
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

/** Whether something is an integer from 0. */
export function isCount(value: unknown): value is number {
  return isInteger(value) && value >= 0
}

function isOptionalText(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}

/** The error of a record that is none. */
export function corrupt(path: string, cause?: unknown): CoordinationError {
  const message = `${path} holds no record of a configuration; a head that is emptied is made again from the entries`
  return new CoordinationError('INVALID_VALUE', message, { outcome: 'corrupt', path, cause })
}
