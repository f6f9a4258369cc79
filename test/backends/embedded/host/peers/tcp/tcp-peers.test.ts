import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { TcpPeersOptions } from '../../../../../../src/backends/embedded/host/peers/tcp/tcp-peers.ts'
import type { PeerAddress } from '../../../../../../src/backends/embedded/host/peers/tcp/peer-address.ts'
import { StateReader } from '../../../../../../src/backends/embedded/server/state/state-reader.ts'
import { State } from '../../../../../../src/backends/embedded/server/state/state.ts'
import { Node, loopback, until, vote } from './tcp-rig.ts'

const LEARNER = 1
const LEADER = 2

let running: Node[] = []

async function start(
  id: number,
  servers: ReadonlyMap<number, PeerAddress>,
  options: Partial<TcpPeersOptions> = {},
): Promise<Node> {
  const node = new Node(id, servers, options)
  running.push(node)
  await node.peers.listen()
  return node
}

async function startAll(count: number, host?: string): Promise<Node[]> {
  const servers = await loopback(count, host)
  return Promise.all([...servers.keys()].map((id) => start(id, servers)))
}

async function startPair(): Promise<readonly [Node, Node]> {
  const [learner, leader] = await startAll(2)
  if (learner === undefined || leader === undefined) throw new Error('there are not two')
  return [learner, leader]
}

afterEach(async () => {
  await Promise.all(running.map((node) => node.peers.close()))
  running = []
})

describe('votes', () => {
  it.each([[1, 2], [2, 1]])('go both ways when %i speaks before %i', async (first, second) => {
    const nodes = await startAll(2)
    const node = (id: number): Node => nodes[id - 1] as Node
    node(first).peers.sendVote(second, vote(1))
    await until(() => node(second).rounds(first).includes(1))
    node(second).peers.sendVote(first, vote(2))
    await until(() => node(first).rounds(second).includes(2))
    expect([node(1).peers.electionPeers, node(2).peers.electionPeers]).toEqual([[2], [1]])
  })

  it('go between all of three that speak at once, over one connection per pair', async () => {
    const nodes = await startAll(3)
    const others = (id: number): number[] => [1, 2, 3].filter((other) => other !== id)
    for (const { id, peers } of nodes) for (const other of others(id)) peers.sendVote(other, vote(id))
    await until(() => nodes.every((node) => others(node.id).every((other) => node.rounds(other).includes(other))))
    await until(() => nodes.every(({ id, peers }) => peers.electionPeers.join() === others(id).join()))
    for (const { id, peers } of nodes) for (const other of others(id)) peers.sendVote(other, vote(10 + id))
    await until(() => nodes.every((node) => others(node.id).every((other) => node.rounds(other).at(-1) === 10 + other)))
  })

  it('of a server that cannot be reached wait, and only the newest is sent', async () => {
    const servers = await loopback(2)
    const first = await start(1, servers)
    for (let round = 1; round <= 5; round++) first.peers.sendVote(2, vote(round))
    const second = await start(2, servers)
    await until(() => second.rounds(1).length > 0)
    expect(new Set(second.rounds(1))).toEqual(new Set([5]))
  })

  it.each([1, 2])('go on when server %i has restarted', async (restarted) => {
    const servers = await loopback(2)
    const stays = await start(3 - restarted, servers)
    const before = await start(restarted, servers)
    stays.peers.sendVote(restarted, vote(1))
    await until(() => before.rounds(stays.id).includes(1))
    await before.peers.close()
    await until(() => stays.peers.electionPeers.length === 0)
    stays.peers.sendVote(restarted, vote(2))
    const after = await start(restarted, servers)
    await until(() => after.rounds(stays.id).includes(2))
    after.peers.sendVote(stays.id, vote(3))
    await until(() => stays.rounds(restarted).includes(3))
  })

  it('go over IPv6, and to hosts with names', async () => {
    for (const host of ['::1', 'localhost']) {
      const [first, second] = await startAll(2, host)
      first?.peers.sendVote(2, vote(1))
      await until(() => second?.rounds(1).includes(1) ?? false)
      second?.peers.sendVote(1, vote(2))
      await until(() => first?.rounds(2).includes(2) ?? false)
    }
  })
})

