/** The handler of a dashboard: the page, the reads of its API, changes, and the stream. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer, Meta } from './api.ts'
import { DashboardConnection } from './connection.ts'
import { READ_ONLY, checkAccess, checkHost, setSecurityHeaders } from './guard.ts'
import { bodyOf, isWithoutSlash, limited, redirectInto, send, sendBytes, withDeadline } from './http.ts'
import type { DashboardSettings } from './options.ts'
import { PageFiles } from './page-files.ts'
import { readRelease, readValues } from './readings/config.ts'
import { readEnsemble } from './readings/ensemble.ts'
import { readGroups } from './readings/groups.ts'
import { readElections } from './readings/leaders.ts'
import { readLocks, readQueue } from './readings/locks.ts'
import { answer } from './readings/reading.ts'
import { readServices } from './readings/services.ts'
import { readSessions } from './readings/sessions.ts'
import { readChildren, readNode } from './readings/tree.ts'
import { readWaitFor } from './readings/wait-for.ts'
import { limitOf, pathOf, windowOf } from './query.ts'
import { Refusal, failureOf } from './refusal.ts'
import { Chronicle } from './servers/chronicle.ts'
import { Streams } from './streams.ts'
import { changeNode } from './writes.ts'

const API = '/api/v1/'
const NAME_CHARS_MAX = 100
const QUEUE_DEFAULT = 100

/** A read of the API, by its name. */
type Read = (query: URLSearchParams, signal: AbortSignal) => Promise<Answer<unknown>>

export class DashboardHandler {
  readonly #settings: DashboardSettings
  readonly #connection: DashboardConnection
  readonly #page: PageFiles
  readonly #chronicle = new Chronicle()
  readonly #streams: Streams
  readonly #reads: ReadonlyMap<string, Read>
  readonly #unlisten: () => void
  #isClosed = false

  /**
   * Makes it; nothing is connected.
   *
   * @param pageFolder - where the built page is
   */
  constructor(settings: DashboardSettings, pageFolder: string) {
    this.#settings = settings
    this.#connection = new DashboardConnection(settings)
    this.#page = new PageFiles(pageFolder)
    this.#reads = this.#readsByName()
    this.#streams = new Streams((topic, signal) => this.#readTopic(topic, signal), settings.pollMs)
    this.#unlisten = settings.ensemble?.onEvent((event) => this.#chronicle.hear(event)) ?? (() => undefined)
  }

