import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { EnsembleMember, MemberOptions } from '../../../src/backends/embedded/index.ts'
import { connect } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import { Relay } from '../../../chaos/relay.ts'
import { freePorts, scratchFolder } from '../../engines/process.ts'

const TICK_MS = 20
const SYNC_LIMIT_TICKS = 25
const INIT_LIMIT_TICKS = 50

interface Conf {
  readonly client_port: number
  readonly election_port: number
  readonly quorum_port: number
}

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** Where three servers are, on free ports, each with one for clients. */
async function places(): Promise<Record<number, string>> {
  const ports = await freePorts(9)
  return Object.fromEntries([1, 2, 3].map((id) => {
    const [peer, election, client] = ports.slice(3 * id - 3)
    return [id, `127.0.0.1:${peer}:${election};${client}`]
  }))
}

/** The same, where server 1 and the others reach each other through relays only. */
async function relayedPlaces(): Promise<{
  readonly own: Record<number, string>
  readonly others: Record<number, string>
  readonly relays: readonly Relay[]
}> {
  const others = await places()
  const own = { ...others }
  const relays: Relay[] = []
  const relayed = async (line: string): Promise<string> => {
    const [peer = 0, election = 0] = (/:(\d+):(\d+);/.exec(line) ?? []).slice(1).map(Number)
    const [nearPeer = 0, nearElection = 0] = await freePorts(2)
    relays.push(await Relay.start(nearPeer, peer), await Relay.start(nearElection, election))
    return line.replace(`:${peer}:${election};`, `:${nearPeer}:${nearElection};`)
  }
  for (const id of [2, 3]) own[id] = await relayed(others[id] ?? '')
  others[1] = await relayed(own[1] ?? '')
  cleanUps.push(() => Promise.all(relays.map((relay) => relay.close())))
  return { own, others, relays }
}

function folder(): string {
  const scratch = scratchFolder('member')
  cleanUps.push(() => scratch.remove())
  return scratch.path
}

function member(options: MemberOptions): EnsembleMember {
  const limits = { tickMs: TICK_MS, syncLimitTicks: SYNC_LIMIT_TICKS, initLimitTicks: INIT_LIMIT_TICKS }
  const made = embedded({ ...limits, onError: () => undefined, ...options })
  cleanUps.push(() => made.close())
  return made
}

async function clientOf(server: EnsembleMember): Promise<Client> {
  const client = await connect(server, { sessionTimeoutMs: 3_000, onError: () => undefined })
  cleanUps.push(() => client.close())
  return client
}

describe('three servers with a myid', () => {
  it('begin when all have met, serve, and keep what is acknowledged while any two are up', async () => {
    const [servers, root] = [await places(), folder()]
    const dataDir = (id: number): string => join(root, String(id))
    const [one, two, three] = [1, 2, 3].map((myid) => member({ myid, servers, dataDir: dataDir(myid) })) as
      [EnsembleMember, EnsembleMember, EnsembleMember]
    const early = Promise.all([one.start(), two.start()])
    expect(await Promise.race([early, pause(600)])).toBe('paused')
    await Promise.all([early, three.start()])
    expect(new Set([one, two, three].map(({ leader }) => leader)).size).toBe(1)
    const client = await clientOf(one)
    await client.create('/kept', 'x')
    await three.close()
    await client.set('/kept', 'y')
    rmSync(dataDir(3), { recursive: true })
    const blank = member({ myid: 3, servers, dataDir: dataDir(3) })
    await blank.start()
    const there = await clientOf(blank)
    await there.sync('/')
    expect(text((await there.get('/kept')).data)).toBe('y')
  })

  it('have an AdminServer each, and tell by conf of their ports for each other', async () => {
    const servers = await places()
    const options = { servers, fourLetterWords: ['conf'], adminPort: 0 }
    const all = [1, 2, 3].map((myid) => member({ myid, ...options }))
    await Promise.all(all.map((server) => server.start()))
    for (const { myid, adminPort, clientAddress } of all) {
      const answer = await fetch(`http://127.0.0.1:${adminPort ?? 0}/commands/conf`)
      const { client_port: port, election_port: election, quorum_port: quorum } = await answer.json() as Conf
      const [, peer, vote, client] = /:(\d+):(\d+);(\d+)$/.exec(servers[myid] ?? '') ?? []
      expect([quorum, election, port].map(String)).toEqual([peer, vote, client])
      expect(clientAddress).toBe(`127.0.0.1:${port}`)
    }
    const [one] = all
    await one?.close()
    await expect(fetch(`http://127.0.0.1:${one?.adminPort ?? 0}/commands`)).rejects.toThrow()
  })

  it('serve clients at clientPortAddress, where their texts name all addresses or none', async () => {
    const [peer, election, client] = await freePorts(3)
    const addressWith = async (end: string): Promise<string | null> => {
      const servers = { 1: `localhost:${peer}:${election}:participant;${end}` }
      const one = member({ myid: 1, servers, clientPortAddress: '127.0.0.1' })
      await one.start()
      const { clientAddress } = one
      await one.close()
      return clientAddress
    }
    expect(await addressWith(`${client}`)).toBe(`127.0.0.1:${client}`)
    expect(await addressWith(`0.0.0.0:${client}`)).toBe(`127.0.0.1:${client}`)
    expect(await addressWith(`localhost:${client}`)).toBe(`localhost:${client}`)
  })

  it('show the ensemble in /zookeeper/config', async () => {
    const servers = await places()
    const all = [1, 2, 3].map((myid) => member({ myid, servers }))
    await Promise.all(all.map((each) => each.start()))
    for (const each of all) {
      const { data } = await (await clientOf(each)).get('/zookeeper/config')
      const lines = [1, 2, 3].map((id) => `server.${id}=${servers[id]?.replace(';', ':participant;0.0.0.0:')}`)
      expect(text(data)).toBe([...lines, 'version=0'].join('\n'))
    }
  })
})

