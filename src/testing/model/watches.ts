/**
 * The model's watches: one-shot callbacks, one for each read that armed it.
 *
 * Life      pending (its read is on the way) -> armed -> fired (its event is on the way) -> over. `cancel` ends it in
 *           any of these, so that an `unwatch`, a lost reply or the end of the session is never followed by a call.
 */
import type { WatchEvent, Watcher } from '../../core/backend.ts'
import { wakes } from '../../core/session/wakes.ts'
import type { WatchedRead } from '../../core/session/wakes.ts'

/** One watch. */
export interface Watch {
  readonly sessionId: bigint
  readonly kind: WatchedRead
  readonly path: string
  readonly callback: Watcher
  /** Puts the event on its way to the session. */
  readonly fire: (watch: Watch, event: WatchEvent) => void
}

/** Every armed watch, by path, in the order of arming. */
export class ModelWatches {
  readonly #byPath = new Map<string, Set<Watch>>()

  /** Arms a watch. */
  arm(watch: Watch): void {
    const watches = this.#byPath.get(watch.path) ?? new Set()
    this.#byPath.set(watch.path, watches.add(watch))
  }

  /** Disarms a watch; nothing happens if it is not armed. */
  disarm(watch: Watch): void {
    const watches = this.#byPath.get(watch.path)
    if (watches?.delete(watch) === true && watches.size === 0) this.#byPath.delete(watch.path)
  }

  /** Fires, and thereby disarms, every watch that a change concerns. */
  fire(change: WatchEvent): void {
    for (const watch of [...(this.#byPath.get(change.path) ?? [])]) {
      if (!wakes(change.type, watch.kind)) continue
      this.disarm(watch)
      watch.fire(watch, change)
    }
  }

  /** Number of armed watches, of one session if it is given. */
  count(sessionId?: bigint): number {
    const all = [...this.#byPath.values()].flatMap((watches) => [...watches])
    return sessionId === undefined ? all.length : all.filter((watch) => watch.sessionId === sessionId).length
  }
}
