/** The check of barriers bites: it is told of a world that is wrong, and says so. */
import { expect, it } from 'vitest'
import { BarriersCheck } from '../../sim/checks/barriers.ts'
import { OTHER_SESSION, OWNERS, scriptOf } from './scripted-checks.ts'
import type { Script } from './scripted-checks.ts'
import { SESSION, create, remove } from './scripted-world.ts'

const PATHS = { barrier: '/gate', doubles: ['/double'], latches: ['/latch'] }
const READY = '/double/ready'

/** A world with an empty double barrier for two and an empty latch of two. */
function make(): Script<BarriersCheck> {
  const script = scriptOf(({ ledger }) => new BarriersCheck({ ledger, owners: OWNERS, paths: PATHS, count: 2 }))
  script.commit(SESSION, create('/double', '', 2))
  script.commit(SESSION, create('/latch', '2', 3))
  return script
}

it('accepts a barrier that is raised and lowered, a round of two, and a latch that is counted down', () => {
  const { check, world, commit } = make()
  const raise = check.changes('raise', world.client)
  commit(SESSION, create('/gate', '', 4))
  check.said(raise, true)
  const wait = check.call(world.client)
  check.changes('lower', world.client)
  commit(SESSION, remove('/gate'))
  check.said(wait, false)
  check.said(wait, true)
  const entry = check.call(world.client)
  commit(SESSION, create('/double/a', '', 1, true))
  commit(OTHER_SESSION, create('/double/b', '', 2, true))
  commit(SESSION, create(READY, '', 3))
  check.isIn(entry, '/double')
  commit(SESSION, remove('/double/a'))
  commit(OTHER_SESSION, remove('/double/b'))
  check.left(entry)
  commit(SESSION, remove(READY))
  const count = check.call(world.client)
  commit(SESSION, create('/latch/one', '', 1))
  check.counted(count, '/latch', 'one')
  check.lacks(count, '/latch', 1)
  check.lacks(count, '/latch', 2)
  check.atEnd()
})

it('BA1: refuses what a barrier never was during a call', () => {
  const { check, world } = make()
  const call = check.call(world.client)
  expect(() => { check.said(call, true) }).toThrow(/BA1: c1 was told that the barrier is up/)
})

it('BA2: refuses a barrier that nobody asked to raise, or that one call has changed twice, or that was refused', () => {
  const alone = make()
  expect(() => { alone.commit(SESSION, create('/gate', '', 4)) }).toThrow(/BA2: the barrier was created/)
  const { check, world, commit } = make()
  for (let time = 0; time < 2; time++) check.changes('raise', world.client)
  const lower = check.changes('lower', world.client)
  commit(SESSION, create('/gate', '', 4))
  commit(SESSION, remove('/gate'))
  expect(() => { check.refused(lower) }).toThrow(/BA2: c1 was told that its call is refused, and it took effect/)
  commit(SESSION, create('/gate', '', 5))
  expect(() => { commit(SESSION, remove('/gate')) }).toThrow(/BA2: the barrier was deleted/)
})

it('BA3: refuses a round that opens too early, and a member that was in none', () => {
  const early = make()
  early.commit(SESSION, create('/double/a', '', 1, true))
  expect(() => { early.commit(SESSION, create(READY, '', 2)) }).toThrow(/BA3: \/double opened .* with 1 of 2/)
  const { check, world, commit } = make()
  const entry = check.call(world.client)
  commit(OTHER_SESSION, create('/double/a', '', 1, true))
  commit(OTHER_SESSION, create('/double/b', '', 2, true))
  commit(OTHER_SESSION, create(READY, '', 3))
  expect(() => { check.isIn(entry, '/double') }).toThrow(/BA3: c1 is in \/double, and was in no round/)
})

it('BA4: refuses the end of a round before all have left, for the round and for a member', () => {
  const { check, world, commit } = make()
  const entry = check.call(world.client)
  commit(SESSION, create('/double/a', '', 1, true))
  commit(OTHER_SESSION, create('/double/b', '', 2, true))
  commit(SESSION, create(READY, '', 3))
  check.isIn(entry, '/double')
  commit(SESSION, remove('/double/a'))
  expect(() => { check.left(entry) }).toThrow(/BA4: c1 has left \/double, and \/double\/b is still in/)
  expect(() => { commit(SESSION, remove(READY)) }).toThrow(/BA4: a round of \/double ended/)
})

it('BA5: refuses a count that is not there, that counts twice, or that was refused, and a wrong number', () => {
  const { check, world, commit } = make()
  const call = check.call(world.client)
  expect(() => { check.counted(call, '/latch', 'one') }).toThrow(/BA5: c1 was told that one counts/)
  expect(() => { check.lacks(call, '/latch', 0) }).toThrow(/BA5: c1 was told that \/latch lacks 0/)
  commit(SESSION, create('/latch/one', '', 1))
  check.refusedCount('/latch', 'one')
  expect(() => { check.atEnd() }).toThrow(/BA5: \/latch\/one was refused, and counted/)
  commit(SESSION, remove('/latch/one'))
  expect(() => { commit(SESSION, create('/latch/one', '', 2)) }).toThrow(/BA5: \/latch\/one was counted twice/)
})
