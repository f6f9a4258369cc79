/** One validated value: publishing, reading, hot reload, and faults at every request. */
import { expect, it } from 'vitest'
import { z } from 'zod'
import type { Operation } from '../../../src/core/backend.ts'
import type { Client } from '../../../src/core/client.ts'
import { ConfigCenter } from '../../../src/recipes/config/config-center.ts'
import type { ConfigChange } from '../../../src/recipes/config/config-center.ts'
import type { InvalidValue } from '../../../src/recipes/config/config-values.ts'
import type { StandardSchema } from '../../../src/recipes/engine/standard-schema.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, failureOf, interrupt, newRig, strike } from '../rig.ts'
import { pass, run, sessionOf, sweepOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/config/pricing'
const SETTLE_MS = 10 * ROUND_TRIP_MS
const schema = z.object({ rate: z.number().positive() })

interface Pricing {
  rate: number
}

function center(client: Client): ConfigCenter<Pricing> {
  return new ConfigCenter(client, PATH, { schema })
}

it('publishes a value that others then have, and makes the node and its parents', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [writer, reader] = [center(a), center(b)]
  expect(reader.current).toBeUndefined()
  expect(await run(reader.ready())).toBeUndefined()
  expect(await run(writer.publish({ rate: 1 }))).toMatchObject({ version: 0 })
  await pass(SETTLE_MS)
  expect(reader.current).toEqual({ rate: 1 })
  expect(reader.version).toBe(0)
  expect(reader.stale).toBe(false)
  expect(await run(reader.get())).toEqual({ rate: 1 })
  expect(rig.control.nodes().map(({ path }) => path)).toEqual(['/', '/config', PATH])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('has its default until there is a value, and again when there is none', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = new ConfigCenter(client, PATH, { schema, default: { rate: 9 } })
  expect(await run(config.ready())).toEqual({ rate: 9 })
  expect(await run(config.get())).toEqual({ rate: 9 })
  expect(config.version).toBeNull()
  await run(config.publish({ rate: 1 }))
  await pass(SETTLE_MS)
  expect(config.current).toEqual({ rate: 1 })
  await run(client.delete(PATH))
  await pass(SETTLE_MS)
  expect(config.current).toEqual({ rate: 9 })
  expect(await closeAll(rig, client)).toEqual([])
})

it('refuses to overwrite a value that this process has not seen', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [first, second] = [center(a), center(b)]
  await run(first.publish({ rate: 1 }))
  await run(second.ready())
  rig.control.delayEvents(1_000)
  await run(first.publish({ rate: 2 }))
  expect(codeOf(await failureOf(second.publish({ rate: 3 })))).toBe('BAD_VERSION/rejected')
  await pass(3_000)
  expect(second.current).toEqual({ rate: 2 })
  expect(await run(second.publish({ rate: 3 }))).toMatchObject({ version: 2 })
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('refuses to overwrite a value that came in while the new one was being checked', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  let checkMs = 0
  const validate: StandardSchema<Pricing>['~standard']['validate'] = async (value) => {
    await new Promise((resolve) => setTimeout(resolve, checkMs))
    return { value: value as Pricing }
  }
  const slow = new ConfigCenter<Pricing>(b, PATH, { schema: { '~standard': { version: 1, vendor: 'test', validate } } })
  const first = center(a)
  await run(first.publish({ rate: 1 }))
  await run(slow.ready())
  checkMs = 500
  const late = slow.publish({ rate: (slow.current?.rate ?? 0) + 1 })
  late.catch(() => undefined)
  checkMs = 0
  await run(first.publish({ rate: 5 }))
  expect(codeOf(await failureOf(late))).toBe('BAD_VERSION/rejected')
  expect(await run(first.get())).toEqual({ rate: 5 })
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('says that the outcome of a write is unknown if it cannot be looked up', async () => {
  const rig = newRig()
  const client = await rig.connect({ operationTimeoutMs: 2_000 })
  const config = center(client)
  await run(config.publish({ rate: 1 }))
  strike(rig, 'lose-after', ({ kind }) => kind === 'multi')
  const stop = rig.control.onRequest(({ kind }) => (kind === 'sync' ? 'lose-before' : undefined))
  expect(codeOf(await failureOf(config.publish({ rate: 2 })))).toBe('CONNECTION_LOSS/unknown')
  stop()
  expect(await run(config.get())).toEqual({ rate: 2 })
  expect(await closeAll(rig, client)).toEqual([])
})

it('has at once what it published itself, and publishes again without waiting for its own events', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = center(client)
  await run(config.ready())
  const seen: unknown[] = []
  config.subscribe(({ version }) => void seen.push(version))
  rig.control.delayEvents(200)
  for (let version = 0; version < 5; version += 1) {
    expect(await run(config.publish({ rate: version + 1 }))).toMatchObject({ version })
    expect([config.current, config.version]).toEqual([{ rate: version + 1 }, version])
  }
  await pass(2_000)
  expect(config.current).toEqual({ rate: 5 })
  expect(seen).toEqual([null, 0, 1, 2, 3, 4])
  expect(await closeAll(rig, client)).toEqual([])
})

it('publishes by force, or by a version that was given', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = center(client)
  await run(config.publish({ rate: 1 }, { force: true }))
  await run(config.publish({ rate: 2 }, { force: true }))
  expect(codeOf(await failureOf(config.publish({ rate: 3 }, { ifVersion: 0 })))).toBe('BAD_VERSION/rejected')
  expect(codeOf(await failureOf(config.publish({ rate: 3 }, { ifVersion: null })))).toBe('BAD_VERSION/rejected')
  expect(await run(config.publish({ rate: 3 }, { ifVersion: 1 }))).toMatchObject({ version: 2 })
  await run(client.delete(PATH))
  expect(codeOf(await failureOf(config.publish({ rate: 4 }, { ifVersion: 2 })))).toBe('BAD_VERSION/rejected')
  expect(await failureOf(config.publish({ rate: 4 }, { ifVersion: 2, force: true }))).toBeInstanceOf(TypeError)
  expect(await run(config.publish({ rate: 4 }, { ifVersion: null }))).toMatchObject({ version: 0 })
  expect(await closeAll(rig, client)).toEqual([])
})

it('sends nothing that no reader would accept, and nothing too large', async () => {
  const rig = newRig({ capabilities: { dataBytesMax: 100 } })
  const client = await rig.connect()
  const config = center(client)
  await run(config.ready())
  const requests = rig.control.requestCount()
  const error = await failureOf(config.publish({ rate: -1 }))
  expect(codeOf(error)).toBe('INVALID_VALUE/not-sent')
  expect((error as Error).cause).toMatchObject([{ path: ['rate'] }])
  const text = new ConfigCenter<string>(client, '/text')
  await run(text.ready())
  expect(codeOf(await failureOf(text.publish('x'.repeat(200))))).toBe('PAYLOAD_TOO_LARGE/not-sent')
  expect(rig.control.requestCount({ kind: 'create' }) + rig.control.requestCount({ kind: 'set' })).toBe(0)
  expect(requests).toBeGreaterThan(0)
  expect(await closeAll(rig, client)).toEqual([])
})

it('keeps the last good value when an invalid one is stored, reports it, and takes the next good one', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = center(client)
  const invalid: InvalidValue[] = []
  config.onInvalid((value) => void invalid.push(value))
  await run(config.publish({ rate: 1 }))
  for (const data of ['{"rate":"free"}', 'no JSON', new Uint8Array([0xff])]) {
    await run(client.set(PATH, data))
    await pass(SETTLE_MS)
    expect(config.current).toEqual({ rate: 1 })
    expect(config.version).toBe(0)
  }
  expect(invalid.map(({ path, version }) => [path, version])).toEqual([1, 2, 3].map((version) => [PATH, version]))
  expect(rig.errors.map(codeOf)).toEqual(['INVALID_VALUE/corrupt', 'INVALID_VALUE/corrupt', 'INVALID_VALUE/corrupt'])
  expect(codeOf(await failureOf(config.get()))).toBe('INVALID_VALUE/corrupt')
  expect(codeOf(await failureOf(config.publish({ rate: 2 })))).toBe('BAD_VERSION/rejected')
  await run(config.publish({ rate: 2 }, { ifVersion: invalid[2]?.version ?? null }))
  await pass(SETTLE_MS)
  expect(config.current).toEqual({ rate: 2 })
  expect(await closeAll(rig, client)).toEqual([])
})

