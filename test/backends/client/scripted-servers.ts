/** Servers that do what a test tells them: each connection keeps what it was sent, and says what it is given. */
import type { Channel, ChannelListener, Dialer } from '../../../src/backends/client/channel.ts'
import { OpCode, SYNC_CONNECTED, Xid } from '../../../src/backends/wire/codes.ts'
import type { ClientMessage, ConnectRequest, Reply } from '../../../src/backends/wire/records.ts'
import type { Request, StatRecord } from '../../../src/backends/wire/records.ts'

export const STAT: StatRecord = {
  czxid: 1n,
  mzxid: 2n,
  ctime: 3,
  mtime: 4,
  version: 5,
  cversion: 6,
  aversion: 7,
  ephemeralOwner: 0n,
  dataLength: 8,
  numChildren: 9,
  pzxid: 10n,
}

/** One connection, seen from the server. */
export class ScriptedChannel implements Channel {
  readonly server: string
  readonly sent: ClientMessage[] = []
  readonly #listener: ChannelListener
  isClosed = false
  zxid = 100n
  #answeredCount = 0

  constructor(server: string, listener: ChannelListener) {
    this.server = server
    this.#listener = listener
  }

  send(message: ClientMessage): void {
    if (!this.isClosed) this.sent.push(message)
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    queueMicrotask(() => {
      this.#listener.onClose()
    })
  }

  /** The server hangs up. */
  hangUp(): void {
    this.isClosed = true
    this.#listener.onClose()
  }

  get connectRequest(): ConnectRequest {
    const first = this.sent[0]
    if (first?.kind !== 'connect') throw new Error('the first message was no connect request')
    return first.request
  }

  /** Every request but pings. */
  get requests(): Request[] {
    return this.#all.filter((request) => request.xid !== Xid.ping)
  }

  get pings(): Request[] {
    return this.#all.filter((request) => request.xid === Xid.ping)
  }

  get ops(): number[] {
    return this.requests.map((request) => request.op)
  }

  get #all(): Request[] {
    return this.sent.flatMap((message) => (message.kind === 'request' ? [message.request] : []))
  }

  accept(sessionId = 7n, timeOut = 3000): void {
    const passwd = new Uint8Array(16).fill(9)
    this.#listener.onMessage({
      kind: 'connect',
      response: { protocolVersion: 0, timeOut, sessionId, passwd, readOnly: false },
    })
  }

  refuse(): void {
    this.accept(0n, 0)
  }

  /** Answers the oldest request of an application that has no answer. */
  reply(body: Reply['body'], { err = 0, zxid = this.zxid }: { err?: number; zxid?: bigint } = {}): void {
    const request = this.requests.filter(({ xid }) => xid > 0)[this.#answeredCount]
    if (request === undefined) throw new Error('no request to answer')
    this.#answeredCount += 1
    this.replyTo(request.xid, body, { err, zxid })
  }

  replyTo(xid: number, body: Reply['body'], { err = 0, zxid = this.zxid }: { err?: number; zxid?: bigint } = {}): void {
    const op = this.#all.find((request) => request.xid === xid)?.op ?? OpCode.ping
    this.#listener.onMessage({ kind: 'reply', op, reply: { xid, zxid, err, body } })
  }

  pong(): void {
    this.replyTo(Xid.ping, null)
  }

  event(type: number, path: string, zxid = this.zxid): void {
    this.#listener.onMessage({ kind: 'event', zxid, event: { type, state: SYNC_CONNECTED, path } })
  }
}

/** A dialer whose servers are scripted; `onDial` may answer at once, in the turn after the dial. */
export class ScriptedDialer implements Dialer {
  readonly channels: ScriptedChannel[] = []
  readonly serverCount: number
  onDial: ((channel: ScriptedChannel) => void) | undefined

  constructor(serverCount = 3) {
    this.serverCount = serverCount
  }

  dial(listener: ChannelListener): Channel {
    const channel = new ScriptedChannel(`server-${(this.channels.length % this.serverCount) + 1}`, listener)
    this.channels.push(channel)
    queueMicrotask(() => this.onDial?.(channel))
    return channel
  }

  get last(): ScriptedChannel {
    const channel = this.channels.at(-1)
    if (channel === undefined) throw new Error('nothing was dialled')
    return channel
  }
}

