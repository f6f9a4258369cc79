/**
 * The messages of etcd's v3 API and its methods, as far as they are used. Fields that are zero, false or empty are left
 * out. Keys are text here, as all of ours are.
 *
 * Source    api/etcdserverpb/rpc.proto and api/mvccpb/kv.proto of etcd 3.4.
 */
import type { KeyRange } from './keys.ts'
import { bool, bytes, choice, int64, many, message, one, text } from './protobuf.ts'
import type { Message } from './protobuf.ts'

/** The header of every answer. */
export interface Header {
  readonly revision?: bigint
  /** The term of the member that answers. */
  readonly raftTerm?: bigint
}

/** A key and what it holds. */
export interface KeyValue {
  readonly key?: string
  readonly createRevision?: bigint
  readonly modRevision?: bigint
  readonly value?: Uint8Array
  readonly lease?: bigint
}

/** A read. */
export interface RangeRequest {
  readonly key: string
  readonly rangeEnd?: string
  readonly keysOnly?: boolean
  readonly countOnly?: boolean
}

/** An answer to a read. */
export interface RangeResponse {
  readonly kvs?: readonly KeyValue[]
  readonly count?: bigint
}

/** A write of one key. */
export interface PutRequest {
  readonly key: string
  readonly value?: Uint8Array
  readonly lease?: bigint
  readonly ignoreValue?: boolean
  readonly ignoreLease?: boolean
}

/** Part of a branch of a transaction: one of these. */
export interface RequestOp {
  readonly range?: RangeRequest
  readonly put?: PutRequest
  readonly deleteRange?: { readonly key: string }
  readonly txn?: TxnRequest
}

/** Part of a transaction's condition: one of the values, which is what `target` says. */
export interface Compare {
  readonly result: 'equal' | 'greater'
  readonly target: 'version' | 'create' | 'mod' | 'value'
  readonly key: string
  readonly rangeEnd?: string
  readonly version?: bigint
  readonly createRevision?: bigint
  readonly modRevision?: bigint
  readonly value?: Uint8Array
}

/** A transaction. */
export interface TxnRequest {
  readonly compare: readonly Compare[]
  readonly success: readonly RequestOp[]
  readonly failure: readonly RequestOp[]
}

/** The answer to a part of a transaction, as far as it is used. */
export interface ResponseOp {
  readonly range?: RangeResponse
  readonly txn?: TxnResponse
}

/** An answer to a transaction: one response for each operation of the branch that was taken. */
export interface TxnResponse {
  readonly header?: Header
  readonly succeeded?: boolean
  readonly responses?: readonly ResponseOp[]
}

/** One change of a key. */
export interface KeyEvent {
  /** Absent for a put. */
  readonly type?: 'put' | 'delete'
  readonly kv?: KeyValue
}

/** Asks for the changes of a range. */
export interface WatchRequest {
  readonly create: { readonly key: string; readonly rangeEnd: string; readonly startRevision?: bigint }
}

/** A part of the stream of a watch. */
export interface WatchResponse {
  readonly header?: Header
  readonly created?: boolean
  readonly canceled?: boolean
  readonly compactRevision?: bigint
  readonly cancelReason?: string
  readonly events?: readonly KeyEvent[]
}

/** Asks for a lease; its time to live is in seconds. */
export interface LeaseGrantRequest {
  readonly ttl: bigint
}

/** Names a lease, to be kept or ended. */
export interface LeaseRequest {
  readonly id: bigint
}

/** An answer about a lease. */
export interface LeaseResponse {
  readonly header?: Header
  readonly id?: bigint
  /** Seconds; 0 for a lease that is not known. */
  readonly ttl?: bigint
}

/** A name and a password. */
export interface AuthenticateRequest {
  readonly name: string
  readonly password: string
}

/** A token for them. */
export interface AuthenticateResponse {
  readonly token?: string
}

/** A method of the API. */
export interface Method<Q, A> {
  /** As gRPC names it: service and method. */
  readonly path: string
  readonly request: Message<Q>
  readonly response: Message<A>
}

const header = message<Header>(() => ({ revision: one(3, int64), raftTerm: one(4, int64) }))

