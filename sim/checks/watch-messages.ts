/**
 * Watches at the wire: the events of one connection, against what was armed on it and what has changed since.
 *
 * W1   a change that a watch waits for is told before any reply from a state with that change.
 * W2   events come in the order of zxids, and after no reply from a later state.
 * W3   a watch is told of the first change after the zxid at which it was armed, once; on a new connection the missed
 *      changes are told at once, and nothing else.
 * W4   an event has a watch, and a committed change, that it is about.
 */
import { Err, EventType, OpCode } from '../../src/backends/wire/codes.ts'
import type { Reply, Request, SetWatchesRequest, WatcherEvent } from '../../src/backends/wire/records.ts'
import { ExpectedWatches } from '../expected-watches.ts'
import type { Armed, WatchKind, WatchOwner } from '../expected-watches.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex } from '../ledger.ts'
import type { Ledger } from '../ledger.ts'
import type { ModelChange } from '../model.ts'
import type { SentRequest, Tap, TapConnection, TapObserver } from '../tap.ts'

interface Told {
  readonly type: number
  readonly path: string
  readonly zxid: bigint
}

interface Watched extends WatchOwner {
  readonly node: Map<string, Armed>
  readonly children: Map<string, Armed>
  /** Events that no armed watch explains; the answer to setWatches must. */
  unexplained: Told[]
  eventZxid: bigint
  replyZxid: bigint
}

const CHANGE_OF: ReadonlyMap<number, ModelChange['type']> = new Map([
  [EventType.nodeCreated, 'created'],
  [EventType.nodeDataChanged, 'changed'],
  [EventType.nodeDeleted, 'deleted'],
])

export class WatchMessagesCheck implements Check, TapObserver {
  readonly name = 'watch-messages'
  readonly covers = ['W1', 'W2', 'W3', 'W4']
  readonly #ledger: Ledger
  readonly #armed: ExpectedWatches
  readonly #connections = new Map<number, Watched>()

  /** Checks the events of a world. */
  constructor(ledger: Ledger, tap: Tap) {
    this.#ledger = ledger
    this.#armed = new ExpectedWatches(ledger)
    tap.observe(this)
  }

