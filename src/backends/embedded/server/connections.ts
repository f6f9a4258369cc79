/**
 * The clients of one server: handshake, first in first out, replies and watch events.
 *
 * Order     a session's requests are answered in the order in which they came, with zxids that never fall. A read waits
 *           behind the session's own writes and is then answered from the local state, at one instant with the arming
 *           of its watch; a write is not even submitted before the session's earlier syncs are confirmed. When a
 *           transaction is applied, the events that it fires go out before its own reply and before every later one.
 * Handshake the password is looked at before anything is changed: a wrong one disturbs nobody. A client that has seen
 * more than
 *           this server has applied is turned away, so that it never travels back in time.
 * Source    ZooKeeperServer.processConnectRequest, CommitProcessor.java, FinalRequestProcessor.java.
 */
import { assert } from '../../../core/assert.ts'
import { Err, OpCode, Xid } from '../../protocol/codes.ts'
import type { Packet } from '../../protocol/packets.ts'
import type { ClientMessage, ConnectRequest, Reply, ReplyBodies } from '../../protocol/records.ts'
import type { Request, ServerMessage } from '../../protocol/records.ts'
import type { Transaction } from '../../protocol/transactions.ts'
import type { WriteRequest } from './prepare.ts'
import type { RandomSource } from './random.ts'
import { samePassword } from './sessions.ts'
import type { Applied, State } from './state.ts'
import { Watches } from './watches.ts'

/** Longest data and paths of one request together, in bytes: ZooKeeper's jute.maxbuffer. */
export const REQUEST_BYTES_MAX = 0xfffff
/** Requests of one connection that may wait for their answer; one more and it is closed. */
export const PENDING_REQUESTS_MAX = 100_000
/** Pings of one connection that may wait for their answer; clients send one every third of their session time-out. */
const UNANSWERED_PINGS_MAX = 64
/** Length of a session password. */
const PASSWORD_BYTES = 16
const NO_PASSWORD = new Uint8Array(PASSWORD_BYTES)
/** High byte: the server's id; the rest: random, so that no two incarnations of a server give the same id. */
const SERVER_ID_SHIFT = 56n
const RANDOM_HIGH_BITS = 0xffffff

/** What the connections ask of the server around them. */
export interface ConnectionsHost {
  readonly myid: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  /** The state, as far as it is applied here. */
  state(): State
  /** Whether this server is in touch with a majority. */
  isServing(): boolean
  /** Has the leader make a transaction of a write. */
  submit(request: WriteRequest): void
  /** Has the leader confirm that it leads. */
  sync(syncId: number): void
  /** Has the leader check a session's password and move it here. */
  revalidate(packet: Extract<Packet, { type: 'REVALIDATE' }>): void
  /** A session was heard of. */
  touch(sessionId: bigint): void
}

/** One message for a client. */
export interface ConnectionReply {
  readonly connection: number
  readonly message: ServerMessage
}

interface Pending {
  readonly request: Request
  /** What it waits for: a `sync` to be confirmed, a `write` to be applied; `ready` for nothing but those before it. */
  kind: 'ready' | 'write' | 'sync'
  /** A sync's number; 0 for others. */
  readonly syncId: number
  /** Not `Err.ok` if it is refused, whatever it asks for. */
  readonly err: number
  /** The answer of a write, once it is known. */
  answer: ServerMessage | null
}

interface Connection {
  readonly id: number
  phase: 'new' | 'creating' | 'resuming' | 'open'
  sessionId: bigint
  passwd: Uint8Array
  timeoutMs: number
  readonly pending: Pending[]
  /** While there are any, later writes wait to be submitted. */
  unconfirmedSyncs: number
  unansweredPings: number
}

/** All connections of one server, by the numbers that its host gave them. */
export class Connections {
  readonly #host: ConnectionsHost
  readonly #random: RandomSource
  readonly #connections = new Map<number, Connection>()
  /** Connections that have, create or resume a session. */
  readonly #bySession = new Map<bigint, Connection>()
  readonly #syncs = new Map<number, Connection>()
  readonly #watches = new Watches()
  /** Whose pings came since the last tick, and whose wait for a sync to be confirmed. */
  #pinged: Connection[] = []
  readonly #pingRounds = new Map<number, readonly Connection[]>()
  #lastSyncId = 0
  #replies: ConnectionReply[] = []
  #closes: number[] = []

  constructor(host: ConnectionsHost, random: RandomSource) {
    this.#host = host
    this.#random = random
  }

  /** Number of clients that have a session here. */
  get count(): number {
    return this.#bySession.size
  }

