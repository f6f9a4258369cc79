/**
 * The production transport between servers (TcpPeers) in the simulated world: both ports, the connection rule, the
 * framing, strangers and redials, over sockets of the simulated network.
 *
 * Model     the host of a server is its node's name, its ports are the same on each. The tap and whoever strikes at
 *           packets are told of them as they leave and arrive, as by the network of messages.
 * Judged    bytes that one of them cannot read end the run: nobody here writes such.
 */
import { REPLACED } from '../../src/backends/embedded/host/peers/tcp/quorum-port.ts'
import { TcpPeers } from '../../src/backends/embedded/host/peers/tcp/tcp-peers.ts'
import type { PeerAddress } from '../../src/backends/embedded/host/peers/tcp/peer-address.ts'
import type {
  PeerListenerPort,
  PeerSocket,
  PeerSockets,
} from '../../src/backends/embedded/host/peers/tcp/peer-sockets.ts'
import type { PeerConnection, PeerGate, PeerListener } from '../../src/backends/embedded/host/peers/transport.ts'
import type { Packet } from '../../src/backends/wire/packets.ts'
import type { SeededRandom } from '../../src/testing/simulation/random.ts'
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import type { PeersOfServer, World } from '../../src/testing/simulation/world.ts'
import { SimSocket } from './sim-socket.ts'

const PEER_PORT = 2888
const ELECTION_PORT = 3888

interface OpenSocket {
  readonly socket: SimSocket
  readonly node: SimNode
}

/** The sockets of a world, and the transports of its servers. */
export class SocketPeers {
  readonly #world: World
  readonly #random: SeededRandom
  /** By `host:port`, who takes connections. */
  readonly #ports = new Map<string, (socket: PeerSocket) => void>()
  readonly #addresses: ReadonlyMap<number, PeerAddress>
  #open: OpenSocket[] = []
  #socketCount = 0
  /** The socket that hears something right now: whatever its user opens is on it. */
  #hearing: SimSocket | null = null

