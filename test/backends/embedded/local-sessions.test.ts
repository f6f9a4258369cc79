/** Sessions that one of three servers alone knows, over TCP: as clients of ZooKeeper, ours, and operators see them. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { EnsembleMember } from '../../../src/backends/embedded/index.ts'
import { Err, OpCode } from '../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../src/backends/wire/records.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { ConfigCenter, FairLock, GroupMembership, connect } from '../../../src/index.ts'
import { failure } from '../../outcomes.ts'
import { RawClient, answerTo } from './host/clients/raw-client.ts'
import type { OpenClient } from './host/clients/raw-client.ts'
import { memberTexts, portOf, rolesOf, startThree } from './members.ts'

const OPTIONS = { tickMs: 10, minSessionTimeoutMs: 100, fourLetterWords: ['*'], adminPort: 0 } as const
const WAIT_MS_MAX = 20_000
const EPHEMERAL = 1

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** The leader and two others. */
async function three(localSessions: 'upgradeable' | 'only'): Promise<[EnsembleMember, EnsembleMember, EnsembleMember]> {
  const all = await startThree(await memberTexts(3), { ...OPTIONS, localSessions })
  cleanUps.push(() => Promise.all(all.map((member) => member.close())))
  return rolesOf(all)
}

async function create(client: OpenClient, path: string, flags = 0): Promise<number> {
  const { err } = await client.ask(OpCode.create, { path, data: null, acl: OPEN_ACL, flags })
  return err
}

async function exists(client: OpenClient, path: string): Promise<number> {
  const { err } = await client.ask(OpCode.exists, { path, watch: false })
  return err
}

/** A client's session at another server, or null if it is told that the session is over. */
async function resumed({ session }: OpenClient, member: EnsembleMember): Promise<OpenClient | null> {
  const { sessionId, passwd } = session
  const client = await RawClient.open(portOf(member), { sessionId, passwd })
  return client.session.timeOut === 0 ? null : client
}

/** zk_global_sessions and zk_local_sessions. */
async function sessionsAt(member: EnsembleMember): Promise<readonly (string | undefined)[]> {
  const monitored = await answerTo(portOf(member), 'mntr')
  return ['global', 'local'].map((kind) => new RegExp(`^zk_${kind}_sessions\t(\\d+)$`, 'm').exec(monitored)?.[1])
}

async function expiring(member: EnsembleMember): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${member.adminPort}/commands/dump`)
  const { expiry_time_to_session_ids: ids } = await answer.json() as { expiry_time_to_session_ids: object }
  return Object.values(ids).flat().length
}

describe('a session of a server of three processes', () => {
  it('is known to that server alone, until it makes an ephemeral node; then it can go elsewhere', async () => {
    const [leader, first, second] = await three('upgradeable')
    const [client, atLeader] = [await RawClient.open(portOf(first)), await RawClient.open(portOf(leader))]
    const { zxid } = leader.status()
    await vi.waitFor(async () => expect(await sessionsAt(first)).toEqual(['0', '1']), WAIT_MS_MAX)
    expect([await sessionsAt(leader), await sessionsAt(second)]).toEqual([['0', '1'], ['0', '0']])
    expect([await expiring(leader), await expiring(first)]).toEqual([1, 0])
    const sid = `0x${BigInt.asUintN(64, client.session.sessionId).toString(16)}`
    const dump = await answerTo(portOf(first), 'dump')
    expect(dump).toMatch(new RegExp(
      `^SessionTracker dump:\nLocal Session Sets \\(1\\)/\\(1\\):\n1 expire at .*:\n\t${sid}\n`
        + 'Global Sessions\\(0\\):\n',
    ))
    expect(leader.status().zxid).toBe(zxid)

    expect(await create(client, '/kept')).toBe(Err.ok)
    expect(await resumed(atLeader, first)).toBe(null)
    expect(await create(atLeader, '/not-done')).toBe(Err.sessionExpired)
    const made = { path: '/mine', data: null, acl: OPEN_ACL, flags: EPHEMERAL }
    const { body } = await client.ask(OpCode.multi, [{ op: OpCode.create, body: made }])
    expect(body).toEqual([expect.objectContaining({ op: OpCode.create })])
    expect(await answerTo(portOf(leader), 'dump')).toContain(`Global Session Sets (1)/(1):\n`)
    expect(await sessionsAt(first)).toEqual(['1', '0'])

    const moved = await resumed(client, second)
    expect(moved?.session).toEqual(client.session)
    if (moved === null) return
    expect([await exists(moved, '/mine'), await exists(moved, '/not-done')]).toEqual([Err.ok, Err.noNode])
    await moved.ask(OpCode.closeSession, null)
    const reader = await RawClient.open(portOf(second))
    expect([await exists(reader, '/kept'), await exists(reader, '/mine')]).toEqual([Err.ok, Err.noNode])
    for (const each of [client, atLeader, moved, reader]) await each.drop()
  })

  it('ends with its time-out, and when its server ends, and no transaction tells of it', async () => {
    const [leader, first, second] = await three('upgradeable')
    const { zxid } = leader.status()
    const idle = await RawClient.open(portOf(second), { timeOut: 100 })
    const client = await RawClient.open(portOf(first))
    await idle.closed
    expect(await resumed(idle, second)).toBe(null)
    await first.close()
    expect(await resumed(client, second)).toBe(null)
    expect(leader.status()).toMatchObject({ sessions: 0, localSessions: 0, zxid })
  })

  it('is enough for recipes, in the process of its server and over TCP', async () => {
    const [leader, first] = await three('upgradeable')
    const remote = zookeeper(`127.0.0.1:${portOf(leader)}`)
    for (const backend of [first, remote]) {
      await using client = await connect(backend)
      expect(leader.status().sessions).toBe(0)
      await using lease = await new FairLock(client, '/lock').acquire()
      expect([lease.signal.aborted, leader.status().sessions]).toEqual([false, 1])
      await using me = await new GroupMembership(client, '/group').join('me')
      expect([me.id, leader.status().sessions]).toEqual(['me', 1])
    }
    await vi.waitFor(() => expect(leader.status()).toMatchObject({ sessions: 0, localSessions: 0 }), WAIT_MS_MAX)
  })

  it('that may not grow has what needs no ephemeral node, and is told by name of what does', async () => {
    const [leader, first] = await three('only')
    await using client = await connect(first)
    await using config = new ConfigCenter(client, '/config')
    const changed = new Promise<unknown>((resolve) => {
      config.subscribe(({ value }) => (value === undefined ? undefined : resolve(value)))
    })
    await config.publish({ a: 1 })
    expect(await changed).toEqual({ a: 1 })
    const refused = failure('LOCAL_SESSION', 'rejected')
    await expect(new FairLock(client, '/lock').acquire()).rejects.toEqual(refused)
    await expect(new GroupMembership(client, '/group').join('me')).rejects.toEqual(refused)
    await expect(client.create('/e', '', { mode: 'ephemeral' })).rejects.toThrow(/^the server alone knows this session/)
    expect(leader.status().sessions).toBe(0)
  })
})
