/**
 * The messages of one connection as frames, on either side of it.
 *
 * Shapes    the first frame each way is the bare ConnectRequest or ConnectResponse; clients of old leave its last byte
 *           out (readOnly), and get none. Then RequestHeader{int xid, int type} + body; ReplyHeader{int xid, long zxid,
 *           int err} + body if err is 0; an event is a reply of xid -1.
 * Order     on the wire a reply does not name its operation: the client remembers what is in flight. In memory it does,
 *           and a server writes it by that: the xids of its clients may be equal, negative or anything else.
 * Safety    whatever is decoded, nothing is thrown but CoordinationError `PROTOCOL_VIOLATION`. Bytes after a body are
 *           ignored, as the reference does.
 * Source    ZooKeeperServer.processPacket, ClientCnxn.java, FinalRequestProcessor.java.
 */
import { assert } from '../../core/assert.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { OpCode, Xid } from './codes.ts'
import { Reader, bool, copiedBuffer, int32, record, ustring, ustrings, vector, violation, written } from './jute.ts'
import type { Codec, Writer } from './jute.ts'
import { MultiReadRequest, MultiReadResponse, MultiRequest, MultiResponse } from './multi.ts'
import { OperationsInFlight } from './operations-in-flight.ts'
import type { AnsweredOperation } from './operations-in-flight.ts'
import * as records from './records.ts'
import type {
  ClientMessage,
  Reply,
  ReplyBodies,
  Request,
  RequestBodies,
  ServerMessage,
} from './records.ts'

/** A body that takes no bytes. */
const nothing: Codec<null> = { write: () => undefined, read: () => null }

const StatReply = record({ stat: records.StatRecord })
const PathReply = record({ path: ustring })
const CreatedReply = record({ path: ustring, stat: records.StatRecord })
const DataReply = record({ data: copiedBuffer, stat: records.StatRecord })

const REQUESTS: { readonly [O in keyof RequestBodies]: Codec<RequestBodies[O]> } = {
  [OpCode.create]: records.CreateRequest,
  [OpCode.create2]: records.CreateRequest,
  [OpCode.createContainer]: records.CreateRequest,
  [OpCode.createTTL]: records.CreateTtlRequest,
  [OpCode.delete]: records.DeleteRequest,
  [OpCode.exists]: records.ReadRequest,
  [OpCode.getData]: records.ReadRequest,
  [OpCode.getAcl]: records.PathRequest,
  [OpCode.setAcl]: records.SetAclRequest,
  [OpCode.getChildren]: records.ReadRequest,
  [OpCode.getChildren2]: records.ReadRequest,
  [OpCode.setData]: records.SetDataRequest,
  [OpCode.sync]: records.SyncRecord,
  [OpCode.check]: records.CheckRequest,
  [OpCode.multi]: MultiRequest,
  [OpCode.multiRead]: MultiReadRequest,
  [OpCode.reconfig]: records.ReconfigRequest,
  [OpCode.checkWatches]: records.WatchesRequest,
  [OpCode.removeWatches]: records.WatchesRequest,
  [OpCode.auth]: records.AuthRequest,
  [OpCode.sasl]: records.SaslRequest,
  [OpCode.setWatches]: records.SetWatchesRequest,
  [OpCode.setWatches2]: records.SetWatches2Request,
  [OpCode.addWatch]: records.AddWatchRequest,
  [OpCode.getEphemerals]: records.GetEphemeralsRequest,
  [OpCode.getAllChildrenNumber]: records.PathRequest,
  [OpCode.whoAmI]: nothing,
  [OpCode.ping]: nothing,
  [OpCode.closeSession]: nothing,
}

