/**
 * Every operation in every state of a session: before there is one, while it is suspended, when it has expired, and
 * when it was closed. While it is connected is what all other cases are about.
 */
import type { Session } from '../../core/backend.ts'
import { isCoordinationError } from '../../core/errors.ts'
import type { ErrorCode, Outcome } from '../../core/errors.ts'
import { bytes, recorder, settle, stateLog, steps, text } from './case.ts'
import type { Case, BackendWorld } from './case.ts'
import {
  assertHonest,
  assertNothingDone,
  callAll,
  changedTargets,
  fireWatches,
  makeTargets,
  outcomesInFlight,
} from './every-operation.ts'
import type { Ended } from './every-operation.ts'
import { equal, errorIs, eventually, ok, rejects, show, within } from './expect.ts'

/** For the case that waits until a session gives itself up; engines that allow no such time-out clamp it. */
const SHORT_TIMEOUT_MS = 1_000
/** A session is given up at 4/3 of its time-out; after this there is no doubt. */
const GIVEN_UP_TIMEOUTS = 2
/** For the case that waits until calls have waited long enough. */
const CALL_TIMEOUT_MS = 50
const QUEUED = 20
/** A session comes to its end at another moment in each. */
const ROUNDS = 5
/** The refusal that a call may get in any state while it waits for a server: then nothing has happened. */
const NOT_SENT = ['CONNECTION_LOSS', 'not-sent'] as const

type Refusal = readonly [ErrorCode, Outcome]

const beforeCases: readonly Case<BackendWorld>[] = [
  {
    name: 'an open that finds no server rejects with CONNECTION_LOSS, and nothing was sent',
    needs: ['unreachable'],
    run: async (world) => {
      const backend = await world.control.unreachable?.()
      ok(backend !== undefined, 'control.unreachable answers with a backend')
      const opening = within(backend.open({ onError: () => undefined }), 'an open without a server', world.patienceMs)
      await rejects(opening, { code: 'CONNECTION_LOSS', outcome: 'not-sent' }, 'an open without a server')
    },
  },
]

