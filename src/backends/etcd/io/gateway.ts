/**
 * Requests to etcd's JSON gateway, over node:http: one request, one answer, and a deadline on each.
 *
 * Transport fetch can neither trust a private authority nor say whether a request has left when its connection fails.
 *           Both are needed here, so this speaks node:http and node:https, which keep connections open by default.
 * Outcome   a failure says what is known: `unsent` (no connection came about), `refused` (etcd looked at it and changed
 *           nothing) or `lost` (it was sent, and nobody can tell). Nothing is ever sent again after `lost`.
 * Auth      the token is fetched when it is first needed, and again when etcd says that it is not valid; the request
 *           that was refused for it was not executed, and is sent again.
 * Source    server/etcdserver/api/v3rpc/rpctypes/error.go for what each refusal means.
 */
import { request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { RequestOptions } from 'node:https'
import { StringDecoder } from 'node:string_decoder'
import { Deadline } from '../../../core/async.ts'
import type { EtcdSettings, EtcdTlsOptions } from '../options.ts'

/** What is known of a request that failed. */
export type Failure = 'unsent' | 'refused' | 'lost'

/** How a request failed. */
export class GatewayError extends Error {
  readonly failure: Failure
  /** What etcd answered, as gRPC numbers it; 0 if it answered nothing. */
  readonly status: number

  /** @param message - etcd's own, or that of the connection */
  constructor(failure: Failure, message: string, status = 0) {
    super(message)
    this.name = 'GatewayError'
    this.failure = failure
    this.status = status
  }
}

/** Where a stream's lines go. */
export interface StreamListener {
  /** One message. */
  onMessage(message: unknown): void
  /** It is over; comes once, and not after `close()`. */
  onEnd(error: GatewayError): void
}

/** gRPC's numbers of what etcd answers with. */
export const Status = Object.freeze({
  invalidArgument: 3,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unauthenticated: 16,
})

/** Answers that say that nothing was changed. What is not among them may come after the change was made. */
const REFUSALS: ReadonlySet<number> = new Set(Object.values(Status))

/** What etcd says when a token is of no use any more. */
const STALE_TOKEN = /invalid auth token|revision of auth store is old/

/** Longest answer that is read, in bytes: a list of a million long names, and less than a string can hold. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024

/** Longest wait for a token, in milliseconds. */
const TOKEN_WAIT_MS = 5_000

/** Speaks to the members of one cluster; see the head of this file. */
export class Gateway {
  readonly endpointCount: number
  readonly #settings: EtcdSettings
  #token: Promise<string> | null = null

  /** Connects to nothing yet. */
  constructor(settings: EtcdSettings) {
    this.#settings = settings
    this.endpointCount = settings.endpoints.length
  }

  /** The URL of an endpoint, for people; endpoints are counted on and on. */
  nameOf(endpoint: number): string {
    return this.#urlOf(endpoint).origin
  }

  /**
   * Sends a request and waits for its answer.
   *
   * @param endpoint - which one to ask
   * @param method - such as `/v3/kv/txn`
   * @param waitMs - longest wait in milliseconds
   * @throws GatewayError
   */
  async call<T>(endpoint: number, method: string, body: object, waitMs: number): Promise<T> {
    const token = await this.#tokenOf(endpoint)
    try {
      return (await this.#send(endpoint, method, body, token, waitMs)) as T
    } catch (error) {
      if (token === null || !this.#isStale(error)) throw error
      return (await this.#send(endpoint, method, body, await this.#tokenOf(endpoint), waitMs)) as T
    }
  }

  /**
   * Opens a stream.
   *
   * @returns what closes it
   */
  stream(endpoint: number, method: string, body: object, listener: StreamListener): () => void {
    let request: ClientRequest | null = null
    let isOver = false
    const end = (error: unknown): void => {
      if (isOver) return
      isOver = true
      request?.destroy()
      const known = error instanceof GatewayError ? error : new GatewayError('lost', String(error))
      this.#isStale(known)
      listener.onEnd(known)
    }
    const start = async (): Promise<void> => {
      const token = await this.#tokenOf(endpoint)
      if (isOver) return
      request = this.#open(endpoint, method, body, token)
      request.once('error', end)
      request.once('response', (response) => {
        const lines = new Lines((line) => {
          if (!isOver) listener.onMessage(JSON.parse(line))
        })
        response.on('data', (chunk: Buffer) => {
          try {
            if (response.statusCode === 200) lines.push(chunk)
            else end(errorOf(chunk.toString(), response.statusCode))
          } catch (error) {
            end(error)
          }
        })
        response.once('error', end)
        response.once('close', () => end(new GatewayError('lost', 'the stream has ended')))
      })
    }
    start().catch(end)
    return () => {
      isOver = true
      request?.destroy()
    }
  }

  /** Has the token fetched again for the next request. */
  forgetToken(): void {
    this.#token = null
  }

  #urlOf(endpoint: number): URL {
    const { endpoints } = this.#settings
    return endpoints[endpoint % endpoints.length] as URL
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
      const isRefused = error instanceof GatewayError && error.failure === 'refused'
      throw isRefused ? error : new GatewayError('unsent', `no token: ${String(error)}`)
    }
  }

  async #authenticate(endpoint: number, name: string, password: string): Promise<string> {
    const method = '/v3/auth/authenticate'
    const answer = await this.#send(endpoint, method, { name, password }, null, TOKEN_WAIT_MS)
    const { token } = answer as { readonly token?: string }
    if (token === undefined) throw new GatewayError('refused', 'etcd gave no token', Status.unauthenticated)
    return token
  }

  /** Whether a request failed for its token, which is then forgotten. */
  #isStale(error: unknown): boolean {
    const isStale = error instanceof GatewayError && error.failure === 'refused' && STALE_TOKEN.test(error.message)
    if (isStale) this.forgetToken()
    return isStale
  }

  #open(endpoint: number, method: string, body: object, token: string | null): ClientRequest {
    const url = this.#urlOf(endpoint)
    const content = Buffer.from(JSON.stringify(body))
    const headers: OutgoingHttpHeaders = { 'content-type': 'application/json', 'content-length': content.length }
    if (token !== null) headers['authorization'] = token
    const target = new URL(method, url)
    const request =
      url.protocol === 'https:'
        ? httpsRequest(target, { ...tlsOf(this.#settings.tls), method: 'POST', headers })
        : httpRequest(target, { method: 'POST', headers })
    request.end(content)
    return request
  }

  #send(endpoint: number, method: string, body: object, token: string | null, waitMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const request = this.#open(endpoint, method, body, token)
      let isSent = false
      const endMs = performance.now() + waitMs
      const limit = new Deadline(() => endMs, () => fail(new Error(`no answer within ${Math.round(waitMs)} ms`)))
      const fail = (error: unknown): void => {
        limit.stop()
        request.destroy()
        const where = this.nameOf(endpoint)
        const text = error instanceof Error ? error.message : String(error)
        const failure = isSent ? 'lost' : 'unsent'
        reject(error instanceof GatewayError ? error : new GatewayError(failure, `${where}: ${text}`))
      }
      limit.start()
      request.once('socket', (socket) => {
        if (!socket.connecting) isSent = true
        else socket.once('connect', () => (isSent = true))
      })
      // It stays for good: a request that was destroyed may tell another error.
      request.on('error', fail)
      request.once('response', (response) => {
        readAnswer(response).then((answer) => {
          limit.stop()
          resolve(answer)
        }, fail)
      })
    })
  }
}

