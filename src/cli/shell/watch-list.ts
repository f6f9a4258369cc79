/** The watches that a shell has set and that have not fired. */
import type { WatchEvent } from '../../core/backend.ts'
import { abortable, deferred } from '../../core/async.ts'
import type { Deferred } from '../../core/async.ts'
import { Failure } from '../exit-status.ts'

/** The kind of a watch. `config` is a subscription of `config watch`. */
export type WatchKind = 'children' | 'data' | 'persistent' | 'persistentRecursive' | 'config'

/** One watch. */
export interface Watch {
  readonly kind: WatchKind
  readonly path: string
  /** Forgets it. */
  readonly stop: () => void
}

export class WatchList {
  readonly #watches = new Set<Watch>()
  #isExpired = false
  #changed: Deferred<undefined> = deferred()

  /** How many there are. */
  get size(): number {
    return this.#watches.size
  }

  add(watch: Watch): void {
    this.#watches.add(watch)
  }

  /** Takes off one that has fired, or that was not set after all. */
  remove(watch: Watch): void {
    this.#watches.delete(watch)
    this.#change()
  }

  /** Whether a watch that stays tells of an event too. */
  hasLasting({ type, path }: WatchEvent): boolean {
    return [...this.#watches].some((watch) => {
      if (watch.kind === 'persistent') return watch.path === path
      if (watch.kind !== 'persistentRecursive' || type === 'children') return false
      return watch.path === '/' || watch.path === path || path.startsWith(`${watch.path}/`)
    })
  }

  /** Takes off those on a path, of some kinds or of all, and stops them. */
  take(path: string, kinds: readonly WatchKind[] | null): readonly Watch[] {
    const taken = [...this.#watches].filter((watch) => watch.path === path && (kinds?.includes(watch.kind) ?? true))
    for (const watch of taken) {
      watch.stop()
      this.remove(watch)
    }
    return taken
  }

  /** Drops all without a word to the servers: their session is over, or about to be. Subscriptions go on. */
  expire(): void {
    const hasLost = [...this.#watches].some(({ kind }) => kind !== 'config')
    for (const watch of this.#watches) if (watch.kind !== 'config') this.#watches.delete(watch)
    this.#isExpired = hasLost
    this.#change()
  }

  /** Stops and drops all. */
  clear(): void {
    for (const watch of this.#watches) watch.stop()
    this.#watches.clear()
    this.#change()
  }

  /**
   * Waits until none is left.
   *
   * @param signal - ends the wait
   * @throws Failure if some were lost with their session
   * @throws CoordinationError `ABORTED`
   */
  async untilEmpty(signal: AbortSignal): Promise<void> {
    while (this.#watches.size > 0) await abortable(this.#changed.promise, signal)
    if (this.#isExpired) throw new Failure('the session has expired, and its watches with it')
  }

  #change(): void {
    this.#changed.resolve(undefined)
    this.#changed = deferred()
  }
}
