/**
 * History of a configuration: each published value with its version, time, author and comment.
 *
 * Model     an entry per value, written in the transaction that writes the value (record-keeper.ts). A value of a
 *           process that keeps no history is listed without a version until the next publish records it.
 * Versions  count from 1 without a gap, and go on when the value is deleted and made again. They are not the versions
 *           of the node, which `ifVersion` compares.
 * Bounds    the newest entries are kept: 100 and 1 MiB, or what the options say.
 */
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown, validateInteger } from '../../core/options.ts'
import { textOf } from '../../core/value-text.ts'
import type { ValueFormat } from '../engine/codec.ts'
import { invalidValue } from '../engine/codec.ts'
import { expectFound } from '../engine/compare-and-set.ts'
import type { SchemaIssue } from '../engine/standard-schema.ts'
import type { TimedWaitOptions } from '../engine/wait.ts'
import type { RecordEntry, RecordHeader, RecordKind } from './config-records.ts'
import type { ChangeBytes, SendBytes } from './config-values.ts'
import { differences } from './json-diff.ts'
import type { ValueChange } from './json-diff.ts'
import { RecordKeeper } from './record-keeper.ts'
import type { RecordState, Recorded, StoredEntry } from './record-keeper.ts'
import { RolloutPlans } from './rollout-plans.ts'
import type { StagedPolicy, StepNote } from './rollout-plans.ts'
import type { RolloutSelection } from './rollout-records.ts'

/** How a history is kept by this process. */
export interface HistoryOptions {
  /** Who publishes, unless a publish says otherwise; at most 256 characters. */
  readonly author?: string
  /** How many entries are kept, the newest ones; 100 by default, from 1 to 1,000. */
  readonly entriesMax?: number
  /** How many bytes the kept entries may take; 1 MiB by default. The newest one is kept in any case. */
  readonly bytesMax?: number
}

/** The author and the comment that an entry of the history keeps. */
export interface PublishNote {
  /** Who publishes; the `author` of the history by default. At most 256 characters. */
  readonly author?: string
  /** Why; at most 1,024 characters. */
  readonly comment?: string
}

/** A value that is or was in force. */
export interface HistoryEntry<T> {
  /** Counts from 1; null for a value that a process without history has written since. */
  readonly version: number | null
  /** How it came about. */
  readonly kind: RecordKind
  /** The value; undefined if it does not pass, or was too large to be kept. */
  readonly value: T | undefined
  /** Its faults; empty if it passes. */
  readonly issues: readonly SchemaIssue[]
  /** When it was written, in milliseconds since 1970, by the clock of the servers. */
  readonly timeMs: number
  /** Who published it; null if nobody said. */
  readonly author: string | null
  /** Why; null if nobody said. */
  readonly comment: string | null
  /** The codec's name of its format; null if the codec has none. */
  readonly format: string | null
  /** For a rollback, and a step of a roll-out but the first: the version whose value it is; otherwise null. */
  readonly of: number | null
  /**
   * The version of the value's node with this value; `ifVersion` compares it. Of a staged value, that of the node which
   * it left as it was.
   */
  readonly nodeVersion: number
  /** Whether it is the stored value, which is in force for all but those that have a staged one. */
  readonly isCurrent: boolean
  /** Whether it is staged now. */
  readonly isStaged: boolean
}

/** Options of a look at the history. */
export interface HistoryReadOptions extends TimedWaitOptions {
  /** How many entries at most, the newest; all that are kept by default. */
  readonly limit?: number
}

/** A value of the history, as it is stored, with its note. */
interface KeptValue {
  readonly bytes: Uint8Array
  readonly header: RecordHeader
}

/** Whether an entry is of a value that is in force. */
type EntryStanding = Pick<HistoryEntry<unknown>, 'isCurrent' | 'isStaged'>

/** Defaults of {@link HistoryOptions}. */
const HISTORY_DEFAULTS = Object.freeze({ entriesMax: 100, bytesMax: 1_048_576 })

const ENTRIES_MAX = 1_000
const BYTES_MAX = 1_073_741_824
/** The most that can be kept: whoever publishes with these removes nothing that others keep. */
export const HISTORY_LIMITS = Object.freeze({ entriesMax: ENTRIES_MAX, bytesMax: BYTES_MAX })
const AUTHOR_CHARS_MAX = 256
const COMMENT_CHARS_MAX = 1_024
const OPTIONS = optionNames<HistoryOptions>({ author: true, entriesMax: true, bytesMax: true })
const READ_OPTIONS = optionNames<HistoryReadOptions>({ limit: true, waitMs: true, signal: true })
const UNREADABLE: readonly SchemaIssue[] = Object.freeze([{ message: 'the entry is damaged' }])
const TOO_LARGE: readonly SchemaIssue[] = Object.freeze([{ message: 'the value was too large to be kept' }])

