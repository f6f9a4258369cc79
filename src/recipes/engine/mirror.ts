/**
 * ENGINE: a local copy of a node, of a node and its children, or of a whole subtree, kept fresh by watches.
 *
 * Model     every node of the copy has a watch on its data and, above the depth limit, one on its list of children. An
 *           event marks what it concerns as dirty, and only what is dirty is read again. A snapshot is published when
 *           nothing is dirty and no read is on its way.
 * Safety    each snapshot is a state that existed: a watch is armed atomically with its read, and an event is called
 *           before any later answer on the session. So when the last answer arrives and nothing is dirty, nothing read
 *           earlier has changed up to that answer's moment, and all of it is the state of that moment.
 * Identity  a node is the same as before if its czxid and mzxid are; its version alone would hide a delete and create
 *           (CURATOR-391).
 * Resync    after a reconnect or on a new session everything is read again after a `sync`, so that it is not older
 *           than what was seen before; the next snapshot says so. A watch that is still armed is not armed twice.
 * Liveness  a snapshot is published once no change came in between the first and the last read of a batch; nodes that
 *           change without a pause and faster than they can be read hold it back until they rest.
 * Absence   a missing root is a normal state, watched like any other. The mirror never writes (CURATOR-319).
 * Bounds    with `bytesMax` it ends with `QUOTA_EXCEEDED` rather than hold more than that, and says so: it never leaves
 *           out a part in silence. A node that `filter` refuses is neither read nor watched, nor is anything below it.
 * Cost      start: one read per node and one per list; a change: one event and one read; a reconnect: as the start.
 * Source    ZooKeeper Programmer's Guide, "Watches"; Curator TreeCache.
 */
import type { Children, NodeData, Stat } from '../../core/backend.ts'
import { abortable, deferred, delay } from '../../core/async.ts'
import type { Deferred } from '../../core/async.ts'
import type { Client, ClientState, ReadOptions } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { joinPath, validatePath } from '../../core/path.ts'
import { Feed } from './feed.ts'
import { clientClosed } from './wait.ts'
import { WatchedRead } from './watched-read.ts'

/** One node of a mirror. The same object stands in later snapshots for as long as the node does not change. */
export interface MirrorNode {
  /** Where the node is. */
  readonly path: string
  /** The node's data; do not modify. */
  readonly data: Uint8Array
  /** The stat that was read with these data; children that came or went since then have not changed it. */
  readonly stat: Stat
}

/** A state of the mirrored nodes that existed. */
export interface MirrorSnapshot {
  /** Nodes by their path below the root, `''` for the root itself; in the order of a walk with sorted names. */
  readonly nodes: ReadonlyMap<string, MirrorNode>
  /** Counts the snapshots of this mirror, from 1. */
  readonly generation: number
}

/** The filter and the limits of a mirror. */
export interface MirrorOptions {
  /**
   * Whether a node below the root is part of it, and all below that; every one by default. It must say the same
   * whenever it is asked. A node for which it throws is left out, and that is reported.
   */
  readonly filter?: ((path: string) => boolean) | undefined
  /**
   * The most that it holds, in bytes: of each node its data, twice the length of its path, and 256. Reads that are on
   * their way, at most 256, come on top. Without limit by default.
   */
  readonly bytesMax?: number | undefined
  /** Whether also the first snapshot is not older than any write that was acknowledged before it; false by default. */
  readonly isSynced?: boolean
}

/** Bytes counted per node beside its data and its path: its stat, its watches, its places in maps. */
const NODE_BYTES = 256
/**
 * How many reads are on their way at a time; it also keeps a crowd of mirrors from flooding a server after a reconnect.
 */
const READS_IN_FLIGHT_MAX = 256
/** Pause after a read failed for another reason than a missing node, in milliseconds; up to it, by chance. */
const RETRY_MS = 500

/** A node that is mirrored, there or not. */
interface Tracked {
  /** Path below the root. */
  readonly key: string
  readonly path: string
  readonly depth: number
  /** Bytes counted for it as long as the node does not exist. */
  readonly emptyBytes: number
  readonly data: WatchedRead
  readonly list: WatchedRead
  node: MirrorNode | null
  names: readonly string[]
}

