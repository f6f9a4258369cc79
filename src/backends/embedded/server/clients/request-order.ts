/**
 * The requests of connections that have a session: first in, first out.
 *
 * Order     a session's requests are answered in the order in which they came, with zxids that never fall. A read waits
 *           for the session's own writes and is then answered from the local state, at one instant with the arming
 *           of its watch; a write is not even submitted before the session's earlier syncs are confirmed. addauth is
 *           out of this order, as in the reference: it is answered at once, and counts for every later request.
 * Pings     are answered when a majority has confirmed this server, all of one tick together (decision 0003) and out of
 *           the order of the requests; by a server that is its own majority at once, in their order. Those of a session
 *           that this server alone knows are answered at once: it owns nothing, so no lease lives on them.
 * Read-only without a majority there is nothing to wait for: reads and pings are answered at once, and all that needs a
 *           majority is refused.
 * Limits    requests and pings that wait, per connection; one more and it is closed. While the memory of the process is
 *           nearly used up, writes that need more are refused, and nothing else is.
 * Source    CommitProcessor.java, FinalRequestProcessor.java, ZooKeeperServer.processPacket of ZooKeeper 3.8.
 */
import { assert } from '../../../../core/assert.ts'
import { Err, OpCode, Xid } from '../../../wire/codes.ts'
import type { Reply, Request, RequestPart, ServerMessage } from '../../../wire/records.ts'
import type { Connection, Pending } from './connection.ts'
import type { Identity } from '../state/identities.ts'
import type { ServerPorts } from '../ports.ts'
import type { WriteRequest } from '../writes/prepare.ts'
import { answerRead, beyondLimit } from './reads.ts'
import { auditOf } from './audit.ts'
import { Proofs } from './proofs.ts'
import type { ProofsHost } from './proofs.ts'
import { Rearming } from './rearming.ts'
import { canBecome, kindOf, kindWithoutMajority, needsMemory, requestBytes, requestParts } from './request-kinds.ts'
import type { Reconfiguration, RequestKind, RequestMessage } from './request-kinds.ts'
import { PENDING_REQUESTS_MAX, REQUEST_PARTS_MAX, UNANSWERED_PINGS_MAX } from './request-limits.ts'
import type { State } from '../state/state.ts'
import type { Watches } from './watches.ts'

const UNKNOWN_ZXID = -1n
/** The answer of a ping in its turn. */
const PONG: RequestKind = Object.freeze({ kind: 'refused', err: Err.ok })
/** The answer to a write while there is no memory for it; it becomes no transaction. */
const FULL: RequestKind = Object.freeze({ kind: 'refused', err: Err.throttledOp })

/** The server around, as requests use it. */
export interface RequestHost extends ProofsHost {
  /** Longest data and paths of one request together, in bytes. */
  readonly requestBytesMax: number
  /** Longest answer, in bytes. */
  readonly responseBytesMax: number
  readonly reconfiguration: Reconfiguration
  /** Whether this server is a majority by itself. */
  isAlone(): boolean
  /** Whether this server has lost its majority, and can be read from all the same. */
  isReadOnly(): boolean
  /** Whether its memory is nearly used up, so that nothing that needs more of it is done. */
  isFull(): boolean
  /** Whether a majority stands behind its answers to pings and syncs; a leader of ZooKeeper asks none: decision 14. */
  isConfirmed(): boolean
  /** The state, as far as it is applied here. */
  state(): State
  /** Has the leader make a transaction of a write. */
  submit(request: WriteRequest): void
  /** Has the leader confirm that it leads. */
  sync(syncId: number): void
  /** A session was heard of; false if it is known that its end is under way, and nothing can keep it alive. */
  touch(sessionId: bigint): boolean
}

/** Where the answers go. */
export interface Outlet {
  send(connection: Connection, message: ServerMessage): void
  close(connection: Connection): void
  /** Whether a connection is still there. */
  isOpen(connection: Connection): boolean
  /** Does something for one connection: an error in it ends that connection, and nothing else. */
  guard(connection: Connection, step: () => void): void
}

/** The requests of all connections of one server. */
export class RequestOrder {
  readonly #host: RequestHost
  readonly #outlet: Outlet
  readonly #watches: Watches
  readonly #proofs: Proofs
  readonly #syncs = new Map<number, { readonly connection: Connection; readonly sync: Pending }>()
  /** Whose pings came since the last tick, and whose wait for a sync to be confirmed. */
  #pinged: Connection[] = []
  readonly #pingRounds = new Map<number, readonly Connection[]>()
  #lastSyncId = 0

