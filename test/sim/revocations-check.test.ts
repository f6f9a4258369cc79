/** The check of requests to give up bites: it is told of a world that is wrong, and says so. */
import { expect, it } from 'vitest'
import { OpCode } from '../../src/backends/wire/codes.ts'
import type { TxnBody } from '../../src/backends/wire/transactions.ts'
import type { SeenContender } from '../../sim/checks/locks.ts'
import { RevocationsCheck } from '../../sim/checks/revocations.ts'
import { SESSION, ScriptedWorld, at, create, set } from './scripted-world.ts'

const OTHER_SESSION = SESSION + 1n
const PATH = '/a/_c_123e4567-e89b-42d3-a456-426614174000-lock-0000000000'
const LEASE = { path: PATH, token: at(1, 4) }
const NEW_SESSION: TxnBody = { type: OpCode.createSession, body: { timeOut: 2_000, passwd: null } }

/** A world with one contender, whose node is the fourth transaction; the other session belongs to the one who asks. */
function make(changed: Partial<SeenContender> = {}): { check: RevocationsCheck; world: ScriptedWorld } {
  const contender = { owner: SESSION, tenure: 1, isOver: false, isMeddledWith: false, ...changed }
  const owners = {
    isOperator: () => false,
    isOf: (sessionId: bigint) => sessionId === OTHER_SESSION,
  }
  const contenderOf = (token: bigint): SeenContender | null => token === LEASE.token ? contender : null
  const { world, check } = ScriptedWorld.with(({ ledger }) => {
    return new RevocationsCheck({ ledger, owners, locks: ['/a'], contenderOf })
  })
  world.commit(at(1, 3), NEW_SESSION, { session: OTHER_SESSION })
  world.commit(at(1, 4), create(PATH, '', 1, true))
  return { check, world }
}

function write(world: ScriptedWorld, data: string): void {
  world.commit(at(1, 5), set(PATH, data, 1), { session: OTHER_SESSION })
}

it('accepts a request to all, and what the holder hears', () => {
  const { check, world } = make()
  check.granted(LEASE)
  const answered = check.asksAll('/a', world.client)
  write(world, '__REVOKE__ a deploy')
  check.heard(LEASE, 'a deploy')
  answered([LEASE])
  expect(check.mayEvict(LEASE.token, OTHER_SESSION)).toBe(false)
  check.names(LEASE, 'evict', world.client)
  expect([OTHER_SESSION, SESSION].map((session) => check.mayEvict(LEASE.token, session))).toEqual([true, false])
})

it('RV1: refuses a request that passed over one who held all the time, and no other', () => {
  const cases = [[{}, true], [{ isOver: true }, false], [{ isMeddledWith: true }, false]] as const
  for (const [changed, isRefused] of cases) {
    const { check, world } = make(changed)
    check.granted(LEASE)
    const answered = check.asksAll('/a', world.client)
    const answer = (): void => { answered([]) }
    if (isRefused) expect(answer).toThrow(/RV1: c1 asked all of \/a, and not .*, which holds/)
    else expect(answer).not.toThrow()
  }
  const { check, world } = make()
  check.granted(LEASE)
  const answered = check.asksAll('/a', world.client)
  check.releasing(LEASE)
  expect(() => { answered([]) }).not.toThrow()
})

it('RV2: refuses a request to all that reached one who has never held', () => {
  const { check, world } = make({ tenure: 0 })
  const answered = check.asksAll('/a', world.client)
  expect(() => { answered([LEASE]) }).toThrow(/RV2: c1 asked .*, which has never held/)
  expect(() => { write(world, '__REVOKE__') }).toThrow(/RV2/)
})

it('RV3: refuses a write that is no request, and one of who did not ask', () => {
  const asked = make()
  asked.check.names(LEASE, 'ask', asked.world.client)
  expect(() => { write(asked.world, 'words') }).toThrow(/RV3: .* is no request/)
  expect(() => { write(make().world, '__REVOKE__') }).toThrow(/RV3: .* which did not ask/)
})

it('RV4: refuses a request that nobody made', () => {
  const { check, world } = make()
  check.asksAll('/a', world.client)
  write(world, '__REVOKE__')
  expect(() => { check.heard(LEASE, 'a deploy') }).toThrow(/RV4: the holder of .* heard "a deploy"/)
})

it('RV5: refuses an eviction after which its contender is there', () => {
  expect(() => { make().check.evicted(LEASE) }).toThrow(/RV5: .* was evicted, and is still there/)
  make({ isOver: true }).check.evicted(LEASE)
})
