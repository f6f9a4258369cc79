/** The history of one value: what is kept, that it never disagrees with the value, and faults at every request. */
import { expect, it } from 'vitest'
import { z } from 'zod'
import type { Client } from '../../../src/core/client.ts'
import { ConfigCenter } from '../../../src/recipes/config/config-center.ts'
import type { ConfigCenterOptions } from '../../../src/recipes/config/config-center.ts'
import { ConfigTree } from '../../../src/recipes/config/config-tree.ts'
import type { Codec } from '../../../src/recipes/engine/codec.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, failureOf, newRig, nodesUnder, pass, run, sessionOf } from '../rig.ts'
import { strike, sweepOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/config/pricing'
const RECORDS = '/quorate/config/config%2Fpricing'
const REQUESTS = 7
const MULTI = 'multi'

type Options = ConfigCenterOptions<number, undefined>

function center(client: Client, options: Options = { history: true }): ConfigCenter<number> {
  return new ConfigCenter<number>(client, PATH, options)
}

/** Lists the history: versions and values, the newest first. */
async function listed(config: ConfigCenter<number>): Promise<unknown[]> {
  return (await run(config.history())).map(({ version, value }) => [version, value])
}

it('keeps each value with its version, time, author and comment, the newest first', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = center(client, { history: { author: 'deploy' } })
  expect(await run(config.history())).toEqual([])
  expect(await run(config.publish(1, { comment: 'first' }))).toMatchObject({ version: 0, historyVersion: 1 })
  const startMs = Date.now()
  await pass(1_000)
  expect(await run(config.publish(2, { author: 'ann' }))).toMatchObject({ version: 1, historyVersion: 2 })
  expect(await run(config.update((value) => (value ?? 0) + 1))).toMatchObject({ value: 3, historyVersion: 3 })
  const said = { kind: 'publish', format: 'json', of: null, issues: [] }
  const [third, second, first] = await run(config.history())
  expect(first).toMatchObject({ version: 1, value: 1, author: 'deploy', comment: 'first', isCurrent: false, ...said })
  expect(second).toMatchObject({ version: 2, value: 2, author: 'ann', comment: null, nodeVersion: 1, ...said })
  expect(third).toMatchObject({ version: 3, value: 3, author: 'deploy', isCurrent: true, ...said })
  expect(second?.timeMs).toBeGreaterThanOrEqual(startMs + 1_000)
  expect(await run(config.history({ limit: 1 }))).toEqual([third])
  expect(config.current).toBe(3)
  expect(await closeAll(rig, client)).toEqual([])
})

