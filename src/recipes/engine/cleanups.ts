/**
 * Clean-ups: removals that must be done, and go on in the background until they are confirmed.
 *
 * Model     one set of tasks per client. A task is repeated until it succeeds, the servers refuse it for good (which is
 *           reported), or the client ends; the end of its session then removes what was to be removed.
 * Close     a client that closes while the servers are in touch waits a little for what is still owed.
 * Visible   `pendingCleanups(client)` counts them: a number that stays above zero tells of servers out of reach.
 */
import { delay } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'

/** How long a call that failed waits for its clean-up to be confirmed before it leaves it to the background. */
const CONFIRM_MS = 1_000
const BACKOFF_MIN_MS = 50
const BACKOFF_MAX_MS = 2_000

/**
 * One attempt at a clean-up.
 *
 * @param signal - aborted when the clean-up is to end
 * @param giveUp - ends it, since there is nothing left to remove
 * @returns rejects if the removal could not be confirmed
 */
export type CleanupTask = (signal: AbortSignal, giveUp: () => void) => Promise<void>

const cleanupsOf = new WeakMap<Client, Cleanups>()

/**
 * Counts the nodes of this client that are to be removed and not yet known to be gone.
 *
 * @param client - whose clean-ups to count
 * @returns 0 when nothing is left to remove
 */
export function pendingCleanups(client: Client): number {
  return cleanupsOf.get(client)?.pending ?? 0
}

/** The clean-ups of one client. */
export class Cleanups {
  readonly #client: Client
  readonly #tasks = new Map<Promise<boolean>, AbortController>()
  #disown: (() => void) | null = null

  private constructor(client: Client) {
    this.#client = client
  }

  /** The clean-ups of a client; there is one set of them, whichever recipe owes them. */
  static of(client: Client): Cleanups {
    const known = cleanupsOf.get(client)
    if (known !== undefined) return known
    const made = new Cleanups(client)
    cleanupsOf.set(client, made)
    return made
  }

  /** How many are not confirmed yet. */
  get pending(): number {
    return this.#tasks.size
  }

  /**
   * Begins a clean-up and repeats it until it is done.
   *
   * @param task - makes one attempt
   * @returns whether it is known to be done: true when it is confirmed or no longer needed, false when the servers
   * refused it or the client closed before; never rejects
   */
  run(task: CleanupTask): Promise<boolean> {
    this.#disown ??= this.#client.own({ close: () => this.#close(), drain: () => this.#drain() })
    const ending = new AbortController()
    const running: Promise<boolean> = this.#repeat(task, ending).finally(() => {
      this.#tasks.delete(running)
      if (this.#tasks.size === 0) this.#disownNow()
    })
    this.#tasks.set(running, ending)
    return running
  }

  /**
   * Begins a clean-up, and waits a little for it if the servers are in touch.
   *
   * @param task - as in {@link Cleanups.run}
   * @returns resolves when it is confirmed or left to the background; never rejects
   */
  async confirmOrHandOver(task: CleanupTask): Promise<void> {
    await this.#whileInTouch(this.run(task))
  }

  async #whileInTouch(running: Promise<unknown>): Promise<void> {
    if (this.#client.state.status !== 'connected') return
    const enough = new AbortController()
    const limit = delay(CONFIRM_MS, enough.signal).catch(() => undefined)
    await Promise.race([running, limit])
    enough.abort()
  }

  async #repeat(task: CleanupTask, ending: AbortController): Promise<boolean> {
    const { signal } = ending
    let isOver = false
    const giveUp = (): void => {
      if (signal.aborted) return
      isOver = true
      ending.abort()
    }
    for (let backoffMs = BACKOFF_MIN_MS; !signal.aborted; backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS)) {
      try {
        await task(signal, giveUp)
        return isOver || !signal.aborted
      } catch (error) {
        if (this.#isFinal(error, signal)) return isOver
      }
      await delay(backoffMs * Math.random(), signal).catch(() => undefined)
    }
    return isOver
  }

  /** Whether there is no use in another attempt: the client ends, or the servers refuse, which somebody has to know. */
  #isFinal(error: unknown, signal: AbortSignal): boolean {
    if (signal.aborted || isCoordinationError(error, 'CLIENT_CLOSED')) return true
    if (isCoordinationError(error) && error.outcome !== 'rejected') return false
    if (isCoordinationError(error, 'THROTTLED')) return false
    this.#client.report(error)
    return true
  }

  async #close(): Promise<void> {
    await this.#whileInTouch(this.#untilDone())
    for (const ending of this.#tasks.values()) ending.abort()
    await Promise.all(this.#tasks.keys())
  }

  /** Those that are begun meanwhile are waited for too. */
  async #untilDone(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks.keys())
  }

  async #drain(): Promise<void> {
    await Promise.all(this.#tasks.keys())
  }

  #disownNow(): void {
    this.#disown?.()
    this.#disown = null
  }
}
