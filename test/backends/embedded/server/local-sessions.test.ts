/** Sessions that one server alone knows while it serves: `localSessions` of a server. */
import { describe, expect, it } from 'vitest'
import { CreateFlag, Err, OpCode } from '../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../src/backends/wire/records.ts'
import type { Reply, Request } from '../../../../src/backends/wire/records.ts'
import { decodeTransaction } from '../../../../src/backends/wire/transactions.ts'
import type { Transaction } from '../../../../src/backends/wire/transactions.ts'
import { SERVER_DEFAULTS } from '../../../../src/backends/embedded/server/config.ts'
import type { LocalSessionsMode } from '../../../../src/backends/embedded/server/ports.ts'
import { Cluster } from './cluster.ts'
import { replyOf } from './test-connection.ts'
import type { TestConnection } from './test-connection.ts'

const VOTERS = [1, 2, 3]
/** The server that leads when all start together. */
const LEADER = 3
/** The session time-out that {@link Cluster.connect} asks for, in ticks. */
const TIMEOUT_TICKS = 1_000 / SERVER_DEFAULTS.tickMs
const WAIT_TICKS = 40

type Asked = Pick<Request, 'op' | 'body'>

/** Three servers with a node `/a`, made in a local session that is closed since. */
function ensemble(localSessions: LocalSessionsMode): Cluster {
  const cluster = new Cluster(VOTERS, { localSessions, readOnlyWaitTicks: WAIT_TICKS })
  cluster.startAll(VOTERS)
  const writer = cluster.client(LEADER)
  errOf(cluster, writer, creation('/a'))
  errOf(cluster, writer, { op: OpCode.closeSession, body: null })
  return cluster
}

function ask(cluster: Cluster, connection: TestConnection, request: Asked): Reply | undefined {
  const xid = cluster.request(connection, request)
  cluster.run()
  return replyOf(connection, xid)
}

function errOf(cluster: Cluster, connection: TestConnection, request: Asked): number | undefined {
  return ask(cluster, connection, request)?.err
}

function creation(path: string, flags: number = CreateFlag.persistent): { readonly op: 15; readonly body: Creation } {
  return { op: OpCode.create2, body: { path, data: new Uint8Array(), acl: OPEN_ACL, flags } }
}
type Creation = Extract<Request, { op: typeof OpCode.create2 }>['body']

function setting(path: string): Asked {
  return { op: OpCode.setData, body: { path, data: new Uint8Array([1]), version: -1 } }
}

function existence(path: string): Asked {
  return { op: OpCode.exists, body: { path, watch: false } }
}

function asMulti(...parts: readonly Asked[]): Asked {
  return { op: OpCode.multi, body: parts } as Asked
}

const PING: Asked = { op: OpCode.ping, body: null }
const END: Asked = { op: OpCode.closeSession, body: null }

function pongs({ received }: TestConnection): number {
  return received.filter((message) => message.kind === 'reply' && message.op === OpCode.ping).length
}

/** The log of a server from this zxid on. */
function logOf(cluster: Cluster, id: number, after: bigint): readonly Transaction[] {
  const { entries } = cluster.disk(id)
  return entries.filter(({ zxid }) => zxid > after).map(({ txn }) => decodeTransaction(txn))
}

function loggedZxid(cluster: Cluster): bigint {
  return cluster.server(LEADER).status().loggedZxid
}

/** The answer to a client whose session is over. */
const OVER = [{ kind: 'connect', response: { timeOut: 0, sessionId: 0n } }]

