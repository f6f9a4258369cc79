/** The check of registers bites: it is told of calls that have no order, and says so; and it can always tell. */
import { describe, expect, it } from 'vitest'
import { RegistersCheck } from '../../sim/checks/registers.ts'
import { refuses } from './scripted-world.ts'

/** A check, and calls at one register, on a clock that the test sets. */
function make() {
  const kernel = { nowMs: 0 }
  const check = new RegistersCheck(kernel)
  const at = (nowMs: number): typeof calls => {
    kernel.nowMs = nowMs
    return calls
  }
  const calls = {
    write: (value: string) => check.call('/r', { type: 'write', value }),
    read: () => check.call('/r', { type: 'read' }),
  }
  return { check, at, kernel }
}

/** Writes, and is answered a while later. */
function write({ at }: ReturnType<typeof make>, fromMs: number, toMs: number, value: string): void {
  const done = at(fromMs).write(value)
  at(toMs)
  done(value)
}

function read({ at }: ReturnType<typeof make>, fromMs: number, toMs: number, value: string): void {
  const done = at(fromMs).read()
  at(toMs)
  done(value)
}

describe('the check of registers', () => {
  it('accepts calls that have an order', () => {
    const world = make()
    write(world, 1, 2, 'a')
    read(world, 3, 4, 'a')
    write(world, 5, 9, 'b')
    read(world, 6, 7, 'a')
    read(world, 6, 8, 'b')
    world.check.atEnd()
  })

  it('refuses a read of what was overwritten before it began', () => {
    const world = make()
    write(world, 1, 2, 'a')
    write(world, 3, 4, 'b')
    read(world, 5, 6, 'a')
    refuses(/C4: the 3 calls of \/r are not-linearizable/, () => {
      world.check.atEnd()
    })
  })

  it('takes a write whose outcome is unknown for made where its text was read, and refuses what came before', () => {
    const world = make()
    world.at(1).write('a')
    write(world, 2, 3, 'b')
    read(world, 4, 5, 'b')
    read(world, 6, 7, 'a')
    world.check.atEnd()
    read(world, 8, 9, 'b')
    refuses(/C4: the 5 calls of \/r are not-linearizable/, () => {
      world.check.atEnd()
    })
  })

  it('refuses a text that was read before it was written, by a call of known outcome or not', () => {
    for (const isKnown of [true, false]) {
      const world = make()
      read(world, 1, 2, 'a')
      const done = world.at(3).write('a')
      world.at(4)
      if (isKnown) done('a')
      refuses(/not-linearizable/, () => {
        world.check.atEnd()
      })
    }
  })

  it('refuses a text that nobody wrote', () => {
    const world = make()
    read(world, 1, 2, 'a')
    refuses(/not-linearizable/, () => {
      world.check.atEnd()
    })
  })

  it('looks away from what was refused', () => {
    const world = make()
    const done = world.at(1).write('a')
    done(null)
    read(world, 2, 3, '')
    world.check.atEnd()
    expect(world.kernel.nowMs).toBe(3)
  })

  it('can tell however many calls are without an answer', () => {
    const world = make()
    for (let i = 0; i < 400; i++) {
      world.at(10 * i).write(`lost ${i}`)
      world.at(10 * i + 1).read()
      world.at(10 * i + 2).write(`read ${i}`)
      write(world, 10 * i + 3, 10 * i + 4, `done ${i}`)
      if (i % 2 === 0) read(world, 10 * i + 5, 10 * i + 6, `read ${i}`)
      else read(world, 10 * i + 5, 10 * i + 6, `done ${i}`)
    }
    world.check.atEnd()
    read(world, 9_000, 9_001, 'done 0')
    refuses(/not-linearizable/, () => {
      world.check.atEnd()
    })
  })
})
