/**
 * A world that is told line by line, so that checks can be told of one that is wrong: three voting servers with the
 * disks and states that a script gives them, and clients that send and hear what it says.
 */
import { expect } from 'vitest'
import type {
  Backend,
  Children,
  Created,
  NodeData,
  OperationResult,
  Session,
  SessionState,
  Stat,
  WatchEvent,
  Watcher,
} from '../../src/core/backend.ts'
import { MemoryStorage } from '../../src/backends/embedded/host/storage/memory.ts'
import type { ServerStatus } from '../../src/backends/embedded/server/ready.ts'
import { State } from '../../src/backends/embedded/server/state/state.ts'
import { OpCode } from '../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../src/backends/wire/records.ts'
import type { Reply, Request } from '../../src/backends/wire/records.ts'
import { decodeTransaction, encodeTransaction } from '../../src/backends/wire/transactions.ts'
import type { TxnBody } from '../../src/backends/wire/transactions.ts'
import type { Check } from '../../sim/check.ts'
import type { CheckedServer, CheckedWorld } from '../../sim/checked-world.ts'
import type { DiskOperation } from '../../src/testing/simulation/disk.ts'
import { SimNode } from '../../src/testing/simulation/sim-node.ts'
import { Ledger } from '../../sim/ledger.ts'
import type { NetworkTap } from '../../src/testing/simulation/network-tap.ts'
import { SeededRandom } from '../../src/testing/simulation/random.ts'
import { Tap } from '../../sim/tap.ts'
import type { WorldEvent } from '../../src/testing/simulation/world.ts'

/** The session that is opened first, by its first transaction. */
export const SESSION = 0x500n
/** Its time-out in milliseconds. */
export const TIMEOUT_MS = 2_000

/** A zxid. */
export function at(epoch: number, counter: number): bigint {
  return (BigInt(epoch) << 32n) | BigInt(counter)
}

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

const STATUS: ServerStatus = {
  myid: 0,
  role: 'FOLLOWING',
  leader: 1,
  serving: true,
  readOnly: false,
  epoch: 1,
  zxid: 0n,
  loggedZxid: 0n,
  sessions: 0,
  localSessions: 0,
  connections: 0,
  watches: 0,
  nodes: 4,
}

class ScriptedServer implements CheckedServer {
  readonly id: number
  readonly node: SimNode
  readonly storage = new MemoryStorage()
  readonly disk: CheckedServer['disk']
  state = new State()
  status: ServerStatus
  life: { status(): ServerStatus; snapshot(): Uint8Array }

  constructor(id: number) {
    this.id = id
    this.node = new SimNode(`s${id}`, new SeededRandom(id), 0)
    const { storage } = this
    this.disk = {
      observer: null,
      get contents() {
        return storage.contents
      },
    }
    this.status = { ...STATUS, myid: id }
    this.life = this.#newLife()
  }

  host(): { status(): ServerStatus; snapshot(): Uint8Array } {
    return this.life
  }

  #newLife(): ScriptedServer['life'] {
    return { status: () => this.status, snapshot: () => this.state.snapshot() }
  }
}

/** The fields of a transaction apart from its body. */
interface Asked {
  readonly session?: bigint
  readonly cxid?: number
  readonly time?: number
}

/** A world and what checks need of it. */
export class ScriptedWorld implements CheckedWorld {
  readonly servers = [1, 2, 3].map((id) => new ScriptedServer(id))
  readonly events: WorldEvent[] = []
  readonly watchers: ((event: WorldEvent) => void)[] = []
  readonly options: CheckedWorld['options']
  readonly network: { tap: NetworkTap | null } = { tap: null }
  readonly kernel = {
    nowMs: 0,
    latest: null as SimNode | null,
    fail: (error: unknown): never => {
      throw error
    },
  }
  wrapBackend: (backend: Backend, node: SimNode) => Backend = (backend) => backend
  readonly tap: Tap
  readonly ledger: Ledger
  readonly client = new SimNode('c1', new SeededRandom(9), 0)
  #check: Check | null = null

  constructor(server: NonNullable<CheckedWorld['options']['server']> = {}) {
    this.options = { server: { tickMs: 50, ...server } }
    this.tap = new Tap(this)
    this.ledger = new Ledger(this)
  }

  get voters(): readonly ScriptedServer[] {
    return this.servers
  }

