/** A server that has lost its majority, and those who want to read all the same. */
import { describe, expect, it } from 'vitest'
import { CreateFlag, Err, OWN_SERVER, OpCode } from '../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../src/backends/wire/records.ts'
import type { Reply, Request } from '../../../../src/backends/wire/records.ts'
import { SERVER_DEFAULTS } from '../../../../src/backends/embedded/server/config.ts'
import { Cluster } from './cluster.ts'
import { replyOf } from './test-connection.ts'
import type { TestConnection } from './test-connection.ts'

const VOTERS = [1, 2, 3]
/** The server that leads when all start together. */
const LEADER = 3
const WAIT_TICKS = 40
const READ_ONLY = { readOnly: true }
/** The session time-out that {@link Cluster.connect} asks for, in ticks. */
const TIMEOUT_TICKS = 1_000 / SERVER_DEFAULTS.tickMs

type Asked = Pick<Request, 'op' | 'body'>

/** Three servers with a node `/a`, of which one writer has a session. */
function ensemble(): { readonly cluster: Cluster; readonly writer: TestConnection } {
  const cluster = new Cluster(VOTERS, { readOnlyWaitTicks: WAIT_TICKS })
  cluster.startAll(VOTERS)
  const writer = cluster.client(1)
  cluster.create(writer, '/a')
  cluster.run()
  return { cluster, writer }
}

/** The same, when only server 1 is left, which is read-only. */
function remainder(): { readonly cluster: Cluster; readonly writer: TestConnection } {
  const { cluster, writer } = ensemble()
  cluster.crash(2)
  cluster.crash(LEADER)
  cluster.tickUntil(() => cluster.server(1).status().readOnly)
  return { cluster, writer }
}

function ask(cluster: Cluster, connection: TestConnection, request: Asked): Reply | undefined {
  const xid = cluster.request(connection, request)
  cluster.run()
  return replyOf(connection, xid)
}

function errOf(cluster: Cluster, connection: TestConnection, request: Asked): number | undefined {
  return ask(cluster, connection, request)?.err
}

function exists(cluster: Cluster, connection: TestConnection, path: string): number | undefined {
  return errOf(cluster, connection, { op: OpCode.exists, body: { path, watch: false } })
}

