/**
 * Servers as pure machines, joined by queues: every message is delivered one at a time, in order, and written down.
 */
import { CreateFlag, OpCode } from '../../../../src/backends/protocol/codes.ts'
import type { Packet, PeerMessage } from '../../../../src/backends/protocol/packets.ts'
import { OPEN_ACL } from '../../../../src/backends/protocol/records.ts'
import type { ClientMessage, Request, ServerMessage } from '../../../../src/backends/protocol/records.ts'
import { encodeTransaction } from '../../../../src/backends/protocol/transactions.ts'
import { MemoryNetwork } from '../../../../src/backends/embedded/io/memory-network.ts'
import { MemoryStorage } from '../../../../src/backends/embedded/io/storage.ts'
import { SERVER_DEFAULTS } from '../../../../src/backends/embedded/server/config.ts'
import type { ServerConfig } from '../../../../src/backends/embedded/server/config.ts'
import type { RandomSource } from '../../../../src/backends/embedded/server/random.ts'
import type { ServerEvent } from '../../../../src/backends/embedded/server/ready.ts'
import { Server } from '../../../../src/backends/embedded/server/server.ts'
import { epochOf, formatZxid } from '../../../../src/backends/embedded/server/zab.ts'

const DELIVERIES_MAX = 100_000
const WALL_TIME_MS = 1_700_000_000_000

interface Member {
  readonly server: Server
  readonly storage: MemoryStorage
}

type Delivery = { readonly to: number; readonly run: (member: Member) => void; readonly line: string | null }

/** One client's connection to one server. */
export interface TestConnection {
  readonly server: number
  readonly number: number
  readonly received: ServerMessage[]
  closed: boolean
  sessionId: bigint
  passwd: Uint8Array
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
  #queue: Delivery[] = []
  #seed = 1
  #lastConnection = 0
  #xid = 0
  /** Called with each message before it is delivered; false loses it (and everything on the link behind it should go too). */
  intercept: ((from: number, to: number, message: PeerMessage) => boolean) | null = null

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
      { type: 'epochs', acceptedEpoch: epoch, currentEpoch: epoch },
    ])
  }

  /** Sets a server's epochs before it starts. */
  setEpochs(id: number, acceptedEpoch: number, currentEpoch: number): void {
    this.#storage(id).persist([{ type: 'epochs', acceptedEpoch, currentEpoch }])
  }

  /** Starts a server with what its storage holds. */
  start(id: number): void {
    const storage = this.#storage(id)
    const config = {
      ...SERVER_DEFAULTS,
      ...this.#config,
      myid: id,
      voters: this.#voters,
      bootstrap: !this.#wiped.has(id),
    }
    const server = new Server(config, storage.load(), this.#random(), WALL_TIME_MS)
    const member = { server, storage }
    this.members.set(id, member)
    this.network.attach(id, {
      receivePeer: (from, message) => {
        const line = `${from} -> ${id} ${formatMessage(message)}`
        this.#queue.push({ to: id, line, run: (at) => {
          if (this.intercept?.(from, id, message) !== false) at.server.receivePeer(from, message)
        } })
      },
      disconnectPeer: (peer, link) => {
        const line = `${peer} -> ${id} (link closed)`
        this.#queue.push({ to: id, line, run: (at) => {
          at.server.disconnectPeer(peer, link)
        } })
      },
    })
    this.#drain(id, member)
  }

  /** Ends a server's process; its storage stays. */
  crash(id: number): void {
    this.members.delete(id)
    this.#queue = this.#queue.filter((delivery) => delivery.to !== id)
    for (const connection of this.#connections) if (connection.server === id) connection.closed = true
    this.network.detach(id)
  }

  /** Takes a server's storage away. */
  wipe(id: number): void {
    this.#storages.delete(id)
    this.#wiped.add(id)
  }

  /** Delivers messages until there are none. */
  run(): void {
    for (let count = 0; ; count++) {
      if (count > DELIVERIES_MAX) throw new Error(`no rest after ${DELIVERIES_MAX} messages`)
      if (!this.deliverOne()) return
    }
  }

  /** Delivers the next message. */
  deliverOne(): boolean {
    const delivery = this.#queue.shift()
    if (delivery === undefined) return false
    const member = this.members.get(delivery.to)
    if (member === undefined) return true
    if (delivery.line !== null) this.trace.push(delivery.line)
    delivery.run(member)
    this.#drain(delivery.to, member)
    return true
  }

  /** Lets ticks pass on all servers (or some), delivering everything in between. */
  tick(count = 1, ids: readonly number[] = [...this.members.keys()].sort((a, b) => a - b)): void {
    for (let i = 0; i < count; i++) {
      for (const id of ids) {
        const member = this.members.get(id)
        if (member === undefined) continue
        member.server.tick()
        this.#drain(id, member)
      }
      this.run()
    }
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

  /** Connects a client; a session is given to resume it. */
  connect(server: number, resume?: { sessionId: bigint; passwd: Uint8Array }, lastZxidSeen = 0n): TestConnection {
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
    const sessionId = resume?.sessionId ?? 0n
    const passwd = resume?.passwd ?? new Uint8Array(16)
    const request = { protocolVersion: 0, lastZxidSeen, timeOut: 1_000, sessionId, passwd, readOnly: false }
    this.send(connection, { kind: 'connect', request })
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
    const member = this.members.get(connection.server)
    if (member === undefined || connection.closed) return
    member.server.receiveClient(connection.number, message)
    this.#drain(connection.server, member)
  }

  /** Closes a client's connection from its side. */
  hangUp(connection: TestConnection): void {
    connection.closed = true
    const member = this.members.get(connection.server)
    if (member === undefined) return
    member.server.disconnectClient(connection.number)
    this.#drain(connection.server, member)
  }

  #drain(id: number, { server, storage }: Member): void {
    for (let ready = server.ready(); ready !== null; ready = server.ready()) {
      for (const event of ready.events) {
        this.events.push({ server: id, event })
        this.trace.push(`${id}: ${formatEvent(event)}`)
      }
      for (const { to, message } of ready.sendNow) this.network.send(id, to, message)
      for (const { connection, message } of ready.replies) this.#reply(connection, message)
      for (const number of ready.close) {
        const connection = this.#connections.find((open) => open.number === number)
        if (connection !== undefined) connection.closed = true
      }
      storage.persist(ready.persist)
      for (const { to, message } of ready.sendAfterPersist) this.network.send(id, to, message)
      for (const { peer, link } of ready.closeLinks) this.network.close(id, peer, link)
      server.advance(ready)
    }
  }

  #reply(number: number, message: ServerMessage): void {
    const connection = this.#connections.find((open) => open.number === number)
    if (connection === undefined) return
    connection.received.push(message)
    if (message.kind !== 'connect') return
    connection.sessionId = message.response.sessionId
    connection.passwd = message.response.passwd ?? new Uint8Array()
  }

  #storage(id: number): MemoryStorage {
    const storage = this.#storages.get(id) ?? new MemoryStorage()
    this.#storages.set(id, storage)
    return storage
  }

  /** Numbers that differ and are the same in every run. */
  #random(): RandomSource {
    const u32 = (): number => {
      this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0
      return this.#seed
    }
    return { u32, bytes: (length) => Uint8Array.from({ length }, () => u32() >>> 24) }
  }
}

