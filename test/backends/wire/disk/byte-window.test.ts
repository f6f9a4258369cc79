import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteWindow } from '../../../../src/backends/wire/disk/byte-window.ts'

describe('a window of bytes', () => {
  it('has the bytes of the stream from its offset on, whatever the chunks and steps, and keeps no chunk', () => {
    const step = fc.record({ chunk: fc.nat({ max: 300 }), consumed: fc.nat({ max: 400 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const window = new ByteWindow()
        let pushed = 0
        for (const { chunk, consumed } of steps) {
          const bytes = Uint8Array.from({ length: chunk }, (_, i) => (pushed + i) % 251)
          window.push(bytes)
          pushed += chunk
          window.consume(Math.min(consumed, window.length))
          window.settle()
          bytes.fill(255)
          expect(window.offset + window.length).toBe(pushed)
          expect([...window.view()]).toEqual(Array.from({ length: window.length }, (_, i) => (window.offset + i) % 251))
        }
      }),
      { numRuns: 200 },
    )
  })

  it('does not use the memory of a view again where it says so', () => {
    const step = fc.record({ chunk: fc.nat({ max: 300 }), consumed: fc.nat({ max: 400 }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const window = new ByteWindow()
        const views: { readonly view: Uint8Array; readonly bytes: readonly number[] }[] = []
        steps.forEach(({ chunk, consumed }, index) => {
          window.push(new Uint8Array(chunk).fill(index))
          if (!window.isReused) views.push({ view: window.view(), bytes: [...window.view()] })
          window.consume(Math.min(consumed, window.length))
          window.settle()
        })
        for (const { view, bytes } of views) expect([...view]).toEqual(bytes)
      }),
      { numRuns: 200 },
    )
  })

  it('reads integers with their sign', () => {
    const window = new ByteWindow()
    window.push(Uint8Array.of(9, 255, 255, 255, 254))
    expect([window.int32(1), window.byte(0)]).toEqual([-2, 9])
  })
})