it('takes values in their order though a validation takes longer than the next', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const slowFirst: StandardSchema<number> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: async (value) => {
        await new Promise((resolve) => setTimeout(resolve, value === 1 ? 1_000 : 10))
        return { value: Number(value) }
      },
    },
  }
  const config = new ConfigCenter(client, PATH, { schema: slowFirst })
  const seen: unknown[] = []
  config.subscribe(({ value }) => void seen.push(value))
  await run(client.makePath('/config', { mode: 'persistent' }))
  await run(client.create(PATH, '1'))
  await pass(SETTLE_MS)
  await run(client.set(PATH, '2'))
  await pass(5_000)
  expect(seen.filter((value) => value !== undefined)).toEqual([1, 2])
  expect(config.current).toBe(2)
  expect(await closeAll(rig, client)).toEqual([])
})

it('stores what a codec makes of a value', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const codec = {
    encode: (value: string) => new TextEncoder().encode(value),
    decode: (bytes: Uint8Array) => new TextDecoder().decode(bytes),
  }
  const config = new ConfigCenter<string>(client, PATH, { codec })
  await run(config.publish('plain'))
  expect(new TextDecoder().decode((await run(client.get(PATH))).data)).toBe('plain')
  expect(await run(config.get())).toBe('plain')
  expect(codeOf(await failureOf(config.publish('')))).toBe('INVALID_VALUE/not-sent')
  expect(await closeAll(rig, client)).toEqual([])
})