const REPLIES: { readonly [O in keyof ReplyBodies]: Codec<ReplyBodies[O]> } = {
  [OpCode.create]: PathReply,
  [OpCode.create2]: CreatedReply,
  [OpCode.createContainer]: CreatedReply,
  [OpCode.createTTL]: CreatedReply,
  [OpCode.delete]: nothing,
  [OpCode.exists]: StatReply,
  [OpCode.getData]: DataReply,
  [OpCode.getAcl]: record({ acl: records.AclList, stat: records.StatRecord }),
  [OpCode.setAcl]: StatReply,
  [OpCode.getChildren]: record({ children: ustrings }),
  [OpCode.getChildren2]: record({ children: ustrings, stat: records.StatRecord }),
  [OpCode.setData]: StatReply,
  [OpCode.sync]: records.SyncRecord,
  [OpCode.check]: nothing,
  [OpCode.multi]: MultiResponse,
  [OpCode.multiRead]: MultiReadResponse,
  [OpCode.reconfig]: DataReply,
  [OpCode.checkWatches]: nothing,
  [OpCode.removeWatches]: nothing,
  [OpCode.auth]: nothing,
  [OpCode.sasl]: record({ token: copiedBuffer }),
  [OpCode.setWatches]: nothing,
  [OpCode.setWatches2]: nothing,
  [OpCode.addWatch]: record({ err: int32 }),
  [OpCode.getEphemerals]: record({ ephemerals: ustrings }),
  [OpCode.getAllChildrenNumber]: record({ totalNumber: int32 }),
  [OpCode.whoAmI]: record({ clientInfo: vector(records.ClientInfo) }),
  [OpCode.ping]: nothing,
  [OpCode.closeSession]: nothing,
}

/** By operation, for numbers that came from outside. */
function table(codecs: Readonly<Record<number, unknown>>): ReadonlyMap<number, Codec<unknown>> {
  return new Map(Object.entries(codecs).map(([op, codec]) => [Number(op), codec as Codec<unknown>]))
}

const REQUEST_CODECS = table(REQUESTS)
const REPLY_CODECS = table(REPLIES)

/** How the body of a client's request is written and read; undefined for an unknown operation. */
export function requestCodec(op: number): Codec<unknown> | undefined {
  return REQUEST_CODECS.get(op)
}

/** Decoding is done in one go, so one reader does for all connections. */
const reader = new Reader(new Uint8Array())

function readConnect<T extends object>(codec: Codec<T>, frame: Uint8Array): { value: T; readOnly: boolean | null } {
  reader.reset(frame)
  const value = codec.read(reader)
  return { value, readOnly: reader.remaining === 0 ? null : bool.read(reader) }
}

/** Replies that have their body with an error too: the Java client reads the token before it looks at the number. */
const TOLD_WITH_ERRORS: ReadonlySet<number> = new Set([OpCode.multi, OpCode.sasl])

/** The server's side of one connection. */
export class ServerWire {
  /** The request that the last written reply answers; replies to pings leave it as it is, and `op` is -1 before any. */
  readonly answered: AnsweredOperation = { op: -1, atMs: 0 }
  readonly #inFlight = new OperationsInFlight()
  #isConnected = false
  /** The client is so old that it knows of no read-only servers. */
  #isOld = false

  /** Requests that have no reply yet, pings excepted. */
  get requestsInFlight(): number {
    return this.#inFlight.count
  }

  /** Their length, in bytes. */
  get bytesInFlight(): number {
    return this.#inFlight.bytes
  }

  /**
   * Reads what a client sent.
   *
   * @param frame - one frame, without its length; the decoded message keeps none of it
   * @param atMs - when it came, in milliseconds, for {@link ServerWire.answered}
   * @throws CoordinationError `PROTOCOL_VIOLATION` if not even its header can be read
   */
  decode(frame: Uint8Array, atMs = 0): ClientMessage {
    return this.#isConnected ? this.#request(frame, atMs) : this.#connect(frame)
  }

  /** One frame, with its length. */
  encode(message: ServerMessage): Uint8Array {
    return written((writer) => {
      this.write(writer, message)
    })
  }

  /** Writes one frame, with its length. */
  write(writer: Writer, message: ServerMessage): void {
    const start = writer.beginFrame()
    switch (message.kind) {
      case 'connect':
        records.OldConnectResponse.write(writer, message.response)
        if (!this.#isOld) bool.write(writer, message.response.readOnly)
        break
      case 'reply':
        this.#reply(writer, message.op, message.reply)
        break
      case 'event':
        writeReplyHeader(writer, Xid.notification, message.zxid, 0)
        records.WatcherEvent.write(writer, message.event)
        break
    }
    writer.endFrame(start)
  }

  #connect(frame: Uint8Array): ClientMessage {
    const { value, readOnly } = readConnect(records.OldConnectRequest, frame)
    this.#isConnected = true
    this.#isOld = readOnly === null
    return { kind: 'connect', request: { ...value, readOnly: readOnly ?? false } }
  }

