/** Whether two stats say the same, field by field. */
import type { Stat } from '../src/core/backend.ts'

const FIELDS: readonly (keyof Stat)[] = Object.freeze([
  'czxid',
  'mzxid',
  'pzxid',
  'ctime',
  'mtime',
  'version',
  'cversion',
  'aversion',
  'ephemeralOwner',
  'dataLength',
  'numChildren',
])

/** Whether both are there and equal, or neither is there. */
export function sameStat(a: Stat | null, b: Stat | null): boolean {
  if (a === null || b === null) return a === b
  return FIELDS.every((field) => a[field] === b[field])
}

/** A stat in one line, for people. */
export function describeStat(stat: Stat | null): string {
  return stat === null ? 'none' : FIELDS.map((field) => `${field} ${stat[field]}`).join(', ')
}
