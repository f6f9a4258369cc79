/**
 * Clients on the model backend in virtual time: nothing passes but what a test lets pass.
 */
import { afterEach, beforeEach, vi } from 'vitest'
import type { Client, ConnectOptions } from '../../src/core/client.ts'
import { connect } from '../../src/core/connect.ts'
import { isCoordinationError } from '../../src/core/errors.ts'
import { pendingCleanups } from '../../src/recipes/engine/cleanups.ts'
import { modelBackend } from '../../src/testing/model/backend.ts'
import type { ModelBackend, ModelControl, ModelOptions } from '../../src/testing/model/backend.ts'
import type { Fate, ModelRequest } from '../../src/testing/model/ensemble.ts'

/** One way between a client and the servers. */
export const LATENCY_MS = 5
/** There and back. */
export const ROUND_TRIP_MS = 2 * LATENCY_MS
/** The session time-out of every client. */
export const SESSION_TIMEOUT_MS = 9_000

const STEP_MS = 5
const LIMIT_MS = 120_000

/** The backend of a test, with its control, and its clients. */
export interface Rig {
  readonly backend: ModelBackend
  readonly control: ModelControl
  /** The errors that clients reported to `onError`. */
  readonly errors: unknown[]
  /** Connects another client. */
  connect(options?: ConnectOptions): Promise<Client>
}

/** Numbers that look random and are the same in every run: pauses with jitter are what they were. */
function sameNumbers(): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return state / 0x80000000
  }
}

/** Installs virtual time, and the same pauses in every run, for every test of a file. */
export function useVirtualTime(): void {
  beforeEach(() => {
    const timeouts = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] as const
    const turns = ['setImmediate', 'clearImmediate'] as const
    vi.spyOn(Math, 'random').mockImplementation(sameNumbers())
    vi.useFakeTimers({ toFake: [...timeouts, ...turns, 'Date', 'performance'] })
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })
}

/** Makes servers. */
export function newRig(options: ModelOptions = {}): Rig {
  const backend = modelBackend({ latencyMs: LATENCY_MS, sessionTimeoutMs: SESSION_TIMEOUT_MS, ...options })
  const errors: unknown[] = []
  const connectOptions = { onError: (error: unknown) => void errors.push(error) }
  return {
    backend,
    control: backend.control,
    errors,
    connect: (more = {}) => run(connect(backend, { ...connectOptions, ...more })),
  }
}

/** Lets time pass. */
export async function pass(timeMs: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(timeMs)
}

/** Lets time pass until a promise is settled, and returns or throws what it came to. */
export async function run<T>(promise: Promise<T>): Promise<T> {
  let isSettled = false
  const settle = (): void => {
    isSettled = true
  }
  promise.then(settle, settle)
  for (let passedMs = 0; !isSettled; passedMs += STEP_MS) {
    if (passedMs > LIMIT_MS) throw new Error(`not settled within ${String(LIMIT_MS)} ms of virtual time`)
    await pass(passedMs === 0 ? 0 : STEP_MS)
  }
  return promise
}

/** The error that a promise rejects with, in virtual time. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await run(promise)
  } catch (error) {
    return error
  }
  throw new Error('it was expected to reject')
}

/** The code and the outcome of an error. */
export function codeOf(error: unknown): string {
  return isCoordinationError(error) ? `${error.code}/${error.outcome}` : String(error)
}

/** Whether and how a promise is settled at this instant. */
export async function stateOf(promise: Promise<unknown>): Promise<'pending' | 'fulfilled' | 'rejected'> {
  const settled = promise.then(() => 'fulfilled' as const, () => 'rejected' as const)
  await pass(0)
  return Promise.race([settled, Promise.resolve('pending' as const)])
}

/** The id of the live session. */
export function sessionOf(client: Client): bigint {
  if (client.sessionId === null) throw new Error('the client has no session')
  return client.sessionId
}

/** Breaks a client's connection for some time. */
export async function interrupt(rig: Rig, client: Client, timeMs: number): Promise<void> {
  const id = sessionOf(client)
  rig.control.disconnect(id)
  await pass(timeMs)
  rig.control.reconnect(id)
  await pass(ROUND_TRIP_MS)
}

/** The fates of a request: each way in which it can fail or be late. */
const FATES: Fate[] = ['lose-before', 'lose-after', 'expire-before', 'expire-after', { delayMs: 300 }]

/** A fault and the request (from 1) that meets it. */
export interface Strike {
  readonly what: string
  readonly fate: Fate
  readonly nth: number
}

/** Every fault at every one of the first requests. */
export function sweepOf(requests: number): Strike[] {
  return FATES.flatMap((fate) =>
    Array.from({ length: requests }, (_, index) => ({ what: JSON.stringify(fate), fate, nth: index + 1 })),
  )
}

/** Gives a fate to the n-th request (from 1) that matches, and none to the others. Tells whether it has met it. */
export function strike(
  rig: Rig,
  fate: Fate,
  matches: (request: ModelRequest) => boolean,
  nth = 1,
): { readonly isMet: boolean } {
  let seen = 0
  const struck = { isMet: false }
  rig.control.onRequest((request) => {
    if (struck.isMet || !matches(request)) return undefined
    seen += 1
    if (seen !== nth) return undefined
    struck.isMet = true
    return fate
  })
  return struck
}

/** Paths of nodes below a path. */
export function nodesUnder(rig: Rig, path: string): string[] {
  return rig.control.nodes().map((node) => node.path).filter((found) => found.startsWith(`${path}/`))
}

/** Ephemeral nodes there are. */
export function ephemerals(rig: Rig): string[] {
  return rig.control.nodes().filter((node) => node.ephemeralOwner !== 0n).map((node) => node.path)
}

/** Closes clients, and says what they left behind. */
export async function closeAll(rig: Rig, ...clients: Client[]): Promise<string[]> {
  for (const client of clients) await run(client.close())
  // An attempt to open a session that was under way ends by itself.
  await pass(2 * ROUND_TRIP_MS)
  const left: string[] = [...ephemerals(rig)]
  if (rig.control.watchCount() > 0) left.push(`${String(rig.control.watchCount())} watches`)
  if (vi.getTimerCount() > 0) left.push(`${String(vi.getTimerCount())} timers`)
  for (const client of clients) if (pendingCleanups(client) > 0) left.push('pending clean-ups')
  return left
}