  #request(frame: Uint8Array, atMs: number): ClientMessage {
    reader.reset(frame)
    const xid = reader.int32()
    const op = reader.int32()
    if (op !== OpCode.ping) this.#inFlight.push(xid, op, atMs, frame.length)
    const codec = REQUEST_CODECS.get(op)
    if (codec === undefined) return { kind: 'unreadable', xid, op }
    try {
      return { kind: 'request', request: { xid, op, body: codec.read(reader) } as Request }
    } catch (error) {
      if (isCoordinationError(error, 'PROTOCOL_VIOLATION')) return { kind: 'unreadable', xid, op }
      throw error
    }
  }

  #reply(writer: Writer, op: number, { xid, zxid, err, body }: Reply): void {
    writeReplyHeader(writer, xid, zxid, err)
    if (op === OpCode.ping) return
    this.#inFlight.take(xid, op, this.answered)
    if (body === null || (err !== 0 && !TOLD_WITH_ERRORS.has(op))) return
    const codec = REPLY_CODECS.get(op)
    assert(codec !== undefined, () => `a reply to operation ${op} has a body`)
    codec.write(writer, body)
  }
}

/** The client's side of one connection. */
export class ClientWire {
  readonly #inFlight = new OperationsInFlight()
  readonly #answered: AnsweredOperation = { op: -1, atMs: 0 }
  #isConnected = false

  /** One frame, with its length. */
  encode(message: ClientMessage): Uint8Array {
    return written((writer) => {
      this.write(writer, message)
    })
  }

  /** Writes one frame, with its length. */
  write(writer: Writer, message: ClientMessage): void {
    assert(message.kind !== 'unreadable', 'a client sends what can be read')
    const start = writer.beginFrame()
    if (message.kind === 'connect') {
      records.OldConnectRequest.write(writer, message.request)
      bool.write(writer, message.request.readOnly)
    } else {
      const { xid, op, body } = message.request
      writer.int32(xid)
      writer.int32(op)
      const codec = REQUEST_CODECS.get(op)
      assert(codec !== undefined, () => `operation ${op}`)
      codec.write(writer, body)
      if (op !== OpCode.ping) this.#inFlight.push(xid, op, 0)
    }
    writer.endFrame(start)
  }

  /**
   * Reads what a server sent.
   *
   * @param frame - one frame, without its length; the decoded message keeps none of it
   * @throws CoordinationError `PROTOCOL_VIOLATION` if it is malformed, or answers nothing that was asked
   */
  decode(frame: Uint8Array): ServerMessage {
    if (!this.#isConnected) {
      const { value, readOnly } = readConnect(records.OldConnectResponse, frame)
      this.#isConnected = true
      return { kind: 'connect', response: { ...value, readOnly: readOnly ?? false } }
    }
    reader.reset(frame)
    const xid = reader.int32()
    const zxid = reader.int64()
    const err = reader.int32()
    if (xid === Xid.notification) return { kind: 'event', zxid, event: records.WatcherEvent.read(reader) }
    // A ping may have the xid of nothing else, and its reply has no body.
    if (xid === Xid.ping && reader.remaining === 0) {
      return { kind: 'reply', op: OpCode.ping, reply: { xid, zxid, err, body: null } }
    }
    if (!this.#inFlight.take(xid, null, this.#answered)) {
      throw violation(`a reply to xid ${xid}, which is not in flight`)
    }
    const { op } = this.#answered
    return { kind: 'reply', op, reply: { xid, zxid, err, body: replyBody(op, err) } }
  }
}

function replyBody(op: number, err: number): ReplyBodies[keyof ReplyBodies] {
  if (err !== 0 && (op !== OpCode.multi || reader.remaining === 0)) return null
  return (REPLY_CODECS.get(op)?.read(reader) ?? null) as ReplyBodies[keyof ReplyBodies]
}

function writeReplyHeader(writer: Writer, xid: number, zxid: bigint, err: number): void {
  writer.int32(xid)
  writer.int64(zxid)
  writer.int32(err)
}