  /** Number of watches that are armed here. */
  get watchCount(): number {
    return this.#watches.count
  }

  /** Whether there is output to take. */
  get hasOutput(): boolean {
    return this.#replies.length > 0 || this.#closes.length > 0
  }

  /** Takes the output: replies in order, then the connections to close behind them. */
  take(): { readonly replies: readonly ConnectionReply[]; readonly closes: readonly number[] } {
    const output = { replies: this.#replies, closes: this.#closes }
    this.#replies = []
    this.#closes = []
    return output
  }

  /** Receives a message; the first one on a number opens the connection. */
  receive(id: number, message: ClientMessage): void {
    let connection = this.#connections.get(id)
    if (connection === undefined) {
      connection = newConnection(id)
      this.#connections.set(id, connection)
    }
    if (message.kind === 'connect') {
      if (connection.phase === 'new') this.#connect(connection, message.request)
      else this.#close(connection)
    } else if (connection.phase === 'open') this.#request(connection, message.request)
    else this.#close(connection)
  }

  /** Lets a tick pass: all pings that came in it are confirmed together. */
  tick(): void {
    if (this.#pinged.length === 0) return
    this.#lastSyncId += 1
    this.#pingRounds.set(this.#lastSyncId, this.#pinged)
    this.#pinged = []
    this.#host.sync(this.#lastSyncId)
  }

  /** A client is gone. Its session stays until its time-out. */
  disconnect(id: number): void {
    const connection = this.#connections.get(id)
    if (connection !== undefined) this.#forget(connection)
  }

  /** Closes every connection: this server no longer serves. */
  closeAll(): void {
    for (const id of [...this.#connections.keys()].sort((a, b) => a - b)) {
      const connection = this.#connections.get(id)
      if (connection !== undefined) this.#close(connection)
    }
    this.#pinged = []
    this.#pingRounds.clear()
  }

  /** Closes the connection of a session, if it is connected here. */
  disconnectSession(sessionId: bigint): boolean {
    const connection = this.#bySession.get(sessionId)
    if (connection !== undefined) this.#close(connection)
    return connection !== undefined
  }

  /** Sends what follows from a transaction that was applied. */
  applied({ header, txn }: Transaction, applied: Applied): void {
    const ended = applied.endedSession === null ? undefined : this.#bySession.get(applied.endedSession)
    // A session that is over is told nothing more: that its own nodes are gone is no news of a node.
    if (ended !== undefined) this.#watches.removeAll(ended.id)
    if (applied.changes.length > 0) {
      for (const { connection, event } of this.#watches.fire(applied.changes)) {
        this.#send(connection, { kind: 'event', zxid: header.zxid, event })
      }
    }
    const connection = this.#bySession.get(header.clientId)
    if (connection === undefined) return
    if (txn.type === OpCode.createSession) {
      // A session that moved here before this server heard of its beginning has been accepted already.
      if (connection.phase === 'creating') this.#accept(connection)
      return
    }
    this.#answer(connection, { xid: header.cxid, zxid: header.zxid, err: applied.err, body: applied.body })
    if (txn.type === OpCode.closeSession) this.#close(connection)
  }

  /** A sync is confirmed, and everything that it waits for is applied. */
  synced(syncId: number): void {
    for (const pinged of this.#pingRounds.get(syncId) ?? []) this.#pong(pinged)
    this.#pingRounds.delete(syncId)
    const connection = this.#syncs.get(syncId)
    this.#syncs.delete(syncId)
    if (connection === undefined) return
    const { pending } = connection
    const index = pending.findIndex((entry) => entry.syncId === syncId)
    const sync = pending[index]
    assert(sync?.kind === 'sync', () => `sync ${syncId} waits for its confirmation`)
    sync.kind = 'ready'
    connection.unconfirmedSyncs -= 1
    for (let i = index + 1; i < pending.length; i++) {
      const behind = pending[i]
      if (behind === undefined || behind.kind === 'sync') break
      if (behind.kind === 'write') this.#submit(connection, behind.request)
    }
    this.#drain(connection)
  }

  /** The leader has looked at a session that a client wants to resume here. */
  revalidated({ sessionId, valid, timeoutMs }: Extract<Packet, { type: 'REVALIDATED' }>): void {
    for (const connection of [...this.#connections.values()]) {
      if (connection.phase !== 'resuming' || connection.sessionId !== sessionId) continue
      if (!valid) {
        this.#refuse(connection)
        continue
      }
      const earlier = this.#bySession.get(sessionId)
      if (earlier !== undefined) this.#close(earlier)
      this.#bySession.set(sessionId, connection)
      connection.timeoutMs = timeoutMs
      this.#accept(connection)
    }
  }

  #connect(connection: Connection, request: ConnectRequest): void {
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#host
    if (!this.#host.isServing() || request.lastZxidSeen > this.#host.state().lastZxid) {
      this.#close(connection)
      return
    }
    connection.timeoutMs = Math.min(Math.max(request.timeOut, minSessionTimeoutMs), maxSessionTimeoutMs)
    if (request.sessionId === 0n) this.#create(connection)
    else this.#resume(connection, request.sessionId, request.passwd ?? NO_PASSWORD)
  }

  #create(connection: Connection): void {
    connection.phase = 'creating'
    connection.sessionId = this.#newSessionId()
    connection.passwd = this.#random.bytes(PASSWORD_BYTES)
    this.#bySession.set(connection.sessionId, connection)
    const { sessionId, passwd, timeoutMs } = connection
    this.#host.submit({ sessionId, xid: 0, op: OpCode.createSession, body: { timeOut: timeoutMs, passwd } })
  }

  #resume(connection: Connection, sessionId: bigint, passwd: Uint8Array): void {
    connection.sessionId = sessionId
    connection.passwd = passwd
    const known = this.#host.state().sessions.get(sessionId)
    if (known !== undefined && !samePassword(known.passwd, passwd)) {
      this.#refuse(connection)
      return
    }
    connection.phase = 'resuming'
    this.#host.revalidate({ type: 'REVALIDATE', sessionId, timeoutMs: connection.timeoutMs, passwd })
  }

  #accept(connection: Connection): void {
    connection.phase = 'open'
    const { sessionId, passwd, timeoutMs } = connection
    const response = { protocolVersion: 0, timeOut: timeoutMs, sessionId, passwd, readOnly: false }
    this.#send(connection.id, { kind: 'connect', response })
  }

  /** The session is over, or it is not this client's: the two look alike from outside. */
  #refuse(connection: Connection): void {
    const response = { protocolVersion: 0, timeOut: 0, sessionId: 0n, passwd: NO_PASSWORD, readOnly: false }
    this.#send(connection.id, { kind: 'connect', response })
    this.#close(connection)
  }

