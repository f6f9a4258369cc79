/**
 * The client's half of watches: which callbacks wait for an event of which path, and what the server has to be told
 * so that its one watch per connection, path and table stands exactly while a callback waits.
 *
 * Model     three tables by path: `data` (reads of a node that was there), `exist` (exists reads of a node that was
 *           not) and `child`. A callback stands once for each read that armed it.
 * Order     the owner calls every method in the order in which requests were sent and messages arrived.
 * Rearming  on a new connection the watches are armed again, in several messages if they are many. A watch of an early
 *           message can fire before the server has looked at a late one, which then tells of an older change. So no
 *           event is told before the last of these messages is answered; then those of what was missed come first, and
 *           after them the others in their order. Servers answer in order, so no answer to a read is earlier than
 *           that. If the connection breaks before, nothing was told, and the next one asks again for everything.
 * Source    ZKWatchManager.java, ClientCnxn.java (SetWatches) of ZooKeeper 3.8.
 */
import type { WatchEvent, Watcher } from '../../core/backend.ts'
import { Fifo } from '../../core/fifo.ts'
import { wakes } from '../../core/session/wakes.ts'
import type { WatchedRead } from '../../core/session/wakes.ts'
import { EventType } from '../wire/codes.ts'
import type { SetWatchesRequest } from '../wire/records.ts'

/** Where a callback waits. */
export type WatchTable = 'data' | 'exist' | 'child'

/** A read that will arm a watch if it succeeds. */
interface ArmingRead {
  readonly path: string
  /** The callback; null once it was unwatched before the reply came. */
  watch: Watcher | null
}

interface Entry {
  readonly watch: Watcher
  /** zxid of the creation of the node that its read has shown; null for a list, or where there was no node. */
  readonly czxid: bigint | null
  /** False once it was called or unwatched; it may still stand in the list of a delivery that is under way. */
  live: boolean
}

type Table = Map<string, Entry[]>

/** The longest message of watches to arm again, in characters of their paths. */
export const SET_WATCHES_CHARS_MAX = 128 * 1024

/** The reads whose watches stand in each table. */
const READS_OF: Readonly<Record<WatchTable, readonly WatchedRead[]>> = Object.freeze({
  data: ['get', 'exists'],
  exist: ['exists'],
  child: ['children'],
})

const NO_WATCHES = Object.freeze({ dataWatches: [], existWatches: [], childWatches: [] })

const TYPES: ReadonlyMap<number, WatchEvent['type']> = new Map([
  [EventType.nodeCreated, 'created'],
  [EventType.nodeDataChanged, 'changed'],
  [EventType.nodeDeleted, 'deleted'],
  [EventType.nodeChildrenChanged, 'children'],
])

/** The watches of one session. */
export class ClientWatches {
  readonly #tables: Readonly<Record<WatchTable, Table>> = { data: new Map(), exist: new Map(), child: new Map() }
  /** Reads without an answer that will arm a watch, by path. */
  readonly #arming = new Map<string, Set<ArmingRead>>()
  /** Paths that the server may watch for nobody, to be looked at when their last arming read is answered. */
  readonly #disarmOwed = new Set<string>()
  /** Entries that the delivery under way has yet to call. */
  #firing: readonly Entry[] = []
  readonly #disarm: (path: string) => void
  readonly #call: (callback: () => unknown) => void
  /** Whatever changed up to here has been told to the callbacks that it concerns. */
  #toldZxid = 0n
  /** Messages of {@link ClientWatches.toRearm} without an answer. */
  readonly #rearming = new Fifo<SetWatchesRequest>()
  /** The paths of the first of them, to tell what was missed from what has changed since; made when it is needed. */
  #rearmed: Readonly<Record<WatchTable, ReadonlySet<string>>> | null = null
  /** The events that wait until all are answered. */
  #missed: WatchEvent[] = []
  #later: WatchEvent[] = []

  /**
   * Makes empty tables.
   *
   * @param disarm - tells the server to forget every watch of this connection on a path
   * @param call - calls one callback and sees to what it throws
   */
  constructor(disarm: (path: string) => void, call: (callback: () => unknown) => void) {
    this.#disarm = disarm
    this.#call = call
  }

  /** Notes a read with a watch that was called; it may have to wait for a connection before it is sent. */
  reading(read: ArmingRead): void {
    const reads = this.#arming.get(read.path)
    if (reads === undefined) this.#arming.set(read.path, new Set([read]))
    else reads.add(read)
  }

