import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Host } from '../../../../src/backends/embedded/host/host.ts'
import { sha1 } from '../../../../src/backends/embedded/host/digest.ts'
import { systemRandom } from '../../../../src/backends/embedded/host/random.ts'
import { MemoryStorage } from '../../../../src/backends/embedded/host/storage/memory.ts'
import { twoTurns } from '../../../../src/backends/embedded/host/turns.ts'
import { SERVER_DEFAULTS } from '../../../../src/backends/embedded/server/config.ts'
import { CreateFlag, Err, OpCode } from '../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../src/backends/wire/records.ts'
import type { ClientMessage, ServerMessage } from '../../../../src/backends/wire/records.ts'

let host: Host
let failures: unknown[] = []
/** How much of its memory the host believes to be in use. */
let memoryPercent = 0

beforeEach(async () => {
  failures = []
  memoryPercent = 0
  host = await Host.open({
    config: { ...SERVER_DEFAULTS, myid: 1, voters: [1], bootstrap: true },
    storage: new MemoryStorage(),
    random: systemRandom,
    digest: sha1,
    memory: { heapThrottlePercent: 85, heapRefusePercent: 92, measure: () => memoryPercent },
    transport: { dial: () => undefined, sendVote: () => undefined },
    onEvent: () => undefined,
    onRewind: (zxid) => failures.push(zxid),
    onFailure: (error) => failures.push(error),
  })
  host.start()
  while (!host.status().serving) await new Promise((resolve) => setTimeout(resolve, SERVER_DEFAULTS.tickMs))
})

afterEach(() => {
  host.stop()
  expect(failures).toEqual([])
})

/** A client on a connection of its own, with a session. */
class TestClient {
  readonly heard: ServerMessage[] = []
  isClosed = false
  readonly connection = host.openClient({
    onMessage: (message) => this.heard.push(message),
    onClose: () => {
      this.isClosed = true
    },
  })

  static async connected(): Promise<TestClient> {
    const client = new TestClient()
    const request = { protocolVersion: 0, lastZxidSeen: 0n, timeOut: 5_000, sessionId: 0n, passwd: null }
    client.send({ kind: 'connect', request: { ...request, readOnly: false } })
    await twoTurns()
    expect(client.heard.map(({ kind }) => kind)).toEqual(['connect'])
    return client
  }

  send(message: ClientMessage): void {
    host.receiveClient(this.connection, message)
  }

  create(path: string): void {
    const body = { path, data: null, acl: OPEN_ACL, flags: CreateFlag.persistent }
    this.send({ kind: 'request', request: { xid: 1, op: OpCode.create, body } })
  }

  /** Whether a node is there. */
  async sees(path: string): Promise<boolean> {
    this.send({ kind: 'request', request: { xid: 2, op: OpCode.exists, body: { path, watch: false } } })
    await twoTurns()
    const message = this.heard.at(-1)
    return message?.kind === 'reply' && message.reply.err === Err.ok
  }
}

