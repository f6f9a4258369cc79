/**
 * The simulated world: servers, clients, network and disks under one kernel.
 *
 * Model     a server is the production host and machine on a node of its own, with a simulated disk and network. A
 *           client is the production client on a node of its own: real connect(), real recipes. Only time, chance,
 *           network and disks are of this world.
 */
import { AssertionError } from '../../core/assert.ts'
import type { Backend, Capabilities } from '../../core/backend.ts'
import { connect } from '../../core/connect.ts'
import type { Client, ConnectOptions } from '../../core/client.ts'
import { sha1 } from '../../backends/embedded/host/digest.ts'
import type { Host, HostEvent } from '../../backends/embedded/host/host.ts'
import { HostSlot } from '../../backends/embedded/host/host-slot.ts'
import { isDamage } from '../../backends/embedded/host/storage/recovery.ts'
import type { PeerTransport } from '../../backends/embedded/host/peers/transport.ts'
import { isNoRoom } from '../../backends/embedded/host/storage/room.ts'
import { RewindError } from '../../backends/embedded/host/storage/storage-error.ts'
import { SERVER_DEFAULTS } from '../../backends/embedded/server/config.ts'
import type { ServerConfig } from '../../backends/embedded/server/config.ts'
import type { ServerEvent, ServerStatus } from '../../backends/embedded/server/ready.ts'
import type { Dialer } from '../../backends/client/channel.ts'
import { openClientSession } from '../../backends/client/session.ts'
import { SimDisk, isDiskError } from './disk.ts'
import type { DiskWeather, ServerDisk } from './disk.ts'
import { FileDisk } from './file-disk.ts'
import type { FileDiskEvent, FileSettings } from './file-disk.ts'
import { Kernel } from './kernel.ts'
import type { KernelOptions } from './kernel.ts'
import type { SimNode } from './sim-node.ts'
import { SimNetwork } from './network.ts'
import type { NetworkWeather, ServerPlace } from './network.ts'
import type { ZooKeeperShare } from './zookeeper-files.ts'

/** The parts of the world. */
export interface WorldOptions extends KernelOptions {
  /** Servers that vote. */
  readonly servers: number
  readonly observers: number
  /** Session time-out of clients, in milliseconds. */
  readonly sessionTimeoutMs: number
  readonly server?: Partial<ServerConfig>
  readonly network?: Partial<NetworkWeather>
  readonly disk?: Partial<DiskWeather>
  /** How the servers keep their files; if absent, their disks have none, and are faster. */
  readonly files?: FileSettings | undefined
  /** The files of ZooKeepers that are on the disks, by server; absent if the ensemble is new. */
  readonly carriedOver?: readonly ZooKeeperShare[] | undefined
}

/** Something in the life of a server. */
export interface WorldEvent {
  readonly atMs: number
  readonly server: number
  readonly event: ServerEvent | HostEvent | FileDiskEvent | {
    /** `disk-torn`: what it was writing when it crashed may look damaged. */
    readonly type: 'started' | 'crashed' | 'disk-error' | 'disk-torn'
  }
}

const NETWORK: NetworkWeather = { delayMsMin: 0.1, delayMsMax: 2, tailChance: 0.001, tailFactor: 100 }
const DISK: DiskWeather = { latencyMsMin: 0.05, latencyMsMax: 1, slowChance: 0.001, slowFactor: 100 }
const CAPABILITIES: Capabilities = Object.freeze({
  durability: 'disk',
  linearizableSync: true,
  comparesCreations: true,
  containers: true,
  ttlGranularityMs: 1,
  acl: false,
  dataBytesMax: 1_000_000,
})

/** One server of the world. */
export class SimServer implements ServerPlace {
  readonly id: number
  readonly node: SimNode
  readonly disk: ServerDisk
  readonly slot = new HostSlot()
  /** Those of its present life. */
  peers: PeersOfServer | null = null
  /** How often it was started. */
  lives = 0

  constructor(id: number, node: SimNode, disk: ServerDisk) {
    this.id = id
    this.node = node
    this.disk = disk
  }

  /** The host of its present life; null while it is down or reads its disk. */
  host(): Host | null {
    return this.slot.host
  }

  /** Where it stands; null while it has no host. */
  status(): ServerStatus | null {
    return this.slot.host?.status() ?? null
  }
}

