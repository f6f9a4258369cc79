/**
 * How a client gets to an ensemble of which one server is in its own process: to that one in memory, and to the others
 * over TCP while it does not serve.
 *
 * Order     each search begins with the client's own server. From another one the client comes back when its own
 *           serves, between two calls (client/better-server.ts): not sooner than a while after it left, and later each
 *           time that its own server did not take it, as one that is behind does not. Where sessions are known to one
 *           server alone, a client stays at the other one: its session would end by the move.
 * Ours      the server that answers over TCP has to be of this package, since the client trusts each of its answers as
 *           one of a majority (decision 0014). It is asked before the session hears of it.
 */
import type { Channel, ChannelListener, Dialer } from '../../../client/channel.ts'
import { delay } from '../../../../core/async.ts'
import { Err, OWN_SERVER, OpCode } from '../../../wire/codes.ts'
import type { ClientMessage, ServerMessage } from '../../../wire/records.ts'

/** Requests of a session begin with 1. */
const QUESTION_XID = 0

/** Shortest stay of a client at another server, in milliseconds; each return that failed doubles it. */
const AWAY_MS_MIN = 1_000
const AWAY_MS_MAX = 60_000

/** The server of this process, as its clients look at it from another one. */
export interface OwnServer {
  /** Opens connections to it. */
  readonly dialer: Dialer
  /** Whether a client may leave another server for it while that serves. */
  readonly mayReturn: boolean
  /** Resolves as soon as it serves; rejects when the signal ends the wait. */
  untilServing(signal: AbortSignal): Promise<void>
}

/** Dials a client's own server, then the others. */
export class MemberDialer implements Dialer {
  readonly #own: OwnServer
  readonly #others: Dialer | null
  /** How many were tried since a server has answered. */
  #tried = 0
  #isAtOwn = true
  #awayMs = AWAY_MS_MIN

  /**
   * Makes a dialer.
   *
   * @param own - the server of this process
   * @param others - dials the others in turn; null if none can be reached
   */
  constructor(own: OwnServer, others: Dialer | null) {
    this.#own = own
    this.#others = others
  }

  get serverCount(): number {
    return 1 + (this.#others?.serverCount ?? 0)
  }

  dial(listener: ChannelListener): Channel {
    const isOwn = this.#others === null || this.#tried % this.serverCount === 0
    this.#tried += 1
    this.#isAtOwn = isOwn
    const told: ChannelListener = {
      onMessage: (message) => {
        if (message.kind === 'connect') {
          this.#tried = 0
          if (isOwn) this.#awayMs = AWAY_MS_MIN
        }
        listener.onMessage(message)
      },
      onClose: (reason) => {
        listener.onClose(reason)
      },
    }
    return isOwn || this.#others === null ? this.#own.dialer.dial(told) : new AskingChannel(this.#others, told)
  }

  async preferred(signal: AbortSignal): Promise<boolean> {
    if (this.#isAtOwn || !this.#own.mayReturn) return false
    const awayMs = this.#awayMs
    this.#awayMs = Math.min(2 * awayMs, AWAY_MS_MAX)
    try {
      await delay(awayMs, signal)
      await this.#own.untilServing(signal)
      return true
    } catch {
      // The session has left the other server, or has ended.
      return false
    }
  }
}

/** A channel that holds the answer to the connect request back until the server has said that it is one of ours. */
class AskingChannel implements Channel {
  readonly #channel: Channel
  readonly #listener: ChannelListener
  #held: ServerMessage | null = null
  #isOurs = false
  #reason: string | undefined

  constructor(dialer: Dialer, listener: ChannelListener) {
    this.#listener = listener
    this.#channel = dialer.dial({
      onMessage: (message) => {
        this.#onMessage(message)
      },
      onClose: (reason) => {
        listener.onClose(this.#reason ?? reason)
      },
    })
  }

  get server(): string {
    return this.#channel.server
  }

  send(message: ClientMessage): void {
    this.#channel.send(message)
  }

  close(): void {
    this.#channel.close()
  }

  #onMessage(message: ServerMessage): void {
    // Every server may say that the session is over.
    if (this.#isOurs || (message.kind === 'connect' && message.response.timeOut <= 0)) {
      this.#listener.onMessage(message)
    } else if (message.kind === 'connect') {
      this.#held = message
      const body = { path: OWN_SERVER, watch: false }
      this.#channel.send({ kind: 'request', request: { xid: QUESTION_XID, op: OpCode.exists, body } })
    } else if (message.kind === 'reply' && message.reply.xid === QUESTION_XID) {
      this.#answered(message.reply.err === Err.ok)
    }
  }

  #answered(isOurs: boolean): void {
    const held = this.#held
    this.#held = null
    if (!isOurs || held === null) {
      this.#reason = `${this.server} is no server of Quorate`
      this.#channel.close()
      return
    }
    this.#isOurs = true
    this.#listener.onMessage(held)
  }
}
