import { describe, expect, it, vi } from 'vitest'
import type { ClientState } from '../../src/core/client.ts'
import { failure, outcomeOf } from '../outcomes.ts'
import { useRig } from './rig.ts'
import { STAT, ScriptedSession, refusal } from './scripted-backend.ts'

const rig = useRig()
const { connected, settle } = rig

async function expire(session: ScriptedSession): Promise<void> {
  session.become({ status: 'expired' })
  await settle()
}

describe('the state', () => {
  it('follows the session, through suspension and expiry, to the next session', async () => {
    const { client, session } = await connected()
    const states: ClientState[] = []
    client.onState((state) => states.push(state))
    session.become({ status: 'suspended', deadlineMs: 2000 })
    expect(client.state).toEqual({ status: 'suspended', sessionId: 1n, deadlineMs: 2000 })
    await settle()
    session.become({ status: 'connected' })
    await settle()
    rig.backend.script.push(refusal('CONNECTION_LOSS', 'not-sent'))
    session.become({ status: 'expired' })
    expect(client.state).toEqual({ status: 'expired', sessionId: 1n })
    expect(client).toMatchObject({ sessionId: null, leaseDeadlineMs: -Infinity })
    await settle()
    expect(client.sessionTimeoutMs).toBe(3000)
    await vi.advanceTimersByTimeAsync(25)
    expect(states).toEqual([
      { status: 'suspended', sessionId: 1n, deadlineMs: 2000 },
      { status: 'connected', sessionId: 1n },
      { status: 'expired', sessionId: 1n },
      { status: 'connected', sessionId: 2n },
    ])
    expect(client.sessionId).toBe(2n)
  })

  it('tells once what became of a session before anyone could listen to it', async () => {
    const { client, session } = await connected()
    const states: ClientState[] = []
    client.onState((state) => states.push(state))
    const lost = new ScriptedSession(8n)
    lost.state = { status: 'suspended', deadlineMs: 5 }
    vi.spyOn(rig.backend, 'open').mockResolvedValueOnce(lost)
    await expire(session)
    const told = [
      { status: 'expired', sessionId: 1n },
      { status: 'connected', sessionId: 8n },
      { status: 'suspended', sessionId: 8n, deadlineMs: 5 },
    ]
    expect(states).toEqual(told)
    lost.become(lost.state)
    await settle()
    expect(states).toEqual(told)
  })

  it('opens the next session whatever the engine answers at first, and reports what is unusual', async () => {
    const { session } = await connected()
    const strange = new TypeError('of the engine')
    rig.backend.script.push(refusal('CONNECTION_LOSS', 'not-sent'), strange, refusal('NO_AUTH', 'rejected'))
    await expire(session)
    await vi.advanceTimersByTimeAsync(25 + 50 + 100)
    expect(rig.backend.sessions).toHaveLength(2)
    expect(rig.errors).toEqual([strange, failure('NO_AUTH', 'rejected')])
  })

  it('is told to each listener in order; one that throws is reported, one that ended is not called', async () => {
    const { client, session } = await connected()
    const heard: string[] = []
    const stop = client.onState(() => heard.push('stopped'))
    client.onState(() => {
      throw new Error('listener')
    })
    client.onState(({ status }) => heard.push(status))
    stop()
    session.become({ status: 'suspended', deadlineMs: 1 })
    session.become({ status: 'connected' })
    await settle()
    expect(heard).toEqual(['suspended', 'connected'])
    expect(rig.errors).toEqual([new Error('listener'), new Error('listener')])
  })

  it('lets calls wait for the next session while there is none', async () => {
    const { client, session } = await connected()
    rig.backend.script.push(refusal('CONNECTION_LOSS', 'not-sent'), refusal('CONNECTION_LOSS', 'not-sent'))
    await expire(session)
    const writing = client.set('/a', 'x')
    await vi.advanceTimersByTimeAsync(25 + 50)
    await settle()
    expect(rig.backend.last.calls.map(({ method }) => method)).toEqual(['set'])
    rig.backend.last.last.resolve(STAT as never)
    expect(await writing).toEqual(STAT)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('lets no call wait for longer than the time for operations', async () => {
    const { client, session } = await connected({ operationTimeoutMs: 1000 })
    rig.backend.script.push('pending')
    await expire(session)
    const writing = outcomeOf(client.set('/a', 'x'))
    const reading = outcomeOf(client.get('/a'))
    await vi.advanceTimersByTimeAsync(999)
    expect([writing, reading]).toEqual([{}, {}])
    await vi.advanceTimersByTimeAsync(1)
    expect(writing.error).toEqual(failure('CONNECTION_LOSS', 'not-sent'))
    expect(reading.error).toEqual(failure('CONNECTION_LOSS', 'not-sent'))
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('close', () => {
  it('ends what it owns newest first, then the session, and reports what fails to end', async () => {
    const { client, session } = await connected()
    const order: string[] = []
    const resource = (name: string, error?: Error) => ({
      async close() {
        order.push(`${name} ends`)
        await Promise.resolve()
        order.push(`${name} ended, session closed ${session.closeCount} times`)
        if (error !== undefined) throw error
      },
    })
    client.own(resource('first'))
    client.own(resource('second', new Error('second failed')))
    const disown = client.own(resource('third'))
    disown()
    await client.close()
    expect(order).toEqual([
      'second ends',
      'second ended, session closed 0 times',
      'first ends',
      'first ended, session closed 0 times',
    ])
    expect(session.closeCount).toBe(1)
    expect(rig.errors).toEqual([new Error('second failed')])
  })

  it('ends what is handed over while it closes first, and what lets itself go meanwhile never', async () => {
    const { client } = await connected()
    const order: string[] = []
    const resource = (name: string, meanwhile?: () => void) => ({
      close() {
        order.push(name)
        meanwhile?.()
        return Promise.resolve()
      },
    })
    client.own(resource('oldest'))
    const disown = client.own(resource('disowned'))
    client.own(resource('newest', () => {
      client.own(resource('handed over'))
      disown()
    }))
    await client.close()
    expect(order).toEqual(['newest', 'handed over', 'oldest'])
  })

  it('looks at each of the many things that it owns a few times, not once for each other', async () => {
    const { client } = await connected()
    const count = 2_000
    let ended = 0
    const close = (): Promise<void> => {
      ended += 1
      return Promise.resolve()
    }
    for (let index = 0; index < count; index += 1) client.own({ close })
    let looks = 0
    const iterate = Set.prototype[Symbol.iterator]
    Set.prototype[Symbol.iterator] = function (this: Set<unknown>) {
      looks += this.size
      return iterate.call(this)
    }
    try {
      await client.close()
    } finally {
      Set.prototype[Symbol.iterator] = iterate
    }
    expect(ended).toBe(count)
    expect(looks).toBeLessThan(3 * count)
  })

  it('lets what it owns call the client while it ends', async () => {
    const { client, session } = await connected()
    client.own({ close: () => client.delete('/mine') })
    const closing = client.close()
    await settle()
    expect(session.closeCount).toBe(0)
    session.last.resolve(undefined as never)
    await closing
    expect(rig.errors).toEqual([])
  })

  it('ends at once what is handed over too late', async () => {
    const { client } = await connected()
    await client.close()
    const close = vi.fn(() => Promise.resolve())
    client.own({ close })
    await settle()
    expect(close).toHaveBeenCalledTimes(1)
  })

  it('is idempotent, tells its state, and rejects every later call', async () => {
    const { client, session } = await connected()
    const states: ClientState[] = []
    client.onState((state) => states.push(state))
    await Promise.all([client.close(), client.close(), client[Symbol.asyncDispose]()])
    await client.close()
    expect(session.closeCount).toBe(1)
    expect(states).toEqual([{ status: 'closed' }])
    expect(client).toMatchObject({ state: { status: 'closed' }, sessionId: null, leaseDeadlineMs: -Infinity })
    await expect(client.get('/a')).rejects.toEqual(failure('CLIENT_CLOSED', 'not-sent'))
    await expect(client.multi([])).rejects.toEqual(failure('CLIENT_CLOSED', 'not-sent'))
  })

  it('rejects calls in flight, in a pause, and waiting for a session, and leaves no timer', async () => {
    const { client, session } = await connected()
    const inFlight = outcomeOf(client.set('/a', ''))
    const inPause = outcomeOf(client.get('/a'))
    session.last.reject(refusal('CONNECTION_LOSS', 'not-sent'))
    await settle()
    await client.close()
    await settle()
    expect(inFlight.error).toEqual(failure('CLIENT_CLOSED', 'not-sent'))
    expect(inPause.error).toEqual(failure('CLIENT_CLOSED', 'not-sent'))
    expect(vi.getTimerCount()).toBe(0)
    const second = await connected()
    rig.backend.script.push('pending')
    await expire(second.session)
    const waiting = outcomeOf(second.client.get('/a'))
    await vi.advanceTimersByTimeAsync(100)
    await second.client.close()
    await settle()
    expect(waiting.error).toEqual(failure('CLIENT_CLOSED', 'not-sent'))
    expect(vi.getTimerCount()).toBe(0)
    expect(rig.errors).toEqual([])
  })

  it('while the next session is being opened ends that, and no session is left', async () => {
    const { client, session } = await connected()
    let finish: ((session: ScriptedSession) => void) | undefined
    vi.spyOn(rig.backend, 'open').mockReturnValue(new Promise((resolve) => (finish = resolve)))
    await expire(session)
    await client.close()
    const late = new ScriptedSession(9n)
    finish?.(late)
    await settle()
    expect(late.closeCount).toBe(1)
    expect(client.state).toEqual({ status: 'closed' })
    expect(rig.errors).toEqual([])
  })

  it('reports a session that fails to close', async () => {
    const { client, session } = await connected()
    session.closing = Promise.reject(new Error('stuck'))
    await client.close()
    expect(rig.errors).toEqual([new Error('stuck')])
  })
})
