/** The local copy: fresh, consistent, and clean when it ends. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { Mirror } from '../../../src/recipes/engine/mirror.ts'
import type { MirrorSnapshot } from '../../../src/recipes/engine/mirror.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, failureOf, interrupt, newRig } from '../rig.ts'
import { pass, run, sessionOf, strike, sweepOf, useVirtualTime } from '../rig.ts'
import type { Rig } from '../rig.ts'

useVirtualTime()

const PATH = '/app'
const SETTLE_MS = 20 * ROUND_TRIP_MS

function contentOf(snapshot: MirrorSnapshot | undefined): Record<string, string> | null {
  if (snapshot === undefined) return null
  const entries = [...snapshot.nodes].map(([key, { data }]) => [key, new TextDecoder().decode(data)] as const)
  return Object.fromEntries(entries)
}

async function make(client: Client, ...paths: string[]): Promise<void> {
  for (const path of paths) await run(client.create(path, path))
}

it('of depth 0 follows a node over creation, change and deletion', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const mirror = new Mirror(b, PATH, 0)
  await run(mirror.ready())
  expect(contentOf(mirror.snapshot)).toEqual({})
  await run(a.create(PATH, 'one'))
  await run(a.create(`${PATH}/child`, 'no part of it'))
  await pass(SETTLE_MS)
  expect(contentOf(mirror.snapshot)).toEqual({ '': 'one' })
  await run(a.set(PATH, 'two'))
  await pass(SETTLE_MS)
  expect(contentOf(mirror.snapshot)).toEqual({ '': 'two' })
  await run(a.delete(`${PATH}/child`))
  await run(a.delete(PATH))
  await pass(SETTLE_MS)
  expect(contentOf(mirror.snapshot)).toEqual({})
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('is settled while nothing that it holds is known to have changed, and says when it is again', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, '/other')
  const mirror = new Mirror(b, PATH, 0)
  expect(mirror.isSettled).toBe(false)
  await run(mirror.settled())
  expect(contentOf(mirror.snapshot)).toEqual({ '': PATH })
  expect(mirror.isSettled).toBe(true)
  await run(a.set(PATH, 'two'))
  await run(a.set('/other', 'later'))
  // Whoever has read the later change knows that the mirror has the earlier one still to read.
  await run(b.get('/other'))
  await run(mirror.settled())
  expect(contentOf(mirror.snapshot)).toEqual({ '': 'two' })
  const change = a.set(PATH, 'three')
  await pass(ROUND_TRIP_MS + 1)
  expect(mirror.isSettled).toBe(false)
  await change
  const settled = mirror.settled()
  await mirror.close()
  await run(settled)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('of depth 1 follows a node and its children, and nothing below', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/x`, `${PATH}/x/deep`)
  const mirror = new Mirror(b, PATH, 1)
  await run(mirror.ready())
  expect(Object.keys(contentOf(mirror.snapshot) ?? {})).toEqual(['', 'x'])
  await make(a, `${PATH}/w`)
  await run(a.set(`${PATH}/x`, 'changed'))
  await run(a.set(`${PATH}/x/deep`, 'changed'))
  await pass(SETTLE_MS)
  expect(contentOf(mirror.snapshot)).toEqual({ '': PATH, w: `${PATH}/w`, x: 'changed' })
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('of a subtree follows every level, and reads only what has changed', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/x`, `${PATH}/x/1`, `${PATH}/x/2`, `${PATH}/y`, `${PATH}/y/1`)
  const mirror = new Mirror(b, PATH, Infinity)
  await run(mirror.ready())
  expect(Object.keys(contentOf(mirror.snapshot) ?? {})).toEqual(['', 'x', 'x/1', 'x/2', 'y', 'y/1'])
  rig.control.resetCounts()
  await run(a.set(`${PATH}/x/2`, 'changed'))
  await pass(SETTLE_MS)
  expect(contentOf(mirror.snapshot)?.['x/2']).toBe('changed')
  expect(rig.control.requestCount({ sessionId: sessionOf(b) })).toBe(1)
  await run(a.delete(`${PATH}/y/1`))
  await run(a.delete(`${PATH}/y`))
  await make(a, `${PATH}/x/3`, `${PATH}/x/3/1`)
  await pass(SETTLE_MS)
  expect(Object.keys(contentOf(mirror.snapshot) ?? {})).toEqual(['', 'x', 'x/1', 'x/2', 'x/3', 'x/3/1'])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('of depth 1 follows a root that is gone and back, wherever its reads fall in between', async () => {
  const gaps = [0, 1, 2, 3, 4, 5, 6].map((quarters) => (quarters * ROUND_TRIP_MS) / 4)
  for (const [beforeGone, beforeBack] of gaps.flatMap((gone) => gaps.map((back) => [gone, back] as const))) {
    const rig = newRig()
    const [a, b] = [await rig.connect(), await rig.connect()]
    await make(a, PATH, `${PATH}/x`)
    const mirror = new Mirror(b, PATH, 1)
    await run(mirror.ready())
    const writes: Promise<unknown>[] = [a.delete(`${PATH}/x`)]
    await pass(beforeGone)
    writes.push(a.delete(PATH))
    await pass(beforeBack)
    writes.push(a.create(PATH, PATH), a.create(`${PATH}/y`, 'new'))
    await run(Promise.all(writes))
    await pass(SETTLE_MS)
    const gapsOfThis = `${beforeGone} and ${beforeBack} ms apart`
    expect([gapsOfThis, contentOf(mirror.snapshot)]).toEqual([gapsOfThis, { '': PATH, y: 'new' }])
    expect(await closeAll(rig, a, b)).toEqual([])
  }
})

/** Makes the next read of the root by a client arrive so much later that others can write in front of it. */
function holdUpNextGet(rig: Rig, client: Client): void {
  const session = sessionOf(client)
  strike(rig, { delayMs: SETTLE_MS }, ({ kind, path, sessionId }) => {
    return kind === 'get' && path === PATH && sessionId === session
  })
}

