import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Change } from '../../../../../src/backends/embedded/server/state/state.ts'
import { Watches } from '../../../../../src/backends/embedded/server/clients/watches.ts'
import {
  CONNECTION_WATCHES_MAX,
  CONNECTION_WATCH_BYTES_MAX,
} from '../../../../../src/backends/embedded/server/watch-limits.ts'
import { EventType, WatcherType } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import type { WatcherEvent } from '../../../../../src/backends/wire/records.ts'
import { Pipeline, closeSession, create, multi, remove, setData } from '../pipeline.ts'

const NAMES = new Map<number, string>(Object.entries(EventType).map(([name, type]) => [type, name]))

function told({ type, state, path }: WatcherEvent): string {
  expect(state).toBe(3)
  return `${NAMES.get(type)} ${path}`
}

const OPEN = { acl: OPEN_ACL, parent: null }

type PlainChange = Pick<Change, 'type' | 'path'>

/** The events of changes, as `connection: event path`. */
function fire(watches: Watches, ...changes: PlainChange[]): string[] {
  const fired = watches.fire(changes.map((change) => ({ ...change, node: OPEN })))
  return fired.map(({ connection, event }) => `${connection}: ${told(event)}`)
}

const KINDS = ['watchData', 'watchExist', 'watchChildren'] as const
type Kind = (typeof KINDS)[number]

