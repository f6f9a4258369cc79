/**
 * One session of the model: the client's half (state, what is pending) and the server's half (what applies a request).
 *
 * Model     two pipes, requests there and replies and events back, so that requests take effect and are answered in
 *           order, and an event comes before every reply that follows it. A disconnect empties both: messages in
 *           flight are lost, but events are kept for the reconnect, as a server that re-arms watches finds them again.
 * Time      a ping every third of the time-out. The server ends a session that it has not heard of for the time-out;
 *           the client goes by session/lease-rule.ts.
 */
import type {
  Children,
  Created,
  CreateOptions,
  NodeData,
  OpenOptions,
  Operation,
  OperationResult,
  Session,
  SessionState,
  Stat,
  WatchEvent,
  Watcher,
} from '../../core/backend.ts'
import { CoordinationError } from '../../core/errors.ts'
import type { ErrorCode, Outcome } from '../../core/errors.ts'
import { refusal } from '../../core/refusal.ts'
import { untilConfirmed } from '../../core/session/closing.ts'
import { EventQueue } from '../../core/session/event-queue.ts'
import { givenUpAtMs, trustedUntilMs } from '../../core/session/lease-rule.ts'
import { SessionStates } from '../../core/session/states.ts'
import type { WatchedRead } from '../../core/session/wakes.ts'
import type { ModelEnsemble, Fate, RequestKind } from './ensemble.ts'
import { SessionPipe } from './pipe.ts'
import type { Watch } from './watches.ts'

interface Request {
  readonly kind: RequestKind | 'ping'
  readonly path: string
  /** Does the work on the server; its error is the answer. */
  readonly apply: () => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  /** The watch that rides on it. */
  readonly watch: Watch | null
  /** When it was sent, on `performance.now()`; null while it waits for a connection. */
  sentAtMs: number | null
  fate: Fate
  /** Ends the time limit of its wait for a connection. */
  endWait: () => void
}

type Incoming =
  | { readonly type: 'event'; readonly watch: Watch; readonly event: WatchEvent }
  | { readonly type: 'reply'; readonly request: Request; readonly settle: () => void }

const WRITES: readonly string[] = Object.freeze(['create', 'set', 'delete', 'multi', 'close'])
const PINGS_PER_TIMEOUT = 3
const NOTHING = (): void => undefined

/** A session that lives in this process; made by `modelBackend().open`. */
export class ModelSession implements Session {
  readonly id: bigint
  readonly timeoutMs: number
  readonly #ensemble: ModelEnsemble
  readonly #callTimeoutMs: number
  readonly #queue: EventQueue
  readonly #states: SessionStates
  readonly #requests: SessionPipe<Request>
  readonly #incoming: SessionPipe<Incoming>
  readonly #pending = new Set<Request>()
  readonly #watches = new Set<Watch>()
  #heldEvents: Extract<Incoming, { type: 'event' }>[] = []
  #contactMs = performance.now()
  #heardMs = performance.now()
  #cancelPing = NOTHING
  #cancelExpiry = NOTHING
  #cancelGiveUp = NOTHING
  #closing: Promise<void> | null = null

  /** Makes a connected session. */
  constructor(ensemble: ModelEnsemble, id: bigint, timeoutMs: number, { callTimeoutMs, onError }: OpenOptions) {
    this.id = id
    this.timeoutMs = timeoutMs
    this.#ensemble = ensemble
    this.#callTimeoutMs = callTimeoutMs ?? Infinity
    this.#queue = new EventQueue(onError)
    this.#states = new SessionStates(this.#queue)
    this.#requests = new SessionPipe(ensemble.timers, (request) => this.#serve(request))
    this.#incoming = new SessionPipe(ensemble.timers, (incoming) => this.#receive(incoming))
    this.#startExpiry()
    this.#startPing()
  }

  get state(): SessionState {
    return this.#states.current
  }

