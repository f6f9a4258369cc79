/**
 * A hostile Redis against our client: each call is rejected with an error of ours in time, the process goes on with
 * little memory, others in it are not held up, and a good server is used again.
 */
import { createConnection, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { Redis } from 'ioredis'
import { Redis as Redis6 } from 'ioredis-6'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Session } from '../../src/core/backend.ts'
import { CoordinationError } from '../../src/core/errors.ts'
import { redis } from '../../src/backends/redis/index.ts'
import type { RedisConnection } from '../../src/backends/redis/driver.ts'
import { redisMissing, startRedis } from '../engines/redis.ts'
import { bytesInUse } from '../backends/embedded/host/loop-monitor.ts'

const SESSION_MS = 1_000
const CONNECT_MS = 400
const ENDED_MS_MAX = 15_000
const GROWTH_BYTES_MAX = 48 * 1024 * 1024
const STALL_MS_MAX = 2_000

let server: Server
let sockets: Set<Socket>
/** The answer to each chunk of requests. */
let answer: (socket: Socket, asked: string) => void
let reported: unknown[]
let longestMs: number
let looks: NodeJS.Timeout

beforeEach(async () => {
  sockets = new Set()
  reported = []
  server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk) => answer(socket, chunk.toString('latin1')))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  longestMs = 0
  let lastMs = performance.now()
  looks = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastMs)
    lastMs = performance.now()
  }, 10)
})
afterEach(async () => {
  clearInterval(looks)
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
  // Whoever else lives in the process has had its turns.
  expect(longestMs).toBeLessThan(STALL_MS_MAX)
})

async function errorOf(call: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), ENDED_MS_MAX)
  })
  const outcome = await Promise.race([call.then((value: unknown) => ({ value }), (error: unknown) => error), late])
  clearTimeout(timer)
  return outcome
}

const NULLS = 'answers with nothing'
const long = 'x'.repeat(64 * 1024)

const ANSWERS: readonly (readonly [string, (socket: Socket) => void])[] = [
  ['says nothing', () => undefined],
  ['hangs up', (socket) => socket.destroy()],
  ['speaks HTTP', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['answers with an unknown type', (socket) => socket.write('?what\r\n')],
  ['answers with a text in place of a list', (socket) => socket.write('+OK\r\n+OK\r\n+OK\r\n+OK\r\n')],
  [NULLS, (socket) => socket.write('$-1\r\n*-1\r\n$-1\r\n*-1\r\n')],
  ['answers with a list of numbers', (socket) => socket.write('*3\r\n:1\r\n:2\r\n:3\r\n'.repeat(4))],
  ['announces a text of 100 GB', (socket) => socket.write(`$99999999999\r\n${long}`)],
  ['announces a text of negative length', (socket) => socket.write('$-77\r\nabc\r\n')],
  ['announces a list of 2 GB', (socket) => socket.write('*2147483647\r\n')],
  ['announces a list of 100 GB', (socket) => socket.write('*99999999999\r\n')],
  ['announces a list of negative length', (socket) => socket.write('*-77\r\n')],
  ['answers with lists in lists', (socket) => socket.write('*1\r\n'.repeat(200_000))],
  ['answers what nobody asked', (socket) => socket.write('+OK\r\n'.repeat(5_000))],
  ['answers with an error that is none of Redis', (socket) => socket.write('-\r\n-\r\n-\r\n-\r\n')],
  ['drips', (socket) => {
    const drip = setInterval(() => (socket.destroyed ? clearInterval(drip) : void socket.write('*')), 50)
    socket.on('close', () => clearInterval(drip))
  }],
]

/** The two versions of ioredis that the package goes with; each parses by itself. */
const CLIENTS: readonly (readonly [string, new (port: number, host: string, options: object) => RedisConnection])[] = [
  ['ioredis 5', Redis],
  ['ioredis 6', Redis6],
]

describe.each(CLIENTS)('for %s, a Redis that', (_client, Client) => {
  function open(): Promise<Session> {
    const { port } = server.address() as AddressInfo
    const backend = redis((options) => new Client(port, '127.0.0.1', options), { connectTimeoutMs: CONNECT_MS })
    return backend.open({ sessionTimeoutMs: SESSION_MS, onError: (error) => void reported.push(error) })
  }

  // ioredis 6 throws for a null that nobody asked for where no listener of ours can be: docs/hostile-peers.md says so.
  const answers = Client === Redis6 ? ANSWERS.filter(([name]) => name !== NULLS) : ANSWERS

  it.each(answers)('%s opens no session, and ends nobody', async (_, play) => {
    const before = bytesInUse()
    answer = play
    const error = await errorOf(open())
    expect(error).toBeInstanceOf(CoordinationError)
    expect((error as CoordinationError).code).toMatch(/^(CONNECTION_LOSS|PROTOCOL_VIOLATION|TIMEOUT|SYSTEM_ERROR)$/)
    for (const one of reported) expect(one).toBeInstanceOf(CoordinationError)
    expect(bytesInUse() - before).toBeLessThan(GROWTH_BYTES_MAX)
  })
})

const reason = redisMissing === null ? '' : ` (skipped: ${redisMissing})`

describe.skipIf(redisMissing !== null)(`a good Redis${reason}`, () => {
  it('that goes mad loses its calls, and is used again once it is sane', async () => {
    const good = await startRedis()
    let isMad = false
    answer = (socket, asked) => {
      const upstream = createConnection(good.port, '127.0.0.1')
      upstream.on('error', () => undefined)
      upstream.on('data', (chunk) => socket.write(isMad ? '*99999999999\r\n' : chunk))
      upstream.write(Buffer.from(asked, 'latin1'))
      socket.removeAllListeners('data')
      socket.on('data', (chunk) => void upstream.write(chunk))
      socket.on('close', () => upstream.destroy())
    }
    const { port } = server.address() as AddressInfo
    const backend = redis(`redis://127.0.0.1:${port}`, { connectTimeoutMs: CONNECT_MS, tickMs: 60_000 })
    const session = await backend.open({ sessionTimeoutMs: 20_000, onError: (error) => void reported.push(error) })
    await session.create('/a', new Uint8Array(), { mode: 'persistent' })
    isMad = true
    const written = errorOf(session.set('/a', Uint8Array.of(1), 0))
    expect(await written).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' })
    isMad = false
    expect((await session.get('/a')).stat.version).toBe(1)
    for (const one of reported) expect(one).toBeInstanceOf(CoordinationError)
    await session.close()
    await good.close()
  })
})
