/**
 * The children of one node: their names in order, and how much there is below.
 *
 * Model     names in chunks, sorted by code unit within and among them. A list of all is put together when it is asked
 *           for, and kept until a name comes or goes.
 * Cost      a name comes or goes: two binary searches and the move of half a chunk, however many there are. A list of
 *           n names: a copy of n references, and no sorting.
 */

/** A chunk with more names than this is cut in two. */
const CHUNK_NAMES_MAX = 512

/** Children of a node. */
export class Children {
  readonly #chunks: string[][] = []
  #count = 0
  #chars = 0
  #list: readonly string[] | null = null
  /** Nodes below, at any depth. */
  descendantCount = 0
  /** Length of their data in bytes. */
  descendantBytes = 0

  /** How many children there are. */
  get count(): number {
    return this.#count
  }

  /** Length of all names together. */
  get chars(): number {
    return this.#chars
  }

  /** All names, sorted by code unit. The array never changes. */
  get names(): readonly string[] {
    this.#list ??= ([] as string[]).concat(...this.#chunks)
    return this.#list
  }

  /** Adds a name. It must be new. */
  add(name: string): void {
    this.#count += 1
    this.#chars += name.length
    this.#list = null
    const at = this.#chunkOf(name)
    const chunk = this.#chunks[at]
    if (chunk === undefined) this.#append(name)
    else {
      chunk.splice(placeIn(chunk, name), 0, name)
      if (chunk.length > CHUNK_NAMES_MAX) this.#chunks.splice(at + 1, 0, chunk.splice(CHUNK_NAMES_MAX >> 1))
    }
  }

  /** Removes a name; without effect if it is not there. */
  remove(name: string): void {
    const at = this.#chunkOf(name)
    const chunk = this.#chunks[at]
    if (chunk === undefined) return
    const place = placeIn(chunk, name)
    if (chunk[place] !== name) return
    chunk.splice(place, 1)
    if (chunk.length === 0) this.#chunks.splice(at, 1)
    this.#count -= 1
    this.#chars -= name.length
    this.#list = null
  }

  /** Names mostly come in order, with a growing number: they fill one chunk after the other. */
  #append(name: string): void {
    const last = this.#chunks.at(-1)
    if (last === undefined || last.length >= CHUNK_NAMES_MAX) this.#chunks.push([name])
    else last.push(name)
  }

  /** The index of the first chunk that ends at or behind a name; that of none, if all end before it. */
  #chunkOf(name: string): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const chunk = this.#chunks[middle] as string[]
      if ((chunk[chunk.length - 1] as string) < name) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The index at which a name stands, or belongs. */
function placeIn(sorted: readonly string[], name: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as string) < name) low = middle + 1
    else high = middle
  }
  return low
}