  get leaseDeadlineMs(): number {
    return trustedUntilMs(this.#contactMs, this.timeoutMs)
  }

  onState(listener: (state: SessionState) => void): () => void {
    return this.#states.listen(listener)
  }

  async create(path: string, data: Uint8Array, { mode, ttlMs }: CreateOptions): Promise<Created> {
    const operation: Operation = { type: 'create', path, data, mode, ...(ttlMs === undefined ? {} : { ttlMs }) }
    const [result] = await this.#call('create', path, () => this.#write([operation], false))
    if (result?.type !== 'create') throw new TypeError(`a create answered ${String(result?.type)}`)
    return { path: result.path, stat: result.stat }
  }

  get(path: string, watch?: Watcher): Promise<NodeData> {
    return this.#read('get', path, watch, () => {
      const node = this.#ensemble.tree.read(path)
      if (node === null) throw refusal('NO_NODE', path)
      return node
    })
  }

  exists(path: string, watch?: Watcher): Promise<Stat | null> {
    return this.#read('exists', path, watch, () => this.#ensemble.tree.read(path)?.stat ?? null)
  }

  children(path: string, watch?: Watcher): Promise<Children> {
    return this.#read('children', path, watch, () => {
      const node = this.#ensemble.tree.read(path)
      if (node === null) throw refusal('NO_NODE', path)
      return { names: this.#ensemble.tree.names(path), stat: node.stat }
    })
  }

  async set(path: string, data: Uint8Array, version: number): Promise<Stat> {
    const operation: Operation = { type: 'set', path, data, version }
    const [result] = await this.#call('set', path, () => this.#write([operation], false))
    if (result?.type !== 'set') throw new TypeError(`a set answered ${String(result?.type)}`)
    return result.stat
  }

  async delete(path: string, version: number): Promise<void> {
    await this.#call('delete', path, () => this.#write([{ type: 'delete', path, version }], false))
  }

  async multi(operations: readonly Operation[]): Promise<OperationResult[]> {
    const results = await this.#call('multi', operations[0]?.path ?? '/', () => this.#write(operations, true))
    return [...results]
  }

  async sync(path: string): Promise<void> {
    await this.#call('sync', path, () => undefined)
  }

  unwatch(path: string, watch: Watcher): void {
    for (const armed of [...this.#watches]) {
      if (armed.path === path && armed.callback === watch) this.#cancelWatch(armed)
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  // --- faults, called by the ensemble -------------------------------------------------------------------------------

  /** Cuts the connection: requests in flight are lost, the session waits. */
  disconnect(): void {
    const { status } = this.#states.current
    if (status === 'suspended' || status === 'expired') return
    this.#cancelPing()
    this.#requests.clear()
    for (const incoming of this.#incoming.clear()) if (incoming.type === 'event') this.#heldEvents.push(incoming)
    if (status === 'connected') this.#states.set({ status: 'suspended', deadlineMs: this.leaseDeadlineMs })
    for (const request of [...this.#pending]) {
      this.#fail(request, 'CONNECTION_LOSS', isWrite(request) ? 'unknown' : 'not-sent')
    }
    if (status === 'closed') return
    const giveUpMs = givenUpAtMs(this.#contactMs, this.timeoutMs) - performance.now()
    this.#cancelGiveUp = this.#ensemble.timers.start(() => this.#expired(), Math.max(0, giveUpMs))
  }

  /** Lets it find a server again, which tells it if the session is over. */
  reconnect(): void {
    if (this.#states.current.status !== 'suspended') return
    this.#cancelGiveUp()
    if (!this.#ensemble.isOpen(this.id)) {
      this.#expired()
      return
    }
    this.#contactMs = performance.now()
    this.#heardMs = performance.now()
    this.#states.set({ status: 'connected' })
    for (const held of this.#heldEvents.splice(0)) this.#incoming.push(held, this.#ensemble.eventDelayMs)
    this.#startPing()
    for (const request of this.#pending) if (request.sentAtMs === null) this.#send(request)
  }

  /** Told by the servers that they ended it. A session that is suspended learns it when it reconnects, or gives up. */
  ended(): void {
    this.#cancelExpiry()
    for (const watch of this.#watches) this.#ensemble.watches.disarm(watch)
    if (this.#states.current.status === 'connected') this.#expired()
    if (this.#states.current.status !== 'closed') return
    // The only pending request is the close, and this end is its result.
    for (const request of this.#pending) this.#reply(request, () => request.resolve(undefined))
  }

  // --- the client's half --------------------------------------------------------------------------------------------

  #read<T>(kind: WatchedRead, path: string, callback: Watcher | undefined, apply: () => T): Promise<T> {
    if (callback === undefined) return this.#call(kind, path, apply)
    const fire = (fired: Watch, event: WatchEvent): void => this.#pushEvent(fired, event)
    const watch: Watch = { sessionId: this.id, kind, path, callback, fire }
    const armingApply = (): T => {
      const result = apply()
      if (this.#watches.has(watch)) this.#ensemble.watches.arm(watch)
      return result
    }
    return this.#call(kind, path, armingApply, watch)
  }

  #call<T>(kind: Request['kind'], path: string, apply: () => T, watch: Watch | null = null): Promise<T> {
    const { status } = this.#states.current
    if (status === 'closed') return Promise.reject(failure('CLIENT_CLOSED', 'not-sent', kind, path))
    if (status === 'expired') return Promise.reject(failure('SESSION_EXPIRED', 'session-over', kind, path))
    if (watch !== null) this.#watches.add(watch)
    return new Promise((resolve, reject) => {
      const settled = (value: unknown): void => resolve(value as T)
      const pending = { sentAtMs: null, fate: undefined, endWait: NOTHING }
      const request: Request = { kind, path, apply, resolve: settled, reject, watch, ...pending }
      this.#pending.add(request)
      if (status === 'connected') this.#send(request)
      else this.#startWait(request)
    })
  }

  /** Limits how long a request waits for a connection. */
  #startWait(request: Request): void {
    if (this.#callTimeoutMs === Infinity) return
    const giveUp = (): void => this.#fail(request, 'CONNECTION_LOSS', 'not-sent')
    request.endWait = this.#ensemble.timers.start(giveUp, this.#callTimeoutMs)
  }

  #send(request: Request): void {
    const { kind, path } = request
    request.sentAtMs = performance.now()
    request.endWait()
    if (kind !== 'ping') request.fate = this.#ensemble.fateOf({ sessionId: this.id, kind, path })
    const delayMs = typeof request.fate === 'object' ? request.fate.delayMs : 0
    this.#requests.push(request, this.#ensemble.latencyMs + delayMs)
  }

  #receive(incoming: Incoming): void {
    if (incoming.type === 'event') {
      if (!this.#watches.delete(incoming.watch)) return
      this.#ensemble.countEvent(this.id)
      this.#queue.call(() => incoming.watch.callback(incoming.event))
      return
    }
    const { request, settle } = incoming
    this.#contactMs = Math.max(this.#contactMs, request.sentAtMs ?? 0)
    if (this.#pending.delete(request)) settle()
  }

  async #close(): Promise<void> {
    const wasConnected = this.#states.current.status === 'connected'
    const alreadyOver = this.#states.current.status === 'expired'
    const confirmed = wasConnected ? this.#call('close', '/', () => this.#ensemble.endSession(this.id)) : null
    this.#stop(alreadyOver ? null : { status: 'closed' }, (request) => {
      if (request.kind === 'close') return
      this.#fail(request, 'CLIENT_CLOSED', isWrite(request) && request.sentAtMs !== null ? 'unknown' : 'not-sent')
    })
    // A connection that is lost now leaves the end of the session to its time-out.
    if (confirmed !== null) await untilConfirmed(confirmed)
    this.#cancelPing()
  }

  #expired(): void {
    this.#stop({ status: 'expired' }, (request) => {
      this.#fail(request, 'SESSION_EXPIRED', isWrite(request) && request.sentAtMs !== null ? 'unknown' : 'session-over')
    })
  }

  #stop(state: SessionState | null, endRequest: (request: Request) => void): void {
    this.#cancelPing()
    this.#cancelGiveUp()
    this.#heldEvents = []
    for (const watch of [...this.#watches]) this.#cancelWatch(watch)
    if (state !== null) this.#states.set(state)
    for (const request of [...this.#pending]) endRequest(request)
  }

  #fail(request: Request, code: ErrorCode, outcome: Outcome): void {
    this.#pending.delete(request)
    request.endWait()
    if (request.watch !== null) this.#cancelWatch(request.watch)
    request.reject(failure(code, outcome, request.kind, request.path))
  }

  #cancelWatch(watch: Watch): void {
    this.#watches.delete(watch)
    this.#ensemble.watches.disarm(watch)
  }

  #startPing(): void {
    this.#cancelPing = this.#ensemble.timers.start(() => {
      void this.#call('ping', '/', () => undefined).catch(() => undefined)
      this.#startPing()
    }, this.timeoutMs / PINGS_PER_TIMEOUT)
  }

  // --- the server's half --------------------------------------------------------------------------------------------

  #serve(request: Request): void {
    if (!this.#ensemble.isOpen(this.id)) return
    this.#heardMs = performance.now()
    const { fate } = request
    if (fate === 'lose-before') return this.#loseConnection()
    if (fate === 'expire-before') return this.#ensemble.endSession(this.id)
    const settle = this.#answer(request)
    if (fate === 'lose-after') return this.#loseConnection()
    if (fate === 'expire-after') return this.#ensemble.endSession(this.id)
    this.#reply(request, settle)
  }

  #reply(request: Request, settle: () => void): void {
    this.#incoming.push({ type: 'reply', request, settle }, this.#ensemble.latencyMs)
  }

  #answer(request: Request): () => void {
    try {
      const value = request.apply()
      return () => request.resolve(value)
    } catch (error) {
      if (request.watch !== null) this.#cancelWatch(request.watch)
      return () => request.reject(error)
    }
  }

  #write(operations: readonly Operation[], isMulti: boolean): readonly OperationResult[] {
    return this.#ensemble.write(this.id, operations, isMulti)
  }

  #pushEvent(watch: Watch, event: WatchEvent): void {
    const incoming = { type: 'event', watch, event } as const
    if (this.#states.current.status === 'suspended') this.#heldEvents.push(incoming)
    else this.#incoming.push(incoming, this.#ensemble.latencyMs + this.#ensemble.eventDelayMs)
  }

  #loseConnection(): void {
    this.disconnect()
    this.#ensemble.timers.soon(() => this.reconnect(), this.#ensemble.latencyMs)
  }

  #startExpiry(): void {
    const dueMs = Math.max(1, this.#heardMs + this.timeoutMs - performance.now())
    this.#cancelExpiry = this.#ensemble.timers.start(() => {
      if (performance.now() - this.#heardMs >= this.timeoutMs) this.#ensemble.endSession(this.id)
      else this.#startExpiry()
    }, dueMs)
  }
}

function isWrite(request: Request): boolean {
  return WRITES.includes(request.kind)
}

function failure(code: ErrorCode, outcome: Outcome, kind: string, path: string): CoordinationError {
  return new CoordinationError(code, `${code}: ${kind} ${path} (${outcome})`, { outcome, path })
}
