/**
 * The network of the simulated world: between servers, and between clients and servers.
 *
 * Model     a connection is two pipes. What goes through a pipe arrives in order or not at all; delays are drawn per
 *           message, with a slow tail. A blocked direction holds what was sent until it is unblocked, as TCP would; a
 *           cut connection loses what is under way. Notifications of the election are datagrams: blocked ones are lost.
 * Bytes     what servers say to each other is encoded when it is sent and decoded when it arrives, as on sockets, so
 *           that a seed judges the encoding too. Bytes that cannot be read end the run.
 * Never     is anything reordered within a connection: that would test a network that cannot exist.
 */
import type { Endpoint } from '../../backends/embedded/host/peers/memory.ts'
import type { Host } from '../../backends/embedded/host/host.ts'
import type { Channel, ChannelListener } from '../../backends/client/channel.ts'
import { decodeNotification, encodeNotification } from '../../backends/wire/notifications.ts'
import type { Notification, Packet, PeerMessage } from '../../backends/wire/packets.ts'
import { PeerLink } from '../../backends/wire/peer-link.ts'
import type { ClientMessage, ServerMessage } from '../../backends/wire/records.ts'
import type { Kernel, SimNode } from './kernel.ts'
import type { SeededRandom } from './random.ts'

/** How the network behaves now. */
export interface NetworkWeather {
  /** Time that a message takes, in milliseconds. */
  delayMsMin: number
  delayMsMax: number
  /** Chance that one takes `tailFactor` times as long. */
  tailChance: number
  tailFactor: number
}

/** Told of every packet between two servers as it arrives, before it is handled. */
export type PacketWatcher = (from: number, to: number, packet: Packet) => void

/** Sees what goes through the network, and changes nothing; for checkers. Clients' connections are numbered from 1. */
export interface NetworkTap {
  /** A client dials a server. */
  opened(connection: number, client: SimNode, server: number): void
  clientSent(connection: number, message: ClientMessage): void
  /** A server that is up gets a client's message. */
  serverReceived(connection: number, message: ClientMessage): void
  clientReceived(connection: number, message: ServerMessage): void
  /** The client's end is closed: it hears nothing more on this connection. */
  closed(connection: number): void
  packetSent(from: number, to: number, link: number, packet: Packet): void
  packetReceived(from: number, to: number, link: number, packet: Packet): void
}

/**
 * One direction of one connection. An arrival delivers the first item of its queue, so that order does not depend on
 * that of the arrivals: those at a node that stands still come when it goes on, whatever was blocked and released
 * meanwhile. It leads to one process: what takes that one's place on the machine hears nothing from it.
 */
class Pipe<T> {
  readonly #network: SimNetwork
  readonly #from: string
  readonly #to: SimNode
  readonly #incarnation: number
  readonly #label: string
  readonly #deliver: (item: T) => void
  #lastArrivalMs = 0
  readonly #queue: T[] = []
  /** How many arrivals were blocked. */
  #held = 0
  #isCut = false

  constructor(network: SimNetwork, from: string, to: SimNode, label: string, deliver: (item: T) => void) {
    this.#network = network
    this.#from = from
    this.#to = to
    this.#incarnation = to.incarnation
    this.#label = label
    this.#deliver = deliver
    network.pipes.add(this)
  }

  /** Whether it was not cut and leads to a process that has not ended. */
  get isOpen(): boolean {
    return !this.#isCut && this.#to.incarnation === this.#incarnation
  }

  connects(a: string, b: string): boolean {
    return (this.#from === a && this.#to.name === b) || (this.#from === b && this.#to.name === a)
  }

  push(item: T): void {
    if (!this.isOpen) return
    const { kernel } = this.#network
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, kernel.nowMs + this.#network.drawDelayMs())
    this.#network.lastArrivalMs = Math.max(this.#network.lastArrivalMs, this.#lastArrivalMs)
    this.#queue.push(item)
    kernel.after(this.#lastArrivalMs - kernel.nowMs, this.#to, this.#label, () => {
      this.#arrive()
    })
  }

