import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../../../src/core/assert.ts'
import { Journal, NOTHING_RECOVERED, follows } from '../../../../../src/backends/embedded/server/zab/journal.ts'
import { zxidOf } from '../../../../../src/backends/embedded/server/zab/zxid.ts'
import type { LogEntry } from '../../../../../src/backends/embedded/server/zab/journal.ts'

const STATE = [Uint8Array.of(7)]

function entry(epoch: number, counter: number): LogEntry {
  return { zxid: zxidOf(epoch, counter), txn: Uint8Array.of(counter) }
}

/** A journal with entries 1 to `count` of epoch 1, all durable. */
function journal(count: number): Journal {
  const entries = Array.from({ length: count }, (_, index) => entry(1, index + 1))
  return new Journal({ acceptedEpoch: 1, votes: true, currentEpoch: 1, base: 0n, entries })
}

describe('the journal', () => {
  it('begins with what was recovered, all of it durable and nothing of it to be persisted again', () => {
    const recovered = journal(3)
    expect(recovered.lastZxid).toBe(zxidOf(1, 3))
    expect(recovered.durable).toEqual({ zxid: zxidOf(1, 3), acceptedEpoch: 1, currentEpoch: 1 })
    expect([recovered.dirty, recovered.take()]).toEqual([false, []])
  })

  it('keeps the order in which things were asked for when it hands them out to be persisted', () => {
    const kept = journal(2)
    kept.append(entry(1, 3))
    kept.append(entry(1, 4))
    kept.truncate(zxidOf(1, 3), 0n)
    kept.append(entry(1, 4))
    kept.acceptEpoch(2)
    kept.enterEpoch(2)
    kept.append(entry(2, 1))
    expect(kept.take().map(({ type }) => type)).toEqual([
      'append', 'truncate', 'append', 'epochs', 'epochs', 'append',
    ])
    expect(kept.dirty).toBe(false)
  })

  it('counts nothing as durable before the host says so', () => {
    const kept = journal(1)
    kept.append(entry(1, 2))
    const { mark } = kept
    kept.append(entry(1, 3))
    expect(kept.durable.zxid).toBe(zxidOf(1, 1))
    kept.persisted(mark)
    expect(kept.durable.zxid).toBe(zxidOf(1, 2))
  })

  it('refuses a gap, a repetition, an earlier epoch, and an epoch that does not begin with 1', () => {
    for (const wrong of [entry(1, 5), entry(1, 3), entry(0, 4), entry(2, 2), entry(2, 0)]) {
      expect(() => journal(3).append(wrong)).toThrow(AssertionError)
    }
    expect(follows(zxidOf(1, 3), zxidOf(1, 4))).toBe(true)
    expect(follows(zxidOf(1, 3), zxidOf(3, 1))).toBe(true)
  })

  it('never cuts off what is applied, nor where there is no entry', () => {
    const kept = journal(5)
    expect(() => kept.truncate(zxidOf(1, 2), zxidOf(1, 3))).toThrow(AssertionError)
    expect(() => kept.truncate(zxidOf(0, 9), 0n)).toThrow(AssertionError)
    kept.truncate(zxidOf(1, 3), zxidOf(1, 3))
    expect(kept.lastZxid).toBe(zxidOf(1, 3))
  })

  it('lets neither epoch fall, and enters none that it did not accept', () => {
    const kept = journal(1)
    kept.acceptEpoch(4)
    expect(() => kept.acceptEpoch(4)).toThrow(AssertionError)
    expect(() => kept.enterEpoch(5)).toThrow(AssertionError)
    kept.enterEpoch(4)
    expect(() => kept.enterEpoch(3)).toThrow(AssertionError)
    expect([kept.acceptedEpoch, kept.currentEpoch]).toEqual([4, 4])
  })

  it('finds the entries between two zxids, also where a zxid is that of none of them', () => {
    const kept = journal(3)
    kept.append(entry(3, 1))
    kept.append(entry(3, 2))
    const zxids = kept.range(zxidOf(1, 2), zxidOf(3, 1)).map(({ zxid }) => zxid)
    expect(zxids).toEqual([zxidOf(1, 3), zxidOf(3, 1)])
    expect(kept.floor(zxidOf(2, 7))).toBe(zxidOf(1, 3))
    expect(kept.floor(0n)).toBe(0n)
    expect([kept.covers(zxidOf(3, 2)), kept.covers(zxidOf(2, 1)), kept.covers(0n)]).toEqual([true, false, true])
  })

  it('keeps a number of applied entries in memory and forgets older ones, never one that is not applied', () => {
    const kept = journal(20)
    kept.trim(zxidOf(1, 10), { commitLogCount: 3, commitLogBytes: 1_000 })
    expect(kept.base).toBe(zxidOf(1, 7))
    expect(() => kept.range(zxidOf(1, 6), zxidOf(1, 8))).toThrow(AssertionError)
    expect(kept.range(kept.base, kept.lastZxid)).toHaveLength(13)
    expect(kept.covers(zxidOf(1, 6))).toBe(false)
  })

  it('keeps no more applied entries than a number of bytes, whatever their number', () => {
    const kept = journal(0)
    const limits = { commitLogCount: 500, commitLogBytes: 1_000 }
    for (let counter = 1; counter <= 100; counter++) {
      kept.append({ zxid: zxidOf(1, counter), txn: new Uint8Array(counter % 2 === 0 ? 300 : 10) })
      kept.trim(zxidOf(1, counter), limits)
      const bytes = kept.range(kept.base, kept.lastZxid).reduce((sum, { txn }) => sum + txn.length, 0)
      expect(bytes).toBeLessThanOrEqual(2 * limits.commitLogBytes)
    }
    expect(kept.range(kept.base, kept.lastZxid).length).toBeGreaterThan(3)
    kept.append({ zxid: zxidOf(1, 101), txn: new Uint8Array(5_000) })
    kept.trim(zxidOf(1, 100), limits)
    expect(kept.lastZxid).toBe(zxidOf(1, 101))
    kept.trim(zxidOf(1, 101), limits)
    expect([kept.base, kept.lastZxid]).toEqual([zxidOf(1, 101), zxidOf(1, 101)])
  })

  it('counts the bytes of what was cut off, replaced or recovered', () => {
    const kept = journal(20)
    const limits = { commitLogCount: 500, commitLogBytes: 8 }
    kept.truncate(zxidOf(1, 10), 0n)
    kept.trim(zxidOf(1, 10), limits)
    expect(kept.base).toBe(0n)
    for (let counter = 11; counter <= 17; counter++) kept.append(entry(1, counter))
    kept.trim(zxidOf(1, 17), limits)
    expect(kept.base).toBe(zxidOf(1, 9))
    kept.install(zxidOf(1, 30), STATE)
    for (let counter = 31; counter <= 46; counter++) kept.append(entry(1, counter))
    kept.trim(zxidOf(1, 46), limits)
    expect(kept.base).toBe(zxidOf(1, 30))
  })

  it('is empty after a snapshot that was installed', () => {
    const kept = journal(3)
    kept.install(zxidOf(1, 9), STATE)
    expect([kept.base, kept.lastZxid]).toEqual([zxidOf(1, 9), zxidOf(1, 9)])
    kept.append(entry(1, 10))
    expect(kept.take().map(({ type }) => type)).toEqual(['install', 'append'])
  })

  it('begins at the snapshot that was recovered', () => {
    const entries = [entry(1, 6)]
    const kept = new Journal({ ...NOTHING_RECOVERED, base: zxidOf(1, 5), entries })
    expect([kept.base, kept.lastZxid]).toEqual([zxidOf(1, 5), zxidOf(1, 6)])
  })
})
