/**
 * The watch matrix: each read by each change, what it fires and what it must not, once and never again.
 */
import type { Session, WatchEvent, Watcher } from '../../core/backend.ts'
import { bytes, recorder, settle } from './case.ts'
import type { Case, BackendWorld } from './case.ts'
import { equal, rejection } from './expect.ts'

type ReadKind = 'exists' | 'get' | 'children'
type Fires = Readonly<Record<ReadKind, WatchEvent['type'] | null>>

interface Change {
  /** The change, as the rest of a sentence. */
  readonly name: string
  /** Makes what must be there before, but the watched node itself. */
  readonly prepare?: (session: Session, path: string) => Promise<unknown>
  readonly make: (session: Session, path: string) => Promise<unknown>
  readonly fires: Fires
}

const READ_KINDS: readonly ReadKind[] = ['exists', 'get', 'children']
const NOTHING: Fires = { exists: null, get: null, children: null }
const CHILDREN: Fires = { exists: null, get: null, children: 'children' }
const CHANGED: Fires = { exists: 'changed', get: 'changed', children: null }
const DELETED: Fires = { exists: 'deleted', get: 'deleted', children: 'deleted' }

const CHANGES: readonly Change[] = [
  { name: 'a set of the node', make: (s, path) => s.set(path, bytes('new'), -1), fires: CHANGED },
  { name: 'a set of the same data', make: (s, path) => s.set(path, bytes(''), -1), fires: CHANGED },
  { name: 'a delete of the node', make: (s, path) => s.delete(path, -1), fires: DELETED },
  { name: 'a create of a child', make: (s, path) => createPlain(s, `${path}/c`), fires: CHILDREN },
  {
    name: 'a delete of a child',
    prepare: (s, path) => createPlain(s, `${path}/c`),
    make: (s, path) => s.delete(`${path}/c`, -1),
    fires: CHILDREN,
  },
  {
    name: 'a set of a child',
    prepare: (s, path) => createPlain(s, `${path}/c`),
    make: (s, path) => s.set(`${path}/c`, bytes('new'), -1),
    fires: NOTHING,
  },
  {
    name: 'a create of a grandchild',
    prepare: (s, path) => createPlain(s, `${path}/c`),
    make: (s, path) => createPlain(s, `${path}/c/g`),
    fires: NOTHING,
  },
  { name: 'a create of a sibling', make: (s, path) => createPlain(s, `${path}x`), fires: NOTHING },
  { name: 'a set of the parent', make: (s, path) => s.set(parentOf(path), bytes('new'), -1), fires: NOTHING },
  { name: 'a refused set', make: (s, path) => refused(s.set(path, bytes(''), 77)), fires: NOTHING },
  { name: 'a refused delete', make: (s, path) => refused(s.delete(path, 77)), fires: NOTHING },
  { name: 'a refused create', make: (s, path) => refused(createPlain(s, path)), fires: NOTHING },
  {
    name: 'a multi that sets it and is refused',
    make: (s, path) => {
      const check = { type: 'check', path: `${path}-missing`, version: -1 } as const
      return refused(s.multi([{ type: 'set', path, data: bytes('x'), version: -1 }, check]))
    },
    fires: NOTHING,
  },
  {
    name: 'a multi that sets it',
    make: (s, path) => s.multi([{ type: 'set', path, data: bytes('x'), version: -1 }]),
    fires: CHANGED,
  },
  {
    name: 'reads and a sync',
    make: (s, path) => Promise.all([s.get(path), s.children(path), s.sync(path)]),
    fires: NOTHING,
  },
]

/** Cases about what fires a watch on a node that exists, and on one that does not. */
export const watchMatrixCases: readonly Case<BackendWorld>[] = [
  ...READ_KINDS.flatMap((kind) => CHANGES.map((change) => caseOf(kind, change))),
  {
    name: 'exists of a missing node: a create of it fires `created`, once',
    run: async (world) => {
      for (const [watcher, writer] of await pairs(world)) {
        const path = world.path(`n-${crypto.randomUUID()}`)
        const { watch, events } = recorder()
        equal(await watcher.exists(path, watch), null, 'exists')
        await createPlain(writer, path)
        await settle(watcher)
        equal(events, [{ type: 'created', path }], 'events after the create')
        await writer.delete(path, -1)
        await createPlain(writer, path)
        await settle(watcher)
        equal(events.length, 1, 'number of events after a delete and another create')
      }
    },
  },
  {
    name: 'get and children of a missing node are refused and arm nothing',
    run: async (world) => {
      for (const [watcher, writer] of await pairs(world)) {
        const path = world.path(`n-${crypto.randomUUID()}`)
        const { watch, events } = recorder()
        await refused(watcher.get(path, watch))
        await refused(watcher.children(path, watch))
        await createPlain(writer, path)
        await createPlain(writer, `${path}/c`)
        await writer.set(path, bytes('new'), -1)
        await settle(watcher)
        equal(events, [], 'events')
      }
    },
  },
]

/** Read, change, look; change again, look again; by another session and by the watching one. */
function caseOf(kind: ReadKind, { name, prepare, make, fires }: Change): Case<BackendWorld> {
  const fired = fires[kind]
  return {
    name: `${kind}: ${name} fires ${fired === null ? 'nothing' : `\`${fired}\`, once`}`,
    run: async (world) => {
      for (const [watcher, writer] of await pairs(world)) {
        const path = await world.node(writer, `n-${crypto.randomUUID()}`)
        await prepare?.(writer, path)
        await watcher.sync(path)
        const { watch, events } = recorder()
        await read(watcher, kind, path, watch)
        await settle(watcher)
        equal(events, [], 'events before the change')
        await make(writer, path)
        await settle(watcher)
        equal(events, fired === null ? [] : [{ type: fired, path }], 'events after the change')
        if (fired === null) continue
        await touch(writer, path)
        await settle(watcher)
        equal(events.length, 1, 'number of events after more changes')
      }
    },
  }
}

/** The watcher and the writer: two sessions, and one that is both. */
async function pairs(world: BackendWorld): Promise<readonly (readonly [Session, Session])[]> {
  const [watcher, writer] = [await world.open(), await world.open()]
  return [
    [watcher, writer],
    [watcher, watcher],
  ]
}

/** Makes changes that would fire every kind of watch on a path. */
async function touch(session: Session, path: string): Promise<void> {
  if ((await session.exists(path)) === null) await createPlain(session, path)
  await session.set(path, bytes('again'), -1)
  await createPlain(session, `${path}/again`)
  for (const name of (await session.children(path)).names) await session.delete(`${path}/${name}`, -1)
  await session.delete(path, -1)
}

function read(session: Session, kind: ReadKind, path: string, watch: Watcher): Promise<unknown> {
  return session[kind](path, watch)
}

function createPlain(session: Session, path: string): Promise<unknown> {
  return session.create(path, bytes(''), { mode: 'persistent' })
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

async function refused(call: Promise<unknown>): Promise<void> {
  await rejection(call, 'a call that should be refused')
}
