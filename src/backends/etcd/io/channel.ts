/**
 * Calls of etcd's API, by gRPC over node:http2: one request, one answer, and a deadline on each; and streams.
 *
 * Transport etcd serves gRPC itself. Its JSON gateway is a client of that within etcd, and takes twice the processor
 *           time for a request (docs/decisions/0009).
 * Outcome   a failure says what is known: `unsent` (no connection came about), `refused` (etcd looked at it and changed
 *           nothing) or `lost` (it was sent, and nobody can tell). Nothing is ever sent again after `lost`.
 * Auth      the token is fetched when it is first needed, and again when etcd says that it is not valid; the request
 *           that was refused for it was not executed, and is sent again.
 * Source    server/etcdserver/api/v3rpc/rpctypes/error.go for what each refusal means.
 */
import { constants } from 'node:http2'
import type { IncomingHttpHeaders, IncomingHttpStatusHeader } from 'node:http2'
import { Deadline } from '../../../core/async.ts'
import { Frames, Status, framed, messageOf } from '../grpc.ts'
import { Methods } from '../messages.ts'
import type { Method } from '../messages.ts'
import type { EtcdSettings } from '../options.ts'
import { MemberConnection } from './connection.ts'
import type { Request } from './connection.ts'

/** The fate of a request that failed: `unsent`, `refused` without effect, or `lost` with an unknown one. */
export type Failure = 'unsent' | 'refused' | 'lost'

/** How a request failed. */
export class RpcError extends Error {
  readonly failure: Failure
  /** The status of etcd's answer, as gRPC numbers it; 0 if it answered nothing. */
  readonly status: number

  /** @param message - etcd's own, or that of the connection */
  constructor(failure: Failure, message: string, status = 0) {
    super(message)
    this.name = 'RpcError'
    this.failure = failure
    this.status = status
  }
}

/** Where a stream's messages go. */
export interface StreamListener<A> {
  /** One message. */
  onMessage(message: A): void
  /** It is over; comes once, and not after `close()`. */
  onEnd(error: RpcError): void
}

/** Answers that say that nothing was changed. Any other may come after the change was made. */
const REFUSALS: ReadonlySet<number> = new Set(Object.values(Status))

/** etcd's message about a token that is no longer valid. */
const STALE_TOKEN = /invalid auth token|revision of auth store is old/

/** Longest wait for a token, in milliseconds. */
const TOKEN_WAIT_MS = 5_000

const HTTP_OK = 200
const STATUS_OK = 0

/** The message for a connection that ended before a word of HTTP/2. */
const UNGREETED = 'the connection was closed at once (does it want TLS? Then the endpoint is https:)'

/** The question for an operator when a connection fails like this. */
const HINTS: Readonly<Record<string, string>> = {
  ERR_HTTP2_ERROR: 'does etcd listen there?',
  ERR_SSL_WRONG_VERSION_NUMBER: 'does it speak TLS? If not, the endpoint is http:',
}

/** Speaks to the members of one cluster. */
export class Channel {
  readonly endpointCount: number
  readonly #settings: EtcdSettings
  readonly #connections: readonly MemberConnection[]
  #token: Promise<string> | null = null

  /** Connects to nothing yet. */
  constructor(settings: EtcdSettings) {
    this.#settings = settings
    this.#connections = settings.endpoints.map((url) => new MemberConnection(url, settings.tls))
    this.endpointCount = settings.endpoints.length
  }

  /**
   * Sends a request and waits for its answer.
   *
   * @param endpoint - which one to ask; endpoints are counted on and on
   * @param waitMs - longest wait in milliseconds
   * @throws RpcError
   */
  async call<Q, A>(endpoint: number, method: Method<Q, A>, body: Q, waitMs: number): Promise<A> {
    const token = await this.#tokenOf(endpoint)
    try {
      return await this.#send(endpoint, method, body, token, waitMs)
    } catch (error) {
      if (token === null || !this.#isStale(error)) throw error
      return this.#send(endpoint, method, body, await this.#tokenOf(endpoint), waitMs)
    }
  }

  /**
   * Opens a stream.
   *
   * @param body - the one request of ours on it
   * @returns a function that closes it
   */
  stream<Q, A>(endpoint: number, method: Method<Q, A>, body: Q, listener: StreamListener<A>): () => void {
    let exchange: Exchange | null = null
    let isOver = false
    let isAnswered = false
    const end = (error: RpcError): void => {
      if (isOver) return
      isOver = true
      exchange?.cancel()
      this.#isStale(error)
      listener.onEnd(error)
    }
    const start = async (): Promise<void> => {
      const token = await this.#tokenOf(endpoint)
      if (isOver) return
      exchange = new Exchange(this.#begin(endpoint, method, token), this.#nameOf(endpoint), {
        onMessage: (message) => {
          isAnswered = true
          if (!isOver) listener.onMessage(method.response.decode(message))
        },
        onEnd: (error) => end(error ?? new RpcError('lost', 'the stream has ended')),
      })
      exchange.send(method.request.encode(body))
    }
    start().catch((error: unknown) => end(error instanceof RpcError ? error : new RpcError('lost', String(error))))
    return () => {
      isOver = true
      exchange?.cancel()
      if (!isAnswered) exchange?.retire()
    }
  }

  /** Has the token fetched again for the next request. */
  forgetToken(): void {
    this.#token = null
  }