it('has its own write in force at once, also while a newer one that was read is being checked', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const other = await rig.connect()
  let slow: Promise<unknown> = Promise.resolve()
  const slowly: StandardSchema<number> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: async (value) => slow.then(() => ({ value: Number(value) })),
    },
  }
  const config = new ConfigCenter<number>(client, PATH, { schema: slowly })
  await run(config.publish(1))
  await pass(SETTLE_MS)
  // The answer comes late, and another writer is quicker than it.
  const { multi } = client
  client.multi = async (...call) => {
    const done = await multi.apply(client, call)
    slow = new Promise((resolve) => setTimeout(resolve, 20 * SETTLE_MS))
    await other.set(PATH, new TextEncoder().encode('3'))
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    return done
  }
  const { value } = await run(config.update(() => 2))
  expect([value, config.current]).toEqual([2, 2])
  await pass(40 * SETTLE_MS)
  expect(config.current).toBe(3)
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('subscribers get the initial value and every change, with versions that grow', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = center(client)
  await run(config.publish({ rate: 1 }))
  await pass(SETTLE_MS)
  const changes: ConfigChange<Pricing>[] = []
  const later: ConfigChange<Pricing>[] = []
  const unsubscribe = config.subscribe((change) => void changes.push(change))
  config.subscribe((change) => void later.push(change), { emitInitial: false })
  for (const rate of [2, 3]) {
    await run(config.publish({ rate }))
    await pass(SETTLE_MS)
  }
  expect(changes.map(({ value, version, missed, resync }) => [value?.rate, version, missed, resync])).toEqual([
    [1, 0, 0, false],
    [2, 1, 0, false],
    [3, 2, 0, false],
  ])
  expect(later.map(({ version }) => version)).toEqual([1, 2])
  unsubscribe()
  await run(config.publish({ rate: 4 }))
  await pass(SETTLE_MS)
  expect(changes).toHaveLength(3)
  expect(await closeAll(rig, client)).toEqual([])
})

