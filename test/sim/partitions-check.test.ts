/** The check of partitions bites: it is told of a world that is wrong, and says so. */
import { describe, expect, it } from 'vitest'
import { OpCode } from '../../src/backends/wire/codes.ts'
import type { TxnBody } from '../../src/backends/wire/transactions.ts'
import { PartitionsCheck } from '../../sim/checks/partitions.ts'
import { SESSION, ScriptedWorld, at, create } from './scripted-world.ts'

/** The one clock of these worlds. */
const clocks = { as: <T>(_node: unknown, run: () => T): T => run() }
const OPERATOR = SESSION + 2n
const owners = {
  isOperator: (session: bigint): boolean => session === OPERATOR,
  isSameProcess: (one: bigint, other: bigint): boolean => one === other,
}

function remove(path: string): TxnBody {
  return { type: OpCode.delete, body: { path } }
}

describe('the check of partitions', () => {
  interface Held {
    readonly item: string
    readonly token: bigint
    state: 'held' | 'suspect' | 'lost' | 'revoked'
    readonly signal: AbortSignal
  }

  const held = (item: string, counter: number, signal = new AbortController().signal): Held => {
    return { item, token: at(1, counter), state: 'held', signal }
  }

  /** `x` is made as the third transaction, `y` as the fourth. */
  function make(): { readonly world: ScriptedWorld; readonly check: PartitionsCheck } {
    const { world, check } = ScriptedWorld.with(({ ledger }) => {
      return new PartitionsCheck({ clocks, ledger, owners, path: '/a', items: ['x', 'y'] })
    })
    world.commit(at(1, 3), create('/a/x', 'one', 1, true))
    world.commit(at(1, 4), create('/a/y', 'one', 2, true))
    return { world, check }
  }

  it('accepts an owner who is told before the next one comes', () => {
    const { world, check } = make()
    const ending = new AbortController()
    const x = held('x', 3, ending.signal)
    check.assigned(x, world.client)
    check.wrote(x, true)
    check.revoked(x, world.client)
    check.lettingGo(x, world.client)
    ending.abort()
    x.state = 'revoked'
    check.ended(x, world.client)
    world.commit(at(1, 5), remove('/a/x'))
    expect([check.isCalm, check.unowned]).toEqual([false, 'x'])
    world.commit(at(1, 6), create('/a/x', 'two', 3, true))
    const next = held('x', 6)
    check.assigned(next, world.client)
    check.wrote(next, true)
    check.wrote(x, false)
    expect(check.isCalm).toBe(true)
    expect(() => { check.atEnd() }).toThrow(/R3: item x is left/)
  })

  it('N1: refuses whoever believes in an item that is not its own, and the end of what somebody believes in', () => {
    const { world, check } = make()
    expect(() => { check.assigned(held('x', 2), world.client) }).toThrow(/N1: .* was assigned, and its node is/)
    const [x, y] = [held('x', 3), held('y', 4)]
    for (const one of [x, y]) check.assigned(one, world.client)
    x.state = 'suspect'
    world.commit(at(1, 5), remove('/a/x'))
    world.commit(at(1, 6), create('/a/x', 'two', 3, true))
    x.state = 'held'
    expect(() => { world.commit(at(1, 7), remove('/a/y')) }).toThrow(/N1: item y .* is gone, and c1 still believes/)
    expect(() => { check.assigned(held('x', 6), world.client) }).toThrow(/N1: .* was assigned, and c1 has it/)
  })

  it('N1: excuses an owner whose node an operator has deleted', () => {
    const { world, check } = make()
    check.assigned(held('x', 3), world.client)
    const opening = { type: OpCode.createSession, body: { timeOut: 2_000, passwd: null } } as const
    world.commit(at(1, 5), opening, { session: OPERATOR })
    world.commit(at(1, 6), remove('/a/x'), { session: OPERATOR })
    world.commit(at(1, 7), create('/a/x', 'two', 3, true))
    check.assigned(held('x', 7), world.client)
  })

  it('N2: refuses tokens that do not grow, and writes after a greater one', () => {
    const { world, check } = make()
    const x = held('x', 3)
    check.assigned(x, world.client)
    x.state = 'lost'
    expect(() => { check.assigned(held('x', 3), world.client) }).toThrow(/N2: .* comes after/)
    check.wrote(held('y', 4), true)
    expect(() => { check.wrote(held('y', 3), true) }).toThrow(/N2: a write of .* was accepted after/)
  })

  it('N4: refuses an end that is not told, a hand-over before onRevoke has ended, and a second one', () => {
    const { world, check } = make()
    const x = held('x', 3)
    check.revoked(x, world.client)
    expect(() => { check.revoked(x, world.client) }).toThrow(/N4: .* is revoked twice/)
    expect(() => { check.ended(x, world.client) }).toThrow(/N4: .* has ended, and is held/)
    const early = { ...x, state: 'revoked' } as const
    expect(() => { check.lettingGo(early, world.client) }).toThrow(/N4: .* before onRevoke had ended/)
  })
})
