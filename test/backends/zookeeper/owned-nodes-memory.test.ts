/** The nodes that a session owns: for how long it remembers them, and when it need not look at them. */
import { afterEach, expect, it, vi } from 'vitest'
import type { PlainRequests } from '../../../src/backends/client/dialect.ts'
import { ZooKeeperDialect } from '../../../src/backends/zookeeper/dialect.ts'
import { OwnedNodes } from '../../../src/backends/zookeeper/owned-nodes.ts'
import { OPEN_ACL } from '../../../src/backends/wire/records.ts'
import type { Operation, Session } from '../../../src/core/backend.ts'
import { CoordinationError } from '../../../src/core/errors.ts'
import { modelBackend } from '../../../src/testing/index.ts'
import { openSession } from '../../support/model-sessions.ts'

const DATA = Uint8Array.of(7)
const OWN = { mode: 'ephemeral-sequential', owned: true } as const
const CYCLES = 50

interface Made {
  readonly path: string
  readonly czxid: bigint
}

interface Scene {
  readonly dialect: ZooKeeperDialect
  readonly other: Session
  /** The paths that were looked at since. */
  readonly looks: readonly string[]
  /** Which of these nodes the session remembers. */
  remembered(nodes: readonly Made[]): string[]
}

afterEach(() => {
  vi.restoreAllMocks()
})

/** Answers as ZooKeeper does, as far as the dialect asks: nobody may write the servers' configuration. */
function requestsOf(session: Session, given: Pick<PlainRequests, 'watchOn'>, seen: string[]): PlainRequests {
  const refusedTrial = (): CoordinationError => {
    return new CoordinationError('NO_AUTH', 'nobody may', { outcome: 'rejected', index: 3 })
  }
  return {
    acl: OPEN_ACL,
    isAnonymous: true,
    create: (path, data, options) => session.create(path, data, options),
    exists: (path) => {
      seen.push(path)
      return session.exists(path)
    },
    set: (path, data, version) => session.set(path, data, version),
    delete: (path, version) => session.delete(path, version),
    multi: (operations) => {
      const isTrial = operations.some(({ path }) => path === '/zookeeper/config')
      return isTrial ? Promise.reject(refusedTrial()) : session.multi(operations)
    },
    sync: (path) => session.sync(path),
    ...given,
    introduce: () => undefined,
  }
}

function removal({ path, czxid }: Made): Operation[] {
  return [{ type: 'check', path, version: -1, czxid }, { type: 'delete', path, version: -1 }]
}

async function scene(watchOn: PlainRequests['watchOn'] = () => 'none'): Promise<Scene> {
  const backend = modelBackend()
  const [session, other] = [await openSession(backend), await openSession(backend)]
  const plan = vi.spyOn(OwnedNodes.prototype, 'plan')
  const looks: string[] = []
  const requests = requestsOf(session, { watchOn }, looks)
  const dialect = new ZooKeeperDialect(requests, requests, { isRefused: false })
  await session.create('/p', DATA, { mode: 'persistent' })
  const first = await acquired(dialect)
  await dialect.multi(removal(first))
  const owned = plan.mock.contexts[0]
  if (!(owned instanceof OwnedNodes)) throw new Error('the dialect plans by what it owns')
  const remembered = (nodes: readonly Made[]): string[] => {
    return nodes.filter((node) => owned.plan(removal(node)) !== null).map(({ path }) => path)
  }
  looks.length = 0
  return { dialect, other, looks, remembered }
}

/** The node of a lease. */
async function acquired(dialect: ZooKeeperDialect): Promise<Made> {
  const { path, stat } = await dialect.create('/p/n-', DATA, OWN)
  return { path, czxid: stat.czxid }
}

async function acquiredMany(dialect: ZooKeeperDialect): Promise<Made[]> {
  const nodes: Made[] = []
  for (let cycle = 0; cycle < CYCLES; cycle++) nodes.push(await acquired(dialect))
  return nodes
}

it('of many leases that were released none is remembered, and the one that is held is', async () => {
  const { dialect, remembered } = await scene()
  const held = await acquired(dialect)
  const nodes = await acquiredMany(dialect)
  expect(remembered([held, ...nodes])).toHaveLength(1 + CYCLES)
  for (const node of nodes) await dialect.multi(removal(node))
  expect(remembered([held, ...nodes])).toEqual([held.path])
})

it('of nodes that others have deleted none is remembered, once a release has found it gone', async () => {
  const { dialect, other, remembered } = await scene()
  const nodes = await acquiredMany(dialect)
  for (const { path } of nodes) await other.delete(path, -1)
  for (const node of nodes) {
    await expect(dialect.multi(removal(node))).rejects.toMatchObject({ code: 'NO_NODE', index: 0 })
  }
  expect(remembered(nodes)).toEqual([])
})

it('of nodes in whose place another has made its own none is remembered', async () => {
  const { dialect, other, remembered } = await scene()
  const nodes = await acquiredMany(dialect)
  for (const { path } of nodes) {
    await other.delete(path, -1)
    await other.create(path, DATA, { mode: 'ephemeral' })
  }
  for (const node of nodes) {
    await expect(dialect.multi(removal(node))).rejects.toMatchObject({ code: 'BAD_VERSION', index: 0 })
  }
  expect(remembered(nodes)).toEqual([])
})

it('a node that is only changed stays remembered', async () => {
  const { dialect, remembered } = await scene()
  const node = await acquired(dialect)
  const set: Operation = { type: 'set', path: node.path, data: DATA, version: 0 }
  const [check] = removal(node)
  if (check !== undefined) await dialect.multi([check, set])
  expect(remembered([node])).toEqual([node.path])
})

it.each(['stands', 'coming'] as const)('a node whose watch %s is not looked at where nobody creates', async (watch) => {
  const { dialect, other, looks } = await scene(() => watch)
  const nodes = await acquiredMany(dialect)
  for (const node of nodes) expect(await dialect.multi(removal(node))).toHaveLength(2)
  expect([looks, (await other.children('/p')).names]).toEqual([[], []])
})

it('leaves alone what anybody has put in the place of a node that was not looked at', async () => {
  let isHeard = false
  const { dialect, other } = await scene(() => {
    // The event that tells of the other node is on its way, and comes before the refusal.
    const watch = isHeard ? 'none' : 'stands'
    isHeard = true
    return watch
  })
  isHeard = false
  const { path, czxid } = await acquired(dialect)
  await other.delete(path, -1)
  await other.create(path, DATA, { mode: 'ephemeral' })
  await expect(dialect.multi(removal({ path, czxid }))).rejects.toMatchObject({ code: 'BAD_VERSION', index: 0 })
  expect((await other.exists(path))?.ephemeralOwner).toBe(other.id)
})

it.each(['none', 'coming'] as const)('is looked at where others create beside it, with watch %s', async (watch) => {
  const { dialect, other, looks } = await scene(() => watch)
  const { path, czxid } = await acquired(dialect)
  await other.create('/p/beside-', DATA, { mode: 'ephemeral-sequential' })
  await dialect.multi(removal({ path, czxid }))
  expect(looks).toContain(path)
  expect(await other.exists(path)).toBeNull()
})

it('is not looked at where others create beside it, if its watch stands', async () => {
  const { dialect, other, looks } = await scene(() => 'stands')
  const { path, czxid } = await acquired(dialect)
  await other.create('/p/beside-', DATA, { mode: 'ephemeral-sequential' })
  await dialect.multi(removal({ path, czxid }))
  expect([looks, await other.exists(path)]).toEqual([[], null])
})
