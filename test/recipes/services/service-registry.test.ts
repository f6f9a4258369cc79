/** Instances that register, change, come back and go, and who sees it. */
import { expect, it } from 'vitest'
import { pendingCleanups } from '../../../src/recipes/engine/cleanups.ts'
import { decodeInstance } from '../../../src/recipes/services/service-instance.ts'
import { ServiceRegistration, ServiceRegistry } from '../../../src/recipes/services/service-registry.ts'
import { ServiceWatcher } from '../../../src/recipes/services/service-watcher.ts'
import type { ServiceChange } from '../../../src/recipes/services/service-watcher.ts'
import { ROUND_TRIP_MS, SESSION_TIMEOUT_MS, closeAll, codeOf, ephemerals, failureOf, newRig, strike } from '../rig.ts'
import { pass, run, sessionOf, sweepOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const BASE = '/services'
const SETTLE_MS = 20 * ROUND_TRIP_MS
const SWEEP = sweepOf(10)

/** A change in short. */
function inShort({ instances, added, removed, updated }: ServiceChange): string {
  const ids = (list: readonly { readonly id: string }[]): string => list.map(({ id }) => id).join(',')
  return `${ids(instances)} +${ids(added)} -${ids(removed)} ~${ids(updated)}`
}

it('tells watchers what came, went and changed, and has it at hand', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [registry, watcher] = [new ServiceRegistry(a, BASE), new ServiceWatcher(b, BASE, 'api')]
  const changes: string[] = []
  watcher.subscribe((change) => void changes.push(inShort(change)))
  await run(watcher.ready())
  await pass(SETTLE_MS)
  const one = await run(registry.register('api', { id: 'one', address: 'host', port: 80 }))
  await pass(SETTLE_MS)
  const two = await run(registry.register('api', { id: 'two', payload: { zone: 'north' } }))
  await pass(SETTLE_MS)
  await run(one.update({ enabled: false }))
  await pass(SETTLE_MS)
  await run(two.unregister())
  await pass(SETTLE_MS)
  expect(changes).toEqual([' + - ~', 'one +one - ~', 'one,two +two - ~', 'one,two + - ~one', 'one + -two ~'])
  expect(watcher.instances).toEqual([expect.objectContaining({ id: 'one', port: 80, enabled: false })])
  expect(Object.isFrozen(watcher.instances[0])).toBe(true)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('registers in one round trip, with a UUID where no id is given', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(client.makePath(`${BASE}/api`))
  const startMs = performance.now()
  const { instance, path } = await run(new ServiceRegistry(client, BASE).register('api'))
  expect(performance.now() - startMs).toBe(ROUND_TRIP_MS)
  expect(instance.id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  expect(path).toBe(`${BASE}/api/${instance.id}`)
  expect(await closeAll(rig, client)).toEqual([])
})

it('says what it was told to once it is registered, also by a node that an earlier call has left', async () => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  const registry = new ServiceRegistry(client, BASE)
  await run(client.makePath(`${BASE}/api`))
  const id = sessionOf(client)
  const aborting = new AbortController()
  const first = failureOf(registry.register('api', { id: 'one', port: 80, signal: aborting.signal }))
  await pass(1)
  aborting.abort()
  const options = { id: 'one', port: 81, waitMs: 60_000, onSessionLoss: 'queue-again' } as const
  const second = registry.register('api', options)
  await pass(1)
  // The answers to both creates are lost. Whoever looks first after that takes the node of the first one.
  rig.control.disconnect(id)
  await pass(ROUND_TRIP_MS)
  const late = strike(rig, { delayMs: 300 }, ({ kind }) => kind === 'multi')
  rig.control.reconnect(id)
  const { path } = await run(second)
  const { data } = await run(other.get(path))
  expect({ isMet: late.isMet, port: decodeInstance(data).port }).toEqual({ isMet: true, port: 81 })
  expect(codeOf(await first)).toBe('ABORTED/aborted')
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('registers again after its session was lost, with a greater incarnation', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const registration = await run(new ServiceRegistry(a, BASE).register('api', { id: 'one', port: 80 }))
  const watcher = new ServiceWatcher(b, BASE, 'api')
  await pass(SETTLE_MS)
  const [before] = watcher.instances
  const { signal } = registration
  rig.control.expire(sessionOf(a))
  await pass(10_000)
  const [after] = watcher.instances
  expect([signal.aborted, registration.state, after?.port]).toEqual([true, 'registered', 80])
  expect(after?.incarnation).toBeGreaterThan(before?.incarnation ?? 0n)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('reports once what cannot be read', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(client.makePath(`${BASE}/api`))
  await run(client.create(`${BASE}/api/bad`, '[]', { mode: 'ephemeral' }))
  const watcher = new ServiceWatcher(client, BASE, 'api')
  watcher.subscribe(() => undefined)
  await pass(SETTLE_MS)
  expect([watcher.instances, watcher.instances]).toEqual([[], []])
  expect(rig.errors.map(codeOf)).toEqual(['INVALID_VALUE/corrupt'])
  expect(await closeAll(rig, client)).toEqual([])
})

it('waits with waitMs for the node of an older session of its id', async () => {
  const rig = newRig()
  const [old, young] = [await rig.connect(), await rig.connect()]
  await run(new ServiceRegistry(old, BASE).register('api', { id: 'one', port: 1 }))
  rig.control.refuseOpens(true)
  rig.control.disconnect(sessionOf(old))
  const registry = new ServiceRegistry(young, BASE)
  expect(codeOf(await failureOf(registry.register('api', { id: 'one' })))).toBe('NODE_EXISTS/rejected')
  const registration = await run(registry.register('api', { id: 'one', port: 2, waitMs: 3 * SESSION_TIMEOUT_MS }))
  expect(registration.state).toBe('registered')
  rig.control.refuseOpens(false)
  await pass(2 * SESSION_TIMEOUT_MS)
  expect(ephemerals(rig)).toEqual([`${BASE}/api/one`])
  expect(await closeAll(rig, old, young)).toEqual([])
})

it.each(SWEEP)('registers, changes and goes with $what at its request $nth', async ({ fate, nth }) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const watcher = new ServiceWatcher(b, BASE, 'api')
  const session = sessionOf(a)
  const struck = strike(rig, fate, (request) => request.sessionId === session && request.kind !== 'close', nth)
  const registering = new ServiceRegistry(a, BASE).register('api', { id: 'one', port: 1 })
  const registered = await run(registering.catch((error: unknown) => error))
  if (!(registered instanceof ServiceRegistration)) {
    expect(codeOf(registered)).toMatch(/^SESSION_EXPIRED/)
    await pass(SETTLE_MS)
    expect([struck.isMet, ephemerals(rig)]).toEqual([true, []])
    expect(await closeAll(rig, a, b)).toEqual([])
    return
  }
  for (const port of [2, 3]) await run(registered.update({ port }))
  await pass(15_000)
  expect([registered.state, watcher.instances.map(({ port }) => port)]).toEqual(['registered', [3]])
  await run(registered.unregister())
  expect([registered.state, ephemerals(rig), pendingCleanups(a)]).toEqual(['withdrawn', [], 0])
  await pass(SETTLE_MS)
  expect(watcher.instances).toEqual([])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('iterates over changes until the watcher or the client closes', async () => {
  for (const isClosed of [true, false]) {
    const rig = newRig()
    const client = await rig.connect()
    const watcher = new ServiceWatcher(client, BASE, 'api')
    let changes = 0
    const reading = (async () => {
      for await (const { instances } of watcher.watch()) changes += 1 + instances.length
    })()
    await pass(SETTLE_MS)
    await run(isClosed ? client.close() : watcher.close())
    await run(reading)
    expect([changes, watcher.stale]).toEqual([1, true])
    expect(codeOf(await failureOf(watcher.ready().then(() => Promise.reject(new Error('read before')))))).toMatch(
      /CLIENT_CLOSED|read before/,
    )
    expect(await closeAll(rig, client)).toEqual([])
  }
})

it('refuses wrong names and options, and payloads that Curator cannot read', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const registry = new ServiceRegistry(client, BASE)
  const register = (name: string, options: object = {}): Promise<unknown> => {
    return failureOf(registry.register(name, options))
  }
  for (const name of ['', 'a/b', '..']) expect(await register(name)).toBeInstanceOf(TypeError)
  expect(await register('api', { id: 'a/b' })).toBeInstanceOf(TypeError)
  expect(String(await register('api', { prot: 80 }))).toMatch(/"port"/)
  expect(await register('api', { port: 70_000 })).toBeInstanceOf(RangeError)
  expect(await register('api', { enabled: 1 })).toBeInstanceOf(TypeError)
  expect(codeOf(await register('api', { payload: [1] }))).toBe('INVALID_VALUE/not-sent')
  const registration = await run(registry.register('api'))
  expect(codeOf(await failureOf(registration.update({ payload: [1] })))).toBe('INVALID_VALUE/not-sent')
  expect(registration.instance.payload).toBeNull()
  expect(rig.control.requestCount({ kind: 'set' })).toBe(0)
  expect(await closeAll(rig, client)).toEqual([])
})
