import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCoordinationError } from '../../../src/core/errors.ts'
import { OpCode, Xid } from '../../../src/backends/wire/codes.ts'
import type { ClientMessage, Request, ServerMessage } from '../../../src/backends/wire/records.ts'
import { ClientWire, ServerWire } from '../../../src/backends/wire/wire.ts'
import { OPERATIONS, connectRequest, connectResponse, event, replyTo, requestOf } from './messages.ts'

const HELLO: ClientMessage = {
  kind: 'connect',
  request: { protocolVersion: 0, lastZxidSeen: 0n, timeOut: 4000, sessionId: 0n, passwd: null, readOnly: false },
}
const WELCOME: ServerMessage = {
  kind: 'connect',
  response: { protocolVersion: 0, timeOut: 4000, sessionId: 7n, passwd: new Uint8Array(16), readOnly: false },
}
const STAT = {
  czxid: 1n,
  mzxid: 2n,
  ctime: 3,
  mtime: 4,
  version: 5,
  cversion: 6,
  aversion: 7,
  ephemeralOwner: 8n,
  dataLength: 9,
  numChildren: 10,
  pzxid: 11n,
}
const STAT_HEX =
  '0000000000000001 0000000000000002 0000000000000003 0000000000000004 00000005 00000006 00000007 0000000000000008 ' +
  '00000009 0000000a 000000000000000b'

/** Both sides of a connection, after the handshake. */
function connected(): { readonly client: ClientWire; readonly server: ServerWire } {
  const client = new ClientWire()
  const server = new ServerWire()
  server.decode(payload(client.encode(HELLO)))
  client.decode(payload(server.encode(WELCOME)))
  return { client, server }
}

