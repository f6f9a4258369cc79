/**
 * The records that clients and servers exchange: one declaration each gives codec and type.
 *
 * In memory, messages travel as these typed values; on a socket, as their jute encoding. Values are shared between the
 * sender and the receiver and must not be modified.
 *
 * Source    zookeeper.jute of ZooKeeper 3.8.
 */
import type { OpCode } from './codes.ts'
import { bool, buffer, int32, int64, millis, record, ustring, vector } from './jute.ts'
import type { Infer } from './jute.ts'

/** One entry of an access control list. */
export const Acl = record({ perms: int32, scheme: ustring, id: ustring })
export type Acl = Infer<typeof Acl>

/** The list that lets anyone do anything: `world:anyone`, all permissions. */
export const OPEN_ACL: readonly Acl[] = Object.freeze([Object.freeze({ perms: 31, scheme: 'world', id: 'anyone' })])

/** Stat as it travels: 68 bytes. */
export const StatRecord = record({
  czxid: int64,
  mzxid: int64,
  ctime: millis,
  mtime: millis,
  version: int32,
  cversion: int32,
  aversion: int32,
  ephemeralOwner: int64,
  dataLength: int32,
  numChildren: int32,
  pzxid: int64,
})
export type StatRecord = Infer<typeof StatRecord>

/** First message on a connection. A session id of 0n asks for a new session. */
export const ConnectRequest = record({
  protocolVersion: int32,
  lastZxidSeen: int64,
  timeOut: int32,
  sessionId: int64,
  passwd: buffer,
  readOnly: bool,
})
export type ConnectRequest = Infer<typeof ConnectRequest>

/** Its answer. A time-out of 0 says that the session is over (or the password wrong). */
export const ConnectResponse = record({
  protocolVersion: int32,
  timeOut: int32,
  sessionId: int64,
  passwd: buffer,
  readOnly: bool,
})
export type ConnectResponse = Infer<typeof ConnectResponse>

export const CreateRequest = record({ path: ustring, data: buffer, acl: vector(Acl), flags: int32 })
export type CreateRequest = Infer<typeof CreateRequest>
export const CreateTtlRequest = record({ path: ustring, data: buffer, acl: vector(Acl), flags: int32, ttl: int64 })
export type CreateTtlRequest = Infer<typeof CreateTtlRequest>
export const DeleteRequest = record({ path: ustring, version: int32 })
export type DeleteRequest = Infer<typeof DeleteRequest>
/** Of exists, getData, getChildren and getChildren2 alike. */
export interface ReadRequest {
  readonly path: string
  readonly watch: boolean
}
export const SetDataRequest = record({ path: ustring, data: buffer, version: int32 })
export type SetDataRequest = Infer<typeof SetDataRequest>
export const CheckRequest = record({ path: ustring, version: int32 })
export type CheckRequest = Infer<typeof CheckRequest>
/** Names the node that is to be up to date; this engine has one order for all. */
export interface SyncRequest {
  readonly path: string
}
/** `type` is a WatcherType of codes.ts. */
export interface RemoveWatchesRequest {
  readonly path: string
  readonly type: number
}
export const SetWatchesRequest = record({
  relativeZxid: int64,
  dataWatches: vector(ustring),
  existWatches: vector(ustring),
  childWatches: vector(ustring),
})
export type SetWatchesRequest = Infer<typeof SetWatchesRequest>

/** One part of a multi request. */
export type MultiOperation =
  | { readonly op: typeof OpCode.create2 | typeof OpCode.createContainer; readonly body: CreateRequest }
  | { readonly op: typeof OpCode.createTTL; readonly body: CreateTtlRequest }
  | { readonly op: typeof OpCode.delete; readonly body: DeleteRequest }
  | { readonly op: typeof OpCode.setData; readonly body: SetDataRequest }
  | { readonly op: typeof OpCode.check; readonly body: CheckRequest }

/** The body of each request, by its operation. */
export interface RequestBodies {
  readonly [OpCode.create]: CreateRequest
  readonly [OpCode.create2]: CreateRequest
  readonly [OpCode.createContainer]: CreateRequest
  readonly [OpCode.createTTL]: CreateTtlRequest
  readonly [OpCode.delete]: DeleteRequest
  readonly [OpCode.exists]: ReadRequest
  readonly [OpCode.getData]: ReadRequest
  readonly [OpCode.getChildren2]: ReadRequest
  readonly [OpCode.setData]: SetDataRequest
  readonly [OpCode.sync]: SyncRequest
  readonly [OpCode.multi]: readonly MultiOperation[]
  readonly [OpCode.removeWatches]: RemoveWatchesRequest
  readonly [OpCode.setWatches]: SetWatchesRequest
  readonly [OpCode.ping]: null
  readonly [OpCode.closeSession]: null
}

/** A request on an established connection. */
export type Request = {
  [O in keyof RequestBodies]: { readonly xid: number; readonly op: O; readonly body: RequestBodies[O] }
}[keyof RequestBodies]

/** One part of a multi's answer; on failure every part is an error, the refused one with its own number. */
export type MultiResult =
  | { readonly op: typeof OpCode.create2; readonly path: string; readonly stat: StatRecord }
  | { readonly op: typeof OpCode.setData; readonly stat: StatRecord }
  | { readonly op: typeof OpCode.delete | typeof OpCode.check }
  | { readonly op: typeof OpCode.error; readonly err: number }

/** The body of each successful reply, by its operation. */
export interface ReplyBodies {
  readonly [OpCode.create]: { readonly path: string }
  readonly [OpCode.create2]: { readonly path: string; readonly stat: StatRecord }
  readonly [OpCode.createContainer]: { readonly path: string; readonly stat: StatRecord }
  readonly [OpCode.createTTL]: { readonly path: string; readonly stat: StatRecord }
  readonly [OpCode.delete]: null
  readonly [OpCode.exists]: { readonly stat: StatRecord }
  readonly [OpCode.getData]: { readonly data: Uint8Array | null; readonly stat: StatRecord }
  readonly [OpCode.getChildren2]: { readonly children: readonly string[]; readonly stat: StatRecord }
  readonly [OpCode.setData]: { readonly stat: StatRecord }
  readonly [OpCode.sync]: { readonly path: string }
  readonly [OpCode.multi]: readonly MultiResult[]
  readonly [OpCode.removeWatches]: null
  readonly [OpCode.setWatches]: null
  readonly [OpCode.ping]: null
  readonly [OpCode.closeSession]: null
}

/**
 * What a server answers to a request: the header, and the body if `err` is 0. A multi's body is there on failure too.
 */
export interface Reply {
  readonly xid: number
  /** zxid of the write, or the last one that the server has applied. */
  readonly zxid: bigint
  readonly err: number
  readonly body: ReplyBodies[keyof ReplyBodies]
}

/** A watch that fired. */
export const WatcherEvent = record({ type: int32, state: int32, path: ustring })
export type WatcherEvent = Infer<typeof WatcherEvent>

/** Everything a client sends on a connection; `connect` comes first, and once. */
export type ClientMessage =
  | { readonly kind: 'connect'; readonly request: ConnectRequest }
  | { readonly kind: 'request'; readonly request: Request }

/** Everything a server sends on a connection; `connect` comes first, and once. */
export type ServerMessage =
  | { readonly kind: 'connect'; readonly response: ConnectResponse }
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'event'; readonly zxid: bigint; readonly event: WatcherEvent }
