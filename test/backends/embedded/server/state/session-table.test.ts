import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../../../src/core/assert.ts'
import { SessionTable, samePassword } from '../../../../../src/backends/embedded/server/state/session-table.ts'

const ENTRY = { timeoutMs: 4000, passwd: Uint8Array.of(1) }

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
