/**
 * The handling of each request that a client can send.
 *
 * Kinds     a write becomes a transaction, also if it cannot be read or is refused whatever the state: it takes its
 *           place and its zxid. A sync waits for a majority. Everything else is answered here, and so is the end of a
 *           session that this server alone knows.
 * Read-only a server without a majority refuses writes and syncs, whatever they ask for.
 * Unknown   an unknown operation gets an *unimplemented* reply, and the connection ends.
 * Source    PrepRequestProcessor.pRequestHelper, Request.isValid, ZooKeeperServer.processPacket,
 *           ReadOnlyRequestProcessor of ZooKeeper 3.8.
 */
import { Err, OpCode, WRITE_OPS } from '../../../wire/codes.ts'
import type { ClientMessage, Request } from '../../../wire/records.ts'
import { isEphemeral } from '../writes/create-mode.ts'
import { growsTree } from '../writes/growth.ts'
import type { WriteOperation } from '../writes/prepare.ts'

/** A message of a client that is connected. */
export type RequestMessage = Exclude<ClientMessage, { kind: 'connect' }>

/** The handling of one request. */
export type RequestKind =
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly write: WriteOperation }
  | { readonly kind: 'sync' }
  | { readonly kind: 'ping' }
  | { readonly kind: 'auth'; readonly request: Extract<Request, { op: typeof OpCode.auth }> | null }
  | { readonly kind: 'sasl'; readonly token: Uint8Array }
  /** Answered with an error number, and nothing is done. */
  | { readonly kind: 'refused'; readonly err: number }
  /** A session that this server alone knows is closed. */
  | { readonly kind: 'end' }
  | { readonly kind: 'unknown' }
  /** Nothing can be answered to it. */
  | { readonly kind: 'broken' }

/** Whether the configuration can be changed here; if not, it is switched off, or there is nothing to change. */
export type Reconfiguration = 'enabled' | 'disabled' | 'absent'

const READ: RequestKind = Object.freeze({ kind: 'read' })
const SYNC: RequestKind = Object.freeze({ kind: 'sync' })
const PING: RequestKind = Object.freeze({ kind: 'ping' })
const NO_TOKEN = new Uint8Array()
const END: RequestKind = Object.freeze({ kind: 'end' })
const NOT_READ_ONLY: RequestKind = Object.freeze({ kind: 'refused', err: Err.notReadOnly })
const UNKNOWN: RequestKind = Object.freeze({ kind: 'unknown' })
const BROKEN: RequestKind = Object.freeze({ kind: 'broken' })

/**
 * Decides how a message is handled.
 *
 * @param reconfiguration - whether one can be done here
 * @param isLocal - whether this server alone knows the session
 */
export function kindOf(message: RequestMessage, reconfiguration: Reconfiguration, isLocal: boolean): RequestKind {
  if (message.kind === 'unreadable') return kindOfUnreadable(message.op)
  const { request } = message
  if (isLocal && request.op === OpCode.closeSession) return END
  if (request.op !== OpCode.reconfig) return kindOfRequest(request)
  switch (reconfiguration) {
    case 'enabled':
      return { kind: 'write', write: request }
    case 'disabled':
      return refusedWrite(Err.reconfigDisabled)
    case 'absent':
      // The reference answers this on a server on its own.
      return refusedWrite(Err.unimplemented)
  }
}

/** Decides how a server without a majority handles a message. */
export function kindWithoutMajority(message: RequestMessage): RequestKind {
  const { op } = message.kind === 'unreadable' ? message : message.request
  return WRITE_OPS.has(op) || NEED_MAJORITY.has(op) ? NOT_READ_ONLY : kindOf(message, 'disabled', true)
}

function kindOfRequest(request: Request): RequestKind {
  switch (request.op) {
    case OpCode.exists:
    case OpCode.getData:
    case OpCode.getChildren2:
      // The most frequent ones; the rest is looked up.
      return READ
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
    case OpCode.delete:
    case OpCode.setData:
    case OpCode.setAcl:
    case OpCode.check:
    case OpCode.multi:
    case OpCode.closeSession:
      return { kind: 'write', write: request }
    case OpCode.sync:
      return SYNC
    case OpCode.ping:
      return PING
    case OpCode.auth:
      return { kind: 'auth', request }
    case OpCode.sasl:
      return { kind: 'sasl', token: request.body.token ?? NO_TOKEN }
    default:
      return READS.has(request.op) ? READ : UNKNOWN
  }
}

function kindOfUnreadable(op: number): RequestKind {
  if (WRITE_OPS.has(op)) return refusedWrite(Err.marshallingError)
  if (READS.has(op) || op === OpCode.sync || op === OpCode.reconfig) {
    return { kind: 'refused', err: Err.marshallingError }
  }
  switch (op) {
    case OpCode.deleteContainer:
      return refusedWrite(Err.badArguments)
    case OpCode.auth:
      return { kind: 'auth', request: null }
    case OpCode.sasl:
      return BROKEN
    default:
      return UNKNOWN
  }
}

function refusedWrite(err: number): RequestKind {
  return { kind: 'write', write: { op: OpCode.error, body: { err } } }
}

const READS: ReadonlySet<number> = new Set([
  OpCode.exists,
  OpCode.getData,
  OpCode.getAcl,
  OpCode.getChildren,
  OpCode.getChildren2,
  OpCode.getAllChildrenNumber,
  OpCode.getEphemerals,
  OpCode.multiRead,
  OpCode.checkWatches,
  OpCode.removeWatches,
  OpCode.setWatches,
  OpCode.setWatches2,
  OpCode.addWatch,
  OpCode.whoAmI,
])

/** Operations that need a majority, besides the writes. */
const NEED_MAJORITY: ReadonlySet<number> = new Set([OpCode.sync, OpCode.reconfig, OpCode.deleteContainer])

/** Whether a write can have become a transaction of this type; an error, any can. */
export function canBecome(op: number, type: number): boolean {
  return type === OpCode.error || type === (op === OpCode.check ? OpCode.multi : op)
}

/** Whether a message asks for a write that needs memory. */
export function needsMemory(message: RequestMessage): boolean {
  return message.kind === 'request' && WRITE_OPS.has(message.request.op) && growsTree(message.request as WriteOperation)
}

/** Whether a message asks for an ephemeral node, to be done or refused. */
export function asksForEphemeral(message: RequestMessage): boolean {
  if (message.kind === 'unreadable') return false
  const { request } = message
  switch (request.op) {
    case OpCode.create:
    case OpCode.create2:
      return isEphemeral(request.body.flags)
    case OpCode.multi:
      return request.body.some(({ body }) => 'flags' in body && isEphemeral(body.flags))
    default:
      return false
  }
}

/** How many operations a request has in it. */
export function requestParts(message: RequestMessage): number {
  if (message.kind === 'unreadable') return 1
  const { request } = message
  return request.op === OpCode.multi || request.op === OpCode.multiRead ? request.body.length : 1
}

/** Bytes of data and (roughly, for non-ASCII ones) paths: the part of a request that has no fixed size. */
export function requestBytes(message: RequestMessage): number {
  if (message.kind === 'unreadable') return 0
  const { request } = message
  if (request.op === OpCode.multi) {
    let bytes = 0
    for (const { body } of request.body) bytes += body.path.length + ('data' in body ? (body.data?.length ?? 0) : 0)
    return bytes
  }
  const body: object | null = request.body
  if (body === null || !('path' in body) || typeof body.path !== 'string') return 0
  return body.path.length + ('data' in body && body.data instanceof Uint8Array ? body.data.length : 0)
}
