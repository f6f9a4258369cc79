import { describe, expect, it } from 'vitest'
import { LatencySummary } from '../../../../src/backends/embedded/host/latency.ts'

const SHARES = [0, 0.5, 0.95, 0.99, 0.999, 1]

describe('a summary of times', () => {
  it('knows nothing before the first', () => {
    const summary = new LatencySummary()
    expect([summary.percentiles(SHARES), summary.times.count]).toEqual([[0, 0, 0, 0, 0, 0], 0])
  })

  it('has exact percentiles up to a second', () => {
    const summary = new LatencySummary()
    for (let ms = 1_000; ms > 0; ms--) summary.add(ms)
    expect(summary.percentiles(SHARES)).toEqual([1, 500, 950, 990, 999, 1_000])
    expect([summary.times.min, summary.times.max, summary.times.sum]).toEqual([1, 1_000, 500_500])
  })

  it('is right to a 64th above that, and never below a time or above the greatest', () => {
    for (let ms = 1; ms < 2 ** 29; ms = Math.ceil(ms * 1.37)) {
      const summary = new LatencySummary()
      summary.add(ms)
      summary.add(ms * 2)
      const [half = 0, all] = summary.percentiles([0.5, 1])
      expect(half, `${ms}`).toBeGreaterThanOrEqual(ms)
      expect(half, `${ms}`).toBeLessThanOrEqual(ms * (1 + 1 / 64))
      expect(all).toBe(ms * 2)
    }
  })

  it('takes the longest time there is, and forgets', () => {
    const summary = new LatencySummary()
    summary.add(2 ** 40)
    expect(summary.percentiles([0.5])[0]).toBe(2 ** 30 - 1)
    summary.reset()
    expect(summary.percentiles([0.5])).toEqual([0])
  })
})
