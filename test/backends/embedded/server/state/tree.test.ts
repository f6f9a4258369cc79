import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../../../src/core/assert.ts'
import {
  CONTAINER,
  PERSISTENT,
  ownerNumberOf,
  ownershipOf,
} from '../../../../../src/backends/embedded/server/state/node.ts'
import type { Ownership } from '../../../../../src/backends/embedded/server/state/node.ts'
import { Tree } from '../../../../../src/backends/embedded/server/state/tree.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'

function content(ownership: Ownership = PERSISTENT, data: Uint8Array | null = null) {
  return { data, acl: OPEN_ACL, ownership }
}

function ephemeralOf(owner: bigint): Ownership {
  return { kind: 'ephemeral', owner }
}

describe('the tree', () => {
  it('begins as in the reference, with the stats that its clients see', () => {
    const tree = new Tree()
    const zeros = { czxid: 0n, mzxid: 0n, pzxid: 0n, ctime: 0, mtime: 0, version: 0, ephemeralOwner: 0n, dataLength: 0 }
    expect(tree.nodeCount).toBe(4)
    expect(tree.stat('/')).toEqual({ ...zeros, cversion: -1, aversion: 0, numChildren: 1 })
    expect(tree.stat('/zookeeper')).toEqual({ ...zeros, cversion: -2, aversion: 0, numChildren: 2 })
    expect(tree.stat('/zookeeper/quota')).toEqual({ ...zeros, cversion: 0, aversion: 0, numChildren: 0 })
    expect(tree.stat('/zookeeper/config')).toEqual({ ...zeros, cversion: 0, aversion: -1, numChildren: 0 })
    expect(tree.children('/zookeeper')?.children).toEqual(['config', 'quota'])
  })

  it('keeps a full stat through create, change, children and delete', () => {
    const tree = new Tree()
    tree.create('/a', content(PERSISTENT, Uint8Array.of(1)), 1, { zxid: 11n, time: 1001 })
    tree.setData('/a', Uint8Array.of(1, 2), 1, { zxid: 12n, time: 1002 })
    tree.create('/a/b', content(ephemeralOf(7n)), 1, { zxid: 13n, time: 1003 })
    tree.create('/a/c', content(), 2, { zxid: 14n, time: 1004 })
    tree.delete('/a/b', { zxid: 15n, time: 1005 })
    expect(tree.stat('/a')).toEqual({
      czxid: 11n,
      mzxid: 12n,
      pzxid: 15n,
      ctime: 1001,
      mtime: 1002,
      version: 1,
      cversion: 3,
      aversion: 0,
      ephemeralOwner: 0n,
      dataLength: 2,
      numChildren: 1,
    })
    expect(tree.data('/a')?.data).toEqual(Uint8Array.of(1, 2))
    expect(tree.stat('/a/b')).toBeNull()
  })

  it('finds every node by its path, and none that has gone, whatever was looked up before', () => {
    const paths = ['/a', '/a/b', '/a/b/c', '/a/bc', '/a/c', '/ab', '/b', '/b/b']
    const kinds = ['create', 'create-ephemeral', 'delete', 'end-session', 'look'] as const
    const step = fc.tuple(fc.constantFrom(...kinds), fc.constantFrom(...paths, '/', 'a', '//', '/a/', '/a//b', ''))
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const tree = new Tree()
      const model = new Map<string, bigint>()
      let zxid = 0n
      for (const [kind, path] of steps) {
        const at = { zxid: ++zxid, time: 0 }
        const parent = path.slice(0, Math.max(1, path.lastIndexOf('/')))
        const above = tree.get(parent)
        const hasChildren = [...model.keys()].some((other) => other.startsWith(`${path}/`))
        const isFree = paths.includes(path) && !model.has(path) && (parent === '/' || model.has(parent))
        const isEphemeral = kind === 'create-ephemeral'
        if (kind.startsWith('create') && isFree && above?.ownership.kind === 'persistent') {
          tree.create(path, content(isEphemeral ? ephemeralOf(7n) : PERSISTENT), (above.childCreates + 1) | 0, at)
          model.set(path, zxid)
        } else if (kind === 'delete' && model.has(path) && !hasChildren) {
          tree.delete(path, at)
          model.delete(path)
        } else if (kind === 'end-session') tree.deleteEphemeralsOf(7n, at, (gone) => model.delete(gone))
        expect(tree.get(path)?.czxid).toBe(path === '/' ? 0n : model.get(path))
      }
      for (const path of paths) expect(tree.get(path)?.czxid).toBe(model.get(path))
      const found = [...tree.nodes()].map(([path]) => path).filter((path) => !/^\/(zookeeper|$)/.test(path))
      expect(found.sort()).toEqual([...model.keys()].sort())
      expect(tree.nodeCount).toBe(4 + model.size)
    }))
  })

  it('does not count a change of a child on its parent', () => {
    const tree = new Tree()
    tree.create('/a', content(), 1, { zxid: 1n, time: 1 })
    tree.create('/a/b', content(), 1, { zxid: 2n, time: 2 })
    const before = tree.stat('/a')
    tree.setData('/a/b', null, 1, { zxid: 3n, time: 3 })
    expect(tree.stat('/a')).toEqual(before)
  })

  it('gives names of children sorted by code unit, in an array that later changes leave alone', () => {
    const tree = new Tree()
    for (const [i, name] of ['b', 'a', 'ä', 'B', '10', '9'].entries()) {
      tree.create(`/${name}`, content(), i + 1, { zxid: BigInt(i + 1), time: 0 })
    }
    const first = tree.children('/')?.children
    expect(first).toEqual(['10', '9', 'B', 'a', 'b', 'zookeeper', 'ä'])
    expect(tree.children('/')?.children).toBe(first)
    tree.delete('/9', { zxid: 9n, time: 0 })
    expect(tree.children('/')?.children).toEqual(['10', 'B', 'a', 'b', 'zookeeper', 'ä'])
    tree.create('/0', content(), 7, { zxid: 10n, time: 0 })
    expect(tree.children('/')?.children).toEqual(['0', '10', 'B', 'a', 'b', 'zookeeper', 'ä'])
    expect(first).toEqual(['10', '9', 'B', 'a', 'b', 'zookeeper', 'ä'])
  })

  it('knows the ephemeral nodes of each session', () => {
    const tree = new Tree()
    const other = -(2n ** 60n)
    tree.create('/a', content(ephemeralOf(7n)), 1, { zxid: 1n, time: 0 })
    tree.create('/b', content(ephemeralOf(other)), 2, { zxid: 2n, time: 0 })
    tree.create('/c', content(ephemeralOf(7n)), 3, { zxid: 3n, time: 0 })
    expect(tree.stat('/b')?.ephemeralOwner).toBe(other)
    tree.delete('/a', { zxid: 4n, time: 0 })
    expect([...tree.ephemeralsOf(7n)]).toEqual(['/c'])
    expect([...tree.ephemeralsOf(other)]).toEqual(['/b'])
    expect(tree.ephemeralsOf(8n)).toEqual([])
    expect(tree.ephemeralCount).toBe(2)
  })

  it('does not show clients what marks containers and nodes with a time to live', () => {
    const tree = new Tree()
    tree.create('/c', content(CONTAINER), 1, { zxid: 1n, time: 0 })
    tree.create('/t', content({ kind: 'ttl', ttlMs: 500 }), 2, { zxid: 2n, time: 0 })
    expect(tree.stat('/c')?.ephemeralOwner).toBe(0n)
    expect(tree.stat('/t')?.ephemeralOwner).toBe(0n)
  })

  it('finds containers that were used and are empty, and nodes whose time to live is over', () => {
    const tree = new Tree()
    let zxid = 0n
    const at = () => ({ zxid: (zxid += 1n), time: 1000 })
    for (const [i, name] of ['unused', 'z-used', 'full'].entries()) {
      tree.create(`/${name}`, content(CONTAINER), i + 1, at())
    }
    for (const name of ['z-used', 'full']) tree.create(`/${name}/child`, content(), 1, at())
    tree.delete('/z-used/child', at())
    tree.create('/ttl', content({ kind: 'ttl', ttlMs: 100 }), 4, at())
    tree.create('/ttl-parent', content({ kind: 'ttl', ttlMs: 100 }), 5, at())
    tree.create('/ttl-parent/child', content(), 1, at())

    expect(tree.reapable(1100, 10)).toEqual(['/z-used'])
    expect(tree.reapable(1101, 10)).toEqual(['/ttl', '/z-used'])
    expect(tree.reapable(1101, 1)).toEqual(['/ttl'])
    tree.setData('/ttl', null, 1, { zxid: 99n, time: 1050 })
    expect(tree.reapable(1150, 10)).toEqual(['/z-used'])
  })

  it('asserts that a transaction fits', () => {
    const tree = new Tree()
    const at = { zxid: 9n, time: 0 }
    tree.create('/a', content(), 1, at)
    tree.create('/e', content(ephemeralOf(7n)), 2, at)
    expect(() => tree.create('/a', content(), 3, at)).toThrow(AssertionError)
    expect(() => tree.create('/x/y', content(), 1, at)).toThrow('no node /x')
    expect(() => tree.create('/e/y', content(), 1, at)).toThrow('a child below the ephemeral /e')
    expect(() => tree.create('/b', content(), 4, at)).toThrow('as child create 4 of /, which has had 2')
    expect(() => tree.setData('/b', null, 1, at)).toThrow('no node /b')
    expect(() => tree.delete('/b', at)).toThrow('no node /b')
    expect(() => tree.delete('/zookeeper', at)).toThrow('which has 2 children')
    expect(() => tree.delete('/zookeeper/quota', at)).toThrow('delete of /zookeeper/quota')
  })
})