it('of depth 1 lists a root that was away, came, went before its list was read, and came before it was', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const mirror = new Mirror(b, PATH, 1)
  await run(mirror.ready())
  holdUpNextGet(rig, b)
  const writes: Promise<unknown>[] = [a.create(PATH, 'first'), a.delete(PATH)]
  await pass(2 * ROUND_TRIP_MS)
  writes.push(a.create(PATH, 'second'))
  await run(Promise.all(writes))
  await pass(2 * SETTLE_MS)
  await make(a, `${PATH}/x`)
  await pass(SETTLE_MS)
  expect(contentOf(mirror.snapshot)).toEqual({ '': 'second', x: `${PATH}/x` })
  expect(await closeAll(rig, a, b)).toEqual([])
})

/** A client that hands out its lists later than the data that it has read after them. */
function withLateLists(client: Client, lateMs: number): Client {
  const late = async (...args: Parameters<Client['children']>): ReturnType<Client['children']> => {
    try {
      return await client.children(...args)
    } finally {
      await new Promise((resolve) => setTimeout(resolve, lateMs))
    }
  }
  return new Proxy(client, {
    get: (_, name: keyof Client) => {
      if (name === 'children') return late
      const value: unknown = client[name]
      return typeof value === 'function' ? value.bind(client) as unknown : value
    },
  })
}

