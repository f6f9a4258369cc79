/**
 * Instead of `node:async_hooks`: a browser has no asynchronous context yet. Without one a work that runs by `using` and
 * asks for the same lock again is not recognised, and waits; the demonstration has none.
 */

/** The part of Node's class that the recipes use; the context is always empty. */
export class AsyncLocalStorage<T> {
  /** Runs a work, without keeping the value for what it awaits. */
  run<A extends unknown[], R>(_value: T, work: (...args: A) => R, ...args: A): R {
    return work(...args)
  }

  /** The value of the context: none. */
  getStore(): T | undefined {
    return undefined
  }
}
