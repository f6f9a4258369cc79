import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Change } from '../../../../../src/backends/embedded/server/state/state.ts'
import { Tree } from '../../../../../src/backends/embedded/server/state/tree.ts'
import { Watches } from '../../../../../src/backends/embedded/server/clients/watches.ts'
import { EventType, WatcherType } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'

const NAMES = new Map<number, string>(Object.entries(EventType).map(([name, type]) => [type, name]))

/** The events of a change, as `connection: event path`. */
function fire(watches: Watches, type: Change['type'], path: string): string[] {
  const fired = watches.fire([{ type, path, node: { acl: OPEN_ACL, parent: null } }])
  return fired.map(({ connection, event }) => `${connection}: ${NAMES.get(event.type)} ${event.path}`)
}

describe('a persistent watch', () => {
  it.each<[Change['type'], string, string[]]>([
    ['created', '/p', ['1: nodeCreated /p']],
    ['changed', '/p', ['1: nodeDataChanged /p']],
    ['deleted', '/p', ['1: nodeDeleted /p']],
    ['created', '/p/n', ['1: nodeChildrenChanged /p']],
    ['changed', '/p/n', []],
    ['deleted', '/p/n', ['1: nodeChildrenChanged /p']],
    ['created', '/p/n/m', []],
    ['created', '/q', []],
  ])('is told of %s %s, again and again', (type, path, expected) => {
    const watches = new Watches()
    watches.watchLasting('/p', 'persistent', 1)
    for (let i = 0; i < 3; i++) expect(fire(watches, type, path)).toEqual(expected)
  })
})

describe('a recursive watch', () => {
  it.each<[Change['type'], string, string[]]>([
    ['created', '/p', ['1: nodeCreated /p']],
    ['changed', '/p/n', ['1: nodeDataChanged /p/n']],
    ['created', '/p/n/m', ['1: nodeCreated /p/n/m']],
    ['deleted', '/p/n', ['1: nodeDeleted /p/n']],
    ['created', '/pq', []],
  ])('is told of %s %s, and of no children as such', (type, path, expected) => {
    const watches = new Watches()
    watches.watchLasting('/p', 'recursive', 1)
    for (let i = 0; i < 3; i++) expect(fire(watches, type, path)).toEqual(expected)
  })

  it('of the root is told of everything', () => {
    const watches = new Watches()
    watches.watchLasting('/', 'recursive', 1)
    expect(fire(watches, 'created', '/a')).toEqual(['1: nodeCreated /a'])
    expect(fire(watches, 'changed', '/')).toEqual(['1: nodeDataChanged /'])
  })
})

describe('watches of several kinds', () => {
  it('tell one connection one event of one change', () => {
    const watches = new Watches()
    watches.watchLasting('/', 'recursive', 1)
    watches.watchLasting('/a', 'recursive', 1)
    watches.watchLasting('/a/b', 'persistent', 1)
    watches.watchData('/a/b', 2)
    watches.watchChildren('/a/b', 2)
    expect(fire(watches, 'deleted', '/a/b').sort()).toEqual(['1: nodeDeleted /a/b', '2: nodeDeleted /a/b'])
    expect(fire(watches, 'created', '/a/b')).toEqual(['1: nodeCreated /a/b'])
  })

  it('of one path: the latest holds, as in the reference', () => {
    const watches = new Watches()
    watches.watchLasting('/p', 'recursive', 1)
    watches.watchLasting('/p', 'persistent', 1)
    expect(fire(watches, 'changed', '/p/n')).toEqual([])
    watches.watchData('/p', 1)
    expect(fire(watches, 'changed', '/p')).toEqual(['1: nodeDataChanged /p'])
    expect(fire(watches, 'changed', '/p')).toEqual([])
    expect(fire(watches, 'created', '/p/n')).toEqual(['1: nodeChildrenChanged /p'])
  })

  it('are counted twice where they last, and limited by that', () => {
    const watches = new Watches(3)
    expect(watches.watchLasting('/p', 'persistent', 1)).toBe(true)
    expect([watches.count, watches.countOf(1)]).toEqual([2, 2])
    expect(watches.watchLasting('/q', 'recursive', 1)).toBe(false)
    expect(watches.watchData('/q', 1)).toBe(true)
    expect(watches.watchChildren('/r', 1)).toBe(false)
  })

  it('are all disarmed with their connection', () => {
    const watches = new Watches()
    watches.watchLasting('/p', 'recursive', 1)
    watches.watchLasting('/p', 'recursive', 2)
    watches.removeAll(1)
    expect(fire(watches, 'changed', '/p/n')).toEqual(['2: nodeDataChanged /p/n'])
    watches.removeAll(2)
    expect(watches.count).toBe(0)
    watches.watchData('/p', 1)
    expect(fire(watches, 'changed', '/p')).toEqual(['1: nodeDataChanged /p'])
  })
})

