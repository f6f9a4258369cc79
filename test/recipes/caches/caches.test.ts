/** Caches: what they tell and what they hold, whatever becomes of their requests, and nothing left when they end. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import type { CacheChange } from '../../../src/recipes/caches/cache-base.ts'
import { ChildrenCache } from '../../../src/recipes/caches/children-cache.ts'
import { NodeCache } from '../../../src/recipes/caches/node-cache.ts'
import { TreeCache } from '../../../src/recipes/caches/tree-cache.ts'
import { ROUND_TRIP_MS, SESSION_TIMEOUT_MS, closeAll, codeOf, failureOf, interrupt, newRig, pass } from '../rig.ts'
import { run, sessionOf, strike, sweepOf, useVirtualTime } from '../rig.ts'
import type { Rig } from '../rig.ts'

useVirtualTime()

const PATH = '/app'
const SETTLE_MS = 20 * ROUND_TRIP_MS
const KINDS = {
  NodeCache: (client: Client) => new NodeCache(client, PATH),
  ChildrenCache: (client: Client) => new ChildrenCache(client, PATH),
  TreeCache: (client: Client) => new TreeCache(client, PATH),
}
const KIND_NAMES = Object.keys(KINDS) as (keyof typeof KINDS)[]

type AnyCache = NodeCache | ChildrenCache | TreeCache

/** Applies each change to the view made of those before: a path without its `+`, `~` or `-` is an error. */
class Replay {
  readonly nodes = new Map<string, { readonly text: string; readonly czxid: bigint }>()
  readonly lines: string[] = []
  readonly errors: string[] = []

  constructor(cache: AnyCache, options: { readonly emitInitial?: boolean } = {}) {
    cache.subscribe((change) => this.#apply(change), options)
  }

  #apply({ added, changed, removed, resync }: CacheChange): void {
    const line: string[] = resync ? ['resync'] : []
    for (const { path } of removed) {
      line.push(`-${path}`)
      if (!this.nodes.delete(path)) this.errors.push(`-${path}`)
    }
    for (const { path, data, stat } of added) {
      line.push(`+${path}`)
      if (this.nodes.has(path)) this.errors.push(`+${path}`)
      this.nodes.set(path, { text: new TextDecoder().decode(data), czxid: stat.czxid })
    }
    for (const { before, after: { path, data, stat } } of changed) {
      line.push(`~${path}`)
      if (this.nodes.get(path)?.text !== new TextDecoder().decode(before.data)) this.errors.push(`~${path}`)
      if (this.nodes.get(path)?.czxid !== stat.czxid) this.errors.push(`~${path} is another node`)
      this.nodes.set(path, { text: new TextDecoder().decode(data), czxid: stat.czxid })
    }
    this.lines.push(line.join(' '))
  }

  get state(): Record<string, string> {
    return Object.fromEntries([...this.nodes].map(([path, { text }]) => [path, text] as const).sort())
  }
}

async function make(client: Client, ...paths: string[]): Promise<void> {
  for (const path of paths) await run(client.create(path, path))
}

function pathsOf(cache: ChildrenCache | TreeCache): string[] {
  return cache.nodes.map(({ path }) => path)
}