describe.each([1, LEADER])('a session that server %i alone knows', (home) => {
  it('is in no log, and reads, writes what is not ephemeral, and watches', () => {
    const cluster = ensemble('only')
    const before = loggedZxid(cluster)
    const client = cluster.client(home)
    cluster.tick(TIMEOUT_TICKS / 2)
    expect(loggedZxid(cluster)).toBe(before)
    expect(cluster.server(home).status()).toMatchObject({ sessions: 0, localSessions: 1, connections: 1 })
    expect(cluster.server(2).status()).toMatchObject({ sessions: 0, localSessions: 0 })

    expect(errOf(cluster, client, { op: OpCode.exists, body: { path: '/a', watch: true } })).toBe(Err.ok)
    const writes: readonly Asked[] = [
      creation('/b'), creation('/s-', CreateFlag.persistentSequential), setting('/a'),
      { op: OpCode.createContainer, body: { ...creation('/c').body, flags: CreateFlag.container } },
      { op: OpCode.createTTL, body: { ...creation('/t').body, flags: CreateFlag.persistentWithTtl, ttl: 60_000n } },
      { op: OpCode.multi, body: [creation('/m'), { op: OpCode.delete, body: { path: '/b', version: 0 } }] },
      { op: OpCode.sync, body: { path: '/' } },
    ]
    expect(writes.map((write) => errOf(cluster, client, write))).toEqual(writes.map(() => Err.ok))
    expect(errOf(cluster, client, setting('/none'))).toBe(Err.noNode)
    expect(client.received).toContainEqual(expect.objectContaining({ kind: 'event' }))
    for (const id of VOTERS) expect(cluster.server(id).status().nodes).toBe(cluster.server(home).status().nodes)
    // Its writes are in the log under its id, and no beginning and no end of it.
    const types = logOf(cluster, 2, before).map(({ txn }) => txn.type)
    expect(types).not.toContain(OpCode.createSession)
    expect(new Set(logOf(cluster, 2, before).map(({ header }) => header.clientId))).toEqual(new Set([client.sessionId]))
  })

  it('is refused what is ephemeral, alone and in a multi, if it is not to become one of the ensemble', () => {
    const cluster = ensemble('only')
    const client = cluster.client(home)
    for (const flags of [CreateFlag.ephemeral, CreateFlag.ephemeralSequential]) {
      expect(errOf(cluster, client, creation('/e', flags))).toBe(Err.ephemeralOnLocalSession)
    }
    const multi = asMulti(setting('/a'), creation('/e', CreateFlag.ephemeral), setting('/a'))
    expect(ask(cluster, client, multi)).toMatchObject({ err: Err.ok, body: [
      { op: OpCode.error, err: Err.ok },
      { op: OpCode.error, err: Err.ephemeralOnLocalSession },
      { op: OpCode.error, err: Err.runtimeInconsistency },
    ] })
    expect(errOf(cluster, client, existence('/e'))).toBe(Err.noNode)
    expect(cluster.server(home).status()).toMatchObject({ sessions: 0, localSessions: 1 })
    expect(errOf(cluster, client, setting('/a'))).toBe(Err.ok)
  })

  const sync: Asked = { op: OpCode.sync, body: { path: '/' } }
  it.each<[string, Asked, Asked[]]>([
    ['a create', creation('/e', CreateFlag.ephemeral), []],
    ['a create that waits for a sync', creation('/e', CreateFlag.ephemeral), [sync, setting('/a')]],
    ['a create in a multi', asMulti(setting('/a'), creation('/e', CreateFlag.ephemeral)), []],
  ])('becomes one of the ensemble before its first ephemeral node: %s', (_, first, earlier) => {
    const cluster = ensemble('upgradeable')
    const before = loggedZxid(cluster)
    const client = cluster.client(home)
    // Sent together: each is done in the scope that the session has in its turn.
    const xids = [setting('/a'), ...earlier, first, setting('/a'), END]
      .map((request) => cluster.request(client, request))
    cluster.run()
    expect(xids.map((xid) => replyOf(client, xid)?.err)).toEqual(xids.map(() => Err.ok))
    const log = logOf(cluster, 2, before).map(({ header, txn }) => [header.clientId, header.cxid, txn.type])
    const types = log.map(([, , type]) => type)
    const beginning = types.indexOf(OpCode.createSession)
    expect(types.slice(beginning)).toContain(first.op)
    expect(types.slice(0, beginning)).not.toContain(first.op)
    expect(log[beginning]).toEqual([client.sessionId, 0, OpCode.createSession])
    expect(types.at(-1)).toBe(OpCode.closeSession)
    for (const id of VOTERS) expect(cluster.server(id).status()).toMatchObject({ sessions: 0, localSessions: 0 })
    expect(errOf(cluster, cluster.client(2), existence('/e'))).toBe(Err.noNode)
  })

  it('then goes on at another server, with its id, its password, its time-out and what it owns', () => {
    const cluster = ensemble('upgradeable')
    const client = cluster.client(home)
    expect(errOf(cluster, client, creation('/e', CreateFlag.ephemeral))).toBe(Err.ok)
    expect(cluster.server(2).status()).toMatchObject({ sessions: 1, localSessions: 0 })
    cluster.crash(1)
    const moved = cluster.client(2, client)
    expect([moved.sessionId, moved.passwd]).toEqual([client.sessionId, client.passwd])
    expect(errOf(cluster, moved, existence('/e'))).toBe(Err.ok)
    cluster.tick(TIMEOUT_TICKS - 1)
    expect(cluster.server(2).status().sessions).toBe(1)
    cluster.tick(SERVER_DEFAULTS.sessionBucketTicks + SERVER_DEFAULTS.pingTicks + 1)
    expect([moved.closed, cluster.server(2).status().sessions]).toEqual([true, 0])
  })

  it('has its pings answered at once, and by a majority once it is one of the ensemble', () => {
    const cluster = ensemble('upgradeable')
    const client = cluster.client(home)
    errOf(cluster, client, PING)
    expect(pongs(client)).toBe(1)
    errOf(cluster, client, creation('/e', CreateFlag.ephemeral))
    errOf(cluster, client, PING)
    expect(pongs(client)).toBe(1)
    cluster.tick()
    expect(pongs(client)).toBe(2)
  })

  it('ends when nothing was heard of it for its time-out, connected or not, and nobody else notices', () => {
    const cluster = ensemble('upgradeable')
    const before = loggedZxid(cluster)
    const [kept, idle, gone] = [cluster.client(home), cluster.client(home), cluster.client(home)]
    cluster.hangUp(gone)
    for (let i = 0; i < 3; i++) {
      cluster.tick(TIMEOUT_TICKS / 2)
      errOf(cluster, kept, i === 0 ? PING : existence('/a'))
    }
    expect([kept.closed, idle.closed, cluster.server(home).status().localSessions]).toEqual([false, true, 1])
    const expired = cluster.events.flatMap(({ event }) => (event.type === 'expired' ? [event.sessionId] : []))
    expect(new Set(expired)).toEqual(new Set([idle.sessionId, gone.sessionId]))
    const back = cluster.connect(home, gone)
    cluster.run()
    expect([back.received, back.closed, loggedZxid(cluster)]).toMatchObject([OVER, true, before])
  })

  it('is resumed at its server with its password alone, on which its earlier connection ends', () => {
    const cluster = ensemble('upgradeable')
    const client = cluster.client(home)
    const wrong = cluster.connect(home, { ...client, passwd: client.passwd.map((byte) => byte ^ 1) })
    cluster.run()
    expect([wrong.received, wrong.closed, client.closed]).toMatchObject([OVER, true, false])
    const back = cluster.client(home, client)
    expect([back.sessionId, client.closed]).toEqual([client.sessionId, true])
    expect(errOf(cluster, back, creation('/e', CreateFlag.ephemeral))).toBe(Err.ok)
  })

  it('is closed without a transaction, in its turn, and nothing that comes after is done', () => {
    const cluster = ensemble('upgradeable')
    const client = cluster.client(home)
    const xids = [setting('/a'), END, setting('/a'), creation('/e', CreateFlag.ephemeral)]
      .map((request) => cluster.request(client, request))
    const before = loggedZxid(cluster)
    cluster.run()
    expect(xids.map((xid) => replyOf(client, xid)?.err)).toEqual([Err.ok, Err.ok, undefined, undefined])
    expect([client.closed, loggedZxid(cluster) - before]).toEqual([true, home === LEADER ? 0n : 1n])
    const back = cluster.connect(home, client)
    cluster.run()
    expect(back.received).toMatchObject(OVER)
  })

  it('ends when its server no longer serves', () => {
    const cluster = ensemble('upgradeable')
    const client = cluster.client(home)
    for (const id of VOTERS) if (id !== home) cluster.crash(id)
    cluster.tickUntil(() => !cluster.server(home).status().serving)
    expect([client.closed, cluster.server(home).status().localSessions]).toEqual([true, 0])
    // Without a majority nobody is told that a session is over which may be one of the ensemble.
    cluster.tickUntil(() => cluster.server(home).status().readOnly)
    const early = cluster.connect(home, { ...client, readOnly: true })
    expect([early.received, early.closed]).toEqual([[], true])
    for (const id of VOTERS) if (id !== home) cluster.start(id)
    cluster.tickUntil(() => cluster.server(home).status().serving)
    const back = cluster.connect(home, client)
    cluster.run()
    expect(back.received).toMatchObject(OVER)
  })

  it('can be ended by who tests what its client makes of that', () => {
    const cluster = ensemble('upgradeable')
    const client = cluster.client(home)
    expect(VOTERS.map((id) => cluster.server(id).expireSession(client.sessionId)).filter(Boolean)).toEqual([true])
    cluster.tick()
    expect(client.closed).toBe(true)
  })
})