/** A local copy of nodes that follows the servers. */
export class Mirror {
  /** Publishes every snapshot. */
  readonly feed: Feed<MirrorSnapshot>
  readonly #client: Client
  readonly #path: string
  readonly #depth: number
  readonly #filter: (path: string) => boolean
  readonly #bytesMax: number
  readonly #tracked = new Map<string, Tracked>()
  readonly #dirtyData = new Set<Tracked>()
  readonly #dirtyNames = new Set<Tracked>()
  readonly #closing = new AbortController()
  readonly #first = deferred<undefined>()
  readonly #ends: (() => void)[] = []
  #wake = deferred<undefined>()
  /** Resolves when nothing is left to be read; it is made again when something is. */
  #settled: Deferred<undefined> | null = deferred()
  #sessionId: bigint | null
  #isInTouch: boolean
  /** Whether the next reads have to come after a `sync`, and whether the next snapshot tells of it. */
  #needsSync = false
  #isResync = false
  /** Bytes counted for all tracked nodes; at most `#bytesMax`. */
  #bytes = 0
  #failure: CoordinationError | null = null

  /**
   * Makes a mirror and begins to read.
   *
   * @param client - through which to read; its end is the mirror's end
   * @param path - the root of what is mirrored
   * @param depth - 0: the node; 1: with its children; Infinity: with all below it
   * @param options - its filter and limits, and how fresh it is at first
   * @throws TypeError if the path is none
   */
  constructor(client: Client, path: string, depth: number, options: MirrorOptions = {}) {
    validatePath(path)
    this.#client = client
    this.#path = path
    this.#depth = depth
    this.#filter = options.filter ?? (() => true)
    this.#bytesMax = options.bytesMax ?? Infinity
    this.#needsSync = options.isSynced ?? false
    this.#sessionId = client.sessionId
    this.#isInTouch = client.state.status === 'connected'
    this.feed = new Feed((error) => client.report(error))
    this.#first.promise.catch(() => undefined)
    this.#ends.push(client.onState((state) => this.#lookAtSession(state)), client.own({ close: () => this.close() }))
    this.#track('', path, 0)
    void this.#run()
  }

  /** The latest snapshot; undefined until everything was read once. */
  get snapshot(): MirrorSnapshot | undefined {
    return this.feed.current
  }

  /** Why it has ended: `CLIENT_CLOSED`, `QUOTA_EXCEEDED`; null while it goes on. */
  get end(): CoordinationError | null {
    return this.#failure ?? (this.#closing.signal.aborted ? clientClosed(this.#path) : null)
  }

  /** Whether the snapshot may be older than it would be in touch with the servers. */
  get stale(): boolean {
    return !this.#isInTouch || this.#isResync || this.snapshot === undefined || this.#closing.signal.aborted
  }