/** How one server, in one life, reaches the others and is reached. */
export interface PeersOfServer {
  readonly transport: PeerTransport
  /** The server is there. */
  attach(host: Host): void
  /** It is not any more; whether its process is over, its node says. */
  detach(): void
}

/** The world. */
export class World {
  readonly kernel: Kernel
  readonly network: SimNetwork
  readonly servers: readonly SimServer[]
  /** The events of the servers, in order. */
  readonly events: WorldEvent[] = []
  /** Told of each as it happens: of a crash while the server still stands. */
  readonly watchers: ((event: WorldEvent) => void)[] = []
  /** Puts something between the clients and their backend; for checkers, which record what is called there. */
  wrapBackend: (backend: Backend, node: SimNode) => Backend = (backend) => backend
  /** How a server reaches the others: over the network of messages, if nobody puts something else there. */
  peersOf: (id: number, node: SimNode) => PeersOfServer = (id, node) => ({
    transport: this.network.transportOf(id),
    attach: (host) => {
      this.network.attach(id, node, host)
    },
    detach: () => undefined,
  })
  /** Whether the disk of a server may be such after a crash that it looks damaged. */
  mayTear: (server: number) => boolean = () => true
  readonly #options: WorldOptions
  readonly #voters: readonly number[]
  #clients = 0
  #dialTurn = 0

  constructor(options: WorldOptions) {
    this.#options = options
    this.kernel = new Kernel(options)
    const { random } = this.kernel
    this.network = new SimNetwork(this.kernel, random.fork('network'), { ...NETWORK, ...options.network })
    this.#voters = Array.from({ length: options.servers }, (_, index) => index + 1)
    this.servers = Array.from({ length: options.servers + options.observers }, (_, index) => {
      const node = this.kernel.addNode(`s${index + 1}`)
      return new SimServer(index + 1, node, this.#makeDisk(index + 1, node))
    })
  }

  /** The options that it was made with. */
  get options(): WorldOptions {
    return this.#options
  }

  /** A tick of its servers, in milliseconds. */
  get tickMs(): number {
    return this.#options.server?.tickMs ?? SERVER_DEFAULTS.tickMs
  }

  /** The server with this id. */
  server(id: number): SimServer {
    const server = this.servers[id - 1]
    if (server === undefined) throw new RangeError(`there is no server ${id}`)
    return server
  }

  /** Servers that have a vote. */
  get voters(): readonly SimServer[] {
    return this.servers.slice(0, this.#options.servers)
  }

  /** Takes the disk of a server that is down. */
  wipe(id: number): void {
    const server = this.server(id)
    if (server.slot.isTaken) throw new Error(`server ${id} is up`)
    server.disk.wipe()
  }

  /** Starts a server that is down. */
  start(id: number): void {
    const server = this.server(id)
    if (server.slot.isTaken) return
    this.kernel.revive(server.node)
    this.#note(id, { type: 'started' })
    this.kernel.as(server.node, () => {
      this.#startHost(server)
    })
  }

  /** Ends a server's process between two events. */
  crash(id: number): void {
    const server = this.server(id)
    if (!server.slot.isTaken) return
    this.#note(id, { type: 'crashed' })
    this.#end(server)
  }

  /** A client of its own on a node of its own; its program runs there, and ends the run if it throws. */
  addClient(
    program: (client: Client, node: SimNode) => Promise<void>,
    options: ConnectOptions = {},
  ): SimNode {
    this.#clients += 1
    const node = this.kernel.addNode(`c${this.#clients}`)
    const run = async (): Promise<void> => {
      const client = await connect(this.wrapBackend(this.backend(node), node), { ...options, onError: (error) => {
        this.kernel.fail(error)
      } })
      await program(client, node)
    }
    this.kernel.after(0, node, 'start', () => {
      run().catch((error: unknown) => {
        this.kernel.fail(error)
      })
    })
    return node
  }

  /** The ensemble as one client sees it over the network. */
  backend(node: SimNode): Backend {
    return {
      name: 'simulated',
      capabilities: CAPABILITIES,
      open: (options) =>
        openClientSession(this.#dialer(node), {
          ...options,
          sessionTimeoutMs: options.sessionTimeoutMs ?? this.#options.sessionTimeoutMs,
        }),
    }
  }

  #dialer(node: SimNode): Dialer {
    this.#dialTurn += 1
    let turn = this.#dialTurn
    return {
      serverCount: this.servers.length,
      dial: (listener) => {
        turn += 1
        return this.network.connect(node, this.server((turn % this.servers.length) + 1), listener)
      },
    }
  }

