/** The watches of a connection that is gone: they count no more at once, and are cleared away a part at a time. */
import { describe, expect, it } from 'vitest'
import { WATCHES_CLEARED_AT_ONCE } from '../../../../../src/backends/embedded/server/clients/watch-table.ts'
import { Watches } from '../../../../../src/backends/embedded/server/clients/watches.ts'
import type { Change } from '../../../../../src/backends/embedded/server/state/state.ts'
import { Tree } from '../../../../../src/backends/embedded/server/state/tree.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'

const COUNT = 20 * WATCHES_CLEARED_AT_ONCE
const PATHS = Array.from({ length: COUNT }, (_, i) => `/n${i}`)

/** Which connections a change is told to. */
function told(watches: Watches, type: Change['type'], path: string): number[] {
  return watches.fire([{ type, path, node: { acl: OPEN_ACL, parent: null } }]).map(({ connection }) => connection)
}

function armed(kind: 'existWatches' | 'persistentRecursiveWatches', paths: readonly string[] = PATHS): Watches {
  const watches = new Watches(2 * COUNT)
  const none = { dataWatches: [], existWatches: [], childWatches: [], persistentWatches: [] }
  const request = { relativeZxid: 0n, ...none, persistentRecursiveWatches: [], [kind]: paths }
  expect(watches.setWatches(request, 1, new Tree())).toEqual([])
  return watches
}

const KINDS = ['existWatches', 'persistentRecursiveWatches'] as const

describe.each(KINDS)('many %s of a connection that is gone', (kind) => {
  it('are told nothing, and counted for nothing, while they are cleared away', () => {
    const watches = armed(kind)
    watches.removeAll(1)
    expect([watches.count, watches.countOf(1), watches.bytesOf(1)]).toEqual([0, 0, 0])
    expect(watches.pathCount).toBeGreaterThan(COUNT - 3 * WATCHES_CLEARED_AT_ONCE)
    const [first = '', last = ''] = [PATHS[0], PATHS.at(-1)]
    for (const path of [first, last, `${last}/below`]) expect(told(watches, 'created', path)).toEqual([])
    watches.watchData(last, 2)
    expect([watches.count, watches.countOf(2)]).toEqual([1, 1])
    expect(told(watches, 'changed', last)).toEqual([2])
    expect(told(watches, 'changed', last)).toEqual([])
    watches.watchLasting(last, 'recursive', 3)
    expect(told(watches, 'created', `${last}/below`)).toEqual([3])
    while (watches.pathCount > 1) {
      const before = watches.pathCount
      watches.clearDeparted()
      expect(before - watches.pathCount).toBeLessThanOrEqual(2 * WATCHES_CLEARED_AT_ONCE)
      expect(watches.pathCount).toBeLessThan(before)
    }
    expect(told(watches, 'changed', last)).toEqual([3])
    expect(watches.count).toBe(2)
    watches.removeAll(3)
    expect([watches.count, watches.pathCount, watches.hasRecursive]).toEqual([0, 0, false])
  })
})

it('whoever comes and goes with many watches again and again leaves no more of them than one connection has', () => {
  const watches = new Watches(2 * COUNT)
  const request = { relativeZxid: 0n, dataWatches: [], childWatches: [] }
  for (let connection = 1; connection <= 8; connection++) {
    const existWatches = PATHS.map((path) => `${path}-${connection}`)
    watches.setWatches({ ...request, existWatches }, connection, new Tree())
    watches.removeAll(connection)
    expect(watches.pathCount).toBeLessThanOrEqual(COUNT)
  }
})

it('a few watches are gone with their connection', () => {
  const watches = armed('existWatches', PATHS.slice(0, WATCHES_CLEARED_AT_ONCE))
  watches.removeAll(1)
  expect(watches.pathCount).toBe(0)
})
