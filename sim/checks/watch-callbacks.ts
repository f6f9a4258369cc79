/**
 * Watches at the callback: the events that an application is told, over whatever connections its session had.
 *
 * W1   a callback is called before the session's caller learns of a state with the change that it waits for.
 * W3   each read that armed it calls it once, when the first change after that read comes. On a new connection several
 *      changes are one call, and a node that was made and deleted in between is not told of.
 * W5   after unwatch, and after the end of its session, it is no longer called.
 */
import type { WatchEvent, Watcher } from '../../src/core/backend.ts'
import { Err, OpCode } from '../../src/backends/wire/codes.ts'
import type { Reply } from '../../src/backends/wire/records.ts'
import { ExpectedWatches } from '../expected-watches.ts'
import type { Armed, WatchKind, WatchOwner } from '../expected-watches.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex } from '../ledger.ts'
import type { Ledger } from '../ledger.ts'
import type { ApiCall, RecordedSession } from '../recorded-session.ts'
import type { SentRequest, Tap, TapConnection, TapObserver } from '../tap.ts'

/** A callback that one read has armed, or will. */
interface Callback {
  readonly watch: Watcher
  readonly kind: WatchKind
  /** An exists of a node that is not there: it waits for the node to be made. */
  isExist: boolean
  /** Null until the read is answered. */
  armed: Armed | null
}

interface Callbacks extends WatchOwner {
  readonly byPath: Map<string, Callback[]>
  readonly reading: Map<ApiCall, Callback>
  isOver: boolean
}

export class WatchCallbacksCheck implements Check, TapObserver {
  readonly name = 'watch-callbacks'
  readonly covers = ['W1', 'W3', 'W5']
  readonly #ledger: Ledger
  readonly #armed: ExpectedWatches
  readonly #sessions = new Map<bigint, Callbacks>()

  /** Checks the callbacks of a world. */
  constructor(ledger: Ledger, tap: Tap) {
    this.#ledger = ledger
    this.#armed = new ExpectedWatches(ledger)
    tap.observe(this)
  }

  called({ id }: RecordedSession, call: ApiCall): void {
    const { watch, op, path } = call
    if (watch === null) return
    const callbacks = this.#callbacks(id)
    const kind = op === OpCode.getChildren2 ? 'children' : 'node'
    const callback: Callback = { watch, kind, isExist: false, armed: null }
    callbacks.reading.set(call, callback)
    const known = callbacks.byPath.get(path)
    if (known === undefined) callbacks.byPath.set(path, [callback])
    else known.push(callback)
  }

  settled({ id }: RecordedSession, call: ApiCall): void {
    const callbacks = this.#callbacks(id)
    const { zxid } = call
    if (zxid !== null && call.outcome !== 'unknown') this.#expectCalled(callbacks, id, zxid)
    const callback = callbacks.reading.get(call)
    if (callback === undefined) return
    callbacks.reading.delete(call)
    const isThere = callbacks.byPath.get(call.path)?.includes(callback) === true
    // It was called, or unwatched, before this answer was told.
    if (!isThere) return
    if (call.outcome !== 'ok' || zxid === null) {
      this.#forget(callbacks, call.path, callback)
      return
    }
    callback.isExist = call.isNull
    callback.armed = this.#armed.arm(callbacks, call.path, callback.kind, zxid)
  }

  fired(session: RecordedSession, { type, path }: WatchEvent, watch: Watcher): void {
    const callbacks = this.#callbacks(session.id)
    if (callbacks.isOver || session.state.status === 'expired') {
      this.#fail(`W5: a watch of session ${session.id} on ${path} was called behind the session's end`)
    }
    const own = (callbacks.byPath.get(path) ?? []).filter((callback) => callback.watch === watch)
    const fitting = own.filter(({ kind }) => type === 'deleted' || (type === 'children') === (kind === 'children'))
    const due = fitting.find(({ armed }) => armed !== null && armed.due !== null)
    const callback = due ?? fitting.find(({ armed }) => armed === null)
    if (callback === undefined) {
      this.#fail(`W5: a watch of session ${session.id} on ${path} was told of "${type}": none is armed or due`)
    }
    this.#forget(callbacks, path, callback)
  }

  unwatched({ id }: RecordedSession, path: string, watch: Watcher): void {
    const callbacks = this.#callbacks(id)
    for (const callback of [...(callbacks.byPath.get(path) ?? [])]) {
      if (callback.watch === watch) this.#forget(callbacks, path, callback)
    }
  }

  closing({ id }: RecordedSession): void {
    const callbacks = this.#callbacks(id)
    callbacks.isOver = true
    for (const [path, list] of callbacks.byPath) {
      for (const callback of list) this.#forget(callbacks, path, callback)
    }
  }

  /** Over a change of connections a node that came and went is not told of: its exists watches wait from here on. */
  replied({ sessionId }: TapConnection, sent: SentRequest | null, { err, zxid }: Reply): void {
    if (sent?.request.op !== OpCode.setWatches || err !== Err.ok) return
    const callbacks = this.#callbacks(sessionId)
    for (const path of sent.request.body.existWatches) {
      if (this.#ledger.model.node(path, zxid) !== null) continue
      for (const { isExist, armed } of callbacks.byPath.get(path) ?? []) {
        if (isExist && armed !== null) this.#armed.rearm(armed, zxid)
      }
    }
  }

  /** Whoever learns of a state has been told of what changed before it. */
  #expectCalled(callbacks: Callbacks, sessionId: bigint, zxid: bigint): void {
    const endZxid = this.#ledger.model.sessions.get(sessionId)?.closedZxid ?? null
    for (const { due, path, kind } of callbacks.due) {
      // A session is no longer told of its end, or of changes after it.
      if (due === null || due > zxid || (endZxid !== null && due >= endZxid)) continue
      this.#fail(
        `W1: a call of session ${sessionId} was answered at ${hex(zxid)} before the watch of ${kind} ${path} ` +
          `was called, which is due since ${hex(due)}`,
      )
    }
  }

  #forget(callbacks: Callbacks, path: string, callback: Callback): void {
    const left = (callbacks.byPath.get(path) ?? []).filter((other) => other !== callback)
    if (left.length === 0) callbacks.byPath.delete(path)
    else callbacks.byPath.set(path, left)
    if (callback.armed !== null) this.#armed.disarm(callback.armed)
  }

  #callbacks(sessionId: bigint): Callbacks {
    const known = this.#sessions.get(sessionId)
    if (known !== undefined) return known
    const callbacks: Callbacks = { due: new Set(), byPath: new Map(), reading: new Map(), isOver: false }
    this.#sessions.set(sessionId, callbacks)
    return callbacks
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
