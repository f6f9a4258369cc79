/** Transports over TCP on loopback, and what their users hear. */
import { connect, createServer } from 'node:net'
import type { Server as NetServer, Socket } from 'node:net'
import { TcpPeers } from '../../../../../../src/backends/embedded/host/peers/tcp/tcp-peers.ts'
import type { TcpPeersOptions } from '../../../../../../src/backends/embedded/host/peers/tcp/tcp-peers.ts'
import type { TcpPeersEvent } from '../../../../../../src/backends/embedded/host/peers/tcp/peer-events.ts'
import type { PeerAddress } from '../../../../../../src/backends/embedded/host/peers/tcp/peer-address.ts'
import type { PeerConnection, PeerListener } from '../../../../../../src/backends/embedded/host/peers/transport.ts'
import type { Notification, Packet } from '../../../../../../src/backends/wire/packets.ts'
import { freePorts } from '../../../../../engines/process.ts'

/** How long anything may take on a busy machine, in milliseconds. */
export const WAIT_MS_MAX = 10_000
const POLL_MS = 2

/** A vote of a server that looks, told from others by its round. */
export function vote(round: number, state: Notification['state'] = 'LOOKING'): Notification {
  return { type: 'NOTIFICATION', state, leader: 1, zxid: 5n, peerEpoch: 2, electionEpoch: round }
}

/** Waits until something holds. */
export async function until(condition: () => boolean, what: () => string = () => 'it does not hold'): Promise<void> {
  const endMs = performance.now() + WAIT_MS_MAX
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`${what()} after ${WAIT_MS_MAX} ms`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Ports of so many servers on loopback, by id from 1 on. */
export async function loopback(count: number, host = '127.0.0.1'): Promise<Map<number, PeerAddress>> {
  const ports = await freePorts(2 * count)
  return new Map(Array.from({ length: count }, (_, index) => {
    return [index + 1, { host, peerPort: ports[2 * index] ?? 0, electionPort: ports[2 * index + 1] ?? 0 }]
  }))
}

/** One end of one link, and what came over it. */
export class Link implements PeerListener {
  readonly peer: number
  readonly connection: PeerConnection
  readonly packets: Packet[] = []
  isClosed = false
  reason: string | undefined

  constructor(peer: number, connection: PeerConnection) {
    this.peer = peer
    this.connection = connection
  }

  onPacket(packet: Packet): void {
    this.packets.push(packet)
  }

  onClose(reason?: string): void {
    this.isClosed = true
    this.reason = reason
  }
}

/** One server's transport. */
export class Node {
  readonly id: number
  readonly peers: TcpPeers
  readonly events: TcpPeersEvent[] = []
  readonly votes: { readonly from: number; readonly vote: Notification }[] = []
  readonly accepted: Link[] = []
  readonly connections = new Map<number, PeerConnection>()
  /** The number of waiting inputs that its gate reports. */
  waitingInputs = 0
  readonly #servers: ReadonlyMap<number, PeerAddress>

  constructor(id: number, servers: ReadonlyMap<number, PeerAddress>, options: Partial<TcpPeersOptions> = {}) {
    this.id = id
    this.#servers = servers
    this.peers = new TcpPeers({
      myid: id,
      servers,
      connectTimeoutMs: 2_000,
      idleTimeoutMs: 2_000,
      onEvent: (event) => this.events.push(event),
      ...options,
    })
    const waitingInputs = (): number => this.waitingInputs
    this.peers.attach({
      get waitingInputs() {
        return waitingInputs()
      },
      acceptPeer: (from, connection) => {
        const link = new Link(from, connection)
        this.accepted.push(link)
        return link
      },
      receiveVote: (from, heard) => {
        this.votes.push({ from, vote: heard })
      },
    })
  }

  /** Where a server of its ensemble is. */
  address(id: number): PeerAddress {
    const address = this.#servers.get(id)
    if (address === undefined) throw new Error(`there is no server ${id}`)
    return address
  }

  /** The rounds of the votes of one server, in order. */
  rounds(from: number): number[] {
    return this.votes.filter((heard) => heard.from === from).map((heard) => heard.vote.electionEpoch)
  }

  /** Dials; resolves with the link, or null if that failed. */
  dial(peer: number): Promise<Link | null> {
    return new Promise((resolve) => {
      this.peers.dial(peer, {
        onConnected: (connection) => {
          const link = new Link(peer, connection)
          resolve(link)
          return link
        },
        onFailed: () => {
          resolve(null)
        },
      })
    })
  }

  /** A link to another one, over which both have said who they are. */
  async linkTo(leader: Node): Promise<{ readonly learner: Link; readonly leader: Link }> {
    const learner = await this.dial(leader.id)
    if (learner === null) throw new Error(`server ${leader.id} cannot be reached`)
    const before = leader.accepted.length
    learner.connection.send({ type: 'FOLLOWERINFO', acceptedEpoch: 0 })
    await until(() => leader.accepted.length > before)
    const accepted = leader.accepted[before]
    if (accepted === undefined) throw new Error('nothing was accepted')
    accepted.connection.send({ type: 'LEADERINFO', epoch: 1 })
    await until(() => learner.packets.length === 1 && accepted.packets.length === 1)
    return { learner, leader: accepted }
  }
}

/** One end of a connection that is no server of ours: it keeps what it hears. */
export class RawEnd {
  readonly socket: Socket
  #heard: Buffer = Buffer.alloc(0)
  isOver = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#heard = Buffer.concat([this.#heard, chunk])
    })
    socket.on('error', () => undefined)
    socket.on('end', () => (this.isOver = true))
    socket.on('close', () => (this.isOver = true))
  }

  /** Connects to a port on loopback. */
  static async to(port: number): Promise<RawEnd> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const end = new RawEnd(socket)
    await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
    return end
  }

  /** How many bytes were heard and not taken. */
  get heardBytes(): number {
    return this.#heard.length
  }

  write(hex: string): void {
    this.socket.write(Buffer.from(hex, 'hex'))
  }

  /** The next so many bytes that it hears, in hex. */
  async take(bytes: number): Promise<string> {
    await until(() => this.#heard.length >= bytes, () => `${this.#heard.toString('hex')} of ${bytes} bytes`)
    const taken = this.#heard.subarray(0, bytes)
    this.#heard = this.#heard.subarray(bytes)
    return taken.toString('hex')
  }
}

/** A port on loopback that is no server of ours; it keeps who connects. */
export class RawPort {
  readonly ends: RawEnd[] = []
  readonly #server: NetServer

  private constructor(server: NetServer) {
    this.#server = server
    server.on('connection', (socket) => this.ends.push(new RawEnd(socket)))
  }

  static async at(port: number): Promise<RawPort> {
    const server = createServer({ noDelay: true })
    const raw = new RawPort(server)
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return raw
  }

  /** The connection of this number, once it is there. */
  async end(index: number): Promise<RawEnd> {
    await until(() => this.ends.length > index, () => `no connection ${index}`)
    return this.ends[index] as RawEnd
  }

  close(): void {
    this.#server.close()
    for (const { socket } of this.ends) socket.destroy()
  }
}
