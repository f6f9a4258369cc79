/**
 * The counts of children ever created under a parent, as a session knows them from its own creations there.
 *
 * Model     a sequential create tells the parent's count by the number in the name that it made; a create without a
 *           number tells that there is at least one more. So the counts of a parent since some creation of ours are
 *           those that our own creations account for, as far as nobody else has created anything there: a multi that is
 *           refused unless the count is the latest of these proves just that.
 * Wrong     a count that is too small, since others have created meanwhile, or the parent was made again: the multi is
 *           refused, and the count forgotten. It is never too great for the parent that it was read from.
 * Source    PrepRequestProcessor.pRequest2TxnCreate of ZooKeeper 3.8.
 */
import { parentOf } from '../../core/path.ts'

/** Parents whose counts are remembered. */
const PARENTS_MAX = 1_024

/** Counts of one parent, which only our own creations have made greater: from the first one known to the latest. */
interface Span {
  readonly first: number
  readonly latest: number
}

/** The counts that one session knows. */
export class ChildCounts {
  readonly #spans = new Map<string, Span>()

  /**
   * Notes a creation of this session.
   *
   * @param asked - the path that was asked for; of a sequential create, its beginning
   * @param path - the path that was made
   * @returns the parent's count right after it; null if it is not known
   */
  created(asked: string, path: string): number | null {
    const parent = parentOf(path)
    const known = this.#spans.get(parent)
    if (asked === path) {
      if (known === undefined) return null
      return this.#put(parent, known.first, (known.latest + 1) | 0)
    }
    const before = Number(path.slice(asked.length))
    const latest = (before + 1) | 0
    return this.#put(parent, known?.latest === before ? known.first : latest, latest)
  }

  /** Notes that a parent has this count, which a creation of this session has made greater by one since. */
  guarded(parent: string, count: number): void {
    const known = this.#spans.get(parent)
    const isWithin = known !== undefined && isBetween(known, count)
    this.#put(parent, isWithin ? known.first : count, (count + 1) | 0)
  }

  /**
   * The latest count of a parent, if all that was created there since it had another is ours as far as is known.
   *
   * @param since - the count that it had
   */
  latestSince(parent: string, since: number): number | null {
    const known = this.#spans.get(parent)
    return known !== undefined && isBetween(known, since) ? known.latest : null
  }

  /** A count of this parent was not what it is. */
  forget(parent: string): void {
    this.#spans.delete(parent)
  }

  #put(parent: string, first: number, latest: number): number {
    this.#spans.delete(parent)
    this.#spans.set(parent, { first, latest })
    const [oldest] = this.#spans.keys()
    if (this.#spans.size > PARENTS_MAX && oldest !== undefined) this.#spans.delete(oldest)
    return latest
  }
}

/** The count is an int32 that wraps. */
function isBetween({ first, latest }: Span, count: number): boolean {
  return ((count - first) | 0) >= 0 && ((latest - count) | 0) >= 0
}
