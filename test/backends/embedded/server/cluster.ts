/**
 * Servers as pure machines, joined by queues: every message is delivered one at a time, in order, and written down.
 */
import { CreateFlag, OpCode } from '../../../../src/backends/wire/codes.ts'
import type { PeerMessage } from '../../../../src/backends/wire/packets.ts'
import { OPEN_ACL } from '../../../../src/backends/wire/records.ts'
import type { ClientMessage, ConnectRequest, Request, ServerMessage } from '../../../../src/backends/wire/records.ts'
import { sha1 } from '../../../../src/backends/embedded/host/digest.ts'
import { MemoryNetwork } from '../../../../src/backends/embedded/host/peers/memory.ts'
import { Peers } from '../../../../src/backends/embedded/host/peers/peers.ts'
import { MemoryStorage } from '../../../../src/backends/embedded/host/storage/memory.ts'
import type { MemoryContents } from '../../../../src/backends/embedded/host/storage/memory.ts'
import { SERVER_DEFAULTS } from '../../../../src/backends/embedded/server/config.ts'
import type { ServerConfig } from '../../../../src/backends/embedded/server/config.ts'
import type { Ready, ServerEvent } from '../../../../src/backends/embedded/server/ready.ts'
import { Server } from '../../../../src/backends/embedded/server/server.ts'
import type { PersistOperation } from '../../../../src/backends/embedded/server/zab/journal.ts'
import type { Outgoing } from '../../../../src/backends/embedded/server/zab/outbox.ts'
import { formatZxid } from '../../../../src/backends/embedded/server/zab/zxid.ts'
import { SeededRandom } from '../../../../src/testing/simulation/random.ts'
import { WALL_TIME_MS, fillerEntry, singly } from './log-entries.ts'
import { chunksOf, recoveredFrom, storeSnapshot } from './recovered.ts'
import type { ClusterObserver } from './cluster-observer.ts'
import type { TestConnection } from './test-connection.ts'
import { formatEvent, formatMessage } from './trace-lines.ts'

const DELIVERIES_MAX = 100_000

interface Member {
  readonly server: Server
  readonly peers: Peers
  readonly storage: MemoryStorage
  /** Taken from the server, not durable yet. */
  readonly unpersisted: Ready[]
  /** Inputs that are still to come before its output is taken. */
  inputsLeft: number
}

interface Delivery {
  readonly from: number
  readonly to: number
  /** The number that `to` has for the link that it travels on; null for a notification. */
  readonly link: number | null
  readonly run: (server: Server) => void
  readonly line: () => string
}

/** An ensemble of pure machines. */
export class Cluster {
  readonly network = new MemoryNetwork()
  readonly members = new Map<number, Member>()
  /** Everything that happened, a line each, since it was last taken. */
  trace: string[] = []
  readonly events: { readonly server: number; readonly event: ServerEvent }[] = []
  readonly #voters: readonly number[]
  readonly #config: Partial<ServerConfig>
  readonly #storages = new Map<number, MemoryStorage>()
  readonly #wiped = new Set<number>()
  readonly #connections: TestConnection[] = []
  readonly #heldDisks = new Set<number>()
  /** By its own number for it, each end of each link. */
  #links: { readonly id: number; readonly peer: number; readonly link: number }[] = []
  #queue: Delivery[] = []
  /** Numbers that differ and are the same in every run. */
  readonly #random = new SeededRandom(1)
  #lastConnection = 0
  #xid = 0
  /**
   * Called with each message before it is delivered; false loses it (and everything on the link after it should go
   * too).
   */
  intercept: ((from: number, to: number, message: PeerMessage) => boolean) | null = null
  observer: ClusterObserver = {}
  /** Whether {@link trace} is written. */
  isTracing = true
  /** Says of how many inputs the next turn of a server is: its output is taken once for all of them. */
  turnInputs: () => number = () => 1
  /** The server whose turn goes on; see {@link turn}. */
  #inTurn: number | null = null

