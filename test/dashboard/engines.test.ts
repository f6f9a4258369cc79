/** The dashboard over engines that are no ensemble of ours: it reads recipes there as it does here. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Client } from 'quorate'
import { ConfigCenter, FairLock, GroupMembership, LeaderElection, connect } from 'quorate'
import type { Child, ConfigDetail, Election, Ensemble, Group } from '../../src/dashboard/api.ts'
import type { Lock, LockQueue, SessionRow, TreeNode } from '../../src/dashboard/api.ts'
import { REAL_ENGINES } from '../engines/all.ts'
import type { StartedEngine } from '../engines/all.ts'
import { HttpRig, ask, dataOf } from './rig.ts'

const START_MS_MAX = 60_000
/** The part of the tree that an application has for itself. */
const NAMESPACE = '/app'
const TOKEN = 'a-token-of-the-test'
const HEADERS = {
  'authorization': `Bearer ${TOKEN}`,
  'content-type': 'application/json',
  'x-quorate-dashboard': '1',
}

for (const { name, missing, start } of REAL_ENGINES) {
  const title = `the dashboard over ${name}${missing === null ? '' : ` (skipped: ${missing})`}`
  describe.skipIf(missing !== null)(title, () => {
    const rig = new HttpRig()
    let engine: StartedEngine
    let client: Client
    let other: Client
    let looker: Client
    let api: string

    beforeAll(async () => {
      engine = await start()
      const open = (): Promise<Client> => connect(engine.backend, { namespace: NAMESPACE })
      ;[client, other, looker] = await Promise.all([open(), open(), open()])
      const { servers = [] } = engine
      api = `${await rig.dashboard({ client: looker, servers, token: TOKEN, readOnly: false })}api/v1/`
    }, START_MS_MAX)

    afterAll(async () => {
      await rig.close()
      await Promise.all([client.close(), other.close(), looker.close()])
      await engine.stop()
    })

    const read = <T>(what: string): Promise<T> => dataOf<T>(`${api}${what}`, HEADERS)
    const change = async (seen: object, data: string): Promise<number> => {
      const body = JSON.stringify({ path: '/plain', data, encoding: 'utf8', seen })
      return (await ask(`${api}node`, { method: 'PUT', headers: HEADERS, body })).status
    }

    it('shows a lock with its queue, and who leads', async () => {
      const lease = await new FairLock(client, '/locks/orders').acquire({ data: 'first' })
      const waiting = new FairLock(other, '/locks/orders').acquire({ data: 'second' })
      await expect.poll(async () => (await read<Lock[]>('locks'))[0]?.waiting, { timeout: 5_000 }).toBe(1)
      const { queue } = await read<LockQueue>('lock?path=/locks/orders')
      expect(queue.map(({ says, state }) => [says, state])).toEqual([['first', 'held'], ['second', 'waits']])
      expect(queue[0]?.token).toBe(String(lease.token))
      await lease.release()
      await (await waiting).release()
      const leadership = await new LeaderElection(client, '/leaders/cron', { id: 'a', data: 'at a' }).campaign()
      const [election] = await read<Election[]>('leaders')
      const leader = { says: 'a', state: 'held' }
      expect(election).toMatchObject({ path: '/leaders/cron', leader, proclaims: '"at a"' })
      await leadership.resign()
    })

    it('shows members, and a configuration with its history', async () => {
      const member = await new GroupMembership(client, '/groups/workers').join('w1', { data: { zone: 'a' } })
      const config = new ConfigCenter<{ on: boolean }>(client, '/config/shop', { history: true })
      await config.publish({ on: false })
      await config.publish({ on: true }, { comment: 'go' })
      const [group] = await read<Group[]>('groups')
      expect(group).toMatchObject({ path: '/groups/workers', members: [{ id: 'w1' }] })
      const { value, history } = await read<ConfigDetail>('release?path=/config/shop')
      expect(value).toBe('{"on":true}')
      expect(history.map(({ note }) => note)).toEqual(['go', null])
      await member.leave()
    })

    it('shows its own part of the tree, changes what was seen, and says what it cannot know', async () => {
      await client.create('/plain', 'one')
      expect((await read<Child[]>('children?path=/')).map((child) => child.name)).toContain('plain')
      const { version, mzxid } = (await read<TreeNode>('node?path=/plain')).stat
      expect(await change({ version, mzxid }, 'two')).toBe(200)
      expect(await change({ version, mzxid }, 'three')).toBe(409)
      expect((await read<TreeNode>('node?path=/plain')).data).toMatchObject({ text: 'two' })
      await client.create('/groups/mine', '', { mode: 'ephemeral' })
      const own = (await read<SessionRow[]>('sessions')).find(({ paths }) => paths.includes('/groups/mine'))
      expect(own?.id).toBe(`0x${client.sessionId?.toString(16)}`)
      if (engine.servers !== undefined) expect(own?.server).toBe(engine.servers[0])
      const { serving, session, servers, nodes } = await read<Ensemble>('ensemble')
      expect({ serving, status: session.status }).toEqual({ serving: true, status: 'connected' })
      if (engine.servers === undefined) expect({ servers, nodes }).toEqual({ servers: [], nodes: null })
      else expect(servers).toMatchObject([{ role: expect.any(String) as string }])
    })
  })
}
