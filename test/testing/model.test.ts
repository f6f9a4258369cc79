import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Session } from '../../src/core/backend.ts'
import { modelBackend } from '../../src/testing/index.ts'
import type { ModelBackend, ModelOptions, RequestKind } from '../../src/testing/index.ts'

const NO_DATA = new Uint8Array()
const TIMEOUT_MS = 9_000
const READS: readonly RequestKind[] = ['get', 'exists', 'children', 'sync']

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

function open(backend: ModelBackend): Promise<Session> {
  return backend.open({
    sessionTimeoutMs: TIMEOUT_MS,
    onError: (error) => {
      throw error
    },
  })
}

async function modelAndSession(options: ModelOptions = {}): Promise<readonly [ModelBackend, Session]> {
  const backend = modelBackend(options)
  const opening = open(backend)
  await vi.advanceTimersByTimeAsync(2 * (options.latencyMs ?? 0))
  return [backend, await opening]
}

function plain(session: Session, path: string): Promise<unknown> {
  return session.create(path, NO_DATA, { mode: 'persistent' })
}

function statesOf(session: Session): string[] {
  const log: string[] = []
  session.onState(({ status }) => void log.push(status))
  return log
}

/** One call of each kind, all of which succeed on a node that exists. */
function callsOf(session: Session, path: string): readonly (readonly [RequestKind, () => Promise<unknown>])[] {
  return [
    ['create', () => plain(session, `${path}/new`)],
    ['set', () => session.set(path, NO_DATA, -1)],
    ['get', () => session.get(path)],
    ['exists', () => session.exists(path)],
    ['children', () => session.children(path)],
    ['multi', () => session.multi([{ type: 'set', path, data: NO_DATA, version: -1 }])],
    ['sync', () => session.sync(path)],
  ]
}

