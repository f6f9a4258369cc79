/**
 * Items that a consumer does not take again for a while: those that it was to put away when there was no room. The
 * pause doubles with each refusal of an item; it is over sooner for nobody.
 */

const PAUSE_MIN_MS = 100
const PAUSE_MAX_MS = 60_000

/** The items of one queue that are set back. Times are of `performance.now()`. */
export class SetBacks {
  readonly #pauses = new Map<string, { readonly pauseMs: number; readonly untilMs: number }>()

  /** Sets an item back, for longer than the last time. */
  note(name: string): void {
    const pauseMs = Math.min(PAUSE_MAX_MS, 2 * (this.#pauses.get(name)?.pauseMs ?? PAUSE_MIN_MS / 2))
    this.#pauses.set(name, { pauseMs, untilMs: performance.now() + pauseMs })
  }

  /** How long an item is still set back, in milliseconds; 0 if it is not. */
  leftMs(name: string): number {
    return Math.max(0, (this.#pauses.get(name)?.untilMs ?? 0) - performance.now())
  }

  /** Forgets all items but these, which are there. */
  keep(names: readonly string[]): void {
    if (this.#pauses.size === 0) return
    const there = new Set(names)
    for (const name of this.#pauses.keys()) if (!there.has(name)) this.#pauses.delete(name)
  }
}