describe('watches', () => {
  it.each<[Kind, string, Change['type'], string[]]>([
    ['watchData', '/p/n', 'created', ['1: nodeCreated /p/n']],
    ['watchData', '/p/n', 'changed', ['1: nodeDataChanged /p/n']],
    ['watchData', '/p/n', 'deleted', ['1: nodeDeleted /p/n']],
    ['watchExist', '/p/n', 'created', ['1: nodeCreated /p/n']],
    ['watchExist', '/p/n', 'changed', ['1: nodeDataChanged /p/n']],
    ['watchExist', '/p/n', 'deleted', ['1: nodeDeleted /p/n']],
    ['watchChildren', '/p/n', 'created', []],
    ['watchChildren', '/p/n', 'changed', []],
    ['watchChildren', '/p/n', 'deleted', ['1: nodeDeleted /p/n']],
    ['watchChildren', '/p', 'created', ['1: nodeChildrenChanged /p']],
    ['watchChildren', '/p', 'changed', []],
    ['watchChildren', '/p', 'deleted', ['1: nodeChildrenChanged /p']],
    ['watchData', '/p', 'created', []],
    ['watchData', '/p', 'changed', []],
    ['watchData', '/p', 'deleted', []],
    ['watchChildren', '/', 'created', []],
    ['watchChildren', '/', 'deleted', []],
    ['watchData', '/p/n/below', 'deleted', []],
  ])('%s on %s and /p/n %s', (kind, path, type, expected) => {
    const watches = new Watches()
    watches[kind](path, 1)
    expect(fire(watches, { type, path: '/p/n' })).toEqual(expected)
    expect(watches.count).toBe(expected.length === 0 ? 1 : 0)
    expect(fire(watches, { type, path: '/p/n' })).toEqual([])
  })

  it('tell a child of the root to who watches the children of the root', () => {
    const watches = new Watches()
    watches.watchChildren('/', 1)
    expect(fire(watches, { type: 'created', path: '/n' })).toEqual(['1: nodeChildrenChanged /'])
  })

  it('tell one connection one event of a path, whatever it was armed by', () => {
    const watches = new Watches()
    for (const kind of KINDS) watches[kind]('/n', 1)
    watches.watchData('/n', 1)
    watches.watchChildren('/n', 2)
    watches.watchChildren('/', 1)
    expect(watches.count).toBe(4)
    expect(fire(watches, { type: 'deleted', path: '/n' })).toEqual([
      '1: nodeDeleted /n',
      '2: nodeDeleted /n',
      '1: nodeChildrenChanged /',
    ])
    expect(watches.count).toBe(0)
  })

  it('leave the children watch alone when the data change', () => {
    const watches = new Watches()
    for (const kind of KINDS) watches[kind]('/n', 1)
    expect(fire(watches, { type: 'changed', path: '/n' })).toEqual(['1: nodeDataChanged /n'])
    expect(fire(watches, { type: 'created', path: '/n/c' })).toEqual(['1: nodeChildrenChanged /n'])
  })

  it('tell the changes of a multi in their order', () => {
    const watches = new Watches()
    watches.watchExist('/a', 1)
    watches.watchExist('/b', 1)
    watches.watchChildren('/', 1)
    const changes: PlainChange[] = [
      { type: 'created', path: '/b' },
      { type: 'created', path: '/a' },
      { type: 'deleted', path: '/a' },
    ]
    expect(fire(watches, ...changes)).toEqual(['1: nodeCreated /b', '1: nodeChildrenChanged /', '1: nodeCreated /a'])
  })

  it('tell everyone, and each once, in the order of arming', () => {
    const watches = new Watches()
    for (let connection = 10_000; connection > 0; connection--) watches.watchData('/n', connection)
    const fired = watches.fire([{ type: 'changed', path: '/n', node: OPEN }])
    expect(fired.map(({ connection }) => connection)).toEqual(Array.from({ length: 10_000 }, (_, i) => 10_000 - i))
    expect(watches.count).toBe(0)
  })

  it('are removed by kind, and say whether there was one', () => {
    const watches = new Watches()
    watches.watchExist('/n', 1)
    watches.watchChildren('/n', 1)
    watches.watchChildren('/n', 2)
    expect(watches.remove('/n', WatcherType.data, 2)).toBe(false)
    expect(watches.remove('/n', WatcherType.data, 1)).toBe(true)
    expect(watches.remove('/n', WatcherType.data, 1)).toBe(false)
    expect(watches.remove('/n', WatcherType.any, 1)).toBe(true)
    expect(watches.remove('/n', 99, 2)).toBe(false)
    expect(watches.remove('/n', WatcherType.children, 2)).toBe(true)
    expect(watches.count).toBe(0)
  })

  it('end with their connection', () => {
    const watches = new Watches()
    for (const connection of [1, 2]) for (const kind of KINDS) watches[kind]('/n', connection)
    watches.removeAll(1)
    watches.removeAll(3)
    expect([watches.countOf(1), watches.countOf(2), watches.count]).toEqual([0, 2, 2])
    expect(fire(watches, { type: 'deleted', path: '/n' })).toEqual(['2: nodeDeleted /n'])
  })

  it('are refused beyond the limit of a connection, and nothing is armed then', () => {
    expect(CONNECTION_WATCHES_MAX).toBe(100_000)
    const watches = new Watches(2)
    expect(watches.watchData('/a', 1)).toBe(true)
    expect(watches.watchChildren('/a', 1)).toBe(true)
    expect(watches.watchExist('/b', 1)).toBe(false)
    expect(watches.watchExist('/a', 1)).toBe(true)
    expect(watches.watchExist('/b', 2)).toBe(true)
    expect(watches.countOf(1)).toBe(2)
    expect(fire(watches, { type: 'created', path: '/b' })).toEqual(['2: nodeCreated /b'])
  })

  it('are refused beyond what all connections may have, in number and in bytes', () => {
    const few = new Watches(100, 100, 2)
    expect([few.watchData('/a', 1), few.watchData('/a', 2), few.watchData('/a', 3)]).toEqual([true, true, false])
    expect(few.watchData('/a', 1)).toBe(true)
    few.removeAll(1)
    expect(few.watchData('/a', 3)).toBe(true)
    const short = new Watches(100, 100, 100, 8)
    expect([short.watchData('/a', 1), short.watchChildren('/a', 2), short.watchData('/b', 3)]).toEqual([
      true, true, false,
    ])
    fire(short, { type: 'changed', path: '/a' })
    expect([short.allBytes, short.watchData('/b', 3)]).toEqual([4, true])
    short.removeAll(2)
    short.remove('/b', WatcherType.any, 3)
    expect(short.allBytes).toBe(0)
  })

  it('are refused beyond so many bytes of paths of a connection, and nothing is armed then', () => {
    expect(CONNECTION_WATCH_BYTES_MAX).toBe(32 * 1024 * 1024)
    const watches = new Watches(100, 40)
    const long = `/${'x'.repeat(9)}`
    expect([watches.watchData(long, 1), watches.watchData(long, 1), watches.watchChildren(long, 1)]).toEqual([
      true, true, true,
    ])
    expect([watches.watchExist('/b', 1), watches.watchLasting('/b', 'persistent', 1)]).toEqual([false, false])
    expect([watches.countOf(1), watches.bytesOf(1)]).toEqual([2, 40])
    expect([watches.watchLasting(long, 'recursive', 2), watches.watchExist('/b', 2)]).toEqual([true, false])
    // A watch that has told makes room.
    fire(watches, { type: 'changed', path: long })
    expect(watches.watchExist('/b', 1)).toBe(true)
    expect(fire(watches, { type: 'created', path: '/b' })).toEqual(['1: nodeCreated /b'])
  })

  it('of one path keep it once, whoever has armed them', () => {
    const watches = new Watches()
    for (let connection = 1; connection <= 10; connection++) {
      for (const kind of KINDS) watches[kind](['', 'long', 'path'].join('/'), connection)
    }
    watches.watchData('/other', 1)
    expect([watches.count, watches.pathCount]).toEqual([21, 2])
    watches.removeAll(1)
    expect(watches.pathCount).toBe(1)
    fire(watches, { type: 'deleted', path: '/long/path' })
    expect([watches.count, watches.pathCount]).toEqual([0, 0])
  })

  it('of a random history are the ones that a list of all of them would tell', () => {
    const path = fc.constantFrom('/', '/a', '/a/b', '/a/c', '/b')
    const connection = fc.integer({ min: 1, max: 3 })
    const step = fc.oneof(
      fc.tuple(fc.constantFrom(...KINDS), path, connection),
      fc.tuple(fc.constantFrom<Change['type']>('created', 'changed', 'deleted'), path, connection),
      fc.tuple(fc.constantFrom('remove', 'removeAll'), path, connection),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const watches = new Watches()
        const model = new Set<string>()
        for (const [action, at, who] of steps) {
          if (action === 'watchData' || action === 'watchExist' || action === 'watchChildren') {
            watches[action](at, who)
            model.add(`${action === 'watchChildren' ? 'children' : 'node'} ${at} ${who}`)
          } else if (action === 'remove') {
            expect(watches.remove(at, WatcherType.any, who)).toBe(modelRemove(model, ` ${at} ${who}`))
          } else if (action === 'removeAll') {
            watches.removeAll(who)
            modelRemove(model, ` ${who}`)
          } else if (at !== '/') {
            expect(fire(watches, { type: action, path: at }).sort()).toEqual(modelFire(model, action, at).sort())
          }
          expect(watches.count).toBe(model.size)
          expect(held(watches)).toEqual(modelHeld(model))
        }
      }),
      { numRuns: 300 },
    )
  })
})

