import { beforeEach, describe, expect, it } from 'vitest'
import type { Notification } from '../../../src/backends/wire/packets.ts'
import type { PeerConnection, PeerListener } from '../../../src/backends/embedded/host/peers/transport.ts'
import { Kernel } from '../../../src/testing/simulation/kernel.ts'
import type { SimNode } from '../../../src/testing/simulation/sim-node.ts'
import { SimNetwork } from '../../../src/testing/simulation/network.ts'
import { SeededRandom } from '../../../src/testing/simulation/random.ts'

const WEATHER = { delayMsMin: 1, delayMsMax: 1, tailChance: 0, tailFactor: 1 }

let kernel: Kernel
let network: SimNetwork
let nodes: readonly [SimNode, SimNode]
/** The messages that each life of a server has heard, in order. */
let heard: string[]
/** The end of the link that server 2 has accepted last. */
let accepted: PeerConnection

function listener(life: string): PeerListener {
  return {
    onPacket: (packet) => {
      heard.push(`${life} ${packet.type}`)
    },
    onClose: () => {
      heard.push(`${life} disconnected`)
    },
  }
}

/** Begins a life of a server. */
function start(id: 1 | 2, life: string): void {
  const node = nodes[id - 1] as SimNode
  kernel.revive(node)
  network.attach(id, node, {
    receiveVote: (_, { electionEpoch }) => {
      heard.push(`${life} round ${electionEpoch}`)
    },
    acceptPeer: (_, connection) => {
      accepted = connection
      return listener(life)
    },
  })
}

function crash(id: 1 | 2): void {
  kernel.kill(nodes[id - 1] as SimNode)
  network.detach(id)
}

/** Server 1 dials server 2. */
async function dial(): Promise<PeerConnection> {
  let connection: PeerConnection | null = null
  network.transportOf(1).dial(2, {
    onConnected: (opened) => {
      connection = opened
      return listener('s1')
    },
    onFailed: () => {
      heard.push('s1 refused')
    },
  })
  await kernel.run(kernel.nowMs + 10)
  return connection ?? { unsentBytes: 0, send: () => undefined, close: () => undefined }
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
    const link = await dial()
    network.block('s1', 's2')
    link.send({ type: 'FOLLOWERINFO', acceptedEpoch: 1 })
    link.send({ type: 'ACK', zxid: 1n })
    await kernel.run(100)
    expect(heard).toEqual([])
    expect(link.unsentBytes).toBeGreaterThan(40)
    network.unblock('s1', 's2')
    await kernel.run(200)
    expect(heard).toEqual(['s2 FOLLOWERINFO', 's2 ACK'])
    expect(link.unsentBytes).toBe(0)
  })

  it('delivers nothing to a process that has ended, nor to the one that took its place', async () => {
    const link = await dial()
    link.send({ type: 'FOLLOWERINFO', acceptedEpoch: 1 })
    await kernel.run(20)
    network.block('s1', 's2')
    link.send({ type: 'ACK', zxid: 1n })
    accepted.close()
    await kernel.run(30)
    crash(2)
    start(2, 's2 again')
    network.unblock('s1', 's2')
    await kernel.run(40)
    expect(heard).toEqual(['s2 FOLLOWERINFO', 's1 disconnected'])
  })

  it('answers a dial once: by a link, a refusal, or the end of the server that was dialled', async () => {
    await dial()
    network.cut('s1', 's2')
    await kernel.run(20)
    expect(heard.splice(0).sort()).toEqual(['s1 disconnected', 's2 disconnected'])
    network.block('s2', 's1')
    await dial()
    expect(heard).toEqual([])
    crash(2)
    network.unblock('s2', 's1')
    await kernel.run(60)
    expect(heard.splice(0)).toEqual(['s1 disconnected'])
    await dial()
    expect(heard).toEqual(['s1 refused'])
  })

  it('loses the votes that were under way to a process that has ended', async () => {
    network.transportOf(1).sendVote(2, notification(1))
    crash(2)
    start(2, 's2 again')
    await kernel.run(10)
    network.transportOf(1).sendVote(2, notification(2))
    await kernel.run(20)
    expect(heard).toEqual(['s2 again round 2'])
  })
})
