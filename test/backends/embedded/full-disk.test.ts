/** Servers on disks that get full, and have room again. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type * as NodeFiles from '../../../src/backends/embedded/host/storage/node-file-system.ts'
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { Ensemble, EnsembleEvent, EnsembleMember } from '../../../src/backends/embedded/index.ts'
import type { Client } from '../../../src/core/client.ts'
import { connect } from '../../../src/core/connect.ts'
import { freePorts } from '../../engines/process.ts'

const disks = vi.hoisted(() => ({ isFull: (_path: string): boolean => false, code: 'ENOSPC' }))

vi.mock('../../../src/backends/embedded/host/storage/node-file-system.ts', async (original) => {
  const actual = await original<typeof NodeFiles>()
  const { nodeFileSystem } = actual
  return {
    ...actual,
    nodeFileSystem: {
      ...nodeFileSystem,
      open: async (path: string, mode: 'read' | 'write' | 'create') => {
        const file = await nodeFileSystem.open(path, mode)
        const { write } = file
        return Object.assign(file, {
          write: async (bytes: Uint8Array, at: number) => {
            if (disks.isFull(path)) throw Object.assign(new Error(`no room for ${path}`), { code: disks.code })
            await write.call(file, bytes, at)
          },
        })
      },
    },
  }
})

const TICK_MS = 10
let directory = ''
let ensemble: Ensemble
let events: EnsembleEvent[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-full-'))
  events = []
  disks.isFull = () => false
  disks.code = 'ENOSPC'
})

afterEach(async () => {
  // The servers of a test may be none of this.
  await (ensemble as Ensemble | undefined)?.close()
  rmSync(directory, { recursive: true, force: true })
})

async function begin(servers: number, options = {}): Promise<void> {
  ensemble = embedded({ servers, tickMs: TICK_MS, dataDir: directory, onError: () => undefined, ...options })
  ensemble.onEvent((event) => events.push(event))
  await ensemble.start()
}

async function textOf(client: Client): Promise<string> {
  return Buffer.from((await client.get('/a')).data).toString()
}

function types(server: number): string[] {
  return events.filter((event) => event.server === server).map(({ event }) => event.type)
}

describe('a server alone whose disk is full', () => {
  it('answers reads and keeps sessions, and does the writes when there is room', async () => {
    await begin(1)
    const [client, other] = [await connect(ensemble), await connect(ensemble)]
    await client.create('/a', '1')
    disks.isFull = () => true
    let isDone = false
    const writing = client.set('/a', '2').then(() => (isDone = true))
    await vi.waitFor(() => expect(types(1)).toContain('disk-full'))
    // A session's own reads come after its writes.
    for (let read = 0; read < 3; read++) expect(await textOf(other)).toBe('1')
    expect([isDone, ensemble.leader]).toEqual([false, 1])
    disks.isFull = () => false
    await writing
    expect(await textOf(client)).toBe('2')
    expect(types(1).slice(-2)).toEqual(['disk-full', 'disk-has-room'])
    await other.close()
    await client.close()
    ensemble.crash(1)
    ensemble.restart(1)
    const later = await connect(ensemble)
    expect(await textOf(later)).toBe('2')
    await later.close()
  })

  it('goes on without a snapshot for which there is no room', async () => {
    await begin(1, { snapCount: 4 })
    const client = await connect(ensemble)
    disks.isFull = (path) => path.includes('snapshot')
    for (let write = 0; write < 20; write++) await client.create(`/n${write}`)
    await vi.waitFor(() => expect(types(1)).toContain('snapshot-skipped'))
    await client.create('/last')
    expect(types(1)).not.toContain('failed')
    await client.close()
  })

  it('ends where the disk fails otherwise', async () => {
    await begin(1)
    const client = await connect(ensemble)
    disks.code = 'EIO'
    disks.isFull = () => true
    client.create('/a').catch(() => undefined)
    await vi.waitFor(() => expect(types(1)).toContain('failed'))
    expect(ensemble.status()[0]?.role).toBe('DOWN')
    await client.close()
  })
})

describe('one of three servers whose disk is full', () => {
  it.each(['leader', 'follower'])('leaves the others to go on, and comes back later: the %s', async (role) => {
    await begin(3)
    const client = await connect(ensemble)
    await client.create('/a')
    const { leader } = ensemble
    const full = [1, 2, 3].find((id) => (id === leader) === (role === 'leader')) as number
    disks.isFull = (path) => path.startsWith(`${directory}/${full}/`)
    let value = 0
    await vi.waitFor(async () => {
      value += 1
      await client.set('/a', String(value))
      expect(types(full)).toContain('disk-full')
    }, 10_000)
    await vi.waitFor(() => expect(ensemble.leader).not.toBeNull(), 10_000)
    await client.set('/a', 'last')
    expect(ensemble.status().find(({ myid }) => myid === full)?.role).toBe('DOWN')
    disks.isFull = () => false
    await vi.waitFor(() => {
      const { serving, zxid } = ensemble.status().find(({ myid }) => myid === full) ?? {}
      expect([serving, zxid]).toEqual([true, ensemble.status().find(({ myid }) => myid === ensemble.leader)?.zxid])
    }, 10_000)
    expect(types(full)).not.toContain('failed')
    expect(await textOf(client)).toBe('last')
    await client.close()
  })

  it('can be closed while it waits', async () => {
    await begin(3)
    const client = await connect(ensemble)
    disks.isFull = () => true
    client.create('/a').catch(() => undefined)
    await vi.waitFor(() => expect(events.map(({ event }) => event.type)).toContain('disk-full'))
    await client.close().catch(() => undefined)
    await ensemble.close()
  })
})

describe('a server of an ensemble of processes whose disk is full', () => {
  it('stands aside, and comes back by itself', async () => {
    const ports = await freePorts(9)
    const servers = Object.fromEntries([1, 2, 3].map((id) => {
      const [peer, election, client] = ports.slice(3 * id - 3)
      return [id, `127.0.0.1:${peer}:${election};${client}`]
    }))
    const [one, two, three] = [1, 2, 3].map((myid) => {
      const dataDir = join(directory, String(myid))
      return embedded({ myid, servers, dataDir, tickMs: 20, syncLimitTicks: 25, onError: () => undefined })
    }) as [EnsembleMember, EnsembleMember, EnsembleMember]
    await Promise.all([one.start(), two.start(), three.start()])
    const full = [one, two, three].find(({ myid, leader }) => myid === leader) ?? one
    const rest = [one, two, three].filter((member) => member !== full)
    const told: string[] = []
    full.onEvent(({ event }) => told.push(event.type))
    const client = await connect(rest[0] as EnsembleMember, { onError: () => undefined })
    await client.create('/a')
    disks.isFull = (path) => path.startsWith(`${directory}/${full.myid}/`)
    let value = 0
    await vi.waitFor(async () => {
      value += 1
      await client.set('/a', String(value))
      expect(told).toContain('disk-full')
    }, 10_000)
    await vi.waitFor(() => client.set('/a', 'last'), 10_000)
    expect(full.status().serving).toBe(false)
    disks.isFull = () => false
    await vi.waitFor(() => {
      expect(full.status()).toMatchObject({ serving: true, zxid: rest[0]?.status().zxid })
    }, 10_000)
    expect(told).not.toContain('failed')
    await client.close()
    await Promise.all([one, two, three].map((member) => member.close()))
  })
})
