/** The three processes of the service, and how to ask them. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Health } from './messages.ts'

const HOST = '127.0.0.1'
const SERVICE = fileURLToPath(new URL('service.js', import.meta.url))
const REQUEST_MS_MAX = 4_000
const POLL_MS = 20
/** Of a process: two for other servers, one for clients, one for HTTP. */
const PORTS = 4

/** An answer of a process. */
export interface Reply {
  readonly status: number
  readonly body: unknown
}

/** The processes, by myid. */
export class Fleet implements AsyncDisposable {
  readonly ids: readonly number[]
  readonly #folder: string
  readonly #servers: Readonly<Record<number, string>>
  readonly #ports: ReadonlyMap<number, number>
  readonly #signal: AbortSignal
  readonly #running = new Map<number, ChildProcess>()

  private constructor(folder: string, ids: readonly number[], ports: readonly number[], signal: AbortSignal) {
    this.ids = ids
    this.#folder = folder
    this.#signal = signal
    this.#ports = new Map(ids.map((id, index) => [id, ports[index * PORTS] ?? 0]))
    this.#servers = Object.fromEntries(ids.map((id, index) => {
      const [, peer = 0, election = 0, client = 0] = ports.slice(index * PORTS)
      return [id, `${HOST}:${peer}:${election};${HOST}:${client}`]
    }))
  }

  /**
   * A fleet on ports that are free, none of whose processes is started.
   *
   * @param folder - where their data go
   * @param signal - ends all waits
   */
  static async make(folder: string, ids: readonly number[], signal: AbortSignal): Promise<Fleet> {
    return new Fleet(folder, ids, await freePorts(ids.length * PORTS), signal)
  }

  /** Starts processes, all by default. */
  start(ids = this.ids): void {
    for (const myid of ids) {
      const dataDir = join(this.#folder, `server-${myid}`)
      const options = { myid, servers: this.#servers, dataDir, port: this.#ports.get(myid) }
      const child = spawn(process.execPath, [SERVICE, JSON.stringify(options)], { stdio: ['pipe', 'ignore', 'ignore'] })
      this.#running.set(myid, child)
    }
  }

  /** Kills processes as the end of their machines would. Resolves when they are gone. */
  async kill(ids: readonly number[]): Promise<void> {
    await Promise.all(ids.map((id) => this.#end(id, 'SIGKILL')))
  }

  /** Waits until processes serve, all by default. */
  async untilServing(ids = this.ids): Promise<void> {
    await Promise.all(ids.map((id) => this.until(async () => (await this.health(id))?.serves === true)))
  }

  /** Waits until something is so. */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) await delay(POLL_MS, undefined, { signal: this.#signal })
  }

  /** Where a process stands; null if it does not answer. */
  async health(id: number): Promise<Health | null> {
    const reply = await this.ask(id, 'GET', '/health').catch(() => null)
    return reply === null ? null : reply.body as Health
  }

  /** The process that has the lock for billing, and its token; null if nobody has it. */
  async holder(): Promise<{ readonly myid: number; readonly token: bigint } | null> {
    const all = await Promise.all(this.ids.map((id) => this.health(id)))
    const held = all.flatMap((one) => (one?.token ? [{ myid: one.myid, token: BigInt(one.token) }] : []))
    return held.sort((a, b) => Number(b.token - a.token))[0] ?? null
  }

  /**
   * Sends a request to one process.
   *
   * @throws Error if it gives no answer
   */
  async ask(id: number, method: string, path: string, body?: string): Promise<Reply> {
    const response = await fetch(`http://${HOST}:${this.#ports.get(id)}${path}`, {
      method,
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(REQUEST_MS_MAX)]),
    })
    return { status: response.status, body: await response.json() }
  }

  /** Sends a PUT to one process after the other until one has done it: to send it twice does no harm. */
  async put(path: string, body: string): Promise<void> {
    let next = Math.floor(Math.random() * this.ids.length)
    for (;;) {
      const reply = await this.ask(this.ids[next % this.ids.length] ?? 0, 'PUT', path, body).catch(() => null)
      if (reply !== null && reply.status < 300) return
      next += 1
      await delay(POLL_MS, undefined, { signal: this.#signal })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running.keys()].map((id) => this.#end(id, 'SIGTERM')))
  }

  async #end(id: number, signal: NodeJS.Signals): Promise<void> {
    const child = this.#running.get(id)
    if (child === undefined || !this.#running.delete(id)) return
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }
}

async function freePorts(count: number): Promise<number[]> {
  const listeners = await Promise.all(Array.from({ length: count }, () => new Promise<Server>((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, HOST, () => resolve(server))
  })))
  const ports = listeners.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(listeners.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
