/**
 * One server that runs in this process: its host, and its ports for clients and operators if it has them. Its owner
 * joins it to the others, in memory or over TCP.
 */
import { downStatus } from './down-status.ts'
import type { EnsembleEvents, EnsembleServerStatus } from './ensemble-events.ts'
import { AdminServer } from './host/admin/admin-server.ts'
import type { Company } from './host/admin/server-view.ts'
import { ClientPort } from './host/clients/tcp-port.ts'
import type { ClientTls } from './host/clients/tcp-port.ts'
import { Certificates } from './host/tls/certificates.ts'
import type { Host } from './host/host.ts'
import { HostSlot } from './host/host-slot.ts'
import type { PeerTransport } from './host/peers/transport.ts'
import { systemRandom } from './host/random.ts'
import type { ServerDirectories } from './host/storage/directory-size.ts'
import type { Storage } from './host/storage/storage.ts'
import { holdsBy, twoTurns } from './host/turns.ts'
import type { ClientSettings } from './options.ts'
import type { ServerConfig } from './server/config.ts'

/** The settings and callbacks that the owner of a server gives it. */
export interface LocalServerOptions {
  readonly id: number
  readonly clients: Omit<ClientSettings, 'ports' | 'securePorts' | 'adminPorts'>
  /** 0 for any that is free, null for none. */
  readonly clientPort: number | null
  /** The port that speaks TLS alone; 0 for any that is free, null for none. */
  readonly secureClientPort: number | null
  /** The AdminServer's; 0 for any that is free, null for none. It needs a port for clients. */
  readonly adminPort: number | null
  readonly company: Company
  readonly events: EnsembleEvents
  /** See {@link ClientPort}. */
  configuration(): string
  /** See {@link ClientPort}. */
  directories(): ServerDirectories | null
  /** Whether the client of this session reaches no server at present. */
  isIsolated(sessionId: bigint): boolean
  /** It runs: the others can reach it. */
  plug(host: Host): void
  /** It has ended. */
  unplug(): void
  /** It serves clients, in this epoch. */
  serves(epoch: number): void
  /** It has ended by itself. */
  failed(error: unknown): void
}

/** The parts that a server starts with. */
export interface LocalServerStart {
  readonly config: ServerConfig
  readonly storage: Storage
  readonly transport: PeerTransport
  /** Its storage is not touched before. */
  readonly storageReady?: Promise<void> | undefined
}

/** One server. */
export class LocalServer {
  readonly id: number
  /** Where ZooKeeper's clients connect to it; null if it serves none. */
  readonly port: ClientPort | null
  /** Where operators look at it over HTTP; null if they cannot. */
  readonly admin: AdminServer | null
  /** It lost its storage and may have forgotten promises. */
  isWiped = false
  readonly #options: LocalServerOptions
  readonly #slot = new HostSlot()

  /**
   * Makes a server that is down.
   *
   * @param options - see {@link LocalServerOptions}
   */
  constructor(options: LocalServerOptions) {
    const { id, clients, clientPort, secureClientPort, adminPort, events } = options
    this.id = id
    this.#options = options
    if (clientPort === null && secureClientPort === null) {
      this.port = null
      this.admin = null
      return
    }
    this.port = new ClientPort({
      ...clients,
      port: clientPort,
      tls: tlsOf(options),
      onTlsRefused: (address, reason) => {
        events.emit(id, { type: 'client-refused', address, reason })
      },
      company: options.company,
      configuration: () => options.configuration(),
      directories: () => options.directories(),
      isIsolated: (sessionId) => options.isIsolated(sessionId),
      onClientError: (sessionId, error) => {
        events.emit(id, { type: 'client-failed', sessionId, error })
        events.tellClientError(error)
      },
    })
    const { view } = this.port
    this.admin = adminPort === null ? null : new AdminServer({ address: clients.adminAddress, port: adminPort, view })
  }

  /** The host that runs; null while none does, and while one is being opened. */
  get host(): Host | null {
    return this.#slot.host
  }

  /** Whether it runs, or is about to. */
  get isUp(): boolean {
    return this.#slot.isTaken
  }

  /** Its status; `DOWN` while it does not run. */
  status(): EnsembleServerStatus {
    return this.host?.status() ?? downStatus(this.id)
  }

  /**
   * Opens its ports.
   *
   * @throws Error that names address and port if one of them is not available; close them then
   */
  async listen(): Promise<void> {
    await Promise.all([this.port?.listen(), this.admin?.listen()])
  }

  /** Closes its ports and every connection, at once. They can be opened again. Idempotent. */
  closePorts(): void {
    this.port?.close()
    this.admin?.close()
  }

  /** Starts it; its ports are opened by the owner. */
  start({ config, storage, transport, storageReady }: LocalServerStart): void {
    const { id, events } = this.#options
    this.#slot.open({
      config,
      storage,
      random: systemRandom,
      transport,
      onEvent: (event) => {
        if (event.type === 'serving') this.#options.serves(event.epoch)
        events.emit(id, event)
        if (event.type !== 'client-failed') return
        this.port?.noteClientError()
        events.tellClientError(event.error)
      },
      onFailure: (error) => {
        this.stop()
        this.#options.failed(error)
      },
    }, (host) => {
      this.port?.attach(host)
      this.#options.plug(host)
      const { epoch, loggedZxid } = host.status()
      events.emit(id, { type: 'started', epoch, loggedZxid })
    }, storageReady)
  }

  /**
   * If it leads, it has everything done that it has begun, and then makes way for another leader.
   *
   * @param untilMs - when to stop waiting, on `performance.now()`
   */
  async handOver(untilMs: number): Promise<void> {
    const { host } = this
    if (host === null || host.hasLeft) return
    host.leave()
    await holdsBy(() => host.hasLeft, untilMs)
  }

  /** Ends it at once, as if its process had died. */
  stop(): void {
    this.closePorts()
    this.#options.unplug()
    this.#slot.empty()
  }
}

/**
 * Waits until the requests that clients have sent to some servers so far are answered.
 *
 * @param untilMs - when to stop waiting, on `performance.now()`
 * @param refuse - called when nothing more is taken from clients of this process
 * @returns nothing if there are no clients
 */
export function drain(servers: readonly LocalServer[], untilMs: number, refuse: () => void): Promise<void> | undefined {
  const hosts = (): Host[] => servers.flatMap(({ host }) => host ?? [])
  const ports = servers.flatMap(({ port }) => port ?? [])
  if (hosts().every((host) => host.clientCount === 0) && ports.every((port) => port.connectionCount === 0)) return
  return answered(hosts, ports, untilMs, refuse)
}

async function answered(
  hosts: () => readonly Host[],
  ports: readonly ClientPort[],
  untilMs: number,
  refuse: () => void,
): Promise<void> {
  // The calls of this process's clients are on their way to the servers.
  await twoTurns()
  refuse()
  await Promise.all([
    ...ports.map((port) => port.drain(untilMs)),
    holdsBy(() => hosts().every((host) => host.isAnswered), untilMs),
  ])
}

function tlsOf({ id, clients: { tls }, secureClientPort, events }: LocalServerOptions): ClientTls | null {
  if (tls === null) return null
  const certificates = new Certificates(tls, 'ssl', (event) => {
    events.emit(id, event)
  })
  return { ...tls, certificates, port: secureClientPort }
}