describe('a local session whose client was told by another server that it is over', () => {
  it('does nothing any more, not even what was on its way', () => {
    const cluster = ensemble('upgradeable')
    const client = cluster.client(1)
    cluster.request(client, setting('/a'))
    cluster.request(client, creation('/late', CreateFlag.ephemeral))
    const elsewhere = cluster.connect(2, client)
    // The question and the leader's ping, the answer to that and to the question.
    for (let i = 0; i < 2; i++) {
      cluster.deliver(2, LEADER)
      cluster.deliver(LEADER, 2)
    }
    expect(elsewhere.received).toMatchObject(OVER)
    cluster.run()
    const replies = client.received.flatMap((message) => (message.kind === 'reply' ? [message.reply.err] : []))
    expect(replies).toEqual([Err.sessionExpired, Err.sessionExpired])
    expect(errOf(cluster, client, creation('/later'))).toBe(Err.sessionExpired)
    const reader = cluster.client(2)
    for (const path of ['/late', '/later']) expect(errOf(cluster, reader, existence(path))).toBe(Err.noNode)
    expect(ask(cluster, reader, existence('/a'))).toMatchObject({ body: { stat: { version: 0 } } })
  })

  it('is not harmed by one who does not know its password', () => {
    const cluster = ensemble('upgradeable')
    const client = cluster.client(1)
    for (const server of [1, 2, LEADER]) cluster.connect(server, { ...client, passwd: client.passwd.map(() => 7) })
    cluster.connect(2, { ...client, passwd: new Uint8Array(3) })
    cluster.run()
    expect(errOf(cluster, client, setting('/a'))).toBe(Err.ok)
    expect(errOf(cluster, client, creation('/e', CreateFlag.ephemeral))).toBe(Err.ok)
    expect(cluster.client(2, client).sessionId).toBe(client.sessionId)
  })

  it('was written before, if its leader had decided so before', () => {
    const cluster = ensemble('upgradeable')
    const client = cluster.client(1)
    cluster.request(client, setting('/a'))
    cluster.deliver(1, LEADER)
    const elsewhere = cluster.connect(2, client)
    cluster.run()
    expect(elsewhere.received).toMatchObject(OVER)
    expect(ask(cluster, cluster.client(2), existence('/a'))).toMatchObject({ body: { stat: { version: 1 } } })
  })
})