  /** Puts all servers of a world that has not begun on sockets. */
  constructor(world: World, random: SeededRandom) {
    this.#world = world
    this.#random = random
    this.#addresses = new Map(world.servers.map(({ id, node }) => {
      return [id, { host: node.name, peerPort: PEER_PORT, electionPort: ELECTION_PORT }]
    }))
    world.network.wires.add({ cut: (a, b) => this.#cut(a, b) })
    world.peersOf = (id, node) => this.#peersOf(id, node)
  }

  #peersOf(id: number, node: SimNode): PeersOfServer {
    const { tickMs } = this.#world
    const peers = new TcpPeers({
      myid: id,
      servers: this.#addresses,
      observers: new Set(this.#world.servers.slice(this.#world.voters.length).map((server) => server.id)),
      connectTimeoutMs: 5 * tickMs,
      idleTimeoutMs: 20 * tickMs,
      sockets: this.#socketsOf(node),
      onEvent: (event) => {
        if (event.type !== 'vote-malformed') return
        this.#world.kernel.fail(new Error(`a vote at server ${id}: ${event.reason}`))
      },
    })
    return {
      transport: {
        dial: (peer, dialling) => {
          peers.dial(peer, {
            onConnected: (connection) => {
              const tapped = this.#tapped(id, peer, connection)
              return tapped.listener(dialling.onConnected(tapped.connection))
            },
            onFailed: () => {
              dialling.onFailed()
            },
          })
        },
        sendVote: (to, notification) => {
          peers.sendVote(to, notification)
        },
      },
      attach: (host) => {
        peers.attach(this.#tappedGate(id, host))
        peers.listen().catch((error: unknown) => {
          this.#world.kernel.fail(error)
        })
      },
      detach: () => {
        if (node.isUp) peers.destroy()
        else this.#died(node)
      },
    }
  }

  #tappedGate(id: number, gate: PeerGate): PeerGate {
    return {
      get waitingInputs() {
        return gate.waitingInputs ?? 0
      },
      acceptPeer: (from, connection) => {
        const tapped = this.#tapped(id, from, connection)
        return tapped.listener(gate.acceptPeer(from, tapped.connection))
      },
      receiveVote: (from, notification) => {
        gate.receiveVote(from, notification)
      },
    }
  }

  /** A connection that tells the network's watchers what goes and comes. */
  #tapped(id: number, peer: number, connection: PeerConnection): {
    readonly connection: PeerConnection
    listener(listener: PeerListener): PeerListener
  } {
    const { network } = this.#world
    const serial = this.#hearing?.serial ?? 0
    return {
      connection: {
        get unsentBytes() {
          return connection.unsentBytes
        },
        send: (packet) => {
          network.tap?.packetSent(id, peer, serial, packet)
          connection.send(packet)
        },
        close: () => {
          connection.close()
        },
      },
      listener: (listener) => ({
        onPacket: (packet: Packet) => {
          network.onPacket?.(peer, id, packet)
          network.tap?.packetReceived(peer, id, serial, packet)
          listener.onPacket(packet)
        },
        onClose: (reason) => {
          // Nobody here writes what another one cannot read; who comes again leaves an earlier connection.
          const isFault = reason !== undefined && reason !== REPLACED
          if (isFault) this.#world.kernel.fail(new Error(`server ${id} dropped ${peer}: ${reason}`))
          listener.onClose(reason)
        },
      }),
    }
  }

  #socketsOf(node: SimNode): PeerSockets {
    return {
      dial: ({ host, port }, onOpen) => {
        const socket = this.#dial(node, host, port)
        socket.once('connect', onOpen)
        return socket
      },
      port: (onSocket) => ({ add: onSocket, close: () => undefined }),
      refusal: () => null,
      listener: (onSocket) => this.#listener(node, onSocket),
    }
  }

  #listener(node: SimNode, onSocket: (socket: PeerSocket) => void): PeerListenerPort {
    let key: string | null = null
    return {
      boundAddress: node.name,
      open: (host, port) => {
        key = `${host}:${port}`
        this.#ports.set(key, onSocket)
        return Promise.resolve()
      },
      close: () => {
        if (key !== null && this.#ports.get(key) === onSocket) this.#ports.delete(key)
      },
    }
  }

  #dial(from: SimNode, host: string, port: number): SimSocket {
    const server = this.#world.servers.find(({ node }) => node.name === host)
    if (server === undefined) throw new RangeError(`there is no host ${host}`)
    const { network } = this.#world
    this.#socketCount += 1
    const world = { network, random: this.#random, within: (socket: SimSocket, step: () => void) => {
      this.#within(socket, step)
    } }
    const dialler = new SimSocket(world, from, host, this.#socketCount)
    const acceptor = new SimSocket(world, server.node, from.name, this.#socketCount)
    this.#open = this.#open.filter(({ socket }) => !socket.isOver)
    this.#open.push({ socket: dialler, node: from }, { socket: acceptor, node: server.node })
    SimSocket.join(dialler, acceptor, () => {
      const onSocket = this.#ports.get(`${host}:${port}`)
      if (onSocket === undefined) {
        acceptor.refuse()
        return
      }
      acceptor.accept()
      onSocket(acceptor)
    })
    return dialler
  }

  #within(socket: SimSocket, step: () => void): void {
    const before = this.#hearing
    this.#hearing = socket
    try {
      step()
    } finally {
      this.#hearing = before
    }
  }

  #cut(a: string, b: string): void {
    for (const { socket } of this.#open.filter((open) => open.socket.connects(a, b))) socket.break()
  }

  /** A process is over. */
  #died(node: SimNode): void {
    for (const key of this.#ports.keys()) if (key.startsWith(`${node.name}:`)) this.#ports.delete(key)
    for (const { socket } of this.#open.filter((open) => open.node === node)) socket.died()
    this.#open = this.#open.filter((open) => open.node !== node)
  }
}
