/** Staged roll-outs: who has which value, that nobody goes back, and faults at every request. */
import { expect, it } from 'vitest'
import { z } from 'zod'
import type { Client } from '../../../src/core/client.ts'
import { ConfigCenter } from '../../../src/recipes/config/config-center.ts'
import type { ConfigCenterOptions, ConfigChange } from '../../../src/recipes/config/config-center.ts'
import { closeAll, codeOf, ephemerals, failureOf, interrupt, newRig, pass, run, sessionOf, strike } from '../rig.ts'
import { sweepOf, useVirtualTime } from '../rig.ts'
import type { StandardSchema } from '../../../src/recipes/engine/standard-schema.ts'
import type { Rig } from '../rig.ts'

useVirtualTime()

const PATH = '/config/rates'
const RECORDS = '/quorate/config/config%2Frates'
const REQUESTS = 16
const MEMBER_REQUESTS = 5
/** Long enough for a session to end, and for the next one. */
const SETTLE_MS = 5_000

type Center = ConfigCenter<number>

function member(client: Client, id: string, options: ConfigCenterOptions<number, undefined> = {}): Center {
  return new ConfigCenter<number>(client, PATH, { member: { id }, ...options })
}

/** Processes a, b and so on, each on a client of its own, and an operator with a history alone. */
async function fleetOf(
  rig: Rig,
  ...ids: string[]
): Promise<{ clients: Client[]; operator: Center; members: Center[] }> {
  const clients = [await rig.connect()]
  for (const _ of ids) clients.push(await rig.connect())
  const [first, ...others] = clients
  if (first === undefined) throw new Error('a client')
  const operator = new ConfigCenter<number>(first, PATH, { history: { author: 'ops' } })
  await run(operator.publish(1))
  const members = others.map((client, index) => member(client, ids[index] ?? ''))
  for (const one of members) await run(one.ready())
  await pass(100)
  return { clients, operator, members }
}

function seen(centers: readonly Center[]): unknown[] {
  return centers.map(({ current, source }) => (source === 'staged' ? `staged ${String(current)}` : current))
}

