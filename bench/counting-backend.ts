/** A backend that counts what its sessions are asked for, and the watch events which they are given. */
import type { Backend, Session, Watcher } from 'quorate'

/** Told of what is to be counted. */
export interface Counts {
  /** Called before each watch event is handed on. */
  readonly onEvent?: () => void
  /** Called for each request: what a session does in one round trip. */
  readonly onRequest?: () => void
}

/**
 * Wraps a backend.
 *
 * @param backend - does the work
 */
export function counting(backend: Backend, counts: Counts): Backend {
  const { name, capabilities } = backend
  return { name, capabilities, open: async (options) => countingSession(await backend.open(options), counts) }
}

function countingSession(session: Session, { onEvent, onRequest }: Counts): Session {
  /** The watcher that the session got in the place of each: `unwatch` has to name it. */
  const counted = new WeakMap<Watcher, Watcher>()
  const count = (watch: Watcher): Watcher => {
    const known = counted.get(watch)
    if (known !== undefined) return known
    const counting: Watcher = (event) => {
      onEvent?.()
      watch(event)
    }
    counted.set(watch, counting)
    return counting
  }
  const asked = <R>(reply: Promise<R>): Promise<R> => {
    onRequest?.()
    return reply
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
    create: (path, data, options) => asked(session.create(path, data, options)),
    get: (path, watch) => asked(session.get(path, watch && count(watch))),
    exists: (path, watch) => asked(session.exists(path, watch && count(watch))),
    children: (path, watch) => asked(session.children(path, watch && count(watch))),
    set: (path, data, version) => asked(session.set(path, data, version)),
    delete: (path, version) => asked(session.delete(path, version)),
    multi: (operations) => asked(session.multi(operations)),
    sync: (path) => asked(session.sync(path)),
    unwatch: (path, watch) => session.unwatch(path, count(watch)),
    close: () => session.close(),
  }
}
