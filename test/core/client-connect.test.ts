import { describe, expect, it, vi } from 'vitest'
import type { Operation } from '../../src/core/backend.ts'
import { connect } from '../../src/core/connect.ts'
import type { Client, ConnectOptions } from '../../src/core/client.ts'
import { failure, outcomeOf } from '../outcomes.ts'
import { useRig } from './rig.ts'
import { CAPABILITIES, STAT, refusal } from './scripted-backend.ts'
import type { ScriptedCall } from './scripted-backend.ts'

const BYTES = new Uint8Array([1, 2, 3])

const rig = useRig()
const { connected, onError, settle } = rig

const asked = (call: ScriptedCall): unknown[] => [call.method, ...call.arguments]

describe('connect', () => {
  it('opens a session and tells where it stands', async () => {
    const { client, session } = await connected({ sessionTimeoutMs: 1234 })
    expect(rig.backend.opens).toMatchObject([{ sessionTimeoutMs: 1234 }])
    expect(client).toMatchObject({
      namespace: '/',
      capabilities: CAPABILITIES,
      state: { status: 'connected', sessionId: session.id },
      sessionId: session.id,
      sessionTimeoutMs: 3000,
      leaseDeadlineMs: 2000,
    })
  })

  it('tries again over connection losses', async () => {
    rig.backend.script.push(refusal('CONNECTION_LOSS', 'not-sent'), refusal('CONNECTION_LOSS', 'not-sent'))
    const connecting = connect(rig.backend, { onError })
    await vi.advanceTimersByTimeAsync(25 + 50)
    expect(await connecting).toMatchObject({ sessionId: 1n })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('resolves without a session where it is not to wait for one, and opens it in its own time', async () => {
    rig.backend.script.push(refusal('CONNECTION_LOSS', 'not-sent'), refusal('NO_AUTH', 'rejected'))
    const client = await connect(rig.backend, { onError, waitForSession: false })
    expect(client).toMatchObject({ state: { status: 'expired', sessionId: 0n }, sessionId: null })
    const reading = outcomeOf(client.exists('/a'))
    const states: string[] = []
    client.onState(({ status }) => void states.push(status))
    await vi.advanceTimersByTimeAsync(25 + 50)
    expect(client).toMatchObject({ state: { status: 'connected' }, sessionId: 1n })
    expect(rig.errors).toEqual([failure('NO_AUTH', 'rejected')])
    expect(states).toEqual(['connected'])
    await settle()
    expect(reading.error).toBeUndefined()
    await client.close()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('makes the namespace before anything is done in it, also where it does not wait for a session', async () => {
    rig.backend.script.push(refusal('CONNECTION_LOSS', 'not-sent'))
    const client = await connect(rig.backend, { onError, waitForSession: false, namespace: '/app/one' })
    const creating = outcomeOf(client.create('/a'))
    await vi.advanceTimersByTimeAsync(25)
    await settle()
    const session = rig.backend.last
    expect(session.calls.map(asked)).toEqual([['exists', '/app/one', undefined]])
    session.last.resolve(STAT as never)
    await vi.advanceTimersByTimeAsync(25)
    expect(session.calls.map(asked).at(-1)?.slice(0, 2)).toEqual(['create', '/app/one/a'])
    expect(creating.error).toBeUndefined()
  })

  it('ends with the client where it does not wait for a session', async () => {
    rig.backend.script.push('pending')
    const client = await connect(rig.backend, { onError, waitForSession: false })
    await client.close()
    expect(rig.backend.opens[0]?.signal?.aborted).toBe(true)
    const aborted = connect(rig.backend, { onError, waitForSession: false, signal: AbortSignal.abort('enough') })
    await expect(aborted).rejects.toEqual(failure('ABORTED', 'aborted'))
    expect(vi.getTimerCount()).toBe(0)
  })

  it('rejects at once with an error that another attempt cannot mend', async () => {
    rig.backend.script.push(refusal('NO_AUTH', 'rejected'))
    await expect(connect(rig.backend, { onError })).rejects.toEqual(failure('NO_AUTH', 'rejected'))
    expect(rig.backend.opens).toHaveLength(1)
  })

  it('rejects with TIMEOUT and the last error when its time is over, and leaves nothing behind', async () => {
    rig.backend.script.push(refusal('CONNECTION_LOSS', 'not-sent'), 'pending')
    const connecting = outcomeOf(connect(rig.backend, { onError, connectTimeoutMs: 500 }))
    await vi.advanceTimersByTimeAsync(499)
    expect(connecting).toEqual({})
    await vi.advanceTimersByTimeAsync(1)
    expect(connecting.error).toEqual(failure('TIMEOUT', 'aborted'))
    expect(connecting.error).toHaveProperty('cause', failure('CONNECTION_LOSS', 'not-sent'))
    expect(rig.backend.opens[1]?.signal?.aborted).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('ends when its signal is aborted, and leaves nothing behind', async () => {
    rig.backend.script.push('pending')
    const controller = new AbortController()
    const connecting = outcomeOf(connect(rig.backend, { onError, signal: controller.signal }))
    await settle()
    controller.abort('reason')
    await settle()
    expect(connecting.error).toEqual(failure('ABORTED', 'aborted'))
    expect(connecting.error).toHaveProperty('cause', 'reason')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('does not open a session for a signal that is aborted already', async () => {
    await expect(connect(rig.backend, { signal: AbortSignal.abort() })).rejects.toEqual(failure('ABORTED', 'aborted'))
    expect(rig.backend.opens).toHaveLength(0)
  })

  it('makes the namespace and its ancestors, persistent, and ends the session if it cannot', async () => {
    const connecting = connect(rig.backend, { onError, namespace: '/a/b' })
    const { calls } = await settle().then(() => rig.backend.last)
    const created = { path: '/', stat: {} }
    for (const result of [null, refusal('NO_NODE', 'rejected'), null, created, created]) {
      await settle()
      if (result instanceof Error) calls.at(-1)?.reject(result)
      else calls.at(-1)?.resolve(result as never)
    }
    await connecting
    expect(calls.map(({ method, arguments: [path, , options] }) => [method, path, options])).toEqual([
      ['exists', '/a/b', undefined],
      ['create', '/a/b', { mode: 'persistent' }],
      ['exists', '/a', undefined],
      ['create', '/a', { mode: 'persistent' }],
      ['create', '/a/b', { mode: 'persistent' }],
    ])
    const failing = outcomeOf(connect(rig.backend, { onError, namespace: '/a' }))
    await settle()
    rig.backend.last.last.reject(refusal('NO_AUTH', 'rejected'))
    await settle()
    expect(failing.error).toEqual(failure('NO_AUTH', 'rejected'))
    expect(rig.backend.last.closeCount).toBe(1)
  })

  it.each([
    [{ nameSpace: '/a' }, TypeError, '"nameSpace"'],
    [{ namespace: 'a' }, TypeError, '"a"'],
    [{ sessionTimeoutMs: 0 }, RangeError, '0'],
    [{ connectTimeoutMs: Infinity }, RangeError, 'Infinity'],
    [{ operationTimeoutMs: '5' }, TypeError, '"5"'],
    [{ operationTimeoutMs: NaN }, RangeError, 'NaN'],
    [{ signal: 'now' }, TypeError, '"now"'],
    [{ onError: 7 }, TypeError, '7'],
  ])('refuses the options %o and names the value', async (options, kind, value) => {
    const connecting = connect(rig.backend, options as ConnectOptions)
    await expect(connecting).rejects.toBeInstanceOf(kind)
    await expect(connecting).rejects.toThrow(value)
    expect(rig.backend.opens).toHaveLength(0)
  })

  it('shows errors without a caller as process warnings by default', async () => {
    const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const client = await connect(rig.backend)
    client.report(new Error('nobody asked'))
    expect(emitWarning).toHaveBeenCalledWith('Error: nobody asked', {
      type: 'QuorateWarning',
      detail: expect.stringContaining('client-connect.test.ts') as string,
    })
  })
})

describe('arguments', () => {
  /** A value that no type would let through, but a caller without types may pass. */
  const wrong = (value: unknown): never => value as never
  const check = { type: 'check', path: '/a', version: 0 } as const
  const mortal = { mode: 'persistent-with-ttl' } as const

  it.each<[string, (client: Client) => Promise<unknown>, new (message: string) => Error, string]>([
    ['a relative path', (client) => client.get('a'), TypeError, '"a"'],
    ['a path that ends in a slash', (client) => client.create('/a/'), TypeError, '"/a/"'],
    ['a mode that is none', (client) => client.create('/a', '', { mode: wrong('eternal') }), TypeError, '"eternal"'],
    ['a time to live of a node without', (client) => client.create('/a', '', { ttlMs: 5 }), TypeError, '5'],
    ['owned forever', (client) => client.create('/a', '', { owned: true }), TypeError, 'persistent'],
    ['owned in part', (client) => client.create('/a', '', wrong({ mode: 'ephemeral', owned: 1 })), TypeError, 'got 1'],
    ['no time to live', (client) => client.create('/a', '', mortal), TypeError, 'ttlMs'],
    ['too long a life', (client) => client.create('/a', '', { ...mortal, ttlMs: 2 ** 40 }), RangeError, `${2 ** 40}`],
    ['a version below -1', (client) => client.set('/a', '', { version: -2 }), RangeError, '-2'],
    ['a version beyond int32', (client) => client.delete('/a', { version: 2 ** 31 }), RangeError, `${2 ** 31}`],
    ['data of a wrong kind', (client) => client.set('/a', wrong(5)), TypeError, '5'],
    ['a watch that is no function', (client) => client.get('/a', { watch: wrong(1) }), TypeError, '1'],
    ['a signal that is none', (client) => client.get('/a', { signal: wrong({}) }), TypeError, 'an object'],
    ['operations that are none', (client) => client.multi(wrong('x')), TypeError, '"x"'],
    ['an operation of no kind', (client) => client.multi([wrong({ type: 'get' })]), TypeError, 'operation'],
    ['half a version', (client) => client.multi([{ type: 'check', path: '/a', version: 0.5 }]), RangeError, '0.5'],
    ['operations with a hole', (client) => client.multi(wrong([,])), TypeError, 'undefined'],
    ['an operation that is null', (client) => client.multi([wrong(null)]), TypeError, 'null'],
    ['an operation with too much', (client) => client.multi([wrong({ ...check, ttlMs: 1 })]), TypeError, '"ttlMs"'],
    ['unknown options of create', (client) => client.create('/a', '', wrong({ ttl: 1 })), TypeError, '"ttlMs"'],
    ['unknown options of get', (client) => client.get('/a', wrong({ watcher: 1 })), TypeError, '"watch"'],
    ['a function for options', (client) => client.exists('/a', wrong(() => 1)), TypeError, 'such as { watch }'],
    ['null for options', (client) => client.children('/a', wrong(null)), TypeError, 'got null'],
    ['a version for options', (client) => client.set('/a', '', wrong(3)), TypeError, 'such as { version: 3 }'],
    ['unknown options of delete', (client) => client.delete('/a', wrong({ v: 1 })), TypeError, '"v"'],
    ['unknown options of sync', (client) => client.sync('/', wrong({ timeout: 1 })), TypeError, '"timeout"'],
    ['unknown options of makePath', (client) => client.makePath('/a', wrong({ ttlMs: 1 })), TypeError, '"ttlMs"'],
    ['unknown options of close', (client) => client.close(wrong({ timeoutMs: 1 })), TypeError, '"drainMs"'],
    ['a number for the options of close', (client) => client.close(wrong(5)), TypeError, 'such as { drainMs: 5 }'],
    ['a drain that never ends', (client) => client.close({ drainMs: NaN }), RangeError, 'NaN'],
    ['a path beyond the limit', (client) => client.get(`/${'é'.repeat(1_536)}`), RangeError, 'at most 3072'],
    ['a mode for makePath', (client) => client.makePath('/a', { mode: wrong('ephemeral') }), TypeError, 'ephemeral'],
  ])('%s is misuse, named with its value, and nothing is sent', async (_what, call, kind, value) => {
    const { client, session } = await connected()
    const calling = call(client)
    await expect(calling).rejects.toBeInstanceOf(kind)
    await expect(calling).rejects.toThrow(value)
    expect(session.calls).toHaveLength(0)
  })

  it('refuses data beyond what the engine takes, alone or together, as not sent', async () => {
    const { client, session } = await connected()
    const large = new Uint8Array(101)
    const half: Operation = { type: 'set', path: '/a', data: new Uint8Array(50), version: -1 }
    await expect(client.create('/a', large)).rejects.toEqual(failure('PAYLOAD_TOO_LARGE', 'not-sent'))
    await expect(client.set('/a', 'é'.repeat(51))).rejects.toEqual(failure('PAYLOAD_TOO_LARGE', 'not-sent'))
    await expect(client.multi([{ ...half, data: large }])).rejects.toEqual(failure('PAYLOAD_TOO_LARGE', 'not-sent'))
    await expect(client.multi([half, half])).rejects.toEqual(failure('PAYLOAD_TOO_LARGE', 'not-sent'))
    expect(session.calls).toHaveLength(0)
  })

  it('says UNSUPPORTED for nodes that the engine does not have', async () => {
    rig.backend.capabilities = { ...CAPABILITIES, containers: false, ttlGranularityMs: null }
    const { client } = await connected()
    await expect(client.create('/a', '', { mode: 'container' })).rejects.toEqual(failure('UNSUPPORTED', 'not-sent'))
    const withTtl = client.create('/a', '', { mode: 'persistent-with-ttl', ttlMs: 5 })
    await expect(withTtl).rejects.toEqual(failure('UNSUPPORTED', 'not-sent'))
  })

  it('reach the session in canonical form, with data of their own', async () => {
    const { client, session } = await connected()
    const data = Buffer.from(BYTES)
    outcomeOf(client.create('/a', data))
    outcomeOf(client.create('/', '', { mode: 'ephemeral-sequential' }))
    outcomeOf(client.set('/a', 'é'))
    outcomeOf(client.delete('/a', { version: 3 }))
    outcomeOf(client.sync())
    outcomeOf(client.multi([{ type: 'create', path: '/a', data, mode: 'persistent-with-ttl', ttlMs: 5 }]))
    data[0] = 99
    expect(session.calls.map(asked)).toEqual([
      ['create', '/a', BYTES, { mode: 'persistent' }],
      ['create', '/', new Uint8Array(), { mode: 'ephemeral-sequential' }],
      ['set', '/a', new Uint8Array([0xc3, 0xa9]), -1],
      ['delete', '/a', 3],
      ['sync', '/'],
      ['multi', [{ type: 'create', path: '/a', data: BYTES, mode: 'persistent-with-ttl', ttlMs: 5 }]],
    ])
  })
})
