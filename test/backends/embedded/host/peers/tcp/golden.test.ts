/** Recorded traffic of real servers of 3.8.0, played to a server of ours as either side. */
import { afterEach, describe, expect, it } from 'vitest'
import { PeerLink } from '../../../../../../src/backends/wire/peer-link.ts'
import { decodeNotification, readNotification } from '../../../../../../src/backends/wire/notifications.ts'
import type { Notification, Packet } from '../../../../../../src/backends/wire/packets.ts'
import type { PeerAddress } from '../../../../../../src/backends/embedded/host/peers/tcp/peer-address.ts'
import { NOTHING_REPLAYED, Replica } from '../../../../../../src/backends/embedded/server/state/replica.ts'
import { State } from '../../../../../../src/backends/embedded/server/state/state.ts'
import { RECORDED_LINKS, RECORDED_NOTIFICATIONS, withoutDigest } from '../../../../wire/recorded-peers.ts'
import type { RecordedFrame } from '../../../../wire/recorded-peers.ts'
import { Node, RawEnd, RawPort, loopback, until } from './tcp-rig.ts'
import type { Link } from './tcp-rig.ts'

/** LearnerInfo with the announcement of our extensions, and without. */
const ANNOUNCEMENT = '5152544500000001'
const GREETING_BYTES = 48

let servers: ReadonlyMap<number, PeerAddress>
let running: Node[] = []
let ports: RawPort[] = []

/** One of ours, with the configuration that the recorded servers had. */
async function startOurs(id: number, configuration: string): Promise<Node> {
  servers = await loopback(4)
  const node = new Node(id, servers, { configuration })
  running.push(node)
  await node.peers.listen()
  return node
}

async function rawPort(port = 0): Promise<RawPort> {
  const raw = await RawPort.at(port)
  ports.push(raw)
  return raw
}

function addressOf(id: number): PeerAddress {
  return servers.get(id) ?? { host: '', peerPort: 0, electionPort: 0 }
}

afterEach(async () => {
  for (const port of ports) port.close()
  await Promise.all(running.map((node) => node.peers.close()))
  running = []
  ports = []
})

/** A recorded vote of a server in a state: as understood, and in a frame. */
function recordedVote(sender: number, state: string): { vote: Notification; hex: string; configuration: string } {
  const { bytes } = RECORDED_NOTIFICATIONS.find(({ title }) => title.startsWith(`server ${sender} ${state}`)) ?? {}
  if (bytes === undefined) throw new Error(`server ${sender} was not recorded ${state}`)
  return {
    vote: decodeNotification(bytes),
    hex: bytes.length.toString(16).padStart(8, '0') + Buffer.from(bytes).toString('hex'),
    configuration: readNotification(bytes).configuration ?? '',
  }
}

/** The first bytes of a server whose election port is on loopback. */
function initiation(protocol: 'ffffffffffff0000' | 'ffffffffffff0001', sid: number): string {
  const address = Buffer.from(`127.0.0.1:${addressOf(sid).electionPort}`)
  return `${protocol}${hexOf(sid, 16)}${hexOf(address.length, 8)}${address.toString('hex')}`
}

function hexOf(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}

