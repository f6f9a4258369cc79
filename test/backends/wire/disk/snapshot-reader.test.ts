import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { adler32 } from '../../../../src/backends/wire/disk/checksums.ts'
import { DamageError } from '../../../../src/backends/wire/disk/damage.ts'
import { writeSnapshotFile } from '../../../../src/backends/wire/disk/snapshot-file.ts'
import { SnapshotReader } from '../../../../src/backends/wire/disk/snapshot-reader.ts'
import type { SnapshotItem } from '../../../../src/backends/wire/disk/snapshot-reader.ts'
import { SNAPSHOTS, golden } from './golden.ts'
import { contentOf, readItems, unpacked } from './golden-snapshots.ts'

const SMALL = golden('rolling', 'snapshot.0').bytes
/** Sessions, several lists, nodes of every kind. */
const FULL = golden('core-server1', 'snapshot.10000001a').bytes
const DIGEST_SECTION_BYTES = 33
/** It without its digest: whole too, as releases before 3.6 wrote it. */
const FULL_WITHOUT_DIGEST = FULL.subarray(0, FULL.length - DIGEST_SECTION_BYTES)
/** With the sections that are ours. */
const OWN = new Uint8Array(
  Buffer.concat([
    ...writeSnapshotFile({
      ...contentOf(readItems(SMALL)),
      ending: () => ({
        digest: { zxid: 5n, value: 6n },
        lastZxid: 5n,
        secrets: [{ id: 7n, passwd: Uint8Array.of(1, 2, 3) }],
      }),
    }),
  ]),
)
const SEAL_BYTES = 13

function damageOf(bytes: Uint8Array, chunkBytes?: number): DamageError | null {
  try {
    readItems(bytes, 'snapshot.1', chunkBytes)
    return null
  } catch (error) {
    if (!(error instanceof DamageError)) throw error
    expect(error.message).toContain(`snapshot.1: at byte ${error.offset}: `)
    expect(error.offset).toBeLessThanOrEqual(bytes.length)
    return error
  }
}

function kindOf(bytes: Uint8Array): string {
  return damageOf(bytes)?.kind ?? 'none'
}

