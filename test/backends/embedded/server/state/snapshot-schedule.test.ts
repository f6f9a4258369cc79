import { describe, expect, it } from 'vitest'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import { SnapshotSchedule } from '../../../../../src/backends/embedded/server/state/snapshot-schedule.ts'
import { Cluster } from '../cluster.ts'
import type { TestConnection } from '../test-connection.ts'

const MB = 0x10_0000

function schedule(drawn: number, limits = { snapCount: 100, snapLogBytes: 10_000 }): SnapshotSchedule {
  return new SnapshotSchedule(limits, { u32: () => drawn, bytes: () => new Uint8Array() })
}

/** How many transactions of a length are applied until it is time. */
function countUntilDue(given: SnapshotSchedule, bytes: number, stateBytes: number): number {
  for (let count = 1; ; count++) {
    given.applied(bytes)
    if (given.takeDue(stateBytes)) return count
  }
}

describe('a snapshot', () => {
  it('is taken after half to all of a number of transactions', () => {
    expect(countUntilDue(schedule(0), 1, 0)).toBe(50)
    expect(countUntilDue(schedule(49), 1, 0)).toBe(99)
  })

  it('is taken after half to all of a number of bytes, if that comes first', () => {
    expect(countUntilDue(schedule(0), 1_000, 0)).toBe(5)
    expect(countUntilDue(schedule(4_999), 1_000, 0)).toBe(10)
  })

  it('is not taken by bytes before the log is as large as the state', () => {
    expect(countUntilDue(schedule(0), 1_000, 30_000)).toBe(30)
    expect(countUntilDue(schedule(0), 1_000, 1_000_000)).toBe(50)
  })

  it('counts from the last one, or from one that was installed', () => {
    const given = schedule(0)
    expect([countUntilDue(given, 1_000, 0), countUntilDue(given, 1_000, 0)]).toEqual([5, 5])
    for (let i = 0; i < 4; i++) given.applied(1_000)
    given.installed()
    expect(countUntilDue(given, 1_000, 0)).toBe(5)
  })
})

describe('servers that are written much to', () => {
  function overwrite(cluster: Cluster, client: TestConnection, times: number, bytes: number): void {
    cluster.create(client, '/n')
    cluster.run()
    for (let i = 0; i < times; i++) {
      cluster.request(client, { op: OpCode.setData, body: { path: '/n', data: new Uint8Array(bytes), version: -1 } })
      cluster.run()
    }
  }

  function bytesOnDisk(cluster: Cluster, id: number): number {
    const { snapshot, entries } = cluster.disk(id)
    const stateBytes = (snapshot?.chunks ?? []).reduce((sum, { length }) => sum + length, 0)
    return stateBytes + entries.reduce((sum, { txn }) => sum + txn.length, 0)
  }

  it.each([[[1]], [[1, 2, 3]]])('keep logs by bytes, long before their transactions are many: %j', (voters) => {
    const cluster = new Cluster(voters, { snapLogBytes: 4 * MB, commitLogBytes: MB })
    cluster.isTracing = false
    cluster.startAll(voters)
    overwrite(cluster, cluster.client(1), 40, MB / 2)
    for (const id of voters) expect(bytesOnDisk(cluster, id)).toBeLessThanOrEqual(5 * MB)
  })

  it('and are found again with all of it', () => {
    const cluster = new Cluster([1, 2, 3], { snapLogBytes: MB, commitLogBytes: MB / 4 })
    cluster.startAll([1, 2, 3])
    overwrite(cluster, cluster.client(1), 10, 1_000)
    cluster.crash(2)
    overwrite(cluster, cluster.client(1), 20, MB / 10)
    for (const id of [1, 3]) cluster.crash(id)
    cluster.startAll([1, 2, 3])
    const snapshots = [1, 2, 3].map((id) => Buffer.from(cluster.server(id).snapshot()).toString('base64'))
    expect(new Set(snapshots).size).toBe(1)
    const { events } = cluster
    expect(events.filter(({ server, event }) => server === 2 && event.type === 'synchronised').at(-1)?.event)
      .toMatchObject({ mode: 'SNAP' })
  })
})
