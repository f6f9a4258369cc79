import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Fifo } from '../../src/core/fifo.ts'

it('gives items in the order in which they came, whatever the mixture of calls', () => {
  const step = fc.oneof(
    fc.record({ push: fc.integer({ min: 1, max: 3000 }) }),
    fc.record({ shift: fc.integer({ min: 1, max: 3000 }) }),
    fc.constant({ takeAll: true }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const fifo = new Fifo<number>()
      const model: number[] = []
      let next = 0
      for (const { push = 0, shift = 0, takeAll } of steps as { push?: number; shift?: number; takeAll?: boolean }[]) {
        for (let count = 0; count < push; count++) {
          fifo.push(next)
          model.push(next)
          next += 1
        }
        for (let count = 0; count < shift; count++) {
          expect(fifo.peek()).toBe(model[0])
          expect(fifo.shift()).toBe(model.shift())
        }
        if (takeAll === true) expect(fifo.takeAll()).toEqual(model.splice(0))
        expect(fifo.length).toBe(model.length)
      }
    }),
    { numRuns: 30 },
  )
})
