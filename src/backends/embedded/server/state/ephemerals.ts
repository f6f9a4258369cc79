/** Which ephemeral nodes each session has. */
import { SortedNames } from './sorted-names.ts'

const NO_PATHS: readonly string[] = Object.freeze([])

/** Paths of ephemeral nodes by their session. */
export class Ephemerals {
  readonly #paths = new Map<bigint, SortedNames>()

  /** How many there are. */
  get count(): number {
    let count = 0
    for (const paths of this.#paths.values()) count += paths.size
    return count
  }

  /** Sessions that have any, with their paths. */
  get byOwner(): ReadonlyMap<bigint, Iterable<string> & { readonly size: number }> {
    return this.#paths
  }

  /** Those of a session, sorted by code unit. The array never changes. */
  of(owner: bigint): readonly string[] {
    return this.#paths.get(owner)?.list ?? NO_PATHS
  }

  add(owner: bigint, path: string): void {
    let paths = this.#paths.get(owner)
    if (paths === undefined) {
      paths = new SortedNames()
      this.#paths.set(owner, paths)
    }
    paths.add(path)
  }

  remove(owner: bigint, path: string): void {
    const paths = this.#paths.get(owner)
    paths?.remove(path)
    if (paths?.size === 0) this.#paths.delete(owner)
  }

  /** Those of a session, which has none from now on. */
  take(owner: bigint): readonly string[] {
    const paths = this.of(owner)
    this.#paths.delete(owner)
    return paths
  }

  clear(): void {
    this.#paths.clear()
  }
}
