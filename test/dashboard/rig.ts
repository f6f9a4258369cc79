/** A dashboard that serves on loopback, over an ensemble in this process. */
import { createServer, request as httpRequest } from 'node:http'
import type { IncomingHttpHeaders, OutgoingHttpHeaders, RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DashboardHandler } from '../../src/dashboard/dashboard.ts'
import { settingsOf } from '../../src/dashboard/options.ts'
import type { DashboardOptions } from '../../src/dashboard/options.ts'

/** The answer to a request. */
export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** The method, headers and body of a request. */
export interface Sent {
  readonly method?: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string
}

/** Ports that listen, until `close`. */
export class HttpRig {
  readonly #closes: (() => Promise<void>)[] = []

  /** Serves a dashboard; answers with its URL, which ends in `/`. */
  async dashboard(options: DashboardOptions, pageFolder = '/nowhere'): Promise<string> {
    const handler = new DashboardHandler(settingsOf(options), pageFolder)
    this.#closes.push(() => handler.close())
    return this.listen((request, response) => void handler.handle(request, response))
  }

  /** Serves whatever. */
  async listen(listener: RequestListener): Promise<string> {
    const server: Server = createServer(listener)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    this.#closes.push(() => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  }

  /** Ends what listens, newest first. */
  async close(): Promise<void> {
    for (const close of this.#closes.splice(0).reverse()) await close()
  }
}

/** Sends a request, as no browser would: with whatever headers. */
export function ask(url: string, { method = 'GET', headers = {}, body }: Sent = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const sent = { connection: 'close', ...length, ...headers }
    const request = httpRequest(url, { method, headers: sent }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.once('error', reject)
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
    })
    request.once('error', reject)
    request.end(body)
  })
}

/** The data that a read of the API answers. */
export async function dataOf<T>(url: string, headers: OutgoingHttpHeaders = {}): Promise<T> {
  const { status, text } = await ask(url, { headers })
  if (status !== 200) throw new Error(`${url} answered ${status}: ${text}`)
  return (JSON.parse(text) as { readonly data: T }).data
}
