import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openClientSession } from '../../../src/backends/client/session.ts'
import type { ClientSessionOptions } from '../../../src/backends/client/options.ts'
import { Err, EventType, OpCode, Xid } from '../../../src/backends/wire/codes.ts'
import type { Session, SessionState } from '../../../src/core/backend.ts'
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
async function opened(): Promise<{ session: Session; server: ScriptedChannel; states: SessionState[] }> {
  const opening = open()
  dialer.last.accept()
  const session = await opening
  const states: SessionState[] = []
  session.onState((state) => states.push(state))
  return { session, server: dialer.last, states }
}

describe('staying attached', () => {
  it('pings when nothing that renews the session was sent for a third of the time-out, and not before', async () => {
    const { session, server } = await opened()
    await vi.advanceTimersByTimeAsync(600)
    outcomeOf(session.set('/a', DATA, -1))
    server.reply({ stat: STAT })
    await vi.advanceTimersByTimeAsync(500)
    outcomeOf(session.get('/a'))
    server.reply({ data: DATA, stat: STAT })
    await vi.advanceTimersByTimeAsync(499)
    expect(server.pings).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(server.pings).toEqual([{ xid: Xid.ping, op: OpCode.ping, body: null }])
  })

  it('stays attached for as long as the server answers the pings', async () => {
    const { session, server, states } = await opened()
    for (let count = 1; count <= 20; count++) {
      await vi.advanceTimersByTimeAsync(1000)
      expect(server.pings).toHaveLength(count)
      server.pong()
    }
    expect(states).toEqual([])
    expect(session.leaseDeadlineMs).toBe(performance.now() + 2000)
  })

  it('counts the lease from when the latest answered ping, write or sync was sent, and not from reads', async () => {
    const { session, server } = await opened()
    const openedAtMs = performance.now()
    expect(session.leaseDeadlineMs).toBe(openedAtMs + 2000)
    await vi.advanceTimersByTimeAsync(300)
    outcomeOf(session.get('/a'))
    server.reply({ data: DATA, stat: STAT })
    expect(session.leaseDeadlineMs).toBe(openedAtMs + 2000)
    await vi.advanceTimersByTimeAsync(200)
    outcomeOf(session.set('/a', DATA, -1))
    await vi.advanceTimersByTimeAsync(400)
    expect(session.leaseDeadlineMs).toBe(openedAtMs + 2000)
    server.reply({ stat: STAT })
    expect(session.leaseDeadlineMs).toBe(openedAtMs + 2500)
    await vi.advanceTimersByTimeAsync(700)
    server.pong()
    expect(session.leaseDeadlineMs).toBe(openedAtMs + 3500)
  })

  it('fails a call that waited for a server as long as it may, and keeps the order of the others', async () => {
    const opening = open({ callTimeoutMs: 400 })
    dialer.last.accept()
    const session = await opening
    dialer.last.hangUp()
    const first = outcomeOf(session.set('/a', DATA, -1))
    await vi.advanceTimersByTimeAsync(300)
    const second = outcomeOf(session.set('/b', DATA, -1))
    await vi.advanceTimersByTimeAsync(99)
    expect(first).toEqual({})
    await vi.advanceTimersByTimeAsync(1)
    expect(first.error).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'not-sent', path: '/a' })
    expect(second).toEqual({})
    dialer.last.accept()
    await settle()
    expect(dialer.last.requests).toMatchObject([{ op: OpCode.setData, body: { path: '/b' } }])
  })

  it('leaves a server that answers pings and nothing else, and goes on with what waited', async () => {
    const opening = open({ answerMsMax: 9_000 })
    dialer.last.accept()
    const session = await opening
    const server = dialer.last
    const [read, write] = [outcomeOf(session.get('/a')), outcomeOf(session.set('/a', DATA, -1))]
    for (let waitedMs = 0; waitedMs < 9_000; waitedMs += 500) {
      expect([server.isClosed, read, write]).toEqual([false, {}, {}])
      await vi.advanceTimersByTimeAsync(500)
      server.pong()
    }
    await settle()
    expect(server.isClosed).toBe(true)
    expect(read.error).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'not-sent' })
    expect(write.error).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' })
    expect(errors).toMatchObject([{ code: 'PROTOCOL_VIOLATION' }])
    dialer.last.accept()
    await settle()
    const later = session.get('/a')
    dialer.last.reply({ data: DATA, stat: STAT })
    await later
    const closing = session.close()
    dialer.last.hangUp()
    await closing
    expect(vi.getTimerCount()).toBe(0)
  })

  it('leaves a server that was silent for two thirds of the time-out, and takes the session elsewhere', async () => {
    const { session, server, states } = await opened()
    server.zxid = 123n
    const answered = session.get('/a')
    server.reply({ data: DATA, stat: STAT })
    await answered
    const deadlineMs = session.leaseDeadlineMs
    await vi.advanceTimersByTimeAsync(2000)
    expect(server.isClosed).toBe(true)
    expect(session.state).toEqual({ status: 'suspended', deadlineMs })
    expect(dialer.channels).toHaveLength(2)
    const passwd = new Uint8Array(16).fill(9)
    expect(dialer.last.connectRequest).toMatchObject({ sessionId: 7n, lastZxidSeen: 123n, passwd })
    dialer.last.accept()
    await settle()
    expect(states).toEqual([{ status: 'suspended', deadlineMs }, { status: 'connected' }])
    expect(session.leaseDeadlineMs).toBe(deadlineMs)
    expect(dialer.last.pings).toHaveLength(1)
    dialer.last.pong()
    expect(session.leaseDeadlineMs).toBe(deadlineMs + 2000)
  })

  it.each([
    ['keeps a server whose message waited in the socket while this process stood still', true, 'connected'],
    ['leaves a server that said nothing while this process stood still', false, 'suspended'],
  ] as const)('%s', async (_name, hasMessage, status) => {
    const { session, server } = await opened()
    const now = performance.now.bind(performance)
    // Runs after the timer that finds the silence: the sockets are read in the turn after the timers.
    setTimeout(() => {
      setImmediate(() => {
        if (hasMessage) server.event(EventType.nodeCreated, '/x')
      })
    }, 2000)
    await vi.advanceTimersByTimeAsync(1990)
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 100)
    await vi.advanceTimersByTimeAsync(20)
    expect(session.state.status).toBe(status)
  })

  it('fails what was in flight on a lost connection, and sends on the next what was called meanwhile', async () => {
    const { session, server } = await opened()
    const write = outcomeOf(session.create('/a', DATA, { mode: 'persistent' }))
    const read = outcomeOf(session.get('/a'))
    server.hangUp()
    const later = outcomeOf(session.set('/b', DATA, -1))
    outcomeOf(session.get('/b'))
    await settle()
    expect(write.error).toEqual(failure('CONNECTION_LOSS', 'unknown'))
    expect(read.error).toEqual(failure('CONNECTION_LOSS', 'not-sent'))
    expect(dialer.last.requests).toEqual([])
    dialer.last.accept()
    outcomeOf(session.delete('/c', -1))
    expect(dialer.last.requests.map(({ xid, op }) => [xid, op])).toEqual([
      [3, OpCode.setData],
      [4, OpCode.getData],
      [5, OpCode.delete],
    ])
    dialer.last.reply({ stat: STAT })
    await settle()
    expect(later.value).toEqual(STAT)
  })

  it('remembers the zxid of replies only, and never one that is not there', async () => {
    const { session, server } = await opened()
    const call = session.get('/a')
    server.reply({ data: DATA, stat: STAT }, { zxid: 50n })
    await call
    const refused = session.get('/a')
    server.reply(null, { err: Err.noNode, zxid: -1n })
    await expect(refused).rejects.toMatchObject({ code: 'NO_NODE' })
    server.event(EventType.nodeCreated, '/x', 99n)
    await settle()
    server.hangUp()
    expect(dialer.last.connectRequest.lastZxidSeen).toBe(50n)
  })

  it('tries each server once for its share of the time-out, then pauses with full jitter', async () => {
    const { server } = await opened()
    await vi.advanceTimersByTimeAsync(1500)
    vi.spyOn(Math, 'random').mockReturnValue(0.8)
    server.pong()
    server.hangUp()
    await settle()
    expect(dialer.channels).toHaveLength(2)
    dialer.last.hangUp()
    dialer.last.hangUp()
    expect(dialer.channels).toHaveLength(4)
    dialer.last.hangUp()
    // Three failures are a round: a pause of 0.8 * 25 ms.
    await vi.advanceTimersByTimeAsync(19)
    expect(dialer.channels).toHaveLength(4)
    await vi.advanceTimersByTimeAsync(1)
    expect(dialer.channels).toHaveLength(5)
    await vi.advanceTimersByTimeAsync(999)
    expect(dialer.channels).toHaveLength(5)
    await vi.advanceTimersByTimeAsync(1)
    expect(dialer.channels).toHaveLength(6)
  })

  it('pauses between connections that are lost as soon as they are attached', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1)
    dialer = new ScriptedDialer(1)
    dialer.onDial = (channel) => {
      channel.accept()
      channel.hangUp()
    }
    const opening = open()
    await opening
    await vi.advanceTimersByTimeAsync(24)
    expect(dialer.channels).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(dialer.channels).toHaveLength(2)
  })

  it('takes the session back when a server says that it has moved', async () => {
    const { session, server } = await opened()
    const call = outcomeOf(session.set('/a', DATA, -1))
    server.reply(null, { err: Err.sessionMoved })
    await settle()
    expect(call.error).toEqual(failure('SESSION_MOVED', 'rejected'))
    expect(server.isClosed).toBe(true)
    expect(dialer.last.connectRequest.sessionId).toBe(7n)
  })

  it('refuses a server that attaches another session', async () => {
    const { session, server } = await opened()
    server.hangUp()
    dialer.last.accept(8n)
    await settle()
    expect(errors).toEqual([failure('PROTOCOL_VIOLATION', 'corrupt')])
    expect(session).toMatchObject({ id: 7n, state: { status: 'suspended' } })
  })
})

