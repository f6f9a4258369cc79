import { describe, expect, it, vi } from 'vitest'
import type { WatchEvent, Watcher } from '../../src/core/backend.ts'
import { connect } from '../../src/core/connect.ts'
import type { Client } from '../../src/core/client.ts'
import { failure, outcomeOf } from '../outcomes.ts'
import { useRig } from './rig.ts'
import { CAPABILITIES, STAT, refusal } from './scripted-backend.ts'
import type { ScriptedCall, ScriptedSession } from './scripted-backend.ts'

const BYTES = new Uint8Array([1, 2, 3])

const rig = useRig()
const { connected, onError, settle } = rig

/** A client in the namespace `/app`, which was there. */
async function connectedIn(): Promise<{ client: Client; session: ScriptedSession }> {
  const connecting = connect(rig.backend, { onError, namespace: '/app' })
  await settle()
  rig.backend.last.last.resolve(STAT as never)
  const client = await connecting
  rig.backend.last.calls.length = 0
  return { client, session: rig.backend.last }
}

const asked = (call: ScriptedCall): unknown[] => [call.method, ...call.arguments]

async function expire(session: ScriptedSession): Promise<void> {
  session.become({ status: 'expired' })
  await settle()
}

describe('a namespace', () => {
  it('prefixes every path, and strips it from what comes back', async () => {
    const { client, session } = await connectedIn()
    const created = client.create('/locks/', 'x', { mode: 'ephemeral-sequential' })
    session.last.resolve({ path: '/app/locks/0000000001', stat: STAT } as never)
    expect(await created).toEqual({ path: '/locks/0000000001', stat: STAT })
    const results = client.multi([{ type: 'create', path: '/a', data: BYTES, mode: 'persistent' }])
    session.last.resolve([{ type: 'create', path: '/app/a', stat: STAT }] as never)
    expect(await results).toEqual([{ type: 'create', path: '/a', stat: STAT }])
    outcomeOf(client.get('/'))
    outcomeOf(client.create('/', '', { mode: 'persistent-sequential' }))
    outcomeOf(client.sync('/a'))
    expect(session.calls.map(({ method, arguments: [path] }) => [method, path])).toEqual([
      ['create', '/app/locks/'],
      ['multi', [{ type: 'create', path: '/app/a', data: BYTES, mode: 'persistent' }]],
      ['get', '/app'],
      ['create', '/app/'],
      ['sync', '/app/a'],
    ])
  })

  it('is not seen in events and errors', async () => {
    const { client, session } = await connectedIn()
    const events: WatchEvent[] = []
    const reading = client.get('/app/a', { watch: (event) => events.push(event) })
    ;(session.last.arguments[1] as Watcher)({ type: 'changed', path: '/app/app/a' })
    session.last.reject(refusal('NO_NODE', 'rejected', '/app/app/a'))
    await expect(reading).rejects.toMatchObject({ code: 'NO_NODE', outcome: 'rejected', path: '/app/a' })
    expect(events).toEqual([{ type: 'changed', path: '/app/a' }])
    const many = client.multi([])
    session.last.reject(refusal('BAD_VERSION', 'rejected', '/app/b'))
    await expect(many).rejects.toMatchObject({ code: 'BAD_VERSION', path: '/b' })
    const controller = new AbortController()
    const waiting = client.get('/app/a', { signal: controller.signal })
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', path: '/app/a' })
  })
})

describe('makePath', () => {
  it('is one read if the path is there', async () => {
    const { client, session } = await connected()
    const making = client.makePath('/a/b')
    session.last.resolve(STAT as never)
    await making
    expect(session.calls.map(asked)).toEqual([['exists', '/a/b']])
  })

  it('makes containers, is content with what others made, and goes on over a lost reply', async () => {
    const { client, session } = await connected()
    const making = outcomeOf(client.makePath('/a'))
    session.last.resolve(null as never)
    await settle()
    expect(asked(session.last)).toEqual(['create', '/a', new Uint8Array(), { mode: 'container' }])
    session.last.reject(refusal('CONNECTION_LOSS', 'unknown'))
    await vi.advanceTimersByTimeAsync(25)
    session.last.resolve(null as never)
    await settle()
    session.last.reject(refusal('NODE_EXISTS', 'rejected'))
    await settle()
    expect(making).toEqual({ value: 'done' })
  })

  it('makes persistent nodes where the engine has no containers', async () => {
    rig.backend.capabilities = { ...CAPABILITIES, containers: false }
    const { client, session } = await connected()
    outcomeOf(client.makePath('/a'))
    session.last.resolve(null as never)
    await settle()
    expect(asked(session.last)).toEqual(['create', '/a', new Uint8Array(), { mode: 'persistent' }])
  })

  it('gives up when the parent vanishes again and again', async () => {
    const { client, session } = await connected()
    const making = outcomeOf(client.makePath('/a/b'))
    for (let count = 0; count < 50; count++) {
      await settle()
      const [path] = session.last.arguments
      if (session.last.method === 'exists') session.last.resolve((path === '/a' ? STAT : null) as never)
      else session.last.reject(refusal('NO_NODE', 'rejected', '/a/b'))
    }
    expect(making.error).toEqual(failure('NO_NODE', 'rejected'))
    expect(session.calls.filter(({ method }) => method === 'create')).toHaveLength(10)
  })
})

