/**
 * Watches that stand armed, and which of them a change has made due: the first change after the zxid at which one was
 * armed.
 *
 * Cost      a committed change looks at who watches its path, no more; the owner of a watch keeps it once it is due.
 */
import type { Ledger, LedgerListener } from './ledger.ts'
import type { Replayed } from './model.ts'

/** A change of the node itself, or of the names of its children and its end. */
export type WatchKind = 'node' | 'children'

/** Who has watches: a connection, or a session. */
export interface WatchOwner {
  /** Those of its watches that have to be told of. */
  readonly due: Set<Armed>
}

/** One watch. */
export interface Armed {
  readonly owner: WatchOwner
  readonly path: string
  readonly kind: WatchKind
  /** zxid of the change that it must be told of; null if there was none yet. */
  due: bigint | null
}

/** All watches that wait for a change. */
export class ExpectedWatches implements LedgerListener {
  readonly #ledger: Ledger
  readonly #waiting: Readonly<Record<WatchKind, Map<string, Set<Armed>>>> = { node: new Map(), children: new Map() }

  /** Makes an empty table over a ledger. */
  constructor(ledger: Ledger) {
    this.#ledger = ledger
    ledger.listen(this)
  }

  /** Arms a watch that sees every change after `zxid`. */
  arm(owner: WatchOwner, path: string, kind: WatchKind, zxid: bigint): Armed {
    const armed: Armed = { owner, path, kind, due: null }
    this.#expectChangeBehind(armed, zxid)
    return armed
  }

  /** Lets a watch see changes after `zxid` only: those before it are excused. */
  rearm(armed: Armed, zxid: bigint): void {
    this.disarm(armed)
    this.#expectChangeBehind(armed, zxid)
  }

  /** Takes a watch away. */
  disarm(armed: Armed): void {
    armed.owner.due.delete(armed)
    const waiting = this.#waiting[armed.kind].get(armed.path)
    waiting?.delete(armed)
    if (waiting?.size === 0) this.#waiting[armed.kind].delete(armed.path)
  }

  committed({ transaction, changes }: Replayed): void {
    const { zxid } = transaction.header
    for (const { type, path } of changes) {
      this.#trigger('node', path, zxid)
      if (type === 'changed') continue
      this.#trigger('children', path.lastIndexOf('/') === 0 ? '/' : path.slice(0, path.lastIndexOf('/')), zxid)
      if (type === 'deleted') this.#trigger('children', path, zxid)
    }
  }

  #expectChangeBehind(armed: Armed, zxid: bigint): void {
    const { path, kind, owner } = armed
    armed.due = this.#ledger.model.nextTrigger(path, kind, zxid)
    if (armed.due !== null) {
      owner.due.add(armed)
      return
    }
    const waiting = this.#waiting[kind].get(path)
    if (waiting === undefined) this.#waiting[kind].set(path, new Set([armed]))
    else waiting.add(armed)
  }

  #trigger(kind: WatchKind, path: string, zxid: bigint): void {
    const waiting = this.#waiting[kind].get(path)
    if (waiting === undefined) return
    this.#waiting[kind].delete(path)
    for (const armed of waiting) {
      armed.due = zxid
      armed.owner.due.add(armed)
    }
  }
}
