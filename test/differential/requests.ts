/** Requests as bytes, and as words for a transcript. */
import { ByteWriter, framed } from './bytes.ts'
import type { AclEntry, Creation, Operation, Part, Request, Text } from './program.ts'

/** The number of each operation on the wire. */
export const OP_CODES = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getACL: 6,
  setACL: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  createTTL: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  closeSession: -11,
} as const

/** The first message of a client. */
export interface Hello {
  readonly lastZxid: bigint
  readonly timeoutMs: number
  readonly sessionId: bigint
  readonly password: Uint8Array
  /** Clients before 3.4 leave out the last byte. */
  readonly isOldClient: boolean
}

export function encodeHello({ lastZxid, timeoutMs, sessionId, password, isOldClient }: Hello): Buffer {
  const writer = new ByteWriter().int(0).long(lastZxid).int(timeoutMs).long(sessionId).buffer(password)
  if (!isOldClient) writer.bool(false)
  return framed(writer.bytes())
}

/** The zxid that is so many transactions before the last one that a client has seen. */
export type ZxidsBefore = (zxidsBack: number) => bigint

/**
 * A request as a frame.
 *
 * @param zxidsBefore - for setWatches, which no other request needs
 */
export function encodeRequest({ xid, operation, damage }: Request, zxidsBefore: ZxidsBefore = () => 0n): Buffer {
  const op = operation.name === 'raw' ? operation.op : OP_CODES[operation.name]
  const header = new ByteWriter().int(xid).int(op).bytes()
  const writer = new ByteWriter()
  writeBody(writer, operation, zxidsBefore)
  let body = operation.name === 'raw' ? Buffer.from(operation.body) : writer.bytes()
  if (damage?.kind === 'cut') body = body.subarray(0, Math.max(0, body.length - damage.bytes))
  if (damage?.kind === 'longer') body = Buffer.concat([body, Buffer.alloc(damage.bytes, 7)])
  return framed(Buffer.concat([header, body]))
}

/** A request in words. */
export function describeRequest({ xid, operation, damage }: Request): string {
  const damaged = damage === null ? '' : ` (${damage.kind} by ${damage.bytes} bytes)`
  return `${JSON.stringify(operation, inWords)} xid ${xid}${damaged}`
}

function inWords(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Uint8Array) return `hex ${Buffer.from(value).toString('hex')}`
  // A Buffer has been turned into an object of numbers before it gets here.
  if (typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value) {
    const bytes = Buffer.from(value.data as number[])
    return bytes.length > 64 ? `${bytes.length} bytes` : `hex ${bytes.toString('hex')}`
  }
  return value
}

function writeBody(writer: ByteWriter, operation: Operation, zxidsBefore: ZxidsBefore): void {
  switch (operation.name) {
    case 'create':
    case 'create2':
    case 'createContainer':
    case 'createTTL':
    case 'delete':
    case 'check':
    case 'setData':
      return writePart(writer, operation)
    case 'exists':
    case 'getData':
    case 'getChildren':
    case 'getChildren2':
      return void writer.string(operation.path).bool(operation.watch)
    case 'getACL':
    case 'sync':
    case 'getAllChildrenNumber':
    case 'getEphemerals':
      return void writer.string(operation.path)
    case 'setACL':
      writer.string(operation.path)
      writeAcl(writer, operation.acl)
      return void writer.int(operation.version)
    case 'multi':
    case 'multiRead':
      for (const part of operation.parts) {
        writer.int(OP_CODES[part.name]).bool(false).int(-1)
        if ('watch' in part) writer.string(part.path).bool(part.watch)
        else writePart(writer, part)
      }
      return void writer.int(-1).bool(true).int(-1)
    case 'removeWatches':
    case 'checkWatches':
      return void writer.string(operation.path).int(operation.type)
    case 'addWatch':
      return void writer.string(operation.path).int(operation.mode)
    case 'setWatches':
    case 'setWatches2':
      return writeWatches(writer, operation, zxidsBefore)
    case 'auth':
      return void writer.int(0).string(operation.scheme).buffer(operation.auth)
    case 'sasl':
      return void writer.buffer(operation.token)
    case 'reconfig':
      writer.string(operation.joining).string(operation.leaving).string(operation.members)
      return void writer.long(operation.config)
    case 'ping':
    case 'whoAmI':
    case 'closeSession':
    case 'raw':
      return
  }
}

function writePart(writer: ByteWriter, part: Part): void {
  switch (part.name) {
    case 'delete':
    case 'check':
      return void writer.string(part.path).int(part.version)
    case 'setData':
      return void writer.string(part.path).buffer(part.data).int(part.version)
    default:
      return writeCreation(writer, part)
  }
}

function writeCreation(writer: ByteWriter, creation: Creation): void {
  writer.string(creation.path).buffer(creation.data)
  writeAcl(writer, creation.acl)
  writer.int(creation.flags)
  if (creation.name === 'createTTL') writer.long(creation.ttl)
}

function writeAcl(writer: ByteWriter, acl: readonly AclEntry[] | null): void {
  writer.list(acl, ({ perms, scheme, id }) => writer.int(perms).string(scheme).string(id))
}

type SettingWatches = Extract<Operation, { name: 'setWatches' | 'setWatches2' }>

function writeWatches(writer: ByteWriter, operation: SettingWatches, zxidsBefore: ZxidsBefore): void {
  const paths = (list: readonly Text[]): unknown => writer.list(list, (path) => writer.string(path))
  writer.long(zxidsBefore(operation.zxidsBack))
  paths(operation.data)
  paths(operation.exist)
  paths(operation.child)
  if (operation.name !== 'setWatches2') return
  paths(operation.persistent)
  paths(operation.recursive)
}
