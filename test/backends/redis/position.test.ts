import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { comparePositions, follows, numberOf, parseNotice, placeOf } from '../../../src/backends/redis/position.ts'
import { NOWHERE, parseChanges, parsePosition } from '../../../src/backends/redis/position.ts'

const EPOCH = 1_795_332_524_000

describe('a position', () => {
  it('is read from the id of a stream entry, of a session, and of an entry of ioredis-mock', () => {
    const position = { epoch: EPOCH, counter: 7, text: `${EPOCH}-7` }
    for (const text of [`${EPOCH}-7`, `s${EPOCH}-7`, `${EPOCH}-7-0`, `${EPOCH}-7\nC/a`]) {
      expect(parsePosition(text)).toEqual(position)
    }
  })

  it.each(['', '-', '1', '1-', '-1', 'x1-2', 's', `${'9'.repeat(17)}-1`])('is not read from %j', (text) => {
    expect(() => parsePosition(text)).toThrow(expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }))
  })

  it('is ordered by epoch, then by counter', () => {
    const [early, late, next] = ['5-9', '5-10', '6-0'].map(parsePosition) as [never, never, never]
    expect(comparePositions(early, late)).toBeLessThan(0)
    expect(comparePositions(next, late)).toBeGreaterThan(0)
    expect(comparePositions(late, late)).toBe(0)
    expect(comparePositions(NOWHERE, early)).toBeLessThan(0)
  })

  it('is followed by a transaction of its epoch if what was told before that is not after it', () => {
    const followers = ['5-9 s 5-2', '5-9 s 5-7', '5-9 s 5-8', '6-1 s 5-2'].map((text) => parseNotice(text).transaction)
    expect(followers.map((one) => follows(parsePosition('5-7'), one))).toEqual([true, true, false, false])
  })

  it('is found again from its zxid, but for a counter that has run over: that stands in the epoch', () => {
    fc.assert(fc.property(fc.nat(2 ** 42 - 1), fc.nat(2 ** 20 - 1), (epoch, counter) => {
      expect(placeOf(numberOf(`${epoch}-${counter}`))).toBe(`${epoch}-${counter}`)
    }))
    expect(placeOf(numberOf(`${EPOCH}-${3 * 2 ** 20 + 5}`))).toBe(`${EPOCH + 3}-5`)
    expect(placeOf(-1n)).toBe('-1-1048575')
  })

  it('is a zxid that grows with it, also where the counter has run over into the epoch', () => {
    const position = fc.record({ epoch: fc.nat(2 ** 42 - 1), counter: fc.nat(2 ** 20 - 1) })
    fc.assert(fc.property(position, position, (a, b) => {
      const [first, second] = [a, b].map(({ epoch, counter }) => ({ epoch, counter, text: `${epoch}-${counter}` }))
      if (first === undefined || second === undefined) return
      const order = Math.sign(comparePositions(first, second))
      const [one, other] = [numberOf(first.text), numberOf(second.text)]
      expect(one < other ? -1 : one > other ? 1 : 0).toBe(order)
    }))
    // The script begins an epoch above all that an earlier one has used.
    expect(numberOf(`${EPOCH + 3}-0`)).toBeGreaterThan(numberOf(`${EPOCH}-${2 * 2 ** 20 + 5}`))
    expect(numberOf('0')).toBe(0n)
  })
})

describe('changes', () => {
  it('are read line by line, with any path', () => {
    expect(parseChanges('C/a\nD/b c\nX/é-1\nK/\nEs5-1')).toEqual([
      { type: 'created', path: '/a' },
      { type: 'changed', path: '/b c' },
      { type: 'deleted', path: '/é-1' },
      { type: 'children', path: '/' },
      { type: 'ended', path: 's5-1' },
    ])
    expect(parseChanges('')).toEqual([])
  })

  it('of an unknown kind are refused', () => {
    expect(() => parseChanges('C/a\nQ/b')).toThrow(expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }))
  })
})
