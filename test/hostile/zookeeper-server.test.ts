/**
 * A hostile server against the client of ZooKeeper's protocol: each call is rejected with an error of ours in time, the
 * process goes on with little memory, others in it are not held up, and a good server is used again.
 */
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { OpCode } from '../../src/backends/wire/codes.ts'
import { embedded } from '../../src/backends/embedded/index.ts'
import type { Session } from '../../src/core/backend.ts'
import { CoordinationError } from '../../src/core/errors.ts'
import { zookeeper } from '../../src/backends/zookeeper/index.ts'
import { bytesInUse } from '../backends/embedded/host/loop-monitor.ts'
import { authority } from '../support/certificates.ts'
import { HostileServer, attached, frame, greeting, jute } from './hostile-zookeeper.ts'
import type { Play } from './hostile-zookeeper.ts'

const SESSION_MS = 2_000
const CONNECT_MS = 500
/** A call ends in time: the time-out of the session, on a machine that is busy. */
const ENDED_MS_MAX = 15_000
/** A round trip of another client in the process, likewise. */
const NEIGHBOUR_MS_MAX = 3_000
const GROWTH_BYTES_MAX = 48 * 1024 * 1024
const MANY = 20_000
const EMPTY = new Uint8Array()
const STAT = jute(1n, 2n, 3n, 4n, 5, 6, 7, 0n, 9, 0, 10n)

const good = embedded({ servers: 1, clientPorts: [0] })
let hostile: HostileServer
let neighbour: Session
let neighbourMs = 0
let isOver = false
let reported: unknown[] = []

/** Another client of the process goes on, one call after the other. */
async function goOn(): Promise<void> {
  while (!isOver) {
    const startMs = performance.now()
    await neighbour.sync('/')
    neighbourMs = Math.max(neighbourMs, performance.now() - startMs)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

beforeAll(async () => {
  await good.start()
  neighbour = await zookeeper(`127.0.0.1:${good.clientPorts[0] ?? 0}`).open({ onError: () => undefined })
})
afterAll(async () => {
  await neighbour.close()
  await good.close()
})
let going: Promise<void>
beforeEach(async () => {
  hostile = await HostileServer.start()
  reported = []
  neighbourMs = 0
  isOver = false
  going = goOn()
})
afterEach(async () => {
  isOver = true
  await going
  await hostile.close()
  expect(neighbourMs).toBeLessThan(NEIGHBOUR_MS_MAX)
})

function open(): Promise<Session> {
  const options = { sessionTimeoutMs: SESSION_MS, connectTimeoutMs: CONNECT_MS }
  return zookeeper(`127.0.0.1:${hostile.port}`, options).open({ onError: (error) => void reported.push(error) })
}

/** The error of a call, which ends in time. */
async function errorOf(call: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), ENDED_MS_MAX)
  })
  const ended = call.then((value: unknown) => ({ value }), (error: unknown) => error)
  const outcome = await Promise.race([ended, late])
  clearTimeout(timer)
  return outcome
}

/** The hostile server becomes a good one: who comes again is served. */
async function isServedOnceTamed(): Promise<void> {
  hostile.tamedTo = good.clientPorts[0] ?? 0
  hostile.hangUp()
  const session = await open()
  await session.create('/tamed', EMPTY, { mode: 'ephemeral' })
  expect((await session.get('/tamed')).data).toEqual(EMPTY)
  await session.close()
}

const huge = Buffer.alloc(64 * 1024, 0x41)

/** Answers to the first message with which no session opens. */
const GREETINGS: readonly (readonly [string, (play: Parameters<Play>[0]) => void])[] = [
  ['says nothing', () => undefined],
  ['hangs up', ({ socket }) => socket.destroy()],
  ['sends a frame of negative length', ({ socket }) => socket.write(frame(EMPTY, -1))],
  ['sends a frame of 2 GiB', ({ socket }) => socket.write(frame(huge, 0x7fff_ffff))],
  ['sends an empty frame', ({ socket }) => socket.write(frame(EMPTY))],
  ['sends half of an answer', ({ socket }) => socket.write(greeting().subarray(0, 20))],
  ['sends an answer that is too short', ({ socket }) => socket.write(frame(greeting().subarray(4, 20)))],
  ['gives a password of 2 GiB', ({ socket }) => socket.write(frame(jute(0, 4_000, 7n, 0x7fff_ffff)))],
  ['gives a password of negative length', ({ socket }) => socket.write(frame(jute(0, 4_000, 7n, -2)))],
  ['gives a password of a megabyte', ({ greet }) => greet({ passwd: new Uint8Array(1_000_000) })],
  ['gives no time-out', ({ greet }) => greet({ timeOut: 0, sessionId: 0n })],
  ['gives a time-out before now', ({ greet }) => greet({ timeOut: -1 })],
  ['gives a time-out of 24 days', ({ greet }) => greet({ timeOut: 0x7fff_ffff })],
]

