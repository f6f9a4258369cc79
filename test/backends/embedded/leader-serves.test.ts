/** `leaderServes`: a leader that leaves all clients to the others. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { Ensemble } from '../../../src/backends/embedded/index.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { connect } from '../../../src/index.ts'
import { RawClient, answerTo } from './host/clients/raw-client.ts'
import { CHANGEABLE, change, memberTexts, portOf, rolesOf, startThree } from './members.ts'

const TICK_MS = 10

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function three(): Promise<Ensemble> {
  const ensemble = embedded({ servers: 3, tickMs: TICK_MS, clientPorts: [0, 0, 0], leaderServes: false })
  cleanUps.push(() => ensemble.close())
  await ensemble.start()
  return ensemble
}

function leaderOf({ leader }: Ensemble): number {
  if (leader === null) throw new Error('nobody leads')
  return leader
}

describe('a leader that serves no clients', () => {
  it('ends their connections, over TCP and in its process, and tells operators where it stands', async () => {
    const ensemble = await three()
    const leader = leaderOf(ensemble)
    const portOf = (id: number): number => ensemble.clientPorts[id - 1] ?? 0
    const refused = await RawClient.dial(portOf(leader))
    refused.connect()
    await refused.closed
    expect(refused.messages).toEqual([])
    expect(await answerTo(portOf(leader), 'srvr')).toContain('Mode: leader\n')
    for (const id of [1, 2, 3].filter((one) => one !== leader)) await (await RawClient.open(portOf(id))).drop()

    await using inProcess = await connect(ensemble.at(leader))
    await inProcess.create('/a', 'x')
    await using overTcp = await connect(zookeeper(`127.0.0.1:${portOf(leader)},127.0.0.1:${portOf(leader % 3 + 1)}`))
    await overTcp.set('/a', 'y')
    expect(ensemble.status().find(({ myid }) => myid === leader)).toMatchObject({ serving: true, connections: 0 })
    expect(ensemble.status().reduce((sum, { connections }) => sum + connections, 0)).toBe(2)
  })

  it('has lost the clients that it had before it was elected; they go on elsewhere with their sessions', async () => {
    const ensemble = await three()
    const first = leaderOf(ensemble)
    const others = [1, 2, 3].filter((id) => id !== first)
    const clients = await Promise.all(others.map((id) => connect(ensemble.at(id), { sessionTimeoutMs: 5_000 })))
    cleanUps.push(() => Promise.all(clients.map((client) => client.close())))
    const sessions = clients.map(({ sessionId }) => sessionId)
    expect(ensemble.status().map(({ connections }) => connections).sort()).toEqual([0, 1, 1])
    ensemble.crash(first)
    await vi.waitFor(() => expect(ensemble.leader).not.toBeNull(), 10_000)
    for (const [index, client] of clients.entries()) await client.create(`/after-${index}`, '')
    const leader = leaderOf(ensemble)
    expect(ensemble.status().find(({ myid }) => myid === leader)?.connections).toBe(0)
    expect(clients.map(({ sessionId }) => sessionId)).toEqual(sessions)
  })

  it('is none where it is the only voter', async () => {
    const alone = embedded({ servers: 1, observers: 1, tickMs: TICK_MS, leaderServes: false })
    cleanUps.push(() => alone.close())
    await using client = await connect(alone.at(1))
    await client.create('/a', '')
    expect(alone.status()[0]?.connections).toBe(1)
  })

  it('has its own client at another process', async () => {
    const all = await startThree(await memberTexts(3), { tickMs: TICK_MS, leaderServes: false })
    cleanUps.push(() => Promise.all(all.map((member) => member.close())))
    const [leader] = rolesOf(all)
    await using client = await connect(leader)
    await client.create('/a', '')
    expect(leader.status()).toMatchObject({ role: 'LEADING', connections: 0 })
    expect(all.reduce((sum, member) => sum + member.status().connections, 0)).toBe(1)
  })

  it('has its own client at a process that joined later, when the others have left', async () => {
    const texts = await memberTexts(4)
    const options = { ...CHANGEABLE, leaderServes: false }
    const all = await startThree(texts, options)
    cleanUps.push(() => Promise.all(all.map((member) => member.close())))
    const [leader, first, second] = rolesOf(all)
    await using client = await connect(leader, { sessionTimeoutMs: 10_000 })
    const { sessionId } = client
    const fourth = embedded({ myid: 4, servers: texts, ...options })
    cleanUps.push(() => fourth.close())
    const starting = fourth.start()
    expect(await change({ joiningServers: `server.4=${texts[4]?.replace(';', ':observer;')}` }, portOf(first))).toBe(0)
    await starting
    const vote = { joiningServers: `server.4=${texts[4]?.replace(';', ':participant;')}` }
    await vi.waitFor(async () => expect(await change(vote, portOf(first))).toBe(0), 10_000)
    for (const leaving of [first, second]) {
      await vi.waitFor(async () => {
        expect(await change({ leavingServers: String(leaving.myid) }, portOf(fourth))).toBe(0)
      }, 10_000)
      await leaving.close()
    }
    await client.create('/there', '')
    expect([fourth.status().connections, leader.leader, client.sessionId]).toEqual([1, leader.myid, sessionId])
  }, 30_000)
})