  #request(connection: Connection, request: Request): void {
    if (connection.pending.length >= PENDING_REQUESTS_MAX) {
      this.#close(connection)
      return
    }
    this.#host.touch(connection.sessionId)
    if (request.op === OpCode.ping) {
      this.#ping(connection)
      return
    }
    // The reference closes the connection of a request that is too long, and its clients send the same again, for ever.
    const err = requestBytes(request) > REQUEST_BYTES_MAX ? Err.badArguments : Err.ok
    const kind = err === Err.ok ? kindOf(request) : 'ready'
    if (kind === 'ready') {
      connection.pending.push({ request, kind, syncId: 0, err, answer: null })
      this.#drain(connection)
    } else if (kind === 'sync') {
      this.#lastSyncId += 1
      connection.unconfirmedSyncs += 1
      connection.pending.push({ request, kind, syncId: this.#lastSyncId, err, answer: null })
      this.#syncs.set(this.#lastSyncId, connection)
      this.#host.sync(this.#lastSyncId)
    } else {
      connection.pending.push({ request, kind, syncId: 0, err, answer: null })
      if (connection.unconfirmedSyncs === 0) this.#submit(connection, request)
    }
  }

  /** A ping is answered when a majority stands behind it: a client's lease lives on that answer (decision 0003). */
  #ping(connection: Connection): void {
    connection.unansweredPings += 1
    if (connection.unansweredPings > UNANSWERED_PINGS_MAX) this.#close(connection)
    else this.#pinged.push(connection)
  }

