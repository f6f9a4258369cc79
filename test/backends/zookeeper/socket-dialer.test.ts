/** How servers are found and given up, with servers that a test plays. */
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import type { ZooKeeperOptions } from '../../../src/backends/zookeeper/index.ts'
import { FrameReader } from '../../../src/backends/wire/framing.ts'
import { OpCode } from '../../../src/backends/wire/codes.ts'
import type { ClientMessage, Request } from '../../../src/backends/wire/records.ts'
import { ServerWire } from '../../../src/backends/wire/wire.ts'
import type { Session } from '../../../src/core/backend.ts'
import { freePort } from '../../engines/process.ts'

const endings: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

/** The part of a played server on a connection, message by message. */
type Play = (message: ClientMessage, reply: (err: number) => void, socket: Socket) => void

/** A server that opens sessions, and answers what it is asked with an error or with nothing in particular. */
async function played(play: Play, options: { readonly readOnly?: boolean } = {}): Promise<Server & { port: number }> {
  const server = createServer((socket) => {
    const [wire, reader] = [new ServerWire(), new FrameReader()]
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      if (chunk.toString() === 'isro') {
        socket.end(options.readOnly === true ? 'ro' : 'rw')
        return
      }
      reader.push(chunk, (frame) => {
        const message = wire.decode(frame)
        if (message.kind === 'connect') {
          const { timeOut } = message.request
          const passwd = new Uint8Array(16)
          const { readOnly = false } = options
          const response = { protocolVersion: 0, timeOut, sessionId: 7n, passwd, readOnly }
          socket.write(wire.encode({ kind: 'connect', response }))
        }
        const { xid, op } = message.kind === 'request' ? message.request : { xid: 0, op: OpCode.error }
        const reply = (err: number): void => {
          socket.write(wire.encode({ kind: 'reply', op, reply: { xid, zxid: 1n, err, body: null } }))
        }
        play(message, reply, socket)
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endings.push(() => new Promise((resolve) => server.close(resolve)))
  return Object.assign(server, { port: (server.address() as AddressInfo).port })
}

/** Refuses everything but what has to be answered: -6 tells that there is no time to live, 0 closes a session. */
const refusing: Play = (message, reply) => {
  if (message.kind === 'request') reply(message.request.op === OpCode.closeSession ? 0 : -6)
}

async function open(servers: string, options: ZooKeeperOptions = {}): Promise<Session> {
  const session = await zookeeper(servers, options).open({ onError: () => undefined })
  endings.push(() => session.close())
  return session
}

describe('a host', () => {
  it('is looked up at every attempt, and one that cannot be found harms no other', async () => {
    const server = await played(refusing)
    const lookup = vi.fn((host: string) => {
      return host === 'good.example' ? Promise.resolve(['127.0.0.1']) : Promise.reject(new Error(`unknown: ${host}`))
    })
    for (let round = 1; round <= 8; round += 1) {
      const session = await open(`bad.example:1,good.example:${server.port}`, { lookup })
      expect(session.state).toEqual({ status: 'connected' })
      expect(lookup.mock.calls.filter(([host]) => host === 'good.example')).toHaveLength(round)
    }
    // Shuffled: some sessions began with the bad one, and some did not.
    const bad = lookup.mock.calls.filter(([host]) => host === 'bad.example').length
    expect(bad).toBeLessThanOrEqual(8)
  })

  it('that moves is found where it is now', async () => {
    const server = await played(refusing)
    const addresses = [['127.0.0.1'], ['127.0.0.1', '127.0.0.1'], []]
    const lookup = vi.fn(() => Promise.resolve(addresses[lookup.mock.calls.length - 1] ?? ['127.0.0.1']))
    await open(`moving.example:${server.port}`, { lookup })
    await open(`moving.example:${server.port}`, { lookup })
    await expect(open(`moving.example:${server.port}`, { lookup })).rejects.toThrow('moving.example has no address')
  })

  it('on which nobody listens is skipped, and the reason is told when there is no other', async () => {
    const [server, nobody] = [await played(refusing), await freePort()]
    for (let round = 0; round < 4; round += 1) await open(`127.0.0.1:${nobody},127.0.0.1:${server.port}`)
    await expect(open(`127.0.0.1:${nobody}`)).rejects.toThrow(`ECONNREFUSED 127.0.0.1:${nobody}`)
  })

  it('that accepts and says nothing is given up after connectTimeoutMs', async () => {
    const silent = createServer((socket) => void endings.push(async () => socket.destroy()))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    endings.unshift(() => new Promise((resolve) => silent.close(resolve)))
    const { port } = silent.address() as AddressInfo
    await expect(open(`127.0.0.1:${port}`, { connectTimeoutMs: 50 })).rejects.toThrow('within 50 ms')
  })

  it('that speaks another protocol is given up', async () => {
    const web = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.resume()
      socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
    endings.push(() => new Promise((resolve) => web.close(resolve)))
    await expect(open(`127.0.0.1:${(web.address() as AddressInfo).port}`)).rejects.toThrow('does not speak ZooKeeper')
  })
})

describe('a session', () => {
  it('tells who it is before anything else, and is not open before the server took note', async () => {
    const asked: Request[] = []
    const server = await played((message, reply, socket) => {
      if (message.kind === 'request') asked.push(message.request)
      refusing(message, (err) => {
        reply(message.kind === 'request' && message.request.op === OpCode.auth ? 0 : err)
      }, socket)
    })
    const auth = [{ scheme: 'digest', auth: 'a:b' }, { scheme: 'digest', auth: Uint8Array.of(1) }]
    await open(`127.0.0.1:${server.port}`, { auth })
    const ops = asked.map(({ op }) => op).filter((op) => op !== OpCode.ping)
    // The third asks whether it is one of our own servers (decision 0014).
    expect(ops.slice(0, 4)).toEqual([OpCode.auth, OpCode.auth, OpCode.exists, OpCode.createTTL])
  })

  it('that is refused to be known does not open', async () => {
    const server = await played((message, reply) => {
      if (message.kind === 'request') reply(-115)
    })
    const opening = open(`127.0.0.1:${server.port}`, { auth: [{ scheme: 'x', auth: 'secret' }] })
    await expect(opening).rejects.toMatchObject({ code: 'NO_AUTH', outcome: 'not-sent' })
    await expect(opening).rejects.not.toThrow(/secret/)
  })

  it('does not send a multi that is longer than the servers take, however short its data', async () => {
    const server = await played(refusing)
    const session = await open(`127.0.0.1:${server.port}`, { dataBytesMax: 1_000 })
    const part = { type: 'delete', path: '/a', version: -1 } as const
    const long = Array.from({ length: 500 }, () => part)
    await expect(session.multi(long)).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE', outcome: 'not-sent' })
    await expect(session.multi([part])).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })

  it('asks for a server without a majority only if it is told to', async () => {
    const asked: boolean[] = []
    const server = await played((message, reply, socket) => {
      if (message.kind === 'connect') asked.push(message.request.readOnly)
      refusing(message, reply, socket)
    }, { readOnly: true })
    await open(`127.0.0.1:${server.port}`)
    const session = await open(`127.0.0.1:${server.port}`, { readOnly: true })
    expect(asked).toEqual([false, true])
    // Such a server can prove nothing.
    expect(session.leaseDeadlineMs).toBe(-Infinity)
  })

  it('goes to another server, and stays the same, when the one that it had hangs up', async () => {
    const sockets: Socket[] = []
    const ports: (number | undefined)[] = []
    const noting: Play = (message, reply, socket) => {
      if (message.kind === 'connect') {
        sockets.push(socket)
        ports.push(socket.localPort)
      }
      refusing(message, reply, socket)
    }
    const [one, two] = [await played(noting), await played(noting)]
    const session = await open(`127.0.0.1:${one.port},127.0.0.1:${two.port}`)
    const states: string[] = []
    session.onState(({ status }) => void states.push(status))
    sockets[0]?.destroy()
    await expect.poll(() => states, { timeout: 20_000 }).toEqual(['suspended', 'connected'])
    expect(new Set(ports)).toEqual(new Set([one.port, two.port]))
    expect(session.id).toBe(7n)
  })
})
