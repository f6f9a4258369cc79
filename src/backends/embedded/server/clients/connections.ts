/**
 * The clients of one server: handshake, sessions, replies and watch events.
 *
 * Events    when a transaction is applied, the events that it fires go out before its own reply and before every later
 *           one, to those who may read the node. For requests see request-order.ts.
 * Handshake the password is looked at before anything is changed: a wrong one disturbs nobody. A client that has seen
 *           more than this server has applied is turned away, so that it never travels back in time.
 * Local     where that is configured, a new session is known to this server alone (local-sessions.ts), and its client
 *           has it at once. Before its first ephemeral node, if it may have one, the leader is asked to begin it as it
 *           begins others; from then on it is a session of the ensemble.
 * Read-only a server without a majority takes those clients alone that have said that it will do, under sessions that
 *           nobody else knows either. It cannot tell what has become of a session of the ensemble: who comes with one
 *           is turned away, and keeps it for a server that can.
 * Source    ZooKeeperServer.processConnectRequest, NIOServerCnxn.java, FinalRequestProcessor.java.
 */
import { OpCode, Perm } from '../../../wire/codes.ts'
import type { Packet } from '../../../wire/packets.ts'
import type { ClientMessage, ConnectRequest, ServerMessage } from '../../../wire/records.ts'
import type { Transaction } from '../../../wire/transactions.ts'
import { isPermitted } from '../state/acl.ts'
import { AddressSessions } from './address-sessions.ts'
import { ClientGuard } from './client-guard.ts'
import { NO_PASSWORD, newConnection } from './connection.ts'
import type { Connection, ConnectionReply } from './connection.ts'
import { NO_IDENTITIES, identitiesAt } from '../state/identities.ts'
import type { Identity } from '../state/identities.ts'
import type { AuditRecord, AuthFailure, LocalSessionsMode, RandomSource, ServerPorts } from '../ports.ts'
import { LocalSessions, isOfReadOnly, readOnlyPassword } from './local-sessions.ts'
import { RequestOrder } from './request-order.ts'
import type { RequestHost } from './request-order.ts'
import { asksForEphemeral } from './request-kinds.ts'
import type { RequestMessage } from './request-kinds.ts'
import { PASSWORD_BYTES, samePassword } from '../state/session-table.ts'
import type { Applied } from '../state/state.ts'
import type { WriteRequest } from '../writes/prepare.ts'
import { Watches } from './watches.ts'

/** High byte: the server's id; the rest: random, so that no two incarnations of a server give the same id. */
const SERVER_ID_SHIFT = 56n
const RANDOM_HIGH_BITS = 0xffffff

/**
 * The time of a session that this server alone knows is over; an error in the handling of one client has ended its
 * connection (the code is wrong, and continues); or a client's address has too many sessions for another one.
 */
type ClientEvent =
  | { readonly type: 'expired'; readonly sessionId: bigint }
  | { readonly type: 'client-failed'; readonly sessionId: bigint; readonly error: unknown }
  | { readonly type: 'session-refused'; readonly address: string }

/** The server around the connections, as they use it. */
export interface ConnectionsHost extends RequestHost {
  readonly myid: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  readonly tickMs: number
  readonly sessionBucketTicks: number
  readonly localSessions: LocalSessionsMode
  readonly connectionWatches: number
  readonly connectionWatchBytes: number
  readonly watches: number
  readonly watchBytes: number
  readonly sessionsPerAddress: number
  /** Whether this server is in touch with a majority, and takes clients in its present role. */
  takesClients(): boolean
  /** Tells operators. */
  report(event: ClientEvent | AuditRecord | AuthFailure): void
  /**
   * While it serves: whatever clients have seen up to this zxid is applied here. That is all of what was before its
   * leader's epoch, although nothing may have happened in that yet. Without a majority it is what can be read.
   */
  seenHere(): bigint
  /**
   * The password of a session, as far as this server knows it; null if only the leader can tell. A leader of ZooKeeper
   * checks none.
   */
  secretOf(sessionId: bigint): Uint8Array | null
  /** Has the leader check a session's password and move it here. */
  revalidate(packet: Extract<Packet, { type: 'REVALIDATE' }>): void
}

