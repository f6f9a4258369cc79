import { describe, expect, it } from 'vitest'
import { TreeDigest } from '../../../../src/backends/wire/disk/tree-digest.ts'
import { filesOf } from './golden.ts'
import { replay } from './replay.ts'

/** Of each directory: records applied on the newest snapshot, digests that were equal, the last zxid, the digest. */
const REPLAYS: readonly (readonly [string, number, number, bigint, bigint])[] = [
  ['closeold', 6, 6, 0x6n, 7280050224n],
  ['core-server1', 0, 0, 0x10000001an, 18459662783n],
  ['core-server2', 0, 1, 0x10000001an, 18459662783n],
  ['fuzzy', 2940, 2486, 0x2e4an, 14246020072333n],
  ['nodigest', 0, 0, 0x3fn, 51781874499n],
  ['reconfig-server1', 0, 1, 0x100000003n, 1371985504n],
  ['reconfig-server4', 3, 3, 0x100000003n, 1371985504n],
  ['reconfig-server5', 2, 2, 0x100000003n, 1371985504n],
  ['rolling', 6, 7, 0x5dn, 68519491408n],
  ['snap-gz', 0, 1, 0x2an, 92173544591n],
  ['snap-snappy', 0, 1, 0x2an, 98496691985n],
  ['standalone', 4, 5, 0x42n, 55186093870n],
  ['trunc', 0, 1, 0x100000004n, 8913336670n],
]

describe('the digest of a tree', () => {
  it.each(REPLAYS)('is that of ZooKeeper all through %s', (directory, applied, equal, lastZxid, digest) => {
    const result = replay(directory)
    expect(result.different).toEqual([])
    expect(result.isSettled).toBe(true)
    expect([result.applied, result.equal.length, result.lastZxid]).toEqual([applied, equal, lastZxid])
    expect(result.tree.digest).toBe(digest)
  })

  it('is the same from every older snapshot, also where that is fuzzy', () => {
    for (const directory of ['rolling', 'fuzzy', 'snap-gz', 'snap-snappy', 'core-server2', 'trunc']) {
      const { digest } = replay(directory).tree
      const snapshots = filesOf(directory).filter(({ kind }) => kind === 'snapshot')
      for (const { name } of snapshots) {
        const result = replay(directory, name)
        expect([directory, name, result.different, result.tree.digest]).toEqual([directory, name, [], digest])
      }
    }
  })

  it('differs where ZooKeeper differs from itself: at a create with the flag of containers', () => {
    expect(replay('standalone', 'snapshot.0').different).toEqual([0xfn])
  })

  it('is a sum modulo 2^64, signed', () => {
    const digest = new TreeDigest()
    digest.remove(1)
    expect(digest.value).toBe(-1n)
    digest.add(0xffff_ffff)
    expect(digest.value).toBe(0xffff_fffen)
    digest.add(2)
    expect(digest.value).toBe(0x1_0000_0000n)
    digest.remove(1)
    expect(digest.value).toBe(0xffff_ffffn)
    digest.reset(0n)
    expect(digest.value).toBe(0n)
  })
})