  /** Delivers what was held, in order, if the direction is not blocked any more. */
  release(): void {
    if (!this.isOpen) this.cut()
    if (this.#network.isBlocked(this.#from, this.#to.name)) return
    for (; this.#held > 0; this.#held--) {
      this.#network.kernel.after(0, this.#to, this.#label, () => {
        this.#arrive()
      })
    }
  }

  /** Loses what is under way and held. */
  cut(): void {
    this.#isCut = true
    this.#queue.length = 0
    this.#held = 0
    this.#network.pipes.delete(this)
  }

  #arrive(): void {
    if (!this.isOpen) return
    if (this.#network.isBlocked(this.#from, this.#to.name)) {
      this.#held += 1
      return
    }
    const item = this.#queue.shift()
    if (item !== undefined) this.#deliver(item)
  }
}

/** The pieces of a packet; null says that the other end is closed. */
type LinkItem = readonly Uint8Array[] | null

interface SimLink {
  readonly opener: number
  readonly acceptor: number
  readonly link: number
  /** What encodes and decodes at either end. */
  readonly openerEnd: PeerLink
  readonly acceptorEnd: PeerLink
  /** Towards the acceptor, and back. */
  readonly there: Pipe<LinkItem>
  readonly back: Pipe<LinkItem>
}

interface Peer {
  readonly node: SimNode
  readonly endpoint: Endpoint
}

/** The whole network. */
export class SimNetwork {
  readonly kernel: Kernel
  readonly weather: NetworkWeather
  /** Every pipe that is open. */
  readonly pipes = new Set<{ release(): void }>()
  /** When the last message that was ever sent arrives, unless it is blocked; virtual milliseconds. */
  lastArrivalMs = 0
  /** For faults that strike at a packet, and for probes. */
  onPacket: PacketWatcher | null = null
  /** Likewise for a request of a client that a server is about to handle. */
  onRequest: ((client: string, server: string, op: number) => void) | null = null
  tap: NetworkTap | null = null
  readonly #random: SeededRandom
  readonly #peers = new Map<number, Peer>()
  readonly #datagrams = new Map<string, Pipe<Uint8Array>>()
  readonly #blocked = new Set<string>()
  #links: SimLink[] = []
  #connections: ClientConnection[] = []
  #connectionCount = 0

  constructor(kernel: Kernel, random: SeededRandom, weather: NetworkWeather) {
    this.kernel = kernel
    this.#random = random
    this.weather = { ...weather }
  }

  /** How long the next message takes. */
  drawDelayMs(): number {
    const { delayMsMin, delayMsMax, tailChance, tailFactor } = this.weather
    const delayMs = delayMsMin + this.#random.unit() * (delayMsMax - delayMsMin)
    return this.#random.chance(tailChance) ? delayMs * tailFactor : delayMs
  }

  /** Whether nothing gets from one node to another now. */
  isBlocked(from: string, to: string): boolean {
    return this.#blocked.size > 0 && this.#blocked.has(`${from}>${to}`)
  }

  /** Blocks one direction between two nodes. */
  block(from: string, to: string): void {
    this.#blocked.add(`${from}>${to}`)
  }

  /** Unblocks one direction; what was held arrives. */
  unblock(from: string, to: string): void {
    this.#blocked.delete(`${from}>${to}`)
    this.#release()
  }

  /** Unblocks everything. */
  heal(): void {
    this.#blocked.clear()
    this.#release()
  }

