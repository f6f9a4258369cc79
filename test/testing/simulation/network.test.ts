import { beforeEach, describe, expect, it } from 'vitest'
import type { Notification, PeerMessage } from '../../../src/backends/wire/packets.ts'
import { Kernel } from '../../../src/testing/simulation/kernel.ts'
import type { SimNode } from '../../../src/testing/simulation/kernel.ts'
import { SimNetwork } from '../../../src/testing/simulation/network.ts'
import { SeededRandom } from '../../../src/testing/simulation/random.ts'

const LINK = 7
const WEATHER = { delayMsMin: 1, delayMsMax: 1, tailChance: 0, tailFactor: 1 }

let kernel: Kernel
let network: SimNetwork
let nodes: readonly [SimNode, SimNode]
/** What each life of a server has heard, in order. */
let heard: string[]

/** Begins a life of a server. */
function start(id: 1 | 2, life: string): void {
  const node = nodes[id - 1] as SimNode
  kernel.revive(node)
  network.attach(id, node, {
    receivePeer: (_, message) => {
      heard.push(`${life} ${message.type === 'PACKET' ? message.packet.type : `round ${message.electionEpoch}`}`)
    },
    disconnectPeer: () => {
      heard.push(`${life} disconnected`)
    },
  })
}

function crash(id: 1 | 2): void {
  kernel.kill(nodes[id - 1] as SimNode)
  network.detach(id)
}

function packet(packet: Extract<PeerMessage, { type: 'PACKET' }>['packet']): PeerMessage {
  return { type: 'PACKET', link: LINK, packet }
}

function notification(electionEpoch: number): Notification {
  return { type: 'NOTIFICATION', leader: 1, zxid: 0n, peerEpoch: 0, electionEpoch, state: 'LOOKING' }
}

beforeEach(() => {
  kernel = new Kernel({ seed: 1 })
  network = new SimNetwork(kernel, new SeededRandom(1), WEATHER)
  nodes = [kernel.addNode('s1'), kernel.addNode('s2')]
  heard = []
  start(1, 's1')
  start(2, 's2')
})

describe('the network', () => {
  it('holds what is sent while a direction is blocked, and delivers it in order', async () => {
    network.block('s1', 's2')
    network.send(1, 2, packet({ type: 'FOLLOWERINFO', acceptedEpoch: 1 }))
    network.send(1, 2, packet({ type: 'ACK', zxid: 1n }))
    await kernel.run(100)
    expect(heard).toEqual([])
    network.unblock('s1', 's2')
    await kernel.run(200)
    expect(heard).toEqual(['s2 FOLLOWERINFO', 's2 ACK'])
  })

  it('delivers nothing to a process that has ended, nor to the one that took its place', async () => {
    network.send(1, 2, packet({ type: 'FOLLOWERINFO', acceptedEpoch: 1 }))
    await kernel.run(10)
    network.block('s1', 's2')
    network.send(1, 2, packet({ type: 'ACK', zxid: 1n }))
    network.close(2, 1, LINK)
    await kernel.run(20)
    crash(2)
    start(2, 's2 again')
    network.unblock('s1', 's2')
    await kernel.run(30)
    expect(heard).toEqual(['s2 FOLLOWERINFO', 's1 disconnected'])
  })

  it('loses the votes that were under way to a process that has ended', async () => {
    network.send(1, 2, notification(1))
    crash(2)
    start(2, 's2 again')
    await kernel.run(10)
    network.send(1, 2, notification(2))
    await kernel.run(20)
    expect(heard).toEqual(['s2 again round 2'])
  })
})
