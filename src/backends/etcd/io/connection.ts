/**
 * The connection to one member, which is opened when there is something to ask, and shared by all who ask.
 *
 * Retired   a request that is not answered in time may be the connection's fault: requests after it go on another one,
 *           and it ends with what is still under way on it.
 * Idle      without requests it keeps no process alive, and is closed after a while.
 */
import { connect, constants } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream, SecureClientSessionOptions } from 'node:http2'
import type { EtcdTlsOptions } from '../options.ts'

/** A connection without requests is closed after this time, in milliseconds. */
const IDLE_MS = 10_000

/** Most bytes of answers under way before we have said that we took them. */
const WINDOW_BYTES = 4 * 1024 * 1024

/** Limit of Node.js on what the requests of one connection hold in memory, in megabytes. */
const MEMORY_MB_MAX = 1_024

/** A request that is being sent. */
export interface Request {
  readonly stream: ClientHttp2Stream
  /** Whether it may have left: there is, or was, a connection. */
  readonly hasLeft: () => boolean
  /** Whether the other end has spoken HTTP/2. */
  readonly isGreeted: () => boolean
  /** Has later requests go on another connection than this one. */
  readonly retire: () => void
}

/** The connection to one member. */
export class MemberConnection {
  readonly #url: URL
  readonly #tls: EtcdTlsOptions
  #transport: Transport | null = null

  /** Opens nothing yet. */
  constructor(url: URL, tls: EtcdTlsOptions) {
    this.#url = url
    this.#tls = tls
  }

  /**
   * Begins a request.
   *
   * @param path - service and method
   * @param token - that of the user, if any
   */
  request(path: string, token: string | null): Request {
    if (this.#transport?.isOpen !== true) this.#transport = new Transport(this.#url, this.#tls)
    return this.#transport.request(path, token)
  }
}

/** One connection as long as it lasts. */
class Transport {
  readonly #session: ClientHttp2Session
  #requests = 0
  #hasConnected = false
  #isGreeted = false
  #isGoingAway = false

  constructor(url: URL, tls: EtcdTlsOptions) {
    const session = connect(url, {
      ...tlsOf(tls),
      maxSessionMemory: MEMORY_MB_MAX,
      settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
    })
    this.#session = session
    session.once('connect', () => {
      this.#hasConnected = true
      // This is told a turn later than it was so.
      if (!session.destroyed) session.setLocalWindowSize(WINDOW_BYTES)
    })
    session.once('remoteSettings', () => (this.#isGreeted = true))
    session.once('goaway', () => (this.#isGoingAway = true))
    // Its requests are told, each by itself.
    session.on('error', () => undefined)
    session.setTimeout(IDLE_MS, () => {
      if (this.#requests === 0) session.close()
    })
  }

  /** Whether it takes requests. */
  get isOpen(): boolean {
    return !this.#session.closed && !this.#session.destroyed && !this.#isGoingAway
  }

  request(path: string, token: string | null): Request {
    const stream = this.#session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(token === null ? {} : { token }),
    })
    this.#requests += 1
    if (this.#requests === 1) this.#session.ref()
    stream.once('close', () => {
      this.#requests -= 1
      if (this.#requests === 0) this.#session.unref()
    })
    const isRefused = (): boolean => stream.rstCode === constants.NGHTTP2_REFUSED_STREAM
    return {
      stream,
      hasLeft: () => this.#hasConnected && !isRefused(),
      isGreeted: () => this.#isGreeted,
      retire: () => this.#retire(),
    }
  }

  /** Ends it when its requests have ended; at once if none of them can have left. */
  #retire(): void {
    if (this.#hasConnected) this.#session.close()
    else this.#session.destroy()
  }
}

/** The options for node:tls. */
function tlsOf({ ca, cert, key, servername }: EtcdTlsOptions): SecureClientSessionOptions {
  const pem = (text: string | Uint8Array): string | Buffer => (typeof text === 'string' ? text : Buffer.from(text))
  return {
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(servername === undefined ? {} : { servername }),
  }
}
