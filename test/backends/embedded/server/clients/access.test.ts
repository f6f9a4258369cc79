import { describe, expect, it } from 'vitest'
import { Err, EventType, OpCode, Perm, Xid } from '../../../../../src/backends/wire/codes.ts'
import type { Acl, Reply, Request } from '../../../../../src/backends/wire/records.ts'
import { Cluster } from '../cluster.ts'
import { replyOf } from '../test-connection.ts'
import type { TestConnection } from '../test-connection.ts'

const VOTERS = [1, 2, 3]
const SUPER = { password: 'super:test', digest: 'super:D/InIHSb7yEEbrWz8b9l71RjZJU=' }
const MINE: readonly Acl[] = [{ perms: Perm.all, scheme: 'auth', id: '' }]

function ensemble(): Cluster {
  const cluster = new Cluster(VOTERS, { superDigest: SUPER.digest })
  cluster.startAll(VOTERS)
  return cluster
}

function clientAt(cluster: Cluster, server: number, address: string): TestConnection {
  const connection = cluster.connect(server, undefined, 0n, 10_000, address)
  cluster.run()
  return connection
}

/** Sends addauth, and does not wait for anything. */
function addauth(cluster: Cluster, connection: TestConnection, auth: string, scheme = 'digest'): void {
  const body = { type: 0, scheme, auth: new Uint8Array(Buffer.from(auth)) }
  cluster.send(connection, { kind: 'request', request: { xid: Xid.auth, op: OpCode.auth, body } })
}

function ask(cluster: Cluster, connection: TestConnection, request: Pick<Request, 'op' | 'body'>): Reply | undefined {
  const xid = cluster.request(connection, request)
  cluster.tick(3)
  return replyOf(connection, xid)
}

function set(cluster: Cluster, connection: TestConnection, path: string): number | undefined {
  return ask(cluster, connection, { op: OpCode.setData, body: { path, data: null, version: -1 } })?.err
}

function create(cluster: Cluster, connection: TestConnection, path: string, acl: readonly Acl[]): number | undefined {
  return ask(cluster, connection, { op: OpCode.create2, body: { path, data: null, acl, flags: 0 } })?.err
}

describe('who a client is', () => {
  for (const server of [1, 3]) {
    it(`travels with its writes, on server ${server} of three led by 3`, () => {
      const cluster = ensemble()
      const [ann, other] = [cluster.client(server), cluster.client(server)]
      addauth(cluster, ann, 'ann:secret')
      expect(replyOf(ann, Xid.auth)).toEqual({ xid: Xid.auth, zxid: 0n, err: Err.ok, body: null })
      expect(create(cluster, ann, '/anns', MINE)).toBe(Err.ok)
      expect(set(cluster, ann, '/anns')).toBe(Err.ok)
      expect(set(cluster, other, '/anns')).toBe(Err.noAuth)
      addauth(cluster, other, 'ann:wrong')
      expect(set(cluster, other, '/anns')).toBe(Err.noAuth)
      addauth(cluster, other, 'ann:secret')
      expect(set(cluster, other, '/anns')).toBe(Err.ok)
    })
  }

  it('belongs to its connection, not to its session', () => {
    const cluster = ensemble()
    const ann = cluster.client(1)
    addauth(cluster, ann, 'ann:secret')
    create(cluster, ann, '/anns', MINE)
    cluster.hangUp(ann)
    expect(set(cluster, cluster.client(2, ann), '/anns')).toBe(Err.noAuth)
  })

  it('counts for requests behind addauth, not for those before it', () => {
    const cluster = ensemble()
    const [owner, client] = [cluster.client(1), cluster.client(1)]
    addauth(cluster, owner, 'ann:secret')
    create(cluster, owner, '/anns', MINE)
    const write = { op: OpCode.setData, body: { path: '/anns', data: null, version: -1 } }
    const read = { op: OpCode.getData, body: { path: '/anns', watch: false } }
    const early = [write, read].map((request) => cluster.request(client, request))
    addauth(cluster, client, 'ann:secret')
    const late = [write, read].map((request) => cluster.request(client, request))
    cluster.tick(3)
    expect(early.map((xid) => replyOf(client, xid)?.err)).toEqual([Err.noAuth, Err.noAuth])
    expect(late.map((xid) => replyOf(client, xid)?.err)).toEqual([Err.ok, Err.ok])
  })

  it('is the superuser by the digest of the configuration', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    expect(create(cluster, client, '/nobodys', [{ perms: Perm.all, scheme: 'digest', id: 'a:b' }])).toBe(Err.ok)
    expect(set(cluster, client, '/nobodys')).toBe(Err.noAuth)
    addauth(cluster, client, SUPER.password)
    expect(set(cluster, client, '/nobodys')).toBe(Err.ok)
  })

  it('is where it is', () => {
    const cluster = ensemble()
    const [near, far] = [clientAt(cluster, 1, '10.1.2.3'), clientAt(cluster, 1, '2001:db8::1')]
    expect(create(cluster, near, '/near', [{ perms: Perm.all, scheme: 'ip', id: '10.0.0.0/8' }])).toBe(Err.ok)
    expect(create(cluster, near, '/far', [{ perms: Perm.all, scheme: 'ip', id: '2001:db8::/32' }])).toBe(Err.ok)
    expect([set(cluster, near, '/near'), set(cluster, far, '/near')]).toEqual([Err.ok, Err.noAuth])
    expect([set(cluster, near, '/far'), set(cluster, far, '/far')]).toEqual([Err.noAuth, Err.ok])
    expect(ask(cluster, far, { op: OpCode.whoAmI, body: null })?.body).toEqual({
      clientInfo: [{ authScheme: 'ip', user: '2001:db8:0:0:0:0:0:1' }],
    })
  })

  it('is told wrong only once: the connection ends', () => {
    const cluster = ensemble()
    for (const scheme of ['world', 'ip', 'sasl']) {
      const client = cluster.client(1)
      addauth(cluster, client, 'ann:secret', scheme)
      cluster.run()
      expect(replyOf(client, Xid.auth)?.err).toBe(Err.authFailed)
      expect(client.closed).toBe(true)
    }
  })
})