/** All connections of one server, by the numbers that its host gave them. */
export class Connections {
  readonly #host: ConnectionsHost
  readonly #random: RandomSource
  readonly #connections = new Map<number, Connection>()
  /** Connections that have a session, or create one; who resumes one is not in here before the leader has said yes. */
  readonly #bySession = new Map<bigint, Connection>()
  readonly #watches: Watches
  readonly #addressSessions: AddressSessions
  readonly #localSessions: LocalSessions
  readonly #readOnlySessions: LocalSessions
  readonly #clientGuard = new ClientGuard()
  readonly #requests: RequestOrder
  #replies: ConnectionReply[] = []
  #closes: number[] = []

  constructor(host: ConnectionsHost, ports: ServerPorts) {
    this.#host = this.#clientGuard.watched(host)
    this.#random = ports.random
    const { connectionWatches, connectionWatchBytes, watches, watchBytes } = host
    this.#watches = new Watches(connectionWatches, connectionWatchBytes, watches, watchBytes)
    this.#addressSessions = new AddressSessions(host.sessionsPerAddress, (sessionId) => this.#isSession(sessionId))
    this.#localSessions = new LocalSessions(host)
    this.#readOnlySessions = new LocalSessions(host)
    const outlet = {
      send: (connection: Connection, message: ServerMessage) => {
        this.#send(connection, message)
      },
      close: (connection: Connection) => {
        this.#close(connection)
      },
      isOpen: (connection: Connection) => this.#connections.get(connection.id) === connection,
      guard: (connection: Connection, step: () => void) => {
        this.#guard(connection, step)
      },
    }
    this.#requests = new RequestOrder(this.#host, outlet, this.#watches, ports)
  }

  /** Number of clients that have a session here. */
  get count(): number {
    return this.#bySession.size
  }

  /** Requests that are not answered yet, and sessions that are being set up. It takes a look at each connection. */
  get unanswered(): number {
    let count = 0
    for (const { pending, phase } of this.#connections.values()) {
      count += pending.length + (phase === 'creating' || phase === 'resuming' ? 1 : 0)
    }
    return count
  }

  /** The time-out of a session that is connected here, in milliseconds; 0 if it is not. */
  timeoutMsOf(sessionId: bigint): number {
    return this.#bySession.get(sessionId)?.timeoutMs ?? 0
  }

  /** The connections, in no order. */
  get all(): Iterable<Connection> {
    return this.#connections.values()
  }

  /** A connection by its number. */
  get(id: number): Connection | undefined {
    return this.#connections.get(id)
  }

  /** The sessions that this server alone knows while it serves; for reading only. */
  get localSessions(): LocalSessions {
    return this.#localSessions
  }

  /** The watches of these connections; for reading only. */
  get watches(): Watches {
    return this.#watches
  }

  /** Whether there is output to take. */
  get hasOutput(): boolean {
    return this.#replies.length > 0 || this.#closes.length > 0
  }

