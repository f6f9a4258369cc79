/**
 * The records that clients and servers exchange: one declaration each gives codec and type.
 *
 * In memory, messages travel as these typed values; on a socket, as their jute encoding. Values are shared between the
 * sender and the receiver and must not be modified.
 *
 * Source    zookeeper.jute of ZooKeeper 3.8.
 */
import type { OpCode } from './codes.ts'
import {
  bool,
  copiedBuffer,
  encode,
  int32,
  int64,
  millis,
  nullableUstring,
  record,
  ustring,
  ustringOrEmpty,
  ustrings,
  vector,
} from './jute.ts'
import type { Codec, Infer } from './jute.ts'

/** One entry of an access control list. */
export const Acl = record({ perms: int32, scheme: ustring, id: ustring })
export type Acl = Infer<typeof Acl>
/** The same as a client may send it: some send null for what is empty, such as the id of `auth`. */
const AclWish = record({ perms: int32, scheme: nullableUstring, id: nullableUstring })
export type AclWish = Infer<typeof AclWish>

/** The list that lets anyone do anything: `world:anyone`, all permissions. */
export const OPEN_ACL: readonly Acl[] = Object.freeze([Object.freeze({ perms: 31, scheme: 'world', id: 'anyone' })])

const OPEN_ACL_BYTES = encode(vector(Acl), OPEN_ACL)

/** A list of entries; the one that nearly every node has is written as it is known, and read as the shared value. */
function aclList<T extends AclWish>(element: Codec<T>): Codec<readonly (T | Acl)[]> {
  const any = vector(element)
  return {
    write(writer, value) {
      if (value === OPEN_ACL) writer.bytes(OPEN_ACL_BYTES)
      else any.write(writer, value as readonly T[])
    },
    read: (reader) => (reader.skip(OPEN_ACL_BYTES) ? OPEN_ACL : any.read(reader)),
  }
}

/** An access control list. */
export const AclList: Codec<readonly Acl[]> = aclList(Acl)
const AclWishes: Codec<readonly AclWish[]> = aclList(AclWish)

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

const connectRequest = {
  protocolVersion: int32,
  lastZxidSeen: int64,
  timeOut: int32,
  sessionId: int64,
  passwd: copiedBuffer,
}
const connectResponse = { protocolVersion: int32, timeOut: int32, sessionId: int64, passwd: copiedBuffer }

/** First message on a connection. A session id of 0n asks for a new session. */
export const ConnectRequest = record({ ...connectRequest, readOnly: bool })
export type ConnectRequest = Infer<typeof ConnectRequest>
/** The same as clients before 3.4 send it. */
export const OldConnectRequest = record(connectRequest)

/** Its answer. A time-out of 0 says that the session is over (or the password wrong). */
export const ConnectResponse = record({ ...connectResponse, readOnly: bool })
export type ConnectResponse = Infer<typeof ConnectResponse>
/** The same as clients before 3.4 expect it. */
export const OldConnectResponse = record(connectResponse)

