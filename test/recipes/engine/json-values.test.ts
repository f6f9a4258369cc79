/** Values that JSON would change in silence are refused, with their place; shared values are frozen. */
import { expect, it } from 'vitest'
import { jsonCodec } from '../../../src/recipes/engine/codec.ts'
import { ConfigCenter } from '../../../src/recipes/config/config-center.ts'
import { ConfigTree } from '../../../src/recipes/config/config-tree.ts'
import { GroupMembership } from '../../../src/recipes/membership/group-membership.ts'
import { deepFreeze } from '../../../src/recipes/engine/json-values.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, failureOf, newRig, pass, run, useVirtualTime } from '../rig.ts'

useVirtualTime()

class Money {
  readonly cents = 5
}

const cycle: Record<string, unknown> = {}
cycle['self'] = [cycle]

it.each([
  [undefined, 'undefined at value'],
  [{ a: undefined }, 'undefined at value.a'],
  [[1, undefined], 'undefined at value[1]'],
  [new Array(1), 'undefined at value[0]'],
  [{ limits: [{ max: NaN }] }, 'NaN at value.limits[0].max'],
  [{ 'a b': -Infinity }, '-Infinity at value["a b"]'],
  [1n, 'a bigint at value'],
  [{ f: () => 1 }, 'a function at value.f'],
  [Symbol('s'), 'a symbol at value'],
  [{ m: new Map([[1, 2]]) }, 'a Map at value.m'],
  [new Set([1]), 'a Set at value'],
  [{ at: new Date(0) }, 'a Date at value.at'],
  [{ price: new Money() }, 'a Money at value.price'],
  [new Uint8Array(2), 'a Uint8Array at value'],
  [{ [Symbol('s')]: 1 }, 'a symbol as a name, at value[Symbol(s)]'],
  [cycle, 'what contains itself, at value.self[0]'],
])('JSON cannot hold %s', (value, where) => {
  expect(() => jsonCodec<unknown>().encode(value)).toThrow(new TypeError(`JSON cannot hold ${where}`))
})

it.each([
  null, true, 0, -1.5, '', 'ä\ud800', [], {}, [[1], { a: [null] }],
  Object.assign(Object.create(null) as object, { a: 1 }),
  JSON.parse('{"__proto__":{"a":1}}'),
])('JSON holds %j', (value: unknown) => {
  const codec = jsonCodec<unknown>()
  expect(JSON.stringify(codec.decode(codec.encode(value)))).toBe(JSON.stringify(value))
})

it('a value that refers to one object twice is held', () => {
  const shared = { a: 1 }
  const codec = jsonCodec<unknown>()
  expect(codec.decode(codec.encode([shared, shared]))).toEqual([{ a: 1 }, { a: 1 }])
})

it('freezes what is plain, and nothing of a class', () => {
  const map = new Map([['a', { b: 1 }]])
  const frozen = deepFreeze({ list: [{ a: 1 }], map })
  expect(Object.isFrozen(frozen) && Object.isFrozen(frozen.list) && Object.isFrozen(frozen.list[0])).toBe(true)
  expect([Object.isFrozen(map), Object.isFrozen(map.get('a'))]).toEqual([false, false])
})

it('refuses to publish and to join with what JSON would change', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const center = new ConfigCenter<unknown>(client, '/config/a')
  const failure = await failureOf(center.publish({ since: new Date(0) }))
  expect(codeOf(failure)).toBe('INVALID_VALUE/not-sent')
  expect(String(failure)).toContain('a Date at value.since')
  const joining = new GroupMembership<unknown>(client, '/g').join('w', { data: { load: NaN } })
  expect(codeOf(await failureOf(joining))).toBe('INVALID_VALUE/not-sent')
  expect(await closeAll(rig, client)).toEqual([])
})

it('what a consumer gets cannot be changed by it, wherever it comes from', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const initial = { list: [1] }
  const center = new ConfigCenter<{ list: number[] }, { list: number[] }>(client, '/config/a', { default: initial })
  const tree = new ConfigTree<{ list: number[] }>(client, '/config')
  await run(Promise.all([center.ready(), tree.ready()]))
  const isFrozen = (value: { list: number[] } | undefined): boolean => {
    return value !== undefined && Object.isFrozen(value) && Object.isFrozen(value.list)
  }
  expect([isFrozen(center.current), isFrozen(initial)]).toEqual([true, false])
  const mine = { list: [2] }
  const told: boolean[] = []
  center.subscribe(({ value }) => void told.push(isFrozen(value)))
  await run(center.publish(mine))
  expect([isFrozen(center.current), isFrozen(mine)]).toEqual([true, false])
  expect(isFrozen(await run(center.get()))).toBe(true)
  await pass(10 * ROUND_TRIP_MS)
  expect([...told, isFrozen(tree.get('a')), isFrozen(tree.all().get('a')?.value)]).not.toContain(false)
  const group = new GroupMembership<{ list: number[] }>(client, '/g')
  await run(group.join('w', { data: mine }))
  expect(isFrozen((await run(group.members()))[0]?.data)).toBe(true)
  expect(await closeAll(rig, client)).toEqual([])
})