/** How many different paths are kept, and how many bytes of them count for each connection. */
function held(watches: Watches): { readonly paths: number; readonly bytes: readonly number[] } {
  return { paths: watches.pathCount, bytes: [1, 2, 3].map((connection) => watches.bytesOf(connection)) }
}

function modelHeld(model: ReadonlySet<string>): ReturnType<typeof held> {
  const all = [...model].map((watch) => watch.split(' ')).map(([, path = '', connection]) => ({ path, connection }))
  const bytes = [1, 2, 3].map((connection) => {
    const own = all.filter((watch) => watch.connection === `${connection}`)
    return own.reduce((sum, { path }) => sum + 2 * path.length, 0)
  })
  return { paths: new Set(all.map(({ path }) => path)).size, bytes }
}

function modelRemove(model: Set<string>, end: string): boolean {
  const gone = [...model].filter((watch) => watch.endsWith(end))
  for (const watch of gone) model.delete(watch)
  return gone.length > 0
}

function modelFire(model: Set<string>, type: Change['type'], path: string): string[] {
  const parent = path.lastIndexOf('/') === 0 ? '/' : path.slice(0, path.lastIndexOf('/'))
  const event = { created: 'nodeCreated', changed: 'nodeDataChanged', deleted: 'nodeDeleted' }[type]
  const lines = new Set<string>()
  for (const watch of [...model]) {
    const [table, at, who] = watch.split(' ')
    const isOfNode = at === path && (table === 'node' || type === 'deleted')
    const isOfParent = table === 'children' && at === parent && type !== 'changed'
    if (isOfNode) lines.add(`${who}: ${event} ${path}`)
    if (isOfParent) lines.add(`${who}: nodeChildrenChanged ${parent}`)
    if (isOfNode || isOfParent) model.delete(watch)
  }
  return [...lines]
}

describe('watches of applied transactions', () => {
  it('fire for what was changed, and not for what was refused', () => {
    const pipeline = Pipeline.withSession()
    const watches = new Watches()
    watches.watchExist('/e', 1)
    watches.watchChildren('/', 2)
    const run = (...args: Parameters<Pipeline['run']>) => fire(watches, ...pipeline.run(...args).changes)
    expect(run(create('/x/y'))).toEqual([])
    expect(run(multi(create('/f'), remove('/none')))).toEqual([])
    expect(run(create('/e', 1))).toEqual(['1: nodeCreated /e', '2: nodeChildrenChanged /'])
    watches.watchData('/e', 1)
    expect(run(setData('/e'))).toEqual(['1: nodeDataChanged /e'])
    watches.watchData('/e', 1)
    watches.watchChildren('/e', 1)
    watches.watchChildren('/', 1)
    expect(run(closeSession())).toEqual(['1: nodeDeleted /e', '1: nodeChildrenChanged /'])
    expect(watches.count).toBe(0)
  })
})

