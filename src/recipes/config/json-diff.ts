/**
 * The difference of two values, by the places in them. Pure.
 *
 * Rule      objects are compared member by member, arrays item by item at one index; everything else as a whole.
 *           Other values are equal if they are the same, or hold the same bytes.
 * Place     a JSON Pointer (RFC 6901), empty for the value itself.
 */

/** One place at which two values differ. */
export interface ValueChange {
  /** A JSON Pointer, such as `/limits/0/rate`; empty for the value itself. */
  readonly place: string
  /** Whether something is there only now, only before, or both. */
  readonly type: 'added' | 'removed' | 'changed'
  /** The part of the first value; undefined if it was added. */
  readonly before: unknown
  /** The part of the second value; undefined if it was removed. */
  readonly after: unknown
}

/**
 * Compares two values.
 *
 * @returns the places at which they differ, in the order of the members of the first value, then those of the second
 */
export function differences(before: unknown, after: unknown): ValueChange[] {
  const changes: ValueChange[] = []
  compare('', before, after, changes)
  return changes
}

function compare(place: string, before: unknown, after: unknown, changes: ValueChange[]): void {
  if (before === after || haveSameBytes(before, after)) return
  const [old, next] = [membersOf(before), membersOf(after)]
  if (old === null || next === null || Array.isArray(before) !== Array.isArray(after)) {
    changes.push({ place, type: 'changed', before, after })
    return
  }
  for (const [key, value] of old) {
    const inner = `${place}/${escaped(key)}`
    if (next.has(key)) compare(inner, value, next.get(key), changes)
    else changes.push({ place: inner, type: 'removed', before: value, after: undefined })
  }
  for (const [key, value] of next) {
    if (old.has(key)) continue
    changes.push({ place: `${place}/${escaped(key)}`, type: 'added', before: undefined, after: value })
  }
}

function membersOf(value: unknown): Map<string, unknown> | null {
  if (typeof value !== 'object' || value === null) return null
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain = Array.isArray(value) || prototype === null || Object.getPrototypeOf(prototype) === null
  return isPlain ? new Map(Object.entries(value)) : null
}

function haveSameBytes(a: unknown, b: unknown): boolean {
  if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array)) return false
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
