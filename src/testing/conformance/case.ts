/**
 * How a conformance suite meets a test runner and a backend: cases are data, each runs in a world of its own.
 */
import type { Backend, Capabilities, OpenOptions, Session, SessionState } from '../../core/backend.ts'
import type { WatchEvent, Watcher } from '../../core/backend.ts'
import { equal, eventually, ok, within } from './expect.ts'

/** The functions of a test runner that a suite calls; vitest, jest, mocha and node:test have them. */
export interface Runner {
  /** Registers a group. */
  readonly describe: (name: string, body: () => void) => unknown
  /** Registers a case. */
  readonly it: RunnerIt
  /** If given, the subject is created once for the whole suite and closed here; otherwise once for each case. */
  readonly afterAll?: (hook: () => Promise<void>) => unknown
}

/** A runner's `it`. */
export interface RunnerIt {
  /** Registers a case; it fails if `run` rejects. */
  (name: string, run: () => Promise<void>): unknown
  /** Registers what is not run; the name says why. */
  readonly skip: (name: string, run: () => Promise<void>) => unknown
}

/** A test's hand on the engine. An absent ability skips the cases that need it, with the reason in their names. */
export interface BackendControl {
  /** Makes the servers end a session as if they had not heard of it for its time-out. */
  readonly expire?: (sessionId: bigint) => void | Promise<void>
  /** Breaks a session's connection. If there is no `reconnect`, the session finds a server again by itself. */
  readonly disconnect?: (sessionId: bigint) => void | Promise<void>
  /** Lets it find a server again. */
  readonly reconnect?: (sessionId: bigint) => void | Promise<void>
  /** Removes empty containers, and nodes whose time to live is over, now. */
  readonly reap?: () => void | Promise<void>
  /** The same engine at a place where no server answers, such as a port that nobody listens on. */
  readonly unreachable?: () => Backend | Promise<Backend>
}

/** An engine under test. */
export interface Subject {
  /** The engine, which nobody else uses meanwhile. */
  readonly backend: Backend
  /** Faults that the test can inject into it. */
  readonly control?: BackendControl
  /** Ends the engine, after every session was closed. */
  close(): Promise<void>
}

/** One case of a suite. */
export interface Case<W> {
  /** A sentence about behaviour. */
  readonly name: string
  /** The abilities without which it cannot be run. */
  readonly needs?: readonly (keyof BackendControl)[]
  /**
   * Names the capability that the case rests on and the engine lacks, or null. Such an engine is asked to refuse
   * instead, which is no skip.
   */
  readonly lacks?: (capabilities: Capabilities) => string | null
  /** Asserts it. */
  readonly run: (world: W) => Promise<void>
}

/** A watcher that records its events. */
interface Recorder {
  readonly watch: Watcher
  readonly events: readonly WatchEvent[]
}

/** How long a case waits for what has to happen, in milliseconds; no case waits for what must not. */
export const PATIENCE_MS = 5_000

const CASE_PATIENCES = 4
const READS_PER_PAUSE = 50
const STEPS_PER_TURN = 4

/** The world of a case: sessions that are closed after it, and a node of its own to work under. */
export class BackendWorld {
  /** A persistent node that only this case knows. */
  readonly base: string
  readonly backend: Backend
  readonly control: BackendControl
  /** How long it waits for what has to happen, in milliseconds. */
  readonly patienceMs: number
  readonly #sessions: Session[] = []
  readonly #errors: unknown[] = []

  private constructor(subject: Subject, patienceMs: number) {
    this.base = `/conformance-${crypto.randomUUID()}`
    this.backend = subject.backend
    this.control = subject.control ?? {}
    this.patienceMs = patienceMs
  }

