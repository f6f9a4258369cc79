import { describe, expect, it } from 'vitest'
import { Err, EventType, OpCode, Xid } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import type { ServerMessage } from '../../../../../src/backends/wire/records.ts'
import { REQUEST_BYTES_MAX, SERVER_DEFAULTS } from '../../../../../src/backends/embedded/server/config.ts'
import { PENDING_REQUESTS_MAX } from '../../../../../src/backends/embedded/server/clients/request-limits.ts'
import { Cluster } from '../cluster.ts'
import { replyOf } from '../test-connection.ts'
import type { TestConnection } from '../test-connection.ts'

const VOTERS = [1, 2, 3]
/** The server that leads when all start together. */
const LEADER = 3

function ensemble(): Cluster {
  const cluster = new Cluster(VOTERS)
  cluster.startAll(VOTERS)
  return cluster
}

function get(cluster: Cluster, connection: TestConnection, path: string, watch = false): number {
  return cluster.request(connection, { op: OpCode.getData, body: { path, watch } })
}

function set(cluster: Cluster, connection: TestConnection, path: string, byte: number): number {
  return cluster.request(connection, { op: OpCode.setData, body: { path, data: Uint8Array.of(byte), version: -1 } })
}

function sync(cluster: Cluster, connection: TestConnection): number {
  return cluster.request(connection, { op: OpCode.sync, body: { path: '/' } })
}

function replies(connection: TestConnection): { xid: number; zxid: bigint; err: number }[] {
  return connection.received.flatMap((message) => (message.kind === 'reply' ? [message.reply] : []))
}

/** Replies by xid and events by path, in the order in which they came. */
function order(messages: readonly ServerMessage[]): (number | string)[] {
  return messages.flatMap((message): (number | string)[] => {
    if (message.kind === 'connect') return []
    return message.kind === 'reply' ? [message.reply.xid] : [message.event.path]
  })
}

function expectNeverFalling(connection: TestConnection): void {
  const zxids = replies(connection).map(({ zxid }) => zxid)
  expect(zxids).toEqual([...zxids].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)))
}

describe('requests on one connection', () => {
  for (const id of [1, LEADER]) {
    const role = id === LEADER ? 'the leader' : 'a follower'
    it(`are answered by ${role} in the order in which they came, each seeing all before it`, () => {
      const cluster = ensemble()
      const client = cluster.client(id)
      const xids: number[] = []
      const seen: { readonly xid: number; readonly byte: number }[] = []
      cluster.create(client, '/a')
      for (let i = 1; i <= 20; i++) {
        xids.push(set(cluster, client, '/a', i))
        const xid = get(cluster, client, '/a')
        seen.push({ xid, byte: i })
        xids.push(xid, cluster.create(client, '/a'))
        if (i % 3 === 0) xids.push(sync(cluster, client))
      }
      cluster.run()
      expect(replies(client).slice(1).map(({ xid }) => xid)).toEqual(xids)
      for (const { xid, byte } of seen) expect(replyOf(client, xid)?.body).toMatchObject({ data: Uint8Array.of(byte) })
      expectNeverFalling(client)
    })
  }

  it('have zxids that never fall, also where a sync is confirmed before an earlier write is done', () => {
    const cluster = ensemble()
    const client = cluster.client(LEADER)
    for (const id of [1, 2]) cluster.holdDisk(id)
    const xids = [cluster.create(client, '/a'), sync(cluster, client), cluster.create(client, '/b')]
    cluster.tick(5)
    expect(replies(client)).toEqual([])
    for (const id of [1, 2]) cluster.releaseDisk(id)
    cluster.run()
    expect(replies(client).map(({ xid }) => xid)).toEqual(xids)
    expectNeverFalling(client)
  })

  it('have zxids that never fall, also where a later write is done before a sync is confirmed', () => {
    const cluster = ensemble()
    const [client, other] = [cluster.client(1), cluster.client(LEADER)]
    const xids = [sync(cluster, client), cluster.create(client, '/a'), get(cluster, client, '/a')]
    xids.push(sync(cluster, client))
    for (let i = 0; i < 5; i++) cluster.create(other, `/other-${i}`)
    xids.push(cluster.create(client, '/b'))
    // The leader hears of pings late, and of the log in time.
    let late = true
    cluster.intercept = (_from, to, message) => {
      return !late || to !== LEADER || message.type !== 'PACKET' || message.packet.type !== 'PING'
    }
    cluster.run()
    late = false
    expect(replies(client)).toEqual([])
    cluster.tick(10)
    expect(replies(client).map(({ xid }) => xid)).toEqual(xids)
    expectNeverFalling(client)
  })

  it('that are too long are refused in their turn, and the connection goes on', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    const first = cluster.create(client, '/a')
    const body = { path: '/a', data: new Uint8Array(REQUEST_BYTES_MAX), version: -1 }
    const long = cluster.request(client, { op: OpCode.setData, body })
    const parts = [0, 1].map((i) => {
      const data = new Uint8Array(REQUEST_BYTES_MAX / 2)
      return { op: OpCode.create2, body: { path: `/m${i}`, data, acl: OPEN_ACL, flags: 0 } }
    })
    const longTogether = cluster.request(client, { op: OpCode.multi, body: parts })
    const last = cluster.create(client, '/b')
    cluster.run()
    expect(replies(client).map(({ xid, err }) => [xid, err])).toEqual([
      [first, Err.ok], [long, Err.badArguments], [longTogether, Err.badArguments], [last, Err.ok],
    ])
    expectNeverFalling(client)
  })

  it('close it if too many of them wait', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    cluster.network.partition([[1], [2, LEADER]])
    for (let i = 0; i < PENDING_REQUESTS_MAX; i++) sync(cluster, client)
    expect(client.closed).toBe(false)
    sync(cluster, client)
    expect(client.closed).toBe(true)
  })

  it('that nobody knows are answered so', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    cluster.send(client, { kind: 'request', request: { xid: 7_777, op: 9_999 as typeof OpCode.ping, body: null } })
    cluster.run()
    expect(replyOf(client, 7_777)?.err).not.toBe(Err.ok)
    expect(cluster.leader()).toBe(LEADER)
  })
})

