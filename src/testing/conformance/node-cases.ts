/**
 * Nodes: what a create, a set and a delete do, what they refuse, and every field of the stat.
 */
import type { Session } from '../../core/backend.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { bytes, text } from './case.ts'
import type { Case, BackendWorld } from './case.ts'
import { equal, ok, rejects } from './expect.ts'

const CONTENDERS = 4
const INCREMENTS = 10

/** Cases about nodes. */
export const nodeCases: readonly Case<BackendWorld>[] = [
  {
    name: 'a create answers the path and the stat of the node as it was made',
    run: async (world) => {
      const session = await world.open()
      const created = await session.create(world.path('n'), bytes('abc'), { mode: 'persistent' })
      equal(created.path, world.path('n'), 'path')
      const { czxid, mzxid, pzxid, ctime, mtime, ...counts } = created.stat
      ok(czxid > 0n, 'czxid is above 0')
      equal([mzxid, pzxid, mtime], [czxid, czxid, ctime], 'mzxid, pzxid and mtime of a new node')
      ok(ctime > 0 && Number.isFinite(ctime), 'ctime is a wall-clock time')
      const zero = { version: 0, cversion: 0, aversion: 0, ephemeralOwner: 0n, numChildren: 0 }
      equal(counts, { ...zero, dataLength: 3 }, 'the other fields of the stat of a new node')
    },
  },
  {
    name: 'get, exists and children answer the same stat',
    run: async (world) => {
      const session = await world.open()
      const { path, stat } = await session.create(world.path('n'), bytes('abc'), { mode: 'persistent' })
      equal((await session.get(path)).stat, stat, 'stat of get')
      equal(await session.exists(path), stat, 'stat of exists')
      equal((await session.children(path)).stat, stat, 'stat of children')
    },
  },
  {
    name: 'a set moves version, mzxid and dataLength of its node, and nothing else of its parent',
    run: async (world) => {
      const session = await world.open()
      const { path, stat } = await session.create(world.path('n'), bytes('a'), { mode: 'persistent' })
      const parent = await session.exists(world.base)
      const changed = await session.set(path, bytes('four'), -1)
      ok(changed.mzxid > stat.mzxid, 'mzxid grows')
      const { mzxid, mtime } = changed
      equal(changed, { ...stat, mzxid, mtime, version: 1, dataLength: 4 }, 'stat after the set')
      equal(await session.get(path), { data: bytes('four'), stat: changed }, 'what get answers')
      equal(await session.exists(world.base), parent, 'stat of the parent')
    },
  },
  {
    name: 'a child that comes or goes moves pzxid, cversion and numChildren of its parent, and nothing else',
    run: async (world) => {
      const session = await world.open()
      const { path, stat } = await session.create(world.path('n'), bytes(''), { mode: 'persistent' })
      const child = await session.create(`${path}/c`, bytes(''), { mode: 'persistent' })
      const withChild = await session.exists(path)
      const expected = { ...stat, pzxid: child.stat.czxid, cversion: 1, numChildren: 1 }
      equal(withChild, expected, 'stat of the parent after the create')
      await session.delete(child.path, -1)
      const without = await session.exists(path)
      ok(without !== null && without.pzxid > child.stat.czxid, 'pzxid grows with the delete')
      equal(without, { ...stat, pzxid: without.pzxid, cversion: 2 }, 'stat of the parent after the delete')
    },
  },
  {
    name: 'a node that was deleted and made again is a new one',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n', 'old')
      const old = await session.set(path, bytes('older'), -1)
      await session.delete(path, -1)
      equal(await session.exists(path), null, 'exists after the delete')
      const { stat } = await session.create(path, bytes('new'), { mode: 'persistent' })
      ok(stat.czxid > old.mzxid, 'czxid of the new node is above all of the old one')
      equal([stat.version, stat.cversion], [0, 0], 'versions of the new node')
    },
  },
  {
    name: 'a set and a delete with a version need exactly that version, and -1 stands for any',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n', 'v0')
      equal((await session.set(path, bytes('v1'), 0)).version, 1, 'version after a set of version 0')
      const refused = { code: 'BAD_VERSION', outcome: 'rejected' } as const
      await rejects(session.set(path, bytes('no'), 0), refused, 'a set of version 0 at version 1')
      await rejects(session.set(path, bytes('no'), 2), refused, 'a set of version 2 at version 1')
      await rejects(session.delete(path, 0), refused, 'a delete of version 0 at version 1')
      equal(text((await session.get(path)).data), 'v1', 'data after the refused writes')
      equal((await session.set(path, bytes('v2'), -1)).version, 2, 'version after a set of any version')
      await session.delete(path, 2)
      equal(await session.exists(path), null, 'exists after the delete')
    },
  },
  {
    name: 'of several sessions that count by compare-and-set no increment is lost',
    run: async (world) => {
      const path = await world.node(await world.open(), 'counter', '0')
      const sessions = await Promise.all(Array.from({ length: CONTENDERS }, () => world.open()))
      await Promise.all(sessions.map((session) => count(session, path)))
      const reader = await world.open()
      await reader.sync(path)
      const { data, stat } = await reader.get(path)
      equal([text(data), stat.version], [String(CONTENDERS * INCREMENTS), CONTENDERS * INCREMENTS], 'count and version')
    },
  },
  {
    name: 'what is not there is refused with NO_NODE, and exists answers null',
    run: async (world) => {
      const session = await world.open()
      const path = world.path('missing')
      const refused = { code: 'NO_NODE', outcome: 'rejected' } as const
      equal(await session.exists(path), null, 'exists')
      await rejects(session.set(path, bytes(''), -1), refused, 'a set')
      await rejects(session.delete(path, -1), refused, 'a delete')
      await rejects(session.create(`${path}/c`, bytes(''), { mode: 'persistent' }), refused, 'a create without parent')
      await rejects(session.get(path), { code: 'NO_NODE' }, 'a get')
      await rejects(session.children(path), { code: 'NO_NODE' }, 'a children')
    },
  },
  {
    name: 'a create of what is there is refused with NODE_EXISTS and changes nothing',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n', 'first')
      const before = [await session.get(path), await session.exists(world.base)]
      for (const mode of ['persistent', 'ephemeral'] as const) {
        const refused = { code: 'NODE_EXISTS', outcome: 'rejected' } as const
        await rejects(session.create(path, bytes('second'), { mode }), refused, `a second create, ${mode}`)
      }
      equal([await session.get(path), await session.exists(world.base)], before, 'the node and its parent')
    },
  },
  {
    name: 'a delete of a node with children is refused with NOT_EMPTY',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n')
      await world.node(session, 'n/c')
      await rejects(session.delete(path, -1), { code: 'NOT_EMPTY', outcome: 'rejected' }, 'a delete')
      await session.delete(`${path}/c`, -1)
      await session.delete(path, -1)
      equal(await session.exists(path), null, 'exists after both deletes')
    },
  },
  {
    name: 'a child of an ephemeral node is refused with NO_CHILDREN_FOR_EPHEMERALS',
    run: async (world) => {
      const session = await world.open()
      const { path } = await session.create(world.path('e'), bytes(''), { mode: 'ephemeral' })
      const refused = { code: 'NO_CHILDREN_FOR_EPHEMERALS', outcome: 'rejected' } as const
      for (const mode of ['persistent', 'ephemeral', 'persistent-sequential'] as const) {
        await rejects(session.create(`${path}/c`, bytes(''), { mode }), refused, `a create, ${mode}`)
      }
    },
  },
  {
    name: 'the root can be read and listed, and cannot be deleted',
    run: async (world) => {
      const session = await world.open()
      ok((await session.exists('/')) !== null, 'the root exists')
      const { names, stat } = await session.children('/')
      ok(names.includes(world.base.slice(1)), 'the root lists its children')
      equal(stat.numChildren, names.length, 'numChildren of the root')
      await rejects(session.delete('/', -1), { code: 'BAD_ARGUMENTS', outcome: 'rejected' }, 'a delete of the root')
    },
  },
  {
    name: 'data may be empty, any bytes, and as long as the engine says',
    run: async (world) => {
      const session = await world.open()
      const largest = new Uint8Array(world.backend.capabilities.dataBytesMax).map((_, index) => index % 251)
      const every = Uint8Array.from({ length: 256 }, (_, index) => index)
      for (const [name, data] of Object.entries({ empty: new Uint8Array(), every, largest })) {
        const { path } = await session.create(world.path(name), data, { mode: 'persistent' })
        const read = await session.get(path)
        equal(read.stat.dataLength, data.length, `dataLength of ${name}`)
        ok(same(read.data, data), `${name}: the data of a create come back as they were`)
        await session.set(path, data, -1)
        ok(same((await session.get(path)).data, data), `${name}: the data of a set come back as they were`)
      }
    },
  },
  {
    name: 'children are names, sorted by code unit, of one level',
    run: async (world) => {
      const session = await world.open()
      const names = ['b', 'a', 'B', 'a.b', 'ab', '10', '9', 'with space', 'ü', '字']
      for (const name of names) await world.node(session, name)
      await world.node(session, 'a/grandchild')
      equal((await session.children(world.base)).names, [...names].sort(), 'names')
      equal((await session.children(world.path('a'))).names, ['grandchild'], 'names below a')
    },
  },
]

/** Counts up as one of several: reads, and writes with the version read, until it was the one. */
async function count(session: Session, path: string): Promise<void> {
  await session.sync(path)
  for (let done = 0; done < INCREMENTS; ) {
    const { data, stat } = await session.get(path)
    try {
      await session.set(path, bytes(String(Number(text(data)) + 1)), stat.version)
      done++
    } catch (error) {
      if (!isCoordinationError(error, 'BAD_VERSION')) throw error
    }
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
