/**
 * The state that the sessions of one model share: the tree, watches, timers, faults that a test asked for, and the
 * counts that it may look at.
 */
import type { Capabilities, Operation, OperationResult, WatchEvent } from '../../core/backend.ts'
import { refusal } from '../../core/refusal.ts'
import { Timers } from './pipe.ts'
import { ModelTree } from './tree.ts'
import { ModelWatches } from './watches.ts'

/** The requests of a session, by the method that makes them. */
export type RequestKind = 'create' | 'get' | 'exists' | 'children' | 'set' | 'delete' | 'multi' | 'sync' | 'close'

/** A request as a {@link RequestHook} sees it. */
export interface ModelRequest {
  /** The session that sends it. */
  readonly sessionId: bigint
  /** The method that makes it. */
  readonly kind: RequestKind
  /** The path it names; of a multi the path of its first operation. */
  readonly path: string
}

/**
 * The fault that a hook injects into a request.
 *
 * - `lose-before`: the connection breaks before it takes effect, and comes back at once. Requests in flight are lost.
 * - `lose-after`: likewise, but it took effect.
 * - `expire-before`, `expire-after`: the servers end the session before or after it takes effect.
 * - `{ delayMs }`: it takes that much longer to arrive, and so do those after it.
 */
export type Fate =
  | 'lose-before'
  | 'lose-after'
  | 'expire-before'
  | 'expire-after'
  | { readonly delayMs: number }
  | undefined

/** Sees each request as it is sent, pings excepted, and may decide what becomes of it. */
export type RequestHook = (request: ModelRequest) => Fate | void

/** Which requests to count; absent fields match all. */
export interface RequestFilter {
  /** Of this session only. */
  readonly sessionId?: bigint
  /** Of this kind only. */
  readonly kind?: RequestKind
}

/** A session, as the servers and the test's hand reach it. */
export interface Reachable {
  readonly id: bigint
  /** The servers have ended it. */
  ended(): void
  /** Cuts its connection. */
  disconnect(): void
  /** Lets it find a server again. */
  reconnect(): void
}

/** The servers of a model. */
export class ModelEnsemble {
  readonly tree = new ModelTree()
  readonly watches = new ModelWatches()
  readonly timers = new Timers()
  readonly hooks = new Set<RequestHook>()
  readonly capabilities: Capabilities
  readonly latencyMs: number
  eventDelayMs = 0
  /** Every session made here, for `control`; ended ones are kept while their clients may still hear of it. */
  readonly sessions = new Map<bigint, Reachable>()
  readonly #open = new Set<bigint>()
  #requestCounts = new Map<string, { readonly request: Omit<ModelRequest, 'path'>; count: number }>()
  #eventCounts = new Map<bigint, number>()

  /** Makes servers with an empty tree. */
  constructor(capabilities: Capabilities, latencyMs: number) {
    this.capabilities = capabilities
    this.latencyMs = latencyMs
  }

  /** Ids of the open sessions, in the order of opening. */
  get openIds(): readonly bigint[] {
    return [...this.#open]
  }

  /** Whether the servers hold a session open. */
  isOpen(sessionId: bigint): boolean {
    return this.#open.has(sessionId)
  }

  /** Takes in a new session. */
  admit(session: Reachable): void {
    this.sessions.set(session.id, session)
    this.#open.add(session.id)
  }

  /** Ends a session and its ephemeral nodes; nothing happens if it is over. */
  endSession(sessionId: bigint): void {
    if (!this.#open.delete(sessionId)) return
    const session = this.sessions.get(sessionId)
    session?.ended()
    this.fire(this.tree.endSession(sessionId))
  }

  /** Does a write for a session and fires the watches that it concerns. */
  write(sessionId: bigint, operations: readonly Operation[], isMulti: boolean): readonly OperationResult[] {
    operations.forEach((operation, index) => this.#checkSupport(operation, isMulti ? index : undefined))
    const { results, changes } = this.tree.write(operations, sessionId, isMulti)
    this.fire(changes)
    return results
  }

  /** Fires the watches that changes concern, in their order. */
  fire(changes: readonly WatchEvent[]): void {
    for (const change of changes) this.watches.fire(change)
  }

  /** Counts a request and asks the hooks; the first that answers decides. */
  fateOf(request: ModelRequest): Fate {
    const { sessionId, kind } = request
    const key = `${sessionId} ${kind}`
    const entry = this.#requestCounts.get(key) ?? { request: { sessionId, kind }, count: 0 }
    entry.count++
    this.#requestCounts.set(key, entry)
    for (const hook of [...this.hooks]) {
      const fate = hook(request)
      if (fate !== undefined) return fate
    }
    return undefined
  }

  /** Counts an event that reached a watcher. */
  countEvent(sessionId: bigint): void {
    this.#eventCounts.set(sessionId, (this.#eventCounts.get(sessionId) ?? 0) + 1)
  }

  /** Number of requests sent since the last reset. */
  requestCount({ sessionId, kind }: RequestFilter): number {
    const matching = [...this.#requestCounts.values()].filter(({ request }) => {
      return (sessionId ?? request.sessionId) === request.sessionId && (kind ?? request.kind) === request.kind
    })
    return matching.reduce((sum, { count }) => sum + count, 0)
  }

  /** Number of events that reached watchers since the last reset. */
  eventCount(sessionId?: bigint): number {
    if (sessionId !== undefined) return this.#eventCounts.get(sessionId) ?? 0
    return [...this.#eventCounts.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Sets requests and events back to zero. */
  resetCounts(): void {
    this.#requestCounts = new Map()
    this.#eventCounts = new Map()
  }

  #checkSupport(operation: Operation, index: number | undefined): void {
    if (operation.type !== 'create') return
    const { containers, ttlGranularityMs } = this.capabilities
    const lacksContainers = operation.mode === 'container' && !containers
    const lacksTtl = operation.mode === 'persistent-with-ttl' && ttlGranularityMs === null
    if (lacksContainers || lacksTtl) throw refusal('UNSUPPORTED', operation.path, { index, isCreate: true })
  }
}
