/**
 * Drives one server: collects the inputs of a turn of the event loop, persists once for all of them, sends, answers.
 *
 * Order     as server.ts asks: messages that may go at once, then the disk, then those that waited for it. While the
 *           disk is busy the server continues; the operations that gather meanwhile become one batch (group commit).
 * States    snapshots are stored, and states sent to learners, beside all that: a chunk per turn.
 * Turns     the first input of an iteration of the event loop is handled after the callback in which it came, the
 *           others together in the iteration's setImmediate: a single request waits for nothing, many share a turn and
 *           its commit, and timers and sockets get theirs however busy the server is: work that does not fit in a turn
 *           waits for the next one.
 * Fair      clients take turns by the time that they cost, and so do all of them with the other servers: see
 *           fair-inputs.ts. One whose message waits when a tick comes was heard of.
 * Time      a tick that comes late is one tick: a process that was stopped for a while finds that little time has
 *           passed, not that everybody is dead. Before it is counted, two turns pass, so that the data in the sockets
 *           is read first.
 * Failure   an error out of the machine or its storage ends this server (not the others), and is told to `onFailure`.
 *           One in the handling of a client, here or in there, ends that client's connection and is an event.
 */
import { STALL_MS, whenSocketsAreRead } from '../../../core/session/stall.ts'
import type { Notification } from '../../wire/packets.ts'
import type { ClientMessage, ServerMessage } from '../../wire/records.ts'
import type { ServerConfig } from '../server/config.ts'
import type { ServerInspection } from '../server/inspection.ts'
import type { ServerPorts } from '../server/ports.ts'
import { NO_IDENTITIES } from '../server/state/identities.ts'
import type { Identity } from '../server/state/identities.ts'
import type { Ready, ServerEvent, ServerStatus } from '../server/ready.ts'
import { Server } from '../server/server.ts'
import { needsMemory } from '../server/clients/request-kinds.ts'
import { partsOf } from './clients/request-parts.ts'
import { FairInputs } from './fair-inputs.ts'
import type { Pause } from './fair-inputs.ts'
import { HostTimes } from './host-times.ts'
import type { LatencySummary } from './latency.ts'
import type { MemoryGateOptions } from './memory-gate.ts'
import { Peers } from './peers/peers.ts'
import type { PeerConnection, PeerGate, PeerListener, PeerTransport } from './peers/transport.ts'
import { isDamage, recover } from './storage/recovery.ts'
import { SnapshotWriter } from './storage/snapshot-writer.ts'
import type { Storage } from './storage/storage.ts'
import { runTurn } from './turn-inputs.ts'
import { WriteBrake } from './write-brake.ts'

/** Something that a server's host has found out, and the server does not know. */
export type HostEvent =
  /**
   * A file of its storage is damaged: an older one is used, or the state of another server; or its last record, which
   * was never acknowledged, is torn and was cut off. The error names the file.
   */
  | { readonly type: 'damaged'; readonly error: unknown }
  /** There is no room on its disk: nothing that is written is acknowledged until there is. */
  | { readonly type: 'disk-full'; readonly error: unknown }
  /** There is room again, and what waited for it is durable. */
  | { readonly type: 'disk-has-room' }
  /** There was no room for a snapshot: the log is kept that it would have replaced. */
  | { readonly type: 'snapshot-skipped'; readonly error: unknown }

/** The ports of a host to the world outside, and the callbacks to its owner. */
export interface HostOptions extends ServerPorts {
  readonly config: ServerConfig
  readonly storage: Storage
  /** The way to the other servers. Its maker ends its connections when the host stops. */
  readonly transport: PeerTransport
  /** Most bytes that wait on one link to another server; one that has more is closed. */
  readonly peerQueueBytesMax?: number
  /** How it sees that memory runs out; it never does by default. */
  readonly memory?: MemoryGateOptions | undefined
  /** The end of its storage for this server: the rest was never committed, and is cut off. Null if all of it counts. */
  readonly rewindTo?: bigint | null | undefined
  onEvent(event: ServerEvent | HostEvent): void
  /** The server has ended by itself, and is to be opened again with {@link HostOptions.rewindTo}. */
  onRewind(zxid: bigint): void
  /** The server has ended by itself. */
  onFailure(error: unknown): void
}

