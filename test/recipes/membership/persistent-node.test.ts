/** A node with exactly its data, kept over everything that may happen to it. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { pendingCleanups } from '../../../src/recipes/engine/cleanups.ts'
import { lossReason } from '../../../src/recipes/engine/ownership.ts'
import { PersistentNode } from '../../../src/recipes/membership/persistent-node.ts'
import { ROUND_TRIP_MS, SESSION_TIMEOUT_MS, closeAll, codeOf, ephemerals, failureOf, newRig, strike } from '../rig.ts'
import { interrupt, pass, run, sessionOf, sweepOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/nodes/one'
const SETTLE_MS = 20 * ROUND_TRIP_MS
const SWEEP = sweepOf(10)

async function textAt(client: Client, path = PATH): Promise<string> {
  return new TextDecoder().decode((await run(client.get(path))).data)
}

it('holds exactly the given bytes, which the caller may go on with', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const bytes = Uint8Array.of(0, 255, 10)
  const opening = PersistentNode.open(client, PATH, bytes)
  bytes.fill(7)
  const node = await run(opening)
  expect((await run(client.get(PATH))).data).toEqual(Uint8Array.of(0, 255, 10))
  await run(node.set(''))
  expect((await run(client.get(PATH))).data).toEqual(new Uint8Array())
  expect(await closeAll(rig, client)).toEqual([])
})

it('is made in one round trip', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(client.makePath('/nodes'))
  const startMs = performance.now()
  await run(PersistentNode.open(client, PATH, 'data'))
  expect(performance.now() - startMs).toBe(ROUND_TRIP_MS)
  expect(await closeAll(rig, client)).toEqual([])
})

it("refuses another's node, also a persistent one with the same data, and waits for it with waitMs", async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(b.makePath('/nodes'))
  await run(b.create(PATH, 'data'))
  expect(codeOf(await failureOf(PersistentNode.open(a, PATH, 'data')))).toBe('NODE_EXISTS/rejected')
  expect(codeOf(await failureOf(PersistentNode.open(a, PATH, 'data', { waitMs: 100 })))).toBe('NODE_EXISTS/rejected')
  const opening = PersistentNode.open(a, PATH, 'ours', { waitMs: 60_000 })
  await pass(SETTLE_MS)
  await run(b.delete(PATH))
  expect((await run(opening)).state).toBe('registered')
  expect(await textAt(b)).toBe('ours')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('tells what becomes of it, and gives a new signal with each creation', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const node = await run(PersistentNode.open(client, PATH, 'data'))
  const told: [string, boolean][] = []
  node.subscribe(({ state, remade }) => void told.push([state, remade]))
  await pass(SETTLE_MS)
  const { signal, incarnation } = node
  rig.control.refuseOpens(true)
  rig.control.expire(sessionOf(client))
  await pass(100)
  expect([lossReason(signal), node.state]).toEqual(['session-expired', 'registering'])
  rig.control.refuseOpens(false)
  await pass(10_000)
  expect(node.signal).not.toBe(signal)
  expect(node.incarnation).toBeGreaterThan(incarnation)
  await run(node.close())
  await pass(SETTLE_MS)
  expect(told).toEqual([['registered', false], ['registering', false], ['registered', true], ['withdrawn', false]])
  expect(await closeAll(rig, client)).toEqual([])
})

it('replaces the node of its older session in one step, so that a watcher sees no gap', async () => {
  const rig = newRig()
  const [client, watcher] = [await rig.connect(), await rig.connect()]
  const node = await run(PersistentNode.open(client, PATH, 'data'))
  const seen: boolean[] = []
  const look = async (): Promise<void> => {
    const stat = await watcher.exists(PATH, { watch: () => void look() })
    seen.push(stat !== null)
  }
  await run(look())
  // The client takes its session for over while the servers still have it.
  const session = sessionOf(client)
  rig.control.disconnect(session)
  await pass(2 * SESSION_TIMEOUT_MS)
  rig.control.reconnect(session)
  await pass(SESSION_TIMEOUT_MS)
  expect([node.state, await textAt(watcher)]).toEqual(['registered', 'data'])
  expect((await run(watcher.exists(PATH)))?.ephemeralOwner).toBe(sessionOf(client))
  expect(seen.at(-1)).toBe(true)
  expect(await closeAll(rig, client, watcher)).toEqual([])
})

it.each(SWEEP)('opens, stores and closes with $what at its request $nth', async ({ fate, nth }) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const session = sessionOf(a)
  const struck = strike(rig, fate, (request) => request.sessionId === session && request.kind !== 'close', nth)
  const opened = await run(PersistentNode.open(a, PATH, 'v1').catch((error: unknown) => error))
  if (!(opened instanceof PersistentNode)) {
    expect(codeOf(opened)).toMatch(/^SESSION_EXPIRED/)
    await pass(SETTLE_MS)
    expect([struck.isMet, ephemerals(rig)]).toEqual([true, []])
    expect(await closeAll(rig, a, b)).toEqual([])
    return
  }
  for (const data of ['v2', 'v3']) await run(opened.set(data))
  await pass(15_000)
  expect([opened.state, await textAt(b)]).toEqual(['registered', 'v3'])
  await run(opened.close())
  expect([opened.state, ephemerals(rig), pendingCleanups(a)]).toEqual(['withdrawn', [], 0])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(SWEEP)('is patient over $what at its request $nth, with queue-again', async ({ fate, nth }) => {
  const rig = newRig()
  const client = await rig.connect()
  strike(rig, fate, ({ kind }) => kind !== 'close', nth)
  const node = await run(PersistentNode.open(client, PATH, 'data', { onSessionLoss: 'queue-again' }))
  await pass(15_000)
  expect([node.state, await textAt(client)]).toEqual(['registered', 'data'])
  expect(await closeAll(rig, client)).toEqual([])
})

it('knows the node that a lost answer has made, and takes none that another handle of its client has', async () => {
  for (const lost of [1, 2]) {
    const rig = newRig()
    const client = await rig.connect()
    await run(client.makePath('/nodes'))
    strike(rig, 'lose-after', ({ kind }) => kind === 'create', lost)
    const opened = await run(Promise.allSettled(['a', 'b'].map((data) => PersistentNode.open(client, PATH, data))))
    const kept = opened.filter((result) => result.status === 'fulfilled').map(({ value }) => value)
    const refused = opened.filter((result) => result.status === 'rejected').map(({ reason }) => codeOf(reason))
    expect([kept.length, refused]).toEqual([1, ['NODE_EXISTS/rejected']])
    await pass(SETTLE_MS)
    expect(ephemerals(rig)).toEqual([PATH])
    await run(Promise.all(kept.map((node) => node.close())))
    expect(ephemerals(rig)).toEqual([])
    // The path is free for another handle then.
    await run(PersistentNode.open(client, PATH, 'c'))
    expect(await closeAll(rig, client)).toEqual([])
  }
})

it('does not take a node that another session has made while the answer to its create was lost', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(a.makePath('/nodes'))
  const session = sessionOf(a)
  strike(rig, 'lose-before', ({ kind, sessionId }) => kind === 'create' && sessionId === session)
  const opening = PersistentNode.open(a, PATH, 'same')
  opening.catch(() => undefined)
  await run(PersistentNode.open(b, PATH, 'same'))
  expect(codeOf(await failureOf(opening))).toBe('NODE_EXISTS/rejected')
  await pass(SETTLE_MS)
  expect((await run(a.exists(PATH)))?.ephemeralOwner).toBe(sessionOf(b))
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('aborted while it opens leaves nothing, whenever that is, also over a lost answer', async () => {
  for (let afterMs = 0; afterMs <= 8 * ROUND_TRIP_MS; afterMs += 5) {
    const rig = newRig()
    const client = await rig.connect()
    strike(rig, 'lose-after', ({ kind, path }) => kind === 'create' && path === PATH)
    const stop = new AbortController()
    const opening = PersistentNode.open(client, PATH, 'data', { signal: stop.signal })
    opening.catch(() => undefined)
    await pass(afterMs)
    stop.abort()
    const result = await run(opening.catch((error: unknown) => codeOf(error)))
    if (typeof result === 'string') expect(result).toBe('ABORTED/aborted')
    else await run(result.close())
    await pass(SETTLE_MS)
    expect(ephemerals(rig)).toEqual([])
    expect(await closeAll(rig, client)).toEqual([])
  }
})

it('ends lost when another has its path after a loss, and leaves that one alone', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const node = await run(PersistentNode.open(a, PATH, 'ours'))
  rig.control.refuseOpens(true)
  rig.control.expire(sessionOf(a))
  await run(PersistentNode.open(b, PATH, 'theirs'))
  rig.control.refuseOpens(false)
  const told: string[] = []
  const reading = (async () => {
    for await (const { state, error } of node.watch()) {
      told.push(error === undefined ? state : `${state} ${codeOf(error)}`)
    }
  })()
  await pass(10_000)
  await run(reading)
  expect(told.at(-1)).toBe('lost NODE_EXISTS/rejected')
  expect(codeOf(await failureOf(node.set('late')))).toBe('NODE_EXISTS/rejected')
  await run(node.close())
  expect(await textAt(b)).toBe('theirs')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('keeps its node over a connection that breaks, and ends lost with its client', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const node = await run(PersistentNode.open(client, PATH, 'data'))
  const { incarnation } = node
  await interrupt(rig, client, 1_000)
  expect([node.state, node.incarnation]).toEqual(['registered', incarnation])
  expect(await closeAll(rig, client)).toEqual([])
  expect(node.state).toBe('lost')
})
