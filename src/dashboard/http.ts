/** Requests and answers of HTTP: bodies, deadlines, and what is sent. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { Refusal } from './refusal.ts'

const READ_MS_MAX = 10_000
const BODY_BYTES_MAX = 2_097_152
/** Shorter answers are sent as they are. */
const GZIP_BYTES_MIN = 1_024

/** Sends a value as JSON. */
export function send(request: IncomingMessage, response: ServerResponse, status: number, value: unknown): void {
  const bytes = Buffer.from(JSON.stringify(value))
  response.statusCode = status
  response.setHeader('Content-Type', 'application/json; charset=utf-8')
  sendBytes(request, response, bytes, bytes.length < GZIP_BYTES_MIN ? null : gzipSync(bytes))
}

/** Sends bytes, compressed if they are and the other end takes them. */
export function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
  gzipped: Buffer | null,
): void {
  const takesGzip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  response.setHeader('Vary', 'Accept-Encoding')
  if (gzipped !== null && takesGzip) response.setHeader('Content-Encoding', 'gzip')
  response.end(request.method === 'HEAD' ? undefined : takesGzip ? (gzipped ?? bytes) : bytes)
}

/** Whether the page was asked for without the slash at its end, with which its files are found. */
export function isWithoutSlash(request: IncomingMessage, path: string): boolean {
  if (path === '') return true
  // Whoever mounts a handler as Express does keeps the whole address there.
  const { originalUrl } = request as IncomingMessage & { readonly originalUrl?: unknown }
  return path === '/' && typeof originalUrl === 'string' && /^[^?#]*[^/?#](?:[?#]|$)/.test(originalUrl)
}

/** Sends a browser on to the same address with a slash at its end. */
export function redirectInto(request: IncomingMessage, response: ServerResponse): void {
  const { originalUrl, url = '' } = request as IncomingMessage & { readonly originalUrl?: string }
  const [path = ''] = (originalUrl ?? url).split(/[?#]/)
  response.writeHead(308, { Location: `./${path.slice(path.lastIndexOf('/') + 1)}/` }).end()
}

/**
 * The JSON object in a request's body.
 *
 * @throws Refusal if it is none, or too long
 */
export async function bodyOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) {
    throw new Refusal(415, 'USAGE', 'a change is JSON, with Content-Type: application/json')
  }
  // A framework may have read it already.
  const { body } = request as IncomingMessage & { readonly body?: unknown }
  const read = body ?? parsed(await textOf(request))
  if (typeof read === 'object' && read !== null && !Array.isArray(read)) return read as Record<string, unknown>
  throw new Refusal(400, 'USAGE', 'the body must be an object of JSON')
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > BODY_BYTES_MAX) {
      throw new Refusal(413, 'PAYLOAD_TOO_LARGE', `a change has at most ${BODY_BYTES_MAX} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return null
  }
}

/** Does work for a request, until it takes too long or whoever asked has gone. */
export async function limited<T>(request: IncomingMessage, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const gone = new AbortController()
  const end = (): void => gone.abort()
  request.socket.once('close', end)
  try {
    return await withDeadline(gone.signal, work)
  } finally {
    request.socket.removeListener('close', end)
  }
}

/**
 * Does work that may not take longer than an answer may.
 *
 * @throws Refusal when the time is over
 */
export async function withDeadline<T>(signal: AbortSignal, work: (until: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), READ_MS_MAX)
  try {
    return await work(AbortSignal.any([signal, late.signal]))
  } catch (error) {
    if (!late.signal.aborted) throw error
    throw new Refusal(503, 'TIMEOUT', `the servers have not answered within ${READ_MS_MAX / 1_000} s`)
  } finally {
    clearTimeout(timer)
  }
}