export const CreateRequest = record({ path: ustring, data: copiedBuffer, acl: AclWishes, flags: int32 })
export type CreateRequest = Infer<typeof CreateRequest>
export const CreateTtlRequest = record({
  path: ustring,
  data: copiedBuffer,
  acl: AclWishes,
  flags: int32,
  ttl: int64,
})
export type CreateTtlRequest = Infer<typeof CreateTtlRequest>
export const DeleteRequest = record({ path: ustring, version: int32 })
export type DeleteRequest = Infer<typeof DeleteRequest>
/** The request of exists, getData, getChildren and getChildren2. */
export const ReadRequest = record({ path: ustring, watch: bool })
export type ReadRequest = Infer<typeof ReadRequest>
/** Names a node: of getACL and getAllChildrenNumber. */
export const PathRequest = record({ path: ustring })
export type PathRequest = Infer<typeof PathRequest>
/** Request and reply of sync: the path goes back as it came, and means nothing. */
export const SyncRecord = record({ path: nullableUstring })
export type SyncRecord = Infer<typeof SyncRecord>
export const SetAclRequest = record({ path: ustringOrEmpty, acl: AclWishes, version: int32 })
export type SetAclRequest = Infer<typeof SetAclRequest>
export const SetDataRequest = record({ path: ustringOrEmpty, data: copiedBuffer, version: int32 })
export type SetDataRequest = Infer<typeof SetDataRequest>
export const CheckRequest = record({ path: ustringOrEmpty, version: int32 })
export type CheckRequest = Infer<typeof CheckRequest>
/** The request of {@link OpCode.checkCreation}. */
export const CheckCreationRequest = record({ path: ustringOrEmpty, version: int32, czxid: int64 })
export type CheckCreationRequest = Infer<typeof CheckCreationRequest>
/** The request of removeWatches and checkWatches; `type` is a WatcherType of codes.ts. */
export const WatchesRequest = record({ path: ustring, type: int32 })
export type WatchesRequest = Infer<typeof WatchesRequest>
/** `mode` is an AddWatchMode of codes.ts. */
export const AddWatchRequest = record({ path: ustring, mode: int32 })
export type AddWatchRequest = Infer<typeof AddWatchRequest>
export const SetWatchesRequest = record({
  relativeZxid: int64,
  dataWatches: ustrings,
  existWatches: ustrings,
  childWatches: ustrings,
})
export type SetWatchesRequest = Infer<typeof SetWatchesRequest>
export const SetWatches2Request = record({
  relativeZxid: int64,
  dataWatches: ustrings,
  existWatches: ustrings,
  childWatches: ustrings,
  persistentWatches: ustrings,
  persistentRecursiveWatches: ustrings,
})
export type SetWatches2Request = Infer<typeof SetWatches2Request>
export const GetEphemeralsRequest = record({ prefixPath: ustringOrEmpty })
export type GetEphemeralsRequest = Infer<typeof GetEphemeralsRequest>
/** Who somebody claims to be, and what proves it; `type` is 0. */
export const AuthRequest = record({ type: int32, scheme: ustring, auth: copiedBuffer })
export type AuthRequest = Infer<typeof AuthRequest>
export const SaslRequest = record({ token: copiedBuffer })
export type SaslRequest = Infer<typeof SaslRequest>
export const ReconfigRequest = record({
  joiningServers: nullableUstring,
  leavingServers: nullableUstring,
  newMembers: nullableUstring,
  curConfigId: int64,
})
export type ReconfigRequest = Infer<typeof ReconfigRequest>
/** One identity of a connection, as whoAmI tells it. */
export const ClientInfo = record({ authScheme: ustring, user: ustring })
export type ClientInfo = Infer<typeof ClientInfo>

type CreateOp = typeof OpCode.create | typeof OpCode.create2 | typeof OpCode.createContainer

/** One part of a multi request. */
export type MultiOperation =
  | { readonly op: CreateOp; readonly body: CreateRequest }
  | { readonly op: typeof OpCode.createTTL; readonly body: CreateTtlRequest }
  | { readonly op: typeof OpCode.delete; readonly body: DeleteRequest }
  | { readonly op: typeof OpCode.setData; readonly body: SetDataRequest }
  | { readonly op: typeof OpCode.check; readonly body: CheckRequest }
  | { readonly op: typeof OpCode.checkCreation; readonly body: CheckCreationRequest }

/** One part of a multiRead request. */
export interface ReadOperation {
  readonly op: typeof OpCode.getData | typeof OpCode.getChildren
  readonly body: ReadRequest
}

/** The body of each request, by its operation. */
export interface RequestBodies {
  readonly [OpCode.create]: CreateRequest
  readonly [OpCode.create2]: CreateRequest
  readonly [OpCode.createContainer]: CreateRequest
  readonly [OpCode.createTTL]: CreateTtlRequest
  readonly [OpCode.delete]: DeleteRequest
  readonly [OpCode.exists]: ReadRequest
  readonly [OpCode.getData]: ReadRequest
  readonly [OpCode.getAcl]: PathRequest
  readonly [OpCode.setAcl]: SetAclRequest
  readonly [OpCode.getChildren]: ReadRequest
  readonly [OpCode.getChildren2]: ReadRequest
  readonly [OpCode.setData]: SetDataRequest
  readonly [OpCode.sync]: SyncRecord
  /** Outside a multi. */
  readonly [OpCode.check]: CheckRequest
  readonly [OpCode.multi]: readonly MultiOperation[]
  readonly [OpCode.multiRead]: readonly ReadOperation[]
  readonly [OpCode.reconfig]: ReconfigRequest
  readonly [OpCode.checkWatches]: WatchesRequest
  readonly [OpCode.removeWatches]: WatchesRequest
  readonly [OpCode.auth]: AuthRequest
  readonly [OpCode.sasl]: SaslRequest
  readonly [OpCode.setWatches]: SetWatchesRequest
  readonly [OpCode.setWatches2]: SetWatches2Request
  readonly [OpCode.addWatch]: AddWatchRequest
  readonly [OpCode.getEphemerals]: GetEphemeralsRequest
  readonly [OpCode.getAllChildrenNumber]: PathRequest
  readonly [OpCode.whoAmI]: null
  readonly [OpCode.ping]: null
  readonly [OpCode.closeSession]: null
}