describe('a hook', () => {
  it('sees every request once, with its session, kind and path', async () => {
    const [{ control }, session] = await modelAndSession()
    const seen: unknown[] = []
    const remove = control.onRequest((request) => void seen.push(request))
    await plain(session, '/n')
    await session.get('/n')
    remove()
    await session.get('/n')
    expect(seen).toEqual([
      { sessionId: session.id, kind: 'create', path: '/n' },
      { sessionId: session.id, kind: 'get', path: '/n' },
    ])
  })

  it('loses a request before it takes effect, with outcome unknown for a write and not-sent for a read', async () => {
    for (const [kind] of callsOf((await modelAndSession())[1], '/n')) {
      const [{ control }, session] = await modelAndSession()
      await plain(session, '/n')
      const log = statesOf(session)
      control.onRequest((request) => (request.kind === kind ? 'lose-before' : undefined))
      const call = new Map(callsOf(session, '/n')).get(kind)
      const outcome = READS.includes(kind) ? 'not-sent' : 'unknown'
      await expect(call?.()).rejects.toMatchObject({ code: 'CONNECTION_LOSS', outcome })
      await vi.advanceTimersByTimeAsync(0)
      expect(log).toEqual(['suspended', 'connected'])
      expect(control.nodes().map(({ path }) => path)).toEqual(['/', '/n'])
    }
  })

  it('loses the reply of a request that took effect', async () => {
    const [{ control }, session] = await modelAndSession()
    const remove = control.onRequest(() => 'lose-after')
    await expect(plain(session, '/n')).rejects.toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' })
    remove()
    expect(await session.exists('/n')).not.toBeNull()
  })

  it('loses with a request everything that was sent behind it', async () => {
    const [{ control }, session] = await modelAndSession()
    control.onRequest(({ path }) => (path === '/a' ? 'lose-after' : undefined))
    const calls = await Promise.allSettled([plain(session, '/a'), plain(session, '/b'), session.get('/')])
    expect(calls.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(await session.exists('/b')).toBeNull()
  })

  it('ends the session before or after a request takes effect', async () => {
    for (const fate of ['expire-before', 'expire-after'] as const) {
      const [{ control }, session] = await modelAndSession()
      control.onRequest(() => fate)
      const refusal = { code: 'SESSION_EXPIRED', outcome: 'unknown' }
      await expect(plain(session, '/n')).rejects.toMatchObject(refusal)
      expect(session.state.status).toBe('expired')
      expect(control.sessions()).toEqual([])
      expect(control.nodes().some(({ path }) => path === '/n')).toBe(fate === 'expire-after')
    }
  })

  it('delays a request and those behind it', async () => {
    const [{ control }, session] = await modelAndSession()
    control.onRequest(({ kind }) => (kind === 'sync' ? { delayMs: 100 } : undefined))
    const answered: string[] = []
    const note = (name: string) => (): void => void answered.push(name)
    const calls = [session.sync('/').then(note('sync')), session.get('/').then(note('get'))]
    await vi.advanceTimersByTimeAsync(99)
    expect(answered).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    await Promise.all(calls)
    expect(answered).toEqual(['sync', 'get'])
  })

  it('may lose, or end the session at, a close, which resolves all the same', async () => {
    for (const fate of ['lose-before', 'lose-after', 'expire-before', 'expire-after'] as const) {
      const [{ control }, session] = await modelAndSession()
      await session.create('/e', NO_DATA, { mode: 'ephemeral' })
      control.onRequest(() => fate)
      await session.close()
      expect(session.state.status).toBe('closed')
      expect(control.nodes().length).toBe(fate === 'lose-before' ? 2 : 1)
      await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
      expect(control.nodes().length).toBe(1)
      expect(control.liveTimers).toBe(0)
    }
  })
})

describe('time', () => {
  it('takes the latency each way', async () => {
    const [, session] = await modelAndSession({ latencyMs: 5 })
    let answered = false
    const call = session.sync('/').then(() => {
      answered = true
    })
    await vi.advanceTimersByTimeAsync(9)
    expect(answered).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(answered).toBe(true)
    await call
  })

  it('keeps an idle session, and counts its lease from the instant at which an answered ping was sent', async () => {
    const [, session] = await modelAndSession({ latencyMs: 5 })
    const openedMs = performance.now()
    expect(session.leaseDeadlineMs).toBe(openedMs + (TIMEOUT_MS * 2) / 3)
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 3 + 9)
    expect(session.leaseDeadlineMs).toBe(openedMs + (TIMEOUT_MS * 2) / 3)
    await vi.advanceTimersByTimeAsync(1)
    expect(session.leaseDeadlineMs).toBe(openedMs + TIMEOUT_MS)
    await vi.advanceTimersByTimeAsync(10 * TIMEOUT_MS)
    expect(session.state.status).toBe('connected')
  })

  it('ends a session that is out of touch for its time-out, and tells it when it comes back', async () => {
    const [{ control }, session] = await modelAndSession()
    await session.create('/e', NO_DATA, { mode: 'ephemeral' })
    control.disconnect(session.id)
    const deadlineMs = performance.now() + (TIMEOUT_MS * 2) / 3
    expect(session.state).toEqual({ status: 'suspended', deadlineMs })
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 1)
    expect(control.nodes().length).toBe(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(control.nodes().length).toBe(1)
    expect(session.state.status).toBe('suspended')
    control.reconnect(session.id)
    expect(session.state.status).toBe('expired')
    expect(control.liveTimers).toBe(0)
  })

  it('lets a session that stays out of touch give itself up at 4/3 of its time-out', async () => {
    const [{ control }, session] = await modelAndSession()
    control.disconnect(session.id)
    const call = plain(session, '/n')
    const refused = expect(call).rejects.toMatchObject({ code: 'SESSION_EXPIRED', outcome: 'session-over' })
    await vi.advanceTimersByTimeAsync((TIMEOUT_MS * 4) / 3 - 1)
    expect(session.state.status).toBe('suspended')
    await vi.advanceTimersByTimeAsync(1)
    expect(session.state.status).toBe('expired')
    await refused
  })

  it('keeps a session that comes back in time, with the calls made meanwhile', async () => {
    const [{ control }, session] = await modelAndSession()
    control.disconnect(session.id)
    const call = plain(session, '/n')
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 1)
    control.reconnect(session.id)
    await call
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
    expect(session.state.status).toBe('connected')
  })

  it('delays events, and the replies behind them', async () => {
    const [{ control }, session] = await modelAndSession()
    await plain(session, '/n')
    control.delayEvents(100)
    const log: string[] = []
    await session.get('/n', () => void log.push('event'))
    const call = session.set('/n', NO_DATA, -1).then(() => log.push('reply'))
    await vi.advanceTimersByTimeAsync(99)
    expect(log).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    await call
    expect(log).toEqual(['event', 'reply'])
  })

  it('has no timer left when every session has ended', async () => {
    const [backend, session] = await modelAndSession()
    const other = await open(backend)
    expect(backend.control.liveTimers).toBeGreaterThan(0)
    await session.close()
    backend.control.expire(other.id)
    expect(backend.control.liveTimers).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('control', () => {
  it('fires no watch whose read lost its reply', async () => {
    const [{ control }, session] = await modelAndSession()
    await plain(session, '/n')
    const remove = control.onRequest(() => 'lose-after')
    const events: unknown[] = []
    const reading = session.get('/n', (event) => void events.push(event))
    await expect(reading).rejects.toMatchObject({ code: 'CONNECTION_LOSS' })
    remove()
    await session.set('/n', NO_DATA, -1)
    expect(events).toEqual([])
    expect(control.watchCount()).toBe(0)
  })

  it('counts requests, events and watches, by session and kind', async () => {
    const [backend, session] = await modelAndSession()
    const { control } = backend
    const other = await open(backend)
    await plain(session, '/n')
    await other.get('/n', () => undefined)
    await other.children('/n', () => undefined)
    expect([control.watchCount(), control.watchCount(session.id), control.watchCount(other.id)]).toEqual([2, 0, 2])
    await session.set('/n', NO_DATA, -1)
    await other.sync('/')
    expect([control.eventCount(), control.eventCount(session.id), control.watchCount()]).toEqual([1, 0, 1])
    expect(control.requestCount()).toBe(5)
    expect(control.requestCount({ sessionId: session.id })).toBe(2)
    expect(control.requestCount({ kind: 'get' })).toBe(1)
    expect(control.requestCount({ sessionId: session.id, kind: 'get' })).toBe(0)
    control.resetCounts()
    expect([control.requestCount(), control.eventCount()]).toEqual([0, 0])
  })

  it('lists nodes with their owners, and open sessions', async () => {
    const [{ control }, session] = await modelAndSession()
    await plain(session, '/b')
    await session.create('/a', NO_DATA, { mode: 'ephemeral' })
    expect(control.nodes()).toEqual([
      { path: '/', ephemeralOwner: 0n },
      { path: '/a', ephemeralOwner: session.id },
      { path: '/b', ephemeralOwner: 0n },
    ])
    expect(control.sessions()).toEqual([session.id])
  })

  it('brings the sequence to its wrap, where the sign takes one of ten places until it needs eleven', async () => {
    const [{ control }, session] = await modelAndSession()
    control.setSequence('/', 2 ** 31 - 1)
    const names: string[] = []
    for (let i = 0; i < 3; i++) {
      names.push((await session.create('/s', NO_DATA, { mode: 'persistent-sequential' })).path)
    }
    control.setSequence('/', -7)
    names.push((await session.create('/s', NO_DATA, { mode: 'persistent-sequential' })).path)
    expect(names).toEqual(['/s2147483647', '/s-2147483648', '/s-2147483647', '/s-000000007'])
  })

  it('refuses to open sessions while it is told to', async () => {
    const backend = modelBackend()
    backend.control.refuseOpens(true)
    await expect(open(backend)).rejects.toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'not-sent' })
    backend.control.refuseOpens(false)
    expect((await open(backend)).state.status).toBe('connected')
  })

  it('knows no session that was not opened here', () => {
    expect(() => modelBackend().control.expire(7n)).toThrow(RangeError)
  })
})