describe('a local session of a server whose leader has none', () => {
  it('writes nothing and is never one of the ensemble: its leader remembers nobody whom it has turned away', () => {
    const cluster = new Cluster(VOTERS)
    for (const id of VOTERS) cluster.start(id, { localSessions: id === 1 ? 'upgradeable' : 'off' })
    cluster.tickUntil(() => VOTERS.every((id) => cluster.server(id).status().serving))
    expect(cluster.leader()).toBe(LEADER)
    const client = cluster.client(1)
    const before = cluster.server(LEADER).status()
    expect(errOf(cluster, client, creation('/a'))).toBe(Err.sessionExpired)
    expect(errOf(cluster, client, creation('/e', CreateFlag.ephemeral))).toBe(Err.sessionExpired)
    expect(errOf(cluster, client, existence('/a'))).toBe(Err.noNode)
    expect(cluster.server(LEADER).status()).toMatchObject({ sessions: 0, nodes: before.nodes })
  })
})

describe('a session that is about to become one of the ensemble', () => {
  it('is not called over: who resumes it elsewhere waits until it is one', () => {
    const cluster = ensemble('upgradeable')
    const client = cluster.client(1)
    for (const id of [1, 2]) cluster.holdDisk(id)
    cluster.request(client, creation('/e', CreateFlag.ephemeral))
    cluster.run()
    const [moved, wrong] = [cluster.connect(2, client), cluster.connect(2, { ...client, passwd: new Uint8Array(16) })]
    const atLeader = cluster.connect(LEADER, { ...client, passwd: new Uint8Array(16) })
    cluster.run()
    expect([moved.received, wrong.received, atLeader.received]).toEqual([[], [], []])
    for (const id of [1, 2]) cluster.releaseDisk(id)
    cluster.run()
    expect([wrong.received, atLeader.received]).toMatchObject([OVER, OVER])
    expect(moved.sessionId).toBe(client.sessionId)
    expect(errOf(cluster, moved, existence('/e'))).toBe(Err.ok)
    // The server that it was on before is asked in vain.
    expect(errOf(cluster, client, setting('/a'))).toBe(undefined)
    expect(client.closed).toBe(true)
  })

  it.each([
    ['is one', 'has', true],
    ['is over for its client', 'has not', false],
  ])('%s if its leader is gone and another server %s its beginning', (_is, _has, isKnown) => {
    const cluster = ensemble('upgradeable')
    const client = cluster.client(LEADER)
    cluster.intercept = (_from, _to, message) => {
      const type = message.type === 'PACKET' ? message.packet.type : null
      return type !== 'ACK' && (isKnown || type !== 'PROPOSAL')
    }
    cluster.request(client, creation('/e', CreateFlag.ephemeral))
    cluster.run()
    cluster.intercept = null
    cluster.crash(LEADER)
    cluster.run()
    cluster.tickUntil(() => [1, 2].every((id) => cluster.server(id).status().serving))
    const back = cluster.connect(2, client)
    cluster.run()
    if (isKnown) expect(back.sessionId).toBe(client.sessionId)
    else expect(back.received).toMatchObject(OVER)
    expect(errOf(cluster, cluster.client(1), existence('/e'))).toBe(isKnown ? Err.ok : Err.noNode)
  })
})
