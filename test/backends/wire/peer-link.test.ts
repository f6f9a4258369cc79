import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCoordinationError } from '../../../src/core/errors.ts'
import { Err, OpCode } from '../../../src/backends/wire/codes.ts'
import { PeerLink } from '../../../src/backends/wire/peer-link.ts'
import type { ForwardedRequest, Packet } from '../../../src/backends/wire/packets.ts'
import { encodeTransaction } from '../../../src/backends/wire/transactions.ts'
import { zooKeeperPassword } from '../../../src/backends/wire/zookeeper-password.ts'
import { PacketType } from '../../../src/backends/wire/quorum-packets.ts'
import { fromLeader, fromLeaderOfOurs, fromLearner, fromLearnerOfOurs, opening } from './peer-messages.ts'
import { RECORDED_LINKS, withoutDigest } from './recorded-peers.ts'
import type { RecordedFrame } from './recorded-peers.ts'

const SET_DATA = encodeTransaction({
  header: { clientId: 1n, cxid: 2, zxid: 3n, time: 4, type: OpCode.setData },
  txn: { type: OpCode.setData, body: { path: '/a', data: null, version: 1 } },
})
const PACKET_TYPES = Object.values(PacketType)
const ANNOUNCEMENT = '5152544500000001'

interface Ends {
  readonly learner: PeerLink
  readonly leader: PeerLink
}

function bytesOf(link: PeerLink, packet: Packet): Uint8Array {
  return Uint8Array.from(Buffer.concat(link.encode(packet)))
}

