/** Scripts for checks that are told of a world that is wrong. */
import { OpCode } from '../../src/backends/wire/codes.ts'
import type { TxnBody } from '../../src/backends/wire/transactions.ts'
import type { Check } from '../../sim/check.ts'
import { SESSION, ScriptedWorld, at } from './scripted-world.ts'

/** A session beside {@link SESSION}, of another process. */
export const OTHER_SESSION = SESSION + 1n

/** Who has which session: the client of the world has `SESSION`. */
export const OWNERS = {
  isOf: (sessionId: bigint): boolean => sessionId === SESSION,
  isSameProcess: (one: bigint, other: bigint): boolean => one === other,
}

/** Lets something run as if on the clock of a node. */
export const CLOCKS = { as: <T>(_node: unknown, run: () => T): T => run() }

/** A world with a check, in which both sessions are open. */
export interface Script<C extends Check> {
  readonly check: C
  readonly world: ScriptedWorld
  /** Commits transactions of a session in one, at some time of the leader; returns its zxid. */
  commit(session: bigint, ...parts: TxnBody[]): bigint
  /** The time of what is committed from now on, in milliseconds. */
  timeMs: number
}

/** Makes a world with a check. */
export function scriptOf<C extends Check>(make: (world: ScriptedWorld) => C): Script<C> {
  const { world, check } = ScriptedWorld.with(make)
  let counter = 2
  const script: Script<C> = {
    check, world, timeMs: 1_000,
    commit: (session, ...parts) => {
      counter += 1
      const [first] = parts
      const txn: TxnBody = parts.length === 1 && first !== undefined ? first : { type: OpCode.multi, body: parts }
      world.commit(at(1, counter), txn, { session, time: script.timeMs })
      return at(1, counter)
    },
  }
  script.commit(OTHER_SESSION, { type: OpCode.createSession, body: { timeOut: 2_000, passwd: null } })
  return script
}