  /** A world with a check, in which the session is open and `/a` is there with the data `1`. */
  static with<C extends Check>(make: (world: ScriptedWorld) => C): { world: ScriptedWorld; check: C } {
    const world = new ScriptedWorld()
    const check = make(world)
    world.#check = check
    for (const id of [1, 2, 3]) world.persist(id, { type: 'epochs', acceptedEpoch: 1, currentEpoch: 1, votes: true })
    world.commit(at(1, 1), { type: OpCode.createSession, body: { timeOut: TIMEOUT_MS, passwd: null } })
    world.commit(at(1, 2), create('/a', '1', 1))
    return { world, check }
  }

  server(id: number): ScriptedServer {
    const server = this.servers[id - 1]
    if (server === undefined) throw new RangeError(`no server ${id}`)
    return server
  }

  /** Something is durable on a disk. */
  persist(id: number, operation: DiskOperation): void {
    const server = this.server(id)
    if (operation.type === 'snapshot') store(server.storage, operation)
    else server.storage.persist([operation])
    server.disk.observer?.persisted(operation)
  }

  /** A transaction is durable on some disks. */
  log(zxid: bigint, txn: TxnBody, on: readonly number[], asked: Asked = {}): Uint8Array {
    const encoded = this.encode(zxid, txn, asked)
    for (const id of on) this.persist(id, { type: 'append', entries: [{ zxid, txn: encoded }] })
    return encoded
  }

  /** A transaction is durable everywhere and applied by some servers. */
  commit(zxid: bigint, txn: TxnBody, asked: Asked & { readonly by?: readonly number[] } = {}): void {
    const encoded = this.log(zxid, txn, [1, 2, 3], asked)
    for (const id of asked.by ?? [1, 2, 3]) {
      this.server(id).state.apply(decodeTransaction(encoded))
      this.apply(id, zxid)
    }
  }

  /** A server says that it has applied everything up to here. */
  apply(id: number, zxid: bigint, serving = true): void {
    const server = this.server(id)
    const { lastZxid } = this.ledger.mirror(id)
    server.status = { ...server.status, zxid, loggedZxid: zxid > lastZxid ? zxid : lastZxid, serving }
    this.look(server.node)
  }

  /** Something happens in the life of a server. */
  happen(server: number, event: WorldEvent['event']): void {
    this.events.push({ atMs: this.kernel.nowMs, server, event })
    this.look(this.server(server).node)
  }

  /** An event of a node has run. */
  look(node: SimNode | null): void {
    this.kernel.latest = node
    this.ledger.afterEvent()
    this.#check?.afterEvent?.()
  }

  encode(zxid: bigint, txn: TxnBody, { session = SESSION, cxid = 0, time = 1_000 }: Asked = {}): Uint8Array {
    return encodeTransaction({ header: { clientId: session, cxid, zxid, time, type: txn.type }, txn })
  }

  /** A client has a connection that its session is on. */
  connect(connection: number, server = 1, sessionId = SESSION): void {
    this.tap.opened(connection, this.client, server)
    const response = { protocolVersion: 0, timeOut: TIMEOUT_MS, sessionId, passwd: null, readOnly: false }
    this.tap.clientReceived(connection, { kind: 'connect', response })
  }

  send(connection: number, request: Request): void {
    this.tap.clientSent(connection, { kind: 'request', request })
  }

  reply(connection: number, xid: number, zxid: bigint, answer: { err?: number; body?: Reply['body'] } = {}): void {
    const { err = 0, body = null } = answer
    this.tap.clientReceived(connection, { kind: 'reply', op: OpCode.setData, reply: { xid, zxid, err, body } })
  }

  notify(connection: number, zxid: bigint, type: number, path: string): void {
    this.tap.clientReceived(connection, { kind: 'event', zxid, event: { type, state: 3, path } })
  }

  /** A set by the session that goes well: asked for, committed, answered. */
  set(connection: number, xid: number, zxid: bigint, version: number): void {
    this.send(connection, { xid, op: OpCode.setData, body: { path: '/a', data: bytes(`${xid}`), version: -1 } })
    this.commit(zxid, set('/a', `${xid}`, version), { cxid: xid })
    this.reply(connection, xid, zxid, { body: { stat: statAt(this, '/a', zxid) } })
  }

  /** The reply to a getData, as it should be at a zxid. */
  replyGet(connection: number, xid: number, zxid: bigint, path = '/a'): void {
    const node = this.ledger.model.node(path, zxid)
    const body = node === null ? null : { data: node.data, stat: statAt(this, path, zxid) }
    this.reply(connection, xid, zxid, node === null ? { err: -101 } : { body })
  }
}

/** A node's stat, which must be there. */
export function statAt(world: ScriptedWorld, path: string, zxid: bigint): Stat {
  const stat = world.ledger.model.stat(path, zxid)
  if (stat === null) throw new Error(`no ${path}`)
  return stat
}