const keyValue = message<KeyValue>(() => ({
  key: one(1, text),
  createRevision: one(2, int64),
  modRevision: one(3, int64),
  value: one(5, bytes),
  lease: one(6, int64),
}))

const rangeRequest = message<RangeRequest>(() => ({
  key: one(1, text),
  rangeEnd: one(2, text),
  keysOnly: one(8, bool),
  countOnly: one(9, bool),
}))

const rangeResponse = message<RangeResponse>(() => ({ kvs: many(2, keyValue), count: one(4, int64) }))

const putRequest = message<PutRequest>(() => ({
  key: one(1, text),
  value: one(2, bytes),
  lease: one(3, int64),
  ignoreValue: one(5, bool),
  ignoreLease: one(6, bool),
}))

const requestOp = message<RequestOp>(() => ({
  range: one(1, rangeRequest),
  put: one(2, putRequest),
  deleteRange: one(3, message<{ readonly key: string }>(() => ({ key: one(1, text) }))),
  txn: one(4, txnRequest),
}))

const compare = message<Compare>(() => ({
  result: one(1, choice('equal', 'greater')),
  target: one(2, choice('version', 'create', 'mod', 'value')),
  key: one(3, text),
  version: one(4, int64),
  createRevision: one(5, int64),
  modRevision: one(6, int64),
  value: one(7, bytes),
  rangeEnd: one(64, text),
}))

const txnRequest: Message<TxnRequest> = message<TxnRequest>(() => ({
  compare: many(1, compare),
  success: many(2, requestOp),
  failure: many(3, requestOp),
}))

const responseOp = message<ResponseOp>(() => ({ range: one(1, rangeResponse), txn: one(4, txnResponse) }))

const txnResponse: Message<TxnResponse> = message<TxnResponse>(() => ({
  header: one(1, header),
  succeeded: one(2, bool),
  responses: many(3, responseOp),
}))

const keyEvent = message<KeyEvent>(() => ({ type: one(1, choice('put', 'delete')), kv: one(2, keyValue) }))

const watchCreate = message<WatchRequest['create']>(() => ({
  key: one(1, text),
  rangeEnd: one(2, text),
  startRevision: one(3, int64),
}))

const watchResponse = message<WatchResponse>(() => ({
  header: one(1, header),
  created: one(3, bool),
  canceled: one(4, bool),
  compactRevision: one(5, int64),
  cancelReason: one(6, text),
  events: many(11, keyEvent),
}))

const leaseRequest = message<LeaseRequest>(() => ({ id: one(1, int64) }))

const leaseResponse = message<LeaseResponse>(() => ({ header: one(1, header), id: one(2, int64), ttl: one(3, int64) }))

/** The methods. */
export const Methods = Object.freeze({
  txn: method('KV/Txn', txnRequest, txnResponse),
  watch: method('Watch/Watch', message<WatchRequest>(() => ({ create: one(1, watchCreate) })), watchResponse),
  leaseGrant: method('Lease/LeaseGrant', message<LeaseGrantRequest>(() => ({ ttl: one(1, int64) })), leaseResponse),
  leaseKeepAlive: method('Lease/LeaseKeepAlive', leaseRequest, leaseResponse),
  leaseRevoke: method('Lease/LeaseRevoke', leaseRequest, message<object>(() => ({}))),
  authenticate: method(
    'Auth/Authenticate',
    message<AuthenticateRequest>(() => ({ name: one(1, text), password: one(2, text) })),
    message<AuthenticateResponse>(() => ({ token: one(2, text) })),
  ),
})

/** Most operations of one transaction, by etcd's default (`--max-txn-ops`). */
export const TXN_OPS_MAX = 128

/** Text as a value. */
export function valueOf(content: string): Uint8Array {
  return Buffer.from(content)
}

/** A read of one key. */
export function readKey(key: string, keysOnly = false): RequestOp {
  return { range: { key, ...(keysOnly ? { keysOnly } : {}) } }
}

/** A read of the keys of a range, or of their number alone. */
export function readRange({ key, end }: KeyRange, what: 'keysOnly' | 'countOnly'): RequestOp {
  return { range: { key, rangeEnd: end, [what]: true } }
}

function method<Q, A>(path: string, request: Message<Q>, response: Message<A>): Method<Q, A> {
  return { path: `/etcdserverpb.${path}`, request, response }
}