describe('a ping', () => {
  const ping = (cluster: Cluster, client: TestConnection): void => {
    cluster.send(client, { kind: 'request', request: { xid: Xid.ping, op: OpCode.ping, body: null } })
  }
  const pongs = (client: TestConnection): number => replies(client).filter(({ xid }) => xid === Xid.ping).length

  for (const id of [1, LEADER]) {
    const role = id === LEADER ? 'the leader' : 'a follower'
    it(`is answered by ${role} within a tick, with all others of that tick, and holds up no read`, () => {
      const cluster = ensemble()
      const [alice, bob] = [cluster.client(id), cluster.client(id)]
      for (const client of [alice, bob, alice]) ping(cluster, client)
      const xid = get(cluster, alice, '/')
      cluster.run()
      expect(replyOf(alice, xid)?.err).toBe(Err.ok)
      expect(pongs(alice)).toBe(0)
      cluster.tick()
      expect([pongs(alice), pongs(bob)]).toEqual([2, 1])
    })
  }

  it('is not answered by a follower that is cut off from its leader, nor by a leader without its followers', () => {
    for (const id of [1, LEADER]) {
      const cluster = ensemble()
      const client = cluster.client(id)
      cluster.network.partition([[id], [1, 2, LEADER].filter((other) => other !== id)])
      ping(cluster, client)
      cluster.tick(3)
      expect(cluster.server(id).status().serving).toBe(true)
      expect(pongs(client)).toBe(0)
      cluster.network.heal()
      cluster.run()
      expect(pongs(client)).toBe(1)
    }
  })

  it('is answered by a server alone at once, but not while the session is being ended and the disk is slow', () => {
    const cluster = new Cluster([1])
    cluster.startAll([1])
    const [client, other] = [cluster.client(1), cluster.client(1)]
    ping(cluster, client)
    cluster.run()
    expect(pongs(client)).toBe(1)
    cluster.holdDisk(1)
    cluster.tickUntil(() => {
      ping(cluster, other)
      return cluster.events.some(({ event }) => event.type === 'expired' && event.sessionId === client.sessionId)
    })
    // Its answer would renew a lease that is over as soon as the disk is done.
    ping(cluster, client)
    cluster.run()
    expect([pongs(client), client.closed]).toEqual([1, false])
    cluster.releaseDisk(1)
    cluster.tick()
    expect([pongs(client), client.closed]).toEqual([1, true])
  })

  it('that is one of too many without an answer ends its connection', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    cluster.network.partition([[1], [2, LEADER]])
    for (let i = 0; i < 64; i++) ping(cluster, client)
    expect(client.closed).toBe(false)
    ping(cluster, client)
    expect(client.closed).toBe(true)
  })
})

