import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../../../src/core/assert.ts'
import {
  SessionTable,
  SessionTracker,
  samePassword,
} from '../../../../../src/backends/embedded/server/state/sessions.ts'
import { Err } from '../../../../../src/backends/wire/codes.ts'

const ENTRY = { timeoutMs: 4000, passwd: Uint8Array.of(1) }

function tracker(bucketTicks = 1, tickMs = 100): SessionTracker {
  return new SessionTracker({ tickMs, bucketTicks })
}

/** Ticks until something expires; fails after 1000. */
function ticksToExpiry(tracked: SessionTracker): number {
  for (let ticks = 1; ticks <= 1000; ticks++) if (tracked.tick().length > 0) return ticks
  throw new Error('nothing expired')
}

describe('the session table', () => {
  it('lists open sessions sorted by id, whatever the order in which they came', () => {
    const table = new SessionTable()
    for (const id of [5n, -(2n ** 60n), 9n]) table.add(id, ENTRY)
    table.remove(9n)
    expect(table.entries().map(([id]) => id)).toEqual([-(2n ** 60n), 5n])
    expect([table.size, table.has(9n), table.get(5n)]).toEqual([2, false, ENTRY])
  })

  it('asserts that a session is opened once and ended once, and has an id that marks no kind of node', () => {
    const table = new SessionTable()
    table.add(5n, ENTRY)
    expect(() => table.add(5n, ENTRY)).toThrow(AssertionError)
    expect(() => table.remove(6n)).toThrow(AssertionError)
    for (const id of [0n, -(2n ** 63n), -1n]) expect(() => table.add(id, ENTRY)).toThrow(AssertionError)
  })
})

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

describe('a password', () => {
  it('is the same if all of its bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ maxLength: 20 }), (a, b) => {
        expect(samePassword(a, Uint8Array.from(a))).toBe(true)
        expect(samePassword(a, b)).toBe(Buffer.from(a).equals(Buffer.from(b)))
      }),
    )
  })

  it('is another one if one bit of any byte differs', () => {
    const right = new Uint8Array(16).fill(0xa5)
    for (let bit = 0; bit < 128; bit++) {
      const shown = Uint8Array.from(right)
      shown[bit >> 3] = (shown[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(samePassword(right, shown)).toBe(false)
    }
  })
})