/** A frame without its length, which must be right. */
function payload(frame: Uint8Array): Uint8Array {
  expect(new DataView(frame.buffer, frame.byteOffset).getInt32(0)).toBe(frame.length - 4)
  return frame.subarray(4)
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

/** Runs a decoder; null if it refused the bytes the one way it may. */
function attempt<T>(run: () => T): T | null {
  try {
    return run()
  } catch (error) {
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION')) return null
    throw error
  }
}

interface Sent {
  readonly client: ClientWire
  readonly server: ServerWire
  readonly got: ClientMessage
}

function send(request: Request): Sent {
  const { client, server } = connected()
  return { client, server, got: server.decode(payload(client.encode({ kind: 'request', request }))) }
}

describe.each(OPERATIONS)('operation %i on the wire', (op) => {
  it('is read as it was sent, and so is its reply', () => {
    const exchange = requestOf(op).chain((request) => fc.tuple(fc.constant(request), replyTo(request)))
    fc.assert(
      fc.property(exchange, ([request, reply]) => {
        const { client, server, got } = send(request)
        expect(got).toEqual({ kind: 'request', request })
        expect(client.decode(payload(server.encode(reply)))).toEqual(reply)
        expect(server.requestsInFlight).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  it('that is cut short is unreadable, or a violation if its header is cut', () => {
    fc.assert(
      fc.property(requestOf(op), (request) => {
        const bytes = payload(connected().client.encode({ kind: 'request', request }))
        for (let length = 0; length < bytes.length; length++) {
          const message = attempt(() => connected().server.decode(bytes.subarray(0, length)))
          if (length < 8) expect(message).toBeNull()
          else expect(message).toEqual({ kind: 'unreadable', xid: request.xid, op })
        }
      }),
      { numRuns: 5 },
    )
  })

  it('with a reply that is cut short is a violation, or a shorter one', () => {
    const exchange = requestOf(op).chain((request) => fc.tuple(fc.constant(request), replyTo(request)))
    fc.assert(
      fc.property(exchange, ([request, reply]) => {
        const bytes = payload(send(request).server.encode(reply))
        for (let length = 0; length < bytes.length; length++) {
          const { client } = send(request)
          expect(attempt(() => client.decode(bytes.subarray(0, length)))).toBeNull()
        }
      }),
      { numRuns: 5 },
    )
  })

  it('with any body is a request or unreadable, and with any reply a reply or a violation', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), requestOf(op), (body, request) => {
        const header = new Uint8Array(8)
        new DataView(header.buffer).setInt32(0, 9)
        new DataView(header.buffer).setInt32(4, op)
        const message = connected().server.decode(Uint8Array.from([...header, ...body]))
        expect(message).toMatchObject(message.kind === 'unreadable' ? { xid: 9, op } : { request: { xid: 9, op } })

        const replyHeader = new Uint8Array(16)
        new DataView(replyHeader.buffer).setInt32(0, request.xid)
        const { client } = send(request)
        const answer = attempt(() => client.decode(Uint8Array.from([...replyHeader, ...body])))
        if (answer !== null) expect(answer).toMatchObject({ kind: 'reply', reply: { xid: request.xid, err: 0 } })
      }),
      { numRuns: 60 },
    )
  })

  it('may have bytes behind its body, as for the reference', () => {
    fc.assert(
      fc.property(requestOf(op), (request) => {
        const bytes = payload(connected().client.encode({ kind: 'request', request }))
        expect(connected().server.decode(Uint8Array.from([...bytes, 1, 2]))).toEqual({ kind: 'request', request })
      }),
      { numRuns: 10 },
    )
  })
})

describe('the handshake on the wire', () => {
  it('is read as it was sent, both ways', () => {
    fc.assert(
      fc.property(connectRequest, connectResponse, (request, response) => {
        const client = new ClientWire()
        const server = new ServerWire()
        const hello: ClientMessage = { kind: 'connect', request }
        expect(server.decode(payload(client.encode(hello)))).toEqual(hello)
        expect(client.decode(payload(server.encode(response)))).toEqual(response)
      }),
    )
  })

  it('leaves readOnly out for a client that did, both ways', () => {
    const request = payload(new ClientWire().encode(HELLO))
    const server = new ServerWire()
    expect(server.decode(request.subarray(0, request.length - 1))).toEqual(HELLO)
    const response = payload(server.encode(WELCOME))
    expect(response.length).toBe(36)
    expect(new ClientWire().decode(response)).toEqual(WELCOME)
  })

  it('that is cut short anywhere else, or random, is a violation', () => {
    const request = payload(new ClientWire().encode(HELLO))
    for (let length = 0; length < request.length - 1; length++) {
      expect(attempt(() => new ServerWire().decode(request.subarray(0, length)))).toBeNull()
      expect(attempt(() => new ClientWire().decode(request.subarray(0, Math.min(length, 15))))).toBeNull()
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        attempt(() => new ServerWire().decode(bytes))
        attempt(() => new ClientWire().decode(bytes))
      }),
    )
  })
})

