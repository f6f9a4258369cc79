import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { DamageError } from '../../../../src/backends/wire/disk/damage.ts'
import { SnapshotReader } from '../../../../src/backends/wire/disk/snapshot-reader.ts'
import type { SnapshotItem } from '../../../../src/backends/wire/disk/snapshot-reader.ts'
import { gzipSnapshot, unpackSnapshot } from '../../../../src/backends/wire/io/snapshot-streams.ts'
import { SNAPSHOTS, chunked, golden } from '../disk/golden.ts'
import { readItems, unpacked } from '../disk/golden-snapshots.ts'

const GZ = golden('snap-gz', 'snapshot.2a.gz').bytes

async function collected(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk.slice())
  return new Uint8Array(Buffer.concat(all))
}

async function damageOf(bytes: Uint8Array, compression: 'gz' | 'snappy'): Promise<DamageError | null> {
  try {
    await collected(unpackSnapshot('snapshot.2a', compression, [bytes]))
    return null
  } catch (error) {
    if (error instanceof DamageError) return error
    throw error
  }
}

describe('a compressed snapshot', () => {
  it.each(SNAPSHOTS)('$directory/$name is read as a stream', async ({ name, compression, bytes }) => {
    const reader = new SnapshotReader(name)
    const items: SnapshotItem[] = []
    const copies = [...chunked(bytes, 5_000)].map((_, i) => bytes.slice(5_000 * i, 5_000 * (i + 1)))
    for await (const chunk of unpackSnapshot(name, compression, copies)) items.push(...reader.push(chunk))
    items.push(...reader.end())
    expect(items).toEqual(readItems(unpacked(bytes, compression)))
  })

  it('is written as one that gzip reads', async () => {
    const original = golden('standalone', 'snapshot.3e').bytes
    const packed = await collected(gzipSnapshot([original.slice(0, 1_000), original.slice(1_000)]))
    expect([packed[0], packed[1]]).toEqual([0x1f, 0x8b])
    expect(gunzipSync(packed).equals(original)).toBe(true)
    expect(Buffer.from(await collected(unpackSnapshot('snapshot.3e.gz', 'gz', [packed]))).equals(original)).toBe(true)
  })

  it('is refused if it is cut, or holds what gzip did not write', async () => {
    expect(await damageOf(GZ.slice(0, 500), 'gz')).toMatchObject({ kind: 'cut', file: 'snapshot.2a', offset: 500 })
    expect(await damageOf(Uint8Array.of(1, 2, 3), 'gz')).toMatchObject({ kind: 'compression' })
    const wrong = GZ.slice()
    wrong[400] = (wrong[400] as number) ^ 0xff
    expect(await damageOf(wrong, 'gz')).toMatchObject({ kind: 'compression' })
    expect(await damageOf(GZ, 'snappy')).toMatchObject({ kind: 'header' })
    expect(await damageOf(new Uint8Array(), 'gz')).toMatchObject({ kind: 'cut', offset: 0 })
  })

  it('passes on an error of its source', async () => {
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield GZ.slice(0, 100)
      throw new Error('EIO')
    }
    for (const compression of ['none', 'gz', 'snappy'] as const) {
      const chunks = unpackSnapshot('snapshot.2a', compression, broken())
      await expect(collected(chunks)).rejects.toThrow(compression === 'snappy' ? 'begins with' : 'EIO')
    }
    await expect(collected(gzipSnapshot(broken()))).rejects.toThrow('EIO')
  })

  it('ends its source if its reader stops early', async () => {
    let isEnded = false
    const large = gzipSync(Buffer.alloc(5_000_000, 7), { level: 0 })
    const source = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (const at of Array(100).keys()) yield large.subarray(at * 50_000, (at + 1) * 50_000)
      } finally {
        isEnded = true
      }
    }
    for await (const chunk of unpackSnapshot('snapshot.1.gz', 'gz', source())) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    await new Promise((resolve) => void setImmediate(resolve))
    expect(isEnded).toBe(true)
  })
})
