/** Arbitrary messages of the protocol, each field with any value that its shape holds. */
import fc from 'fast-check'
import { OpCode, Xid } from '../../../src/backends/wire/codes.ts'
import type { ConnectRequest, ReplyBodies, Request, RequestBodies } from '../../../src/backends/wire/records.ts'
import type { MultiOperation, MultiResult, ReadOperation } from '../../../src/backends/wire/records.ts'
import type { ReadResult, ServerMessage } from '../../../src/backends/wire/records.ts'

const anInt32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const anInt64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const someData = fc.option(fc.uint8Array({ maxLength: 150 }), { nil: null })
const someText = fc.string({ unit: 'grapheme', maxLength: 80 })
const someTexts = fc.array(someText, { maxLength: 4 })
const acl = fc.array(fc.record({ perms: anInt32, scheme: someText, id: someText }), { maxLength: 3 })
const stat = fc.record({
  czxid: anInt64,
  mzxid: anInt64,
  ctime: fc.maxSafeInteger(),
  mtime: fc.maxSafeInteger(),
  version: anInt32,
  cversion: anInt32,
  aversion: anInt32,
  ephemeralOwner: anInt64,
  dataLength: anInt32,
  numChildren: anInt32,
  pzxid: anInt64,
})

const createBody = { path: someText, data: someData, acl, flags: anInt32 }
const create = fc.record(createBody)
const createTtl = fc.record({ ...createBody, ttl: anInt64 })
const read = fc.record({ path: someText, watch: fc.boolean() })
const path = fc.record({ path: someText })
const versioned = fc.record({ path: someText, version: anInt32 })
const setData = fc.record({ path: someText, data: someData, version: anInt32 })
const watches = fc.record({ path: someText, type: anInt32 })
const nothing = fc.constant(null)
const setWatches = {
  relativeZxid: anInt64,
  dataWatches: someTexts,
  existWatches: someTexts,
  childWatches: someTexts,
}

const CREATES = [OpCode.create, OpCode.create2, OpCode.createContainer] as const
const operation: fc.Arbitrary<MultiOperation> = fc.oneof(
  fc.record({ op: fc.constantFrom(...CREATES), body: create }),
  fc.record({ op: fc.constant(OpCode.createTTL), body: createTtl }),
  fc.record({ op: fc.constant(OpCode.delete), body: versioned }),
  fc.record({ op: fc.constant(OpCode.setData), body: setData }),
  fc.record({ op: fc.constant(OpCode.check), body: versioned }),
  fc.record({
    op: fc.constant(OpCode.checkCreation),
    body: fc.record({ path: someText, version: anInt32, czxid: anInt64 }),
  }),
)
const readOperation: fc.Arbitrary<ReadOperation> = fc.record({
  op: fc.constantFrom(OpCode.getData, OpCode.getChildren),
  body: read,
})

/** The body of each request. */
export const REQUEST_BODIES: { readonly [O in keyof RequestBodies]: fc.Arbitrary<RequestBodies[O]> } = {
  [OpCode.create]: create,
  [OpCode.create2]: create,
  [OpCode.createContainer]: create,
  [OpCode.createTTL]: createTtl,
  [OpCode.delete]: versioned,
  [OpCode.exists]: read,
  [OpCode.getData]: read,
  [OpCode.getAcl]: path,
  [OpCode.setAcl]: fc.record({ path: someText, acl, version: anInt32 }),
  [OpCode.getChildren]: read,
  [OpCode.getChildren2]: read,
  [OpCode.setData]: setData,
  [OpCode.sync]: path,
  [OpCode.check]: versioned,
  [OpCode.multi]: fc.array(operation, { maxLength: 5 }),
  [OpCode.multiRead]: fc.array(readOperation, { maxLength: 5 }),
  [OpCode.reconfig]: fc.record({
    joiningServers: fc.option(someText, { nil: null }),
    leavingServers: fc.option(someText, { nil: null }),
    newMembers: fc.option(someText, { nil: null }),
    curConfigId: anInt64,
  }),
  [OpCode.checkWatches]: watches,
  [OpCode.removeWatches]: watches,
  [OpCode.auth]: fc.record({ type: anInt32, scheme: someText, auth: someData }),
  [OpCode.sasl]: fc.record({ token: someData }),
  [OpCode.setWatches]: fc.record(setWatches),
  [OpCode.setWatches2]: fc.record({
    ...setWatches,
    persistentWatches: someTexts,
    persistentRecursiveWatches: someTexts,
  }),
  [OpCode.addWatch]: fc.record({ path: someText, mode: anInt32 }),
  [OpCode.getEphemerals]: fc.record({ prefixPath: someText }),
  [OpCode.getAllChildrenNumber]: path,
  [OpCode.whoAmI]: nothing,
  [OpCode.ping]: nothing,
  [OpCode.closeSession]: nothing,
}