describe('watches after a reconnect', () => {
  function scene() {
    const pipeline = Pipeline.withSession()
    const paths = ['/same', '/changed', '/parent', '/parent/old', '/gone', '/again', '/exists']
    for (const path of paths) pipeline.run(create(path))
    // The zxid of the last create: what has changed at it has been seen.
    const relativeZxid = pipeline.zxid
    const missed = [setData('/changed'), create('/parent/new'), remove('/gone'), remove('/again'), create('/again')]
    for (const wish of missed) pipeline.run(wish)
    return { tree: pipeline.state.tree, relativeZxid, watches: new Watches() }
  }

  it('tell of data what was changed or deleted, and are armed for the rest', () => {
    const { tree, relativeZxid, watches } = scene()
    const dataWatches = ['/same', '/changed', '/gone', '/again', '/parent', '/exists']
    const events = watches.setWatches({ relativeZxid, dataWatches, existWatches: [], childWatches: [] }, 1, tree)
    expect(events?.map(told)).toEqual(['nodeDataChanged /changed', 'nodeDeleted /gone', 'nodeDataChanged /again'])
    expect(watches.count).toBe(3)
    expect(fire(watches, { type: 'changed', path: '/same' })).toEqual(['1: nodeDataChanged /same'])
  })

  it('tell of a node that was missing whether it is there, and are armed if it is not', () => {
    const { tree, relativeZxid, watches } = scene()
    const existWatches = ['/exists', '/never']
    const events = watches.setWatches({ relativeZxid, dataWatches: [], existWatches, childWatches: [] }, 1, tree)
    expect(events?.map(told)).toEqual(['nodeCreated /exists'])
    expect(fire(watches, { type: 'created', path: '/never' })).toEqual(['1: nodeCreated /never'])
  })

  it('tell of children what was added, removed or deleted with their parent, and are armed for the rest', () => {
    const { tree, relativeZxid, watches } = scene()
    const childWatches = ['/same', '/parent', '/gone', '/changed', '/exists']
    const events = watches.setWatches({ relativeZxid, dataWatches: [], existWatches: [], childWatches }, 1, tree)
    expect(events?.map(told)).toEqual(['nodeChildrenChanged /parent', 'nodeDeleted /gone'])
    expect(watches.count).toBe(3)
    expect(fire(watches, { type: 'created', path: '/same/c' })).toEqual(['1: nodeChildrenChanged /same'])
  })

  it('tell of a node that is gone for its data and for its children', () => {
    const { tree, relativeZxid, watches } = scene()
    const request = { relativeZxid, dataWatches: ['/gone'], existWatches: [], childWatches: ['/gone'] }
    expect(watches.setWatches(request, 1, tree)?.map(told)).toEqual(['nodeDeleted /gone', 'nodeDeleted /gone'])
  })

  it('beyond the limit of a connection are told as if they had fired, so that nobody comes again with the same', () => {
    const { tree, relativeZxid } = scene()
    const watches = new Watches(2)
    const request = { relativeZxid, dataWatches: ['/same'], existWatches: ['/x', '/y'], childWatches: ['/same'] }
    const told2 = ['nodeCreated /y', 'nodeChildrenChanged /same']
    expect(watches.setWatches(request, 1, tree)?.map(told)).toEqual(told2)
    expect(watches.count).toBe(2)
    // A path that is watched already, as two kinds of reads arm it, is not one more.
    const again = { ...request, existWatches: ['/x', '/x'], childWatches: [] }
    expect(watches.setWatches(again, 1, tree)).toEqual([])
    expect(watches.setWatches({ ...again, dataWatches: ['/other'] }, 2, tree)?.length).toBe(1)
  })

  it('beyond the bytes of a connection are told likewise, or refused if they last, and armed where they fit', () => {
    const { tree, relativeZxid } = scene()
    const watches = new Watches(100, 24)
    const request = { relativeZxid, dataWatches: ['/same'], existWatches: ['/x'], childWatches: ['/same'] }
    const larger = { ...request, existWatches: ['/longer'] }
    expect(watches.setWatches(larger, 1, tree)?.map(told)).toEqual(['nodeChildrenChanged /same'])
    expect([watches.count, watches.bytesOf(1)]).toEqual([2, 24])
    watches.removeAll(1)
    expect(watches.setWatches(request, 1, tree)).toEqual([])
    expect(watches.setWatches({ ...request, persistentWatches: ['/y', '/z'], persistentRecursiveWatches: [] }, 2, tree))
      .toBeNull()
    expect([watches.bytesOf(1), watches.bytesOf(2)]).toEqual([24, 0])
  })
})
