import { describe, expect, it } from 'vitest'
import type { AuditRecord } from '../../../../../src/backends/embedded/server/ports.ts'
import { CreateFlag, Err, OpCode, Perm, Xid } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import type { Request } from '../../../../../src/backends/wire/records.ts'
import { Cluster } from '../cluster.ts'
import type { TestConnection } from '../test-connection.ts'

const VOTERS = [1, 2, 3]
const data = new Uint8Array(Buffer.from('a secret'))

function ensemble(audit = true): Cluster {
  const cluster = new Cluster(VOTERS, { audit })
  cluster.startAll(VOTERS)
  return cluster
}

function clientAt(cluster: Cluster, server: number): TestConnection {
  const connection = cluster.connect(server, undefined, 0n, 10_000, '10.0.0.9')
  cluster.run()
  return connection
}

function ask(cluster: Cluster, client: TestConnection, request: Pick<Request, 'op' | 'body'>): void {
  cluster.request(client, request)
  cluster.tick(3)
}

function claim(cluster: Cluster, client: TestConnection, auth: string, scheme = 'digest'): void {
  const body = { type: 0, scheme, auth: new Uint8Array(Buffer.from(auth)) }
  cluster.send(client, { kind: 'request', request: { xid: Xid.auth, op: OpCode.auth, body } })
  cluster.run()
}

function records(cluster: Cluster): (AuditRecord & { readonly server: number })[] {
  return cluster.events.flatMap(({ server, event }) => (event.type === 'audit' ? [{ ...event, server }] : []))
}

function lines(cluster: Cluster): string[] {
  return records(cluster).map(({ operation, path, nodeType, err }) => [operation, path, nodeType, err].join(' '))
}

describe('the audit', () => {
  it('tells of each change who asked, from where, for what, and what came of it, at its server alone', () => {
    const cluster = ensemble()
    const client = clientAt(cluster, 2)
    claim(cluster, client, 'ann:secret')
    const acl = [{ perms: Perm.all, scheme: 'auth', id: '' }]
    ask(cluster, client, { op: OpCode.create2, body: { path: '/a', data, acl, flags: CreateFlag.persistent } })
    const { sessionId, users, address, server } = records(cluster)[1] ?? {}
    expect({ sessionId, users, address, server }).toEqual({
      sessionId: client.sessionId, users: ['ip:10.0.0.9', 'digest:ann'], address: '10.0.0.9', server: 2,
    })
    expect(lines(cluster)).toEqual(['auth   0', 'create /a persistent 0'])
    const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}` : value)
    expect(JSON.stringify(records(cluster), plain)).not.toContain('secret')
  })

  it('tells of every kind of change, done or refused, with the name that a node got', () => {
    const cluster = ensemble()
    const client = clientAt(cluster, 1)
    const body = { data, acl: OPEN_ACL }
    const { ephemeralSequential, container } = CreateFlag
    ask(cluster, client, { op: OpCode.create, body: { ...body, path: '/q-', flags: ephemeralSequential } })
    ask(cluster, client, { op: OpCode.createContainer, body: { ...body, path: '/c', flags: container } })
    ask(cluster, client, { op: OpCode.setData, body: { path: '/c', data, version: 7 } })
    ask(cluster, client, { op: OpCode.setAcl, body: { path: '/c', acl: OPEN_ACL, version: -1 } })
    ask(cluster, client, { op: OpCode.delete, body: { path: '/none', version: -1 } })
    ask(cluster, client, { op: OpCode.getData, body: { path: '/c', watch: false } })
    ask(cluster, client, { op: OpCode.closeSession, body: null })
    expect(lines(cluster)).toEqual([
      'create /q-0000000000 ephemeral_sequential 0',
      'create /c container 0',
      `setData /c  ${Err.badVersion}`,
      'setAcl /c  0',
      `delete /none  ${Err.noNode}`,
      'closeSession   0',
    ])
  })

  it('tells of the parts of a multi, of which none was done if one is refused', () => {
    const cluster = ensemble()
    const client = clientAt(cluster, 3)
    const create = { op: OpCode.create2, body: { path: '/a', data, acl: OPEN_ACL, flags: 0 } } as const
    const check = { op: OpCode.check, body: { path: '/a', version: 0 } } as const
    const set = { op: OpCode.setData, body: { path: '/a', data, version: 7 } } as const
    ask(cluster, client, { op: OpCode.multi, body: [create, check] })
    ask(cluster, client, { op: OpCode.multi, body: [{ op: OpCode.delete, body: { path: '/a', version: 0 } }, set] })
    expect(lines(cluster)).toEqual([
      'create /a persistent 0',
      `delete /a  ${Err.runtimeInconsistency}`,
      `setData /a  ${Err.noNode}`,
    ])
  })

  it('tells of a claim that is wrong, whose connection ends', () => {
    const cluster = ensemble()
    claim(cluster, clientAt(cluster, 1), 'nobody', 'sasl-of-mine')
    expect(lines(cluster)).toEqual([`auth   ${Err.authFailed}`])
  })

  it('is not there unless it is asked for', () => {
    const cluster = ensemble(false)
    ask(cluster, clientAt(cluster, 1), { op: OpCode.delete, body: { path: '/none', version: -1 } })
    expect(records(cluster)).toEqual([])
  })
})
