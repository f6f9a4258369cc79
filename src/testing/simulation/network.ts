/**
 * The network of the simulated world: between servers, and between clients and servers.
 *
 * Model     a connection is two pipes. Messages in a pipe arrive in order or not at all; delays are drawn per
 *           message, with a slow tail. A blocked direction holds what was sent until it is unblocked, as TCP would; a
 *           cut connection loses what is under way. Notifications of the election are datagrams: blocked ones are lost.
 * Bytes     messages between servers are encoded when sent and decoded when they arrive, as on sockets, so
 *           that a seed judges the encoding too. Bytes that cannot be read end the run.
 * Never     is anything reordered within a connection: that would test a network that cannot exist.
 */
import type { Host } from '../../backends/embedded/host/host.ts'
import type {
  Dialling,
  PeerConnection,
  PeerGate,
  PeerListener,
  PeerTransport,
} from '../../backends/embedded/host/peers/transport.ts'
import type { Channel, ChannelListener } from '../../backends/client/channel.ts'
import { decodeNotification, encodeNotification } from '../../backends/wire/notifications.ts'
import type { Notification, Packet } from '../../backends/wire/packets.ts'
import { PeerLink } from '../../backends/wire/peer-link.ts'
import type { ClientMessage, ServerMessage } from '../../backends/wire/records.ts'
import type { Kernel } from './kernel.ts'
import type { SimNode } from './sim-node.ts'
import type { NetworkTap } from './network-tap.ts'
import { Pipe } from './pipe.ts'
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

/** The pieces of a packet; `opened` is the first thing that goes through a link, null says that it is closed. */
type LinkItem = readonly Uint8Array[] | 'opened' | null

interface LinkEnds {
  /** It dialled. */
  readonly opener: number
  readonly acceptor: number
  /** Numbered from 1, for taps; the hosts give numbers of their own. */
  readonly serial: number
}

interface SimLink extends LinkEnds {
  readonly there: LinkEnd
  readonly back: LinkEnd
}

/** One end of a link between two servers. */
class LinkEnd implements PeerConnection {
  readonly peer: number
  /** Towards the other end. */
  readonly pipe: Pipe<LinkItem>
  unsentBytes = 0
  /** Null while the dial is not answered. */
  listener: PeerListener | null = null
  isOpen = true
  /** Waits for the answer to the dial; null at the end that accepts. */
  readonly dialling: Dialling | null
  readonly #link: PeerLink
  readonly #onSend: (packet: Packet) => void

  constructor(
    peer: number,
    link: PeerLink,
    pipe: Pipe<LinkItem>,
    dialling: Dialling | null,
    onSend: (packet: Packet) => void,
  ) {
    this.peer = peer
    this.#link = link
    this.pipe = pipe
    this.dialling = dialling
    this.#onSend = onSend
  }

  send(packet: Packet): void {
    if (!this.isOpen) return
    this.#onSend(packet)
    const pieces = this.#link.encode(packet)
    this.unsentBytes += bytesOf(pieces)
    this.pipe.push(pieces)
  }

  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.pipe.push(null)
  }

  /** Hears that the link is over, or was never there. */
  end(): void {
    if (!this.isOpen) return
    this.isOpen = false
    if (this.listener === null) this.dialling?.onFailed()
    else this.listener.onClose()
  }

  /** The packets in what the other end sent. */
  decode(pieces: readonly Uint8Array[]): readonly Packet[] {
    const packets: Packet[] = []
    for (const piece of pieces) this.#link.receiveBytes(piece, (packet) => packets.push(packet))
    return packets
  }
}

function bytesOf(pieces: readonly Uint8Array[]): number {
  let bytes = 0
  for (const piece of pieces) bytes += piece.length
  return bytes
}

interface Peer {
  readonly node: SimNode
  readonly gate: PeerGate
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
  /** Other connections that stand on this network. */
  readonly wires = new Set<{ cut(a: string, b: string): void }>()
  readonly #random: SeededRandom
  readonly #peers = new Map<number, Peer>()
  readonly #datagrams = new Map<string, Pipe<Uint8Array>>()
  readonly #blocked = new Set<string>()
  #links: SimLink[] = []
  #connections: ClientConnection[] = []
  #connectionCount = 0
  #linkCount = 0

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