function counted(items: readonly SnapshotItem[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { kind } of items) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

/** The bytes, and a seal over them. */
function sealed(bytes: Uint8Array): Uint8Array {
  const seal = Buffer.alloc(SEAL_BYTES)
  seal.writeUInt32BE(adler32(bytes), 4)
  seal.writeInt32BE(1, 8)
  seal.write('/', 12)
  return new Uint8Array(Buffer.concat([bytes, seal]))
}

function int64(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

describe('a snapshot of a real ZooKeeper', () => {
  it.each(SNAPSHOTS)('$directory/$name is read completely, from chunks of any length', ({ bytes, compression }) => {
    const original = unpacked(bytes, compression)
    const items = readItems(original, 'snapshot', original.length)
    expect(items.filter(({ kind }) => kind === 'node').length).toBeGreaterThanOrEqual(4)
    for (const chunkBytes of original.length > 100_000 ? [4_099] : [1, 13, 500]) {
      expect(readItems(original, 'snapshot', chunkBytes)).toEqual(items)
    }
  })

  it('holds nodes with their stats, lists and sessions', () => {
    const items = readItems(FULL)
    expect(counted(items)).toEqual({ session: 1, acl: 4, node: 10, digest: 1 })
    expect(items[0]).toEqual({ kind: 'session', session: { id: 0x10000110de30000n, timeoutMs: 8_000 } })
    const first = readItems(SMALL)
    expect(first).toContainEqual({ kind: 'acl', acl: { key: 1n, acl: [{ perms: 1, scheme: 'world', id: 'anyone' }] } })
    const paths = first.flatMap((item) => (item.kind === 'node' ? [item.node.path] : []))
    expect(paths.toSorted()).toEqual(['/', '/zookeeper', '/zookeeper/config', '/zookeeper/quota'])
    expect(first.at(-1)).toEqual({ kind: 'digest', digest: { zxid: 0n, version: 2, value: 0n } })
  })
})

describe('a snapshot with other sections', () => {
  const nodesEnd = SMALL.length - DIGEST_SECTION_BYTES

  it('is read without a digest, as 3.5 wrote it', () => {
    expect(counted(readItems(SMALL.subarray(0, nodesEnd)))).toEqual({ acl: 1, node: 4 })
  })

  it('is read with the last zxid, as 3.9 writes it, with a digest or without', () => {
    const withDigest = sealed(joined(SMALL, int64(9n)))
    expect(readItems(withDigest).slice(-2).map(({ kind }) => kind)).toEqual(['digest', 'last-zxid'])
    const without = sealed(joined(SMALL.subarray(0, nodesEnd), int64(9n)))
    for (const chunkBytes of [1, 7, 10_000]) {
      expect(readItems(without, 'snapshot', chunkBytes).at(-1)).toEqual({ kind: 'last-zxid', zxid: 9n })
    }
  })

  it('is read with a digest in words, as before 3.6', () => {
    const text = Buffer.from('ffffffffffffffff')
    const old = joined(int64(9n), Uint8Array.of(0, 0, 0, 1, 0, 0, 0, text.length), text)
    const items = readItems(sealed(joined(SMALL.subarray(0, nodesEnd), old)))
    expect(items.at(-1)).toEqual({ kind: 'digest', digest: { zxid: 9n, version: 1, value: -1n } })
  })

  it('passes over a section that nobody knows, if it is sealed', () => {
    for (const known of [sealed(joined(SMALL, int64(9n))), OWN]) {
      const future = sealed(joined(known, Buffer.from('something of a later release')))
      expect(readItems(future)).toEqual(readItems(known))
      expect(kindOf(joined(known, Buffer.from('something of a later release')))).toBe('checksum')
      expect(kindOf(joined(known, Buffer.from('short')))).toBe('cut')
    }
  })

  it('is refused with passwords of a later release', () => {
    const bytes = OWN.slice()
    bytes[Buffer.from(bytes).indexOf('quorate') + 10] = 2
    expect(kindOf(bytes)).toBe('version')
  })
})

describe('a damaged snapshot', () => {
  it.each([
    ['of ZooKeeper', FULL],
    ['of ours', OWN],
  ])('%s is never believed, whichever byte is wrong', (_, original) => {
    for (let at = 0; at < original.length; at++) {
      for (const mask of [1, 2, 0x80, 0xff]) {
        // The number of a database means nothing, but it is in the checksum.
        const bytes = original.slice()
        bytes[at] = (bytes[at] as number) ^ mask
        expect(damageOf(bytes)).not.toBeNull()
      }
    }
  })

  it('is never believed if it is cut, but at the end of a section', () => {
    const ends: number[] = []
    for (let length = 0; length < OWN.length; length++) {
      const kind = kindOf(OWN.subarray(0, length))
      if (kind === 'none') ends.push(length)
      else expect(['cut', 'checksum']).toContain(kind)
    }
    expect(ends).toEqual([SMALL.length - DIGEST_SECTION_BYTES, SMALL.length, SMALL.length + 8 + SEAL_BYTES])
  })

  it.each([
    ['another kind of file', 0, 0x5a4b4c47, 'header', 0],
    ['a later version', 4, 3, 'version', 0],
    ['fewer sessions than none', 16, -1, 'length', 16],
    ['more sessions than bytes', 16, 2 ** 31 - 1, 'cut', null],
    ['more lists than bytes', 20, 2 ** 31 - 1, 'content', null],
    ['a list of fewer entries than none', 32, -2, 'length', 32],
    ['a scheme of 2 GB', 40, 2 ** 31 - 1, 'length', 40],
    ['a scheme that is null', 40, -1, 'length', 40],
    ['a path of 2 GB', 59, 2 ** 31 - 1, 'length', 59],
    ['data of 2 GB', 63, 2 ** 31 - 1, 'length', 63],
    ['data of -2 bytes', 63, -2, 'length', 63],
  ])('is refused with %s, and waits for nothing', (_, at, value, kind, offset) => {
    const bytes = SMALL.slice()
    new DataView(bytes.buffer).setInt32(at, value)
    const damage = damageOf(bytes)
    if (kind === 'content') expect(damage).not.toBeNull()
    else expect(damage?.kind).toBe(kind)
    if (offset !== null) expect(damage?.offset).toBe(offset)
  })

  it('is refused with a longer field than the reader was told', () => {
    const reader = new SnapshotReader('snapshot.1', { fieldBytesMax: 5 })
    expect(() => reader.push(SMALL)).toThrow(/a field of 6 bytes; the longest has 5/)
  })
})

describe('a snapshot of anything', () => {
  const isWhole = (bytes: Uint8Array): boolean =>
    [FULL, FULL_WITHOUT_DIGEST].some((whole) => Buffer.compare(whole, bytes) === 0)
  const bytesOf = fc.uint8Array({ maxLength: 3_000 })

  it('is refused', () => {
    const refused = (bytes: Uint8Array): boolean => damageOf(bytes, 97) !== null
    fc.assert(fc.property(bytesOf, refused), { numRuns: 300 })
    fc.assert(
      fc.property(bytesOf, fc.nat({ max: FULL.length - 1 }), (bytes, at) => {
        const changed = joined(FULL.subarray(0, at), bytes)
        expect(isWhole(changed)).toBe(damageOf(changed, 97) === null)
      }),
      { numRuns: 300 },
    )
  })

  it('is refused if it is a real one with bytes moved', () => {
    const isRefusedIfMoved = (to: number, from: number): void => {
      const moved = joined(FULL.subarray(0, to), FULL.subarray(from))
      expect(isWhole(moved)).toBe(damageOf(moved, 97) === null)
    }
    const at = fc.nat({ max: FULL.length - 1 })
    // The seals of the nodes and of the digest end in the same bytes: cut between them, only the digest is gone.
    isRefusedIfMoved(1_205, 1_238)
    fc.assert(fc.property(at, at, isRefusedIfMoved), { numRuns: 300 })
  })
})
