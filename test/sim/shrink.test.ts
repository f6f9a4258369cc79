import { describe, expect, it } from 'vitest'
import { shrink } from '../../sim/shrink.ts'

const items = Array.from({ length: 60 }, (_, index) => index)

describe('shrinking', () => {
  it('finds the few that are enough among many, in order', async () => {
    const found = await shrink(items, (part) => Promise.resolve([3, 31, 58].every((item) => part.includes(item))))
    expect(found).toEqual([3, 31, 58])
  })

  it('finds that nothing is needed', async () => {
    expect(await shrink(items, () => Promise.resolve(true))).toEqual([])
  })

  it('keeps everything if all of it is needed', async () => {
    const few = items.slice(0, 6)
    expect(await shrink(few, (part) => Promise.resolve(part.length === few.length))).toEqual(few)
  })

  it('gives what it has reached when it takes too long', async () => {
    let runs = 0
    const found = await shrink(Array.from({ length: 2_000 }, (_, index) => index), (part) => {
      runs += 1
      return Promise.resolve(part.filter((item) => item % 2 === 0).length === 1_000)
    })
    expect(runs).toBeLessThanOrEqual(400)
    expect(found.filter((item) => item % 2 === 0)).toHaveLength(1_000)
  })
})
