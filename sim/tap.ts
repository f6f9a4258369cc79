/**
 * The tap: the messages that clients and servers really exchanged, connection by connection, and the calls of the
 * sessions.
 *
 * Model     it sits in the network and between the clients and their backend, and tells its observers of everything in
 *           the order in which it happened. It changes nothing: not a message, not a promise, not a turn of the event
 *           loop.
 * Errors    an observer that finds something wrong throws a Violation; the tap ends the run with it, as the tapped code
 *           would take it for an error of its own.
 */
import type { Backend } from '../src/core/backend.ts'
import { Fifo } from '../src/core/fifo.ts'
import { OpCode, Xid } from '../src/backends/wire/codes.ts'
import type { Packet } from '../src/backends/wire/packets.ts'
import type { ClientMessage, ConnectResponse, Reply, Request, WatcherEvent } from '../src/backends/wire/records.ts'
import type { ServerMessage } from '../src/backends/wire/records.ts'
import { Violation } from './check.ts'
import type { SimNode } from '../src/testing/simulation/sim-node.ts'
import type { NetworkTap } from '../src/testing/simulation/network-tap.ts'
import { RecordedSession } from './recorded-session.ts'
import type { ApiCall, ApiObserver } from './recorded-session.ts'
import type { CheckedWorld } from './checked-world.ts'

/** A request on its way. */
export interface SentRequest {
  readonly request: Request
  readonly sentAtMs: number
  /** The highest zxid that any client had been told of when it was sent. */
  readonly floor: bigint
  /** The call at the session that it belongs to; null for pings and the like. */
  readonly call: ApiCall | null
}

/** One connection of a client to a server. */
export interface TapConnection {
  readonly number: number
  readonly client: SimNode
  readonly server: number
  /** 0n until the server has answered the ConnectRequest. */
  sessionId: bigint
  /** The session that its client has asked for; 0n for a new one. */
  askedId: bigint
  /** Requests without a reply, in order; pings, which are answered apart, are not among them. */
  readonly sent: Fifo<SentRequest>
}

/** Told of what the tap sees. Everything is of the client's side unless it says otherwise. */
export interface TapObserver extends ApiObserver {
  requested?(connection: TapConnection, sent: SentRequest): void
  /** A server answered the ConnectRequest; `response.timeOut` is 0 if it refused. */
  attached?(connection: TapConnection, response: ConnectResponse): void
  /** A reply, with the request at the front of the queue; null if no request waits, and for a ping. */
  replied?(connection: TapConnection, sent: SentRequest | null, reply: Reply): void
  notified?(connection: TapConnection, event: WatcherEvent, zxid: bigint): void
  closed?(connection: TapConnection): void
  /** A server got a message of a client whose session is on this connection. */
  heard?(connection: TapConnection): void
  packetSent?(from: number, to: number, link: number, packet: Packet): void
  packetReceived?(from: number, to: number, link: number, packet: Packet): void
}

/** Requests that no method of the session makes. */
const UNCALLED: ReadonlySet<number> = new Set([
  OpCode.ping,
  OpCode.setWatches,
  OpCode.removeWatches,
  OpCode.closeSession,
])

/** The records of one session. */
export interface TapSession {
  readonly id: bigint
  /** Null until one was opened at the backend's interface, and always for one whose opening was lost on its way. */
  api: RecordedSession | null
  /** The highest zxid that its client was told of. */
  zxid: bigint
  /** Calls that were made while no server was in touch, in order. */
  readonly waiting: Fifo<ApiCall>
  /** When its client last sent something, in virtual milliseconds. */
  lastSentMs: number
}

/** The tap of one world. */
export class Tap implements NetworkTap {
  readonly sessions = new Map<bigint, TapSession>()
  readonly #world: CheckedWorld
  readonly #observers: TapObserver[] = []
  readonly #connections = new Map<number, TapConnection>()
  /** The highest zxid that any client was told of. */
  #seenZxid = 0n
  /** The call that is being made right now. */
  #calling: ApiCall | null = null

  /** Taps a world that has not run yet. */
  constructor(world: CheckedWorld) {
    this.#world = world
    world.network.tap = this
    world.wrapBackend = (backend, node) => this.backend(backend, node)
  }

  /** Tells someone of what happens from now on. */
  observe(observer: TapObserver): void {
    this.#observers.push(observer)
  }

  /** A backend whose sessions are recorded. */
  backend(backend: Backend, node: SimNode): Backend {
    return {
      name: backend.name,
      capabilities: backend.capabilities,
      open: async (options) => {
        const session = await backend.open(options)
        const recorded = new RecordedSession(session, node, {
          making: (call, make) => this.#making(call, make),
          tell: (tell) => {
            this.#tell(tell)
          },
        })
        const known = this.#session(session.id)
        known.api = recorded
        this.#tell((observer) => observer.opened?.(recorded))
        return recorded
      },
    }
  }