  constructor(voters: readonly number[], config: Partial<ServerConfig> = {}) {
    this.#voters = voters
    this.#config = config
  }

  /** Gives a server a log of refused requests up to this counter of this epoch, before it starts. */
  fillLog(id: number, count: number, epoch = 0): void {
    const storage = this.#storage(id)
    const entries = Array.from({ length: count }, (_, index) => fillerEntry(epoch, index + 1))
    storage.persist([
      { type: 'append', entries },
      { type: 'epochs', acceptedEpoch: epoch, currentEpoch: epoch, votes: true },
    ])
  }

  /** Sets a server's epochs before it starts. */
  setEpochs(id: number, acceptedEpoch: number, currentEpoch: number): void {
    this.#storage(id).persist([{ type: 'epochs', acceptedEpoch, currentEpoch, votes: true }])
  }

  /** Starts a server with what its storage holds. */
  start(id: number, settings: Partial<ServerConfig> = {}): void {
    const storage = this.#storage(id)
    const config = {
      ...SERVER_DEFAULTS,
      ...this.#config,
      ...settings,
      myid: id,
      voters: this.#voters,
      bootstrap: !this.#wiped.has(id) && this.#config.beginsTogether !== true,
    }
    const recovered = recoveredFrom(storage.contents)
    const server = new Server(config, recovered, { random: this.#random, digest: sha1 }, WALL_TIME_MS)
    const peers = this.#makePeers(id)
    const member: Member = { server, peers, storage, unpersisted: [], inputsLeft: 0 }
    this.members.set(id, member)
    this.network.attach(id, {
      receiveVote: (from, notification) => {
        this.#queueMessage(from, id, notification, (at) => {
          at.receiveVote(from, notification)
        })
      },
      acceptPeer: (from, connection) => peers.accept(from, connection),
    })
    this.#drain(id, member)
  }

  /** Starts servers, and lets time pass until all of them serve. */
  startAll(ids: readonly number[]): void {
    for (const id of ids) this.start(id)
    this.run()
    this.tickUntil(() => ids.every((id) => this.server(id).status().serving))
  }