it('NodeCache knows one node, there or not', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const cache = new NodeCache(b, PATH)
  expect([cache.current, cache.stale]).toEqual([undefined, true])
  await run(cache.ready())
  expect([cache.current, cache.stale]).toEqual([null, false])
  const replay = new Replay(cache)
  await make(a, PATH, `${PATH}/no-part-of-it`)
  await pass(SETTLE_MS)
  expect(new TextDecoder().decode(cache.current?.data)).toBe(PATH)
  await run(a.set(PATH, 'new'))
  await pass(SETTLE_MS)
  expect(replay.lines).toEqual(['', `+${PATH}`, `~${PATH}`])
  await run(cache.close())
  expect([new TextDecoder().decode(cache.current?.data), cache.stale]).toEqual(['new', true])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('ChildrenCache knows the children with their data, not their parent, and nothing below them', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/y`, `${PATH}/x`, `${PATH}/x/deep`)
  const cache = new ChildrenCache(b, PATH)
  await run(cache.ready())
  expect(pathsOf(cache)).toEqual([`${PATH}/x`, `${PATH}/y`])
  expect([cache.get('x')?.path, cache.get('z'), cache.get('')]).toEqual([`${PATH}/x`, undefined, undefined])
  const replay = new Replay(cache, { emitInitial: false })
  await run(a.set(PATH, 'no news'))
  await run(a.set(`${PATH}/x/deep`, 'no news'))
  await pass(SETTLE_MS)
  await run(a.set(`${PATH}/x`, 'news'))
  await pass(SETTLE_MS)
  expect(replay.lines).toEqual([`~${PATH}/x`])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('TreeCache knows what is at and below its root, down to a depth', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/x`, `${PATH}/x/1`, `${PATH}/x/1/deep`, `${PATH}/y`)
  const caches = [0, 1, 2, undefined].map((maxDepth) => {
    return new TreeCache(b, PATH, maxDepth === undefined ? {} : { maxDepth })
  })
  for (const cache of caches) await run(cache.ready())
  expect(caches.map((cache) => pathsOf(cache).length)).toEqual([1, 3, 4, 5])
  const [, , , whole] = caches
  expect(whole?.children(PATH).map(({ path }) => path)).toEqual([`${PATH}/x`, `${PATH}/y`])
  expect(whole?.children(`${PATH}/x/1`).map(({ path }) => path)).toEqual([`${PATH}/x/1/deep`])
  expect([whole?.get(PATH)?.path, whole?.get(`${PATH}/nothing`)]).toEqual([PATH, undefined])
  expect(() => whole?.get('/application')).toThrow(/not at or below \/app/)
  expect(() => whole?.children('x')).toThrow(TypeError)
  const root = new TreeCache(b, '/')
  await run(root.ready())
  expect([root.get('/')?.path, root.get(`${PATH}/y`)?.path]).toEqual(['/', `${PATH}/y`])
  expect(root.children('/').map(({ path }) => path)).toEqual([PATH])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('TreeCache neither reads nor watches what its filter refuses, or throws for', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/x`, `${PATH}/secret`, `${PATH}/secret/1`, `${PATH}/broken`)
  rig.control.resetCounts()
  const filter = (path: string): boolean => {
    if (path.endsWith('/broken')) throw new Error('no idea')
    return !path.endsWith('/secret')
  }
  const cache = new TreeCache(b, PATH, { filter })
  await run(cache.ready())
  expect(pathsOf(cache)).toEqual([PATH, `${PATH}/x`])
  expect(rig.control.requestCount({ sessionId: sessionOf(b) })).toBe(4)
  expect(rig.control.watchCount()).toBe(4)
  expect(String(rig.errors[0])).toContain('no idea')
  const replay = new Replay(cache, { emitInitial: false })
  await run(a.set(`${PATH}/secret/1`, 'no news'))
  await make(a, `${PATH}/secret/2`, `${PATH}/z`)
  await pass(SETTLE_MS)
  expect(replay.lines).toEqual([`+${PATH}/z`])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('tells removed nodes children first and added ones parents first, and a node made again as both', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/x`, `${PATH}/x/1`)
  const cache = new TreeCache(b, PATH)
  await run(cache.ready())
  const replay = new Replay(cache)
  await pass(ROUND_TRIP_MS)
  const id = sessionOf(b)
  rig.control.disconnect(id)
  await run(a.delete(`${PATH}/x/1`))
  await run(a.delete(`${PATH}/x`))
  await make(a, `${PATH}/x`, `${PATH}/x/1`)
  rig.control.reconnect(id)
  await pass(SETTLE_MS)
  const [x, x1] = [`${PATH}/x`, `${PATH}/x/1`]
  expect(replay.lines).toEqual([`+${PATH} +${x} +${x1}`, `resync -${x1} -${x} +${x} +${x1}`])
  expect([cache.get(x)?.stat.version, replay.errors]).toEqual([0, []])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('is ready though nodes vanish while it reads them', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/x`, `${PATH}/y`)
  const session = sessionOf(b)
  strike(rig, { delayMs: 50 }, ({ kind, path, sessionId }) => {
    const isRead = kind === 'get' && path === `${PATH}/x` && sessionId === session
    if (isRead) void a.delete(`${PATH}/x`)
    return isRead
  })
  const cache = new TreeCache(b, PATH)
  await run(cache.ready())
  expect(pathsOf(cache)).toEqual([PATH, `${PATH}/y`])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('ends rather than hold more than bytesMax, says so to all, and keeps what it had', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/x`)
  const cache = new ChildrenCache(b, PATH, { bytesMax: 2_000 })
  await run(cache.ready())
  const iterator = cache.watch({ emitInitial: false })
  const next = iterator.next()
  next.catch(() => undefined)
  await run(a.create(`${PATH}/y`, 'y'.repeat(1_500)))
  expect(codeOf(await failureOf(next))).toBe('QUOTA_EXCEEDED/rejected')
  expect(await run(iterator.next())).toEqual({ done: true, value: undefined })
  expect(codeOf(await failureOf(cache.ready()))).toBe('QUOTA_EXCEEDED/rejected')
  expect(() => cache.subscribe(() => undefined)).toThrow(/bytesMax of 2000 bytes/)
  expect(() => cache.watch()).toThrow(/bytesMax of 2000 bytes/)
  expect(rig.errors.map(codeOf)).toEqual(['QUOTA_EXCEEDED/rejected'])
  expect([pathsOf(cache), cache.stale]).toEqual([[`${PATH}/x`], true])
  await pass(SETTLE_MS)
  expect(rig.control.watchCount()).toBe(0)
  const tiny = new TreeCache(b, PATH, { bytesMax: 1 })
  expect(codeOf(await failureOf(tiny.ready()))).toBe('QUOTA_EXCEEDED/rejected')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('counts what is gone as gone: it may follow any number of nodes one after the other', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH)
  const cache = new TreeCache(b, PATH, { bytesMax: 2_000 })
  await run(cache.ready())
  for (let round = 0; round < 5; round++) {
    await run(a.create(`${PATH}/x`, 'x'.repeat(900)))
    await pass(SETTLE_MS)
    await run(a.set(`${PATH}/x`, 'z'.repeat(1_000)))
    await pass(SETTLE_MS)
    await run(a.delete(`${PATH}/x`))
    await pass(SETTLE_MS)
  }
  expect([cache.stale, rig.errors]).toEqual([false, []])
  await run(a.create(`${PATH}/x`, 'x'.repeat(1_500)))
  await pass(SETTLE_MS)
  expect(rig.errors.map(codeOf)).toEqual(['QUOTA_EXCEEDED/rejected'])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(KIND_NAMES)('%s is stale out of touch, and misses nothing over connections and sessions', async (kind) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const cache = KINDS[kind](b)
  await run(cache.ready())
  const replay = new Replay(cache)
  const node = kind === 'NodeCache' ? PATH : `${PATH}/x`
  if (kind !== 'NodeCache') await make(a, PATH)
  await make(a, node)
  await pass(SETTLE_MS)
  for (let round = 0; round < 3; round++) {
    const id = sessionOf(b)
    rig.control.disconnect(id)
    await pass(ROUND_TRIP_MS)
    expect([cache.stale, replay.state[node]]).toEqual([true, round === 0 ? node : `new ${round - 1}`])
    await run(a.set(node, `new ${round}`))
    if (round === 1) rig.control.expire(id)
    rig.control.reconnect(id)
    await pass(10_000)
    expect([cache.stale, replay.state[node]]).toEqual([false, `new ${round}`])
  }
  expect(replay.lines.filter((line) => line.startsWith('resync'))).toHaveLength(3)
  expect(replay.errors).toEqual([])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(sweepOf(12))('tells every step to the last state under $what of request $nth', async ({ fate, nth }) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/x`)
  const session = sessionOf(b)
  strike(rig, fate, (request) => request.sessionId === session && request.kind !== 'close', nth)
  const cache = new TreeCache(b, PATH)
  const replay = new Replay(cache)
  await pass(3)
  await make(a, `${PATH}/x/1`, `${PATH}/y`)
  await run(a.delete(`${PATH}/x/1`))
  await run(a.delete(`${PATH}/x`))
  await make(a, `${PATH}/x`)
  if (b.sessionId !== null) await interrupt(rig, b, 30)
  await run(a.set(`${PATH}/y`, 'last'))
  await pass(15_000)
  const expected = { [PATH]: PATH, [`${PATH}/x`]: `${PATH}/x`, [`${PATH}/y`]: 'last' }
  expect(replay.state).toEqual(expected)
  expect(cache.nodes.map(({ path, data }) => [path, new TextDecoder().decode(data)])).toEqual(Object.entries(expected))
  expect([replay.errors, cache.stale]).toEqual([[], false])
  expect(await closeAll(rig, a, b)).toEqual([])
})

async function watchesAfter(rig: Rig, cache: AnyCache): Promise<number> {
  await run(cache.close())
  await run(cache.close())
  await pass(5 * ROUND_TRIP_MS)
  expect(codeOf(await failureOf(cache.ready()))).toBe('CLIENT_CLOSED/aborted')
  expect(() => cache.watch()).toThrow(/closed/)
  expect(() => cache.subscribe(() => undefined)).toThrow(/closed/)
  return rig.control.watchCount()
}

it.each(KIND_NAMES)('%s leaves no watch, whenever it is closed', async (kind) => {
  for (let beforeMs = 0; beforeMs <= 4 * ROUND_TRIP_MS; beforeMs += 3) {
    const rig = newRig()
    const client = await rig.connect()
    if (beforeMs % 2 === 0) await make(client, PATH, `${PATH}/x`)
    const cache = KINDS[kind](client)
    await pass(beforeMs)
    expect([beforeMs, await watchesAfter(rig, cache)]).toEqual([beforeMs, 0])
    expect(await closeAll(rig, client)).toEqual([])
  }
})

it('ends with its client, for whoever waits or iterates', async () => {
  const rig = newRig()
  const client = await rig.connect()
  rig.control.disconnect(sessionOf(client))
  const cache = new TreeCache(client, PATH)
  const ready = failureOf(cache.ready())
  const next = cache.watch().next()
  await pass(ROUND_TRIP_MS)
  await run(client.close())
  expect(codeOf(await ready)).toBe('CLIENT_CLOSED/aborted')
  expect(await run(next)).toEqual({ done: true, value: undefined })
  // No server was told of the end: the session ends at its time-out.
  await pass(2 * SESSION_TIMEOUT_MS)
  expect(await closeAll(rig, client)).toEqual([])
})
