import { describe, expect, it } from 'vitest'
import type { CreateMode, Operation } from '../../../src/core/backend.ts'
import { Ladder } from '../../../src/backends/etcd/ladder.ts'
import type { Snapshot } from '../../../src/backends/etcd/snapshot.ts'

const create = (mode: CreateMode, bytes = 0): Operation => {
  return { type: 'create', path: '/p/lock-', data: new Uint8Array(bytes), mode }
}
const NUMBERED = [create('ephemeral-sequential')]
const known = (creates: number): Snapshot => new Map([['/p', { count: { creates, counted: 1n } }]])

/** The count of the parent that each rung assumes. */
function counts(ladder: Ladder, operations = NUMBERED, creates = 5): (number | undefined)[] {
  return ladder.rungs(operations, known(creates)).map((snapshot) => snapshot.get('/p')?.count?.creates)
}

describe('a ladder', () => {
  it('has one rung for whoever is alone', () => {
    const ladder = new Ladder()
    expect(counts(ladder)).toEqual([5])
  })

  it('grows with each miss up to eight rungs, of which each takes one number more for taken', () => {
    const ladder = new Ladder()
    ladder.missed(NUMBERED)
    expect(counts(ladder)).toEqual([5, 6, 7])
    for (let i = 0; i < 5; i++) ladder.missed(NUMBERED)
    expect(counts(ladder)).toEqual([5, 6, 7, 8, 9, 10, 11, 12])
  })

  it('shrinks while its first rung will do, and keeps two below the one that it was stood on', () => {
    const ladder = new Ladder()
    ladder.missed(NUMBERED)
    ladder.stoodOn(0)
    expect(counts(ladder)).toHaveLength(2)
    ladder.stoodOn(0)
    ladder.stoodOn(0)
    expect(counts(ladder)).toHaveLength(1)
    ladder.stoodOn(2)
    expect(counts(ladder)).toHaveLength(4)
    ladder.stoodOn(7)
    expect(counts(ladder)).toHaveLength(8)
  })

  it('counts on across the wrap of the number', () => {
    const ladder = new Ladder()
    ladder.missed(NUMBERED)
    expect(counts(ladder, NUMBERED, 2_147_483_647)).toEqual([2_147_483_647, -2_147_483_648, -2_147_483_647])
  })

  it('has one rung for what takes no number, for several operations, and for data that are long', () => {
    const long = create('ephemeral-sequential', 5_000)
    for (const operations of [[create('ephemeral')], [...NUMBERED, ...NUMBERED], [long]]) {
      const ladder = new Ladder()
      ladder.missed(NUMBERED)
      ladder.missed(operations)
      expect(counts(ladder, operations)).toEqual([5])
    }
  })
})
