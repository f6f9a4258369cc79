import { describe, expect, it } from 'vitest'
import { Err, OpCode, Xid } from '../../../../../src/backends/wire/codes.ts'
import type { Reply, Request } from '../../../../../src/backends/wire/records.ts'
import { REQUEST_PARTS_MAX } from '../../../../../src/backends/embedded/server/clients/request-limits.ts'
import { Cluster } from '../cluster.ts'
import { replyOf } from '../test-connection.ts'
import type { TestConnection } from '../test-connection.ts'

const VOTERS = [1, 2, 3]

function ensemble(): Cluster {
  const cluster = new Cluster(VOTERS)
  cluster.startAll(VOTERS)
  return cluster
}

function unreadable(cluster: Cluster, connection: TestConnection, op: number, xid: number): void {
  cluster.send(connection, { kind: 'unreadable', xid, op })
}

function replies(connection: TestConnection): Reply[] {
  return connection.received.flatMap((message) => (message.kind === 'reply' ? [message.reply] : []))
}

describe('a request that cannot be read', () => {
  it.each([
    OpCode.create, OpCode.create2, OpCode.createContainer, OpCode.createTTL, OpCode.delete, OpCode.setData,
    OpCode.setAcl, OpCode.check, OpCode.multi,
  ])('is refused in its turn and takes a zxid if it is the write %d', (op) => {
    const cluster = ensemble()
    const client = cluster.client(1)
    const first = cluster.create(client, '/a')
    unreadable(cluster, client, op, 1_001)
    const last = cluster.create(client, '/b')
    cluster.run()
    const zxid = replyOf(client, first)?.zxid ?? 0n
    expect(replies(client).map((reply) => [reply.xid, reply.err, reply.zxid])).toEqual([
      [first, Err.ok, zxid],
      [1_001, Err.marshallingError, zxid + 1n],
      [last, Err.ok, zxid + 2n],
    ])
  })

  it.each([
    OpCode.exists, OpCode.getData, OpCode.getAcl, OpCode.getChildren, OpCode.getChildren2, OpCode.sync,
    OpCode.multiRead, OpCode.reconfig, OpCode.checkWatches, OpCode.removeWatches, OpCode.setWatches,
    OpCode.setWatches2, OpCode.addWatch, OpCode.getEphemerals, OpCode.getAllChildrenNumber,
  ])('is refused in its turn and takes none if it is the read %d', (op) => {
    const cluster = ensemble()
    const client = cluster.client(1)
    const first = cluster.create(client, '/a')
    unreadable(cluster, client, op, 1_001)
    cluster.run()
    const zxid = replyOf(client, first)?.zxid
    expect(replies(client).map((reply) => [reply.xid, reply.err, reply.zxid])).toEqual([
      [first, Err.ok, zxid],
      [1_001, Err.marshallingError, zxid],
    ])
    expect(client.closed).toBe(false)
  })

  it('ends the connection if it is about who the client is', () => {
    const cluster = ensemble()
    const [one, other] = [cluster.client(1), cluster.client(1)]
    unreadable(cluster, one, OpCode.auth, Xid.auth)
    unreadable(cluster, other, OpCode.sasl, 1)
    expect(replies(one)).toEqual([{ xid: Xid.auth, zxid: 0n, err: Err.authFailed, body: null }])
    expect(replies(other)).toEqual([])
    expect([one.closed, other.closed]).toEqual([true, true])
  })
})

describe('a multi', () => {
  it.each([OpCode.multi, OpCode.multiRead])('of more operations than one may have is refused in its turn: %d', (op) => {
    const cluster = ensemble()
    const client = cluster.client(1)
    const part = op === OpCode.multi
      ? { op: OpCode.check, body: { path: '/', version: -1 } }
      : { op: OpCode.getData, body: { path: '/', watch: false } }
    for (const count of [REQUEST_PARTS_MAX, REQUEST_PARTS_MAX + 1]) {
      const body = Array.from({ length: count }, () => part)
      cluster.send(client, { kind: 'request', request: { xid: count, op, body } as Request })
    }
    cluster.run()
    const answers = replies(client).map(({ xid, err }) => [xid, err])
    expect(answers).toEqual([[REQUEST_PARTS_MAX, Err.ok], [REQUEST_PARTS_MAX + 1, Err.badArguments]])
    expect(client.closed).toBe(false)
  })
})

