/** The forms between a client and a server. */
import fc from 'fast-check'
import { FRAME_BYTES_MAX, FrameReader } from '../../src/backends/wire/framing.ts'
import { OpCode } from '../../src/backends/wire/codes.ts'
import type { ClientMessage, Request, ServerMessage } from '../../src/backends/wire/records.ts'
import { ClientWire, ServerWire } from '../../src/backends/wire/wire.ts'
import {
  OPERATIONS,
  connectRequest,
  connectResponse,
  event,
  replyTo,
  requestOf,
} from '../../test/backends/wire/messages.ts'
import { promise } from '../target.ts'
import type { Form } from './form.ts'

const LENGTH_BYTES = 4
const SAMPLES = { seed: 1, numRuns: 2 } as const
const HELLO: ClientMessage = {
  kind: 'connect',
  request: { protocolVersion: 0, lastZxidSeen: 0n, timeOut: 4_000, sessionId: 0n, passwd: null, readOnly: false },
}
const WELCOME: ServerMessage = {
  kind: 'connect',
  response: { protocolVersion: 0, timeOut: 4_000, sessionId: 7n, passwd: new Uint8Array(16), readOnly: false },
}

const payload = (frame: Uint8Array): Uint8Array => frame.subarray(LENGTH_BYTES)

/** Both sides of a connection, after the handshake. */
function connected(): { readonly client: ClientWire; readonly server: ServerWire } {
  const client = new ClientWire()
  const server = new ServerWire()
  server.decode(payload(client.encode(HELLO)))
  client.decode(payload(server.encode(WELCOME)))
  return { client, server }
}

const REQUESTS = OPERATIONS.map((op) => fc.sample(requestOf(op), SAMPLES) as readonly Request[])

/** A pair of a request and replies to it, one per operation. */
interface Exchange {
  readonly request: Request
  readonly replies: readonly ServerMessage[]
}

const EXCHANGES: readonly Exchange[] = REQUESTS.flatMap(([request]) => {
  return request === undefined ? [] : [{ request, replies: fc.sample(replyTo(request), SAMPLES) }]
})

const firstOfClient: Form = {
  name: 'the first message of a client',
  seeds: () => fc.sample(connectRequest, SAMPLES)
    .map((request) => payload(new ClientWire().encode({ kind: 'connect', request }))),
  read: (bytes) => new ServerWire().decode(bytes),
  write: (value) => payload(new ClientWire().encode(value as ClientMessage)),
}

const firstOfServer: Form = {
  name: 'the first message of a server',
  seeds: () => fc.sample(connectResponse, SAMPLES).map((message) => payload(connected().server.encode(message))),
  read: (bytes) => new ClientWire().decode(bytes),
  write: (value) => payload(connected().server.encode(value as ServerMessage)),
}

const request: Form = {
  name: 'a request',
  seeds: () => REQUESTS.flat().map((one) => payload(connected().client.encode({ kind: 'request', request: one }))),
  read: (bytes) => connected().server.decode(bytes),
  write: (value) => {
    const message = value as ClientMessage
    return message.kind === 'request' ? payload(connected().client.encode(message)) : null
  },
}

/** The number of the operation's place in the list, then the reply. */
const reply: Form = {
  name: 'a reply',
  seeds: () => EXCHANGES.flatMap(({ request: asked, replies }, place) => {
    return replies.map((message) => Uint8Array.of(place, ...payload(answeredBy(asked, message))))
  }),
  read: ([place = 0, ...bytes]) => {
    const exchange = EXCHANGES[place]
    if (exchange === undefined) return undefined
    const { client } = connected()
    client.encode({ kind: 'request', request: exchange.request })
    return { place, message: client.decode(Uint8Array.from(bytes)) }
  },
  write: (value) => {
    const { place, message } = value as { readonly place: number; readonly message: ServerMessage }
    const exchange = EXCHANGES[place]
    // An error has no body, whatever stood there, and an answer to a ping has none either.
    if (exchange === undefined || message.kind !== 'reply' || message.op === OpCode.ping) return null
    return Uint8Array.of(place, ...payload(answeredBy(exchange.request, message)))
  },
}

function answeredBy(asked: Request, message: ServerMessage): Uint8Array {
  const { client, server } = connected()
  server.decode(payload(client.encode({ kind: 'request', request: asked })))
  return server.encode(message)
}

const aWatchEvent: Form = {
  name: 'a watch event',
  seeds: () => fc.sample(event, SAMPLES).map((message) => payload(connected().server.encode(message))),
  read: (bytes) => connected().client.decode(bytes),
  write: (value) => {
    const message = value as ServerMessage
    return message.kind === 'event' ? payload(connected().server.encode(message)) : null
  },
}

/** How long the pieces are, then a stream of frames. */
const frames: Form = {
  name: 'a stream of frames',
  seeds: () => [1, 3, 7, 64].map((cut) => {
    const some = REQUESTS.flat().slice(0, 8).map((one) => connected().client.encode({ kind: 'request', request: one }))
    return Uint8Array.of(cut, ...Buffer.concat(some))
  }),
  read: ([cut = 1, ...stream]) => {
    const bytes = Uint8Array.from(stream)
    const cutFrames = framesOf(bytes, Math.max(1, cut))
    const whole = framesOf(bytes, Math.max(1, bytes.length))
    promise(Buffer.concat(cutFrames).equals(Buffer.concat(whole)), 'frames depend on where the stream is cut')
    promise(cutFrames.every(({ length }) => length <= FRAME_BYTES_MAX), 'a frame is longer than the limit')
    return cutFrames
  },
}

function framesOf(bytes: Uint8Array, cut: number): Uint8Array[] {
  const found: Uint8Array[] = []
  const reader = new FrameReader()
  try {
    for (let at = 0; at < bytes.length; at += cut) {
      reader.push(bytes.slice(at, at + cut), (frame) => found.push(Uint8Array.from(frame)))
    }
  } finally {
    // Frames before the first that cannot be are the same, too.
    promise(reader.pendingBytes <= bytes.length, 'a reader holds more than it was given')
  }
  const at = found.reduce((sum, { length }) => sum + LENGTH_BYTES + length, 0)
  if (bytes.length - at >= LENGTH_BYTES) {
    const announced = new DataView(bytes.buffer).getInt32(at)
    promise(announced >= 0 && announced <= FRAME_BYTES_MAX, `a frame of ${announced} bytes is waited for`)
  }
  return found
}

/** In the order in which findings number them. */
export const CLIENT_FORMS: readonly Form[] = [firstOfClient, firstOfServer, request, reply, aWatchEvent, frames]