/** Until another measurement is taken. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

describe('a host whose memory is nearly used up', () => {
  const errs = (client: TestClient): number[] => {
    return client.heard.flatMap((message) => (message.kind === 'reply' ? [message.reply.err] : []))
  }

  it('refuses writes that need some, does everything else, and takes them again by itself', async () => {
    const client = await TestClient.connected()
    client.create('/before')
    await twoTurns()
    memoryPercent = 92
    await pause(25)
    const data = { path: '/before', data: new Uint8Array(1), version: -1 }
    const create = { path: '/m', data: null, acl: OPEN_ACL, flags: CreateFlag.persistent }
    client.create('/refused')
    client.send({ kind: 'request', request: { xid: 2, op: OpCode.setData, body: data } })
    client.send({ kind: 'request', request: { xid: 3, op: OpCode.multi, body: [{ op: OpCode.create, body: create }] } })
    await twoTurns()
    expect(errs(client)).toEqual([Err.ok, Err.throttledOp, Err.throttledOp, Err.throttledOp])
    expect(await client.sees('/before')).toBe(true)
    expect(await client.sees('/refused')).toBe(false)
    const version = -1
    client.send({ kind: 'request', request: { xid: 4, op: OpCode.sync, body: { path: '/' } } })
    client.send({ kind: 'request', request: { xid: 5, op: OpCode.ping, body: null } })
    client.send({ kind: 'request', request: { xid: 6, op: OpCode.delete, body: { path: '/before', version } } })
    await twoTurns()
    expect(errs(client).slice(-3)).toEqual([Err.ok, Err.ok, Err.ok])
    expect((await TestClient.connected()).isClosed).toBe(false)
    expect(host.times.refusedWrites).toBe(3)
    memoryPercent = 50
    await pause(25)
    client.create('/after')
    expect(await client.sees('/after')).toBe(true)
    expect(failures).toEqual([])
  })

  it('slows them before, each client\'s next one, and what others ask for does not wait', async () => {
    const [writer, reader] = [await TestClient.connected(), await TestClient.connected()]
    memoryPercent = 85
    await pause(25)
    const sinceMs = performance.now()
    for (const path of ['/a', '/b', '/c']) writer.create(path)
    expect(await reader.sees('/a')).toBe(false)
    expect(performance.now() - sinceMs).toBeLessThan(50)
    while (errs(writer).length < 3) await pause(5)
    expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(3 * 49)
    expect(errs(writer)).toEqual([Err.ok, Err.ok, Err.ok])
    expect(host.times.slowedWrites).toBe(3)
  })
})

describe('a client that is paused, as it does not read', () => {
  it('is served when it is resumed, in order, and the others meanwhile', async () => {
    const [paused, other] = [await TestClient.connected(), await TestClient.connected()]
    host.pauseClient(paused.connection)
    paused.create('/paused')
    expect(await other.sees('/paused')).toBe(false)
    expect([host.isAnswered, paused.heard.length]).toEqual([false, 1])
    host.resumeClient(paused.connection)
    expect(await paused.sees('/paused')).toBe(true)
  })

  it('is heard of while something comes of it, and no longer', async () => {
    const client = new TestClient()
    const request = { protocolVersion: 0, lastZxidSeen: 0n, timeOut: 100, sessionId: 0n, passwd: null }
    client.send({ kind: 'connect', request: { ...request, readOnly: false } })
    await twoTurns()
    host.pauseClient(client.connection)
    for (let i = 0; i < 10; i++) {
      client.send({ kind: 'request', request: { xid: 1, op: OpCode.ping, body: null } })
      await pause(50)
      expect([i, client.isClosed]).toEqual([i, false])
    }
    while (!client.isClosed) await pause(20)
  })
})

describe('a client that closes its connection', () => {
  it('is heard to its last message, also by a server that was busy when it came', async () => {
    const [leaver, stayer] = [await TestClient.connected(), await TestClient.connected()]
    // The turn of this message has an end, at which what comes meanwhile is handled.
    leaver.create('/first')
    await Promise.resolve()
    leaver.create('/last')
    host.closeClient(leaver.connection)
    await twoTurns()
    expect(await stayer.sees('/first')).toBe(true)
    expect(await stayer.sees('/last')).toBe(true)
  })

  it('is told nothing more, and does nothing more', async () => {
    const [leaver, stayer] = [await TestClient.connected(), await TestClient.connected()]
    const before = leaver.heard.length
    leaver.create('/a')
    host.closeClient(leaver.connection)
    leaver.create('/b')
    host.closeClient(leaver.connection)
    await twoTurns()
    expect([leaver.heard.length, leaver.isClosed]).toEqual([before, false])
    expect(await stayer.sees('/a')).toBe(true)
    expect(await stayer.sees('/b')).toBe(false)
    expect(host.clientCount).toBe(1)
  })

  it('and that the server has left already is not heard', async () => {
    const [left, stayer] = [await TestClient.connected(), await TestClient.connected()]
    // A second greeting ends the connection.
    const request = { protocolVersion: 0, lastZxidSeen: 0n, timeOut: 5_000, sessionId: 0n, passwd: null }
    left.send({ kind: 'connect', request: { ...request, readOnly: false } })
    await twoTurns()
    expect(left.isClosed).toBe(true)
    left.create('/late')
    host.closeClient(left.connection)
    await twoTurns()
    expect(await stayer.sees('/late')).toBe(false)
  })
})
