import { describe, expect, it } from 'vitest'
import { writeSnapshotFile } from '../../../../src/backends/wire/disk/snapshot-file.ts'
import type { SnapshotContent, SnapshotNode } from '../../../../src/backends/wire/disk/snapshot-file.ts'
import { OPEN_ACL } from '../../../../src/backends/wire/records.ts'
import { SNAPSHOTS } from './golden.ts'
import { contentOf, readItems, unpacked } from './golden-snapshots.ts'

const SEAL_BYTES = 13

function written(content: SnapshotContent): Uint8Array {
  return new Uint8Array(Buffer.concat([...writeSnapshotFile(content)]))
}

function node(path: string, data: Uint8Array | null): SnapshotNode {
  const stat = { czxid: 1n, mzxid: 2n, ctime: 3, mtime: 4, version: 5, cversion: 6, aversion: 7, ephemeralOwner: 8n }
  return { path, data, aclKey: -1n, ...stat, pzxid: 9n }
}

const NO_DIGEST = { digest: null, lastZxid: 9n, secrets: null }

describe('a snapshot file', () => {
  it.each(SNAPSHOTS)('is written byte for byte as ZooKeeper wrote $directory/$name', ({ bytes, compression }) => {
    const original = unpacked(bytes, compression)
    expect(Buffer.from(written(contentOf(readItems(original)))).equals(original)).toBe(true)
  })

  it('has passwords where no ZooKeeper looks, after what 3.9 adds, and ends as ZooKeeper expects', () => {
    const ending = { digest: { zxid: 9n, value: 77n }, lastZxid: 9n, secrets: null }
    const content = { sessions: [], acls: [], nodes: [node('/', null)], ending: () => ending }
    const secrets = [{ id: 1n, passwd: Uint8Array.of(1, 2) }, { id: -2n, passwd: new Uint8Array() }]
    const plain = written(content)
    const bytes = written({ ...content, ending: () => ({ ...ending, secrets }) })
    expect(Buffer.from(bytes.subarray(0, plain.length)).equals(plain)).toBe(true)
    expect(Buffer.from(bytes.subarray(plain.length, plain.length + 8)).readBigInt64BE()).toBe(9n)
    expect([...bytes.subarray(-5)]).toEqual([0, 0, 0, 1, 0x2f])
    const items = readItems(bytes)
    expect(items.slice(-4)).toEqual([
      { kind: 'last-zxid', zxid: 9n },
      { kind: 'ours' },
      ...secrets.map((secret) => ({ kind: 'secret', secret })),
    ])
    // A ZooKeeper 3.9 reads up to its own last seal, which covers everything before it.
    const asOf39 = bytes.subarray(0, plain.length + 8 + SEAL_BYTES)
    expect(readItems(asOf39).at(-1)).toEqual({ kind: 'last-zxid', zxid: 9n })
  })

  it('is a stream of small chunks, and asks for a node only when its turn comes', () => {
    let asked = 0
    const nodes = function* (): Generator<SnapshotNode> {
      yield node('/', null)
      for (; asked < 20_000; asked++) yield node(`/node-${asked}`, new Uint8Array(100).fill(asked))
    }
    const sessions = Array.from({ length: 10_000 }, (_, i) => ({ id: BigInt(i + 1), timeoutMs: 1 }))
    let largest = 0
    let steps = 0
    let before = 0
    for (const chunk of writeSnapshotFile({ sessions, acls: [], nodes: nodes(), ending: () => NO_DIGEST })) {
      largest = Math.max(largest, chunk.length)
      expect(asked - before).toBeLessThan(1_000)
      before = asked
      steps += 1
    }
    expect(largest).toBeLessThan(0x1_0000 + 0x5000)
    expect(steps).toBeGreaterThan(40)
  })

  it('does not copy long data', () => {
    const data = new Uint8Array(1_000_000).fill(3)
    const content = { sessions: [], acls: [], nodes: [node('/', data), node('/a', data)], ending: () => NO_DIGEST }
    const chunks = [...writeSnapshotFile(content)]
    expect(chunks.filter((chunk) => chunk === data)).toHaveLength(2)
    const nodes = readItems(written(content)).filter(({ kind }) => kind === 'node')
    expect(nodes).toHaveLength(2)
    for (const item of nodes) expect(item.kind === 'node' && item.node.data?.every((byte) => byte === 3)).toBe(true)
  })

  it('asks for its ending when the last node has been written', () => {
    const order: string[] = []
    const nodes = function* (): Generator<SnapshotNode> {
      yield node('/', null)
      order.push('nodes')
    }
    const ending = (): typeof NO_DIGEST => {
      order.push('ending')
      return NO_DIGEST
    }
    written({ sessions: [], acls: [{ key: 1n, acl: OPEN_ACL }], nodes: nodes(), ending })
    expect(order).toEqual(['nodes', 'ending'])
  })
})
