/**
 * One table of watches: paths and connections, found from either side.
 *
 * Model     a connection has at most one watch of a path. It is told once, or until it is disarmed; a recursive one is
 *           told of every node below its path, too, but never of children as such. To arm a path again changes how
 *           long it is told, in either direction: as in the reference, a later one-shot watch ends a persistent one.
 * Departed  the watches of a connection that is gone no longer count, and are told nothing. They are cleared a part
 *           at a time: some at once, some whenever the owner has the time, and two for each watch that is armed, so
 *           that there are never more of them than were armed at one time.
 * Cost      without recursive watches a change costs one look-up; with some, one for each node above it.
 * Source    WatchManager.java, WatcherModeManager.java of ZooKeeper 3.8.
 */
import { Fifo } from '../../../../core/fifo.ts'
import { parentOf } from '../../../../core/path.ts'
import type { PathPool } from './path-pool.ts'

/** How long a watch is notified of changes, and of which. */
export type WatchMode = 'once' | 'persistent' | 'recursive'

/** Watches of connections that are gone that are cleared away in one go: a few milliseconds. */
export const WATCHES_CLEARED_AT_ONCE = 2_000
/** Those that are cleared away for each watch that is armed. */
const CLEARED_PER_ARMED = 2

/** Most bytes of a code unit of a string in memory. */
const CODE_UNIT_BYTES = 2

/** The bytes that a path takes in memory, at most. */
export function pathBytesOf(path: string): number {
  return path.length * CODE_UNIT_BYTES
}

/** Which connections watch which paths. */
export class WatchTable {
  readonly #pool: PathPool
  readonly #connectionsOf = new Map<string, Set<number>>()
  readonly #pathsOf = new Map<number, Set<string>>()
  /** The watches that are not told just once, by path and connection. */
  readonly #lasting = new Map<string, Map<number, WatchMode>>()
  /** Bytes of the paths that a connection watches. */
  readonly #bytesOf = new Map<number, number>()
  /** Connections that are gone, with the paths that are not cleared away. */
  readonly #departures = new Fifo<{ readonly connection: number; readonly paths: Iterator<string> }>()
  readonly #departed = new Set<number>()
  #recursiveCount = 0
  #bytes = 0
  #count = 0

  /**
   * @param pool - keeps one copy of each path
   */
  constructor(pool: PathPool) {
    this.#pool = pool
  }

  /** Number of watches. */
  get count(): number {
    return this.#count
  }

  /** Bytes of the paths of all, each as if it were watched by nobody else. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether any of them is recursive. */
  get hasRecursive(): boolean {
    return this.#recursiveCount > 0
  }

  /** Connections by path. */
  get byPath(): ReadonlyMap<string, ReadonlySet<number>> {
    return this.#connectionsOf
  }

  /** Paths by connection. */
  get byConnection(): ReadonlyMap<number, ReadonlySet<string>> {
    return this.#pathsOf
  }

  /** Number of watches of a connection. */
  countOf(connection: number): number {
    return this.#pathsOf.get(connection)?.size ?? 0
  }

  /** Bytes of the paths that a connection watches, each as if it were watched by nobody else. */
  bytesOf(connection: number): number {
    return this.#bytesOf.get(connection) ?? 0
  }

  /** Whether a connection watches a path. */
  has(path: string, connection: number): boolean {
    return this.#connectionsOf.get(path)?.has(connection) ?? false
  }

