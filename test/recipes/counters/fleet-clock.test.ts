/** The clock of a fleet: late by no more than a look, and never back. */
import { expect, it } from 'vitest'
import { FleetClock } from '../../../src/recipes/counters/fleet-clock.ts'
import type { TimedVersion } from '../../../src/recipes/counters/fleet-clock.ts'
import { pass, useVirtualTime } from '../rig.ts'

useVirtualTime()

/** A version of the node: its number, when it was written, and the time that its writer noted. */
function version(mzxid: bigint, mtime: number, notedMs = 0): TimedVersion {
  return { mzxid, mtime, notedMs }
}

it('shows nothing before anything was read', () => {
  const clock = new FleetClock()
  clock.look()(null)
  expect([clock.nowMs, clock.isSet]).toEqual([0, false])
})

it('is carried on by the clock of the process', async () => {
  const clock = new FleetClock()
  clock.look()(version(1n, 5_000))
  await pass(250)
  expect(clock.nowMs).toBe(5_250)
})

it('is not set by what was there before, however often and by how many looks it is read', () => {
  const clock = new FleetClock()
  for (let looks = 0; looks < 2; looks += 1) {
    const look = clock.look()
    look(version(7n, 5_000))
    look(version(7n, 5_000))
  }
  clock.look()(version(8n, 6_000))
  expect([clock.nowMs, clock.isSet]).toEqual([6_000, false])
})

it('is set by what was written after the look began, and stays set', () => {
  for (const before of [version(7n, 5_000), null]) {
    const clock = new FleetClock()
    const look = clock.look()
    look(before)
    look(version(8n, 6_000))
    clock.look()(version(8n, 6_000))
    expect([clock.nowMs, clock.isSet]).toEqual([6_000, true])
  }
})

it('never goes back: of two servers it goes by the one that is ahead', async () => {
  const clock = new FleetClock()
  clock.look()(version(1n, 9_000))
  await pass(100)
  clock.look()(version(2n, 5_000))
  expect(clock.nowMs).toBe(9_100)
  clock.look()(version(3n, 9_500))
  expect(clock.nowMs).toBe(9_500)
})

it('goes on from the time that a writer noted, where the server that wrote is behind it', async () => {
  const clock = new FleetClock()
  clock.look()(version(1n, 5_000, 9_000))
  await pass(100)
  expect(clock.nowMs).toBe(9_100)
  clock.look()(version(2n, 9_500, 9_200))
  expect(clock.nowMs).toBe(9_500)
})
