/**
 * A wrapper between a watcher of the application and the session: it gives the event the application's own path,
 * and lets one read be forgotten without another read of the same watcher.
 *
 * Limit     a wrapper is forgotten when it fires, is unwatched, or its read fails; those that die silently with their
 *           session go with `clear()`.
 */
import type { Watcher } from '../backend.ts'
import { functionText } from './event-queue.ts'

/** The watch of one read. */
export interface WrappedWatch {
  /** The path as the application wrote it. */
  readonly path: string
  /** The application's own callback. */
  readonly original: Watcher
  /** The callback that the session gets in its place. */
  readonly watcher: Watcher
  /** Set once the application has unwatched it; a read that is repeated must not arm it then. */
  unwatched: boolean
}

/** The wrappers of one client. */
export class WatchWrappers {
  readonly #call: (callback: () => unknown, where: string) => unknown
  #wrappers = new WeakMap<Watcher, Map<string, Set<WrappedWatch>>>()

  /**
   * Begins without wrappers.
   *
   * @param call - calls the application's callback, which is the one of a path; by default its errors are thrown on
   */
  constructor(call: (callback: () => unknown, where: string) => unknown = (callback) => callback()) {
    this.#call = call
  }

  /**
   * Makes the wrapper for one read.
   *
   * @param path - the path as the application wrote it
   */
  wrap(path: string, original: Watcher): WrappedWatch {
    const watcher: Watcher = ({ type }) => {
      this.forget(wrapped)
      // Returned although it is void: a promise of an async watcher is reported where the wrapper is called.
      return this.#call(() => original({ type, path }), `the watcher${functionText(original)} of ${path}`)
    }
    const wrapped: WrappedWatch = { path, original, watcher, unwatched: false }
    this.keep(wrapped)
    return wrapped
  }

  /** Keeps a wrapper that is about to be armed, perhaps again, on a later session. Idempotent. */
  keep(wrapped: WrappedWatch): void {
    const { path, original } = wrapped
    const byPath = this.#wrappers.get(original) ?? new Map<string, Set<WrappedWatch>>()
    const ofPath = byPath.get(path) ?? new Set<WrappedWatch>()
    this.#wrappers.set(original, byPath.set(path, ofPath.add(wrapped)))
  }

  /** Drops the wrapper of one read. */
  forget(wrapped: WrappedWatch): void {
    const byPath = this.#wrappers.get(wrapped.original)
    const ofPath = byPath?.get(wrapped.path)
    ofPath?.delete(wrapped)
    if (ofPath?.size === 0) byPath?.delete(wrapped.path)
  }

  /** Takes out the watchers that the session got for every read of a path by one callback. */
  take(path: string, original: Watcher): Watcher[] {
    const byPath = this.#wrappers.get(original)
    const ofPath = byPath?.get(path) ?? []
    byPath?.delete(path)
    return Array.from(ofPath, (wrapped) => {
      wrapped.unwatched = true
      return wrapped.watcher
    })
  }

  /** Drops all: the session that they waited on is over. */
  clear(): void {
    this.#wrappers = new WeakMap()
  }
}
