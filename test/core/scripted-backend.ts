/** A backend whose sessions answer what a test tells them to. */
import { deferred } from '../../src/core/async.ts'
import type { Deferred } from '../../src/core/async.ts'
import type { Backend, Capabilities, OpenOptions, Session } from '../../src/core/backend.ts'
import type { SessionState, Stat, Watcher } from '../../src/core/backend.ts'
import { CoordinationError } from '../../src/core/errors.ts'
import type { ErrorCode, Outcome } from '../../src/core/errors.ts'

export const STAT: Stat = {
  czxid: 1n,
  mzxid: 2n,
  pzxid: 3n,
  ctime: 4,
  mtime: 5,
  version: 6,
  cversion: 7,
  aversion: 8,
  ephemeralOwner: 0n,
  dataLength: 9,
  numChildren: 10,
}

export const CAPABILITIES: Capabilities = {
  durability: 'memory',
  linearizableSync: true,
  comparesCreations: true,
  containers: true,
  ttlGranularityMs: 1,
  acl: true,
  dataBytesMax: 100,
}

export const refusal = (code: ErrorCode, outcome: Outcome, path?: string): CoordinationError =>
  new CoordinationError(code, code, { outcome, ...(path === undefined ? {} : { path }) })

/** One call of a session, to be answered by the test. */
export interface ScriptedCall extends Deferred<never> {
  readonly method: string
  readonly arguments: readonly unknown[]
}

export class ScriptedSession implements Session {
  readonly id: bigint
  readonly timeoutMs = 3000
  leaseDeadlineMs = 2000
  state: SessionState = { status: 'connected' }
  readonly calls: ScriptedCall[] = []
  readonly unwatched: [string, Watcher][] = []
  readonly #listeners = new Set<(state: SessionState) => void>()
  closeCount = 0
  /** `close` waits for this. */
  closing: Promise<void> = Promise.resolve()

  constructor(id: bigint) {
    this.id = id
  }

  get listenerCount(): number {
    return this.#listeners.size
  }

  get last(): ScriptedCall {
    const call = this.calls.at(-1)
    if (call === undefined) throw new Error('nothing was called')
    return call
  }

  become(state: SessionState): void {
    this.state = state
    for (const listener of this.#listeners) queueMicrotask(() => listener(state))
  }

  onState(listener: (state: SessionState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #call(method: string, ...rest: unknown[]): Promise<never> {
    const call = { method, arguments: rest, ...deferred<never>() }
    this.calls.push(call)
    return call.promise
  }

  create = (...rest: unknown[]): Promise<never> => this.#call('create', ...rest)
  get = (...rest: unknown[]): Promise<never> => this.#call('get', ...rest)
  exists = (...rest: unknown[]): Promise<never> => this.#call('exists', ...rest)
  children = (...rest: unknown[]): Promise<never> => this.#call('children', ...rest)
  set = (...rest: unknown[]): Promise<never> => this.#call('set', ...rest)
  delete = (...rest: unknown[]): Promise<never> => this.#call('delete', ...rest)
  multi = (...rest: unknown[]): Promise<never> => this.#call('multi', ...rest)
  sync = (...rest: unknown[]): Promise<never> => this.#call('sync', ...rest)

  unwatch(path: string, watch: Watcher): void {
    this.unwatched.push([path, watch])
  }

  async close(): Promise<void> {
    this.closeCount += 1
    for (const call of this.calls) call.reject(refusal('CLIENT_CLOSED', 'not-sent'))
    this.become({ status: 'closed' })
    await this.closing
  }
}

export class ScriptedBackend implements Backend {
  readonly name = 'scripted'
  capabilities: Capabilities = CAPABILITIES
  readonly sessions: ScriptedSession[] = []
  readonly opens: OpenOptions[] = []
  /** The fates of the next openings; when there is none left they succeed. */
  readonly script: ('pending' | Error)[] = []
  #lastId = 0n

  async open(options: OpenOptions): Promise<Session> {
    this.opens.push(options)
    const step = this.script.shift()
    if (step instanceof Error) throw step
    if (step === 'pending') {
      const aborted = deferred<never>()
      options.signal?.addEventListener('abort', () => {
        aborted.reject(new Error('aborted'))
      })
      await aborted.promise
    }
    const session = new ScriptedSession(++this.#lastId)
    this.sessions.push(session)
    return session
  }

  get last(): ScriptedSession {
    const session = this.sessions.at(-1)
    if (session === undefined) throw new Error('nothing was opened')
    return session
  }
}