describe('messages on the wire', () => {
  it('are events, if their xid is -1', () => {
    fc.assert(
      fc.property(event, (message) => {
        const { client, server } = connected()
        const bytes = payload(server.encode(message))
        expect(client.decode(bytes)).toEqual(message)
        for (let length = 0; length < bytes.length; length++) {
          expect(attempt(() => client.decode(bytes.subarray(0, length)))).toBeNull()
        }
      }),
      { numRuns: 30 },
    )
  })

  it('have the bytes of the reference', () => {
    const { client, server } = connected()
    const get: Request = { xid: 1, op: OpCode.getData, body: { path: '/a', watch: true } }
    const asked = client.encode({ kind: 'request', request: get })
    expect(hexOf(asked)).toBe('0000000f' + '00000001' + '00000004' + '00000002' + '2f61' + '01')
    server.decode(payload(asked))
    const body = { data: Uint8Array.of(9), stat: STAT }
    const answered = server.encode({ kind: 'reply', op: OpCode.getData, reply: { xid: 1, zxid: 5n, err: 0, body } })
    const header = '00000001 0000000000000005 00000000'
    expect(hexOf(answered)).toBe(`00000059 ${header} 00000001 09 ${STAT_HEX}`.replaceAll(' ', ''))
  })

  it('are answered in any order: a reply belongs to the request of its xid', () => {
    const { client, server } = connected()
    const requests: Request[] = [
      { xid: 1, op: OpCode.exists, body: { path: '/a', watch: false } },
      { xid: Xid.auth, op: OpCode.auth, body: { type: 0, scheme: 'digest', auth: null } },
      { xid: 2, op: OpCode.sync, body: { path: '/a' } },
      { xid: Xid.ping, op: OpCode.ping, body: null },
    ]
    for (const request of requests) server.decode(payload(client.encode({ kind: 'request', request })))
    const replies: ServerMessage[] = [
      { kind: 'reply', op: OpCode.ping, reply: { xid: Xid.ping, zxid: 1n, err: 0, body: null } },
      { kind: 'reply', op: OpCode.auth, reply: { xid: Xid.auth, zxid: 1n, err: 0, body: null } },
      { kind: 'reply', op: OpCode.sync, reply: { xid: 2, zxid: 1n, err: 0, body: { path: '/a' } } },
      { kind: 'reply', op: OpCode.exists, reply: { xid: 1, zxid: 1n, err: 0, body: { stat: STAT } } },
    ]
    for (const reply of replies) expect(client.decode(payload(server.encode(reply)))).toEqual(reply)
    expect(server.requestsInFlight).toBe(0)
  })

  it('of any xids, equal, negative or reserved, are written by their own operation, in any order', () => {
    const exchange = fc.constantFrom(...OPERATIONS).chain((op) => {
      const xid = fc.constantFrom(1, 1, 2, 0, Xid.notification, Xid.ping, Xid.auth, Xid.setWatches, -(2 ** 31))
      return fc.tuple(requestOf(op), xid).chain(([{ body }, anyXid]) => {
        const request = { xid: anyXid, op, body } as Request
        return fc.tuple(fc.constant(request), replyTo(request))
      })
    })
    const shuffled = fc.array(exchange, { maxLength: 12 }).chain((exchanges) => {
      const replies = exchanges.map(([, reply]) => reply)
      const order = fc.shuffledSubarray(replies, { minLength: replies.length })
      return fc.tuple(fc.constant(exchanges.map(([request]) => request)), order)
    })
    fc.assert(
      fc.property(shuffled, ([requests, replies]) => {
        const { client, server } = connected()
        for (const request of requests) server.decode(payload(client.encode({ kind: 'request', request })))
        for (const reply of replies) {
          const alone = send(requests.find(({ op }) => reply.kind === 'reply' && op === reply.op) as Request).server
          expect(server.encode(reply)).toEqual(alone.encode(reply))
        }
        expect(server.requestsInFlight).toBe(0)
      }),
      { numRuns: 200 },
    )
  })

  it('are remembered by the thousand while they are in flight', () => {
    const { client, server } = connected()
    const exchange = (xid: number): void => {
      const body = { path: `/${xid}` }
      const reply: ServerMessage = { kind: 'reply', op: OpCode.sync, reply: { xid, zxid: 1n, err: 0, body } }
      expect(client.decode(payload(server.encode(reply)))).toEqual(reply)
    }
    for (let xid = 1; xid <= 5000; xid++) {
      const request: Request = { xid, op: OpCode.sync, body: { path: `/${xid}` } }
      server.decode(payload(client.encode({ kind: 'request', request })))
      if (xid > 1000) exchange(xid - 1000)
    }
    for (let xid = 4001; xid <= 5000; xid++) exchange(xid)
  })

  it('that answer nothing are a violation', () => {
    const { client, server } = connected()
    const reply = { xid: 3, zxid: 1n, err: -101, body: null }
    const frame = server.encode({ kind: 'reply', op: OpCode.exists, reply })
    expect(attempt(() => client.decode(payload(frame)))).toBeNull()
  })

  it('of an unknown operation are unreadable, and their refusal has no body', () => {
    const { client, server } = connected()
    for (const op of [OpCode.notification, OpCode.createSession, OpCode.deleteContainer, OpCode.error, 999]) {
      const frame = new Uint8Array(20)
      new DataView(frame.buffer).setInt32(0, 4)
      new DataView(frame.buffer).setInt32(4, op)
      expect(server.decode(frame)).toEqual({ kind: 'unreadable', xid: 4, op })
      const refusal = server.encode({ kind: 'reply', op, reply: { xid: 4, zxid: -1n, err: -6, body: null } })
      expect(hexOf(refusal)).toBe('00000010' + '00000004' + 'ffffffffffffffff' + 'fffffffa')
    }
    expect(server.requestsInFlight).toBe(0)
    expect(client).toBeDefined()
  })

  it('keep nothing of the chunk they came in', () => {
    const { client, server } = connected()
    const request: Request = { xid: 1, op: OpCode.setData, body: { path: '/a', data: Uint8Array.of(1), version: -1 } }
    const bytes = payload(client.encode({ kind: 'request', request }))
    const got = server.decode(bytes)
    bytes.fill(0)
    expect(got).toEqual({ kind: 'request', request })
  })
})

