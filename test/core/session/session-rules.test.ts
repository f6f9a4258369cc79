/** Rules of sessions on all engines: the lease, which change wakes which read, the states, and the wait at close. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { SessionState, WatchEvent } from '../../../src/core/backend.ts'
import { CLOSE_MS_MAX, untilConfirmed } from '../../../src/core/session/closing.ts'
import { EventQueue } from '../../../src/core/session/event-queue.ts'
import { givenUpAtMs, trustedUntilMs } from '../../../src/core/session/lease-rule.ts'
import { whenSocketsAreRead } from '../../../src/core/session/stall.ts'
import { SessionStates } from '../../../src/core/session/states.ts'
import { wakes } from '../../../src/core/session/wakes.ts'
import type { WatchedRead } from '../../../src/core/session/wakes.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a lease', () => {
  it('is trusted for two thirds of the time-out after its proof, and given up after four thirds', () => {
    expect(trustedUntilMs(1_000, 9_000)).toBe(7_000)
    expect(givenUpAtMs(1_000, 9_000)).toBe(13_000)
  })

  it('that was never proven is never trusted', () => {
    expect(trustedUntilMs(-Infinity, 9_000)).toBe(-Infinity)
  })
})

describe('a watch', () => {
  const CHANGES: readonly WatchEvent['type'][] = ['created', 'changed', 'deleted', 'children']

  it.each<[WatchedRead, readonly WatchEvent['type'][]]>([
    ['exists', ['created', 'changed', 'deleted']],
    ['get', ['changed', 'deleted']],
    ['children', ['deleted', 'children']],
  ])('of %s is woken by %j and by nothing else', (read, changes) => {
    expect(CHANGES.filter((change) => wakes(change, read))).toEqual(changes)
  })
})

describe('the states of a session', () => {
  it('change first and are told then, in order, to those who listen', async () => {
    const states = new SessionStates(new EventQueue(() => undefined))
    const told: unknown[] = []
    const end = states.listen((state) => void told.push([state.status, states.current.status]))
    states.set({ status: 'suspended', deadlineMs: 5 })
    states.set({ status: 'expired' })
    expect(told).toEqual([])
    expect(states.current).toEqual({ status: 'expired' })
    await vi.advanceTimersByTimeAsync(0)
    expect(told).toEqual([['suspended', 'expired'], ['expired', 'expired']])
    end()
    states.set({ status: 'closed' })
    await vi.advanceTimersByTimeAsync(0)
    expect(told).toHaveLength(2)
  })

  it.each<[SessionState, boolean]>([
    [{ status: 'connected' }, false],
    [{ status: 'suspended', deadlineMs: 0 }, false],
    [{ status: 'expired' }, true],
    [{ status: 'closed' }, true],
  ])('say whether it is over: %j', (state, isOver) => {
    const states = new SessionStates(new EventQueue(() => undefined))
    states.set(state)
    expect(states.isOver).toBe(isOver)
  })
})

describe('the wait at close', () => {
  const settled = async (promise: Promise<void>, ms: number): Promise<boolean> => {
    let isSettled = false
    void promise.then(() => (isSettled = true))
    await vi.advanceTimersByTimeAsync(ms)
    return isSettled
  }

  it('ends when the servers confirm, or the connection is lost', async () => {
    expect(await settled(untilConfirmed(Promise.resolve('confirmed')), 0)).toBe(true)
    expect(await settled(untilConfirmed(Promise.reject(new Error('lost'))), 0)).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('takes no longer than its limit', async () => {
    const waiting = untilConfirmed(new Promise(() => undefined))
    expect(await settled(waiting, CLOSE_MS_MAX - 1)).toBe(false)
    expect(await settled(waiting, 1)).toBe(true)
  })
})

describe('a late judgement', () => {
  it('waits for two turns of the event loop, in which the sockets are read', () => {
    const order: string[] = []
    whenSocketsAreRead(() => void order.push('judged'))
    setImmediate(() => {
      order.push('read')
      setImmediate(() => void order.push('what was woken'))
    })
    vi.runAllTimers()
    expect(order.indexOf('read')).toBeLessThan(order.indexOf('judged'))
  })

  it('can be taken back in either turn', () => {
    const task = vi.fn()
    whenSocketsAreRead(task)()
    const cancel = whenSocketsAreRead(task)
    setImmediate(cancel)
    vi.runAllTimers()
    expect(task).not.toHaveBeenCalled()
  })
})