  /** Answers a request. Never throws, and never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    setSecurityHeaders(response)
    try {
      await this.#answer(request, response)
    } catch (error) {
      const { status, body } = failureOf(error)
      if (response.headersSent) response.destroy()
      else send(request, response, status, body)
    }
  }

  /** Ends the streams, and the client if it is the dashboard's own. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#unlisten()
    this.#streams.close()
    await this.#connection.close()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#isClosed) throw new Refusal(503, 'CLIENT_CLOSED', 'the dashboard is closed')
    checkHost(request, this.#settings)
    const { path, query } = this.#targetOf(request)
    if (path.startsWith(API)) return this.#answerApi(request, response, path.slice(API.length), query)
    if (request.method !== 'GET' && request.method !== 'HEAD') throw new Refusal(405, 'USAGE', 'the page is only read')
    if (isWithoutSlash(request, path)) return redirectInto(request, response)
    const file = await this.#page.at(path)
    if (file === null) throw new Refusal(404, 'NOT_FOUND', `there is nothing at ${path.slice(0, NAME_CHARS_MAX)}`)
    response.setHeader('Content-Type', file.type)
    sendBytes(request, response, file.bytes, file.gzipped)
  }

  /** The path below where the handler is mounted, empty if even the slash at its end is missing; and the query. */
  #targetOf({ url = '/' }: IncomingMessage): { readonly path: string; readonly query: URLSearchParams } {
    if (!url.startsWith('/') || !URL.canParse(`http://localhost${url}`)) {
      throw new Refusal(400, 'USAGE', 'the path cannot be read')
    }
    const { pathname, searchParams: query } = new URL(`http://localhost${url}`)
    const { basePath } = this.#settings
    if (pathname !== basePath && !pathname.startsWith(`${basePath}/`)) {
      throw new Refusal(404, 'NOT_FOUND', `the dashboard is at ${basePath}/`)
    }
    return { path: pathname.slice(basePath.length), query }
  }

  async #answerApi(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    query: URLSearchParams,
  ): Promise<void> {
    await checkAccess(request, this.#settings)
    const { method = 'GET' } = request
    if (method !== 'GET' && method !== 'HEAD') {
      if (name !== 'node') throw new Refusal(404, 'NOT_FOUND', `nothing is changed at ${API}${name}`)
      const body = await bodyOf(request)
      const client = await this.#connection.client()
      return send(request, response, 200, await limited(request, (signal) => changeNode(client, method, body, signal)))
    }
    if (name === 'stream') return this.#streams.open(response, query.getAll('topic'))
    send(request, response, 200, await limited(request, (signal) => this.#readNamed(name, query, signal)))
  }

  #readTopic(topic: string, signal: AbortSignal): Promise<Answer<unknown>> {
    const mark = topic.indexOf('?')
    const name = mark === -1 ? topic : topic.slice(0, mark)
    const query = new URLSearchParams(mark === -1 ? '' : topic.slice(mark + 1))
    return withDeadline(signal, (until) => this.#readNamed(name, query, until))
  }

  async #readNamed(name: string, query: URLSearchParams, signal: AbortSignal): Promise<Answer<unknown>> {
    const read = this.#reads.get(name)
    if (read === undefined) throw new Refusal(404, 'NOT_FOUND', `there is no ${name.slice(0, NAME_CHARS_MAX)} to read`)
    return read(query, signal)
  }

  #readsByName(): ReadonlyMap<string, Read> {
    const { roots } = this.#settings
    const client = (): ReturnType<DashboardConnection['client']> => this.#connection.client()
    return new Map<string, Read>([
      ['meta', async () => answer(this.#meta())],
      ['ensemble', async (_query, signal) => {
        const known = await client().catch(() => null)
        return readEnsemble(known, this.#settings, this.#chronicle, signal)
      }],
      ['events', async () => answer(this.#chronicle.events, { total: this.#chronicle.events.length })],
      ['node', async (query, signal) => readNode(await client(), pathOf(query), signal)],
      ['children', async (query, signal) => readChildren(await client(), pathOf(query), windowOf(query), signal)],
      ['locks', async (_query, signal) => readLocks(await client(), roots.locks, signal)],
      ['lock', async (query, signal) => {
        return readQueue(await client(), pathOf(query), limitOf(query, QUEUE_DEFAULT), signal)
      }],
      ['wait-for', async (_query, signal) => readWaitFor(await client(), roots.locks, signal)],
      ['leaders', async (_query, signal) => readElections(await client(), roots.leaders, signal)],
      ['groups', async (_query, signal) => readGroups(await client(), roots.groups, signal)],
      ['services', async (_query, signal) => readServices(await client(), roots.services, signal)],
      ['sessions', async (_query, signal) => readSessions(await client(), this.#settings, roots, signal)],
      ['config', async (_query, signal) => readValues(await client(), roots.config, signal)],
      ['release', async (query, signal) => readRelease(await client(), pathOf(query), signal)],
    ])
  }

  #meta(): Meta {
    const { name, engine, readOnly, roots } = this.#settings
    const can = readOnly ? READ_ONLY : true
    const views = [
      ...(['overview', 'sessions', 'events'] as const),
      ...(['locks', 'leaders', 'members', 'config', 'services', 'tree'] as const),
    ]
    return { name, engine, views, can: { 'node.write': can, 'node.create': can, 'node.delete': can }, roots }
  }
}