  /** Cuts every connection between two nodes: what is under way is lost, both ends are told. */
  cut(a: string, b: string): void {
    for (const link of this.#links.filter(({ there }) => there.connects(a, b))) this.#cutLink(link)
    for (const connection of this.#connections.filter(({ up }) => up.connects(a, b))) connection.reset()
  }

  // Servers

  /** Plugs a server in. */
  attach(id: number, node: SimNode, endpoint: Endpoint): void {
    this.#peers.set(id, { node, endpoint })
  }

  /** A server's process has ended: its connections are reset. Whoever cannot be reached is not told. */
  detach(id: number): void {
    this.#peers.delete(id)
    for (const link of this.#links.filter(({ opener, acceptor }) => opener === id || acceptor === id)) {
      const [fromDead, toDead] = link.opener === id ? [link.there, link.back] : [link.back, link.there]
      toDead.cut()
      fromDead.push(null)
    }
    for (const connection of this.#connections.filter(({ place }) => place.id === id)) connection.serverDied()
  }

  /** Sends a message from one server to another. */
  send(from: number, to: number, message: PeerMessage): void {
    if (message.type === 'NOTIFICATION') {
      this.#datagram(from, to, message)
      return
    }
    this.tap?.packetSent(from, to, message.link, message.packet)
    const { type } = message.packet
    if (type === 'FOLLOWERINFO' || type === 'OBSERVERINFO') this.#openLink(from, to, message.link)
    for (const { opener, acceptor, link, openerEnd, acceptorEnd, there, back } of this.#links) {
      if (link !== message.link) continue
      if (opener === from && acceptor === to) there.push(openerEnd.encode(message.packet))
      else if (opener === to && acceptor === from) back.push(acceptorEnd.encode(message.packet))
    }
  }

  /** Closes a link from one end: the other end is told behind what was sent. */
  close(from: number, peer: number, link: number): void {
    for (const open of this.#links) {
      if (open.link !== link) continue
      if (open.opener === from && open.acceptor === peer) open.there.push(null)
      else if (open.acceptor === from && open.opener === peer) open.back.push(null)
    }
  }

  #datagram(from: number, to: number, notification: Notification): void {
    const sender = this.#peers.get(from)
    const receiver = this.#peers.get(to)
    if (sender === undefined || receiver === undefined) return
    if (this.isBlocked(sender.node.name, receiver.node.name)) return
    const key = `${from}>${to}`
    let pipe = this.#datagrams.get(key)
    if (pipe?.isOpen !== true) {
      pipe?.cut()
      pipe = new Pipe<Uint8Array>(this, sender.node.name, receiver.node, 'vote', (bytes) => {
        const message = this.#readable(() => decodeNotification(bytes))
        if (message !== null) this.#peers.get(to)?.endpoint.receivePeer(from, message)
      })
      this.#datagrams.set(key, pipe)
    }
    pipe.push(encodeNotification(notification))
  }

  #openLink(opener: number, acceptor: number, link: number): void {
    const from = this.#peers.get(opener)
    const to = this.#peers.get(acceptor)
    if (from === undefined) return
    if (to === undefined) {
      this.kernel.after(this.drawDelayMs(), from.node, 'refused', () => {
        from.endpoint.disconnectPeer(acceptor, link)
      })
      return
    }
    const openerEnd = new PeerLink({ role: 'learner', sid: opener })
    const acceptorEnd = new PeerLink({ role: 'leader', sid: acceptor })
    const there = new Pipe<LinkItem>(this, from.node.name, to.node, 'packet', (pieces) => {
      if (pieces !== null) this.#arrived(pieces, acceptorEnd, to, { from: opener, to: acceptor, link })
      else this.#ended(to, opener, { link, opener, acceptor })
    })
    const back = new Pipe<LinkItem>(this, to.node.name, from.node, 'packet', (pieces) => {
      if (pieces !== null) this.#arrived(pieces, openerEnd, from, { from: acceptor, to: opener, link })
      else this.#ended(from, acceptor, { link, opener, acceptor })
    })
    this.#links.push({ opener, acceptor, link, openerEnd, acceptorEnd, there, back })
  }

  #arrived(
    pieces: readonly Uint8Array[],
    end: PeerLink,
    { endpoint }: Peer,
    { from, to, link }: { readonly from: number; readonly to: number; readonly link: number },
  ): void {
    const packets: Packet[] = []
    this.#readable(() => {
      for (const piece of pieces) end.receive(piece, (packet) => packets.push(packet))
    })
    for (const packet of packets) {
      this.onPacket?.(from, to, packet)
      this.tap?.packetReceived(from, to, link, packet)
      endpoint.receivePeer(from, { type: 'PACKET', link, packet })
    }
  }

  #ended({ endpoint }: Peer, other: number, link: Pick<SimLink, 'link' | 'opener' | 'acceptor'>): void {
    this.#forget(link.link, link.opener, link.acceptor)
    endpoint.disconnectPeer(other, link.link)
  }

  /** What is made of bytes; null if they cannot be read, which ends the run. */
  #readable<T>(read: () => T): T | null {
    try {
      return read()
    } catch (error) {
      this.kernel.fail(error)
      return null
    }
  }

  /** Breaks a link: both ends are told, as a reset would. */
  #cutLink({ opener, acceptor, link, there, back }: SimLink): void {
    there.cut()
    back.cut()
    this.#forget(link, opener, acceptor)
    for (const [id, other] of [[opener, acceptor], [acceptor, opener]] as const) {
      const peer = this.#peers.get(id)
      if (peer === undefined) continue
      this.kernel.after(this.drawDelayMs(), peer.node, 'reset', () => {
        peer.endpoint.disconnectPeer(other, link)
      })
    }
  }

  #forget(link: number, opener: number, acceptor: number): void {
    this.#links = this.#links.filter(
      (open) => open.link !== link || open.opener !== opener || open.acceptor !== acceptor,
    )
  }

  #release(): void {
    for (const pipe of [...this.pipes]) pipe.release()
  }

  // Clients

  /** Opens a connection of a client to a server, which may be down. */
  connect(client: SimNode, server: ServerPlace, listener: ChannelListener): Channel {
    this.#connectionCount += 1
    this.tap?.opened(this.#connectionCount, client, server.id)
    const serial = this.#connectionCount
    const connection = new ClientConnection(this, serial, client, server, listener, () => {
      this.tap?.closed(serial)
      this.#connections = this.#connections.filter((open) => open !== connection)
    })
    this.#connections.push(connection)
    return connection
  }
}

