/**
 * One-shot watches: who is told when a node changes.
 *
 * Model     two tables of path and connection, as in the reference: one for the node itself (armed by getData and by
 *           exists) and one for its children. A watch belongs to the connection, not to a callback: arming it twice is
 *           arming it once, and a connection gets one event for one change of one path.
 * Triggers  created: node -> NodeCreated. Changed: node -> NodeDataChanged. Deleted: node and children -> NodeDeleted,
 *           once. Created and deleted, at the parent: children -> NodeChildrenChanged.
 * Order     events come in the order of the changes. Who is told first of one change follows the order of arming; it
 *           shows on no connection, since events of one connection are the only ones that have an order.
 * Cost      a change that nobody watches: two look-ups. The end of a connection: in proportion to its watches.
 * Source    DataTree.java, WatchManager.java of ZooKeeper 3.8.
 */
import { assert } from '../../../core/assert.ts'
import { parentOf } from '../../../core/path.ts'
import { EventType, SYNC_CONNECTED, WatcherType } from '../../protocol/codes.ts'
import type { SetWatchesRequest, WatcherEvent } from '../../protocol/records.ts'
import type { Change } from './state.ts'
import type { Tree } from './tree.ts'

/** Most watches of one connection. */
export const CONNECTION_WATCHES_MAX = 100_000

/** An event, and the connection that gets it. */
interface FiredWatch {
  readonly connection: number
  readonly event: WatcherEvent
}

const NOTHING_FIRED: readonly FiredWatch[] = Object.freeze([])
const NOBODY: ReadonlySet<number> = new Set()

/** The watches of the connections of one server. */
export class Watches {
  readonly #limit: number
  readonly #nodes = new WatchTable()
  readonly #children = new WatchTable()

  /**
   * @param limit - most watches of one connection
   */
  constructor(limit: number = CONNECTION_WATCHES_MAX) {
    assert(limit > 0, 'a connection may have a watch')
    this.#limit = limit
  }

  /** Number of watches that are armed. */
  get count(): number {
    return this.#nodes.count + this.#children.count
  }

  /** Number of watches that a connection has armed. */
  countOf(connection: number): number {
    return this.#nodes.countOf(connection) + this.#children.countOf(connection)
  }

  /**
   * Arms what a getData arms. The node must exist.
   *
   * @returns false if the connection has too many watches; nothing was armed, and the connection should be closed
   */
  watchData(path: string, connection: number): boolean {
    return this.#arm(this.#nodes, path, connection)
  }

  /**
   * Arms what an exists arms, whether the node exists or not.
   *
   * @returns false if the connection has too many watches; nothing was armed, and the connection should be closed
   */
  watchExist(path: string, connection: number): boolean {
    return this.#arm(this.#nodes, path, connection)
  }

  /**
   * Arms what a getChildren arms. The node must exist.
   *
   * @returns false if the connection has too many watches; nothing was armed, and the connection should be closed
   */
  watchChildren(path: string, connection: number): boolean {
    return this.#arm(this.#children, path, connection)
  }

