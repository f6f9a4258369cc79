import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Children } from '../../../../../src/backends/embedded/server/state/children.ts'

describe('the children of a node', () => {
  it('are listed in order, whatever comes and goes', () => {
    const step = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 2_000 }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 4_000, size: 'max' }), (steps) => {
        const children = new Children()
        const model = new Set<string>()
        for (const [adds, number] of steps) {
          const name = `n${number}`
          if (adds && !model.has(name)) {
            children.add(name)
            model.add(name)
          } else if (!adds) {
            children.remove(name)
            model.delete(name)
          }
        }
        expect(children.names).toEqual([...model].sort())
        expect([children.count, children.chars]).toEqual([model.size, [...model].join('').length])
      }),
      { numRuns: 30 },
    )
  })

  it('are listed in an array that never changes', () => {
    const children = new Children()
    for (let i = 0; i < 2_000; i++) children.add(`n${i}`)
    const before = children.names
    expect(children.names).toBe(before)
    children.remove('n7')
    children.add('z')
    expect(before).toHaveLength(2_000)
    expect(before).toContain('n7')
    expect(children.names.at(-1)).toBe('z')
  })
})