describe('a server that', () => {
  it.each(GREETINGS)('%s opens no session', async (_, play) => {
    const before = bytesInUse()
    hostile.play = (victim, message) => {
      if (message.kind === 'connect') play(victim)
    }
    expect(await errorOf(open())).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'not-sent' })
    expect(bytesInUse() - before).toBeLessThan(GROWTH_BYTES_MAX)
    await isServedOnceTamed()
  })

  it('drips an answer, one byte now and then, opens no session', async () => {
    hostile.play = ({ socket }, message) => {
      if (message.kind !== 'connect') return
      let at = 0
      const drip = setInterval(() => {
        const byte = greeting().subarray(at, at + 1)
        at += 1
        if (socket.destroyed || byte.length === 0) clearInterval(drip)
        else socket.write(byte)
      }, CONNECT_MS / 5)
    }
    expect(await errorOf(open())).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'not-sent' })
    await isServedOnceTamed()
  })

  it('gives a time-out of a millisecond costs a session, and no storm of connections', async () => {
    hostile.play = ({ greet }, message) => {
      if (message.kind === 'connect') greet({ timeOut: 1 })
    }
    for (let round = 0; round < 3; round++) {
      const session = await errorOf(open())
      if (session instanceof CoordinationError) continue
      const { value } = session as { readonly value: Session }
      expect(await errorOf(value.get('/a'))).toBeInstanceOf(CoordinationError)
      await value.close()
    }
    expect(hostile.dials).toBeLessThan(30)
    await isServedOnceTamed()
  })
})

/** Answers to a read of /a, after which the connection is left. */
const ANSWERS: readonly (readonly [string, Play])[] = [
  ['says nothing more', (victim, message) => {
    const isPing = message.kind === 'request' && message.request.op === OpCode.ping
    if (!isPing) attached(() => undefined)(victim, message)
  }],
  ['hangs up', attached(({ socket }) => socket.destroy())],
  ['answers another request', attached(({ reply }, { xid }) => reply(xid + 1, 1n, 0, jute(0)))],
  ['answers a request of its own', attached(({ reply }) => reply(-77, 1n, 0))],
  ['answers what nobody sent again and again', attached(({ reply }) => {
    for (let i = 0; i < MANY; i++) reply(i + 1_000, 1n, 0)
  })],
  ['cuts its answer', attached(({ reply }, { xid }) => reply(xid, 1n, 0, jute(0x7fff_ffff)))],
  ['sends a frame of negative length', attached(({ socket }) => socket.write(frame(EMPTY, -5)))],
  ['sends a frame that never ends', attached(({ socket }) => {
    socket.write(frame(EMPTY, 0x7fff_ffff))
    for (let i = 0; i < 64; i++) socket.write(huge)
  })],
  ['opens the session a second time', attached(({ greet }) => greet({ sessionId: 9n }))],
]

