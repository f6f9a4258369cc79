/**
 * Who a client's session is to the servers: its id, its password, and how much it has seen.
 *
 * Provisional  a session that was opened on a read-only server is known to that server alone. The next server opens
 *              another one in its place: nothing is lost by that, as nothing can be owned on a read-only server.
 * Source       ClientCnxn.SendThread.primeConnection, onConnected (seenRwServerBefore) of ZooKeeper 3.8.
 */
import type { ConnectRequest, ConnectResponse } from '../wire/records.ts'

/** Length of a session's password in bytes; all zero while there is none. */
const PASSWD_BYTES = 16
const NO_PASSWD = new Uint8Array(PASSWD_BYTES)
/** Longest password that a server may give, in bytes: it is sent again with each connection. */
const PASSWORD_BYTES_MAX = 1_024
/** Longest time-out that a server may give to who has asked for less, in milliseconds. */
const TIMEOUT_MS_MAX = 3_600_000

/** The identity of one session. */
export class ClientIdentity {
  #id = 0n
  #passwd: Uint8Array = NO_PASSWD
  readonly #askedMs: number
  #timeoutMs: number
  #lastZxidSeen = 0n
  /** No server with a majority knows of it. */
  #isProvisional = true

  /**
   * Makes the identity of a session that no server knows.
   *
   * @param timeoutMs - the time-out to ask for
   */
  constructor(timeoutMs: number) {
    this.#askedMs = timeoutMs
    this.#timeoutMs = timeoutMs
  }

  /** The session's id; 0n before there is one. */
  get id(): bigint {
    return this.#id
  }

  /** The negotiated time-out, or what is asked for. */
  get timeoutMs(): number {
    return this.#timeoutMs
  }

  /** Whether the next server would open a session, and not resume this one. */
  get isProvisional(): boolean {
    return this.#isProvisional
  }

  /** A server has told of a zxid: no server that knows less will do from now on. */
  saw(zxid: bigint): void {
    if (zxid > this.#lastZxidSeen) this.#lastZxidSeen = zxid
  }

  /** The request that opens or resumes this session at the next server. */
  connectRequest(readOnly: boolean): ConnectRequest {
    const [sessionId, passwd] = this.#isProvisional ? [0n, NO_PASSWD] : [this.#id, this.#passwd]
    const seen = { lastZxidSeen: this.#lastZxidSeen, timeOut: this.#timeoutMs }
    return { protocolVersion: 0, ...seen, sessionId, passwd, readOnly }
  }

  /**
   * The oddity in a server's answer that the session cannot go on with; null if there is none. With a time-out of weeks
   * nobody would notice that the server is silent, or that the session has ended.
   */
  oddityOf({ sessionId, timeOut, passwd }: ConnectResponse): string | null {
    if (!this.#isProvisional && sessionId !== this.#id) return 'it attached another session'
    const longestMs = Math.max(this.#askedMs, TIMEOUT_MS_MAX)
    if (timeOut > longestMs) return `it gave a session time-out of ${timeOut} ms, ${longestMs} at most`
    const bytes = passwd?.length ?? 0
    return bytes > PASSWORD_BYTES_MAX ? `it gave a password of ${bytes} bytes, ${PASSWORD_BYTES_MAX} at most` : null
  }

  /** Takes what a server has answered. */
  accept({ sessionId, passwd, timeOut, readOnly }: ConnectResponse): void {
    this.#id = sessionId
    this.#passwd = passwd ?? this.#passwd
    this.#timeoutMs = timeOut
    this.#isProvisional &&= readOnly
  }
}