const suspendedCases: readonly Case<BackendWorld>[] = [
  {
    name: 'while suspended every operation waits for a server and is done, or rejects and was not sent',
    needs: ['disconnect'],
    run: async (world) => {
      const [session, other] = [await world.open(), await world.open()]
      const targets = await makeTargets(world, session)
      await world.disconnect(session)
      const calls = callAll(session, targets)
      await world.reconnect(session)
      const ended = await within(calls, 'calls made while suspended', world.patienceMs)
      for (const call of ended) if (call.error !== null) refusedAs(call, [NOT_SENT], 'while suspended')
      await settle(session)
      const changed = await changedTargets(other, targets)
      for (const call of ended) assertHonest(call, 'not-sent', changed.has(call.target))
      await fireWatches(other, targets)
      await settle(session)
      for (const { target, error } of ended) {
        const expected = target.hasWatch && error === null ? 1 : 0
        equal(target.events.length, expected, `number of events of ${target.name}, called while suspended`)
      }
    },
  },
  {
    name: 'writes called while suspended take effect in the order of the calls',
    needs: ['disconnect'],
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n')
      await world.disconnect(session)
      const indexes = Array.from({ length: QUEUED }, (_, index) => index)
      const calls = indexes.map((index) =>
        session.set(path, bytes(`${index}`), -1).then(
          ({ version }) => ({ index, version }),
          (error: unknown) => {
            errorIs(error, { code: 'CONNECTION_LOSS', outcome: 'not-sent' }, 'a set called while suspended')
            return null
          },
        ),
      )
      await world.reconnect(session)
      const answers = await within(Promise.all(calls), 'sets called while suspended', world.patienceMs)
      const done = answers.filter((answer) => answer !== null)
      equal(done.map(({ version }) => version), done.map((_, order) => order + 1), 'versions')
      await settle(session)
      const last = done.at(-1)
      equal(text((await session.get(path)).data), last === undefined ? '' : `${last.index}`, 'data in the end')
    },
  },
  {
    name: 'unwatch while suspended drops a function, and fires nothing for it after the reconnect',
    needs: ['disconnect'],
    run: async (world) => {
      const [watcher, writer] = [await world.open(), await world.open()]
      const path = await world.node(watcher, 'n')
      const [dropped, kept] = [recorder(), recorder()]
      await watcher.get(path, dropped.watch)
      await watcher.get(path, kept.watch)
      await world.disconnect(watcher)
      watcher.unwatch(path, dropped.watch)
      await writer.set(path, bytes('new'), -1)
      await world.reconnect(watcher)
      await settle(watcher)
      equal([dropped.events.length, kept.events.length], [0, 1], 'events of the function that was dropped, and kept')
    },
  },
  {
    name: 'the lease deadline stands still while suspended',
    needs: ['disconnect'],
    run: async (world) => {
      const [session, other] = [await world.open(), await world.open()]
      await world.disconnect(session)
      const before = session.leaseDeadlineMs
      await settle(other)
      equal(session.leaseDeadlineMs, before, 'the lease deadline a while later')
      await world.reconnect(session)
      const promise = 'the lease deadline moves on when servers answer again'
      await world.eventually(() => session.leaseDeadlineMs > before, promise)
    },
  },
  {
    name: 'a call waits for a server no longer than callTimeoutMs, and was not sent then',
    needs: ['disconnect'],
    run: async (world) => {
      const options = { callTimeoutMs: CALL_TIMEOUT_MS }
      const session = await world.open(options)
      const targets = await makeTargets(world, session)
      await world.disconnect(session)
      const ended = await within(callAll(session, targets), 'calls with a time limit', world.patienceMs)
      for (const call of ended) refusedAs(call, [NOT_SENT], 'with a time limit while suspended')
      await world.reconnect(session)
      await settle(session)
      await assertNothingDone(world, targets, 'with a time limit while suspended')
    },
  },
  {
    name: 'a close while suspended ends every call that waits with CLIENT_CLOSED, and none was sent',
    needs: ['disconnect'],
    run: async (world) => {
      const session = await world.open()
      const targets = await makeTargets(world, session)
      await world.disconnect(session)
      const calls = callAll(session, targets)
      await within(session.close(), 'a close while suspended', world.patienceMs)
      const ended = await within(calls, 'calls that waited when the session was closed', world.patienceMs)
      for (const call of ended) refusedAs(call, [['CLIENT_CLOSED', 'not-sent'], NOT_SENT], 'before a close')
      await world.control.reconnect?.(session.id)
      await assertNothingDone(world, targets, 'while suspended, before a close')
    },
  },
  {
    name: 'an expiry while suspended ends every call that waits, and none was sent',
    needs: ['disconnect', 'expire'],
    run: async (world) => {
      const session = await world.open()
      const targets = await makeTargets(world, session)
      await world.disconnect(session)
      const calls = callAll(session, targets)
      await world.control.expire?.(session.id)
      await world.control.reconnect?.(session.id)
      const ended = await within(calls, 'calls that waited when the session expired', world.patienceMs)
      for (const call of ended) refusedAs(call, [['SESSION_EXPIRED', 'session-over'], NOT_SENT], 'before an expiry')
      await world.eventually(() => session.state.status === 'expired', 'the session says `expired`')
      await assertNothingDone(world, targets, 'while suspended, before an expiry')
    },
  },
  {
    name: 'a session that finds no server in time gives itself up as `expired`, and ends every call that waits',
    needs: ['disconnect'],
    run: async (world) => {
      const session = await world.open({ sessionTimeoutMs: SHORT_TIMEOUT_MS })
      const targets = await makeTargets(world, session)
      const log = stateLog(session)
      await world.disconnect(session)
      const calls = callAll(session, targets)
      const patienceMs = GIVEN_UP_TIMEOUTS * session.timeoutMs + world.patienceMs
      await eventually(() => log.includes('expired'), 'a session that is out of touch says `expired`', patienceMs)
      const ended = await within(calls, 'calls that waited until then', world.patienceMs)
      for (const call of ended) refusedAs(call, [['SESSION_EXPIRED', 'session-over'], NOT_SENT], 'out of touch')
      equal(log, ['suspended', 'expired'], 'states heard')
      await assertNothingDone(world, targets, 'out of touch')
    },
  },
]