/** A client's end of a connection. */
export interface ClientEnd {
  onMessage(message: ServerMessage): void
  /** The server closed the connection, or is gone. */
  onClose(): void
}

/** A client that has closed its connection, until what it sent before has been handled. */
const GONE: ClientEnd = Object.freeze({ onMessage: () => undefined, onClose: () => undefined })

/** One running server. */
export class Host implements PeerGate {
  readonly #options: HostOptions
  readonly #server: Server
  /** Measurements of its server's work. */
  readonly times = new HostTimes()
  readonly #snapshots: SnapshotWriter
  readonly #peers: Peers
  readonly #clients = new Map<number, ClientEnd>()
  #lastConnection = 0
  readonly #inputs = new FairInputs()
  readonly #brake: WriteBrake | null
  /** Whether something is scheduled that handles what comes in. */
  #isScheduled = false
  #isStopped = false
  /** Taken from the server, sent as far as possible, not durable yet. */
  #unpersisted: Ready[] = []
  #isPersisting = false
  #tickTimer: NodeJS.Timeout | undefined
  #tickDueMs = 0

  private constructor(options: HostOptions, recovered: Awaited<ReturnType<typeof recover>>) {
    const fail = (error: unknown): void => {
      this.#fail(error)
    }
    this.#options = options
    this.times.recovered(recovered.times)
    const resume = (id: number): void => this.resumeClient(id, 'memory')
    this.#brake = options.memory ? new WriteBrake(options.memory, this.#inputs, this.times, resume) : null
    const { random, digest, sasl } = options
    const ports = { random, digest, sasl, isFull: () => this.#brake?.isFull() ?? false }
    this.#server = new Server(options.config, recovered, ports, Date.now())
    this.#snapshots = new SnapshotWriter(options.storage, this.times.snapshot, fail, (error) => {
      options.onEvent({ type: 'snapshot-skipped', error })
    })
    this.#peers = this.#makePeers(fail)
  }

  /**
   * Makes a host of a server with the contents of its storage. It does nothing until it is started.
   *
   * If the storage is damaged and other servers vote too, its contents are put aside, and the server begins without: it
   * learns from the others, and votes again once that cannot undo what it promised (decision 0006). So it does if it is
   * to be rewound, and its files do not reach back so far.
   *
   * @throws any error of the storage, if there is nobody to learn from
   */
  static async open(options: HostOptions): Promise<Host> {
    const { storage, config, rewindTo = null } = options
    const report = (error: unknown): void => {
      options.onEvent({ type: 'damaged', error })
    }
    try {
      return new Host(options, await recover(storage, { onDamage: report, server: config, rewindTo }))
    } catch (error) {
      const isAlone = config.voters.length === 1 && config.voters.includes(config.myid)
      if (isAlone || !isDamage(error)) throw error
      report(error)
      await storage.setAside()
      const beginner = { ...config, bootstrap: false, beginsTogether: false }
      return new Host({ ...options, config: beginner }, await recover(storage, { onDamage: report }))
    }
  }

  /** Begins, once others can reach it. */
  start(): void {
    this.#schedule()
    this.#tickDueMs = performance.now()
    this.#armTick()
  }

  /** The status of the server. */
  status(): ServerStatus {
    return this.#server.status()
  }

  /** Times of the syncs of its log; null if nothing is synced. */
  get syncTimes(): LatencySummary | null {
    return this.#options.storage.syncTimes ?? null
  }

  /** The applied state in bytes: two servers at the same zxid have the same. */
  snapshot(): Uint8Array {
    return this.#server.snapshot()
  }

  /** Another server has opened a link. */
  acceptPeer(from: number, connection: PeerConnection): PeerListener {
    return this.#peers.accept(from, connection)
  }

  /** A vote of another server. */
  receiveVote(from: number, notification: Notification): void {
    this.#input(() => {
      this.#server.receiveVote(from, notification)
    })
  }

  /** The server's inner state, for operators. */
  inspect(): ServerInspection {
    return this.#server.inspect()
  }

  /**
   * Opens a connection of a client.
   *
   * @param client - its end
   * @param address - its IP address; empty if it is in this process
   * @param proved - the identities that it proved while it connected
   * @returns the number of the connection
   */
  openClient(client: ClientEnd, address = '', proved: readonly Identity[] = NO_IDENTITIES): number {
    this.#lastConnection += 1
    const connection = this.#lastConnection
    this.#clients.set(connection, client)
    if (address !== '') {
      this.#clientInput(connection, () => {
        if (this.#clients.has(connection)) this.#server.openClient(connection, address, proved)
      })
    }
    return connection
  }

  /** A message of a client. */
  receiveClient(connection: number, message: ClientMessage): void {
    if (!this.#clients.has(connection)) return
    const growsTree = message.kind !== 'connect' && needsMemory(message)
    for (const part of partsOf(message)) {
      this.#clientInput(connection, () => {
        if (this.#clients.has(connection)) this.#server.receiveClient(connection, part)
      }, growsTree)
    }
  }

  /** A client does not take what it is sent: what it asks for waits until it is resumed. */
  pauseClient(connection: number): void {
    this.#inputs.pause(connection, 'unread')
  }

  resumeClient(connection: number, why: Pause = 'unread'): void {
    this.#inputs.resume(connection, why)
    if (this.#inputs.hasNext && !this.#isStopped) this.#schedule()
  }

  /** Work for a client outside of its turns has taken so long. */
  chargeClient(connection: number, ms: number): void {
    this.#inputs.charge(connection, ms)
  }

  /** The client closed its connection. It gets nothing more; its earlier requests are handled, as in the reference. */
  closeClient(connection: number): void {
    const client = this.#clients.get(connection)
    if (client === undefined || client === GONE) return
    this.#clients.set(connection, GONE)
    this.#clientInput(connection, () => {
      this.#clients.delete(connection)
      this.#brake?.forget(connection)
      this.#server.disconnectClient(connection)
    })
    this.#inputs.forget(connection)
  }

  /** How many clients are connected, or have left and are not yet handled to their last message. */
  get clientCount(): number {
    return this.#clients.size
  }

  /** How many inputs wait for the next turn. */
  get waitingInputs(): number {
    return this.#inputs.length
  }

  /** Whether everything that clients have asked for is answered. */
  get isAnswered(): boolean {
    return this.#isStopped || (this.#inputs.length === 0 && this.#server.unanswered === 0)
  }

  /** The server is about to end; see {@link Server.leave}. */
  leave(): void {
    this.#input(() => {
      this.#server.leave()
    })
  }

  /** Whether the end of this server would cost the others no leader. */
  get hasLeft(): boolean {
    return this.#isStopped || this.#server.hasLeft
  }

  /** Ends a session as if its time-out had passed, if this server leads, or alone knows it. */
  expireSession(sessionId: bigint): void {
    this.#input(() => {
      this.#server.expireSession(sessionId)
    })
  }

  /** Cuts the connection of a session, if it is connected here. */
  disconnectSession(sessionId: bigint): void {
    this.#input(() => {
      this.#server.disconnectSession(sessionId)
    })
  }

  /** Ends the server between two turns, as a crash would. Connections of clients are closed. Idempotent. */
  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    clearTimeout(this.#tickTimer)
    this.#snapshots.abort()
    this.#peers.stop()
    this.#inputs.clear()
    this.#unpersisted = []
    const clients = [...this.#clients.values()]
    this.#clients.clear()
    for (const client of clients) client.onClose()
  }

  #makePeers(failed: (error: unknown) => void): Peers {
    const { transport, peerQueueBytesMax } = this.#options
    return new Peers(transport, {
      peerConnected: (link, peer, isDialled) => {
        this.#input(() => {
          this.#server.peerConnected(link, peer, isDialled)
        })
      },
      peerUnreachable: (peer) => {
        this.#input(() => {
          this.#server.peerUnreachable(peer)
        })
      },
      receivePeer: (link, packet) => {
        this.#input(() => {
          this.#server.receivePeer(link, packet)
        })
      },
      peerClosed: (link) => {
        this.#input(() => {
          this.#server.peerClosed(link)
        })
      },
      linkDropped: (peer, reason) => {
        this.#options.onEvent({ type: 'link-dropped', peer, reason })
      },
      failed,
    }, peerQueueBytesMax)
  }

  #input(input: () => void): void {
    if (this.#isStopped) return
    this.#inputs.addControl(input)
    this.#schedule()
  }

  #clientInput(connection: number, run: () => void, growsTree = false): void {
    if (this.#isStopped) return
    this.#inputs.add(connection, { run, growsTree })
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#turn()
      this.#goOn()
    })
  }

  /** Handles in the next iteration what has come, or is left, by then. */
  #goOn(): void {
    setImmediate(() => {
      this.#isScheduled = false
      if (!this.#inputs.hasNext) return
      this.#turn()
      if (!this.#inputs.hasNext || this.#isScheduled) return
      this.#isScheduled = true
      this.#goOn()
    })
  }

  #turn(): void {
    if (!this.#isStopped) this.#guard(() => this.#handle())
  }

  #handle(): void {
    this.#server.setWallTime(Date.now())
    runTurn(this.#inputs, this.#brake)
    this.#drain()
  }

  #drain(): void {
    for (let ready = this.#server.ready(); ready !== null; ready = this.#server.ready()) {
      for (const peer of ready.dial) this.#peers.dial(peer)
      for (const outgoing of ready.sendNow) this.#peers.send(outgoing)
      for (const { connection, message } of ready.replies) this.#deliver(connection, message)
      for (const connection of ready.close) this.#closeClient(connection)
      for (const event of ready.events) {
        this.times.heard(event)
        this.#options.onEvent(event)
      }
      if (ready.snapshot !== null) this.#snapshots.begin(ready.snapshot)
      if (ready.rewindTo !== null) {
        this.stop()
        this.#options.onRewind(ready.rewindTo)
        return
      }
      this.times.logs(ready.persist)
      this.#unpersisted.push(ready)
      this.#persist()
    }
  }

  /** Makes everything that waits durable, in one go, and then does what waited for it. */
  #persist(): void {
    if (this.#isPersisting) return
    const batch = this.#unpersisted
    this.#unpersisted = []
    const operations = batch.flatMap((ready) => ready.persist)
    if (operations.some(({ type }) => type === 'install')) this.#snapshots.abort()
    const persisting = operations.length === 0 ? undefined : this.#options.storage.persist(operations)
    if (persisting === undefined) {
      this.#persisted(batch)
      return
    }
    this.#isPersisting = true
    persisting.then(
      () => {
        this.#isPersisting = false
        if (this.#isStopped) return
        this.#guard(() => {
          this.#persisted(batch)
          if (this.#unpersisted.length > 0) this.#persist()
          this.#drain()
        })
      },
      (error: unknown) => {
        this.#fail(error)
      },
    )
  }

  #persisted(batch: readonly Ready[]): void {
    for (const ready of batch) {
      for (const outgoing of ready.sendAfterPersist) this.#peers.send(outgoing)
      for (const { link } of ready.closeLinks) this.#peers.close(link)
      this.#server.advance(ready)
    }
  }

  #deliver(connection: number, message: ServerMessage): void {
    try {
      this.#clients.get(connection)?.onMessage(message)
    } catch (error) {
      this.#closeClient(connection)
      this.#input(() => {
        this.#server.disconnectClient(connection)
      })
      this.#options.onEvent({ type: 'client-failed', sessionId: 0n, error })
    }
  }

  #closeClient(connection: number): void {
    const client = this.#clients.get(connection)
    this.#clients.delete(connection)
    this.#brake?.forget(connection)
    this.#inputs.forget(connection)
    client?.onClose()
  }

  #armTick(): void {
    const { tickMs } = this.#options.config
    this.#tickDueMs += tickMs
    this.#tickTimer = setTimeout(() => {
      const lateMs = performance.now() - this.#tickDueMs
      if (lateMs <= STALL_MS) this.#tick()
      else {
        this.#tickDueMs += lateMs
        whenSocketsAreRead(() => this.#tick())
      }
    }, Math.max(0, this.#tickDueMs - performance.now()))
    // A server alone does not keep its process alive; the waits of its clients do.
    this.#tickTimer.unref()
  }

  #tick(): void {
    if (this.#isStopped) return
    this.#input(() => {
      for (const connection of this.#inputs.takeHeard()) this.#server.heardClient(connection)
      this.#server.tick()
    })
    this.#armTick()
  }

  #guard(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return
    this.stop()
    this.#options.onFailure(error)
  }
}
