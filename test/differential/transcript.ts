/**
 * Runs a program on a server and writes down what the server says.
 *
 * Order     within a connection exactly as received; between connections by the steps: after each, every connection
 *           is asked with a ping, so that its events of that step are there.
 * Masks     those of replies.ts; and where a session is closed, the order of the events, which in the reference is
 *           that of a hash table. Deliberate difference "close-order".
 */
import { Connection } from './connection.ts'
import type { Received } from './connection.ts'
import type { Program, Request, Resume, Step } from './program.ts'
import { Masks, describeEvent, describeReply, readWelcome } from './replies.ts'
import { describeRequest, encodeHello, encodeRequest } from './requests.ts'
import type { Janitor } from './janitor.ts'

/** The lines of one step. */
export interface Entry {
  /** The step, for the reader. */
  readonly step: string
  /** The answers and the events: these are compared. */
  readonly lines: readonly string[]
}

const EVENT_XID = -1
const UNIMPLEMENTED = -6
const AUTH_FAILED = -115
const PING: Request = { xid: -2, operation: { name: 'ping' }, damage: null }
const CLOSE: Request = { xid: 0x7ffffff0, operation: { name: 'closeSession' }, damage: null }
/** A zxid that no server of a test comes to. */
const FAR_ZXID = 0x7fff_ffff_ffff_ffffn

/** After an unknown operation and a failed authentication the reference ends the connection, a moment later. */
function endsConnection({ operation }: Request, err: number): boolean {
  return (operation.name === 'raw' && err === UNIMPLEMENTED) || (operation.name === 'auth' && err === AUTH_FAILED)
}

interface Slot {
  connection: Connection | null
  sessionId: bigint
  password: Uint8Array
  timeoutMs: number
  isClosed: boolean
}

/** Runs a program on the server behind a janitor, who cleans up after it. */
export async function transcriptOf(program: Program, janitor: Janitor): Promise<Entry[]> {
  const run = new Run(janitor.port)
  const entries: Entry[] = []
  run.masks.setBase(await janitor.makeRoot(program.root))
  try {
    for (const step of program.steps) {
      const entry = await run.take(step)
      entries.push(entry)
      if (entry.lines.some((line) => line.endsWith('silence'))) break
    }
  } finally {
    await run.close()
    await janitor.cleanUp(program.root)
  }
  return entries
}

/** A program on a server, step by step. */
export class Run {
  readonly masks = new Masks()
  readonly #port: number
  readonly #slots = new Map<number, Slot>()
  #lastZxid = 0n

  constructor(port: number) {
    this.#port = port
  }

