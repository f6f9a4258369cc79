/** The check of queues bites: it is told of a world that is wrong, and says so. */
import { expect, it } from 'vitest'
import { OpCode } from '../../src/backends/wire/codes.ts'
import type { TxnBody } from '../../src/backends/wire/transactions.ts'
import { QueuesCheck } from '../../sim/checks/queues.ts'
import type { SeenItem } from '../../sim/checks/queues.ts'
import { SESSION, ScriptedWorld, at, create, remove, set } from './scripted-world.ts'

const OTHER_SESSION = SESSION + 1n
const NEW_SESSION: TxnBody = { type: OpCode.createSession, body: { timeOut: 2_000, passwd: null } }
const ID = '100-a-0000000000'
const ITEM = `/queue/items/${ID}`
const CLAIM = `/queue/claims/${ID}`

interface Scene {
  readonly check: QueuesCheck
  readonly world: ScriptedWorld
  /** Commits transactions of a session in one; returns its zxid. */
  commit(session: bigint, ...parts: TxnBody[]): bigint
  /** An item that a consumer was given, which believes in it until it is told otherwise. */
  item(token: bigint, attempt?: number): SeenItem & { isLost: boolean }
}

/** A queue with one item, which `SESSION` has put. */
function make(): Scene {
  const owners = {
    isOf: (sessionId: bigint) => sessionId === SESSION,
    isSameProcess: (one: bigint, other: bigint) => one === other,
  }
  const clocks = { as: <T>(_node: unknown, run: () => T): T => run() }
  const { world, check } = ScriptedWorld.with(({ ledger }) => {
    return new QueuesCheck({ clocks, ledger, owners, path: '/queue' })
  })
  let counter = 2
  const commit = (session: bigint, ...parts: TxnBody[]): bigint => {
    counter += 1
    const [first] = parts
    const txn: TxnBody = parts.length === 1 && first !== undefined ? first : { type: OpCode.multi, body: parts }
    world.commit(at(1, counter), txn, { session })
    return at(1, counter)
  }
  commit(OTHER_SESSION, NEW_SESSION)
  commit(SESSION, create('/queue', '', 2))
  commit(SESSION, create('/queue/items', '', 1))
  commit(SESSION, create('/queue/claims', '', 2))
  commit(SESSION, create('/queue/dead', '', 3))
  commit(SESSION, create(ITEM, '"work"', 1))
  const item: Scene['item'] = (token, attempt = 1) => ({
    id: ID, value: 'work', attempt, token, isLost: false,
    throwIfLost() {
      if (this.isLost) throw new Error('it is lost')
    },
  })
  return { check, world, commit, item }
}

/** Claims the item for a session, by its n-th claim. */
function claim({ commit }: Scene, session: bigint, nth = 1): bigint {
  return commit(session, create(CLAIM, 'mark', nth, true), set(ITEM, '"work"', nth))
}

it('accepts an item that is put, claimed, given back, claimed again and done', () => {
  const scene = make()
  const { check, world, commit, item } = scene
  check.put('work', ID, world.client)
  const first = item(claim(scene, OTHER_SESSION))
  check.taken(first, world.client)
  first.isLost = true
  commit(OTHER_SESSION, remove(CLAIM))
  const second = item(claim(scene, SESSION, 2), 2)
  check.taken(second, world.client)
  check.settling(second)
  commit(SESSION, remove(ITEM), remove(CLAIM))
  check.confirmed(second, false, world.client)
  check.unsettled(first, world.client)
  expect(check.isEmptyAt(Infinity)).toBe(true)
  check.atEnd()
})

it('QU1: refuses that an item is removed by who has not claimed it', () => {
  const unclaimed = make()
  expect(() => { unclaimed.commit(SESSION, remove(ITEM)) }).toThrow(/QU1: .* was removed by a session that had not/)
  const foreign = make()
  claim(foreign, OTHER_SESSION)
  expect(() => { foreign.commit(SESSION, remove(ITEM), remove(CLAIM)) }).toThrow(/QU1/)
  const left = make()
  claim(left, OTHER_SESSION)
  expect(() => { left.check.atEnd() }).toThrow(/QU1: the claim of .* is left/)
})

it('QU2: refuses an item that was not claimed so, a wrong count, and a belief in what is gone', () => {
  const scene = make()
  const token = claim(scene, SESSION)
  const { check, world, commit, item } = scene
  expect(() => { check.taken(item(token + 1n), world.client) }).toThrow(/QU2: .* it was never claimed so/)
  expect(() => { check.taken(item(token, 2), world.client) }).toThrow(/QU2: .* as attempt 2, and it is attempt 1/)
  check.taken(item(token), world.client)
  expect(() => { commit(SESSION, remove(CLAIM)) }).toThrow(/QU2: .* is gone, and c1 still believes in it/)
})

it('QU3: refuses an end that was confirmed and is none, or of another, and one that was denied', () => {
  const scene = make()
  const { check, world, commit, item } = scene
  const token = claim(scene, SESSION)
  expect(() => { check.confirmed(item(token), false, world.client) }).toThrow(/QU3: .* and it is there/)
  commit(SESSION, remove(ITEM), remove(CLAIM))
  expect(() => { check.confirmed(item(token - 1n), false, world.client) }).toThrow(/QU3: .* another made an end of it/)
  expect(() => { check.confirmed(item(token), true, world.client) }).toThrow(/QU3: .* another made an end of it/)
  expect(() => { check.unsettled(item(token), world.client) }).toThrow(/QU3: c1 was told that it has not removed/)
  check.confirmed(item(token), false, world.client)
  expect(() => { check.confirmed(item(token), false, world.client) }).toThrow(/QU3: .* again/)
})

it('QU6: refuses an item that is given before it is due', () => {
  const { check, world, commit } = make()
  const id = `100-b-${Date.now() + 60_000}-0000000001`
  commit(SESSION, create(`/queue/items/${id}`, '"later"', 2))
  const token = commit(SESSION, create(`/queue/claims/${id}`, 'mark', 1, true), set(`/queue/items/${id}`, '"later"', 1))
  const item = { id, value: 'later', attempt: 1, token, throwIfLost: () => undefined }
  expect(() => { check.taken(item, world.client) }).toThrow(/QU6: .* ms before it is due/)
})

it('QU4: refuses a put that is of another, made two items, or was refused and made one', () => {
  const { check, world, commit } = make()
  expect(() => { check.put('rest', ID, world.client) }).toThrow(/QU4: c1 was told that rest is/)
  const again = create('/queue/items/100-b-0000000001', '"work"', 2)
  expect(() => { commit(SESSION, again) }).toThrow(/QU4: work was put twice/)
  check.refused('work')
  expect(() => { check.atEnd() }).toThrow(/QU4: work was refused, and was put/)
})
