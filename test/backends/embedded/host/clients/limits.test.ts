import { afterEach, describe, expect, it } from 'vitest'
import { ClientPort } from '../../../../../src/backends/embedded/host/clients/tcp-port.ts'
import type { ClientHost } from '../../../../../src/backends/embedded/host/clients/tcp-port.ts'
import { UNSENT_MESSAGES_MAX } from '../../../../../src/backends/embedded/host/clients/tcp-socket.ts'
import { HostTimes } from '../../../../../src/backends/embedded/host/host-times.ts'
import type { ClientEnd } from '../../../../../src/backends/embedded/host/host.ts'
import { limitsOf } from '../../../../../src/backends/embedded/limits.ts'
import type { LimitOptions } from '../../../../../src/backends/embedded/limits.ts'
import { FRAME_BYTES_MAX } from '../../../../../src/backends/wire/framing.ts'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import type { ClientMessage } from '../../../../../src/backends/wire/records.ts'
import { RawClient } from './raw-client.ts'

const cleanUps: (() => void)[] = []

afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp()
})

/** A server that does only what a test has it do; it greets whoever connects. */
class StubHost implements ClientHost {
  readonly ends = new Map<number, ClientEnd>()
  readonly addresses: string[] = []
  readonly requests: { readonly connection: number; readonly xid: number }[] = []
  readonly closed: number[] = []
  readonly paused = new Set<number>()
  charges = 0
  greets = true
  readonly times = new HostTimes()
  readonly syncTimes = null
  #waiting: (() => void)[] = []

  openClient(end: ClientEnd, address = ''): number {
    const connection = this.ends.size + 1
    this.ends.set(connection, end)
    this.addresses.push(address)
    return connection
  }

  receiveClient(connection: number, message: ClientMessage): void {
    if (message.kind === 'request') this.requests.push({ connection, xid: message.request.xid })
    else if (message.kind === 'connect' && this.greets) {
      const response = { protocolVersion: 0, timeOut: 4000, sessionId: 1n, passwd: new Uint8Array(16), readOnly: false }
      this.end(connection).onMessage({ kind: 'connect', response })
    }
    this.#wake()
  }

  pauseClient(connection: number): void {
    this.paused.add(connection)
  }

  resumeClient(connection: number): void {
    this.paused.delete(connection)
  }

  chargeClient(): void {
    this.charges += 1
  }

  closeClient(connection: number): void {
    this.closed.push(connection)
    this.#wake()
  }

  /** Answers the first requests that are not answered. */
  answer(count: number): void {
    for (const { connection, xid } of this.requests.splice(0, count)) {
      const reply = { xid, zxid: 1n, err: 0, body: { path: '/' } }
      this.end(connection).onMessage({ kind: 'reply', op: OpCode.sync, reply })
    }
  }

  end(connection: number): ClientEnd {
    const end = this.ends.get(connection)
    if (end === undefined) throw new Error(`no connection ${connection}`)
    return end
  }