  constructor(host: RequestHost, outlet: Outlet, watches: Watches, ports: Pick<ServerPorts, 'digest' | 'sasl'>) {
    this.#host = host
    this.#outlet = outlet
    this.#watches = watches
    this.#proofs = new Proofs(host, ports, {
      send: (connection, op, reply) => {
        this.#send(connection, op, reply)
      },
      close: (connection) => {
        this.#outlet.close(connection)
      },
    })
  }

  /** Takes a request of a connection that has a session. */
  receiveRequest(connection: Connection, message: RequestMessage): void {
    if (connection.pending.length >= PENDING_REQUESTS_MAX) {
      this.#outlet.close(connection)
      return
    }
    if (connection.isClosing) return
    const { isLocal } = connection
    const isKept = isLocal || this.#host.touch(connection.sessionId)
    const request = message.kind === 'request' ? message.request : null
    const { xid, op } = message.kind === 'request' ? message.request : message
    const part = (message.kind === 'request' ? message.part : undefined) ?? null
    // The reference closes the connection of a request that is too long, and its clients send the same again, forever.
    const isTooLong = requestBytes(message) > this.#host.requestBytesMax || requestParts(message) > REQUEST_PARTS_MAX
    const kind: RequestKind = isTooLong ? { kind: 'refused', err: Err.badArguments } : this.#kindOf(message, isLocal)
    if (kind.kind !== 'auth' && kind.kind !== 'sasl' && !this.#proofs.areEnough(connection, request)) {
      this.#proofs.refuse(connection, op, xid)
      return
    }
    connection.isClosing = kind.kind === 'end'
    switch (kind.kind) {
      case 'ping':
        // Its answer renews a lease. One whose session is being ended waits for a sync, and so for that end.
        if (this.#asksNobody && isKept) this.#queue(connection, { xid: Xid.ping, op, part }, PONG, null)
        else this.#ping(connection)
        break
      case 'auth':
        this.#proofs.claim(connection, xid, kind.request?.body ?? null)
        break
      case 'sasl':
        this.#proofs.exchange(connection, xid, kind.token)
        break
      case 'broken':
        this.#outlet.close(connection)
        break
      case 'read':
        if (connection.pending.length === 0 && request !== null) this.#answerAtOnce(connection, request, part)
        else this.#queue(connection, { xid, op, part }, kind, request)
        break
      default:
        this.#queue(connection, { xid, op, part }, kind, request)
    }
  }

  #kindOf(message: RequestMessage, isLocal: boolean): RequestKind {
    const { reconfiguration } = this.#host
    if (this.#host.isReadOnly()) return kindWithoutMajority(message)
    return needsMemory(message) && this.#host.isFull() ? FULL : kindOf(message, reconfiguration, isLocal)
  }

  get #asksNobody(): boolean {
    return this.#host.isAlone() || this.#host.isReadOnly()
  }

  /** Lets a tick pass: all pings that came in it are confirmed together. */
  tick(): void {
    if (this.#pinged.length === 0) return
    this.#lastSyncId += 1
    this.#pingRounds.set(this.#lastSyncId, this.#pinged)
    this.#pinged = []
    this.#host.sync(this.#lastSyncId)
  }

  /** A sync is confirmed, and everything that it waits for is applied. */
  synced(syncId: number): void {
    for (const pinged of this.#pingRounds.get(syncId) ?? []) this.#pong(pinged)
    this.#pingRounds.delete(syncId)
    const asked = this.#syncs.get(syncId)
    this.#syncs.delete(syncId)
    if (asked === undefined) return
    const { connection, sync } = asked
    this.#outlet.guard(connection, () => {
      this.#confirm(connection, sync)
    })
  }

  #confirm(connection: Connection, sync: Pending): void {
    assert(sync.kind === 'sync', () => `sync ${sync.syncId} waits for its confirmation`)
    sync.kind = 'ready'
    for (const later of sync.waiting ?? []) this.#submit(connection, later)
    this.#drain(connection)
  }

  /**
   * Writes of a session are applied in order, and none is submitted before the syncs ahead of it are confirmed. So a
   * reply belongs to the first request that waits, if that is a write - or to a write that came through another server,
   * or an earlier connection, and nobody here waits for it. If that one had the same xid, the type of its transaction
   * tells them apart.
   *
   * @param type - the type of the transaction
   */
  applied(connection: Connection, type: number, reply: Reply): void {
    const first = connection.pending.peek()
    if (first?.kind !== 'write' || first.xid !== reply.xid || !canBecome(first.op, type)) return
    if (reply.err === Err.sessionMoved) {
      // The client has gone to another server; a connection that is still here gets nothing.
      this.#outlet.close(connection)
      return
    }
    first.answer = first.op === OpCode.check ? { ...reply, body: null } : reply
    this.#drain(connection)
  }

  /** A connection is gone. */
  forget(connection: Connection): void {
    for (const { syncId } of connection.pending.takeAll()) this.#syncs.delete(syncId)
  }

  /** All connections are gone. */
  clear(): void {
    this.#pinged = []
    this.#pingRounds.clear()
  }

  #queue(
    connection: Connection,
    { xid, op, part }: { readonly xid: number; readonly op: number; readonly part: RequestPart | null },
    what: RequestKind,
    request: Request | null,
  ): void {
    const isSync = what.kind === 'sync'
    if (isSync) this.#lastSyncId += 1
    const entry: Pending = {
      xid,
      op,
      kind: what.kind === 'write' || isSync ? what.kind : 'ready',
      identities: connection.identities,
      read: what.kind === 'read' || isSync ? request : null,
      part,
      write: what.kind === 'write' ? what.write : null,
      syncId: isSync ? this.#lastSyncId : 0,
      waiting: isSync ? [] : null,
      refusal: what.kind === 'refused' ? what.err : what.kind === 'end' ? Err.ok : Err.unimplemented,
      isLast: what.kind === 'unknown' || what.kind === 'end',
      answer: null,
    }
    connection.pending.push(entry)
    if (isSync) {
      connection.lastSync = entry
      this.#syncs.set(entry.syncId, { connection, sync: entry })
      this.#host.sync(entry.syncId)
    } else if (what.kind !== 'write') this.#drain(connection)
    else if (connection.lastSync?.kind === 'sync') connection.lastSync.waiting?.push(entry)
    else this.#submit(connection, entry)
  }

  /** A client's lease lives on the answer of a ping, so it is answered only when a majority confirms this server. */
  #ping(connection: Connection): void {
    connection.unansweredPings += 1
    if (connection.unansweredPings > UNANSWERED_PINGS_MAX) this.#outlet.close(connection)
    else if (connection.isLocal) this.#pong(connection)
    else this.#pinged.push(connection)
  }

  #pong(connection: Connection): void {
    connection.unansweredPings -= 1
    const zxid = this.#host.state().lastZxid
    const isOpen = this.#outlet.isOpen(connection)
    if (isOpen) this.#send(connection, OpCode.ping, { xid: Xid.ping, zxid, err: Err.ok, body: null })
  }

  #submit({ sessionId, isLocal, passwd }: Connection, { xid, identities, write }: Pending): void {
    assert(write !== null, 'a write says what it writes')
    const { op, body } = write
    const request = { sessionId, xid, identities, op, body } as WriteRequest
    this.#host.submit(isLocal ? { ...request, localPasswd: passwd } : request)
  }

  #drain(connection: Connection): void {
    const { pending } = connection
    for (let head = pending.peek(); head !== undefined; head = pending.peek()) {
      if (head.kind !== 'ready' && head.answer === null) return
      pending.shift()
      const reply = head.answer ?? this.#answerNow(connection, head)
      if (head.part === null) this.#send(connection, head.op, reply)
      if (this.#host.audit) for (const record of auditOf(connection, head, reply)) this.#host.report(record)
      if (!head.isLast) continue
      this.#outlet.close(connection)
      return
    }
  }

  /** Most reads have nothing to wait for. */
  #answerAtOnce(connection: Connection, request: Request, part: RequestPart | null): void {
    const reply = this.#read(connection, request, connection.identities, part)
    if (part === null) this.#send(connection, request.op, reply)
  }

  #answerNow(connection: Connection, { xid, read, refusal, identities, isLast, part }: Pending): Reply {
    if (isLast && refusal !== Err.ok) return { xid, zxid: UNKNOWN_ZXID, err: refusal, body: null }
    if (read !== null) return this.#read(connection, read, identities, part)
    return { xid, zxid: this.#host.state().lastZxid, err: refusal, body: null }
  }

  #read(
    connection: Connection,
    request: Request,
    identities: readonly Identity[],
    part: RequestPart | null,
  ): Reply {
    const state = this.#host.state()
    const zxid = state.lastZxid
    if (part !== null) connection.rearming ??= this.#beginRearming(connection, part, zxid)
    const { rearming } = connection
    const reader = { connection: connection.id, sessionId: connection.sessionId, identities }
    const { responseBytesMax } = this.#host
    const from = { state, watches: this.#watches, responseBytesMax, isConfirmed: this.#host.isConfirmed() }
    const answer = rearming?.isRefused === true ? beyondLimit() : answerRead(request, reader, from)
    const toldZxid = rearming?.zxid ?? zxid
    for (const event of answer.events) this.#outlet.send(connection, { kind: 'event', zxid: toldZxid, event })
    if (part === null && rearming !== null) {
      connection.rearming = null
      for (const event of rearming.held) this.#outlet.send(connection, event)
    }
    return { xid: request.xid, zxid, err: answer.err, body: answer.body }
  }

  #beginRearming({ id }: Connection, { room }: RequestPart, zxid: bigint): Rearming {
    return new Rearming(zxid, room !== null && !this.#watches.hasRoom(id, room.watches, room.bytes))
  }

  #send(connection: Connection, op: number, reply: Reply): void {
    connection.lastOp = op
    connection.lastXid = reply.xid
    connection.lastZxid = reply.zxid
    this.#outlet.send(connection, { kind: 'reply', op, reply })
  }
}
