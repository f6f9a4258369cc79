/** The outcome of a request when a member, or a server in its place, does not answer as it should. */
import { constants, createServer } from 'node:http2'
import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo, Server as TcpServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { framed } from '../../../src/backends/etcd/grpc.ts'
import { Channel, RpcError } from '../../../src/backends/etcd/io/channel.ts'
import { Methods } from '../../../src/backends/etcd/messages.ts'
import { settingsOf } from '../../../src/backends/etcd/options.ts'

const WAIT_MS = 5_000
const SHORT_MS = 100
const TURNS = 40
const OK = { 'grpc-status': '0' }
const ANSWER = Methods.leaseRevoke.response.encode({})

type Respond = (stream: ServerHttp2Stream) => void

/** An answer with a status; without a message, the status is all there is. */
function answer(trailers: Record<string, string>, message: Uint8Array | null): Respond {
  return (stream) => {
    const head = { ':status': 200, 'content-type': 'application/grpc' }
    if (message === null) {
      stream.respond({ ...head, ...trailers }, { endStream: true })
      return
    }
    stream.respond(head, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers(trailers))
    stream.end(framed(message))
  }
}

describe('a request to etcd', () => {
  let server: Http2Server
  let url = ''
  let respond: Respond
  const sessions: ServerHttp2Session[] = []
  const served: number[] = []

  beforeEach(async () => {
    sessions.length = served.length = 0
    server = createServer()
    server.on('session', (session) => void sessions.push(session))
    server.on('stream', (stream) => {
      stream.on('error', () => undefined)
      served.push(sessions.findIndex((session) => session === stream.session))
      // The request is taken whole before it is answered, as by etcd.
      stream.resume().once('end', () => respond(stream))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(async () => {
    for (const session of sessions) session.destroy()
    await new Promise((resolve) => server.close(resolve))
  })

  const channelTo = (endpoint = url): Channel => new Channel(settingsOf({ endpoints: endpoint }))
  const ask = (channel: Channel, waitMs = WAIT_MS): Promise<unknown> => {
    return channel.call(0, Methods.leaseRevoke, { id: 7n }, waitMs)
  }
  const failing = async (channel: Channel, waitMs = WAIT_MS): Promise<RpcError> => {
    const error = await ask(channel, waitMs).then(() => null, (reason: unknown) => reason)
    if (error instanceof RpcError) return error
    throw new Error(`not an RpcError: ${String(error)}`)
  }

  it('is answered, and the next one shares its connection', async () => {
    respond = answer(OK, ANSWER)
    const channel = channelTo()
    expect(await ask(channel)).toEqual({})
    await Promise.all([ask(channel), ask(channel)])
    expect(served).toEqual([0, 0, 0])
  })

  it('that etcd refuses was not done, and says what etcd says', async () => {
    respond = answer({ 'grpc-status': '5', 'grpc-message': 'etcdserver: requested lease not found%21' }, null)
    const refused = { failure: 'refused', status: 5, message: 'etcdserver: requested lease not found!' }
    expect(await failing(channelTo())).toMatchObject(refused)
  })

  it('whose status says that nobody knows is lost', async () => {
    respond = answer({ 'grpc-status': '14', 'grpc-message': 'etcdserver: leader changed' }, null)
    expect(await failing(channelTo())).toMatchObject({ failure: 'lost', status: 14 })
  })

  it('is lost when what is answered is no answer of etcd', async () => {
    const wrong: [Respond, RegExp][] = [
      [(stream) => stream.respond({ ':status': 503 }, { endStream: true }), /HTTP 503/],
      [answer(OK, null), /empty answer/],
      [answer(OK, Buffer.from([0x33])), /malformed/],
      [(stream) => stream.respond({ ':status': 200 }, { endStream: true }), /has ended/],
      [(stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR), /INTERNAL_ERROR/],
      [(stream) => stream.session?.destroy(), /127\.0\.0\.1/],
    ]
    for (const [response, message] of wrong) {
      respond = response
      const error = await failing(channelTo())
      expect(error).toMatchObject({ failure: 'lost', status: 0 })
      expect(error.message).toMatch(message)
    }
  })

  it('that finds nobody, or is refused as a stream, was not sent', async () => {
    respond = (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM)
    expect((await failing(channelTo())).failure).toBe('unsent')
    const nobody = await failing(channelTo('http://127.0.0.1:1'))
    expect(nobody).toMatchObject({ failure: 'unsent', message: expect.stringContaining('ECONNREFUSED') as string })
  })

  it('to what is no etcd says what to look at', async () => {
    const says = (text: string): TcpServer => {
      return createTcpServer((socket) => socket.on('error', () => undefined).resume().end(text))
    }
    const [closing, talking] = [says(''), says('HTTP/1.1 400 Bad Request\r\n\r\n')]
    for (const [other, scheme, hint] of [
      [closing, 'http', 'https:'],
      [talking, 'http', 'does etcd listen there?'],
      [talking, 'https', 'http:'],
    ] as const) {
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
      const { message } = await failing(channelTo(`${scheme}://127.0.0.1:${(other.address() as AddressInfo).port}`))
      await new Promise((resolve) => other.close(resolve))
      expect(message).toContain(hint)
    }
  })

  it('that is not answered in time is lost, and the next one goes on another connection', async () => {
    respond = () => undefined
    const channel = channelTo()
    const unanswered = await failing(channel, SHORT_MS)
    expect(unanswered.failure).toBe('lost')
    expect(unanswered.message).toContain('100 ms')
    respond = answer(OK, ANSWER)
    await ask(channel)
    expect(served).toEqual([0, 1])
  })

  it('that is given up late leaves the connection alone that has taken the place of its own', async () => {
    respond = () => undefined
    const channel = channelTo()
    const late = failing(channel, 4 * SHORT_MS)
    await failing(channel, SHORT_MS)
    respond = answer(OK, ANSWER)
    await ask(channel)
    await late
    await ask(channel)
    expect(served).toEqual([0, 0, 1, 1])
  })

  it('goes on another connection behind a GOAWAY, and one that is under way is still answered', async () => {
    let held: ServerHttp2Stream | undefined
    respond = (stream) => {
      held = stream
      stream.session?.goaway()
    }
    const channel = channelTo()
    const first = ask(channel)
    await expect.poll(() => held, { timeout: WAIT_MS }).toBeDefined()
    respond = answer(OK, ANSWER)
    await expect.poll(async () => (await ask(channel), served.at(-1)), { timeout: WAIT_MS }).toBe(1)
    if (held !== undefined) answer(OK, ANSWER)(held)
    expect(await first).toEqual({})
  })

  it('may be given up at any moment while its connection is made', async () => {
    respond = () => undefined
    const nothing = { onMessage: () => undefined, onEnd: () => undefined }
    for (const wait of [process.nextTick, setImmediate]) {
      for (let turns = 0; turns < TURNS; turns++) {
        const close = channelTo().stream(0, Methods.watch, { create: { key: 'a', rangeEnd: 'b' } }, nothing)
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => wait(resolve, undefined))
        close()
      }
    }
    respond = answer(OK, ANSWER)
    expect(await ask(channelTo())).toEqual({})
  })

  it('for a stream tells each message, and its end once', async () => {
    const event = { created: true, header: { revision: 3n } }
    respond = () => undefined
    server.removeAllListeners('stream').on('stream', (stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '7', 'grpc-message': 'no' }))
      stream.write(framed(Methods.watch.response.encode(event)))
      stream.end(framed(Methods.watch.response.encode({})))
    })
    const told: unknown[] = []
    await new Promise<void>((resolve) => {
      channelTo().stream(0, Methods.watch, { create: { key: 'a', rangeEnd: 'b' } }, {
        onMessage: (message) => void told.push(message),
        onEnd: (error) => {
          told.push([error.failure, error.message])
          resolve()
        },
      })
    })
    expect(told).toEqual([event, {}, ['refused', 'no']])
  })
})
