import { describe, expect, it } from 'vitest'
import { CreateFlag, Err, EventType, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { SERVER_DEFAULTS } from '../../../../../src/backends/embedded/server/config.ts'
import { Cluster } from '../cluster.ts'
import { replyOf } from '../test-connection.ts'
import type { TestConnection } from '../test-connection.ts'

const VOTERS = [1, 2, 3]
/** The server that leads when all start together. */
const LEADER = 3
/** The session time-out that {@link Cluster.connect} asks for, in ticks. */
const TIMEOUT_TICKS = 1_000 / SERVER_DEFAULTS.tickMs

function ensemble(config = {}): Cluster {
  const cluster = new Cluster(VOTERS, config)
  cluster.startAll(VOTERS)
  return cluster
}

function exists(cluster: Cluster, connection: TestConnection, path: string, watch = false): number | undefined {
  const xid = cluster.request(connection, { op: OpCode.exists, body: { path, watch } })
  cluster.run()
  return replyOf(connection, xid)?.err
}

function ping(cluster: Cluster, connection: TestConnection): void {
  cluster.request(connection, { op: OpCode.ping, body: null })
}

function expiries(cluster: Cluster): readonly bigint[] {
  return cluster.events.flatMap(({ event }) => (event.type === 'expired' ? [event.sessionId] : []))
}

/** Ticks until the session expires. */
function ticksToExpiry(cluster: Cluster, { sessionId }: TestConnection): number {
  let ticks = -1
  cluster.tickUntil(() => {
    ticks += 1
    return expiries(cluster).includes(sessionId)
  })
  return ticks
}

/** The answer to a client whose session is refused. */
const REFUSED = {
  kind: 'connect',
  response: { protocolVersion: 0, timeOut: 0, sessionId: 0n, passwd: new Uint8Array(16), readOnly: false },
}

describe('a session', () => {
  it('ends after more than its time-out and at most one bucket later, with everything that it owns', () => {
    const cluster = ensemble()
    const [idle, other] = [cluster.client(LEADER), cluster.client(1)]
    cluster.create(idle, '/mine', CreateFlag.ephemeral)
    cluster.run()
    let ticks = 0
    while (!expiries(cluster).includes(idle.sessionId)) {
      ping(cluster, other)
      cluster.tick()
      ticks += 1
    }
    expect(ticks).toBeGreaterThan(TIMEOUT_TICKS)
    expect(ticks).toBeLessThanOrEqual(TIMEOUT_TICKS + SERVER_DEFAULTS.sessionBucketTicks)
    expect(idle.closed).toBe(true)
    expect(exists(cluster, other, '/mine')).toBe(Err.noNode)
    expect(expiries(cluster)).toEqual([idle.sessionId])
  })

  it('is kept alive by pings, also through a server that does not lead', () => {
    const cluster = ensemble()
    const clients = VOTERS.map((id) => cluster.client(id))
    for (let ticks = 0; ticks < 6 * TIMEOUT_TICKS; ticks++) {
      if (ticks % 10 === 0) for (const client of clients) ping(cluster, client)
      cluster.tick()
    }
    expect([expiries(cluster), clients.map(({ closed }) => closed)]).toEqual([[], [false, false, false]])
    const ticks = ticksToExpiry(cluster, clients[0] as TestConnection)
    // Its server tells the leader with the next ping.
    expect(ticks).toBeLessThanOrEqual(TIMEOUT_TICKS + SERVER_DEFAULTS.sessionBucketTicks + SERVER_DEFAULTS.pingTicks)
  })

  it('has its whole time-out again under a new leader', () => {
    const cluster = ensemble()
    const client = cluster.client(LEADER)
    cluster.tick(TIMEOUT_TICKS - 2)
    cluster.crash(LEADER)
    cluster.tickUntil(() => cluster.leader() !== null)
    expect(ticksToExpiry(cluster, client)).toBeGreaterThanOrEqual(TIMEOUT_TICKS)
  })

  it('is not ended by a server that does not lead, whatever it has not heard', () => {
    const cluster = ensemble({ syncLimitTicks: 200 })
    const client = cluster.client(1)
    cluster.network.partition([[1], [2, LEADER]])
    cluster.tick(3 * TIMEOUT_TICKS, [1])
    expect([expiries(cluster), client.closed]).toEqual([[], false])
  })

  it('that is closed takes all its ephemeral nodes along at one zxid', () => {
    const cluster = ensemble()
    const [client, watcher] = [cluster.client(1), cluster.client(2)]
    const paths = ['/a', '/b', '/c']
    for (const path of paths) cluster.create(client, path, CreateFlag.ephemeral)
    cluster.run()
    for (const path of paths) expect(exists(cluster, watcher, path, true)).toBe(Err.ok)
    const xid = cluster.request(client, { op: OpCode.closeSession, body: null })
    cluster.run()
    const zxid = replyOf(client, xid)?.zxid
    const events = watcher.received.flatMap((message) => (message.kind === 'event' ? [message] : []))
    const deletions = paths.map((path) => [EventType.nodeDeleted, path])
    expect(events.map(({ event }) => [event.type, event.path])).toEqual(deletions)
    expect(new Set(events.map((event) => event.zxid))).toEqual(new Set([zxid]))
    expect(client.closed).toBe(true)
    for (const id of VOTERS) expect(cluster.server(id).status().sessions).toBe(1)
  })

  it('has an id and a password that cannot be guessed, and the id of its server in its highest byte', () => {
    const cluster = ensemble()
    const clients = Array.from({ length: 20 }, (_, index) => cluster.client(VOTERS[index % 3] ?? 1))
    for (const [index, { sessionId, passwd }] of clients.entries()) {
      expect(sessionId >> 56n).toBe(BigInt(VOTERS[index % 3] ?? 1))
      expect(sessionId & 0xff_ffff_ffff_ffffn).toBeGreaterThan(0xffff_ffffn)
      expect(passwd).toHaveLength(16)
    }
    expect(new Set(clients.map(({ sessionId }) => sessionId)).size).toBe(20)
    expect(new Set(clients.map(({ passwd }) => Buffer.from(passwd).toString('hex'))).size).toBe(20)
  })

  it('that has expired changes nothing by what it sent before', () => {
    const cluster = ensemble({ syncLimitTicks: 200 })
    const [client, other] = [cluster.client(1), cluster.client(2)]
    const write = cluster.create(client, '/late')
    const ephemeral = cluster.create(client, '/late-too', CreateFlag.ephemeral)
    // The leader hears of everyone but of server 1.
    while (!expiries(cluster).includes(client.sessionId)) {
      ping(cluster, other)
      for (const id of [2, LEADER]) cluster.tickOne(id)
      for (const { from, to } of cluster.pairs()) if (from !== 1) cluster.deliver(from, to)
    }
    cluster.run()
    expect([client.closed, replyOf(client, write)?.err, replyOf(client, ephemeral)?.err]).not.toContain(Err.ok)
    for (const path of ['/late', '/late-too']) expect(exists(cluster, other, path)).toBe(Err.noNode)
    const again = cluster.connect(1, client)
    cluster.run()
    expect([again.received, again.closed]).toEqual([[REFUSED], true])
  })
})

describe('a session that moves to another server', () => {
  it('goes on there, with its ephemeral nodes, its password and the watches that it arms again', () => {
    const cluster = ensemble()
    const before = cluster.client(1)
    cluster.create(before, '/mine', CreateFlag.ephemeral)
    cluster.run()
    cluster.hangUp(before)
    const after = cluster.client(2, before)
    expect([after.sessionId, after.passwd]).toEqual([before.sessionId, before.passwd])
    expect(exists(cluster, after, '/mine', true)).toBe(Err.ok)
    const xid = cluster.request(after, { op: OpCode.delete, body: { path: '/mine', version: -1 } })
    cluster.run()
    expect(after.received.slice(-2)).toMatchObject([{ kind: 'event', event: { path: '/mine' } }, { kind: 'reply' }])
    expect(replyOf(after, xid)?.err).toBe(Err.ok)
  })

  it('is changed no more through the server that it left, which closes that connection without an answer', () => {
    const cluster = ensemble()
    const before = cluster.client(1)
    const after = cluster.client(2, before)
    const late = cluster.create(before, '/late')
    const write = cluster.create(after, '/new')
    cluster.run()
    expect([before.closed, replyOf(before, late)]).toEqual([true, undefined])
    expect([after.closed, replyOf(after, write)?.err]).toEqual([false, Err.ok])
    expect(exists(cluster, after, '/late')).toBe(Err.noNode)
  })

  it.each(['waits for its answer', 'goes away again'])(
    'and comes back is changed no more through the connection that it had first, also while its return %s',
    (end) => {
      const cluster = ensemble()
      const first = cluster.client(1)
      const meanwhile = cluster.client(2, first)
      const write = cluster.create(meanwhile, '/new')
      cluster.run()
      const back = cluster.connect(1, first)
      if (end === 'goes away again') cluster.hangUp(back)
      cluster.create(first, '/late')
      cluster.run()
      expect([replyOf(meanwhile, write)?.err, first.closed]).toEqual([Err.ok, true])
      expect(exists(cluster, cluster.client(3, first), '/late')).toBe(Err.noNode)
    },
  )

  it('keeps the writes that it had sent before in their order', () => {
    const cluster = ensemble()
    const before = cluster.client(1)
    const xids = ['/a', '/a/b', '/a/b/c'].map((path) => cluster.create(before, path))
    const after = cluster.client(2, before)
    cluster.create(after, '/a/b/c/d')
    cluster.run()
    expect(exists(cluster, after, '/a/b/c/d')).toBe(Err.ok)
    expect(xids.map((xid) => replyOf(before, xid)?.err)).toEqual([Err.ok, Err.ok, Err.ok])
  })

  it('within one server closes the connection that it had', () => {
    const cluster = ensemble()
    const before = cluster.client(1)
    const after = cluster.client(1, before)
    expect([before.closed, after.closed]).toEqual([true, false])
    expect(exists(cluster, after, '/')).toBe(Err.ok)
  })

  it.each([[1, 'shorter', 300], [1, 'longer', 3_000], [LEADER, 'shorter', 300], [LEADER, 'longer', 3_000]])(
    'to server %d has the %s time-out that it asks for now',
    (to, _, timeoutMs) => {
      const cluster = ensemble()
      const before = cluster.client(2)
      cluster.hangUp(before)
      const after = cluster.connect(to, before, 0n, timeoutMs)
      cluster.run()
      expect(after.received).toMatchObject([{ kind: 'connect', response: { timeOut: timeoutMs } }])
      const ticks = ticksToExpiry(cluster, after)
      const timeoutTicks = timeoutMs / SERVER_DEFAULTS.tickMs
      expect(ticks).toBeGreaterThan(timeoutTicks)
      expect(ticks).toBeLessThanOrEqual(timeoutTicks + SERVER_DEFAULTS.sessionBucketTicks)
    },
  )

  it('is found again under a new leader', () => {
    const cluster = ensemble()
    const before = cluster.client(LEADER)
    cluster.create(before, '/mine', CreateFlag.ephemeral)
    cluster.run()
    cluster.crash(LEADER)
    cluster.tickUntil(() => cluster.leader() !== null && [1, 2].every((id) => cluster.server(id).status().serving))
    const after = cluster.client(1, before)
    expect(exists(cluster, after, '/mine')).toBe(Err.ok)
  })

  it('is turned away without a word by a server that has not seen what it has seen', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    cluster.holdDisk(2)
    const xid = cluster.create(client, '/a')
    cluster.run()
    const seen = replyOf(client, xid)?.zxid ?? 0n
    const early = cluster.connect(2, client, seen)
    cluster.run()
    expect([early.closed, early.received, client.closed]).toEqual([true, [], false])
    cluster.releaseDisk(2)
    cluster.run()
    expect(cluster.client(2, client, seen).sessionId).toBe(client.sessionId)
  })
})