  /** Resolves when a condition holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  status(): never {
    throw new Error('nobody asks')
  }

  inspect(): never {
    throw new Error('nobody asks')
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

interface PortLimits extends LimitOptions {
  readonly globalOutstandingLimit?: number
  readonly maxClientCnxns?: number
  readonly sessionlessMs?: number
}

async function portOver(host: StubHost, given: PortLimits = {}): Promise<ClientPort> {
  const { globalOutstandingLimit = 1000, maxClientCnxns = 0, sessionlessMs = 10_000, ...limits } = given
  const port = new ClientPort({
    address: '127.0.0.1',
    port: 0,
    limits: limitsOf(limits, { maxClientCnxns, globalOutstandingLimit }),
    sessionlessMs,
    frameBytesMax: FRAME_BYTES_MAX,
    fourLetterWords: new Set(),
    configuration: () => '',
    directories: () => null,
    company: { isStandalone: true, voters: 1 },
    isIsolated: () => false,
    onClientError: (_, error) => {
      throw error
    },
  })
  await port.listen()
  port.attach(host)
  cleanUps.push(() => {
    port.close()
  })
  return port
}

async function openOn(port: ClientPort): Promise<RawClient> {
  const client = await RawClient.open(port.port)
  cleanUps.push(() => client.socket.destroy())
  return client
}

function syncs(client: RawClient, count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => client.encode(OpCode.sync, { path: '/' })))
}

describe('requests that are not answered', () => {
  it('are read only up to the limit of the server, and one of each client more', async () => {
    const host = new StubHost()
    const port = await portOver(host, { globalOutstandingLimit: 10 })
    const busy = await openOn(port)
    busy.socket.write(syncs(busy, 50))
    await host.until(() => host.requests.length === 10)
    const other = await openOn(port)
    other.socket.write(syncs(other, 3))
    await host.until(() => host.requests.length === 11)
    // Whatever else could come has had every chance to: the server has answered a later request.
    const third = await openOn(port)
    expect(third.isClosed).toBe(false)
    expect(host.requests.map(({ connection }) => connection)).toEqual([...Array.from({ length: 10 }, () => 1), 2])

    for (let answered = 0; answered < 53; answered += 1) {
      await host.until(() => host.requests.length > 0)
      expect(host.requests.length).toBeLessThanOrEqual(12)
      host.answer(1)
    }
    const xids: number[] = []
    for (let i = 0; i < 50; i++) xids.push((await busy.reply()).xid)
    expect(xids).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
    for (let i = 0; i < 3; i++) expect((await other.reply()).xid).toBe(i + 1)
  })

  it('count no more when their connection has ended', async () => {
    const host = new StubHost()
    const port = await portOver(host, { globalOutstandingLimit: 5 })
    const gone = await openOn(port)
    const waiting = await openOn(port)
    gone.socket.write(syncs(gone, 5))
    await host.until(() => host.requests.length === 5)
    waiting.socket.write(syncs(waiting, 4))
    await host.until(() => host.requests.length === 6)
    await gone.drop()
    await host.until(() => host.requests.length === 9)
    expect(host.closed).toEqual([1])
  })
})

describe('a client that does not read', () => {
  const path = `/${'p'.repeat(10_000)}`
  const pour = (host: StubHost, count: number): void => {
    for (let i = 0; i < count; i++) {
      host.end(1).onMessage({ kind: 'event', zxid: BigInt(i), event: { type: 1, state: 3, path } })
    }
  }

  it('gets everything in order when it does', async () => {
    const host = new StubHost()
    const client = await openOn(await portOver(host))
    client.socket.pause()
    for (let i = 0; i < 30; i++) {
      pour(host, 100)
      await new Promise((resolve) => setImmediate(resolve))
    }
    client.socket.resume()
    for (let i = 0; i < 30; i++) {
      for (let j = 0; j < 100; j++) {
        expect(await client.take()).toEqual({ kind: 'event', zxid: BigInt(j), event: { type: 1, state: 3, path } })
      }
    }
  })

  it('is not read from either, and its requests are read when it reads again', async () => {
    const host = new StubHost()
    const client = await openOn(await portOver(host))
    client.socket.pause()
    pour(host, 3000)
    await new Promise((resolve) => setImmediate(resolve))
    client.socket.write(syncs(client, 2))
    const other = await openOn(await portOver(new StubHost()))
    expect(other.isClosed).toBe(false)
    expect(host.requests).toEqual([])
    client.socket.resume()
    await host.until(() => host.requests.length === 2)
  })

  it('is cut off when too much waits for it', async () => {
    const host = new StubHost()
    const client = await openOn(await portOver(host))
    client.socket.pause()
    pour(host, UNSENT_MESSAGES_MAX)
    expect(host.closed).toEqual([])
    await new Promise((resolve) => setImmediate(resolve))
    pour(host, UNSENT_MESSAGES_MAX)
    expect(host.closed).toEqual([1])
    client.socket.resume()
    await client.closed
  })

  it('is cut off some time after the server has ended the connection', async () => {
    const host = new StubHost()
    const client = await openOn(await portOver(host, { sessionlessMs: 20 }))
    client.socket.pause()
    pour(host, 3000)
    host.end(1).onClose()
    await host.until(() => host.closed.length === 1)
    client.socket.resume()
    await client.closed
  })
})

describe('a connection without a session', () => {
  it('ends after some time, whatever it has sent', async () => {
    const host = new StubHost()
    host.greets = false
    const port = await portOver(host, { sessionlessMs: 20 })
    const silent = await RawClient.dial(port.port)
    const waiting = await RawClient.dial(port.port)
    waiting.connect()
    const half = await RawClient.dial(port.port)
    half.socket.write(Uint8Array.of(0, 0, 0, 44, 0, 0))
    await Promise.all([silent.closed, waiting.closed, half.closed])
    expect(port.connectionCount).toBe(0)
  })

  it('stays when it has got its session', async () => {
    const host = new StubHost()
    const port = await portOver(host, { sessionlessMs: 20 })
    const client = await openOn(port)
    const silent = await RawClient.dial(port.port)
    await silent.closed
    expect(client.isClosed).toBe(false)
    expect(host.addresses).toEqual(['127.0.0.1'])
  })
})

/** The server hears of the end of a connection with what was sent before it, or soon after. */
function untilEndCame(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50))
}

