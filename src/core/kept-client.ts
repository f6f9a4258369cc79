/**
 * The client that `connect` makes: validates, and calls the session that is live; the plain path adds one promise to
 * the session's own.
 *
 * Repeats   a read is repeated when its session was lost or over; a write only when it was not sent. A write of
 *           unknown outcome is the caller's to judge: the recipes know how to find out (CURATOR-584).
 * Paths     a session that the keeper gives is under the client's namespace (session/namespaced.ts).
 */
import { NO_OPTIONS, bytesOf, createOptionsOf, isSequential, operationOf, operationsOf } from './arguments.ts'
import { validateCreatePath } from './arguments.ts'
import { validateOptions, validateVersion } from './arguments.ts'
import type { Settings } from './arguments.ts'
import { abortable, abortedError, deferred, limited } from './async.ts'
import type { Deferred } from './async.ts'
import type { Backend, Capabilities, Children, CreateMode, Created, NodeData } from './backend.ts'
import type { Operation, OperationResult, Session, Stat, Watcher } from './backend.ts'
import type { Client, ClientCreateOptions, ClientState, CloseOptions, Data, MakePathOptions } from './client.ts'
import type { OwnedResource, ReadOptions, VersionOptions, WaitOptions } from './client.ts'
import { CoordinationError, isCoordinationError } from './errors.ts'
import { EventQueue } from './session/event-queue.ts'
import { Listeners } from './session/listeners.ts'
import { makePath } from './make-path.ts'
import { Notices } from './observer.ts'
import type { ObservedMethod } from './observer.ts'
import { Namespace } from './session/namespaced.ts'
import { requireFunction, validateFunction, validateOwned, validateSignal, validateWaitMs } from './options.ts'
import { validateLength, validatePath } from './path.ts'
import { reasonOf } from './reason.ts'
import { repeat } from './retry.ts'
import { SessionKeeper, closedError } from './session-keeper.ts'
import { Transaction } from './transaction.ts'
import { textOf } from './value-text.ts'
import { WatchWrappers } from './session/watch-wrappers.ts'
import type { WrappedWatch } from './session/watch-wrappers.ts'

const NO_BYTES = new Uint8Array()

/** A resource that ends with the client. */
interface Owned {
  readonly close: () => Promise<void>
  readonly drain: () => Promise<void>
}

/** Whether a call that failed with this error may be made again. */
type Repeatable = (error: unknown) => boolean

/** See {@link Client}, which documents the public members. */
export class KeptClient implements Client {
  readonly capabilities: Capabilities
  readonly notices: Notices | null
  readonly root: string
  readonly #namespace: Namespace
  readonly #operationTimeoutMs: number
  readonly #keeper: SessionKeeper
  /** State listeners run from here, in order. */
  readonly #queue: EventQueue
  readonly #listeners: Listeners<ClientState>
  readonly #wrappers: WatchWrappers
  /** In the order in which they were handed over. */
  readonly #owned = new Set<Owned>()
  /** From when the client closes: they, and those that let go since, in the same order. */
  #closing: Owned[] | null = null
  readonly #end: () => Promise<void>
  /** Calls without an answer. */
  #calls = 0
  /** Resolves when there are none; null if nobody waits for that. */
  #quiet: Deferred<undefined> | null = null
  /** Ends the wait for them. */
  readonly #hurry = new AbortController()
  #closed: Promise<void> | null = null

