import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isQuorum, quorumValue } from '../../../../../src/backends/embedded/server/zab/quorum.ts'

/** Tries each value. */
function naiveQuorumValue(reached: readonly number[], voters: readonly number[]): number | null {
  const candidates = reached.filter((value) => isQuorum(reached.filter((other) => other >= value).length, voters))
  return candidates.length === 0 ? null : Math.max(...candidates)
}

describe('a majority', () => {
  it('is more than half of the voters', () => {
    const least = [1, 2, 3, 4, 5].map((count) => {
      const voters = Array.from({ length: count }, (_, index) => index + 1)
      return [1, 2, 3, 4, 5].find((those) => isQuorum(those, voters))
    })
    expect(least).toEqual([1, 2, 2, 3, 3])
  })

  it('has reached the greatest value that more than half of the voters have reached', () => {
    const scenario = fc.integer({ min: 1, max: 7 }).chain((count) => fc.tuple(
      fc.constant(Array.from({ length: count }, (_, index) => index + 1)),
      fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: count }),
    ))
    fc.assert(fc.property(scenario, ([voters, reached]) => {
      const before = [...reached]
      const expected = naiveQuorumValue(reached, voters)
      expect(quorumValue(reached, voters)).toBe(expected)
      expect(quorumValue(reached.map(BigInt), voters)).toBe(expected === null ? null : BigInt(expected))
      expect(reached).toEqual(before)
    }))
  })
})
