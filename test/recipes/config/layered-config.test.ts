/** One value of several layers: how they are merged, that nobody goes back, and what becomes of one that is invalid. */
import { expect, it } from 'vitest'
import { z } from 'zod'
import type { Client } from '../../../src/core/client.ts'
import { ConfigCenter } from '../../../src/recipes/config/config-center.ts'
import { LayeredConfig } from '../../../src/recipes/config/layered-config.ts'
import type { LayeredChange } from '../../../src/recipes/config/layered-config.ts'
import { closeAll, codeOf, failureOf, interrupt, newRig, pass, run, sessionOf, strike } from '../rig.ts'
import { sweepOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATHS = ['/config/app', '/config/app-eu', '/config/app-eu-1']
const REQUESTS = 8
const SETTLE_MS = 5_000

interface Limits {
  readonly rate?: number
  readonly hosts?: readonly string[]
  readonly deep?: { readonly a?: number; readonly b?: number }
}

type Center = ConfigCenter<unknown>

function centersOf(client: Client): [Center, Center, Center] {
  const [base, eu, one] = PATHS.map((path) => new ConfigCenter<unknown>(client, path))
  if (base === undefined || eu === undefined || one === undefined) throw new Error('three centers')
  return [base, eu, one]
}

it('merges members, replaces arrays, removes by null, and follows each layer', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const [base, eu, one] = centersOf(client)
  const layered = new LayeredConfig<Limits>(client, PATHS)
  expect([layered.current, layered.stale]).toEqual([undefined, true])
  expect(await run(layered.ready())).toBeUndefined()
  expect(layered.stale).toBe(false)
  const changes: LayeredChange<Limits>[] = []
  layered.subscribe((change) => void changes.push(change), { emitInitial: false })
  const publish = async (center: Center, value: unknown): Promise<Limits | undefined> => {
    await run(center.publish(value, { force: true }))
    await pass(100)
    return layered.current
  }
  // Also without a base there is nothing left of what an overlay removes.
  expect(await publish(eu, { hosts: ['eu'], deep: { b: 2, a: null } })).toEqual({ hosts: ['eu'], deep: { b: 2 } })
  expect(await publish(base, { rate: 1, hosts: ['a', 'b'], deep: { a: 1 } })).toEqual({
    rate: 1, hosts: ['eu'], deep: { b: 2 },
  })
  expect(await publish(one, { rate: null, deep: { a: 9 } })).toEqual({ hosts: ['eu'], deep: { b: 2, a: 9 } })
  await run(client.delete(PATHS[1] ?? ''))
  await pass(100)
  expect(layered.current).toEqual({ hosts: ['a', 'b'], deep: { a: 9 } })
  expect(Object.isFrozen(layered.current?.deep)).toBe(true)
  expect(changes.map(({ layers }) => layers.map(({ version }) => version))).toEqual([
    [null, 0, null], [0, 0, null], [0, 0, 0], [0, null, 0],
  ])
  expect(changes.at(-1)?.layers.map(({ path }) => path)).toEqual(PATHS)
  expect(await closeAll(rig, client)).toEqual([])
})

it('keeps the last good value when the merged one does not pass, and says what it was made of', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const [base, eu] = centersOf(client)
  const schema = z.object({ rate: z.number().max(10) })
  const layered = new LayeredConfig(client, PATHS, { schema })
  const invalids: unknown[] = []
  layered.onInvalid(({ issues, layers }) => void invalids.push([issues.length, layers.map(({ version }) => version)]))
  await run(base.publish({ rate: 1 }))
  await run(layered.ready())
  await run(eu.publish({ rate: 11 }))
  await pass(100)
  expect([layered.current, invalids]).toEqual([{ rate: 1 }, [[1, [0, 0, null]]]])
  expect(rig.errors.map(codeOf)).toEqual(['INVALID_VALUE/corrupt'])
  await run(eu.publish({ rate: 2 }))
  await pass(100)
  expect([layered.current, invalids.length]).toEqual([{ rate: 2 }, 1])
  // One layer that cannot be decoded keeps its own last good value.
  await run(client.set(PATHS[0] ?? '', 'no JSON'))
  await pass(100)
  expect(layered.current).toEqual({ rate: 2 })
  expect(await closeAll(rig, client)).toEqual([])
})

