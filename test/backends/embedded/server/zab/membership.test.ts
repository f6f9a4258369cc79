import { describe, expect, it } from 'vitest'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import { configurationOf, readConfiguration, readServers } from '../../../../../src/backends/wire/configuration.ts'
import { encodeTransaction } from '../../../../../src/backends/wire/transactions.ts'
import { Journal, NOTHING_RECOVERED } from '../../../../../src/backends/embedded/server/zab/journal.ts'
import type { LogEntry } from '../../../../../src/backends/embedded/server/zab/journal.ts'
import { Membership } from '../../../../../src/backends/embedded/server/zab/membership.ts'
import { zxidOf } from '../../../../../src/backends/embedded/server/zab/zxid.ts'
import { fillerEntry } from '../log-entries.ts'

function textOf(voters: readonly number[], version: bigint): string {
  const lines = voters.map((id) => `server.${id}=h${id}:2888:3888:participant;2181`)
  return configurationOf(readServers(lines), version).text
}

/** The entry that makes these servers the voters. */
function change(counter: number, voters: readonly number[]): LogEntry {
  const zxid = zxidOf(1, counter)
  const body = { path: '/zookeeper/config', data: Buffer.from(textOf(voters, zxid)), version: -1 }
  const header = { clientId: 1n, cxid: 1, zxid, time: 1, type: OpCode.reconfig }
  return { zxid, txn: encodeTransaction({ header, txn: { type: OpCode.reconfig, body } }) }
}

function membership(...entries: readonly LogEntry[]): { journal: Journal; membership: Membership } {
  const journal = new Journal({ ...NOTHING_RECOVERED, acceptedEpoch: 1, currentEpoch: 1, entries })
  return { journal, membership: new Membership(readConfiguration(textOf([1, 2, 3], 0n)), journal) }
}

describe('a configuration', () => {
  it('that is proposed decides together with the one in force', () => {
    const { membership: members } = membership(change(1, [3, 4, 5]))
    expect(members.voters).toEqual([1, 2, 3, 4, 5])
    const quorums = [[1, 2], [4, 5], [1, 3, 4], [1, 2, 4, 5], [3, 1], [3, 5, 2]]
    expect(quorums.map((ids) => members.isQuorum(ids))).toEqual([false, false, true, true, false, true])
    expect(members.quorumValue(new Map([[1, 9], [2, 8], [3, 1], [4, 5], [5, 4]]))).toBe(4)
    expect(members.quorumValue(new Map([[1, 9], [2, 8], [4, 5]]))).toBeNull()
  })

  it('decides alone once it is in force', () => {
    const entry = change(1, [3, 4, 5])
    const { membership: members } = membership(entry)
    expect(members.enter(readConfiguration(textOf([3, 4, 5], entry.zxid)))).toBe(true)
    expect([[4, 5], [1, 2], [1, 2, 3]].map((ids) => members.isQuorum(ids))).toEqual([true, false, false])
    expect([1, 3].map((id) => members.mayCount(id))).toEqual([false, true])
    expect(members.enter(readConfiguration(textOf([1], entry.zxid)))).toBe(false)
  })

  it('of which a later one stands in the log is in force', () => {
    const { membership: members } = membership(change(1, [1, 2, 4]), fillerEntry(1, 2), change(3, [4, 5, 6]))
    expect(members.current.voters).toEqual([1, 2, 4])
    expect([[1, 4, 5], [2, 3, 5, 6], [1, 3, 4, 5]].map((ids) => members.isQuorum(ids))).toEqual([true, false, true])
  })

  it('is forgotten when its transaction is cut off', () => {
    const { journal, membership: members } = membership(fillerEntry(1, 1), change(2, [4, 5, 6]))
    expect(members.isQuorum([1, 2])).toBe(false)
    journal.truncate(zxidOf(1, 1), 0n)
    expect(members.proposed).toBeNull()
    expect(members.isQuorum([1, 2])).toBe(true)
  })
})