  /** The records of a session. */
  session(id: bigint): TapSession | undefined {
    return this.sessions.get(id)
  }

  opened(connection: number, client: SimNode, server: number): void {
    const opened = { number: connection, client, server, sessionId: 0n, askedId: 0n, sent: new Fifo<SentRequest>() }
    this.#connections.set(connection, opened)
  }

  clientSent(number: number, message: ClientMessage): void {
    const connection = this.#connections.get(number)
    if (connection === undefined) return
    if (message.kind === 'connect') connection.askedId = message.request.sessionId
    if (message.kind !== 'request') return
    const { request } = message
    const session = this.#session(connection.sessionId)
    const { nowMs } = this.#world.kernel
    session.lastSentMs = nowMs
    const call = UNCALLED.has(request.op) ? null : this.#callOf(session, request)
    const sent = { request, sentAtMs: nowMs, floor: this.#seenZxid, call }
    if (request.op !== OpCode.ping) connection.sent.push(sent)
    this.#tell((observer) => observer.requested?.(connection, sent))
  }

  serverReceived(number: number): void {
    const connection = this.#connections.get(number)
    if (connection === undefined || connection.sessionId === 0n) return
    this.#tell((observer) => observer.heard?.(connection))
  }

  clientReceived(number: number, message: ServerMessage): void {
    const connection = this.#connections.get(number)
    if (connection === undefined) return
    if (message.kind === 'connect') {
      const { response } = message
      if (response.timeOut > 0) {
        connection.sessionId = response.sessionId
        this.#session(response.sessionId).lastSentMs = this.#world.kernel.nowMs
      }
      this.#tell((observer) => observer.attached?.(connection, response))
    } else if (message.kind === 'event') {
      this.#tell((observer) => observer.notified?.(connection, message.event, message.zxid))
    } else {
      this.#replied(connection, message.reply)
    }
  }

  closed(number: number): void {
    const connection = this.#connections.get(number)
    if (connection === undefined) return
    this.#connections.delete(number)
    this.#tell((observer) => observer.closed?.(connection))
  }

  packetSent(from: number, to: number, link: number, packet: Packet): void {
    this.#tell((observer) => observer.packetSent?.(from, to, link, packet))
  }

  packetReceived(from: number, to: number, link: number, packet: Packet): void {
    this.#tell((observer) => observer.packetReceived?.(from, to, link, packet))
  }

  #replied(connection: TapConnection, reply: Reply): void {
    const sent = reply.xid === Xid.ping ? null : (connection.sent.shift() ?? null)
    const call = sent?.request.xid === reply.xid ? sent.call : null
    if (call !== null) call.zxid = reply.zxid
    this.#tell((observer) => observer.replied?.(connection, sent, reply))
    if (reply.zxid > this.#seenZxid) this.#seenZxid = reply.zxid
    const session = this.#session(connection.sessionId)
    if (reply.zxid > session.zxid) session.zxid = reply.zxid
  }

  /** A call that sends its request at once is the one being made; others wait, and are sent in their order. */
  #callOf(session: TapSession, request: Request): ApiCall | null {
    const call = this.#calling ?? nextWaiting(session.waiting)
    if (call === null) return null
    if (call.op !== request.op || call.xid !== null) {
      const found = `request ${request.xid} (${request.op}) of session ${session.id}`
      throw new Violation('tap', `${found} is not the call's ${call.op}`)
    }
    call.xid = request.xid
    return call
  }

  #making<T>(call: ApiCall, make: () => T): T {
    this.#calling = call
    try {
      return make()
    } finally {
      this.#calling = null
      if (call.xid === null) this.#session(call.sessionId).waiting.push(call)
    }
  }

  #session(id: bigint): TapSession {
    const known = this.sessions.get(id)
    if (known !== undefined) return known
    const session = { id, api: null, zxid: 0n, waiting: new Fifo<ApiCall>(), lastSentMs: this.#world.kernel.nowMs }
    this.sessions.set(id, session)
    return session
  }

  #tell(tell: (observer: TapObserver) => void): void {
    try {
      for (const observer of this.#observers) tell(observer)
    } catch (error) {
      this.#world.kernel.fail(error)
    }
  }
}

/** The first call that was not given up while it waited. */
function nextWaiting(waiting: Fifo<ApiCall>): ApiCall | null {
  for (let call = waiting.shift(); call !== undefined; call = waiting.shift()) if (call.outcome === null) return call
  return null
}

/** Whether a request asks for a transaction. */
export function isWrite({ op, xid }: Request): boolean {
  if (xid === Xid.ping || xid === Xid.setWatches) return false
  switch (op) {
    case OpCode.exists:
    case OpCode.getData:
    case OpCode.getChildren2:
    case OpCode.removeWatches:
    case OpCode.setWatches:
    case OpCode.sync:
    case OpCode.ping:
      return false
    default:
      return true
  }
}