describe('expiry', () => {
  it('comes when a server answers the re-attachment without a time-out', async () => {
    const { session, server, states } = await opened()
    server.hangUp()
    const waiting = outcomeOf(session.set('/a', DATA, -1))
    dialer.last.refuse()
    await settle()
    expect(session.state).toEqual({ status: 'expired' })
    expect(states.map(({ status }) => status)).toEqual(['suspended', 'expired'])
    expect(waiting.error).toEqual(failure('SESSION_EXPIRED', 'session-over'))
    await expect(session.get('/a')).rejects.toEqual(failure('SESSION_EXPIRED', 'session-over'))
    expect(session.leaseDeadlineMs).toBe(-Infinity)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('comes by the local clock at 4/3 of the time-out, and nothing is dialled after it', async () => {
    const { session, server } = await opened()
    const openedAtMs = performance.now()
    server.hangUp()
    await vi.advanceTimersByTimeAsync(openedAtMs + 3999 - performance.now())
    expect(session.state.status).toBe('suspended')
    await vi.advanceTimersByTimeAsync(1)
    expect(session.state.status).toBe('expired')
    const { length } = dialer.channels
    dialer.last.accept()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(session.state.status).toBe('expired')
    expect(dialer.channels).toHaveLength(length)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('comes with a reply that says so; a write behind it is of unknown outcome', async () => {
    const { session, server } = await opened()
    const refused = outcomeOf(session.set('/a', DATA, -1))
    const behind = outcomeOf(session.set('/a', DATA, -1))
    const read = outcomeOf(session.get('/a'))
    server.reply(null, { err: Err.sessionExpired })
    await settle()
    expect(refused.error).toEqual(failure('SESSION_EXPIRED', 'session-over'))
    expect(behind.error).toEqual(failure('SESSION_EXPIRED', 'unknown'))
    expect(read.error).toEqual(failure('SESSION_EXPIRED', 'session-over'))
    expect(session.state.status).toBe('expired')
  })

  it('is not told to a listener that another one has ended', async () => {
    const { session, server } = await opened()
    const heard: string[] = []
    const stops: (() => void)[] = []
    session.onState(() => {
      for (const stop of stops) stop()
    })
    stops.push(session.onState(({ status }) => heard.push(status)))
    server.hangUp()
    dialer.last.refuse()
    await settle()
    expect(heard).toEqual([])
  })

  it('keeps listeners apart: one that throws is reported, one that ended is not called', async () => {
    const { session, server } = await opened()
    const heard: string[] = []
    const stop = session.onState(() => heard.push('stopped'))
    session.onState(() => {
      heard.push('throws')
      throw new Error('listener')
    })
    session.onState(({ status }) => heard.push(status))
    stop()
    server.hangUp()
    dialer.last.refuse()
    await settle()
    expect(heard).toEqual(['throws', 'suspended', 'throws', 'expired'])
    expect(errors).toEqual([new Error('listener'), new Error('listener')])
  })
})
