import { describe, expect, it } from 'vitest'
import { CreateFlag, Err, OpCode } from '../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../src/backends/wire/records.ts'
import { Cluster } from './cluster.ts'
import { replyOf } from './test-connection.ts'
import type { TestConnection } from './test-connection.ts'

function idOf({ sessionId }: TestConnection): string {
  return `0x${sessionId.toString(16)}`
}

function listed(listing: Iterable<readonly [string, Iterable<string>]>): (readonly [string, string[]])[] {
  return [...listing].map(([head, members]) => [head, [...members]])
}

describe('what can be seen of a server', () => {
  const cluster = new Cluster([1, 2, 3])
  cluster.startAll([1, 2, 3])
  const near = cluster.connect(1, undefined, 0n, 5_000, '10.0.0.1')
  cluster.run()
  const far = cluster.client(3)
  cluster.create(near, '/a')
  cluster.create(near, '/a/e', CreateFlag.ephemeral)
  cluster.create(far, '/f', CreateFlag.ephemeral)
  cluster.request(near, { op: OpCode.exists, body: { path: '/later', watch: true } })
  cluster.request(near, { op: OpCode.addWatch, body: { path: '/a', mode: 0 } })
  cluster.request(near, { op: OpCode.getChildren, body: { path: '/', watch: true } })
  cluster.tick(3)
  const seen = cluster.server(1).inspect()

  it('are the numbers of the tree', () => {
    const paths = ['/', '/zookeeper', '/zookeeper/config', '/zookeeper/quota', '/a', '/a/e', '/f']
    expect(seen).toMatchObject({ nodes: 7, ephemerals: 2, watches: 4, outstanding: 0 })
    expect(seen.dataBytes).toBe(paths.join('').length + 3)
  })

  it('are the sessions, with the time that they have left where that is known', () => {
    const sorted = [near, far].sort((a, b) => (a.sessionId < b.sessionId ? -1 : 1))
    expect(seen.sessions.map(({ id }) => id)).toEqual(sorted.map(idOf))
    expect(seen.sessions.map(({ expiresInMs }) => expiresInMs)).toEqual([null, null])
    for (const { timeoutMs, expiresInMs } of cluster.server(3).inspect().sessions) {
      expect(expiresInMs).toBeGreaterThan(0)
      expect(expiresInMs).toBeLessThanOrEqual(timeoutMs + 100)
    }
  })

  it('are ephemeral nodes of all sessions, and watches of nodes of those that are here', () => {
    const ephemerals = new Map(listed(seen.ephemeralsBySession))
    expect(ephemerals).toEqual(new Map([[idOf(near), ['/a/e']], [idOf(far), ['/f']]]))
    expect(seen.ephemeralOwners).toBe(2)
    expect(listed(seen.watchesByPath)).toEqual([['/later', [idOf(near)]], ['/a', [idOf(near)]]])
    expect(listed(seen.watchesBySession)).toEqual([[idOf(near), ['/later', '/a']]])
    expect(seen.nodeWatches).toEqual({ count: 2, paths: 2, connections: 1 })
  })

  it('are the clients that are connected here', () => {
    const [connection, ...others] = seen.connections
    expect(others).toEqual([])
    expect(connection).toMatchObject({
      number: near.number,
      sessionId: idOf(near),
      timeoutMs: 5_000,
      address: '10.0.0.1',
      pending: 0,
      received: 6,
      sent: 6,
      lastOp: OpCode.getChildren,
    })
    expect(connection?.lastZxid).toBe(cluster.server(1).status().zxid)
  })

  it('are requests that wait', () => {
    cluster.network.partition([[1], [2, 3]])
    cluster.create(near, '/x')
    cluster.create(near, '/y')
    expect(cluster.server(1).inspect()).toMatchObject({ outstanding: 2, connections: [{ pending: 2 }] })
  })
})

describe('a configuration', () => {
  it('says what /zookeeper/config holds, also where the state came from a peer', () => {
    const cluster = new Cluster([1, 2, 3], { membership: 'server.1=a:1:2:participant\nversion=0', commitLogCount: 1 })
    cluster.startAll([1, 2])
    const client = cluster.client(2)
    for (let i = 0; i < 5; i++) cluster.create(client, `/n${i}`)
    cluster.run()
    cluster.start(3)
    cluster.tickUntil(() => cluster.server(3).status().serving)
    const reader = cluster.client(3)
    const xid = cluster.request(reader, { op: OpCode.getData, body: { path: '/zookeeper/config', watch: false } })
    cluster.run()
    const body = replyOf(reader, xid)?.body as { data: Uint8Array; stat: { version: number } }
    expect(Buffer.from(body.data).toString()).toBe('server.1=a:1:2:participant\nversion=0')
    expect(body.stat.version).toBe(-1)
    expect(cluster.server(3).snapshot()).toEqual(cluster.server(1).snapshot())
  })

  it('says how long a request may be', () => {
    const cluster = new Cluster([1], { requestBytesMax: 100 })
    cluster.startAll([1])
    const client = cluster.client(1)
    const [right, wrong] = [98, 99].map((length) => {
      const body = { path: `/${length}`.slice(0, 2), data: new Uint8Array(length), acl: OPEN_ACL, flags: 2 }
      return cluster.request(client, { op: OpCode.create, body })
    })
    cluster.run()
    expect(replyOf(client, right ?? 0)?.err).toBe(Err.ok)
    expect(replyOf(client, wrong ?? 0)?.err).toBe(Err.badArguments)
  })
})
