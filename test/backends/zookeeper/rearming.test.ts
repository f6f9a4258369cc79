/**
 * Watches of a session that had to change its connection, where they are too many for one message: real servers and
 * ours. The transport here lets a test decide when each message leaves.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { Channel, Dialer } from '../../../src/backends/client/channel.ts'
import { Xid } from '../../../src/backends/wire/codes.ts'
import type { ClientMessage, ServerMessage } from '../../../src/backends/wire/records.ts'
import { ZooKeeperBackend } from '../../../src/backends/zookeeper/backend.ts'
import { destinationOf } from '../../../src/backends/zookeeper/connection-string.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { settingsOf } from '../../../src/backends/zookeeper/options.ts'
import type { Session, WatchEvent } from '../../../src/core/backend.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../engines/zookeeper.ts'

const DATA = Uint8Array.of(7)
const PERSISTENT = { mode: 'persistent' } as const
/** Together more than one message of watches may have. */
const LONG_PATHS = Array.from({ length: 40 }, (_, index) => `/${'x'.repeat(4_000)}${index}`)

const skipped = reasonToSkipZooKeeper()
const endings: (() => Promise<unknown>)[] = []
let folders = 0

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

/** A transport that keeps what is sent, from the first setWatches on, until a test lets it go. */
class Gate implements Dialer {
  readonly #dialer: Dialer
  readonly #waits: { readonly isTold: () => boolean; readonly resolve: () => void }[] = []
  readonly arrived: ServerMessage[] = []
  #channel: Channel | null = null
  #kept: ClientMessage[] | null = null

  constructor(dialer: Dialer) {
    this.#dialer = dialer
  }

  get serverCount(): number {
    return this.#dialer.serverCount
  }

  dial(listener: Parameters<Dialer['dial']>[0]): Channel {
    this.#kept = null
    const channel = this.#dialer.dial({
      onMessage: (message) => {
        this.arrived.push(message)
        listener.onMessage(message)
        for (const { isTold, resolve } of this.#waits) if (isTold()) resolve()
      },
      onClose: (reason) => listener.onClose(reason),
    })
    this.#channel = channel
    const send: Channel['send'] = (message) => {
      if (isRearming(message)) this.#kept ??= []
      if (this.#kept === null) channel.send(message)
      else this.#kept.push(message)
      for (const { isTold, resolve } of this.#waits) if (isTold()) resolve()
    }
    return { server: channel.server, send, close: () => channel.close() }
  }

  cut(): void {
    this.#channel?.close()
  }

  /** How many messages of watches wait. */
  get keptCount(): number {
    return (this.#kept ?? []).filter(isRearming).length
  }

  /** Lets the first messages go. */
  release(count = Infinity): void {
    for (const message of this.#kept?.splice(0, count) ?? []) this.#channel?.send(message)
    if (count === Infinity) this.#kept = null
  }

  /** Resolves when something holds of what was sent, or has arrived. */
  until(isTold: () => boolean): Promise<void> {
    if (isTold()) return Promise.resolve()
    return new Promise((resolve) => this.#waits.push({ isTold, resolve }))
  }
}

function isRearming(message: ClientMessage): boolean {
  return message.kind === 'request' && message.request.xid === Xid.setWatches
}

async function open(address: string): Promise<{ readonly session: Session; readonly gate: Gate }> {
  const gates: Gate[] = []
  const around = (dialer: Dialer): Dialer => {
    const gate = new Gate(dialer)
    gates.push(gate)
    return gate
  }
  const backend = new ZooKeeperBackend(destinationOf(address), settingsOf({ sessionTimeoutMs: 20_000 }), around)
  const session = await backend.open({ onError: () => undefined })
  endings.push(() => session.close())
  const [gate] = gates
  if (gate === undefined) throw new Error('the backend asks for a dialer')
  return { session, gate }
}

function whatEveryServerKeeps(address: () => string): void {
  it('what was missed is told before what changes while they are armed again, and before any answer', async () => {
    const { session, gate } = await open(address())
    const other = await zookeeper(address()).open({ onError: () => undefined })
    endings.push(() => other.close())
    folders += 1
    const [first, last] = [`/first-${folders}`, `/last-${folders}`]
    for (const path of [first, last]) await other.create(path, DATA, PERSISTENT)
    const heard: string[] = []
    const watch = ({ type, path }: WatchEvent): void => {
      heard.push(`${type} ${path}`)
      void session.get(first).then(({ stat }) => heard.push(`read ${stat.version}`))
    }
    await session.get(first, watch)
    for (const path of LONG_PATHS) expect(await session.exists(path, watch)).toBeNull()
    await session.children(last, watch)

    gate.cut()
    await gate.until(() => gate.keptCount === 2)
    const read = session.get(first).then(({ stat }) => heard.push(`early read ${stat.version}`))
    await other.create(`${last}/child`, DATA, PERSISTENT)
    gate.arrived.length = 0
    gate.release(1)
    await gate.until(() => gate.arrived.some((message) => {
      return message.kind === 'reply' && message.reply.xid === Xid.setWatches
    }))
    await other.set(first, DATA, -1)
    await gate.until(() => gate.arrived.some(({ kind }) => kind === 'event'))
    gate.release()
    await read
    await session.sync('/')
    expect(heard).toEqual([`children ${last}`, `changed ${first}`, 'early read 1', 'read 1', 'read 1'])
  })
}

describe('where watches are armed again in several messages', () => {
  describe('by our servers', () => {
    const ensemble = embedded({ servers: 1, clientPorts: [0], maxClientCnxns: 0 })
    beforeAll(() => ensemble.start())
    afterAll(() => ensemble.close())
    whatEveryServerKeeps(() => `127.0.0.1:${ensemble.clientPorts[0] ?? 0}`)
  })

  describe.skipIf(skipped !== null)(`by ZooKeeper ${skipped ?? ''}`, () => {
    let engine: Awaited<ReturnType<typeof startZooKeeper>>
    beforeAll(async () => {
      engine = await startZooKeeper()
    })
    afterAll(() => engine.stop())
    whatEveryServerKeeps(() => engine.connectString)
  })
})
