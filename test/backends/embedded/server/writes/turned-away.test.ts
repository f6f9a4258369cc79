import { expect, it } from 'vitest'
import { TurnedAwaySessions } from '../../../../../src/backends/embedded/server/writes/turned-away.ts'

const TIMES = { tickMs: 50, sessionBucketTicks: 2, maxSessionTimeoutMs: 500, syncLimitTicks: 20 }
/** Twice as long as another server, and what is on its way from it, can take. */
const KEPT_TICKS = 2 * (10 + 2 + 20)
const PASSWD = new Uint8Array(16).fill(7)

it('are remembered by id and password for as long as another server may think of them as its own', () => {
  const turnedAway = new TurnedAwaySessions(TIMES)
  turnedAway.add(1n, PASSWD)
  turnedAway.add(2n, new Uint8Array(3))
  const other = new Uint8Array(16)
  const known = (): boolean[] => [turnedAway.has(1n, PASSWD), turnedAway.has(1n, other), turnedAway.has(2n, PASSWD)]
  expect([...known(), turnedAway.has(2n, new Uint8Array(3))]).toEqual([true, false, false, false])
  for (let tick = 1; tick < KEPT_TICKS; tick++) turnedAway.tick()
  turnedAway.add(2n, PASSWD)
  expect(known()).toEqual([true, false, true])
  turnedAway.tick()
  expect(known()).toEqual([false, false, true])
})

it('are remembered for longer if they are turned away again', () => {
  const turnedAway = new TurnedAwaySessions(TIMES)
  turnedAway.add(1n, PASSWD)
  for (let tick = 1; tick < KEPT_TICKS; tick++) turnedAway.tick()
  turnedAway.add(1n, PASSWD)
  for (let tick = 1; tick < KEPT_TICKS; tick++) turnedAway.tick()
  expect(turnedAway.has(1n, PASSWD)).toBe(true)
})

it('are forgotten from the oldest on, when there are too many', () => {
  const turnedAway = new TurnedAwaySessions(TIMES)
  for (let id = 0n; id <= 10_000n; id++) turnedAway.add(id, PASSWD)
  expect([0n, 1n, 10_000n].map((id) => turnedAway.has(id, PASSWD))).toEqual([false, true, true])
})