  async take(step: Step): Promise<Entry> {
    switch (step.kind) {
      case 'burst': {
        const lines = await this.#burst(step.slot, step.requests)
        const isClose = step.requests.some(({ operation }) => operation.name === 'closeSession')
        lines.push(...(await this.#events(isClose)))
        return { step: `${step.slot}: ${step.requests.map(describeRequest).join('\n     ')}`, lines }
      }
      case 'connect': {
        const lines = await this.#connect(step.slot, step.timeoutMs, step.isOldClient)
        return { step: `${step.slot}: connect, timeout ${step.timeoutMs}`, lines }
      }
      case 'resume': {
        const lines = await this.#resume(step.slot, step.how)
        lines.push(...(await this.#events(false)))
        return { step: `${step.slot}: resume ${step.how}`, lines }
      }
      case 'noise': {
        const slot = this.#slots.get(step.slot)
        const lines = await this.#noise(slot?.connection ?? null, step.bytes)
        if (slot !== undefined) slot.connection = null
        return { step: `${step.slot}: noise ${Buffer.from(step.bytes).toString('hex')}`, lines }
      }
      case 'stranger': {
        const connection = new Connection(this.#port)
        const lines = await this.#noise(connection, step.bytes)
        connection.destroy()
        return { step: `a stranger says ${Buffer.from(step.bytes).toString('hex')}`, lines }
      }
    }
  }

  /** The server restarted, with these zxids before and after: connections are gone, and sessions are not. */
  restarted(lastZxid: bigint, firstZxid: bigint): void {
    this.masks.restarted(lastZxid, firstZxid)
    for (const slot of this.#slots.values()) {
      slot.connection?.destroy()
      slot.connection = null
    }
  }

  /** Resumes every session, as after a disconnect. */
  async comeBack(): Promise<Entry[]> {
    const entries: Entry[] = []
    for (const [slot, { isClosed }] of this.#slots) {
      if (!isClosed) entries.push(await this.take({ kind: 'resume', slot, how: 'after a disconnect' }))
    }
    return entries
  }

  /** Ends every session, so that nothing of this run happens in a later one. */
  async close(): Promise<void> {
    for (const index of this.#slots.keys()) await this.#end(index)
  }

  async #end(index: number): Promise<void> {
    const slot = this.#slots.get(index)
    if (slot === undefined || slot.isClosed) return
    if (slot.connection === null) await this.#resume(index, 'after a disconnect')
    await this.#burst(index, [CLOSE])
    slot.connection?.destroy()
  }

  async #burst(index: number, requests: readonly Request[]): Promise<string[]> {
    const slot = this.#slots.get(index)
    const connection = slot?.connection ?? null
    if (slot === undefined || connection === null) return ['not connected']
    const zxidsBefore = (zxidsBack: number): bigint => this.masks.zxidsBefore(this.#lastZxid, zxidsBack)
    connection.send(Buffer.concat(requests.map((request) => encodeRequest(request, zxidsBefore))))
    const lines: string[] = []
    for (const request of requests) {
      const isClose = request.operation.name === 'closeSession'
      const events: string[] = []
      const received = await this.#receive(connection, events)
      // Deliberate difference "closing-session": it is not told of the end of its own ephemeral nodes.
      if (!isClose) lines.push(...events)
      if (typeof received === 'string') {
        slot.connection = null
        return [...lines, received]
      }
      const { words, zxid, err } = describeReply(received, request.operation, this.masks)
      lines.push(words)
      if (zxid > this.#lastZxid) this.#lastZxid = zxid
      if (isClose || endsConnection(request, err)) {
        lines.push(await this.#untilClosed(connection))
        slot.connection = null
        if (isClose) slot.isClosed = true
      }
    }
    return lines
  }

  /** The next frame that is no event; events before it become lines. */
  async #receive(connection: Connection, lines: string[]): Promise<Received> {
    for (;;) {
      const received = await connection.receive()
      if (typeof received === 'string') return received
      if (received.readInt32BE(0) !== EVENT_XID) return received
      lines.push(describeEvent(received, this.masks))
    }
  }

  /** The events of every connection since it was last asked. */
  async #events(isUnordered: boolean): Promise<string[]> {
    const found = [...this.#slots].map(async ([index, slot]) => {
      const { connection } = slot
      if (connection === null) return []
      connection.send(encodeRequest(PING))
      const lines: string[] = []
      const received = await this.#receive(connection, lines)
      if (typeof received === 'string') {
        lines.push(received)
        slot.connection = null
      }
      if (isUnordered) lines.sort()
      return lines.map((line) => `${index}: ${line}`)
    })
    return (await Promise.all(found)).flat()
  }

  async #connect(index: number, timeoutMs: number, isOldClient: boolean): Promise<string[]> {
    // In a program that has been shrunk the slot's session may not be closed.
    await this.#end(index)
    const connection = new Connection(this.#port)
    connection.send(
      encodeHello({ lastZxid: 0n, timeoutMs, sessionId: 0n, password: Buffer.alloc(16), isOldClient }),
    )
    const received = await connection.receive()
    if (typeof received === 'string') return [received]
    const { words, sessionId, password } = readWelcome(received, this.masks)
    this.#slots.set(index, { connection, sessionId, password, timeoutMs, isClosed: false })
    return [words]
  }

  async #resume(index: number, how: Resume): Promise<string[]> {
    const slot = this.#slots.get(index)
    if (slot === undefined) return ['no session']
    const { sessionId, timeoutMs } = slot
    const old = slot.connection
    // ZooKeeper 3.8 forgets the connection of a session that comes back while it still ends the one before.
    if (how === 'after a disconnect' || how === 'with a wrong password') await old?.hangUp()
    const isWrong = how === 'with a wrong password'
    const password = isWrong ? Buffer.from(slot.password).map((byte) => byte ^ 1) : slot.password
    const lastZxid = how === 'from the future' ? FAR_ZXID : this.#lastZxid
    const connection = new Connection(this.#port)
    connection.send(encodeHello({ lastZxid, timeoutMs, sessionId, password, isOldClient: false }))
    const received = await connection.receive()
    if (typeof received === 'string') {
      connection.destroy()
      return [received]
    }
    const welcome = readWelcome(received, this.masks)
    const lines = [welcome.words]
    const isRefused = welcome.sessionId === 0n
    if (isRefused) lines.push(await this.#untilClosed(connection))
    if (isRefused && !isWrong) slot.isClosed = true
    slot.connection = isRefused ? null : connection
    if (old !== null && how === 'while connected') lines.push(`old connection ${await this.#untilClosed(old)}`)
    return lines
  }

  async #noise(connection: Connection | null, bytes: Uint8Array): Promise<string[]> {
    if (connection === null) return ['not connected']
    connection.send(bytes)
    return [await this.#untilClosed(connection)]
  }

  /** The end of a connection that the server closes: events before it need not come any more, and are not compared. */
  async #untilClosed(connection: Connection): Promise<string> {
    for (;;) {
      const received = await connection.receive()
      if (typeof received === 'string') return received
      if (received.readInt32BE(0) !== EVENT_XID) return `unexpected ${received.toString('hex')}`
    }
  }
}
