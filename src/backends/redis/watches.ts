/**
 * The watches of one session: which callbacks wait for what, and what they have missed.
 *
 * Model     Redis knows of no watch. A read that arms one tells the position at which it was read; a change after
 *           that position fires it. Transactions are shown to this table in their order, each once.
 * Gap       where transactions were missed, the table tells which nodes to read again, and fires every watch whose node
 *           differs from what its read has seen.
 */
import type { Stat, WatchEvent, Watcher } from '../../core/backend.ts'
import { wakes } from '../../core/session/wakes.ts'
import type { WatchedRead } from '../../core/session/wakes.ts'
import { comparePositions } from './position.ts'
import type { Position, Transaction } from './position.ts'

/** A watch. */
export interface Watch {
  readonly kind: WatchedRead
  readonly path: string
  readonly callback: Watcher
  /** The stat that its read answered; null if there was no node. */
  seen: Stat | null
  /** False once it was called, dropped, or its read failed. */
  live: boolean
}

/** A watch with what it is to be told. */
export interface Fired {
  readonly watch: Watch
  readonly event: WatchEvent
}

/** Transactions kept for reads that are on their way; more make them read again. */
const RECENT_MAX = 1024

/** The watches of one session. */
export class RedisWatches {
  readonly #armed = new Map<string, Set<Watch>>()
  /** On their way: their reads are not answered yet. */
  readonly #arming = new Set<Watch>()
  /** Fired, and not called yet. */
  readonly #firing = new Set<Watch>()
  /** Transactions that were shown while a read was on its way, which may have been answered before them. */
  #recent: Transaction[] = []
  /** The last transaction that was shown and not kept. */
  #forgottenUpTo: Position | null = null

  /** Whether anybody waits for anything, or is about to. */
  get isNeeded(): boolean {
    return this.#armed.size > 0 || this.#arming.size > 0
  }

  /** Whether anybody waits for anything. */
  get isArmed(): boolean {
    return this.#armed.size > 0
  }

  /** Notes a read with a watch that was called. */
  reading(watch: Watch): void {
    this.#arming.add(watch)
  }

  /** Notes that a read arms nothing: it failed, or there is no node. */
  failed(watch: Watch): void {
    watch.live = false
    this.#arming.delete(watch)
    this.#forget()
  }

  /**
   * Notes that a read was answered and arms its watch.
   *
   * @param position - where it was read
   * @returns the event to tell at once, since it was shown before; `missed` if that is not known any more
   */
  answered(watch: Watch, position: Position): Fired | 'missed' | null {
    this.#arming.delete(watch)
    const fired = watch.live ? this.#arm(watch, position) : null
    this.#forget()
    return fired
  }

  /** Shows a transaction. @returns the watches that fire, in order */
  show(transaction: Transaction): Fired[] {
    if (this.#arming.size > 0) this.#remember(transaction)
    const fired: Fired[] = []
    for (const change of transaction.changes) {
      const { type, path } = change
      // Of a hundred sessions that are shown a transaction, one waits for it.
      const armed = this.#armed.get(path)
      if (armed === undefined || type === 'ended') continue
      for (const watch of [...armed]) {
        if (wakes(type, watch.kind)) fired.push(this.#fire(watch, { type, path }))
      }
    }
    return fired
  }

  /** Transactions up to here were not shown. */
  skip(position: Position): void {
    this.#recent = []
    this.#forgottenUpTo = position
  }

  /** Paths to read again after a gap, in order. */
  pathsToCheck(): string[] {
    return [...this.#armed.keys()].sort()
  }

  /** Compares nodes that were read again with the state that each watch has seen. @returns the watches that fire */
  judge(paths: readonly string[], stats: readonly (Stat | null | 'unreadable')[]): Fired[] {
    return paths.flatMap((path, index) => {
      const stat = stats[index] ?? null
      return [...(this.#armed.get(path) ?? [])].flatMap((watch) => {
        const type = difference(watch, stat)
        return type === null ? [] : [this.#fire(watch, { type, path })]
      })
    })
  }

  /** Takes a watch that is about to be called. @returns false if it must not be */
  take(watch: Watch): boolean {
    this.#firing.delete(watch)
    const { live } = watch
    watch.live = false
    return live
  }

  /** Drops a callback from every read of a path. */
  unwatch(path: string, callback: Watcher): void {
    const isMeant = (watch: Watch): boolean => watch.path === path && watch.callback === callback
    for (const watch of [...(this.#armed.get(path) ?? [])]) if (isMeant(watch)) this.#disarm(watch)
    for (const watch of [...this.#arming, ...this.#firing]) if (isMeant(watch)) watch.live = false
  }

  /** Drops everything: the session is over. */
  clear(): void {
    for (const watch of [...this.#arming, ...this.#firing]) watch.live = false
    this.#armed.clear()
    this.#arming.clear()
    this.#firing.clear()
    this.#recent = []
  }

  #arm(watch: Watch, position: Position): Fired | 'missed' | null {
    const watches = this.#armed.get(watch.path) ?? new Set()
    this.#armed.set(watch.path, watches.add(watch))
    if (this.#forgottenUpTo !== null && comparePositions(position, this.#forgottenUpTo) < 0) return 'missed'
    for (const transaction of this.#recent) {
      if (comparePositions(transaction.position, position) <= 0) continue
      for (const { type, path } of transaction.changes) {
        if (type === 'ended' || path !== watch.path || !wakes(type, watch.kind)) continue
        return this.#fire(watch, { type, path })
      }
    }
    return null
  }

  #fire(watch: Watch, event: WatchEvent): Fired {
    this.#disarm(watch)
    watch.live = true
    this.#firing.add(watch)
    return { watch, event }
  }

  #disarm(watch: Watch): void {
    watch.live = false
    const watches = this.#armed.get(watch.path)
    if (watches?.delete(watch) === true && watches.size === 0) this.#armed.delete(watch.path)
  }

  #remember(transaction: Transaction): void {
    this.#recent.push(transaction)
    if (this.#recent.length <= RECENT_MAX) return
    this.#forgottenUpTo = this.#recent.shift()?.position ?? null
  }

  #forget(): void {
    if (this.#arming.size === 0) this.#recent = []
  }
}

/** The event that a watch missed while the node became what it is; null if none. */
function difference({ kind, seen }: Watch, now: Stat | null | 'unreadable'): WatchEvent['type'] | null {
  // Whoever watches reads it again, and is told what is wrong with it.
  if (now === 'unreadable') return kind === 'children' ? 'children' : 'changed'
  if (seen === null) return now === null ? null : 'created'
  if (now === null || now.czxid !== seen.czxid) return 'deleted'
  if (kind === 'children') return now.pzxid === seen.pzxid ? null : 'children'
  return now.mzxid === seen.mzxid ? null : 'changed'
}
