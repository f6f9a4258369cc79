/**
 * TCP proxies under a test's control: they can refuse, cut, and swallow what passes, and know whose session passes.
 *
 * Use       const proxies = await startProxies([port])   // connect to proxies.connectString
 *           proxies.isolate(sessionId)
 */
import { createConnection, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import type { ConnectionOptions, TlsOptions } from 'node:tls'
import { OpCode } from '../../src/backends/wire/codes.ts'
import { ClientWire } from '../../src/backends/wire/wire.ts'

/** Where a client's first frame, its length included, names the session that it asks for. */
const ASKED_ID_OFFSET = 20
const ASKED_BYTES = ASKED_ID_OFFSET + 8
/** Where a server's first frame names the session, and its password. */
const SESSION_ID_OFFSET = 12
const PASSWD_OFFSET = 24
const ANSWERED_BYTES = PASSWD_OFFSET + 16

interface Pair {
  readonly client: Socket
  readonly server: Socket
  sessionId: bigint
}

/** TLS at both sides of a proxy, which ends it: it has to see what passes. */
export interface ProxyTls {
  readonly toClients: TlsOptions
  readonly toServers: ConnectionOptions
}

/** The state that the proxies of one ensemble share. */
interface Knowledge {
  readonly tls: ProxyTls | null
  readonly isolated: Set<bigint>
  readonly deaf: Set<bigint>
  readonly passwords: Map<bigint, Uint8Array>
}

/** A proxy in front of one server. */
export class Proxy {
  /** The port of the server. */
  readonly target: number
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  readonly #knowledge: Knowledge
  #isDown = false

  constructor(target: number, knowledge: Knowledge) {
    this.target = target
    this.#knowledge = knowledge
    const onClient = (client: Socket): void => {
      if (this.#isDown) client.destroy()
      else this.#relay(client, dial(target, knowledge.tls))
    }
    const { tls } = knowledge
    this.#server = tls === null ? createServer(onClient) : createTlsServer(tls.toClients, onClient)
  }

  /** The port that it listens on, on 127.0.0.1. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** How many connections pass through it. */
  get connections(): number {
    return this.#pairs.size
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(0, '127.0.0.1', resolve)
    })
  }

  /** Cuts the connections of a session, or all. */
  cut(sessionId?: bigint): void {
    for (const pair of this.#pairs) if (sessionId === undefined || pair.sessionId === sessionId) this.#end(pair)
  }

  /** Whether every connection is refused, and those that stand are cut. */
  set isDown(isDown: boolean) {
    this.#isDown = isDown
    if (isDown) this.cut()
  }

  async stop(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #relay(client: Socket, server: Socket): void {
    const pair: Pair = { client, server, sessionId: 0n }
    this.#pairs.add(pair)
    let asked = Buffer.alloc(0)
    let answered = Buffer.alloc(0)
    client.on('data', (chunk) => {
      if (asked.length < ASKED_BYTES) {
        asked = Buffer.concat([asked, chunk])
        if (asked.length >= ASKED_BYTES) pair.sessionId = asked.readBigInt64BE(ASKED_ID_OFFSET)
        if (this.#knowledge.isolated.has(pair.sessionId)) {
          this.#end(pair)
          return
        }
      }
      server.write(chunk)
    })
    server.on('data', (chunk) => {
      if (this.#knowledge.deaf.has(pair.sessionId)) return
      if (answered.length < ANSWERED_BYTES) {
        answered = Buffer.concat([answered, chunk])
        if (answered.length >= ANSWERED_BYTES) {
          pair.sessionId = answered.readBigInt64BE(SESSION_ID_OFFSET)
          this.#knowledge.passwords.set(pair.sessionId, answered.subarray(PASSWD_OFFSET, ANSWERED_BYTES))
        }
      }
      client.write(chunk)
    })
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#end(pair)
      })
    }
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair)
    pair.client.destroy()
    pair.server.destroy()
  }
}

/** Proxies in front of the servers of one ensemble. */
export class Proxies {
  readonly all: readonly Proxy[]
  readonly #knowledge: Knowledge

  constructor(targets: readonly number[], tls: ProxyTls | null = null) {
    const knowledge: Knowledge = { tls, isolated: new Set(), deaf: new Set(), passwords: new Map() }
    this.#knowledge = knowledge
    this.all = targets.map((target) => new Proxy(target, knowledge))
  }

  /** `127.0.0.1:port,...` of all. */
  get connectString(): string {
    return this.all.map(({ port }) => `127.0.0.1:${port}`).join(',')
  }

  async start(): Promise<void> {
    await Promise.all(this.all.map((proxy) => proxy.start()))
  }

  /** Cuts a session off until `admit`: connections that ask for it are cut at their first message. */
  isolate(sessionId: bigint): void {
    this.#knowledge.isolated.add(sessionId)
    this.cut(sessionId)
  }

  /** Cuts the connection of a session. */
  cut(sessionId: bigint): void {
    for (const proxy of this.all) proxy.cut(sessionId)
  }

  /** Cuts every connection. */
  cutAll(): void {
    for (const proxy of this.all) proxy.cut()
  }

  /** Whether what servers say to a session is swallowed: its requests arrive, and it does not hear of it. */
  setDeaf(sessionId: bigint, isDeaf: boolean): void {
    if (isDeaf) this.#knowledge.deaf.add(sessionId)
    else this.#knowledge.deaf.delete(sessionId)
  }

  /** Ends an `isolate`. */
  admit(sessionId: bigint): void {
    this.#knowledge.isolated.delete(sessionId)
  }

  /** Has the servers end a session behind its client's back, by a closeSession of somebody else's. */
  async expire(sessionId: bigint): Promise<void> {
    const passwd = this.#knowledge.passwords.get(sessionId)
    if (passwd === undefined) throw new Error(`no session 0x${sessionId.toString(16)} has passed by`)
    this.isolate(sessionId)
    await closeSession(dial(this.all[0]?.target ?? 0, this.#knowledge.tls), sessionId, passwd)
    this.admit(sessionId)
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((proxy) => proxy.stop()))
  }
}

/** Starts proxies in front of ports of this machine. */
export async function startProxies(targets: readonly number[], tls?: ProxyTls): Promise<Proxies> {
  const proxies = new Proxies(targets, tls)
  await proxies.start()
  return proxies
}

function dial(port: number, tls: ProxyTls | null): Socket {
  const address = { port, host: '127.0.0.1' }
  return tls === null ? createConnection(address) : connectTls({ ...tls.toServers, ...address })
}

/** Resolves when the server has answered, or has hung up, as it does when there is no such session. */
function closeSession(socket: Socket, sessionId: bigint, passwd: Uint8Array): Promise<void> {
  const wire = new ClientWire()
  const request = { protocolVersion: 0, lastZxidSeen: 0n, timeOut: 10_000, sessionId, passwd, readOnly: false }
  return new Promise((resolve, reject) => {
    socket.write(wire.encode({ kind: 'connect', request }))
    socket.write(wire.encode({ kind: 'request', request: { xid: 1, op: OpCode.closeSession, body: null } }))
    socket.resume()
    socket.on('error', reject)
    socket.on('close', () => {
      resolve()
    })
  })
}
