/**
 * One connection of a client's session to one server: the handshake, the pings, and the judgement that the server is
 * silent.
 *
 * Model     a connection is attached once the server has answered the ConnectRequest, and lost once; nothing comes
 *           after that.
 * Liveness  a ping goes out when nothing that renews the session was sent for a part of its time-out that the owner
 *           sets; a server that says nothing for two thirds of it is treated as dead (frozen, cut off), which leaves a
 *           third to attach to another one.
 * Source    ClientCnxn.java (SendThread) of ZooKeeper 3.8.
 */
import { Deadline } from '../../core/async.ts'
import { Fifo } from '../../core/fifo.ts'
import type { Channel, ChannelListener, Dialer } from './channel.ts'
import { OpCode, Xid } from '../wire/codes.ts'
import type { ConnectRequest, ConnectResponse, Request, ServerMessage } from '../wire/records.ts'

/** A server that was silent for this part of the session time-out is given up. */
const SILENCE_AFTER = 2 / 3

/** The callbacks of a connection, to the session that it serves. */
export interface ConnectionOwner {
  /** The server answered the ConnectRequest; the owner calls `attached` or `close` on the connection. */
  onConnectResponse(connection: Connection, response: ConnectResponse): void
  /** Any other message, in order. Answers to pings come too, as every reply tells the server's zxid. */
  onMessage(connection: Connection, message: ServerMessage): void
  /** The connection is gone; comes once, and not after `close()`. */
  onLost(connection: Connection, reason: string): void
}

/** One connection. */
export class Connection implements ChannelListener {
  /** When the ConnectRequest was sent, on `performance.now()`. */
  readonly connectSentMs: number
  readonly #owner: ConnectionOwner
  readonly #channel: Channel
  readonly #attempt: Deadline
  readonly #ping: Deadline
  readonly #silence: Deadline
  /** When each ping without an answer was sent; bounded, since a silent server is given up after the second. */
  readonly #pingsSentMs = new Fifo<number>()
  #timeoutMs = 0
  #pingAfterMs = 0
  #lastRenewalMs: number
  #lastHeardMs: number
  #lost = false

  /**
   * Dials the next server and sends the ConnectRequest.
   *
   * @param attemptMs - how long the server has to answer it, in milliseconds
   */
  constructor(dialer: Dialer, request: ConnectRequest, attemptMs: number, owner: ConnectionOwner) {
    const now = performance.now()
    this.connectSentMs = now
    this.#lastRenewalMs = now
    this.#lastHeardMs = now
    this.#owner = owner
    this.#attempt = new Deadline(() => now + attemptMs, () => {
      this.#lose(`no answer to the connect request within ${attemptMs} ms`)
    })
    this.#ping = new Deadline(() => this.#lastRenewalMs + this.#pingAfterMs, () => {
      this.#sendPing()
    })
    this.#silence = new Deadline(() => this.#lastHeardMs + this.#timeoutMs * SILENCE_AFTER, () => {
      this.#lose(`no message for ${this.#timeoutMs * SILENCE_AFTER} ms`)
    })
    this.#channel = dialer.dial(this)
    this.#channel.send({ kind: 'connect', request })
    this.#attempt.start()
  }

  /** Which server, for people and logs. */
  get server(): string {
    return this.#channel.server
  }

  /** Whether it leads to a server of this process. */
  get isInProcess(): boolean {
    return this.#channel.isInProcess === true
  }

  /**
   * The owner has accepted the server's answer: from now on requests may be sent, and the server is watched over.
   *
   * @param timeoutMs - the negotiated session time-out
   * @param pingAfterMs - how long nothing that renews the session is sent before a ping is, in milliseconds
   * @param isRenewed - whether the answer to the ConnectRequest renewed the session; if not, a ping is sent at once
   */
  attached(timeoutMs: number, pingAfterMs: number, isRenewed: boolean): void {
    this.#attempt.stop()
    this.#timeoutMs = timeoutMs
    this.#pingAfterMs = pingAfterMs
    if (isRenewed) this.#ping.start()
    else this.#sendPing()
    this.#silence.start()
  }

  /** Lengthens the time in which nothing that renews the session is sent before a ping is, in milliseconds. */
  pingAfter(pingAfterMs: number): void {
    this.#pingAfterMs = Math.max(this.#pingAfterMs, pingAfterMs)
  }

  /**
   * Sends a request.
   *
   * @param renews - whether its answer renews the session
   */
  send(request: Request, renews: boolean): void {
    if (renews) this.#lastRenewalMs = performance.now()
    this.#channel.send({ kind: 'request', request })
  }

  /** When the ping that is answered now was sent, or null if none was. */
  takePingSentMs(): number | null {
    return this.#pingsSentMs.shift() ?? null
  }

  /** Closes it; the owner hears nothing more. Idempotent. */
  close(): void {
    if (this.#lost) return
    this.#end()
    this.#channel.close()
  }

  onMessage(message: ServerMessage): void {
    if (this.#lost) return
    this.#lastHeardMs = performance.now()
    if (message.kind === 'connect') this.#owner.onConnectResponse(this, message.response)
    else this.#owner.onMessage(this, message)
  }

  onClose(reason = 'the connection was closed'): void {
    if (this.#lost) return
    this.#end()
    this.#owner.onLost(this, reason)
  }

  #sendPing(): void {
    this.#pingsSentMs.push(performance.now())
    this.send({ xid: Xid.ping, op: OpCode.ping, body: null }, true)
    this.#ping.start()
  }

  #lose(reason: string): void {
    this.#end()
    this.#channel.close()
    this.#owner.onLost(this, reason)
  }

  #end(): void {
    this.#lost = true
    this.#attempt.stop()
    this.#ping.stop()
    this.#silence.stop()
  }
}
