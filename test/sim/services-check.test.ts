/** The check of services bites: it is told of a world that is wrong, and says so. */
import { expect, it } from 'vitest'
import { ServicesCheck } from '../../sim/checks/services.ts'
import type { InstanceWords } from '../../sim/checks/services.ts'
import { CLOCKS, OTHER_SESSION, OWNERS, scriptOf } from './scripted-checks.ts'
import type { Script } from './scripted-checks.ts'
import { SESSION, create, remove, set } from './scripted-world.ts'

const PATH = '/services/web/one'

function words(update: number, port = 80): InstanceWords {
  return { port, enabled: true, payload: { handle: 'h', update } }
}

function seen(incarnation: bigint, of: InstanceWords): InstanceWords & { id: string; incarnation: bigint } {
  return { id: 'one', incarnation, ...of }
}

/** A service with one instance, of `SESSION`; `czxid` is that of its node. */
function make(): Script<ServicesCheck> & { readonly czxid: bigint } {
  const script = scriptOf(({ ledger }) => {
    return new ServicesCheck({ clocks: CLOCKS, ledger, owners: OWNERS, path: '/services/web' })
  })
  script.check.says(words(0))
  script.commit(SESSION, create('/services', '', 2))
  script.commit(SESSION, create('/services/web', '', 1))
  return { ...script, czxid: script.commit(SESSION, create(PATH, JSON.stringify(words(0)), 1, true)) }
}

it('accepts an instance that registers, changes and goes, and a watcher that is told so', () => {
  const { check, world, commit, czxid } = make()
  const registration: { path: string; state: 'registered' | 'withdrawn' } = { path: PATH, state: 'registered' }
  check.registered(registration, 'h', world.client)
  const reader = { name: 'c2', moment: -1, members: new Map<string, string>() }
  const [first, second] = [seen(czxid, words(0)), seen(czxid, words(1))]
  check.told(reader, { instances: [first], added: [first], removed: [], updated: [] })
  check.says(words(1))
  commit(SESSION, set(PATH, JSON.stringify(words(1)), 1))
  check.updated(registration, words(1))
  check.told(reader, { instances: [second], added: [], removed: [], updated: [second] })
  expect(check.isUpToDate(reader)).toBe(true)
  registration.state = 'withdrawn'
  commit(SESSION, remove(PATH))
  check.unregistered(registration, 'h', SESSION)
  check.told(reader, { instances: [], added: [], removed: [second], updated: [] })
  check.atEnd()
})

it('SD1: refuses a list that never was, and a wrong difference', () => {
  const { check, czxid } = make()
  const reader = { name: 'c2', moment: -1, members: new Map<string, string>() }
  const [one, wrong] = [seen(czxid, words(0)), seen(czxid, words(0, 81))]
  const tell = (instances: readonly typeof one[], added: readonly typeof one[]) => (): void => {
    check.told(reader, { instances, added, removed: [], updated: [] })
  }
  expect(tell([wrong], [wrong])).toThrow(/SD1: c2 was told of a list that never was/)
  expect(tell([one], [])).toThrow(/SD1: c2 was told that {2}was added, it was one/)
})

it('SD2: refuses words that nobody told it to say, a registration that is not there, and a lost update', () => {
  const { check, world, commit } = make()
  const registration = { path: PATH, state: 'registered' } as const
  expect(() => { check.registered(registration, 'x', world.client) }).toThrow(/SD2: x counts as registered/)
  expect(() => { check.updated(registration, words(1)) }).toThrow(/SD2: update 1 of h was confirmed, and 0 is there/)
  expect(() => { commit(SESSION, set(PATH, JSON.stringify(words(7)), 1)) }).toThrow(/SD2: one says h 7 .* undefined/)
})

it('SD3, SD4: refuses a change by another, a belief in what is gone, and what is left', () => {
  const { check, world, commit } = make()
  const registration: { path: string; state: 'registered' | 'withdrawn' } = { path: PATH, state: 'registered' }
  check.registered(registration, 'h', world.client)
  expect(() => { check.atEnd() }).toThrow(/SD4: of the service are left: one/)
  expect(() => { commit(OTHER_SESSION, remove(PATH)) }).toThrow(/SD3: one of session .* was deleted by session/)
  const believing = make()
  believing.check.registered(registration, 'h', world.client)
  expect(() => { believing.commit(SESSION, remove(PATH)) }).toThrow(/SD3: h is gone, and still believes/)
  const left = make()
  registration.state = 'withdrawn'
  expect(() => { left.check.unregistered(registration, 'h', SESSION) }).toThrow(/SD3: h was unregistered/)
})
