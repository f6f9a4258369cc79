/**
 * Sessions that open and close in peace.
 */
import { bytes, recorder, settle, stateLog } from './case.ts'
import type { Case, BackendWorld } from './case.ts'
import { equal, eventually, ok, rejection, within } from './expect.ts'

/** For the case that waits for a ping: not long to wait, and not so short that a busy machine ends the session. */
const IDLE_TIMEOUT_MS = 3_000

/** Cases about the life of a session. */
export const lifecycleCases: readonly Case<BackendWorld>[] = [
  {
    name: 'a session opens connected, with an id of its own and a time-out',
    run: async (world) => {
      const [a, b] = [await world.open(), await world.open()]
      equal([a.state, b.state], [{ status: 'connected' }, { status: 'connected' }], 'states after open')
      ok(a.id !== b.id, 'two sessions have different ids')
      ok(a.id !== 0n && b.id !== 0n, 'no session has the id 0, which stands for "no owner"')
      ok(a.timeoutMs > 0 && Number.isFinite(a.timeoutMs), 'the time-out is a number of milliseconds above 0')
    },
  },
  {
    name: 'an open whose signal is aborted rejects',
    run: async ({ backend }) => {
      const signal = AbortSignal.abort(new Error('given up'))
      await rejection(backend.open({ signal, onError: () => undefined }), 'an open with an aborted signal')
    },
  },
  {
    name: 'an open that is given up on the way ends: it rejects, or there is a session that can be closed',
    run: async ({ backend, patienceMs }) => {
      const giveUp = new AbortController()
      const opening = backend.open({ signal: giveUp.signal, onError: () => undefined })
      giveUp.abort(new Error('given up'))
      const session = await within(opening.catch(() => null), 'an open that is given up', patienceMs)
      await within(session?.close() ?? Promise.resolve(), 'the close of its session', patienceMs)
    },
  },
  {
    name: 'the lease deadline lies ahead, within the time-out, and never moves back',
    run: async (world) => {
      const session = await world.open()
      let last = -Infinity
      for (let i = 0; i < 5; i++) {
        await session.exists('/')
        const deadlineMs = session.leaseDeadlineMs
        ok(deadlineMs >= last, 'the lease deadline never moves back')
        ok(deadlineMs <= performance.now() + session.timeoutMs, 'the lease deadline is no further off than that')
        last = deadlineMs
      }
      ok(last > performance.now(), 'after an answer the lease deadline lies ahead')
    },
  },
  {
    name: 'an idle session stays connected, and its lease deadline moves on',
    run: async (world) => {
      const session = await world.open({ sessionTimeoutMs: IDLE_TIMEOUT_MS })
      const log = stateLog(session)
      const before = session.leaseDeadlineMs
      const patienceMs = session.timeoutMs + world.patienceMs
      const promise = 'the session proves by itself that it is alive'
      await eventually(() => session.leaseDeadlineMs > before, promise, patienceMs)
      equal(log, [], 'states of an idle session')
    },
  },
  {
    name: 'close ends in `closed`, is told once, and may be repeated',
    run: async (world) => {
      const session = await world.open()
      const log = stateLog(session)
      await Promise.all([session.close(), session.close()])
      await session.close()
      equal(session.state, { status: 'closed' }, 'state after close')
      await world.eventually(() => log.length > 0, 'listeners hear of the close')
      equal(log, ['closed'], 'states that listeners heard')
    },
  },
  {
    name: 'a state listener that was taken away is told no more',
    run: async (world) => {
      const session = await world.open()
      const heard: string[] = []
      const stop = session.onState(({ status }) => void heard.push(status))
      stop()
      stop()
      const log = stateLog(session)
      await session.close()
      await world.eventually(() => log.length > 0, 'the other listener hears of the close')
      equal(heard, [], 'states that it heard')
    },
  },
  {
    name: 'a state listener that throws is reported and harms no other',
    run: async (world) => {
      const session = await world.open()
      const thrown = new Error('a listener of the test')
      session.onState(() => {
        throw thrown
      })
      const log = stateLog(session)
      await session.close()
      await world.eventually(() => log.length > 0, 'the other listener is told')
      ok(world.takeErrors().includes(thrown), 'onError gets what a listener throws')
    },
  },
  {
    name: 'no watch is called after its session was closed',
    run: async (world) => {
      const [watcher, writer] = [await world.open(), await world.open()]
      const path = await world.node(writer, 'n')
      await watcher.sync(path)
      const { watch, events } = recorder()
      await watcher.get(path, watch)
      await watcher.close()
      await writer.set(path, bytes('new'), -1)
      await settle(writer)
      equal(events, [], 'events after close')
    },
  },
]