describe('the election port', () => {
  it.each(['ffffffffffff0000', 'ffffffffffff0001'] as const)(
    'keeps the connection of a greater server, which begins with %s, and answers on it as a real one does',
    async (protocol) => {
      const { vote, hex } = recordedVote(3, 'LOOKING')
      const answer = recordedVote(1, 'LOOKING')
      const ours = await startOurs(1, answer.configuration)
      const greater = await RawEnd.to(addressOf(1).electionPort)
      greater.write(initiation(protocol, 3) + hex)
      await until(() => ours.votes.length === 1)
      expect(ours.votes).toEqual([{ from: 3, vote }])
      ours.peers.sendVote(3, answer.vote)
      expect(await greater.take(answer.hex.length / 2)).toBe(answer.hex)
      expect(greater.isOver).toBe(false)
    },
  )

  it('takes the first bytes of a server before 3.5, and its vote without a configuration', async () => {
    const ours = await startOurs(1, '')
    const old = await RawEnd.to(addressOf(1).electionPort)
    const { hex, vote } = recordedVote(3, 'LOOKING')
    // Without version and configuration.
    const plain = hex.slice(8, 8 + 80)
    old.write(`${hexOf(3, 16)}00000028${plain}0000001c${plain.slice(0, 56)}`)
    await until(() => ours.votes.length === 2)
    expect(ours.votes.map((heard) => heard.vote)).toEqual([vote, vote])
  })

  it('dials a smaller server, and speaks as a real one does', async () => {
    const { vote, hex, configuration } = recordedVote(3, 'LOOKING')
    const answer = recordedVote(1, 'LOOKING')
    const ours = await startOurs(3, configuration)
    const smaller = await rawPort(addressOf(1).electionPort)
    ours.peers.sendVote(1, vote)
    const end = await smaller.end(0)
    const first = initiation('ffffffffffff0000', 3)
    expect(await end.take(first.length / 2)).toBe(first)
    expect(await end.take(hex.length / 2)).toBe(hex)
    end.write(answer.hex)
    await until(() => ours.votes.length === 1)
    expect(ours.votes).toEqual([{ from: 1, vote: answer.vote }])
  })

  it('says who it is to a greater server, closes, and waits to be dialled', async () => {
    const { vote, hex, configuration } = recordedVote(1, 'LOOKING')
    const ours = await startOurs(1, configuration)
    const greater = await rawPort(addressOf(3).electionPort)
    ours.peers.sendVote(3, vote)
    const asked = await greater.end(0)
    const first = initiation('ffffffffffff0000', 1)
    expect(await asked.take(first.length / 2)).toBe(first)
    await until(() => asked.isOver)
    expect(asked.heardBytes).toBe(0)
    const back = await RawEnd.to(addressOf(1).electionPort)
    back.write(initiation('ffffffffffff0000', 3))
    expect(await back.take(hex.length / 2)).toBe(hex)
  })

  it('closes the connection of a smaller server, and dials it back where it is configured to be', async () => {
    const ours = await startOurs(3, '')
    const smaller = await rawPort(addressOf(1).electionPort)
    const asking = await RawEnd.to(addressOf(3).electionPort)
    asking.write(initiation('ffffffffffff0000', 1).replace(hexOf(addressOf(1).electionPort, 4), '0001'))
    await until(() => asking.isOver)
    const end = await smaller.end(0)
    const first = initiation('ffffffffffff0000', 3)
    expect(await end.take(first.length / 2)).toBe(first)
    expect(ours.peers.electionPeers).toEqual([1])
  })
})

/** Those that end without a reconfiguration, and without a state, which ours is not. */
const PLAYED = RECORDED_LINKS.filter(({ frames }) => {
  const isWhole = /^(FOLLOWER|OBSERVER)INFO$/.test(frames[0]?.name ?? '')
  return isWhole && frames.every(({ name }) => name !== 'SNAP' && !name.endsWith('ANDACTIVATE'))
})

function configurationOf(frames: readonly RecordedFrame[]): string {
  const { bytes = new Uint8Array() } = frames.find(({ name }) => name === 'NEWLEADER') ?? {}
  return Buffer.from(bytes.subarray(16, -4)).toString()
}

function hexBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** The next packet of one end of ours. */
async function nextOf(link: Link): Promise<Packet> {
  await until(() => link.packets.length > 0)
  return link.packets.shift() as Packet
}

/** Sends what a real server sent, as the packet that it is. */
function repeat(link: Link, shadow: PeerLink, { bytes }: RecordedFrame): void {
  shadow.receiveBytes(bytes, (packet) => {
    link.connection.send(packet)
  })
}