describe('removing a watch that lasts', () => {
  it('of any type removes it', () => {
    const watches = new Watches()
    watches.watchLasting('/p', 'recursive', 1)
    expect(watches.remove('/p', WatcherType.any, 1)).toBe(true)
    expect(watches.remove('/p', WatcherType.any, 1)).toBe(false)
    expect(fire(watches, 'changed', '/p')).toEqual([])
  })

  it('of data leaves the half that is told of children, as in the reference', () => {
    const watches = new Watches()
    watches.watchLasting('/p', 'persistent', 1)
    expect(watches.remove('/p', WatcherType.data, 1)).toBe(true)
    expect(watches.isWatched('/p', WatcherType.any)).toBe(true)
    expect(watches.isWatched('/p', WatcherType.data)).toBe(false)
    expect(fire(watches, 'changed', '/p')).toEqual([])
    expect(fire(watches, 'created', '/p/n')).toEqual(['1: nodeChildrenChanged /p'])
  })
})

it('after a reconnect, watches that last are armed, and told nothing of what was missed', () => {
  const watches = new Watches()
  const request = {
    relativeZxid: -1n,
    dataWatches: ['/zookeeper'],
    existWatches: [],
    childWatches: [],
    persistentWatches: ['/zookeeper', '/gone'],
    persistentRecursiveWatches: ['/zookeeper/quota'],
  }
  const events = watches.setWatches(request, 1, new Tree())
  expect(events?.map(({ path }) => path)).toEqual(['/zookeeper'])
  expect(fire(watches, 'created', '/gone')).toEqual(['1: nodeCreated /gone'])
  expect(fire(watches, 'created', '/zookeeper/quota/a')).toEqual(['1: nodeCreated /zookeeper/quota/a'])
  expect(new Watches(6).setWatches(request, 1, new Tree())).toBeNull()
})

describe('any watches', () => {
  const paths = ['/', '/a', '/a/b', '/a/b/c', '/x'] as const
  const path = fc.constantFrom(...paths)
  const connection = fc.constantFrom(1, 2)
  const mode = fc.constantFrom('once', 'persistent', 'recursive')
  const step = fc.oneof(
    fc.record({ arm: fc.constantFrom('node', 'children', 'both'), mode, path, connection }),
    fc.record({ remove: fc.constantFrom(1, 2, 3), path, connection }),
    fc.record({ change: fc.constantFrom<Change['type']>('created', 'changed', 'deleted'), path }),
  )

  it('tell what a table that is searched from end to end tells', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const watches = new Watches()
        const model = new Map<string, string>()
        for (const one of steps) {
          if ('arm' in one) armBoth(watches, model, one)
          else if ('remove' in one) {
            const isThere = watches.remove(one.path, one.remove, one.connection)
            const keys = [one.remove !== 1 && 'node', one.remove !== 2 && 'children'].map((table) => {
              return model.delete(`${String(table)} ${one.path} ${one.connection}`)
            })
            expect(isThere).toBe(keys.includes(true))
          } else if (one.path !== '/') {
            expect(fire(watches, one.change, one.path).sort()).toEqual(modelFire(model, one.change, one.path))
          }
          expect(watches.count).toBe(model.size)
        }
      }),
      { numRuns: 500 },
    )
  })
})

interface Arming {
  readonly arm: string
  readonly mode: string
  readonly path: string
  readonly connection: number
}

function armBoth(watches: Watches, model: Map<string, string>, { arm, mode, path, connection }: Arming): void {
  if (mode !== 'once') {
    watches.watchLasting(path, mode as 'persistent' | 'recursive', connection)
    for (const table of ['node', 'children']) model.set(`${table} ${path} ${connection}`, mode)
  } else if (arm === 'children') {
    watches.watchChildren(path, connection)
    model.set(`children ${path} ${connection}`, mode)
  } else {
    watches.watchData(path, connection)
    model.set(`node ${path} ${connection}`, mode)
  }
}

/** Every watch is looked at for every change. */
function modelFire(model: Map<string, string>, type: Change['type'], path: string): string[] {
  const parent = path.lastIndexOf('/') === 0 ? '/' : path.slice(0, path.lastIndexOf('/'))
  const event = { created: 'nodeCreated', changed: 'nodeDataChanged', deleted: 'nodeDeleted' }[type]
  const lines = new Set<string>()
  for (const [key, mode] of [...model]) {
    const [table = '', at = '', connection = ''] = key.split(' ')
    const isAbove = at === path || at === '/' || path.startsWith(`${at}/`)
    const isOfNode = (at === path || (mode === 'recursive' && isAbove)) && (table === 'node' || type === 'deleted')
    const isOfParent = table === 'children' && at === parent && type !== 'changed'
    if (isOfNode) lines.add(`${connection}: ${event} ${path}`)
    if (isOfParent && mode !== 'recursive') lines.add(`${connection}: nodeChildrenChanged ${parent}`)
    if (mode === 'once' && (isOfNode || isOfParent)) model.delete(key)
  }
  return [...lines].sort()
}
