/** The rig of the client's tests: a scripted backend, virtual time, and the errors that had no caller. */
import { afterEach, beforeEach, vi } from 'vitest'
import { connect } from '../../src/core/connect.ts'
import type { Client, ConnectOptions } from '../../src/core/client.ts'
import { ScriptedBackend } from './scripted-backend.ts'
import type { ScriptedSession } from './scripted-backend.ts'

/** The state of one test; made again for each. */
export interface Rig {
  backend: ScriptedBackend
  /** The errors that `onError` got. */
  errors: unknown[]
  readonly onError: (error: unknown) => void
  /** Lets everything that was promised happen, without time passing. */
  readonly settle: () => Promise<unknown>
  /** Connects a client. */
  readonly connected: (options?: ConnectOptions) => Promise<{ client: Client; session: ScriptedSession }>
}

/** Sets up each test of a file; jitter is always at its bound. */
export function useRig(): Rig {
  const rig: Rig = {
    backend: new ScriptedBackend(),
    errors: [],
    onError: (error) => void rig.errors.push(error),
    settle: () => vi.advanceTimersByTimeAsync(0),
    connected: async (options = {}) => {
      const client = await connect(rig.backend, { onError: rig.onError, ...options })
      return { client, session: rig.backend.last }
    },
  }
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
    vi.spyOn(Math, 'random').mockReturnValue(1)
    rig.backend = new ScriptedBackend()
    rig.errors = []
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })
  return rig
}