it('is stale while no server is in touch, keeps its value, and tells a resync afterwards', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [writer, reader] = [center(a), center(b)]
  await run(writer.publish({ rate: 1 }))
  await pass(SETTLE_MS)
  const changes: ConfigChange<Pricing>[] = []
  reader.subscribe((change) => void changes.push(change), { emitInitial: false })
  rig.control.disconnect(sessionOf(b))
  await run(writer.publish({ rate: 2 }))
  await pass(100)
  expect([reader.stale, reader.current]).toEqual([true, { rate: 1 }])
  rig.control.reconnect(sessionOf(b))
  await pass(SETTLE_MS)
  expect([reader.stale, reader.current]).toEqual([false, { rate: 2 }])
  expect(changes.map(({ value, resync }) => [value?.rate, resync])).toEqual([[2, true]])
  expect(await closeAll(rig, a, b)).toEqual([])
})

const SWEEP = sweepOf(12)

it.each(SWEEP)('publishes once or says so, with $what at its request $nth', async ({ fate, nth }) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [writer, reader] = [center(a), center(b)]
  const session = sessionOf(a)
  const seen: number[] = []
  reader.subscribe(({ version }) => void seen.push(version ?? -1))
  strike(rig, fate, (request) => request.sessionId === session && request.kind !== 'close', nth)
  const versions: number[] = []
  for (let rate = 1; rate <= 3; rate += 1) versions.push((await run(writer.publish({ rate }))).version)
  expect(versions).toEqual([0, 1, 2])
  await pass(15_000)
  expect([writer.current, reader.current]).toEqual([{ rate: 3 }, { rate: 3 }])
  expect((await run(b.get(PATH))).stat.version).toBe(2)
  expect(seen).toEqual([...seen].sort((x, y) => x - y))
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('says that the outcome is unknown when another wrote after a lost reply', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [first, second] = [center(a), center(b)]
  await run(first.publish({ rate: 1 }))
  await pass(SETTLE_MS)
  const session = sessionOf(a)
  let others: Promise<unknown> | null = null
  strike(rig, 'lose-after', ({ kind, sessionId }) => kind === 'multi' && sessionId === session)
  rig.control.onRequest(({ kind, sessionId }) => {
    if (kind !== 'sync' || sessionId !== session || others !== null) return undefined
    others = second.publish({ rate: 7 }, { force: true }).then(() => second.publish({ rate: 8 }, { force: true }))
    return { delayMs: 100 }
  })
  expect(codeOf(await failureOf(first.publish({ rate: 2 })))).toBe('CONNECTION_LOSS/unknown')
  expect((await run(b.get(PATH))).stat.version).toBe(3)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('refuses a write that another was quicker with, though its own reply was lost', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [first, second] = [center(a), center(b)]
  await run(first.publish({ rate: 1 }))
  await pass(SETTLE_MS)
  const session = sessionOf(a)
  let other: Promise<unknown> | null = null
  strike(rig, 'lose-before', ({ kind, sessionId }) => {
    if (kind !== 'multi' || sessionId !== session) return false
    other = second.publish({ rate: 7 })
    return true
  })
  strike(rig, { delayMs: 50 }, ({ kind, sessionId }) => kind === 'sync' && sessionId === session)
  expect(codeOf(await failureOf(first.publish({ rate: 2 })))).toBe('BAD_VERSION/rejected')
  expect(other).not.toBeNull()
  expect(await closeAll(rig, a, b)).toEqual([])
})

const WAYS = [['seen', undefined], ['named', { ifVersion: 0 }]] as const

it.each(WAYS)('refuses a write over a node made again with the version that was %s', async (_, options) => {
  const rig = newRig()
  const [a, operator] = [await rig.connect(), await rig.connect()]
  const first = center(a)
  const { version } = await run(first.publish({ rate: 1 }))
  await pass(SETTLE_MS)
  // The events are late, so that the first one does not know it yet.
  rig.control.delayEvents(1_000)
  await run(operator.delete(PATH))
  const data = JSON.stringify({ rate: 7 })
  const restored = await run(operator.create(PATH, data))
  expect(restored.stat.version).toBe(version)
  expect(codeOf(await failureOf(first.publish({ rate: 2 }, options)))).toBe('BAD_VERSION/rejected')
  expect(new TextDecoder().decode((await run(operator.get(PATH))).data)).toBe(data)
  expect(await closeAll(rig, a, operator)).toEqual([])
})

it('replaces a refused value by its version, though the last good one had the same, but none made since', async () => {
  const rig = newRig()
  const [a, operator] = [await rig.connect(), await rig.connect()]
  const first = center(a)
  const invalid: number[] = []
  first.onInvalid(({ version }) => void invalid.push(version))
  await run(first.publish({ rate: 1 }))
  await pass(SETTLE_MS)
  const replace = [{ type: 'delete', path: PATH, version: -1 }, made('{ no JSON')] as const
  await run(operator.multi(replace))
  await pass(SETTLE_MS)
  expect([invalid, first.current, first.version]).toEqual([[0], { rate: 1 }, 0])
  expect(await run(first.publish({ rate: 2 }, { ifVersion: 0 }))).toMatchObject({ version: 1 })
  await run(operator.multi(replace))
  await pass(SETTLE_MS)
  rig.control.delayEvents(1_000)
  await run(operator.multi([replace[0], made('nor is this')]))
  expect(codeOf(await failureOf(first.publish({ rate: 3 }, { ifVersion: 0 })))).toBe('BAD_VERSION/rejected')
  expect(await closeAll(rig, a, operator)).toEqual([])
})

function made(text: string): Operation {
  return { type: 'create', path: PATH, data: new TextEncoder().encode(text), mode: 'persistent' }
}

it('closed leaves no watch, and its iterations end', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = center(client)
  await run(config.ready())
  const changes = config.watch()
  await run(changes.next())
  const last = changes.next()
  await run(config.close())
  expect(await run(last)).toMatchObject({ done: true })
  await pass(ROUND_TRIP_MS)
  expect(rig.control.watchCount()).toBe(0)
  expect(await closeAll(rig, client)).toEqual([])
})

