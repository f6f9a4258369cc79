/** Whose an item is: the same for everyone, forever, in fair shares. */
import { expect, it } from 'vitest'
import { hashOf, scoreOf } from '../../../src/recipes/membership/rendezvous.ts'

function ownerOf(members: readonly string[], item: string): string {
  const scored = members.map((id) => ({ id, score: scoreOf(hashOf(id), hashOf(item)) }))
  return scored.sort((a, b) => b.score - a.score)[0]?.id ?? ''
}

const ITEMS = Array.from({ length: 1_000 }, (_, index) => String(index))
const MEMBERS = ['worker-1', 'worker-2', 'worker-3', 'worker-4', 'worker-5']

it('keeps its numbers, which members of other versions have too', () => {
  expect([hashOf(''), hashOf('0'), hashOf('worker-1'), hashOf('zażółć')]).toMatchInlineSnapshot(`
    [
      2872998923,
      1693486945,
      1525519687,
      135053214,
    ]
  `)
  expect([scoreOf(hashOf('worker-1'), hashOf('0')), scoreOf(0, 0)]).toMatchInlineSnapshot(`
    [
      3937855642,
      0,
    ]
  `)
  expect(ITEMS.slice(0, 10).map((item) => ownerOf(MEMBERS, item))).toMatchInlineSnapshot(`
    [
      "worker-1",
      "worker-3",
      "worker-4",
      "worker-2",
      "worker-3",
      "worker-3",
      "worker-5",
      "worker-3",
      "worker-2",
      "worker-5",
    ]
  `)
})

it('gives each member a fair share', () => {
  for (const id of MEMBERS) {
    const share = ITEMS.filter((item) => ownerOf(MEMBERS, item) === id).length
    expect(share).toBeGreaterThan(150)
    expect(share).toBeLessThan(250)
  }
})

it('moves the items of a member that goes, and no other', () => {
  for (const gone of MEMBERS) {
    const rest = MEMBERS.filter((id) => id !== gone)
    for (const item of ITEMS) {
      const before = ownerOf(MEMBERS, item)
      if (before !== gone) expect(ownerOf(rest, item)).toBe(before)
    }
  }
})
