/**
 * Failures of the caches, configuration and membership of others, each as a test that would have caught it.
 * The names say whose report it was.
 */
import { expect, it } from 'vitest'
import type { Client } from '../../src/core/client.ts'
import { ConfigCenter } from '../../src/recipes/config/config-center.ts'
import { ConfigTree } from '../../src/recipes/config/config-tree.ts'
import { GroupMembership } from '../../src/recipes/membership/group-membership.ts'
import { Mirror } from '../../src/recipes/engine/mirror.ts'
import { ROUND_TRIP_MS, SESSION_TIMEOUT_MS, closeAll, codeOf, ephemerals, failureOf } from './rig.ts'
import { newRig, nodesUnder } from './rig.ts'
import type { Rig } from './rig.ts'
import { pass, run, sessionOf, strike, useVirtualTime } from './rig.ts'

useVirtualTime()

const PATH = '/groups/workers'
const CONFIG = '/config'
const SETTLE_MS = 20 * ROUND_TRIP_MS

it('CURATOR-495: a listener that never ends or throws holds up no other, and no reading', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = new ConfigCenter<number>(client, CONFIG)
  const seen: unknown[] = []
  config.subscribe(() => new Promise<void>(() => undefined))
  config.subscribe(() => {
    throw new Error('mine')
  })
  config.subscribe(({ value }) => void seen.push(value))
  for (const value of [1, 2]) {
    await run(config.publish(value))
    await pass(SETTLE_MS)
  }
  expect(seen).toEqual([undefined, 1, 2])
  expect(await run(config.get())).toBe(2)
  const told = `Error: a listener of ConfigCenter on ${CONFIG} threw: mine`
  expect(rig.errors.map(String)).toEqual([told, told, told])
  expect(await closeAll(rig, client)).toEqual([])
})