  /** Arms a watch. */
  add(given: string, connection: number, mode: WatchMode): void {
    if (this.has(given, connection)) {
      if (mode !== 'once' || this.#lasting.size > 0) this.#setMode(given, connection, mode)
      return
    }
    this.clearDeparted(CLEARED_PER_ARMED)
    const path = this.#pool.take(given)
    if (mode !== 'once') this.#setMode(path, connection, mode)
    this.#count += 1
    this.#bytes += pathBytesOf(path)
    this.#bytesOf.set(connection, this.bytesOf(connection) + pathBytesOf(path))
    const connections = this.#connectionsOf.get(path)
    if (connections === undefined) this.#connectionsOf.set(path, new Set([connection]))
    else connections.add(connection)
    const paths = this.#pathsOf.get(connection)
    if (paths === undefined) this.#pathsOf.set(connection, new Set([path]))
    else paths.add(path)
  }

  /** Takes the connections to notify of a node's creation, change or deletion; disarms one-shot watches. */
  takeNode(path: string): ReadonlySet<number> {
    const told = this.#take(path, () => true)
    if (this.#recursiveCount === 0) return told
    const all = new Set(told)
    for (let at = path; at !== '/'; ) {
      at = parentOf(at)
      for (const [connection, mode] of this.#lasting.get(at) ?? []) {
        if (mode === 'recursive' && !this.#departed.has(connection)) all.add(connection)
      }
    }
    return all
  }

  /** Takes the connections to notify of a change of a node's children; disarms one-shot watches. */
  takeChildren(path: string): ReadonlySet<number> {
    return this.#take(path, (mode) => mode === 'persistent')
  }

  /** Disarms a watch; false if there is none. */
  remove(path: string, connection: number): boolean {
    if (!this.has(path, connection)) return false
    this.#setMode(path, connection, 'once')
    this.#forgetConnection(path, connection)
    this.#forgetPath(connection, path)
    this.#count -= 1
    return true
  }

  /** Disarms every watch of a connection, whose number never comes again. */
  removeAll(connection: number): void {
    const paths = this.#pathsOf.get(connection)
    if (paths === undefined) return
    this.#pathsOf.delete(connection)
    this.#bytes -= this.bytesOf(connection)
    this.#bytesOf.delete(connection)
    this.#count -= paths.size
    this.#departed.add(connection)
    this.#departures.push({ connection, paths: paths.values() })
    this.clearDeparted(WATCHES_CLEARED_AT_ONCE)
  }

  /** Clears away watches of connections that are gone, up to a number. */
  clearDeparted(count: number): void {
    let left = count
    for (let first = this.#departures.peek(); first !== undefined; first = this.#departures.peek()) {
      const { connection, paths } = first
      for (; left > 0; left--) {
        const next = paths.next()
        if (next.done === true) break
        if (this.#lasting.size > 0) this.#setMode(next.value, connection, 'once')
        this.#forgetConnection(next.value, connection)
        this.#pool.release(next.value)
      }
      if (left === 0) return
      this.#departures.shift()
      this.#departed.delete(connection)
    }
  }

  /**
   * Disarms the one-shot watches of a path.
   *
   * @param isTold - whether a watch that lasts is told; a one-shot watch always is
   * @returns the connections to notify
   */
  #take(path: string, isTold: (mode: WatchMode) => boolean): ReadonlySet<number> {
    const connections = this.#present(this.#connectionsOf.get(path) ?? NOBODY)
    if (connections.size === 0) return NOBODY
    const lasting = this.#lasting.get(path)
    if (lasting === undefined) {
      this.#connectionsOf.delete(path)
      this.#count -= connections.size
      for (const connection of connections) this.#forgetPath(connection, path)
      return connections
    }
    const told = new Set<number>()
    for (const connection of connections) {
      const mode = lasting.get(connection)
      if (mode === undefined || isTold(mode)) told.add(connection)
      if (mode === undefined) this.remove(path, connection)
    }
    return told
  }

  /** Those of connections that are not gone. */
  #present(connections: ReadonlySet<number>): ReadonlySet<number> {
    if (this.#departed.size === 0) return connections
    return new Set([...connections].filter((connection) => !this.#departed.has(connection)))
  }

  #setMode(path: string, connection: number, mode: WatchMode): void {
    const modes = this.#lasting.get(path)
    if (modes?.get(connection) === 'recursive') this.#recursiveCount -= 1
    if (mode === 'recursive') this.#recursiveCount += 1
    if (mode === 'once') {
      modes?.delete(connection)
      if (modes?.size === 0) this.#lasting.delete(path)
    } else if (modes === undefined) this.#lasting.set(path, new Map([[connection, mode]]))
    else modes.set(connection, mode)
  }

  #forgetPath(connection: number, path: string): void {
    const paths = this.#pathsOf.get(connection)
    if (paths?.delete(path) !== true) return
    this.#pool.release(path)
    this.#bytes -= pathBytesOf(path)
    this.#bytesOf.set(connection, this.bytesOf(connection) - pathBytesOf(path))
    if (paths.size > 0) return
    this.#pathsOf.delete(connection)
    this.#bytesOf.delete(connection)
  }

  #forgetConnection(path: string, connection: number): void {
    const connections = this.#connectionsOf.get(path)
    connections?.delete(connection)
    if (connections?.size === 0) this.#connectionsOf.delete(path)
  }
}

const NOBODY: ReadonlySet<number> = new Set()