/** Where a server is, for those who connect to it. */
export interface ServerPlace {
  readonly id: number
  readonly node: SimNode
  /** Its host, while it is up. */
  host(): Host | null
}

/** A client's connection: a channel on its side, a number on the server's. */
class ClientConnection implements Channel {
  readonly place: ServerPlace
  readonly up: Pipe<ClientMessage | null>
  readonly #down: Pipe<ServerMessage | null>
  readonly #network: SimNetwork
  readonly #serial: number
  readonly #client: SimNode
  readonly #listener: ChannelListener
  readonly #onEnd: () => void
  #host: Host | null = null
  #number = 0
  #isOpen = true
  /** The server has closed its end: what still comes there is nobody's. */
  #isLeft = false

  constructor(
    network: SimNetwork,
    serial: number,
    client: SimNode,
    server: ServerPlace,
    listener: ChannelListener,
    onEnd: () => void,
  ) {
    this.#network = network
    this.#serial = serial
    this.#client = client
    this.place = server
    this.#listener = listener
    this.#onEnd = onEnd
    this.up = new Pipe(network, client.name, server.node, 'request', (message) => {
      this.#atServer(message)
    })
    this.#down = new Pipe(network, server.node.name, client, 'reply', (message) => {
      if (message === null) this.#end()
      else if (this.#isOpen) {
        network.tap?.clientReceived(serial, message)
        this.#listener.onMessage(message)
      }
    })
    if (!server.node.isUp) this.reset()
  }

  get server(): string {
    return this.place.node.name
  }

  send(message: ClientMessage): void {
    if (!this.#isOpen) return
    this.#network.tap?.clientSent(this.#serial, message)
    this.up.push(message)
  }

  close(): void {
    this.up.push(null)
    this.#end()
  }

  /** The connection breaks: both ends learn it. */
  reset(): void {
    this.up.cut()
    this.#down.cut()
    const host = this.#host
    if (host !== null) {
      this.#network.kernel.after(this.#network.drawDelayMs(), this.place.node, 'reset', () => {
        host.closeClient(this.#number)
      })
    }
    this.#network.kernel.after(this.#network.drawDelayMs(), this.#client, 'reset', () => {
      this.#end()
    })
  }

  /** The server's process has ended: its machine resets the connection, if the client can be reached. */
  serverDied(): void {
    this.#host = null
    this.up.cut()
    this.#down.push(null)
  }

  #atServer(message: ClientMessage | null): void {
    if (message === null) {
      this.up.cut()
      this.#host?.closeClient(this.#number)
      return
    }
    if (this.#host === null) {
      this.#host = this.place.host()
      if (this.#host === null) {
        this.reset()
        return
      }
      this.#number = this.#host.openClient({
        onMessage: (reply) => {
          this.#down.push(reply)
        },
        onClose: () => {
          this.#isLeft = true
          this.#down.push(null)
        },
      })
    }
    if (this.#isLeft) return
    if (message.kind === 'request') this.#network.onRequest?.(this.#client.name, this.server, message.request.op)
    this.#network.tap?.serverReceived(this.#serial, message)
    this.#host.receiveClient(this.#number, message)
  }

  /** The client's end is closed; it is told in a turn of its own. */
  #end(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#onEnd()
    this.#network.kernel.after(0, this.#client, 'closed', () => {
      this.#down.cut()
      this.#listener.onClose()
    })
  }
}