it('ends waits with TIMEOUT, ABORTED and CLIENT_CLOSED', async () => {
  const rig = newRig()
  const client = await rig.connect()
  rig.control.disconnect(sessionOf(client))
  const config = center(client)
  expect(codeOf(await failureOf(config.ready({ waitMs: 100 })))).toBe('TIMEOUT/aborted')
  const stop = new AbortController()
  const getting = config.get({ signal: stop.signal })
  getting.catch(() => undefined)
  stop.abort()
  expect(codeOf(await failureOf(getting))).toBe('ABORTED/aborted')
  const waiting = config.ready()
  waiting.catch(() => undefined)
  await run(client.close())
  expect(codeOf(await failureOf(waiting))).toBe('CLIENT_CLOSED/aborted')
})

it('keeps its subscribers over an interruption of the connection', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = center(client)
  const seen: unknown[] = []
  config.subscribe(({ value }) => void seen.push(value?.rate))
  await run(config.publish({ rate: 1 }))
  await interrupt(rig, client, 500)
  await run(config.publish({ rate: 2 }))
  await pass(SETTLE_MS)
  expect(seen.at(-1)).toBe(2)
  expect(await closeAll(rig, client)).toEqual([])
})

it('tells a write of its own once, though the reading of it was under way when it was confirmed', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const late = new Proxy(client, {
    get(target, key) {
      if (key === 'multi') {
        return async (...args: Parameters<Client['multi']>) => {
          const results = await target.multi(...args)
          // The mirror has read by then, and checks what it has read.
          await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
          return results
        }
      }
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const validate: StandardSchema<number>['~standard']['validate'] = async (value) => {
    await new Promise((resolve) => setTimeout(resolve, 4 * SETTLE_MS))
    return { value: value as number }
  }
  const slow = { '~standard': { version: 1, vendor: 'test', validate } } as const
  const config = new ConfigCenter<number>(late, PATH, { schema: slow, history: true })
  const values: (number | undefined)[] = []
  config.subscribe(({ value }) => void values.push(value))
  await run(config.publish(1))
  await run(config.publish(2))
  await pass(20 * SETTLE_MS)
  expect(values.filter((value) => value !== undefined)).toEqual([1, 2])
  expect(await closeAll(rig, client)).toEqual([])
})
