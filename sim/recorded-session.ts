/**
 * A session whose calls, answers and callbacks are recorded. It hands out the session's own promises: to record
 * an answer costs the caller no turn.
 */
import type {
  Children,
  Created,
  CreateOptions,
  NodeData,
  Operation,
  OperationResult,
  Session,
  SessionState,
  Stat,
  WatchEvent,
  Watcher,
} from '../src/core/backend.ts'
import { CoordinationError } from '../src/core/errors.ts'
import type { ErrorCode, Outcome } from '../src/core/errors.ts'
import { OpCode } from '../src/backends/wire/codes.ts'
import type { SimNode } from '../src/testing/simulation/sim-node.ts'

/** A call of a session's method. */
export interface ApiCall {
  readonly sessionId: bigint
  /** The operation of the request that it makes. */
  readonly op: number
  readonly path: string
  readonly isWrite: boolean
  /** The callback of a read that arms one. */
  readonly watch: Watcher | null
  /** The request that was sent for it; null if none was yet. */
  xid: number | null
  /** zxid of the reply; null if none came. */
  zxid: bigint | null
  /** Null until it has ended. */
  outcome: 'ok' | Outcome | null
  /** The error code of a call that failed. */
  code: ErrorCode | null
  /** Whether it resolved to null, as an exists of a missing node does. */
  isNull: boolean
}

/** Told of what happens at the sessions. */
export interface ApiObserver {
  opened?(session: RecordedSession): void
  called?(session: RecordedSession, call: ApiCall): void
  settled?(session: RecordedSession, call: ApiCall): void
  /** A watch is about to be called. */
  fired?(session: RecordedSession, event: WatchEvent, watch: Watcher): void
  unwatched?(session: RecordedSession, path: string, watch: Watcher): void
  /** A session was asked to close. */
  closing?(session: RecordedSession): void
}

/** The tap, as a recorded session uses it. */
export interface Recording {
  /** Runs what makes a call. */
  making<T>(call: ApiCall, make: () => T): T
  tell(tell: (observer: ApiObserver) => void): void
}

/** See {@link Session}, which documents the methods. */
export class RecordedSession implements Session {
  readonly node: SimNode
  readonly #incarnation: number
  readonly #session: Session
  readonly #recording: Recording
  /** By the caller's callback, the one that the session was given. */
  readonly #watchers = new WeakMap<Watcher, Watcher>()

  /** Records a session of a client's process. */
  constructor(session: Session, node: SimNode, recording: Recording) {
    this.#session = session
    this.node = node
    this.#incarnation = node.incarnation
    this.#recording = recording
  }

  /** Whether the process that holds it is the one that opened it. */
  get isAlive(): boolean {
    return this.node.isUp && this.node.incarnation === this.#incarnation
  }

  get id(): bigint {
    return this.#session.id
  }

  get timeoutMs(): number {
    return this.#session.timeoutMs
  }

  get state(): SessionState {
    return this.#session.state
  }

  get leaseDeadlineMs(): number {
    return this.#session.leaseDeadlineMs
  }

  onState(listener: (state: SessionState) => void): () => void {
    return this.#session.onState(listener)
  }

  create(path: string, data: Uint8Array, options: CreateOptions): Promise<Created> {
    return this.#call(opOfCreate(options), path, true, () => this.#session.create(path, data, options))
  }

  get(path: string, watch?: Watcher): Promise<NodeData> {
    return this.#call(OpCode.getData, path, false, () => this.#session.get(path, this.#wrap(watch)), watch)
  }

  exists(path: string, watch?: Watcher): Promise<Stat | null> {
    return this.#call(OpCode.exists, path, false, () => this.#session.exists(path, this.#wrap(watch)), watch)
  }

  children(path: string, watch?: Watcher): Promise<Children> {
    return this.#call(OpCode.getChildren2, path, false, () => this.#session.children(path, this.#wrap(watch)), watch)
  }

  set(path: string, data: Uint8Array, version: number): Promise<Stat> {
    return this.#call(OpCode.setData, path, true, () => this.#session.set(path, data, version))
  }

  delete(path: string, version: number): Promise<void> {
    return this.#call(OpCode.delete, path, true, () => this.#session.delete(path, version))
  }

  multi(operations: readonly Operation[]): Promise<OperationResult[]> {
    return this.#call(OpCode.multi, '', true, () => this.#session.multi(operations))
  }

  sync(path: string): Promise<void> {
    return this.#call(OpCode.sync, path, false, () => this.#session.sync(path))
  }

  unwatch(path: string, watch: Watcher): void {
    const watcher = this.#watchers.get(watch)
    if (watcher === undefined) return
    this.#recording.tell((observer) => observer.unwatched?.(this, path, watch))
    this.#session.unwatch(path, watcher)
  }

  close(): Promise<void> {
    this.#recording.tell((observer) => observer.closing?.(this))
    return this.#session.close()
  }

  #call<T>(
    op: number,
    path: string,
    isWrite: boolean,
    make: () => Promise<T>,
    watch: Watcher | null = null,
  ): Promise<T> {
    const call: ApiCall = {
      sessionId: this.id,
      op,
      path,
      isWrite,
      watch,
      xid: null,
      zxid: null,
      outcome: null,
      code: null,
      isNull: false,
    }
    this.#recording.tell((observer) => observer.called?.(this, call))
    const promise = this.#recording.making(call, make)
    promise.then(
      (value) => {
        call.isNull = value === null
        this.#settle(call, 'ok')
      },
      (error: unknown) => {
        // Anything else is misuse: it was refused before it was sent.
        if (error instanceof CoordinationError) call.code = error.code
        this.#settle(call, error instanceof CoordinationError ? error.outcome : 'not-sent')
      },
    )
    return promise
  }

  #settle(call: ApiCall, outcome: 'ok' | Outcome): void {
    call.outcome = outcome
    this.#recording.tell((observer) => observer.settled?.(this, call))
  }

  #wrap(watch: Watcher | undefined): Watcher | undefined {
    if (watch === undefined) return undefined
    const known = this.#watchers.get(watch)
    if (known !== undefined) return known
    const watcher: Watcher = (event) => {
      this.#recording.tell((observer) => observer.fired?.(this, event, watch))
      return watch(event)
    }
    this.#watchers.set(watch, watcher)
    return watcher
  }
}

function opOfCreate({ mode }: CreateOptions): number {
  if (mode === 'persistent-with-ttl') return OpCode.createTTL
  return mode === 'container' ? OpCode.createContainer : OpCode.create2
}
