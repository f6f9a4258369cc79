/**
 * Paths that many look at, each once in memory: a string that comes with a request is a copy of its own.
 *
 * Cost      a look-up when a path is taken in, and one when it is let go.
 */

interface Pooled {
  readonly path: string
  uses: number
}

/** Strings by their text. */
export class PathPool {
  readonly #paths = new Map<string, Pooled>()

  /** Number of different paths in use. */
  get size(): number {
    return this.#paths.size
  }

  /** Takes a path in: returns the string with this text that everybody shares. */
  take(path: string): string {
    const known = this.#paths.get(path)
    if (known === undefined) {
      this.#paths.set(path, { path, uses: 1 })
      return path
    }
    known.uses += 1
    return known.path
  }

  /** Lets a path go that was taken in. */
  release(path: string): void {
    const known = this.#paths.get(path)
    if (known === undefined) return
    known.uses -= 1
    if (known.uses === 0) this.#paths.delete(path)
  }
}