const result: fc.Arbitrary<MultiResult> = fc.oneof(
  fc.record({ op: fc.constant(OpCode.create), path: someText, stat: fc.constant(null) }),
  fc.record({ op: fc.constant(OpCode.create2), path: someText, stat }),
  fc.record({ op: fc.constant(OpCode.setData), stat }),
  fc.record({ op: fc.constantFrom(OpCode.delete, OpCode.check) }),
  fc.record({ op: fc.constant(OpCode.error), err: anInt32 }),
)
const readResult: fc.Arbitrary<ReadResult> = fc.oneof(
  fc.record({ op: fc.constant(OpCode.getData), data: someData, stat }),
  fc.record({ op: fc.constant(OpCode.getChildren), children: someTexts }),
  fc.record({ op: fc.constant(OpCode.error), err: anInt32 }),
)
const statReply = fc.record({ stat })
const pathReply = fc.record({ path: someText })
const createdReply = fc.record({ path: someText, stat })
const dataReply = fc.record({ data: someData, stat })

/** The body of each reply. */
export const REPLY_BODIES: { readonly [O in keyof ReplyBodies]: fc.Arbitrary<ReplyBodies[O]> } = {
  [OpCode.create]: pathReply,
  [OpCode.create2]: createdReply,
  [OpCode.createContainer]: createdReply,
  [OpCode.createTTL]: createdReply,
  [OpCode.delete]: nothing,
  [OpCode.exists]: statReply,
  [OpCode.getData]: dataReply,
  [OpCode.getAcl]: fc.record({ acl, stat }),
  [OpCode.setAcl]: statReply,
  [OpCode.getChildren]: fc.record({ children: someTexts }),
  [OpCode.getChildren2]: fc.record({ children: someTexts, stat }),
  [OpCode.setData]: statReply,
  [OpCode.sync]: pathReply,
  [OpCode.check]: nothing,
  [OpCode.multi]: fc.array(result, { maxLength: 5 }),
  [OpCode.multiRead]: fc.array(readResult, { maxLength: 5 }),
  [OpCode.reconfig]: dataReply,
  [OpCode.checkWatches]: nothing,
  [OpCode.removeWatches]: nothing,
  [OpCode.auth]: nothing,
  [OpCode.sasl]: fc.record({ token: someData }),
  [OpCode.setWatches]: nothing,
  [OpCode.setWatches2]: nothing,
  [OpCode.addWatch]: fc.record({ err: anInt32 }),
  [OpCode.getEphemerals]: fc.record({ ephemerals: someTexts }),
  [OpCode.getAllChildrenNumber]: fc.record({ totalNumber: anInt32 }),
  [OpCode.whoAmI]: fc.record({
    clientInfo: fc.array(fc.record({ authScheme: someText, user: someText }), { maxLength: 3 }),
  }),
  [OpCode.ping]: nothing,
  [OpCode.closeSession]: nothing,
}

/** All operations of clients, ascending. */
export const OPERATIONS: readonly number[] = Object.keys(REQUEST_BODIES).map(Number).sort((a, b) => a - b)

/** A request of this operation; xids of applications are positive, a ping's is fixed. */
export function requestOf(op: number): fc.Arbitrary<Request> {
  const xid = op === OpCode.ping ? fc.constant(Xid.ping) : fc.integer({ min: 1, max: 2 ** 31 - 1 })
  return fc.record({ xid, op: fc.constant(op), body: bodiesOf(REQUEST_BODIES, op) }) as fc.Arbitrary<Request>
}

/** The reply to such a request: it succeeded, or an error without a body. */
export function replyTo({ xid, op }: Request): fc.Arbitrary<ServerMessage> {
  const header = { xid: fc.constant(xid), zxid: anInt64 }
  const succeeded = fc.record({ ...header, err: fc.constant(0), body: bodiesOf(REPLY_BODIES, op) })
  const failed = fc.record({ ...header, err: fc.integer({ max: -1 }), body: nothing })
  const reply = op === OpCode.ping ? succeeded : fc.oneof(succeeded, failed)
  return fc.record({ kind: fc.constant('reply'), op: fc.constant(op), reply }) as fc.Arbitrary<ServerMessage>
}

function bodiesOf(bodies: Readonly<Record<number, fc.Arbitrary<unknown>>>, op: number): fc.Arbitrary<unknown> {
  return bodies[op] ?? nothing
}

/** A watch event. */
export const event: fc.Arbitrary<ServerMessage> = fc.record({
  kind: fc.constant('event'),
  zxid: anInt64,
  event: fc.record({ type: anInt32, state: anInt32, path: someText }),
})

/** The first message of a client. */
export const connectRequest: fc.Arbitrary<ConnectRequest> = fc.record({
  protocolVersion: anInt32,
  lastZxidSeen: anInt64,
  timeOut: anInt32,
  sessionId: anInt64,
  passwd: someData,
  readOnly: fc.boolean(),
})

/** The first message of a server. */
export const connectResponse: fc.Arbitrary<ServerMessage> = fc.record({
  kind: fc.constant('connect'),
  response: fc.record({
    protocolVersion: anInt32,
    timeOut: anInt32,
    sessionId: anInt64,
    passwd: someData,
    readOnly: fc.boolean(),
  }),
})
