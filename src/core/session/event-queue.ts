/**
 * Ordered delivery: tasks run after they were pushed, one after the other, in the order of the pushes.
 *
 * Use       callbacks of the caller (watchers, listeners) run from such a queue and never inside our dispatch, so
 *           that they may call anything of ours. Their errors are reported and stop nobody.
 * Turn      the queue runs on microtasks, so it empties within the turn of the event loop that filled it: it holds no
 *           more than one turn delivers, and needs no limit of its own.
 */
import PQueue from 'p-queue'

/**
 * Gets errors that have no caller to reject to.
 *
 * @param error - the thrown value
 * @param where - its source, such as `the watcher "onChange" of /a`; undefined if unknown
 */
export type ErrorListener = (error: unknown, where?: string) => void

/** The name of a function in quotes, to be put after what it is; empty if it has none. */
export function functionText({ name }: { readonly name: string }): string {
  return typeof name === 'string' && name !== '' ? ` ${JSON.stringify(name)}` : ''
}

/** A queue of callbacks. */
export class EventQueue {
  // p-queue's `timeout` stays unset: it would free the slot while the task still runs, and tasks would overlap.
  readonly #tasks = new PQueue({ concurrency: 1 })
  readonly #onError: ErrorListener
  #length = 0

  /**
   * Makes an empty queue.
   *
   * @param onError - where to tell what a callback throws
   */
  constructor(onError: ErrorListener) {
    this.#onError = onError
  }

  /** Whether nothing waits and nothing runs: then whatever is done now comes after all that was pushed. */
  get idle(): boolean {
    return this.#length === 0
  }

  /**
   * Runs a task after all that were pushed before it, and never within this call.
   *
   * @param task - run later; the queue does not wait for a promise that it returns, but reports its rejection
   */
  push(task: () => unknown): void {
    this.#length += 1
    // p-queue starts a first task within add(), so the task itself steps back by a microtask.
    void this.#tasks.add(async () => {
      await Promise.resolve()
      this.call(task)
      this.#length -= 1
    })
  }

  /** Resolves when all that was pushed until now has run. */
  emptied(): Promise<void> {
    return new Promise((resolve) => {
      this.push(resolve)
    })
  }

  /**
   * Calls a callback of the caller at once, for a task that has several to call.
   *
   * @param callback - called at once; its throw or rejection is reported
   * @param where - which one it is, for the report, such as `the watcher of /a`
   */
  call(callback: () => unknown, where?: string): void {
    try {
      const result = callback()
      if (isThenable(result)) {
        result.then(undefined, (error: unknown) => {
          this.report(error, where)
        })
      }
    } catch (error) {
      this.report(error, where)
    }
  }

  /**
   * Tells an error that has no caller to reject to.
   *
   * @param error - the thrown value; if `onError` throws too, that is dropped: there is nowhere left to tell
   * it
   * @param where - its source
   */
  report(error: unknown, where?: string): void {
    try {
      this.#onError(error, where)
    } catch {
      // Must not stop the queue.
    }
  }
}

/** A promise of any maker. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== 'object' || value === null) return false
  return typeof (value as Partial<PromiseLike<unknown>>).then === 'function'
}
