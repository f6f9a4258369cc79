import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Deadline, abortable, deferred, delay, limited, whenAborted } from '../../src/core/async.ts'
import { STALL_MS } from '../../src/core/session/stall.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const aborted = (cause: unknown): unknown => expect.objectContaining({ code: 'ABORTED', outcome: 'aborted', cause })

/** A signal that tells how many listeners it has. */
function countedSignal(): { controller: AbortController; listeners: () => number } {
  const controller = new AbortController()
  const add = vi.spyOn(controller.signal, 'addEventListener')
  const remove = vi.spyOn(controller.signal, 'removeEventListener')
  return { controller, listeners: () => add.mock.calls.length - remove.mock.calls.length }
}

describe('deferred', () => {
  it('is settled by whoever holds it, once', async () => {
    const { promise, resolve, reject } = deferred<number>()
    resolve(1)
    reject(new Error('too late'))
    expect(await promise).toBe(1)
  })
})

describe('abortable', () => {
  it('is the promise itself without a signal', () => {
    const promise = Promise.resolve(1)
    expect(abortable(promise, undefined)).toBe(promise)
  })

  it('settles as the promise does, and leaves no listener', async () => {
    const { controller, listeners } = countedSignal()
    expect(await abortable(Promise.resolve(1), controller.signal)).toBe(1)
    await expect(abortable(Promise.reject(new Error('no')), controller.signal)).rejects.toThrow('no')
    await Promise.resolve()
    expect(listeners()).toBe(0)
  })

  it('rejects at once when the signal is aborted, with its reason and the path', async () => {
    const controller = new AbortController()
    const waiting = abortable(new Promise(() => undefined), controller.signal, '/a')
    controller.abort('reason')
    await expect(waiting).rejects.toEqual(aborted('reason'))
    await expect(waiting).rejects.toHaveProperty('path', '/a')
  })

  it('rejects for a signal that was aborted before, and ignores how the promise ends', async () => {
    const { promise, reject } = deferred<number>()
    const waiting = abortable(promise, AbortSignal.abort('before'))
    reject(new Error('nobody listens'))
    await expect(waiting).rejects.toEqual(aborted('before'))
  })
})

describe('limited', () => {
  it('rejects with the given error when the time is over, and leaves no timer', async () => {
    const waiting = limited(new Promise(() => undefined), 100, () => new Error('late'))
    const caught = expect(waiting).rejects.toThrow('late')
    await vi.advanceTimersByTimeAsync(99)
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    await caught
    expect(vi.getTimerCount()).toBe(0)
  })

  it('settles as the promise does within the time, and leaves no timer', async () => {
    expect(await limited(Promise.resolve(1), 100, () => new Error('late'))).toBe(1)
    await Promise.resolve()
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('delay', () => {
  it('resolves when the time is over, and leaves no listener', async () => {
    const { controller, listeners } = countedSignal()
    let isOver = false
    void delay(100, controller.signal).then(() => (isOver = true))
    await vi.advanceTimersByTimeAsync(99)
    expect(isOver).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(isOver).toBe(true)
    expect(listeners()).toBe(0)
  })

  it('ends with its signal, before or meanwhile, and leaves no timer', async () => {
    const controller = new AbortController()
    const waiting = delay(100, controller.signal)
    controller.abort('reason')
    await expect(waiting).rejects.toEqual(aborted('reason'))
    await expect(delay(100, controller.signal)).rejects.toEqual(aborted('reason'))
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a deadline', () => {
  it('calls back once its instant has passed, and never within start', async () => {
    const onDue = vi.fn()
    const dueMs = performance.now() + 100
    new Deadline(() => dueMs, onDue).start()
    await vi.advanceTimersByTimeAsync(99)
    expect(onDue).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    await vi.advanceTimersByTimeAsync(1000)
    expect(onDue).toHaveBeenCalledTimes(1)
    const past = vi.fn()
    new Deadline(() => -Infinity, past).start()
    expect(past).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(0)
    expect(past).toHaveBeenCalledTimes(1)
  })

  it('follows an instant that moves on, without being told', async () => {
    const onDue = vi.fn()
    let dueMs = performance.now() + 100
    new Deadline(() => dueMs, onDue).start()
    await vi.advanceTimersByTimeAsync(90)
    dueMs += 50
    await vi.advanceTimersByTimeAsync(59)
    expect(onDue).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(onDue).toHaveBeenCalledTimes(1)
  })

  it('waits longer than a timer can', async () => {
    const onDue = vi.fn()
    const set = vi.spyOn(globalThis, 'setTimeout')
    const dueMs = performance.now() + 2 ** 31 + 1000
    new Deadline(() => dueMs, onDue).start()
    await vi.advanceTimersByTimeAsync(2 ** 31)
    expect(onDue).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1000)
    expect(onDue).toHaveBeenCalledTimes(1)
    // A timer that is set to more than an int32 fires at once.
    expect(set.mock.calls.map(([, waitMs]) => waitMs)).toEqual([2 ** 31 - 1, 1001])
  })

  it.each([
    ['that fires late lets a turn of the loop pass first, in which sockets are read', STALL_MS + 1, ['turn', 'due']],
    ['that fires in time does not wait', 1, ['due', 'turn']],
  ])('%s', async (_name, lateMs, expected) => {
    const now = performance.now.bind(performance)
    const order: string[] = []
    const dueMs = now() + 100
    new Deadline(() => dueMs, () => order.push('due')).start()
    setTimeout(() => setImmediate(() => order.push('turn')), 100)
    await vi.advanceTimersByTimeAsync(99)
    vi.spyOn(performance, 'now').mockImplementation(() => now() + lateMs)
    await vi.advanceTimersByTimeAsync(10)
    expect(order).toEqual(expected)
  })

  it('that fires late judges again behind that turn: what was read may have moved it', async () => {
    const now = performance.now.bind(performance)
    const onDue = vi.fn()
    let dueMs = now() + 100
    new Deadline(() => dueMs, onDue).start()
    setTimeout(() => setImmediate(() => (dueMs += 500)), 100)
    await vi.advanceTimersByTimeAsync(99)
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 100)
    await vi.advanceTimersByTimeAsync(300)
    expect(onDue).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(200)
    expect(onDue).toHaveBeenCalledTimes(1)
  })

  it('calls nothing once it is stopped, not even between the turns of a late one', async () => {
    const onDue = vi.fn()
    const now = performance.now.bind(performance)
    const dueMs = now() + 100
    const deadline = new Deadline(() => dueMs, onDue)
    deadline.start()
    vi.spyOn(performance, 'now').mockImplementation(() => now() + STALL_MS + 1)
    setTimeout(() => {
      deadline.stop()
    }, 100)
    await vi.advanceTimersByTimeAsync(1000)
    expect(onDue).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('waiting for a signal', () => {
  it('puts one listener on it, however many wait', async () => {
    const controller = new AbortController()
    let listeners = 0
    const add = controller.signal.addEventListener.bind(controller.signal)
    controller.signal.addEventListener = (...args: Parameters<typeof add>): void => {
      listeners += 1
      add(...args)
    }
    const ended: number[] = []
    const waits = Array.from({ length: 50 }, (_, i) => whenAborted(controller.signal, () => ended.push(i)))
    waits[7]?.()
    controller.abort()
    await Promise.resolve()
    expect(listeners).toBe(1)
    expect(ended).toHaveLength(49)
    expect(ended).not.toContain(7)
  })

  it('is over at once if it is aborted already', () => {
    let called = false
    whenAborted(AbortSignal.abort(), () => {
      called = true
    })
    expect(called).toBe(true)
  })
})
