/** Which change wakes a watch that rides on which read: the one table of the contract. */
import type { WatchEvent } from '../backend.ts'

/** A read that can carry a watch. */
export type WatchedRead = 'exists' | 'get' | 'children'

/** A `children` change is one in the list of names: a child's data and grandchildren wake nobody. */
const WOKEN_BY: Readonly<Record<WatchedRead, ReadonlySet<WatchEvent['type']>>> = Object.freeze({
  exists: new Set(['created', 'changed', 'deleted'] as const),
  get: new Set(['changed', 'deleted'] as const),
  children: new Set(['children', 'deleted'] as const),
})

/** Whether a change of a node wakes a watch that was armed by this read of the node. */
export function wakes(change: WatchEvent['type'], read: WatchedRead): boolean {
  return WOKEN_BY[read].has(change)
}
