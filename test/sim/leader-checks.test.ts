/** The check of leaders and counters bites: it is told of a world that is wrong, and says so. */
import { expect, it } from 'vitest'
import { parentOf } from '../../src/core/path.ts'
import { OpCode } from '../../src/backends/wire/codes.ts'
import type { TxnBody } from '../../src/backends/wire/transactions.ts'
import { LeadersCheck } from '../../sim/checks/leaders.ts'
import { SESSION, ScriptedWorld, at, create, set } from './scripted-world.ts'

const MARK = '_c_123e4567-e89b-42d3-a456-426614174000-latch-'
const OPERATOR = SESSION + 2n
const NEW_SESSION: TxnBody = { type: OpCode.createSession, body: { timeOut: 2_000, passwd: null } }
const owners = { isOperator: (session: bigint): boolean => session === OPERATOR }

interface Scene {
  readonly check: LeadersCheck
  /** A transaction at the counter; others fill the gap before it. */
  commit(counter: number, txn: TxnBody): void
}

function make(): Scene {
  const { world, check } = ScriptedWorld.with(({ ledger }) => new LeadersCheck(ledger, owners, '/a', ['/n']))
  let last = 2
  let creates = 2
  const commit = (counter: number, txn: TxnBody): void => {
    for (last += 1; last < counter; last += 1) {
      world.commit(at(1, last), NEW_SESSION, { session: SESSION + BigInt(last) + 0x10n })
    }
    const isTop = txn.type === OpCode.create2 && parentOf(txn.body.path) === '/'
    world.commit(at(1, counter), isTop ? { ...txn, body: { ...txn.body, parentCVersion: creates++ } } : txn)
  }
  return { check, commit }
}

function stand(number: number): TxnBody {
  return create(`/a/${MARK}${String(number).padStart(10, '0')}`, 'host', number + 1, true)
}

function note(counter: number): TxnBody {
  return create('/a-leader', `${at(1, counter)}\n\nhere`, 0, true)
}

function numbered(value: number): string {
  return String.fromCharCode(0, 0, 0, 0, 0, 0, 0, value)
}

it('accepts a note of who leads, and steps one after the other', () => {
  const { check, commit } = make()
  commit(4, stand(0))
  commit(5, stand(1))
  commit(6, note(4))
  commit(7, { type: OpCode.delete, body: { path: '/a-leader' } })
  check.resigned(at(1, 4))
  for (let step = 0; step < 3; step += 1) check.steps('/n')
  commit(8, create('/n', numbered(1), 0, false))
  check.stepped('/n', { before: 0n, after: 1n })
  commit(9, set('/n', numbered(2), 1))
  check.stepped('/n', 'maybe')
  check.stepped('/n', 'never')
  check.atEnd()
})

it('LE1: refuses a note of who does not lead, or is gone, or that is none', () => {
  const second = make()
  second.commit(4, stand(0))
  second.commit(5, stand(1))
  expect(() => { second.commit(6, note(5)) }).toThrow(/LE1: .* leads not/)
  expect(() => { make().commit(6, note(5)) }).toThrow(/LE1: .* is gone/)
  expect(() => { make().commit(6, create('/a-leader', 'x', 0, true)) }).toThrow(/LE1: .* is no note/)
})

it('LE2: refuses a note that is left by who has resigned, or at the end', () => {
  const { check, commit } = make()
  commit(4, stand(0))
  commit(6, note(4))
  expect(() => { check.resigned(at(1, 4)) }).toThrow(/LE2: .* its note is there/)
  expect(() => { check.atEnd() }).toThrow(/LE2: a note is left/)
})

it('CT1: refuses a counter that stands still, jumps or is deleted', () => {
  const { commit } = make()
  commit(4, create('/n', numbered(1), 0, false))
  expect(() => { commit(5, set('/n', numbered(1), 1)) }).toThrow(/CT1: \/n went from 1 to 1/)
  expect(() => { make().commit(4, create('/n', numbered(2), 0, false)) }).toThrow(/CT1: \/n went from 0 to 2/)
})

it('CT2, CT3: refuses steps that were told and not made, made and not told, or told twice', () => {
  const { check, commit } = make()
  check.steps('/n')
  expect(() => { check.stepped('/n', { before: 0n, after: 1n }) }).toThrow(/CT2: .* where 0 is/)
  const other = make()
  other.commit(4, create('/n', numbered(1), 0, false))
  expect(() => { other.check.atEnd() }).toThrow(/CT2: \/n is 1 after 0 steps/)
  // A process that died while it was at it.
  other.check.steps('/n')
  other.check.atEnd()
  other.check.stepped('/n', { before: 0n, after: 1n })
  other.check.atEnd()
  expect(() => { other.check.stepped('/n', { before: 0n, after: 1n }) }).toThrow(/CT3/)
  expect(() => { other.check.stepped('/n', { before: 1n, after: 3n }) }).toThrow(/CT2: .* led from 1 to 3/)
  commit(4, create('/n', numbered(1), 0, false))
  check.stepped('/n', 'never')
})