/** A request on an established connection. */
export type Request = {
  [O in keyof RequestBodies]: { readonly xid: number; readonly op: O; readonly body: RequestBodies[O] }
}[keyof RequestBodies]

type Create2Op = Exclude<CreateOp, typeof OpCode.create> | typeof OpCode.createTTL

/** One part of a multi's answer; on failure every part is an error, the refused one with its own number. */
export type MultiResult =
  /** The stat is not sent: null where this was read from the wire. */
  | { readonly op: typeof OpCode.create; readonly path: string; readonly stat: StatRecord | null }
  /** On the wire, all of them are a create2. */
  | { readonly op: Create2Op; readonly path: string; readonly stat: StatRecord }
  | { readonly op: typeof OpCode.setData; readonly stat: StatRecord }
  | { readonly op: typeof OpCode.delete | typeof OpCode.check }
  | { readonly op: typeof OpCode.error; readonly err: number }

/** One part of a multiRead's answer; each stands for itself. */
export type ReadResult =
  | { readonly op: typeof OpCode.getData; readonly data: Uint8Array | null; readonly stat: StatRecord }
  | { readonly op: typeof OpCode.getChildren; readonly children: readonly string[] }
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
  readonly [OpCode.getAcl]: { readonly acl: readonly Acl[]; readonly stat: StatRecord }
  readonly [OpCode.setAcl]: { readonly stat: StatRecord }
  readonly [OpCode.getChildren]: { readonly children: readonly string[] }
  readonly [OpCode.getChildren2]: { readonly children: readonly string[]; readonly stat: StatRecord }
  readonly [OpCode.setData]: { readonly stat: StatRecord }
  readonly [OpCode.sync]: SyncRecord
  readonly [OpCode.check]: null
  readonly [OpCode.multi]: readonly MultiResult[]
  readonly [OpCode.multiRead]: readonly ReadResult[]
  readonly [OpCode.reconfig]: { readonly data: Uint8Array | null; readonly stat: StatRecord }
  readonly [OpCode.checkWatches]: null
  readonly [OpCode.removeWatches]: null
  readonly [OpCode.auth]: null
  readonly [OpCode.sasl]: { readonly token: Uint8Array | null }
  readonly [OpCode.setWatches]: null
  readonly [OpCode.setWatches2]: null
  readonly [OpCode.addWatch]: { readonly err: number }
  readonly [OpCode.getEphemerals]: { readonly ephemerals: readonly string[] }
  readonly [OpCode.getAllChildrenNumber]: { readonly totalNumber: number }
  readonly [OpCode.whoAmI]: { readonly clientInfo: readonly ClientInfo[] }
  readonly [OpCode.ping]: null
  readonly [OpCode.closeSession]: null
}

/**
 * A server's answer to a request: the header, and the body if `err` is 0. A multi's body is there on failure too.
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

/** A part of a setWatches which its server has cut; the last part is no more than a request. */
export interface RequestPart {
  /** The room that all parts together need, if it must be there for all or none. */
  readonly room: { readonly watches: number; readonly bytes: number } | null
}

/** Everything a client sends on a connection; `connect` comes first, and once. */
export type ClientMessage =
  | { readonly kind: 'connect'; readonly request: ConnectRequest }
  /** One that is a part of a request, and not the last one, gets no reply of its own. */
  | { readonly kind: 'request'; readonly request: Request; readonly part?: RequestPart }
  /** A request whose operation is not known, or whose body is not what that operation needs. */
  | { readonly kind: 'unreadable'; readonly xid: number; readonly op: number }

/** Everything a server sends on a connection; `connect` comes first, and once. */
export type ServerMessage =
  | { readonly kind: 'connect'; readonly response: ConnectResponse }
  /** `op` is what is answered: it decides how the body is written, whatever other requests have this xid. */
  | { readonly kind: 'reply'; readonly op: number; readonly reply: Reply }
  | { readonly kind: 'event'; readonly zxid: bigint; readonly event: WatcherEvent }
