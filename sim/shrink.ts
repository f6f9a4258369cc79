/**
 * Makes a plan small that leads to a finding: delta debugging over its faults.
 *
 * Removes ever smaller parts of the plan as long as the same check fails, until no single fault can be left out.
 *
 * Source    Zeller, Hildebrandt: "Simplifying and isolating failure-inducing input" (2002), ddmin.
 */

/** Runs of one shrinking, at most: after that, the smallest plan so far is the answer. */
const RUNS_MAX = 400

/**
 * Finds a small part of a list with which something still happens.
 *
 * @param items - a list with which it happens
 * @param happens - whether it happens with a part of the list, which is in the list's order
 * @returns the part
 */
export async function shrink<T>(
  items: readonly T[],
  happens: (part: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let kept = items
  let parts = 2
  let runs = 0
  const isEnough = async (part: readonly T[]): Promise<boolean> => {
    runs += 1
    return runs <= RUNS_MAX && happens(part)
  }
  if (await isEnough([])) return []
  while (kept.length > 1 && runs < RUNS_MAX) {
    const smaller = await withoutSomePart(kept, parts, isEnough)
    if (smaller !== null) {
      kept = smaller
      parts = Math.max(2, parts - 1)
    } else if (parts >= kept.length) break
    else parts = Math.min(kept.length, parts * 2)
  }
  return kept
}

/** The list without one of its parts, if that is enough. */
async function withoutSomePart<T>(
  items: readonly T[],
  parts: number,
  isEnough: (part: readonly T[]) => Promise<boolean>,
): Promise<readonly T[] | null> {
  const size = Math.ceil(items.length / parts)
  for (let from = 0; from < items.length; from += size) {
    const rest = [...items.slice(0, from), ...items.slice(from + size)]
    if (await isEnough(rest)) return rest
  }
  return null
}
