/**
 * Sessions that are lost, and connections that break.
 */
import { isCoordinationError } from '../../core/errors.ts'
import { bytes, recorder, settle, stateLog, steps } from './case.ts'
import type { Case, BackendWorld } from './case.ts'
import { equal, ok, show, within } from './expect.ts'

const IN_FLIGHT = 10
const ROUNDS = 20
const PERSISTENT = { mode: 'persistent' } as const

const expiryCases: readonly Case<BackendWorld>[] = [
  {
    name: 'a session that the servers ended says `expired`, once, and for good',
    needs: ['expire'],
    run: async (world) => {
      const session = await world.open()
      const log = stateLog(session)
      await world.expire(session)
      await world.eventually(() => log.includes('expired'), 'listeners hear of the expiry')
      await session.close()
      await settle(await world.open())
      equal(session.state, { status: 'expired' }, 'state in the end')
      equal(log.filter((status) => status === 'expired' || status === 'closed'), ['expired'], 'final states heard')
      equal(log.at(-1), 'expired', 'last state heard')
    },
  },
  {
    name: 'an expiry fires the watches of others on its ephemeral nodes, and none of its own',
    needs: ['expire'],
    run: async (world) => {
      const [lost, other] = [await world.open(), await world.open()]
      const { path } = await lost.create(world.path('e'), bytes(''), { mode: 'ephemeral' })
      await other.sync(path)
      const [own, others] = [recorder(), recorder()]
      await lost.exists(world.path('later'), own.watch)
      await other.get(path, others.watch)
      await world.expire(lost)
      await settle(other)
      equal(others.events, [{ type: 'deleted', path }], 'events of the other session')
      await world.node(other, 'later')
      await settle(other)
      equal(own.events, [], 'events of the session that is over')
    },
  },
  {
    name: 'an expiry leaves other sessions alone, and a new one can be opened',
    needs: ['expire'],
    run: async (world) => {
      const [lost, other] = [await world.open(), await world.open()]
      const log = stateLog(other)
      await world.expire(lost)
      await settle(other)
      equal(log, [], 'states of the other session')
      const next = await world.open()
      ok(next.id !== lost.id && next.id !== other.id, 'the new session has an id of its own')
      await settle(next)
    },
  },
]

const reconnectCases: readonly Case<BackendWorld>[] = [
  {
    name: 'a session whose connection breaks says `suspended` with its deadline, then `connected`, and is the same',
    needs: ['disconnect'],
    run: async (world) => {
      const session = await world.open()
      const { id } = session
      const deadlines: number[] = []
      session.onState((state) => {
        if (state.status === 'suspended') deadlines.push(state.deadlineMs)
      })
      const log = stateLog(session)
      await world.disconnect(session)
      await world.reconnect(session)
      await world.eventually(() => log.includes('connected'), 'listeners hear of the reconnect')
      equal(log.slice(0, 2), ['suspended', 'connected'], 'states heard')
      const [deadlineMs = NaN] = deadlines
      ok(deadlineMs <= performance.now() + session.timeoutMs, 'the deadline is no further off than the time-out')
      equal(session.id, id, 'session id after the reconnect')
      await settle(session)
      const { stat } = await session.create(world.path('e'), bytes(''), { mode: 'ephemeral' })
      equal(stat.ephemeralOwner, id, 'owner of a node that it makes after the reconnect')
    },
  },
  {
    name: 'what a call in flight says of its outcome is true: done, not done, or not known',
    needs: ['disconnect'],
    run: async (world) => {
      const session = await world.open()
      for (let round = 0; round < ROUNDS; round++) {
        const names = Array.from({ length: IN_FLIGHT }, (_, index) => `n${round}-${index}`)
        const outcomes = names.map((name) => outcomeOf(session.create(world.path(name), bytes(''), PERSISTENT)))
        await steps(round)
        await world.disconnect(session)
        await world.reconnect(session)
        const told = await within(Promise.all(outcomes), 'creates that were in flight', world.patienceMs)
        await settle(session)
        const there = new Set((await session.children(world.base)).names)
        for (const [index, name] of names.entries()) checkOutcome(name, `${told[index]}`, there.has(name))
      }
    },
  },
  {
    name: 'a session can be closed while its connection is broken',
    needs: ['disconnect'],
    run: async (world) => {
      const session = await world.open()
      await world.disconnect(session)
      await within(session.close(), 'a close while the connection is broken', world.patienceMs)
      equal(session.state, { status: 'closed' }, 'state')
    },
  },
]

/** Cases about the loss of sessions and connections. */
export const sessionLossCases: readonly Case<BackendWorld>[] = [...expiryCases, ...reconnectCases]

/** The outcome of a write, by its own word: `done`, or that of its error. */
function outcomeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'done',
    (error: unknown) => (isCoordinationError(error, 'CONNECTION_LOSS') ? error.outcome : show(error)),
  )
}

function checkOutcome(name: string, outcome: string, isThere: boolean): void {
  ok(['done', 'unknown', 'not-sent'].includes(outcome), `${outcome} is an outcome of a lost connection`)
  if (outcome === 'done') ok(isThere, `${name} was acknowledged, so it is there`)
  if (outcome === 'not-sent') ok(!isThere, `${name} was not sent, so it is not there`)
}