describe('the end of a client whose requests wait', () => {
  it('comes after them, when it says so', async () => {
    const host = new StubHost()
    const port = await portOver(host, { globalOutstandingLimit: 1 })
    const client = await openOn(port)
    client.socket.end(syncs(client, 100))
    await host.until(() => host.requests.length === 1)
    await untilEndCame()
    for (let left = 99; left > 0; left--) {
      await host.until(() => host.requests.length === 1)
      expect([left, host.closed]).toEqual([left, []])
      host.answer(1)
    }
    await host.until(() => host.closed.length === 1)
    expect([host.requests.length, port.connectionCount]).toEqual([1, 0])
  })

  it('comes after what it sent before it had its session', async () => {
    const host = new StubHost()
    host.greets = false
    const port = await portOver(host)
    const client = await RawClient.dial(port.port)
    client.socket.end(Buffer.concat([client.encodeConnect(), syncs(client, 3)]))
    await host.until(() => host.ends.size === 1)
    await untilEndCame()
    expect([host.requests, host.closed]).toEqual([[], []])
    const response = { protocolVersion: 0, timeOut: 4000, sessionId: 1n, passwd: new Uint8Array(16), readOnly: false }
    host.end(1).onMessage({ kind: 'connect', response })
    await host.until(() => host.closed.length === 1)
    expect(host.requests).toHaveLength(3)
  })

  it('is that of its requests, too, when its session ends', async () => {
    const host = new StubHost()
    const port = await portOver(host, { globalOutstandingLimit: 1 })
    const client = await openOn(port)
    client.socket.end(syncs(client, 100))
    await host.until(() => host.requests.length === 1)
    await untilEndCame()
    host.end(1).onClose()
    await host.until(() => host.closed.length === 1)
    expect([host.requests.length, port.connectionCount]).toEqual([1, 0])
  })

  it('is noticed, when it is broken off, however much was sent before', async () => {
    const host = new StubHost()
    const port = await portOver(host, { globalOutstandingLimit: 1 })
    const client = await openOn(port)
    client.socket.write(syncs(client, 20_000))
    await host.until(() => host.requests.length === 1)
    // By then the server has stopped to read.
    await new Promise((resolve) => setTimeout(resolve, 100))
    client.socket.resetAndDestroy()
    await host.until(() => host.closed.length === 1)
    expect(port.connectionCount).toBe(0)
  })
})

describe('a port without a server', () => {
  it('closes what connects, and every connection when it is closed', async () => {
    const host = new StubHost()
    const port = await portOver(host)
    const client = await openOn(port)
    port.close()
    await client.closed
    await port.listen()
    const early = await RawClient.dial(port.port)
    await early.closed
    port.attach(host)
    expect((await openOn(port)).isClosed).toBe(false)
  })
})
