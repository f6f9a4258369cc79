/** A backend that counts the watch events which its sessions are given. */
import type { Backend, Session, Watcher } from 'quorate'

/**
 * Wraps a backend.
 *
 * @param backend - does the work
 * @param onEvent - called before each watch event is handed on
 */
export function countingEvents(backend: Backend, onEvent: () => void): Backend {
  const { name, capabilities } = backend
  return { name, capabilities, open: async (options) => countingSession(await backend.open(options), onEvent) }
}

function countingSession(session: Session, onEvent: () => void): Session {
  /** The watcher that the session got in the place of each: `unwatch` has to name it. */
  const counted = new WeakMap<Watcher, Watcher>()
  const count = (watch: Watcher): Watcher => {
    const known = counted.get(watch)
    if (known !== undefined) return known
    const counting: Watcher = (event) => {
      onEvent()
      watch(event)
    }
    counted.set(watch, counting)
    return counting
  }
  const { id, timeoutMs } = session
  return {
    id,
    timeoutMs,
    get state() {
      return session.state
    },
    get leaseDeadlineMs() {
      return session.leaseDeadlineMs
    },
    onState: (listener) => session.onState(listener),
    create: (path, data, options) => session.create(path, data, options),
    get: (path, watch) => session.get(path, watch && count(watch)),
    exists: (path, watch) => session.exists(path, watch && count(watch)),
    children: (path, watch) => session.children(path, watch && count(watch)),
    set: (path, data, version) => session.set(path, data, version),
    delete: (path, version) => session.delete(path, version),
    multi: (operations) => session.multi(operations),
    sync: (path) => session.sync(path),
    unwatch: (path, watch) => session.unwatch(path, count(watch)),
    close: () => session.close(),
  }
}