/** A transaction that changes nothing: it stands for a request that was refused. */
export function fillerEntry(epoch: number, counter: number): { zxid: bigint; txn: Uint8Array } {
  const zxid = (BigInt(epoch) << 32n) | BigInt(counter)
  const header = { clientId: 1n, cxid: counter, zxid, time: WALL_TIME_MS, type: OpCode.error }
  return { zxid, txn: encodeTransaction({ header, txn: { type: OpCode.error, body: { err: -101 } } }) }
}

function formatMessage(message: PeerMessage): string {
  if (message.type === 'PACKET') return formatPacket(message.packet)
  const { leader, zxid, peerEpoch, electionEpoch, state } = message
  return `NOTIFICATION ${state} round ${electionEpoch} vote (${leader}, ${formatVoteZxid(zxid)}, epoch ${peerEpoch})`
}

/** Decimal inside the first epoch, as the textbooks have it. */
function formatVoteZxid(zxid: bigint): string {
  return epochOf(zxid) === 0 ? zxid.toString() : formatZxid(zxid)
}

function formatPacket(packet: Packet): string {
  switch (packet.type) {
    case 'FOLLOWERINFO':
    case 'OBSERVERINFO':
      return `${packet.type} accepted epoch ${packet.acceptedEpoch}`
    case 'LEADERINFO':
      return `LEADERINFO epoch ${packet.epoch}`
    case 'ACKEPOCH':
      return `ACKEPOCH current epoch ${packet.currentEpoch} last ${formatZxid(packet.lastZxid)}`
    case 'REVALIDATE':
    case 'REVALIDATED':
    case 'REQUEST':
    case 'UPTODATE':
    case 'SYNC':
    case 'PING':
      return packet.type
    default:
      return `${packet.type} ${formatZxid(packet.zxid)}`
  }
}

function formatEvent(event: ServerEvent): string {
  switch (event.type) {
    case 'looking':
      return `looking, round ${event.round}: ${event.reason}`
    case 'elected': {
      const { leader, zxid, peerEpoch } = event.vote
      const vote = `(${leader}, ${formatVoteZxid(zxid)}, epoch ${peerEpoch})`
      return `elected ${vote} in round ${event.round}, supported by ${event.supporters.join(', ')}`
    }
    case 'synchronised':
      return `synchronised by ${event.mode} from ${formatZxid(event.from)}`
    case 'serving':
      return `serving, ${event.role}, epoch ${event.epoch}`
    case 'expired':
      return 'expired a session'
  }
}