function read(link: PeerLink, bytes: Uint8Array): Packet[] {
  const packets: Packet[] = []
  link.receiveBytes(bytes, (packet) => packets.push(packet))
  return packets
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** Two ends of ours, as far as they have to talk before they know of each other. */
function introduced(): Ends {
  const learner = new PeerLink({ role: 'learner', sid: 1 })
  const leader = new PeerLink({ role: 'leader', sid: 3 })
  read(leader, bytesOf(learner, { type: 'FOLLOWERINFO', acceptedEpoch: 0 }))
  read(learner, bytesOf(leader, { type: 'LEADERINFO', epoch: 1 }))
  return { learner, leader }
}

/** The bytes of what a learner sends, without what a server of ours adds to LearnerInfo. */
function unannounced(bytes: Uint8Array): string {
  const text = hex(bytes)
  return text.includes(ANNOUNCEMENT) ? text.replace(ANNOUNCEMENT, '').replace('0000001c', '00000014') : text
}

function errorOf(run: () => unknown): string | null {
  try {
    run()
    return null
  } catch (error) {
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION') && error.outcome === 'corrupt') return error.message
    throw error
  }
}

/** The configuration in a recorded NEWLEADER. */
function configurationOf(frames: readonly RecordedFrame[]): string | null {
  const frame = frames.find(({ name }) => name === 'NEWLEADER')
  return frame === undefined ? null : Buffer.from(frame.bytes.subarray(16, -4)).toString()
}

function request(op: number, body: unknown): Extract<Packet, { type: 'REQUEST' }> {
  return { type: 'REQUEST', request: { sessionId: 1n, xid: 2, op, body, identities: [] } }
}

function requestOf([packet]: readonly Packet[]): ForwardedRequest | null {
  return packet?.type === 'REQUEST' ? packet.request : null
}

const STATIC_LINKS = RECORDED_LINKS.filter(({ title }) => !title.includes('reconfiguration'))

describe('a link to a real server', () => {
  it.each(STATIC_LINKS)('carries what was recorded: $title', ({ learner: sid, leader: leaderSid, frames }) => {
    const learner = new PeerLink({ role: 'learner', sid })
    const leader = new PeerLink({ role: 'leader', sid: leaderSid, configuration: configurationOf(frames) })
    for (const { from, name, bytes } of frames) {
      const [sender, receiver] = from === 'leader' ? [leader, learner] : [learner, leader]
      const [packet, ...others] = read(receiver, bytes)
      if (packet === undefined) throw new Error(`no packet in ${name}`)
      expect(others).toEqual([])
      const again = unannounced(bytesOf(sender, packet))
      // The learner of a sync does not say to ours which path its client named.
      if (packet.type !== 'SYNC') expect(again, name).toBe(hex(withoutDigest({ from, name, bytes })))
    }
    expect([learner.dialect, leader.dialect]).toEqual(['zookeeper', 'zookeeper'])
  })

  it('tells the leader who the learner is', () => {
    const [link] = STATIC_LINKS
    const leader = new PeerLink({ role: 'leader', sid: 3 })
    read(leader, link?.frames[0]?.bytes ?? new Uint8Array())
    expect(leader.learnerInfo).toEqual({ sid: 1n, configurationVersion: 0n })
  })

  it('brings the records of a state in any chunks, and knows where they end', () => {
    const [link] = RECORDED_LINKS.filter(({ frames }) => frames.some(({ name }) => name === 'STATE'))
    const stream = (link?.frames ?? []).filter(({ name }) => ['SNAP', 'STATE', 'NEWLEADER'].includes(name))
    const bytes = Uint8Array.from(Buffer.concat(stream.map((frame) => frame.bytes)))
    const state = stream.find(({ name }) => name === 'STATE')?.bytes ?? new Uint8Array()
    for (const length of [1, 3, 100, 1_000, bytes.length]) {
      const learner = new PeerLink({ role: 'learner', sid: 1 })
      const packets: Packet[] = []
      for (let at = 0; at < bytes.length; at += length) packets.push(...read(learner, bytes.slice(at, at + length)))
      const chunks = packets.slice(1, -1)
      const received = chunks.flatMap((packet) => (packet.type === 'SNAPCHUNK' ? [packet.bytes] : []))
      expect(chunks.map((packet) => packet.type === 'SNAPCHUNK' && packet.isLast)).toEqual(
        received.map((_, index) => index === received.length - 1),
      )
      expect(hex(Buffer.concat(received))).toBe(hex(state))
      expect([packets[0]?.type, packets.at(-1)?.type]).toEqual(['SNAP', 'NEWLEADER'])
    }
  })

  it('sends a state as it is, and says nothing of chunks that have come', () => {
    const leader = new PeerLink({ role: 'leader', sid: 3 })
    const bytes = Uint8Array.of(1, 2, 3)
    expect(leader.encode({ type: 'SNAPCHUNK', bytes, isLast: false })).toEqual([bytes])
    expect(leader.encode({ type: 'SNAPCHUNK', bytes: new Uint8Array(), isLast: true })).toEqual([])
    expect(new PeerLink({ role: 'learner', sid: 1 }).encode({ type: 'SNAPACK' })).toEqual([])
  })

  it('refuses packets of ours, and a reconfiguration', () => {
    const ours = introduced()
    const chunk = bytesOf(ours.leader, { type: 'SNAPCHUNK', bytes: new Uint8Array(3), isLast: true })
    expect(errorOf(() => read(new PeerLink({ role: 'learner', sid: 1 }), chunk))).toContain('type 102')
    const ack = bytesOf(ours.learner, { type: 'SNAPACK' })
    expect(errorOf(() => read(new PeerLink({ role: 'leader', sid: 3 }), ack))).toContain('type 103')
    for (const name of ['COMMITANDACTIVATE', 'INFORMANDACTIVATE']) {
      const frames = RECORDED_LINKS.flatMap((link) => link.frames).filter((frame) => frame.name === name)
      expect(frames.length).toBeGreaterThan(0)
      const learner = new PeerLink({ role: 'learner', sid: 1 })
      expect(errorOf(() => read(learner, frames[0]?.bytes ?? new Uint8Array()))).not.toBe(null)
    }
  })

  it('asks for a sync as a client of ZooKeeper does, and matches the answers by their order', () => {
    const learner = new PeerLink({ role: 'learner', sid: 1 })
    const leader = new PeerLink({ role: 'leader', sid: 3 })
    const touched = [{ sessionId: 5n, timeoutMs: 6 }]
    const asked = [bytesOf(learner, { type: 'SYNC', syncId: 70, touched }), bytesOf(learner, {
      type: 'SYNC', syncId: 80, touched: [],
    })]
    expect(asked.flatMap((bytes) => read(leader, bytes))).toEqual([
      { type: 'PING', touched },
      { type: 'SYNC', syncId: 1, touched: [] },
      { type: 'SYNC', syncId: 2, touched: [] },
    ])
    const answer = bytesOf(leader, { type: 'SYNCED', syncId: 1 })
    expect(hex(answer)).toBe(`00000007${'0'.repeat(16)}ffffffffffffffff`)
    expect([...read(learner, answer), ...read(learner, answer)]).toEqual([
      { type: 'SYNCED', syncId: 70 },
      { type: 'SYNCED', syncId: 80 },
    ])
    expect(errorOf(() => read(learner, answer))).toContain('nobody asked')
  })

  it('commits each proposal by itself, where one of ours commits all up to it', () => {
    const leader = new PeerLink({ role: 'leader', sid: 3 })
    const learner = new PeerLink({ role: 'learner', sid: 1 })
    for (const zxid of [1n, 2n, 3n]) bytesOf(leader, { type: 'PROPOSAL', zxid, txn: SET_DATA })
    const commits = (zxid: bigint): readonly Packet[] => read(learner, bytesOf(leader, { type: 'COMMIT', zxid }))
    expect(commits(2n)).toEqual([{ type: 'COMMIT', zxid: 1n }, { type: 'COMMIT', zxid: 2n }])
    expect([commits(2n), commits(9n)]).toEqual([[], [{ type: 'COMMIT', zxid: 3n }]])
  })

  it('commits nothing between NEWLEADER and UPTODATE, where a learner of ZooKeeper fails at a COMMIT', () => {
    const leader = new PeerLink({ role: 'leader', sid: 3 })
    const learner = new PeerLink({ role: 'learner', sid: 1 })
    const sent = (packet: Packet): string[] => read(learner, bytesOf(leader, packet)).map(({ type }) => type)
    for (const zxid of [1n, 2n, 3n]) sent({ type: 'PROPOSAL', zxid, txn: SET_DATA })
    expect(sent({ type: 'COMMIT', zxid: 1n })).toEqual(['COMMIT'])
    expect(sent({ type: 'NEWLEADER', zxid: 0x100000000n })).toEqual(['NEWLEADER'])
    expect(sent({ type: 'COMMIT', zxid: 2n })).toEqual([])
    expect(sent({ type: 'COMMIT', zxid: 3n })).toEqual([])
    expect(sent({ type: 'UPTODATE' })).toEqual(['UPTODATE', 'COMMIT', 'COMMIT'])
    sent({ type: 'PROPOSAL', zxid: 4n, txn: SET_DATA })
    expect(sent({ type: 'COMMIT', zxid: 4n })).toEqual(['COMMIT'])
  })

  it('sends no password of a session that begins, and knows no digest', () => {
    const leader = new PeerLink({ role: 'leader', sid: 3 })
    const learner = new PeerLink({ role: 'learner', sid: 1 })
    const header = { clientId: 5n, cxid: 0, zxid: 1n, time: 7, type: OpCode.createSession }
    const txnOf = (passwd: Uint8Array | null): Uint8Array => {
      return encodeTransaction({ header, txn: { type: OpCode.createSession, body: { timeOut: 600, passwd } } })
    }
    const sent = { type: 'PROPOSAL', zxid: 1n, txn: txnOf(new Uint8Array(16).fill(0xab)) } as const
    expect(read(learner, bytesOf(leader, sent))).toEqual([{ ...sent, txn: txnOf(null) }])
  })

  it('remembers which connection a session moves to, and shows nobody its password', () => {
    const learner = new PeerLink({ role: 'learner', sid: 1 })
    const leader = new PeerLink({ role: 'leader', sid: 3 })
    const passwd = new Uint8Array(16).fill(0xab)
    const asked = bytesOf(learner, { type: 'REVALIDATE', connection: 9, sessionId: 5n, timeoutMs: 600, passwd })
    expect(hex(asked)).not.toContain('abab')
    expect(read(leader, asked)).toMatchObject([{ connection: 0, sessionId: 5n, passwd: zooKeeperPassword(5n) }])
    const answer = { type: 'REVALIDATED', connection: 0, sessionId: 5n, valid: true, timeoutMs: 600 } as const
    expect(read(learner, bytesOf(leader, answer))).toEqual([{ ...answer, connection: 9 }])
    expect(errorOf(() => read(learner, bytesOf(leader, answer)))).toContain('session 5')
  })

  it('sends no secret of a session, no lone check and no refusal of ours', () => {
    const learner = new PeerLink({ role: 'learner', sid: 1 })
    const leader = new PeerLink({ role: 'leader', sid: 3 })
    const sent = (packet: Packet): ForwardedRequest | null => requestOf(read(leader, bytesOf(learner, packet)))
    const created = request(OpCode.createSession, { timeOut: 600, passwd: new Uint8Array(16) })
    expect(sent(created)).toMatchObject({ op: OpCode.createSession, body: { timeOut: 600, passwd: null } })
    const check = { path: '/a', version: 1 }
    expect(sent(request(OpCode.check, check))).toMatchObject({
      op: OpCode.multi,
      body: [{ op: OpCode.check, body: check }],
    })
    const closed = request(OpCode.closeSession, null)
    const local = { ...closed, request: { ...closed.request, localPasswd: new Uint8Array(16) } }
    expect(sent(local)).toEqual(closed.request)
    const refused = { op: OpCode.error, body: { err: Err.marshallingError } }
    expect(sent(request(OpCode.error, { err: Err.unimplemented }))).toMatchObject(refused)
  })

  it('reads a change of the configuration', () => {
    const leader = new PeerLink({ role: 'leader', sid: 3 })
    const reconfig = RECORDED_LINKS.flatMap(({ frames }) => frames).filter(({ bytes }) => bytes[31] === OpCode.reconfig)
    expect(reconfig.map(({ name }) => name)).toEqual(['REQUEST'])
    expect(requestOf(read(leader, reconfig[0]?.bytes ?? new Uint8Array()))).toMatchObject({
      op: OpCode.reconfig,
      body: { newMembers: null, curConfigId: -1n },
    })
  })
})

describe('a link between servers of ours', () => {
  it('is recognised by both ends', () => {
    const { learner, leader } = introduced()
    expect([learner.dialect, leader.dialect]).toEqual(['quorate', 'quorate'])
  })

  it('brings every packet as it was sent', () => {
    const runs = { numRuns: 400 }
    fc.assert(fc.property(opening, (packet) => {
      const leader = new PeerLink({ role: 'leader', sid: 3 })
      expect(read(leader, bytesOf(new PeerLink({ role: 'learner', sid: 1 }), packet))).toEqual([packet])
    }), runs)
    const { learner, leader } = introduced()
    fc.assert(fc.property(fromLearnerOfOurs, (packet) => {
      expect(read(leader, bytesOf(learner, packet))).toEqual([packet])
    }), runs)
    fc.assert(fc.property(fromLeaderOfOurs, (packet) => {
      expect(read(learner, bytesOf(leader, packet))).toEqual([packet])
    }), runs)
  })

  it('brings them whatever the chunks are, and none before its last byte', () => {
    const several = fc.array(fromLeaderOfOurs, { maxLength: 5 })
    fc.assert(fc.property(several, fc.integer({ min: 1, max: 9 }), (sent, length) => {
      const { learner, leader } = introduced()
      const received: Packet[] = []
      for (const [index, packet] of sent.entries()) {
        const bytes = bytesOf(leader, packet)
        for (let at = 0; at < bytes.length; at += length) {
          expect(received.length).toBe(index)
          received.push(...read(learner, bytes.slice(at, at + length)))
        }
      }
      expect(received).toEqual(sent)
    }))
  })

  it('fed with random bytes gives packets or an error, and raises nothing else', () => {
    let refused = 0
    const anything = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 4 })
    // Otherwise most of them would end at the first type.
    const begun = fc.tuple(fc.constantFrom(...PACKET_TYPES), fc.uint8Array({ maxLength: 60 })).map(([type, rest]) => {
      return [Uint8Array.of(0, 0, 0, type), rest]
    })
    fc.assert(fc.property(fc.oneof(anything, begun), fc.constantFrom('leader', 'learner'), (chunks, role) => {
      for (const end of [introduced()[role], new PeerLink({ role, sid: 1 })]) {
        if (errorOf(() => chunks.forEach((chunk) => read(end, chunk))) !== null) refused += 1
      }
    }), { numRuns: 2_000 })
    expect(refused).toBeGreaterThan(500)
  })

  it('with one byte changed gives packets or an error, and raises nothing else', () => {
    let refused = 0
    const judge = (ends: () => [PeerLink, PeerLink], packet: Packet, mask: number): void => {
      const { length } = bytesOf(ends()[0], packet)
      for (let at = 0; at < length; at++) {
        const [sender, receiver] = ends()
        const bytes = bytesOf(sender, packet)
        bytes[at] = (bytes[at] ?? 0) ^ mask
        if (errorOf(() => read(receiver, bytes)) !== null) refused += 1
      }
    }
    const mask = fc.integer({ min: 1, max: 255 })
    const ours = introduced()
    fc.assert(fc.property(fromLearnerOfOurs, mask, (packet, by) => {
      judge(() => [ours.learner, introduced().leader], packet, by)
    }), { numRuns: 60 })
    fc.assert(fc.property(fromLeaderOfOurs, mask, (packet, by) => {
      judge(() => [ours.leader, introduced().learner], packet, by)
    }), { numRuns: 60 })
    const plain = (): Ends => ({
      learner: new PeerLink({ role: 'learner', sid: 1 }),
      leader: new PeerLink({ role: 'leader', sid: 3 }),
    })
    fc.assert(fc.property(fromLearner, mask, (packet, by) => {
      judge(() => [plain().learner, plain().leader], packet, by)
    }), { numRuns: 60 })
    fc.assert(fc.property(fromLeader, mask, (packet, by) => {
      judge(() => [plain().leader, plain().learner], packet, by)
    }), { numRuns: 60 })
    expect(refused).toBeGreaterThan(0)
  })

  it('encodes a proposal once for all learners', () => {
    const txn = new Uint8Array(40)
    const [first, second] = [introduced(), introduced()].map(({ leader }) => leader.encode({
      type: 'PROPOSAL', zxid: 1n, txn,
    }))
    expect(second).toBe(first)
    const inform = introduced().leader.encode({ type: 'INFORM', zxid: 1n, txn })
    expect(inform.map(hex)[0]).not.toBe(first?.map(hex)[0])
    expect(inform[1]).toBe(txn)
  })

  it('brings requests that share memory as they were, however many follow', () => {
    const { learner, leader } = introduced()
    const sent = Array.from({ length: 3_000 }, (_, xid) => {
      const data = new Uint8Array(xid % 97).fill(xid)
      const body = { path: `/node-${xid}`, data, version: -1 }
      return { type: 'REQUEST', request: { sessionId: 1n, xid, op: OpCode.setData, body, identities: [] } } as const
    })
    const received = sent.map((packet) => learner.encode(packet)).flatMap((pieces) => {
      return pieces.flatMap((piece) => read(leader, piece))
    })
    expect(received).toEqual(sent)
  })

  it('brings the zxids of one epoch after those of another', () => {
    const { learner, leader } = introduced()
    for (const zxid of [0n, 2n ** 32n - 1n, 2n ** 32n, 5n << 32n, (5n << 32n) + 7n, 2n ** 63n - 1n, 1n]) {
      expect(read(learner, bytesOf(leader, { type: 'COMMIT', zxid }))).toEqual([{ type: 'COMMIT', zxid }])
    }
  })

  it('copies no part of a state', () => {
    const { learner, leader } = introduced()
    const bytes = new Uint8Array(100_000)
    const [chunk] = leader.encode({ type: 'SNAPCHUNK', bytes, isLast: false }).flatMap((piece) => read(learner, piece))
    expect(chunk?.type === 'SNAPCHUNK' && chunk.bytes === bytes).toBe(true)
  })

  it('copies no transaction that is a piece of its own, and keeps a small one out of a large chunk', () => {
    const { learner, leader } = introduced()
    const txn = new Uint8Array(40).fill(1)
    const pieces = leader.encode({ type: 'PROPOSAL', zxid: 1n, txn })
    const [proposal] = pieces.flatMap((piece) => read(learner, piece))
    expect(proposal?.type === 'PROPOSAL' && proposal.txn === txn).toBe(true)
    const chunk = Uint8Array.from(Buffer.concat([...pieces, ...pieces, ...pieces]))
    const kept = read(learner, chunk).flatMap((packet) => (packet.type === 'PROPOSAL' ? [packet.txn] : []))
    expect(kept.map((bytes) => bytes.buffer.byteLength)).toEqual([40, 40, 40])
  })

  it.each([
    ['a leader\'s packet from a learner', 'leader', '0000000d0000000000000000ffffffffffffffff', 'type 13'],
    ['a learner\'s packet from a leader', 'learner', '000000030000000000000000ffffffffffffffff', 'type 3'],
    ['a PING of a learner without a table', 'leader', '000000050000000000000000ffffffffffffffff', 'no data'],
    ['a table that ends within a session', 'leader', '000000050000000000000000000000010affffffff', 'of 1 bytes'],
    ['a negative zxid', 'learner', '00000004ffffffffffffffffffffffffffffffff', 'zxid -1'],
    ['a COMMIT with data', 'learner', '0000000400000000000000000000000100ffffffff', '1 bytes of data'],
    ['a proposal without a transaction', 'learner', '000000020000000000000001ffffffffffffffff', 'no data'],
    ['an epoch that begins with a transaction', 'learner', '0000000a0000000100000001ffffffffffffffff', 'epoch begins'],
    ['a LEADERINFO of another version', 'learner', '0000001100000001000000000000000400020000ffffffff', '131072'],
    ['a REQUEST without an operation', 'leader', '00000001ffffffffffffffff0000000100ffffffff', 'REQUEST of 1 bytes'],
    ['a LearnerInfo of 3.3', 'leader', '0000000b0000000000000000000000080000000000000001ffffffff', '8 bytes'],
    ['identities in an ACK', 'leader', '000000030000000000000000ffffffff00000000', 'identities'],
  ] as const)('is refused after %s', (_, role, bytes, message) => {
    const ends = introduced()
    expect(errorOf(() => read(ends[role], Uint8Array.from(Buffer.from(bytes, 'hex'))))).toContain(message)
  })
})