it('of depth 1 lists a root that came back, also if it hears of the root before it hears of no list', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH)
  const mirror = new Mirror(withLateLists(b, 3 * SETTLE_MS), PATH, 1)
  await run(mirror.ready())
  holdUpNextGet(rig, b)
  const writes: Promise<unknown>[] = [a.delete(PATH)]
  await pass(2 * ROUND_TRIP_MS)
  writes.push(a.create(PATH, 'second'))
  await run(Promise.all(writes))
  await pass(10 * SETTLE_MS)
  await make(a, `${PATH}/x`)
  await pass(10 * SETTLE_MS)
  expect(contentOf(mirror.snapshot)).toEqual({ '': 'second', x: `${PATH}/x` })
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('publishes only states that existed, though it reads them in parts', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/left`, `${PATH}/right`)
  const mirror = new Mirror(b, PATH, 1)
  const torn: unknown[] = []
  const seen: number[] = []
  mirror.feed.subscribe(PATH, ({ current }) => contentOf(current), (content) => {
    if (content['left']?.replace('left', '') !== content['right']?.replace('right', '')) torn.push(content)
    seen.push(seen.length)
  })
  const set = (path: string, text: string) =>
    ({ type: 'set', path, data: new TextEncoder().encode(path + text), version: -1 }) as const
  const writes: Promise<unknown>[] = []
  for (let round = 0; round < 60; round += 1) {
    writes.push(a.multi([set(`${PATH}/left`, String(round)), set(`${PATH}/right`, String(round))]))
    await pass(round % 8)
  }
  await run(Promise.all(writes))
  await pass(SETTLE_MS)
  expect(torn).toEqual([])
  expect(seen.length).toBeGreaterThan(10)
  expect(contentOf(mirror.snapshot)?.['left']).toBe(`${PATH}/left59`)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('notices a node that was deleted and created again with the same version', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/x`)
  const mirror = new Mirror(b, PATH, 1)
  await run(mirror.ready())
  const before = mirror.snapshot?.nodes.get('x')
  await Promise.all([a.delete(`${PATH}/x`), a.create(`${PATH}/x`, `${PATH}/x`), pass(ROUND_TRIP_MS)])
  await pass(SETTLE_MS)
  const after = mirror.snapshot?.nodes.get('x')
  expect(after?.stat.version).toBe(before?.stat.version)
  expect(after).not.toBe(before)
  expect(after?.stat.czxid).toBeGreaterThan(before?.stat.czxid ?? 0n)
  await run(a.set(`${PATH}/x`, 'still watched'))
  await pass(SETTLE_MS)
  expect(contentOf(mirror.snapshot)?.['x']).toBe('still watched')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('finds a child again that was deleted before its first read and created before the next list', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/x`)
  const session = sessionOf(b)
  strike(rig, { delayMs: 50 }, ({ kind, path, sessionId }) => {
    const isFirstRead = kind === 'get' && path === `${PATH}/x` && sessionId === session
    if (isFirstRead) void a.delete(`${PATH}/x`)
    return isFirstRead
  })
  let lists = 0
  strike(rig, { delayMs: 50 }, ({ kind, sessionId }) => {
    const isSecondList = kind === 'children' && sessionId === session && ++lists === 2
    if (isSecondList) void a.create(`${PATH}/x`, 'again')
    return isSecondList
  })
  const mirror = new Mirror(b, PATH, 1)
  await pass(1_000)
  expect(lists).toBe(2)
  expect(contentOf(mirror.snapshot)).toEqual({ '': PATH, x: 'again' })
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('follows a subtree that is deleted whole and comes back', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const mirror = new Mirror(b, PATH, Infinity)
  for (let round = 0; round < 3; round += 1) {
    await make(a, PATH, `${PATH}/x`, `${PATH}/x/1`)
    await pass(SETTLE_MS)
    expect(Object.keys(contentOf(mirror.snapshot) ?? {})).toEqual(['', 'x', 'x/1'])
    for (const path of [`${PATH}/x/1`, `${PATH}/x`, PATH]) await run(a.delete(path))
    await pass(SETTLE_MS)
    expect(contentOf(mirror.snapshot)).toEqual({})
    expect(rig.control.watchCount()).toBe(1)
  }
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('reads everything again after a reconnect and says so, without arming watches twice', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/x`)
  const mirror = new Mirror(b, PATH, 1)
  await run(mirror.ready())
  const resyncs: boolean[] = []
  const push = ({ resync }: { resync: boolean }): void => void resyncs.push(resync)
  mirror.feed.subscribe(PATH, (delivery) => delivery, push, { emitInitial: false })
  const watches = rig.control.watchCount()
  const session = sessionOf(b)
  for (let round = 1; round <= 3; round += 1) {
    rig.control.disconnect(session)
    await pass(100)
    expect(mirror.stale).toBe(true)
    rig.control.reconnect(session)
    await pass(SETTLE_MS)
    expect(mirror.stale).toBe(false)
    expect(resyncs).toEqual(Array.from({ length: round }, () => true))
    expect(rig.control.watchCount()).toBe(watches)
  }
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('goes on with the next session, missing nothing of what happened in between', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/x`, `${PATH}/y`)
  const mirror = new Mirror(b, PATH, 1)
  await run(mirror.ready())
  rig.control.refuseOpens(true)
  rig.control.expire(sessionOf(b))
  await pass(100)
  expect(mirror.stale).toBe(true)
  expect(Object.keys(contentOf(mirror.snapshot) ?? {})).toEqual(['', 'x', 'y'])
  await run(a.delete(`${PATH}/y`))
  await run(a.set(`${PATH}/x`, 'new'))
  rig.control.refuseOpens(false)
  await pass(10_000)
  expect(contentOf(mirror.snapshot)).toEqual({ '': PATH, x: 'new' })
  await run(a.set(`${PATH}/x`, 'newer'))
  await pass(SETTLE_MS)
  expect(contentOf(mirror.snapshot)?.['x']).toBe('newer')
  expect(await closeAll(rig, a, b)).toEqual([])
})

const SWEEP = sweepOf(14)

it.each(SWEEP)('converges with $what at its request $nth', async ({ fate, nth }) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await make(a, PATH, `${PATH}/x`)
  const session = sessionOf(b)
  strike(rig, fate, (request) => request.sessionId === session && request.kind !== 'close', nth)
  const mirror = new Mirror(b, PATH, Infinity)
  await pass(3)
  await make(a, `${PATH}/x/1`, `${PATH}/y`)
  await run(a.delete(`${PATH}/x/1`))
  await run(a.set(`${PATH}/x`, 'last'))
  await pass(15_000)
  expect(contentOf(mirror.snapshot)).toEqual({ '': PATH, x: 'last', y: `${PATH}/y` })
  expect(mirror.stale).toBe(false)
  await run(a.set(`${PATH}/y`, 'watched'))
  await pass(5_000)
  expect(contentOf(mirror.snapshot)?.['y']).toBe('watched')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('closed leaves no watch, and ends whoever waits for it', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await make(client, PATH, `${PATH}/x`)
  const mirror = new Mirror(client, PATH, Infinity)
  await run(mirror.ready())
  expect(rig.control.watchCount()).toBeGreaterThan(0)
  await run(mirror.close())
  await run(mirror.close())
  await pass(ROUND_TRIP_MS)
  expect(rig.control.watchCount()).toBe(0)
  const second = new Mirror(client, PATH, 0)
  const waiting = second.ready()
  waiting.catch(() => undefined)
  await run(second.close())
  expect(codeOf(await failureOf(waiting))).toBe('CLIENT_CLOSED/aborted')
  await pass(ROUND_TRIP_MS * 2)
  expect(rig.control.watchCount()).toBe(0)
  expect(await closeAll(rig, client)).toEqual([])
})

it('closed while it finds that there is no root leaves no watch', async () => {
  const rig = newRig()
  const client = await rig.connect()
  for (let beforeMs = 0; beforeMs <= 3 * ROUND_TRIP_MS; beforeMs += 1) {
    const mirror = new Mirror(client, '/not/there', 1)
    await pass(beforeMs)
    await run(mirror.close())
    await pass(5 * ROUND_TRIP_MS)
    expect([beforeMs, rig.control.watchCount()]).toEqual([beforeMs, 0])
  }
  expect(await closeAll(rig, client)).toEqual([])
})

it('never writes', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const mirror = new Mirror(client, '/not/there', Infinity)
  await run(mirror.ready())
  await interrupt(rig, client, 100)
  rig.control.expire(sessionOf(client))
  await pass(SETTLE_MS)
  expect(rig.control.nodes().map(({ path }) => path)).toEqual(['/'])
  for (const kind of ['create', 'set', 'delete', 'multi'] as const) expect(rig.control.requestCount({ kind })).toBe(0)
  expect(await closeAll(rig, client)).toEqual([])
})
