/** Items that are shared out: who owns what, and how it goes from one to the other. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { lossReason } from '../../../src/recipes/engine/ownership.ts'
import type { Assignment } from '../../../src/recipes/membership/partition-share.ts'
import { Partitioner } from '../../../src/recipes/membership/partitioner.ts'
import type { PartitionerOptions } from '../../../src/recipes/membership/partitioner.ts'
import { ROUND_TRIP_MS, SESSION_TIMEOUT_MS, closeAll, codeOf, ephemerals, failureOf, newRig, strike } from '../rig.ts'
import { pass, run, sessionOf, sweepOf, useVirtualTime } from '../rig.ts'
import type { Rig } from '../rig.ts'

useVirtualTime()

const PATH = '/shares'
const COUNT = 8
const SETTLE_MS = 100 * ROUND_TRIP_MS

type More = Partial<Omit<PartitionerOptions, 'id'>>

async function open(rig: Rig, id: string, more: More = { count: COUNT }): Promise<[Partitioner, Client]> {
  const client = await rig.connect()
  const partitioner = new Partitioner(client, PATH, { id, ...more })
  await run(partitioner.start())
  await pass(SETTLE_MS)
  return [partitioner, client]
}

function itemsOf(partitioner: Partitioner): string[] {
  return [...partitioner.assignments.keys()]
}

/** Who claims to own an item, and by which token; more than one is a violation. */
function claimants(item: string, ...partitioners: Partitioner[]): bigint[] {
  return partitioners.flatMap(({ assignments }) => {
    const held = assignments.get(item)
    return held?.state === 'held' ? [held.token] : []
  })
}

/** No item has two owners. One assertion for all: this is asked tens of thousands of times. */
function expectOneOwner(...partitioners: Partitioner[]): void {
  const items = Array.from({ length: COUNT }, (_, item) => String(item))
  expect(items.filter((item) => claimants(item, ...partitioners).length > 1)).toEqual([])
}

