import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { fullJitterMs, repeat } from '../../src/core/retry.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const always = (): boolean => true

it('draws each pause evenly below a bound that doubles up to a limit', () => {
  const random = vi.spyOn(Math, 'random')
  random.mockReturnValue(1)
  expect([1, 2, 3, 4, 20, 5000].map((failures) => fullJitterMs(failures))).toEqual([25, 50, 100, 200, 2000, 2000])
  expect(fullJitterMs(20, 300)).toBe(300)
  random.mockReturnValue(0)
  expect(fullJitterMs(20)).toBe(0)
  random.mockReturnValue(0.5)
  expect(fullJitterMs(3)).toBe(50)
})

it('makes attempts with pauses between them until one succeeds', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(1)
  const attempt = vi.fn<() => Promise<string>>()
  attempt.mockRejectedValueOnce(new Error('second')).mockResolvedValueOnce('done')
  const repeated = repeat(new Error('first'), attempt, { repeatable: always, limitMs: 1000 })
  await vi.advanceTimersByTimeAsync(24)
  expect(attempt).toHaveBeenCalledTimes(0)
  await vi.advanceTimersByTimeAsync(1)
  expect(attempt).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(50)
  expect(await repeated).toBe('done')
  expect(vi.getTimerCount()).toBe(0)
})

it('stops at an error that is not repeatable, without a pause', async () => {
  const attempt = vi.fn(() => Promise.reject(new Error('final')))
  const repeatable = (error: unknown): boolean => (error as Error).message !== 'final'
  const repeated = repeat(new Error('first'), attempt, { repeatable, limitMs: 1000 })
  const caught = expect(repeated).rejects.toThrow('final')
  await vi.advanceTimersByTimeAsync(25)
  await caught
  expect(attempt).toHaveBeenCalledTimes(1)
  expect(vi.getTimerCount()).toBe(0)
})

it('throws the last error when the time is over, having made a last attempt then', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(1)
  let count = 1
  const attempt = vi.fn(() => Promise.reject(new Error(`attempt ${++count}`)))
  const repeated = repeat(new Error('attempt 1'), attempt, { repeatable: always, limitMs: 100 })
  const caught = expect(repeated).rejects.toThrow('attempt 4')
  // At 25, 75 and, cut to the limit, at 100 milliseconds.
  await vi.advanceTimersByTimeAsync(100)
  await caught
  expect(attempt).toHaveBeenCalledTimes(3)
})

it('goes on for hours if it may', async () => {
  let count = 0
  const attempt = (): Promise<string> => (++count < 2000 ? Promise.reject(new Error('no')) : Promise.resolve('yes'))
  const repeated = repeat(new Error('first'), attempt, { repeatable: always, limitMs: Infinity })
  await vi.advanceTimersByTimeAsync(2000 * 2000)
  expect(await repeated).toBe('yes')
})

it('ends with its signal during a pause, and leaves no timer', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(1)
  const controller = new AbortController()
  const attempt = vi.fn(() => Promise.resolve('done'))
  const repeated = repeat(new Error('first'), attempt, { repeatable: always, limitMs: 1000, signal: controller.signal })
  const caught = expect(repeated).rejects.toMatchObject({ code: 'ABORTED', cause: 'reason' })
  await vi.advanceTimersByTimeAsync(10)
  controller.abort('reason')
  await caught
  expect(attempt).not.toHaveBeenCalled()
  expect(vi.getTimerCount()).toBe(0)
})

it('keeps the success of an attempt during which the signal was aborted', async () => {
  const controller = new AbortController()
  const attempt = (): Promise<string> => {
    controller.abort()
    return Promise.resolve('done')
  }
  const repeated = repeat(new Error('first'), attempt, { repeatable: always, limitMs: 1000, signal: controller.signal })
  await vi.advanceTimersByTimeAsync(25)
  expect(await repeated).toBe('done')
})
