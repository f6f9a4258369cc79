/** The same client for every server of ZooKeeper's protocol: requests pipelined on one connection, and no more. */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { OpCode } from '../src/backends/wire/codes.ts'
import { FrameReader } from '../src/backends/wire/framing.ts'
import { Writer } from '../src/backends/wire/jute.ts'
import type { Reply, Request, RequestBodies, ServerMessage } from '../src/backends/wire/records.ts'
import { ClientWire } from '../src/backends/wire/wire.ts'

const SESSION_TIMEOUT_MS = 60_000
const PASSWORD_BYTES = 16
const REPLY_BYTES_MAX = 0x1000_0000

/** One session. */
export class WireClient {
  /** Called for each watch event. */
  onEvent: () => void = () => undefined
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>
  readonly #socket: Socket
  readonly #wire = new ClientWire()
  readonly #frames = new FrameReader(REPLY_BYTES_MAX)
  readonly #unsent = new Writer()
  #waiting: ((reply: Reply) => void)[] = []
  #answered = 0
  #onGreeting: () => void = () => undefined
  #lastXid = 0
  #isFlushing = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    socket.on('data', (chunk: Buffer) => {
      this.#frames.push(chunk, (frame) => {
        this.#receive(this.#wire.decode(frame))
      })
    })
  }

  /**
   * Connects and opens a session.
   *
   * @param silenceMsMax - ends the connection after so long without a word of the server; 0 for any length
   */
  static async open(port: number, silenceMsMax = 0): Promise<WireClient> {
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(silenceMsMax, () => socket.destroy())
    const client = new WireClient(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.once('close', () => {
        reject(new Error('the server has closed the connection'))
      })
      client.#onGreeting = resolve
      const passwd = new Uint8Array(PASSWORD_BYTES)
      const session = { timeOut: SESSION_TIMEOUT_MS, sessionId: 0n, passwd }
      const request = { protocolVersion: 0, lastZxidSeen: 0n, ...session, readOnly: false }
      client.#wire.write(client.#unsent, { kind: 'connect', request })
      client.#flush()
    })
    socket.on('error', () => undefined)
    return client
  }

  /** Sends a request: at once if no other is in flight, otherwise with the others of this turn. */
  ask<O extends keyof RequestBodies>(op: O, body: RequestBodies[O]): Promise<Reply> {
    this.#lastXid += 1
    const request = { xid: this.#lastXid, op, body } as Request
    this.#wire.write(this.#unsent, { kind: 'request', request })
    if (this.#waiting.length === 0) this.#flush()
    else if (!this.#isFlushing) {
      this.#isFlushing = true
      setImmediate(() => {
        this.#flush()
      })
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Ends the session. */
  async close(): Promise<void> {
    await this.ask(OpCode.closeSession, null)
    this.#socket.destroy()
  }

  /** Drops the connection. */
  drop(): void {
    this.#socket.destroy()
  }

  #flush(): void {
    this.#isFlushing = false
    this.#socket.write(this.#unsent.finish())
    this.#unsent.truncate(0)
  }

  #receive(message: ServerMessage): void {
    if (message.kind === 'event') this.onEvent()
    else if (message.kind === 'connect') this.#onGreeting()
    else {
      this.#waiting[this.#answered]?.(message.reply)
      this.#answered += 1
      if (this.#answered === this.#waiting.length) {
        this.#waiting = []
        this.#answered = 0
      }
    }
  }
}