describe('the quorum port', () => {
  it.each(PLAYED)('leads a real learner as a real leader does: $title', async ({ learner, leader, frames }) => {
    const ours = await startOurs(leader, configurationOf(frames))
    const raw = await RawEnd.to(addressOf(leader).peerPort)
    const shadow = new PeerLink({ role: 'learner', sid: learner })
    const asShadow = new PeerLink({ role: 'leader', sid: leader })
    for (const { from, bytes, name } of frames) {
      if (from === 'learner') {
        raw.write(hexBytes(bytes))
        await until(() => ours.accepted.length === 1)
        const packet = await nextOf(ours.accepted[0] as Link)
        asShadow.receiveBytes(bytes, (expected) => {
          expect(packet, name).toEqual(expected)
        })
        // So that it knows what the answers belong to.
        shadow.encode(packet)
      } else {
        repeat(ours.accepted[0] as Link, shadow, { from, bytes, name })
        const expected = withoutDigest({ from, bytes, name })
        expect(await raw.take(expected.length), name).toBe(hexBytes(expected))
      }
    }
    expect(ours.accepted.map(({ peer, isClosed }) => [peer, isClosed])).toEqual([[learner, false]])
  })

  it.each(PLAYED)('follows a real leader as a real learner does: $title', async ({ learner, leader, frames }) => {
    const ours = await startOurs(learner, '')
    const port = await rawPort(addressOf(leader).peerPort)
    const link = await ours.dial(leader)
    if (link === null) throw new Error('the dial failed')
    const raw = await port.end(0)
    const shadow = new PeerLink({ role: 'leader', sid: leader })
    for (const frame of frames) {
      const { from, bytes, name } = frame
      if (from === 'leader') {
        raw.write(hexBytes(bytes))
        await nextOf(link)
      } else {
        repeat(link, shadow, frame)
        if (frame === frames[0]) {
          const greeting = await raw.take(GREETING_BYTES)
          expect(greeting.replace(ANNOUNCEMENT, '').replace('0000001c', '00000014')).toBe(hexBytes(bytes))
        } else if (name !== 'REQUEST' || !isSync(bytes)) {
          expect(await raw.take(bytes.length), name).toBe(hexBytes(bytes))
        } else await raw.take(SYNC_BYTES)
      }
    }
    expect([link.isClosed, raw.heardBytes]).toEqual([false, 0])
  })
})

const LIMITS = { snapCount: 100, snapLogBytes: 1_000_000, membership: '' }
const RANDOM = { u32: () => 0, bytes: (length: number) => new Uint8Array(length) }
const SPECIAL_NODES = 4

describe('a state of a real leader', () => {
  it('comes as the snapshot file that it would be, and a replica keeps it as one of ours', async () => {
    const recorded = RECORDED_LINKS.find(({ frames }) => frames.some(({ name }) => name === 'SNAP'))
    if (recorded === undefined) throw new Error('no state was recorded')
    const { leader, learner, frames } = recorded
    const ours = await startOurs(learner, '')
    const port = await rawPort(addressOf(leader).peerPort)
    const link = await ours.dial(leader)
    const raw = await port.end(0)
    for (const { from, bytes } of frames) if (from === 'leader') raw.write(hexBytes(bytes))
    await until(() => link?.packets.some(({ type }) => type === 'NEWLEADER') === true)
    const packets = link?.packets ?? []
    const zxid = packets.flatMap((packet) => (packet.type === 'SNAP' ? [packet.zxid] : []))[0] ?? -1n
    const replica = new Replica(LIMITS, { state: null, logDigest: null, replayed: NOTHING_REPLAYED }, RANDOM)
    const intake = replica.receiveSnapshot(zxid, true)
    for (const packet of packets) if (packet.type === 'SNAPCHUNK') intake.write(packet.bytes)
    const stored = intake.finish([])
    expect(stored?.zxid).toBe(zxid)
    expect(link?.isClosed).toBe(false)
    const kept = State.restore(...(stored?.chunks ?? []))
    expect(kept.lastZxid).toBe(zxid)
    expect(kept.tree.nodeCount).toBe(replica.state.tree.nodeCount)
    expect(kept.tree.nodeCount).toBeGreaterThan(SPECIAL_NODES)
  })
})

/** A sync of ours names no path of a client: the bytes of one, and of its number in a REQUEST. */
const SYNC_BYTES = 41
const OP_AT = 28
const OP_SYNC = 9

function isSync(bytes: Uint8Array): boolean {
  return Buffer.from(bytes).readInt32BE(OP_AT) === OP_SYNC
}
