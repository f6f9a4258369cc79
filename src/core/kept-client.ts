/**
 * The client behind {@link connect}: validates, resolves paths, and calls the session that is live; the plain path
 * adds one promise to the session's own.
 *
 * Repeats   a read is repeated when its session was lost or over; a write only when it was not sent. A write of
 *           unknown outcome is the caller's to judge: the recipes know how to find out (CURATOR-584).
 * Errors    name paths as the caller wrote them.
 */
import { bytesOf, isSequential, operationsOf } from './arguments.ts'
import { validateCreatePath, validateMode, validateVersion } from './arguments.ts'
import type { Settings } from './arguments.ts'
import { abortable, abortedError, limited } from './async.ts'
import type { Backend, Capabilities, Children, CreateMode, CreateOptions, Created, NodeData } from './backend.ts'
import type { Operation, OperationResult, Session, Stat, Watcher } from './backend.ts'
import type { Client, ClientCreateOptions, ClientState, Data, OwnedResource } from './client.ts'
import type { ReadOptions, VersionOptions, WaitOptions } from './client.ts'
import { CoordinationError, isCoordinationError } from './errors.ts'
import { EventQueue } from './event-queue.ts'
import { Namespace } from './namespace.ts'
import { validateFunction, validateSignal } from './options.ts'
import { parentOf, validatePath } from './path.ts'
import { thrownAsSeenFrom } from './refusal.ts'
import { repeat } from './retry.ts'
import { SessionKeeper, closedError } from './session-keeper.ts'
import { WatchWrappers } from './watch-wrappers.ts'
import type { WrappedWatch } from './watch-wrappers.ts'

/** How often `makePath` starts again when a parent vanishes under it: an empty container may, at any time. */
const MAKE_PATH_ATTEMPTS = 10

const NO_OPTIONS = Object.freeze({})
const NO_BYTES = new Uint8Array()

/** What of a call may be repeated. */
type Repeatable = (error: unknown) => boolean

/** See {@link Client}, which documents the public members. */
export class KeptClient implements Client {
  readonly capabilities: Capabilities
  readonly #namespace: Namespace
  readonly #operationTimeoutMs: number
  readonly #keeper: SessionKeeper
  /** State listeners run from here, in order. */
  readonly #queue: EventQueue
  readonly #listeners = new Set<(state: ClientState) => void>()
  readonly #wrappers = new WatchWrappers()
  /** In the order in which they were handed over. */
  readonly #owned = new Set<{ readonly close: () => Promise<void> }>()
  #closed: Promise<void> | null = null