describe('a server without a majority', () => {
  it('is read-only once it has looked long enough, and not a tick sooner', () => {
    const { cluster } = ensemble()
    cluster.crash(2)
    cluster.crash(LEADER)
    cluster.tickUntil(() => cluster.server(1).status().role === 'LOOKING')
    const { zxid } = cluster.server(1).status()
    cluster.tick(WAIT_TICKS - 1)
    expect(cluster.server(1).status().readOnly).toBe(false)
    cluster.tick()
    expect(cluster.server(1).status()).toMatchObject({ readOnly: true, serving: false, role: 'LOOKING', zxid })
    expect(cluster.events.at(-1)?.event).toEqual({ type: 'read-only', zxid })
  })

  it('serves nobody, if it is not to', () => {
    const cluster = new Cluster(VOTERS)
    cluster.startAll(VOTERS)
    cluster.crash(2)
    cluster.crash(LEADER)
    cluster.tick(10 * WAIT_TICKS)
    expect(cluster.server(1).status().readOnly).toBe(false)
    expect(cluster.connect(1, READ_ONLY).closed).toBe(true)
  })

  it('answers reads and pings of who has said that it will do, and nobody else', () => {
    const { cluster } = remainder()
    expect(cluster.connect(1).closed).toBe(true)
    const reader = cluster.client(1, READ_ONLY)
    const { zxid } = cluster.server(1).status()
    expect(reader.received).toEqual([{
      kind: 'connect',
      response: {
        protocolVersion: 0, timeOut: 1_000, sessionId: reader.sessionId, passwd: reader.passwd, readOnly: true,
      },
    }])
    expect(ask(cluster, reader, { op: OpCode.exists, body: { path: '/a', watch: true } }))
      .toMatchObject({ err: Err.ok, zxid })
    expect(exists(cluster, reader, '/b')).toBe(Err.noNode)
    expect(errOf(cluster, reader, { op: OpCode.getData, body: { path: '/a', watch: false } })).toBe(Err.ok)
    expect(errOf(cluster, reader, { op: OpCode.ping, body: null })).toBe(undefined)
    expect(reader.received.at(-1)).toMatchObject({ kind: 'reply', reply: { xid: -2, err: Err.ok } })
  })

  it('refuses all that needs a majority, in its turn, and whatever it asks for', () => {
    const { cluster } = remainder()
    const reader = cluster.client(1, READ_ONLY)
    const path = '/b'
    const data = new Uint8Array()
    const writes: readonly Asked[] = [
      { op: OpCode.create, body: { path, data, acl: OPEN_ACL, flags: CreateFlag.ephemeral } },
      { op: OpCode.create2, body: { path: 'no path', data, acl: OPEN_ACL, flags: 0 } },
      { op: OpCode.setData, body: { path: '/a', data, version: -1 } },
      { op: OpCode.delete, body: { path: '/none', version: -1 } },
      { op: OpCode.multi, body: [] },
      { op: OpCode.sync, body: { path: '/' } },
      { op: OpCode.reconfig, body: { joiningServers: null, leavingServers: null, newMembers: null, curConfigId: -1n } },
    ]
    for (const write of writes) expect(errOf(cluster, reader, write)).toBe(Err.notReadOnly)
    expect(exists(cluster, reader, path)).toBe(Err.noNode)
    cluster.send(reader, { kind: 'unreadable', xid: 99, op: OpCode.create })
    expect(replyOf(reader, 99)?.err).toBe(Err.notReadOnly)
  })

  it('is not recognised as one of ours, whose answers to pings renew leases', () => {
    const { cluster, writer } = ensemble()
    expect(exists(cluster, writer, OWN_SERVER)).toBe(Err.ok)
    const left = remainder().cluster
    expect(exists(left, left.client(1, READ_ONLY), OWN_SERVER)).toBe(Err.noNode)
  })

  it('turns a session of the ensemble away without a word, which goes on when there is a majority again', () => {
    const { cluster, writer } = remainder()
    const back = cluster.connect(1, { ...writer, ...READ_ONLY })
    const unknown = cluster.connect(1, { sessionId: 7n, passwd: new Uint8Array(16), ...READ_ONLY })
    expect([back.closed, back.received, unknown.closed, unknown.received]).toEqual([true, [], true, []])
    cluster.start(2)
    cluster.tickUntil(() => cluster.server(1).status().serving)
    expect(cluster.client(1, writer).sessionId).toBe(writer.sessionId)
  })

  it('turns away who has seen more than it has', () => {
    const { cluster } = remainder()
    const { zxid } = cluster.server(1).status()
    expect(cluster.connect(1, READ_ONLY, zxid + 1n).closed).toBe(true)
    expect(cluster.connect(1, READ_ONLY, zxid).closed).toBe(false)
  })

  it('shows nobody an empty tree: one that has lost its storage, or never had any, is not read from', () => {
    const cluster = new Cluster(VOTERS, { readOnlyWaitTicks: WAIT_TICKS })
    cluster.start(1)
    cluster.tick(2 * WAIT_TICKS)
    expect(cluster.server(1).status().readOnly).toBe(false)
  })
})

