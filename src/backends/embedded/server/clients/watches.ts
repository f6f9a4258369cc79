/**
 * Watches: the connections to notify when a node changes.
 *
 * Model     two tables of path and connection, as in the reference: one for the node itself (armed by getData and by
 *           exists) and one for its children; addWatch arms both. A watch belongs to the connection, not to a callback:
 *           arming it twice is arming it once, and a connection gets one event for one change of one path.
 * Triggers  created: node -> NodeCreated. Changed: node -> NodeDataChanged. Deleted: node and children -> NodeDeleted,
 *           once. Created and deleted, at the parent: children -> NodeChildrenChanged. A recursive watch sees the first
 *           three of every node at and below its path, and no NodeChildrenChanged.
 * Order     events come in the order of the changes. The order of arming decides which client hears first of a change;
 *           it shows on no connection, since events of one connection are the only ones that have an order.
 * Cost      a change that nobody watches: two look-ups. The end of a connection: a part of its watches at a time.
 * Source    DataTree.java, WatchManager.java of ZooKeeper 3.8.
 */
import { assert } from '../../../../core/assert.ts'
import { parentOf } from '../../../../core/path.ts'
import { EventType, SYNC_CONNECTED, WatcherType } from '../../../wire/codes.ts'
import type { Acl, SetWatches2Request, SetWatchesRequest, WatcherEvent } from '../../../wire/records.ts'
import type { Change } from '../state/state.ts'
import type { Tree } from '../state/tree.ts'
import { PathPool } from './path-pool.ts'
import { WATCHES_CLEARED_AT_ONCE, WatchTable, pathBytesOf } from './watch-table.ts'
import type { WatchMode } from './watch-table.ts'

/** An event, and the connection that gets it if it may read the node. */
interface FiredWatch {
  readonly connection: number
  readonly event: WatcherEvent
  /** The node's list, for the caller to look at. */
  readonly acl: readonly Acl[]
}

const NOTHING_FIRED: readonly FiredWatch[] = Object.freeze([])
const NOBODY: ReadonlySet<number> = new Set()

/** The watches of the connections of one server. */
export class Watches {
  readonly #limit: number
  readonly #bytesMax: number
  readonly #allMax: number
  readonly #allBytesMax: number
  readonly #paths = new PathPool()
  readonly #nodes = new WatchTable(this.#paths)
  readonly #children = new WatchTable(this.#paths)

  /**
   * @param limit - most watches of one connection
   * @param bytesMax - most bytes of their paths
   * @param allMax - most watches of all connections
   * @param allBytesMax - most bytes of their paths
   */
  constructor(limit = Infinity, bytesMax = Infinity, allMax = Infinity, allBytesMax = Infinity) {
    assert(limit > 0 && bytesMax > 0, 'a connection may have a watch')
    this.#limit = limit
    this.#bytesMax = bytesMax
    this.#allMax = allMax
    this.#allBytesMax = allBytesMax
  }

  /** Number of watches that are armed. */
  get count(): number {
    return this.#nodes.count + this.#children.count
  }

  /** Number of watches that a connection has armed. */
  countOf(connection: number): number {
    return this.#nodes.countOf(connection) + this.#children.countOf(connection)
  }

  /** Bytes of the paths that a connection watches; a path that it watches in two ways counts twice. */
  bytesOf(connection: number): number {
    return this.#nodes.bytesOf(connection) + this.#children.bytesOf(connection)
  }

  /** Number of different paths that are watched: each of them is in memory once. */
  get pathCount(): number {
    return this.#paths.size
  }

  /**
   * Arms what a getData arms. The node must exist.
   *
   * @returns false if the connection has too many watches; nothing was armed
   */
  watchData(path: string, connection: number): boolean {
    return this.#arm(this.#nodes, path, connection)
  }

  /**
   * Arms what an exists arms, whether the node exists or not.
   *
   * @returns false if the connection has too many watches; nothing was armed
   */
  watchExist(path: string, connection: number): boolean {
    return this.#arm(this.#nodes, path, connection)
  }

  /**
   * Arms what a getChildren arms. The node must exist.
   *
   * @returns false if the connection has too many watches; nothing was armed
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
    const tell = (told: ReadonlySet<number>, type: number, path: string, acl: readonly Acl[], not = NOBODY): void => {
      if (told.size === 0) return
      fired ??= []
      const event = eventOf(type, path)
      for (const connection of told) if (!not.has(connection)) fired.push({ connection, event, acl })
    }
    for (const { type, path, node } of changes) {
      const { acl } = node
      if (type === 'changed') {
        tell(this.#nodes.takeNode(path), EventType.nodeDataChanged, path, acl)
        continue
      }
      if (type === 'created') {
        tell(this.#nodes.takeNode(path), EventType.nodeCreated, path, acl)
      } else {
        const told = this.#nodes.takeNode(path)
        tell(told, EventType.nodeDeleted, path, acl)
        tell(this.#children.takeNode(path), EventType.nodeDeleted, path, acl, told)
      }
      if (this.#children.count === 0) continue
      const parent = parentOf(path)
      tell(this.#children.takeChildren(parent), EventType.nodeChildrenChanged, parent, node.parent?.acl ?? acl)
    }
    return fired ?? NOTHING_FIRED
  }

  /**
   * Arms a watch that lasts until it is removed.
   *
   * @returns false if the connection has too many watches; nothing was armed
   */
  watchLasting(path: string, mode: 'persistent' | 'recursive', connection: number): boolean {
    if (!this.hasRoom(connection, 2, 2 * pathBytesOf(path))) return false
    this.#addLasting(path, mode, connection)
    return true
  }

