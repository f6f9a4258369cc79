/** Suggestions for an unknown word: for commands, flags, options and keys alike. */

/** How many letters may be wrong in a word: one in three, and two at most. */
const LETTERS_PER_FLAW = 3
const FLAWS_MAX = 2

/**
 * Finds the word that is likest to another; one that differs only in case is likest of all.
 *
 * @param word - as it was typed
 * @param known - all valid words, in order of preference
 * @returns null if none is near
 */
export function nearest(word: string, known: readonly string[]): string | null {
  const typed = word.toLowerCase()
  let best: string | null = null
  let fewest = Math.min(FLAWS_MAX, Math.floor(typed.length / LETTERS_PER_FLAW)) + 1
  for (const candidate of known) {
    const flaws = distance(typed, candidate.toLowerCase(), fewest)
    if (flaws >= fewest) continue
    best = candidate
    fewest = flaws
  }
  return best
}

/** The end of a message about a word that means nothing: the likeliest right one, or nothing. */
export function hint(word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  return near === null ? '' : `; did you mean ${near}?`
}

/**
 * Optimal string alignment distance: letters that are missing, too many, wrong, or swapped with their neighbour.
 *
 * @returns `limit` for anything from there on
 */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      let flaws = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (isSame ? 0 : 1))
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (isSwapped) flaws = Math.min(flaws, (beforeLast[j - 2] ?? 0) + 1)
      row.push(flaws)
    }
    beforeLast = last
    last = row
  }
  return Math.min(limit, last[b.length] ?? limit)
}
