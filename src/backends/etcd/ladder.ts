/**
 * The numbers that a create tries in one transaction.
 *
 * Model     a node gets the number that its parent's count of children says; the count that is known may be out of
 *           date. So the transaction holds what it would be with the next few numbers too, each rung in the branch
 *           where the one above found its number taken. Of those who create at once as many succeed as there are rungs,
 *           and none of them needs a second try.
 * Cost      etcd reads every rung, whether it stands on it or not: a lone creator pays for one.
 */
import type { Operation } from '../../core/backend.ts'
import { parentOf } from '../../core/path.ts'
import type { Snapshot } from './snapshot.ts'

const RUNGS_MAX = 8

/** Data of a node that is created on more than one rung, at most, in bytes: every rung holds them. */
const DATA_BYTES_MAX = 4_096

/** The ladder of one session: as long as others were seen to take numbers lately. */
export class Ladder {
  #rungs = 1

  /**
   * The facts to assume on each rung, from the top: the known ones, then those after others have taken a number, two
   * numbers, and so on. One for anything but a single create that takes a number.
   */
  rungs(operations: readonly Operation[], snapshot: Snapshot): Snapshot[] {
    const parent = parentOfNumbered(operations)
    const known = parent === null ? undefined : snapshot.get(parent)
    const count = known?.count
    if (parent === null || count === undefined) return [snapshot]
    return Array.from({ length: this.#rungs }, (_, taken) => {
      return new Map(snapshot).set(parent, { ...known, count: { ...count, creates: (count.creates + taken) | 0 } })
    })
  }

  /** A create that had more than one was done on a rung, from 0. */
  stoodOn(rung: number): void {
    this.#rungs = Math.min(RUNGS_MAX, Math.max(this.#rungs - 1, rung === 0 ? 1 : rung + 2))
  }

  /** No rung was long enough. */
  missed(operations: readonly Operation[]): void {
    if (parentOfNumbered(operations) !== null) this.#rungs = Math.min(RUNGS_MAX, 2 * this.#rungs + 1)
  }
}

function parentOfNumbered(operations: readonly Operation[]): string | null {
  const [operation] = operations
  const isNumbered = operation?.type === 'create' && operation.mode.endsWith('-sequential')
  if (!isNumbered || operations.length > 1 || operation.data.length > DATA_BYTES_MAX) return null
  return parentOf(operation.path)
}