describe('the first message on a connection', () => {
  it('has to be a connect, and no other may be one', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    const { sessionId, passwd } = client
    const request = { protocolVersion: 0, lastZxidSeen: 0n, timeOut: 1_000, sessionId, passwd, readOnly: false }
    cluster.send(client, { kind: 'connect', request })
    expect(client.closed).toBe(true)

    const hasty = cluster.connect(1)
    cluster.request(hasty, { op: OpCode.ping, body: null })
    expect([hasty.closed, replies(hasty)]).toEqual([true, []])
  })

  it('is answered once, also by a server that hears of the session later than of its client', () => {
    const cluster = ensemble()
    cluster.holdDisk(2)
    const before = cluster.client(1)
    expect(cluster.server(2).status().sessions).toBe(0)
    const after = cluster.client(2, before)
    cluster.releaseDisk(2)
    cluster.run()
    expect(cluster.server(2).status().sessions).toBe(1)
    expect(after.received.map(({ kind }) => kind)).toEqual(['connect'])
  })

  it('gets a time-out between the limits of the server', () => {
    const cluster = ensemble()
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = SERVER_DEFAULTS
    const granted = [0, 1_234, 2 ** 31 - 1].map((timeOut) => {
      const client = cluster.connect(1, undefined, 0n, timeOut)
      cluster.run()
      return client.received.map((message) => (message.kind === 'connect' ? message.response.timeOut : null))
    })
    expect(granted).toEqual([[minSessionTimeoutMs], [1_234], [maxSessionTimeoutMs]])
  })
})

describe('a watch event', () => {
  it('comes before the reply of the write that fired it, and before every later read', () => {
    const cluster = ensemble()
    const [client, other] = [cluster.client(1), cluster.client(2)]
    cluster.create(client, '/a')
    cluster.run()
    get(cluster, client, '/a', true)
    get(cluster, other, '/a', true)
    client.received.length = 0
    other.received.length = 0
    const [write, read] = [set(cluster, client, '/a', 2), get(cluster, client, '/a')]
    cluster.run()
    const later = get(cluster, other, '/a')
    expect(order(client.received)).toEqual(['/a', write, read])
    expect(order(other.received)).toEqual(['/a', later])
  })

  it('comes once for a change between the end of one connection and the next, and not if there was none', () => {
    const cluster = ensemble()
    const [client, other] = [cluster.client(1), cluster.client(2)]
    for (const path of ['/changed', '/deleted', '/same', '/parent']) cluster.create(other, path)
    cluster.run()
    cluster.request(client, { op: OpCode.sync, body: { path: '/' } })
    cluster.run()
    const seen = replies(client).at(-1)?.zxid ?? 0n
    cluster.hangUp(client)
    set(cluster, other, '/changed', 2)
    cluster.request(other, { op: OpCode.delete, body: { path: '/deleted', version: -1 } })
    for (const path of ['/created', '/parent/child']) cluster.create(other, path)
    cluster.run()
    const again = cluster.client(LEADER, client, seen)
    const xid = cluster.request(again, {
      op: OpCode.setWatches,
      body: {
        relativeZxid: seen,
        dataWatches: ['/changed', '/deleted', '/same'],
        existWatches: ['/created', '/not-yet'],
        childWatches: ['/parent'],
      },
    })
    const events = again.received.flatMap((message) => {
      return message.kind === 'event' ? [[message.event.type, message.event.path]] : []
    })
    expect(events.sort()).toEqual([
      [EventType.nodeCreated, '/created'],
      [EventType.nodeDeleted, '/deleted'],
      [EventType.nodeDataChanged, '/changed'],
      [EventType.nodeChildrenChanged, '/parent'],
    ].sort())
    expect(replyOf(again, xid)?.err).toBe(Err.ok)
    again.received.length = 0
    set(cluster, other, '/same', 3)
    cluster.create(other, '/not-yet')
    set(cluster, other, '/changed', 3)
    cluster.run()
    expect(order(again.received)).toEqual(['/same', '/not-yet'])
  })

  it('comes no more on a connection that is gone', () => {
    const cluster = ensemble()
    const [client, other] = [cluster.client(1), cluster.client(2)]
    cluster.request(client, { op: OpCode.getChildren2, body: { path: '/', watch: true } })
    expect(cluster.server(1).status().watches).toBe(1)
    cluster.hangUp(client)
    expect(cluster.server(1).status().watches).toBe(0)
    cluster.create(other, '/a')
    cluster.run()
    expect(client.received.filter(({ kind }) => kind === 'event')).toEqual([])
  })
})