describe('repeats', () => {
  it('makes a read again over connection losses until it succeeds', async () => {
    const { client, session } = await connected()
    const reading = client.get('/a')
    session.last.reject(refusal('CONNECTION_LOSS', 'not-sent'))
    await vi.advanceTimersByTimeAsync(25)
    session.last.reject(refusal('CONNECTION_LOSS', 'not-sent'))
    await vi.advanceTimersByTimeAsync(50)
    session.last.resolve({ data: BYTES, stat: STAT } as never)
    expect(await reading).toEqual({ data: BYTES, stat: STAT })
    expect(session.calls).toHaveLength(3)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('ends a read with its last error when the time for operations is over', async () => {
    const { client, session } = await connected({ operationTimeoutMs: 100 })
    const reading = outcomeOf(client.exists('/a'))
    for (const waitMs of [25, 50, 25]) {
      session.last.reject(refusal('CONNECTION_LOSS', 'not-sent'))
      await vi.advanceTimersByTimeAsync(waitMs)
    }
    session.last.reject(refusal('CONNECTION_LOSS', 'not-sent'))
    await settle()
    expect(reading.error).toEqual(failure('CONNECTION_LOSS', 'not-sent'))
    expect(session.calls).toHaveLength(4)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('never makes a write again whose outcome is unknown, or whose session is over', async () => {
    const { client, session } = await connected()
    for (const error of [refusal('CONNECTION_LOSS', 'unknown'), refusal('SESSION_EXPIRED', 'session-over')]) {
      const writing = outcomeOf(client.create('/a'))
      session.last.reject(error)
      await vi.advanceTimersByTimeAsync(20_000)
      expect(writing.error).toBe(error)
    }
    expect(session.calls).toHaveLength(2)
  })

  it('makes a write again that was not sent', async () => {
    const { client, session } = await connected()
    const writing = client.delete('/a')
    session.last.reject(refusal('CONNECTION_LOSS', 'not-sent'))
    await vi.advanceTimersByTimeAsync(25)
    session.last.resolve(undefined as never)
    expect(await writing).toBe(undefined)
  })

  it('does not repeat what the servers refused', async () => {
    const { client, session } = await connected()
    const reading = client.get('/a')
    session.last.reject(refusal('NO_NODE', 'rejected'))
    await expect(reading).rejects.toEqual(failure('NO_NODE', 'rejected'))
    expect(session.calls).toHaveLength(1)
  })

  it('makes a read of an expired session again on the next one, watch included', async () => {
    const { client, session } = await connected()
    const watch = vi.fn()
    const reading = client.get('/a', { watch })
    session.last.reject(refusal('SESSION_EXPIRED', 'session-over'))
    await expire(session)
    await vi.advanceTimersByTimeAsync(25)
    expect(rig.backend.last).not.toBe(session)
    rig.backend.last.last.resolve({ data: BYTES, stat: STAT } as never)
    await reading
    ;(rig.backend.last.last.arguments[1] as Watcher)({ type: 'deleted', path: '/a' })
    expect(watch).toHaveBeenCalledExactlyOnceWith({ type: 'deleted', path: '/a' })
  })

  it('leaves a watch of a read that was made again where unwatch finds it', async () => {
    const { client, session } = await connected()
    const watch = vi.fn()
    const reading = client.get('/a', { watch })
    session.last.reject(refusal('SESSION_EXPIRED', 'session-over'))
    await expire(session)
    await vi.advanceTimersByTimeAsync(25)
    rig.backend.last.last.resolve({ data: BYTES, stat: STAT } as never)
    await reading
    client.unwatch('/a', watch)
    expect(rig.backend.last.unwatched).toEqual([['/a', rig.backend.last.last.arguments[1]]])
  })
})

describe('an abort', () => {
  it('before a call sends nothing', async () => {
    const { client, session } = await connected()
    await expect(client.create('/a', '', { signal: AbortSignal.abort('reason') })).rejects.toMatchObject({
      code: 'ABORTED',
      outcome: 'aborted',
      cause: 'reason',
    })
    expect(session.calls).toHaveLength(0)
  })

  it('ends the wait for a call in flight at once', async () => {
    const { client, session } = await connected()
    const controller = new AbortController()
    const writing = outcomeOf(client.set('/a', '', { signal: controller.signal }))
    controller.abort('reason')
    await settle()
    expect(writing.error).toMatchObject({ code: 'ABORTED', outcome: 'aborted', cause: 'reason', path: '/a' })
    session.last.reject(refusal('CONNECTION_LOSS', 'unknown'))
    await settle()
  })

  it('ends the pauses between repeats', async () => {
    const { client, session } = await connected()
    const controller = new AbortController()
    const reading = outcomeOf(client.get('/a', { signal: controller.signal }))
    session.last.reject(refusal('CONNECTION_LOSS', 'not-sent'))
    await vi.advanceTimersByTimeAsync(10)
    controller.abort('reason')
    await settle()
    expect(reading.error).toMatchObject({ code: 'ABORTED', cause: 'reason', path: '/a' })
    expect(session.calls).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('ends the wait for a session', async () => {
    const { client, session } = await connected()
    rig.backend.script.push('pending')
    await expire(session)
    const controller = new AbortController()
    const writing = outcomeOf(client.set('/a', '', { signal: controller.signal }))
    await vi.advanceTimersByTimeAsync(100)
    controller.abort('reason')
    await settle()
    expect(writing.error).toMatchObject({ code: 'ABORTED', cause: 'reason' })
  })

  it('of a read forgets the watch that it would have armed, and no other of the same function', async () => {
    const { client, session } = await connected()
    const watch = vi.fn()
    const controller = new AbortController()
    const first = client.get('/a', { watch })
    session.last.resolve({ data: BYTES, stat: STAT } as never)
    await first
    const second = outcomeOf(client.get('/a', { watch, signal: controller.signal }))
    controller.abort()
    await settle()
    expect(second.error).toEqual(failure('ABORTED', 'aborted'))
    expect(session.unwatched).toEqual([['/a', session.calls[1]?.arguments[1]]])
    expect(session.calls[0]?.arguments[1]).not.toBe(session.calls[1]?.arguments[1])
  })
})

describe('unwatch', () => {
  it('finds what the session was given for every read of the path, once', async () => {
    const { client, session } = await connectedIn()
    const watch = vi.fn()
    const reads = [client.get('/a', { watch }), client.children('/a', { watch }), client.get('/b', { watch })]
    for (const call of session.calls) call.resolve({ data: BYTES, names: [], stat: STAT } as never)
    await Promise.all(reads)
    client.unwatch('/a', watch)
    client.unwatch('/a', watch)
    client.unwatch('/a', vi.fn())
    expect(session.unwatched).toEqual([
      ['/app/a', session.calls[0]?.arguments[1]],
      ['/app/a', session.calls[1]?.arguments[1]],
    ])
  })

  it('has nothing to find for a watch that has fired, or whose read failed', async () => {
    const { client, session } = await connected()
    const watch = vi.fn()
    const fired = client.get('/a', { watch })
    session.last.resolve({ data: BYTES, stat: STAT } as never)
    await fired
    ;(session.last.arguments[1] as Watcher)({ type: 'changed', path: '/a' })
    const failed = client.get('/a', { watch })
    session.last.reject(refusal('NO_NODE', 'rejected'))
    await expect(failed).rejects.toEqual(failure('NO_NODE', 'rejected'))
    session.unwatched.length = 0
    client.unwatch('/a', watch)
    expect(session.unwatched).toEqual([])
  })

  it('has nothing to find for a watch that died with its session', async () => {
    const { client, session } = await connected()
    const watch = vi.fn()
    const reading = client.get('/a', { watch })
    session.last.resolve({ data: BYTES, stat: STAT } as never)
    await reading
    await expire(session)
    client.unwatch('/a', watch)
    expect(rig.backend.sessions.map(({ unwatched }) => unwatched)).toEqual([[], []])
  })

  it('of a read that is being repeated keeps it from arming the watch', async () => {
    const { client, session } = await connected()
    const watch = vi.fn()
    outcomeOf(client.get('/a', { watch }))
    session.last.reject(refusal('CONNECTION_LOSS', 'not-sent'))
    await settle()
    client.unwatch('/a', watch)
    await vi.advanceTimersByTimeAsync(25)
    expect(asked(session.last)).toEqual(['get', '/a', undefined])
  })
})