  constructor(backend: Backend, settings: Settings) {
    this.capabilities = backend.capabilities
    this.#namespace = new Namespace(settings.namespace)
    this.#operationTimeoutMs = settings.operationTimeoutMs
    this.#queue = new EventQueue(settings.onError)
    this.#keeper = new SessionKeeper(backend, {
      sessionTimeoutMs: settings.sessionTimeoutMs,
      callTimeoutMs: settings.operationTimeoutMs,
      onError: (error) => {
        this.report(error)
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
    validateFunction('listener', listener)
    // A function of its own, so that one listener may listen twice and end each listening by itself.
    const entry = (state: ClientState): unknown => listener(state)
    this.#listeners.add(entry)
    return () => {
      this.#listeners.delete(entry)
    }
  }

  async create(path: string, data: Data = NO_BYTES, options: ClientCreateOptions = NO_OPTIONS): Promise<Created> {
    const { mode = 'persistent', ttlMs, signal } = options
    validateMode(mode, ttlMs, path, this.capabilities)
    validateCreatePath(path, mode)
    const bytes = bytesOf(data, path, this.capabilities)
    const resolved = this.#resolve(path, isSequential(mode))
    const createOptions: CreateOptions = ttlMs === undefined ? { mode } : { mode, ttlMs }
    const created = await this.#run(path, signal, isUnsent, (session) => session.create(resolved, bytes, createOptions))
    return { path: this.#namespace.strip(created.path), stat: created.stat }
  }

  async get(path: string, options: ReadOptions = NO_OPTIONS): Promise<NodeData> {
    return this.#read(path, options, (session, resolved, watch) => session.get(resolved, watch))
  }

  async exists(path: string, options: ReadOptions = NO_OPTIONS): Promise<Stat | null> {
    return this.#read(path, options, (session, resolved, watch) => session.exists(resolved, watch))
  }

  async children(path: string, options: ReadOptions = NO_OPTIONS): Promise<Children> {
    return this.#read(path, options, (session, resolved, watch) => session.children(resolved, watch))
  }

  async set(path: string, data: Data, options: VersionOptions = NO_OPTIONS): Promise<Stat> {
    const { version = -1, signal } = options
    validatePath(path)
    validateVersion(version)
    const bytes = bytesOf(data, path, this.capabilities)
    const resolved = this.#namespace.resolve(path)
    return this.#run(path, signal, isUnsent, (session) => session.set(resolved, bytes, version))
  }

  async delete(path: string, options: VersionOptions = NO_OPTIONS): Promise<void> {
    const { version = -1, signal } = options
    validatePath(path)
    validateVersion(version)
    const resolved = this.#namespace.resolve(path)
    return this.#run(path, signal, isUnsent, (session) => session.delete(resolved, version))
  }

  async multi(operations: readonly Operation[], options: WaitOptions = NO_OPTIONS): Promise<OperationResult[]> {
    const resolved = operationsOf(operations, this.capabilities, (path, isPrefix) => this.#resolve(path, isPrefix))
    const results = await this.#run(undefined, options.signal, isUnsent, (session) => session.multi(resolved))
    return results.map((result) =>
      result.type === 'create' ? { ...result, path: this.#namespace.strip(result.path) } : result,
    )
  }

  async sync(path = '/', options: WaitOptions = NO_OPTIONS): Promise<void> {
    validatePath(path)
    const resolved = this.#namespace.resolve(path)
    return this.#run(path, options.signal, isLost, (session) => session.sync(resolved))
  }

  unwatch(path: string, watch: Watcher): void {
    for (const watcher of this.#wrappers.take(path, watch)) {
      this.#keeper.session?.unwatch(this.#namespace.resolve(path), watcher)
    }
  }

  async makePath(
    path: string,
    options: WaitOptions & { readonly mode?: 'container' | 'persistent' } = NO_OPTIONS,
  ): Promise<void> {
    const { mode = 'container', signal } = options
    validatePath(path)
    if (mode !== 'container' && mode !== 'persistent') {
      throw new TypeError(`mode must be container or persistent, got ${String(mode)}`)
    }
    await this.#makePath(this.#namespace.resolve(path), this.capabilities.containers ? mode : 'persistent', signal)
  }

  own(resource: OwnedResource): () => void {
    const entry = { close: () => resource.close() }
    if (this.#keeper.ending.aborted) {
      // Too late to wait for it, but it must end all the same.
      this.#queue.push(entry.close)
      return doNothing
    }
    this.#owned.add(entry)
    return () => {
      this.#owned.delete(entry)
    }
  }

  report(error: unknown): void {
    this.#queue.report(error)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
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
    const late = (): CoordinationError =>
      new CoordinationError('TIMEOUT', `no session within ${connectTimeoutMs} ms`, {
        outcome: 'aborted',
        cause: this.#keeper.lastError,
      })
    if (signal?.aborted === true) throw abortedError(signal)
    await limited(abortable(this.#open(), signal), connectTimeoutMs, late)
  }

  async #open(): Promise<void> {
    await this.#keeper.open()
    if (this.#namespace.root !== '/') await this.#makePath(this.#namespace.root, 'persistent', undefined)
  }

  async #close(): Promise<void> {
    for (let newest = this.#takeNewest(); newest !== undefined; newest = this.#takeNewest()) {
      try {
        await newest.close()
      } catch (error) {
        this.report(error)
      }
    }
    const closing = this.#keeper.close()
    this.#onState({ status: 'closed' })
    try {
      await closing
    } catch (error) {
      this.report(error)
    }
    this.#wrappers.clear()
  }

  #takeNewest(): { readonly close: () => Promise<void> } | undefined {
    const newest = [...this.#owned].at(-1)
    if (newest !== undefined) this.#owned.delete(newest)
    return newest
  }

  #onState(state: ClientState): void {
    if (state.status === 'expired') this.#wrappers.clear()
    const listeners = [...this.#listeners]
    this.#queue.push(() => {
      for (const listener of listeners) {
        // One that was called before may have ended it.
        if (this.#listeners.has(listener)) this.#queue.call(() => listener(state))
      }
    })
  }

  #resolve(path: string, isPrefix: boolean): string {
    return isPrefix ? this.#namespace.resolvePrefix(path) : this.#namespace.resolve(path)
  }

  #read<T>(
    path: string,
    { watch, signal }: ReadOptions,
    read: (session: Session, resolved: string, watch?: Watcher) => Promise<T>,
  ): Promise<T> {
    validatePath(path)
    validateFunction('watch', watch)
    const resolved = this.#namespace.resolve(path)
    if (watch === undefined) return this.#run(path, signal, isLost, (session) => read(session, resolved))
    return this.#watchedRead(path, this.#wrappers.wrap(path, watch), signal, (session, watcher) =>
      read(session, resolved, watcher),
    )
  }

  async #watchedRead<T>(
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
        session.unwatch(this.#namespace.resolve(path), wrapped.watcher)
        throw error
      }
    }
    try {
      return await this.#run(path, signal, isLost, attempt)
    } catch (error) {
      this.#wrappers.forget(wrapped)
      throw error
    }
  }

  /** Makes a call on the live session. The first attempt is direct; what is costly comes only behind its failure. */
  async #run<T>(
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
    try {
      if (session === null) throw noSession(path)
      return await abortable(call(session), signal, path)
    } catch (error) {
      if (!(error instanceof Error) || !repeatable(error)) throw this.#asWritten(error, path)
      return await this.#again({ error, startMs }, path, signal, repeatable, call)
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
      const next = (): Promise<Session> => limited(this.#keeper.next(), waitMs, () => noSession(path))
      const session = this.#keeper.session ?? (await abortable(next(), signal, path))
      return await abortable(call(session), signal, path)
    }
    try {
      const either = signal === undefined ? ending : AbortSignal.any([signal, ending])
      return await repeat(failed.error, attempt, { repeatable, limitMs, signal: either })
    } catch (error) {
      if (ending.aborted && isCoordinationError(error, 'ABORTED')) throw closedError(path)
      if (signal?.aborted === true && isCoordinationError(error, 'ABORTED')) throw abortedError(signal, path)
      throw this.#asWritten(error, path)
    }
  }

  /** An error whose path is the one that the caller wrote; a multi names several, and its error one of them. */
  #asWritten(error: unknown, path: string | undefined): unknown {
    return thrownAsSeenFrom(error, (onServers) => path ?? this.#namespace.strip(onServers))
  }

  /** Makes a path on the servers. To repeat it is safe, whatever became of the attempt before. */
  async #makePath(resolved: string, mode: CreateMode, signal: AbortSignal | undefined): Promise<void> {
    const path = this.#namespace.holds(resolved) ? this.#namespace.strip(resolved) : resolved
    const found = await this.#run(path, signal, isLost, (session) => session.exists(resolved))
    if (found !== null) return
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#run(path, signal, isLost, (session) => session.create(resolved, NO_BYTES, { mode }))
        return
      } catch (error) {
        if (isCoordinationError(error, 'NODE_EXISTS')) return
        if (!isCoordinationError(error, 'NO_NODE') || attempt === MAKE_PATH_ATTEMPTS) throw error
      }
      await this.#makePath(parentOf(resolved), mode, signal)
    }
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

function noSession(path: string | undefined): CoordinationError {
  return new CoordinationError('CONNECTION_LOSS', 'there is no session', {
    outcome: 'not-sent',
    ...(path === undefined ? {} : { path }),
  })
}

function doNothing(): void {
  // What was handed over too late is being closed already.
}
