import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { embedded } from '../../../../../src/backends/embedded/index.ts'
import type { EmbeddedOptions, Ensemble } from '../../../../../src/backends/embedded/index.ts'
import { CreateFlag, Err, OpCode, Xid } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import { RawClient } from './raw-client.ts'

const ensembles: Ensemble[] = []
const clients: RawClient[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) await client.drop()
  for (const ensemble of ensembles.splice(0)) await ensemble.close()
})

async function started(servers: number, options: EmbeddedOptions = {}): Promise<Ensemble> {
  const clientPorts = Array.from({ length: servers }, () => 0)
  const ensemble = embedded({ servers, clientPorts, ...options })
  ensembles.push(ensemble)
  await ensemble.start()
  return ensemble
}

function portOf(ensemble: Ensemble, id = 1): number {
  return ensemble.clientPorts[id - 1] ?? 0
}

async function open(
  ensemble: Ensemble,
  id = 1,
  request: Parameters<typeof RawClient.open>[1] = {},
): Promise<Awaited<ReturnType<typeof RawClient.open>>> {
  const client = await RawClient.open(portOf(ensemble, id), request)
  clients.push(client)
  return client
}

function node(path: string, flags: number = CreateFlag.persistent): typeof body {
  const body = { path, data: Uint8Array.of(1), acl: OPEN_ACL, flags }
  return body
}

function served(ensemble: Ensemble, id: number): Promise<void> {
  return new Promise((resolve) => {
    const stop = ensemble.onEvent(({ server, event }) => {
      if (server !== id || event.type !== 'serving') return
      stop()
      resolve()
    })
  })
}

describe('what a client sent before it ended its connection', () => {
  it('is done, also what came before its session was set up, as in the reference', async () => {
    const ensemble = await started(3)
    const sender = await RawClient.dial(portOf(ensemble))
    clients.push(sender)
    const creates = [0, 1, 2].map((index) => sender.encode(OpCode.create, node(`/sent-${index}`)))
    sender.socket.end(Buffer.concat([sender.encodeConnect(), ...creates]))
    await sender.closed
    const reader = await open(ensemble)
    await reader.ask(OpCode.sync, { path: '/' })
    const { body } = await reader.ask(OpCode.getChildren, { path: '/', watch: false })
    expect(body).toEqual({ children: ['sent-0', 'sent-1', 'sent-2', 'zookeeper'] })
  })
})

