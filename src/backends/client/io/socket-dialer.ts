/**
 * Connections to real servers, over TCP or TLS.
 *
 * Order     the servers are shuffled once for each session, so that sessions spread over them, and then tried in turn.
 * Names     a host's name is looked up at every attempt: servers move, and one bad name harms no other server
 *           (ZOOKEEPER-1576, 2184).
 * Writes    messages sent within one turn of the event loop leave as one segment.
 * Source    ClientCnxnSocketNIO.java, StaticHostProvider.java.
 */
import { lookup as systemLookup } from 'node:dns/promises'
import { connect as connectTcp, isIP } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'
import { whenAborted } from '../../../core/async.ts'
import { isCoordinationError } from '../../../core/errors.ts'
import { FrameReader } from '../../wire/framing.ts'
import type { ClientMessage } from '../../wire/records.ts'
import { ClientWire } from '../../wire/wire.ts'
import type { Channel, ChannelListener, Dialer } from '../channel.ts'
import { textOf } from '../server-address.ts'
import type { ServerAddress } from '../server-address.ts'

/**
 * Longest reply that is taken, in bytes. Servers limit what they are sent, and not what they send: the names of very
 * many children make a long one.
 */
const REPLY_BYTES_MAX = 16_777_216

const READ_WRITE_WORD = 'isro'
const READ_WRITE = 'rw'
/** Longest that a server has to say whether it has a majority, in milliseconds. */
const ANSWER_MS_MAX = 1_000

/**
 * Finds the addresses of a host.
 *
 * @param host - its name
 * @returns at least one address; one of them is drawn
 */
export type Lookup = (host: string) => Promise<readonly string[]>

/** The settings for node:tls; the address comes from the connection string. */
export type TlsOptions = Pick<
  ConnectionOptions,
  | 'ca'
  | 'cert'
  | 'checkServerIdentity'
  | 'ciphers'
  | 'key'
  | 'maxVersion'
  | 'minVersion'
  | 'passphrase'
  | 'pfx'
  | 'rejectUnauthorized'
  | 'servername'
>

/** How servers are reached. */
export interface Transport {
  /** Null for plain TCP. */
  readonly tls: TlsOptions | null
  /** The system's resolver if undefined. */
  readonly lookup: Lookup | undefined
}

/** Dials real servers in turn. */
export class SocketDialer implements Dialer {
  #servers: readonly ServerAddress[]
  readonly #transport: Transport
  #turn = 0
  /** The server that was dialled last. */
  #dialled: ServerAddress | null = null
  /** Ends the wait for other servers. */
  #wake: () => void = () => undefined

  constructor(servers: readonly ServerAddress[], transport: Transport) {
    this.#servers = shuffled(servers)
    this.#transport = transport
  }

  get serverCount(): number {
    return this.#servers.length
  }

  dial(listener: ChannelListener): Channel {
    const server = this.#servers[this.#turn % this.#servers.length] ?? { host: '', port: 0 }
    this.#turn += 1
    this.#dialled = server
    return new SocketChannel(server, this.#transport, listener)
  }

  /** The servers are these from now on; a session on another one moves. */
  replace(servers: readonly ServerAddress[]): void {
    const texts = (all: readonly ServerAddress[]): string => all.map(textOf).sort().join(',')
    if (texts(servers) === texts(this.#servers)) return
    this.#servers = shuffled(servers)
    this.#turn = 0
    this.#wake()
  }

  /** A server that is not among the servers any more is worse than any of them. */
  async preferred(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted && this.#isAmong(this.#dialled)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        whenAborted(signal, resolve)
      })
    }
    return !signal.aborted
  }

  #isAmong(server: ServerAddress | null): boolean {
    return server === null || this.#servers.some(({ host, port }) => host === server.host && port === server.port)
  }

  async findReadWrite(): Promise<boolean> {
    const server = this.#servers[this.#turn % this.#servers.length]
    if (server === undefined) return false
    const isReadWrite = await openSocket(server, this.#transport).then(askReadWrite, () => false)
    if (!isReadWrite) this.#turn += 1
    return isReadWrite
  }
}

/** Asks by a four-letter word, as the reference's client does. */
function askReadWrite(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = ''
    socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1')
      if (answer.length >= READ_WRITE.length) socket.destroy()
    })
    // Whatever the reason, 'close' follows.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      resolve(answer === READ_WRITE)
    })
    socket.write(READ_WRITE_WORD)
  })
}