  /** Cuts every connection between two nodes: messages under way are lost, both ends hear of it. */
  cut(a: string, b: string): void {
    for (const link of this.#links.filter(({ there }) => there.pipe.connects(a, b))) this.#cutLink(link)
    for (const connection of this.#connections.filter(({ up }) => up.connects(a, b))) connection.reset()
    for (const wire of this.wires) wire.cut(a, b)
  }

  // Servers

  /** Plugs a server in. */
  attach(id: number, node: SimNode, gate: PeerGate): void {
    this.#peers.set(id, { node, gate })
  }

  /** How a server reaches the others. */
  transportOf(id: number): PeerTransport {
    return {
      dial: (peer, dialling) => {
        this.#dial(id, peer, dialling)
      },
      sendVote: (to, notification) => {
        this.#sendVote(id, to, notification)
      },
    }
  }

  /** A server's process has ended: its connections are reset. An end that cannot be reached does not hear of it. */
  detach(id: number): void {
    this.#peers.delete(id)
    for (const link of this.#links.filter(({ opener, acceptor }) => opener === id || acceptor === id)) {
      const [fromDead, toDead] = link.opener === id ? [link.there, link.back] : [link.back, link.there]
      toDead.pipe.cut()
      fromDead.isOpen = false
      fromDead.pipe.push(null)
    }
    for (const connection of this.#connections.filter(({ place }) => place.id === id)) connection.serverDied()
  }

  #sendVote(from: number, to: number, notification: Notification): void {
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
        if (message !== null) this.#peers.get(to)?.gate.receiveVote(from, message)
      })
      this.#datagrams.set(key, pipe)
    }
    pipe.push(encodeNotification(notification))
  }

  #dial(opener: number, acceptor: number, dialling: Dialling): void {
    const from = this.#peers.get(opener)
    const to = this.#peers.get(acceptor)
    if (from === undefined) return
    if (to === undefined) {
      this.kernel.after(this.drawDelayMs(), from.node, 'refused', () => {
        dialling.onFailed()
      })
      return
    }
    this.#linkCount += 1
    const ends = { opener, acceptor, serial: this.#linkCount }
    const back: LinkEnd = this.#makeEnd('leader', ends, null, new Pipe<LinkItem>(
      this, to.node.name, from.node, 'packet', (item) => {
        if (item === 'opened') there.listener = dialling.onConnected(there)
        else if (item !== null) this.#arrived(item, back, there, ends.serial)
        else this.#ended(ends, there)
      },
    ))
    const there: LinkEnd = this.#makeEnd('learner', ends, dialling, new Pipe<LinkItem>(
      this, from.node.name, to.node, 'packet', (item) => {
        if (item === 'opened') {
          back.pipe.push('opened')
          back.listener = to.gate.acceptPeer(opener, back)
        } else if (item !== null) this.#arrived(item, there, back, ends.serial)
        else this.#ended(ends, back)
      },
    ))
    this.#links.push({ ...ends, there, back })
    there.pipe.push('opened')
  }

  #makeEnd(
    role: 'leader' | 'learner',
    { opener, acceptor, serial }: LinkEnds,
    dialling: Dialling | null,
    pipe: Pipe<LinkItem>,
  ): LinkEnd {
    const [id, peer] = role === 'learner' ? [opener, acceptor] : [acceptor, opener]
    return new LinkEnd(peer, new PeerLink({ role, sid: id }), pipe, dialling, (packet) => {
      this.tap?.packetSent(id, peer, serial, packet)
    })
  }

  #arrived(pieces: readonly Uint8Array[], sender: LinkEnd, receiver: LinkEnd, serial: number): void {
    sender.unsentBytes -= bytesOf(pieces)
    if (!receiver.isOpen) return
    for (const packet of this.#readable(() => receiver.decode(pieces)) ?? []) {
      this.onPacket?.(receiver.peer, sender.peer, packet)
      this.tap?.packetReceived(receiver.peer, sender.peer, serial, packet)
      receiver.listener?.onPacket(packet)
    }
  }

  #ended(link: LinkEnds, end: LinkEnd): void {
    this.#forget(link)
    end.end()
  }

  /** Decodes bytes; null if they cannot be read, which ends the run. */
  #readable<T>(read: () => T): T | null {
    try {
      return read()
    } catch (error) {
      this.kernel.fail(error)
      return null
    }
  }

  /** Breaks a link: both ends hear of it, as of a reset. */
  #cutLink(link: SimLink): void {
    link.there.pipe.cut()
    link.back.pipe.cut()
    this.#forget(link)
    for (const end of [link.there, link.back]) {
      const node = this.#peers.get(end === link.there ? link.opener : link.acceptor)?.node
      if (node === undefined) continue
      this.kernel.after(this.drawDelayMs(), node, 'reset', () => {
        end.end()
      })
    }
  }

  #forget({ serial }: LinkEnds): void {
    this.#links = this.#links.filter((open) => open.serial !== serial)
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
  /** Messages that have come to a busy process, which reads them when its turn ends; null: the end. */
  #unread: (ServerMessage | null)[] = []
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
      if (client.turnMsMax === 0) this.#atClient(message)
      else this.#awaitTurn(message)
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

  /** A busy process reads its socket when its turn ends: all that has come by then, in one go. */
  #awaitTurn(message: ServerMessage | null): void {
    this.#unread.push(message)
    if (this.#unread.length > 1) return
    this.#network.kernel.afterTurn(this.#client, 'read', () => {
      const unread = this.#unread
      this.#unread = []
      for (const each of unread) this.#atClient(each)
    })
  }

  #atClient(message: ServerMessage | null): void {
    if (message === null) this.#end()
    else if (this.#isOpen) {
      this.#network.tap?.clientReceived(this.#serial, message)
      this.#listener.onMessage(message)
    }
  }

  /** The client's end is closed; the server hears of it in a turn of its own. */
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