  /**
   * Ends a server's process; its storage stays.
   *
   * @param survivors - how many of the log entries and other operations that wait for its disk are durable all the same
   */
  crash(id: number, survivors = 0): void {
    const member = this.members.get(id)
    if (member !== undefined) {
      const operations = member.unpersisted.flatMap((ready) => ready.persist).flatMap(singly)
      this.#persist(id, member.storage, operations.slice(0, survivors))
    }
    this.members.delete(id)
    this.#links = this.#links.filter((end) => end.id !== id)
    this.#heldDisks.delete(id)
    this.#queue = this.#queue.filter((delivery) => delivery.to !== id)
    for (const connection of this.#connections) if (connection.server === id) connection.closed = true
    this.network.detach(id)
  }

  /** Tells a server that it is about to end. */
  leave(id: number): void {
    this.#give(id, (server) => server.leave())
  }

  /** Takes a server's storage away. */
  wipe(id: number): void {
    this.#storages.delete(id)
    this.#wiped.add(id)
  }

  /** From now on nothing becomes durable at a server, until {@link releaseDisk}. */
  holdDisk(id: number): void {
    this.#heldDisks.add(id)
  }

  /** Lets a server's disk go on. */
  releaseDisk(id: number): void {
    this.#heldDisks.delete(id)
    this.flushDisk(id)
  }

  /** Makes the first turns that wait for a server's disk durable, and does what waited for them. */
  flushDisk(id: number, turns = Infinity): void {
    const member = this.members.get(id)
    if (member === undefined) return
    for (let turn = 0; turn < turns; turn++) {
      const ready = member.unpersisted.shift()
      if (ready === undefined) break
      this.#finish(id, member, ready)
    }
    this.#drain(id, member)
  }

  /** The content of a server's disk. */
  disk(id: number): MemoryContents {
    return this.#storage(id).contents
  }

  /** Breaks the links between two servers: what is on its way is lost, and both ends are told. */
  breakLink(one: number, other: number): void {
    const broken = this.#links.filter(({ id, peer }) => {
      return (id === one && peer === other) || (id === other && peer === one)
    })
    this.#queue = this.#queue.filter(({ to, link }) => !broken.some((end) => end.id === to && end.link === link))
    for (const { id, peer, link } of broken) {
      this.members.get(id)?.peers.close(link)
      // The end that is closed second hears nothing of the first.
      this.#queue = this.#queue.filter((delivery) => delivery.to !== id || delivery.link !== link)
      this.#queueEnd(peer, id, link)
    }
  }

  /** Gives a server several inputs in one turn: its output is taken once, after all of them. */
  turn(id: number, inputs: () => void): void {
    this.#inTurn = id
    inputs()
    this.#inTurn = null
    const member = this.members.get(id)
    if (member !== undefined) this.#drain(id, member)
  }

  #makePeers(id: number): Peers {
    const peerOf = (link: number): number => this.#links.find((end) => end.id === id && end.link === link)?.peer ?? 0
    return new Peers(this.network.transportOf(id), {
      peerConnected: (link, peer, isDialled) => {
        this.#links.push({ id, peer, link })
        const line = (): string => `${peer} -> ${id} (link ${isDialled ? 'there' : 'opened'})`
        this.#queue.push({ from: peer, to: id, link, line, run: (at) => {
          at.peerConnected(link, peer, isDialled)
        } })
      },
      peerUnreachable: (peer) => {
        this.#queue.push({ from: peer, to: id, link: null, line: () => `${peer} -> ${id} (refused)`, run: (at) => {
          at.peerUnreachable(peer)
        } })
      },
      receivePeer: (link, packet) => {
        this.#queueMessage(peerOf(link), id, { type: 'PACKET', link, packet }, (at) => {
          at.receivePeer(link, packet)
        })
      },
      peerClosed: (link) => {
        this.#queueEnd(peerOf(link), id, link)
      },
      linkDropped: (_peer, reason) => {
        throw new Error(reason)
      },
      failed: (error) => {
        throw error
      },
    })
  }

  #queueMessage(from: number, to: number, message: PeerMessage, run: (server: Server) => void): void {
    const link = message.type === 'PACKET' ? message.link : null
    const line = (): string => `${from} -> ${to} ${formatMessage(message)}`
    this.#queue.push({ from, to, link, line, run: (at) => {
      if (this.intercept?.(from, to, message) !== false) run(at)
    } })
  }

  /** Delivers messages until there are none. */
  run(): void {
    for (let count = 0; ; count++) {
      if (count > DELIVERIES_MAX) throw new Error(`no rest after ${DELIVERIES_MAX} messages`)
      if (!this.deliverOne()) return
    }
  }

  /** Delivers the next message; if there is none, takes the output of a turn that waits for more inputs. */
  deliverOne(): boolean {
    if (this.#deliver(0)) return true
    for (const [id, member] of this.members) {
      if (member.inputsLeft === 0) continue
      this.#drain(id, member)
      return true
    }
    return false
  }

  /** Pairs of servers between which something is on its way, each once, in the order of their oldest messages. */
  pairs(): { readonly from: number; readonly to: number }[] {
    const pairs: { from: number; to: number }[] = []
    for (const { from, to } of this.#queue) {
      if (!pairs.some((pair) => pair.from === from && pair.to === to)) pairs.push({ from, to })
    }
    return pairs
  }

  /** Delivers the oldest message from one server to another. */
  deliver(from: number, to: number): boolean {
    return this.#deliver(this.#queue.findIndex((delivery) => delivery.from === from && delivery.to === to))
  }

  #deliver(index: number): boolean {
    const [delivery] = index === -1 ? [] : this.#queue.splice(index, 1)
    if (delivery === undefined) return false
    const member = this.members.get(delivery.to)
    if (member === undefined) return true
    if (this.isTracing) this.trace.push(delivery.line())
    delivery.run(member.server)
    this.#tookInput(delivery.to, member)
    return true
  }

  #queueEnd(from: number, to: number, link: number): void {
    this.#links = this.#links.filter((end) => end.id !== to || end.link !== link)
    if (!this.members.has(to)) return
    const line = (): string => `${from} -> ${to} (link closed)`
    this.#queue.push({ from, to, link, line, run: (at) => at.peerClosed(link) })
  }

  /** Lets ticks pass on all servers (or some), delivering everything in between. */
  tick(count = 1, ids: readonly number[] = [...this.members.keys()].sort((a, b) => a - b)): void {
    for (let i = 0; i < count; i++) {
      for (const id of ids) this.tickOne(id)
      this.run()
    }
  }

  /** Lets one tick pass on one server, and delivers nothing. */
  tickOne(id: number): void {
    this.#give(id, (server) => server.tick())
  }

  /** Lets time pass until this holds. */
  tickUntil(condition: () => boolean, ticksMax = 1_000): void {
    for (let i = 0; i < ticksMax; i++) {
      if (condition()) return
      this.tick()
    }
    throw new Error(`not so after ${ticksMax} ticks:\n${this.status().join('\n')}`)
  }

  /** The server that leads and serves, or null. */
  leader(): number | null {
    for (const [id, { server }] of this.members) {
      const { role, serving } = server.status()
      if (role === 'LEADING' && serving) return id
    }
    return null
  }

  /** The server with this id, which must be up. */
  server(id: number): Server {
    const member = this.members.get(id)
    if (member === undefined) throw new Error(`server ${id} is down`)
    return member.server
  }

  /** One line a server. */
  status(): string[] {
    return [...this.members.keys()].sort((a, b) => a - b).map((id) => {
      const { role, leader, serving, epoch, zxid, loggedZxid } = this.server(id).status()
      const place = `epoch ${epoch} applied ${formatZxid(zxid)} logged ${formatZxid(loggedZxid)}`
      return `${id} ${role} leader ${leader ?? '-'} ${serving ? 'serving' : 'not serving'} ${place}`
    })
  }

  // Clients

  /** Connects a client; a session is given to resume it, an address if it has one. */
  connect(
    server: number,
    { sessionId = 0n, passwd = new Uint8Array(16), readOnly = false }: Partial<ConnectRequest> = {},
    lastZxidSeen = 0n,
    timeOut = 1_000,
    address = '',
  ): TestConnection {
    this.#lastConnection += 1
    const connection: TestConnection = {
      server,
      number: this.#lastConnection,
      received: [],
      closed: false,
      sessionId: 0n,
      passwd: new Uint8Array(16),
    }
    this.#connections.push(connection)
    if (address !== '') this.members.get(server)?.server.openClient(connection.number, address)
    const request = { protocolVersion: 0, lastZxidSeen, timeOut, sessionId, passwd, readOnly }
    this.send(connection, { kind: 'connect', request })
    return connection
  }

  /** Connects a client and waits until it has its session. */
  client(server: number, asked: Partial<ConnectRequest> = {}, lastZxidSeen = 0n): TestConnection {
    const connection = this.connect(server, asked, lastZxidSeen)
    this.run()
    if (connection.closed || connection.sessionId === 0n) throw new Error(`server ${server} gave no session`)
    return connection
  }

  /** Sends a request; returns its xid. */
  request(connection: TestConnection, request: Pick<Request, 'op' | 'body'>): number {
    this.#xid += 1
    const { op, body } = request
    this.send(connection, { kind: 'request', request: { xid: this.#xid, op, body } as Request })
    return this.#xid
  }

  /** Sends a create of a node with one byte of data. */
  create(connection: TestConnection, path: string, flags: number = CreateFlag.persistent): number {
    const body = { path, data: new Uint8Array([1]), acl: OPEN_ACL, flags }
    return this.request(connection, { op: OpCode.create2, body })
  }

  send(connection: TestConnection, message: ClientMessage): void {
    if (!connection.closed) this.#give(connection.server, (server) => server.receiveClient(connection.number, message))
  }

  /** Closes a client's connection from its side. */
  hangUp(connection: TestConnection): void {
    connection.closed = true
    this.#give(connection.server, (server) => server.disconnectClient(connection.number))
  }

  #give(id: number, input: (server: Server) => void): void {
    const member = this.members.get(id)
    if (member === undefined) return
    input(member.server)
    this.#tookInput(id, member)
  }

  #tookInput(id: number, member: Member): void {
    if (this.#inTurn === id) return
    if (member.inputsLeft === 0) member.inputsLeft = this.turnInputs()
    member.inputsLeft -= 1
    if (member.inputsLeft === 0) this.#drain(id, member)
  }

  #drain(id: number, member: Member): void {
    const { server } = member
    member.inputsLeft = 0
    for (let ready = server.ready(); ready !== null; ready = server.ready()) {
      for (const event of ready.events) {
        if (event.type === 'client-failed') throw event.error
        this.events.push({ server: id, event })
        this.observer.onEvent?.(id, event)
        if (this.isTracing) this.trace.push(`${id}: ${formatEvent(event)}`)
      }
      if (ready.rewindTo !== null) throw new Error(`server ${id} is to read its files again, and has none`)
      for (const peer of ready.dial) member.peers.dial(peer)
      for (const outgoing of ready.sendNow) this.#sendWithState(id, member, outgoing)
      for (const { connection, message } of ready.replies) this.#reply(connection, message)
      for (const number of ready.close) {
        const connection = this.#connections.find((open) => open.number === number)
        if (connection !== undefined) connection.closed = true
      }
      if (this.#heldDisks.has(id) || member.unpersisted.length > 0) member.unpersisted.push(ready)
      else this.#finish(id, member, ready)
    }
  }

  /** The half of a turn that begins with the disk. */
  #finish(id: number, member: Member, ready: Ready): void {
    const { server, storage, peers } = member
    this.#persist(id, storage, ready.persist)
    if (ready.snapshot !== null) storeSnapshot(storage, ready.snapshot)
    for (const outgoing of ready.sendAfterPersist) this.#send(id, member, outgoing)
    for (const { link } of ready.closeLinks) {
      this.#links = this.#links.filter((end) => end.id !== id || end.link !== link)
      peers.close(link)
    }
    server.advance(ready)
  }

  #persist(id: number, storage: MemoryStorage, operations: readonly PersistOperation[]): void {
    this.observer.onPersist?.(id, operations)
    storage.persist(operations)
  }

  /** A state goes in one go. */
  #sendWithState(from: number, member: Member, { to, message, state }: Outgoing): void {
    this.#send(from, member, { to, message })
    if (state === undefined || message.type !== 'PACKET') return
    const { link } = message
    for (const bytes of [...chunksOf(state), null]) {
      const packet = { type: 'SNAPCHUNK', bytes: bytes ?? new Uint8Array(), isLast: bytes === null } as const
      this.#send(from, member, { to, message: { type: 'PACKET', link, packet } })
    }
  }

  #send(from: number, { peers }: Member, outgoing: Outgoing): void {
    this.observer.onSend?.(from, outgoing.to, outgoing.message)
    peers.send(outgoing)
  }

  #reply(number: number, message: ServerMessage): void {
    const connection = this.#connections.find((open) => open.number === number)
    if (connection === undefined) return
    if (message.kind === 'connect') {
      connection.sessionId = message.response.sessionId
      connection.passwd = message.response.passwd ?? new Uint8Array()
    }
    connection.received.push(message)
    this.observer.onReply?.(connection, message)
  }

  #storage(id: number): MemoryStorage {
    const storage = this.#storages.get(id) ?? new MemoryStorage()
    this.#storages.set(id, storage)
    return storage
  }
}
