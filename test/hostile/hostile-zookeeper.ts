/** A server of ZooKeeper's protocol that means no good: it plays what a test tells it, and relays once it is tamed. */
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { OpCode } from '../../src/backends/wire/codes.ts'
import { FrameReader } from '../../src/backends/wire/framing.ts'
import type { ClientMessage, ConnectResponse, Request } from '../../src/backends/wire/records.ts'
import { ServerWire } from '../../src/backends/wire/wire.ts'

/** A connection, as the server has it. */
export interface Victim {
  readonly socket: Socket
  /** Opens a session, as a server that means well. */
  greet(response?: Partial<ConnectResponse>): void
  /** A reply in raw bytes. */
  reply(xid: number, zxid: bigint, err: number, body?: Uint8Array): void
}

/** The part of the server on a connection, message by message. */
export type Play = (victim: Victim, message: ClientMessage) => void

/** A frame: its length, whatever it says, and bytes. */
export function frame(bytes: Uint8Array, length: number = bytes.length): Uint8Array {
  const head = Buffer.alloc(4)
  head.writeInt32BE(length)
  return Buffer.concat([head, bytes])
}

/** An answer to the first message. */
export function greeting({ timeOut = 4_000, sessionId = 7n, passwd }: Partial<ConnectResponse> = {}): Uint8Array {
  const response = { protocolVersion: 0, timeOut, sessionId, passwd: passwd ?? new Uint8Array(16), readOnly: false }
  return new ServerWire().encode({ kind: 'connect', response })
}

/** Numbers in a row: of 4 bytes, or of 8 for bigints; texts with their length. */
export function jute(...values: readonly (number | bigint | string)[]): Uint8Array {
  return Buffer.concat(values.map((value) => {
    if (typeof value === 'string') return frame(Buffer.from(value))
    const bytes = Buffer.alloc(typeof value === 'bigint' ? 8 : 4)
    if (typeof value === 'bigint') bytes.writeBigInt64BE(value)
    else bytes.writeInt32BE(value)
    return bytes
  }))
}

/** The server. */
export class HostileServer {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** The part that it plays. */
  play: Play = () => undefined
  /** A good server's port; it is relayed to from now on. */
  tamedTo: number | null = null
  /** How often it was dialled. */
  dials = 0

  private constructor() {
    this.#server = createServer((socket) => {
      this.dials += 1
      this.#keep(socket)
      if (this.tamedTo === null) this.#serve(socket)
      else this.#relay(socket, this.tamedTo)
    })
  }

  /** Starts one on a port of its own. */
  static async start(): Promise<HostileServer> {
    const hostile = new HostileServer()
    await new Promise<void>((resolve) => hostile.#server.listen(0, '127.0.0.1', resolve))
    return hostile
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Ends its connections: clients come again. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.hangUp()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#sockets.delete(socket))
  }

  #serve(socket: Socket): void {
    const [wire, reader] = [new ServerWire(), new FrameReader()]
    const victim: Victim = {
      socket,
      greet: (response) => void socket.write(greeting(response)),
      reply: (xid, zxid, err, body = new Uint8Array()) => {
        socket.write(frame(Buffer.concat([jute(xid, zxid, err), body])))
      },
    }
    socket.on('data', (chunk) => reader.push(chunk, (bytes) => this.play(victim, wire.decode(bytes))))
  }

  #relay(socket: Socket, port: number): void {
    const good = connect(port, '127.0.0.1')
    this.#keep(good)
    socket.pipe(good).pipe(socket)
    socket.on('close', () => good.destroy())
    good.on('close', () => socket.destroy())
  }
}

/** Greets, answers everything but what a test asks for, and leaves that to the rest. */
export function attached(rest: (victim: Victim, request: Request) => void): Play {
  return (victim, message) => {
    if (message.kind === 'connect') victim.greet()
    if (message.kind !== 'request') return
    const { xid, op } = message.request
    if (op === OpCode.ping) victim.reply(xid, 1n, 0)
    // Whether it is one of ours, and whether it knows times to live: no.
    else if (op === OpCode.exists && message.request.body.path.startsWith('/zookeeper/')) victim.reply(xid, 1n, -101)
    else if (op === OpCode.createTTL) victim.reply(xid, 1n, -6)
    else if (op === OpCode.closeSession) victim.reply(xid, 1n, 0)
    else rest(victim, message.request)
  }
}