  /**
   * Notes the end of a read with a watch.
   *
   * @param read - as given to `reading`
   * @param table - where the server armed it; null if it did not
   * @param czxid - of the creation of the node that it has shown
   */
  answered(read: ArmingRead, table: WatchTable | null, czxid: bigint | null = null): void {
    const reads = this.#arming.get(read.path)
    if (reads === undefined || !reads.delete(read)) return
    if (table !== null && read.watch !== null) this.#add(table, read.path, { watch: read.watch, czxid, live: true })
    if (reads.size > 0) return
    this.#arming.delete(read.path)
    if (this.#disarmOwed.delete(read.path) && !this.#waits(read.path)) this.#disarm(read.path)
  }

  /** See `PlainRequests.watchOn`. */
  on(path: string, czxid: bigint): 'stands' | 'coming' | 'none' {
    const stands = this.#tables.data.get(path)?.some((entry) => entry.czxid === czxid) === true
    if (stands && this.#rearming.length === 0) return 'stands'
    return this.#arming.has(path) ? 'coming' : 'none'
  }

  /**
   * Drops a callback from a path. A scenario to get right: (1) a read with watch A is in flight, (2) the last waiting
   * callback B is unwatched. To disarm now would reach the server after the read and take A's watch away, so it
   * waits until the read is answered.
   */
  unwatch(path: string, watch: Watcher): void {
    const reads = this.#arming.get(path)
    for (const read of reads ?? []) {
      if (read.watch !== watch) continue
      read.watch = null
      this.#disarmOwed.add(path)
    }
    for (const entry of this.#firing) if (entry.watch === watch) entry.live = false
    if (!this.#drop(path, watch) || this.#waits(path)) return
    if (reads === undefined) this.#disarm(path)
    else this.#disarmOwed.add(path)
  }

  /**
   * Delivers an event of the server, or keeps it until the watches are armed again.
   *
   * @param eventType - its number on the wire; an unknown one is ignored
   */
  fire(eventType: number, path: string): void {
    const type = TYPES.get(eventType)
    if (type === undefined) return
    if (this.#rearming.length === 0) this.#deliver({ type, path })
    else if (this.#isMissed(type, path)) this.#missed.push({ type, path })
    else this.#later.push({ type, path })
  }

  /** Takes the callbacks that waited for an event and calls each. */
  #deliver(event: WatchEvent): void {
    const { type, path } = event
    const entries = tablesOf(type).flatMap((table) => this.#take(table, path))
    this.#firing = entries
    for (const entry of entries) {
      // A callback that ran before it may have unwatched it.
      if (!entry.live) continue
      entry.live = false
      this.#call(() => entry.watch(event))
    }
    this.#firing = []
  }

  /**
   * Notes the zxid of a reply: the events before it have been told, unless watches are being armed again.
   *
   * @param isToRearm - whether the server has armed the watches of the next message; the events that have waited for
   * the last of these replies are told
   */
  replied(zxid: bigint, isToRearm: boolean): void {
    if (isToRearm) {
      this.#rearming.shift()
      this.#rearmed = null
      if (this.#rearming.length === 0) for (const event of this.#takeHeld()) this.#deliver(event)
    }
    if (this.#rearming.length === 0 && zxid > this.#toldZxid) this.#toldZxid = zxid
  }

  /** The watches to arm on a new connection, in messages of bounded length, paths in order; all will be answered. */
  toRearm(): SetWatchesRequest[] {
    const relativeZxid = this.#toldZxid
    const messages: SetWatchesRequest[] = []
    let lists = { data: [] as string[], exist: [] as string[], child: [] as string[] }
    let chars = 0
    const flush = (): void => {
      if (chars === 0) return
      messages.push({ relativeZxid, dataWatches: lists.data, existWatches: lists.exist, childWatches: lists.child })
      lists = { data: [], exist: [], child: [] }
      chars = 0
    }
    for (const table of ['data', 'exist', 'child'] as const) {
      for (const path of [...this.#tables[table].keys()].sort()) {
        if (chars + path.length > SET_WATCHES_CHARS_MAX) flush()
        lists[table].push(path)
        chars += path.length
      }
    }
    flush()
    this.#stopRearming()
    for (const message of messages) this.#rearming.push(message)
    return messages
  }

  /** Drops everything: the session is over. */
  clear(): void {
    this.#stopRearming()
    this.#arming.clear()
    this.#disarmOwed.clear()
    for (const table of Object.values(this.#tables)) table.clear()
    for (const entry of this.#firing) entry.live = false
  }

  /** Whether the server tells of a change as it looks at a watch, and not because a watch that stands has fired. */
  #isMissed(type: WatchEvent['type'], path: string): boolean {
    const { dataWatches, existWatches, childWatches } = this.#rearming.peek() ?? NO_WATCHES
    this.#rearmed ??= { data: new Set(dataWatches), exist: new Set(existWatches), child: new Set(childWatches) }
    const rearmed = this.#rearmed
    return tablesOf(type).some((table) => rearmed[table].has(path))
  }

  #takeHeld(): WatchEvent[] {
    const held = [...this.#missed, ...this.#later]
    this.#missed = []
    this.#later = []
    return held
  }

  /** The connection on which the watches were being armed is gone. */
  #stopRearming(): void {
    this.#rearming.takeAll()
    this.#rearmed = null
    this.#takeHeld()
  }

  #add(table: WatchTable, path: string, entry: Entry): void {
    const entries = this.#tables[table].get(path)
    if (entries === undefined) this.#tables[table].set(path, [entry])
    else entries.push(entry)
  }

  #take(table: WatchTable, path: string): Entry[] {
    const entries = this.#tables[table].get(path) ?? []
    this.#tables[table].delete(path)
    return entries
  }

  /** @returns whether the callback was there */
  #drop(path: string, watch: Watcher): boolean {
    let found = false
    for (const table of Object.values(this.#tables)) {
      const entries = table.get(path)
      if (entries === undefined) continue
      const kept = entries.filter((entry) => entry.watch !== watch)
      if (kept.length === entries.length) continue
      found = true
      if (kept.length === 0) table.delete(path)
      else table.set(path, kept)
    }
    return found
  }

  #waits(path: string): boolean {
    return Object.values(this.#tables).some((table) => table.has(path))
  }
}

/** The tables in which a change may wake somebody. */
function tablesOf(change: WatchEvent['type']): WatchTable[] {
  return (['data', 'exist', 'child'] as const).filter((table) => READS_OF[table].some((read) => wakes(change, read)))
}
