import { describe, expect, it } from 'vitest'
import { Err, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { SERVER_DEFAULTS } from '../../../../../src/backends/embedded/server/config.ts'
import { Cluster } from '../cluster.ts'
import { replyOf } from '../test-connection.ts'
import type { TestConnection } from '../test-connection.ts'

function sync(cluster: Cluster, connection: TestConnection): number {
  return cluster.request(connection, { op: OpCode.sync, body: { path: '/' } })
}

describe('a server alone', () => {
  it('serves when its epoch is on its disk, and answers a write when that is', () => {
    const cluster = new Cluster([1])
    cluster.holdDisk(1)
    cluster.start(1)
    cluster.tick(10)
    expect(cluster.server(1).status().serving).toBe(false)
    cluster.releaseDisk(1)
    const client = cluster.client(1)
    cluster.holdDisk(1)
    const xid = cluster.create(client, '/a')
    cluster.tick(10)
    expect(replyOf(client, xid)).toBeUndefined()
    cluster.releaseDisk(1)
    expect(replyOf(client, xid)?.err).toBe(Err.ok)
    const asked = sync(cluster, client)
    expect(replyOf(client, asked)?.err).toBe(Err.ok)
  })

  it('answers a sync that comes in one turn with a tick, before or after it, whether the tick pings or not', () => {
    const cluster = new Cluster([1])
    cluster.startAll([1])
    const client = cluster.client(1)
    for (const isSyncFirst of [true, false]) {
      for (let ticks = 0; ticks < SERVER_DEFAULTS.pingTicks; ticks++) {
        let asked = 0
        cluster.turn(1, () => {
          if (!isSyncFirst) cluster.tickOne(1)
          asked = sync(cluster, client)
          if (isSyncFirst) cluster.tickOne(1)
        })
        expect(replyOf(client, asked)?.err).toBe(Err.ok)
      }
    }
  })
})