describe('a server with a session that', () => {
  it.each(ANSWERS)('%s loses the call in time', async (_, play) => {
    const before = bytesInUse()
    hostile.play = play
    const session = await open()
    const error = await errorOf(session.get('/a'))
    expect(error).toBeInstanceOf(CoordinationError)
    expect((error as CoordinationError).code).toMatch(/^(CONNECTION_LOSS|SESSION_EXPIRED|PROTOCOL_VIOLATION)$/)
    for (const one of reported) expect(one).toBeInstanceOf(CoordinationError)
    expect(bytesInUse() - before).toBeLessThan(GROWTH_BYTES_MAX)
    await isServedOnceTamed()
    await session.close()
  })

  it('answers twice is left, and what it said first counts', async () => {
    hostile.play = attached(({ reply }, { xid }) => {
      for (let i = 0; i < MANY; i++) reply(xid, 1n, 0, Buffer.concat([jute(0), STAT]))
    })
    const session = await open()
    expect(await errorOf(session.get('/a'))).toMatchObject({ value: { data: EMPTY } })
    await isServedOnceTamed()
    await session.close()
  })

  it('tells of events that nobody asked for costs nothing', async () => {
    const before = bytesInUse()
    hostile.play = attached(({ reply }, { xid }) => {
      for (let i = 0; i < MANY; i++) reply(-1, 1n, 0, jute(i % 7, 3, `/${i}`))
      reply(xid, 1n, 0, Buffer.concat([jute(0), STAT]))
    })
    const session = await open()
    expect(await errorOf(session.get('/a'))).toMatchObject({ value: { data: EMPTY } })
    expect(bytesInUse() - before).toBeLessThan(GROWTH_BYTES_MAX)
    await session.close()
    await isServedOnceTamed()
  })

  it.each([[2n ** 63n - 1n], [-(2n ** 63n)]])('tells of zxid %i costs its session alone', async (zxid) => {
    hostile.play = attached(({ reply }, { xid }) => reply(xid, zxid, 0, Buffer.concat([jute(0), STAT])))
    const session = await open()
    expect(await errorOf(session.get('/a'))).toMatchObject({ value: { data: EMPTY } })
    await isServedOnceTamed()
    await errorOf(session.sync('/'))
    await session.close()
  })

  it.each([[-9_999], [7], [-(2 ** 31)]])('refuses with error %i is told as an error that we name', async (err) => {
    hostile.play = attached(({ reply }, { xid }) => reply(xid, 1n, err))
    const session = await open()
    expect(await errorOf(session.get('/a'))).toMatchObject({ code: 'SYSTEM_ERROR', outcome: 'rejected' })
    await session.close()
    await isServedOnceTamed()
  })

  it.each(['', '.', '..', 'a/b', '../x'])('lists a child named %j is not believed', async (name) => {
    hostile.play = attached(({ reply }, { xid }) => reply(xid, 1n, 0, Buffer.concat([jute(2, 'fine', name), STAT])))
    const session = await open()
    expect(await errorOf(session.children('/a'))).toMatchObject({ code: 'PROTOCOL_VIOLATION', outcome: 'corrupt' })
    await session.close()
    await isServedOnceTamed()
  })

  it('answers a transaction with other results is not believed', async () => {
    const end = Buffer.from('ffffffff01ffffffff', 'hex')
    const deleted = Buffer.from('000000020000000000', 'hex')
    for (const results of [[], [deleted, deleted, deleted], [deleted]]) {
      hostile.play = attached(({ reply }, { xid }) => reply(xid, 1n, 0, Buffer.concat([...results, end])))
      const session = await open()
      const asked = session.multi([
        { type: 'delete', path: '/a', version: -1 },
        { type: 'check', path: '/b', version: 1 },
      ])
      expect(await errorOf(asked)).toMatchObject({ code: 'PROTOCOL_VIOLATION', outcome: 'corrupt' })
      await session.close()
    }
    await isServedOnceTamed()
  })
})

describe('a server that speaks TLS, or should, and', () => {
  const ours = authority('ours')

  async function listening(server: Server): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }

  it('never ends the handshake opens no session', async () => {
    const sockets: Socket[] = []
    const silent = createServer((socket) => void sockets.push(socket.on('error', () => undefined)))
    const port = await listening(silent)
    const client = zookeeper(`127.0.0.1:${port}`, { tls: { ca: ours.certificate }, connectTimeoutMs: CONNECT_MS })
    expect(await errorOf(client.open({ onError: () => undefined }))).toMatchObject({ code: 'CONNECTION_LOSS' })
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => silent.close(resolve))
  })

  it.each([
    ['has the certificate of another host', ours.issue({ hosts: ['other.example'] })],
    ['has one of another authority', authority('theirs').issue({ hosts: ['127.0.0.1'] })],
    ['has one whose time is over', ours.issue({ hosts: ['127.0.0.1'], isExpired: true })],
  ])('%s is not told who we are', async (_, { key, certificate: cert }) => {
    let heardBytes = 0
    const other = createTlsServer({ key, cert }, (socket) => {
      socket.on('error', () => undefined).on('data', (chunk: Buffer) => (heardBytes += chunk.length))
    })
    other.on('tlsClientError', () => undefined)
    const client = zookeeper(`127.0.0.1:${await listening(other)}`, {
      tls: { ca: ours.certificate },
      auth: [{ scheme: 'digest', auth: 'me:secret' }],
      connectTimeoutMs: CONNECT_MS,
    })
    const error = await errorOf(client.open({ onError: () => undefined }))
    expect(error).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'not-sent' })
    expect([heardBytes, (error as Error).message.includes('secret')]).toEqual([0, false])
    await new Promise((resolve) => other.close(resolve))
  })
})

it('a server that redirects to very many others is not followed', async () => {
  hostile.play = attached(({ reply }, { xid, op }) => {
    if (op !== OpCode.getData) return
    const lines = Array.from({ length: 5_000 }, (_, id) => `server.${id}=127.0.0.1:1:2:participant;127.0.0.1:3`)
    const text = [...lines, 'version=100000001'].join('\n')
    reply(xid, 1n, 0, Buffer.concat([jute(text), STAT]))
  })
  const client = zookeeper(`127.0.0.1:${hostile.port}`, { sessionTimeoutMs: SESSION_MS, ensembleTracker: true })
  const session = await client.open({ onError: () => undefined })
  expect(await errorOf(session.get('/a'))).toMatchObject({ value: {} })
  hostile.tamedTo = good.clientPorts[0] ?? 0
  hostile.hangUp()
  const another = await client.open({ onError: () => undefined })
  expect(await another.exists('/')).not.toBeNull()
  await Promise.all([session.close(), another.close()])
})
