/**
 * The suite must find what it is there to find: each of these backends breaks one promise of the contract, and one
 * case at least has to say so.
 */
import type { CreateOptions, Session, WatchEvent, Watcher } from '../../src/core/backend.ts'
import { CoordinationError, isCoordinationError } from '../../src/core/errors.ts'
import { biteSuite, watching } from './broken-backends.ts'
import type { Broken } from './broken-backends.ts'

const BROKEN: readonly Broken[] = [
  {
    what: 'events come after the reply of a later read',
    breakage: (session) => watching(session, (watch) => (event) => void setTimeout(() => watch(event), 1)),
    caughtBy: 'an event comes before the reply of a read that was sent behind the change',
  },
  {
    what: 'events of others come late',
    breakage: (session) => watching(session, (watch) => (event) => void setTimeout(() => watch(event), 1)),
    caughtBy: 'an event comes before the first reply that shows what another session changed',
  },
  {
    what: 'a watch fires twice',
    breakage: (session) => {
      return watching(session, (watch) => (event) => {
        watch(event)
        watch(event)
      })
    },
    caughtBy: 'get: a set of the node fires `changed`, once',
  },
  {
    what: 'a watch arms itself again',
    breakage: (session) => {
      return watching(session, (watch) => {
        const again: Watcher = (event) => {
          watch(event)
          if (event.type === 'changed') void session.get(event.path, again).catch(() => undefined)
        }
        return again
      })
    },
    caughtBy: 'get: a set of the node fires `changed`, once',
  },
  {
    what: 'a children watch fires for the data of a child',
    breakage: (session) => ({
      children: async (path, watch) => {
        const answer = await session.children(path, watch)
        if (watch === undefined) return answer
        const tell = (event: WatchEvent): void => {
          if (event.type === 'changed') watch({ type: 'children', path })
        }
        for (const name of answer.names) await session.get(`${path}/${name}`, tell)
        return answer
      },
    }),
    caughtBy: 'children: a set of a child fires nothing',
  },
  {
    what: 'a get watch is not armed',
    breakage: (session) => ({ get: (path) => session.get(path) }),
    caughtBy: 'get: a delete of the node fires `deleted`, once',
  },
  {
    what: 'a get of a missing node arms its watch',
    breakage: (session) => ({
      get: async (path, watch) => {
        if ((await session.exists(path)) === null) await session.exists(path, watch)
        return session.get(path, watch)
      },
    }),
    caughtBy: 'get and children of a missing node are refused and arm nothing',
  },
  {
    what: 'one function given to two reads is armed once',
    breakage: (session) => {
      const armed = new Set<Watcher>()
      return {
        get: (path, watch) => {
          if (watch === undefined || armed.has(watch)) return session.get(path)
          armed.add(watch)
          return session.get(path, watch)
        },
      }
    },
    caughtBy: 'one function is called once for each read that armed it',
  },
  {
    what: 'unwatch does nothing',
    breakage: () => ({ unwatch: () => undefined }),
    caughtBy: 'unwatch drops one function from every read of one path, and nothing else',
  },
  {
    what: 'unwatch forgets reads that are on the way',
    breakage: (session) => {
      const reading = new Set<Watcher>()
      return {
        get: (path, watch) => {
          if (watch !== undefined) reading.add(watch)
          return session.get(path, watch).finally(() => watch !== undefined && reading.delete(watch))
        },
        unwatch: (path, watch) => {
          if (!reading.has(watch)) session.unwatch(path, watch)
        },
      }
    },
    caughtBy: 'unwatch drops a function whose read is still on the way',
  },
  {
    what: 'the sequence starts again when the parent is empty',
    breakage: (session, { model }) => ({
      create: async (path, data, options) => {
        const parent = path.slice(0, path.lastIndexOf('/'))
        const isEmpty = (await session.exists(parent))?.numChildren === 0
        if (isSequential(options) && isEmpty) model.control.setSequence(parent, 0)
        return session.create(path, data, options)
      },
    }),
    caughtBy: 'deletes do not set the count back',
  },
  {
    what: 'only sequential creates count',
    breakage: (session, { model, state }) => ({
      create: async (path, data, options) => {
        const parent = path.slice(0, path.lastIndexOf('/'))
        const next = state.get(parent) ?? 0
        if (isSequential(options)) model.control.setSequence(parent, next)
        const created = await session.create(path, data, options)
        if (isSequential(options)) state.set(parent, next + 1)
        return created
      },
    }),
    caughtBy: 'every create of a child counts, of whatever kind; a grandchild does not',
  },
  {
    what: 'a multi is done one by one',
    breakage: (session) => ({
      multi: async (operations) => {
        const results = []
        for (const operation of operations) results.push(...(await session.multi([operation])))
        return results
      },
    }),
    caughtBy: 'a multi that is refused names the operation and leaves everything as it was',
  },
  {
    what: 'the operations of a multi can be seen one by one',
    breakage: (session) => ({
      multi: async (operations) => {
        const results = []
        for (const operation of operations) results.push(...(await session.multi([operation])))
        return results
      },
    }),
    caughtBy: 'nobody reads the first half of a multi without the second',
  },
  {
    what: 'versions are not compared',
    breakage: (session) => ({ set: (path, data) => session.set(path, data, -1) }),
    caughtBy: 'of several sessions that count by compare-and-set no increment is lost',
  },
  {
    what: 'reads are cached',
    breakage: (session) => {
      const cache = new Map<string, ReturnType<Session['get']>>()
      return {
        get: (path, watch) => {
          const answer = cache.get(path) ?? session.get(path, watch)
          cache.set(path, answer)
          return answer
        },
      }
    },
    caughtBy: 'after a sync a session reads every write that was acknowledged to anyone',
  },
  {
    what: 'reads overtake writes',
    breakage: (session) => ({
      set: async (path, data, version) => {
        await turn()
        return session.set(path, data, version)
      },
    }),
    caughtBy: 'a session reads what it wrote, even without waiting for the answer of the write',
  },
  {
    what: 'answers overtake each other',
    breakage: (session) => ({
      get: async (path, watch) => {
        const answer = session.get(path, watch)
        await answer.catch(() => turn())
        return answer
      },
    }),
    caughtBy: 'calls are answered in the order in which they were made, refusals too',
  },
  {
    what: 'ephemeral nodes outlive their session',
    breakage: (session) => ({
      create: (path, data, { mode }) => {
        return session.create(path, data, { mode: mode === 'ephemeral' ? 'persistent' : mode })
      },
    }),
    caughtBy: 'a close removes the ephemeral nodes of its session, and no others',
  },
  {
    what: 'ephemeral nodes go one by one',
    breakage: (session) => {
      const own: string[] = []
      return {
        create: async (path, data, options) => {
          const created = await session.create(path, data, options)
          if (options.mode === 'ephemeral') own.push(created.path)
          return created
        },
        close: async () => {
          for (const path of own) await session.delete(path, -1).catch(() => undefined)
          await session.close()
        },
      }
    },
    caughtBy: 'the ephemeral nodes of a session go in one step that nobody can look into',
  },
  {
    what: 'a call after close hangs',
    breakage: (session) => ({
      sync: (path) => (session.state.status === 'closed' ? new Promise<void>(() => undefined) : session.sync(path)),
    }),
    caughtBy: 'after close every operation rejects with CLIENT_CLOSED, and nothing was sent',
  },
  {
    what: 'a delete does not compare versions',
    breakage: (session) => ({ delete: (path) => session.delete(path, -1) }),
    caughtBy: 'a set and a delete with a version need exactly that version, and -1 stands for any',
  },
  {
    what: 'a write that was sent says that it was not',
    breakage: (session) => ({
      create: (path, data, options) => {
        return session.create(path, data, options).catch((error: unknown) => {
          const wasLost = isCoordinationError(error, 'CONNECTION_LOSS')
          throw wasLost ? new CoordinationError('CONNECTION_LOSS', 'lost', { outcome: 'not-sent' }) : error
        })
      },
    }),
    faults: ({ control }) => void control.onRequest(({ path }) => (path.endsWith('/n0-1') ? 'lose-after' : undefined)),
    caughtBy: 'what a call in flight says of its outcome is true: done, not done, or not known',
  },
  {
    what: 'an acknowledged write in flight is taken back',
    breakage: (session) => ({
      create: (path, data, options) => {
        const created = session.create(path, data, options)
        if (path.endsWith('/n5-0')) void session.delete(path, -1).catch(() => undefined)
        return created
      },
    }),
    caughtBy: 'what a call in flight says of its outcome is true: done, not done, or not known',
  },
  {
    what: 'watches do not outlive a connection',
    breakage: (session) => {
      const armed: (readonly [string, Watcher])[] = []
      session.onState(({ status }) => {
        if (status === 'suspended') for (const [path, watch] of armed) session.unwatch(path, watch)
      })
      return watching(session, (watch, path) => {
        armed.push([path, watch])
        return watch
      })
    },
    caughtBy: 'watches fire for what changed while the connection was broken',
  },
  {
    what: 'an expiry is not told',
    breakage: (session) => ({ onState: () => session.onState(() => undefined) }),
    caughtBy: 'a session that the servers ended says `expired`, once, and for good',
  },
  {
    what: 'containers stay forever',
    control: ({ control }) => ({ ...control, reap: () => undefined }),
    caughtBy: 'a container goes after its last child and not before its first, or is refused with UNSUPPORTED',
  },
]

biteSuite(BROKEN)

function isSequential({ mode }: CreateOptions): boolean {
  return mode.endsWith('-sequential')
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0))
}
