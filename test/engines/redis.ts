/**
 * Redis for tests: a server on loopback in a folder of its own, and a proxy in front of it that can cut sessions off.
 */
import { createConnection, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { Redis } from 'ioredis'
import type { RedisOptions } from 'ioredis'
import { SCRIPTS } from '../../src/backends/redis/io/script.ts'
import { CONTAINER_IDLE_MS } from '../../src/backends/redis/scripts/prelude.ts'
import type { BackendControl } from '../../src/testing/index.ts'
import { findProgram, freePort, reasonToSkip, scratchFolder, startProcess, untilReady } from './process.ts'
import type { EngineProcess } from './process.ts'

const PROGRAM = findProgram('redis-server')
const SESSION = /s\d{13,}-\d+/
const COUNTER_BITS = 20n

/** Why suites on a real Redis are skipped, or null if they run. */
export const redisMissing = reasonToSkip('redis-server', PROGRAM !== null)

/** Options of {@link startRedis}. */
export interface RedisServerOptions {
  /** More arguments for the server. */
  readonly args?: readonly string[]
  /** How the test's own connections get in: a password, TLS. */
  readonly access?: RedisOptions
}

/** A Redis server that can be frozen, crashed and started again on its port. */
export class RedisServer {
  readonly port: number
  readonly #args: readonly string[]
  readonly #access: RedisOptions
  readonly #folder = scratchFolder('redis')
  #process: EngineProcess | null = null

  constructor(port: number, { args = [], access = {} }: RedisServerOptions) {
    this.port = port
    this.#args = args
    this.#access = access
  }

  /** Starts it, again after a crash; resolves when it serves. */
  async start(): Promise<void> {
    const { path } = this.#folder
    const ports = this.#access.tls === undefined ? ['--port'] : ['--port', '0', '--tls-port']
    const args = [...ports, String(this.port), '--bind', '127.0.0.1', '--dir', path, '--save', '', ...this.#args]
    const process = startProcess(PROGRAM ?? 'redis-server', args)
    this.#process = process
    await untilReady(process, async () => (await this.ask((admin) => admin.ping())) === 'PONG')
  }

  /** Waits until a question is answered with yes. @throws Error if the server ends, or in a minute */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    if (this.#process === null) throw new Error('the server was not started')
    await untilReady(this.#process, isSo)
  }

  /** Sends a signal: SIGSTOP freezes it, SIGCONT thaws it. */
  signal(signal: NodeJS.Signals): void {
    this.#process?.signal(signal)
  }

  /** Crashes it. */
  async kill(): Promise<void> {
    await this.#process?.kill()
  }

  /** Ends it and removes what it wrote. */
  async close(): Promise<void> {
    await this.kill()
    this.#folder.remove()
  }

  /** Asks it something on a connection of its own. */
  async ask<T>(question: (admin: Redis) => Promise<T>): Promise<T> {
    const where = { port: this.port, host: '127.0.0.1' }
    const admin = new Redis({ ...where, lazyConnect: true, retryStrategy: () => null, ...this.#access })
    admin.on('error', () => undefined)
    try {
      await admin.connect()
      return await question(admin)
    } finally {
      admin.disconnect()
    }
  }
}

/** Starts a server on a free port. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = new RedisServer(await freePort(), options)
  await server.start()
  return server
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  /** The session that it serves, as soon as that is known. */
  session: string | null
  /** The bytes read while that is not known. */
  heard: string
}

/** A TCP proxy in front of a server that knows which session passes. */
export class RedisProxy {
  readonly #server: Server
  /** The port that new connections are led to. */
  target: number
  readonly #pairs = new Set<Pair>()
  readonly #isolated = new Set<string>()
  /** Whether every connection is refused. */
  isDown = false
  /** Whether what the server says is swallowed, from now on. */
  isDeaf = false

  private constructor(target: number) {
    this.target = target
    this.#server = createServer((client) => {
      if (this.isDown) client.destroy()
      else this.#relay(client)
    })
  }

  /** Starts a proxy in front of a port. */
  static async start(target: number): Promise<RedisProxy> {
    const proxy = new RedisProxy(target)
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject)
      proxy.#server.listen(0, '127.0.0.1', resolve)
    })
    return proxy
  }

  /** The URL to connect to. */
  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Cuts a session off until `rejoin`. */
  isolate(session: string): void {
    this.#isolated.add(session)
    for (const pair of this.#pairs) if (pair.session === session) this.#end(pair)
  }

  /** Lets a session through again. */
  rejoin(session: string): void {
    this.#isolated.delete(session)
  }

  /** Cuts all connections. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair)
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #relay(client: Socket): void {
    const server = createConnection({ port: this.target, host: '127.0.0.1' })
    const pair: Pair = { client, server, session: null, heard: '' }
    this.#pairs.add(pair)
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#end(pair)
      })
    }
    client.on('data', (chunk: Buffer) => {
      if (this.#mayPass(pair, chunk)) server.write(chunk)
    })
    server.on('data', (chunk: Buffer) => {
      if (this.#mayPass(pair, chunk) && !this.isDeaf) client.write(chunk)
    })
  }

  /** The first session that is named on a connection is its own. */
  #mayPass(pair: Pair, chunk: Buffer): boolean {
    if (pair.session === null) {
      pair.heard += chunk.toString('latin1')
      pair.session = SESSION.exec(pair.heard)?.[0] ?? null
    }
    if (pair.session === null || !this.#isolated.has(pair.session)) return true
    this.#end(pair)
    return false
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair)
    pair.client.destroy()
    pair.server.destroy()
  }
}

/** A session's id as the scripts write it. */
export function sessionText(id: bigint): string {
  const epoch = id >> COUNTER_BITS
  return `s${epoch}-${id - (epoch << COUNTER_BITS)}`
}

/** The test's hand on a namespace: admin scripts on the server, and a proxy. */
export function redisControl(server: RedisServer, proxy: RedisProxy, namespace: string): BackendControl {
  const run = (text: string, ...args: string[]): Promise<unknown> => {
    return server.ask((admin) => admin.eval(text, 1, `{${namespace}}`, '', ...args))
  }
  return {
    expire: async (sessionId) => {
      await run(SCRIPTS.end.text, sessionText(sessionId), '', '')
    },
    disconnect: (sessionId) => {
      proxy.isolate(sessionText(sessionId))
    },
    reconnect: (sessionId) => {
      proxy.rejoin(sessionText(sessionId))
    },
    reap: async () => {
      await run(SCRIPTS.tick.text, '', '', '', '0', String(CONTAINER_IDLE_MS))
    },
  }
}