  /**
   * Makes a client without a session.
   *
   * @param end - called after the end of the session
   */
  constructor(backend: Backend, settings: Settings, end: () => Promise<void>) {
    this.#end = end
    this.capabilities = backend.capabilities
    this.#namespace = new Namespace(settings.namespace)
    this.root = new Namespace(backend.root ?? '/').resolve(settings.namespace)
    this.#operationTimeoutMs = settings.operationTimeoutMs
    this.#queue = new EventQueue(settings.onError)
    this.notices = settings.observers.length === 0 ? null : new Notices(settings.observers, settings.onError)
    this.#listeners = new Listeners(this.#queue, 'onState')
    this.#wrappers = new WatchWrappers((callback, where) => {
      this.#queue.call(callback, where)
    })
    this.#keeper = new SessionKeeper(backend, {
      namespace: settings.namespace,
      sessionTimeoutMs: settings.sessionTimeoutMs,
      callTimeoutMs: settings.operationTimeoutMs,
      onError: (error, where) => {
        this.report(error, where)
      },
      onState: (state) => {
        this.#onState(state)
      },
    })
  }

  get namespace(): string {
    return this.#namespace.root
  }

  get state(): ClientState {
    return this.#keeper.state
  }

  get sessionId(): bigint | null {
    const { state } = this
    return state.status === 'connected' || state.status === 'suspended' ? state.sessionId : null
  }

  get sessionTimeoutMs(): number {
    return this.#keeper.sessionTimeoutMs
  }

  get leaseDeadlineMs(): number {
    return this.sessionId === null ? -Infinity : (this.#keeper.session?.leaseDeadlineMs ?? -Infinity)
  }

  onState(listener: (state: ClientState) => void): () => void {
    requireFunction('listener', listener)
    return this.#listeners.add(listener)
  }

  async create(path: string, data: Data = NO_BYTES, options: ClientCreateOptions = NO_OPTIONS): Promise<Created> {
    validateOptions('create', options)
    const given = createOptionsOf(options, path, this.capabilities)
    validateCreatePath(path, given.mode)
    const bytes = bytesOf(data, path, this.capabilities)
    this.#onServers(path, isSequential(given.mode))
    return this.#run('create', path, options.signal, isUnsent, (session) => session.create(path, bytes, given))
  }

  async get(path: string, options: ReadOptions = NO_OPTIONS): Promise<NodeData> {
    return this.#read('get', path, options, (session, watch) => session.get(path, watch))
  }

  async exists(path: string, options: ReadOptions = NO_OPTIONS): Promise<Stat | null> {
    return this.#read('exists', path, options, (session, watch) => session.exists(path, watch))
  }

  async children(path: string, options: ReadOptions = NO_OPTIONS): Promise<Children> {
    return this.#read('children', path, options, (session, watch) => session.children(path, watch))
  }

  async set(path: string, data: Data, options: VersionOptions = NO_OPTIONS): Promise<Stat> {
    validateOptions('set', options)
    const { version = -1, signal } = options
    validatePath(path)
    validateVersion(version)
    const bytes = bytesOf(data, path, this.capabilities)
    this.#onServers(path, false)
    return this.#run('set', path, signal, isUnsent, (session) => session.set(path, bytes, version))
  }

  async delete(path: string, options: VersionOptions = NO_OPTIONS): Promise<void> {
    validateOptions('delete', options)
    const { version = -1, signal } = options
    validatePath(path)
    validateVersion(version)
    this.#onServers(path, false)
    return this.#run('delete', path, signal, isUnsent, (session) => session.delete(path, version))
  }

  async multi(operations: readonly Operation[], options: WaitOptions = NO_OPTIONS): Promise<OperationResult[]> {
    validateOptions('multi', options)
    const checked = operationsOf(operations, this.capabilities, (path, isPrefix) => this.#onServers(path, isPrefix))
    return this.#run('multi', undefined, options.signal, isUnsent, (session) => session.multi(checked))
  }

  transaction(): Transaction {
    return new Transaction({
      check: (operation) => operationOf(operation, this.capabilities),
      multi: (operations, options) => this.multi(operations, options),
    })
  }

  async sync(path = '/', options: WaitOptions = NO_OPTIONS): Promise<void> {
    validateOptions('sync', options)
    validatePath(path)
    this.#onServers(path, false)
    return this.#run('sync', path, options.signal, isLost, (session) => session.sync(path))
  }

  unwatch(path: string, watch: Watcher): void {
    for (const watcher of this.#wrappers.take(path, watch)) {
      this.#keeper.session?.unwatch(path, watcher)
    }
  }

  async makePath(path: string, options: MakePathOptions = NO_OPTIONS): Promise<void> {
    validateOptions('makePath', options)
    const { mode = 'container', signal } = options
    validatePath(path)
    if (mode !== 'container' && mode !== 'persistent') {
      throw new TypeError(`mode must be container or persistent, got ${textOf(mode)}`)
    }
    await this.#makePath(path, this.capabilities.containers ? mode : 'persistent', signal)
  }

  own(resource: OwnedResource): () => void {
    validateOwned(resource)
    const entry = { close: () => resource.close(), drain: () => resource.drain?.() ?? Promise.resolve() }
    if (this.#keeper.ending.aborted) {
      // Too late to wait for it, but it must end all the same.
      this.#queue.push(entry.close)
      return doNothing
    }
    this.#owned.add(entry)
    this.#closing?.push(entry)
    return () => {
      this.#owned.delete(entry)
    }
  }

  report(error: unknown, where?: string): void {
    this.#queue.report(error, where)
  }

  async close(options: CloseOptions = NO_OPTIONS): Promise<void> {
    validateOptions('close', options)
    const { drainMs = 0 } = options
    validateWaitMs('drainMs', drainMs)
    if (drainMs === 0) this.#hurry.abort()
    this.#closed ??= this.#close(drainMs)
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Opens the first session, and makes the namespace.
   *
   * @throws CoordinationError `TIMEOUT` or `ABORTED`; the client must then be closed
   */
  async open({ connectTimeoutMs, signal }: Settings): Promise<void> {
    const late = (): CoordinationError => {
      const cause = this.#keeper.lastError
      const why = reasonOf(cause) || 'the first attempt has had no answer'
      const message = `no session within ${connectTimeoutMs} ms: ${why}`
      return new CoordinationError('TIMEOUT', message, { outcome: 'aborted', cause })
    }
    if (signal?.aborted === true) throw abortedError(signal)
    await limited(abortable(this.#open(), signal), connectTimeoutMs, late)
  }

  /** Opens the first session in its own time, and makes the namespace before anything is done in it. */
  openLater({ signal }: Settings): void {
    if (signal?.aborted === true) throw abortedError(signal)
    const makeRoot = async (session: Session): Promise<void> => {
      if (this.#namespace.root !== '/') await makePath(session, '/', 'persistent', this.#keeper.ending)
    }
    this.#keeper.openLater(makeRoot)
  }

  async #open(): Promise<void> {
    await this.#keeper.open()
    if (this.#namespace.root !== '/') await this.#makePath('/', 'persistent', undefined)
  }

  async #close(drainMs: number): Promise<void> {
    if (drainMs > 0) await this.#drain(drainMs)
    for (let newest = this.#takeNewest(); newest !== undefined; newest = this.#takeNewest()) {
      try {
        await newest.close()
      } catch (error) {
        this.report(error)
      }
    }
    const closing = this.#keeper.close()
    this.#onState({ status: 'closed' })
    for (const ending of [() => closing, this.#end]) {
      try {
        await ending()
      } catch (error) {
        this.report(error)
      }
    }
    this.#wrappers.clear()
    await this.#queue.emptied()
    await this.notices?.heard()
    this.#listeners.clear()
  }

  /** Waits for the calls in flight and what owned resources do of themselves; both may begin others. */
  async #drain(limitMs: number): Promise<void> {
    const drained = async (): Promise<void> => {
      do {
        await Promise.allSettled([...this.#owned].map(({ drain }) => drain()))
        this.#quiet = deferred()
        if (this.#calls > 0) await this.#quiet.promise
        // Whoever has waited for an answer may go on from it with the next call.
        await new Promise((resolve) => setImmediate(resolve))
      } while (this.#calls > 0)
    }
    const { signal } = this.#hurry
    await limited(abortable(drained(), signal), limitMs, () => closedError()).catch(doNothing)
  }

  /** Takes out the owned resource that was handed over last, also if that was after the client began to close. */
  #takeNewest(): Owned | undefined {
    this.#closing ??= [...this.#owned]
    let newest = this.#closing.pop()
    while (newest !== undefined && !this.#owned.delete(newest)) newest = this.#closing.pop()
    return newest
  }

  #onState(state: ClientState): void {
    if (state.status === 'expired') this.#wrappers.clear()
    this.#listeners.tell(state)
    this.notices?.state(state)
  }

  /** The path on the servers, which the namespace can have made too long. */
  #onServers(path: string, isPrefix: boolean): string {
    const resolved = isPrefix ? this.#namespace.resolvePrefix(path) : this.#namespace.resolve(path)
    if (resolved !== path) validateLength(resolved, 'path in the namespace')
    return resolved
  }

  #read<T>(
    method: 'get' | 'exists' | 'children',
    path: string,
    options: ReadOptions,
    read: (session: Session, watch?: Watcher) => Promise<T>,
  ): Promise<T> {
    validateOptions(method, options)
    const { watch, signal } = options
    validatePath(path)
    validateFunction('watch', watch)
    this.#onServers(path, false)
    if (watch === undefined) return this.#run(method, path, signal, isLost, (session) => read(session))
    return this.#watchedRead(method, path, this.#wrappers.wrap(path, watch), signal, read)
  }

  async #watchedRead<T>(
    method: ObservedMethod,
    path: string,
    wrapped: WrappedWatch,
    signal: AbortSignal | undefined,
    read: (session: Session, watch?: Watcher) => Promise<T>,
  ): Promise<T> {
    const attempt = async (session: Session): Promise<T> => {
      if (wrapped.unwatched) return read(session)
      this.#wrappers.keep(wrapped)
      try {
        return await abortable(read(session, wrapped.watcher), signal, path)
      } catch (error) {
        // Above all after an abort: the read goes on, and would arm it.
        session.unwatch(path, wrapped.watcher)
        throw error
      }
    }
    try {
      return await this.#run(method, path, signal, isLost, attempt)
    } catch (error) {
      this.#wrappers.forget(wrapped)
      throw error
    }
  }

  /** Makes a call on the live session: the one way of all calls. */
  #run<T>(
    method: ObservedMethod,
    path: string | undefined,
    signal: AbortSignal | undefined,
    repeatable: Repeatable,
    call: (session: Session) => Promise<T>,
  ): Promise<T> {
    const make = (): Promise<T> => this.#make(path, signal, repeatable, call)
    return this.notices?.hears('onCall') === true ? this.notices.call(method, path, make) : make()
  }

  /** The first attempt is direct; costly steps come only after its failure. */
  async #make<T>(
    path: string | undefined,
    signal: AbortSignal | undefined,
    repeatable: Repeatable,
    call: (session: Session) => Promise<T>,
  ): Promise<T> {
    validateSignal(signal)
    if (this.#keeper.ending.aborted) throw closedError(path)
    if (signal?.aborted === true) throw abortedError(signal, path)
    const { session } = this.#keeper
    const startMs = performance.now()
    this.#calls += 1
    try {
      if (session === null) throw this.#noSession(path)
      return await abortable(call(session), signal, path)
    } catch (error) {
      if (!(error instanceof Error) || !repeatable(error)) throw error
      return await this.#again({ error, startMs }, path, signal, repeatable, call)
    } finally {
      this.#calls -= 1
      if (this.#calls === 0) this.#quiet?.resolve(undefined)
    }
  }

  async #again<T>(
    failed: { readonly error: Error; readonly startMs: number },
    path: string | undefined,
    signal: AbortSignal | undefined,
    repeatable: Repeatable,
    call: (session: Session) => Promise<T>,
  ): Promise<T> {
    const { ending } = this.#keeper
    const endMs = failed.startMs + this.#operationTimeoutMs
    const limitMs = endMs - performance.now()
    const attempt = async (): Promise<T> => {
      const waitMs = Math.max(0, endMs - performance.now())
      const next = (): Promise<Session> => limited(this.#keeper.next(), waitMs, () => this.#noSession(path))
      const session = this.#keeper.session ?? (await abortable(next(), signal, path))
      return await abortable(call(session), signal, path)
    }
    try {
      const either = signal === undefined ? ending : AbortSignal.any([signal, ending])
      return await repeat(failed.error, attempt, { repeatable, limitMs, signal: either })
    } catch (error) {
      if (ending.aborted && isCoordinationError(error, 'ABORTED')) throw closedError(path)
      if (signal?.aborted === true && isCoordinationError(error, 'ABORTED')) throw abortedError(signal, path)
      throw error
    }
  }

  #noSession(path: string | undefined): CoordinationError {
    const cause = this.#keeper.lastError
    const why = reasonOf(cause)
    return new CoordinationError('CONNECTION_LOSS', `there is no session${why === '' ? '' : `: ${why}`}`, {
      outcome: 'not-sent',
      cause,
      ...(path === undefined ? {} : { path }),
    })
  }

  #makePath(path: string, mode: CreateMode, signal: AbortSignal | undefined): Promise<void> {
    this.#onServers(path, false)
    return this.#run('makePath', path, signal, isLost, (session) => makePath(session, path, mode, signal))
  }
}

/** Whether the session of a call that changes nothing was lost or is over: then it may be made again. */
function isLost(error: unknown): boolean {
  return isCoordinationError(error, 'CONNECTION_LOSS', 'SESSION_EXPIRED')
}

/** Whether a call was not sent for want of a server: then even a write may be made again. */
function isUnsent(error: unknown): boolean {
  return isCoordinationError(error, 'CONNECTION_LOSS') && error.outcome === 'not-sent'
}

function doNothing(): void {
  // A resource handed over too late is being closed already, and a drain that took too long is over.
}
