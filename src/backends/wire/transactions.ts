/**
 * Transactions: the leader makes one of each write, and every server applies it. They are idempotent facts ("the node
 * is now this"), not wishes, so they can no longer be refused.
 *
 * Encoding  TxnHeader, then the body that belongs to its type: ZooKeeper 3.8's log format. One field is ours: the
 *           password after CreateSessionTxn, since ours cannot be computed from the session's id
 *           (docs/decisions/0001).
 * Source    zookeeper.jute (module org.apache.zookeeper.txn), SerializeUtils.java.
 */
import { Err, OpCode } from './codes.ts'
import { Reader, bool, buffer, int32, int64, millis, record, ustring, ustrings, violation, written } from './jute.ts'
import type { Codec, Infer, Writer } from './jute.ts'
import { AclList } from './records.ts'

/** Who asked (session and xid), where it stands in the order, and when the leader took it. */
export const TxnHeader = record({ clientId: int64, cxid: int32, zxid: int64, time: millis, type: int32 })
export type TxnHeader = Infer<typeof TxnHeader>

const CreateTxn = record({
  path: ustring,
  data: buffer,
  acl: AclList,
  ephemeral: bool,
  /** The parent's count of child creates after this one. */
  parentCVersion: int32,
})
export type CreateTxn = Infer<typeof CreateTxn>
export const CreateContainerTxn = record({ path: ustring, data: buffer, acl: AclList, parentCVersion: int32 })
export type CreateContainerTxn = Infer<typeof CreateContainerTxn>
const CreateTtlTxn = record({
  path: ustring,
  data: buffer,
  acl: AclList,
  parentCVersion: int32,
  ttl: int64,
})
type CreateTtlTxn = Infer<typeof CreateTtlTxn>
export const DeleteTxn = record({ path: ustring })
export type DeleteTxn = Infer<typeof DeleteTxn>
export const SetDataTxn = record({ path: ustring, data: buffer, version: int32 })
export type SetDataTxn = Infer<typeof SetDataTxn>
const SetAclTxn = record({ path: ustring, acl: AclList, version: int32 })
type SetAclTxn = Infer<typeof SetAclTxn>
const CheckVersionTxn = record({ path: ustring, version: int32 })
type CheckVersionTxn = Infer<typeof CheckVersionTxn>
export const CreateSessionTxn = record({ timeOut: int32, passwd: buffer })
export type CreateSessionTxn = Infer<typeof CreateSessionTxn>
const CloseSessionTxn = record({ paths2Delete: ustrings })
type CloseSessionTxn = Infer<typeof CloseSessionTxn>
const ErrorTxn = record({ err: int32 })
type ErrorTxn = Infer<typeof ErrorTxn>

/** A transaction's body with its type. `deleteContainer` is the servers' own removal of a node whose time is over. */
export type TxnBody =
  | { readonly type: typeof OpCode.create | typeof OpCode.create2; readonly body: CreateTxn }
  | { readonly type: typeof OpCode.createContainer; readonly body: CreateContainerTxn }
  | { readonly type: typeof OpCode.createTTL; readonly body: CreateTtlTxn }
  | { readonly type: typeof OpCode.delete | typeof OpCode.deleteContainer; readonly body: DeleteTxn }
  /** `reconfig` sets /zookeeper/config. */
  | { readonly type: typeof OpCode.setData | typeof OpCode.reconfig; readonly body: SetDataTxn }
  | { readonly type: typeof OpCode.setAcl; readonly body: SetAclTxn }
  | { readonly type: typeof OpCode.check; readonly body: CheckVersionTxn }
  | { readonly type: typeof OpCode.createSession; readonly body: CreateSessionTxn }
  | { readonly type: typeof OpCode.closeSession; readonly body: CloseSessionTxn }
  | { readonly type: typeof OpCode.error; readonly body: ErrorTxn }
  | { readonly type: typeof OpCode.multi; readonly body: readonly TxnBody[] }