  /**
   * Waits for the first snapshot.
   *
   * @param signal - ends the wait
   * @throws CoordinationError `ABORTED`, `CLIENT_CLOSED`, `QUOTA_EXCEEDED`
   */
  async ready(signal?: AbortSignal): Promise<MirrorSnapshot> {
    await abortable(this.#first.promise, signal, this.#path)
    const { snapshot } = this
    if (snapshot === undefined || this.#failure !== null) throw this.end ?? clientClosed(this.#path)
    return snapshot
  }

  /** Whether the snapshot is the latest, and nothing that is in it is known to have changed since. */
  get isSettled(): boolean {
    return this.#settled === null
  }

  /**
   * Waits until it is settled. An event is called before any later answer on the session: so whatever was read through
   * the client before that, the snapshot is not older.
   */
  async settled(): Promise<void> {
    while (this.#settled !== null && !this.#closing.signal.aborted) await this.#settled.promise
  }

  /** Ends the mirror, its iterations and its watches, also those of reads that are still on their way. Idempotent. */
  close(): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.resolve()
    this.#closing.abort()
    for (const end of this.#ends.splice(0)) end()
    for (const tracked of this.#tracked.values()) endReads(tracked)
    this.#first.reject(this.#failure ?? clientClosed(this.#path))
    this.feed.close(this.#failure)
    this.#wake.resolve(undefined)
    this.#settled?.resolve(undefined)
    return Promise.resolve()
  }

  /** The one loop: read what is dirty; when nothing is, publish and wait. */
  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const isClean = this.#dirtyData.size === 0 && this.#dirtyNames.size === 0
      if (this.#isInTouch && !isClean) {
        await this.#readSome()
        continue
      }
      if (this.#isInTouch) this.#publish()
      this.#wake = deferred()
      await this.#wake.promise
      await untilTurnEnds()
    }
  }

  async #readSome(): Promise<void> {
    const reads: Promise<void>[] = []
    if (this.#needsSync) {
      this.#needsSync = false
      reads.push(this.#sync())
    }
    for (const tracked of this.#dirtyNames) if (reads.length < READS_IN_FLIGHT_MAX) reads.push(this.#readNames(tracked))
    for (const tracked of this.#dirtyData) if (reads.length < READS_IN_FLIGHT_MAX) reads.push(this.#readData(tracked))
    const results = await Promise.allSettled(reads)
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) await this.#pause(failed.reason)
  }

  async #sync(): Promise<void> {
    try {
      await this.#client.sync(this.#path)
    } catch (error) {
      this.#needsSync = true
      throw error
    }
  }

  async #readData(tracked: Tracked): Promise<void> {
    const { path, data } = tracked
    this.#dirtyData.delete(tracked)
    const get = (options: ReadOptions): Promise<NodeData> => this.#client.get(path, options)
    const found = await data.read(get, () => this.#dirtyData.add(tracked))
    if (found === null) {
      this.#put(tracked, null)
      // Below the root, the parent's list tells when the node is back.
      if (tracked.key === '') await this.#awaitRoot(tracked)
      return
    }
    const { node } = tracked
    const isSame = node !== null && node.stat.czxid === found.stat.czxid && node.stat.mzxid === found.stat.mzxid
    if (!isSame) this.#put(tracked, Object.freeze({ path, data: found.data, stat: found.stat }))
    this.#markUnwatched(tracked)
  }

  #put(tracked: Tracked, node: MirrorNode | null): void {
    // A node that is not tracked any more was taken off the bill already.
    if (this.#tracked.get(tracked.key) === tracked) this.#charge(bytesOf(node) - bytesOf(tracked.node))
    tracked.node = node
  }

  /** Notes that it holds so many bytes more; ends it if these are too many. */
  #charge(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes <= this.#bytesMax || this.#closing.signal.aborted) return
    const limit = `bytesMax of ${this.#bytesMax} bytes`
    const message = `what is at and below ${this.#path} does not fit into ${limit}: nothing is followed any more`
    this.#failure = new CoordinationError('QUOTA_EXCEEDED', message, { outcome: 'rejected', path: this.#path })
    this.#client.report(this.#failure)
    void this.close()
  }

  async #awaitRoot(root: Tracked): Promise<void> {
    const exists = (options: ReadOptions): Promise<Stat | null> => this.#client.exists(root.path, options)
    const stat = await root.data.read(exists, () => this.#dirtyData.add(root))
    if (stat !== null) this.#markData(root)
  }

  /**
   * A list can be missed like this: 1. it is asked for, 2. its node is deleted, whose watch tells of it, 3. there is no
   * list, which arms nothing, 4. the node is created again, 5. it is read, and found. So the later one of a node that
   * is there and a list that is not has the list read again: mostly the node, as it is asked for after the list, but a
   * client need not settle its calls in that order.
   */
  async #readNames(tracked: Tracked): Promise<void> {
    const { path, list, data } = tracked
    this.#dirtyNames.delete(tracked)
    const children = (options: ReadOptions): Promise<Children> => this.#client.children(path, options)
    const found = await list.read(children, () => this.#dirtyNames.add(tracked))
    this.#replaceNames(tracked, this.#accepted(path, found?.names ?? []))
    if (found === null && data.isArmed && tracked.node !== null) this.#markNames(tracked)
  }

  #accepted(parent: string, names: readonly string[]): readonly string[] {
    return names.filter((name) => {
      try {
        return this.#filter(joinPath(parent, name))
      } catch (error) {
        this.#client.report(error, `the filter of ${this.#path}`)
        return false
      }
    })
  }

  #replaceNames(parent: Tracked, names: readonly string[]): void {
    const isIncluded = new Set(names)
    for (const name of parent.names) if (!isIncluded.has(name)) this.#remove(keyOf(parent, name))
    parent.names = names
    for (const name of names) {
      const key = keyOf(parent, name)
      const child = this.#tracked.get(key)
      if (this.#closing.signal.aborted) return
      if (child === undefined) this.#track(key, joinPath(parent.path, name), parent.depth + 1)
      else this.#markUnwatched(child)
    }
  }

  /**
   * A child can be missed like this: 1. listed, 2. deleted, 3. its read finds nothing, and so arms nothing, 4. created
   * again, 5. listed again under the name that is known already. So a listed child without a watch is read again.
   */
  #markUnwatched(tracked: Tracked): void {
    if (!tracked.data.isArmed) this.#markData(tracked)
    if (!tracked.list.isArmed) this.#markNames(tracked)
  }

  #track(key: string, path: string, depth: number): void {
    const data = new WatchedRead(this.#client, path, () => this.#markData(tracked))
    const list = new WatchedRead(this.#client, path, () => this.#markNames(tracked))
    const emptyBytes = NODE_BYTES + 2 * path.length
    const tracked: Tracked = { key, path, depth, emptyBytes, data, list, node: null, names: [] }
    this.#tracked.set(key, tracked)
    this.#charge(emptyBytes)
    this.#markData(tracked)
    this.#markNames(tracked)
  }

  #markData(tracked: Tracked): void {
    if (this.#tracked.get(tracked.key) !== tracked) return
    this.#dirtyData.add(tracked)
    this.#settled ??= deferred()
    // A root that comes back may come back with children, and its list was not watched while it was away.
    if (tracked.key === '' && !tracked.list.isArmed) this.#markNames(tracked)
    this.#wake.resolve(undefined)
  }

  #markNames(tracked: Tracked): void {
    if (tracked.depth >= this.#depth || this.#tracked.get(tracked.key) !== tracked) return
    this.#dirtyNames.add(tracked)
    this.#settled ??= deferred()
    this.#wake.resolve(undefined)
  }

  #remove(key: string): void {
    const tracked = this.#tracked.get(key)
    if (tracked === undefined) return
    for (const name of tracked.names) this.#remove(keyOf(tracked, name))
    this.#tracked.delete(key)
    this.#charge(-tracked.emptyBytes - bytesOf(tracked.node))
    this.#dirtyData.delete(tracked)
    this.#dirtyNames.delete(tracked)
    endReads(tracked)
  }

  #publish(): void {
    this.#settled?.resolve(undefined)
    this.#settled = null
    const nodes = new Map<string, MirrorNode>()
    this.#collect('', nodes)
    const resync = this.#isResync
    this.#isResync = false
    const before = this.snapshot
    if (before !== undefined && !resync && isSame(before.nodes, nodes)) return
    this.feed.publish(Object.freeze({ nodes, generation: (before?.generation ?? 0) + 1 }), resync)
    this.#first.resolve(undefined)
  }

