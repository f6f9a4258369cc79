import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SortedNames } from '../../../../../src/backends/embedded/server/state/sorted-names.ts'

function filled(count: number): { readonly names: SortedNames; readonly all: string[] } {
  const all = Array.from({ length: count }, (_, i) => `n${(i * 7_919) % 1_000_003}`)
  const names = new SortedNames()
  for (const name of all) names.add(name)
  return { names, all }
}

describe('sorted names', () => {
  it('go together as they go one by one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 1, max: 40 }), (count, nth) => {
        const { names, all } = filled(count)
        const gone = all.filter((_, i) => i % nth === 0).sort()
        names.removeAll(gone.map((name) => `/a/${name}`), 3)
        const rest = all.filter((_, i) => i % nth !== 0).sort()
        expect(names.list).toEqual(rest)
        expect(names.size).toBe(rest.length)
        for (const name of gone) names.add(name)
        expect(names.list).toEqual([...all].sort())
      }),
      { numRuns: 60 },
    )
  })

  it.each([1, 1_000])('fail where one of %i that are to go is not there', (count) => {
    const { names, all } = filled(2_000)
    const gone = [...all.slice(1, count), 'n9999999'].sort()
    expect(() => { names.removeAll(gone, 0) }).toThrow('to be there')
  })

  it('that are frozen stay as they are, whatever comes and goes', () => {
    const step = fc.record({ type: fc.constantFrom('freeze', 'add', 'remove', 'remove many'), at: fc.nat() })
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_500 }), fc.array(step, { maxLength: 30 }), (count, steps) => {
        const { names } = filled(count)
        const frozen: { readonly parts: readonly (readonly string[])[]; readonly before: readonly string[] }[] = []
        for (const [i, { type, at }] of steps.entries()) {
          const { list } = names
          if (type === 'freeze') frozen.push({ parts: names.freeze(), before: list })
          else if (type === 'add') names.add(`${list[at % list.length] ?? 'z'}-${i}`)
          else if (type === 'remove') names.remove(list[at % list.length] ?? '')
          else names.removeAll(list.filter((_, j) => (j + at) % 3 === 0), 0)
        }
        for (const { parts, before } of frozen) expect(parts.flat()).toEqual(before)
      }),
    )
  })
})