  /**
   * Takes the watches that changes trigger.
   *
   * @param changes - changes of nodes, in order; all of one transaction
   * @returns the events, in the order in which each connection must get its own
   */
  fire(changes: readonly Change[]): readonly FiredWatch[] {
    if (changes.length === 0 || (this.#nodes.count === 0 && this.#children.count === 0)) return NOTHING_FIRED
    let fired: FiredWatch[] | null = null
    const tell = (connections: ReadonlySet<number>, type: number, path: string, except = NOBODY): void => {
      if (connections.size === 0) return
      fired ??= []
      const event = eventOf(type, path)
      for (const connection of connections) if (!except.has(connection)) fired.push({ connection, event })
    }
    for (const { type, path } of changes) {
      if (type === 'changed') {
        tell(this.#nodes.take(path), EventType.nodeDataChanged, path)
        continue
      }
      if (type === 'created') {
        tell(this.#nodes.take(path), EventType.nodeCreated, path)
      } else {
        const told = this.#nodes.take(path)
        tell(told, EventType.nodeDeleted, path)
        tell(this.#children.take(path), EventType.nodeDeleted, path, told)
      }
      if (this.#children.count === 0) continue
      const parent = parentOf(path)
      tell(this.#children.take(parent), EventType.nodeChildrenChanged, parent)
    }
    return fired ?? NOTHING_FIRED
  }

  /**
   * Disarms watches of a connection on one path.
   *
   * @param type - one of `WatcherType`
   * @returns whether there was one
   */
  remove(path: string, type: number, connection: number): boolean {
    const ofNode = type === WatcherType.data || type === WatcherType.any
    const ofChildren = type === WatcherType.children || type === WatcherType.any
    const removedOfNode = ofNode && this.#nodes.remove(path, connection)
    const removedOfChildren = ofChildren && this.#children.remove(path, connection)
    return removedOfNode || removedOfChildren
  }

  /** Disarms every watch of a connection that is gone. */
  removeAll(connection: number): void {
    this.#nodes.removeAll(connection)
    this.#children.removeAll(connection)
  }

  /**
   * Arms again what a client had armed on its earlier connection, and tells what it missed since.
   *
   * A watch whose node has changed after `relativeZxid` is told at once instead of being armed. A node that was
   * created and deleted in between is not seen by an exists watch; one that was deleted and made again is told as
   * changed.
   *
   * @param request - paths by kind of watch, and the last zxid that the client has seen
   * @returns the events for this connection; null if it would have too many watches: nothing was armed, and the
   * connection should be closed
   */
  setWatches(request: SetWatchesRequest, connection: number, tree: Tree): readonly WatcherEvent[] | null {
    const { relativeZxid, dataWatches, existWatches, childWatches } = request
    const wanted = dataWatches.length + existWatches.length + childWatches.length
    if (this.countOf(connection) + wanted > this.#limit) return null
    const events: WatcherEvent[] = []
    const deleted = new Set<string>()
    const tellDeleted = (path: string): void => {
      if (deleted.has(path)) return
      deleted.add(path)
      events.push(eventOf(EventType.nodeDeleted, path))
    }
    for (const path of dataWatches) {
      const node = tree.get(path)
      if (node === undefined) tellDeleted(path)
      else if (node.mzxid > relativeZxid) events.push(eventOf(EventType.nodeDataChanged, path))
      else this.#nodes.add(path, connection)
    }
    for (const path of existWatches) {
      if (tree.get(path) === undefined) this.#nodes.add(path, connection)
      else events.push(eventOf(EventType.nodeCreated, path))
    }
    for (const path of childWatches) {
      const node = tree.get(path)
      if (node === undefined) tellDeleted(path)
      else if (node.pzxid > relativeZxid) events.push(eventOf(EventType.nodeChildrenChanged, path))
      else this.#children.add(path, connection)
    }
    return events
  }

  #arm(table: WatchTable, path: string, connection: number): boolean {
    if (table.has(path, connection)) return true
    if (this.countOf(connection) >= this.#limit) return false
    table.add(path, connection)
    return true
  }
}

/** Paths and connections, found from either side. */
class WatchTable {
  readonly #connectionsOf = new Map<string, Set<number>>()
  readonly #pathsOf = new Map<number, Set<string>>()
  #count = 0

  get count(): number {
    return this.#count
  }

  countOf(connection: number): number {
    return this.#pathsOf.get(connection)?.size ?? 0
  }

  has(path: string, connection: number): boolean {
    return this.#connectionsOf.get(path)?.has(connection) ?? false
  }

  add(path: string, connection: number): void {
    if (this.has(path, connection)) return
    this.#count += 1
    const connections = this.#connectionsOf.get(path)
    if (connections === undefined) this.#connectionsOf.set(path, new Set([connection]))
    else connections.add(connection)
    const paths = this.#pathsOf.get(connection)
    if (paths === undefined) this.#pathsOf.set(connection, new Set([path]))
    else paths.add(path)
  }

  /** Disarms a path and returns who had armed it. */
  take(path: string): ReadonlySet<number> {
    const connections = this.#connectionsOf.get(path)
    if (connections === undefined) return NOBODY
    this.#connectionsOf.delete(path)
    this.#count -= connections.size
    for (const connection of connections) this.#forgetPath(connection, path)
    return connections
  }

  remove(path: string, connection: number): boolean {
    if (!this.has(path, connection)) return false
    this.#forgetConnection(path, connection)
    this.#forgetPath(connection, path)
    this.#count -= 1
    return true
  }

  removeAll(connection: number): void {
    const paths = this.#pathsOf.get(connection)
    if (paths === undefined) return
    this.#pathsOf.delete(connection)
    this.#count -= paths.size
    for (const path of paths) this.#forgetConnection(path, connection)
  }

  #forgetPath(connection: number, path: string): void {
    const paths = this.#pathsOf.get(connection)
    paths?.delete(path)
    if (paths?.size === 0) this.#pathsOf.delete(connection)
  }

  #forgetConnection(path: string, connection: number): void {
    const connections = this.#connectionsOf.get(path)
    connections?.delete(connection)
    if (connections?.size === 0) this.#connectionsOf.delete(path)
  }
}

function eventOf(type: number, path: string): WatcherEvent {
  return { type, state: SYNC_CONNECTED, path }
}
