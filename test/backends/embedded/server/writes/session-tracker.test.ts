import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Err } from '../../../../../src/backends/wire/codes.ts'
import { SessionTracker } from '../../../../../src/backends/embedded/server/writes/session-tracker.ts'

function tracker(bucketTicks = 1, tickMs = 100): SessionTracker {
  return new SessionTracker({ tickMs, bucketTicks })
}

/** Ticks until something expires; fails after 1000. */
function ticksToExpiry(tracked: SessionTracker): number {
  for (let ticks = 1; ticks <= 1000; ticks++) if (tracked.tick().length > 0) return ticks
  throw new Error('nothing expired')
}

describe('the session tracker', () => {
  it('ends a session after more than its time-out and at most one bucket later', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 0, max: 50 }),
        (timeoutMs, bucketTicks, ticksBefore) => {
          const tickMs = 100
          const tracked = tracker(bucketTicks, tickMs)
          for (let i = 0; i < ticksBefore; i++) tracked.tick()
          tracked.track(1n, timeoutMs, 1)
          const timeoutTicks = Math.ceil(timeoutMs / tickMs)
          const ticks = ticksToExpiry(tracked)
          expect(ticks).toBeGreaterThan(timeoutTicks)
          expect(ticks).toBeLessThanOrEqual(timeoutTicks + bucketTicks)
          expect((ticksBefore + ticks) % bucketTicks).toBe(0)
        },
      ),
    )
  })

  it('gives a session its full time-out again whenever it is heard of', () => {
    const tracked = tracker()
    tracked.track(1n, 300, 1)
    for (let i = 0; i < 20; i++) {
      expect(tracked.tick()).toEqual([])
      expect(tracked.touch(1n)).toBe(true)
    }
    expect(ticksToExpiry(tracked)).toBe(4)
  })

  it('tells of the sessions of one bucket together, sorted, of each once, and closes them', () => {
    const tracked = tracker(10)
    for (const id of [9n, -2n, 4n]) tracked.track(id, 500, 1)
    tracked.track(7n, 5000, 1)
    for (let i = 0; i < 9; i++) expect(tracked.tick()).toEqual([])
    expect(tracked.tick()).toEqual([-2n, 4n, 9n])
    expect([tracked.check(4n, 1), tracked.check(7n, 1)]).toEqual([Err.sessionExpired, Err.ok])
    expect(tracked.touch(4n)).toBe(false)
    for (let i = 0; i < 40; i++) expect(tracked.tick()).toEqual([])
    expect(tracked.size).toBe(4)
  })

  it('lets a session that is being closed do nothing, and does not revive it', () => {
    const tracked = tracker()
    tracked.track(1n, 300, 1)
    expect(tracked.markClosing(1n)).toBe(true)
    expect(tracked.markClosing(1n)).toBe(false)
    expect(tracked.check(1n, 1)).toBe(Err.sessionExpired)
    expect(tracked.touch(1n)).toBe(false)
    expect(tracked.move(1n, 2, 300)).toBe(false)
    tracked.track(1n, 300, 2)
    expect(tracked.check(1n, 2)).toBe(Err.sessionExpired)
    for (let i = 0; i < 20; i++) expect(tracked.tick()).toEqual([])
    tracked.remove(1n)
    expect(tracked.size).toBe(0)
  })

  it('refuses one that it does not know', () => {
    const tracked = tracker()
    expect(tracked.check(1n, 1)).toBe(Err.sessionExpired)
    expect([tracked.touch(1n), tracked.move(1n, 1, 300), tracked.markClosing(1n)]).toEqual([false, false, false])
    tracked.remove(1n)
    expect(tracked.size).toBe(0)
  })

  it('refuses what comes through a server that the session has left', () => {
    const tracked = tracker()
    tracked.track(1n, 300, 1)
    expect(tracked.check(1n, 1)).toBe(Err.ok)
    expect(tracked.move(1n, 2, 300)).toBe(true)
    expect(tracked.check(1n, 1)).toBe(Err.sessionMoved)
    expect(tracked.check(1n, 2)).toBe(Err.ok)
  })

  it('takes the first server that asks for the owner where it is not known', () => {
    const tracked = tracker()
    tracked.track(1n, 300, null)
    expect(tracked.check(1n, 3)).toBe(Err.ok)
    expect(tracked.check(1n, 1)).toBe(Err.sessionMoved)
  })

  it('keeps nothing of a session that was removed', () => {
    const tracked = tracker()
    tracked.track(1n, 300, 1)
    tracked.remove(1n)
    for (let i = 0; i < 10; i++) expect(tracked.tick()).toEqual([])
    tracked.track(1n, 300, 2)
    expect(tracked.check(1n, 2)).toBe(Err.ok)
    expect(ticksToExpiry(tracked)).toBe(4)
  })
})
