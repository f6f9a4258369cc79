import { describe, expect, it } from 'vitest'
import { FairInputs } from '../../../../src/backends/embedded/host/fair-inputs.ts'

/** A world in which each input costs what it says; nothing is measured. */
class World {
  readonly inputs = new FairInputs()
  readonly ran: string[] = []
  nowMs = 0

  add(connection: number, costMs: number, times = 1): void {
    for (let i = 0; i < times; i++) {
      this.inputs.add(connection, { run: () => this.#ran(`${connection}`, costMs), growsTree: false })
    }
  }

  control(costMs: number): void {
    this.inputs.addControl(() => this.#ran('control', costMs))
  }

  /** Runs what is next, so many times at most. */
  run(times = Infinity): string[] {
    const from = this.ran.length
    for (let i = 0; i < times; i++) {
      const next = this.inputs.take()
      if (next === null) break
      const beforeMs = this.nowMs
      next.input.run()
      this.inputs.charge(next.connection, this.nowMs - beforeMs)
    }
    return this.ran.slice(from)
  }

  #ran(name: string, costMs: number): void {
    this.ran.push(name)
    this.nowMs += costMs
  }
}

describe('inputs of many clients', () => {
  it('are taken in turns, one of each, whoever has sent how many', () => {
    const world = new World()
    world.add(1, 0, 4)
    world.add(2, 0, 2)
    world.add(3, 0, 1)
    expect(world.run()).toEqual(['1', '2', '3', '1', '2', '1', '1'])
    expect([world.inputs.length, world.inputs.hasNext]).toEqual([0, false])
  })

  it('are taken by what they cost: one that takes ten times as long comes a tenth as often', () => {
    const world = new World()
    world.add(1, 10, 100)
    world.add(2, 1, 1_000)
    const ran = world.run(550)
    expect(ran.filter((name) => name === '1').length).toBe(50)
    expect(ran.filter((name) => name === '2').length).toBe(500)
  })

  it('of a hundred polite ones wait for one input of a greedy one at most, however many it has', () => {
    const world = new World()
    world.add(0, 5, 10_000)
    world.run(20)
    let longestMs = 0
    for (let round = 0; round < 20; round++) {
      const sinceMs = world.nowMs
      for (let polite = 1; polite <= 100; polite++) world.add(polite, 0.01)
      const left = new Set(Array.from({ length: 100 }, (_, i) => `${i + 1}`))
      while (left.size > 0) for (const name of world.run(1)) left.delete(name)
      longestMs = Math.max(longestMs, world.nowMs - sinceMs)
      // The greedy one goes on as soon as nobody else waits.
      expect(world.run(1)).toEqual(['0'])
    }
    expect(longestMs).toBeCloseTo(100 * 0.01)
  })

  it('owe what work outside of their turns has cost', () => {
    const world = new World()
    world.inputs.charge(1, 3)
    world.add(1, 1, 2)
    world.add(2, 1, 5)
    world.inputs.charge(1, 3)
    expect(world.run(4)).toEqual(['2', '2', '2', '1'])
  })

  it('save nothing up: one that was silent has no more than its turn', () => {
    const world = new World()
    world.add(1, 1, 1_000)
    world.run(500)
    world.add(2, 1, 10)
    expect(world.run(6)).toEqual(['2', '1', '2', '1', '2', '1'])
  })

  it('are first in, first out for each client', () => {
    const inputs = new FairInputs()
    const ran: number[] = []
    for (let i = 0; i < 5; i++) inputs.add(7, { run: () => ran.push(i), growsTree: false })
    for (let next = inputs.take(); next !== null; next = inputs.take()) next.input.run()
    expect(ran).toEqual([0, 1, 2, 3, 4])
  })
})

describe('what is no client\'s', () => {
  it('comes before what waits, and has half of the time beside them', () => {
    const world = new World()
    world.add(1, 1, 100)
    world.add(2, 1, 100)
    world.run(50)
    for (let i = 0; i < 100; i++) world.control(1)
    const ran = world.run(100)
    expect(ran[0]).toBe('control')
    expect(ran.filter((name) => name === 'control').length).toBe(50)
  })

  it('has all of it when no client asks', () => {
    const world = new World()
    for (let i = 0; i < 3; i++) world.control(1)
    expect(world.run()).toEqual(['control', 'control', 'control'])
  })
})

describe('a client that is paused', () => {
  it('is passed over until each reason is gone, and the others go on', () => {
    const world = new World()
    world.add(1, 1, 2)
    world.add(2, 1, 2)
    world.inputs.pause(1, 'unread')
    world.inputs.pause(1, 'memory')
    expect([world.run(), world.inputs.hasNext, world.inputs.length]).toEqual([['2', '2'], false, 2])
    world.inputs.resume(1, 'unread')
    expect(world.run()).toEqual([])
    world.inputs.resume(1, 'memory')
    expect(world.run()).toEqual(['1', '1'])
  })

  it('is done to its last input when it is gone', () => {
    const world = new World()
    world.inputs.pause(1, 'unread')
    world.add(1, 1, 2)
    world.inputs.forget(1)
    expect(world.run()).toEqual(['1', '1'])
  })
})

it('a client that is gone leaves nothing behind, also if it is told to wait after that', () => {
  const world = new World()
  world.add(1, 1, 2)
  world.inputs.forget(1)
  world.inputs.pause(1, 'unread')
  expect(world.run()).toEqual(['1', '1'])
  world.inputs.pause(1, 'unread')
  world.inputs.pause(2, 'memory')
  expect(world.inputs.clients).toBe(0)
})

it('a client is heard of once after something came of it, while it waits', () => {
  const world = new World()
  world.add(1, 1, 2)
  world.add(2, 1)
  expect(world.run(2)).toEqual(['1', '2'])
  expect([world.inputs.takeHeard(), world.inputs.takeHeard()]).toEqual([[1], []])
})
