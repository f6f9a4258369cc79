import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Children } from '../../../../../src/backends/embedded/server/state/children.ts'

describe('the children of a node', () => {
  it('are listed in order, whatever comes and goes', () => {
    const step = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 2_000 }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 4_000, size: 'max' }), (steps) => {
        const children = new Children<number>()
        const model = new Set<string>()
        for (const [adds, number] of steps) {
          const name = `n${number}`
          if (adds && !model.has(name)) {
            expect(children.add(name, number)).toBe(true)
            model.add(name)
          } else if (!adds) {
            children.remove(name)
            model.delete(name)
          }
        }
        expect(children.names).toEqual([...model].sort())
        expect([...children.entries()].sort()).toEqual([...model].sort().map((name) => [name, Number(name.slice(1))]))
        expect([children.count, children.chars]).toEqual([model.size, [...model].join('').length])
      }),
      { numRuns: 30 },
    )
  })

  it('are listed in an array that never changes', () => {
    const children = new Children<number>()
    for (let i = 0; i < 2_000; i++) children.add(`n${i}`, i)
    const before = children.names
    expect(children.names).toBe(before)
    children.remove('n7')
    children.add('z', 0)
    expect(before).toHaveLength(2_000)
    expect(before).toContain('n7')
    expect(children.names.at(-1)).toBe('z')
  })
  it('say that a name is there already', () => {
    const children = new Children<number>()
    expect([children.add('a', 1), children.add('a', 2), children.get('b')]).toEqual([true, false, undefined])
  })

  it('are gone at once when they are detached, and their names with the others', () => {
    const children = new Children<number>()
    for (const name of ['a', 'b', 'c']) children.add(name, 0)
    children.detach('a')
    children.detach('c')
    expect([children.get('a'), children.names]).toEqual([undefined, ['a', 'b', 'c']])
    children.removeAll(['/p/a', '/p/c'], 3)
    expect([children.names, children.count, children.chars]).toEqual([['b'], 1, 1])
  })
})
