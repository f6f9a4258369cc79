/** The forms between servers, and those of a log's entries. */
import fc from 'fast-check'
import { OpCode } from '../../src/backends/wire/codes.ts'
import { readConfiguration } from '../../src/backends/wire/configuration.ts'
import { readLogEntry } from '../../src/backends/wire/disk/log-entries.ts'
import { encodeLogRecord } from '../../src/backends/wire/disk/log-file.ts'
import { encodeInitiation, readInitiation } from '../../src/backends/wire/initiation.ts'
import { LEARNER_GREETING_BYTES_MAX, readLearnerGreeting } from '../../src/backends/wire/learner-greeting.ts'
import { decodeNotification, encodeNotification, readNotification } from '../../src/backends/wire/notifications.ts'
import { writeNotification } from '../../src/backends/wire/notifications.ts'
import type { WireNotification } from '../../src/backends/wire/notifications.ts'
import type { Packet } from '../../src/backends/wire/packets.ts'
import { PeerLink } from '../../src/backends/wire/peer-link.ts'
import { OPEN_ACL } from '../../src/backends/wire/records.ts'
import { SnapshotScanner } from '../../src/backends/wire/snapshot-stream.ts'
import { PlainState, StateFile } from '../../src/backends/wire/state-file.ts'
import { decodeTransaction, encodeTransaction } from '../../src/backends/wire/transactions.ts'
import type { Transaction, TxnBody } from '../../src/backends/wire/transactions.ts'
import {
  fromLeader,
  fromLeaderOfOurs,
  fromLearner,
  fromLearnerOfOurs,
} from '../../test/backends/wire/peer-messages.ts'
import { snapshotOf } from './server-files.ts'
import type { Form } from './form.ts'

const SAMPLES = { seed: 2, numRuns: 12 } as const
const SNAPSHOT_HEADER_BYTES = 16
const RECORD_HEAD_BYTES = 12
const CONFIGURATION =
  'server.1=a:1:2:participant;3\nserver.2=[::1]:1:2:participant;0.0.0.0:3\nserver.3=c:1:2:observer\nversion=100000004'

type Role = 'leader' | 'learner'

/** One end of a link, which has heard of the other, and bytes from there in pieces. */
function link(role: Role, isOurs: boolean, samples: fc.Arbitrary<Packet>): Form {
  return {
    name: `packets of a ${role === 'leader' ? 'learner' : 'leader'}${isOurs ? ' of ours' : ''}`,
    seeds: () => {
      const { there } = ends(role, isOurs)
      const packets = fc.sample(samples, SAMPLES)
      const each = packets.map((packet) => Uint8Array.of(64, ...Buffer.concat([...there.encode(packet)])))
      return [...each, Uint8Array.of(5, ...Buffer.concat(packets.flatMap((packet) => [...there.encode(packet)])))]
    },
    read: ([cut = 1, ...stream]) => {
      const { here } = ends(role, isOurs)
      const bytes = Uint8Array.from(stream)
      const packets: Packet[] = []
      for (let at = 0; at < bytes.length; at += Math.max(1, cut)) {
        here.receiveBytes(bytes.slice(at, at + Math.max(1, cut)), (packet) => packets.push(packet))
      }
      return packets
    },
  }
}

function ends(role: Role, isOurs: boolean): { readonly here: PeerLink; readonly there: PeerLink } {
  const leader = new PeerLink({ role: 'leader', sid: 1, configuration: CONFIGURATION })
  const learner = new PeerLink({ role: 'learner', sid: 2 })
  if (isOurs) {
    pass(learner, leader, { type: 'FOLLOWERINFO', acceptedEpoch: 1 })
    pass(leader, learner, { type: 'LEADERINFO', epoch: 2 })
  }
  return role === 'leader' ? { here: leader, there: learner } : { here: learner, there: leader }
}

function pass(from: PeerLink, to: PeerLink, packet: Packet): void {
  for (const bytes of from.encode(packet)) to.receiveBytes(bytes, () => undefined)
}

const initiation: Form = {
  name: 'an initiation',
  seeds: () => ['127.0.0.1', '::1', 'host.example'].map((host) => encodeInitiation(3, { host, port: 3_888 })),
  read: (bytes) => readInitiation(bytes),
}

const greeting: Form = {
  name: 'a learner\'s greeting',
  seeds: () => {
    const learner = new PeerLink({ role: 'learner', sid: 2 })
    return [Buffer.concat([...learner.encode({ type: 'FOLLOWERINFO', acceptedEpoch: 3 })])]
  },
  read: (bytes) => readLearnerGreeting(bytes.subarray(0, LEARNER_GREETING_BYTES_MAX)),
}

