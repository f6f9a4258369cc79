import { describe, expect, it } from 'vitest'
import { Err, OpCode } from '../../../../src/backends/wire/codes.ts'
import { readConfiguration } from '../../../../src/backends/wire/configuration.ts'
import type { ReconfigRequest, ServerMessage } from '../../../../src/backends/wire/records.ts'
import { Cluster } from './cluster.ts'
import type { TestConnection } from './test-connection.ts'

const CONFIG_PATH = '/zookeeper/config'
const NOTHING: ReconfigRequest = { joiningServers: null, leavingServers: null, newMembers: null, curConfigId: -1n }

function line(id: number, role: 'participant' | 'observer' = 'participant'): string {
  return `server.${id}=h${id}:2888:3888:${role};0.0.0.0:2181`
}

/** Servers whose configuration anybody may change. */
function changeable(voters: readonly number[], observers: readonly number[] = []): Cluster {
  const lines = [...voters.map((id) => line(id)), ...observers.map((id) => line(id, 'observer'))]
  const membership = [...lines.sort(), 'version=0'].join('\n')
  const digest = 'super:xQJmxLMiHGwaqBvst5y6rkB6HQs='
  const cluster = new Cluster(voters, {
    reconfigurable: true, reconfigEnabled: true, membership, superDigest: digest,
  })
  cluster.isTracing = false
  return cluster
}

/** A client that may change the configuration. */
function superuser(cluster: Cluster, server: number): TestConnection {
  const client = cluster.client(server)
  const auth = Buffer.from('super:admin')
  cluster.request(client, { op: OpCode.auth, body: { type: 0, scheme: 'digest', auth } })
  cluster.run()
  return client
}

function replyTo(client: TestConnection, xid: number): Extract<ServerMessage, { kind: 'reply' }>['reply'] | null {
  const message = client.received.find((one) => one.kind === 'reply' && one.reply.xid === xid)
  return message?.kind === 'reply' ? message.reply : null
}

/** Asks for a change and lets messages run; the error number of the answer, null while there is none. */
function reconfigure(cluster: Cluster, client: TestConnection, request: Partial<ReconfigRequest>): number | null {
  const xid = cluster.request(client, { op: OpCode.reconfig, body: { ...NOTHING, ...request } })
  cluster.run()
  return replyTo(client, xid)?.err ?? null
}

function textAt(cluster: Cluster, server: number): string {
  const client = cluster.client(server)
  const xid = cluster.request(client, { op: OpCode.getData, body: { path: CONFIG_PATH, watch: false } })
  cluster.run()
  const body = replyTo(client, xid)?.body as { data: Uint8Array } | null
  cluster.hangUp(client)
  return Buffer.from(body?.data ?? []).toString()
}

function membersAt(cluster: Cluster, server: number): { voters: readonly number[]; observers: readonly number[] } {
  const { voters, observers } = readConfiguration(textAt(cluster, server))
  return { voters, observers }
}

function serving(cluster: Cluster): number[] {
  return [...cluster.members].filter(([, { server }]) => server.status().serving).map(([id]) => id).sort()
}

describe('the first configuration', () => {
  it('becomes a transaction of the first leader, once', () => {
    const cluster = changeable([1, 2, 3])
    cluster.startAll([1, 2, 3])
    cluster.run()
    expect([1, 2, 3].map((id) => textAt(cluster, id))).toEqual(Array(3).fill(
      [line(1), line(2), line(3), 'version=100000001'].join('\n'),
    ))
    cluster.crash(3)
    cluster.tickUntil(() => cluster.leader() === 2)
    expect(textAt(cluster, 2)).toContain('version=100000001')
  })
})

describe('a change of the configuration', () => {
  it('adds a server, removes one, and changes roles', () => {
    const cluster = changeable([1, 2, 3])
    cluster.startAll([1, 2, 3])
    const client = superuser(cluster, 3)
    expect(reconfigure(cluster, client, { joiningServers: line(4) })).toBe(Err.ok)
    expect(membersAt(cluster, 1)).toEqual({ voters: [1, 2, 3, 4], observers: [] })
    cluster.start(4)
    cluster.tickUntil(() => serving(cluster).includes(4))
    expect(membersAt(cluster, 4)).toEqual({ voters: [1, 2, 3, 4], observers: [] })
    expect(reconfigure(cluster, client, { leavingServers: '1', joiningServers: line(2, 'observer') })).toBe(Err.ok)
    cluster.tickUntil(() => cluster.server(2).status().role === 'OBSERVING' && serving(cluster).includes(2))
    expect(membersAt(cluster, 2)).toEqual({ voters: [3, 4], observers: [2] })
  })

  it('that removes the leader is answered, and one of the others leads', () => {
    const cluster = changeable([1, 2, 3])
    cluster.startAll([1, 2, 3])
    expect(cluster.leader()).toBe(3)
    const client = superuser(cluster, 3)
    expect(reconfigure(cluster, client, { leavingServers: '3' })).toBe(Err.ok)
    cluster.tickUntil(() => cluster.leader() === 2)
    cluster.tickUntil(() => serving(cluster).length === 3)
    expect(cluster.server(3).status()).toMatchObject({ role: 'FOLLOWING', leader: 2 })
  })
})
