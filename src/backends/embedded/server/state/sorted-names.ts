/**
 * Names in order: of a node's children, or the paths of a session's nodes.
 *
 * Model     names in chunks, sorted by code unit within and among them. A list of all is put together when it is asked
 *           for, and kept until a name comes or goes.
 * Cost      a name comes or goes: two binary searches and the move of half a chunk, however many there are. A list of
 *           n names: a copy of n references, and no sorting. Many names go in one pass over the chunks they are in.
 * Freezing  costs nothing by itself: a later change copies the chunk that it touches, and the list of chunks once.
 */
import { assert } from '../../../../core/assert.ts'

/** A chunk with more names than this is cut in two. */
const CHUNK_NAMES_MAX = 512
/** Names that are removed one by one, without a look at every chunk. */
const SINGLE_REMOVALS_MAX = 16
/** Right after freezing: every chunk is also somebody else's, and so is the list of them. */
const NOTHING_OWNED: ReadonlySet<string[]> = new Set()

/** Names, each once, sorted by code unit. */
export class SortedNames implements Iterable<string> {
  #chunks: string[][] = []
  #size = 0
  #list: readonly string[] | null = null
  /** The chunks that may be changed in place; null if that is all of them. */
  #owned: ReadonlySet<string[]> | null = null

  /** How many names there are. */
  get size(): number {
    return this.#size
  }

  /** All names, sorted by code unit. The array never changes. */
  get list(): readonly string[] {
    this.#list ??= ([] as string[]).concat(...this.#chunks)
    return this.#list
  }

  /** The names in order, in parts, as they are now: these arrays never change. */
  freeze(): readonly (readonly string[])[] {
    this.#owned = NOTHING_OWNED
    return this.#chunks
  }

  /** The names as they are now, whatever comes and goes meanwhile. */
  [Symbol.iterator](): Iterator<string> {
    return this.list[Symbol.iterator]()
  }

  /** Adds a name. It must be new. */
  add(name: string): void {
    this.#size += 1
    this.#list = null
    const at = this.#chunkOf(name)
    const chunk = this.#own(at)
    if (chunk === undefined) this.#append(name)
    else {
      chunk.splice(placeIn(chunk, name), 0, name)
      if (chunk.length > CHUNK_NAMES_MAX) this.#insert(at + 1, chunk.splice(CHUNK_NAMES_MAX >> 1))
    }
  }

  /** Removes a name; false if it is not there. */
  remove(name: string): boolean {
    const at = this.#chunkOf(name)
    const found = this.#chunks[at]
    if (found === undefined) return false
    const place = placeIn(found, name)
    if (found[place] !== name) return false
    const chunk = this.#own(at) as string[]
    chunk.splice(place, 1)
    if (chunk.length === 0) this.#chunks.splice(at, 1)
    this.#size -= 1
    this.#list = null
    return true
  }

  /**
   * Removes the names at the ends of paths.
   *
   * @param paths - sorted by code unit
   * @param from - where the names begin
   * @throws AssertionError if one is not there
   */
  removeAll(paths: readonly string[], from: number): void {
    if (paths.length <= SINGLE_REMOVALS_MAX) {
      for (const path of paths) assert(this.remove(path.slice(from)), () => `${path} to be there`)
      return
    }
    let next = 0
    const chunks: string[][] = []
    const owned = this.#owned === null ? null : new Set(this.#owned)
    for (const chunk of this.#chunks) {
      const path = paths[next]
      if (path === undefined || (chunk[chunk.length - 1] as string) < path.slice(from)) chunks.push(chunk)
      else {
        const rest = withoutEnds(chunk, paths, next, from)
        next += chunk.length - rest.length
        if (rest.length > 0) chunks.push(rest)
        owned?.add(rest)
      }
    }
    assert(next === paths.length, () => `${paths[next] ?? ''} to be there, and the names to be in order`)
    this.#chunks = chunks
    this.#owned = owned
    this.#size -= paths.length
    this.#list = null
  }

  /** Names mostly come in order, with a growing number: they fill one chunk after the other. */
  #append(name: string): void {
    const last = this.#chunks.at(-1)
    if (last === undefined || last.length >= CHUNK_NAMES_MAX) this.#insert(this.#chunks.length, [name])
    else this.#own(this.#chunks.length - 1)?.push(name)
  }

  /** The chunk at an index, to be changed. */
  #own(at: number): string[] | undefined {
    const chunk = this.#chunks[at]
    if (this.#owned === null || chunk === undefined || this.#owned.has(chunk)) return chunk
    const copy = [...chunk]
    this.#ownList().add(copy)
    this.#chunks[at] = copy
    return copy
  }

  #insert(at: number, chunk: string[]): void {
    if (this.#owned !== null) this.#ownList().add(chunk)
    this.#chunks.splice(at, 0, chunk)
  }

  /** Makes the list of chunks one that may be changed. Returns which chunks may be. */
  #ownList(): Set<string[]> {
    if (this.#owned === null || this.#owned === NOTHING_OWNED) {
      this.#chunks = [...this.#chunks]
      this.#owned = new Set()
    }
    return this.#owned as Set<string[]>
  }

  /** The index of the first chunk that ends at or after a name; that of none, if all end before it. */
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

/** The names that are not at the ends of paths, of which those of this chunk begin with `next`. */
function withoutEnds(chunk: readonly string[], paths: readonly string[], next: number, from: number): string[] {
  const rest: string[] = []
  let path = paths[next]
  let removed = 0
  for (const name of chunk) {
    // No slice: of many thousand paths, that alone would take a good part of the time.
    if (path?.length === from + name.length && path.endsWith(name)) {
      removed += 1
      path = paths[next + removed]
    } else rest.push(name)
  }
  return rest
}