it('shares out all items, in the order of the items, and tells what was assigned and revoked', async () => {
  const rig = newRig()
  const [first, a] = await open(rig, 'first')
  expect(itemsOf(first)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'])
  const told: string[] = []
  const inShort = (all: readonly Assignment[]): string => all.map(({ item }) => item).join('')
  first.subscribe(({ assignments, assigned, revoked }) => {
    told.push(`+${inShort(assigned)} -${inShort(revoked)} =${[...assignments.keys()].join('')}`)
  })
  await pass(SETTLE_MS)
  const [second, b] = await open(rig, 'second')
  expect([...itemsOf(first), ...itemsOf(second)].sort()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'])
  expect(second.assignments.size).toBeGreaterThan(0)
  expect(told[0]).toBe('+01234567 - =01234567')
  expect(told.at(-1)).toMatch(new RegExp(`=${itemsOf(first).join('')}$`))
  await run(second.stop())
  await pass(SETTLE_MS)
  expect(itemsOf(first)).toHaveLength(COUNT)
  expect([first.state, second.state]).toEqual(['joined', 'left'])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('waits for onRevoke before it lets go, while the item stays its own', async () => {
  const rig = newRig()
  const calls: Assignment[] = []
  let letGo = (): void => undefined
  const gate = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const onRevoke = (assignment: Assignment): Promise<void> => {
    calls.push(assignment)
    return gate
  }
  const [first, a] = await open(rig, 'first', { count: COUNT, onRevoke })
  const [second, b] = await open(rig, 'second')
  expect(calls.length).toBeGreaterThan(0)
  expect(second.assignments.size).toBe(0)
  for (const assignment of calls) {
    expect([assignment.state, assignment.signal.aborted]).toEqual(['held', false])
    assignment.throwIfLost()
  }
  letGo()
  await pass(SETTLE_MS)
  expect(itemsOf(second).sort()).toEqual(calls.map(({ item }) => item).sort())
  for (const assignment of calls) {
    expect([assignment.state, lossReason(assignment.signal)]).toEqual(['revoked', null])
    expect(() => assignment.throwIfLost()).toThrow(/given away/)
    expect(second.assignments.get(assignment.item)?.token).toBeGreaterThan(assignment.token)
  }
  expect(first.assignments.size).toBe(COUNT - calls.length)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('reports what onRevoke throws, and lets go all the same', async () => {
  const rig = newRig()
  const onRevoke = (): void => {
    throw new Error('no')
  }
  const [first, a] = await open(rig, 'first', { items: ['x'], onRevoke })
  await run(first.stop())
  expect(rig.errors.map(String)).toEqual(['Error: onRevoke of /shares/items/x threw: no'])
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, a)).toEqual([])
})

it('tells by the signal what is lost, before another has it, and claims it again after onRevoke', async () => {
  const rig = newRig()
  const calls: string[] = []
  const onRevoke = ({ item, state }: Assignment): void => void calls.push(`${item} ${state}`)
  const [first, a] = await open(rig, 'first', { items: ['x'], onRevoke })
  const held = first.assignments.get('x')
  const session = sessionOf(a)
  rig.control.disconnect(session)
  await pass(1_000)
  expect(held?.state).toBe('suspect')
  await pass((2 * SESSION_TIMEOUT_MS) / 3)
  if (held === undefined) throw new Error('nothing is held')
  expect([held.state, lossReason(held.signal), first.assignments.size]).toEqual(['lost', 'deadline-passed', 0])
  expect(codeOf(await failureOf(Promise.resolve().then(() => held.throwIfLost())))).toBe('LEASE_LOST/lost')
  rig.control.reconnect(session)
  await pass(SETTLE_MS + 10_000)
  expect(calls).toEqual(['x lost'])
  expect(first.assignments.get('x')?.token).toBeGreaterThan(held.token)
  expect(await closeAll(rig, a)).toEqual([])
})

it('gives an item whose node somebody has deleted to the same member again, with a greater token', async () => {
  const rig = newRig()
  const [first, a] = await open(rig, 'first', { items: ['x'] })
  const before = first.assignments.get('x')
  await run(a.delete(`${PATH}/items/x`))
  await pass(SETTLE_MS)
  expect(before?.state).toBe('lost')
  expect(first.assignments.get('x')?.token).toBeGreaterThan(before?.token ?? 0n)
  expect(await closeAll(rig, a)).toEqual([])
})

it('ends with its member: one whose id another has taken owns nothing', async () => {
  const rig = newRig()
  const [first, a] = await open(rig, 'same')
  rig.control.refuseOpens(true)
  rig.control.expire(sessionOf(a))
  await pass(100)
  expect(first.assignments.size).toBe(0)
  rig.control.refuseOpens(false)
  const b = await rig.connect()
  const other = new Partitioner(b, PATH, { id: 'same', count: COUNT })
  const starting = other.start()
  const started = await run(starting.then(() => true, () => false))
  await pass(20_000)
  const [winner, loser] = started ? [other, first] : [first, other]
  expect([winner.assignments.size, loser.assignments.size]).toEqual([COUNT, 0])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('shares out an item among those that know it, whatever others say of themselves', async () => {
  const rig = newRig()
  const operator = await rig.connect()
  const [old, a] = await open(rig, 'old', { items: ['x', 'y'] })
  const [young, b] = await open(rig, 'young', { items: ['y', 'z'] })
  for (const data of ['null', '{"items":5,"count":"z"}', '{"count":99}']) {
    const mark = '00000000-0000-4000-8000-000000000000\n'
    await run(operator.create(`${PATH}/members/stranger-${data.length}`, `${mark}${data}`, { mode: 'ephemeral' }))
  }
  await pass(SETTLE_MS)
  expect([...itemsOf(old), ...itemsOf(young)].sort()).toEqual(['x', 'y', 'z'])
  expect([old.assignments.has('x'), young.assignments.has('z')]).toEqual([true, true])
  expect(await closeAll(rig, a, b, operator)).toEqual([])
})

const SWEEP = sweepOf(14)

it.each(SWEEP)('has one owner per item with $what at request $nth of the one who comes', async ({ fate, nth }) => {
  const rig = newRig()
  const [first, a] = await open(rig, 'first')
  const b = await rig.connect()
  const session = sessionOf(b)
  strike(rig, fate, (request) => request.sessionId === session && request.kind !== 'close', nth)
  const second = new Partitioner(b, PATH, { id: 'second', count: COUNT })
  const starting = second.start({ onSessionLoss: 'queue-again', waitMs: 60_000 })
  for (let step = 0; step < 300; step++) {
    await pass(step < 100 ? 5 : 100)
    expectOneOwner(first, second)
  }
  await run(starting)
  expect([...itemsOf(first), ...itemsOf(second)].sort()).toHaveLength(COUNT)
  expect(second.assignments.size).toBeGreaterThan(0)
  await run(second.stop())
  await pass(SETTLE_MS)
  expect(itemsOf(first)).toHaveLength(COUNT)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(SWEEP)('has one owner per item with $what at request $nth of the one who goes', async ({ fate, nth }) => {
  const rig = newRig()
  const [first, a] = await open(rig, 'first')
  const [second, b] = await open(rig, 'second')
  const session = sessionOf(a)
  strike(rig, fate, (request) => request.sessionId === session && request.kind !== 'close', nth)
  const stopping = first.stop()
  for (let step = 0; step < 300; step++) {
    await pass(step < 100 ? 5 : 100)
    expectOneOwner(first, second)
  }
  await run(stopping)
  expect([first.assignments.size, second.assignments.size]).toEqual([0, COUNT])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('stops while it starts, while it claims and while it is cut off, and leaves nothing', async () => {
  for (let afterMs = 0; afterMs <= 20 * ROUND_TRIP_MS; afterMs += 15) {
    const rig = newRig()
    const client = await rig.connect()
    const partitioner = new Partitioner(client, PATH, { id: 'one', count: COUNT })
    const starting = partitioner.start()
    starting.catch(() => undefined)
    await pass(afterMs)
    await run(partitioner.stop())
    await pass(SETTLE_MS)
    expect([ephemerals(rig), partitioner.assignments.size]).toEqual([[], 0])
    expect(codeOf(await failureOf(new Partitioner(client, PATH, { id: 'x', count: 1 }).stop().then(() => {
      return Promise.reject(new Error('stopped before it has started'))
    })))).toBe('Error: stopped before it has started')
    expect(await closeAll(rig, client)).toEqual([])
  }
})

it('ends the iteration when it stops or its client closes', async () => {
  for (const isClosed of [true, false]) {
    const rig = newRig()
    const [first, a] = await open(rig, 'first')
    let changes = 0
    const reading = (async () => {
      for await (const { assignments } of first.watch()) changes += assignments.size >= 0 ? 1 : 0
    })()
    await pass(SETTLE_MS)
    await run(isClosed ? a.close() : first.stop())
    await run(reading)
    expect(changes).toBeGreaterThan(0)
    expect(await closeAll(rig, a)).toEqual([])
  }
})

it('refuses wrong options', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const make = (options: object) => (): Partitioner => new Partitioner(client, PATH, options as PartitionerOptions)
  expect(make({ id: 'a' })).toThrow(/either items or count/)
  expect(make({ id: 'a', count: 1, items: ['x'] })).toThrow(/either items or count/)
  expect(make({ id: 'a', count: 0 })).toThrow(/count/)
  expect(make({ id: 'a', items: ['x', 'x'] })).toThrow(/differ/)
  expect(make({ id: 'a', items: ['x/y'] })).toThrow(/item must be one segment/)
  expect(make({ id: 'a/b', count: 1 })).toThrow(/id must be one segment/)
  expect(make({ id: 'a', items: 'x' })).toThrow(/items must be an array/)
  expect(make({ id: 'a', counts: 1 })).toThrow(/"count"/)
  expect(make({ id: 'a', count: 1, onRevoke: 5 })).toThrow(/onRevoke must be a function/)
  expect(await closeAll(rig, client)).toEqual([])
})
