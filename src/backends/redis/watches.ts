/**
 * The watches of one session: which callbacks wait for what, and what they have missed.
 *
 * Model     the read that arms a watch registers it in Redis, one registration for all of a class on a path, and tells
 *           the position at which it was read; a change after that position fires it and takes the registration away.
 *           The transactions that the session is told of are shown to this table in their order, each once.
 * Gap       where transactions were missed, the table tells which registrations to look at again, and fires every watch
 *           whose node differs from what its read has seen.
 * Stale     a registration that nobody here waits for any more, or may not exist, is remembered until Redis was told.
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

/** The name under which a read registers its watch: its class and the path. */
export function registrationOf(kind: WatchedRead, path: string): string {
  return (kind === 'children' ? 'k' : 'n') + path
}

/** The reads whose watches a change of their path may fire. */
const FIRED_BY: Readonly<Record<WatchEvent['type'], readonly WatchedRead[]>> = Object.freeze({
  created: ['exists'],
  changed: ['get'],
  deleted: ['get', 'children'],
  children: ['children'],
})

/** Transactions kept for reads that are on their way; more make them read again. */
const RECENT_MAX = 1024

/** The watches of one session. */
export class RedisWatches {
  /** By their registrations, those that were looked at longest ago first. */
  readonly #armed = new Map<string, Set<Watch>>()
  /** Registrations that nobody waits for any more; a change that is shown has taken them away. */
  readonly #stale = new Set<string>()
  /** Registrations of reads that were not answered: a change that is shown later may have come before them. */
  readonly #doubtful = new Set<string>()
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

  /** Notes that a read arms nothing: it failed, or there is no node. @param isSent - whether it may be registered */
  failed(watch: Watch, isSent: boolean): void {
    watch.live = false
    this.#arming.delete(watch)
    if (isSent) this.#doubtful.add(registrationOf(watch.kind, watch.path))
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
    if (!watch.live) this.#stale.add(registrationOf(watch.kind, watch.path))
    this.#forget()
    return fired
  }

  /** Shows a transaction. @returns the watches that fire, in order */
  show(transaction: Transaction): Fired[] {
    if (this.#arming.size > 0) this.#remember(transaction)
    const fired: Fired[] = []
    for (const change of transaction.changes) {
      const { type, path } = change
      if (type === 'ended' || type === 'missed') continue
      for (const kind of FIRED_BY[type]) {
        const name = registrationOf(kind, path)
        this.#stale.delete(name)
        for (const watch of [...(this.#armed.get(name) ?? [])]) {
          if (wakes(type, watch.kind)) fired.push(this.#fire(watch, { type, path }))
        }
      }
    }
    return fired
  }

  /** Transactions up to here were not shown. */
  skip(position: Position): void {
    this.#recent = []
    this.#forgottenUpTo = position
  }

  /** The registrations to look at again after a gap, in order. */
  toCheck(): string[] {
    return [...this.#armed.keys()].sort()
  }

  /** So many of the registrations that were not looked at for longest; those after them are next. */
  toAudit(count: number): string[] {
    const looked: [string, Set<Watch>][] = []
    for (const entry of this.#armed) if (looked.push(entry) === count) break
    for (const [name, watches] of looked) {
      this.#armed.delete(name)
      this.#armed.set(name, watches)
    }
    return looked.map(([name]) => name)
  }

  /** Takes out registrations that nobody waits for, or is about to: a script that is sent now may take them away. */
  takeStale(count: number): string[] {
    if (this.#stale.size + this.#doubtful.size === 0) return []
    const arming = new Set([...this.#arming].map(({ kind, path }) => registrationOf(kind, path)))
    const names: string[] = []
    for (const name of [...this.#stale, ...this.#doubtful]) {
      if (arming.has(name)) continue
      if (names.length === count) break
      this.#stale.delete(name)
      this.#doubtful.delete(name)
      if (!this.#armed.has(name)) names.push(name)
    }
    return names
  }

  /** The script that was to take registrations away may not have been done. */
  keepStale(names: readonly string[]): void {
    for (const name of names) this.#doubtful.add(name)
  }

  /**
   * Compares nodes that were looked at again with the state that each watch has seen.
   *
   * @param names - the registrations, which were made again with that look
   * @returns the watches that fire
   */
  judge(names: readonly string[], stats: readonly (Stat | null | 'unreadable')[]): Fired[] {
    return names.flatMap((name, index) => {
      const stat = stats[index] ?? null
      const path = name.slice(1)
      const fired = [...(this.#armed.get(name) ?? [])].flatMap((watch) => {
        const type = difference(watch, stat)
        return type === null ? [] : [this.#fire(watch, { type, path })]
      })
      if (!this.#armed.has(name)) this.#stale.add(name)
      return fired
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
    for (const name of [registrationOf('get', path), registrationOf('children', path)]) {
      const watches = this.#armed.get(name)
      if (watches === undefined) continue
      for (const watch of [...watches]) if (isMeant(watch)) this.#disarm(watch)
      if (!this.#armed.has(name)) this.#stale.add(name)
    }
    for (const watch of [...this.#arming, ...this.#firing]) if (isMeant(watch)) watch.live = false
  }

  /** Drops everything: the session is over. */
  clear(): void {
    for (const watch of [...this.#arming, ...this.#firing]) watch.live = false
    this.#armed.clear()
    this.#arming.clear()
    this.#firing.clear()
    this.#stale.clear()
    this.#doubtful.clear()
    this.#recent = []
  }

  #arm(watch: Watch, position: Position): Fired | 'missed' | null {
    const name = registrationOf(watch.kind, watch.path)
    const watches = this.#armed.get(name) ?? new Set()
    this.#armed.set(name, watches.add(watch))
    if (this.#forgottenUpTo !== null && comparePositions(position, this.#forgottenUpTo) < 0) return 'missed'
    for (const transaction of this.#recent) {
      if (comparePositions(transaction.position, position) <= 0) continue
      for (const { type, path } of transaction.changes) {
        if (type === 'ended' || type === 'missed' || path !== watch.path || !wakes(type, watch.kind)) continue
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
    const name = registrationOf(watch.kind, watch.path)
    const watches = this.#armed.get(name)
    if (watches?.delete(watch) === true && watches.size === 0) this.#armed.delete(name)
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