  /** Runs a case in a world of its own, and closes the sessions that it opened. */
  static async run(subject: Subject, patienceMs: number, body: (world: BackendWorld) => Promise<void>): Promise<void> {
    const world = new BackendWorld(subject, patienceMs)
    try {
      const first = await world.open()
      await first.create(world.base, new Uint8Array(), { mode: 'persistent' })
      await within(body(world), 'this case', CASE_PATIENCES * patienceMs)
      equal(world.takeErrors(), [], 'errors that were reported to onError')
    } finally {
      await within(Promise.all(world.#sessions.map((session) => session.close())), 'closing all sessions', patienceMs)
    }
  }

  /** Opens a session. */
  async open(options: Pick<OpenOptions, 'sessionTimeoutMs' | 'callTimeoutMs'> = {}): Promise<Session> {
    const onError = (error: unknown): void => void this.#errors.push(error)
    const session = await within(this.backend.open({ onError, ...options }), 'open', this.patienceMs)
    this.#sessions.push(session)
    return session
  }

  /** Makes a path under the node of this case. */
  path(name: string): string {
    return `${this.base}/${name}`
  }

  /** Makes a persistent node under the node of this case, and returns its path. */
  async node(session: Session, name: string, data = ''): Promise<string> {
    const { path } = await session.create(this.path(name), bytes(data), { mode: 'persistent' })
    return path
  }

  /** Waits until a condition holds. */
  eventually(condition: () => boolean | Promise<boolean>, promise: string): Promise<void> {
    return eventually(condition, promise, this.patienceMs)
  }

  /**
   * Reads without a pause, so that the very first reply that shows a change is caught; now and then it lets timers run.
   */
  async readUntil(shown: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + this.patienceMs
    for (let reads = 1; !(await shown()); reads++) {
      ok(performance.now() < deadlineMs, `the change is read within ${this.patienceMs} ms`)
      if (reads % READS_PER_PAUSE === 0) await new Promise((resolve) => setTimeout(resolve, 0))
    }
  }

  /** Breaks a session's connection, and waits until it noticed. */
  async disconnect(session: Session): Promise<void> {
    const log = stateLog(session)
    await this.control.disconnect?.(session.id)
    await this.eventually(() => log.includes('suspended'), 'a session whose connection broke says `suspended`')
  }

  /** Lets a session find a server again, and waits until it has. */
  async reconnect(session: Session): Promise<void> {
    await this.control.reconnect?.(session.id)
    await this.eventually(() => session.state.status === 'connected', 'a session that found a server says `connected`')
  }

  /** Ends a session from the servers' side, and waits until it noticed. */
  async expire(session: Session): Promise<void> {
    await this.control.expire?.(session.id)
    await this.eventually(() => session.state.status === 'expired', 'a session that the servers ended says `expired`')
  }

  /** Takes the errors reported to the sessions' `onError` since the last call. */
  takeErrors(): unknown[] {
    return this.#errors.splice(0)
  }
}

/** Makes a watcher that records its events. */
export function recorder(): Recorder {
  const events: WatchEvent[] = []
  return { events, watch: (event) => void events.push({ type: event.type, path: event.path }) }
}

/** Writes down the states that a session goes through from now on. */
export function stateLog(session: Session): readonly SessionState['status'][] {
  const log: SessionState['status'][] = []
  session.onState((state) => void log.push(state.status))
  return log
}

/**
 * Waits until this session has seen everything that happened before: since an event is delivered before the session
 * can read the state that fired it, an event that has not come by then never comes. This is how cases assert silence
 * without waiting.
 */
export async function settle(session: Session): Promise<void> {
  await session.sync('/')
  ok((await session.exists('/')) !== null, 'the root exists')
}

/**
 * Lets everything go on by a few small steps, so that a fault comes at another moment in each round: a step is a
 * microtask, every fourth one a turn of the event loop.
 */
export async function steps(count: number): Promise<void> {
  for (let step = 1; step <= count; step++) {
    await (step % STEPS_PER_TURN === 0 ? new Promise((resolve) => setImmediate(resolve)) : undefined)
  }
}

/** Encodes a string. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Decodes to a string. */
export function text(data: Uint8Array): string {
  return new TextDecoder().decode(data)
}

/** Registers cases with a runner: those that lack an ability as skips that say so. */
export function register<W>(
  runner: Runner,
  title: string,
  cases: readonly Case<W>[],
  abilities: (ability: keyof BackendControl) => boolean,
  run: (body: (world: W) => Promise<void>) => Promise<void>,
): void {
  runner.describe(title, () => {
    for (const { name, needs = [], run: body } of cases) {
      const missing = needs.filter((ability) => !abilities(ability))
      if (missing.length === 0) runner.it(name, () => run(body))
      else runner.it.skip(`${name} (skipped: needs control.${missing.join(', control.')})`, () => run(body))
    }
  })
}
