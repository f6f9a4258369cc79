/** A ZooKeeper client that is no more than its messages, over TCP. */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { OpCode, Xid } from '../../../../../src/backends/wire/codes.ts'
import { FrameReader } from '../../../../../src/backends/wire/framing.ts'
import type { ConnectRequest, ConnectResponse, Reply } from '../../../../../src/backends/wire/records.ts'
import type { Request, RequestBodies, ServerMessage } from '../../../../../src/backends/wire/records.ts'
import { ClientWire } from '../../../../../src/backends/wire/wire.ts'

const REPLY_BYTES_MAX = 0x400_0000
const PASSWORD_BYTES = 16

/** The request for a new session. */
export const NEW_SESSION: ConnectRequest = {
  protocolVersion: 0,
  lastZxidSeen: 0n,
  timeOut: 30_000,
  sessionId: 0n,
  passwd: new Uint8Array(PASSWORD_BYTES),
  readOnly: false,
}

/** A client with a session. */
export type OpenClient = RawClient & { readonly session: ConnectResponse }

/** One connection. */
export class RawClient {
  readonly socket: Socket
  /** Everything the server has sent and nobody has taken. */
  readonly messages: ServerMessage[] = []
  /** How often the server sent a message that this client does not understand. */
  violations = 0
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>
  readonly #wire = new ClientWire()
  readonly #frames = new FrameReader(REPLY_BYTES_MAX)
  #waiting: (() => void)[] = []
  #isClosed = false
  #lastXid = 0
  /** xids of every frame that came after the first. */
  readonly #xids = new Set<number>()

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#frames.push(chunk, (frame) => {
        this.#receive(frame)
      })
      this.#wake()
    })
    socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#isClosed = true
        this.#wake()
        resolve()
      })
    })
  }

  /** Connects; no session is asked for. */
  static async dial(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1')
    const client = new RawClient(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return client
  }

  /** Connects and opens a session, or resumes one. */
  static async open(port: number, request: Partial<ConnectRequest> = {}): Promise<OpenClient> {
    const client = await RawClient.dial(port)
    client.connect(request)
    return Object.assign(client, { session: await client.greeting() })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Sends the first message. */
  connect(request: Partial<ConnectRequest> = {}): void {
    this.socket.write(this.encodeConnect(request))
  }

  encodeConnect(request: Partial<ConnectRequest> = {}): Uint8Array {
    return this.#wire.encode({ kind: 'connect', request: { ...NEW_SESSION, ...request } })
  }

  /** The first answer. */
  async greeting(): Promise<ConnectResponse> {
    const message = await this.take()
    if (message.kind !== 'connect') throw new Error(`a ${message.kind} instead of the first answer`)
    return message.response
  }

  /** Sends a request; returns its xid. */
  send<O extends keyof RequestBodies>(op: O, body: RequestBodies[O]): number {
    this.socket.write(this.encode(op, body))
    return this.#lastXid
  }

  encode<O extends keyof RequestBodies>(op: O, body: RequestBodies[O]): Uint8Array {
    this.#lastXid += 1
    const xid = op === OpCode.ping ? Xid.ping : this.#lastXid
    return this.#wire.encode({ kind: 'request', request: { xid, op, body } as Request })
  }

  /** A request under an xid of one's own choice: the replies to it may be no sense to this client. */
  encodeAs<O extends keyof RequestBodies>(xid: number, op: O, body: RequestBodies[O]): Uint8Array {
    return this.#wire.encode({ kind: 'request', request: { xid, op, body } as Request })
  }

  /** Sends a request and waits for the next message, which must be its reply. */
  async ask<O extends keyof RequestBodies>(op: O, body: RequestBodies[O]): Promise<Reply> {
    this.send(op, body)
    return this.reply()
  }

  /** The next message, which must be a reply. */
  async reply(): Promise<Reply> {
    const message = await this.take()
    if (message.kind !== 'reply') throw new Error(`a ${message.kind} instead of a reply`)
    return message.reply
  }

  /** The next message. */
  async take(): Promise<ServerMessage> {
    for (;;) {
      const message = this.messages.shift()
      if (message !== undefined) return message
      if (this.#isClosed) throw new Error('the connection has ended')
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  /** Resolves when a reply with this xid has come, whatever else has, or the connection has ended. */
  async answered(xid: number): Promise<void> {
    while (!this.#isClosed && !this.#xids.has(xid)) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Ends the connection; the session stays. */
  async drop(): Promise<void> {
    this.socket.destroy()
    await this.closed
  }

  #receive(frame: Uint8Array): void {
    const xid = frame.length < 4 ? 0 : new DataView(frame.buffer, frame.byteOffset).getInt32(0)
    this.#xids.add(xid)
    try {
      this.messages.push(this.#wire.decode(frame))
    } catch {
      // An answer to something that this client never sent as a request, or cannot tell from another one.
      this.violations += 1
    }
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }
}

/** Everything that is answered to these bytes until the connection ends. */
export async function answerTo(port: number, bytes: string | Uint8Array): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => undefined)
  socket.write(bytes)
  await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(chunks).toString()
}
