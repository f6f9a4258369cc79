/**
 * One process of a small HTTP service: it takes orders, and one of all processes bills them. It carries a server of the
 * ensemble in itself, and needs nothing else: no database, no broker, no other program.
 *
 * Use       `node service.js '{"myid":1,"servers":{"1":"host:2888:3888;2181",...},"dataDir":"...","port":8080}'`
 * Paths     PUT /orders/ID with an amount; GET /orders; PUT and GET /config; GET /health
 * Retries   each PUT may be sent again, to any process: an order is a node of its id, and its amount never changes.
 * Ends      by SIGTERM, or with its standard input.
 */
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect, ConfigCenter, FairLock, isCoordinationError } from 'quorate'
import type { Client, Lease } from 'quorate'
import { embedded } from 'quorate/embedded'
import type { EnsembleMember } from 'quorate/embedded'
import type { Bill, Health, Order, ServiceOptions } from './messages.ts'

const HOST = '127.0.0.1'
const ORDERS = '/orders'
const BILLS = '/bills'
const LOCK = '/locks/billing'
const CONFIG = '/config/discount'
const BODY_BYTES_MAX = 1_000
/** A process that is killed is missed after this long, and another one bills. */
const SESSION_TIMEOUT_MS = 1_500
/** The first time all three must have come; a start on a busy machine takes its time. */
const START_MS_MAX = 60_000
/** A request that takes longer is better sent to another process. */
const OPERATION_TIMEOUT_MS = 3_000
const PAUSE_MS = 50

/** The discount that is in force. */
interface Discount {
  readonly percent: number
}

/** An answer: its status, and what becomes its JSON. */
interface Answer {
  readonly status: number
  readonly body: unknown
}

/** The service of one process. */
class Service {
  readonly #member: EnsembleMember
  readonly #client: Client
  readonly #discount: ConfigCenter<Discount, Discount>
  readonly #lock: FairLock
  readonly #stop = new AbortController()
  #lease: Lease | null = null

  constructor(member: EnsembleMember, client: Client) {
    this.#member = member
    this.#client = client
    this.#discount = new ConfigCenter<Discount, Discount>(client, CONFIG, { default: { percent: 0 } })
    this.#lock = new FairLock(client, LOCK)
  }

  async start(): Promise<void> {
    await this.#client.makePath(ORDERS)
    await this.#client.makePath(BILLS)
    await this.#discount.ready()
    void this.#billForever()
  }

  stop(): void {
    this.#stop.abort()
  }

  /** Answers a request. */
  async answer(method: string, path: string, body: string): Promise<Answer> {
    const [, id] = /^\/orders\/([\w-]{1,40})$/.exec(path) ?? []
    if (method === 'PUT' && id !== undefined) return this.#take(id, body)
    if (method === 'PUT' && path === '/config') {
      await this.#discount.publish({ percent: Number(body) })
      return { status: 200, body: null }
    }
    if (method !== 'GET') return { status: 405, body: null }
    if (path === '/orders') return { status: 200, body: await this.#orders() }
    if (path === '/config') return { status: 200, body: this.#discount.current }
    if (path === '/health') return { status: 200, body: this.#health() }
    return { status: 404, body: null }
  }

  /** Takes an order; an answer of 200 or 201 says that a majority of the disks has it. */
  async #take(id: string, amount: string): Promise<Answer> {
    try {
      await this.#client.create(`${ORDERS}/${id}`, amount)
      return { status: 201, body: null }
    } catch (error) {
      if (!isCoordinationError(error, 'NODE_EXISTS')) throw error
    }
    // It was sent before, and the answer was lost.
    const isSame = textOf((await this.#client.get(`${ORDERS}/${id}`)).data) === amount
    return { status: isSame ? 200 : 409, body: null }
  }

  async #orders(): Promise<Order[]> {
    await this.#client.sync()
    const { names } = await this.#client.children(ORDERS)
    return Promise.all(names.map(async (id) => {
      const amount = Number(textOf((await this.#client.get(`${ORDERS}/${id}`)).data))
      return { id, amount, bill: await this.#billOf(id) }
    }))
  }

  async #billOf(id: string): Promise<Order['bill']> {
    try {
      const { data, stat } = await this.#client.get(`${BILLS}/${id}`)
      return { ...JSON.parse(textOf(data)) as Bill, zxid: String(stat.czxid) }
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return null
      throw error
    }
  }

  #health(): Health {
    const { myid, leader } = this.#member
    const isHeld = this.#lease !== null && !this.#lease.signal.aborted
    return { myid, leader, serves: leader !== null, token: isHeld ? String(this.#lease?.token) : null }
  }

  /** Bills while this process has the lock; asks for it again when it has lost it. */
  async #billForever(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await using lease = await this.#lock.acquire({ signal })
        this.#lease = lease
        await this.#billWhile(lease)
      } catch (error) {
        if (!signal.aborted) console.error(`billing pauses: ${error instanceof Error ? error.message : String(error)}`)
      }
      this.#lease = null
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }

  async #billWhile({ signal: lost, token }: Lease): Promise<void> {
    await this.#client.sync()
    const billed = new Set((await this.#client.children(BILLS)).names)
    while (!lost.aborted && !this.#stop.signal.aborted) {
      let end = (): void => undefined
      const woken = new Promise<void>((resolve) => {
        end = resolve
      })
      for (const signal of [lost, this.#stop.signal]) signal.addEventListener('abort', end, { once: true })
      const { names } = await this.#client.children(ORDERS, { watch: () => end() })
      for (const id of names.filter((name) => !billed.has(name))) {
        const { percent } = this.#discount.current ?? { percent: 0 }
        const bill: Bill = { by: this.#member.myid, token: String(token), percent }
        await this.#client.create(`${BILLS}/${id}`, JSON.stringify(bill)).catch((error: unknown) => {
          // One that was under way when the last process was killed.
          if (!isCoordinationError(error, 'NODE_EXISTS')) throw error
        })
        billed.add(id)
      }
      await woken
      for (const signal of [lost, this.#stop.signal]) signal.removeEventListener('abort', end)
    }
  }
}

function textOf(data: Uint8Array): string {
  return new TextDecoder().decode(data)
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) {
    text += String(chunk)
    if (text.length > BODY_BYTES_MAX) throw new RangeError(`a body has at most ${BODY_BYTES_MAX} bytes`)
  }
  return text
}

async function main(options: ServiceOptions): Promise<void> {
  const { port, ...own } = options
  const member = embedded(own)
  await member.start()
  const client = await connect(member, {
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    connectTimeoutMs: START_MS_MAX,
    operationTimeoutMs: OPERATION_TIMEOUT_MS,
  })
  const service = new Service(member, client)
  await service.start()
  const http = createServer((request, response) => {
    const answered = bodyOf(request).then((body) => service.answer(request.method ?? '', request.url ?? '', body))
    answered.catch((error: unknown): Answer => {
      // Whether a write took effect may be unknown: whoever sent it sends it again.
      const message = error instanceof Error ? error.message : String(error)
      return { status: isCoordinationError(error) ? 503 : 400, body: { error: message } }
    }).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }, () => response.destroy())
  })
  http.listen(port, HOST)
  const close = async (): Promise<void> => {
    service.stop()
    http.close()
    http.closeAllConnections()
    await client.close()
    await member.close()
    process.stdin.destroy()
  }
  process.once('SIGTERM', () => void close())
  process.stdin.once('close', () => void close()).resume()
}

await main(JSON.parse(process.argv[2] ?? '{}') as ServiceOptions)
