/** The children of one node: their names in order, and how much there is below. */
import { SortedNames } from './sorted-names.ts'

/** Children of a node. */
export class Children {
  readonly #names = new SortedNames()
  #chars = 0
  /** Nodes below, at any depth. */
  descendantCount = 0
  /** Length of their data in bytes. */
  descendantBytes = 0

  /** How many children there are. */
  get count(): number {
    return this.#names.size
  }

  /** Length of all names together. */
  get chars(): number {
    return this.#chars
  }

  /** All names, sorted by code unit. The array never changes. */
  get names(): readonly string[] {
    return this.#names.list
  }

  /** All names in order, in parts, as they are now: these arrays never change. */
  freeze(): readonly (readonly string[])[] {
    return this.#names.freeze()
  }

  /** Adds a name. It must be new. */
  add(name: string): void {
    this.#names.add(name)
    this.#chars += name.length
  }

  /** Removes a name; without effect if it is not there. */
  remove(name: string): void {
    if (this.#names.remove(name)) this.#chars -= name.length
  }

  /**
   * Removes the names at the ends of paths.
   *
   * @param paths - sorted by code unit
   * @param from - where the names begin
   * @throws AssertionError if one is not there
   */
  removeAll(paths: readonly string[], from: number): void {
    this.#names.removeAll(paths, from)
    for (const path of paths) this.#chars -= path.length - from
  }
}
