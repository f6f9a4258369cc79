import { describe, expect, it } from 'vitest'
import { Err, OpCode, Perm } from '../../../../src/backends/wire/codes.ts'
import { readConfiguration } from '../../../../src/backends/wire/configuration.ts'
import type { Configuration } from '../../../../src/backends/wire/configuration.ts'
import type { ReconfigRequest, ServerMessage } from '../../../../src/backends/wire/records.ts'
import { Cluster } from './cluster.ts'
import type { TestConnection } from './test-connection.ts'

const CONFIG_PATH = '/zookeeper/config'
const NOTHING: ReconfigRequest = { joiningServers: null, leavingServers: null, newMembers: null, curConfigId: -1n }

function line(id: number, role: 'participant' | 'observer' = 'participant'): string {
  return `server.${id}=h${id}:2888:3888:${role};0.0.0.0:2181`
}

/** Servers whose configuration the superuser may change. */
function changeable(voters: readonly number[], observers: readonly number[] = [], reconfigEnabled = true): Cluster {
  const lines = [...voters.map((id) => line(id)), ...observers.map((id) => line(id, 'observer'))]
  const membership = [...lines.sort(), 'version=0'].join('\n')
  const digest = 'super:xQJmxLMiHGwaqBvst5y6rkB6HQs='
  const cluster = new Cluster(voters, {
    reconfigurable: true, reconfigEnabled, membership, superDigest: digest,
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

  it('is refused while another one is under way', () => {
    const cluster = changeable([1, 2, 3])
    cluster.startAll([1, 2, 3])
    const client = superuser(cluster, 3)
    for (const id of [1, 2]) cluster.holdDisk(id)
    expect(reconfigure(cluster, client, { joiningServers: line(4, 'observer') })).toBeNull()
    const second = cluster.request(client, {
      op: OpCode.reconfig, body: { ...NOTHING, joiningServers: line(5, 'observer') },
    })
    for (const id of [1, 2]) cluster.releaseDisk(id)
    cluster.run()
    expect(replyTo(client, second)).toMatchObject({ err: Err.reconfigInProgress })
    expect(membersAt(cluster, 1)).toEqual({ voters: [1, 2, 3], observers: [4] })
  })

  it('is not in force anywhere before majorities of both have it on their disks', () => {
    const cluster = changeable([1, 2, 3])
    cluster.startAll([1, 2, 3])
    cluster.start(4)
    cluster.start(5)
    cluster.tickUntil(() => serving(cluster).length === 5)
    const joined = { joiningServers: `${line(4)},${line(5)}` }
    expect(reconfigure(cluster, superuser(cluster, 3), joined)).toBe(Err.ok)
    cluster.tickUntil(() => [4, 5].every((id) => cluster.server(id).status().role === 'FOLLOWING'))
    cluster.tickUntil(() => serving(cluster).length === 5)
    const client = superuser(cluster, 3)
    for (const id of [4, 5]) cluster.holdDisk(id)
    const before = cluster.events.length
    // Of the old ones 1, 2 and 3 have it, of the new ones only 3.
    const xid = cluster.request(client, { op: OpCode.reconfig, body: { ...NOTHING, leavingServers: '1,2' } })
    cluster.run()
    // Whoever looks meanwhile is told of the one that is in force.
    cluster.start(6)
    cluster.tickUntil(() => cluster.server(6).status().leader === 3)
    const isInForce = (): boolean => cluster.events.slice(before).some(({ event }) => {
      return event.type === 'reconfigured' && !event.text.includes('server.1=')
    })
    expect([replyTo(client, xid), isInForce()]).toEqual([null, false])
    for (const id of [4, 5]) cluster.releaseDisk(id)
    cluster.run()
    expect([replyTo(client, xid)?.err, isInForce()]).toEqual([Err.ok, true])
    expect(membersAt(cluster, 3)).toEqual({ voters: [3, 4, 5], observers: [] })
  })

  it('is refused with the numbers of the reference', () => {
    const cluster = changeable([1, 2, 3])
    cluster.startAll([1, 2, 3])
    const client = superuser(cluster, 1)
    const refusals: readonly [Partial<ReconfigRequest>, number][] = [
      [{ curConfigId: 7n, leavingServers: '1' }, Err.badVersion],
      [{ joiningServers: 'hi' }, Err.badArguments],
      [{ joiningServers: 'server.4=h4:2888:3888:participant' }, Err.badArguments],
      [{ joiningServers: line(4).replace('h4', 'h3') }, Err.badArguments],
      [{ leavingServers: 'x' }, Err.badArguments],
      [{ leavingServers: '1,2' }, Err.badArguments],
      [{ joiningServers: line(2).replace('h2', 'elsewhere') }, Err.badArguments],
      [{ joiningServers: line(2).replace('2181', '2182') }, Err.badArguments],
      [{ newMembers: '' }, Err.badArguments],
      [{ newMembers: `${line(1)},group.1=1` }, Err.badArguments],
      [{ newMembers: [line(1), line(4), line(5)].join('\n') }, Err.newConfigNoQuorum],
    ]
    const answers = refusals.map(([request]) => reconfigure(cluster, client, request))
    expect(answers).toEqual(refusals.map(([, err]) => err))
    const stranger = cluster.client(2)
    expect(reconfigure(cluster, stranger, { leavingServers: '1' })).toBe(Err.noAuth)
    expect(textAt(cluster, 2)).toContain('version=100000001')
  })

  it('is seen by whoever watches /zookeeper/config', () => {
    const cluster = changeable([1, 2, 3])
    cluster.startAll([1, 2, 3])
    const watcher = cluster.client(2)
    cluster.request(watcher, { op: OpCode.getData, body: { path: CONFIG_PATH, watch: true } })
    cluster.run()
    expect(reconfigure(cluster, superuser(cluster, 3), { joiningServers: line(4, 'observer') })).toBe(Err.ok)
    expect(watcher.received.at(-1)).toMatchObject({ kind: 'event', event: { type: 3, path: CONFIG_PATH } })
  })
})

describe('the list of /zookeeper/config', () => {
  it('lets a client change the configuration that it names, whoever that is', () => {
    const cluster = changeable([1, 2, 3])
    cluster.startAll([1, 2, 3])
    const acl = [
      { perms: Perm.read, scheme: 'world', id: 'anyone' },
      { perms: Perm.write, scheme: 'digest', id: 'ann:i9V/d2HTT0sehGWzvQcFNipywIQ=' },
    ]
    const granted = cluster.client(2)
    cluster.request(granted, { op: OpCode.auth, body: { type: 0, scheme: 'digest', auth: Buffer.from('ann:a') } })
    cluster.run()
    expect(reconfigure(cluster, granted, { leavingServers: '1' })).toBe(Err.noAuth)
    cluster.request(superuser(cluster, 3), { op: OpCode.setAcl, body: { path: CONFIG_PATH, acl, version: -1 } })
    cluster.run()
    expect(reconfigure(cluster, granted, { leavingServers: '1' })).toBe(Err.ok)
  })

  it('lets nobody write there what is no configuration', () => {
    const cluster = changeable([1, 2, 3])
    cluster.startAll([1, 2, 3])
    const client = superuser(cluster, 3)
    const data = Buffer.from('version=ffffffffff')
    const set = cluster.request(client, { op: OpCode.setData, body: { path: CONFIG_PATH, data, version: -1 } })
    cluster.run()
    expect(replyTo(client, set)?.err).toBe(Err.badArguments)
    expect(textAt(cluster, 1)).toContain('version=100000001')
  })
})

describe('where it is switched off', () => {
  it('the configuration is no transaction, and is not changed', () => {
    const cluster = changeable([1, 2, 3], [], false)
    cluster.startAll([1, 2, 3])
    const clients = [1, 3].map((id) => superuser(cluster, id))
    for (const client of clients) {
      expect(reconfigure(cluster, client, { leavingServers: '1' })).toBe(Err.reconfigDisabled)
    }
    expect(textAt(cluster, 2)).toContain('version=0')
  })

  it('at the leader alone, others pass the request on in vain', () => {
    const cluster = changeable([1, 2, 3], [], false)
    cluster.start(1, { reconfigEnabled: true })
    cluster.startAll([2, 3])
    expect(cluster.leader()).toBe(3)
    expect(reconfigure(cluster, superuser(cluster, 1), { leavingServers: '1' })).toBe(Err.reconfigDisabled)
  })

  it('what was changed before still holds after a restart of all', () => {
    const cluster = changeable([1, 2, 3])
    cluster.startAll([1, 2, 3])
    expect(reconfigure(cluster, superuser(cluster, 3), { leavingServers: '3' })).toBe(Err.ok)
    cluster.tickUntil(() => cluster.leader() === 2)
    for (const id of [1, 2, 3]) cluster.crash(id)
    for (const id of [1, 2]) cluster.start(id, { reconfigEnabled: false })
    cluster.tickUntil(() => serving(cluster).length === 2)
    expect(membersAt(cluster, 1)).toEqual({ voters: [1, 2], observers: [] })
    expect(reconfigure(cluster, superuser(cluster, 1), { joiningServers: line(3) })).toBe(Err.reconfigDisabled)
  })
})

describe('a server that has missed a change', () => {
  it('learns it from those that it asks who leads, and joins by its own role in it', () => {
    const cluster = changeable([1, 2, 3])
    cluster.startAll([1, 2, 3])
    cluster.start(4)
    const client = superuser(cluster, 3)
    cluster.tickUntil(() => serving(cluster).includes(4))
    cluster.crash(1)
    expect(reconfigure(cluster, client, { joiningServers: `${line(4)},${line(1, 'observer')}` })).toBe(Err.ok)
    // Nobody whom server 1 knows as a voter leads by then.
    expect(reconfigure(cluster, client, { leavingServers: '3' })).toBe(Err.ok)
    cluster.tickUntil(() => cluster.leader() === 4)
    cluster.start(1)
    cluster.tickUntil(() => serving(cluster).includes(1))
    expect(cluster.server(1).status()).toMatchObject({ role: 'OBSERVING', leader: 4 })
  })

  it('takes no configuration over from a server that belongs to none', () => {
    const cluster = changeable([1, 2, 3])
    cluster.startAll([1, 2, 3])
    const known = readConfiguration(textAt(cluster, 1))
    for (const id of [2, 3]) cluster.crash(id)
    cluster.tickUntil(() => cluster.server(1).status().role === 'LOOKING')
    const foreign = readConfiguration([line(1), line(9), 'version=900000001'].join('\n'))
    const hears = (from: number, configuration: Configuration): readonly number[] => {
      const vote = { leader: 9, zxid: 0n, peerEpoch: 9, electionEpoch: 90, state: 'LOOKING', configuration } as const
      cluster.turn(1, () => {
        cluster.server(1).receiveVote(from, { type: 'NOTIFICATION', ...vote })
      })
      cluster.tick()
      const last = cluster.events.filter(({ event }) => event.type === 'reconfigured').at(-1)?.event
      return last?.type === 'reconfigured' ? readConfiguration(last.text).voters : []
    }
    expect(hears(9, foreign)).toEqual(known.voters)
    expect(hears(2, foreign)).toEqual([1, 9])
  })

  it('and that all servers recover from their disks is still made', () => {
    const cluster = changeable([1, 2, 3])
    cluster.startAll([1, 2, 3])
    const client = superuser(cluster, 3)
    expect(reconfigure(cluster, client, { joiningServers: line(1, 'observer') })).toBe(Err.ok)
    for (const id of [1, 2, 3]) cluster.crash(id)
    cluster.startAll([1, 2, 3])
    expect(membersAt(cluster, 2)).toEqual({ voters: [2, 3], observers: [1] })
    expect(cluster.server(1).status().role).toBe('OBSERVING')
  })
})
