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

beforeEach(async () => {
  failures = []
  host = await Host.open({
    config: { ...SERVER_DEFAULTS, myid: 1, voters: [1], bootstrap: true },
    storage: new MemoryStorage(),
    random: systemRandom,
    digest: sha1,
    transport: { dial: () => undefined, sendVote: () => undefined },
    onEvent: () => undefined,
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
