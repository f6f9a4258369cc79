/**
 * The model backend: the whole contract as one object in memory, for tests of recipes and as its readable
 * specification.
 *
 * Model     a tree, watches and sessions that answer asynchronously and deterministically: in microtasks if
 *           `latencyMs` is 0, on the global timers otherwise, so it runs in real time and under fake timers alike.
 * Faults    `control` breaks connections, ends sessions, loses requests before or after they take effect, and delays.
 * Cost      made for thousands of nodes, not for millions: reading children looks at every path.
 * Source    core/backend.ts.
 */
import type { Backend, Capabilities, OpenOptions, Session } from '../../core/backend.ts'
import { CoordinationError } from '../../core/errors.ts'
import { ModelEnsemble } from './ensemble.ts'
import type { Reachable } from './ensemble.ts'
import type { RequestFilter, RequestHook } from './ensemble.ts'
import { ModelSession } from './session.ts'

/** Options of {@link modelBackend}. */
export interface ModelOptions {
  /** One way between a session and the servers, in milliseconds; 0, the default, takes a microtask. */
  readonly latencyMs?: number
  /** Time-out of sessions that ask for none, in milliseconds; 10,000 by default. */
  readonly sessionTimeoutMs?: number
  /** Capabilities that this engine claims, where they differ from the default: everything. */
  readonly capabilities?: Partial<Capabilities>
}

/** The test's hand on a model: faults to inject, and counts to look at. Unknown session ids are a RangeError. */
export interface ModelControl {
  /** Breaks a session's connection: it is suspended, and requests in flight are lost (writes: outcome `unknown`). */
  disconnect(sessionId: bigint): void
  /** Lets a suspended session find a server again; it learns then if it is over. */
  reconnect(sessionId: bigint): void
  /** Ends a session as if the servers had not heard of it: at once, and its client hears of it at once if connected. */
  expire(sessionId: bigint): void
  /** Removes empty containers that had children, and nodes whose time to live is over. It happens at no other time. */
  reap(): void
  /**
   * Sees each request as it is sent and may decide what becomes of it; see {@link RequestHook}.
   *
   * @returns a function that takes the hook away
   */
  onRequest(hook: RequestHook): () => void
  /** Makes events take `delayMs` milliseconds longer from now on, and so the replies after them. */
  delayEvents(delayMs: number): void
  /** Makes `open` reject with `CONNECTION_LOSS`, or no more. */
  refuseOpens(refuse: boolean): void
  /** Sets the number that the next sequential child of a node gets. */
  setSequence(path: string, next: number): void
  /** Number of requests sent, pings excepted. */
  requestCount(filter?: RequestFilter): number
  /** Number of events that reached watchers, of one session if it is given. */
  eventCount(sessionId?: bigint): number
  /** Sets the two counts back to zero. */
  resetCounts(): void
  /** Number of armed watches, of one session if it is given. */
  watchCount(sessionId?: bigint): number
  /** Every node there is, sorted by path, with the session that owns it (0n: none). */
  nodes(): readonly { readonly path: string; readonly ephemeralOwner: bigint }[]
  /** Ids of the sessions that the servers hold open, in the order of opening. */
  sessions(): readonly bigint[]
  /** Number of timers of this model that will still fire; 0 once every session has ended. */
  readonly liveTimers: number
}

/** A backend with a test's hand on it. */
export interface ModelBackend extends Backend {
  /** The test's hand on it. */
  readonly control: ModelControl
}

const SESSION_TIMEOUT_MS = 10_000
const SESSION_TIMEOUT_MIN_MS = 10
const EVERYTHING: Capabilities = Object.freeze({
  durability: 'best-effort',
  linearizableSync: true,
  comparesCreations: true,
  containers: true,
  ttlGranularityMs: 1,
  acl: false,
  dataBytesMax: 1_000_000,
})

/**
 * Makes an engine that lives and dies with this object.
 *
 * @returns the backend, with `control` to inject faults
 */
export function modelBackend(options: ModelOptions = {}): ModelBackend {
  const capabilities = Object.freeze({ ...EVERYTHING, ...options.capabilities })
  const ensemble = new ModelEnsemble(capabilities, options.latencyMs ?? 0)
  const defaultTimeoutMs = options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS
  let refusing = false
  let lastId = 0n

  const open = async (options: OpenOptions): Promise<Session> => {
    const { sessionTimeoutMs, signal } = options
    await new Promise<void>((resolve) => void ensemble.timers.soon(resolve, 2 * ensemble.latencyMs))
    if (signal?.aborted === true) {
      throw new CoordinationError('ABORTED', 'open was aborted', { outcome: 'aborted', cause: signal.reason })
    }
    if (refusing) throw new CoordinationError('CONNECTION_LOSS', 'no server serves', { outcome: 'not-sent' })
    const timeoutMs = Math.max(SESSION_TIMEOUT_MIN_MS, sessionTimeoutMs ?? defaultTimeoutMs)
    const session = new ModelSession(ensemble, ++lastId, timeoutMs, options)
    ensemble.admit(session)
    return session
  }
  const refuseOpens = (refuse: boolean): void => {
    refusing = refuse
  }
  return { name: 'model', capabilities, open, control: controlOf(ensemble, refuseOpens) }
}

function controlOf(ensemble: ModelEnsemble, refuseOpens: (refuse: boolean) => void): ModelControl {
  const sessionOf = (sessionId: bigint): Reachable => {
    const session = ensemble.sessions.get(sessionId)
    if (session === undefined) throw new RangeError(`no session ${sessionId} was opened here`)
    return session
  }
  return {
    refuseOpens,
    disconnect: (sessionId) => sessionOf(sessionId).disconnect(),
    reconnect: (sessionId) => sessionOf(sessionId).reconnect(),
    expire: (sessionId) => ensemble.endSession(sessionOf(sessionId).id),
    reap: () => ensemble.fire(ensemble.tree.reap()),
    onRequest(hook) {
      ensemble.hooks.add(hook)
      return () => {
        ensemble.hooks.delete(hook)
      }
    },
    delayEvents(delayMs) {
      ensemble.eventDelayMs = delayMs
    },
    setSequence: (path, next) => ensemble.tree.setSequence(path, next),
    requestCount: (filter = {}) => ensemble.requestCount(filter),
    eventCount: (sessionId) => ensemble.eventCount(sessionId),
    resetCounts: () => ensemble.resetCounts(),
    watchCount: (sessionId) => ensemble.watches.count(sessionId),
    nodes: () => ensemble.tree.dump(),
    sessions: () => ensemble.openIds,
    get liveTimers() {
      return ensemble.timers.size
    },
  }
}