class SocketChannel implements Channel {
  readonly server: string
  readonly #listener: ChannelListener
  readonly #wire = new ClientWire()
  readonly #reader = new FrameReader(REPLY_BYTES_MAX)
  #socket: Socket | null = null
  /** Encoded messages that wait for the socket, or for the end of this turn. */
  #unsent: Uint8Array[] = []
  #isClosed = false
  /** Whether a first message of the server was read: a peer that speaks another protocol sends none. */
  #isUnderstood = false
  #reason = 'the server closed the connection'
  readonly #isTls: boolean

  constructor(server: ServerAddress, transport: Transport, listener: ChannelListener) {
    this.server = textOf(server)
    this.#isTls = transport.tls !== null
    this.#listener = listener
    void this.#open(server, transport)
  }

  send(message: ClientMessage): void {
    if (this.#isClosed) return
    this.#unsent.push(this.#wire.encode(message))
    if (this.#unsent.length > 1 || this.#socket === null) return
    queueMicrotask(() => {
      this.#flush()
    })
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#unsent = []
    if (this.#socket !== null) this.#socket.destroy()
    else this.#tellClosed('closed before it was open')
  }

  async #open(server: ServerAddress, transport: Transport): Promise<void> {
    try {
      const socket = await openSocket(server, transport)
      if (this.#isClosed) socket.destroy()
      else this.#attach(socket)
    } catch (error) {
      if (this.#isClosed) return
      this.#isClosed = true
      this.#tellClosed(messageOf(error))
    }
  }

  #attach(socket: Socket): void {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.#onData(chunk)
    })
    socket.on('error', (error) => {
      const isPlain = this.#isTls && /wrong version number|packet length too long/i.test(error.message)
      this.#reason = isPlain ? `${this.server} does not speak TLS: ${messageOf(error)}` : messageOf(error)
    })
    socket.on('close', () => {
      this.#isClosed = true
      this.#listener.onClose(this.#reason)
    })
    // Node.js keeps what is written to it until the connection stands.
    this.#flush()
  }

  #flush(): void {
    if (this.#isClosed || this.#unsent.length === 0) return
    const [only] = this.#unsent
    const bytes = this.#unsent.length === 1 && only !== undefined ? only : Buffer.concat(this.#unsent)
    this.#unsent = []
    this.#socket?.write(bytes)
  }

  #onData(chunk: Uint8Array): void {
    try {
      this.#reader.push(chunk, (frame) => {
        if (this.#isClosed) return
        const message = this.#wire.decode(frame)
        this.#isUnderstood = true
        this.#listener.onMessage(message)
      })
    } catch (error) {
      if (!isCoordinationError(error, 'PROTOCOL_VIOLATION')) throw error
      const hint = this.#isTls ? 'does ZooKeeper listen there?' : 'does ZooKeeper listen there, and without TLS?'
      this.#reason = this.#isUnderstood
        ? `it broke the protocol: ${error.message}`
        : `what answers at ${this.server} does not speak ZooKeeper's protocol (${hint}): ${error.message}`
      this.close()
    }
  }

  /** In a turn of its own, never within a call of the listener's. */
  #tellClosed(reason: string): void {
    setImmediate(() => {
      this.#listener.onClose(reason)
    })
  }
}

/** Begins to connect. */
async function openSocket(server: ServerAddress, { tls, lookup }: Transport): Promise<Socket> {
  const host = await addressOf(server.host, lookup)
  const { port } = server
  return tls === null ? connectTcp({ host, port }) : connectTls(tlsOptions(server, host, tls))
}

async function addressOf(host: string, lookup: Lookup | undefined): Promise<string> {
  if (isIP(host) !== 0) return host
  const addresses = lookup === undefined ? await systemAddresses(host) : await lookup(host)
  const address = addresses[Math.floor(Math.random() * addresses.length)]
  if (address === undefined) throw new Error(`the host ${host} has no address`)
  return address
}

async function systemAddresses(host: string): Promise<string[]> {
  const found = await systemLookup(host, { all: true })
  return found.map(({ address }) => address)
}

/** The name that the certificate is for is the one in the connection string, whatever address it has today. */
function tlsOptions({ host, port }: ServerAddress, address: string, tls: TlsOptions): ConnectionOptions {
  return { ...(isIP(host) === 0 ? { servername: host } : {}), ...tls, host: address, port }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function shuffled<T>(items: readonly T[]): T[] {
  const order = items.map((item) => ({ item, draw: Math.random() })).sort((a, b) => a.draw - b.draw)
  return order.map(({ item }) => item)
}