it('leaves the value what every process can read, write and delete, and shows nothing in a tree', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [recorded, plain] = [center(a), center(b, {})]
  const tree = new ConfigTree<number>(b, '/config')
  await run(recorded.publish(1))
  expect(await run(plain.get())).toBe(1)
  expect(nodesUnder(rig, '/config')).toEqual([PATH])
  await run(tree.ready())
  await pass(100)
  expect([...tree.all().keys()]).toEqual(['pricing'])
  await run(plain.publish(2, { force: true }))
  await run(b.delete(PATH))
  await run(plain.publish(3, { ifVersion: null }))
  expect(await run(recorded.get())).toBe(3)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('costs a center without history nothing', async () => {
  const count = async (options: Options): Promise<number> => {
    const rig = newRig()
    const client = await rig.connect()
    const config = center(client, options)
    await run(config.ready())
    await run(config.publish(1))
    const before = rig.control.requestCount()
    await run(config.publish(2))
    const requests = rig.control.requestCount() - before
    expect(await closeAll(rig, client)).toEqual([])
    return requests
  }
  // The write, and the read that its event asks for.
  expect(await count({})).toBeLessThanOrEqual(2)
  expect(await count({ history: true })).toBeLessThanOrEqual(5)
})

it('lists a value that a process without history has written, and records it before the next one', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [recorded, plain] = [center(a), center(b, {})]
  await run(plain.publish(1))
  expect(await run(recorded.history())).toMatchObject([{ version: null, kind: 'found', value: 1, isCurrent: true }])
  await run(recorded.publish(2, { force: true }))
  expect(await listed(recorded)).toEqual([[2, 2], [1, 1]])
  const writtenMs = Date.now()
  await run(plain.publish(3, { force: true }))
  await pass(5_000)
  await run(recorded.publish(4, { force: true }))
  const entries = await run(recorded.history())
  expect(entries.map(({ version, value, kind }) => [version, value, kind])).toEqual([
    [4, 4, 'publish'], [3, 3, 'found'], [2, 2, 'publish'], [1, 1, 'found'],
  ])
  expect((entries[1]?.timeMs ?? 0) - writtenMs).toBeLessThan(1_000)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('goes on when the value was deleted, and tells a new node of the same version from the recorded one', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = center(client)
  await run(config.publish(1))
  await run(client.delete(PATH))
  expect(await run(config.history())).toMatchObject([{ version: 1, isCurrent: false }])
  await run(client.create(PATH, '2'))
  expect(await listed(config)).toEqual([[null, 2], [1, 1]])
  await run(config.publish(3, { force: true }))
  expect(await listed(config)).toEqual([[3, 3], [2, 2], [1, 1]])
  expect(await closeAll(rig, client)).toEqual([])
})

it('keeps no more entries and no more bytes than it may, and always the newest', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = center(client, { history: { entriesMax: 3 } })
  for (let value = 1; value <= 5; value += 1) await run(config.publish(value))
  expect(await listed(config)).toEqual([[5, 5], [4, 4], [3, 3]])
  expect(nodesUnder(rig, `${RECORDS}/history`)).toHaveLength(3)
  const narrow = center(client, { history: { bytesMax: 1 } })
  await run(narrow.publish(6, { force: true }))
  expect(await listed(narrow)).toEqual([[6, 6]])
  expect(await closeAll(rig, client)).toEqual([])
})

it('refuses a value that does not fit twice, before anything is sent', async () => {
  const rig = newRig({ capabilities: { dataBytesMax: 100_000 } })
  const client = await rig.connect()
  const config = new ConfigCenter<string>(client, PATH, { history: true })
  await run(config.ready())
  expect(codeOf(await failureOf(config.publish('x'.repeat(60_000))))).toBe('PAYLOAD_TOO_LARGE/not-sent')
  expect(rig.control.requestCount({ kind: MULTI })).toBe(0)
  // One that others have written is told, and is not in the way.
  await run(client.create('/config').catch(() => undefined))
  await run(client.create(PATH, JSON.stringify('x'.repeat(99_990))))
  await run(config.publish('small', { force: true }))
  const [now, large] = await run(config.history())
  expect(now).toMatchObject({ version: 2, value: 'small' })
  expect(large).toMatchObject({ version: 1, value: undefined, issues: [{ message: /too large/ }] })
  expect(codeOf(await failureOf(config.rollback(1)))).toBe('INVALID_VALUE/not-sent')
  expect(await closeAll(rig, client)).toEqual([])
})

it('rolls back to a value with its bytes, format and comment (Nacos 434, 2374, 7676)', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const spaced: Codec<number> = {
    format: 'spaced',
    encode: (value) => new TextEncoder().encode(`  ${String(value)}`),
    decode: (bytes) => Number(new TextDecoder().decode(bytes)),
  }
  const old = center(client, { history: true, codec: spaced })
  await run(old.publish(1, { comment: 'the spring prices' }))
  const config = center(client, { history: { author: 'bob' } })
  await run(config.publish(2, { force: true, comment: 'a mistake' }))
  expect(await run(config.rollback(1))).toMatchObject({ version: 2, historyVersion: 3 })
  expect(config.current).toBe(1)
  expect(new TextDecoder().decode((await run(client.get(PATH))).data)).toBe('  1')
  const [now] = await run(config.history())
  const kept = { value: 1, format: 'spaced', comment: 'the spring prices', author: 'bob' }
  expect(now).toMatchObject({ version: 3, kind: 'rollback', of: 1, isCurrent: true, ...kept })
  await run(config.rollback(2, { comment: 'it was none' }))
  expect(await run(config.history({ limit: 1 }))).toMatchObject([{ value: 2, comment: 'it was none', format: 'json' }])
  expect(await closeAll(rig, client)).toEqual([])
})