it('kazoo#151, kazoo#218: what changes while a change is being read is not missed', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [writer, reader] = [new ConfigCenter<number>(a, CONFIG), new ConfigCenter<number>(b, CONFIG)]
  const seen: number[] = []
  reader.subscribe(({ value }) => void seen.push(value ?? 0))
  await run(reader.ready())
  for (let value = 1; value <= 40; value += 1) {
    await run(writer.publish(value))
    await pass(value % 7)
  }
  await pass(SETTLE_MS)
  expect(seen.at(-1)).toBe(40)
  expect(seen).toEqual([...seen].sort((x, y) => x - y))
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('slackhq/astra#39, pulsar#20405: what is read after a gap is marked, and stale before', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [writer, reader] = [new ConfigTree<number>(a, CONFIG), new ConfigTree<number>(b, CONFIG)]
  await run(writer.publish('x', 1))
  await run(reader.ready())
  await pass(SETTLE_MS)
  const resyncs: unknown[] = []
  reader.subscribe(
    ({ changed, removed, resync }) => void resyncs.push([changed, removed, resync]),
    { emitInitial: false },
  )
  rig.control.refuseOpens(true)
  rig.control.expire(sessionOf(b))
  await pass(10)
  await run(writer.publish('y', 2))
  await run(writer.remove('x'))
  expect(reader.stale).toBe(true)
  expect(reader.get('x')).toBe(1)
  rig.control.refuseOpens(false)
  await pass(10_000)
  expect(resyncs).toEqual([[['y'], ['x'], true]])
  expect(reader.stale).toBe(false)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('CURATOR-391: a value that is deleted and written again with the same version is told', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(a.create(CONFIG, '1'))
  const config = new ConfigCenter<number>(b, CONFIG)
  await run(config.ready())
  const seen: unknown[] = []
  config.subscribe(({ value, version }) => void seen.push([value, version]), { emitInitial: false })
  await run(Promise.all([a.delete(CONFIG), a.create(CONFIG, '2')]))
  await pass(SETTLE_MS)
  expect(seen).toEqual([[2, 0]])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('CURATOR-319: reading makes no node, and brings none back that was deleted', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const tree = new ConfigTree<number>(client, CONFIG)
  await run(tree.publish('x', 1))
  const group = new GroupMembership(client, PATH)
  group.subscribe(() => undefined)
  await pass(SETTLE_MS)
  await run(client.delete(`${CONFIG}/x`))
  await run(client.delete(CONFIG))
  await pass(SETTLE_MS)
  expect(rig.control.nodes().map(({ path }) => path)).toEqual(['/'])
  expect(await closeAll(rig, client)).toEqual([])
})

it('CURATOR-476: a mirror is ready though nodes vanish while it reads them first', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(a.makePath(CONFIG, { mode: 'persistent' }))
  for (const name of ['x', 'y', 'z']) await run(a.create(`${CONFIG}/${name}`, name))
  const session = sessionOf(b)
  strike(rig, { delayMs: 100 }, ({ kind, path, sessionId }) => {
    const isChild = kind === 'get' && sessionId === session && path === `${CONFIG}/x`
    if (isChild) for (const name of ['x', 'y', 'z']) void a.delete(`${CONFIG}/${name}`)
    return isChild
  })
  const mirror = new Mirror(b, CONFIG, Infinity)
  const first = await run(mirror.ready())
  expect([...first.nodes.keys()]).toEqual([''])
  await run(mirror.close())
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('CURATOR-191: a slow answer does not put an older value in place of a newer one', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const config = new ConfigCenter<number>(b, CONFIG)
  await run(config.ready())
  const seen: unknown[] = []
  config.subscribe(({ zxid }) => void seen.push(zxid), { emitInitial: false })
  const session = sessionOf(b)
  for (let nth = 1; nth < 6; nth += 2) {
    strike(rig, { delayMs: 37 }, ({ kind, sessionId }) => kind === 'get' && sessionId === session, nth)
  }
  const writer = new ConfigCenter<number>(a, CONFIG)
  for (let value = 0; value < 10; value += 1) await run(writer.publish(value))
  await pass(SETTLE_MS)
  expect(seen).toEqual([...seen].sort((x, y) => Number((x as bigint) - (y as bigint))))
  expect(config.current).toBe(9)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('CURATOR-240, kazoo#175: what is closed leaves no watch, not even one of a read that was under way', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(client.makePath(CONFIG, { mode: 'persistent' }))
  for (let afterMs = 0; afterMs < 4 * ROUND_TRIP_MS; afterMs += 5) {
    const tree = new ConfigTree<number>(client, CONFIG)
    await pass(afterMs)
    await run(tree.close())
    await pass(SETTLE_MS)
    expect(rig.control.watchCount()).toBe(0)
  }
  expect(await closeAll(rig, client)).toEqual([])
})

it('CURATOR-584: a publish whose reply was lost is neither refused for its own version nor done twice', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = new ConfigCenter<number>(client, CONFIG)
  await run(config.publish(1))
  const fates = ['lose-after', 'lose-before', 'expire-after', 'expire-before'] as const
  for (const [index, fate] of fates.entries()) {
    const value = index + 2
    const session = sessionOf(client)
    const struck = strike(rig, fate, ({ kind, sessionId }) => kind === 'multi' && sessionId === session)
    expect(await run(config.publish(value))).toMatchObject({ version: value - 1 })
    expect(struck.isMet).toBe(true)
    await pass(5_000)
  }
  const session = sessionOf(client)
  strike(rig, 'lose-after', ({ kind, sessionId }) => kind === 'set' && sessionId === session)
  expect(await run(config.publish(6, { force: true }))).toMatchObject({ version: 5 })
  expect(await closeAll(rig, client)).toEqual([])
})

it('helix#962, jute.maxbuffer: a value that is too large is refused here, and the session lives on', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = new ConfigCenter<string>(client, CONFIG)
  const session = sessionOf(client)
  await run(config.ready())
  expect(codeOf(await failureOf(config.publish('x'.repeat(2_000_000))))).toBe('PAYLOAD_TOO_LARGE/not-sent')
  await run(config.publish('x'))
  expect(client.sessionId).toBe(session)
  expect(await closeAll(rig, client)).toEqual([])
})

/** A node under a member's path that carries the member's own mark, but belongs to another session. */
async function leaveOlderNode(rig: Rig, client: Client, older: Client, path: string): Promise<void> {
  const { data } = await run(client.get(path))
  rig.control.refuseOpens(true)
  rig.control.expire(sessionOf(client))
  await run(older.create(path, data, { mode: 'ephemeral' }))
}

it('dubbo#5125: a node that our older session left is replaced at once; others see an update, no leave', async () => {
  const rig = newRig()
  const [client, older, other] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const member = await run(new GroupMembership<string>(client, PATH).join('w1', { data: 'mine' }))
  await leaveOlderNode(rig, client, older, member.path)
  const changes: string[][] = []
  new GroupMembership<string>(other, PATH).subscribe(({ joined, left, updated }) => {
    changes.push([joined, left, updated].map((list) => list.map(({ id }) => id).join()))
  })
  await pass(SETTLE_MS)
  const before = (await run(new GroupMembership<string>(other, PATH).members()))[0]
  rig.control.refuseOpens(false)
  await pass(10_000)
  expect(member.state).toBe('joined')
  expect(rig.control.requestCount({ kind: 'multi' })).toBe(1)
  expect(member.incarnation).toBeGreaterThan(before?.incarnation ?? 0n)
  expect(changes).toEqual([['w1', '', ''], ['', '', 'w1']])
  rig.control.expire(sessionOf(older))
  await pass(SETTLE_MS)
  expect(member.state).toBe('joined')
  expect(await closeAll(rig, client, older, other)).toEqual([])
})

it('KAFKA-7165: a registration is back after an expiry, over a lost reply to the replacement too', async () => {
  for (const fate of ['lose-before', 'lose-after'] as const) {
    const rig = newRig()
    const [client, older] = [await rig.connect(), await rig.connect()]
    const member = await run(new GroupMembership<string>(client, PATH).join('w1', { data: 'mine' }))
    await leaveOlderNode(rig, client, older, member.path)
    const struck = strike(rig, fate, ({ kind }) => kind === 'multi')
    rig.control.refuseOpens(false)
    await pass(10_000)
    expect([struck.isMet, member.state]).toEqual([true, 'joined'])
    const nodes = rig.control.nodes().filter(({ path }) => path === member.path)
    expect(nodes).toEqual([{ path: member.path, ephemeralOwner: sessionOf(client) }])
    expect(await closeAll(rig, client, older)).toEqual([])
  }
})

it('PersistentNode: the node of another is neither adopted nor overwritten nor deleted', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const theirs = await run(new GroupMembership<string>(b, PATH).join('w1', { data: 'theirs' }))
  const before = await run(b.get(theirs.path))
  const session = sessionOf(a)
  for (const fate of [undefined, 'lose-before', 'lose-after'] as const) {
    if (fate !== undefined) strike(rig, fate, ({ kind, sessionId }) => kind === 'create' && sessionId === session)
    const stop = new AbortController()
    const joining = new GroupMembership<string>(a, PATH).join('w1', { data: 'mine', signal: stop.signal })
    joining.catch(() => undefined)
    await pass(ROUND_TRIP_MS / 2)
    if (fate === 'lose-after') stop.abort()
    expect(codeOf(await failureOf(joining))).toMatch(/^(MEMBER_EXISTS|ABORTED)/)
    await pass(SETTLE_MS)
    expect(await run(b.get(theirs.path))).toEqual(before)
  }
  expect(theirs.state).toBe('joined')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('CURATOR-506: a member that leaves deletes its own node and no parent', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const [first, second] = [new GroupMembership(a, PATH), new GroupMembership(b, PATH)]
  const member = await run(first.join('w1'))
  await run(member.leave())
  expect(rig.control.nodes().map(({ path }) => path)).toEqual(['/', '/groups', PATH])
  await run(second.join('w2'))
  expect(nodesUnder(rig, PATH)).toEqual([`${PATH}/w2`])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('GroupMember.getCurrentMembers: nobody is listed who is not registered, not even oneself', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const group = new GroupMembership(client, PATH)
  strike(rig, { delayMs: 500 }, ({ kind, path }) => kind === 'create' && path.endsWith('w1'))
  const lists: string[][] = []
  group.subscribe(({ members }) => void lists.push(members.map(({ id }) => id)))
  const joining = group.join('w1')
  await pass(100)
  expect([lists, await run(group.members())]).toEqual([[[]], []])
  const member = await run(joining)
  await pass(SETTLE_MS)
  await run(member.leave())
  await pass(SETTLE_MS)
  expect(lists).toEqual([[], ['w1'], []])
  expect(await closeAll(rig, client)).toEqual([])
})

it('CURATOR-485: a member hears of its own fate and of the others as events', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const group = new GroupMembership<string>(client, PATH)
  const member = await run(group.join('w1', { data: 'a' }))
  const own: string[] = []
  const reading = (async () => {
    for await (const { state } of member.watch()) own.push(state)
  })()
  const stop = new AbortController()
  const seen: string[] = []
  const watching = (async () => {
    for await (const { joined, left, updated } of group.watch({ signal: stop.signal })) {
      seen.push(...joined.map(({ id }) => `+${id}`), ...left.map(({ id }) => `-${id}`))
      seen.push(...updated.map(({ id }) => `~${id}`))
    }
  })()
  await pass(SETTLE_MS)
  await run(member.update('b'))
  await pass(SETTLE_MS)
  rig.control.disconnect(sessionOf(client))
  await pass(500)
  rig.control.reconnect(sessionOf(client))
  await pass(SETTLE_MS)
  await run(member.leave())
  await run(reading)
  await pass(SETTLE_MS)
  stop.abort()
  expect(codeOf(await failureOf(watching))).toBe('ABORTED/aborted')
  expect(own).toEqual(['joined', 'suspect', 'joined', 'left'])
  expect(seen).toEqual(['+w1', '~w1', '-w1'])
  expect(await closeAll(rig, client)).toEqual([])
})

it('node-zookeeper-client#20: a member that is cut off knows by its own clock', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const member = await run(new GroupMembership(client, PATH).join('w1'))
  const { signal } = member
  rig.control.refuseOpens(true)
  rig.control.disconnect(sessionOf(client))
  await pass((SESSION_TIMEOUT_MS * 2) / 3 + 1)
  expect(signal.aborted).toBe(true)
  expect(ephemerals(rig)).toEqual([member.path])
  expect(member.state).toBe('rejoining')
  rig.control.refuseOpens(false)
  await pass(30_000)
  expect(member.state).toBe('joined')
  expect(await closeAll(rig, client)).toEqual([])
})
