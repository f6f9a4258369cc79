/** The check of transactions bites: it is told of a world that is wrong, and says so. */
import { expect, it } from 'vitest'
import { TransactionsCheck } from '../../sim/checks/transactions.ts'
import type { TransactionRun } from '../../sim/checks/transactions.ts'
import { scriptOf } from './scripted-checks.ts'
import type { Script } from './scripted-checks.ts'
import { SESSION, create, remove, set } from './scripted-world.ts'

/** A run that read two accounts, of which one is not there, and moves 4 of 10. */
function moving(call: string): TransactionRun {
  return {
    call, stamp: `${call}.0`,
    reads: new Map([['/bank/a', '10 first.0'], ['/bank/b', null]]),
    lists: new Map([['/bank', ['a']]]),
    writes: new Map([['/bank/a', `6 ${call}.0`], ['/bank/b', `4 ${call}.0`]]),
  }
}

/** A bank with one account, with all the money there is. */
function make(): Script<TransactionsCheck> {
  const script = scriptOf(({ ledger }) => new TransactionsCheck(ledger, '/bank', 10))
  script.check.ran({
    call: 'first', stamp: 'first.0', reads: new Map(), lists: new Map(),
    writes: new Map([['/bank', '0 first.0'], ['/bank/a', '10 first.0']]),
  })
  script.commit(SESSION, create('/bank', '0 first.0', 2), create('/bank/a', '10 first.0', 1))
  return script
}

/** Commits the writes of {@link moving}. */
function move({ commit }: Script<TransactionsCheck>, call: string, left = 6): void {
  commit(SESSION, set('/bank/a', `${left} ${call}.0`, 1), create('/bank/b', `4 ${call}.0`, 2))
}

it('accepts a transfer, a count of all, and a call of unknown outcome', () => {
  const script = make()
  const { check, world } = script
  const since = check.now
  check.ran(moving('m'))
  move(script, 'm')
  check.confirmed(moving('m'), since, world.client)
  check.confirmed({ ...moving('n'), writes: new Map() }, since, world.client)
  check.counted(10, world.client)
  check.atEnd()
})

it('TX1: refuses a commit of what was not true before, one that writes something else, and one of nobody', () => {
  const stale = make()
  stale.check.ran({ ...moving('m'), lists: new Map([['/bank', ['a', 'z']]]) })
  expect(() => { move(stale, 'm') }).toThrow(/TX1: m\.0 was committed at .*, and had read that \/bank has a z/)
  const other = make()
  other.check.ran({ ...moving('m'), writes: new Map([['/bank/a', '6 m.0']]) })
  expect(() => { move(other, 'm') }).toThrow(/TX1: m\.0 wrote undefined to \/bank\/b/)
  const nobody = make()
  expect(() => { nobody.commit(SESSION, remove('/bank/a')) }).toThrow(/TX1: \/bank\/a changed at .* by no transaction/)
})

it('TX2: refuses a loss of money, and a count without some of it', () => {
  const script = make()
  script.check.ran({ ...moving('m'), writes: new Map([['/bank/a', '5 m.0'], ['/bank/b', '4 m.0']]) })
  expect(() => { move(script, 'm', 5) }).toThrow(/TX2: there is 9 of 10 after m\.0/)
  expect(() => { script.check.counted(9, script.world.client) }).toThrow(/TX2: c1 has counted 9 of 10/)
})

it('TX3: refuses a call that is confirmed without a commit, one with two, and one that was refused', () => {
  const script = make()
  const { check, world, commit } = script
  expect(() => { check.confirmed(moving('m'), check.now, world.client) }).toThrow(/TX3: .* none was committed/)
  check.ran(moving('m'))
  move(script, 'm')
  check.ran({ ...moving('m'), stamp: 'm.1', writes: new Map([['/bank/a', '6 m.1']]) })
  expect(() => { commit(SESSION, set('/bank/a', '6 m.1', 2)) }).toThrow(/TX3: m was committed again/)
  check.refused('m')
  expect(() => { check.atEnd() }).toThrow(/TX3: m was refused, and was committed/)
})

it('TX4: refuses a call without writes whose reads were never true together', () => {
  const { check, world } = make()
  const run = { ...moving('m'), reads: new Map([['/bank/a', '9 other.0']]), writes: new Map<string, string>() }
  expect(() => { check.confirmed(run, check.now, world.client) }).toThrow(/TX4: .* never true together/)
})
