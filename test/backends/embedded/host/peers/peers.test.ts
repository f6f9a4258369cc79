import { beforeEach, describe, expect, it } from 'vitest'
import { PEER_QUEUE_BYTES_MAX, Peers } from '../../../../../src/backends/embedded/host/peers/peers.ts'
import { nextTurn } from '../../../../../src/backends/embedded/host/turns.ts'
import { MemoryNetwork } from '../../../../../src/backends/embedded/host/peers/memory.ts'
import type { Packet } from '../../../../../src/backends/wire/packets.ts'
import type { SnapshotSource } from '../../../../../src/backends/embedded/server/zab/outbox.ts'

const LEARNER = 1
const LEADER = 2
const ACK = { type: 'ACK', zxid: 1n } as const

let network: MemoryNetwork
let heard: string[]

function serve(id: number, queueBytesMax = PEER_QUEUE_BYTES_MAX): Peers {
  const tell = (text: string): void => {
    heard.push(`${id}: ${text}`)
  }
  const peers = new Peers(network.transportOf(id), {
    peerConnected: (link, peer, isDialled) => {
      tell(`link ${link} ${isDialled ? 'to' : 'from'} ${peer}`)
    },
    peerUnreachable: (peer) => {
      tell(`${peer} is unreachable`)
    },
    receivePeer: (link, packet) => {
      tell(`${packet.type} on ${link}`)
    },
    peerClosed: (link) => {
      tell(`link ${link} closed`)
    },
    linkDropped: (peer, reason) => {
      tell(`dropped ${peer}: ${reason}`)
    },
    failed: (error) => {
      tell(String(error))
    },
  }, queueBytesMax)
  network.attach(id, {
    acceptPeer: (from, connection) => peers.accept(from, connection),
    receiveVote: (from) => {
      tell(`a vote of ${from}`)
    },
  })
  return peers
}

function send(peers: Peers, link: number, packet: Packet, state?: SnapshotSource): void {
  const message = { type: 'PACKET', link, packet } as const
  peers.send(state === undefined ? { to: LEADER, message } : { to: LEADER, message, state })
}

/** A link of the learner to the leader whose ends have announced themselves. */
function introduce(learner: Peers, leader: Peers): void {
  learner.dial(LEADER)
  send(learner, 1, { type: 'FOLLOWERINFO', acceptedEpoch: 0 })
  send(leader, 1, { type: 'LEADERINFO', epoch: 1 })
  heard = []
}

beforeEach(() => {
  network = new MemoryNetwork()
  heard = []
})

describe('the links of a server', () => {
  it('have a number of their own at either end', () => {
    const learner = serve(LEARNER)
    const leader = serve(LEADER)
    leader.dial(LEARNER)
    learner.dial(LEADER)
    expect(heard.splice(0)).toEqual([
      '1: link 1 from 2', '2: link 1 to 1', '2: link 2 from 1', '1: link 2 to 2',
    ])
    send(learner, 2, { type: 'FOLLOWERINFO', acceptedEpoch: 0 })
    leader.close(2)
    expect(heard).toEqual(['2: FOLLOWERINFO on 2', '1: link 2 closed'])
  })

  it('say that a server is down, and that one goes down', () => {
    const learner = serve(LEARNER)
    learner.dial(LEADER)
    expect(heard.splice(0)).toEqual(['1: 2 is unreachable'])
    const leader = serve(LEADER)
    introduce(learner, leader)
    network.detach(LEADER)
    send(learner, 1, ACK)
    expect(heard).toEqual(['1: link 1 closed'])
  })

  it('bring nothing after they were closed at this end', () => {
    const learner = serve(LEARNER)
    const leader = serve(LEADER)
    introduce(learner, leader)
    network.partition([[LEARNER], [LEADER]])
    send(leader, 1, { type: 'COMMIT', zxid: 1n })
    learner.close(1)
    network.heal()
    expect(heard).toEqual(['2: link 1 closed'])
  })

  it('are closed with a reason when more waits on them than they may hold, and take no more memory', () => {
    const learner = serve(LEARNER)
    const leader = serve(LEADER, 10_000)
    introduce(learner, leader)
    network.partition([[LEARNER], [LEADER]])
    const proposal = { type: 'PROPOSAL', zxid: 1n, txn: new Uint8Array(4_000) } as const
    for (let count = 0; count < 4; count++) send(leader, 1, proposal)
    expect(heard.splice(0)).toEqual([
      '2: dropped 1: 12060 bytes wait to be sent to it; the limit is 10000',
      '2: link 1 closed',
    ])
    network.heal()
    expect(heard).toEqual(['1: PROPOSAL on 1', '1: PROPOSAL on 1', '1: PROPOSAL on 1', '1: link 1 closed'])
  })

  it('count what waits after a state as well', async () => {
    const learner = serve(LEARNER)
    const leader = serve(LEADER, 10_000)
    introduce(learner, leader)
    let isClosed = false
    const state = { zxid: 1n, next: () => new Uint8Array(), close: () => {
      isClosed = true
    } }
    send(leader, 1, { type: 'SNAP', zxid: 1n }, state)
    const proposal = { type: 'PROPOSAL', zxid: 2n, txn: new Uint8Array(4_000) } as const
    for (let count = 0; count < 3; count++) send(leader, 1, proposal)
    await nextTurn()
    expect(heard).toEqual([
      '1: SNAP on 1',
      '1: link 1 closed',
      '2: dropped 1: 12192 bytes wait to be sent to it; the limit is 10000',
      '2: link 1 closed',
    ])
    expect(isClosed).toBe(true)
  })

  it('make no more of a state while the network takes nothing', async () => {
    const learner = serve(LEARNER)
    const leader = serve(LEADER)
    introduce(learner, leader)
    let made = 0
    const state = { zxid: 1n, next: () => (++made > 40 ? null : new Uint8Array(100_000)), close: () => undefined }
    network.partition([[LEARNER], [LEADER]])
    send(leader, 1, { type: 'SNAP', zxid: 1n }, state)
    for (let turn = 0; turn < 100; turn++) await nextTurn()
    expect(made).toBe(11)
    network.heal()
    while (made <= 40 || heard.length < 42) await nextTurn()
    expect(heard).toHaveLength(42)
  })
})

describe('a dial', () => {
  it('waits for the end of a partition', () => {
    const learner = serve(LEARNER)
    serve(LEADER)
    network.partition([[LEARNER], [LEADER]])
    learner.dial(LEADER)
    expect(heard).toEqual([])
    network.heal()
    expect(heard).toEqual(['2: link 1 from 1', '1: link 1 to 2'])
  })
})