describe('the list of a node', () => {
  it('is told to who may read or change it alone, and its hashes to who may change it', () => {
    const cluster = ensemble()
    const [ann, bob, other] = [cluster.client(1), cluster.client(1), cluster.client(1)]
    addauth(cluster, ann, 'ann:secret')
    addauth(cluster, bob, 'bob:secret')
    expect(create(cluster, bob, '/bobs', MINE)).toBe(Err.ok)
    const listOf = (client: TestConnection, path: string): Reply | undefined =>
      ask(cluster, client, { op: OpCode.getAcl, body: { path } })
    const own = listOf(bob, '/bobs')?.body as { readonly acl: readonly Acl[] } | undefined
    const bobs = { perms: Perm.read, scheme: 'digest', id: own?.acl[0]?.id ?? '' }
    expect(create(cluster, ann, '/anns', [...MINE, bobs])).toBe(Err.ok)
    const ids = (client: TestConnection): string[] => {
      const { acl } = listOf(client, '/anns')?.body as { readonly acl: readonly Acl[] }
      return acl.map(({ id }) => id)
    }
    expect(ids(ann)).toEqual([expect.stringMatching(/^ann:.{20,}=$/), expect.stringMatching(/^bob:.{20,}=$/)])
    expect(ids(bob)).toEqual(['ann:x', 'bob:x'])
    expect(listOf(other, '/anns')).toMatchObject({ err: Err.noAuth, body: null })
  })
})

describe('an event', () => {
  it('goes to who may read the node, and nobody else', () => {
    const cluster = ensemble()
    const [ann, other] = [cluster.client(1), cluster.client(1)]
    addauth(cluster, ann, 'ann:secret')
    const watchAll = { op: OpCode.addWatch, body: { path: '/', mode: 1 } }
    for (const client of [ann, other]) expect(ask(cluster, client, watchAll)?.err).toBe(Err.ok)
    create(cluster, ann, '/anns', MINE)
    set(cluster, ann, '/anns')
    create(cluster, ann, '/open', [{ perms: Perm.read, scheme: 'world', id: 'anyone' }])
    const events = (client: TestConnection): string[] => client.received.flatMap((message) => {
      return message.kind === 'event' ? [`${message.event.type} ${message.event.path}`] : []
    })
    const { nodeCreated, nodeDataChanged } = EventType
    expect(events(ann)).toEqual([`${nodeCreated} /anns`, `${nodeDataChanged} /anns`, `${nodeCreated} /open`])
    expect(events(other)).toEqual([`${nodeCreated} /open`])
  })
})
