/** The check of the history of configurations bites: it is told of a world that is wrong, and says so. */
import { expect, it } from 'vitest'
import { ConfigHistoryCheck } from '../../sim/checks/config-history.ts'
import { OpCode } from '../../src/backends/wire/codes.ts'
import type { TxnBody } from '../../src/backends/wire/transactions.ts'
import { ScriptedWorld, at, create, set } from './scripted-world.ts'

const HEAD = '/quorate/config/v'

interface Scene {
  readonly world: ScriptedWorld
  readonly check: ConfigHistoryCheck
}

function valueOf(by: string): string {
  return JSON.stringify({ count: 1, by })
}

function headOf(last: number, sizes: readonly number[], nodeVersion: number): string {
  return JSON.stringify({ last, sizes, nodeVersion })
}

function entry(version: number, by: string, nodeVersion: number, kind = 'publish'): TxnBody {
  const line = JSON.stringify({ version, kind, nodeVersion })
  return create(`${HEAD}/history/v000000000${version}`, `${line}\n${valueOf(by)}`, version)
}

function multi(...body: TxnBody[]): TxnBody {
  return { type: OpCode.multi, body }
}

/** The value at `/v`, with one entry. */
function make(): Scene {
  const { world, check } = ScriptedWorld.with(({ ledger }) => new ConfigHistoryCheck(ledger, ['/v']))
  const parents = [create('/quorate', '', 2), create('/quorate/config', '', 1), create(HEAD, '', 1)]
  world.commit(at(1, 3), multi(...parents, create(`${HEAD}/history`, '', 1)))
  check.begins({ count: 1, by: 'x' })
  world.commit(at(1, 4), multi(create('/v', valueOf('x'), 3), set(HEAD, headOf(1, [1], 0), 1), entry(1, 'x', 0)))
  return { world, check }
}

it('accepts values with their entries, and those of others that are found', () => {
  const { world, check } = make()
  world.commit(at(1, 5), set('/v', valueOf('other'), 1))
  world.commit(at(1, 6), multi(set(HEAD, headOf(2, [1, 1], 1), 2), entry(2, 'other', 1, 'found')))
  check.begins({ count: 1, by: 'y' })
  world.commit(at(1, 7), multi(set('/v', valueOf('y'), 2), set(HEAD, headOf(3, [1, 1, 1], 2), 3), entry(3, 'y', 2)))
  check.listed('/v', [])
  const known = [{ version: 3, value: { count: 1, by: 'y' } }, { version: 2, value: { count: 1, by: 'other' } }]
  check.listed('/v', known)
  check.listed('/v', [{ version: null, value: { count: 1, by: 'z' } }, ...known])
})

it('refuses a value without its entry, of one who keeps a history', () => {
  const { world, check } = make()
  check.begins({ count: 1, by: 'y' })
  const alone = set('/v', valueOf('y'), 1)
  expect(() => { world.commit(at(1, 5), alone) }).toThrow(/CFG4: y was written .* without its entry/)
})

it.each<[string, RegExp, TxnBody]>([
  ['a gap', /version 3 of .* where 2 is due/, multi(
    set('/v', valueOf('y'), 1), set(HEAD, headOf(3, [1, 1], 1), 2), entry(2, 'y', 1),
  )],
  ['an entry that is not the value', /version 2 .* is not the value/, multi(
    set('/v', valueOf('y'), 1), set(HEAD, headOf(2, [1, 1], 1), 2), entry(2, 'z', 1),
  )],
  ['an entry of another version of the node', /is not the value/, multi(
    set('/v', valueOf('y'), 1), set(HEAD, headOf(2, [1, 1], 1), 2), entry(2, 'y', 7),
  )],
  ['no entry', /has nothing/, multi(set('/v', valueOf('y'), 1), set(HEAD, headOf(2, [1, 1], 1), 2))],
  ['a head that miscounts', /counts .* and keeps/, multi(
    set('/v', valueOf('y'), 1), set(HEAD, headOf(2, [1], 1), 2), entry(2, 'y', 1),
  )],
])('refuses %s', (_what, message, transaction) => {
  const { world } = make()
  expect(() => { world.commit(at(1, 5), transaction) }).toThrow(message)
})

it('refuses a value of another that was replaced without having an entry', () => {
  const { world } = make()
  world.commit(at(1, 5), set('/v', valueOf('other'), 1))
  const next = multi(set('/v', valueOf('y'), 2), set(HEAD, headOf(2, [1, 1], 2), 2), entry(2, 'y', 2))
  expect(() => { world.commit(at(1, 6), next) }).toThrow(/was replaced .* and has no entry/)
})

it('refuses a list with a gap, and one with another value', () => {
  const { check } = make()
  const value = { count: 1, by: 'x' }
  expect(() => { check.listed('/v', [{ version: 1, value: { count: 1, by: 'y' } }]) }).toThrow(/listed as y, and is x/)
  expect(() => { check.listed('/v', [{ version: 3, value }, { version: 1, value }]) }).toThrow(/where 2 had to be/)
})