/** A schema that takes its time. */
function slowSchema(delayOf: (value: number) => number): StandardSchema<number> {
  const validate = async (value: unknown): Promise<{ readonly value: number }> => {
    const number = Number(value)
    const delayMs = delayOf(number)
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
    return { value: number }
  }
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

/** Values as a listener gets them, with repeats left out. */
function valuesOf(center: Center): unknown[] {
  const values: unknown[] = []
  center.subscribe(({ value }) => {
    if (values.at(-1) !== value) values.push(value)
  })
  return values
}

it('has a staged value where it is chosen and in the history, and says who has which (Nacos 12217)', async () => {
  const rig = newRig()
  const { clients, operator, members } = await fleetOf(rig, 'a', 'b')
  const staged = await run(operator.publish(2, { rollout: { members: ['b'] }, comment: 'try' }))
  expect(staged).toMatchObject({ version: 0, historyVersion: 2 })
  await pass(100)
  expect(seen([operator, ...members])).toEqual([1, 1, 'staged 2'])
  expect(members[1]).toMatchObject({ version: 0 })
  expect(await run(Promise.all([operator.get(), ...members.map((one) => one.get())]))).toEqual([1, 1, 2])
  expect(await run(operator.rollout.staged())).toEqual({
    version: 2, value: 2, issues: [], selection: { members: ['b'] }, author: 'ops', comment: 'try', isOvertaken: false,
  })
  const applied = await run(operator.rollout.applied())
  expect(applied).toMatchObject([
    { id: 'a', version: 1, isStaged: false, refused: null }, { id: 'b', version: 2, isStaged: true, refused: null },
  ])
  const [second, first] = await run(operator.history())
  expect([second, first]).toMatchObject([
    { version: 2, kind: 'stage', value: 2, comment: 'try', isCurrent: false, isStaged: true },
    { version: 1, kind: 'publish', value: 1, isCurrent: true, isStaged: false },
  ])
  expect(rig.errors).toEqual([])
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it('chooses by labels that a process has all of', async () => {
  const rig = newRig()
  const { clients, operator } = await fleetOf(rig)
  const [client] = clients
  if (client === undefined) throw new Error('a client')
  const labelled = [{ region: 'eu', tier: '1' }, { region: 'eu' }, { region: 'us', tier: '1' }, {}].map(
    (labels, index) => member(client, String(index), { member: { id: String(index), labels } }),
  )
  await run(Promise.all(labelled.map((one) => one.ready())))
  await run(operator.publish(2, { rollout: { labels: { region: 'eu', tier: '1' } } }))
  await pass(100)
  expect(seen(labelled)).toEqual(['staged 2', 1, 1, 1])
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it('keeps a promoted value while it comes to know an older one for all', async () => {
  const rig = newRig()
  const { clients, operator } = await fleetOf(rig)
  const [client] = clients
  if (client === undefined) throw new Error('a client')
  const one = member(client, 'a', { schema: slowSchema((value) => (value === 3 ? 200 : 0)) })
  await run(one.ready())
  const values = valuesOf(one)
  await run(operator.publish(2, { rollout: { members: ['a'] } }))
  await pass(100)
  await run(operator.publish(3, { staged: 'keep' }))
  await run(operator.rollout.promote({ force: true }))
  await pass(1_000)
  expect(values).toEqual([1, 2])
  expect(seen([one])).toEqual([2])
  expect(await closeAll(rig, ...clients)).toEqual([])
})

/** A process whose checks of single values take as long as is said, in milliseconds. */
async function slowMember(
  rig: Rig,
  delays: Readonly<Record<number, number>>,
): Promise<{ clients: Client[]; operator: Center; one: Center; values: unknown[] }> {
  const { clients, operator } = await fleetOf(rig)
  const client = await rig.connect()
  const one = member(client, 'a', { schema: slowSchema((value) => delays[value] ?? 0) })
  await run(one.ready())
  return { clients: [...clients, client], operator, one, values: valuesOf(one) }
}

it('does not take a staged value whose roll-out ended while it was checked', async () => {
  const rig = newRig()
  const { clients, operator, one, values } = await slowMember(rig, { 2: 1_000 })
  await run(operator.publish(2, { rollout: { members: ['a'] } }))
  await run(operator.publish(3, { staged: 'withdraw' }))
  await pass(3_000)
  expect(values).toEqual([1, 3])
  expect(seen([one])).toEqual([3])
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it('does not take a staged value up again that a value for all has followed', async () => {
  const rig = newRig()
  const { clients, operator, one, values } = await slowMember(rig, { 3: 200, 4: 1_000, 6: 1_000 })
  await run(operator.publish(2, { rollout: { members: ['a'] } }))
  await pass(100)
  // It keeps 2 until it has read 3, and is late to learn what comes of roll-outs after that: it checks 4.
  await run(operator.publish(3, { staged: 'withdraw' }))
  await run(operator.publish(4, { rollout: { members: ['a'] } }))
  await run(operator.publish(5, { staged: 'withdraw' }))
  await pass(500)
  expect(values).toEqual([1, 2, 3, 5])
  await run(operator.publish(6, { rollout: { members: ['b'] } }))
  await run(operator.rollout.promote())
  await pass(5_000)
  expect(values).toEqual([1, 2, 3, 5, 6])
  expect(seen([one])).toEqual([6])
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it('goes on without a roll-out when an operator has deleted its node', async () => {
  const rig = newRig()
  const { clients, operator, members } = await fleetOf(rig, 'a')
  const [client] = clients
  if (client === undefined) throw new Error('a client')
  await run(operator.publish(2, { rollout: { members: ['a'] } }))
  await pass(100)
  await run(client.delete(`${RECORDS}/staged`))
  await pass(100)
  expect(seen([operator, ...members])).toEqual([1, 1])
  expect(await run(operator.rollout.staged())).toBeNull()
  await run(operator.publish(3))
  await run(operator.publish(4, { rollout: { members: ['a'] } }))
  await pass(100)
  expect(seen([operator, ...members])).toEqual([3, 'staged 4'])
  expect(codeOf(await failureOf(operator.publish(5)))).toBe('VALUE_STAGED/rejected')
  await run(operator.rollout.promote())
  await pass(100)
  expect(seen([operator, ...members])).toEqual([4, 4])
  expect([await closeAll(rig, ...clients), rig.errors]).toEqual([[], []])
})

it('promotes without a gap: nobody goes back, and the bytes, format and comment are those staged', async () => {
  const rig = newRig()
  const { clients, operator, members } = await fleetOf(rig, 'a', 'b')
  const values = members.map(valuesOf)
  await run(operator.publish(2, { rollout: { members: ['b'] }, comment: 'try' }))
  await pass(100)
  expect(await run(operator.rollout.promote())).toMatchObject({ historyVersion: 3 })
  await pass(100)
  expect(seen([operator, ...members])).toEqual([2, 2, 2])
  expect(members.map(({ source, version }) => [source, version])).toEqual([['servers', 1], ['servers', 1]])
  expect(values).toEqual([[1, 2], [1, 2]])
  const [promoted] = await run(operator.history())
  expect(promoted).toMatchObject({ kind: 'promote', of: 2, comment: 'try', format: 'json', isCurrent: true })
  expect(await run(operator.rollout.staged())).toBeNull()
  expect((await run(operator.rollout.applied())).map(({ version, isStaged }) => [version, isStaged])).toEqual([
    [3, false], [3, false],
  ])
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it.each(['promote', 'withdraw'] as const)('keeps the staged value until the one for all was read (%s)', async (end) => {
  const rig = newRig()
  const { clients, operator } = await fleetOf(rig)
  const client = await rig.connect()
  // The value for all takes a while to be checked, so that this process reads first that the roll-out is over.
  const schema = slowSchema((value) => (value === 1 || operator.current === value ? 500 : 0))
  const one = member(client, 'a', { schema })
  await run(one.ready())
  const values = valuesOf(one)
  await run(operator.publish(2, { rollout: { percent: 100 } }))
  await pass(100)
  const final = end === 'promote' ? 2 : 3
  await run<unknown>(end === 'promote' ? operator.rollout.promote() : operator.publish(final, { staged: 'withdraw' }))
  await pass(200)
  expect(seen([one])).toEqual(['staged 2'])
  await pass(1_000)
  expect(seen([one])).toEqual([final])
  expect(values).toEqual(end === 'promote' ? [1, 2] : [1, 2, 3])
  expect(await closeAll(rig, ...clients, client)).toEqual([])
})

it('withdraws: the value for all is in force again, with a zxid that is newer than the staged one', async () => {
  const rig = newRig()
  const { clients, operator, members: [one] } = await fleetOf(rig, 'a')
  if (one === undefined) throw new Error('a member')
  const changes: ConfigChange<number>[] = []
  one.subscribe((change) => void changes.push(change))
  await run(operator.publish(2, { rollout: { percent: 100 } }))
  await pass(100)
  await run(operator.rollout.withdraw({ comment: 'no good' }))
  await pass(100)
  expect(changes.map(({ value, source, staged }) => [value, source, staged])).toEqual([
    [1, 'servers', null], [2, 'staged', 2], [1, 'servers', null],
  ])
  const zxids = changes.map(({ zxid }) => zxid ?? 0n)
  expect(zxids.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(zxids)
  const [last] = await run(operator.history())
  expect(last).toMatchObject({ kind: 'withdraw', of: 2, value: 2, comment: 'no good', isStaged: false })
  expect(codeOf(await failureOf(operator.rollout.withdraw()))).toBe('NO_NODE/rejected')
  expect(codeOf(await failureOf(operator.rollout.promote()))).toBe('NO_NODE/rejected')
  expect(await run(operator.publish(3))).toMatchObject({ version: 1, historyVersion: 4 })
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it('refuses a publish for all while a value is staged, unless it says what becomes of that (Apollo 1677)', async () => {
  const rig = newRig()
  const { clients, operator, members } = await fleetOf(rig, 'a', 'b')
  const values = members.map(valuesOf)
  await run(operator.publish(2, { rollout: { members: ['b'] } }))
  await pass(100)
  const refused = [
    () => operator.publish(3), () => operator.publish(3, { force: true }), () => operator.update(() => 3),
    () => operator.rollback(1), () => operator.publish(3, { rollout: { percent: 1 } }),
  ]
  for (const one of refused) expect(codeOf(await failureOf(one()))).toBe('VALUE_STAGED/rejected')
  await run(operator.publish(3, { staged: 'keep' }))
  await pass(100)
  expect(seen([operator, ...members])).toEqual([3, 3, 'staged 2'])
  expect(await run(operator.rollout.staged())).toMatchObject({ version: 2, isOvertaken: true })
  // A value published meanwhile is not lost by a promotion of an older one either.
  expect(codeOf(await failureOf(operator.rollout.promote()))).toBe('BAD_VERSION/rejected')
  await run(operator.publish(4, { staged: 'withdraw' }))
  await pass(100)
  expect(seen([operator, ...members])).toEqual([4, 4, 4])
  expect(values).toEqual([[1, 3, 4], [1, 2, 4]])
  const kinds = (await run(operator.history())).map(({ version, kind, value }) => [version, kind, value])
  expect(kinds).toEqual([[4, 'publish', 4], [3, 'publish', 3], [2, 'stage', 2], [1, 'publish', 1]])
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it('promotes over a newer value by force, and makes a value again that was deleted', async () => {
  const rig = newRig()
  const { clients, operator, members } = await fleetOf(rig, 'a')
  await run(operator.publish(2, { rollout: { percent: 100 } }))
  await run(operator.publish(3, { staged: 'keep' }))
  await run(operator.rollout.promote({ force: true }))
  await pass(100)
  expect(seen([operator, ...members])).toEqual([2, 2])
  await run(operator.publish(4, { rollout: { percent: 100 } }))
  await run((clients[0] as Client).delete(PATH))
  await pass(100)
  expect(seen([operator, ...members])).toEqual([undefined, 'staged 4'])
  expect(codeOf(await failureOf(operator.rollout.promote()))).toBe('BAD_VERSION/rejected')
  await run(operator.rollout.promote({ force: true }))
  await pass(100)
  expect(seen([operator, ...members])).toEqual([4, 4])
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it('chooses more for the value that is staged, and takes it back from nobody', async () => {
  const rig = newRig()
  const ids = Array.from({ length: 12 }, (_, index) => `worker-${String(index)}`)
  const { clients, operator, members } = await fleetOf(rig, ...ids)
  const values = members.map(valuesOf)
  const chosen = (): number => members.filter(({ source }) => source === 'staged').length
  await run(operator.publish(2, { rollout: { percent: 25 } }))
  await pass(100)
  const counts = [chosen()]
  for (const percent of [50, 75, 100]) {
    await run(operator.rollout.select({ percent }))
    await pass(100)
    counts.push(chosen())
  }
  expect(counts.at(-1)).toBe(ids.length)
  expect(counts.toSorted((a, b) => a - b)).toEqual(counts)
  expect(new Set(counts).size).toBeGreaterThan(2)
  for (const one of values) expect(one).toEqual([1, 2])
  const [last] = await run(operator.history({ limit: 1 }))
  expect(last).toMatchObject({ version: 5, kind: 'select', of: 2, isStaged: false })
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it('refuses a staged value that does not pass, says so, and keeps the one for all', async () => {
  const rig = newRig()
  const { clients, operator } = await fleetOf(rig)
  const client = await rig.connect()
  const schema = z.number().max(10)
  const strict = member(client, 's', { schema })
  await run(strict.ready())
  await run(operator.publish(11, { rollout: { percent: 100 } }))
  await pass(100)
  expect(seen([strict])).toEqual([1])
  expect(rig.errors.map(codeOf)).toEqual(['INVALID_VALUE/corrupt'])
  expect(await run(operator.rollout.applied())).toMatchObject([{ id: 's', version: 1, isStaged: false, refused: 2 }])
  expect(await run(strict.get())).toBe(1)
  expect(codeOf(await failureOf(strict.rollout.promote()))).toBe('INVALID_VALUE/not-sent')
  expect(await closeAll(rig, ...clients, client)).toEqual([])
})

it('begins with the staged value, and never with the one for all before it', async () => {
  const rig = newRig()
  const { clients, operator } = await fleetOf(rig)
  await run(operator.publish(2, { rollout: { percent: 100 } }))
  const client = await rig.connect()
  const late = member(client, 'late')
  const values = valuesOf(late)
  expect(await run(late.ready())).toBe(2)
  await pass(100)
  expect(values).toEqual([2])
  await interrupt(rig, client, 1_000)
  expect([seen([late]), values]).toEqual([['staged 2'], [2]])
  rig.control.expire(sessionOf(client))
  await pass(5_000)
  expect([seen([late]), values]).toEqual([['staged 2'], [2]])
  expect(await run(operator.rollout.applied())).toMatchObject([{ id: 'late', version: 2 }])
  await run(late.close())
  expect(await run(operator.rollout.applied())).toEqual([])
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, ...clients, client)).toEqual([])
})

it('stages beside a value that was seen, and not without one', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [operator, other] = [a, b].map((client) => new ConfigCenter<number>(client, PATH, { history: true }))
  if (operator === undefined || other === undefined) throw new Error('two centers')
  expect(codeOf(await failureOf(operator.publish(1, { rollout: { percent: 1 } })))).toBe('NO_NODE/rejected')
  await run(operator.publish(1))
  await run(other.publish(2, { force: true }))
  expect(codeOf(await failureOf(operator.publish(3, { rollout: { percent: 1 }, ifVersion: 0 })))).toBe(
    'BAD_VERSION/rejected',
  )
  const plain = new ConfigCenter<number>(b, PATH)
  await run(plain.publish(4, { force: true }))
  await run(operator.publish(5, { rollout: { percent: 1 }, force: true }))
  const kinds = (await run(operator.history())).map(({ version, kind, value }) => [version, kind, value])
  expect(kinds).toEqual([[4, 'stage', 5], [3, 'found', 4], [2, 'publish', 2], [1, 'publish', 1]])
  // A process that keeps no history writes past the roll-out, which is told of.
  await run(plain.publish(6, { force: true }))
  expect(await run(operator.rollout.staged())).toMatchObject({ version: 4, isOvertaken: true })
  await run(a.set(RECORDS, ''))
  expect(codeOf(await failureOf(operator.publish(7, { force: true })))).toBe('VALUE_STAGED/rejected')
  await run(operator.rollout.withdraw())
  await run(operator.publish(7, { force: true }))
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each([
  [{ rollout: {} }, /one of percent, members and labels/], [{ rollout: { percent: 101 } }, /from 0 to 100/],
  [{ rollout: { percent: 1, members: ['a'] } }, /one of/], [{ rollout: { members: [] } }, /1 to 1000/],
  [{ rollout: { labels: {} } }, /1 to 64/], [{ rollout: { labels: { a: 1 } } }, /object of strings/],
  [{ rollout: { members: Array.from({ length: 99 }, () => 'x'.repeat(99)) } }, /8192/],
  [{ rollout: { percent: 1 }, staged: 'keep' }, /exclude each other/], [{ staged: 'other' }, /keep, withdraw/],
])('refuses %j', async (options, message) => {
  const rig = newRig()
  const client = await rig.connect()
  const operator = new ConfigCenter<number>(client, PATH, { history: true })
  const publish = operator.publish.bind(operator) as (value: number, options: unknown) => Promise<unknown>
  expect(String(await failureOf(publish(1, options)))).toMatch(message)
  const plain = new ConfigCenter<number>(client, PATH)
  expect(() => plain.rollout).toThrow(/option history/)
  expect(String(await failureOf(plain.publish(1, { rollout: { percent: 1 } })))).toMatch(/option history/)
  expect(() => member(client, '')).toThrow(/member.id/)
  expect(() => member(client, 'a', { history: false })).toThrow(/history: false/)
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(sweepOf(REQUESTS))('comes to one end when $what strikes request $nth of it', async ({ fate, nth }) => {
  const rig = newRig()
  const { clients, operator, members: [one] } = await fleetOf(rig, 'a')
  if (one === undefined || clients[0] === undefined) throw new Error('a member')
  const values = valuesOf(one)
  const session = sessionOf(clients[0])
  const struck = strike(rig, fate, ({ sessionId }) => sessionId === session, nth)
  const steps = [
    () => operator.publish(2, { rollout: { percent: 100 } }),
    () => operator.rollout.promote(),
    () => operator.publish(3, { rollout: { percent: 100 } }),
    () => operator.rollout.withdraw(),
  ]
  for (const step of steps) {
    await run<unknown>(step())
    await pass(SETTLE_MS)
  }
  expect(struck.isMet).toBe(true)
  expect([seen([operator, one]), values]).toEqual([[2, 2], [1, 2, 3, 2]])
  const kinds = (await run(operator.history())).map(({ version, kind }) => [version, kind])
  expect(kinds).toEqual([[5, 'withdraw'], [4, 'stage'], [3, 'promote'], [2, 'stage'], [1, 'publish']])
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it.each(sweepOf(MEMBER_REQUESTS))('follows when $what strikes request $nth of a member', async ({ fate, nth }) => {
  const rig = newRig()
  const { clients, operator, members: [one] } = await fleetOf(rig, 'a')
  if (one === undefined || clients[1] === undefined) throw new Error('a member')
  const values = valuesOf(one)
  const session = sessionOf(clients[1])
  const struck = strike(rig, fate, ({ sessionId }) => sessionId === session, nth)
  await run(operator.publish(2, { rollout: { percent: 100 } }))
  await pass(SETTLE_MS)
  await run(operator.rollout.promote())
  await pass(SETTLE_MS)
  expect(struck.isMet).toBe(true)
  expect([seen([one]), values]).toEqual([[2], [1, 2]])
  expect(await run(operator.rollout.applied())).toMatchObject([{ id: 'a', version: 3, isStaged: false }])
  expect(await closeAll(rig, ...clients)).toEqual([])
})