  /**
   * Whether there is a watch of a path, whoever has armed it: the answer of checkWatches. The reference, too, looks at
   * the path and not at the watcher.
   *
   * @param type - one of `WatcherType`
   */
  isWatched(path: string, type: number): boolean {
    const isOfNode = type !== WatcherType.children && this.#nodes.byPath.has(path)
    return isOfNode || (type !== WatcherType.data && this.#children.byPath.has(path))
  }

  /** Whether there are watches that have to be looked for above a node, too. */
  get hasRecursive(): boolean {
    return this.#nodes.hasRecursive
  }

  /** Number of watches of nodes themselves, and not of their children. */
  get nodeCount(): number {
    return this.#nodes.count
  }

  /** Which connections watch which nodes, by path: not their children. Operators see it. */
  get nodesByPath(): ReadonlyMap<string, ReadonlySet<number>> {
    return this.#nodes.byPath
  }

  /** The same, by connection. */
  get nodesByConnection(): ReadonlyMap<number, ReadonlySet<string>> {
    return this.#nodes.byConnection
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

  /** Clears away a part of the watches of connections that are gone. */
  clearDeparted(): void {
    this.#nodes.clearDeparted(WATCHES_CLEARED_AT_ONCE)
    this.#children.clearDeparted(WATCHES_CLEARED_AT_ONCE)
  }

  /**
   * Arms again what a client had armed on its earlier connection, and tells what it missed since: of the watches that
   * last, nothing.
   *
   * Each watch is told for itself, so that one connection can hear twice that a node is gone.
   *
   * A watch whose node has changed after `relativeZxid` is told at once instead of being armed. A node that was
   * created and deleted in between is not seen by an exists watch; one that was deleted and made again is told as
   * changed. So is one that would be a watch too many: the client reads again, and that read is refused.
   *
   * @param request - paths by kind of watch, and the last zxid that the client has seen
   * @returns the events for this connection; null if it would have too many watches that last: nothing was armed
   */
  setWatches(
    request: SetWatchesRequest | SetWatches2Request,
    connection: number,
    tree: Tree,
  ): readonly WatcherEvent[] | null {
    const { relativeZxid, dataWatches, existWatches, childWatches } = request
    const persistent = 'persistentWatches' in request ? request.persistentWatches : []
    const recursive = 'persistentWatches' in request ? request.persistentRecursiveWatches : []
    const wantedOnce = dataWatches.length + existWatches.length + childWatches.length
    const wantedLasting = persistent.length + recursive.length
    const wanted = wantedOnce + 2 * wantedLasting
    if (wantedLasting > 0) {
      const once = bytesOf([...dataWatches, ...existWatches, ...childWatches])
      if (!this.hasRoom(connection, wanted, once + 2 * bytesOf([...persistent, ...recursive]))) return null
    }
    const events: WatcherEvent[] = []
    const tellDeleted = (path: string): void => {
      events.push(eventOf(EventType.nodeDeleted, path))
    }
    for (const path of dataWatches) {
      const node = tree.get(path)
      if (node === undefined) tellDeleted(path)
      else if (node.mzxid > relativeZxid || !this.watchData(path, connection)) {
        events.push(eventOf(EventType.nodeDataChanged, path))
      }
    }
    for (const path of existWatches) {
      if (tree.get(path) === undefined && this.watchExist(path, connection)) continue
      events.push(eventOf(EventType.nodeCreated, path))
    }
    for (const path of childWatches) {
      const node = tree.get(path)
      if (node === undefined) tellDeleted(path)
      else if (node.pzxid > relativeZxid || !this.watchChildren(path, connection)) {
        events.push(eventOf(EventType.nodeChildrenChanged, path))
      }
    }
    for (const path of persistent) this.#addLasting(path, 'persistent', connection)
    for (const path of recursive) this.#addLasting(path, 'recursive', connection)
    return events
  }

  /** Whether a connection may have this many more watches, with this many bytes of paths, and so may all together. */
  hasRoom(connection: number, count: number, bytes: number): boolean {
    if (this.count + count > this.#allMax || this.allBytes + bytes > this.#allBytesMax) return false
    return this.countOf(connection) + count <= this.#limit && this.bytesOf(connection) + bytes <= this.#bytesMax
  }

  /** Bytes of the paths of all watches, each as if it were the only one of its path. */
  get allBytes(): number {
    return this.#nodes.bytes + this.#children.bytes
  }

  #addLasting(path: string, mode: WatchMode, connection: number): void {
    this.#nodes.add(path, connection, mode)
    this.#children.add(path, connection, mode)
  }

  #arm(table: WatchTable, path: string, connection: number): boolean {
    if (!table.has(path, connection) && !this.hasRoom(connection, 1, pathBytesOf(path))) return false
    table.add(path, connection, 'once')
    return true
  }
}

function bytesOf(paths: readonly string[]): number {
  return paths.reduce((sum, path) => sum + pathBytesOf(path), 0)
}

function eventOf(type: number, path: string): WatcherEvent {
  return { type, state: SYNC_CONNECTED, path }
}