describe('a multi on the wire', () => {
  it('has the bytes of the reference, a refused one too', () => {
    const request: Request = {
      xid: 1,
      op: OpCode.multi,
      body: [
        { op: OpCode.check, body: { path: '/a', version: 1 } },
        { op: OpCode.create, body: { path: '/b', data: null, acl: [], flags: 0 } },
      ],
    }
    const { client, server } = connected()
    const asked = client.encode({ kind: 'request', request })
    const header = (op: string): string => `${op} 00 ffffffff`
    const end = 'ffffffff 01 ffffffff'
    const check = `${header('0000000d')} 00000002 2f61 00000001`
    const create = `${header('00000001')} 00000002 2f62 ffffffff 00000000 00000000`
    expect(hexOf(payload(asked))).toBe(`00000001 0000000e ${check} ${create} ${end}`.replaceAll(' ', ''))

    server.decode(payload(asked))
    const body = [
      { op: OpCode.error, err: 0 },
      { op: OpCode.error, err: -110 },
    ]
    const answered = server.encode({ kind: 'reply', op: OpCode.multi, reply: { xid: 1, zxid: 2n, err: 0, body } })
    const error = (err: string): string => `ffffffff 00 ${err} ${err}`
    const replyHeader = '00000001 0000000000000002 00000000'
    expect(hexOf(payload(answered))).toBe(
      `${replyHeader} ${error('00000000')} ${error('ffffff92')} ${end}`.replaceAll(' ', ''),
    )
  })

  it('tells a create by its path alone, and every other create as a create2', () => {
    const request: Request = { xid: 1, op: OpCode.multi, body: [] }
    const { client, server } = send(request)
    const created = { path: '/a', stat: STAT }
    const body = [
      { op: OpCode.create, ...created },
      { op: OpCode.create2, ...created },
      { op: OpCode.createContainer, ...created },
      { op: OpCode.createTTL, ...created },
    ]
    const answered = server.encode({ kind: 'reply', op: OpCode.multi, reply: { xid: 1, zxid: 2n, err: 0, body } })
    const create2 = { op: OpCode.create2, ...created }
    expect(client.decode(payload(answered))).toMatchObject({
      reply: { body: [{ op: OpCode.create, path: '/a', stat: null }, create2, create2, create2] },
    })
  })

  it('is unreadable with an operation that has no place in it', () => {
    const { server } = connected()
    const header = '00000001 0000000e'
    expect(server.decode(bytesOf(`${header} 00000004 00 ffffffff 00000002 2f61 00`)).kind).toBe('unreadable')
    expect(server.decode(bytesOf(`${header} 0000000e 00 ffffffff`)).kind).toBe('unreadable')
  })
})
