import { describe, expect, it } from 'vitest'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import { adler32 } from '../../../../../src/backends/wire/disk/checksums.ts'

/** Of a tree in which nothing is but what every tree has, as ZooKeeper 3.8.0 gives it. */
const EMPTY_TREE = 1_371_985_504n
const SEAL_BYTES = 13
const DIGEST_BYTES = 20
/** The zxid, and the section with no passwords. */
const LATER_SECTIONS = [8, 19]

function digestOffset(bytes: Uint8Array): number {
  const seals = SEAL_BYTES * (LATER_SECTIONS.length + 1)
  return bytes.length - seals - LATER_SECTIONS.reduce((sum, length) => sum + length) - DIGEST_BYTES
}

/** The snapshot with another digest of its tree, and seals that fit. */
function withDigest(snapshot: Uint8Array, value: bigint): Uint8Array {
  const bytes = snapshot.slice()
  const view = new DataView(bytes.buffer)
  let at = digestOffset(bytes)
  view.setBigInt64(at + 12, value)
  for (const length of [DIGEST_BYTES, ...LATER_SECTIONS]) {
    at += length
    view.setBigInt64(at, BigInt(adler32(bytes.subarray(0, at))))
    at += SEAL_BYTES
  }
  return bytes
}

describe('the digest in a snapshot', () => {
  it('is that of the tree, at the zxid of the snapshot', () => {
    const bytes = new State(undefined, undefined, 7n).snapshot()
    const view = new DataView(bytes.buffer, digestOffset(bytes), DIGEST_BYTES)
    expect([view.getBigInt64(0), view.getInt32(8), view.getBigInt64(12)]).toEqual([7n, 2, EMPTY_TREE])
  })

  it('is none before the first transaction', () => {
    const bytes = new State().snapshot()
    const view = new DataView(bytes.buffer, digestOffset(bytes), DIGEST_BYTES)
    expect([view.getBigInt64(0), view.getBigInt64(12)]).toEqual([0n, 0n])
  })

  it('is compared when the snapshot is read', () => {
    const bytes = new State(undefined, undefined, 7n).snapshot()
    expect(State.restore(withDigest(bytes, EMPTY_TREE)).lastZxid).toBe(7n)
    expect(() => State.restore(withDigest(bytes, EMPTY_TREE + 1n))).toThrow(/at zxid 0x7: the digest of its nodes is/)
  })
})