  attached({ number }: TapConnection): void {
    this.#connections.set(number, {
      due: new Set(),
      node: new Map(),
      children: new Map(),
      unexplained: [],
      eventZxid: 0n,
      replyZxid: 0n,
    })
  }

  closed({ number }: TapConnection): void {
    const watched = this.#connections.get(number)
    this.#connections.delete(number)
    for (const kind of ['node', 'children'] as const) {
      for (const armed of watched?.[kind].values() ?? []) this.#armed.disarm(armed)
    }
  }

  notified({ number, server }: TapConnection, { type, path }: WatcherEvent, zxid: bigint): void {
    const watched = this.#connections.get(number)
    if (watched === undefined) this.#fail(`W4: server ${server} sent an event before it opened the connection`)
    if (zxid < watched.eventZxid) {
      this.#fail(`W2: server ${server} told of ${hex(zxid)} behind ${hex(watched.eventZxid)}`)
    }
    watched.eventZxid = zxid
    if (!this.#explain(watched, type, path, zxid)) watched.unexplained.push({ type, path, zxid })
    else if (zxid <= watched.replyZxid) {
      this.#fail(`W1: server ${server} told of ${path} at ${hex(zxid)} behind a reply at ${hex(watched.replyZxid)}`)
    }
  }

  replied({ number, server, sessionId }: TapConnection, sent: SentRequest | null, reply: Reply): void {
    const watched = this.#connections.get(number)
    if (watched === undefined) return
    const { zxid } = reply
    const endZxid = this.#ledger.model.sessions.get(sessionId)?.closedZxid ?? null
    for (const { due, path, kind } of watched.due) {
      // A session is no longer told of its end, or of changes after it.
      if (due === null || due > zxid || (endZxid !== null && due >= endZxid)) continue
      this.#fail(
        `W1: session ${sessionId} got a reply at ${hex(zxid)} of server ${server} before the event of ` +
          `${kind} ${path} at ${hex(due)}`,
      )
    }
    const request = sent?.request
    if (request?.op === OpCode.setWatches && reply.err === Err.ok) this.#resumed(watched, request.body, server, zxid)
    const [strange] = watched.unexplained
    if (strange !== undefined) {
      this.#fail(`W4: server ${server} told of ${strange.path} (${strange.type}) at ${hex(strange.zxid)} for no reason`)
    }
    watched.replyZxid = zxid
    if (request !== undefined) this.#answered(watched, request, reply)
  }

  #answered(watched: Watched, request: Request, { err, zxid }: Reply): void {
    switch (request.op) {
      case OpCode.removeWatches:
        if (err !== Err.ok) break
        this.#disarm(watched, 'node', request.body.path)
        this.#disarm(watched, 'children', request.body.path)
        break
      case OpCode.getData:
      case OpCode.getChildren2:
        if (request.body.watch && err === Err.ok) {
          this.#arm(watched, request.op === OpCode.getData ? 'node' : 'children', request.body.path, zxid)
        }
        break
      case OpCode.exists:
        if (request.body.watch && (err === Err.ok || err === Err.noNode)) {
          this.#arm(watched, 'node', request.body.path, zxid)
        }
        break
      default:
    }
  }

  /** A connection has one watch of a kind on a path, however often it is armed. */
  #arm(watched: Watched, kind: WatchKind, path: string, zxid: bigint): void {
    if (!watched[kind].has(path)) watched[kind].set(path, this.#armed.arm(watched, path, kind, zxid))
  }

  #disarm(watched: Watched, kind: WatchKind, path: string): void {
    const armed = watched[kind].get(path)
    if (armed === undefined) return
    watched[kind].delete(path)
    this.#armed.disarm(armed)
  }

  /** Takes the watches that an event is about; false if there is none that is due by it. */
  #explain(watched: Watched, type: number, path: string, zxid: bigint): boolean {
    const isDue = (kind: WatchKind): boolean => watched[kind].get(path)?.due === zxid
    if (type === EventType.nodeChildrenChanged) {
      if (!isDue('children')) return false
      this.#disarm(watched, 'children', path)
      return true
    }
    const isChange = this.#ledger.model.replayed(zxid)?.changes.some((change) => {
      return change.path === path && change.type === CHANGE_OF.get(type)
    })
    const kinds = (type === EventType.nodeDeleted ? (['node', 'children'] as const) : (['node'] as const)).filter(isDue)
    if (isChange !== true || kinds.length === 0) return false
    for (const kind of kinds) this.#disarm(watched, kind, path)
    return true
  }

  /** The answer to setWatches: the missed changes have been told, the other watches are armed. */
  #resumed(watched: Watched, request: SetWatchesRequest, server: number, zxid: bigint): void {
    const { model } = this.#ledger
    const { relativeZxid, dataWatches, existWatches, childWatches } = request
    const missed = new Map<string, number>()
    const note = (type: number, path: string): void => {
      missed.set(`${type} ${path}`, (missed.get(`${type} ${path}`) ?? 0) + 1)
    }
    for (const path of dataWatches) {
      const node = model.node(path, zxid)
      if (node === null) note(EventType.nodeDeleted, path)
      else if (node.mzxid > relativeZxid) note(EventType.nodeDataChanged, path)
      else this.#arm(watched, 'node', path, zxid)
    }
    for (const path of existWatches) {
      if (model.node(path, zxid) === null) this.#arm(watched, 'node', path, zxid)
      else note(EventType.nodeCreated, path)
    }
    for (const path of childWatches) {
      const node = model.node(path, zxid)
      if (node === null) note(EventType.nodeDeleted, path)
      else if (node.pzxid > relativeZxid) note(EventType.nodeChildrenChanged, path)
      else this.#arm(watched, 'children', path, zxid)
    }
    watched.unexplained = watched.unexplained.filter((told) => {
      const key = `${told.type} ${told.path}`
      const count = missed.get(key) ?? 0
      if (count === 0 || told.zxid !== zxid) return true
      if (count === 1) missed.delete(key)
      else missed.set(key, count - 1)
      return false
    })
    const [first] = missed.keys()
    if (first !== undefined) {
      this.#fail(`W3: server ${server} did not tell of ${first}, missed between ${hex(relativeZxid)} and ${hex(zxid)}`)
    }
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