describe('a client port', () => {
  it('is one that is free, if it is to be any, and its number is told', async () => {
    const ensemble = await started(3)
    expect(new Set(ensemble.clientPorts).size).toBe(3)
    for (const port of ensemble.clientPorts) expect(port).toBeGreaterThan(0)
    expect(ensemble.clientAddress(2)).toBe(`127.0.0.1:${portOf(ensemble, 2)}`)
    const without = embedded()
    expect(without.clientPorts).toEqual([])
    expect(without.clientAddress(1)).toBeNull()
  })

  it('that is taken makes start() reject with address and port, and a later start() can succeed', async () => {
    const squatter: Server = createServer()
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve))
    const { port } = squatter.address() as AddressInfo
    const ensemble = embedded({ servers: 3, clientPorts: [0, port, 0] })
    ensembles.push(ensemble)
    await expect(ensemble.start()).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: it is taken`)
    for (const { role } of ensemble.status()) expect(role).toBe('DOWN')
    await new Promise((resolve) => squatter.close(resolve))
    await ensemble.start()
    expect((await open(ensemble, 2)).session.timeOut).toBe(30_000)
  })

  it('opens a session with a 16-byte password, and answers in the order of the requests', async () => {
    const ensemble = await started(1)
    const client = await open(ensemble)
    expect(client.session.passwd).toHaveLength(16)
    expect(client.session.sessionId).not.toBe(0n)
    const xids = [
      client.send(OpCode.create, node('/a')),
      client.send(OpCode.getData, { path: '/a', watch: true }),
      client.send(OpCode.setData, { path: '/a', data: Uint8Array.of(2), version: 0 }),
      client.send(OpCode.getData, { path: '/a', watch: false }),
      client.send(OpCode.delete, { path: '/b', version: -1 }),
    ]
    const messages = await Promise.all(Array.from({ length: 6 }, () => client.take()))
    expect(messages).toMatchObject([
      { kind: 'reply', reply: { xid: xids[0], err: 0, body: { path: '/a' } } },
      { kind: 'reply', reply: { xid: xids[1], err: 0, body: { data: Uint8Array.of(1) } } },
      { kind: 'event', event: { type: 3, state: 3, path: '/a' } },
      { kind: 'reply', reply: { xid: xids[2], err: 0, body: { stat: { version: 1 } } } },
      { kind: 'reply', reply: { xid: xids[3], err: 0, body: { data: Uint8Array.of(2) } } },
      { kind: 'reply', reply: { xid: xids[4], err: Err.noNode, body: null } },
    ])
  })

  it('takes requests that come in bytes, or all together, behind the first message', async () => {
    const ensemble = await started(1)
    const client = await RawClient.dial(portOf(ensemble))
    clients.push(client)
    const bytes = Buffer.concat([
      client.encodeConnect(),
      client.encode(OpCode.create, node('/a')),
      client.encode(OpCode.exists, { path: '/a', watch: false }),
    ])
    client.socket.write(bytes)
    expect((await client.greeting()).timeOut).toBe(30_000)
    expect(await client.reply()).toMatchObject({ body: { path: '/a' } })
    expect(await client.reply()).toMatchObject({ body: { stat: { version: 0 } } })

    const slow = await RawClient.dial(portOf(ensemble))
    clients.push(slow)
    const drops = Buffer.concat([slow.encodeConnect(), slow.encode(OpCode.getData, { path: '/a', watch: false })])
    for (const byte of drops) {
      slow.socket.write(Uint8Array.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect((await slow.greeting()).timeOut).toBe(30_000)
    expect(await slow.reply()).toMatchObject({ body: { data: Uint8Array.of(1) } })
  })

  it('carries a value of a megabyte', async () => {
    const ensemble = await started(1)
    const client = await open(ensemble)
    const data = new Uint8Array(1_000_000).fill(7)
    await client.ask(OpCode.create2, { ...node('/large'), data })
    const { body } = await client.ask(OpCode.getData, { path: '/large', watch: false })
    expect(Buffer.compare((body as { data: Uint8Array }).data, data)).toBe(0)
  })

  it('answers the end of a session, and closes the connection behind it', async () => {
    const ensemble = await started(1)
    const client = await open(ensemble)
    await client.ask(OpCode.create, node('/e', CreateFlag.ephemeral))
    expect(await client.ask(OpCode.closeSession, null)).toMatchObject({ err: 0 })
    await client.closed
    expect(await (await open(ensemble)).ask(OpCode.exists, { path: '/e', watch: false })).toMatchObject({
      err: Err.noNode,
    })
  })

  it('answers pings with the number of pings', async () => {
    const client = await open(await started(1))
    expect(await client.ask(OpCode.ping, null)).toMatchObject({ xid: Xid.ping, err: 0 })
  })
})

describe('a session over TCP', () => {
  it('is resumed on a new connection, and on another server, with its password', async () => {
    const ensemble = await started(3)
    const first = await open(ensemble, 1)
    await first.ask(OpCode.create, node('/e', CreateFlag.ephemeral))
    const { sessionId, passwd } = first.session
    await first.drop()
    for (const id of [1, 2, 3]) {
      const again = await open(ensemble, id, { sessionId, passwd })
      expect(again.session).toMatchObject({ sessionId, timeOut: 30_000 })
      await again.ask(OpCode.sync, { path: '/' })
      const { body } = await again.ask(OpCode.exists, { path: '/e', watch: false })
      expect(body).toMatchObject({ stat: { ephemeralOwner: sessionId } })
    }
  })

  it('is not resumed with another password: the answer is a time-out of 0, and the end', async () => {
    const ensemble = await started(1)
    const first = await open(ensemble)
    const stranger = await open(ensemble, 1, { sessionId: first.session.sessionId, passwd: new Uint8Array(16) })
    expect(stranger.session).toMatchObject({ timeOut: 0, sessionId: 0n })
    await stranger.closed
    expect(await first.ask(OpCode.sync, { path: '/' })).toMatchObject({ err: 0 })
  })

  it('is turned away by a server that has not seen what its client has', async () => {
    const ensemble = await started(1)
    const client = await RawClient.dial(portOf(ensemble))
    client.connect({ lastZxidSeen: 1n << 60n })
    await client.closed
    expect(client.messages).toEqual([])
  })

  it('outlives the crash of its server, which serves on the same port when it is back', async () => {
    const ensemble = await started(3)
    const first = await open(ensemble, 1)
    await first.ask(OpCode.create, node('/e', CreateFlag.ephemeral))
    const { sessionId, passwd } = first.session
    const port = portOf(ensemble, 1)
    ensemble.crash(1)
    await first.closed
    await expect(RawClient.dial(port)).rejects.toThrow('ECONNREFUSED')

    const second = await open(ensemble, 2, { sessionId, passwd })
    expect(second.session).toMatchObject({ sessionId })
    const serves = served(ensemble, 1)
    ensemble.restart(1)
    await serves
    expect(portOf(ensemble, 1)).toBe(port)
    const third = await open(ensemble, 1, { sessionId, passwd })
    await third.ask(OpCode.sync, { path: '/' })
    expect(await third.ask(OpCode.exists, { path: '/e', watch: false })).toMatchObject({ err: 0 })
  })

  it('can be isolated: its client reaches no server until it rejoins', async () => {
    const ensemble = await started(1)
    const client = await open(ensemble)
    const { sessionId, passwd } = client.session
    ensemble.isolateSession(sessionId)
    await client.closed
    const cut = await RawClient.dial(portOf(ensemble))
    cut.connect({ sessionId, passwd })
    await cut.closed
    expect(cut.messages).toEqual([])
    ensemble.rejoinSession(sessionId)
    expect((await open(ensemble, 1, { sessionId, passwd })).session).toMatchObject({ sessionId })
  })

  it('is told nothing by servers without a majority: they close', async () => {
    const ensemble = await started(3)
    const client = await open(ensemble, 1)
    ensemble.crash(2)
    ensemble.crash(3)
    await client.closed
    const late = await RawClient.dial(portOf(ensemble, 1))
    late.connect()
    await late.closed
    expect(late.messages).toEqual([])
  })
})

describe('sessions of one address', () => {
  it('are as many as the limit: who asks for another one is closed, and the others notice nothing', async () => {
    const ensemble = await started(1, { limits: { sessionsPerAddress: 2 }, sessionTimeoutMs: 30_000 })
    const first = await open(ensemble)
    const left = await open(ensemble)
    await left.drop()
    // Its session stays, and counts.
    const third = await RawClient.dial(portOf(ensemble))
    third.connect()
    await third.closed
    // Who comes back with a session that there is needs no other.
    const { sessionId, passwd } = left.session
    const back = await open(ensemble, 1, { sessionId, passwd: passwd ?? new Uint8Array() })
    expect([back.session.sessionId, first.isClosed]).toEqual([sessionId, false])
    expect((await back.ask(OpCode.closeSession, null)).err).toBe(Err.ok)
    expect((await open(ensemble)).session.sessionId).not.toBe(0n)
    expect((await first.ask(OpCode.exists, { path: '/', watch: false })).err).toBe(Err.ok)
  })
})
