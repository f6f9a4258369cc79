/** Servers of ours that are reached as if they were ZooKeeper's: recognised on each connection, and on no other. */
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openClientSession } from '../../../src/backends/client/session.ts'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { Err, OWN_SERVER, OpCode } from '../../../src/backends/wire/codes.ts'
import { ZooKeeperDialect } from '../../../src/backends/zookeeper/dialect.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { parentOf } from '../../../src/core/path.ts'
import type { Session } from '../../../src/core/backend.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../engines/zookeeper.ts'
import { STAT, ScriptedDialer } from '../client/scripted-servers.ts'

const TIMEOUT_MS = 3_000
const IN_FLIGHT_MAX = 128

interface Opened {
  readonly session: Session
  readonly dialer: ScriptedDialer
}

async function opened(): Promise<Opened> {
  const dialer = new ScriptedDialer()
  const opening = openClientSession(dialer, {
    sessionTimeoutMs: TIMEOUT_MS,
    onError: () => undefined,
    dialect: (requests, bound) => new ZooKeeperDialect(requests, bound, { isRefused: false }),
  })
  dialer.last.accept()
  return { session: await opening, dialer }
}

/** Answers the question of the present connection. */
function answer({ dialer }: Opened, isOurs: boolean): void {
  expect(dialer.last.requests.at(0)).toMatchObject({ op: OpCode.exists, body: { path: OWN_SERVER, watch: false } })
  if (isOurs) dialer.last.reply({ stat: STAT })
  else dialer.last.reply(null, { err: Err.noNode })
}

/** The connection is lost, and another server attaches the session. */
async function move({ dialer }: Opened): Promise<void> {
  dialer.last.hangUp()
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 8)
  dialer.last.accept()
}

const lastOp = ({ dialer }: Opened): number | undefined => dialer.last.ops.at(-1)
const ignore = (): void => undefined

describe('a session whose servers are asked', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('treats a server as one of ZooKeeper until it has answered', async () => {
    const rig = await opened()
    rig.session.sync('/').catch(ignore)
    expect(lastOp(rig)).toBe(OpCode.delete)
    answer(rig, false)
    rig.session.sync('/').catch(ignore)
    expect(lastOp(rig)).toBe(OpCode.delete)
  })

  it('treats any other refusal as a no', async () => {
    const rig = await opened()
    rig.dialer.last.reply(null, { err: Err.noAuth })
    rig.session.sync('/').catch(ignore)
    expect(lastOp(rig)).toBe(OpCode.delete)
  })

  it('speaks to one of ours in one request each', async () => {
    const rig = await opened()
    answer(rig, true)
    rig.session.sync('/').catch(ignore)
    expect(lastOp(rig)).toBe(OpCode.sync)
    rig.session.multi([{ type: 'check', path: '/a', version: -1, czxid: 5n }]).catch(ignore)
    expect(rig.dialer.last.requests.at(-1)).toMatchObject({ op: OpCode.multi, body: [{ op: OpCode.checkCreation }] })
    rig.session.create('/a', new Uint8Array(), { mode: 'ephemeral', owned: true }).catch(ignore)
    expect(rig.dialer.last.ops).toEqual([OpCode.exists, OpCode.sync, OpCode.multi, OpCode.create2])
  })

  it('has its lease proven by pings, those before the answer among them, and by no write', async () => {
    const rig = await opened()
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 8)
    const sentMs = performance.now()
    rig.dialer.last.pong()
    expect(rig.session.leaseDeadlineMs).toBeLessThan(sentMs + (2 / 3) * TIMEOUT_MS)
    answer(rig, true)
    expect(rig.session.leaseDeadlineMs).toBeCloseTo(sentMs + (2 / 3) * TIMEOUT_MS)
    for (let beat = 0; beat < 20; beat++) {
      await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 8)
      const { pings, requests } = rig.dialer.last
      if (pings.length > beat / 3 + 1) rig.dialer.last.pong()
      expect(rig.session.leaseDeadlineMs).toBeGreaterThan(performance.now())
      expect(requests.map(({ op }) => op)).toEqual([OpCode.exists])
    }
    expect(rig.dialer.last.pings.length).toBeLessThan(10)
  })

  it('asks each server that it moves to, and what it knew is forgotten with the connection', async () => {
    const rig = await opened()
    answer(rig, true)
    await move(rig)
    rig.session.sync('/').catch(ignore)
    expect(lastOp(rig)).toBe(OpCode.delete)
    answer(rig, false)
    await move(rig)
    answer(rig, true)
    rig.session.sync('/').catch(ignore)
    expect(lastOp(rig)).toBe(OpCode.sync)
  })

  it('sends no other server what only one of ours understands', async () => {
    const rig = await opened()
    answer(rig, true)
    for (let i = 0; i < IN_FLIGHT_MAX; i++) rig.session.exists('/a').catch(ignore)
    const synced = rig.session.sync('/')
    const read = rig.session.exists('/b')
    expect(lastOp(rig)).toBe(OpCode.exists)
    const refusal = expect(synced).rejects.toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'not-sent' })
    await move(rig)
    await refusal
    answer(rig, false)
    rig.dialer.last.reply({ stat: STAT })
    expect(await read).not.toBeNull()
    expect(rig.dialer.last.ops).toEqual([OpCode.exists, OpCode.exists])
  })
})

describe('the question', () => {
  const ensemble = embedded({ servers: 1, tickMs: 20, clientPorts: [0] })
  afterAll(() => ensemble.close())

  async function answerOf(address: string): Promise<unknown[]> {
    const session = await zookeeper(address).open({ onError: () => undefined })
    try {
      const codes: unknown[] = []
      for (const path of [parentOf(OWN_SERVER), OWN_SERVER]) {
        const create = session.create(path, new Uint8Array(), { mode: 'persistent' })
        codes.push(await create.then(() => 'created', (error: unknown) => (error as { code?: string }).code))
      }
      return [(await session.exists(OWN_SERVER)) !== null, ...codes]
    } finally {
      await session.close()
    }
  }

  it('is answered by ours, which let nobody create a node there', async () => {
    await ensemble.start()
    expect(await answerOf(`127.0.0.1:${ensemble.clientPorts[0] ?? 0}`)).toEqual([true, 'BAD_ARGUMENTS', 'NO_NODE'])
  })

  it.skipIf(reasonToSkipZooKeeper() !== null)('finds nothing on ZooKeeper, which lets nobody create it', async () => {
    const server = await startZooKeeper()
    try {
      expect(await answerOf(server.connectString)).toEqual([false, 'BAD_ARGUMENTS', 'NO_NODE'])
    } finally {
      await server.stop()
    }
  })
})