it('refuses a rollback of what is not kept, of what no reader accepts, and over what was not seen', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const strict = center(a, { history: true, schema: z.number().min(10) })
  const loose = center(b)
  await run(loose.publish(1))
  await run(strict.publish(10, { force: true }))
  expect(codeOf(await failureOf(strict.rollback(1)))).toBe('INVALID_VALUE/not-sent')
  const missing = await failureOf(strict.rollback(7))
  expect([codeOf(missing), String(missing)]).toEqual(['NO_NODE/rejected', expect.stringMatching(/kept: 1 to 2/)])
  await run(loose.get())
  rig.control.delayEvents(1_000)
  await run(strict.publish(11))
  expect(codeOf(await failureOf(loose.rollback(1)))).toBe('BAD_VERSION/rejected')
  expect(await run(loose.rollback(1, { force: true }))).toMatchObject({ historyVersion: 4 })
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('says where two values differ', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = new ConfigCenter<unknown>(client, PATH, { history: true })
  await run(config.publish({ rate: 1, tags: ['a', 'b'], old: true }))
  await run(config.publish({ rate: 2, tags: ['a', 'c'], 'a/b': null }))
  expect(await run(config.diff(1, 2))).toEqual([
    { place: '/rate', type: 'changed', before: 1, after: 2 },
    { place: '/tags/1', type: 'changed', before: 'b', after: 'c' },
    { place: '/old', type: 'removed', before: true, after: undefined },
    { place: '/a~1b', type: 'added', before: undefined, after: null },
  ])
  expect(await run(config.diff(2, 2))).toEqual([])
  expect(codeOf(await failureOf(config.diff(1, 3)))).toBe('NO_NODE/rejected')
  expect(await closeAll(rig, client)).toEqual([])
})

it('makes its head again from the entries when an operator has emptied it, and tells of one that is none', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = center(client)
  for (const value of [1, 2, 3]) await run(config.publish(value))
  await run(client.delete(`${RECORDS}/history/v0000000001`))
  await run(client.set(RECORDS, 'nonsense'))
  expect(codeOf(await failureOf(config.publish(4)))).toBe('INVALID_VALUE/corrupt')
  expect(codeOf(await failureOf(config.history()))).toBe('INVALID_VALUE/corrupt')
  await run(client.set(RECORDS, ''))
  await run(config.publish(4))
  // That the third was recorded is not known any more.
  expect(await listed(config)).toEqual([[5, 4], [4, 3], [3, 3], [2, 2]])
  expect(await closeAll(rig, client)).toEqual([])
})

it('goes on where an operator has deleted or damaged an entry', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = center(client, { history: { entriesMax: 2 } })
  for (const value of [1, 2]) await run(config.publish(value))
  await run(client.delete(`${RECORDS}/history/v0000000001`))
  await run(client.set(`${RECORDS}/history/v0000000002`, 'nonsense'))
  expect(await run(config.history())).toMatchObject([{ version: 2, issues: [{ message: /damaged/ }] }])
  await run(config.publish(3))
  expect(await run(config.history())).toMatchObject([{ version: 3, value: 3 }, { version: 2, value: undefined }])
  expect(await closeAll(rig, client)).toEqual([])
})