/** What node:tls is to be told. */
function tlsOf({ ca, cert, key, servername }: EtcdTlsOptions): RequestOptions {
  const pem = (text: string | Uint8Array): string | Buffer => (typeof text === 'string' ? text : Buffer.from(text))
  return {
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(servername === undefined ? {} : { servername }),
  }
}

async function readAnswer(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > ANSWER_BYTES_MAX) throw new GatewayError('lost', `an answer of more than ${ANSWER_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString()
  if (response.statusCode !== 200) throw errorOf(text, response.statusCode)
  return JSON.parse(text)
}

/** What an error's body says; what does not read as one of etcd's comes from something in between. */
function errorOf(text: string, httpStatus = 0): GatewayError {
  let body: { readonly error?: unknown; readonly message?: unknown; readonly code?: unknown } = {}
  try {
    body = JSON.parse(text) as typeof body
  } catch {
    return new GatewayError('lost', `HTTP ${httpStatus}: ${text.slice(0, 200)}`)
  }
  const inner = body.error as { readonly message?: string; readonly grpc_code?: number } | string | undefined
  if (typeof inner === 'object') return failureOf(inner.message ?? '', inner.grpc_code ?? 0)
  return failureOf(inner ?? `HTTP ${httpStatus}`, Number(body.code ?? 0))
}

/** The failure that an answer of etcd means. */
export function failureOf(message: string, status: number): GatewayError {
  return new GatewayError(REFUSALS.has(status) ? 'refused' : 'lost', message, status)
}

/** Cuts a stream into lines; a chunk that ends within one is kept for the next. */
class Lines {
  readonly #decoder = new StringDecoder('utf8')
  readonly #onLine: (line: string) => void
  #pieces: string[] = []

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  push(chunk: Buffer): void {
    const parts = this.#decoder.write(chunk).split('\n')
    const last = parts.pop() ?? ''
    for (const part of parts) {
      const line = this.#pieces.join('') + part
      this.#pieces = []
      if (line !== '') this.#onLine(line)
    }
    if (last !== '') this.#pieces.push(last)
  }
}
