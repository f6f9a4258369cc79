/** Arbitrary packets of links, each field with any value that its shape holds. */
import fc from 'fast-check'
import { OpCode } from '../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../src/backends/wire/records.ts'
import type { Packet } from '../../../src/backends/wire/packets.ts'
import { encodeTransaction } from '../../../src/backends/wire/transactions.ts'

const anInt32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const anInt64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const zxid = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
const epoch = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const epochZxid = epoch.map((value) => BigInt(value) << 32n)
const bytes = fc.uint8Array({ maxLength: 200 })
const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const touched = fc.array(fc.record({ sessionId: anInt64, timeoutMs: anInt32 }), { maxLength: 4 })
const identities = fc.array(fc.record({ scheme: text, id: text }), { maxLength: 3 })

function packet(type: Packet['type'], fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Packet> {
  return fc.record({ type: fc.constant(type), ...fields }) as fc.Arbitrary<Packet>
}

const ownerOfRequest = { sessionId: anInt64, xid: anInt32, identities }
const data = fc.option(bytes, { nil: null })
const create = fc.record({ path: text, data, acl: fc.constant(OPEN_ACL), flags: anInt32 })
const versioned = fc.record({ path: text, version: anInt32 })
const setData = fc.record({ path: text, data, version: anInt32 })
const part = fc.oneof(
  fc.record({ op: fc.constant(OpCode.create), body: create }),
  fc.record({ op: fc.constant(OpCode.check), body: versioned }),
)

const OPERATIONS: readonly (readonly [op: number, body: fc.Arbitrary<unknown>])[] = [
  [OpCode.create, create],
  [OpCode.create2, create],
  [OpCode.createContainer, create],
  [OpCode.delete, versioned],
  [OpCode.setData, setData],
  [OpCode.multi, fc.array(part, { maxLength: 3 })],
  [OpCode.closeSession, fc.constant(null)],
]
/** Operations that need the extensions, or whose form differs without them. */
const OPERATIONS_OF_OURS: typeof OPERATIONS = [
  [OpCode.createSession, fc.record({ timeOut: anInt32, passwd: bytes })],
  [OpCode.error, fc.record({ err: anInt32 })],
  [OpCode.check, versioned],
]

function requests(operations: typeof OPERATIONS): fc.Arbitrary<Packet> {
  return fc.oneof(
    ...operations.map(([op, body]) =>
      packet('REQUEST', { request: fc.record({ ...ownerOfRequest, op: fc.constant(op), body }) }),
    ),
  )
}

/** Requests of sessions that one server alone knows. */
function localRequests(operations: typeof OPERATIONS): fc.Arbitrary<Packet> {
  return requests(operations).chain((made) => {
    return bytes.map((localPasswd): Packet => {
      return made.type === 'REQUEST' ? { ...made, request: { ...made.request, localPasswd } } : made
    })
  })
}

/** Packets that open a link. */
export const opening: fc.Arbitrary<Packet> = fc.oneof(
  packet('FOLLOWERINFO', { acceptedEpoch: epoch }),
  packet('OBSERVERINFO', { acceptedEpoch: epoch }),
)

/** Packets that a learner may send in either dialect. */
export const fromLearner: fc.Arbitrary<Packet> = fc.oneof(
  packet('ACKEPOCH', { currentEpoch: fc.integer({ min: -1, max: 2 ** 31 - 1 }), lastZxid: zxid }),
  packet('ACK', { zxid }),
  packet('PING', { touched }),
  requests(OPERATIONS),
)

/** Packets that a learner of ours may send to a leader of ours. */
export const fromLearnerOfOurs: fc.Arbitrary<Packet> = fc.oneof(
  fromLearner,
  requests(OPERATIONS_OF_OURS),
  localRequests([...OPERATIONS, ...OPERATIONS_OF_OURS]),
  packet('REVALIDATE', { connection: anInt32, sessionId: anInt64, timeoutMs: anInt32, passwd: bytes }),
  packet('SYNC', { syncId: anInt32, touched }),
  packet('SNAPACK', {}),
)

const txn = fc.record({ path: text, data, version: anInt32 }).map((body) => encodeTransaction({
  header: { clientId: 1n, cxid: 2, zxid: 3n, time: 4, type: OpCode.setData },
  txn: { type: OpCode.setData, body },
}))

/** Packets that a leader may send in either dialect. */
export const fromLeader: fc.Arbitrary<Packet> = fc.oneof(
  packet('DIFF', { zxid }),
  packet('TRUNC', { zxid }),
  packet('SNAP', { zxid }),
  packet('PROPOSAL', { zxid, txn }),
  packet('COMMIT', { zxid }),
  packet('INFORM', { zxid, txn }),
  packet('NEWLEADER', { zxid: epochZxid }),
  packet('UPTODATE', {}),
  packet('PING', { touched: fc.constant([]) }),
)

/** Packets that a leader of ours may send to a learner of ours. */
export const fromLeaderOfOurs: fc.Arbitrary<Packet> = fc.oneof(
  fromLeader,
  packet('SNAPCHUNK', { bytes, isLast: fc.boolean() }),
  packet('SYNCED', { syncId: anInt32 }),
  packet('REVALIDATED', { connection: anInt32, sessionId: anInt64, valid: fc.boolean(), timeoutMs: anInt32 }),
)