  #collect(key: string, nodes: Map<string, MirrorNode>): void {
    const tracked = this.#tracked.get(key)
    if (tracked === undefined || tracked.node === null) return
    nodes.set(key, tracked.node)
    for (const name of tracked.names) this.#collect(keyOf(tracked, name), nodes)
  }

  #lookAtSession(state: ClientState): void {
    if (state.status === 'closed') void this.close()
    const wasInTouch = this.#isInTouch
    this.#isInTouch = state.status === 'connected'
    if (state.status !== 'connected') return
    const isNew = state.sessionId !== this.#sessionId
    this.#sessionId = state.sessionId
    if (isNew || !wasInTouch) this.#resync(isNew)
  }

  #resync(isNewSession: boolean): void {
    this.#needsSync = true
    this.#isResync = this.snapshot !== undefined
    for (const tracked of this.#tracked.values()) {
      // Watches die with their session.
      if (isNewSession) for (const read of [tracked.data, tracked.list]) read.forgetWatch()
      this.#markData(tracked)
      this.#markNames(tracked)
    }
  }

  async #pause(error: unknown): Promise<void> {
    const { signal } = this.#closing
    if (signal.aborted) return
    if (isCoordinationError(error, 'CLIENT_CLOSED')) return this.close()
    if (!isCoordinationError(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED')) this.#client.report(error)
    await delay(RETRY_MS * Math.random(), signal).catch(() => undefined)
  }
}

/**
 * The events of one transaction come in one turn of the event loop. Once all of them are there, one batch of reads sees
 * all that it has changed; read apart, two nodes that always change together would keep each other dirty.
 */
function untilTurnEnds(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

function endReads({ data, list }: Tracked): void {
  data.end()
  list.end()
}

function bytesOf(node: MirrorNode | null): number {
  return node === null ? 0 : node.data.length
}

function keyOf(parent: Tracked, name: string): string {
  return parent.key === '' ? name : `${parent.key}/${name}`
}

function isSame(a: ReadonlyMap<string, MirrorNode>, b: ReadonlyMap<string, MirrorNode>): boolean {
  if (a.size !== b.size) return false
  for (const [key, node] of a) if (b.get(key) !== node) return false
  return true
}