  #pong(connection: Connection): void {
    connection.unansweredPings -= 1
    const isOpen = this.#connections.get(connection.id) === connection
    if (isOpen) this.#send(connection.id, this.#reply(Xid.ping, Err.ok, null))
  }

  #submit({ sessionId }: Connection, { xid, op, body }: Request): void {
    this.#host.submit({ sessionId, xid, op, body } as WriteRequest)
  }

  /**
   * Writes of a session are applied in order, so a reply belongs to the first write that has none - or to a write that
   * came through another server, or an earlier connection, and nobody here waits for it.
   */
  #answer(connection: Connection, reply: Reply): void {
    const first = connection.pending.find((entry) => entry.kind === 'write' && entry.answer === null)
    if (first?.request.xid !== reply.xid) return
    if (reply.err === Err.sessionMoved) {
      // The client has gone to another server; whoever is still here must not be told anything.
      this.#close(connection)
      return
    }
    first.answer = { kind: 'reply', reply }
    this.#drain(connection)
  }

  #drain(connection: Connection): void {
    const { pending } = connection
    for (let head = pending[0]; head !== undefined; head = pending[0]) {
      if (head.kind !== 'ready' && head.answer === null) return
      pending.shift()
      const answer = head.answer ?? this.#answerNow(connection.id, head)
      if (answer === null) {
        this.#close(connection)
        return
      }
      this.#send(connection.id, answer)
    }
  }

  /** @returns null if the connection would have more watches than a connection may have */
  #answerNow(connection: number, { request, err }: Pending): ServerMessage | null {
    return err === Err.ok ? this.#read(connection, request) : this.#reply(request.xid, err, null)
  }

  #read(connection: number, request: Request): ServerMessage | null {
    const { tree } = this.#host.state()
    const watches = this.#watches
    const { xid } = request
    switch (request.op) {
      case OpCode.exists: {
        const { path, watch } = request.body
        if (watch && !watches.watchExist(path, connection)) return null
        const stat = tree.stat(path)
        return this.#reply(xid, stat === null ? Err.noNode : Err.ok, stat === null ? null : { stat })
      }
      case OpCode.getData: {
        const { path, watch } = request.body
        const body = tree.data(path)
        if (body !== null && watch && !watches.watchData(path, connection)) return null
        return this.#reply(xid, body === null ? Err.noNode : Err.ok, body)
      }
      case OpCode.getChildren2: {
        const { path, watch } = request.body
        const body = tree.children(path)
        if (body !== null && watch && !watches.watchChildren(path, connection)) return null
        return this.#reply(xid, body === null ? Err.noNode : Err.ok, body)
      }
      case OpCode.setWatches: {
        const events = watches.setWatches(request.body, connection, tree)
        if (events === null) return null
        const zxid = this.#host.state().lastZxid
        for (const event of events) this.#send(connection, { kind: 'event', zxid, event })
        return this.#reply(xid, Err.ok, null)
      }
      case OpCode.removeWatches: {
        const removed = watches.remove(request.body.path, request.body.type, connection)
        return this.#reply(xid, removed ? Err.ok : Err.noWatcher, null)
      }
      case OpCode.sync:
        return this.#reply(xid, Err.ok, { path: request.body.path })
      default:
        return this.#reply(xid, Err.unimplemented, null)
    }
  }

  #reply(xid: number, err: number, body: ReplyBodies[keyof ReplyBodies]): ServerMessage {
    return { kind: 'reply', reply: { xid, zxid: this.#host.state().lastZxid, err, body } }
  }

  #send(connection: number, message: ServerMessage): void {
    this.#replies.push({ connection, message })
  }

  #close(connection: Connection): void {
    this.#forget(connection)
    this.#closes.push(connection.id)
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection.id)
    if (this.#bySession.get(connection.sessionId) === connection) this.#bySession.delete(connection.sessionId)
    this.#watches.removeAll(connection.id)
    for (const { syncId } of connection.pending) this.#syncs.delete(syncId)
  }

  #newSessionId(): bigint {
    const random = (BigInt(this.#random.u32() & RANDOM_HIGH_BITS) << 32n) | BigInt(this.#random.u32())
    return BigInt.asIntN(64, (BigInt(this.#host.myid) << SERVER_ID_SHIFT) | random)
  }
}

function newConnection(id: number): Connection {
  return {
    id,
    phase: 'new',
    sessionId: 0n,
    passwd: NO_PASSWORD,
    timeoutMs: 0,
    pending: [],
    unconfirmedSyncs: 0,
    unansweredPings: 0,
  }
}

function kindOf(request: Request): Pending['kind'] {
  switch (request.op) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
    case OpCode.delete:
    case OpCode.setData:
    case OpCode.multi:
    case OpCode.closeSession:
      return 'write'
    case OpCode.sync:
      return 'sync'
    default:
      return 'ready'
  }
}

/** Bytes of data and (roughly, for non-ASCII ones) paths: what grows with what a client asks. */
function requestBytes(request: Request): number {
  if (request.op === OpCode.multi) {
    let bytes = 0
    for (const { body } of request.body) bytes += body.path.length + ('data' in body ? (body.data?.length ?? 0) : 0)
    return bytes
  }
  const body: object | null = request.body
  if (body === null || !('path' in body) || typeof body.path !== 'string') return 0
  return body.path.length + ('data' in body && body.data instanceof Uint8Array ? body.data.length : 0)
}
