/**
 * The messages of etcd's JSON gateway, as far as they are used: bytes are base64, 64-bit numbers are strings, and what
 * is zero, false or empty is left out.
 *
 * Source    api/etcdserverpb/rpc.proto of etcd 3.4, by the rules of proto3's JSON mapping.
 */
import type { KeyRange } from './keys.ts'

/** What stands before every answer. */
export interface Header {
  readonly revision?: string
  /** The term of the member that answers. */
  readonly raft_term?: string
}

/** A key and what it holds. */
export interface KeyValue {
  readonly key: string
  readonly create_revision?: string
  readonly mod_revision?: string
  readonly value?: string
  readonly lease?: string
}

/** An answer to a range. */
export interface RangeResponse {
  readonly kvs?: readonly KeyValue[]
  readonly count?: string
}

/** An answer to a transaction: one response for each operation of the branch that was taken. */
export interface TxnResponse {
  readonly header?: Header
  readonly succeeded?: boolean
  readonly responses?: readonly { readonly response_range?: RangeResponse; readonly response_txn?: TxnResponse }[]
}

/** An answer to a lease grant; the part of a keep-alive's stream is the same. */
export interface LeaseResponse {
  readonly header?: Header
  readonly ID?: string
  readonly TTL?: string
}

/** One change of a key. */
export interface KeyEvent {
  /** Absent for a put. */
  readonly type?: 'PUT' | 'DELETE'
  readonly kv?: KeyValue
}

/** A part of the stream of a watch. */
export interface WatchResponse {
  readonly header?: Header
  readonly created?: boolean
  readonly canceled?: boolean
  readonly compact_revision?: string
  readonly cancel_reason?: string
  readonly events?: readonly KeyEvent[]
}

/** One line of a streamed answer. */
export interface StreamLine<T> {
  readonly result?: T
  readonly error?: { readonly grpc_code?: number; readonly message?: string }
}

/** Part of a transaction's condition. */
export type Compare = { readonly result: 'EQUAL' | 'GREATER'; readonly key: string; readonly range_end?: string } & (
  | { readonly target: 'CREATE'; readonly create_revision: string }
  | { readonly target: 'MOD'; readonly mod_revision: string }
  | { readonly target: 'VERSION'; readonly version: string }
  | { readonly target: 'VALUE'; readonly value: string }
)

/** A read. */
export interface RangeRequest {
  readonly key: string
  readonly range_end?: string
  readonly keys_only?: boolean
  readonly count_only?: boolean
  readonly revision?: string
}

/** A write of one key. */
export interface PutRequest {
  readonly key: string
  readonly value?: string
  readonly lease?: string
  readonly ignore_value?: boolean
  readonly ignore_lease?: boolean
}

/** Part of a branch of a transaction. */
export type RequestOp =
  | { readonly request_range: RangeRequest }
  | { readonly request_put: PutRequest }
  | { readonly request_delete_range: { readonly key: string } }
  | { readonly request_txn: TxnRequest }

/** A transaction. */
export interface TxnRequest {
  readonly compare: readonly Compare[]
  readonly success: readonly RequestOp[]
  readonly failure: readonly RequestOp[]
}

/** Most operations of one transaction, by etcd's default (`--max-txn-ops`). */
export const TXN_OPS_MAX = 128

/** Text or bytes as base64. */
export function base64(content: string | Uint8Array): string {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/** The bytes of base64; none for what was left out. */
export function bytesOf(text: string | undefined): Uint8Array {
  return Buffer.from(text ?? '', 'base64')
}

/** The text of base64. */
export function textOf(text: string | undefined): string {
  return Buffer.from(text ?? '', 'base64').toString()
}

/** A number; 0 for what was left out. */
export function numberOf(text: string | undefined): bigint {
  return BigInt(text ?? 0)
}

/** A read of one key. */
export function readKey(key: string, keysOnly = false): RequestOp {
  return { request_range: { key: base64(key), ...(keysOnly ? { keys_only: true } : {}) } }
}

/** A read of the keys of a range, or of their number alone. */
export function readRange({ key, end }: KeyRange, what: 'keys_only' | 'count_only'): RequestOp {
  return { request_range: { key: base64(key), range_end: base64(end), [what]: true } }
}
