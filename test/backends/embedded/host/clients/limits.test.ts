import { afterEach, describe, expect, it } from 'vitest'
import { ClientPort } from '../../../../../src/backends/embedded/host/clients/tcp-port.ts'
import type { ClientHost } from '../../../../../src/backends/embedded/host/clients/tcp-port.ts'
import { UNSENT_MESSAGES_MAX } from '../../../../../src/backends/embedded/host/clients/tcp-socket.ts'
import { HostTimes } from '../../../../../src/backends/embedded/host/host-times.ts'
import type { ClientEnd } from '../../../../../src/backends/embedded/host/host.ts'
import { limitsOf } from '../../../../../src/backends/embedded/host/limits.ts'
import type { LimitOptions } from '../../../../../src/backends/embedded/host/limits.ts'
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
    this.#wake()
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

describe('one connection', () => {
  it('has only so many requests that are not answered, and the others have theirs', async () => {
    const host = new StubHost()
    const port = await portOver(host, { connectionOutstanding: 3 })
    const greedy = await openOn(port)
    greedy.socket.write(syncs(greedy, 5))
    await host.until(() => host.requests.length === 3)
    const other = await openOn(port)
    other.socket.write(syncs(other, 3))
    await host.until(() => host.requests.length === 6)
    expect(host.requests.map(({ connection }) => connection)).toEqual([1, 1, 1, 2, 2, 2])
    host.answer(1)
    await host.until(() => host.requests.length === 6)
    expect(host.requests.at(-1)).toEqual({ connection: 1, xid: 4 })
  })

  it('has only so many bytes of them, and one request in any case', async () => {
    const host = new StubHost()
    const port = await portOver(host, { connectionOutstandingBytes: 2_000 })
    const client = await openOn(port)
    // A request of a path has 12 bytes more: header and length.
    const ofBytes = (bytes: number) => client.encode(OpCode.sync, { path: `/${'p'.repeat(bytes - 13)}` })
    client.socket.write(Buffer.concat([ofBytes(1_000), ofBytes(1_000), ofBytes(20), ofBytes(5_000), ofBytes(20)]))
    await host.until(() => host.requests.length === 2)
    const other = await openOn(port)
    other.socket.write(syncs(other, 1))
    await host.until(() => host.requests.length === 3)
    host.answer(1)
    await host.until(() => host.requests.length === 3)
    expect(host.requests.map(({ xid, connection }) => [connection, xid])).toEqual([[1, 2], [2, 1], [1, 3]])
    host.answer(3)
    await host.until(() => host.requests.length === 1)
    expect(host.requests).toEqual([{ connection: 1, xid: 4 }])
    host.answer(1)
    await host.until(() => host.requests.length === 1)
    expect(host.requests).toEqual([{ connection: 1, xid: 5 }])
  })

  it('pays for the time that its bytes take', async () => {
    const host = new StubHost()
    const client = await openOn(await portOver(host))
    const before = host.charges
    client.socket.write(syncs(client, 1))
    await host.until(() => host.requests.length === 1)
    expect(host.charges).toBeGreaterThan(before)
  })
})

describe('large requests of all connections', () => {
  const bytes = 1_000

  async function asked(threshold: number): Promise<number> {
    const host = new StubHost()
    const port = await portOver(host, { largeRequestMaxBytes: 2 * bytes, largeRequestThreshold: threshold })
    const clients = [await openOn(port), await openOn(port)]
    for (const client of clients) {
      const one = () => client.encode(OpCode.sync, { path: `/${'p'.repeat(bytes - 13)}` })
      client.socket.write(Buffer.concat([one(), one()]))
    }
    // One of each, and a second one of the first as long as there is room.
    await host.until(() => host.requests.length >= 3)
    await openOn(port)
    const { length } = host.requests
    const all = 2 * clients.length
    for (let answered = 0; answered < all; answered++) {
      await host.until(() => host.requests.length > 0)
      host.answer(1)
    }
    expect(port.view.outstandingBytes()).toBe(threshold < bytes && threshold >= 0 ? bytes : 0)
    return length
  }

  it('wait beyond the limit, and one of each connection does not', async () => {
    expect(await asked(bytes - 1)).toBe(3)
  })

  it('are those longer than the threshold, and none if that is -1', async () => {
    expect(await asked(bytes)).toBe(4)
    expect(await asked(-1)).toBe(4)
  })
})

describe('a connection too many', () => {
  it('of the server is closed, whatever its address, and the others stay', async () => {
    const port = await portOver(new StubHost(), { maxCnxns: 2 })
    const [first, second] = [await openOn(port), await openOn(port)]
    const third = await RawClient.dial(port.port)
    await third.closed
    expect([first.isClosed, second.isClosed]).toEqual([false, false])
    expect(port.view.traffic.connectionsRejected).toBe(1)
    await first.drop()
    expect((await openOn(port)).isClosed).toBe(false)
  })

  it('of an address is closed, and the others stay', async () => {
    const port = await portOver(new StubHost(), { maxClientCnxns: 1 })
    const first = await openOn(port)
    await (await RawClient.dial(port.port)).closed
    expect([first.isClosed, port.view.traffic.connectionsRejected]).toEqual([false, 1])
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
    await host.until(() => host.paused.has(1))
    client.socket.write(syncs(client, 2))
    const other = await openOn(await portOver(new StubHost()))
    expect(other.isClosed).toBe(false)
    expect(host.requests).toEqual([])
    client.socket.resume()
    await host.until(() => host.requests.length === 2)
    expect(host.paused.size).toBe(0)
  })

  it('is cut off when too much waits for it', async () => {
    const host = new StubHost()
    const client = await openOn(await portOver(host))
    client.socket.pause()
    pour(host, UNSENT_MESSAGES_MAX)
    expect(host.closed).toEqual([])
    await host.until(() => host.paused.has(1))
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
