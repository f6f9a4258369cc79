import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../../../../src/backends/embedded/index.ts'
import { CreateFlag, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { FRAME_BYTES_MAX } from '../../../../../src/backends/wire/framing.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import { RawClient, answerTo } from './raw-client.ts'

const MAX_CLIENTS = 8
const failures: unknown[] = []
const ensemble = embedded({
  servers: 1,
  clientPorts: [0],
  maxClientCnxns: MAX_CLIENTS,
  onError: (error) => failures.push(error),
  onClientError: (error) => failures.push(error),
})
let port = 0
let witness: RawClient

beforeAll(async () => {
  await ensemble.start()
  port = ensemble.clientPorts[0] ?? 0
  witness = await RawClient.open(port)
})

afterAll(async () => {
  await witness.drop()
  await ensemble.close()
})

/** The client that has done nothing wrong is served as ever. */
async function expectNoHarm(): Promise<void> {
  expect(await witness.ask(OpCode.sync, { path: '/' })).toMatchObject({ err: 0, body: { path: '/' } })
}

function framed(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + bytes.length)
  new DataView(frame.buffer).setInt32(0, bytes.length)
  frame.set(bytes, 4)
  return frame
}

describe('whoever does not speak the protocol', () => {
  it.each([
    ['an HTTP client', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a TLS client', Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3)],
    ['an SSH client', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a Redis client', '*1\r\n$4\r\nPING\r\n'],
    ['a word that is none', 'abcd'],
    ['a frame longer than the limit', Uint8Array.of(0, 0x10, 4, 1)],
    ['a frame of negative length', Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
    ['an empty frame', Uint8Array.of(0, 0, 0, 0)],
    ['a first message that is too short', framed(new Uint8Array(27))],
    ['a first message with a password of negative length', framed(new Uint8Array(44).fill(0xfe))],
  ])('gets nothing but the end of the connection: %s', async (_, bytes) => {
    expect(await answerTo(port, bytes)).toBe('')
    await expectNoHarm()
  })

  it('but connects and goes, leaves nothing behind', async () => {
    for (let i = 0; i < 3 * MAX_CLIENTS; i++) {
      const scanner = await RawClient.dial(port)
      await scanner.drop()
    }
    await expectNoHarm()
  })

  it('sends any bytes, does no harm', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.boolean(), async (bytes, isFramed) => {
        const socket = connect(port, '127.0.0.1')
        socket.on('error', () => undefined)
        socket.resume()
        socket.end(isFramed ? framed(bytes) : bytes)
        await new Promise((resolve) => socket.once('close', resolve))
      }),
      { numRuns: 50 },
    )
    await expectNoHarm()
  })
})

describe('a client with a session', () => {
  it.each([
    ['sends a second first message, which is a request of an unknown operation', framed(new Uint8Array(44))],
    ['sends a request without a header', framed(new Uint8Array(7))],
    ['sends a frame longer than the limit', Uint8Array.of(0, 0x10, 4, 1)],
    ['sends a frame of negative length', Uint8Array.of(0x80, 0, 0, 0)],
  ])('loses its connection and no more, if it %s', async (_, bytes) => {
    const client = await RawClient.open(port)
    client.socket.write(bytes)
    await client.closed
    await expectNoHarm()
    const { sessionId, passwd } = client.session
    const again = await RawClient.open(port, { sessionId, passwd })
    expect(again.session).toMatchObject({ sessionId })
    await again.drop()
  })

  it('may go in the middle of a frame', async () => {
    const client = await RawClient.open(port)
    client.socket.write(client.encode(OpCode.sync, { path: '/' }).subarray(0, 10))
    await client.drop()
    await expectNoHarm()
  })

  it('that announces a long frame costs no more than what it sends', async () => {
    const client = await RawClient.open(port)
    const before = process.memoryUsage().arrayBuffers
    const length = new Uint8Array(4)
    new DataView(length.buffer).setInt32(0, FRAME_BYTES_MAX)
    client.socket.write(length)
    await expectNoHarm()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(FRAME_BYTES_MAX / 2)
    await client.drop()
  })
})

describe('requests with one xid', () => {
  const create = { path: '/one-xid', data: null, acl: OPEN_ACL, flags: CreateFlag.ephemeral }
  const nobody = { type: 0, scheme: 'digest', auth: Uint8Array.of(0x61) }

  it.each<[string, (client: RawClient, xid: number) => Uint8Array[]]>([
    ['create and sasl', (client, xid) => [
      client.encodeAs(xid, OpCode.create, create),
      client.encodeAs(xid, OpCode.sasl, { token: null }),
    ]],
    ['create, whoAmI and addauth', (client, xid) => [
      client.encodeAs(xid, OpCode.create, create),
      client.encodeAs(xid, OpCode.whoAmI, null),
      client.encodeAs(xid, OpCode.auth, nobody),
    ]],
    ['sync, getData and addauth', (client, xid) => [
      client.encodeAs(xid, OpCode.sync, { path: '/' }),
      client.encodeAs(xid, OpCode.getData, { path: '/', watch: false }),
      client.encodeAs(xid, OpCode.auth, nobody),
    ]],
  ])('are answered each with what it asked for: %s', async (_, framesOf) => {
    for (const xid of [1, 0, -1, -2, -4, -8, 2 ** 31 - 1, -(2 ** 31)]) {
      const client = await RawClient.open(port)
      client.socket.write(Buffer.concat([...framesOf(client, xid), client.encodeAs(77, OpCode.closeSession, null)]))
      await client.closed
      await expectNoHarm()
    }
    expect(failures).toEqual([])
  })
})

describe('clients of one address', () => {
  it('are served up to the limit, and again when one has gone', async () => {
    const clients: RawClient[] = []
    while (clients.length < MAX_CLIENTS - 1) clients.push(await RawClient.open(port))
    const refused = await RawClient.dial(port)
    await refused.closed
    await expectNoHarm()
    await clients[0]?.ask(OpCode.closeSession, null)
    await clients[0]?.closed
    const next = await RawClient.open(port)
    expect(next.session.timeOut).toBeGreaterThan(0)
    for (const client of [...clients, next]) await client.drop()
  })
})
