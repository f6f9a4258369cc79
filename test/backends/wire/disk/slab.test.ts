import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Slab } from '../../../../src/backends/wire/disk/slab.ts'

describe('copies in a slab', () => {
  it('stay as they were, whatever is copied later and whatever becomes of the originals', () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 60 })
    fc.assert(
      fc.property(lengths, (all) => {
        const slab = new Slab()
        const copies = all.map((length, index) => {
          const original = new Uint8Array(length).fill(index + 1)
          const copy = slab.copy(original)
          original.fill(0xff)
          return copy
        })
        for (const [index, copy] of copies.entries()) {
          expect(copy).toHaveLength(all[index] as number)
          expect(copy.every((byte) => byte === index + 1)).toBe(true)
        }
      }),
    )
  })

  it('share memory if they are short, and keep no more than 8 KiB each', () => {
    const slab = new Slab()
    const copies = Array.from({ length: 100 }, () => slab.copy(new Uint8Array(100)))
    expect(new Set(copies.map(({ buffer }) => buffer)).size).toBe(2)
    expect(Math.max(...copies.map(({ buffer }) => buffer.byteLength))).toBe(8_192)
    const long = slab.copy(new Uint8Array(2_000))
    expect(long.buffer.byteLength).toBe(2_000)
  })
})
