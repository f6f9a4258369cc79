/**
 * The AdminServer: a server's state over HTTP, for people, monitoring and Prometheus.
 *
 * Paths     /commands lists the commands, /commands/<name> answers one as JSON, /metrics in Prometheus' text format.
 * Safety    it authenticates nobody, so it listens on loopback unless it is told otherwise. A page that a browser
 *           shows must not be able to use it: requests that a browser sends from another page are refused, and on
 *           loopback so are those for another host's name (DNS rebinding).
 * Limits    connections, time and length of a request; an answer is made while it is sent.
 * Source    JettyAdminServer.java of ZooKeeper 3.8.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { isLoopback } from '../../../../core/loopback.ts'
import { COMMAND_NAMES, answerCommand } from './admin-commands.ts'
import { jsonPieces } from './json-text.ts'
import { PROMETHEUS_TYPE, prometheusLines } from './prometheus.ts'
import { limitOf } from '../limits.ts'
import type { ServerView } from './server-view.ts'

/** Where ZooKeeper's commands are. */
const COMMANDS = '/commands'
const METRICS = '/metrics'
/** A request names a path alone. */
const BASE = 'http://localhost'
const CONNECTIONS_MAX = limitOf('adminConnections')
const REQUEST_MS_MAX = limitOf('adminRequestMs')
/** Deadlines are looked at this often in the time that they give. */
const REQUEST_CHECKS = 20
const IDLE_MS_MAX = 5_000
const HEADER_BYTES_MAX = 8_192
/** Pieces of an answer are put together up to this length, in characters. */
const CHUNK_CHARS = 16_384
const JSON_TYPE = 'application/json; charset=utf-8'
/** The name or address in a `Host` header, without brackets and port. */
const HOST_HEADER = /^\[?(.+?)\]?(?::\d{1,5})?$/

/** The settings of an AdminServer. */
export interface AdminServerSettings {
  /** The address that it listens on. */
  readonly address: string
  /** 0 for any that is free. */
  readonly port: number
  /** The server that its commands show. */
  readonly view: ServerView
  /** How long a request may take to come, and an answer to be read on, in milliseconds. */
  readonly requestMs?: number
}

/** The AdminServer of one server. */
export class AdminServer {
  readonly #settings: AdminServerSettings
  #listener: Server | null = null
  #port: number

  /** Makes one that does not listen. */
  constructor(settings: AdminServerSettings) {
    this.#settings = settings
    this.#port = settings.port
  }

  /** The port; the one that it got if it was to be any. */
  get port(): number {
    return this.#port
  }

  /**
   * Begins to listen.
   *
   * @throws Error that names address and port if they are not available
   */
  async listen(): Promise<void> {
    const { address } = this.#settings
    const { requestMs = REQUEST_MS_MAX } = this.#settings
    const listener = createServer({
      maxHeaderSize: HEADER_BYTES_MAX,
      keepAliveTimeout: IDLE_MS_MAX,
      requestTimeout: requestMs,
      headersTimeout: requestMs,
      connectionsCheckingInterval: Math.ceil(requestMs / REQUEST_CHECKS),
    })
    listener.maxConnections = CONNECTIONS_MAX
    // A client that asks and does not read the answer.
    listener.timeout = requestMs
    listener.on('request', (request: IncomingMessage, response: ServerResponse) => {
      // A client that leaves before the end misses it.
      this.#answer(request, response).catch(() => response.destroy())
    })
    this.#listener = listener
    await new Promise<void>((resolve, reject) => {
      listener.once('error', (cause: NodeJS.ErrnoException) => {
        if (this.#listener === listener) this.#listener = null
        const reason = cause.code === 'EADDRINUSE' ? 'it is taken' : cause.message
        reject(new Error(`cannot listen on ${address}:${this.#port} for the AdminServer: ${reason}`, { cause }))
      })
      listener.once('close', resolve)
      listener.once('listening', () => {
        // It was closed while the address was looked up.
        if (this.#listener !== listener) listener.close()
      })
      listener.listen({ port: this.#port, host: address, exclusive: true }, resolve)
    })
    if (this.#listener !== listener) return
    listener.removeAllListeners('error').on('error', () => undefined)
    this.#port = (listener.address() as AddressInfo).port
  }

  /** Ends it and its connections, at once. Idempotent. */
  close(): void {
    this.#listener?.close()
    this.#listener?.closeAllConnections()
    this.#listener = null
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('X-Content-Type-Options', 'nosniff')
    response.setHeader('Cache-Control', 'no-store')
    if (request.method !== 'GET') return refuse(response, 405, 'only GET is answered')
    if (this.#isFromElsewhere(request)) return refuse(response, 403, 'pages and names of others are not answered')
    const target = request.url ?? '/'
    if (!URL.canParse(target, BASE)) return refuse(response, 400, 'the path cannot be read')
    const { pathname, searchParams } = new URL(target, BASE)
    if (pathname === METRICS) return send(response, PROMETHEUS_TYPE, prometheusLines(this.#settings.view))
    if (pathname === COMMANDS || pathname === `${COMMANDS}/`) return send(response, 'text/html; charset=utf-8', links())
    if (!pathname.startsWith(`${COMMANDS}/`)) return refuse(response, 404, `there are ${COMMANDS} and ${METRICS}`)
    const name = pathname.slice(COMMANDS.length + 1)
    await send(response, JSON_TYPE, jsonPieces(answerCommand(name, this.#settings.view, searchParams)))
  }

  #isFromElsewhere({ headers }: IncomingMessage): boolean {
    const site = headers['sec-fetch-site']
    if (headers.origin !== undefined || (site !== undefined && site !== 'none' && site !== 'same-origin')) return true
    const [, host = ''] = HOST_HEADER.exec(headers.host ?? 'localhost') ?? []
    return isLoopback(this.#settings.address) && !isLoopback(host)
  }
}

function* links(): Generator<string> {
  for (const name of COMMAND_NAMES) yield `<a href="${COMMANDS}/${name}">${name}</a>\n<br/>\n`
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.statusCode = status
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(`${why}\n`)
}

async function send(response: ServerResponse, type: string, pieces: Iterable<string>): Promise<void> {
  response.setHeader('Content-Type', type)
  await pipeline(Readable.from(chunksOf(pieces)), response)
}

function* chunksOf(pieces: Iterable<string>): Generator<string> {
  let chunk = ''
  for (const piece of pieces) {
    chunk += piece
    if (chunk.length < CHUNK_CHARS) continue
    yield chunk
    chunk = ''
  }
  if (chunk !== '') yield `${chunk}\n`
}