const expiredCases: readonly Case<BackendWorld>[] = [
  {
    name: 'after an expiry every operation rejects with SESSION_EXPIRED, and the session is over',
    needs: ['expire'],
    run: async (world) => {
      const session = await world.open()
      const targets = await makeTargets(world, session)
      await world.expire(session)
      const ended = await within(callAll(session, targets), 'calls after an expiry', world.patienceMs)
      for (const call of ended) refusedAs(call, [['SESSION_EXPIRED', 'session-over']], 'after an expiry')
      await assertOver(session, world, 'after an expiry')
      equal(session.state, { status: 'expired' }, 'state in the end')
      await assertNothingDone(world, targets, 'after an expiry')
    },
  },
  {
    name: 'calls in flight at an expiry settle, and what each says of its outcome is true',
    needs: ['expire'],
    run: async (world) => {
      for (let round = 0; round < ROUNDS; round++) {
        const session = await world.open()
        const targets = await makeTargets(world, session, `round-${round}`)
        const calls = callAll(session, targets)
        await steps(round)
        await world.control.expire?.(session.id)
        const ended = await within(calls, 'calls that were in flight at an expiry', world.patienceMs)
        await assertTrue(world, ended, { SESSION_EXPIRED: 'session-over', CONNECTION_LOSS: 'not-sent' })
        await world.eventually(() => session.state.status === 'expired', 'the session says `expired`')
      }
    },
  },
]

const closedCases: readonly Case<BackendWorld>[] = [
  {
    name: 'after close every operation rejects with CLIENT_CLOSED, and nothing was sent',
    run: async (world) => {
      const session = await world.open()
      const targets = await makeTargets(world, session)
      await session.close()
      const ended = await within(callAll(session, targets), 'calls after close', world.patienceMs)
      for (const call of ended) refusedAs(call, [['CLIENT_CLOSED', 'not-sent']], 'after close')
      await assertOver(session, world, 'after close')
      equal(session.state, { status: 'closed' }, 'state in the end')
      await assertNothingDone(world, targets, 'after close')
    },
  },
  {
    name: 'calls in flight at a close are answered or reject with CLIENT_CLOSED, and none hangs',
    run: async (world) => {
      for (let round = 0; round < ROUNDS; round++) {
        const session = await world.open()
        const targets = await makeTargets(world, session, `round-${round}`)
        const calls = callAll(session, targets)
        await steps(round)
        await session.close()
        const ended = await within(calls, 'calls that were in flight at a close', world.patienceMs)
        await assertTrue(world, ended, { CLIENT_CLOSED: 'not-sent' })
      }
    },
  },
]

/** Cases about every operation in every state of a session. */
export const stateCases: readonly Case<BackendWorld>[] = [
  ...beforeCases,
  ...suspendedCases,
  ...expiredCases,
  ...closedCases,
]

/** Asserts that a call was refused, in one of these ways. */
function refusedAs({ target, error }: Ended, refusals: readonly Refusal[], when: string): void {
  ok(error !== null, `${target.name}, called ${when}, is refused`)
  ok(isCoordinationError(error), `${target.name}, called ${when}, rejects with ${show(error)}`)
  const is = `${error.code} ${error.outcome}`
  const allowed = refusals.map(([code, outcome]) => `${code} ${outcome}`)
  ok(allowed.includes(is), `${target.name}, called ${when}, rejects with ${allowed.join(' or ')}, not ${is}`)
}

/** Asserts that calls on their way when the session ended say the truth: done, not done, or not known. */
async function assertTrue(
  world: BackendWorld,
  ended: readonly Ended[],
  outcomeOf: Readonly<Partial<Record<ErrorCode, Outcome>>>,
): Promise<void> {
  const changed = await changedTargets(await world.open(), ended.map(({ target }) => target))
  for (const call of ended) {
    const { target, error } = call
    if (error === null) {
      assertHonest(call, '', changed.has(target))
      continue
    }
    ok(isCoordinationError(error), `${target.name} in flight rejects with ${show(error)}`)
    const otherwise = outcomeOf[error.code]
    ok(otherwise !== undefined, `${error.code} is a code of ${target.name} in flight`)
    ok(outcomesInFlight(target, otherwise).includes(error.outcome), `${error.outcome} is an outcome of ${target.name}`)
    assertHonest(call, error.outcome, changed.has(target))
  }
}

/** Asserts that nothing can be had of a session that is over, and that nothing of that throws. */
async function assertOver(session: Session, world: BackendWorld, when: string): Promise<void> {
  const log = stateLog(session)
  session.unwatch(world.base, () => undefined)
  await within(session.close(), `a close ${when}`, world.patienceMs)
  await settle(await world.open())
  equal(log, [], `states heard by a listener that comes ${when}`)
}