  #nameOf(endpoint: number): string {
    const { endpoints } = this.#settings
    return (endpoints[endpoint % endpoints.length] as URL).origin
  }

  #begin<Q, A>(endpoint: number, { path }: Method<Q, A>, token: string | null): Request {
    try {
      return (this.#connections[endpoint % this.#connections.length] as MemberConnection).request(path, token)
    } catch (error) {
      throw new RpcError('unsent', `${this.#nameOf(endpoint)}: ${textOf(error)}`)
    }
  }

  /** The token to send along; null without authentication. */
  async #tokenOf(endpoint: number): Promise<string | null> {
    const { user, password } = this.#settings
    if (user === null) return null
    const fetching = (this.#token ??= this.#authenticate(endpoint, user, password))
    try {
      return await fetching
    } catch (error) {
      if (this.#token === fetching) this.#token = null
      // Whatever became of it, the request that needs the token has not been sent.
      if (!(error instanceof RpcError)) throw new RpcError('unsent', `no token: ${textOf(error)}`)
      throw error.failure === 'refused' ? error : new RpcError('unsent', error.message, error.status)
    }
  }

  async #authenticate(endpoint: number, name: string, password: string): Promise<string> {
    const { token } = await this.#send(endpoint, Methods.authenticate, { name, password }, null, TOKEN_WAIT_MS)
    if (token === undefined) throw new RpcError('refused', 'etcd gave no token', Status.unauthenticated)
    return token
  }

  /** Whether a request failed for its token, which is then forgotten. */
  #isStale(error: unknown): boolean {
    const isStale = error instanceof RpcError && error.failure === 'refused' && STALE_TOKEN.test(error.message)
    if (isStale) this.forgetToken()
    return isStale
  }

  async #send<Q, A>(
    endpoint: number,
    method: Method<Q, A>,
    body: Q,
    token: string | null,
    waitMs: number,
  ): Promise<A> {
    const request = this.#begin(endpoint, method, token)
    return new Promise((resolve, reject) => {
      let answer: A | undefined
      const exchange = new Exchange(request, this.#nameOf(endpoint), {
        onMessage: (message) => (answer = method.response.decode(message)),
        onEnd: (error) => {
          limit.stop()
          if (error !== null) reject(error)
          else if (answer === undefined) reject(new RpcError('lost', `${this.#nameOf(endpoint)}: an empty answer`))
          else resolve(answer)
        },
      })
      const endMs = performance.now() + waitMs
      const limit = new Deadline(() => endMs, () => {
        exchange.retire()
        exchange.fail(`no answer within ${Math.round(waitMs)} ms`)
      })
      limit.start()
      exchange.send(method.request.encode(body), 'and no more')
    })
  }
}

/** The callbacks of an exchange. */
interface ExchangeListener {
  onMessage(message: Uint8Array): void
  /** It is over, without an error if etcd says that all is well. */
  onEnd(error: RpcError | null): void
}

/** One request on its way, and what comes back. */
class Exchange {
  readonly #request: Request
  readonly #where: string
  readonly #listener: ExchangeListener
  readonly #frames = new Frames()
  /** How it has ended, as far as it has been told. */
  #end: { readonly error: RpcError | null } | null = null
  #isOver = false

  constructor(request: Request, where: string, listener: ExchangeListener) {
    this.#request = request
    this.#where = where
    this.#listener = listener
    const { stream } = request
    stream.on('response', (headers) => this.#onHeaders(headers))
    stream.on('trailers', (headers: IncomingHttpHeaders) => this.#onHeaders(headers))
    stream.on('data', (chunk: Buffer) => this.#onData(chunk))
    stream.on('end', () => {
      if (this.#end !== null) this.#finish(this.#end.error)
    })
    stream.on('error', (error) => this.fail(textOf(error)))
    stream.on('close', () => {
      if (this.#end !== null) this.#finish(this.#end.error)
      else this.fail(request.isGreeted() ? 'the connection has ended' : UNGREETED)
    })
  }

  /** Sends a message. */
  send(message: Uint8Array, andThen?: 'and no more'): void {
    if (andThen === undefined) this.#request.stream.write(framed(message))
    else this.#request.stream.end(framed(message))
  }

  /** Has later requests go on another connection. */
  retire(): void {
    this.#request.retire()
  }

  /** Ends it without a word. To `destroy` a stream from within its events has corrupted memory in Node.js 20.20. */
  cancel(): void {
    this.#isOver = true
    this.#request.stream.close(constants.NGHTTP2_CANCEL)
  }

  /** Ends it for a reason that etcd did not give. */
  fail(reason: string): void {
    this.#finish(new RpcError(this.#request.hasLeft() ? 'lost' : 'unsent', `${this.#where}: ${reason}`))
  }

  #finish(error: RpcError | null): void {
    if (this.#isOver) return
    this.cancel()
    this.#listener.onEnd(error)
  }

  #onHeaders(headers: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    const { ':status': http = HTTP_OK, 'grpc-status': status, 'grpc-message': message = '' } = headers
    if (http !== HTTP_OK) this.#end = { error: new RpcError('lost', `${this.#where}: HTTP ${http}`) }
    else if (status !== undefined) this.#end = { error: failureOf(messageOf(String(message)), Number(status)) }
  }

  #onData(chunk: Buffer): void {
    if (this.#isOver) return
    try {
      for (const message of this.#frames.push(chunk)) if (!this.#isOver) this.#listener.onMessage(message)
    } catch (error) {
      this.fail(textOf(error))
    }
  }
}

/** The failure that an answer of etcd means; null for success. */
function failureOf(message: string, status: number): RpcError | null {
  if (status === STATUS_OK) return null
  return new RpcError(REFUSALS.has(status) ? 'refused' : 'lost', message, status)
}

/** The error's text; where a connection has failed, with a hint. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message, code = '' }: NodeJS.ErrnoException = error.cause instanceof Error ? error.cause : error
  const hint = HINTS[code]
  return hint === undefined ? message.trim() : `${message.trim()} (${hint})`
}