describe('a client of a server with a myid', () => {
  it('moves to another server over TCP when its own ends, with its session', async () => {
    const servers = await places()
    const all = [1, 2, 3].map((myid) => member({ myid, servers }))
    await Promise.all(all.map((each) => each.start()))
    const follower = all.find(({ leader, myid }) => leader !== myid) as EnsembleMember
    const client = await clientOf(follower)
    const { sessionId } = client
    await client.create('/mine', 'x', { mode: 'ephemeral' })
    await follower.close()
    const owner = (): Promise<unknown> => client.exists('/mine').then((stat) => stat?.ephemeralOwner, () => null)
    await expect.poll(owner).toBe(sessionId)
    const create = { type: 'create', path: '/dated', data: new Uint8Array(), mode: 'persistent' } as const
    const [created] = await client.multi([create])
    expect(created?.type === 'create' && Math.abs(created.stat.ctime - Date.now()) < 60_000).toBe(true)
  })

  it('moves to another one while its own is cut off, and back when that serves, without a failed call', async () => {
    const ways = await relayedPlaces()
    const own = member({ myid: 1, servers: ways.own })
    const others = [2, 3].map((myid) => member({ myid, servers: ways.others }))
    await Promise.all([own, ...others].map((each) => each.start()))
    const client = await clientOf(own)
    const { sessionId } = client
    await client.create('/mine', 'x', { mode: 'ephemeral' })
    const connections = (): number => own.status().connections
    expect(connections()).toBe(1)
    for (const relay of ways.relays) relay.set({ is: 'cut' })
    await expect.poll(() => own.status().serving, { timeout: 5_000 }).toBe(false)
    const owner = (): Promise<unknown> => client.exists('/mine').then((stat) => stat?.ephemeralOwner, () => null)
    await expect.poll(owner, { timeout: 5_000 }).toBe(sessionId)
    expect(own.status().serving).toBe(false)
    let isOver = false
    const failures: unknown[] = []
    const load = Array.from({ length: 4 }, async () => {
      while (!isOver) await client.set('/mine', 'y').catch((error: unknown) => failures.push(error))
    })
    for (const relay of ways.relays) relay.set({ is: 'open' })
    await expect.poll(connections, { timeout: 10_000 }).toBe(1)
    isOver = true
    await Promise.all(load)
    expect(failures).toEqual([])
    expect(await owner()).toBe(sessionId)
  })

  it('begins with another server if its own cannot reach the others', async () => {
    const servers = await places()
    const [root, deaf] = [folder(), await places()]
    const dataDir = join(root, '1')
    const first = member({ myid: 1, servers, dataDir })
    await Promise.all([first, ...[2, 3].map((myid) => member({ myid, servers }))].map((each) => each.start()))
    await first.close()
    // Its own ports are others, and nobody listens where it looks for its peers.
    const withClients = [2, 3].map((id) => [id, `${deaf[id]?.split(';')[0]};${servers[id]?.split(';')[1]}`] as const)
    const cut = member({ myid: 1, servers: { 1: deaf[1] ?? '', ...Object.fromEntries(withClients) }, dataDir })
    const client = await clientOf(cut)
    await client.create('/there', 'x')
    expect(cut.status()).toMatchObject({ serving: false })
  })
})

describe('a server with a myid', () => {
  it('is not started on the directory of another', async () => {
    const dataDir = folder()
    mkdirSync(dataDir, { recursive: true })
    writeFileSync(join(dataDir, 'myid'), '2\n')
    await expect(member({ myid: 1, servers: await places(), dataDir }).start()).rejects.toMatchObject({
      code: 'MISPLACED',
      message: expect.stringContaining('holds 2, and this is server 1') as string,
    })
  })

  it('alone begins by itself', async () => {
    const [peer, election] = await freePorts(2)
    const alone = member({ myid: 7, servers: { 7: `127.0.0.1:${peer}:${election}` }, dataDir: folder() })
    await alone.start()
    expect(alone.status()).toMatchObject({ myid: 7, role: 'LEADING', serving: true })
  })

  it('says which of its ports is taken', async () => {
    const servers = await places()
    const first = member({ myid: 1, servers })
    first.start().catch(() => undefined)
    await pause(300)
    const second = member({ myid: 1, servers })
    await expect(second.start()).rejects.toThrow(/cannot listen on 127\.0\.0\.1:\d+/)
  })

  it('ends its start when it is closed', async () => {
    const server = member({ myid: 1, servers: await places() })
    const started = server.start()
    await pause(100)
    await server.close()
    await expect(started).rejects.toThrow('this server is closed')
    await expect(server.start()).rejects.toThrow('this server is closed')
  })
})

function text(data: Uint8Array): string {
  return Buffer.from(data).toString()
}

function pause(ms: number): Promise<'paused'> {
  return new Promise((resolve) => setTimeout(() => resolve('paused'), ms))
}