/** The history of one value. */
export class ConfigHistory<T> {
  readonly #path: string
  readonly #format: ValueFormat<T>
  readonly #author: string | null
  /** Writes and reads the records. */
  readonly keeper: RecordKeeper
  /** Plans what becomes of a roll-out. */
  readonly plans: RolloutPlans

  /**
   * Makes it; nothing is sent.
   *
   * @throws TypeError or RangeError for a wrong option
   */
  constructor(client: Client, path: string, format: ValueFormat<T>, options: HistoryOptions) {
    refuseUnknown(options, OPTIONS, 'history')
    const { author, entriesMax = HISTORY_DEFAULTS.entriesMax, bytesMax = HISTORY_DEFAULTS.bytesMax } = options
    validateInteger('entriesMax', entriesMax, 1, ENTRIES_MAX)
    validateInteger('bytesMax', bytesMax, 1, BYTES_MAX)
    checkNote({ ...(author === undefined ? {} : { author }) })
    this.#path = path
    this.#format = format
    this.#author = author ?? null
    this.keeper = new RecordKeeper(client, path, { entriesMax, bytesMax })
    this.plans = new RolloutPlans(path, this.keeper)
  }

  /** The author, the comment and the format that an entry of the history keeps. */
  noteOf({ author, comment }: PublishNote): StepNote {
    return { author: author ?? this.#author, comment: comment ?? null, format: this.#format.format }
  }

  /** Writes bytes with their entry, if the value is as expected. */
  sendPublish(note: PublishNote, policy?: StagedPolicy): SendBytes<Recorded> {
    const said = { ...this.noteOf(note), of: null }
    return (bytes, expected, signal) => this.keeper.change(async (state) => {
      expectFound(this.#path, expected, state.value)
      return { kind: 'publish', bytes, ...said, ...(await this.plans.besides(state, policy, signal)) }
    }, signal)
  }

  /** Writes bytes for those that a selection chooses, if the value for all is as expected. */
  sendStage(selection: RolloutSelection, note: PublishNote, policy?: StagedPolicy): SendBytes<Recorded> {
    const said = this.noteOf(note)
    return (bytes, expected, signal) => this.keeper.change((state) => {
      return this.plans.stage(state, { bytes, selection, expected, policy, note: said }, signal)
    }, signal)
  }

  /** Changes the bytes, with an entry. */
  changeBytes(policy?: StagedPolicy): ChangeBytes<Recorded> {
    const said = { ...this.noteOf({}), of: null }
    return (make, signal) => this.keeper.change(async (state) => {
      const rollout = await this.plans.besides(state, policy, signal)
      return { kind: 'publish', bytes: await make(state.value), ...said, ...rollout }
    }, signal)
  }

  /** Writes the bytes of an older entry, with their format, and their comment unless another is given. */
  sendRollback({ header }: KeptValue, note: PublishNote, policy?: StagedPolicy): SendBytes<Recorded> {
    const said = { ...this.noteOf(note), comment: note.comment ?? header.comment, format: header.format }
    return (bytes, expected, signal) => this.keeper.change(async (state) => {
      expectFound(this.#path, expected, state.value)
      const rollout = await this.plans.besides(state, policy, signal)
      return { kind: 'rollback', bytes, of: header.version, ...said, ...rollout }
    }, signal)
  }

  /** Lists entries, the newest first. */
  async list(options: HistoryReadOptions, signal: AbortSignal): Promise<HistoryEntry<T>[]> {
    const { limit = ENTRIES_MAX } = options
    const state = await this.keeper.state(signal)
    const stored = await this.keeper.entries(state, limit, signal)
    const entries = await Promise.all(stored.map((one) => this.#describe(one, standingOf(one, state))))
    const { value } = state
    if (value !== null && state.isFound) entries.push(await this.#unrecorded(value.data, value.stat))
    return entries.reverse().slice(0, limit)
  }

  /**
   * Finds the value of a version, as it is stored.
   *
   * @throws CoordinationError `NO_NODE` if it is not kept; `INVALID_VALUE` if it cannot be used
   */
  async find(version: number, signal: AbortSignal): Promise<KeptValue> {
    const found = await this.#findEntry(version, signal)
    if (found.entry === null) throw invalidValue(this.#path, UNREADABLE, 'corrupt')
    const { header, value } = found.entry
    if (header.isOmitted) throw invalidValue(this.#path, TOO_LARGE, 'not-sent')
    return { bytes: value, header }
  }

  /** Compares the values of two versions. */
  async diff(a: number, b: number, signal: AbortSignal): Promise<ValueChange[]> {
    const [before, after] = await Promise.all([a, b].map((version) => this.#valueOf(version, signal)))
    return differences(before, after)
  }

  async #valueOf(version: number, signal: AbortSignal): Promise<T> {
    const { bytes } = await this.find(version, signal)
    return this.#format.read(bytes, this.#path, 'corrupt')
  }

  async #findEntry(version: number, signal: AbortSignal): Promise<StoredEntry> {
    const state = await this.keeper.state(signal)
    const found = await this.keeper.entry(version, signal)
    if (found !== null) return found
    const { last, sizes } = state.head
    const kept = sizes.length === 0 ? 'none' : `${String(last - sizes.length + 1)} to ${String(last)}`
    const message = `there is no version ${String(version)} in the history of ${this.#path}; kept: ${kept}`
    throw new CoordinationError('NO_NODE', message, { outcome: 'rejected', path: this.#path })
  }

  async #describe({ version, entry, stat }: StoredEntry, standing: EntryStanding): Promise<HistoryEntry<T>> {
    if (entry === null) return damaged(version, stat.ctime)
    const { header, value: bytes } = entry
    const { kind, author, comment, format, of, nodeVersion } = header
    const timeMs = header.atMs ?? stat.ctime
    const said = { version, kind, timeMs, author, comment, format, of, nodeVersion, ...standing }
    return { ...said, ...(header.isOmitted ? { value: undefined, issues: TOO_LARGE } : await this.#decode(bytes)) }
  }

  async #unrecorded(bytes: Uint8Array, stat: StoredEntry['stat']): Promise<HistoryEntry<T>> {
    const nobody = { author: null, comment: null, format: null, of: null }
    const timeMs = stat.mtime
    const said = { version: null, kind: 'found', timeMs, nodeVersion: stat.version } as const
    return { ...said, ...nobody, isCurrent: true, isStaged: false, ...(await this.#decode(bytes)) }
  }

  async #decode(bytes: RecordEntry['value']): Promise<Pick<HistoryEntry<T>, 'value' | 'issues'>> {
    if (bytes.length === 0) return { value: undefined, issues: [] }
    const decoded = await this.#format.decode(bytes, this.#path)
    return 'issues' in decoded ? { value: undefined, issues: decoded.issues } : { value: decoded.value, issues: [] }
  }
}

/** Checks what a look at the history is given. */
export function checkHistoryRead(options: HistoryReadOptions): void {
  refuseUnknown(options, READ_OPTIONS, 'history')
  if (options.limit !== undefined) validateInteger('limit', options.limit, 1, ENTRIES_MAX)
}

/** Checks a version of the history. */
export function checkHistoryVersion(name: string, version: number): void {
  validateInteger(name, version, 1, Number.MAX_SAFE_INTEGER)
}

/** Checks what is said of a publish. */
export function checkNote({ author, comment }: PublishNote): void {
  checkText('author', author, AUTHOR_CHARS_MAX)
  checkText('comment', comment, COMMENT_CHARS_MAX)
}

function checkText(name: string, text: string | undefined, charsMax: number): void {
  if (text === undefined) return
  if (typeof text !== 'string') throw new TypeError(`${name} must be a string, got ${textOf(text)}`)
  if (text.length > charsMax) throw new RangeError(`${name} must have at most ${String(charsMax)} characters`)
}

function standingOf({ version }: StoredEntry, { head, value, isFound }: RecordState): EntryStanding {
  return { isCurrent: version === head.current && value !== null && !isFound, isStaged: version === head.staged }
}

function damaged(version: number, timeMs: number): HistoryEntry<never> {
  const nothing = { value: undefined, author: null, comment: null, format: null, of: null }
  const standing = { isCurrent: false, isStaged: false }
  return { version, kind: 'found', timeMs, nodeVersion: 0, issues: UNREADABLE, ...standing, ...nothing }
}