describe('a read-only session', () => {
  it('can be resumed with its password until its time-out, and ends by it, and by its client', () => {
    const { cluster } = remainder()
    const first = cluster.client(1, READ_ONLY)
    const again = cluster.client(1, { ...first, ...READ_ONLY })
    expect([again.sessionId, first.closed]).toEqual([first.sessionId, true])
    const passwd = Uint8Array.from(again.passwd, (byte, index) => (index < 8 ? byte : byte ^ 1))
    const wrong = cluster.connect(1, { ...again, passwd, ...READ_ONLY })
    expect([wrong.received, wrong.closed]).toMatchObject([[{ response: { timeOut: 0 } }], true])
    expect(again.closed).toBe(false)

    cluster.tick(TIMEOUT_TICKS - 1)
    cluster.request(again, { op: OpCode.ping, body: null })
    cluster.tick(TIMEOUT_TICKS - 1)
    expect(again.closed).toBe(false)
    cluster.tick(SERVER_DEFAULTS.sessionBucketTicks + 1)
    expect(again.closed).toBe(true)
    expect(cluster.connect(1, { ...first, ...READ_ONLY }).received).toMatchObject([{ response: { timeOut: 0 } }])

    const other = cluster.client(1, READ_ONLY)
    const xid = cluster.request(other, { op: OpCode.closeSession, body: null })
    expect([replyOf(other, xid)?.err, other.closed]).toEqual([Err.ok, true])
    expect(cluster.connect(1, { ...other, ...READ_ONLY }).received).toMatchObject([{ response: { timeOut: 0 } }])
  })

  it('is in no log, and over for all when there is a majority again', () => {
    const { cluster } = remainder()
    const logged = cluster.server(1).status().loggedZxid
    const reader = cluster.client(1, READ_ONLY)
    expect(cluster.server(1).status()).toMatchObject({ loggedZxid: logged, sessions: 1, connections: 1 })
    cluster.start(2)
    cluster.tickUntil(() => cluster.server(1).status().serving)
    expect(reader.closed).toBe(true)
    expect(cluster.server(1).status().readOnly).toBe(false)
    for (const id of [1, 2]) {
      const back = cluster.connect(id, { ...reader, ...READ_ONLY })
      cluster.run()
      expect(back.received).toMatchObject([{ response: { timeOut: 0 } }])
    }
    expect(cluster.client(2, READ_ONLY, cluster.server(1).status().zxid).received)
      .toMatchObject([{ response: { readOnly: false } }])
  })
})

describe('what a read-only server shows', () => {
  it('was committed, if it has served: a write that only its own disk has is not there', () => {
    const { cluster, writer } = ensemble()
    const onLeader = cluster.client(LEADER)
    cluster.intercept = (_from, _to, message) => message.type !== 'PACKET' || message.packet.type !== 'ACK'
    cluster.create(onLeader, '/unacknowledged')
    cluster.run()
    cluster.intercept = null
    cluster.crash(1)
    cluster.crash(LEADER)
    cluster.tickUntil(() => cluster.server(2).status().readOnly)
    const { zxid, loggedZxid } = cluster.server(2).status()
    expect(loggedZxid).toBe(zxid + 1n)
    const reader = cluster.client(2, READ_ONLY)
    expect([exists(cluster, reader, '/a'), exists(cluster, reader, '/unacknowledged')]).toEqual([Err.ok, Err.noNode])
    expect(writer.closed).toBe(true)
  })

  it('is its whole log after a restart, in a copy: what a leader cuts off later was never in its state', () => {
    const { cluster } = ensemble()
    const onLeader = cluster.client(LEADER)
    cluster.intercept = (_from, to, message) => message.type !== 'PACKET' || to === LEADER
    cluster.create(onLeader, '/lost')
    cluster.run()
    cluster.intercept = null
    for (const id of VOTERS) cluster.crash(id)
    cluster.start(LEADER)
    cluster.tickUntil(() => cluster.server(LEADER).status().readOnly)
    const reader = cluster.client(LEADER, READ_ONLY)
    expect([exists(cluster, reader, '/a'), exists(cluster, reader, '/lost')]).toEqual([Err.ok, Err.ok])
    expect(cluster.server(LEADER).status()).toMatchObject({ sessions: 2, nodes: 6 })

    cluster.network.partition([[1, 2], [LEADER]])
    cluster.start(1)
    cluster.start(2)
    cluster.tickUntil(() => cluster.server(1).status().serving && cluster.server(2).status().serving)
    cluster.create(cluster.client(1), '/later')
    cluster.run()
    expect([reader.closed, exists(cluster, reader, '/lost')]).toEqual([false, Err.ok])
    cluster.network.heal()
    cluster.tickUntil(() => cluster.server(LEADER).status().serving)
    expect(reader.closed).toBe(true)
    const after = cluster.client(LEADER)
    expect([exists(cluster, after, '/lost'), exists(cluster, after, '/later')]).toEqual([Err.noNode, Err.ok])
    expect(cluster.server(LEADER).snapshot()).toEqual(cluster.server(1).snapshot())
  })
})