describe('a wrong password', () => {
  it('is refused by every server, and disturbs nobody', () => {
    const cluster = ensemble()
    const owner = cluster.client(1)
    cluster.create(owner, '/mine', CreateFlag.ephemeral)
    cluster.run()
    for (const id of VOTERS) {
      const passwd = Uint8Array.from(owner.passwd, (byte) => byte ^ id)
      const thief = cluster.connect(id, { sessionId: owner.sessionId, passwd })
      cluster.run()
      expect([thief.received, thief.closed]).toEqual([[REFUSED], true])
    }
    expect([owner.closed, exists(cluster, owner, '/mine')]).toEqual([false, Err.ok])
    const write = cluster.create(owner, '/more')
    cluster.run()
    expect(replyOf(owner, write)?.err).toBe(Err.ok)
  })

  it('gets the same answer as a session that never was', () => {
    const cluster = ensemble()
    for (const id of VOTERS) {
      const stranger = cluster.connect(id, { sessionId: 77n, passwd: new Uint8Array(16) })
      cluster.run()
      expect([stranger.received, stranger.closed]).toEqual([[REFUSED], true])
    }
  })

  it('is looked at by the leader where the session is not known yet', () => {
    const cluster = ensemble()
    cluster.holdDisk(2)
    const owner = cluster.client(1)
    expect(cluster.server(2).status().sessions).toBe(0)
    const thief = cluster.connect(2, { sessionId: owner.sessionId, passwd: new Uint8Array(16) })
    cluster.run()
    expect([thief.received, owner.closed]).toEqual([[REFUSED], false])
    const write = cluster.create(owner, '/a')
    cluster.run()
    expect(replyOf(owner, write)?.err).toBe(Err.ok)
  })

  it('gets no answer that another connection asked for, where the session is not known yet', () => {
    const cluster = ensemble()
    cluster.holdDisk(2)
    const owner = cluster.client(1)
    for (const order of ['owner first', 'thief first'] as const) {
      const thieves = { sessionId: owner.sessionId, passwd: new Uint8Array(16) }
      const asked = order === 'owner first' ? [owner, thieves] : [thieves, owner]
      const connections = asked.map((resume) => cluster.connect(2, resume))
      cluster.run()
      const [again, thief] = order === 'owner first' ? connections : connections.toReversed()
      expect([order, again?.closed, thief?.received, thief?.closed]).toEqual([order, false, [REFUSED], true])
      expect(again?.received).toMatchObject([{ kind: 'connect', response: { sessionId: owner.sessionId } }])
    }
  })
})