describe('a link', () => {
  it('carries packets in order, both ways', async () => {
    const [learner, leader] = await startPair()
    const link = await learner.linkTo(leader)
    expect(link.leader.peer).toBe(LEARNER)
    for (let count = 1; count <= 1_000; count++) {
      const txn = new Uint8Array(count)
      link.leader.connection.send({ type: 'PROPOSAL', zxid: BigInt(count), txn })
      link.learner.connection.send({ type: 'ACK', zxid: BigInt(count) })
    }
    await until(() => link.learner.packets.length === 1_001 && link.leader.packets.length === 1_001)
    const proposals = link.learner.packets.slice(1).map((packet) => {
      return packet.type === 'PROPOSAL' ? [Number(packet.zxid), packet.txn.length] : []
    })
    expect(proposals).toEqual(Array.from({ length: 1_000 }, (_, index) => [index + 1, index + 1]))
    const acks = link.leader.packets.slice(1).map((packet) => (packet.type === 'ACK' ? Number(packet.zxid) : 0))
    expect(acks).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1))
  })

  it('brings what was sent before it was closed, however much that is, and then its end', async () => {
    const [learner, leader] = await startPair()
    const link = await learner.linkTo(leader)
    const txn = new Uint8Array(1_000_000)
    const { connection } = link.leader
    for (let count = 1; count <= 8; count++) connection.send({ type: 'PROPOSAL', zxid: BigInt(count), txn })
    connection.close()
    connection.send({ type: 'COMMIT', zxid: 1n })
    await until(() => link.learner.isClosed)
    expect(link.learner.packets.map(({ type }) => type)).toEqual(['LEADERINFO', ...Array<string>(8).fill('PROPOSAL')])
    expect(link.learner.reason).toBeUndefined()
    await until(() => leader.peers.linkCount + learner.peers.linkCount === 0)
    expect(link.leader.isClosed).toBe(false)
  })

  it('ends when the other server does', async () => {
    const [learner, leader] = await startPair()
    const link = await learner.linkTo(leader)
    await leader.peers.close()
    await until(() => link.learner.isClosed)
    expect(link.learner.reason).toBeUndefined()
    expect(await learner.dial(LEADER)).toBeNull()
  })

  it('is replaced by a newer one of the same server', async () => {
    const [learner, leader] = await startPair()
    const first = await learner.linkTo(leader)
    const second = await learner.linkTo(leader)
    await until(() => first.learner.isClosed)
    expect(first.leader.reason).toBe('it has opened another connection')
    second.leader.connection.send({ type: 'COMMIT', zxid: 1n })
    await until(() => second.learner.packets.length === 2)
  })

  it('sends a state in the form of ZooKeeper, which the other end makes a snapshot file again', async () => {
    const [learner, leader] = await startPair()
    const link = await learner.dial(LEADER)
    link?.connection.send({ type: 'FOLLOWERINFO', acceptedEpoch: 0 })
    await until(() => leader.accepted.length === 1)
    // Nothing is negotiated before LEADERINFO.
    const [accepted] = leader.accepted
    const state = new State()
    accepted?.connection.send({ type: 'SNAP', zxid: 1n })
    for (const byte of state.snapshot()) {
      accepted?.connection.send({ type: 'SNAPCHUNK', bytes: Uint8Array.of(byte), isLast: false })
    }
    accepted?.connection.send({ type: 'SNAPCHUNK', bytes: new Uint8Array(), isLast: true })
    accepted?.connection.send({ type: 'NEWLEADER', zxid: 0n })
    await until(() => link?.packets.at(-1)?.type === 'NEWLEADER')
    const reader = new StateReader('state', 1n)
    for (const packet of link?.packets ?? []) if (packet.type === 'SNAPCHUNK') reader.write(packet.bytes)
    const received = State.of(reader)
    expect([received.lastZxid, reader.isExact, received.tree.nodeCount]).toEqual([1n, false, state.tree.nodeCount])
  })
})

describe('a dial', () => {
  it('fails in a later turn to a server that is down, or that there is not', async () => {
    const servers = await loopback(2)
    const node = await start(1, servers)
    expect([await node.dial(2), await node.dial(9)]).toEqual([null, null])
  })
})

describe('the ports', () => {
  it('are named when they cannot be had, and none is open then', async () => {
    const servers = await loopback(1)
    const { peerPort = 0, electionPort = 0 } = servers.get(1) ?? {}
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(peerPort, '127.0.0.1', resolve))
    await expect(start(1, servers)).rejects.toThrow(`cannot listen on 127.0.0.1:${peerPort}: it is taken`)
    const free = createServer()
    await new Promise<void>((resolve) => free.listen(electionPort, '127.0.0.1', resolve))
    await Promise.all([taken, free].map((server) => new Promise((resolve) => server.close(resolve))))
  })
})
