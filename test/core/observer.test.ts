import { describe, expect, it, vi } from 'vitest'
import type { CallNotice, Observer, StateNotice } from '../../src/core/observer.ts'
import { CoordinationError } from '../../src/core/errors.ts'
import { useRig } from './rig.ts'
import { STAT, refusal } from './scripted-backend.ts'

const rig = useRig()
const { connected, settle } = rig

function recorder(): { readonly observer: Observer; readonly calls: CallNotice[]; readonly states: StateNotice[] } {
  const [calls, states]: [CallNotice[], StateNotice[]] = [[], []]
  const observer = { onCall: (notice: CallNotice) => calls.push(notice), onState: (s: StateNotice) => states.push(s) }
  return { observer, calls, states }
}

describe('an observer', () => {
  it('is told how each call ended, and how long it took', async () => {
    const { observer, calls } = recorder()
    const { client, session } = await connected({ observer })
    const read = client.exists('/a')
    await vi.advanceTimersByTimeAsync(40)
    session.last.resolve(STAT as never)
    await read
    const write = client.set('/b', 'x').catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(5)
    session.last.reject(refusal('NO_NODE', 'rejected', '/b'))
    const error = await write
    await settle()
    expect(calls).toEqual([
      { method: 'exists', path: '/a', durationMs: 40, error: undefined },
      { method: 'set', path: '/b', durationMs: 5, error },
    ])
    expect(error).toBeInstanceOf(CoordinationError)
  })

  it('hears once of a call that was repeated, with all of its time', async () => {
    const { observer, calls } = recorder()
    const { client, session } = await connected({ observer })
    const read = client.get('/a')
    session.last.reject(refusal('CONNECTION_LOSS', 'not-sent'))
    await vi.advanceTimersByTimeAsync(25)
    session.last.resolve({ data: new Uint8Array(), stat: STAT } as never)
    await read
    await settle()
    expect(calls).toEqual([{ method: 'get', path: '/a', durationMs: 25, error: undefined }])
  })

  it('is told each state, with the one before and how long that lasted, to the end', async () => {
    const { observer, states } = recorder()
    const { client, session } = await connected({ observer })
    await vi.advanceTimersByTimeAsync(100)
    session.become({ status: 'suspended', deadlineMs: 500 })
    await vi.advanceTimersByTimeAsync(30)
    session.become({ status: 'connected' })
    await settle()
    await client.close()
    const told = states.map(({ state, previous, previousMs }) => [previous?.status, previousMs, state.status])
    expect(told).toEqual([
      [undefined, 0, 'connected'],
      ['connected', 100, 'suspended'],
      ['suspended', 30, 'connected'],
      ['connected', 0, 'closed'],
    ])
  })

  it('is never called within a call, and may call the client', async () => {
    let isInside = false
    const heard: boolean[] = []
    const { client, session } = await connected({
      observer: {
        onCall: ({ method }) => {
          heard.push(isInside)
          if (method === 'exists') client.get('/b').catch(() => undefined)
        },
      },
    })
    const read = client.exists('/a')
    isInside = true
    session.last.resolve(null as never)
    isInside = false
    await read
    await settle()
    expect(heard).toEqual([false])
    expect(session.last.method).toBe('get')
  })

  it('that throws breaks no call, and is reported', async () => {
    const broken = new Error('broken')
    const rejecting = (): unknown => Promise.reject(broken)
    const { client, session } = await connected({
      observer: {
        onCall: () => {
          throw broken
        },
        onState: rejecting,
      },
    })
    const read = client.exists('/a')
    session.last.resolve(null as never)
    expect(await read).toBeNull()
    await settle()
    expect(rig.errors).toEqual([broken, broken])
  })

  it('is told at once what begins, and gets what it made of that with the end', async () => {
    const begun: unknown[] = []
    const first: Observer = {
      onBegin: (beginning) => {
        begun.push(beginning)
        return begun.length
      },
      onCall: (notice) => begun.push(notice.begun),
    }
    const second = recorder()
    const { client, session } = await connected({ observer: [first, second.observer] })
    const read = client.exists('/a')
    expect(begun).toEqual([{ type: 'call', method: 'exists', path: '/a' }])
    session.last.resolve(null as never)
    await read
    await settle()
    expect(begun.slice(1)).toEqual([1])
    expect(second.calls).toEqual([{ method: 'exists', path: '/a', durationMs: 0, error: undefined }])
  })

  it('whose onBegin throws breaks no call, and is reported', async () => {
    const broken = new Error('broken')
    const onBegin = (): never => {
      throw broken
    }
    const { client, session } = await connected({ observer: { onBegin } })
    const read = client.exists('/a')
    session.last.resolve(null as never)
    expect(await read).toBeNull()
    expect(rig.errors).toEqual([broken])
  })

  it.each([
    [5, 'observer must be an object with methods such as onCall, got 5'],
    [null, 'observer must be an object with methods such as onCall, got null'],
    [{ onCall: 'x' }, 'observer.onCall must be a function, got "x"'],
    [[{}, { onWait: 1 }], 'observer.onWait must be a function, got 1'],
    [[undefined], 'observer must be an object with methods such as onCall, got undefined'],
  ])('is refused if it is none: %j', async (observer, message) => {
    await expect(connected({ observer: observer as never })).rejects.toThrow(new TypeError(message))
  })
})
