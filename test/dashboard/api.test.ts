/** The reads of the dashboard's API, against ensembles of this process. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigCenter, ExclusiveLock, FairLock, GroupMembership, LeaderElection } from 'quorate'
import { ReadWriteLock, Semaphore, ServiceRegistry, connect } from 'quorate'
import type { Client } from 'quorate'
import { embedded } from 'quorate/embedded'
import { modelBackend } from 'quorate/testing'
import type { Answer, Child, ConfigDetail, ConfigKey, Election, Ensemble, Group } from '../../src/dashboard/api.ts'
import type { Lock, LockQueue, LogEvent, Service, SessionRow, TreeNode, WaitFor } from '../../src/dashboard/api.ts'
import { HttpRig, ask, dataOf } from './rig.ts'

describe('the API of the dashboard', () => {
  const rig = new HttpRig()
  let client: Client
  let other: Client
  let url: string
  let api: string

  beforeEach(async () => {
    const backend = modelBackend()
    client = await connect(backend)
    other = await connect(backend)
    url = await rig.dashboard({ client })
    api = `${url}api/v1/`
  })

  afterEach(async () => {
    await rig.close()
    await client.close()
    await other.close()
  })

  it('tells a node with its data and its stat', async () => {
    const { stat } = await client.create('/a', '{"on": true}')
    const node = await dataOf<TreeNode>(`${api}node?path=/a`)
    expect(node.data).toEqual({ encoding: 'utf8', text: '{"on": true}', cutAt: null })
    expect(node.stat).toMatchObject({ version: 0, czxid: `0x${stat.czxid.toString(16)}`, ephemeralOwner: null })
  })

  it('tells bytes that are no text in base64, and cuts what is long without breaking a character', async () => {
    await client.create('/bytes', new Uint8Array([0xff, 0x00]))
    const bytes = await dataOf<TreeNode>(`${api}node?path=/bytes`)
    expect(bytes.data).toEqual({ encoding: 'base64', text: '/wA=', cutAt: null })
    await client.create('/long', `a${'é'.repeat(200_000)}`)
    const { data } = await dataOf<TreeNode>(`${api}node?path=/long`)
    expect(data).toMatchObject({ encoding: 'utf8', cutAt: 262_144 })
    expect(data.text).toMatch(/^aé+$/)
  })

  it('tells children a page at a time, and by how their names begin', async () => {
    for (const name of ['a1', 'a2', 'a3', 'b1']) await client.create(`/${name}`)
    const { text } = await ask(`${api}children?path=/&limit=2&prefix=a`)
    expect(JSON.parse(text)).toMatchObject({ data: [{ name: 'a1' }, { name: 'a2' }], next: 'a2', total: 3 })
    const rest = await ask(`${api}children?path=/&limit=2&prefix=a&after=a2`)
    expect(JSON.parse(rest.text)).toMatchObject({ data: [{ name: 'a3' }], next: null })
    await client.create('/b1/c', '', { mode: 'ephemeral' })
    const children = await dataOf<Child[]>(`${api}children?path=/b1&stat=1`)
    expect(children).toEqual([{ name: 'c', children: 0, isEphemeral: true }])
  })

  it('tells who holds a lock and who waits, in order', async () => {
    const lease = await new FairLock(client, '/locks/orders').acquire({ data: 'first' })
    const waiting = new FairLock(other, '/locks/orders').acquire({ data: 'second' })
    await expect.poll(async () => (await dataOf<Lock[]>(`${api}locks`))[0]?.waiting).toBe(1)
    const [lock] = await dataOf<Lock[]>(`${api}locks`)
    expect(lock).toMatchObject({ path: '/locks/orders', kind: 'fair', held: 1, holders: [{ says: 'first' }] })
    const { queue } = await dataOf<LockQueue>(`${api}lock?path=/locks/orders`)
    expect(queue.map(({ says, state, position }) => ({ says, state, position }))).toEqual([
      { says: 'first', state: 'held', position: 0 },
      { says: 'second', state: 'waits', position: 1 },
    ])
    expect(queue[0]?.token).toBe(String(lease.token))
    await lease.release()
    await (await waiting).release()
    expect(await dataOf<Lock[]>(`${api}locks`)).toEqual([])
  })

  it('knows read-write locks, semaphores and exclusive locks', async () => {
    const { reader } = new ReadWriteLock(client, '/locks/ledger')
    await reader.acquire()
    await reader.acquire()
    await new Semaphore(client, '/locks/gpu', { permits: 3 }).acquire({ permits: 2 })
    await new ExclusiveLock(client, '/locks/migrate').acquire({ data: 'deploy-9' })
    const locks = await dataOf<Lock[]>(`${api}locks`)
    expect(locks.map(({ path, kind, held, waiting }) => [path, kind, held, waiting])).toEqual([
      ['/locks/gpu', 'semaphore', 2, 0],
      ['/locks/ledger', 'read-write', 2, 0],
      ['/locks/migrate', 'exclusive', 1, 0],
    ])
    expect(locks[2]?.holders[0]?.says).toBe('deploy-9')
    expect((await dataOf<LockQueue>(`${api}lock?path=/locks/migrate`)).queue).toHaveLength(1)
  })

  it('tells of two sessions that may wait for each other', async () => {
    const [a, b] = ['/locks/a', '/locks/b'] as const
    await new FairLock(client, a).acquire()
    await new FairLock(other, b).acquire()
    const stop = new AbortController()
    const { signal } = stop
    for (const [one, path] of [[client, b], [other, a]] as const) {
      void new FairLock(one, path).acquire({ signal }).catch(() => undefined)
    }
    await expect.poll(async () => (await dataOf<WaitFor>(`${api}wait-for`)).rings.length).toBe(1)
    const { rings, waits: found } = await dataOf<WaitFor>(`${api}wait-for`)
    const sessions = [client, other].map(({ sessionId }) => `0x${sessionId?.toString(16) ?? ''}`)
    expect([...(rings[0] ?? [])].sort()).toEqual(sessions.sort())
    expect(found).toHaveLength(2)
    stop.abort()
  })

  it('tells who leads and what is proclaimed', async () => {
    const election = new LeaderElection<object>(client, '/elections/scheduler', { id: 'a' })
    const leadership = await election.campaign()
    await leadership.proclaim({ url: 'http://a' })
    void new LeaderElection(other, '/elections/scheduler', { id: 'b' }).campaign().catch(() => undefined)
    await expect.poll(async () => (await dataOf<Election[]>(`${api}leaders`))[0]?.candidates.length).toBe(2)
    const [found] = await dataOf<Election[]>(`${api}leaders`)
    expect(found).toMatchObject({ leader: { says: 'a' }, proclaims: '{"url":"http://a"}' })
  })

  it('tells the members of groups', async () => {
    await new GroupMembership(client, '/groups/workers').join('w1', { data: { zone: 'eu' } })
    const [group] = await dataOf<Group[]>(`${api}groups`)
    expect(group).toMatchObject({ path: '/groups/workers', members: [{ id: 'w1', says: '{"zone":"eu"}' }] })
  })

  it('tells the instances of services, also those that nobody is given', async () => {
    const registry = new ServiceRegistry(client, '/services')
    await registry.register('api', { address: '10.0.0.7', port: 8080, payload: { zone: 'eu' } })
    await registry.register('api', { id: 'off', address: '::1', sslPort: 8443, enabled: false })
    await client.create('/services/api/odd', 'not an instance')
    const [service] = await dataOf<Service[]>(`${api}services`)
    const told = service?.instances.map(({ address, state, says, session }) => [address, state, says, session !== null])
    expect([service?.name, told?.sort()]).toEqual(['api', [
      [null, 'unreadable', 'not an instance', false],
      ['10.0.0.7:8080', 'offered', expect.stringContaining('"zone":"eu"') as string, true],
      ['[::1] (TLS: 8443)', 'withheld', '', true],
    ]])
  })

  it('tells of an engine without servers the sessions that own a node', async () => {
    await new GroupMembership(other, '/groups/workers').join('w1')
    const { text } = await ask(`${api}sessions`)
    const { data, total, untold } = JSON.parse(text) as Answer<SessionRow[]>
    expect(data).toMatchObject([{ isOwn: false, timeoutMs: null, ephemerals: 1, paths: ['/groups/workers/w1'] }])
    expect(total).toBeNull()
    expect(untold['all']).toMatch(/^Shown are those who own a node below the roots/)
  })

  it('tells values of a configuration, and who published what', async () => {
    const config = new ConfigCenter<object>(client, '/config/discount', { history: { author: 'anna' } })
    await config.publish({ percent: 10 }, { comment: 'black week' })
    await config.publish({ percent: 15 })
    await client.create('/config/plain', '1')
    expect((await dataOf<ConfigKey[]>(`${api}config`)).map(({ path, version }) => [path, version])).toEqual([
      ['/config/discount', 1],
      ['/config/plain', 0],
    ])
    const { value, history } = await dataOf<ConfigDetail>(`${api}release?path=/config/discount`)
    expect(value).toBe('{"percent":15}')
    const told = history.map(({ version, by, note, value: text, isInForce }) => [version, by, note, text, isInForce])
    expect(told).toEqual([
      [2, 'anna', null, '{"percent":15}', true],
      [1, 'anna', 'black week', '{"percent":10}', false],
    ])
    const plain = await ask(`${api}release?path=/config/plain`)
    expect(plain.text).toContain('No history is kept')
  })

  it('says of a walk that met its bound that it did', async () => {
    await client.create('/groups')
    for (let index = 0; index < 1_001; index += 1) await client.create(`/groups/g${index}`)
    const { text } = await ask(`${api}groups`)
    const all = 'Only the first 1000 nodes were looked at.'
    expect(JSON.parse(text)).toMatchObject({ total: null, untold: { all } })
  })

  it('leaves out what an engine does not tell, with the reason', async () => {
    const { text } = await ask(`${api}ensemble`)
    const { data, untold } = JSON.parse(text) as { data: Ensemble; untold: Record<string, string> }
    expect(data).toMatchObject({ serving: true, leader: null, sessions: null, servers: [] })
    expect(untold['leader']).toMatch(/No servers are known/)
  })

  it.each([
    ['nothing', 404, 'NOT_FOUND'],
    ['node', 400, 'USAGE'],
    ['node?path=a', 400, 'USAGE'],
    ['node?path=/gone', 404, 'NO_NODE'],
    ['lock?path=/gone', 404, 'NO_NODE'],
    ['children?path=/&limit=501', 400, 'USAGE'],
    ['stream', 400, 'USAGE'],
  ])('answers %s with %i %s', async (name, status, code) => {
    const reply = await ask(api + name)
    expect(reply.status).toBe(status)
    expect(JSON.parse(reply.text)).toMatchObject({ error: { code, outcome: 'rejected' } })
  })
})

describe('the API over an embedded ensemble', () => {
  it('tells every session with the nodes that go with it, and one that is silent first', async () => {
    const rig = new HttpRig()
    const ensemble = embedded({ servers: 3 })
    const cut = await connect(ensemble.at(1), { sessionTimeoutMs: 2_000, onError: () => undefined })
    const client = await connect(ensemble, { namespace: '/app' })
    try {
      const api = `${await rig.dashboard({ client, ensemble })}api/v1/`
      await cut.create('/elsewhere', '', { mode: 'ephemeral' })
      await client.create('/own', '', { mode: 'ephemeral' })
      const rows = await dataOf<SessionRow[]>(`${api}sessions`)
      const [own, other] = [true, false].map((isOwn) => rows.find((row) => row.isOwn === isOwn))
      expect(rows).toHaveLength(2)
      expect(own).toMatchObject({ ephemerals: 1, paths: ['/own'], address: 'in the process of its server' })
      expect(other).toMatchObject({ timeoutMs: 2_000, ephemerals: 1, paths: [], server: '1' })
      ensemble.isolateSession(cut.sessionId ?? 0n)
      const first = async (): Promise<SessionRow | undefined> => (await dataOf<SessionRow[]>(`${api}sessions`))[0]
      await expect.poll(first, { timeout: 10_000, interval: 10 }).toMatchObject({
        isOwn: false,
        expiresInMs: expect.toSatisfy((ms: number) => ms < 1_000) as number,
        server: null,
      })
    } finally {
      await rig.close()
      await cut.close()
      await client.close()
      await ensemble.close()
    }
  })

  it('tells roles, and what happens to servers', async () => {
    const rig = new HttpRig()
    const ensemble = embedded({ servers: 3 })
    try {
      const api = `${await rig.dashboard({ connect: ensemble })}api/v1/`
      const before = await dataOf<Ensemble>(`${api}ensemble`)
      const leader = String(ensemble.leader)
      expect(before).toMatchObject({ serving: true, leader, voters: 3, answering: 3, canLose: 1 })
      ensemble.crash(ensemble.leader ?? 0)
      await expect.poll(async () => (await dataOf<Ensemble>(`${api}ensemble`)).canLose, { timeout: 20_000 }).toBe(0)
      const after = await dataOf<Ensemble>(`${api}ensemble`)
      const findings = after.findings.map(({ text }) => text)
      expect(findings).toContainEqual(expect.stringMatching(/does not answer: it is down/))
      const events = await dataOf<LogEvent[]>(`${api}events`)
      expect(events.map(({ text }) => text)).toContainEqual(expect.stringMatching(/^Server \d has stopped\.$/))
    } finally {
      await rig.close()
      await ensemble.close()
    }
  })
})