  #makeDisk(id: number, node: SimNode): ServerDisk {
    const { kernel } = this
    const { files } = this.#options
    const random = kernel.random.fork(`disk ${id}`)
    const weather = { ...DISK, ...this.#options.disk }
    if (files === undefined) return new SimDisk(kernel, node, random, weather)
    return new FileDisk({
      kernel, node, random, weather,
      settings: files,
      carriedOver: this.#options.carriedOver?.[id - 1],
      onEvent: (event) => {
        this.#note(id, event)
        if (event.type === 'disk-full' && !this.#isOnlyVoter(id)) this.#startAgain(this.server(id))
      },
    })
  }

  #startHost(server: SimServer, rewindTo: bigint | null = null): void {
    const { id, node, disk } = server
    server.lives += 1
    const peers = this.peersOf(id, node)
    server.peers = peers
    server.slot.open({
      config: {
        ...SERVER_DEFAULTS,
        ...this.#options.server,
        myid: id,
        voters: this.#voters,
        bootstrap: !disk.isLost,
      },
      storage: disk,
      random: node.random.fork(`server ${server.lives - 1}`),
      digest: sha1,
      transport: peers.transport,
      rewindTo,
      onEvent: (event) => {
        // A server goes on without that client, or from an older snapshot. Here it is a fault of ours.
        const isOurs = event.type === 'client-failed' || (event.type === 'damaged' && !this.#isFate(event.error, disk))
        if (isOurs) this.kernel.fail(event.error)
        else this.#note(id, event)
      },
      onRewind: (zxid) => {
        this.#startAgain(server, zxid)
      },
      onFailure: (error) => {
        this.#failed(server, error)
      },
    }, (host) => {
      disk.opened()
      peers.attach(host)
    })
  }

  #isOnlyVoter(id: number): boolean {
    return this.#voters.length === 1 && id === 1
  }

  /** A state that one server had of another can lack the history before it, so that it cannot be undone. */
  #isFate(error: unknown, disk: ServerDisk): boolean {
    return isExpected(error, disk) || (this.#options.carriedOver !== undefined && error instanceof RewindError)
  }

  /** As the product does (decision 0017): the others go on, and it starts again when what it has begun is durable. */
  #startAgain(server: SimServer, rewindTo: bigint | null = null): void {
    const { id, slot } = server
    if (!slot.isTaken) return
    this.#note(id, { type: 'crashed' })
    slot.empty()
    this.#detach(server)
    this.#note(id, { type: 'started' })
    this.#startHost(server, rewindTo)
  }

  /** A disk error ends a server, as it should; anything else is a broken promise of ours. */
  #failed(server: SimServer, error: unknown): void {
    // A start needs room; who runs waits for it.
    const isFullAtStart = server.host() === null && isNoRoom(error)
    if (isFullAtStart || isExpected(error, server.disk)) {
      this.#note(server.id, { type: 'disk-error' })
      this.#end(server)
      return
    }
    const reason = error instanceof AssertionError ? error : new Error(`server ${server.id} failed`, { cause: error })
    this.kernel.fail(reason)
  }

  #end(server: SimServer): void {
    this.kernel.kill(server.node)
    server.slot.empty()
    if (server.disk.crash(this.mayTear(server.id))) this.#note(server.id, { type: 'disk-torn' })
    this.#detach(server)
  }

  #detach(server: SimServer): void {
    server.peers?.detach()
    server.peers = null
    this.network.detach(server.id)
  }

  #note(server: number, event: WorldEvent['event']): void {
    const happened = { atMs: this.kernel.nowMs, server, event }
    this.events.push(happened)
    for (const watch of this.watchers) watch(happened)
  }
}

/** Whether a disk has reason for this error. */
function isExpected(error: unknown, disk: ServerDisk): boolean {
  return isDiskError(error) || (disk.mayBeDamaged && isDamage(error))
}
