/** The check of work that is done once bites: it is told of a world that is wrong, and says so. */
import { expect, it } from 'vitest'
import { OnceCheck } from '../../sim/checks/once.ts'
import { OTHER_SESSION, OWNERS, scriptOf } from './scripted-checks.ts'
import type { Script } from './scripted-checks.ts'
import { SESSION, create, remove, set } from './scripted-world.ts'

const GOOD_MS = 500
const KEYS = new Map([['/lasting', Infinity], ['/fleeting', GOOD_MS]])
const MARK = `${crypto.randomUUID()}\n`
const LEASE = 'x-lock-0000000000'

/** A world in which `SESSION` is first in the queues of both keys; `tokens` are its leases. */
function make(): Script<OnceCheck> & { readonly tokens: readonly bigint[] } {
  const script = scriptOf(({ ledger }) => new OnceCheck({ ledger, owners: OWNERS, keys: KEYS }))
  let children = 1
  const tokens = [...KEYS.keys()].map((key) => {
    script.commit(SESSION, create(`${key}-lock`, '', children += 1))
    return script.commit(SESSION, create(`${key}-lock/${LEASE}`, '', 1, true))
  })
  return { ...script, tokens }
}

it('accepts work that is begun, recorded and given, and done again when it is over', () => {
  const { check, world, commit, tokens: [lasting = 0n, fleeting = 0n] } = make()
  const since = check.now
  check.begins('/lasting', lasting, world.client)
  commit(SESSION, create('/lasting', `${MARK}"a"`, 4))
  check.given('/lasting', since, 'a', world.client)
  check.begins('/fleeting', fleeting, world.client)
  commit(SESSION, create('/fleeting', `${MARK}"b"`, 5))
  for (const key of KEYS.keys()) commit(SESSION, remove(`${key}-lock/${LEASE}`))
  check.atEnd()
})

it('OO1: refuses a result of one who is not first, one that replaces another too early, and a deletion', () => {
  const { commit } = make()
  expect(() => { commit(OTHER_SESSION, create('/lasting', `${MARK}"a"`, 4)) }).toThrow(/OO1: .* not first/)
  const again = make()
  again.commit(SESSION, create('/fleeting', `${MARK}"a"`, 4))
  expect(() => { again.commit(SESSION, set('/fleeting', `${MARK}"b"`, 1)) }).toThrow(/OO1: .* 0 ms after/)
  expect(() => { again.commit(SESSION, remove('/fleeting')) }).toThrow(/OO1: the result of \/fleeting was deleted/)
})

it('OO2: refuses work beside a result, by the lease of another, or with a token that is not greater', () => {
  const { check, world, commit, tokens: [lasting = 0n] } = make()
  check.begins('/lasting', lasting, world.client)
  expect(() => { check.begins('/lasting', lasting, world.client) }).toThrow(/OO2: .* with token .*, after/)
  const beside = make()
  beside.commit(SESSION, create('/lasting', `${MARK}"a"`, 4))
  expect(() => { beside.check.begins('/lasting', lasting, world.client) }).toThrow(/OO2: .* and "a" is its result/)
  const token = commit(OTHER_SESSION, create('/fleeting-lock/y-lock-0000000001', '', 2, true))
  expect(() => { check.begins('/fleeting', token, world.client) }).toThrow(/OO2: .* the lease of another/)
})

it('OO3, OO4: refuses a result that was never there, one that must not be, and one who is left in a queue', () => {
  const { check, world, commit } = make()
  expect(() => { check.given('/lasting', check.now, 'a', world.client) }).toThrow(/OO3: c1 was given a .* not recorded/)
  expect(() => { check.atEnd() }).toThrow(/OO4: somebody is left in the queue of \/lasting/)
  commit(SESSION, create('/lasting', `${MARK}"a"`, 4))
  check.isVoid('a')
  for (const key of KEYS.keys()) commit(SESSION, remove(`${key}-lock/${LEASE}`))
  expect(() => { check.atEnd() }).toThrow(/OO3: "a" was recorded for \/lasting, and must not be/)
})
