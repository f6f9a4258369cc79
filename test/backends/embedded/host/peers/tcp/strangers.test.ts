/** Connections of those who are no servers of the ensemble, or do not keep to the protocol. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PeerAddress } from '../../../../../../src/backends/embedded/host/peers/tcp/peer-address.ts'
import { Node, RawEnd, RawPort, WAIT_MS_MAX, loopback, until, vote } from './tcp-rig.ts'
import type { Link } from './tcp-rig.ts'

const IDENTIFY_MS = 500
const STRANGERS_MAX = 64
const HTTP = Buffer.from('GET / HTTP/1.1\r\n\r\n').toString('hex')
const ANONYMOUS = '7fffffffffffffff'
const LOOPBACK = Buffer.from('127.0.0.1:1').toString('hex')

let servers: ReadonlyMap<number, PeerAddress>
let learner: Node
let leader: Node
let link: { readonly learner: Link; readonly leader: Link }
let raws: RawEnd[]

async function raw(port: 'election' | 'quorum'): Promise<RawEnd> {
  const { electionPort = 0, peerPort = 0 } = servers.get(2) ?? {}
  const end = await RawEnd.to(port === 'election' ? electionPort : peerPort)
  raws.push(end)
  return end
}

function initiation(sid: string): string {
  return `ffffffffffff0000${sid.padStart(16, '0')}0000000b${LOOPBACK}`
}

function followerInfo(sid: string, configurationVersion = 0): string {
  const version = configurationVersion.toString(16).padStart(16, '0')
  return `0000000b000000000000000000000014${sid.padStart(16, '0')}00010000${version}ffffffff`
}

beforeEach(async () => {
  raws = []
  servers = await loopback(3)
  learner = new Node(1, servers)
  leader = new Node(2, servers, { connectTimeoutMs: IDENTIFY_MS })
  await Promise.all([learner, leader].map((node) => node.peers.listen()))
  link = await learner.linkTo(leader)
  learner.peers.sendVote(2, vote(1))
  await until(() => leader.rounds(1).includes(1))
})

/** Whatever strangers did, the pair goes on as if they had not been there. */
afterEach(async () => {
  link.leader.connection.send({ type: 'COMMIT', zxid: 7n })
  link.learner.connection.send({ type: 'ACK', zxid: 7n })
  learner.peers.sendVote(2, vote(9))
  leader.peers.sendVote(1, vote(9))
  await until(() => link.learner.packets.length === 2 && link.leader.packets.length === 2)
  await until(() => leader.rounds(1).includes(9) && learner.rounds(2).includes(9))
  for (const { socket } of raws) socket.destroy()
  await Promise.all([learner, leader].map((node) => node.peers.close()))
})

describe('a stranger is dropped', () => {
  it.each([
    ['quorum', 'GET / HTTP', HTTP, 'type 1195725856'],
    ['quorum', 'a long packet', '0000000b00000000000000007fffffff00', '2147483647 bytes of data'],
    ['quorum', 'another packet', '0000000500000000000000000000000000000000', 'type 5'],
    ['quorum', 'an id that there is not', followerInfo('9'), 'server 9 is none of the others'],
    ['quorum', 'the id of the server itself', followerInfo('2'), 'server 2 is none of the others'],
    ['quorum', 'a newer configuration', followerInfo('3', 5), 'server 3 has configuration 5'],
    ['election', 'GET / HTTP', HTTP, 'server 5135603447292250196 is none'],
    ['election', 'another protocol', 'fffffffffffeffff', 'protocol -65537'],
    ['election', 'a long address', 'ffffffffffff000000000000000000037fffffff', '2147483647 bytes of addresses'],
    ['election', 'an id that there is not', initiation('9'), 'server 9 is none of the others'],
    ['election', 'the id of the server itself', initiation('2'), 'server 2 is none of the others'],
    ['election', 'an observer without an id', initiation(ANONYMOUS), 'server 9223372036854775807 is none'],
  ] as const)('at the %s port for %s', async (port, _name, hex, reason) => {
    const end = await raw(port)
    end.write(hex)
    await until(() => end.isOver)
    const [event, ...others] = leader.events
    expect(others).toEqual([])
    expect(event).toMatchObject({ type: 'stranger-dropped', port, address: '127.0.0.1', count: 1 })
    expect(event?.reason).toContain(reason)
    expect([end.heardBytes, leader.accepted.length]).toEqual([0, 1])
  })

  it.each(['election', 'quorum'] as const)('at the %s port for saying nothing in its time', async (port) => {
    const end = await raw(port)
    end.write('ff')
    await until(() => end.isOver)
    expect(leader.events.map(({ reason }) => reason)).toEqual([`it has not said who it is for ${IDENTIFY_MS} ms`])
  })

  it.each(['election', 'quorum'] as const)('at the %s port if there are too many of them', async (port) => {
    const count = 3 * STRANGERS_MAX
    const ends = await Promise.all(Array.from({ length: count }, () => raw(port)))
    await until(() => ends.filter(({ isOver }) => !isOver).length <= STRANGERS_MAX)
    // A server of the ensemble comes through.
    const third = new Node(3, servers)
    await third.peers.listen()
    await third.linkTo(leader)
    third.peers.sendVote(2, vote(3))
    await until(() => leader.rounds(3).includes(3))
    await third.peers.close()
    await until(() => ends.every(({ isOver }) => isOver))
    expect(leader.peers.strangerCount).toBe(count)
    // At most one per second is told.
    expect(leader.events.length).toBeLessThan(WAIT_MS_MAX / 1_000)
  })

  it('and is not one who only looks whether the port is open', async () => {
    const end = await raw('quorum')
    end.socket.destroy()
    const late = await raw('quorum')
    late.write('ff')
    await until(() => late.isOver)
    expect(leader.peers.strangerCount).toBe(1)
  })
})

describe('a server that does not keep to the protocol', () => {
  it('loses its link, with the reason', async () => {
    const end = await raw('quorum')
    end.write(followerInfo('3'))
    await until(() => leader.accepted.length === 2)
    end.write('0000000300000000000000010000000100ffffffff')
    await until(() => end.isOver)
    expect(leader.accepted[1]?.reason).toBe('malformed bytes: 1 bytes of data in a quorum packet of type 3')
  })

  it('is skipped if it sends no vote in a frame, and closed if it sends no frame', async () => {
    const end = await raw('election')
    const voted = '0000001c000000000000000000000003000000010000000000000000000000040000'.slice(0, 8 + 56)
    end.write(`${initiation('3')}00000001ff00000001ff${voted}`)
    await until(() => leader.rounds(3).length === 1)
    expect(leader.events).toMatchObject([{ type: 'vote-malformed', peer: 3 }])
    end.write('00080001')
    await until(() => end.isOver)
    expect(leader.events.at(-1)).toMatchObject({ type: 'vote-malformed', peer: 3 })
    expect(leader.events.at(-1)?.reason).toContain('a frame of 524289 bytes')
  })

  it('is dialled again if it does not say who leads', async () => {
    const asking = new Node(3, await loopback(3), { idleTimeoutMs: 50 })
    await asking.peers.listen()
    const { electionPort } = asking.address(1)
    const silent = await RawPort.at(electionPort)
    await until(() => {
      asking.peers.sendVote(1, vote(1))
      return silent.ends.length > 1
    })
    await until(() => silent.ends[0]?.isOver ?? false)
    await asking.peers.close()
    silent.close()
  })
})
