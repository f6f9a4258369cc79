import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openClientSession } from '../../../src/backends/client/session.ts'
import type { ClientSessionOptions } from '../../../src/backends/client/options.ts'
import { CALLS_MAX } from '../../../src/core/session/call-queue.ts'
import { Err, OpCode } from '../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../src/backends/wire/records.ts'
import type { Session, SessionState } from '../../../src/core/backend.ts'
import { CoordinationError } from '../../../src/core/errors.ts'
import { failure, outcomeOf } from '../../outcomes.ts'
import { STAT, ScriptedDialer } from './scripted-servers.ts'
import type { ScriptedChannel } from './scripted-servers.ts'

const TIMEOUT_MS = 3000
const DATA = new Uint8Array([1, 2, 3])

let dialer: ScriptedDialer
let errors: unknown[]

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
  // A pause of no length at all, one in some hundreds, would be over at once.
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  dialer = new ScriptedDialer()
  errors = []
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/** Lets everything that was promised happen, without time passing. */
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0)

function open(options: Partial<ClientSessionOptions> = {}): Promise<Session> {
  return openClientSession(dialer, { sessionTimeoutMs: TIMEOUT_MS, onError: (error) => errors.push(error), ...options })
}

/** An open session and the server that it is on. */
async function opened(
  timeoutMs = TIMEOUT_MS,
): Promise<{ session: Session; server: ScriptedChannel; states: SessionState[] }> {
  const opening = open()
  dialer.last.accept(7n, timeoutMs)
  const session = await opening
  const states: SessionState[] = []
  session.onState((state) => states.push(state))
  return { session, server: dialer.last, states }
}