describe('the owner of a node in a file', () => {
  it.each<[bigint, Ownership | null]>([
    [0n, PERSISTENT],
    [7n, { kind: 'ephemeral', owner: 7n }],
    [2n ** 63n - 1n, { kind: 'ephemeral', owner: 2n ** 63n - 1n }],
    [-(2n ** 63n) + 1n, { kind: 'ephemeral', owner: -(2n ** 63n) + 1n }],
    [-(2n ** 56n) - 1n, { kind: 'ephemeral', owner: -(2n ** 56n) - 1n }],
    [-(2n ** 63n), CONTAINER],
    [BigInt.asIntN(64, 0xff00_0000_0000_0001n), { kind: 'ttl', ttlMs: 1 }],
    [BigInt.asIntN(64, 0xff00_00ff_ffff_ffffn), { kind: 'ttl', ttlMs: 2 ** 40 - 1 }],
    [BigInt.asIntN(64, 0xff00_0000_0000_0000n), null],
    [BigInt.asIntN(64, 0xff00_0100_0000_0000n), null],
    [-1n, null],
  ])('%d stands for %o', (number, ownership) => {
    expect(ownershipOf(number)).toEqual(ownership)
    if (ownership !== null) expect(ownerNumberOf(ownership)).toBe(number)
  })
})

describe('the names of children', () => {
  it('stay sorted, and an array once served stays as it was, however reads and changes come', () => {
    const tree = new Tree()
    const served: { readonly names: readonly string[]; readonly copy: readonly string[] }[] = []
    const expected = new Set<string>()
    let childCreates = 0
    for (let i = 0; i < 3_000; i++) {
      const name = `n${(i * 7_919) % 1_500}`
      const at = { zxid: BigInt(i + 1), time: 0 }
      if (expected.delete(name)) tree.delete(`/zookeeper/${name}`, at)
      else {
        childCreates += 1
        expected.add(name)
        tree.create(`/zookeeper/${name}`, { data: null, acl: OPEN_ACL, ownership: PERSISTENT }, childCreates, at)
      }
      if (i % 3 === 0) {
        const names = tree.children('/zookeeper')?.children ?? []
        served.push({ names, copy: [...names] })
        expect(names).toEqual([...expected, 'config', 'quota'].sort())
      }
    }
    for (const { names, copy } of served) expect(names).toEqual(copy)
  })
})
