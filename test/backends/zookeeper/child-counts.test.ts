import { describe, expect, it } from 'vitest'
import { ChildCounts } from '../../../src/backends/zookeeper/child-counts.ts'

describe('the counts that a session knows of a parent', () => {
  it('are told by the number of a sequential create, and go on with creates of every kind', () => {
    const counts = new ChildCounts()
    expect(counts.created('/p/n-', '/p/n-0000000007')).toBe(8)
    expect(counts.created('/p/n-', '/p/n-0000000008')).toBe(9)
    expect(counts.created('/p/m', '/p/m')).toBe(10)
    for (const since of [8, 9, 10]) expect(counts.latestSince('/p', since)).toBe(10)
    for (const since of [7, 11]) expect(counts.latestSince('/p', since)).toBeNull()
  })

  it('are not told by a create without a number alone', () => {
    const counts = new ChildCounts()
    expect(counts.created('/p/m', '/p/m')).toBeNull()
    expect(counts.latestSince('/p', 0)).toBeNull()
  })

  it('begin again where somebody else has created in between, or the parent was made again', () => {
    const counts = new ChildCounts()
    counts.created('/p/n-', '/p/n-0000000007')
    expect(counts.created('/p/n-', '/p/n-0000000009')).toBe(10)
    expect([counts.latestSince('/p', 8), counts.latestSince('/p', 10)]).toEqual([null, 10])
    expect(counts.created('/p/n-', '/p/n-0000000000')).toBe(1)
    expect([counts.latestSince('/p', 10), counts.latestSince('/p', 1)]).toEqual([null, 1])
  })

  it('go on with a multi that was guarded by one of them, which is a creation itself', () => {
    const counts = new ChildCounts()
    counts.created('/p/n-', '/p/n-0000000007')
    counts.guarded('/p', 8)
    expect(counts.latestSince('/p', 8)).toBe(9)
    counts.guarded('/p', 20)
    expect([counts.latestSince('/p', 8), counts.latestSince('/p', 20)]).toEqual([null, 21])
    counts.forget('/p')
    expect(counts.latestSince('/p', 21)).toBeNull()
  })

  it('wrap as an int32', () => {
    const counts = new ChildCounts()
    expect(counts.created('/p/n-', '/p/n-2147483647')).toBe(-(2 ** 31))
    expect(counts.created('/p/n-', '/p/n--2147483648')).toBe(-(2 ** 31) + 1)
    expect(counts.latestSince('/p', -(2 ** 31))).toBe(-(2 ** 31) + 1)
    expect(counts.created('/q/n-', '/q/n--000000001')).toBe(0)
  })

  it('are remembered of as many parents as a session uses, and not of more', () => {
    const counts = new ChildCounts()
    for (let i = 0; i < 2_000; i += 1) counts.created(`/${i}/n-`, `/${i}/n-0000000000`)
    expect([counts.latestSince('/0', 1), counts.latestSince('/1999', 1)]).toEqual([null, 1])
  })
})
