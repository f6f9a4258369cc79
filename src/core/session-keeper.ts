/**
 * Keeps a session open: opens the first, and the next one when it is over, until it is closed.
 *
 * Model     at most one session at a time. The client's state is read from that session; there is
 *           no second opinion that could differ (CURATOR-36, CURATOR-561).
 */
import { deferred } from './async.ts'
import type { Deferred } from './async.ts'
import type { Backend, Session, SessionState } from './backend.ts'
import type { ClientState } from './client.ts'
import { CoordinationError, isCoordinationError } from './errors.ts'
import type { ErrorListener } from './session/event-queue.ts'
import { namespaced } from './session/namespaced.ts'
import { repeat } from './retry.ts'

/** The settings and callbacks that a client gives its keeper. */
interface KeeperOptions {
  /** The node of the servers that its sessions show as their root. */
  readonly namespace: string
  /** The session time-out to ask for, in milliseconds; the engine's own if absent. */
  readonly sessionTimeoutMs: number | undefined
  /** How long a call waits for a server, in milliseconds. */
  readonly callTimeoutMs: number
  /** Gets errors that have no caller. */
  readonly onError: ErrorListener
  /** Gets each new state, in order. */
  readonly onState: (state: ClientState) => void
}

/** Does what must be done before a session is used. */
type Prepare = (session: Session) => Promise<void>

/** Keeps a session open. */
export class SessionKeeper {
  readonly #backend: Backend
  readonly #options: KeeperOptions
  readonly #ending = new AbortController()
  #session: Session | null = null
  #sessionId = 0n
  #sessionTimeoutMs = 0
  /** The last state that was published, so that none is published twice. */
  #told: SessionState | null = null
  #next: Deferred<Session> = deferred()
  #lastError: unknown

  /**
   * Makes a keeper without a session.
   *
   * @param backend - opens them
   */
  constructor(backend: Backend, options: KeeperOptions) {
    this.#backend = backend
    this.#options = options
    this.#next.promise.catch(ignore)
  }

  /** The session to call, or null while there is none. */
  get session(): Session | null {
    return this.#session
  }

  /** Where the client stands, read from its session. */
  get state(): ClientState {
    if (this.#ending.signal.aborted) return { status: 'closed' }
    const state = this.#session?.state
    return state === undefined ? { status: 'expired', sessionId: this.#sessionId } : this.#stateOf(state)
  }

  /** The negotiated time-out of the live or last session, in milliseconds. */
  get sessionTimeoutMs(): number {
    return this.#session?.timeoutMs ?? this.#sessionTimeoutMs
  }

  /** Why the last attempt to open a session failed; undefined once one has succeeded. */
  get lastError(): unknown {
    return this.#lastError
  }

  /** Aborted by `close()`. */
  get ending(): AbortSignal {
    return this.#ending.signal
  }

  /**
   * Opens the first session; tries on over connection losses until `close()`.
   *
   * @throws the engine's error, if another attempt cannot mend it
   */
  async open(): Promise<void> {
    this.#adopt(await this.#establish(() => this.#attempt(), isPassing))
  }

  /**
   * Opens the first session in its own time: tries on over every failure until `close()`.
   *
   * @param prepare - called before a session is used
   */
  openLater(prepare: Prepare): void {
    void this.#reopen(prepare)
  }

  /**
   * Waits for the next session, where there is none now.
   *
   * @throws CoordinationError `CLIENT_CLOSED` with outcome `not-sent`
   */
  next(): Promise<Session> {
    return this.#next.promise
  }

  /** Closes the session, and opens no more. */
  async close(): Promise<void> {
    const session = this.#session
    this.#session = null
    this.#ending.abort()
    this.#next.reject(closedError())
    await session?.close()
  }

  /** Makes attempts until one succeeds, or fails in a way that is not repeatable. */
  async #establish(attempt: () => Promise<Session>, repeatable: (error: unknown) => boolean): Promise<Session> {
    const { signal } = this.#ending
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof Error) || !repeatable(error) || signal.aborted) throw error
      return await repeat(error, attempt, { repeatable, limitMs: Infinity, signal })
    }
  }

  async #attempt(): Promise<Session> {
    const { namespace, sessionTimeoutMs, callTimeoutMs, onError } = this.#options
    const { signal } = this.#ending
    try {
      const session = await this.#backend.open({
        onError,
        signal,
        callTimeoutMs,
        ...(sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs }),
      })
      if (!signal.aborted) return namespaced(session, namespace)
      await session.close()
      throw closedError()
    } catch (error) {
      this.#lastError = error
      throw error
    }
  }

  #adopt(session: Session): void {
    this.#session = session
    this.#lastError = undefined
    this.#sessionId = session.id
    session.onState((state) => {
      this.#onState(session, state)
    })
    this.#options.onState({ status: 'connected', sessionId: session.id })
    this.#next.resolve(session)
    // It may have changed between its opening and here.
    if (session.state.status !== 'connected') this.#onState(session, session.state)
  }

  #onState(session: Session, state: SessionState): void {
    if (session !== this.#session || state === this.#told) return
    this.#told = state
    this.#sessionTimeoutMs = session.timeoutMs
    const over = state.status === 'expired' || state.status === 'closed'
    if (over) {
      this.#session = null
      this.#next = deferred()
      this.#next.promise.catch(ignore)
    }
    this.#options.onState(this.#stateOf(state))
    if (over) void this.#reopen()
  }

  async #reopen(prepare: Prepare = () => Promise.resolve()): Promise<void> {
    try {
      this.#adopt(await this.#establish(() => this.#replacement(prepare), () => !this.#ending.signal.aborted))
    } catch (error) {
      if (!this.#ending.signal.aborted) this.#options.onError(error)
    }
  }

  /** One attempt to open the next session. A client that lives on has to have one, so every failure may be repeated. */
  async #replacement(prepare: Prepare): Promise<Session> {
    try {
      return await this.#prepared(await this.#attempt(), prepare)
    } catch (error) {
      if (isPassing(error) || this.#ending.signal.aborted) throw error
      this.#options.onError(error)
      // p-retry gives up on a TypeError, and on what is no Error at all.
      const message = 'the engine failed to open a session'
      throw new CoordinationError('SYSTEM_ERROR', message, { outcome: 'not-sent', cause: error })
    }
  }

  async #prepared(session: Session, prepare: Prepare): Promise<Session> {
    try {
      await prepare(session)
      return session
    } catch (error) {
      await session.close().catch(ignore)
      throw error
    }
  }

  #stateOf(state: SessionState): ClientState {
    // It is another one after a move from a read-only server.
    const sessionId = this.#session?.id ?? this.#sessionId
    switch (state.status) {
      case 'connected':
        return { status: 'connected', sessionId }
      case 'suspended':
        return { status: 'suspended', sessionId, deadlineMs: state.deadlineMs }
      case 'expired':
      case 'closed':
        return { status: 'expired', sessionId }
    }
  }
}

/** Whether an opening failed in a way that passes by itself. */
function isPassing(error: unknown): boolean {
  return isCoordinationError(error, 'CONNECTION_LOSS', 'TIMEOUT')
}

/** The error of a call on a client that is closed. */
export function closedError(path?: string): CoordinationError {
  return new CoordinationError('CLIENT_CLOSED', 'the client was closed', {
    outcome: 'not-sent',
    ...(path === undefined ? {} : { path }),
  })
}

function ignore(): void {
  // Whoever waits for the next session hears of it; nobody has to wait.
}
