import { beforeEach, describe, expect, it } from 'vitest'
import type { Stat, WatchEvent } from '../../../src/core/backend.ts'
import { parseChanges, parsePosition } from '../../../src/backends/redis/position.ts'
import type { Position, Transaction } from '../../../src/backends/redis/position.ts'
import { RedisWatches } from '../../../src/backends/redis/watches.ts'
import type { Fired, Watch } from '../../../src/backends/redis/watches.ts'
import type { WatchedRead } from '../../../src/core/session/wakes.ts'

const at = (counter: number): Position => parsePosition(`5-${counter}`)
const transaction = (counter: number, text: string): Transaction => ({
  position: at(counter),
  previous: at(counter - 1),
  isPublished: true,
  changes: parseChanges(text),
})
const types = (fired: readonly Fired[]): WatchEvent['type'][] => fired.map(({ event }) => event.type)

function stat(czxid: bigint, mzxid: bigint, pzxid: bigint): Stat {
  const counts = { version: 0, cversion: 0, aversion: 0, dataLength: 0, numChildren: 0 }
  return { czxid, mzxid, pzxid, ctime: 0, mtime: 0, ephemeralOwner: 0n, ...counts }
}

describe('the watches of a session', () => {
  let watches: RedisWatches
  beforeEach(() => {
    watches = new RedisWatches()
  })

  const make = (kind: WatchedRead, path = '/a'): Watch => {
    return { kind, path, callback: () => undefined, seen: stat(1n, 1n, 1n), live: true }
  }
  /** A watch whose read was answered at a position. */
  const arm = (kind: WatchedRead, position = 0, path = '/a'): Watch => {
    const watch = make(kind, path)
    watches.reading(watch)
    expect(watches.answered(watch, at(position))).toBeNull()
    return watch
  }

  it.each([
    ['exists', ['created', 'changed', 'deleted']],
    ['get', ['changed', 'deleted']],
    ['children', ['deleted', 'children']],
  ] as const)('of %s are fired by %j, and by nothing else', (kind, expected) => {
    const fired = ['C/a', 'D/a', 'X/a', 'K/a', 'E/a', 'D/b'].flatMap((change, index) => {
      watches = new RedisWatches()
      arm(kind)
      return types(watches.show(transaction(index + 1, change)))
    })
    expect(fired).toEqual(expected)
  })

  it('fire once, and only those of the path', () => {
    const [first, second] = [arm('get'), arm('get', 0, '/b')]
    expect(watches.show(transaction(1, 'D/a\nD/a')).map(({ watch }) => watch)).toEqual([first])
    expect(watches.show(transaction(2, 'D/a\nX/b')).map(({ watch }) => watch)).toEqual([second])
    expect([watches.isArmed, watches.isNeeded]).toEqual([false, false])
  })

  it('are told at once of what was shown behind the position of a read, while that was on its way', () => {
    const watch = make('get')
    watches.reading(watch)
    watches.show(transaction(3, 'D/a'))
    watches.show(transaction(4, 'D/a'))
    expect(watches.answered(watch, at(3))).toMatchObject({ watch, event: { type: 'changed', path: '/a' } })
    const later = make('get')
    watches.reading(later)
    expect(watches.answered(later, at(4))).toBeNull()
  })

  it('are missed when what was skipped lies behind the position of a read', () => {
    const watch = make('get')
    watches.reading(watch)
    watches.skip(at(7))
    expect(watches.answered(watch, at(6))).toBe('missed')
    expect(watches.isArmed).toBe(true)
  })

  it('are missed when more was shown than is kept for a read on its way', () => {
    const watch = make('get')
    watches.reading(watch)
    for (let counter = 1; counter <= 1_100; counter++) watches.show(transaction(counter, 'D/b'))
    expect(watches.answered(watch, at(0))).toBe('missed')
  })

  it('are judged behind a gap by what their reads have seen', () => {
    const changed = stat(1n, 2n, 1n)
    const parent = stat(1n, 1n, 2n)
    const reborn = stat(9n, 9n, 9n)
    const judge = (kind: WatchedRead, seen: Stat | null, now: Stat | null): WatchEvent['type'][] => {
      watches = new RedisWatches()
      arm(kind).seen = seen
      return types(watches.judge(watches.toCheck(), [now]))
    }
    const before = stat(1n, 1n, 1n)
    expect(judge('get', before, before)).toEqual([])
    expect(judge('get', before, changed)).toEqual(['changed'])
    expect(judge('get', before, parent)).toEqual([])
    expect(judge('get', before, null)).toEqual(['deleted'])
    expect(judge('get', before, reborn)).toEqual(['deleted'])
    expect(judge('children', before, parent)).toEqual(['children'])
    expect(judge('children', before, changed)).toEqual([])
    expect(judge('exists', null, null)).toEqual([])
    expect(judge('exists', null, before)).toEqual(['created'])
  })

  it('that are dropped are not called, armed, on their way, or fired and not called yet', () => {
    const [armed, fired] = [arm('get'), arm('get', 0, '/b')]
    watches.show(transaction(1, 'D/b'))
    const coming = make('get', '/c')
    watches.reading(coming)
    for (const { path, callback } of [armed, fired, coming]) watches.unwatch(path, callback)
    expect(watches.show(transaction(2, 'D/a'))).toEqual([])
    expect(watches.take(fired)).toBe(false)
    expect(watches.answered(coming, at(2))).toBeNull()
    expect([watches.isArmed, watches.isNeeded]).toEqual([false, false])
  })

  it('that fired are called once, and not behind the end of the session', () => {
    const [one, other] = [arm('get'), arm('get', 0, '/b')]
    watches.show(transaction(1, 'D/a\nD/b'))
    expect([watches.take(one), watches.take(one)]).toEqual([true, false])
    watches.clear()
    expect(watches.take(other)).toBe(false)
  })

  it('whose reads failed arm nothing', () => {
    const watch = make('get')
    watches.reading(watch)
    expect(watches.isNeeded).toBe(true)
    watches.failed(watch, false)
    expect([watch.live, watches.isNeeded]).toEqual([false, false])
  })
})