describe('an operation', () => {
  const unknown = [0, -1, -10, 10, 55, 99, 108, 2 ** 31 - 1]
  it.each(unknown)('that there is not is told so, and the connection ends: %d', (op) => {
    const cluster = ensemble()
    const client = cluster.client(1)
    const first = cluster.create(client, '/a')
    unreadable(cluster, client, op, 1_001)
    const last = cluster.create(client, '/b')
    cluster.run()
    expect(replies(client).map(({ xid }) => xid)).toEqual([first, 1_001])
    expect(replyOf(client, 1_001)).toEqual({ xid: 1_001, zxid: -1n, err: Err.unimplemented, body: null })
    expect(replyOf(client, last)).toBeUndefined()
    expect(client.closed).toBe(true)
  })

  it('of the servers themselves is refused', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    unreadable(cluster, client, OpCode.deleteContainer, 1_001)
    cluster.run()
    expect(replyOf(client, 1_001)?.err).toBe(Err.badArguments)
    expect(client.closed).toBe(false)
  })

  it('reconfig is not there where it is switched on, as on a server of the reference on its own', () => {
    const cluster = new Cluster([1], { reconfigEnabled: true })
    cluster.startAll([1])
    const client = cluster.client(1)
    const body = { joiningServers: 'server.2=a:1:2', leavingServers: null, newMembers: null, curConfigId: -1n }
    const xid = cluster.request(client, { op: OpCode.reconfig, body })
    const next = cluster.create(client, '/after')
    cluster.run()
    expect([xid, next].map((of) => replyOf(client, of)?.err)).toEqual([Err.unimplemented, Err.ok])
    expect(client.closed).toBe(false)
  })

  it('reconfig is switched off, and takes a zxid', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    const first = cluster.create(client, '/a')
    const body = { joiningServers: null, leavingServers: '3', newMembers: null, curConfigId: -1n }
    const xid = cluster.request(client, { op: OpCode.reconfig, body })
    cluster.run()
    const zxid = (replyOf(client, first)?.zxid ?? 0n) + 1n
    expect(replyOf(client, xid)).toEqual({ xid, zxid, err: Err.reconfigDisabled, body: null })
  })

  it('sasl is answered as by a server that is not set up for it', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    const xid = cluster.request(client, { op: OpCode.sasl, body: { token: Uint8Array.of(1) } })
    expect(replyOf(client, xid)).toEqual({ xid, zxid: 0n, err: Err.ok, body: { token: null } })
  })

  it('check on its own is answered, whatever it finds', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    cluster.create(client, '/a')
    const [right, wrong] = [0, 7].map((version) => {
      return cluster.request(client, { op: OpCode.check, body: { path: '/a', version } })
    })
    cluster.run()
    expect(replyOf(client, right ?? 0)).toMatchObject({ err: Err.ok, body: null })
    expect(replyOf(client, wrong ?? 0)?.err).toBe(Err.badVersion)
  })
})

describe('a ping', () => {
  it('of a server that is a majority by itself is answered at once, in its turn', () => {
    const cluster = new Cluster([1])
    cluster.startAll([1])
    const client = cluster.client(1)
    cluster.holdDisk(1)
    const first = cluster.create(client, '/a')
    cluster.send(client, { kind: 'request', request: { xid: 77, op: OpCode.ping, body: null } })
    const last = cluster.request(client, { op: OpCode.getData, body: { path: '/a', watch: false } })
    expect(replies(client)).toEqual([])
    cluster.releaseDisk(1)
    cluster.run()
    expect(replies(client).map(({ xid, err }) => [xid, err])).toEqual([
      [first, Err.ok], [Xid.ping, Err.ok], [last, Err.ok],
    ])
  })
})

describe('a sync at a server that is alone', () => {
  it('is confirmed also if a tick comes with it', () => {
    const cluster = new Cluster([1])
    cluster.startAll([1])
    const client = cluster.client(1)
    // Some ticks begin a round of pings, and none of these is answered by anybody.
    const xids = Array.from({ length: 8 }, () => {
      let xid = 0
      cluster.turn(1, () => {
        xid = cluster.request(client, { op: OpCode.sync, body: { path: '/' } })
        cluster.tickOne(1)
      })
      return xid
    })
    expect(xids.map((xid) => replyOf(client, xid)?.err)).toEqual(xids.map(() => Err.ok))
  })
})
