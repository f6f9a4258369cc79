/** The check of rates bites: it is told of a world that is wrong, and says so. */
import { expect, it } from 'vitest'
import { OpCode } from '../../src/backends/wire/codes.ts'
import type { TxnBody } from '../../src/backends/wire/transactions.ts'
import { RatesCheck } from '../../sim/checks/rates.ts'
import type { Taking } from '../../sim/checks/rates.ts'
import { SESSION, ScriptedWorld, at, create, set } from './scripted-world.ts'

const OTHER_SESSION = SESSION + 1n
const PATH = '/rate'
/** A token takes 100 ms to come. */
const RATE = { limit: 10, perMs: 1_000, burst: 5 }
const NEW_SESSION: TxnBody = { type: OpCode.createSession, body: { timeOut: 2_000, passwd: null } }

interface Scene {
  readonly check: RatesCheck
  takes(tokens: number): Taking
  /** A bucket is written, at an instant of the world and by the leader's clock, which is 10,000 ahead. */
  write(fullAtMs: number, atMs: number, session?: bigint, notedMs?: number): void
  passTo(atMs: number): void
}

function make(): Scene {
  const clocks = { nowMs: 0 }
  const owners = {
    isOf: (sessionId: bigint) => sessionId === SESSION,
    isSameProcess: (one: bigint, other: bigint) => one === other,
  }
  const { world, check } = ScriptedWorld.with(({ ledger }) => {
    return new RatesCheck({ ledger, owners, clocks, path: PATH, rate: RATE })
  })
  world.commit(at(1, 3), NEW_SESSION, { session: OTHER_SESSION })
  let version = 0
  return {
    check,
    takes: (tokens) => check.takes(tokens, world.client),
    write: (fullAtMs, atMs, session = SESSION, notedMs = 0) => {
      clocks.nowMs = atMs
      const data = JSON.stringify({ ...RATE, fullAtMs, atMs: notedMs })
      const txn = version === 0 ? create(PATH, data, 2) : set(PATH, data, version)
      world.commit(at(1, 4 + version), txn, { session, time: atMs + 10_000 })
      version += 1
    },
    passTo: (atMs) => { clocks.nowMs = atMs },
  }
}

it('accepts tokens that were paid for, at once and after a wait, and those that were put back', () => {
  const { check, takes, write, passTo } = make()
  const [first, second] = [takes(5), takes(1)]
  write(0, 10)
  write(10_510, 20)
  check.given(first)
  write(10_610, 30)
  passTo(120)
  check.given(second)
  write(10_910, 130)
  write(10_610, 140)
})

it('RT1: refuses tokens that were not taken, that another took, and those that were given before', () => {
  const { check, takes, write } = make()
  const early = takes(1)
  write(0, 10)
  expect(() => { check.given(early) }).toThrow(/RT1: c1 was given 1 of \/rate, and has taken none/)
  write(10_110, 20, OTHER_SESSION)
  expect(() => { check.given(early) }).toThrow(/RT1/)
  write(10_210, 30)
  check.given(early)
  expect(() => { check.given(early) }).toThrow(/RT1/)
})

it('RT2: refuses tokens that are not there yet', () => {
  const { check, takes, write } = make()
  const taking = takes(3)
  write(11_000, 10)
  write(11_300, 20)
  expect(() => { check.given(taking) }).toThrow(/RT2: c1 was given 3 of \/rate, which are there at 10800/)
})

it.each([
  ['another made fuller', OTHER_SESSION, false],
  ['is made fuller by what was given', SESSION, true],
] as const)('RT3: refuses a bucket that %s', (_, session, isGiven) => {
  const { check, takes, write } = make()
  const taking = takes(1)
  write(10_000, 10)
  write(10_110, 20)
  if (isGiven) check.given(taking)
  expect(() => { write(10_000, 30, session) }).toThrow(/RT3: \/rate went from 10110 back to 10000/)
})

it('RT4: refuses tokens of a bucket that was never looked at, and those that are paid for in the past', () => {
  const rested = make()
  rested.write(0, 10, OTHER_SESSION)
  rested.passTo(60_000)
  const late = rested.takes(4)
  rested.write(10_410, 60_010)
  expect(() => { rested.check.given(late) }).toThrow(/RT4: .* did not know the time/)
  const { check, takes, write } = make()
  const first = takes(1)
  write(0, 10)
  write(10_110, 20)
  check.given(first)
  write(10_110, 30_000, OTHER_SESSION)
  const second = takes(2)
  write(11_000, 30_010)
  expect(() => { check.given(second) }).toThrow(/RT4: .* fills the bucket at 11000, and not at 40200 or later/)
})

it('RT4: refuses tokens that are paid for before the time that was noted, and RT5 a time that has not come', () => {
  const { check, takes, write } = make()
  const taking = takes(1)
  write(0, 10)
  write(0, 1_000, OTHER_SESSION, 10_500)
  write(10_150, 1_010)
  expect(() => { check.given(taking) }).toThrow(/RT4: .* fills the bucket at 10150, and not at 11100 or later/)
  const early = (): void => { write(20_000, 1_100, OTHER_SESSION, 12_000) }
  expect(early).toThrow(/RT5: 12000 was noted in \/rate; it was 11209 at most/)
})
