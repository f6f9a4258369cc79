/** Whole servers, joined by TCP on loopback. */
import { afterEach, describe, expect, it } from 'vitest'
import { connect } from '../../../../../../src/core/connect.ts'
import type { Client } from '../../../../../../src/core/client.ts'
import { CAPABILITIES } from '../../../../../../src/backends/embedded/capabilities.ts'
import { openClientSession } from '../../../../../../src/backends/client/session.ts'
import { MemoryDialer } from '../../../../../../src/backends/embedded/host/clients/memory.ts'
import type { Host, HostOptions } from '../../../../../../src/backends/embedded/host/host.ts'
import { HostSlot } from '../../../../../../src/backends/embedded/host/host-slot.ts'
import type { PeerAddress } from '../../../../../../src/backends/embedded/host/peers/tcp/peer-address.ts'
import { TcpPeers } from '../../../../../../src/backends/embedded/host/peers/tcp/tcp-peers.ts'
import { sha1 } from '../../../../../../src/backends/embedded/host/digest.ts'
import { systemRandom } from '../../../../../../src/backends/embedded/host/random.ts'
import { MemoryStorage } from '../../../../../../src/backends/embedded/host/storage/memory.ts'
import type { Storage } from '../../../../../../src/backends/embedded/host/storage/storage.ts'
import { SERVER_DEFAULTS } from '../../../../../../src/backends/embedded/server/config.ts'
import { loopback, until } from './tcp-rig.ts'

const OBSERVER = 4
const TICK_MS = 20

let servers: ReadonlyMap<number, PeerAddress>
let slots = new Map<number, HostSlot>()
let transports = new Map<number, TcpPeers>()
let storages = new Map<number, Storage>()
let events: string[] = []
let clients: Client[] = []

async function startServer(id: number, settings: Partial<HostOptions['config']> = {}): Promise<void> {
  const transport = new TcpPeers({
    myid: id,
    servers,
    observers: new Set([OBSERVER]),
    connectTimeoutMs: 1_000,
    idleTimeoutMs: 20 * TICK_MS,
    onEvent: (event) => events.push(`${id}: ${event.type}`),
  })
  await transport.listen()
  const slot = new HostSlot()
  const storage = storages.get(id) ?? new MemoryStorage()
  storages.set(id, storage)
  transports.set(id, transport)
  slots.set(id, slot)
  slot.open({
    config: { ...SERVER_DEFAULTS, tickMs: TICK_MS, myid: id, voters: [1, 2, 3], bootstrap: true, ...settings },
    storage,
    random: systemRandom,
    digest: sha1,
    transport,
    onEvent: (event) => {
      if (event.type === 'synchronised') events.push(`${id}: ${event.mode}`)
      else if (event.type === 'link-dropped') events.push(`${id}: dropped ${event.peer}: ${event.reason}`)
    },
    onRewind: () => events.push(`${id}: rewinds`),
    onFailure: (error) => events.push(`${id}: failed: ${String(error)}`),
  }, (host) => {
    transport.attach(host)
  })
}

/** As the end of its process would, but its storage stays. */
function kill(id: number): void {
  transports.get(id)?.destroy()
  slots.get(id)?.empty()
}

function hosts(): Host[] {
  return [...slots.values()].flatMap(({ host }) => host ?? [])
}

function describeAll(): string {
  return JSON.stringify([hosts().map((host) => ({ ...host.status(), zxid: 0, loggedZxid: 0 })), events], (_, value) =>
    typeof value === 'bigint' ? String(value) : (value as unknown))
}

async function untilServing(count: number): Promise<number> {
  const leaders = (): number[] => {
    return hosts().filter((host) => host.status().role === 'LEADING').map((host) => host.status().myid)
  }
  await until(() => leaders().length === 1 && hosts().filter((host) => host.status().serving).length === count,
    describeAll)
  return leaders()[0] ?? 0
}

/** Everybody has applied the same. */
async function untilEqual(): Promise<void> {
  await until(() => new Set(hosts().map((host) => Buffer.from(host.snapshot()).toString('base64'))).size === 1,
    describeAll)
}

async function clientOf(id: number): Promise<Client> {
  const directory = {
    ids: [id, ...[...servers.keys()].filter((other) => other !== id)],
    host: (one: number) => slots.get(one)?.host ?? undefined,
    isIsolated: () => false,
    isClosing: false,
  }
  const client = await connect({
    name: 'tcp',
    capabilities: CAPABILITIES,
    open: (options) => openClientSession(new MemoryDialer(directory, 0), { ...options, sessionTimeoutMs: 4_000 }),
  })
  clients.push(client)
  return client
}

afterEach(async () => {
  await Promise.all(clients.map((client) => client.close().catch(() => undefined)))
  for (const id of slots.keys()) kill(id)
  slots = new Map()
  transports = new Map()
  storages = new Map()
  events = []
  clients = []
})

describe('three servers over TCP', () => {
  it('elect, commit, go on without one of them, and take it back', async () => {
    servers = await loopback(3)
    for (const id of servers.keys()) await startServer(id)
    const leader = await untilServing(3)
    const follower = [1, 2, 3].find((id) => id !== leader) ?? 0
    const client = await clientOf(follower)
    for (let count = 0; count < 50; count++) await client.create(`/before-${count}`, new Uint8Array(100))
    await untilEqual()
    kill(leader)
    await client.create('/meanwhile', new Uint8Array(100)).catch(() => client.exists('/meanwhile'))
    const next = await untilServing(2)
    expect(next).not.toBe(leader)
    expect(await client.exists('/before-49')).not.toBeNull()
    await startServer(leader)
    await untilServing(3)
    await client.create('/after', new Uint8Array(100))
    await untilEqual()
    expect(events.filter((event) => event.includes('failed') || event.includes('dropped'))).toEqual([])
  })

  it('bring one that has lost its storage up to date by a state, and an observer too', async () => {
    servers = await loopback(4)
    const settings = { commitLogCount: 10, commitLogBytes: 1_000 }
    for (const id of [1, 2, 3]) await startServer(id, settings)
    const leader = await untilServing(3)
    const client = await clientOf(leader)
    for (let count = 0; count < 100; count++) await client.create(`/node-${count}`, new Uint8Array(20_000))
    const wiped = [1, 2, 3].find((id) => id !== leader) ?? 0
    kill(wiped)
    storages.delete(wiped)
    await client.create('/meanwhile', new Uint8Array(100))
    await startServer(wiped, { ...settings, bootstrap: false })
    await startServer(OBSERVER, settings)
    await until(() => hosts().length === 4 && hosts().every((host) => host.status().serving), describeAll)
    await client.set('/meanwhile', new Uint8Array(1))
    await untilEqual()
    expect(events).toContain(`${wiped}: SNAP`)
    expect(events).toContain(`${OBSERVER}: SNAP`)
  })
})
