/**
 * Records of a roll-out: whom it chooses, what is staged, and which value each process has. Pure.
 *
 * Choice    a percentage takes a process by a digest of its id and the value's path, and of nothing else. So every
 *           process finds by itself whether it is chosen, a restart changes nothing, and whoever 10 percent choose,
 *           20 percent choose too.
 * Staged    `staged`, beside the history: one line of JSON, then the bytes of the value. It stays when the roll-out is
 *           over, without the bytes, and says how it ended.
 * Applied   `applied/<id>`: JSON, ephemeral, so that a process which is gone is not listed.
 */
import { textOf } from '../../core/value-text.ts'
import { corrupt, decodeLine, encodeLine, isCount } from './config-records.ts'
import { sha256 } from './io/digest.ts'

/** For which processes a value is staged: exactly one of these. */
export interface RolloutSelection {
  /** For so many of a hundred processes, chosen by their ids; from 0 to 100, with fractions. */
  readonly percent?: number
  /** For the processes with these ids. */
  readonly members?: readonly string[]
  /** For the processes that have all of these labels. */
  readonly labels?: Readonly<Record<string, string>>
}

/** A process as a roll-out sees it. */
export interface RolloutMember {
  /** Tells the process from all others, and is the same after a restart. */
  readonly id: string
  /** Labels by which a roll-out can choose it, such as `{ region: 'eu' }`. */
  readonly labels?: Readonly<Record<string, string>>
}

/**
 * Where a roll-out stands.
 *
 * - `staged`: its value is in force where it is chosen.
 * - `replaced`: over, by a value for all that was written in the same transaction: it was promoted, or published over.
 * - `withdrawn`: over; the value for all is in force again.
 */
export type StagedState = 'staged' | 'replaced' | 'withdrawn'

/** Content of the node of a roll-out. */
export interface StagedRecord {
  readonly state: StagedState
  /** The version of the staged value in the history. */
  readonly version: number
  readonly selection: RolloutSelection
  /** zxid of the write of the value for all that it was staged beside. */
  readonly base: bigint
  readonly author: string | null
  readonly comment: string | null
  /** The codec's name of its format. */
  readonly format: string | null
  /** The value, as it would be stored; none once the roll-out is over. */
  readonly value: Uint8Array
}

/** Which value a process has, as it says itself. */
export interface AppliedRecord {
  readonly id: string
  readonly labels: Readonly<Record<string, string>>
  /** The version of the value's node; null without a value. */
  readonly nodeVersion: number | null
  /** zxid of the write of the value for all that it knows; 0 without one. */
  readonly zxid: bigint
  /** The version of the staged value, if it has that. */
  readonly staged: number | null
  /** The version of a staged value that was chosen for it, and that it refused. */
  readonly refused: number | null
}

const FORMAT = 1
const PERCENT_MAX = 100
const MEMBERS_MAX = 1_000
/** As JSON; it is written with every step. */
const SELECTION_CHARS_MAX = 8_192
const LABELS_MAX = 64
const TEXT_CHARS_MAX = 256
const DIGEST_DIGITS = 12
const DIGEST_VALUES = 16 ** DIGEST_DIGITS
const ZXID = /^-?\d{1,20}$/
const STATES: ReadonlySet<unknown> = new Set<StagedState>(['staged', 'replaced', 'withdrawn'])
const NO_BYTES = new Uint8Array()

/**
 * Checks a selection.
 *
 * @throws TypeError or RangeError that names the fault
 */
export function checkSelection(selection: RolloutSelection): void {
  const given: unknown = selection
  const names = typeof given === 'object' && given !== null ? Object.keys(given) : []
  const [name] = names
  if (names.length !== 1 || !['percent', 'members', 'labels'].includes(name ?? '')) {
    throw new TypeError(`rollout must have one of percent, members and labels, got ${textOf(selection)}`)
  }
  const { percent, members, labels } = selection
  if (percent !== undefined) checkPercent(percent)
  else if (labels !== undefined) checkLabels('rollout.labels', labels, 1)
  else checkMembers(members)
  if (JSON.stringify(selection).length <= SELECTION_CHARS_MAX) return
  throw new RangeError(`rollout must have at most ${String(SELECTION_CHARS_MAX)} characters as JSON`)
}

/**
 * Checks a member.
 *
 * @throws TypeError or RangeError that names the fault
 */
export function checkMember({ id, labels }: RolloutMember): void {
  checkText('member.id', id)
  if (labels !== undefined) checkLabels('member.labels', labels, 0)
}

/** Whether a selection chooses a member. */
export function isChosen(
  { percent, members, labels }: RolloutSelection,
  { id, labels: own = {} }: RolloutMember,
  path: string,
): boolean {
  if (percent !== undefined) return placeOf(id, path) * PERCENT_MAX < percent
  if (members !== undefined) return members.includes(id)
  return Object.entries(labels ?? {}).every(([name, value]) => Object.hasOwn(own, name) && own[name] === value)
}