describe('opening a session', () => {
  it('asks the servers in turn until one answers with a time-out', async () => {
    const opening = open()
    dialer.last.hangUp()
    dialer.last.refuse()
    expect(dialer.channels).toHaveLength(3)
    expect(dialer.last.connectRequest).toMatchObject({ sessionId: 0n, timeOut: TIMEOUT_MS, lastZxidSeen: 0n })
    dialer.last.accept(7n, 2500)
    const session = await opening
    expect(session).toMatchObject({ id: 7n, timeoutMs: 2500, state: { status: 'connected' } })
  })

  it('rejects as not sent once every server failed, and leaves no timer', async () => {
    const opening = outcomeOf(open())
    dialer.last.hangUp()
    dialer.last.refuse()
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 3)
    expect(opening.error).toEqual(failure('CONNECTION_LOSS', 'not-sent'))
    expect(dialer.channels.map((channel) => channel.isClosed)).toEqual([true, true, true])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('gives each server its share of the time-out, or the time it was told', async () => {
    const opening = outcomeOf(open({ connectTimeoutMs: 200 }))
    await vi.advanceTimersByTimeAsync(199)
    expect(dialer.channels).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(dialer.channels).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(400)
    expect(opening.error).toEqual(failure('CONNECTION_LOSS', 'not-sent'))
  })

  it('ends when its signal is aborted, and leaves no timer', async () => {
    const controller = new AbortController()
    const opening = outcomeOf(open({ signal: controller.signal }))
    controller.abort('enough')
    await settle()
    expect(opening.error).toEqual(failure('ABORTED', 'aborted'))
    expect(opening.error).toHaveProperty('cause', 'enough')
    expect(dialer.last.isClosed).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('does not dial for a signal that is aborted already', async () => {
    await expect(open({ signal: AbortSignal.abort() })).rejects.toEqual(failure('ABORTED', 'aborted'))
    expect(dialer.channels).toHaveLength(0)
  })
})

describe('calls', () => {
  it('become requests, and their replies become results', async () => {
    const { session, server } = await opened()
    const calls = Promise.all([
      session.create('/a', DATA, { mode: 'ephemeral' }),
      session.get('/a'),
      session.exists('/a'),
      session.exists('/b'),
      session.children('/'),
      session.set('/a', DATA, 4),
      session.delete('/a', 5),
      session.sync('/'),
    ])
    expect(server.requests.map(({ op, body }) => [op, body])).toEqual([
      [OpCode.create2, { path: '/a', data: DATA, acl: OPEN_ACL, flags: 1 }],
      [OpCode.getData, { path: '/a', watch: false }],
      [OpCode.exists, { path: '/a', watch: false }],
      [OpCode.exists, { path: '/b', watch: false }],
      [OpCode.getChildren2, { path: '/', watch: false }],
      [OpCode.setData, { path: '/a', data: DATA, version: 4 }],
      [OpCode.delete, { path: '/a', version: 5 }],
      [OpCode.sync, { path: '/' }],
    ])
    server.reply({ path: '/a', stat: STAT })
    server.reply({ data: null, stat: STAT })
    server.reply({ stat: STAT })
    server.reply(null, { err: Err.noNode })
    server.reply({ children: ['b', 'A', 'a'], stat: STAT })
    server.reply({ stat: STAT })
    server.reply(null)
    server.reply({ path: '/' })
    expect(await calls).toEqual([
      { path: '/a', stat: STAT },
      { data: new Uint8Array(), stat: STAT },
      STAT,
      null,
      { names: ['A', 'a', 'b'], stat: STAT },
      STAT,
      undefined,
      undefined,
    ])
  })

  it.each([
    ['persistent', OpCode.create2, 0],
    ['ephemeral', OpCode.create2, 1],
    ['persistent-sequential', OpCode.create2, 2],
    ['ephemeral-sequential', OpCode.create2, 3],
    ['container', OpCode.createContainer, 4],
  ] as const)('creates a node of mode %s with its operation and flags', async (mode, op, flags) => {
    const { session, server } = await opened()
    const created = session.create('/a', DATA, { mode })
    expect(server.requests).toMatchObject([{ op, body: { flags } }])
    server.reply({ path: '/a', stat: STAT })
    expect(await created).toEqual({ path: '/a', stat: STAT })
  })

  it('sends the time to live of a node that has one', async () => {
    const { session, server } = await opened()
    const created = session.create('/a', DATA, { mode: 'persistent-with-ttl', ttlMs: 500 })
    expect(server.requests).toMatchObject([{ op: OpCode.createTTL, body: { flags: 5, ttl: 500n } }])
    server.reply({ path: '/a', stat: STAT })
    expect(await created).toEqual({ path: '/a', stat: STAT })
  })

  it.each([
    [Err.noNode, 'NO_NODE'],
    [Err.badVersion, 'BAD_VERSION'],
    [Err.nodeExists, 'NODE_EXISTS'],
    [Err.notEmpty, 'NOT_EMPTY'],
    [Err.noChildrenForEphemerals, 'NO_CHILDREN_FOR_EPHEMERALS'],
    [Err.unimplemented, 'UNSUPPORTED'],
    [Err.notReadOnly, 'READ_ONLY'],
    [Err.quotaExceeded, 'QUOTA_EXCEEDED'],
    [Err.throttledOp, 'THROTTLED'],
    [Err.noWatcher, 'NO_WATCHER'],
    [Err.reconfigDisabled, 'RECONFIG_REFUSED'],
    [-9999, 'SYSTEM_ERROR'],
  ])('reject with the code of error %i, its path and outcome rejected', async (err, code) => {
    const { session, server } = await opened()
    const call = outcomeOf(session.set('/a', DATA, -1))
    server.reply(null, { err })
    await settle()
    expect(call.error).toBeInstanceOf(CoordinationError)
    expect(call.error).toMatchObject({ code, outcome: 'rejected', path: '/a' })
  })

  it('reject with the first part of a multi that was refused, and its index', async () => {
    const { session, server } = await opened()
    const call = outcomeOf(
      session.multi([
        { type: 'create', path: '/a', data: DATA, mode: 'persistent' },
        { type: 'check', path: '/b', version: 2 },
        { type: 'delete', path: '/c', version: -1 },
      ]),
    )
    server.reply([
      { op: OpCode.error, err: 0 },
      { op: OpCode.error, err: Err.badVersion },
      { op: OpCode.error, err: Err.runtimeInconsistency },
    ])
    await settle()
    expect(call.error).toMatchObject({ code: 'BAD_VERSION', outcome: 'rejected', index: 1, path: '/b' })
  })

  it('give one result for each part of a multi that succeeds', async () => {
    const { session, server } = await opened()
    const call = session.multi([
      { type: 'create', path: '/a', data: DATA, mode: 'persistent' },
      { type: 'set', path: '/a', data: DATA, version: 0 },
      { type: 'check', path: '/b', version: 2 },
      { type: 'delete', path: '/c', version: -1 },
    ])
    server.reply([
      { op: OpCode.create2, path: '/a', stat: STAT },
      { op: OpCode.setData, stat: STAT },
      { op: OpCode.check },
      { op: OpCode.delete },
    ])
    expect(await call).toEqual([
      { type: 'create', path: '/a', stat: STAT },
      { type: 'set', stat: STAT },
      { type: 'check' },
      { type: 'delete' },
    ])
  })

  it('are refused as not sent beyond the limit of calls without an answer', async () => {
    const { session, server } = await opened()
    for (let count = 0; count < CALLS_MAX; count++) outcomeOf(session.get('/a'))
    await expect(session.set('/a', DATA, -1)).rejects.toEqual(failure('CONNECTION_LOSS', 'not-sent'))
    server.reply({ data: DATA, stat: STAT })
    const next = outcomeOf(session.get('/a'))
    await settle()
    expect(next).toEqual({})
  })

  it('leave a server that answers out of turn: reported, writes of unknown outcome, attached again', async () => {
    const { session, server, states } = await opened()
    const write = outcomeOf(session.set('/a', DATA, -1))
    const read = outcomeOf(session.get('/a'))
    server.replyTo(2, { data: DATA, stat: STAT })
    await settle()
    expect(errors).toEqual([failure('PROTOCOL_VIOLATION', 'corrupt')])
    expect(server.isClosed).toBe(true)
    expect(write.error).toEqual(failure('CONNECTION_LOSS', 'unknown'))
    expect(read.error).toEqual(failure('CONNECTION_LOSS', 'not-sent'))
    dialer.last.accept()
    await settle()
    expect(states.map(({ status }) => status)).toEqual(['suspended', 'connected'])
  })
})

describe('closing', () => {
  it('tells the server, waits for its answer, and leaves no timer', async () => {
    const { session, server, states } = await opened()
    const write = outcomeOf(session.set('/a', DATA, -1))
    const read = outcomeOf(session.get('/a'))
    const closing = session.close()
    expect(session.close()).toBe(closing)
    const closed = outcomeOf(closing)
    await settle()
    expect(write.error).toEqual(failure('CLIENT_CLOSED', 'unknown'))
    expect(read.error).toEqual(failure('CLIENT_CLOSED', 'not-sent'))
    await expect(session.set('/a', DATA, -1)).rejects.toEqual(failure('CLIENT_CLOSED', 'not-sent'))
    expect(server.ops).toEqual([OpCode.setData, OpCode.getData, OpCode.closeSession])
    server.reply({ stat: STAT })
    server.reply({ data: DATA, stat: STAT })
    await settle()
    expect(closed).toEqual({})
    server.reply(null)
    await closing
    expect(states).toEqual([{ status: 'closed' }])
    expect(server.isClosed).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('ends with the connection, too', async () => {
    const { session, server } = await opened()
    const closing = session.close()
    server.hangUp()
    await closing
    expect(dialer.channels).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('does not wait forever', async () => {
    const { session } = await opened(60_000)
    const closed = outcomeOf(session.close())
    await vi.advanceTimersByTimeAsync(1999)
    expect(closed).toEqual({})
    await vi.advanceTimersByTimeAsync(1)
    expect(closed).toEqual({ value: 'done' })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('heeds nothing but the answer to it', async () => {
    const { session, server } = await opened()
    const closing = session.close()
    server.accept()
    server.pong()
    server.replyTo(99, null)
    server.event(3, '/a')
    await settle()
    expect(session.state).toEqual({ status: 'closed' })
    expect(dialer.channels).toHaveLength(1)
    server.reply(null)
    await closing
    expect(errors).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('leaves no timer when it comes in a pause between two rounds over the servers', async () => {
    dialer = new ScriptedDialer(1)
    const { session, server } = await opened()
    server.hangUp()
    await settle()
    await session.close()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(vi.getTimerCount()).toBe(0)
    expect(dialer.channels).toHaveLength(1)
  })

  it('does not wait for a server while none is in touch', async () => {
    const { session, server } = await opened()
    server.hangUp()
    const waiting = outcomeOf(session.set('/a', DATA, -1))
    await session.close()
    expect(waiting.error).toEqual(failure('CLIENT_CLOSED', 'not-sent'))
    expect(dialer.last.requests).toEqual([])
    expect(session.state).toEqual({ status: 'closed' })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('changes nothing for a session that has expired', async () => {
    const { session, server } = await opened()
    server.hangUp()
    dialer.last.refuse()
    await settle()
    await session.close()
    expect(session.state).toEqual({ status: 'expired' })
  })
})