it('needs the option for what it gives, and refuses wrong ones', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const [plain, config] = [center(client, {}), center(client)]
  const calls = [
    () => plain.history(), () => plain.diff(1, 2), () => plain.rollback(1), () => plain.publish(1, { comment: 'why' }),
  ]
  for (const call of calls) {
    expect(String(await failureOf(call()))).toMatch(/^TypeError: .* needs a ConfigCenter with the option history/)
  }
  expect(await failureOf(config.rollback(0))).toBeInstanceOf(RangeError)
  expect(await failureOf(config.diff(1, 'b' as never))).toBeInstanceOf(TypeError)
  expect(await failureOf(config.history({ limit: 0 }))).toBeInstanceOf(RangeError)
  expect(await failureOf(config.publish(1, { comment: 'x'.repeat(1_025) }))).toBeInstanceOf(RangeError)
  expect(await failureOf(config.publish(1, { author: 7 } as never))).toBeInstanceOf(TypeError)
  expect(() => center(client, { history: { entriesMax: 0 } })).toThrow(RangeError)
  expect(() => center(client, { history: { entries: 5 } as never })).toThrow(/entriesMax/)
  expect(await closeAll(rig, client)).toEqual([])
})

/** Checks that the stored value is the newest of the history, and that its versions have no gap. */
async function expectAgreement(config: ConfigCenter<number>): Promise<number[]> {
  const entries = await run(config.history())
  const versions = entries.map(({ version }) => version)
  expect(versions).toEqual(Array.from({ length: entries.length }, (_, index) => entries.length - index))
  expect(entries[0]).toMatchObject({ value: await run(config.get()), isCurrent: true })
  return entries.map(({ value }) => value ?? Number.NaN).reverse()
}

it.each(sweepOf(REQUESTS))('keeps value and history together with $what at request $nth', async ({ fate, nth }) => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  const [config, rival] = [center(client), center(other)]
  await run(Promise.all([config.ready(), rival.ready()]))
  const session = sessionOf(client)
  const struck = strike(rig, fate, ({ sessionId }) => sessionId === session, nth)
  const turns = [config, rival, config, rival, config]
  const outcomes = await run(Promise.allSettled(turns.map((one) => one.update((value) => (value ?? 0) + 1))))
  const done = outcomes.filter(({ status }) => status === 'fulfilled').length
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [codeOf(outcome.reason)] : []))
  expect(struck.isMet).toBe(true)
  // Every lost reply is found out about: an entry names the attempt that made it.
  expect(failures).toEqual([])
  expect(await expectAgreement(rival)).toEqual(Array.from({ length: done }, (_, index) => index + 1))
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('says that the outcome is unknown if it cannot be looked up', async () => {
  const rig = newRig()
  const client = await rig.connect({ operationTimeoutMs: 2_000 })
  const config = center(client)
  await run(config.publish(1))
  let isLost = false
  const stop = rig.control.onRequest(({ kind }) => {
    if (isLost) return kind === 'sync' ? 'lose-before' : undefined
    isLost = kind === MULTI
    return isLost ? 'lose-after' : undefined
  })
  expect(codeOf(await failureOf(config.publish(2)))).toBe('CONNECTION_LOSS/unknown')
  stop()
  expect(await listed(config)).toEqual([[2, 2], [1, 1]])
  expect(await closeAll(rig, client)).toEqual([])
})

it('a write whose answer was lost, and that was overtaken, does not come back into force', async () => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  const [config, rival] = [center(client), center(other)]
  await run(config.publish(1))
  const told: (number | undefined)[] = []
  config.subscribe(({ value }) => void told.push(value))
  const session = sessionOf(client)
  let isLost = false
  rig.control.onRequest(({ sessionId, kind }) => {
    if (sessionId !== session) return undefined
    if (isLost) return kind === 'sync' ? { delayMs: 300 } : undefined
    isLost = kind === MULTI
    return isLost ? 'lose-after' : undefined
  })
  const publishing = config.publish(2)
  await pass(ROUND_TRIP_MS)
  await run(rival.publish(3, { force: true }))
  await run(other.delete(PATH))
  // The fate of the write is looked up only when the reading knows that the value is gone.
  await run(publishing)
  await pass(10 * ROUND_TRIP_MS)
  expect([told.at(-1), config.current]).toEqual([undefined, undefined])
  expect(told.filter((value, index) => value === 2 && index > told.indexOf(undefined))).toEqual([])
  expect(await closeAll(rig, client, other)).toEqual([])
})
