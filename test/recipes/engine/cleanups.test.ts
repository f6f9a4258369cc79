/** Removals that are owed. */
import { expect, it } from 'vitest'
import { CoordinationError } from '../../../src/core/errors.ts'
import { Cleanups, pendingCleanups } from '../../../src/recipes/engine/cleanups.ts'
import { closeAll, newRig, pass, run, stateOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

function lost(): CoordinationError {
  return new CoordinationError('CONNECTION_LOSS', 'lost', { outcome: 'unknown' })
}

it('repeats a clean-up until it is confirmed, and counts it until then', async () => {
  const rig = newRig()
  const client = await rig.connect()
  let attempts = 0
  const running = Cleanups.of(client).run(() => {
    attempts += 1
    return attempts < 4 ? Promise.reject(lost()) : Promise.resolve()
  })
  expect(pendingCleanups(client)).toBe(1)
  await run(running)
  expect([attempts, pendingCleanups(client), rig.errors]).toEqual([4, 0, []])
  expect(await closeAll(rig, client)).toEqual([])
})

it('gives up a clean-up that the servers refuse, and reports it', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const refused = new CoordinationError('NO_AUTH', 'refused', { outcome: 'rejected' })
  await run(Cleanups.of(client).run(() => Promise.reject(refused)))
  expect([rig.errors, pendingCleanups(client)]).toEqual([[refused], 0])
  expect(await closeAll(rig, client)).toEqual([])
})

it('repeats a clean-up for which the servers have too much to do', async () => {
  const rig = newRig()
  const client = await rig.connect()
  let attempts = 0
  const throttled = new CoordinationError('THROTTLED', 'later', { outcome: 'rejected' })
  const running = Cleanups.of(client).run(() => {
    attempts += 1
    return attempts < 3 ? Promise.reject(throttled) : Promise.resolve()
  })
  expect(await run(running)).toBe(true)
  expect([attempts, rig.errors]).toEqual([3, []])
  expect(await closeAll(rig, client)).toEqual([])
})

it('waits only a while for a clean-up that takes its time, and leaves it to the background', async () => {
  const rig = newRig()
  const client = await rig.connect()
  let attempts = 0
  const handing = Cleanups.of(client).confirmOrHandOver(() => {
    attempts += 1
    return Promise.reject(lost())
  })
  await pass(900)
  expect(await stateOf(handing)).toBe('pending')
  await pass(200)
  expect(await stateOf(handing)).toBe('fulfilled')
  const before = attempts
  await pass(10_000)
  expect(attempts).toBeGreaterThan(before)
  expect(pendingCleanups(client)).toBe(1)
  expect(await closeAll(rig, client)).toEqual([])
})

it('ends with the client, which takes with its session what is still to be removed', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const running = Cleanups.of(client).run(() => Promise.reject(lost()))
  await pass(100)
  await run(client.close())
  expect(await stateOf(running)).toBe('fulfilled')
  expect(pendingCleanups(client)).toBe(0)
})

it('ends when there is nothing left to remove', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(Cleanups.of(client).run((_, giveUp) => {
    giveUp()
    return Promise.reject(lost())
  }))
  expect([pendingCleanups(client), rig.errors]).toEqual([0, []])
  expect(await closeAll(rig, client)).toEqual([])
})