const notification: Form = {
  name: 'a notification',
  seeds: () => [CONFIGURATION, '', 'version=0'].map((text) => {
    const vote = { leader: 2, zxid: 0x100000003n, peerEpoch: 1, electionEpoch: 7 }
    return encodeNotification({ type: 'NOTIFICATION', state: 'LOOKING', ...vote }, text)
  }),
  read: (bytes) => {
    const wire = readNotification(bytes)
    decodeNotification(bytes)
    return wire
  },
  // Older forms are read, and not written.
  write: (value) => {
    const wire = value as WireNotification
    return wire.version === 2 ? writeNotification(wire) : null
  },
}

const body = { path: '/a', data: Uint8Array.of(1, 2, 3), acl: OPEN_ACL, parentCVersion: 1 }
const BODIES: readonly TxnBody[] = [
  { type: OpCode.create, body: { ...body, ephemeral: false } },
  { type: OpCode.createContainer, body },
  { type: OpCode.createTTL, body: { ...body, ttl: 1_000n } },
  { type: OpCode.delete, body: { path: '/a' } },
  { type: OpCode.setData, body: { path: '/a', data: null, version: 3 } },
  { type: OpCode.reconfig, body: { path: '/zookeeper/config', data: Buffer.from(CONFIGURATION), version: 1 } },
  { type: OpCode.setAcl, body: { path: '/a', acl: OPEN_ACL, version: 1 } },
  { type: OpCode.createSession, body: { timeOut: 4_000, passwd: new Uint8Array(16) } },
  { type: OpCode.closeSession, body: { paths2Delete: ['/a', '/b'] } },
  { type: OpCode.error, body: { err: -101 } },
  {
    type: OpCode.multi,
    body: [{ type: OpCode.delete, body: { path: '/a' } }, { type: OpCode.error, body: { err: 0 } }],
  },
]

const transactions = (): Uint8Array[] => BODIES.map((txn, index) => {
  const header = { clientId: 5n, cxid: index, zxid: BigInt(index + 1), time: 1_000, type: txn.type }
  return encodeTransaction({ header, txn })
})

const transaction: Form = {
  name: 'a transaction',
  seeds: transactions,
  read: (bytes) => decodeTransaction(bytes),
  write: (value) => encodeTransaction(value as Transaction),
}

const logEntry: Form = {
  name: 'an entry of a log',
  seeds: () => transactions().map((txn) => encodeLogRecord(txn, 7n).subarray(RECORD_HEAD_BYTES, -1)),
  read: (bytes) => readLogEntry(bytes),
}

const configuration: Form = {
  name: 'a configuration',
  seeds: () => [Buffer.from(CONFIGURATION)],
  read: (bytes) => readConfiguration(Buffer.from(bytes).toString('utf8')),
}

/** The state that a leader of ZooKeeper sends, in pieces. */
const state: Form = {
  name: 'a state after SNAP',
  seeds: () => [3, 200].map((cut) => {
    const plain = new PlainState()
    return Uint8Array.of(cut, ...Buffer.concat([...plain.convert(snapshotOf(5))]))
  }),
  read: ([cut = 1, ...stream]) => {
    const bytes = Uint8Array.from(stream)
    const scanner = new SnapshotScanner()
    const file = new StateFile()
    const pieces: Uint8Array[] = []
    for (let at = 0; at < bytes.length && !scanner.isDone; at += Math.max(1, cut)) {
      const piece = bytes.slice(at, at + Math.max(1, cut))
      pieces.push(file.convert(piece.subarray(0, scanner.scan(piece)), scanner.isDone))
    }
    return pieces.length
  },
}

/** A snapshot of a server of ours, in pieces, for a learner that is none. */
const plainState: Form = {
  name: 'a state for ZooKeeper',
  seeds: () => [Uint8Array.of(50, ...snapshotOf(5))],
  read: ([cut = 1, ...stream]) => {
    const bytes = Uint8Array.from(stream)
    if (bytes.length < SNAPSHOT_HEADER_BYTES) return null
    const plain = new PlainState()
    for (let at = 0; at < bytes.length; at += Math.max(1, cut)) plain.convert(bytes.slice(at, at + Math.max(1, cut)))
    return null
  },
}

/** In the order in which findings number them. */
export const PEER_FORMS: readonly Form[] = [
  link('leader', false, fromLearner),
  link('leader', true, fromLearnerOfOurs),
  link('learner', false, fromLeader),
  link('learner', true, fromLeaderOfOurs),
  ...[initiation, greeting, notification, transaction, logEntry, configuration, state, plainState],
]
