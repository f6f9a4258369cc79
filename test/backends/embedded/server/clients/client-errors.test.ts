import { describe, expect, it } from 'vitest'
import { Err, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import type { ClientMessage, Request, ServerMessage } from '../../../../../src/backends/wire/records.ts'
import { sha1 } from '../../../../../src/backends/embedded/host/digest.ts'
import { MemoryStorage } from '../../../../../src/backends/embedded/host/storage/memory.ts'
import { SERVER_DEFAULTS } from '../../../../../src/backends/embedded/server/config.ts'
import type { ServerEvent } from '../../../../../src/backends/embedded/server/ready.ts'
import { Server } from '../../../../../src/backends/embedded/server/server.ts'
import { recoveredFrom } from '../recovered.ts'

const WALL_TIME_MS = 1_700_000_000_000

/** A server on its own that has what a host would have; its chance fails on demand. */
class Rig {
  readonly events: ServerEvent[] = []
  readonly closed: number[] = []
  isChanceBroken = false
  readonly #storage = new MemoryStorage()
  readonly #server: Server
  #received: { readonly connection: number; readonly message: ServerMessage }[] = []
  #lastXid = 0

  constructor() {
    const random = {
      u32: () => 7,
      bytes: (length: number) => {
        if (this.isChanceBroken) throw new RangeError('no chance')
        return new Uint8Array(length)
      },
    }
    const config = { ...SERVER_DEFAULTS, myid: 1, voters: [1], bootstrap: true }
    const recovered = recoveredFrom(this.#storage.contents)
    this.#server = new Server(config, recovered, { random, digest: sha1 }, WALL_TIME_MS)
    for (let tick = 0; tick < 10; tick++) {
      this.#server.tick()
      this.#drain()
    }
    expect(this.#server.status().serving).toBe(true)
  }

  get outstanding(): number {
    return this.#server.inspect().outstanding
  }

  connect(connection: number): ServerMessage[] {
    const passwd = new Uint8Array(16)
    const request = { protocolVersion: 0, lastZxidSeen: 0n, timeOut: 4000, sessionId: 0n, passwd, readOnly: false }
    return this.#receive(connection, { kind: 'connect', request })
  }

  ask(connection: number, op: Request['op'], body: unknown): ServerMessage[] {
    this.#lastXid += 1
    return this.#receive(connection, { kind: 'request', request: { xid: this.#lastXid, op, body } as Request })
  }

  #receive(connection: number, message: ClientMessage): ServerMessage[] {
    this.#received = []
    this.#server.receiveClient(connection, message)
    this.#drain()
    return this.#received.filter((received) => received.connection === connection).map(({ message: got }) => got)
  }

  #drain(): void {
    for (let ready = this.#server.ready(); ready !== null; ready = this.#server.ready()) {
      this.#storage.persist([...ready.persist])
      this.events.push(...ready.events)
      this.#received.push(...ready.replies)
      this.closed.push(...ready.close)
      this.#server.advance(ready)
    }
  }

  get errors(): unknown[] {
    return this.events.flatMap((event) => (event.type === 'client-failed' ? [event.error] : []))
  }
}

/** A value that no decoder gives: the code that meets it fails. */
const NO_LIST: unknown = null

describe('an error in what a server does for one client', () => {
  it('ends the connection of that client, is told, and does nothing to the others', () => {
    const rig = new Rig()
    rig.connect(1)
    rig.isChanceBroken = true
    expect(rig.connect(2)).toEqual([])
    rig.isChanceBroken = false
    expect(rig.closed).toEqual([2])
    expect(rig.errors).toEqual([new RangeError('no chance')])
    expect(rig.ask(1, OpCode.sync, { path: '/' })).toMatchObject([{ op: OpCode.sync, reply: { err: Err.ok } }])
  })

  it('in a decision on a write refuses that write, and leaves no trace of it', () => {
    const rig = new Rig()
    rig.connect(1)
    const made = { path: '/a', data: null, acl: OPEN_ACL, flags: 0 }
    const [first] = rig.ask(1, OpCode.create2, made)
    // The first part is decided by the time the second one fails.
    const parts = [
      { op: OpCode.create, body: { ...made, path: '/a/b' } },
      { op: OpCode.create, body: { ...made, path: '/a/c', acl: NO_LIST } },
    ]
    const [refused] = rig.ask(1, OpCode.multi, parts)
    expect(refused).toMatchObject({ op: OpCode.multi, reply: { err: Err.systemError, body: null } })
    expect(rig.errors).toHaveLength(1)
    expect(rig.closed).toEqual([])

    const again = rig.ask(1, OpCode.multi, [{ op: OpCode.create, body: { ...made, path: '/a/b' } }])
    expect(again).toMatchObject([{ reply: { err: Err.ok, body: [{ op: OpCode.create, path: '/a/b' }] } }])
    const zxid = first?.kind === 'reply' ? first.reply.zxid : 0n
    expect(again).toMatchObject([{ reply: { zxid: zxid + 2n } }])
    expect(rig.outstanding).toBe(0)
  })
})
