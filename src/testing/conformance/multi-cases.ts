/**
 * Multi: all of it at one zxid, or none of it.
 */
import type { Operation, Session, Stat } from '../../core/backend.ts'
import { bytes, recorder, settle, text } from './case.ts'
import type { Case, BackendWorld } from './case.ts'
import { equal, ok, rejects } from './expect.ts'

const ROUNDS = 30

/** Cases about multi. */
export const multiCases: readonly Case<BackendWorld>[] = [
  {
    name: 'a multi answers each operation in order, all at one zxid',
    run: async (world) => {
      const session = await world.open()
      const [changed, gone] = [await world.node(session, 'changed'), await world.node(session, 'gone')]
      const results = await session.multi([
        create(world.path('n'), 'abc'),
        { type: 'set', path: changed, data: bytes('new'), version: 0 },
        { type: 'delete', path: gone, version: 0 },
        { type: 'check', path: world.path('n'), version: 0 },
      ])
      equal(results.map(({ type }) => type), ['create', 'set', 'delete', 'check'], 'types of the results')
      const [made, set] = results
      ok(made?.type === 'create' && set?.type === 'set', 'the first two results carry stats')
      equal(made.path, world.path('n'), 'path of the create')
      equal(set.stat.mzxid, made.stat.czxid, 'zxid of the set, as of the create')
      equal((await session.exists(world.base))?.pzxid, made.stat.czxid, 'pzxid of the parent')
      equal(await session.exists(made.path), made.stat, 'stat of the node that was made')
      equal(await session.exists(gone), null, 'exists of the node that was deleted')
    },
  },
  {
    name: 'later operations see what earlier ones did',
    run: async (world) => {
      const session = await world.open()
      const path = world.path('n')
      await session.multi([
        create(path, 'a'),
        create(`${path}/c`, ''),
        { type: 'set', path, data: bytes('b'), version: 0 },
        { type: 'check', path, version: 1 },
        { type: 'delete', path: `${path}/c`, version: 0 },
        { type: 'delete', path, version: 1 },
        create(path, 'again'),
      ])
      const { data, stat } = await session.get(path)
      equal([text(data), stat.version, stat.numChildren], ['again', 0, 0], 'data, version and children in the end')
    },
  },
  {
    name: 'a multi that is refused names the operation and leaves everything as it was',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n', 'old')
      await world.node(session, 'parent')
      await world.node(session, 'parent/c')
      const before = await snapshot(session, world.base)
      const start: readonly Operation[] = [
        create(world.path('new'), ''),
        { type: 'set', path, data: bytes('new'), version: 0 },
        { type: 'delete', path: world.path('parent/c'), version: -1 },
      ]
      const refusals = [
        ['NODE_EXISTS', create(path, '')],
        ['NO_NODE', create(world.path('missing/c'), '')],
        ['BAD_VERSION', { type: 'check', path, version: 0 }],
        ['NO_NODE', { type: 'check', path: world.path('missing'), version: -1 }],
        ['NO_NODE', { type: 'set', path: world.path('missing'), data: bytes(''), version: -1 }],
        ['BAD_VERSION', { type: 'delete', path, version: 7 }],
        ['NOT_EMPTY', { type: 'delete', path: world.base, version: -1 }],
      ] as const
      for (const [code, operation] of refusals) {
        const call = session.multi([...start, operation, create(world.path('behind'), '')])
        await rejects(call, { code, outcome: 'rejected', index: start.length }, `a multi with ${operation.type}`)
        equal(await snapshot(session, world.base), before, `everything after a refused ${operation.type}`)
      }
    },
  },
  {
    name: 'the first operation that is refused is the one that is named',
    run: async (world) => {
      const session = await world.open()
      const check = { type: 'check', path: world.path('missing'), version: -1 } as const
      await rejects(session.multi([check, check]), { code: 'NO_NODE', index: 0 }, 'a multi of two bad checks')
    },
  },
  {
    name: 'sequential nodes in a multi count on, and a refused multi does not count',
    run: async (world) => {
      const session = await world.open()
      const sequential = { ...create(world.path('s-'), ''), mode: 'persistent-sequential' } as const
      const check = { type: 'check', path: world.path('missing'), version: -1 } as const
      await rejects(session.multi([sequential, sequential, check]), { code: 'NO_NODE', index: 2 }, 'a bad multi')
      const results = await session.multi([sequential, create(world.path('plain'), ''), sequential])
      const paths = results.map((result) => (result.type === 'create' ? result.path : result.type))
      const expected = [world.path('s-0000000000'), world.path('plain'), world.path('s-0000000002')]
      equal(paths, expected, 'paths')
    },
  },
  {
    name: 'an ephemeral node made in a multi belongs to its session',
    run: async (world) => {
      const [owner, other] = [await world.open(), await world.open()]
      const [result] = await owner.multi([{ ...create(world.path('e'), ''), mode: 'ephemeral' }])
      ok(result?.type === 'create', 'the result is that of a create')
      equal(result.stat.ephemeralOwner, owner.id, 'owner')
      await owner.close()
      await settle(other)
      equal(await other.exists(result.path), null, 'exists after the close')
    },
  },
  {
    name: 'a multi of nothing is done and answers nothing',
    run: async (world) => {
      equal(await (await world.open()).multi([]), [], 'results')
    },
  },
  {
    name: 'the watches that a multi concerns fire in the order of its operations',
    run: async (world) => {
      const [watcher, writer] = [await world.open(), await world.open()]
      const [first, second] = [await world.node(writer, 'first'), await world.node(writer, 'second')]
      await watcher.sync(first)
      const { watch, events } = recorder()
      await watcher.get(first, watch)
      await watcher.get(second, watch)
      await writer.multi([
        { type: 'delete', path: second, version: -1 },
        { type: 'set', path: first, data: bytes('new'), version: -1 },
      ])
      await settle(watcher)
      const expected = [
        { type: 'deleted', path: second },
        { type: 'changed', path: first },
      ]
      equal(events, expected, 'events')
    },
  },
  {
    name: 'a check of a creation refuses a node that was made again at the path, and lets the one that is meant pass',
    run: async (world) => {
      const [owner, other] = [await world.open(), await world.open()]
      const path = await world.node(owner, 'n', 'first')
      const check = { type: 'check', path, version: -1, czxid: (await exists(owner, path)).czxid } as const
      const set: Operation = { type: 'set', path, data: bytes('mine'), version: -1 }
      const remove: Operation = { type: 'delete', path, version: -1 }
      const isAnother = { code: 'BAD_VERSION', index: 0 } as const
      await owner.multi([check, set])
      await owner.multi([{ ...check, version: 1 }, set])
      await rejects(owner.multi([{ ...check, version: 1 }]), isAnother, 'a check of an older version')
      await other.delete(path, -1)
      await rejects(owner.multi([check, remove]), { code: 'NO_NODE', index: 0 }, 'a delete while there is none')
      const again = await other.create(path, bytes('other'), { mode: 'ephemeral' })
      await rejects(owner.multi([check, remove]), isAnother, "the delete of another's node")
      await rejects(owner.multi([check, set]), isAnother, "the set of another's node")
      const { data, stat } = await other.get(path)
      equal([text(data), stat.czxid, stat.version], ['other', again.stat.czxid, 0], 'the node that was made again')
      const { czxid } = again.stat
      await other.multi([{ ...check, czxid }, remove, create(path, 'third')])
      await rejects(other.multi([{ ...check, czxid }]), isAnother, 'a check after a replacement')
      equal(text((await other.get(path)).data), 'third', 'the node that replaced it')
    },
  },
  {
    name: 'of a delete on condition of its creation and a replacement of the node, exactly one takes effect',
    run: async (world) => {
      const [owner, other] = [await world.open(), await world.open()]
      const path = world.path('raced')
      for (let round = 1; round <= ROUNDS; round++) {
        const { stat } = await owner.create(path, bytes('own'), { mode: 'ephemeral' })
        const replacing = other.multi([
          { type: 'delete', path, version: -1 },
          { type: 'create', path, data: bytes('other'), mode: 'ephemeral' },
        ])
        const deleting = owner.multi([
          { type: 'check', path, version: -1, czxid: stat.czxid },
          { type: 'delete', path, version: -1 },
        ])
        const [replaced, deleted] = await Promise.allSettled([replacing, deleting])
        const outcomes = [replaced.status, deleted.status].sort()
        equal(outcomes, ['fulfilled', 'rejected'], `outcomes of round ${String(round)}`)
        await other.sync(path)
        equal((await other.exists(path)) !== null, replaced.status === 'fulfilled', 'whether a node is there')
        if (replaced.status === 'fulfilled') await other.delete(path, -1)
      }
    },
  },
  {
    name: 'a node that replaced another in one multi is known by its own creation, whatever is written to it later',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n', 'first')
      const remove: Operation = { type: 'delete', path, version: -1 }
      for (const round of ['second', 'third']) {
        const before = await exists(session, path)
        await session.multi([remove, create(path, round)])
        const { czxid } = await exists(session, path)
        const check = { type: 'check', path, version: -1, czxid } as const
        await session.multi([check])
        await session.multi([check, { type: 'set', path, data: bytes('new'), version: 0 }, check])
        await session.set(path, bytes('newer'), 1)
        await session.multi([check])
        const stale = session.multi([{ ...check, czxid: before.czxid }, remove])
        await rejects(stale, { code: 'BAD_VERSION', index: 0 }, `a delete of what the ${round} one replaced`)
      }
      const { czxid } = await exists(session, path)
      const check = { type: 'check', path, version: -1, czxid } as const
      const born = session.multi([remove, create(path, 'fourth'), check])
      await rejects(born, { code: 'BAD_VERSION', index: 2 }, 'a check of what the multi itself has replaced')
      await session.multi([check, remove])
      equal(await session.exists(path), null, 'the node in the end')
    },
  },
  {
    name: 'nobody reads the first half of a multi without the second',
    run: async (world) => {
      const [writer, reader] = [await world.open(), await world.open()]
      const [first, second] = [await world.node(writer, 'first', '0'), await world.node(writer, 'second', '0')]
      await reader.sync(first)
      const numberAt = async (path: string): Promise<number> => Number(text((await reader.get(path)).data))
      for (let round = 1; round <= ROUNDS; round++) {
        const data = bytes(String(round))
        const written = writer.multi([
          { type: 'set', path: first, data, version: -1 },
          { type: 'set', path: second, data, version: -1 },
        ])
        await world.readUntil(async () => {
          const [seen, behind] = await Promise.all([numberAt(first), numberAt(second)])
          ok(behind >= seen, `whoever has read ${seen} in the first node reads no ${behind} in the second`)
          return seen === round
        })
        await written
      }
    },
  },
]

function create(path: string, data: string): Extract<Operation, { type: 'create' }> {
  return { type: 'create', path, data: bytes(data), mode: 'persistent' }
}

async function exists(session: Session, path: string): Promise<Stat> {
  const stat = await session.exists(path)
  ok(stat !== null, `${path} exists`)
  return stat
}

/** Everything under a node, with its stats. */
async function snapshot(session: Session, path: string): Promise<unknown> {
  const { data, stat } = await session.get(path)
  const { names } = await session.children(path)
  const children = await Promise.all(names.map((name) => snapshot(session, `${path}/${name}`)))
  return { path, data, stat, children }
}
