/**
 * A client's write on its way to the leader: the data of REQUEST.
 *
 * Shape     long session, int cxid, int op, then the body as the client sent it; createSession (-10): int time-out;
 *           closeSession: nothing. The identities of the client are the packet's authinfo.
 * Ours      on a link between servers of ours createSession also has the session's password, and `error` (-1) is a
 *           request that is refused whatever the state: int error number. After the body of a request of a session that
 *           the sender alone knows, or has known alone until now, stands the session's password.
 * Unread    a body that cannot be read, or an operation that this package does not have, still takes its place in the
 *           order and is answered with an error, as the reference does for the former.
 * Twice     a server decodes what its client sent and encodes it again here (decision 0021).
 * Source    Learner.request, LearnerHandler.run (REQUEST), PrepRequestProcessor.java.
 */
import { isCoordinationError } from '../../core/errors.ts'
import { Err, OpCode, WRITE_OPS } from './codes.ts'
import { copiedBuffer, int32, record, violation } from './jute.ts'
import type { Codec, Reader, Writer } from './jute.ts'
import type { ClientIdentity, ForwardedRequest } from './packets.ts'
import { requestCodec } from './wire.ts'

/** Session, cxid and operation: less ends the link, as with the reference. */
const HEAD_BYTES = 16

const NewSession = record({ timeOut: int32 })
const NewSessionWithSecret = record({ timeOut: int32, passwd: copiedBuffer })
const Refusal = record({ err: int32 })

/** Which operations have a body of ours. */
const EXTENDED: ReadonlyMap<number, Codec<unknown>> = new Map<number, unknown>([
  [OpCode.createSession, NewSessionWithSecret],
  [OpCode.error, Refusal],
]) as ReadonlyMap<number, Codec<unknown>>

/** Writes that a client may ask for, or its server for it. The rest of the operations is never forwarded. */
const FORWARDED: ReadonlySet<number> = new Set([...WRITE_OPS, OpCode.reconfig, OpCode.closeSession])

/** Writes a request between servers of ours. */
export function writeForwarded(writer: Writer, { sessionId, xid, op, body, localPasswd }: ForwardedRequest): void {
  const codec = EXTENDED.get(op) ?? codecOf(op)
  writeHead(writer, sessionId, xid, op)
  codec.write(writer, body)
  if (localPasswd !== undefined) copiedBuffer.write(writer, localPasswd)
}

/**
 * Writes a request for a leader that knows ZooKeeper's alone. A lone check becomes a multi of one part, since the
 * reference writes a log that it cannot read for the former. A request that is refused whatever the state becomes one
 * that cannot be read: that is refused too, with another number (-5).
 */
export function writeForwardedPlain(writer: Writer, { sessionId, xid, op, body }: ForwardedRequest): void {
  switch (op) {
    case OpCode.createSession:
      writeHead(writer, sessionId, xid, op)
      NewSession.write(writer, body as { timeOut: number })
      break
    case OpCode.error:
      writeHead(writer, sessionId, xid, OpCode.setData)
      break
    case OpCode.check:
      writeHead(writer, sessionId, xid, OpCode.multi)
      codecOf(OpCode.multi).write(writer, [{ op, body }])
      break
    default:
      writeHead(writer, sessionId, xid, op)
      codecOf(op).write(writer, body)
  }
}

/**
 * Reads a request.
 *
 * @param isExtended - whether it comes from a server of ours
 * @throws CoordinationError `PROTOCOL_VIOLATION` if not even its head can be read
 */
export function readForwarded(
  reader: Reader,
  identities: readonly ClientIdentity[],
  isExtended: boolean,
): ForwardedRequest {
  if (reader.remaining < HEAD_BYTES) throw violation(`a REQUEST of ${reader.remaining} bytes, ${HEAD_BYTES} at least`)
  const sessionId = reader.int64()
  const xid = reader.int32()
  const op = reader.int32()
  try {
    const body = readBody(reader, op, isExtended)
    if (body !== undefined) {
      const request = { sessionId, xid, op, body, identities }
      const localPasswd = isExtended && reader.remaining > 0 ? copiedBuffer.read(reader) : null
      return localPasswd === null ? request : { ...request, localPasswd }
    }
  } catch (error) {
    if (!isCoordinationError(error, 'PROTOCOL_VIOLATION')) throw error
    return { sessionId, xid, op: OpCode.error, body: { err: Err.marshallingError }, identities }
  }
  return { sessionId, xid, op: OpCode.error, body: { err: Err.unimplemented }, identities }
}

/** @returns undefined if this operation is not forwarded */
function readBody(reader: Reader, op: number, isExtended: boolean): unknown {
  if (FORWARDED.has(op)) return readWithoutCopies(reader, codecOf(op))
  if (isExtended) return EXTENDED.get(op)?.read(reader)
  if (op === OpCode.createSession) return { ...NewSession.read(reader), passwd: null }
  return op === OpCode.sync ? null : undefined
}

/** The leader takes a copy of the data with its decision, since clients of its own process may change theirs. */
function readWithoutCopies(reader: Reader, codec: Codec<unknown>): unknown {
  reader.givesViews = true
  try {
    return codec.read(reader)
  } finally {
    reader.givesViews = false
  }
}

function writeHead(writer: Writer, sessionId: bigint, xid: number, op: number): void {
  writer.int64(sessionId)
  writer.int32(xid)
  writer.int32(op)
}

function codecOf(op: number): Codec<unknown> {
  const codec = requestCodec(op)
  if (codec === undefined) throw violation(`a forwarded request of operation ${op}`)
  return codec
}
