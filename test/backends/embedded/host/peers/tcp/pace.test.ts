/** Servers that do not keep up, and networks that say nothing. */
import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { Peers } from '../../../../../../src/backends/embedded/host/peers/peers.ts'
import { OpCode } from '../../../../../../src/backends/wire/codes.ts'
import { encodeTransaction } from '../../../../../../src/backends/wire/transactions.ts'
import type { Packet } from '../../../../../../src/backends/wire/packets.ts'
import { startProcess } from '../../../../../engines/process.ts'
import { Node, RawEnd, loopback, until } from './tcp-rig.ts'

const QUEUE_BYTES_MAX = 0x40_0000
/** Of server 1, as a real one sends it. */
const FOLLOWER_INFO = '0000000b0000000000000000000000140000000000000001000100000000000000000000ffffffff'

let nodes: Node[] = []

afterEach(async () => {
  await Promise.all(nodes.map((node) => node.peers.close()))
  nodes = []
})

describe('a learner that does not read', () => {
  it('is closed when too much waits for it, and holds nobody else up', async () => {
    const servers = await loopback(3)
    const leader = new Node(3, servers)
    const second = new Node(2, servers)
    nodes = [leader, second]
    const heard: string[] = []
    const links = new Map<number, number>()
    const peers = new Peers(leader.peers, {
      peerConnected: (link, peer) => links.set(peer, link),
      peerUnreachable: () => undefined,
      receivePeer: () => undefined,
      peerClosed: (link) => heard.push(`closed ${link}`),
      linkDropped: (peer, reason) => heard.push(`dropped ${peer}: ${reason}`),
      failed: (error) => heard.push(String(error)),
    }, QUEUE_BYTES_MAX)
    leader.peers.attach({
      acceptPeer: (from, connection) => {
        leader.connections.set(from, connection)
        return peers.accept(from, connection)
      },
      receiveVote: () => undefined,
    })
    await Promise.all(nodes.map((node) => node.peers.listen()))
    const slow = await RawEnd.to(leader.address(3).peerPort)
    slow.socket.pause()
    slow.write(FOLLOWER_INFO)
    const good = await second.dial(3)
    good?.connection.send({ type: 'FOLLOWERINFO', acceptedEpoch: 0 })
    await until(() => links.size === 2)

    const data = new Uint8Array(100_000)
    const txn = encodeTransaction({
      header: { clientId: 1n, cxid: 1, zxid: 1n, time: 1, type: OpCode.setData },
      txn: { type: OpCode.setData, body: { path: '/a', data, version: 1 } },
    })
    let sent = 0
    let mostUnsentBytes = 0
    while (heard.length === 0) {
      sent += 1
      const packet: Packet = { type: 'PROPOSAL', zxid: BigInt(sent), txn }
      for (const to of [1, 2]) peers.send({ to, message: { type: 'PACKET', link: links.get(to) ?? 0, packet } })
      await until(() => good?.packets.length === sent)
      const unsentBytes = leader.connections.get(1)?.unsentBytes ?? 0
      mostUnsentBytes = Math.max(mostUnsentBytes, unsentBytes)
    }
    expect(heard[0]).toMatch(/^dropped 1: \d+ bytes wait to be sent to it; the limit is 4194304$/)
    expect(heard.slice(1)).toEqual([`closed ${links.get(1) ?? 0}`])
    // Nearly all of the budget, and never more than it and one packet.
    expect(mostUnsentBytes).toBeGreaterThan(QUEUE_BYTES_MAX - 2 * txn.length)
    expect(mostUnsentBytes).toBeLessThan(QUEUE_BYTES_MAX + 2 * txn.length)
    expect(good?.isClosed).toBe(false)
    await until(() => leader.peers.linkCount === 1)
    slow.socket.destroy()
  })
})

describe('a server that has too much to do', () => {
  it('does not read its links until it has less', async () => {
    const servers = await loopback(2)
    const [learner, leader] = [new Node(1, servers), new Node(2, servers)]
    nodes = [learner, leader]
    await Promise.all(nodes.map((node) => node.peers.listen()))
    const link = await learner.linkTo(leader)
    leader.waitingInputs = 1_000_000
    const identities = [{ scheme: 'x', id: 'y'.repeat(10_000) }]
    const request: Packet = {
      type: 'REQUEST',
      request: { sessionId: 1n, xid: 1, op: OpCode.closeSession, body: null, identities },
    }
    for (let count = 0; count < 1_200; count++) link.learner.connection.send(request)
    await until(() => link.learner.connection.unsentBytes > 2_000_000)
    const handed = link.leader.packets.length
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(link.leader.packets.length).toBeLessThanOrEqual(Math.max(handed, 20))
    leader.waitingInputs = 0
    await until(() => link.leader.packets.length === 1_201)
    expect(link.learner.connection.unsentBytes).toBe(0)
  })
})

describe('a dial', () => {
  it('fails within its time if the network says nothing', async () => {
    const servers = await loopback(2)
    const node = new Node(1, servers, { connectTimeoutMs: 100 })
    nodes = [node]
    await node.peers.listen()
    const { peerPort } = node.address(2)
    // A process that is stopped takes no connections: with two of them waiting, the system overlooks more.
    const listen = `require('net').createServer().listen(${peerPort}, '127.0.0.1', 1, () => console.log('listens'))`
    const stopped = startProcess(process.execPath, ['-e', listen])
    await until(() => stopped.output().includes('listens'))
    stopped.signal('SIGSTOP')
    const waiting = await Promise.all([RawEnd.to(peerPort), RawEnd.to(peerPort)])
    expect(await node.dial(2)).toBeNull()
    for (const { socket } of waiting) socket.destroy()
    await stopped.kill()
  })

  it('is given up when the transport is closed', async () => {
    const servers = await loopback(2)
    const node = new Node(1, servers)
    const port = createServer().listen(node.address(2).peerPort, '127.0.0.1')
    let isAnswered = false
    void node.dial(2).then(() => (isAnswered = true))
    await node.peers.close()
    await new Promise((resolve) => port.close(resolve))
    expect(isAnswered).toBe(false)
  })
})
