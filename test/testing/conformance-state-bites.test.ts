/**
 * Every operation in every state: each of these backends gets one state wrong, and the case about it has to say so.
 */
import type { Session } from '../../src/core/backend.ts'
import { CoordinationError, isCoordinationError } from '../../src/core/errors.ts'
import type { ErrorCode, Outcome } from '../../src/core/errors.ts'
import { modelBackend } from '../../src/testing/index.ts'
import { biteSuite } from './broken-backends.ts'
import type { Broken } from './broken-backends.ts'

const WAITS = 'while suspended every operation waits for a server and is done, or rejects and was not sent'
const CLOSES = 'a close while suspended ends every call that waits with CLIENT_CLOSED, and none was sent'
const EXPIRES = 'an expiry while suspended ends every call that waits, and none was sent'
const GIVES_UP = 'a session that finds no server in time gives itself up as `expired`, and ends every call that waits'
const EXPIRED = 'after an expiry every operation rejects with SESSION_EXPIRED, and the session is over'
const CLOSED = 'after close every operation rejects with CLIENT_CLOSED, and nothing was sent'

const LONG_MS = 1_000
const never = new Promise<never>(() => undefined)

const BROKEN: readonly Broken[] = [
  {
    what: 'an open that finds no server says that something may have been sent',
    control: (model) => {
      const unreachable = modelBackend()
      const open = () => Promise.reject(failure('CONNECTION_LOSS', 'unknown'))
      return { ...model.control, unreachable: () => ({ ...unreachable, open }) }
    },
    caughtBy: 'an open that finds no server rejects with CONNECTION_LOSS, and nothing was sent',
  },
  {
    what: 'an open that is given up hangs',
    open: (open) => (options) => (options.signal === undefined ? open(options) : never),
    caughtBy: 'an open that is given up on the way ends: it rejects, or there is a session that can be closed',
  },
  {
    what: 'a call made while suspended is forgotten',
    breakage: (session) => ({ sync: (path) => (isSuspended(session) ? never : session.sync(path)) }),
    caughtBy: WAITS,
  },
  {
    what: 'a write made while suspended is refused as not sent, and done all the same',
    breakage: (session) => ({
      delete: (path, version) => {
        const done = session.delete(path, version)
        return isSuspended(session) ? done.then(() => Promise.reject(failure('CONNECTION_LOSS', 'not-sent'))) : done
      },
    }),
    caughtBy: WAITS,
  },
  {
    what: 'a write made while suspended is acknowledged, and never done',
    breakage: (session) => ({
      delete: (path, version) => (isSuspended(session) ? Promise.resolve() : session.delete(path, version)),
    }),
    caughtBy: WAITS,
  },
  {
    what: 'the watch of a read made while suspended is not armed',
    breakage: (session) => ({
      get: (path, watch) => (isSuspended(session) ? session.get(path) : session.get(path, watch)),
    }),
    caughtBy: WAITS,
  },
  {
    what: 'writes made while suspended overtake each other',
    breakage: (session) => {
      let calls = 0
      return {
        set: async (path, data, version) => {
          if (isSuspended(session) && calls++ % 2 === 0) await new Promise((resolve) => session.onState(resolve))
          return session.set(path, data, version)
        },
      }
    },
    caughtBy: 'writes called while suspended take effect in the order of the calls',
  },
  {
    what: 'an unwatch while suspended is forgotten',
    breakage: (session) => ({
      unwatch: (path, watch) => {
        if (!isSuspended(session)) session.unwatch(path, watch)
      },
    }),
    caughtBy: 'unwatch while suspended drops a function, and fires nothing for it after the reconnect',
  },
  {
    what: 'the lease deadline moves on without a server',
    breakage: (session) => ({
      get leaseDeadlineMs() {
        return isSuspended(session) ? performance.now() + LONG_MS : session.leaseDeadlineMs
      },
    }),
    caughtBy: 'the lease deadline stands still while suspended',
  },
  {
    what: 'callTimeoutMs is not looked at',
    open: (open) => ({ callTimeoutMs: _, ...options }) => open(options),
    caughtBy: 'a call waits for a server no longer than callTimeoutMs, and was not sent then',
  },
  {
    what: 'a close while suspended leaves a call waiting',
    breakage: (session) => ({
      sync: (path) => session.sync(path).catch(hanging('CLIENT_CLOSED')),
    }),
    caughtBy: CLOSES,
  },
  {
    what: 'a call that waits is done in spite of the close',
    breakage: (session, { model }) => ({
      delete: (path, version) => {
        return session.delete(path, version).catch(async (error: unknown) => {
          const other = await model.open({ onError: () => undefined })
          await other.delete(path, version)
          throw error
        })
      },
    }),
    caughtBy: CLOSES,
  },
  {
    what: 'a write that waited when the session expired says that it may have been sent',
    breakage: (session) => ({
      set: (path, data, version) => session.set(path, data, version).catch(told('SESSION_EXPIRED', 'unknown')),
    }),
    caughtBy: EXPIRES,
  },
  {
    what: 'a session never gives itself up',
    breakage: (session) => ({
      onState: (listener) => session.onState((state) => state.status !== 'expired' && listener(state)),
    }),
    caughtBy: GIVES_UP,
  },
  {
    what: 'a call waits for longer than its session',
    breakage: (session) => ({
      exists: (path, watch) => session.exists(path, watch).catch(hanging('SESSION_EXPIRED')),
    }),
    caughtBy: GIVES_UP,
  },
  {
    what: 'a read after an expiry is answered',
    breakage: (session) => ({
      exists: async (path, watch) => (session.state.status === 'expired' ? null : session.exists(path, watch)),
    }),
    caughtBy: EXPIRED,
  },
  {
    what: 'a listener that comes after an expiry is told of it',
    breakage: (session) => ({
      onState: (listener) => {
        if (session.state.status === 'expired') listener(session.state)
        return session.onState(listener)
      },
    }),
    caughtBy: EXPIRED,
  },
  {
    what: 'a write that was done before an expiry says that the session was over',
    breakage: (session) => ({
      create: (path, data, options) => {
        return session.create(path, data, options).catch(told('SESSION_EXPIRED', 'session-over'))
      },
    }),
    faults: ({ control }) => {
      control.onRequest(({ kind, path }) => (kind === 'create' && path.endsWith('/c') ? 'expire-after' : undefined))
    },
    caughtBy: 'calls in flight at an expiry settle, and what each says of its outcome is true',
  },
  {
    what: 'a multi after close is sent',
    breakage: (session, { model }) => ({
      multi: async (operations) => {
        if (session.state.status !== 'closed') return session.multi(operations)
        const other = await model.open({ onError: () => undefined })
        return other.multi(operations).then(() => Promise.reject(failure('CLIENT_CLOSED', 'not-sent')))
      },
    }),
    caughtBy: CLOSED,
  },
  {
    what: 'the watch of a read after close is armed',
    breakage: (session, { model }) => ({
      get: async (path, watch) => {
        if (session.state.status !== 'closed') return session.get(path, watch)
        const other = await model.open({ onError: () => undefined })
        return other.get(path, watch).then(() => Promise.reject(failure('CLIENT_CLOSED', 'not-sent')))
      },
    }),
    caughtBy: CLOSED,
  },
  {
    what: 'a read in flight at a close says that it may have been done',
    breakage: (session) => ({
      children: (path, watch) => session.children(path, watch).catch(told('CLIENT_CLOSED', 'unknown')),
    }),
    caughtBy: 'calls in flight at a close are answered or reject with CLIENT_CLOSED, and none hangs',
  },
]

biteSuite(BROKEN)

function isSuspended({ state }: Session): boolean {
  return state.status === 'suspended'
}

/** Tells another outcome of errors with this code. */
function told(code: ErrorCode, outcome: Outcome): (error: unknown) => never {
  return (error) => {
    throw isCoordinationError(error, code) ? failure(code, outcome) : error
  }
}

/** Keeps a call waiting that failed with this code. */
function hanging(code: ErrorCode): (error: unknown) => Promise<never> {
  return (error) => (isCoordinationError(error, code) ? never : Promise.reject(error))
}

function failure(code: ErrorCode, outcome: Outcome): CoordinationError {
  return new CoordinationError(code, `${code} (${outcome})`, { outcome })
}