export function create(path: string, data: string, parentCVersion: number, ephemeral = false): TxnBody {
  return { type: OpCode.create2, body: { path, data: bytes(data), acl: OPEN_ACL, ephemeral, parentCVersion } }
}

export function set(path: string, data: string, version: number): TxnBody {
  return { type: OpCode.setData, body: { path, data: bytes(data), version } }
}

export function remove(path: string): TxnBody {
  return { type: OpCode.delete, body: { path } }
}

export function get(xid: number, path: string, watch = false): Request {
  return { xid, op: OpCode.getData, body: { path, watch } }
}

/** A session whose calls are sent on connection 1 at once, and end when the script says so. */
export class ScriptedSession implements Session {
  readonly id = SESSION
  readonly timeoutMs = TIMEOUT_MS
  state: SessionState = { status: 'connected' }
  leaseDeadlineMs = 0
  readonly #world: ScriptedWorld
  readonly #watchers: Watcher[] = []
  readonly #ends: { resolve: (value: never) => void; reject: (error: unknown) => void }[] = []
  #xid = 0

  constructor(world: ScriptedWorld) {
    this.#world = world
  }

  onState(): () => void {
    return () => undefined
  }

  create(path: string, data: Uint8Array): Promise<Created> {
    return this.#call({ op: OpCode.create2, body: { path, data, acl: OPEN_ACL, flags: 0 } })
  }

  get(path: string, watch?: Watcher): Promise<NodeData> {
    return this.#call({ op: OpCode.getData, body: { path, watch: watch !== undefined } }, watch)
  }

  exists(path: string, watch?: Watcher): Promise<Stat | null> {
    return this.#call({ op: OpCode.exists, body: { path, watch: watch !== undefined } }, watch)
  }

  children(path: string, watch?: Watcher): Promise<Children> {
    return this.#call({ op: OpCode.getChildren2, body: { path, watch: watch !== undefined } }, watch)
  }

  set(path: string, data: Uint8Array, version: number): Promise<Stat> {
    return this.#call({ op: OpCode.setData, body: { path, data, version } })
  }

  delete(path: string, version: number): Promise<void> {
    return this.#call({ op: OpCode.delete, body: { path, version } })
  }

  multi(): Promise<OperationResult[]> {
    return this.#call({ op: OpCode.multi, body: [] })
  }

  sync(path: string): Promise<void> {
    return this.#call({ op: OpCode.sync, body: { path } })
  }

  unwatch(): void {
    // The script says what is called.
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** Ends the oldest call that has not ended, and lets everybody hear of it. */
  async settle(value: unknown): Promise<void> {
    this.#ends.shift()?.resolve(value as never)
    await Promise.resolve()
    await Promise.resolve()
  }

  async fail(error: unknown): Promise<void> {
    this.#ends.shift()?.reject(error)
    await Promise.resolve()
    await Promise.resolve()
  }

  /** Calls the watch that was given last. */
  fire(event: WatchEvent): void {
    this.#watchers.at(-1)?.(event)
  }

  #call<T>(asked: Record<'op' | 'body', unknown>, watch?: Watcher): Promise<T> {
    this.#xid += 1
    if (watch !== undefined) this.#watchers.push(watch)
    this.#world.send(1, { xid: this.#xid, ...asked } as Request)
    return new Promise<T>((resolve, reject) => {
      this.#ends.push({ resolve, reject })
    })
  }
}

/** Opens a recorded session over a scripted one, on connection 1. */
export async function openSession(world: ScriptedWorld): Promise<{ session: Session; scripted: ScriptedSession }> {
  const scripted = new ScriptedSession(world)
  world.connect(1)
  const backend: Backend = {
    name: 'scripted',
    capabilities: {
      durability: 'disk',
      linearizableSync: true,
      comparesCreations: true,
      containers: true,
      ttlGranularityMs: 1,
      acl: false,
      dataBytesMax: 1_000,
    },
    open: () => Promise.resolve(scripted),
  }
  return { session: await world.tap.backend(backend, world.client).open({ onError: () => undefined }), scripted }
}

/** A step that a check has to refuse; one that says nothing, or something else, is a hole. */
export function refuses(pattern: RegExp, step: () => void): void {
  expect(step).toThrow(pattern)
}

function store(storage: MemoryStorage, { zxid, chunks }: Extract<DiskOperation, { type: 'snapshot' }>): void {
  const sink = storage.createSnapshot(zxid)
  for (const chunk of chunks) void sink.write(chunk)
  void sink.commit()
}
