/**
 * The children of one node: by name, their names in order, and how much there is below.
 *
 * Cost      a table for each node that has children, and none for the whole tree: of a million nodes, one that comes
 *           would touch a good part of it, and to make it larger would stop the server for long.
 */
import { SortedNames } from './sorted-names.ts'

/** Children of a node. */
export class Children<Node> {
  readonly #nodes = new Map<string, Node>()
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

  /** The child of this name. */
  get(name: string): Node | undefined {
    return this.#nodes.get(name)
  }

  /** All children with their names, in no order. */
  entries(): IterableIterator<[string, Node]> {
    return this.#nodes.entries()
  }

  /** Adds a child; false if there was one of this name, which it has replaced then. */
  add(name: string, node: Node): boolean {
    // One look-up, and not two.
    const before = this.#nodes.size
    this.#nodes.set(name, node)
    if (this.#nodes.size === before) return false
    this.#names.add(name)
    this.#chars += name.length
    return true
  }

  /** Removes a child; without effect if it is not there. */
  remove(name: string): void {
    this.#nodes.delete(name)
    if (this.#names.remove(name)) this.#chars -= name.length
  }

  /** Removes a child and leaves its name, until {@link Children.removeAll}. */
  detach(name: string): void {
    this.#nodes.delete(name)
  }

  /**
   * Removes the names at the ends of paths, whose nodes were detached.
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