  /** Takes the output: replies in order, then the connections to close after them. */
  take(): { readonly replies: readonly ConnectionReply[]; readonly closes: readonly number[] } {
    const output = { replies: this.#replies, closes: this.#closes }
    this.#replies = []
    this.#closes = []
    return output
  }

  /**
   * A client at an address has connected, and has said nothing yet.
   *
   * @param address - empty if the client is in this process
   * @param proved - the identities that it proved before it said anything
   */
  open(id: number, address: string, proved: readonly Identity[]): void {
    const connection = newConnection(id)
    connection.address = address
    const own = identitiesAt(address)
    connection.identities = proved.length === 0 ? own : [...own, ...proved]
    this.#connections.set(id, connection)
  }

  /** An id that no session has. */
  newSessionId(): bigint {
    const random = (BigInt(this.#random.u32() & RANDOM_HIGH_BITS) << 32n) | BigInt(this.#random.u32())
    return BigInt.asIntN(64, (BigInt(this.#host.myid) << SERVER_ID_SHIFT) | random)
  }

  /** Receives a message; the first one on a number opens the connection. */
  receiveMessage(id: number, message: ClientMessage): void {
    let connection = this.#connections.get(id)
    if (connection === undefined) {
      connection = newConnection(id)
      this.#connections.set(id, connection)
    }
    if (message.kind !== 'request' || message.part === undefined) connection.received += 1
    const receiver = connection
    this.#guard(receiver, () => {
      this.#dispatch(receiver, message)
    })
  }

  #dispatch(connection: Connection, message: ClientMessage): void {
    if (message.kind === 'connect') {
      if (connection.phase === 'new') this.#connect(connection, message.request)
      else this.#close(connection)
    } else if (connection.phase === 'open') {
      this.#attend(connection, message)
      this.#requests.receiveRequest(connection, message)
    } else this.#close(connection)
  }

  /** A session that this server alone knows lives by what it hears of it. */
  #attend(connection: Connection, message: RequestMessage): void {
    if (!connection.isLocal) return
    const { sessionId } = connection
    const isReadOnly = this.#host.isReadOnly()
    const sessions = isReadOnly ? this.#readOnlySessions : this.#localSessions
    const isEnd = message.kind === 'request' && message.request.op === OpCode.closeSession
    if (isEnd) sessions.end(sessionId)
    else if (!isReadOnly && this.#host.localSessions === 'upgradeable' && asksForEphemeral(message)) {
      if (sessions.end(sessionId)) this.#upgrade(connection)
    } else sessions.touch(sessionId)
  }

  /** Earlier requests come to the leader before this, as those of a local session. */
  #upgrade(connection: Connection): void {
    connection.isLocal = false
    this.#addressSessions.upgraded(connection.sessionId)
    this.#begin(connection, { localPasswd: connection.passwd })
  }

  /** No error of one client may reach the others: it costs that client its connection. */
  #guard(connection: Connection, step: () => void): void {
    this.#clientGuard.run(step, (error) => {
      if (this.#connections.get(connection.id) === connection) this.#close(connection)
      this.#host.report({ type: 'client-failed', sessionId: connection.sessionId, error })
    })
  }

  /** Lets a tick pass. */
  tick(): void {
    this.#requests.tick()
    this.#watches.clearDeparted()
    for (const ended of this.#readOnlySessions.tick()) this.disconnectSession(ended)
    for (const ended of this.#localSessions.tick()) this.#expired(ended)
  }

  /** Throws the error of the consensus in the handling of a client, if there was one. */
  expectConsensus(): void {
    this.#clientGuard.expectConsensus()
  }

  /** A client was heard of whose message waits for its turn. */
  heard(id: number): void {
    const connection = this.#connections.get(id)
    if (connection?.phase !== 'open') return
    if (!connection.isLocal) this.#host.touch(connection.sessionId)
    else (this.#host.isReadOnly() ? this.#readOnlySessions : this.#localSessions).touch(connection.sessionId)
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
    this.#localSessions.clear()
    this.#addressSessions.stopped()
    this.#requests.clear()
  }

  /** Ends a session that this server alone knows, as if its time were over; false if there is none. */
  expireLocal(sessionId: bigint): boolean {
    const isExpired = this.#localSessions.end(sessionId)
    if (isExpired) this.#expired(sessionId)
    return isExpired
  }

  #expired(sessionId: bigint): void {
    this.#host.report({ type: 'expired', sessionId })
    this.disconnectSession(sessionId)
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
    this.#addressSessions.decided(header.clientId)
    if (applied.endedSession !== null) this.#addressSessions.ended(applied.endedSession)
    if (applied.changes.length > 0) {
      for (const { connection: id, event, acl } of this.#watches.fire(applied.changes)) {
        const watcher = this.#connections.get(id)
        if (watcher === undefined || !isPermitted(acl, Perm.read, watcher.identities)) continue
        const message: ServerMessage = { kind: 'event', zxid: header.zxid, event }
        if (watcher.rearming === null) this.#send(watcher, message)
        else watcher.rearming.hold(message)
      }
    }
    const connection = this.#bySession.get(header.clientId)
    if (connection === undefined) return
    if (txn.type === OpCode.createSession) {
      // A session that moved here before this server heard of its beginning has been accepted already, a local one too.
      if (connection.phase !== 'creating') return
      // A leader of ZooKeeper has decided on another one.
      connection.passwd = this.#host.secretOf(header.clientId) ?? connection.passwd
      this.#accept(connection)
      return
    }
    const reply = { xid: header.cxid, zxid: header.zxid, err: applied.err, body: applied.body }
    this.#guard(connection, () => {
      this.#requests.applied(connection, txn.type, reply)
    })
    if (txn.type === OpCode.closeSession) this.#close(connection)
  }

  /** A sync is confirmed, and everything that it waits for is applied. */
  synced(syncId: number): void {
    this.#requests.synced(syncId)
  }

  /**
   * The leader has looked at the password that a client showed here to resume a session. The answer is for the
   * connection that showed it: another one may have shown another password.
   */
  revalidated({ connection: id, sessionId, valid, timeoutMs }: Extract<Packet, { type: 'REVALIDATED' }>): void {
    const asker = this.#connections.get(id)
    if (asker?.phase !== 'resuming' || asker.sessionId !== sessionId) return
    if (!valid) {
      this.#refuse(asker)
      return
    }
    const earlier = this.#bySession.get(sessionId)
    if (earlier !== undefined) this.#close(earlier)
    this.#bySession.set(sessionId, asker)
    asker.timeoutMs = timeoutMs
    this.#accept(asker)
  }

  #connect(connection: Connection, request: ConnectRequest): void {
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#host
    const isReadOnly = this.#host.isReadOnly()
    const isTaken = isReadOnly ? request.readOnly : this.#host.takesClients()
    if (!isTaken || request.lastZxidSeen > this.#host.seenHere()) {
      this.#close(connection)
      return
    }
    connection.timeoutMs = Math.min(Math.max(request.timeOut, minSessionTimeoutMs), maxSessionTimeoutMs)
    if (isReadOnly) this.#openReadOnly(connection, request)
    else if (request.sessionId !== 0n) this.#resume(connection, request.sessionId, request.passwd ?? NO_PASSWORD)
    else if (this.#addressSessions.hasRoom(connection.address)) this.#create(connection)
    else {
      this.#host.report({ type: 'session-refused', address: connection.address })
      this.#close(connection)
    }
  }

  /** Whether there is this session. */
  #isSession(sessionId: bigint): boolean {
    return this.#localSessions.has(sessionId) || this.#host.state().sessions.get(sessionId) !== undefined
  }

  #openReadOnly(connection: Connection, { sessionId, passwd }: ConnectRequest): void {
    const { timeoutMs } = connection
    if (sessionId === 0n) {
      connection.sessionId = this.newSessionId()
      connection.passwd = readOnlyPassword(this.#random)
      this.#readOnlySessions.begin(connection.sessionId, connection.passwd, timeoutMs)
    } else if (passwd === null || !isOfReadOnly(passwd)) {
      this.#close(connection)
      return
    } else if (this.#readOnlySessions.resume(sessionId, passwd, timeoutMs)) {
      connection.sessionId = sessionId
      connection.passwd = passwd
      this.#closeEarlier(sessionId, passwd)
    } else {
      this.#refuse(connection)
      return
    }
    this.#acceptLocal(connection)
  }

  #create(connection: Connection): void {
    connection.sessionId = this.newSessionId()
    connection.passwd = this.#random.bytes(PASSWORD_BYTES)
    const isLocal = this.#host.localSessions !== 'off'
    this.#addressSessions.begun(connection.address, connection.sessionId, !isLocal)
    if (isLocal) {
      const { sessionId, timeoutMs } = connection
      // A leader of ZooKeeper would decide on this one.
      connection.passwd = this.#host.secretOf(sessionId) ?? connection.passwd
      this.#localSessions.begin(sessionId, connection.passwd, timeoutMs)
      this.#acceptLocal(connection)
      return
    }
    connection.phase = 'creating'
    this.#bySession.set(connection.sessionId, connection)
    this.#begin(connection)
  }

  #begin({ sessionId, passwd, timeoutMs }: Connection, upgrade?: Pick<WriteRequest, 'localPasswd'>): void {
    const own = { sessionId, xid: 0, identities: NO_IDENTITIES, ...upgrade }
    this.#host.submit({ ...own, op: OpCode.createSession, body: { timeOut: timeoutMs, passwd } })
  }

  #resume(connection: Connection, sessionId: bigint, passwd: Uint8Array): void {
    connection.sessionId = sessionId
    connection.passwd = passwd
    if (this.#localSessions.has(sessionId)) {
      this.#resumeLocal(connection)
      return
    }
    const secret = this.#host.secretOf(sessionId)
    if (secret !== null && !samePassword(secret, passwd)) {
      this.#refuse(connection)
      return
    }
    this.#closeEarlier(sessionId, passwd)
    connection.phase = 'resuming'
    const { id, timeoutMs } = connection
    this.#host.revalidate({ type: 'REVALIDATE', connection: id, sessionId, timeoutMs, passwd })
  }

  #resumeLocal(connection: Connection): void {
    const { sessionId, passwd, timeoutMs } = connection
    if (this.#localSessions.resume(sessionId, passwd, timeoutMs)) {
      this.#closeEarlier(sessionId, passwd)
      this.#acceptLocal(connection)
    } else this.#refuse(connection)
  }

  #acceptLocal(connection: Connection): void {
    connection.isLocal = true
    this.#bySession.set(connection.sessionId, connection)
    this.#accept(connection)
  }

  /**
   * Who is back has left its earlier connection here. It may have been at another server meanwhile, and a request that
   * comes late over the earlier one would reach the leader after its return, so that it would be done out of order.
   */
  #closeEarlier(sessionId: bigint, passwd: Uint8Array): void {
    const earlier = this.#bySession.get(sessionId)
    if (earlier !== undefined && samePassword(earlier.passwd, passwd)) this.#close(earlier)
  }

  #accept(connection: Connection): void {
    connection.phase = 'open'
    const { sessionId, passwd, timeoutMs } = connection
    const readOnly = this.#host.isReadOnly()
    const response = { protocolVersion: 0, timeOut: timeoutMs, sessionId, passwd, readOnly }
    this.#send(connection, { kind: 'connect', response })
  }

  /** The session is over, or it is not this client's: the two look alike from outside. */
  #refuse(connection: Connection): void {
    const response = { protocolVersion: 0, timeOut: 0, sessionId: 0n, passwd: NO_PASSWORD, readOnly: false }
    this.#send(connection, { kind: 'connect', response })
    this.#close(connection)
  }

  #send(connection: Connection, message: ServerMessage): void {
    connection.sent += 1
    this.#replies.push({ connection: connection.id, message })
  }

  #close(connection: Connection): void {
    this.#forget(connection)
    this.#closes.push(connection.id)
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection.id)
    if (this.#bySession.get(connection.sessionId) === connection) this.#bySession.delete(connection.sessionId)
    this.#watches.removeAll(connection.id)
    this.#requests.forget(connection)
  }
}
