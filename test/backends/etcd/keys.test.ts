import { describe, expect, it } from 'vitest'
import { Keys } from '../../../src/backends/etcd/keys.ts'

const keys = new Keys('/quorate')

/** Whether a key lies in a range. */
const holds = ({ key, end }: { key: string; end: string }, other: string): boolean => other >= key && other < end

describe('the keys of etcd', () => {
  it('begin with the depth of the node, and are read back', () => {
    const cases = [
      ['/', '/quorate/nodes/0/'],
      ['/a', '/quorate/nodes/1/a'],
      ['/a/b c/ü', '/quorate/nodes/3/a/b c/ü'],
    ] as const
    for (const [path, key] of cases) {
      expect(keys.node(path)).toBe(key)
      expect(keys.read(key)).toEqual({ path })
    }
    expect(keys.read(keys.session(0x7f00n))).toEqual({ session: 0x7f00n })
  })

  it('have the children of a node in one range, and nothing else', () => {
    const deep = '/1/2/3/4/5/6/7/8/9'
    const cases = [
      ['/', ['/a', '/10', '/~'], ['/', '/a/b', `${deep}/10`]],
      ['/a', ['/a/b', '/a/~'], ['/a', '/ab', '/a0/b', '/a.b/c', '/a/b/c', '/b/a']],
      [deep, [`${deep}/a`], [deep, `${deep}/a/b`, '/a']],
    ] as const
    for (const [path, children, others] of cases) {
      for (const child of children) expect(holds(keys.children(path), keys.node(child)), child).toBe(true)
      for (const other of others) expect(holds(keys.children(path), keys.node(other)), other).toBe(false)
      expect(holds(keys.children(path), keys.count(path))).toBe(false)
    }
  })

  it('have nodes and sessions in the range that is watched, and counts outside', () => {
    expect(holds(keys.watched, keys.node('/'))).toBe(true)
    expect(holds(keys.watched, keys.session(1n))).toBe(true)
    expect(holds(keys.watched, keys.count('/a'))).toBe(false)
    expect(holds(new Keys('/quorate2').watched, keys.node('/a'))).toBe(false)
  })

  it('of somebody else are nothing', () => {
    for (const key of ['/quorate/nodes/1', '/quorate/other/1/a', '/quorate/sessions/x', '/else']) {
      expect(keys.read(key)).toBe(null)
    }
  })
})