/** A whole transaction. `header.type` equals `txn.type`. */
export interface Transaction {
  readonly header: TxnHeader
  readonly txn: TxnBody
}

const CODECS: ReadonlyMap<number, unknown> = new Map<number, unknown>([
  [OpCode.create, CreateTxn],
  [OpCode.create2, CreateTxn],
  [OpCode.createContainer, CreateContainerTxn],
  [OpCode.createTTL, CreateTtlTxn],
  [OpCode.delete, DeleteTxn],
  [OpCode.deleteContainer, DeleteTxn],
  [OpCode.setData, SetDataTxn],
  [OpCode.reconfig, SetDataTxn],
  [OpCode.setAcl, SetAclTxn],
  [OpCode.check, CheckVersionTxn],
  [OpCode.createSession, CreateSessionTxn],
  [OpCode.closeSession, CloseSessionTxn],
  [OpCode.error, ErrorTxn],
])

/** The types that may be part of a multi: changes of nodes, and the errors that a refused multi consists of. */
const PART_TYPES: ReadonlySet<number> = new Set([
  OpCode.create,
  OpCode.create2,
  OpCode.createContainer,
  OpCode.createTTL,
  OpCode.delete,
  OpCode.setData,
  OpCode.check,
  OpCode.error,
])

/** Encodes a transaction. */
export function encodeTransaction({ header, txn }: Transaction): Uint8Array {
  return written((writer) => {
    TxnHeader.write(writer, header)
    writeBody(writer, txn)
  })
}

/**
 * Decodes a transaction.
 *
 * @throws CoordinationError `PROTOCOL_VIOLATION` if the bytes are not exactly one transaction
 */
export function decodeTransaction(bytes: Uint8Array): Transaction {
  const reader = new Reader(bytes)
  const header = TxnHeader.read(reader)
  const txn = readTxnBody(reader, header.type)
  reader.end()
  return { header, txn }
}

function writeBody(writer: Writer, txn: TxnBody): void {
  if (txn.type !== OpCode.multi) {
    codecOf(txn.type).write(writer, txn.body)
    return
  }
  writer.int32(txn.body.length)
  for (const part of txn.body) {
    writer.int32(part.type)
    // A length and as many bytes: the same as a frame.
    const start = writer.beginFrame()
    writeBody(writer, part)
    writer.endFrame(start)
  }
}

/**
 * Reads the body of a transaction of this type, and leaves what comes after it.
 *
 * @param onUndone - called for an error in a multi that has the body of the change that was undone; read as
 *   `Err.ok`. Without it, such a part is refused
 * @throws CoordinationError `PROTOCOL_VIOLATION` if there is none
 */
export function readTxnBody(reader: Reader, type: number, onUndone?: () => void): TxnBody {
  if (type !== OpCode.multi) return { type, body: codecOf(type).read(reader) } as TxnBody
  const count = reader.int32()
  if (count < 0 || count > reader.remaining) {
    throw violation(`a multi of ${count} parts where ${reader.remaining} bytes are left`)
  }
  const parts: TxnBody[] = []
  for (let i = 0; i < count; i++) {
    const partType = reader.int32()
    if (!PART_TYPES.has(partType)) throw violation(`a transaction of type ${partType} inside a multi`)
    const nested = new Reader(buffer.read(reader) ?? new Uint8Array())
    const part = readTxnBody(nested, partType)
    if (part.type === OpCode.error && nested.remaining > 0 && onUndone !== undefined) {
      onUndone()
      parts.push({ type: part.type, body: { err: Err.ok } })
      continue
    }
    parts.push(part)
    nested.end()
  }
  return { type, body: parts }
}

function codecOf(type: number): Codec<unknown> {
  const codec = CODECS.get(type)
  if (codec === undefined) throw violation(`transaction type ${type}`)
  return codec as Codec<unknown>
}