/** Where an id stands among all that could be, from 0 up to 1; for one path always at the same place. */
function placeOf(id: string, path: string): number {
  const digest = sha256(new TextEncoder().encode(`${path}\n${id}`))
  return Number.parseInt(digest.slice(0, DIGEST_DIGITS), 16) / DIGEST_VALUES
}

/** The bytes of the node of a roll-out. */
export function encodeStaged({ value, base, ...header }: StagedRecord): Uint8Array {
  return encodeLine({ formatVersion: FORMAT, base: String(base), ...header }, value)
}

/** The record of a roll-out that is over. */
export function endedAs(state: 'replaced' | 'withdrawn', record: StagedRecord): StagedRecord {
  return { ...record, state, value: NO_BYTES }
}

/**
 * Reads the bytes of the node of a roll-out.
 *
 * @returns null if there are none
 * @throws CoordinationError `INVALID_VALUE` (outcome `corrupt`)
 */
export function decodeStaged(path: string, bytes: Uint8Array): StagedRecord | null {
  if (bytes.length === 0) return null
  const { header, body: value } = decodeLine(path, bytes)
  const { formatVersion, state, version, selection, base, author, comment, format } = header
  const isSound =
    formatVersion === FORMAT && isState(state) && isCount(version) && isZxid(base) && isText(author) &&
    isText(comment) && isText(format) && isSelection(selection)
  if (!isSound) throw corrupt(path)
  return { state, version, selection, base: BigInt(base), author, comment, format, value }
}

/** The bytes by which a process says which value it has. */
export function encodeApplied({ zxid, ...rest }: AppliedRecord): Uint8Array {
  return encodeLine({ formatVersion: FORMAT, zxid: String(zxid), ...rest }, NO_BYTES)
}

/**
 * Reads which value a process has.
 *
 * @throws CoordinationError `INVALID_VALUE` (outcome `corrupt`)
 */
export function decodeApplied(path: string, bytes: Uint8Array): AppliedRecord {
  const { formatVersion, id, labels, nodeVersion, zxid, staged, refused } = decodeLine(path, bytes).header
  const isSound =
    formatVersion === FORMAT && typeof id === 'string' && isLabels(labels) && isZxid(zxid) &&
    isCountOrNull(nodeVersion) && isCountOrNull(staged) && isCountOrNull(refused)
  if (!isSound) throw corrupt(path)
  return { id, labels, nodeVersion, zxid: BigInt(zxid), staged, refused }
}

function checkPercent(percent: number): void {
  if (typeof percent !== 'number') throw new TypeError(`rollout.percent must be a number, got ${textOf(percent)}`)
  if (percent >= 0 && percent <= PERCENT_MAX) return
  throw new RangeError(`rollout.percent must be from 0 to ${String(PERCENT_MAX)}, got ${String(percent)}`)
}

function checkMembers(members: unknown): void {
  if (!Array.isArray(members)) throw new TypeError(`rollout.members must be an array of ids, got ${textOf(members)}`)
  if (members.length === 0 || members.length > MEMBERS_MAX) {
    throw new RangeError(`rollout.members must have 1 to ${String(MEMBERS_MAX)} ids, got ${String(members.length)}`)
  }
  for (const id of members) checkText('rollout.members', id)
}

function checkLabels(name: string, labels: unknown, countMin: number): void {
  if (!isLabels(labels)) throw new TypeError(`${name} must be an object of strings, got ${textOf(labels)}`)
  const entries = Object.entries(labels)
  if (entries.length < countMin || entries.length > LABELS_MAX) {
    throw new RangeError(`${name} must have ${String(countMin)} to ${String(LABELS_MAX)} members`)
  }
  for (const [label, value] of entries) {
    checkText(`a name in ${name}`, label)
    checkText(`${name}.${label}`, value)
  }
}

function checkText(name: string, text: unknown): void {
  if (typeof text !== 'string') throw new TypeError(`${name} must be a string, got ${textOf(text)}`)
  if (text.length > 0 && text.length <= TEXT_CHARS_MAX) return
  throw new RangeError(`${name} must have 1 to ${String(TEXT_CHARS_MAX)} characters, got ${textOf(text)}`)
}

function isSelection(value: unknown): value is RolloutSelection {
  try {
    checkSelection(value as RolloutSelection)
    return true
  } catch {
    return false
  }
}

function isLabels(value: unknown): value is Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every((text) => typeof text === 'string')
}

function isState(value: unknown): value is StagedState {
  return STATES.has(value)
}

function isText(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}

function isZxid(value: unknown): value is string {
  return typeof value === 'string' && ZXID.test(value)
}

function isCountOrNull(value: unknown): value is number | null {
  return value === null || isCount(value)
}
