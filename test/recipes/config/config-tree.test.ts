/** Many values under one path. */
import { expect, it } from 'vitest'
import { z } from 'zod'
import { ConfigTree } from '../../../src/recipes/config/config-tree.ts'
import type { ConfigTreeChange } from '../../../src/recipes/config/config-tree.ts'
import type { StandardSchema } from '../../../src/recipes/engine/standard-schema.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, failureOf, newRig, strike } from '../rig.ts'
import { pass, run, sessionOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/config'
const SETTLE_MS = 20 * ROUND_TRIP_MS

it('publishes, reads and removes values by key, folders apart', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [writer, reader] = [new ConfigTree<number>(a, PATH), new ConfigTree<number>(b, PATH)]
  await run(Promise.all([writer.ready(), reader.ready()]))
  await run(writer.publish('payments/limit', 10))
  await run(writer.publish('timeout', 20))
  await pass(SETTLE_MS)
  expect([...reader.all()].map(([key, { value }]) => [key, value])).toEqual([['payments/limit', 10], ['timeout', 20]])
  expect(reader.get('payments/limit')).toBe(10)
  expect(reader.get('payments')).toBeUndefined()
  await run(writer.publish('payments', 1))
  await pass(SETTLE_MS)
  expect(reader.get('payments')).toBe(1)
  await run(writer.remove('payments'))
  await run(writer.remove('timeout'))
  await run(writer.remove('never/there'))
  await pass(SETTLE_MS)
  expect([...reader.all().keys()]).toEqual(['payments/limit'])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('tells which keys changed and which were removed, with all values', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const tree = new ConfigTree<number>(client, PATH)
  const changes: ConfigTreeChange<number>[] = []
  tree.subscribe((change) => void changes.push(change))
  for (const [key, value] of [['a', 1], ['b', 2], ['a', 3]] as const) {
    await run(tree.publish(key, value))
    await pass(SETTLE_MS)
  }
  await run(tree.remove('b'))
  await pass(SETTLE_MS)
  expect(changes.map(({ changed, removed }) => [changed, removed])).toEqual([
    [[], []],
    [['a'], []],
    [['b'], []],
    [['a'], []],
    [[], ['b']],
  ])
  expect([...(changes.at(-1)?.values ?? [])].map(([key, { value }]) => [key, value])).toEqual([['a', 3]])
  expect(await closeAll(rig, client)).toEqual([])
})

it('tells a slow consumer all that changed while it was busy', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const tree = new ConfigTree<number>(client, PATH)
  await run(tree.ready())
  const iterator = tree.watch({ emitInitial: false })
  for (const key of ['x', 'y', 'z']) {
    await run(tree.publish(key, 1))
    await pass(SETTLE_MS)
  }
  expect((await run(iterator.next())).value).toMatchObject({ changed: ['x', 'y', 'z'], missed: 2 })
  await run(Promise.resolve(iterator.return?.()))
  expect(await closeAll(rig, client)).toEqual([])
})

it('keeps the last good value of one key and takes new ones of the others', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const tree = new ConfigTree(client, PATH, { schema: z.number() })
  await run(tree.publish('a', 1))
  await run(tree.publish('b', 1))
  const invalid: string[] = []
  tree.onInvalid(({ path }) => void invalid.push(path))
  await run(client.set(`${PATH}/a`, '"one"'))
  await run(client.set(`${PATH}/b`, '2'))
  await pass(SETTLE_MS)
  expect([tree.get('a'), tree.get('b')]).toEqual([1, 2])
  expect(invalid).toEqual([`${PATH}/a`])
  expect(await closeAll(rig, client)).toEqual([])
})

it('publishes a key again that it has removed, though its own events come late', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const tree = new ConfigTree<number>(client, PATH)
  await run(tree.ready())
  rig.control.delayEvents(300)
  for (let round = 1; round <= 3; round += 1) {
    await run(tree.publish('a', round))
    await run(tree.remove('a'))
  }
  await run(tree.publish('a', 9))
  await pass(5_000)
  expect(tree.get('a')).toBe(9)
  expect(await closeAll(rig, client)).toEqual([])
})

/** Takes a second for the value 7, and no time for others. */
const slowForSeven: StandardSchema<number> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: async (value) => {
      if (value === 7) await new Promise((resolve) => setTimeout(resolve, 1_000))
      return { value: Number(value) }
    },
  },
}

it('keeps what it wrote itself while an older state is still being validated', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const tree = new ConfigTree<number>(b, PATH, { schema: slowForSeven })
  await run(tree.publish('own', 1))
  await pass(SETTLE_MS)
  const own: unknown[] = []
  const fresh: unknown[] = []
  tree.subscribe(({ values }) => {
    own.push(values.get('own')?.value)
    fresh.push(values.get('fresh')?.value)
  })
  await run(a.set(`${PATH}/own`, '7'))
  await run(a.create(`${PATH}/other`, '7'))
  await pass(SETTLE_MS)
  await run(tree.publish('own', 2, { force: true }))
  await run(tree.publish('fresh', 3))
  await pass(5_000)
  expect(own.filter((value, index) => value !== own[index - 1])).toEqual([1, 2])
  expect([fresh[0], ...fresh.filter((value, index) => value !== fresh[index - 1])]).toEqual([undefined, 3])
  expect(tree.get('other')).toBe(7)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('refuses to remove a value that it has not seen, and knows a removal whose reply was lost', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [first, second] = [new ConfigTree<number>(a, PATH), new ConfigTree<number>(b, PATH)]
  await run(first.publish('a', 1))
  await pass(SETTLE_MS)
  rig.control.delayEvents(500)
  await run(second.publish('a', 2))
  expect(codeOf(await failureOf(first.remove('a')))).toBe('BAD_VERSION/rejected')
  rig.control.delayEvents(0)
  await pass(2_000)
  const session = sessionOf(a)
  const struck = strike(rig, 'lose-after', ({ kind, sessionId }) => kind === 'multi' && sessionId === session)
  await run(first.remove('a'))
  expect(struck.isMet).toBe(true)
  await run(first.publish('a', 3))
  strike(rig, 'lose-after', ({ kind, sessionId }) => kind === 'delete' && sessionId === session)
  await run(first.remove('a', { force: true }))
  await pass(SETTLE_MS)
  expect([first.get('a'), second.get('a')]).toEqual([undefined, undefined])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('refuses keys that are no paths below the root', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const tree = new ConfigTree<number>(client, PATH)
  for (const key of ['', '/a', 'a/', 'a//b', '../a']) {
    const attempt = Promise.resolve().then(() => tree.publish(key, 1))
    expect(await failureOf(attempt)).toBeInstanceOf(TypeError)
  }
  expect(await closeAll(rig, client)).toEqual([])
})
