/**
 * Where a queue keeps its nodes, and the meaning of their names.
 *
 * Items     `items/PPP-MARK[-DUE]-SEQ`: priority, a mark of the put, the instant before which nobody may have it, and
 *           the servers' number. So the list of names alone is the order, and no item has to be read for it.
 * Claims    `claims/` with the same names, ephemeral: the item is leased to whoever owns the claim.
 * Dead      `dead/` with the same names: a line of JSON with the reason, then the item's bytes.
 */
import { compareSequence, sequenceOf } from '../../core/path.ts'
import { newMark } from '../engine/marked-data.ts'

/** The most that a priority can be. */
export const PRIORITY_MAX = 999
const PRIORITY_DIGITS = 3

const NAME = /^(\d{3})-[0-9a-f]{32}(?:-(\d{1,15}))?-(-?\d{9,10})$/

/** An item as its name tells of it. */
export interface ItemEntry {
  readonly name: string
  readonly priority: number
  /** By the wall clock, in milliseconds since 1970; 0 if it was due at once. */
  readonly dueMs: number
  readonly sequence: number
}

/** Makes the name of a new item, up to the servers' number; `mark` is in no other. */
export function newItemPrefix(priority: number, dueMs: number): { readonly mark: string; readonly prefix: string } {
  const mark = `${String(priority).padStart(PRIORITY_DIGITS, '0')}-${newMark().replaceAll('-', '')}-`
  return { mark, prefix: dueMs === 0 ? mark : `${mark}${dueMs}-` }
}

/** Reads names; those of others are left out. The most urgent one comes first, then the one that was put first. */
export function entriesOf(names: readonly string[]): ItemEntry[] {
  return names.flatMap(entryOf).sort((a, b) => a.priority - b.priority || compareSequence(a.sequence, b.sequence))
}

function entryOf(name: string): ItemEntry[] {
  const [, priority = '', due = '0', number = ''] = NAME.exec(name) ?? []
  const sequence = sequenceOf(number)
  return sequence === null ? [] : [{ name, priority: Number(priority), dueMs: Number(due), sequence }]
}

/** Why an item is dead. */
export interface DeadNote {
  readonly reason: string
  /** How often it had been handed out. */
  readonly attempt: number
}

const LINE_FEED = 0x0a

/** Makes the data of a dead item. */
export function deadData(note: DeadNote, bytes: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(`${JSON.stringify(note)}\n`)
  const data = new Uint8Array(head.length + bytes.length)
  data.set(head)
  data.set(bytes, head.length)
  return data
}

/** Reads the data of a dead item; null if somebody has written something else there. */
export function readDead(data: Uint8Array): { readonly note: DeadNote; readonly bytes: Uint8Array } | null {
  const end = data.indexOf(LINE_FEED)
  if (end === -1) return null
  try {
    const note: unknown = JSON.parse(new TextDecoder().decode(data.subarray(0, end)))
    return isNote(note) ? { note, bytes: data.subarray(end + 1) } : null
  } catch {
    return null
  }
}

function isNote(value: unknown): value is DeadNote {
  if (typeof value !== 'object' || value === null || !('reason' in value) || !('attempt' in value)) return false
  return typeof value.reason === 'string' && typeof value.attempt === 'number'
}