it('is never overtaken by an older merge whose validation took longer', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const [base] = centersOf(client)
  const validate = async (value: unknown): Promise<{ readonly value: Limits }> => {
    const limits = value as Limits
    if (limits.rate === 1) await new Promise((resolve) => setTimeout(resolve, 500))
    return { value: limits }
  }
  const layered = new LayeredConfig<Limits>(client, PATHS, {
    schema: { '~standard': { version: 1, vendor: 'test', validate } },
  })
  await run(layered.ready())
  const rates: unknown[] = []
  layered.subscribe(({ value }) => void rates.push(value?.rate), { emitInitial: false })
  const [, eu] = centersOf(client)
  await run(base.publish({ rate: 1 }))
  await pass(100)
  await run(eu.publish({ rate: 2 }))
  await pass(2_000)
  expect([layered.current, rates.at(-1)]).toEqual([{ rate: 2 }, 2])
  expect(await closeAll(rig, client)).toEqual([])
})

it('says that it is stale while no server is in touch, and reads again', async () => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  const [base] = centersOf(other)
  await run(base.publish({ rate: 1 }))
  const layered = new LayeredConfig<Limits>(client, PATHS)
  await run(layered.ready())
  const resyncs: boolean[] = []
  layered.subscribe(({ resync }) => void resyncs.push(resync), { emitInitial: false })
  rig.control.disconnect(sessionOf(client))
  await pass(500)
  expect([layered.stale, layered.current]).toEqual([true, { rate: 1 }])
  await run(base.publish({ rate: 2 }))
  rig.control.reconnect(sessionOf(client))
  await pass(1_000)
  expect([layered.stale, layered.current, resyncs.includes(true)]).toEqual([false, { rate: 2 }, true])
  await interrupt(rig, client, 100)
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('ends with its client, and says so', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const layered = new LayeredConfig<Limits>(client, PATHS)
  const values: unknown[] = []
  const iterating = (async () => {
    for await (const { value } of layered.watch()) values.push(value)
  })()
  await run(layered.ready())
  await run(client.close())
  await run(iterating)
  expect(values).toEqual([undefined])
  expect(codeOf(await failureOf(layered.ready()))).toMatch(/CLIENT_CLOSED/)
  expect(() => layered.subscribe(() => undefined)).toThrow(/closed/)
  expect(await closeAll(rig)).toEqual([])
})

it.each([
  [[], /1 to 16/], [['/a', '/a'], /different/], [['a'], /must|begin|start/i], ['/a', /array/],
])('refuses the paths %j', async (paths, message) => {
  const rig = newRig()
  const client = await rig.connect()
  expect(() => new LayeredConfig(client, paths as string[])).toThrow(message)
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(sweepOf(REQUESTS))('comes to the last value of each layer when $what strikes request $nth', async (one) => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  const [base, eu] = centersOf(other)
  await run(base.publish({ rate: 0 }))
  const session = sessionOf(client)
  const struck = strike(rig, one.fate, ({ sessionId }) => sessionId === session, one.nth)
  const layered = new LayeredConfig<Limits>(client, PATHS)
  const rates: number[] = []
  layered.subscribe(({ value }) => void rates.push(value?.rate ?? -1))
  for (let rate = 1; rate <= 3; rate += 1) {
    await run(base.publish({ rate }, { force: true }))
    await pass(SETTLE_MS)
  }
  await run(eu.publish({ rate: 4 }))
  await pass(SETTLE_MS)
  expect([struck.isMet, layered.current]).toEqual([true, { rate: 4 }])
  expect(rates.toSorted((a, b) => a - b)).toEqual(rates)
  expect(await closeAll(rig, client, other)).toEqual([])
})
